//! Benchmarks whose jobs are in child pipelines.

use in_memory_gitlab::{Fault, Gitlab, Job, Mr};

use crate::bot::{in_flight, run};
use crate::outcome::told;

const BENCHMARKS: &str = "acme/benchmarks";
const JOBS: &str = "https://gitlab.example.com/acme/benchmarks/-/jobs/";
const PIPELINES: &str = "https://gitlab.example.com/acme/benchmarks/-/pipelines/";

/// A benchmark in flight whose job `suite` has started a child pipeline, which has a job `measure`.
fn with_child() -> (Gitlab, Mr, u64, u64) {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_job(benchmark, "benchmark", |job| job.set_status("success"));
    let child = gitlab.benchmark_triggers(benchmark, "suite", BENCHMARKS);
    gitlab.benchmark_job(child, "benchmark", |job| job.set_status("success"));
    gitlab.benchmark_job(child, "measure", |job| job.set_status("running"));
    (gitlab, mr, benchmark, child)
}

fn reply(mr: &Mr) -> String {
    told(mr)
        .replace(JOBS, "jobs:")
        .replace(PIPELINES, "pipelines:")
}

fn asked_for_children(gitlab: &Gitlab) -> usize {
    let requests = gitlab.requests();
    let bridges = requests
        .iter()
        .filter(|request| request.path.ends_with("/bridges"));
    bridges.count()
}

#[test]
fn the_results_job_may_be_in_a_child_pipeline() {
    let (gitlab, mr, benchmark, child) = with_child();
    gitlab.benchmark_leaves(child, "measure", "bench-summary.md", "2x faster\n");
    gitlab.benchmark_leaves(child, "measure", "report/index.html", "<p>2x");
    gitlab.benchmark_ends(child, "success");
    assert_eq!(gitlab.pipeline(benchmark).status, "success");
    let ran = run(
        &gitlab,
        "reconcile --results-job measure --results-file report/index.html",
    );
    assert_eq!(ran.stderr, "");
    let reply = reply(&mr);
    assert!(
        reply.ends_with(
            "In short: `2x faster`. Results: [`report/index.html`](jobs:2005/artifacts/file/report/index.html). \
             To benchmark it again, add the label `benchmarking` again."
        ),
        "{reply}"
    );
    assert!(!mr.is_labelled());
}

#[test]
fn a_results_job_that_failed_in_a_child_pipeline_makes_no_success() {
    let may_fail = |job: &mut Job| job.allow_failure = true;
    let does_not_wait = |job: &mut Job| {
        job.trigger.as_mut().expect("it is one").depends = false;
        job.set_status("success");
    };
    for change in [may_fail, does_not_wait] {
        let (gitlab, mr, benchmark, child) = with_child();
        gitlab.benchmark_job(benchmark, "suite", change);
        gitlab.job_fails(child, "measure", "script_failure");
        gitlab.benchmark_ends(child, "failed");
        gitlab.benchmark_ends(benchmark, "success");
        run(&gitlab, "reconcile --results-job measure");
        let reply = reply(&mr);
        assert!(
            reply.contains("the results job failed, so there are no reliable results")
                && reply.contains("look at job [`measure`](jobs:2005) (`script_failure`)"),
            "{reply}"
        );
    }
}

#[test]
fn a_job_that_failed_in_a_child_pipeline_is_named() {
    let (gitlab, mr, benchmark, child) = with_child();
    gitlab.job_fails(child, "measure", "runner_system_failure");
    gitlab.job_fails(child, "lint", "script_failure");
    gitlab.benchmark_job(child, "lint", |job| job.allow_failure = true);
    gitlab.benchmark_ends(child, "failed");
    assert_eq!(gitlab.pipeline(benchmark).status, "failed");
    run(&gitlab, "reconcile");
    assert_eq!(
        reply(&mr),
        "❌ **Benchmark failed**: commit `SHA`. See [pipeline 1002](pipelines:1002). The machine failed, not the commit: \
         job [`measure`](jobs:2005) (`runner_system_failure`). Just add the label `benchmarking` again; if that does not \
         help, ask a Maintainer of the benchmark project."
    );
}

#[test]
fn what_failed_in_a_child_that_may_fail_is_not_named() {
    let (gitlab, mr, benchmark, child) = with_child();
    gitlab.benchmark_job(benchmark, "suite", |job| job.allow_failure = true);
    gitlab.job_fails(child, "measure", "script_failure");
    gitlab.benchmark_ends(child, "failed");
    let other = gitlab.benchmark_triggers(benchmark, "other", BENCHMARKS);
    gitlab.job_fails(other, "compare", "script_failure");
    gitlab.benchmark_ends(other, "failed");
    assert_eq!(gitlab.pipeline(benchmark).status, "failed");
    run(&gitlab, "reconcile --results-job measure");
    let reply = reply(&mr);
    assert!(
        reply.contains("look at job [`benchmark`]") && reply.contains("[`compare`]"),
        "{reply}"
    );
    assert!(!reply.contains("[`measure`]"), "{reply}");
}

