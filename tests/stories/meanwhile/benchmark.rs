//! A discussion or a benchmark that people lay hands on.

use in_memory_gitlab::{ADA, Fault, Gitlab, Mr};
use serde_json::json;

use super::{assert_told, ended, in_flight, takes_label_off, told};
use crate::bot::{bot, json, run};

#[test]
fn the_outcome_joins_the_replies_that_people_left() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    let discussion = mr.discussions().remove(0);
    mr.reply("linus", &discussion.id, "Looking forward to it.");
    mr.delete_note(discussion.notes[0].id);
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["finished"]);
    assert_eq!(mr.discussions()[0].id, discussion.id);
    assert!(!mr.is_labelled());
}

#[test]
fn an_outcome_deleted_before_the_label_came_off_is_told_anew() {
    let gitlab = Gitlab::start();
    let (mr, _) = ended(&gitlab);
    gitlab.fault(|request| takes_label_off(request).then(Fault::server_error));
    bot(&gitlab, "reconcile").exits(1);
    assert_told(&mr, &["failed"]);
    mr.delete_discussion(&mr.discussions()[0].id);
    gitlab.no_faults();
    run(&gitlab, "reconcile");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["failed"]);
    assert!(!mr.is_labelled());
}

#[test]
fn a_copy_of_the_bots_words_is_not_taken_for_its_own() {
    let gitlab = Gitlab::start();
    let (other, _) = ended(&gitlab);
    run(&gitlab, "reconcile");
    let [opening, outcome] = &told(&other)[0][..] else {
        panic!("{}", other.page())
    };
    let mr = gitlab.mr("next").passed().labelled();
    let request = |mr: &Mr| format!("\"request\":{}", mr.label_event_id());
    let copy = |body: &str| body.replace(&request(&other), &request(&mr));
    assert_ne!(copy(outcome), *outcome);
    mr.comment("ada", &copy(opening));
    mr.comment("ada", &copy(outcome));
    run(&gitlab, "scan");
    let discussion = mr.discussions().pop().expect("the bot opened one");
    let benchmark = &gitlab.benchmarks()[1];
    assert!(discussion.notes[0].body.contains(&benchmark.url));
    let quote = format!("> Quoted:\n\n{}", copy(outcome));
    mr.reply("linus", &discussion.id, &quote);
    gitlab.benchmark_ends(benchmark.id, "success");
    run(&gitlab, "reconcile");
    run(&gitlab, "reconcile");
    let notes = mr.discussions().pop().expect("it is still there").notes;
    assert_eq!(notes.len(), 3, "{}", mr.page());
    assert!(notes[2].body.contains("Benchmark finished"));
    assert!(!mr.is_labelled());
}

/// Ada retries it in the benchmark project.
fn retry(gitlab: &Gitlab, benchmark: u64) {
    let retried = gitlab.world().retry_pipeline(ADA, benchmark);
    retried.expect("she may");
}

#[test]
fn a_benchmark_retried_before_anybody_looked_is_in_flight_again() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = ended(&gitlab);
    retry(&gitlab, benchmark);
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    assert_eq!(json(&gitlab, "scan")["in_flight"][0]["mr"], mr.iid());
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["finished"]);
    assert!(!mr.is_labelled());
}

#[test]
fn one_retried_by_hand_has_its_outcome_corrected_in_place() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = ended(&gitlab);
    run(&gitlab, "reconcile");
    retry(&gitlab, benchmark);
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["finished"]);
    let reply = &mr.notes()[1].body;
    assert!(
        reply.contains("It was `failed` at first, and somebody retried it."),
        "{reply}"
    );
    assert!(!mr.is_labelled());
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    // The same once more is no news.
    retry(&gitlab, benchmark);
    gitlab.benchmark_ends(benchmark, "success");
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
}

#[test]
fn one_retried_after_all_was_told_is_for_people_to_end() {
    let gitlab = Gitlab::start();
    let (_, benchmark) = ended(&gitlab);
    run(&gitlab, "reconcile");
    retry(&gitlab, benchmark);
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    assert_eq!(gitlab.pipeline(benchmark).status, "pending");
}

#[test]
fn one_deleted_before_anybody_looked_is_run_again_in_the_same_discussion() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = ended(&gitlab);
    gitlab.delete_pipeline(benchmark);
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    run(&gitlab, "scan");
    let again = gitlab.benchmarks().pop().expect("it was started");
    assert!(mr.notes()[0].body.contains(&again.url), "{}", mr.page());
    gitlab.benchmark_ends(again.id, "success");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["finished"]);
    assert!(!mr.is_labelled());
}

#[test]
fn a_benchmark_that_a_person_cancels_is_told_as_canceled() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.world().slow_cancel = true;
    gitlab
        .world()
        .cancel_pipeline(ADA, benchmark)
        .expect("Ada may");
    gitlab.run_background_jobs();
    assert_eq!(
        json(&gitlab, "reconcile")["actions"],
        json!([]),
        "it has not ended yet"
    );
    gitlab.run_background_jobs();
    run(&gitlab, "reconcile");
    assert_told(&mr, &["canceled"]);
    assert!(
        mr.page().contains("add the label `benchmarking` again"),
        "{}",
        mr.page()
    );
    assert!(!mr.is_labelled());
}

#[test]
fn pipelines_with_the_same_variables_that_the_bot_did_not_start_take_no_place() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    let copied = gitlab.pipeline(benchmark).variables;
    let copied: Vec<_> = copied
        .iter()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    for (user, source) in [
        ("bench-bot", "schedule"),
        ("bench-bot", "trigger"),
        ("ada", "api"),
    ] {
        let impostor = gitlab.pipeline_by(user, "acme/benchmarks", source, &copied);
        gitlab.benchmark_runs(impostor);
    }
    mr.labelled();
    let report = json(&gitlab, "scan");
    assert_eq!(report["in_flight"], json!([]));
    assert_eq!(report["actions"][0]["outcome"], "done");
}
