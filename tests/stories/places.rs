//! What holds a place, what does not, and what is said of a benchmark that does not end.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr};
use serde_json::json;

use crate::bot::{bot, in_flight, json, last_word, run, writes};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn status(gitlab: &Gitlab, benchmark: u64) -> String {
    gitlab.pipeline(benchmark).status
}

/// What the bot's last word on it is.
#[track_caller]
fn assert_says(mr: &Mr, words: &[&str]) {
    let said = last_word(mr);
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(!said.contains("is cancelled"), "{said}");
}

/// The next scan starts that one, and no other.
#[track_caller]
fn assert_next_is_started(gitlab: &Gitlab, mr: &Mr) {
    let before = gitlab.benchmarks().len();
    run(gitlab, "scan");
    let benchmarks = gitlab.benchmarks();
    assert_eq!(benchmarks.len(), before + 1);
    let iid = mr.iid().to_string();
    assert_eq!(benchmarks[before].variable("BENCH_MR_IID"), Some(&*iid));
    gitlab.benchmark_ends(benchmarks[before].id, "success");
    run(gitlab, "reconcile");
}

#[track_caller]
fn assert_not_started(gitlab: &Gitlab) {
    let before = gitlab.benchmarks().len();
    run(gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), before);
}

/// Runs for half a day, each of which names it and writes nothing.
#[track_caller]
fn assert_at_rest_but_named(gitlab: &Gitlab, url: &str) {
    gitlab.clear_requests();
    for command in ["reconcile", "scan", "status"].repeat(3) {
        gitlab.later(4 * HOUR);
        let ran = run(gitlab, command);
        assert!(
            ran.complaint().contains(url) && ran.stderr.contains("is overdue"),
            "{}",
            ran.stderr
        );
    }
    assert_eq!(writes(gitlab), Vec::<String>::new());
}

fn cancels(gitlab: &Gitlab) -> usize {
    let writes = gitlab.writes();
    let cancels = writes
        .iter()
        .filter(|write| write.path.ends_with("/cancel"));
    cancels.count()
}

#[test]
fn one_that_waits_for_a_manual_job_lets_the_next_start_at_once() {
    let gitlab = Gitlab::start();
    let (_, blocked) = in_flight(&gitlab);
    let next = gitlab.mr("next").passed().labelled();
    assert_not_started(&gitlab);
    gitlab.benchmark_blocked(blocked, "publish");
    let report = run(&gitlab, "scan --dry-run").stdout;
    assert!(
        report.contains("In flight: 0 of 1") && report.contains("manual: blocked"),
        "{report}"
    );
    assert_next_is_started(&gitlab, &next);
    assert_eq!(status(&gitlab, blocked), "manual");
}

#[test]
fn its_outcome_is_blocked_with_results_and_its_manual_jobs_are_cancelled() {
    let gitlab = Gitlab::start();
    let (mr, blocked) = in_flight(&gitlab);
    gitlab.benchmark_leaves(blocked, "benchmark", "bench-summary.md", "3 % faster\n");
    gitlab.benchmark_blocked(blocked, "publish");
    gitlab.benchmark_job(blocked, "publish elsewhere", |job| job.set_status("manual"));
    gitlab.later(23 * HOUR);
    let reconcile = "reconcile --results-job benchmark";
    assert_eq!(json(&gitlab, reconcile)["actions"], json!([]));
    gitlab.later(2 * HOUR);
    let ran = run(&gitlab, reconcile);
    assert!(ran.stdout.contains("blocked"), "{}", ran.stdout);
    assert_says(
        &mr,
        &[
            "✋ **Benchmark blocked**",
            "`3 % faster`",
            "artifacts of `benchmark`",
            "was cancelled",
        ],
    );
    assert_eq!(status(&gitlab, blocked), "canceled");
    assert!(!mr.is_labelled());
    gitlab.clear_requests();
    run(&gitlab, reconcile);
    assert_eq!(writes(&gitlab), Vec::<String>::new());
}

