//! What a request spends its time on, as a table.

use bench_bot::milestones::{Milestones, Waits, median};
use chrono::{DateTime, TimeDelta, Utc};

/// So many minutes past noon.
fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_614_400 + minutes * 60, 0).expect("a time")
}

/// Minutes of label, pipeline, benchmark pipeline, machine and end.
fn milestones(minutes: [Option<i64>; 5]) -> Milestones {
    let [requested_at, ready_at, begun_at, started_at, ended_at] = minutes.map(|at_| at_.map(at));
    Milestones {
        requested_at,
        ready_at,
        begun_at,
        started_at,
        ended_at,
    }
}

fn whole(minutes: [i64; 5]) -> Milestones {
    milestones(minutes.map(Some))
}

#[test]
fn what_a_request_spends_its_time_on() {
    let none = None;
    let cases = [
        (
            "all",
            whole([0, 5, 9, 10, 30]),
            "Pipeline 0-5, Queue 5-9, Machine 9-10, Running 10-30",
        ),
        (
            "ready before the label",
            whole([0, -90, 9, 9, 30]),
            "Queue 0-9, Running 9-30",
        ),
        (
            "retried when it was begun",
            whole([0, 20, 9, 10, 30]),
            "Pipeline 0-9, Machine 9-10, Running 10-30",
        ),
        (
            "never ran",
            milestones([Some(0), Some(0), Some(2), none, Some(7)]),
            "Queue 0-2, Machine 2-7",
        ),
        (
            "in flight",
            milestones([Some(0), Some(0), Some(2), Some(3), none]),
            "Queue 0-2, Machine 2-3, Running 3-60",
        ),
        (
            "queued",
            milestones([Some(0), Some(7), none, none, none]),
            "Pipeline 0-7, Queue 7-60",
        ),
        (
            "ready who knows when",
            milestones([Some(0), none, Some(9), Some(9), Some(30)]),
            "Untold 0-9, Running 9-30",
        ),
        (
            "labelled who knows when",
            milestones([none, Some(0), Some(9), Some(9), Some(30)]),
            "Running 9-30",
        ),
        ("nothing known", Milestones::default(), ""),
    ];
    for (case, milestones, expected) in cases {
        let minutes = |time: DateTime<Utc>| (time - at(0)).num_minutes();
        let told = milestones.phases(at(60)).into_iter();
        let told = told.map(|s| format!("{:?} {}-{}", s.stage, minutes(s.from), minutes(s.to)));
        assert_eq!(told.collect::<Vec<_>>().join(", "), expected, "{case}");
    }
}

#[test]
fn what_requests_waited_for() {
    // The first runs from 2 to 30; the second is ready from 10, begun at 35, and gets a machine at 45.
    let each = [whole([0, 0, 2, 2, 30]), whole([0, 10, 35, 45, 50])];
    let waits = |in_flight: &[Milestones], places| Waits::of(&each, in_flight, places, at(60));
    let minutes = |waits: Waits| {
        [waits.pipeline, waits.place, waits.scan, waits.machine].map(|time| time.num_minutes())
    };
    assert_eq!(
        minutes(waits(&each, 1)),
        [10, 20, 2 + 5, 10],
        "one place, taken until 30"
    );
    assert_eq!(
        minutes(waits(&each, 2)),
        [10, 0, 2 + 25, 10],
        "a place was free all the time"
    );
    let theirs = milestones([None, None, Some(20), None, None]);
    let all = [each[0], each[1], theirs];
    assert_eq!(
        minutes(waits(&all, 2)),
        [10, 10, 2 + 15, 10],
        "others take places as well"
    );
    assert_eq!(waits(&each, 1).total(), TimeDelta::minutes(47));
}

#[test]
fn the_median() {
    let of = |minutes: &[i64]| {
        median(
            minutes
                .iter()
                .map(|&minutes| TimeDelta::minutes(minutes))
                .collect(),
        )
        .map(|median| median.num_minutes())
    };
    assert_eq!(
        (of(&[]), of(&[7]), of(&[9, 1, 5]), of(&[4, 1, 9, 6])),
        (None, Some(7), Some(5), Some(5))
    );
}
