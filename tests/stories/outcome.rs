//! What the reply says besides the outcome, and which discussions are resolved.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr, Role};

use crate::bot::{bot, in_flight, run};

const SUMMARY: &str = "bench-summary.md";
const ASK: &str = "; if that does not help, ask a Maintainer of the benchmark project";

/// The reply's text, without its marker.
#[track_caller]
pub fn told(mr: &Mr) -> String {
    let notes = mr.notes();
    let [_, reply] = &notes[..] else {
        panic!("{}", mr.page())
    };
    let (text, _) = reply.body.rsplit_once("\n\n<!--").expect("a marker");
    text.replace(&mr.sha()[..8], "SHA")
}

/// The reply to a benchmark that ended so, its jobs arranged before.
fn reply(status: &str, arguments: &str, arrange: impl Fn(&Gitlab, u64)) -> String {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    arrange(&gitlab, benchmark);
    gitlab.benchmark_ends(benchmark, status);
    run(&gitlab, &format!("reconcile {arguments}"));
    assert!(!mr.is_labelled());
    let jobs = "https://gitlab.example.com/acme/benchmarks/-/jobs/";
    told(&mr).replace(jobs, "jobs:").replace(
        "https://gitlab.example.com/acme/benchmarks/-/pipelines/",
        "pipelines:",
    )
}

#[test]
fn a_failed_benchmark_names_its_jobs_and_whose_failure_it_is() {
    let failed = |jobs: &'static [(&str, &str)]| {
        let reply = reply("failed", "", |gitlab, benchmark| {
            gitlab.benchmark_job(benchmark, "benchmark", |job| job.set_status("success"));
            for (name, reason) in jobs {
                gitlab.job_fails(benchmark, name, reason);
            }
        });
        let start = "❌ **Benchmark failed**: commit `SHA`. See [pipeline 1002](pipelines:1002). ";
        let more = reply.strip_prefix(start).expect(&reply).to_owned();
        more.replace("label `benchmarking` again", "label")
            .replace(ASK, "")
    };
    assert_eq!(
        failed(&[("measure", "script_failure")]),
        "The script failed: look at job [`measure`](jobs:2003) (`script_failure`). To try again, add the label."
    );
    assert_eq!(
        failed(&[
            ("measure", "runner_system_failure"),
            ("compare", "stuck_or_timeout_failure")
        ]),
        "The machine failed, not the commit: job [`measure`](jobs:2003) (`runner_system_failure`), \
         job [`compare`](jobs:2004) (`stuck_or_timeout_failure`). Just add the label."
    );
    assert_eq!(
        failed(&[
            ("a", "scheduler_failure"),
            ("b", "no_matching_runner"),
            ("c", "script_failure")
        ]),
        "The script failed: look at job [`c`](jobs:2005) (`script_failure`). \
         The machine failed, not the commit: job [`a`](jobs:2003) (`scheduler_failure`). \
         Failed: job [`b`](jobs:2004) (`no_matching_runner`). To try again, add the label."
    );
    let many = failed(&[
        ("a", "api_failure"),
        ("b", "api_failure"),
        ("c", "api_failure"),
        ("d", "api_failure"),
        ("e", "api_failure"),
        ("f", "api_failure"),
        ("g", "script_failure"),
    ]);
    assert!(
        many.contains("[`e`](jobs:2007) (`api_failure`). 2 more jobs failed. To try again"),
        "{many}"
    );
    assert_eq!(
        failed(&[]),
        "To try again, add the label.",
        "a trigger job, say"
    );
}

#[test]
fn a_job_that_may_fail_or_was_retried_is_not_named() {
    let reply = reply("failed", "", |gitlab, benchmark| {
        gitlab.job_fails(benchmark, "flaky", "script_failure");
        gitlab.benchmark_job(benchmark, "flaky", |job| job.allow_failure = true);
        gitlab.job_fails(benchmark, "retried", "script_failure");
        gitlab.benchmark_job(benchmark, "retried", |job| job.retried = true);
    });
    assert!(
        reply.contains("look at job [`benchmark`](jobs:2002) (`script_failure`). To"),
        "{reply}"
    );
}

