//! What is confirmed by a second look before anything is started or cancelled, and what leaves things unknown.

use bench_bot::gitlab::answer::Pipeline;
use bench_bot::id::{Iid, PipelineId, RequestId};
use bench_bot::note::Triggered;
use bench_bot::plan::{self, WaitReason};
use bench_bot::snapshot::{About, MergeRequest, Request};
use chrono::TimeDelta;
use serde_json::json;

use crate::scene::*;

#[test]
fn what_has_changed_is_not_started_even_by_force() {
    let failed = || pipeline(|pipeline| pipeline.status = word("failed"));
    let pushed = || {
        with(1, |mr| {
            mr.head = Some(sha("c"));
            mr.pipeline.as_mut().expect("it has one").sha = sha("c");
        })
    };
    let other = |id: u64, label: &str| with(1, |mr| mr.requests = vec![request(id, label)]);
    for (case, now, starts, forced) in [
        ("nothing", mr(1), true, true),
        ("merged", in_state("merged"), false, false),
        ("closed", in_state("closed"), false, false),
        ("locked", in_state("locked"), false, false),
        ("label off", off(mr(1)), false, false),
        ("label on anew", other(200, LABEL), false, false),
        ("another label", other(101, FULL), false, false),
        ("pushed", pushed(), false, false),
        ("head not known", with(1, |mr| mr.head = None), false, false),
        ("its pipeline fails", failed(), false, true),
    ] {
        let asked =
            |force| plan::is_still_asked(&mr(1), &now, &mr(1).requests[0], "bench-bot", force);
        assert_eq!((asked(false), asked(true)), (starts, forced), "{case}");
    }
}

#[test]
fn what_somebody_meant_who_triggered_it_is_ready() {
    let triggered = |mr: MergeRequest, commit: &str, meant| {
        let asked = Request {
            by: Some(user(20, "bench-bot")),
            triggered: Some((sha(commit), meant)),
            ..request(101, LABEL)
        };
        let requests = vec![asked];
        MergeRequest { requests, ..mr }
    };
    let failed = || pipeline(|pipeline| pipeline.status = word("failed"));
    let without = || with(1, |mr| mr.pipeline = None);
    for (case, mr, expected) in [
        (
            "its commit",
            triggered(mr(1), "a", Triggered::Commit),
            READY,
        ),
        (
            "its commit, from a fork",
            triggered(crate::forks::unvouched(), "a", Triggered::Commit),
            READY,
        ),
        (
            "another commit of a fork",
            triggered(crate::forks::unvouched(), "c", Triggered::Commit),
            Err(WaitReason::Unvouched(plan::Unvouched::ByBot)),
        ),
        (
            "failed",
            triggered(failed(), "a", Triggered::Commit),
            Err(WaitReason::PipelineUnsuccessful),
        ),
        (
            "failed, forced",
            triggered(failed(), "a", Triggered::Forced),
            READY,
        ),
        (
            "failed, another commit forced",
            triggered(failed(), "c", Triggered::Forced),
            Err(WaitReason::PipelineUnsuccessful),
        ),
        (
            "without pipeline, forced",
            triggered(without(), "a", Triggered::Forced),
            Err(WaitReason::NoPipeline),
        ),
    ] {
        assert_eq!(reason(&snapshot([mr], [])), expected, "{case}");
    }
}

#[test]
fn what_is_still_stuck_at_a_second_look() {
    let day = TimeDelta::hours(24);
    let found = |status: &str, minutes: Option<i64>| -> Pipeline {
        let created_at = minutes.map(at);
        serde_json::from_value(json!({ "id": 9, "status": status, "created_at": created_at }))
            .expect("a pipeline")
    };
    for (case, pipeline, expected) in [
        ("running", found("running", Some(-DAY - 1)), true),
        ("blocked", found("manual", Some(-DAY - 1)), true),
        ("ended meanwhile", found("success", Some(-DAY - 1)), false),
        (
            "not as old as it seemed",
            found("running", Some(-DAY)),
            false,
        ),
        ("of no known age", found("running", None), true),
    ] {
        let stuck = plan::is_still_stuck(&pipeline, at(0), day);
        assert_eq!(stuck, expected, "{case}");
    }
}

/// Request 101 is an hour old.
#[test]
fn nothing_is_told_while_a_lower_pipeline_may_stand_for_the_request() {
    let told = |mr: MergeRequest, status: &str, found: (u64, i64)| {
        let mut snapshot = snapshot([mr], [record(9, 1, status)]);
        snapshot.threads.insert(Iid(1), vec![thread(1, Some(9))]);
        snapshot.unreadable = vec![unreadable(found.0, found.1, "success")];
        repairs(&snapshot).join("; ")
    };
    for (case, mr, status, found, expected) in [
        ("ended", mr(1), "success", (8, -40), ""),
        ("ended, label off", unlabelled(), "success", (8, -40), ""),
        ("withdrawn", unlabelled(), "running", (8, -40), ""),
        (
            "of a higher id",
            mr(1),
            "success",
            (10, -20),
            "9 finish success untold",
        ),
        (
            "older than the request",
            mr(1),
            "success",
            (8, -61),
            "9 finish success untold",
        ),
        (
            "older than the request, label off",
            unlabelled(),
            "success",
            (8, -61),
            "9 finish success untold, label gone",
        ),
    ] {
        assert_eq!(told(mr, status, found), expected, "{case}");
    }
    let mut snapshot = snapshot([mr(1)], [record(9, 1, "success")]);
    snapshot.threads.insert(Iid(1), vec![thread(1, Some(9))]);
    snapshot.uncertain.insert((Iid(1), RequestId(101)));
    assert_eq!(repairs(&snapshot), [""; 0]);
}

/// And yet what goes on beside another is cancelled.
#[test]
fn a_second_is_cancelled_whatever_cannot_be_read() {
    let mut snapshot = snapshot([], [record(8, 1, "running"), record(9, 1, "running")]);
    snapshot.unread.insert(Iid(1));
    snapshot.unreadable = vec![unreadable(7, -40, "running")];
    assert_eq!(repairs(&snapshot), ["9 cancel"]);
}

#[test]
fn which_troubles_are_about_a_merge_request() {
    let mut snapshot = snapshot([mr(1), mr(2)], []);
    snapshot.unreadable = vec![unreadable(8, -61, "running"), unreadable(9, -59, "running")];
    for (about, expected) in [
        (About::MergeRequest(Iid(1)), true),
        (About::MergeRequest(Iid(2)), false),
        (About::Pipeline(PipelineId(8)), false),
        (About::Pipeline(PipelineId(9)), true),
        (About::Pipeline(PipelineId(10)), false),
        (About::Label, false),
        (About::Milestones, false),
    ] {
        assert_eq!(
            plan::concerns(&snapshot, about, Iid(1)),
            expected,
            "{about:?}"
        );
    }
    snapshot.merge_requests.insert(Iid(1), off(mr(1)));
    let about = About::Pipeline(PipelineId(9));
    assert!(!plan::concerns(&snapshot, about, Iid(1)));
}
