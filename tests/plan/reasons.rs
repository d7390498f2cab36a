//! What a request waits for.

use bench_bot::id::{Iid, ProjectId, RequestId};
use bench_bot::plan::{self, WaitReason};

use crate::scene::*;

#[test]
fn what_a_merge_request_without_record_waits_for() {
    let status = |status: &'static str| pipeline(move |pipeline| pipeline.status = word(status));
    let no_pipeline = Err(WaitReason::NoPipeline);
    let outdated = Err(WaitReason::PipelineOutdated);
    let unfinished = Err(WaitReason::PipelineUnfinished);
    let unsuccessful = Err(WaitReason::PipelineUnsuccessful);
    let merge = |parents: [&str; 2]| {
        let parents = parents.map(sha).to_vec();
        pipeline(|pipeline| (pipeline.sha, pipeline.parents) = (sha("d"), parents))
    };
    for (case, mr, expected) in [
        ("passed", mr(1), READY),
        ("no pipeline", with(1, |mr| mr.pipeline = None), no_pipeline),
        ("no commit yet", with(1, |mr| mr.head = None), no_pipeline),
        (
            "of an older commit",
            pipeline(|p| p.sha = sha("c")),
            outdated,
        ),
        ("of a merge of the head", merge(["b", "a"]), READY),
        ("of a merge of an older commit", merge(["b", "c"]), outdated),
        ("running", status("running"), unfinished),
        ("manual", status("manual"), unfinished),
        ("a word of the future", status("dreaming"), unfinished),
        ("failed", status("failed"), unsuccessful),
        ("canceled", status("canceled"), unsuccessful),
        ("skipped", status("skipped"), unsuccessful),
        (
            "without label event",
            with(1, |mr| mr.requests[0].id = RequestId::NONE),
            READY,
        ),
    ] {
        assert_eq!(reason(&snapshot([mr], [])), expected, "{case}");
    }
}

#[test]
fn what_a_merge_request_with_a_record_waits_for() {
    let (in_flight, finished) = (Err(WaitReason::InFlight), Err(WaitReason::Finished));
    let running = |change: fn(&mut bench_bot::record::Record)| vec![record_with("running", change)];
    for (case, records, expected) in [
        ("in flight", vec![record(9, 1, "running")], in_flight),
        ("blocked", vec![record(9, 1, "manual")], in_flight),
        (
            "a word of the future",
            vec![record(9, 1, "dreaming")],
            in_flight,
        ),
        ("just in time", vec![aged("running", DAY)], in_flight),
        (
            "too long",
            vec![aged("running", DAY + 1)],
            Err(WaitReason::Stuck),
        ),
        (
            "blocked too long",
            vec![aged("manual", DAY + 1)],
            Err(WaitReason::Stuck),
        ),
        (
            "too long, whatever changed lately",
            running(|r| r.created_at = at(-DAY - 1)),
            Err(WaitReason::Stuck),
        ),
        ("ended", vec![record(9, 1, "failed")], finished),
        ("ended long ago", vec![aged("failed", 90 * DAY)], finished),
        (
            "the lowest stands",
            vec![record(8, 1, "success"), record(9, 1, "running")],
            finished,
        ),
        (
            "of an earlier request",
            running(|r| r.task.request = RequestId(50)),
            READY,
        ),
        ("of another MR", running(|r| r.task.mr = Iid(2)), READY),
        (
            "of another project",
            running(|r| r.task.project = ProjectId(70)),
            READY,
        ),
    ] {
        assert_eq!(reason(&snapshot([mr(1)], records)), expected, "{case}");
    }
}

#[test]
fn half_knowledge_is_not_absence() {
    let unknown = Err(WaitReason::Unknown);
    let ended = |minutes| unreadable(9, minutes, "success");
    let undated = |iid: u64| with(iid, |mr| mr.requests[0].at = None);
    let mut of_unknown_age = ended(-90);
    of_unknown_age.created_at = None;
    for (case, mr, found, expected) in [
        ("younger than the request", mr(1), ended(-59), unknown),
        ("of the same second", mr(1), ended(-60), unknown),
        ("older", mr(1), ended(-61), READY),
        ("of unknown age", mr(1), of_unknown_age, unknown),
        ("older than who knows", undated(1), ended(-61), unknown),
    ] {
        let mut snapshot = snapshot([mr], []);
        snapshot.unreadable = vec![found];
        assert_eq!(reason(&snapshot), expected, "{case}");
    }
    let mut unread = snapshot([], []);
    unread.unread.insert(Iid(1));
    assert_eq!(reason(&unread), unknown);
}

