//! Which requests `scan` starts, and what it says of the others.

use std::time::Duration;

use in_memory_gitlab::{Gitlab, Mr};
use serde_json::{Value, json};

use crate::bot::{bot, json, run};

/// The merge requests whose benchmarks were started, oldest benchmark first.
fn started(gitlab: &Gitlab) -> Vec<u64> {
    let benchmarks = gitlab.benchmarks();
    let iids = benchmarks
        .iter()
        .filter_map(|benchmark| benchmark.variable("BENCH_MR_IID"));
    iids.map(|iid| iid.parse().expect("a number")).collect()
}

fn reason(report: &Value, mr: &Mr) -> String {
    let waiting = report["waiting"].as_array().expect("a list");
    let found = waiting.iter().find(|waiting| waiting["mr"] == mr.iid());
    found
        .map_or("none", |found| found["reason"].as_str().expect("a word"))
        .to_owned()
}

#[test]
fn the_oldest_pipeline_goes_first() {
    let gitlab = Gitlab::start();
    gitlab.mr("young").passed().pipeline_started(10).labelled();
    let old = gitlab.mr("old").passed().pipeline_started(90).labelled();
    gitlab.mr("middle").passed().pipeline_started(30).labelled();
    run(&gitlab, "scan");
    assert_eq!(started(&gitlab), [old.iid()]);
}

#[test]
fn or_the_oldest_label_if_so_ordered() {
    let gitlab = Gitlab::start();
    let first = gitlab
        .mr("labelled-first")
        .passed()
        .pipeline_started(10)
        .labelled();
    gitlab
        .mr("older-pipeline")
        .passed()
        .pipeline_started(90)
        .labelled();
    run(&gitlab, "scan --order request");
    assert_eq!(started(&gitlab), [first.iid()]);
}

#[test]
fn no_more_than_the_limit_are_in_flight() {
    let gitlab = Gitlab::start();
    for number in 0..4 {
        gitlab.mr(&format!("mr-{number}")).passed().labelled();
    }
    run(&gitlab, "scan --max-in-flight 3");
    assert_eq!(started(&gitlab), [1, 2, 3]);
    run(&gitlab, "scan --max-in-flight 3");
    assert_eq!(started(&gitlab).len(), 3, "the limit is reached");
    gitlab.benchmark_ends(gitlab.benchmarks()[1].id, "success");
    run(&gitlab, "scan --max-in-flight 3");
    assert_eq!(started(&gitlab), [1, 2, 3, 4]);
}

#[test]
fn benchmarks_of_other_source_projects_count_for_the_limit() {
    let gitlab = Gitlab::start();
    let members = gitlab.world().projects[&7].members.clone();
    gitlab.world().add_project(50, "acme/tools").members = members;
    gitlab.mr_in("acme/tools", "theirs").passed().labelled();
    bot(&gitlab, "scan --project acme/tools").succeeds();
    let ours = gitlab.mr("ours").passed().labelled();
    let report = json(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1);
    assert_eq!(report["queue"][0]["mr"], ours.iid());
    assert_eq!(
        report["in_flight"][0]["mr"],
        Value::Null,
        "!1 of another project is not our !1"
    );
}

#[test]
fn scanning_again_starts_nothing_twice() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan --max-in-flight 5");
    let page = mr.page();
    run(&gitlab, "scan --max-in-flight 5");
    assert_eq!(started(&gitlab), [mr.iid()]);
    assert_eq!(mr.page(), page);
}

