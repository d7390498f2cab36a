//! What a push does to the benchmark of an older commit, with `--on-push cancel`.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr};

use crate::bot::{bot, in_flight, json, last_word, run};
use crate::meanwhile::lists;

const CANCEL: &str = "reconcile --on-push cancel";

fn short_head(mr: &Mr) -> String {
    mr.sha()[..8].to_owned()
}

#[test]
fn by_default_a_push_changes_nothing() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.push();
    gitlab.clear_requests();
    for command in ["reconcile", "scan", "reconcile --on-push keep"] {
        run(&gitlab, command);
    }
    assert!(gitlab.writes().is_empty());
    assert_eq!(gitlab.pipeline(benchmark).status, "running");
}

#[test]
fn a_push_cancels_the_benchmark_of_the_commit_before() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    let before = short_head(&mr);
    mr.push();
    for command in ["scan", "status"] {
        let report = json(&gitlab, &format!("{command} --on-push cancel"));
        assert_eq!(report["waiting"][0]["reason"], "superseded", "{command}");
    }
    let explained = run(&gitlab, "status 1 --on-push cancel").stdout;
    assert!(
        explained.contains("its benchmark is of an older commit"),
        "{explained}"
    );
    let dry = json(&gitlab, &format!("{CANCEL} --dry-run"));
    assert_eq!(dry["actions"][0]["action"], "cancel");
    let done = run(&gitlab, CANCEL).stdout;
    assert!(done.contains("cancel   !1     superseded"), "{done}");
    assert_eq!(gitlab.pipeline(benchmark).status, "canceled");
    let said = last_word(&mr);
    let [text, _] = [0, 1].map(|part| said.split("\n\n").nth(part).expect("two parts").to_owned());
    assert_eq!(
        text,
        format!(
            "⏩ **Benchmark superseded**: commit `{before}`. `{}` was pushed to `speed-up` since, so [pipeline {benchmark}]({}) \
             was cancelled. To benchmark that commit, add the label `benchmarking` again.",
            short_head(&mr),
            gitlab.pipeline(benchmark).url
        )
    );
    assert_eq!((mr.notes().len(), mr.is_labelled()), (2, false));
    assert!(mr.reactions().is_empty());
    gitlab.clear_requests();
    run(&gitlab, CANCEL);
    assert!(gitlab.writes().is_empty());
    mr.passed();
    mr.labelled();
    run(&gitlab, "scan --on-push cancel");
    let next = gitlab.benchmarks().pop().expect("it was started");
    assert_eq!(next.variable("BENCH_SHA"), Some(&*mr.sha()));
    gitlab.benchmark_ends(next.id, "success");
    run(&gitlab, CANCEL);
    assert!(last_word(&mr).contains("**Benchmark finished**"));
}

#[test]
fn a_withdrawn_one_stays_withdrawn() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.push();
    mr.unlabelled();
    run(&gitlab, CANCEL);
    assert!(last_word(&mr).contains("**Benchmark withdrawn**"));
    assert_eq!(gitlab.pipeline(benchmark).status, "canceled");
}

/// Right before reconcile looks again, it has ended, or it is the head again; or GitLab shows no version of the new head,
/// as a server does that lags behind.
#[test]
fn nothing_is_cancelled_that_a_second_look_does_not_confirm() {
    type Change = fn(&Gitlab, &Mr, u64);
    let cases: [(&str, Change, &str); 3] = [
        (
            "ended",
            |gitlab, _, benchmark| {
                let people = in_memory_gitlab::People::clone(gitlab);
                let path = format!("/projects/8/pipelines/{benchmark}");
                gitlab.fault(move |request| {
                    if request.path == path {
                        people.benchmark_ends(benchmark, "success");
                    }
                    None
                });
            },
            "success",
        ),
        (
            "no version",
            |gitlab, mr, _| {
                let versions = format!("/projects/7/merge_requests/{}/versions", mr.iid());
                gitlab.fault(move |request| {
                    let none = || lists(&serde_json::json!([]));
                    (request.path == versions).then(none)
                });
            },
            "running",
        ),
        (
            "unreadable",
            |gitlab, _, _| {
                gitlab.fault(|request| {
                    request
                        .path
                        .ends_with("/versions")
                        .then(Fault::server_error)
                });
            },
            "running",
        ),
    ];
    for (case, change, status) in cases {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        mr.push();
        change(&gitlab, &mr, benchmark);
        bot(&gitlab, CANCEL).exits(i32::from(case == "unreadable"));
        gitlab.no_faults();
        assert_eq!(gitlab.pipeline(benchmark).status, status, "{case}");
        assert_eq!((mr.notes().len(), mr.is_labelled()), (1, true), "{case}");
        run(&gitlab, CANCEL);
        let said = last_word(&mr);
        let word = if case == "ended" {
            "finished"
        } else {
            "superseded"
        };
        assert!(said.contains(word), "{case}: {said}");
    }
}

#[test]
fn one_that_cannot_be_cancelled_is_told_as_far_as_it_goes() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    mr.push();
    gitlab.fault(|request| request.path.ends_with("/cancel").then(Fault::forbidden));
    bot(&gitlab, CANCEL).exits(1);
    assert!(last_word(&mr).contains("is to be cancelled"));
    assert!(!mr.is_labelled());
    gitlab.no_faults();
    gitlab.later(Duration::from_secs(60));
    run(&gitlab, CANCEL);
    run(&gitlab, CANCEL);
    assert_eq!(gitlab.pipeline(benchmark).status, "canceled");
    assert!(last_word(&mr).contains("was cancelled"));
    assert_eq!(mr.notes().len(), 2);
}
