//! What a start leaves behind: the discussion, the record, the link.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Request, Token};

use crate::bot::{bot, run};

#[test]
fn discussion_then_pipeline_then_link() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan --announce none");
    let writes = gitlab.writes();
    let mut writes: Vec<_> = writes
        .iter()
        .map(|write| format!("{} {}", write.method, write.path))
        .collect();
    // These two go out together.
    writes[..2].sort();
    assert_eq!(
        writes,
        [
            "POST /projects/7/merge_requests/1/award_emoji",
            "POST /projects/7/merge_requests/1/discussions",
            "POST /projects/8/pipeline",
            "PUT /projects/7/merge_requests/1/notes/301",
        ]
    );
}

#[test]
fn the_discussion_links_to_the_benchmark() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    let [discussion] = &mr.discussions()[..] else {
        panic!("{}", mr.page())
    };
    let benchmark = &gitlab.benchmarks()[0];
    assert_eq!(
        benchmark.variable("BENCH_DISCUSSION_ID"),
        Some(discussion.id.as_str())
    );
    let [note] = &discussion.notes[..] else {
        panic!("{}", mr.page())
    };
    assert!(note.body.contains(&benchmark.url), "{}", note.body);
    assert!(note.body.contains(&mr.sha()[..8]), "{}", note.body);
    assert!(mr.is_labelled(), "an unfinished request bears the label");
}

#[test]
fn the_record_holds_what_the_benchmark_needs() {
    let gitlab = Gitlab::start();
    let mr = gitlab
        .mr("speed-up")
        .passed()
        .pipeline_started(30)
        .labelled();
    run(&gitlab, "scan");
    let benchmark = &gitlab.benchmarks()[0];
    let url = "https://gitlab.example.com/acme/engine";
    let pipeline = mr.head_pipeline_id().expect("it has passed").to_string();
    let discussion = &mr.discussions()[0].id;
    let expected = [
        ("BENCH_MR_IID", "1"),
        ("BENCH_LABEL", "benchmarking"),
        ("BENCH_PIPELINE_ID", &pipeline),
        ("BENCH_DISCUSSION_ID", discussion),
        ("BENCH_BRANCH", "speed-up"),
        ("BENCH_SHA", &mr.sha()),
        ("BENCH_PIPELINE_STARTED_AT", "2026-01-05T08:30:02.000Z"),
        ("BENCH_REQUEST_ID", &mr.label_event_id().to_string()),
        ("BENCH_PROJECT_ID", "7"),
        ("BENCH_PROJECT_PATH", "acme/engine"),
        ("BENCH_PROJECT_URL", url),
        ("BENCH_MR_URL", &format!("{url}/-/merge_requests/1")),
        ("BENCH_MR_REF", "refs/merge-requests/1/head"),
        ("BENCH_TARGET_BRANCH", "main"),
        (
            "BENCH_BASE_SHA",
            &gitlab.world().projects[&7].branches["main"],
        ),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(benchmark.variables, expected);
}

#[test]
fn a_branch_named_like_a_variable_reaches_the_job_as_that_text() {
    for branch in [
        "$CI_JOB_TOKEN",
        "%CI_JOB_TOKEN%",
        "${CI}",
        "a$b",
        "$$",
        "%%CI%",
        "%CI%CI%",
        "50%",
        "${}",
    ] {
        let gitlab = Gitlab::start();
        gitlab.mr(branch).passed().labelled();
        run(&gitlab, "scan");
        let benchmark = &gitlab.benchmarks()[0];
        assert_eq!(benchmark.job_sees()["BENCH_BRANCH"], branch);
    }
}

#[test]
fn more_variables_go_along() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    bot(&gitlab, "scan --variable PROFILE=quick --variable")
        .arg("NOTE=costs $5 = a lot")
        .succeeds();
    let seen = gitlab.benchmarks()[0].job_sees();
    assert_eq!(
        (&*seen["PROFILE"], &*seen["NOTE"]),
        ("quick", "costs $5 = a lot")
    );
}