#[test]
fn what_may_be_served_waits() {
    let uncertain = |iid, request| {
        let mut snapshot = snapshot([mr(1)], []);
        snapshot.uncertain.insert((Iid(iid), RequestId(request)));
        reason(&snapshot)
    };
    assert_eq!(uncertain(1, 101), Err(WaitReason::Unknown));
    assert_eq!(uncertain(1, 102), READY, "another request");
    assert_eq!(uncertain(2, 101), READY, "another merge request");
}

/// To a developer with a token of their own, the bot's notes alone tell which pipeline serves which request.
#[test]
fn a_hidden_pipeline_may_serve_whatever_has_a_discussion_without_link() {
    let noted = || with(1, |mr| mr.has_notes = true);
    let unknown = Err(WaitReason::Unknown);
    let mut of_another = thread(1, None);
    opening(&mut of_another).request = RequestId(55);
    for (case, mr, threads, minutes, expected) in [
        ("nobody wrote anything", mr(1), None, -30, READY),
        ("the discussions were not read", noted(), None, -30, unknown),
        ("no discussion", noted(), Some(vec![]), -30, READY),
        (
            "no discussion of the bot's",
            noted(),
            Some(vec![foreign_thread()]),
            -30,
            READY,
        ),
        (
            "one without link",
            noted(),
            Some(vec![thread(1, None)]),
            -30,
            unknown,
        ),
        (
            "older than the request",
            noted(),
            Some(vec![thread(1, None)]),
            -61,
            READY,
        ),
        (
            "one that links to another",
            noted(),
            Some(vec![thread(1, Some(8))]),
            -30,
            READY,
        ),
        (
            "one of another request",
            noted(),
            Some(vec![of_another]),
            -30,
            READY,
        ),
    ] {
        let mut snapshot = snapshot([mr], []);
        snapshot.unreadable = vec![unreadable(9, minutes, "running")];
        snapshot.unreadable[0].is_hidden = true;
        snapshot
            .threads
            .extend(threads.map(|threads| (Iid(1), threads)));
        assert_eq!(reason(&snapshot), expected, "{case}");
        assert_eq!(
            plan::scan(&snapshot, &RULES).free,
            0,
            "{case}: it takes a place"
        );
    }
}

#[test]
fn a_label_that_nobody_is_seen_to_have_put_on_waits() {
    let late = with(1, |mr| {
        mr.requests.clear();
        mr.unexplained = vec![LABEL.to_owned()];
    });
    assert_eq!(reason(&snapshot([late], [])), Err(WaitReason::Unexplained));
}

#[test]
fn what_is_not_open_has_no_turn() {
    for state in ["merged", "closed", "locked"] {
        let snapshot = snapshot([in_state(state)], []);
        let plan = plan::scan(&snapshot, &RULES);
        assert!(plan.queue.is_empty() && plan.waiting.is_empty(), "{state}");
    }
}

#[test]
fn the_words_for_it() {
    use bench_bot::plan::Unvouched;
    for (reason, word) in [
        (WaitReason::NoPipeline, "no-pipeline"),
        (WaitReason::PipelineOutdated, "pipeline-outdated"),
        (WaitReason::PipelineUnfinished, "pipeline-unfinished"),
        (WaitReason::PipelineUnsuccessful, "pipeline-unsuccessful"),
        (WaitReason::ChangedSinceRequest, "changed-since-request"),
        (WaitReason::Unvouched(Unvouched::ByBot), "unvouched"),
        (WaitReason::InFlight, "in-flight"),
        (WaitReason::Stuck, "stuck"),
        (WaitReason::Finished, "finished"),
        (WaitReason::Unexplained, "unknown"),
        (WaitReason::Unknown, "unknown"),
    ] {
        assert_eq!(reason.word(), word);
    }
}