#[test]
fn the_reply_links_to_the_artifacts_of_the_results_job_and_shows_what_they_say_in_short() {
    let leaves = |content: &'static str| {
        move |gitlab: &Gitlab, benchmark| {
            gitlab.benchmark_leaves(benchmark, "benchmark", SUMMARY, content)
        }
    };
    let artifacts = "[artifacts of `benchmark`](jobs:2002/artifacts/browse)";
    let pipeline = "[pipeline 1002](pipelines:1002)";
    let again = "To benchmark it again, add the label `benchmarking` again.";
    let results = format!("Results: {artifacts}. {again}");
    let job = "--results-job benchmark";
    let success =
        format!("🏁 **Benchmark finished**: {pipeline} for commit `SHA` ended with success.");
    assert_eq!(
        reply(
            "success",
            job,
            leaves("  parse: 2.1x faster  \n\nand more\n")
        ),
        format!(
            "{success} In short: `parse: 2.1x faster`. {results}\n\n<details><summary>All figures</summary>\n\n\
             `and more`\n\n</details>"
        )
    );
    assert_eq!(
        reply("canceled", job, leaves("half of it")),
        format!(
            "🚫 **Benchmark canceled**: commit `SHA`. In short: `half of it`. See {artifacts}, {pipeline}. To try again, add the \
             label `benchmarking` again."
        )
    );
    for blank in ["", "\u{feff}  \r\n"] {
        assert_eq!(
            reply("success", job, leaves(blank)),
            format!("{success} {results}")
        );
    }
    let other_file = |gitlab: &Gitlab, id| gitlab.benchmark_leaves(id, "benchmark", "x.txt", "x");
    assert_eq!(
        reply("success", job, other_file),
        format!("{success} {results}")
    );

    let plain = format!("{success} {again}");
    assert_eq!(reply("success", job, |_, _| ()), plain, "no artifacts");
    assert_eq!(reply("success", "", leaves("2x")), plain, "not asked for");
}

#[test]
fn results_without_a_summary_are_nothing_to_warn_of() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_leaves(benchmark, "benchmark", "x.txt", "x");
    gitlab.benchmark_ends(benchmark, "success");
    let ran = run(&gitlab, "reconcile --results-job benchmark");
    assert_eq!(ran.stderr, "");
    assert!(told(&mr).contains("artifacts of `benchmark`"));
}

#[test]
fn a_summary_is_cut_off_after_two_hundred_characters() {
    for (length, shown) in [
        (200, "ü".repeat(200)),
        (201, "ü".repeat(199) + "…"),
        (1_000_000, "ü".repeat(199) + "…"),
    ] {
        let content = "ü".repeat(length);
        let reply = reply("success", "--results-job benchmark", |gitlab, benchmark| {
            gitlab.benchmark_leaves(benchmark, "benchmark", SUMMARY, &content)
        });
        assert!(reply.contains(&format!("In short: `{shown}`. ")), "{reply}");
    }
}

#[test]
fn what_cannot_be_read_of_jobs_does_not_keep_the_outcome_from_being_told() {
    for (path, warning) in [
        ("/jobs", "so the reply leaves them out: GET"),
        (SUMMARY, "so the reply leaves it out: GET"),
    ] {
        for fault in [
            Fault::server_error(),
            Fault::Reset,
            Fault::not_json(),
            Fault::CutBody,
        ] {
            let gitlab = Gitlab::start();
            let (mr, benchmark) = in_flight(&gitlab);
            gitlab.benchmark_leaves(benchmark, "benchmark", SUMMARY, "2x");
            gitlab.benchmark_ends(benchmark, "success");
            let hit = fault.clone();
            gitlab.fault(move |request| request.path.ends_with(path).then(|| hit.clone()));
            let ran = run(&gitlab, "reconcile --results-job benchmark");
            assert!(told(&mr).contains("Benchmark finished"));
            assert!(!mr.is_labelled());
            let inert_text = path == SUMMARY && fault == Fault::not_json();
            assert_eq!(ran.stderr.contains(warning), !inert_text, "{}", ran.stderr);
        }
    }
}