#[test]
fn what_is_to_be_cancelled_is_said_to_be_so_until_it_is() {
    let gitlab = Gitlab::start();
    let (mr, blocked) = in_flight(&gitlab);
    gitlab.benchmark_blocked(blocked, "publish");
    gitlab.world().stuck.insert(blocked);
    gitlab.later(25 * HOUR);
    run(&gitlab, "reconcile");
    assert_says(&mr, &["**Benchmark blocked**", "is to be cancelled"]);
    assert!(!mr.is_labelled());
    // It uses no machine, and yet somebody has to see to it.
    gitlab.later(2 * HOUR);
    assert_at_rest_but_named(&gitlab, &gitlab.pipeline(blocked).url);
    gitlab.benchmark_ends(blocked, "success");
    run(&gitlab, "reconcile");
    assert_says(
        &mr,
        &["was to be cancelled, but had ended by then: `success`"],
    );
}

#[test]
fn a_manual_job_that_somebody_starts_takes_the_place_again() {
    let gitlab = Gitlab::start();
    let (mr, blocked) = in_flight(&gitlab);
    gitlab.benchmark_blocked(blocked, "publish");
    gitlab.play(blocked, "publish");
    gitlab.mr("next").passed().labelled();
    assert_not_started(&gitlab);
    gitlab.benchmark_ends(blocked, "success");
    run(&gitlab, "reconcile");
    assert_says(&mr, &["**Benchmark finished**"]);
}

#[test]
fn one_with_a_manual_job_before_the_benchmark_has_timed_out() {
    let gitlab = Gitlab::start();
    let (mr, blocked) = in_flight(&gitlab);
    gitlab.set_status("acme/benchmarks", blocked, "created");
    gitlab.benchmark_job(blocked, "approve", |job| job.set_status("manual"));
    {
        let mut world = gitlab.world();
        let pipeline = world.pipelines.get_mut(&blocked).expect("it is there");
        pipeline.status = "manual".to_owned();
    }
    gitlab.later(25 * HOUR);
    run(&gitlab, "reconcile");
    assert_says(&mr, &["**Benchmark timed out**", "was cancelled"]);
    assert_eq!(status(&gitlab, blocked), "canceled");
}

#[test]
fn one_that_hangs_is_named_by_every_run_and_holds_up_nothing() {
    for hangs in ["running", "canceling", "waiting_for_resource"] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        let url = gitlab.pipeline(benchmark).url;
        gitlab.benchmark_hangs(benchmark, hangs);
        let next = gitlab.mr("next").passed().labelled();

        gitlab.later(24 * HOUR + 30 * MINUTE);
        assert_not_started(&gitlab);
        run(&gitlab, "reconcile");
        assert_says(&mr, &["timed out", "is to be cancelled"]);
        assert!(!mr.is_labelled());
        assert_not_started(&gitlab);

        gitlab.later(HOUR);
        assert_next_is_started(&gitlab, &next);
        assert_says(&mr, &["is to be cancelled"]);
        let doctor = run(&gitlab, "doctor").stdout;
        let flat = doctor.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&format!("{url} ({hangs})")), "{doctor}");

        gitlab.later(24 * HOUR);
        assert_at_rest_but_named(&gitlab, &url);
        let report = json(&gitlab, "status");
        assert_eq!(report["in_flight"][0]["overdue"], true, "{report}");
        let text = run(&gitlab, "status").stdout;
        assert!(text.contains(&format!("{hangs}: overdue")), "{text}");
        let page = run(&gitlab, "status --format html").stdout;
        assert!(page.contains(&format!("{hangs}: overdue")), "{page}");
        gitlab.benchmark_ends(benchmark, "canceled");
        run(&gitlab, "reconcile");
        assert_says(&mr, &["timed out", "was cancelled"]);
        assert_eq!(mr.notes().len(), 2, "{}", mr.page());
        gitlab.clear_requests();
        let ran = run(&gitlab, "reconcile");
        assert_eq!((ran.stderr.as_str(), cancels(&gitlab)), ("", 0));
    }
}

#[test]
fn a_cancel_without_effect_is_asked_for_again_for_an_hour() {
    let gitlab = Gitlab::start();
    let (_, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_hangs(benchmark, "running");
    gitlab.later(25 * HOUR);
    gitlab.clear_requests();
    let mut asked = Vec::new();
    for _ in 0..6 {
        run(&gitlab, "reconcile");
        asked.push(cancels(&gitlab));
        gitlab.later(20 * MINUTE);
    }
    assert_eq!(asked, [1, 2, 3, 3, 3, 3]);
}

/// A benchmark for another source project, which runs.
fn of_another_project(gitlab: &Gitlab) -> u64 {
    let (_, benchmark) = in_flight(gitlab);
    let mut record = gitlab.pipeline(benchmark).variables;
    let project = record.iter_mut().find(|(key, _)| key == "BENCH_PROJECT_ID");
    project.expect("a record").1 = "50".to_owned();
    let record: Vec<_> = record
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    let theirs = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &record);
    gitlab.benchmark_runs(theirs);
    gitlab.benchmark_ends(benchmark, "success");
    run(gitlab, "reconcile");
    theirs
}

