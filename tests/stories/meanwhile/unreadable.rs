//! What GitLab does not let the bot see: it says so, and acts on what it knows.

use in_memory_gitlab::{Fault, Gitlab, Request};

use super::{HOUR, assert_told, before, ended, in_flight, reason};
use crate::bot::{bot, run};

#[test]
fn a_benchmark_that_cannot_be_read_holds_back_what_it_may_serve() {
    let forbidden = || Fault::answer(403, "application/json", r#"{"message":"403 Forbidden"}"#);
    for ends in [false, true] {
        let gitlab = Gitlab::start();
        let earlier = gitlab.mr("earlier").running().labelled();
        let (mr, benchmark) = in_flight(&gitlab);
        if ends {
            gitlab.benchmark_ends(benchmark, "success");
        }
        earlier.passed();
        let later = gitlab.mr("later").passed().labelled();
        gitlab.fault(move |request| {
            request
                .path
                .ends_with(&format!("/{benchmark}/variables"))
                .then(forbidden)
        });
        gitlab.clear_requests();
        let ran = bot(&gitlab, "reconcile").exits(1);
        assert!(
            ran.complaint().contains(&gitlab.pipeline(benchmark).url),
            "{}",
            ran.stderr
        );
        let ran = bot(&gitlab, "scan --dry-run --max-in-flight 9 --format json").exits(1);
        let report = ran.json();
        assert_eq!(
            [reason(&report, &mr), reason(&report, &earlier)],
            ["unknown", "unknown"]
        );
        assert_eq!(
            report["queue"][0]["mr"],
            later.iid(),
            "it was labelled after that one was made"
        );
        let ran = bot(&gitlab, "trigger --mr 1 --force").exits(1);
        assert!(
            ran.stderr.contains("it may be in flight already"),
            "{}",
            ran.stderr
        );
        if !ends {
            bot(&gitlab, "scan").exits(1);
        }
        let writes = gitlab.writes();
        let marks = |write: &Request| write.path.ends_with("/award_emoji");
        assert!(
            writes.iter().all(marks),
            "one that may be in flight takes its place"
        );

        gitlab.no_faults();
        gitlab.benchmark_ends(benchmark, "success");
        run(&gitlab, "reconcile");
        run(&gitlab, "scan --max-in-flight 9");
        assert_told(&mr, &["finished"]);
        assert_eq!(gitlab.benchmarks().len(), 3);
    }
}

#[test]
fn nothing_is_written_on_half_a_list_of_benchmarks() {
    let gitlab = Gitlab::start();
    for _ in 0..100 {
        gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    }
    ended(&gitlab);
    gitlab.mr("next").passed().labelled();
    gitlab.clear_requests();
    gitlab.fault(|request| {
        let second = request.path.ends_with("/pipelines") && request.query("page") == Some("2");
        second.then(Fault::server_error)
    });
    for command in [
        "scan",
        "reconcile",
        "trigger --mr 2",
        "trigger --mr 2 --force",
    ] {
        let ran = bot(&gitlab, command).exits(1);
        assert!(
            ran.complaint().contains("nothing was written"),
            "{}",
            ran.stderr
        );
    }
    assert!(gitlab.writes().is_empty());
}

#[test]
fn a_record_that_makes_no_sense_is_said_once_and_passed_over() {
    let gitlab = Gitlab::start();
    let (_, benchmark) = in_flight(&gitlab);
    let record = gitlab.pipeline(benchmark).variables;
    let start = |variables: &[(&str, &str)]| {
        gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", variables);
    };
    start(&[("BENCH_MR_IID", "banana")]);
    start(&[("BENCH_MR_IID", "1")]);
    let garbage = [
        ("BENCH_MR_IID", "0x1"),
        ("BENCH_MR_IID", "-1"),
        ("BENCH_MR_IID", "99999999999999999999"),
        ("BENCH_REQUEST_ID", "101; true"),
        ("BENCH_DISCUSSION_ID", "../../../user"),
        ("BENCH_SHA", "main"),
        ("BENCH_BASE_SHA", "HEAD^"),
        ("BENCH_PIPELINE_ID", "1001.0"),
        ("BENCH_PIPELINE_STARTED_AT", "yesterday"),
        ("BENCH_PROJECT_ID", "acme/engine"),
    ];
    for (wrong, garbage) in garbage {
        let variables = record.iter().map(|(key, value)| match key == wrong {
            true => (wrong, garbage),
            false => (key.as_str(), value.as_str()),
        });
        start(&variables.collect::<Vec<_>>());
    }
    gitlab.benchmark_ends(benchmark, "success");
    let next = gitlab.mr("next").passed().labelled();
    for command in ["reconcile", "scan"] {
        let ran = run(&gitlab, command);
        for pipeline in &gitlab.benchmarks()[1..13] {
            let said = ran.stderr.matches(&pipeline.url).count();
            assert_eq!(said, 1, "{}", ran.stderr);
        }
        assert_eq!(ran.stderr.lines().count(), 12, "{}", ran.stderr);
    }
    assert!(next.page().contains("Benchmark started"), "{}", next.page());
}

#[test]
fn a_merge_request_that_cannot_be_read_is_said_and_the_others_are_served() {
    let faults = [
        Fault::server_error(),
        Fault::answer(403, "application/json", r#"{"message":"403 Forbidden"}"#),
        Fault::not_json(),
        Fault::wrong_shape(),
        Fault::CutBody,
    ];
    const PATHS: [&str; 2] = ["/merge_requests/1", "/1/resource_label_events"];
    for (path, fault) in PATHS
        .iter()
        .flat_map(|path| faults.iter().map(move |fault| (path, fault.clone())))
    {
        let gitlab = Gitlab::start();
        let (mr, next) = (
            gitlab.mr("first").passed().labelled(),
            gitlab.mr("next").passed().labelled(),
        );
        gitlab.fault(move |request| request.path.ends_with(path).then(|| fault.clone()));
        let ran = bot(&gitlab, "scan --max-in-flight 2 --format json").exits(1);
        assert!(
            ran.complaint().starts_with("error: cannot read !1: GET "),
            "{}",
            ran.stderr
        );
        assert_eq!(reason(&ran.json(), &mr), "unknown");
        assert!(next.page().contains("Benchmark started"));
        let ran = bot(&gitlab, "trigger --mr 1").exits(1);
        assert!(ran.stderr.contains("!1"), "{}", ran.stderr);
        assert!(mr.discussions().is_empty());
    }
}

#[test]
fn one_deleted_while_the_list_is_read_is_unknown_until_the_next_run() {
    let gitlab = Gitlab::start();
    gitlab.mr("first").passed().labelled();
    let next = gitlab.mr("next").passed().labelled();
    let reads_one = |request: &Request| request.path.contains("/merge_requests/");
    before(&gitlab, 0, reads_one, |people| {
        people.existing_mr("acme/engine", 1).delete();
    });
    let ran = bot(&gitlab, "scan").exits(1);
    assert!(
        ran.stderr
            .contains("GitLab says that it does not exist, but lists it"),
        "{}",
        ran.stderr
    );
    assert!(next.page().contains("Benchmark started"));
    run(&gitlab, "scan");
}

#[test]
fn times_are_told_by_gitlabs_clock() {
    let gitlab = Gitlab::start();
    in_flight(&gitlab);
    gitlab.later(HOUR / 2);
    gitlab.mr("next").passed().pipeline_started(60).labelled();
    gitlab.later(HOUR * 3);
    let report = run(&gitlab, "scan").stdout;
    for row in [
        "speed up  54333a1d  3h ago  running",
        "4h ago    3h ago    ready",
    ] {
        assert!(report.contains(row), "{report}");
    }
}