#[test]
fn every_labelled_merge_request_is_in_the_report() {
    let gitlab = Gitlab::start();
    let bare = gitlab.mr("no-pipeline").labelled();
    let running = gitlab.mr("running").running().labelled();
    let waiting = gitlab.mr("manual").pipeline("manual").labelled();
    let failed = gitlab.mr("failed").failed().labelled();
    let canceled = gitlab.mr("canceled").pipeline("canceled").labelled();
    let skipped = gitlab.mr("skipped").pipeline("skipped").labelled();
    let pushed = gitlab.mr("pushed").passed().labelled().push();
    let fork = gitlab.fork_mr("fork").passed().labelled().push().passed();
    let draft = gitlab.mr("draft").draft().passed().labelled();
    gitlab.mr("unlabelled").passed();
    gitlab.mr("merged").passed().labelled().merge();
    gitlab.mr("closed").passed().labelled().close();

    let report = json(&gitlab, "scan --dry-run");
    assert_eq!(reason(&report, &bare), "no-pipeline");
    assert_eq!(reason(&report, &running), "pipeline-unfinished");
    assert_eq!(reason(&report, &waiting), "pipeline-unfinished");
    assert_eq!(reason(&report, &failed), "pipeline-unsuccessful");
    assert_eq!(reason(&report, &canceled), "pipeline-unsuccessful");
    assert_eq!(reason(&report, &skipped), "pipeline-unsuccessful");
    assert_eq!(reason(&report, &pushed), "pipeline-outdated");
    assert_eq!(reason(&report, &fork), "changed-since-request");
    assert_eq!(report["queue"].as_array().expect("a list").len(), 1);
    assert_eq!(
        report["queue"][0]["mr"],
        draft.iid(),
        "drafts are served like any other"
    );
    assert_eq!(report["waiting"].as_array().expect("a list").len(), 8);

    run(&gitlab, "scan");
    let benchmark = &gitlab.benchmarks()[0];
    assert_eq!(reason(&json(&gitlab, "scan"), &draft), "in-flight");
    gitlab.benchmark_ends(benchmark.id, "success");
    assert_eq!(reason(&json(&gitlab, "scan"), &draft), "finished");
}

#[test]
fn a_pipeline_of_an_older_commit_does_not_count() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled().push();
    run(&gitlab, "scan");
    assert_eq!(
        started(&gitlab),
        [0; 0],
        "GitLab's pointer still shows the old pipeline"
    );
    mr.passed();
    run(&gitlab, "scan");
    assert_eq!(
        gitlab.benchmarks()[0].variable("BENCH_SHA"),
        Some(mr.sha().as_str())
    );
}

#[test]
fn a_merged_results_pipeline_counts_for_the_head_that_it_merged() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").merged_results("success").labelled();
    run(&gitlab, "scan");
    let benchmark = &gitlab.benchmarks()[0];
    assert_eq!(
        benchmark.variable("BENCH_SHA"),
        Some(mr.sha().as_str()),
        "never the merge result"
    );
}

#[test]
fn so_does_one_of_a_merge_train_or_detached() {
    let gitlab = Gitlab::start();
    gitlab.mr("train").train("success").labelled();
    gitlab.mr("detached").detached("success").labelled();
    run(&gitlab, "scan --max-in-flight 2");
    assert_eq!(started(&gitlab), [1, 2]);
}

#[test]
fn but_not_after_another_push() {
    let gitlab = Gitlab::start();
    let mr = gitlab
        .mr("speed-up")
        .merged_results("success")
        .labelled()
        .push();
    assert_eq!(reason(&json(&gitlab, "scan"), &mr), "pipeline-outdated");
    assert!(gitlab.benchmarks().is_empty());
}

#[test]
fn nothing_is_overlooked_beyond_one_page() {
    let gitlab = Gitlab::start();
    for number in 0..130 {
        gitlab.mr(&format!("mr-{number}")).running().labelled();
    }
    let relabelled = gitlab.mr("relabelled").passed();
    for _ in 0..60 {
        relabelled.relabel();
    }
    gitlab.short_pages(2);
    let report = json(&gitlab, "scan");
    assert_eq!(report["waiting"].as_array().expect("a list").len(), 130);
    assert_eq!(report["queue"][0]["mr"], relabelled.iid());
    assert_eq!(
        report["queue"][0]["request_id"],
        relabelled.label_event_id()
    );
    let benchmark = &gitlab.benchmarks()[0];
    assert_eq!(
        benchmark.variable("BENCH_REQUEST_ID"),
        Some(&*relabelled.label_event_id().to_string())
    );
}

