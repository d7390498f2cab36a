//! One answer of many comes from a machine whose clock is wrong: nothing is cancelled or started for it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab};

use crate::bot::{bot, in_flight, run};

const HOUR: Duration = Duration::from_secs(60 * 60);
const TWO_DAYS: i64 = 2 * 24 * 60 * 60;

/// Sets the date of some of the next answers off.
fn wrong_clock(gitlab: &Gitlab, seconds: i64, of: impl Fn(usize) -> bool + Send + Sync + 'static) {
    let count = AtomicUsize::new(0);
    gitlab.fault(move |_| {
        let is_wrong = of(count.fetch_add(1, Ordering::SeqCst));
        is_wrong.then_some(Fault::DateOff(seconds))
    });
}

/// A benchmark is in flight for an hour, and another request waits for its place. Whatever the clocks say, a command
/// changes nothing.
fn nothing_is_done(command: &str, of: fn(answer: usize, turn: usize) -> bool) {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    let next = gitlab.mr("next").passed().labelled();
    gitlab.later(HOUR);
    gitlab.clear_requests();
    run(&gitlab, command);
    let answers = gitlab.requests().len();
    gitlab.clear_requests();
    for seconds in [TWO_DAYS, -TWO_DAYS] {
        for turn in 0..answers {
            wrong_clock(&gitlab, seconds, move |answer| of(answer, turn));
            bot(&gitlab, command).runs();
            let story = format!("{command}, {turn}, {seconds}");
            let writes: Vec<String> = gitlab.writes().iter().map(ToString::to_string).collect();
            assert_eq!(writes, [""; 0], "{story}");
            let [running] = &gitlab.benchmarks()[..] else {
                panic!("{story}: {:?}", gitlab.benchmarks())
            };
            assert_eq!((running.id, running.has_ended()), (benchmark, false));
            assert!(mr.is_labelled() && next.is_labelled(), "{story}");
        }
    }
}

#[test]
fn a_single_answer_with_a_wrong_date_decides_nothing() {
    for command in ["reconcile", "scan", "trigger --mr 1"] {
        nothing_is_done(command, |answer, turn| answer == turn);
    }
}

#[test]
fn nor_does_every_third() {
    for command in ["reconcile", "scan"] {
        nothing_is_done(command, |answer, turn| answer % 3 == turn % 3);
    }
}

#[test]
fn what_is_stuck_is_cancelled_though_one_answer_says_otherwise() {
    for seconds in [TWO_DAYS, -TWO_DAYS] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        gitlab.later(25 * HOUR);
        wrong_clock(&gitlab, seconds, |answer| answer == 0);
        run(&gitlab, "reconcile");
        gitlab.no_faults();
        assert!(mr.page().contains("Benchmark timed out"), "{}", mr.page());
        let cancelled = gitlab.writes().into_iter();
        let cancelled = cancelled.filter(|write| write.path.ends_with("/cancel"));
        assert_eq!(cancelled.count(), 1, "{benchmark}");
    }
}
