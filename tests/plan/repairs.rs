//! What reconcile does about a record.

use bench_bot::id::{Iid, NoteId, PipelineId, ProjectId};
use bench_bot::note::{OutcomeNote, Thread};
use bench_bot::plan::{self, Resolve};
use bench_bot::snapshot::MergeRequest;

use crate::scene::*;

/// !1 without its label, of which no event tells.
fn missing() -> MergeRequest {
    with(1, |mr| mr.requests.clear())
}

#[test]
fn what_reconcile_does_about_one_in_flight() {
    let running = || record(9, 1, "running");
    let linked = || thread(1, Some(9));
    let stuck = || aged("running", DAY + 1);
    let lately = || told(to_be_cancelled(60));
    let long_ago = || told(to_be_cancelled(61));
    let mut undated = to_be_cancelled(5);
    undated.posted_at = None;
    for (case, mr, record, thread, expected) in [
        ("linked", mr(1), running(), linked(), ""),
        ("not linked", mr(1), running(), thread(1, None), "9 link"),
        (
            "linked to another",
            mr(1),
            running(),
            thread(1, Some(8)),
            "9 link",
        ),
        ("discussion deleted", mr(1), running(), foreign_thread(), ""),
        ("blocked", mr(1), record(9, 1, "manual"), linked(), ""),
        ("merged", in_state("merged"), running(), linked(), ""),
        ("closed", in_state("closed"), running(), linked(), ""),
        ("label missing", missing(), running(), linked(), ""),
        (
            "label missing, not linked",
            missing(),
            running(),
            thread(1, None),
            "9 link",
        ),
        (
            "label off",
            unlabelled(),
            running(),
            linked(),
            "9 withdraw untold",
        ),
        (
            "label off, blocked",
            unlabelled(),
            record(9, 1, "manual"),
            linked(),
            "9 withdraw untold",
        ),
        (
            "label off, canceling",
            unlabelled(),
            record(9, 1, "canceling"),
            linked(),
            "9 withdraw untold",
        ),
        (
            "put on anew",
            relabelled(),
            running(),
            linked(),
            "9 withdraw untold",
        ),
        (
            "label off, discussion deleted",
            unlabelled(),
            running(),
            foreign_thread(),
            "9 cancel",
        ),
        (
            "label off, discussion deleted, canceling",
            unlabelled(),
            record(9, 1, "canceling"),
            foreign_thread(),
            "",
        ),
        (
            "label off, discussion deleted, overdue",
            unlabelled(),
            aged("running", DAY + 61),
            foreign_thread(),
            "",
        ),
        (
            "withdrawn, not cancelled",
            unlabelled(),
            running(),
            lately(),
            "9 cancel",
        ),
        (
            "withdrawn, blocked",
            unlabelled(),
            record(9, 1, "manual"),
            lately(),
            "9 cancel",
        ),
        (
            "withdrawn, canceling",
            unlabelled(),
            record(9, 1, "canceling"),
            lately(),
            "",
        ),
        (
            "withdrawn in vain for an hour",
            unlabelled(),
            running(),
            long_ago(),
            "",
        ),
        (
            "withdrawn, nobody knows when",
            unlabelled(),
            running(),
            told(undated),
            "",
        ),
        (
            "withdrawn, put on anew",
            relabelled(),
            running(),
            lately(),
            "9 cancel",
        ),
        ("stuck", mr(1), stuck(), linked(), "9 time out untold"),
        (
            "stuck, blocked",
            mr(1),
            aged("manual", DAY + 1),
            linked(),
            "9 time out untold",
        ),
        (
            "stuck and told",
            mr(1),
            stuck(),
            lately(),
            "9 time out told",
        ),
        (
            "stuck and told long ago",
            mr(1),
            stuck(),
            long_ago(),
            "9 time out told",
        ),
        (
            "stuck, discussion deleted",
            mr(1),
            stuck(),
            foreign_thread(),
            "9 time out anew",
        ),
        (
            "stuck, label missing",
            missing(),
            stuck(),
            linked(),
            "9 time out untold, label gone",
        ),
        (
            "stuck, label off",
            unlabelled(),
            stuck(),
            linked(),
            "9 withdraw untold",
        ),
        (
            "timed out, label off, not cancelled",
            unlabelled(),
            stuck(),
            lately(),
            "9 cancel",
        ),
        ("timed out in vain", unlabelled(), stuck(), long_ago(), ""),
        (
            "retried, label off",
            unlabelled(),
            running(),
            told(outcome("failed")),
            "",
        ),
        (
            "retried, put on anew",
            relabelled(),
            running(),
            told(outcome("failed")),
            "",
        ),
        (
            "retried, label missing",
            missing(),
            running(),
            told(outcome("failed")),
            "",
        ),
        (
            "retried, stuck",
            unlabelled(),
            stuck(),
            told(outcome("failed")),
            "",
        ),
    ] {
        assert_eq!(repair(mr, record, thread), expected, "{case}");
    }
}

