//! Many runs at the very same moment. What comes first is up to the machine: each round is another history.

use std::sync::Barrier;
use std::thread;

use chrono::TimeDelta;
use in_memory_gitlab::Gitlab;

use crate::bot::{SOLE, end_all};
use crate::promise::{self, Meddling};

const ROUNDS: usize = 3;
const MAX_CONCURRENT: [&str; 8] = [
    "scan --max-in-flight 3",
    "scan --max-in-flight 3",
    "scan --max-in-flight 3",
    "trigger --mr 1",
    "trigger --mr 4",
    "reconcile",
    "reconcile",
    "reconcile",
];

fn all_at_once(gitlab: &Gitlab) {
    let start = Barrier::new(MAX_CONCURRENT.len());
    thread::scope(|scope| {
        for command in MAX_CONCURRENT {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                SOLE.run(gitlab, command);
            });
        }
    });
}

#[test]
fn eight_runs_at_once_leave_one_of_each_after_the_next_reconcile() {
    for _ in 0..ROUNDS {
        let gitlab = Gitlab::start();
        for number in 1..=4 {
            gitlab.mr(&format!("branch-{number}")).passed().labelled();
        }
        all_at_once(&gitlab);
        SOLE.run(&gitlab, "reconcile");
        assert_eq!(promise::safety(&gitlab, &Meddling::default()), [""; 0]);
        assert_eq!(promise::settled(&gitlab, &SOLE), [""; 0]);
        end_all(&gitlab);
        // Several tell the outcome, take the label off, and trigger puts it on again.
        all_at_once(&gitlab);
        for _ in 0..3 {
            SOLE.run(&gitlab, "reconcile");
            assert_eq!(promise::safety(&gitlab, &Meddling::default()), [""; 0]);
            assert_eq!(promise::settled(&gitlab, &SOLE), [""; 0]);
            SOLE.run(&gitlab, "scan --max-in-flight 9");
            end_all(&gitlab);
        }
        SOLE.run(&gitlab, "reconcile");
        assert_eq!(
            promise::at_rest(&gitlab, &Meddling::default(), TimeDelta::hours(48)),
            [""; 0]
        );
    }
}
