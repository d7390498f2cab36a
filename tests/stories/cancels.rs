//! A cancel that comes late, is refused, or has more to do; and what `status` says of it beforehand.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr};
use serde_json::{Value, json};

use crate::bot::{bot, in_flight, json, last_word, run, writes};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn status(gitlab: &Gitlab, benchmark: u64) -> String {
    gitlab.pipeline(benchmark).status
}

fn nobody_may_cancel(gitlab: &Gitlab, nobody: bool) {
    gitlab.configure("acme/benchmarks", |project| {
        project.ci_restrict_pipeline_cancellation_role = nobody.then(|| "no_one".to_owned());
    });
}

#[test]
fn a_slow_cancel_of_a_stuck_one_is_told_when_it_is_done() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.world().slow_cancel = true;
    gitlab.later(25 * HOUR);
    run(&gitlab, "reconcile");
    let told = ["is to be cancelled", "is to be cancelled", "was cancelled"];
    for (settled, told) in told.into_iter().enumerate() {
        let said = last_word(&mr);
        assert!(said.contains(told), "{said}");
        gitlab.later(5 * MINUTE);
        gitlab.run_background_jobs();
        if settled == 0 {
            assert_eq!(status(&gitlab, benchmark), "canceling");
        }
        run(&gitlab, "reconcile");
    }
    gitlab.clear_requests();
    run(&gitlab, "reconcile");
    assert_eq!(writes(&gitlab), Vec::<String>::new());
    assert_eq!((mr.notes().len(), mr.is_labelled()), (2, false));
}

#[test]
fn one_that_succeeds_while_it_is_being_cancelled_is_told_so() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.world().slow_cancel = true;
    mr.unlabelled();
    run(&gitlab, "reconcile");
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    let said = last_word(&mr);
    assert!(
        said.contains("**Benchmark withdrawn**")
            && said.contains("was to be cancelled, but had ended by then: `success`"),
        "{said}"
    );
}

#[test]
fn one_that_ended_before_its_cancel_came_through_is_told_so_days_later() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.later(25 * HOUR);
    gitlab.fault(|request| request.path.ends_with("/cancel").then(Fault::server_error));
    bot(&gitlab, "reconcile --retries 0").exits(1);
    assert!(last_word(&mr).contains("is to be cancelled"));
    gitlab.no_faults();
    gitlab.benchmark_ends(benchmark, "skipped");
    gitlab.later(72 * HOUR);
    run(&gitlab, "reconcile");
    let said = last_word(&mr);
    assert!(
        said.contains("**Benchmark timed out**") && said.contains("had ended by then: `skipped`"),
        "{said}"
    );
    assert_eq!((mr.notes().len(), mr.is_labelled()), (2, false));
}

#[test]
fn a_withdrawn_one_that_waits_for_a_manual_job_is_cancelled_with_that() {
    for slow in [false, true] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        gitlab.benchmark_blocked(benchmark, "publish");
        gitlab.world().slow_cancel = slow;
        mr.unlabelled();
        let report = json(&gitlab, "reconcile");
        assert_eq!(report["actions"][0]["action"], "withdraw");
        gitlab.run_background_jobs();
        run(&gitlab, "reconcile");
        let said = last_word(&mr);
        assert!(
            said.contains("withdrawn") && said.contains("was cancelled"),
            "{said}"
        );
        assert_eq!(status(&gitlab, benchmark), "canceled");
        gitlab.clear_requests();
        run(&gitlab, "reconcile");
        assert_eq!(writes(&gitlab), Vec::<String>::new());
    }
}

/// For an hour each run tries, and says what GitLab says; then a person has to see to it, and the others go on.
#[test]
fn a_refused_cancel_is_reported_and_keeps_no_request_open() {
    let happens: [fn(&Gitlab, &Mr); 2] = [
        |gitlab, _| gitlab.later(25 * HOUR),
        |_, mr| drop(mr.unlabelled()),
    ];
    for (word, happens) in ["timed out", "withdrawn"].into_iter().zip(happens) {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        nobody_may_cancel(&gitlab, true);
        happens(&gitlab, &mr);
        for _ in 0..3 {
            let ran = bot(&gitlab, "reconcile").exits(1);
            assert!(
                ran.stdout.contains("cannot cancel the benchmark")
                    && ran.stdout.contains("403 Forbidden"),
                "{}",
                ran.stdout
            );
            let said = last_word(&mr);
            assert!(
                said.contains(word) && said.contains("is to be cancelled"),
                "{said}"
            );
            assert!(!mr.is_labelled());
            gitlab.later(20 * MINUTE);
        }
        gitlab.later(HOUR);
        gitlab.clear_requests();
        let said = run(&gitlab, "reconcile").stderr;
        assert!(said.contains(&gitlab.pipeline(benchmark).url), "{said}");
        assert_eq!(
            said.contains("it takes a place until somebody"),
            word == "withdrawn",
            "{said}"
        );
        gitlab.later(25 * HOUR);
        for command in ["reconcile", "scan"] {
            let ran = run(&gitlab, command);
            assert!(
                ran.complaint().contains("it no longer holds up the queue"),
                "{}",
                ran.stderr
            );
        }
        assert_eq!(writes(&gitlab), Vec::<String>::new());
        gitlab.benchmark_ends(benchmark, "success");
        run(&gitlab, "reconcile");
        let said = last_word(&mr);
        assert!(said.contains("had ended by then: `success`"), "{said}");
        assert_eq!(mr.notes().len(), 2);
    }
}