#[test]
fn what_reconcile_does_about_one_that_ended() {
    let ends = |status| record(9, 1, status);
    let linked = || thread(1, Some(9));
    let told_so = || told(outcome("success"));
    let without_link = Thread {
        outcomes: vec![outcome("success")],
        ..thread(1, None)
    };
    let pushed = with(1, |mr| mr.head = Some(sha("e")));
    for (case, mr, record, thread, expected) in [
        (
            "success",
            mr(1),
            ends("success"),
            linked(),
            "9 finish success untold",
        ),
        (
            "failed",
            mr(1),
            ends("failed"),
            linked(),
            "9 finish failed untold",
        ),
        (
            "canceled",
            mr(1),
            ends("canceled"),
            linked(),
            "9 finish canceled untold",
        ),
        (
            "skipped",
            mr(1),
            ends("skipped"),
            linked(),
            "9 finish skipped untold",
        ),
        (
            "told, label still on",
            mr(1),
            ends("success"),
            told_so(),
            "9 finish success told",
        ),
        (
            "discussion deleted",
            mr(1),
            ends("success"),
            foreign_thread(),
            "9 finish success anew",
        ),
        (
            "merged meanwhile",
            in_state("merged"),
            ends("success"),
            linked(),
            "9 finish success untold",
        ),
        (
            "closed meanwhile",
            in_state("closed"),
            ends("success"),
            linked(),
            "9 finish success untold",
        ),
        (
            "pushed to meanwhile",
            pushed,
            ends("success"),
            linked(),
            "9 finish success untold",
        ),
        (
            "stuck before",
            mr(1),
            aged("success", DAY + 1),
            linked(),
            "9 finish success untold",
        ),
        (
            "label off",
            unlabelled(),
            ends("success"),
            linked(),
            "9 finish success untold, label gone",
        ),
        (
            "label missing",
            missing(),
            ends("success"),
            linked(),
            "9 finish success untold, label gone",
        ),
        (
            "label off, told",
            unlabelled(),
            ends("success"),
            told_so(),
            "",
        ),
        (
            "label off, discussion deleted",
            unlabelled(),
            ends("success"),
            foreign_thread(),
            "",
        ),
        (
            "put on anew",
            relabelled(),
            ends("success"),
            linked(),
            "9 finish success untold, label gone",
        ),
        (
            "told without the link, put on anew",
            relabelled(),
            ends("success"),
            without_link,
            "9 link",
        ),
    ] {
        assert_eq!(repair(mr, record, thread), expected, "{case}");
    }
}

#[test]
fn a_reply_says_what_became_of_the_pipeline_since() {
    let amended = |record: &str, note: OutcomeNote| {
        repair(unlabelled(), self::record(9, 1, record), told(note))
    };
    let blocked = OutcomeNote {
        end: Some("blocked".to_owned()),
        ..to_be_cancelled(5)
    };
    let without_results = OutcomeNote {
        end: Some("failed".to_owned()),
        ..outcome("success")
    };
    let of_old = OutcomeNote {
        pipeline: None,
        ..to_be_cancelled(5)
    };
    let of_twin = OutcomeNote {
        pipeline: Some(PipelineId(8)),
        ..outcome("failed")
    };
    for (case, status, note, expected) in [
        (
            "was to be cancelled, and was",
            "canceled",
            to_be_cancelled(5),
            "9 amend 400 to canceled",
        ),
        (
            "long ago",
            "canceled",
            to_be_cancelled(9 * DAY),
            "9 amend 400 to canceled",
        ),
        (
            "was to be cancelled, but had ended",
            "success",
            to_be_cancelled(5),
            "9 amend 400 to success",
        ),
        (
            "blocked, then cancelled",
            "canceled",
            blocked,
            "9 amend 400 to canceled",
        ),
        ("it says so", "canceled", outcome("canceled"), ""),
        (
            "retried with another outcome",
            "success",
            outcome("failed"),
            "9 amend 400 to success",
        ),
        ("retried with the same", "failed", outcome("failed"), ""),
        ("passed without results", "success", without_results, ""),
        ("a note that names no pipeline", "canceled", of_old, ""),
        ("a note about another pipeline", "success", of_twin, ""),
    ] {
        assert_eq!(amended(status, note), expected, "{case}");
    }
    let labelled = repair(mr(1), record(9, 1, "success"), told(outcome("failed")));
    assert_eq!(
        labelled, "9 finish success told",
        "first the label comes off"
    );
}