#[test]
fn on_the_ref_that_is_set_or_else_the_default_branch() {
    let gitlab = Gitlab::start();
    gitlab
        .world()
        .set_branch(8, "nightly", "0123456789012345678901234567890123456789");
    gitlab.mr("one").passed().labelled();
    gitlab.mr("two").passed().labelled();
    run(&gitlab, "scan --ref nightly");
    run(&gitlab, "scan --max-in-flight 2");
    let benchmarks = gitlab.benchmarks();
    assert_eq!(
        [&*benchmarks[0].reference, &*benchmarks[1].reference],
        ["nightly", "main"]
    );
}

#[test]
fn the_benchmark_project_may_have_a_token_of_its_own() {
    let gitlab = Gitlab::start();
    {
        let mut world = gitlab.world();
        let runner = in_memory_gitlab::User::new(21, "bench-runner", "Benchmark runner");
        world.users.insert(21, runner);
        let benchmarks = world.projects.get_mut(&8).expect("the benchmark project");
        benchmarks.members.remove(&20);
        benchmarks
            .members
            .insert(21, in_memory_gitlab::Role::Maintainer);
        let bot = world
            .tokens
            .iter()
            .find(|token| token.user_id == 20)
            .expect("the bot's")
            .clone();
        world.tokens.push(Token {
            id: 99,
            user_id: 21,
            secret: "glpat-runner".to_owned(),
            ..bot
        });
    }
    let mr = gitlab.mr("speed-up").passed().labelled();
    let with_both =
        |command| bot(&gitlab, command).env("BENCH_BOT_BENCHMARK_TOKEN", "glpat-runner");
    with_both("scan").succeeds();
    with_both("scan").succeeds();
    let [benchmark] = &gitlab.benchmarks()[..] else {
        panic!("{:?}", gitlab.benchmarks())
    };
    assert_eq!(benchmark.user.as_deref(), Some("bench-runner"));
    gitlab.benchmark_ends(benchmark.id, "success");
    with_both("reconcile").succeeds();
    assert!(!mr.is_labelled());
}

/// And no more than its place: that is no reason why others should wait.
#[test]
fn one_that_may_have_started_keeps_its_place() {
    for hit in [Fault::ResetAfterEffect, Fault::Reset] {
        for places in [1, 2] {
            let gitlab = Gitlab::start();
            for branch in ["first", "second", "third"] {
                gitlab.mr(branch).passed().labelled();
            }
            let (hit, asked) = (hit.clone(), AtomicBool::new(false));
            gitlab.fault(move |request| {
                let first = creates(request) && !asked.swap(true, Ordering::SeqCst);
                first.then(|| hit.clone())
            });
            bot(&gitlab, &format!("scan --max-in-flight {places}")).exits(1);
            let writes = gitlab.writes();
            let asked = writes.iter().filter(|write| creates(write));
            assert_eq!(asked.count(), places);
        }
    }
}

#[test]
fn the_first_of_the_queue_gets_the_lowest_pipeline_however_long_that_takes() {
    let gitlab = Gitlab::start();
    for branch in ["first", "second", "third"] {
        gitlab.mr(branch).passed().labelled();
    }
    let begun = AtomicBool::new(false);
    gitlab.fault(move |request| {
        if creates(request) && !begun.swap(true, Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(200));
        }
        None
    });
    run(&gitlab, "scan --max-in-flight 3");
    let benchmarks = gitlab.benchmarks();
    let iids = benchmarks
        .iter()
        .map(|found| found.variable("BENCH_MR_IID"));
    assert_eq!(Vec::from_iter(iids), [Some("1"), Some("2"), Some("3")]);
}

#[test]
fn a_mark_that_fails_once_is_tried_again() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    let failed = AtomicBool::new(false);
    gitlab.fault(move |request| {
        let first = request.path.ends_with("/award_emoji") && !failed.swap(true, Ordering::SeqCst);
        first.then(Fault::server_error)
    });
    run(&gitlab, "scan --announce none");
    assert_eq!(mr.reactions().len(), 1);
}

fn creates(request: &Request) -> bool {
    request.method == "POST" && request.path.ends_with("/pipeline")
}