#[test]
fn a_fork_is_benchmarked_at_the_commit_that_was_labelled() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    let benchmark = &gitlab.benchmarks()[0];
    assert_eq!(benchmark.variable("BENCH_SHA"), Some(mr.sha().as_str()));
    assert_eq!(
        benchmark.variable("BENCH_MR_REF"),
        Some("refs/merge-requests/1/head")
    );
}

#[test]
fn a_fork_changed_since_waits_until_it_is_labelled_anew() {
    let gitlab = Gitlab::start();
    let mr = gitlab
        .fork_mr("speed-up")
        .passed()
        .labelled()
        .push()
        .passed();
    assert_eq!(reason(&json(&gitlab, "scan"), &mr), "changed-since-request");
    gitlab.later(Duration::from_secs(60));
    mr.relabel();
    run(&gitlab, "scan");
    assert_eq!(started(&gitlab), [mr.iid()]);
}

#[test]
fn a_label_of_another_case_is_another_label() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().label("Benchmarking");
    let report = json(&gitlab, "scan");
    assert_eq!(
        (&report["queue"], &report["waiting"]),
        (&json!([]), &json!([]))
    );
    let report = json(&gitlab, "scan --label Benchmarking --dry-run");
    assert_eq!(report["queue"][0]["mr"], 1);
}

#[test]
fn a_refusal_that_concerns_all_is_found_out_on_the_first_and_told_there() {
    let gitlab = Gitlab::start();
    let role = |role: &str| {
        gitlab.configure("acme/benchmarks", |project| {
            project.ci_pipeline_variables_minimum_override_role = role.to_owned();
        });
    };
    role("owner");
    let (first, second) = (
        gitlab.mr("first").passed().labelled(),
        gitlab.mr("second").passed().labelled(),
    );
    for _ in 0..3 {
        let ran = bot(&gitlab, "scan").exits(1);
        assert!(
            ran.stdout
                .contains("Insufficient permissions to set pipeline variables"),
            "{}",
            ran.stdout
        );
    }
    assert_eq!((first.notes().len(), second.notes().len()), (1, 0));
    assert!(
        first
            .page()
            .contains("Insufficient permissions to set pipeline variables"),
        "{}",
        first.page()
    );
    let notes_written = gitlab
        .writes()
        .iter()
        .filter(|write| write.path.contains("notes"))
        .count();
    assert_eq!(notes_written, 1, "the same refusal is not written again");
    let asked = gitlab.writes().into_iter();
    let asked = asked.filter(|write| write.path.ends_with("/pipeline"));
    assert_eq!(asked.count(), 3, "one a run is enough to find out");

    role("maintainer");
    run(&gitlab, "scan");
    assert_eq!(started(&gitlab), [first.iid()]);
    assert_eq!(first.notes().len(), 1, "in the same discussion");
    assert!(
        first.page().contains("Benchmark started"),
        "{}",
        first.page()
    );
}

#[test]
fn one_that_has_waited_for_days_holds_up_nobody_and_is_named() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("slow").passed().labelled();
    run(&gitlab, "scan");
    mr.unlabelled();
    let next = gitlab.mr("speed-up").passed().labelled();
    gitlab.later(Duration::from_secs(24 * 60 * 60));
    let ran = run(&gitlab, "scan");
    assert_eq!((gitlab.benchmarks().len(), ran.stderr.as_str()), (1, ""));
    gitlab.later(Duration::from_secs(60 * 60));
    let ran = run(&gitlab, "scan");
    assert!(next.page().contains("Benchmark started"), "{}", next.page());
    let slow = &gitlab.benchmarks()[0].url;
    assert!(
        ran.stderr
            .contains(&format!("warning: benchmark pipeline {slow} is overdue")),
        "{}",
        ran.stderr
    );
}
