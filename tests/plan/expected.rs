//! When the queue's requests are expected to start.

use bench_bot::plan::{self, Rules};
use bench_bot::record::Record;
use bench_bot::snapshot::Snapshot;
use chrono::TimeDelta;

use crate::scene::*;

/// In minutes from now, for three in the queue.
fn expected(
    (known, places): (&[(Option<&str>, i64)], usize),
    in_flight: impl IntoIterator<Item = Record>,
) -> [Option<i64>; 3] {
    let held = known
        .iter()
        .map(|(label, minutes)| (label.map(str::to_owned), TimeDelta::minutes(*minutes)));
    let snapshot = Snapshot {
        run_times: held.collect(),
        ..snapshot(
            [mr(1), mr(2), mr(3)],
            in_flight.into_iter().collect::<Vec<_>>(),
        )
    };
    let rules = Rules {
        max_in_flight: places,
        ..RULES
    };
    let plan = plan::scan(&snapshot, &rules);
    let at = |index: usize| plan.queue[index].expected_at;
    [0, 1, 2].map(|index| at(index).map(|at| (at - snapshot.now).num_minutes()))
}

/// Of another merge request, that many minutes old.
fn running(minutes: i64) -> Record {
    let mut record = aged("running", minutes);
    record.task.mr = bench_bot::id::Iid(9);
    record
}

#[test]
fn each_takes_a_place_for_as_long_as_the_median() {
    let known = [(Some(LABEL), 20), (Some(LABEL), 30), (Some(LABEL), 90)];
    for (case, places, in_flight, starts) in [
        ("free", 1, vec![], [Some(0), Some(30), Some(60)]),
        ("two free", 2, vec![], [Some(0), Some(0), Some(30)]),
        ("one runs", 1, vec![10], [Some(20), Some(50), Some(80)]),
        (
            "one of two runs",
            2,
            vec![10],
            [Some(0), Some(20), Some(30)],
        ),
        (
            "it takes as long as the median by now",
            1,
            vec![30],
            [Some(60), Some(90), Some(120)],
        ),
        (
            "it takes longer than most",
            1,
            vec![40],
            [Some(50), Some(80), Some(110)],
        ),
        ("it takes longer than any", 1, vec![100], [None; 3]),
        (
            "the other place",
            2,
            vec![100],
            [Some(0), Some(30), Some(60)],
        ),
        (
            "more than may be",
            1,
            vec![10, 25],
            [Some(35), Some(65), Some(95)],
        ),
        ("paused", 0, vec![], [None; 3]),
    ] {
        let in_flight = in_flight.into_iter().map(running);
        assert_eq!(expected((&known, places), in_flight), starts, "{case}");
    }
}

#[test]
fn where_too_little_is_known_there_is_no_guess() {
    let known = |label| [(label, 20), (label, 30), (label, 90)];
    let first_only = [Some(0), None, None];
    for (case, known, starts) in [
        ("nothing ended", &[][..], first_only),
        ("two ended", &known(Some(LABEL))[..2], first_only),
        ("of another label", &known(Some("other")), first_only),
        (
            "of an unknown label, of which there is one",
            &known(None),
            [Some(0), Some(30), Some(60)],
        ),
    ] {
        assert_eq!(expected((known, 1), []), starts, "{case}");
    }
}
