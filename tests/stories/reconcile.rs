//! How the loop is closed, whatever people and interrupted runs did meanwhile.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr};

use crate::bot::{bot, in_flight, json, run};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn status(gitlab: &Gitlab, benchmark: u64) -> String {
    gitlab.pipeline(benchmark).status
}

/// One discussion, in which this is the one reply.
#[track_caller]
fn assert_told(mr: &Mr, outcome: &str) {
    let discussions = mr.discussions();
    let [discussion] = &discussions[..] else {
        panic!("{}", mr.page())
    };
    let [_, reply] = &discussion.notes[..] else {
        panic!("{}", mr.page())
    };
    assert!(reply.body.contains(outcome), "{}", reply.body);
}

#[track_caller]
fn assert_finished(mr: &Mr, outcome: &str) {
    assert_told(mr, outcome);
    assert!(!mr.is_labelled());
}

#[test]
fn each_outcome_is_told_once_and_the_label_comes_off() {
    for (status, told) in [
        ("success", "🏁 **Benchmark finished**"),
        ("failed", "❌ **Benchmark failed**"),
        ("canceled", "🚫 **Benchmark canceled**"),
        ("skipped", "⏭️ **Benchmark skipped**"),
    ] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        gitlab.benchmark_ends(benchmark, status);
        run(&gitlab, "reconcile");
        run(&gitlab, "reconcile");
        assert_finished(&mr, told);
        let reply = &mr.notes()[1].body;
        assert!(reply.contains(&mr.sha()[..8]) && reply.contains(&gitlab.pipeline(benchmark).url));
    }
}

#[test]
fn a_benchmark_still_going_is_left_alone() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.clear_requests();
    for status in [
        "waiting_for_resource",
        "running",
        "manual",
        "a_status_of_the_future",
    ] {
        gitlab.set_status("acme/benchmarks", benchmark, status);
        run(&gitlab, "reconcile");
    }
    assert!(gitlab.writes().is_empty());
    assert!(mr.is_labelled());
}

#[test]
fn other_labels_stay() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.label("urgent");
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    assert_eq!(mr.labels(), ["urgent"]);
    let removal = serde_json::json!({ "remove_labels": "benchmarking" });
    assert!(gitlab.writes().iter().any(|write| write.body == removal));
}

#[test]
fn labelled_again_at_the_same_commit_is_a_new_request() {
    let gitlab = Gitlab::start();
    let (mr, first) = in_flight(&gitlab);
    gitlab.benchmark_ends(first, "failed");
    run(&gitlab, "reconcile");
    mr.labelled();
    run(&gitlab, "scan");
    let second = gitlab.benchmarks().pop().expect("it was started").id;
    assert_ne!(first, second);
    gitlab.benchmark_ends(second, "success");
    run(&gitlab, "reconcile");
    let discussions = mr.discussions();
    assert_eq!(
        discussions.len(),
        2,
        "each request has a discussion of its own"
    );
    assert!(discussions[0].notes[1].body.contains("failed"));
    assert!(discussions[1].notes[1].body.contains("success"));
    assert!(!mr.is_labelled());
}

#[test]
fn a_link_that_an_interrupted_start_left_out_is_put_in() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.fault(|request| (request.method == "PUT").then_some(Fault::Reset));
    let ran = bot(&gitlab, "scan").exits(1);
    assert!(
        ran.stdout.contains("✓ start") && ran.stdout.contains("✗ link"),
        "{}",
        ran.stdout
    );
    gitlab.no_faults();
    assert!(!mr.page().contains("pipelines/"), "{}", mr.page());
    let report = json(&gitlab, "reconcile");
    assert_eq!(report["actions"][0]["action"], "link");
    assert!(
        mr.page().contains(&gitlab.benchmarks()[0].url),
        "{}",
        mr.page()
    );
    assert_eq!(json(&gitlab, "reconcile")["actions"], serde_json::json!([]));
}

#[test]
fn merged_closed_or_pushed_to_meanwhile_the_outcome_is_told_all_the_same() {
    let meanwhile: [fn(&Mr) -> Mr; 3] = [Mr::merge, Mr::close, Mr::push];
    for happens in meanwhile {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        let commit = mr.sha();
        happens(&mr);
        gitlab.benchmark_ends(benchmark, "success");
        run(&gitlab, "reconcile");
        let reply = mr
            .notes()
            .into_iter()
            .next_back()
            .expect("there is a reply")
            .body;
        assert!(
            reply.contains("success") && reply.contains(&commit[..8]),
            "{reply}"
        );
        assert!(!mr.is_labelled());
    }
}

#[test]
fn a_label_taken_off_withdraws_the_request() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.unlabelled();
    let report = json(&gitlab, "reconcile");
    assert_eq!(report["actions"][0]["action"], "withdraw");
    assert_told(&mr, "withdrawn");
    assert_eq!(status(&gitlab, benchmark), "canceled");
    run(&gitlab, "reconcile");
    assert_told(&mr, "withdrawn");
}

