//! The verbs of tests, and what a person sees.

use crate::client::client;
use in_memory_gitlab::*;
use std::time::Duration;

#[test]
fn the_page_of_a_merge_request() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("fast-path").draft().labelled().push();
    let discussion = mr.comment("bench-bot", "Benchmark started.\n<!-- bench-bot: 1 -->");
    gitlab.later(Duration::from_secs(3600));
    mr.reply(
        "bench-bot",
        &discussion,
        "<!-- x -->\nsuccess:\n\nsee there",
    );
    mr.comment("linus", "Nice");
    let head = &mr.sha()[..8];
    assert_eq!(
        mr.page(),
        format!(
            "!1 Draft: fast path (open)\n\
             fast-path → main\n\
             labels: benchmarking\n\
             head: {head}\n\
             \n\
             · Ada Lovelace added 1 commit (Jan 5, 09:00)\n\
             \n\
             Benchmarking bot (Jan 5, 09:00)\n\
             \x20 Benchmark started.\n\
             \x20 Benchmarking bot (Jan 5, 10:00)\n\
             \x20   success:\n\
             \n\
             \x20   see there\n\
             \n\
             Linus Torvalds (Jan 5, 10:00)\n\
             \x20 Nice\n"
        )
    );
    mr.delete_discussion(&discussion);
    assert_eq!(mr.notes().len(), 1);
}

#[test]
fn the_same_ids_in_every_run() {
    let run = || {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("faster").passed().labelled();
        let discussion = mr.comment("ada", "Hello");
        (
            mr.sha(),
            mr.head_pipeline_id(),
            mr.label_event_id(),
            discussion,
        )
    };
    assert_eq!(run(), run());
    let (sha, pipeline, event, discussion) = run();
    assert_eq!(
        (sha.len(), pipeline, event, discussion.len()),
        (40, Some(1001), 101, 40)
    );
}

#[test]
fn a_pipeline_goes_on_until_it_ends() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").running().passed();
    assert_eq!(mr.head_pipeline_id(), Some(1001));
    mr.failed().pipeline_started(30);
    let pipeline = gitlab.pipeline(1002);
    assert_eq!(pipeline.status, "failed");
    assert_eq!(
        pipeline.started_at,
        Some(gitlab.now() - Duration::from_secs(30 * 60 + 1))
    );
    assert_eq!(mr.push().pipeline("manual").head_pipeline_id(), Some(1003));
}

#[test]
fn the_life_of_a_merge_request() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled().close().reopen().merge();
    assert!(mr.page().contains("(merged)"));
    assert!(!mr.relabel().unlabelled().is_labelled());
    assert!(!mr.delete().exists());
    let missing = client(&gitlab).get("/projects/7/merge_requests/1/discussions");
    assert_eq!(missing.status, 404);
}

#[test]
#[should_panic(expected = "mallory may not set labels")]
fn people_do_not_do_what_they_may_not() {
    Gitlab::start()
        .mr("faster")
        .label_by("mallory", "benchmarking");
}

#[test]
fn the_real_clock() {
    let gitlab = Gitlab::builder().clock(Clock::real()).start();
    let before = gitlab.now();
    gitlab.later(Duration::from_secs(60));
    assert!(gitlab.now() >= before + Duration::from_secs(60));
}