#[test]
fn a_job_that_started_nothing_or_started_it_elsewhere_is_named_itself() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_job(benchmark, "benchmark", |job| job.set_status("success"));
    let elsewhere = gitlab.benchmark_triggers(benchmark, "publish", "acme/engine");
    gitlab.set_status("acme/engine", elsewhere, "failed");
    gitlab.benchmark_triggers(benchmark, "suite", BENCHMARKS);
    gitlab.job_fails(benchmark, "suite", "downstream_pipeline_creation_failed");
    gitlab.benchmark_job(benchmark, "suite", |job| {
        job.trigger.as_mut().expect("it is one").pipeline = None;
    });
    gitlab.benchmark_ends(benchmark, "failed");
    run(&gitlab, "reconcile");
    let reply = reply(&mr);
    let engine = "https://gitlab.example.com/acme/engine/-/pipelines/";
    let failed = format!(
        "Failed: job [`publish`]({engine}{elsewhere}) (`unknown_failure`), job [`suite`](pipelines:1002) \
         (`downstream_pipeline_creation_failed`). To try again"
    );
    assert!(reply.contains(&failed), "{reply}");
}

#[test]
fn child_pipelines_are_read_only_if_something_is_missing() {
    for (ends, arguments, reads) in [
        ("success", "", 0),
        ("success", "--results-job benchmark", 0),
        ("success", "--results-job measure", 1),
        ("canceled", "--results-job benchmark", 0),
        ("failed", "--results-job benchmark", 1),
    ] {
        let (gitlab, mr, benchmark, child) = with_child();
        gitlab.benchmark_ends(child, ends);
        assert_eq!(gitlab.pipeline(benchmark).status, ends);
        run(&gitlab, &format!("reconcile {arguments}"));
        assert_eq!(asked_for_children(&gitlab), reads, "{ends} {arguments}");
        assert!(!mr.is_labelled());
    }
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "failed");
    run(&gitlab, "reconcile --results-job benchmark");
    assert_eq!(asked_for_children(&gitlab), 0, "its own job failed");
    assert!(reply(&mr).contains("look at job [`benchmark`]"));
}

#[test]
fn child_pipelines_that_cannot_be_read_are_left_out() {
    for (path, warning) in [
        (
            "/pipelines/1002/bridges",
            "cannot read the child pipelines of ",
        ),
        ("/pipelines/1003/jobs", "cannot read the jobs of "),
    ] {
        for fault in [
            Fault::answer(403, "application/json", r#"{"message":"403 Forbidden"}"#),
            Fault::server_error(),
            Fault::not_json(),
            Fault::Reset,
        ] {
            let (gitlab, mr, _, child) = with_child();
            gitlab.benchmark_leaves(child, "measure", "bench-summary.md", "2x faster\n");
            gitlab.job_fails(child, "compare", "script_failure");
            gitlab.benchmark_ends(child, "failed");
            let hit = fault.clone();
            gitlab.fault(move |request| request.path.ends_with(path).then(|| hit.clone()));
            let ran = run(&gitlab, "reconcile --results-job measure");
            assert!(ran.stderr.contains(warning), "{}", ran.stderr);
            let reply = reply(&mr);
            assert!(reply.starts_with("❌ **Benchmark failed**"), "{reply}");
            assert!(
                !reply.contains("2x") && !reply.contains("compare"),
                "{reply}"
            );
            assert!(!mr.is_labelled());
        }
    }
}

#[test]
fn a_blocked_benchmark_has_the_results_of_its_child() {
    let (gitlab, mr, benchmark, child) = with_child();
    gitlab.benchmark_leaves(child, "measure", "bench-summary.md", "2x faster\n");
    gitlab.benchmark_ends(child, "success");
    gitlab.benchmark_blocked(benchmark, "publish");
    gitlab.later(std::time::Duration::from_secs(25 * 60 * 60));
    run(&gitlab, "reconcile --results-job measure");
    let reply = reply(&mr);
    assert!(
        reply.contains("Benchmark blocked") && reply.contains("`2x faster`"),
        "{reply}"
    );
}

#[test]
fn a_benchmark_with_very_many_child_pipelines_is_read_in_part() {
    let (gitlab, mr, benchmark, child) = with_child();
    for number in 2..=22 {
        let more = gitlab.benchmark_triggers(benchmark, &format!("suite {number}"), BENCHMARKS);
        gitlab.benchmark_ends(more, "success");
    }
    gitlab.benchmark_ends(child, "success");
    let ran = run(&gitlab, "reconcile --results-job absent");
    assert!(
        ran.stderr
            .contains("has many child pipelines: the reply is about the first 20"),
        "{}",
        ran.stderr
    );
    let requests = gitlab.requests();
    let lists = requests
        .iter()
        .filter(|request| request.path.ends_with("/jobs"));
    assert_eq!(lists.count(), 21);
    assert!(!mr.is_labelled());
}