#[test]
fn off_and_on_again_withdraws_the_old_and_begins_a_new_request() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.relabel();
    run(&gitlab, "reconcile");
    assert_eq!(status(&gitlab, benchmark), "canceled");
    assert!(mr.is_labelled(), "the new request stays");
    run(&gitlab, "scan");
    let second = gitlab.benchmarks().pop().expect("it was started");
    assert_eq!(
        second.variable("BENCH_REQUEST_ID"),
        Some(&*mr.label_event_id().to_string())
    );
    gitlab.benchmark_ends(second.id, "success");
    run(&gitlab, "reconcile");
    assert!(!mr.is_labelled());
    assert_eq!(mr.discussions().len(), 2);
}

#[test]
fn a_slow_cancellation_is_not_asked_for_again_and_again() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.world().slow_cancel = true;
    mr.unlabelled();
    run(&gitlab, "reconcile");
    gitlab.run_background_jobs();
    assert_eq!(status(&gitlab, benchmark), "canceling");
    assert_eq!(json(&gitlab, "reconcile")["actions"], serde_json::json!([]));
    gitlab.run_background_jobs();
    run(&gitlab, "reconcile");
    assert_told(&mr, "withdrawn");
}

#[test]
fn a_stuck_benchmark_is_cancelled_and_told() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.later(23 * HOUR);
    assert_eq!(json(&gitlab, "reconcile")["actions"], serde_json::json!([]));
    gitlab.later(2 * HOUR);
    let report = json(&gitlab, "reconcile");
    assert_eq!(report["waiting"], serde_json::json!([]));
    assert_eq!(report["actions"][0]["action"], "cancel");
    assert_eq!(status(&gitlab, benchmark), "canceled");
    assert_finished(&mr, "timed out");
}

#[test]
fn of_two_in_flight_for_one_request_the_lowest_pipeline_stands() {
    let gitlab = Gitlab::start();
    let (mr, first) = in_flight(&gitlab);
    let twin = gitlab.pipeline(first).variables;
    let twin: Vec<_> = twin
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    let second = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &twin);
    run(&gitlab, "reconcile");
    assert_eq!(
        (&*status(&gitlab, first), &*status(&gitlab, second)),
        ("running", "canceled")
    );
    gitlab.benchmark_ends(first, "success");
    run(&gitlab, "reconcile");
    assert_finished(&mr, "success");
}

#[test]
fn only_what_the_bot_itself_made_through_the_api_is_a_record() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    let copied = gitlab.pipeline(benchmark).variables;
    let copied: Vec<_> = copied
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    for (user, source) in [
        ("ada", "api"),
        ("bench-bot", "schedule"),
        ("bench-bot", "web"),
    ] {
        let impostor = gitlab.pipeline_by(user, "acme/benchmarks", source, &copied);
        gitlab.benchmark_ends(impostor, "failed");
    }
    run(&gitlab, "reconcile");
    assert!(mr.is_labelled(), "its own benchmark has not ended");
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    assert_finished(&mr, "success");
}

#[test]
fn a_deleted_discussion_is_opened_anew_for_the_outcome() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.delete_discussion(&mr.discussions()[0].id);
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    run(&gitlab, "reconcile");
    assert_finished(&mr, "success");
    assert!(mr.notes()[0].body.contains(&gitlab.pipeline(benchmark).url));
}

#[test]
fn a_deleted_merge_request_has_its_benchmark_cancelled() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.delete();
    run(&gitlab, "reconcile");
    assert_eq!(status(&gitlab, benchmark), "canceled");
}

#[test]
fn what_is_still_labelled_is_found_however_long_the_bot_did_not_run() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.later(7 * 24 * HOUR);
    run(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1, "its record is remembered");
    run(&gitlab, "reconcile");
    assert_finished(&mr, "success");
}

#[test]
fn a_merged_one_is_found_however_long_the_bot_did_not_run() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.merge();
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.later(7 * 24 * HOUR);
    run(&gitlab, "reconcile");
    assert_finished(&mr, "success");
}

#[test]
fn one_that_is_not_marked_is_found_after_an_outage_with_since() {
    let gitlab = Gitlab::start();
    gitlab.fault(|request| {
        let marks = request.path.ends_with("/award_emoji");
        marks.then(Fault::forbidden)
    });
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.no_faults();
    mr.merge();
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.later(7 * 24 * HOUR);
    run(&gitlab, "reconcile");
    assert!(mr.is_labelled(), "out of sight");
    run(&gitlab, "reconcile --since 8days");
    assert_finished(&mr, "success");
}

#[test]
fn a_label_that_gitlab_leaves_on_is_said_and_the_outcome_told_once() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    let lock = |locked| {
        let mut world = gitlab.world();
        let label = world
            .labels
            .values_mut()
            .find(|label| label.title == "benchmarking");
        label.expect("it exists").lock_on_merge = locked;
    };
    lock(true);
    mr.merge();
    for _ in 0..2 {
        let ran = bot(&gitlab, "reconcile").exits(1);
        assert!(
            ran.stdout.contains("GitLab left the label benchmarking on"),
            "{}",
            ran.stdout
        );
    }
    assert!(mr.is_labelled());
    lock(false);
    run(&gitlab, "reconcile");
    assert_finished(&mr, "success");
}
