//! Pipelines of merge trains: which commit they are of, and what is said where that cannot be told.

use in_memory_gitlab::{Fault, Gitlab, Mr};
use serde_json::Value;

use crate::bot::{bot, json, run};

fn reason(report: &Value) -> Option<&str> {
    report["waiting"][0]["reason"].as_str()
}

fn measured(gitlab: &Gitlab, mr: &Mr) -> u64 {
    let [benchmark] = &gitlab.benchmarks()[..] else {
        panic!("{}", mr.page())
    };
    assert_eq!(benchmark.variable("BENCH_SHA"), Some(mr.sha().as_str()));
    let pipeline = benchmark.variable("BENCH_PIPELINE_ID").expect("a record");
    pipeline.parse().expect("a number")
}

#[test]
fn one_that_squashed_gives_way_to_the_heads_own_pipeline() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").detached("success");
    let own = mr.head_pipeline_id().expect("it has one");
    mr.squashing_train("running").labelled();
    run(&gitlab, "scan");
    assert_eq!(measured(&gitlab, &mr), own);
}

#[test]
fn of_several_the_newest_of_the_head_counts() {
    for (newest, waits) in [
        ("success", None),
        ("failed", Some("pipeline-unsuccessful")),
        ("running", Some("pipeline-unfinished")),
    ] {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").detached("success").detached(newest);
        let own = mr.head_pipeline_id().expect("it has one");
        mr.squashing_train("success").labelled();
        let report = json(&gitlab, "scan");
        assert_eq!(reason(&report), waits);
        match waits {
            None => assert_eq!(measured(&gitlab, &mr), own),
            Some(_) => assert!(gitlab.benchmarks().is_empty()),
        }
    }
}

#[test]
fn without_one_of_the_head_the_reason_says_what_it_is() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").detached("success").push();
    mr.squashing_train("success").labelled();
    let report = json(&gitlab, "scan");
    assert_eq!(reason(&report), Some("pipeline-outdated"));
    assert!(gitlab.benchmarks().is_empty());
    let table = run(&gitlab, "scan").stdout;
    assert!(table.contains("only a merge train's pipeline"), "{table}");
    let explained = run(&gitlab, "status --mr 1").stdout;
    let words: Vec<&str> = explained.split_whitespace().collect();
    let words = words.join(" ");
    assert!(
        words.contains("its pipeline belongs to a merge train, and the head itself has none"),
        "{explained}"
    );
    let refused = bot(&gitlab, "trigger --mr 1").exits(1);
    assert!(
        refused.complaint().contains("merge train's pipeline"),
        "{}",
        refused.stderr
    );
}

#[test]
fn one_that_merged_is_found_by_what_it_merged() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").detached("failed").train("success");
    let train = mr.labelled().head_pipeline_id().expect("it has one");
    run(&gitlab, "scan");
    assert_eq!(measured(&gitlab, &mr), train);
}

#[test]
fn it_is_still_the_heads_own_when_it_is_looked_at_again() {
    // The train moves on between the first look and the start.
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").detached("success");
    let own = mr.head_pipeline_id().expect("it has one");
    mr.squashing_train("running").labelled();
    let people = in_memory_gitlab::People::clone(&gitlab);
    gitlab.fault(move |request| {
        if request.method == "POST" && request.path.ends_with("/discussions") {
            let mr = people.existing_mr("acme/engine", 1);
            mr.squashing_train("running");
        }
        None
    });
    run(&gitlab, "scan");
    gitlab.no_faults();
    assert_eq!(measured(&gitlab, &mr), own);
}

/// What GitLab dropped is of the past; what it does not show just now may be of the head.
#[test]
fn a_merge_result_that_is_gone_is_outdated_and_one_that_cannot_be_read_unknown() {
    for (fault, code, waits) in [
        (Fault::not_found(), 0, "pipeline-outdated"),
        (Fault::server_error(), 1, "unknown"),
    ] {
        let gitlab = Gitlab::start();
        gitlab.mr("speed-up").merged_results("success").labelled();
        gitlab.fault(move |request| {
            let reads_commit = request.path.contains("/repository/commits/");
            reads_commit.then(|| fault.clone())
        });
        let report = bot(&gitlab, "scan --format json").exits(code).json();
        assert_eq!(reason(&report), Some(waits));
        assert!(gitlab.benchmarks().is_empty());
    }
}

#[test]
fn a_pipeline_is_not_of_the_parent_to_which_its_branch_went_back() {
    let passes: [fn(&Mr) -> Mr; 2] = [Mr::passed, |mr| mr.detached("success")];
    for passes in passes {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up");
        let parent = mr.sha();
        passes(&mr.push()).force_push_to(&parent).labelled();
        assert_eq!(reason(&json(&gitlab, "scan")), Some("pipeline-outdated"));
        assert!(gitlab.benchmarks().is_empty());
    }
}