#[test]
fn nothing_is_done_about_what_could_not_be_read_or_is_not_ours() {
    let snapshot_of = |record| snapshot([mr(1)], [record]);
    let mut unread = snapshot_of(record(9, 1, "success"));
    unread.merge_requests.clear();
    unread.unread.insert(Iid(1));
    unread.threads.insert(Iid(1), vec![thread(1, Some(9))]);
    assert_eq!(repairs(&unread), [""; 0]);
    for status in ["success", "running"] {
        let mut no_threads = snapshot_of(record(9, 1, status));
        no_threads.merge_requests.insert(Iid(1), unlabelled());
        assert_eq!(
            repairs(&no_threads),
            [""; 0],
            "{status}, discussions not read"
        );
    }
    let mut foreign = snapshot_of(record_with("success", |r| r.task.project = ProjectId(70)));
    foreign.threads.insert(Iid(1), vec![thread(1, None)]);
    assert_eq!(repairs(&foreign), [""; 0]);
}

#[test]
fn what_benchmarks_a_merge_request_that_is_gone_is_cancelled() {
    for (case, record, expected) in [
        ("running", record(9, 1, "running"), "9 cancel"),
        ("blocked", record(9, 1, "manual"), "9 cancel"),
        ("canceling", record(9, 1, "canceling"), ""),
        ("ended", record(9, 1, "success"), ""),
        ("at the last moment", aged("running", DAY + 60), "9 cancel"),
        ("cancelled in vain", aged("running", DAY + 61), ""),
    ] {
        let mut gone = snapshot([], [record]);
        gone.gone.insert(Iid(1));
        assert_eq!(repairs(&gone).join("; "), expected, "{case}");
    }
}

#[test]
fn which_discussion_is_still_to_be_resolved() {
    let with_end = |end: Option<&str>, cancels, resolved| Thread {
        resolved,
        ..told(OutcomeNote {
            end: end.map(str::to_owned),
            cancels,
            ..outcome("success")
        })
    };
    let (never, on_success, always) = ([false; 3], [false, true, true], [false, false, true]);
    for (case, status, thread, expected) in [
        ("untold", "success", thread(1, Some(9)), never),
        (
            "success",
            "success",
            with_end(Some("success"), false, false),
            on_success,
        ),
        (
            "resolved",
            "success",
            with_end(Some("success"), false, true),
            never,
        ),
        (
            "failed",
            "failed",
            with_end(Some("failed"), false, false),
            always,
        ),
        (
            "passed without results",
            "success",
            with_end(Some("failed"), false, false),
            always,
        ),
        (
            "withdrawn",
            "running",
            with_end(Some("withdrawn"), true, false),
            always,
        ),
        (
            "withdrawn, and ended before that",
            "success",
            with_end(Some("withdrawn"), true, false),
            always,
        ),
        (
            "an old note's success",
            "success",
            with_end(None, false, false),
            on_success,
        ),
        (
            "an old note's failure",
            "failed",
            with_end(None, false, false),
            always,
        ),
        (
            "an old note's withdrawal",
            "success",
            with_end(None, true, false),
            always,
        ),
    ] {
        let record = record(9, 1, status);
        let threads = [thread];
        let due = [Resolve::Never, Resolve::Success, Resolve::Always]
            .map(|resolve| plan::unresolved(&threads, &record, resolve).is_some());
        assert_eq!(due, expected, "{case}");
    }
}

#[test]
fn whether_something_else_is_unfinished() {
    let of_another = |outcomes: Vec<OutcomeNote>| {
        let mut thread = thread(2, None);
        opening(&mut thread).request.0 = 55;
        Thread { outcomes, ..thread }
    };
    let about = OutcomeNote {
        request: bench_bot::id::RequestId(55),
        note: NoteId(401),
        ..outcome("failed")
    };
    let ours = || told(outcome("success"));
    let elsewhere =
        |threads: &[Thread]| plan::finished_elsewhere(threads, &record(9, 1, "success"));
    assert!(elsewhere(&[ours()]));
    assert!(elsewhere(&[thread(1, Some(9))]), "its own is about to be");
    assert!(!elsewhere(&[ours(), of_another(vec![])]));
    assert!(elsewhere(&[ours(), of_another(vec![about])]));
}