#[test]
fn a_results_job_that_is_not_there_is_said() {
    let gitlab = Gitlab::start();
    let (_, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    let ran = run(&gitlab, "reconcile --results-job ben\u{1b}ch");
    assert!(
        ran.complaint()
            .ends_with("has no job ben\u{fffd}ch: see --results-job (BENCH_BOT_RESULTS_JOB)"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_discussion_is_resolved_where_that_is_asked_for() {
    for (setting, ends, resolved) in [
        ("never", "success", false),
        ("success", "success", true),
        ("success", "failed", false),
        ("success", "canceled", false),
        ("always", "success", true),
        ("always", "failed", true),
        ("always", "skipped", true),
    ] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        gitlab.benchmark_ends(benchmark, ends);
        bot(&gitlab, "reconcile")
            .env("BENCH_BOT_RESOLVE", setting)
            .succeeds();
        assert_eq!(
            mr.discussions()[0].is_resolved(),
            resolved,
            "{setting} {ends}"
        );
        assert!(!mr.is_labelled());
    }
}

#[test]
fn only_always_resolves_what_was_withdrawn_or_timed_out() {
    let meanwhile: [fn(&Gitlab, &Mr); 2] = [
        |_, mr| drop(mr.unlabelled()),
        |gitlab, _| gitlab.later(Duration::from_secs(25 * 60 * 60)),
    ];
    for happens in meanwhile {
        for (setting, resolved) in [("success", false), ("always", true)] {
            let gitlab = Gitlab::start();
            let (mr, benchmark) = in_flight(&gitlab);
            happens(&gitlab, &mr);
            run(&gitlab, &format!("reconcile --resolve {setting}"));
            assert_eq!(mr.discussions()[0].is_resolved(), resolved, "{}", mr.page());
            assert_eq!(gitlab.pipeline(benchmark).status, "canceled");
        }
    }
}

/// Nothing reaches GitLab from the so-manieth write on.
fn stopped_at(gitlab: &Gitlab, write: usize, command: &str) {
    gitlab.clear_requests();
    let people = (**gitlab).clone();
    gitlab.fault(move |request| {
        (request.is_write() && people.writes().len() >= write).then_some(Fault::Reset)
    });
    bot(gitlab, command).exits(1);
    gitlab.no_faults();
}

#[test]
fn a_run_that_stopped_around_resolving_is_mended() {
    // Reply, resolve, label off; and where the label has gone resolve, reply, cancel.
    for (unlabelled, writes) in [(false, 3), (true, 3)] {
        for stop in 0..writes {
            let gitlab = Gitlab::start();
            let (mr, benchmark) = in_flight(&gitlab);
            match unlabelled {
                true => drop(mr.unlabelled()),
                false => gitlab.benchmark_ends(benchmark, "success"),
            }
            stopped_at(&gitlab, stop, "reconcile --resolve always");
            run(&gitlab, "reconcile --resolve always");
            assert!(mr.discussions()[0].is_resolved(), "{stop}: {}", mr.page());
            assert_eq!((mr.notes().len(), mr.is_labelled()), (2, false), "{stop}");
            run(&gitlab, "reconcile --resolve always");
            gitlab.clear_requests();
            run(&gitlab, "reconcile --resolve always");
            assert!(gitlab.writes().is_empty(), "{:?}", gitlab.writes());
        }
    }
}

#[test]
fn a_withdrawal_that_stopped_is_resolved_though_the_benchmark_ends_by_itself() {
    for stop in 0..3 {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        mr.unlabelled();
        stopped_at(&gitlab, stop, "reconcile --resolve always");
        gitlab.benchmark_ends(benchmark, "failed");
        run(&gitlab, "reconcile --resolve always");
        assert_eq!(mr.notes().len(), 2, "{stop}: {}", mr.page());
        assert!(mr.discussions()[0].is_resolved(), "{stop}: {}", mr.page());
    }
}

#[test]
fn an_outcome_told_though_the_label_has_gone_is_resolved_as_well() {
    for stop in 0..2 {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        gitlab.benchmark_ends(benchmark, "success");
        mr.unlabelled();
        stopped_at(&gitlab, stop, "reconcile --resolve success");
        run(&gitlab, "reconcile --resolve success");
        assert!(
            told(&mr).contains("success") && mr.discussions()[0].is_resolved(),
            "{}",
            mr.page()
        );
    }
}

#[test]
fn who_opens_a_discussion_again_is_not_fought() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile --resolve always");
    mr.unresolve("ada", &mr.discussions()[0].id);
    run(&gitlab, "reconcile --resolve always --since 2days");
    assert!(!mr.discussions()[0].is_resolved());
}

#[test]
fn a_refusal_to_resolve_is_said_and_holds_nothing_up() {
    for withdrawn in [false, true] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        match withdrawn {
            true => drop(mr.unlabelled()),
            false => gitlab.benchmark_ends(benchmark, "success"),
        }
        let forbidden = || Fault::answer(403, "application/json", r#"{"message":"403 Forbidden"}"#);
        gitlab.fault(move |request| (!request.body["resolved"].is_null()).then(forbidden));
        let ran = run(&gitlab, "reconcile --resolve always");
        assert!(
            ran.stderr
                .contains("!1: cannot resolve the discussion: PUT"),
            "{}",
            ran.stderr
        );
        assert!(!mr.is_labelled() && gitlab.pipeline(benchmark).has_ended());
    }
}

#[test]
fn a_member_who_may_not_resolve_is_no_member_who_may_label() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.role("bench-bot", "acme/engine", Role::Reporter);
    let ran = bot(&gitlab, "reconcile --resolve always").exits(1);
    assert!(
        ran.stderr.contains("403") && ran.stdout.contains("needs the role Developer"),
        "{}",
        ran.stdout
    );
    assert!(mr.is_labelled());
}