#[test]
fn one_of_another_project_keeps_its_place_for_twice_the_timeout() {
    let gitlab = Gitlab::start();
    let theirs = of_another_project(&gitlab);
    let next = gitlab.mr("next").passed().labelled();
    gitlab.later(47 * HOUR);
    let ran = run(&gitlab, "reconcile");
    assert_eq!(ran.stderr, "");
    assert_not_started(&gitlab);
    gitlab.later(2 * HOUR);
    assert_next_is_started(&gitlab, &next);
    assert_at_rest_but_named(&gitlab, &gitlab.pipeline(theirs).url);
    assert_eq!(status(&gitlab, theirs), "running");
}

#[test]
fn one_whose_variables_cannot_be_read_keeps_its_place_as_long_as_another_projects() {
    let gitlab = Gitlab::start();
    let (_, benchmark) = in_flight(&gitlab);
    gitlab.mr("next").passed().labelled();
    gitlab.fault(move |request| {
        let variables = request.path.ends_with(&format!("/{benchmark}/variables"));
        variables.then(Fault::forbidden)
    });
    for (later, starts) in [(26, 0), (23, 1)] {
        gitlab.later(later * HOUR);
        let ran = bot(&gitlab, "scan").exits(1);
        assert_eq!(gitlab.benchmarks().len(), 1 + starts, "{}", ran.stdout);
        let named = ran.stderr.contains("is overdue");
        assert_eq!(named, starts == 1, "{}", ran.stderr);
    }
}

/// One that failed, whose outcome is posted, and which Ada retried since.
fn retried(gitlab: &Gitlab) -> (Mr, u64) {
    let (mr, benchmark) = in_flight(gitlab);
    gitlab.benchmark_ends(benchmark, "failed");
    run(gitlab, "reconcile");
    gitlab.retry(benchmark);
    gitlab.benchmark_runs(benchmark);
    (mr, benchmark)
}

#[test]
fn one_retried_after_its_outcome_takes_a_place_and_is_left_alone() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = retried(&gitlab);
    let next = gitlab.mr("next").passed().labelled();
    let said = last_word(&mr);
    gitlab.later(47 * HOUR);
    assert_not_started(&gitlab);
    gitlab.clear_requests();
    let ran = run(&gitlab, "reconcile");
    assert_eq!(ran.stderr, "");
    gitlab.later(2 * HOUR);
    let ran = run(&gitlab, "reconcile");
    let url = gitlab.pipeline(benchmark).url;
    assert!(ran.complaint().contains(&url), "{}", ran.stderr);
    assert_eq!(writes(&gitlab), Vec::<String>::new());
    assert_next_is_started(&gitlab, &next);
    assert_eq!(
        (status(&gitlab, benchmark), last_word(&mr)),
        ("running".to_owned(), said)
    );
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    assert_says(&mr, &["**Benchmark finished**", "It was `failed` at first"]);
    assert_eq!(mr.notes().len(), 2);
}

#[test]
fn zero_places_pause_what_starts_and_nothing_else() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    let next = gitlab.mr("next").passed().labelled();
    run(&gitlab, "reconcile --max-in-flight 0");
    assert!(!mr.is_labelled());
    gitlab.clear_requests();
    let said = run(&gitlab, "scan --max-in-flight 0").stdout;
    assert!(
        said.contains("In flight: 0 of 0, paused: nothing is started"),
        "{said}"
    );
    let report = json(&gitlab, "scan --max-in-flight 0");
    assert_eq!(report["queue"][0]["mr"], next.iid());
    assert_eq!(
        writes(&gitlab),
        ["POST /projects/7/merge_requests/2/award_emoji {\"name\":\"eyes\"}"]
    );
    let told = run(&gitlab, "status --mr 2 --max-in-flight 0").stdout;
    assert!(told.contains("raise --max-in-flight"), "{told}");
    assert_next_is_started(&gitlab, &next);
}
