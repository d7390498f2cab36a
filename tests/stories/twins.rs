//! Two benchmarks of one request, as two runs at once can make them: one stands, and whatever else goes on is cancelled.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr};

use crate::bot::{bot, in_flight, json, run};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// !1 with its benchmark, and another for the same request.
fn twins() -> (Gitlab, Mr, [u64; 2]) {
    let gitlab = Gitlab::start();
    let (mr, first) = in_flight(&gitlab);
    let record = gitlab.pipeline(first).variables;
    let record: Vec<_> = record
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let second = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &record);
    gitlab.benchmark_runs(second);
    (gitlab, mr, [first, second])
}

fn cancels_fail(gitlab: &Gitlab) {
    gitlab.fault(|request| {
        let cancels = request.path.ends_with("/cancel");
        cancels.then(Fault::server_error)
    });
}

#[test]
fn the_second_is_cancelled_though_the_first_was_told_hours_ago() {
    for label_again in [false, true] {
        let (gitlab, mr, [first, second]) = twins();
        gitlab.benchmark_ends(first, "success");
        cancels_fail(&gitlab);
        bot(&gitlab, "reconcile").exits(1);
        gitlab.no_faults();
        assert!(!mr.is_labelled());
        gitlab.later(3 * HOUR);
        if label_again {
            mr.labelled();
        }
        run(&gitlab, "reconcile");
        assert_eq!(gitlab.pipeline(second).status, "canceled");
        let page = mr.page();
        assert!(page.contains("**Benchmark finished**"), "{page}");
        assert_eq!(mr.notes().len(), 2, "{page}");
        assert_eq!(json(&gitlab, "reconcile")["actions"], serde_json::json!([]));
    }
}

#[test]
fn somebody_who_retries_the_second_has_it_cancelled_again() {
    let (gitlab, mr, [first, second]) = twins();
    run(&gitlab, "reconcile");
    gitlab.benchmark_ends(first, "success");
    run(&gitlab, "reconcile");
    gitlab.later(30 * HOUR);
    gitlab.retry(second);
    gitlab.benchmark_runs(second);
    run(&gitlab, "reconcile");
    assert_eq!(gitlab.pipeline(second).status, "canceled");
    let page = mr.page();
    assert!(page.contains("**Benchmark finished**"), "{page}");
    assert_eq!(mr.notes().len(), 2, "{page}");
}

#[test]
fn trigger_cancels_the_second_as_well() {
    let (gitlab, mr, [first, second]) = twins();
    let report = json(&gitlab, "trigger --mr 1");
    assert_eq!(report["actions"][0]["action"], "cancel");
    assert_eq!(report["actions"].as_array().map(Vec::len), Some(1));
    assert_eq!(gitlab.pipeline(first).status, "running");
    assert_eq!(gitlab.pipeline(second).status, "canceled");
    assert!(mr.page().contains("**Benchmark started**"));

    let (gitlab, mr, [first, second]) = twins();
    gitlab.benchmark_ends(first, "success");
    run(&gitlab, "trigger --mr 1");
    assert_eq!(gitlab.pipeline(second).status, "canceled");
    let page = mr.page();
    assert_eq!(page.matches("**Benchmark finished**").count(), 1, "{page}");
    assert_eq!(page.matches("**Benchmark started**").count(), 2, "{page}");
    assert_eq!(gitlab.benchmarks().len(), 3);
}

#[test]
fn while_the_first_cannot_be_read_nothing_is_told_of_the_second() {
    for status in ["success", "running"] {
        let (gitlab, mr, [first, second]) = twins();
        gitlab.benchmark_ends(first, "failed");
        gitlab.benchmark_ends(second, "success");
        if status == "running" {
            gitlab.retry(second);
            mr.unlabelled();
        }
        gitlab.fault(move |request| {
            let denied = request.path.ends_with(&format!("{first}/variables"));
            denied.then(Fault::not_found)
        });
        gitlab.clear_requests();
        let ran = bot(&gitlab, "reconcile").exits(1);
        assert!(
            ran.complaint().contains("may be a benchmark"),
            "{}",
            ran.stderr
        );
        assert!(gitlab.writes().is_empty(), "{:?}", gitlab.writes());
        gitlab.no_faults();
        run(&gitlab, "reconcile");
        run(&gitlab, "reconcile");
        let page = mr.page();
        assert!(page.contains("**Benchmark failed**"), "{page}");
        assert_eq!(mr.notes().len(), 2, "{page}");
        assert!(!mr.is_labelled());
    }
}