#[test]
fn a_cancel_that_may_pass_keeps_the_label_until_it_did() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.later(25 * HOUR);
    gitlab.fault(|request| {
        let cancels = request.path.ends_with("/cancel");
        cancels.then(in_memory_gitlab::Fault::server_error)
    });
    bot(&gitlab, "reconcile").exits(1);
    assert!(mr.is_labelled());
    gitlab.no_faults();
    run(&gitlab, "reconcile");
    assert_eq!(status(&gitlab, benchmark), "canceled");
    assert!(!mr.is_labelled());
    assert_eq!(mr.notes().len(), 2, "{}", mr.page());
}

struct Promise {
    state: &'static str,
    /// With the benchmark of a labelled merge request in flight.
    comes_about: fn(&Gitlab, &Mr, u64),
    /// What `status` says will happen.
    says: &'static str,
    /// What the next reconcile then does, and whether the label stays.
    does: &'static [&'static str],
    stays: bool,
}

const PROMISES: [Promise; 10] = [
    Promise {
        state: "it runs",
        comes_about: |_, _, _| {},
        says: "When it has ended, the next reconcile posts the outcome and takes the label off.",
        does: &[],
        stays: true,
    },
    Promise {
        state: "it has ended",
        comes_about: |gitlab, _, benchmark| gitlab.benchmark_ends(benchmark, "failed"),
        says: "The next reconcile posts the outcome and takes the label off.",
        does: &["finish"],
        stays: false,
    },
    Promise {
        state: "it is blocked",
        comes_about: |gitlab, _, benchmark| gitlab.benchmark_blocked(benchmark, "publish"),
        says: "Otherwise, reconcile posts the results that there are after --timeout, and takes the label off.",
        does: &[],
        stays: true,
    },
    Promise {
        state: "it has been blocked for too long",
        comes_about: |gitlab, _, benchmark| {
            gitlab.benchmark_blocked(benchmark, "publish");
            gitlab.later(25 * HOUR);
        },
        says: "The next reconcile cancels it, says so and takes the label off.",
        does: &["cancel"],
        stays: false,
    },
    Promise {
        state: "it is stuck",
        comes_about: |gitlab, _, _| gitlab.later(25 * HOUR),
        says: "The next reconcile cancels it, says so and takes the label off.",
        does: &["cancel"],
        stays: false,
    },
    Promise {
        state: "it is stuck, and canceling already",
        comes_about: |gitlab, _, benchmark| {
            gitlab.benchmark_hangs(benchmark, "canceling");
            gitlab.later(25 * HOUR);
        },
        says: "The next reconcile says that it took too long and takes the label off.",
        does: &["cancel"],
        stays: false,
    },
    Promise {
        state: "it is withdrawn",
        comes_about: |_, mr, _| drop(mr.unlabelled()),
        says: "if somebody took it off, the next reconcile says so and cancels the benchmark.",
        does: &["withdraw"],
        stays: false,
    },
    Promise {
        state: "it was withdrawn and hangs",
        comes_about: |gitlab, mr, benchmark| {
            gitlab.benchmark_hangs(benchmark, "running");
            mr.unlabelled();
            run(gitlab, "reconcile");
            gitlab.later(2 * HOUR);
        },
        says: "Somebody has to cancel or delete its pipeline",
        does: &[],
        stays: false,
    },
    Promise {
        state: "somebody retried it after its outcome",
        comes_about: |gitlab, _, benchmark| {
            gitlab.benchmark_ends(benchmark, "failed");
            run(gitlab, "reconcile");
            gitlab.retry(benchmark);
        },
        says: "Somebody retried the benchmark after its outcome was posted",
        does: &[],
        stays: false,
    },
    Promise {
        state: "it is merged before its turn",
        comes_about: |gitlab, mr, benchmark| {
            gitlab.delete_pipeline(benchmark);
            mr.merge();
        },
        says: "The next reconcile takes the label off: only open merge requests are benchmarked.",
        does: &["close"],
        stays: false,
    },
];

#[test]
fn status_promises_nothing_that_reconcile_does_not_do() {
    for promise in &PROMISES {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        (promise.comes_about)(&gitlab, &mr, benchmark);
        let told = run(&gitlab, "status --mr 1").stdout;
        let (_, next) = told.split_once("\nNext").expect("it says what is next");
        let flat = next.split_whitespace().collect::<Vec<_>>().join(" ");
        let state = promise.state;
        assert!(flat.contains(promise.says), "{state}: {told}");
        let report = json(&gitlab, "reconcile");
        let actions = report["actions"].as_array().expect("a list");
        let done: Vec<&Value> = actions.iter().map(|action| &action["action"]).collect();
        assert_eq!(json!(done), json!(promise.does), "{state}");
        assert_eq!(mr.is_labelled(), promise.stays, "{state}");
    }
}
