//! How an end is told that is neither a plain success nor a plain failure.

use std::time::Duration;

use in_memory_gitlab::{Gitlab, Mr};
use serde_json::json;

use crate::bot::{bot, in_flight, json, run};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// What the bot replied, without its marker.
#[track_caller]
fn reply(mr: &Mr) -> String {
    let notes = mr.notes();
    let [_, reply] = &notes[..] else {
        panic!("{}", mr.page())
    };
    reply.body.lines().next().expect("it has a line").to_owned()
}

#[test]
fn a_benchmark_that_never_began_is_told_to_have_waited() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    gitlab.later(25 * HOUR);
    run(&gitlab, "reconcile");
    let reply = reply(&mr);
    assert!(
        reply.contains("It never started: it waited for 1day 1h"),
        "{reply}"
    );
    assert!(!reply.contains("took too long"), "{reply}");
    assert!(!mr.is_labelled());
}

#[test]
fn one_that_began_late_is_told_how_long_it_waited_and_how_long_it_ran() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    gitlab.later(20 * HOUR);
    gitlab.benchmark_runs(gitlab.benchmarks()[0].id);
    gitlab.later(5 * HOUR);
    run(&gitlab, "reconcile");
    let reply = reply(&mr);
    assert!(
        reply.contains("It took too long: it waited for 20h and ran for 5h"),
        "{reply}"
    );
    assert!(!mr.is_labelled());
}

/// Its pipeline passed, but the job that has the results failed, which it may.
fn without_results(gitlab: &Gitlab, benchmark: u64, job: &str) {
    gitlab.benchmark_job(benchmark, "prepare", |job| job.set_status("success"));
    gitlab.benchmark_job(benchmark, "benchmark", |job| job.set_status("success"));
    gitlab.job_fails(benchmark, job, "script_failure");
    gitlab.benchmark_job(benchmark, job, |job| job.allow_failure = true);
    gitlab.benchmark_ends(benchmark, "success");
}

#[test]
fn a_pipeline_that_passed_without_its_results_is_no_success() {
    for resolve in ["never", "success", "always"] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        without_results(&gitlab, benchmark, "benchmark");
        let report = json(
            &gitlab,
            &format!("reconcile --results-job benchmark --resolve {resolve}"),
        );
        assert_eq!(report["actions"][0]["outcome"], "done");
        let reply = reply(&mr);
        assert!(reply.starts_with("❌ **Benchmark failed**"), "{reply}");
        assert!(
            reply.contains(
                "Its pipeline passed, but the results job failed, so there are no reliable results"
            ),
            "{reply}"
        );
        assert!(reply.contains("job [`benchmark`]"), "{reply}");
        let resolved = mr.discussions()[0].is_resolved();
        assert_eq!(resolved, resolve == "always", "{resolve}");
        assert!(!mr.is_labelled());
        let later = json(&gitlab, "reconcile --results-job benchmark");
        assert_eq!(later["actions"], json!([]), "it is told once");
    }
}

#[test]
fn another_job_that_may_fail_takes_nothing_from_a_success() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    without_results(&gitlab, benchmark, "lint");
    run(&gitlab, "reconcile --results-job benchmark");
    let reply = reply(&mr);
    assert!(reply.starts_with("🏁 **Benchmark finished**"), "{reply}");
}

#[test]
fn whoever_waits_for_it_learns_that_it_was_no_success() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed();
    let waiting = bot(&gitlab, "trigger --mr 1 --wait --results-job benchmark").starts();
    while gitlab.benchmarks().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    without_results(&gitlab, gitlab.benchmarks()[0].id, "benchmark");
    let ran = waiting.ends();
    assert_eq!(ran.code, 3, "{}\n{}", ran.stdout, ran.stderr);
    assert!(reply(&mr).starts_with("❌ **Benchmark failed**"));
    assert!(!mr.is_labelled());
}

const NUMBERED: [&str; 2] = ["benchmark 1/3", "benchmark 2/3"];
const MATRIX: [&str; 2] = ["benchmark: [a, b]", "benchmark: [a, c]"];

#[test]
fn a_job_run_in_parts_is_found_by_its_name() {
    for (parts, other) in [
        (NUMBERED, "benchmarks 1/3"),
        (NUMBERED, "benchmark 1/b"),
        (MATRIX, "benchmark-old: [a, b]"),
        (MATRIX, "benchmark: [a"),
    ] {
        for failed in parts {
            let gitlab = Gitlab::start();
            let (mr, benchmark) = in_flight(&gitlab);
            gitlab.benchmark_job(benchmark, "benchmark", |job| job.name = other.to_owned());
            for part in parts {
                gitlab.benchmark_job(benchmark, part, |job| job.set_status("success"));
            }
            gitlab.benchmark_leaves(benchmark, parts[1], "bench-summary.md", "2x faster");
            without_results_in(&gitlab, benchmark, failed);
            run(&gitlab, "reconcile --results-job benchmark");
            let reply = reply(&mr);
            assert!(reply.starts_with("❌ **Benchmark failed**"), "{reply}");
            assert!(reply.contains(&format!("job [`{failed}`]")), "{reply}");
            assert_eq!(reply.matches("job [").count(), 1, "{reply}");
            assert!(
                reply.contains(&format!("[artifacts of `{}`]", parts[1])),
                "{reply}"
            );
        }
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        gitlab.benchmark_leaves(benchmark, parts[1], "bench-summary.md", "2x faster");
        gitlab.job_fails(benchmark, other, "script_failure");
        gitlab.benchmark_job(benchmark, other, |job| job.allow_failure = true);
        gitlab.benchmark_ends(benchmark, "success");
        run(&gitlab, "reconcile --results-job benchmark");
        let reply = reply(&mr);
        assert!(reply.starts_with("🏁 **Benchmark finished**"), "{reply}");
        assert!(reply.contains("2x faster"), "{reply}");
    }
}

fn without_results_in(gitlab: &Gitlab, benchmark: u64, job: &str) {
    gitlab.job_fails(benchmark, job, "script_failure");
    gitlab.benchmark_job(benchmark, job, |job| job.allow_failure = true);
    gitlab.benchmark_ends(benchmark, "success");
}

#[test]
fn one_whose_results_came_with_a_retry_by_hand_is_corrected() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.job_fails(benchmark, "benchmark", "script_failure");
    gitlab.benchmark_ends(benchmark, "failed");
    run(&gitlab, "reconcile --results-job benchmark");
    gitlab.retry(benchmark);
    gitlab.benchmark_job(benchmark, "benchmark", |job| job.set_status("success"));
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile --results-job benchmark");
    let reply = reply(&mr);
    assert!(reply.starts_with("🏁 **Benchmark finished**"), "{reply}");
}
