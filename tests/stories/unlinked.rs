//! A benchmark to which nothing links: the write of the link failed, or somebody deleted the discussion, and it ended before
//! the next run. Its variables still tell whom it serves, so no second one is started.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr, Request};
use serde_json::json;

use crate::bot::{bot, json, run};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn links(request: &Request) -> bool {
    request.method == "PUT" && request.path.contains("/notes/")
}

fn reads_variables(request: &Request, of: u64) -> bool {
    request.path == format!("/projects/8/pipelines/{of}/variables")
}

/// More than a run reads unasked.
fn others_are_benchmarked(gitlab: &Gitlab) {
    for number in 0..5 {
        gitlab.mr(&format!("other-{number}")).passed().labelled();
    }
    run(gitlab, "scan --max-in-flight 5");
    for benchmark in gitlab.benchmarks() {
        if !benchmark.has_ended() {
            gitlab.benchmark_ends(benchmark.id, "success");
        }
    }
    run(gitlab, "reconcile");
}

/// !1, whose benchmark has ended a day ago, and other benchmarks since.
fn unlinked(gitlab: &Gitlab) -> (Mr, u64) {
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.fault(|request| links(request).then(Fault::not_found_by_proxy));
    bot(gitlab, "scan").exits(1);
    gitlab.no_faults();
    let benchmark = gitlab.benchmarks()[0].id;
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.later(DAY);
    others_are_benchmarked(gitlab);
    (mr, benchmark)
}

/// The outcome of the first and only benchmark of !1 is posted.
fn is_served(gitlab: &Gitlab, mr: &Mr, benchmark: u64) {
    run(gitlab, "reconcile");
    let benchmarks = gitlab.benchmarks();
    let mut of_mr = benchmarks
        .iter()
        .filter(|found| found.variable("BENCH_MR_IID") == Some("1"));
    assert_eq!(of_mr.next().map(|found| found.id), Some(benchmark));
    assert!(of_mr.next().is_none());
    assert!(!mr.is_labelled(), "{}", mr.page());
    let url = format!("/-/pipelines/{benchmark}");
    let notes = mr.notes();
    assert_eq!(notes.len(), 2, "{}", mr.page());
    assert!(notes[0].body.starts_with("**Benchmark started**"));
    assert!(
        notes[1].body.starts_with("🏁 **Benchmark finished**"),
        "{}",
        mr.page()
    );
    assert!(notes.iter().all(|note| note.body.contains(&url)));
}

#[test]
fn a_scan_finds_it_among_what_ended_since() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = unlinked(&gitlab);
    let report = json(&gitlab, "scan");
    let action = &report["actions"][0];
    assert_eq!(action["action"], "link", "{report:#}");
    assert_eq!(action["mr"], 1);
    assert_eq!(report["actions"].as_array().map(Vec::len), Some(1));
    is_served(&gitlab, &mr, benchmark);
    assert_eq!(json(&gitlab, "scan")["actions"], json!([]));
}

#[test]
fn nor_is_it_started_again_where_the_discussion_was_deleted() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    let benchmark = gitlab.benchmarks()[0].id;
    mr.delete_discussion(&mr.discussions()[0].id);
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.later(DAY);
    others_are_benchmarked(&gitlab);
    run(&gitlab, "scan");
    is_served(&gitlab, &mr, benchmark);
}

#[test]
fn whoever_triggers_it_waits_for_the_one_that_was_found() {
    for force in ["", " --force"] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = unlinked(&gitlab);
        let ran = bot(&gitlab, &format!("trigger --mr 1 --wait{force}")).runs();
        let url = format!("/-/pipelines/{benchmark}");
        assert!(ran.stdout.contains(&url), "{}", ran.stdout);
        is_served(&gitlab, &mr, benchmark);
    }
}

#[test]
fn as_long_as_it_may_be_one_that_cannot_be_read_nothing_is_started() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = unlinked(&gitlab);
    let faults = [
        Fault::server_error(),
        Fault::not_found(),
        Fault::forbidden(),
        Fault::Without("value"),
    ];
    for fault in faults {
        gitlab.fault(move |request| reads_variables(request, benchmark).then(|| fault.clone()));
        let before = gitlab.benchmarks().len();
        let ran = bot(&gitlab, "scan").exits(1);
        assert!(ran.stdout.contains("start    !1"), "{}", ran.stdout);
        assert_eq!(gitlab.benchmarks().len(), before);
        gitlab.no_faults();
    }
    run(&gitlab, "scan");
    is_served(&gitlab, &mr, benchmark);
}

#[test]
fn a_link_that_fails_once_more_is_made_up_for_later() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = unlinked(&gitlab);
    gitlab.fault(|request| links(request).then(Fault::server_error));
    let ran = bot(&gitlab, "scan").exits(1);
    assert!(ran.stdout.contains("link     !1"), "{}", ran.stdout);
    gitlab.no_faults();
    run(&gitlab, "scan");
    is_served(&gitlab, &mr, benchmark);
}

#[test]
fn what_an_earlier_run_has_begun_but_not_created_is_started() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.refuse("acme/benchmarks", |variables| {
        let mut variables = variables.iter();
        let is_first = variables.any(|of| of.key == "BENCH_MR_IID" && of.value == "1");
        is_first.then(|| "Pipeline filtered out by workflow rules.".to_owned())
    });
    bot(&gitlab, "scan").exits(1);
    others_are_benchmarked(&gitlab);
    assert!(mr.page().contains("**Benchmark not started**"));
    gitlab.refuse("acme/benchmarks", |_| None);
    run(&gitlab, "scan");
    let benchmark = gitlab.benchmarks().pop().expect("it was started");
    gitlab.benchmark_ends(benchmark.id, "success");
    is_served(&gitlab, &mr, benchmark.id);
}
