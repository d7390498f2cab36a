//! What reconcile does about a record in flight.

use bench_bot::gitlab::answer::Version;
use bench_bot::id::{Iid, ProjectId};
use bench_bot::note::OutcomeNote;
use bench_bot::plan::{self, OnPush, Rules};
use bench_bot::snapshot::MergeRequest;

use crate::scene::*;

#[test]
fn what_reconcile_does_about_one_in_flight() {
    let running = || record(9, 1, "running");
    let linked = || thread(1, Some(9));
    let stuck = || aged("running", DAY + 1);
    let lately = || told(to_be_cancelled(60));
    let long_ago = || told(to_be_cancelled(61));
    let mut undated = to_be_cancelled(5);
    undated.posted_at = None;
    let was_cancelled = OutcomeNote {
        cancels: true,
        ..outcome("canceled")
    };
    let of_old = OutcomeNote {
        cancels: false,
        ..to_be_cancelled(5)
    };
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
        ("label missing", off(mr(1)), running(), linked(), ""),
        (
            "label missing, not linked",
            off(mr(1)),
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
            "label off, discussion deleted, long overdue",
            unlabelled(),
            aged("running", 31 * DAY + 1),
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
            off(mr(1)),
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
            off(mr(1)),
            running(),
            told(outcome("failed")),
            "",
        ),
        (
            "cancelled, then retried at once",
            unlabelled(),
            running(),
            told(was_cancelled),
            "",
        ),
        (
            "an outcome of old, then retried",
            unlabelled(),
            running(),
            told(of_old),
            "",
        ),
        (
            "label off by the bot's user",
            label_removed_by_bot(&[]),
            running(),
            linked(),
            "9 withdraw untold",
        ),
        (
            "timed out, but GitLab took no word of it",
            label_removed_by_bot(&[]),
            stuck(),
            linked(),
            "9 cancel",
        ),
        (
            "so it did, canceling",
            label_removed_by_bot(&[]),
            aged("canceling", DAY + 1),
            linked(),
            "",
        ),
        (
            "so it did, in vain",
            label_removed_by_bot(&[]),
            aged("running", 31 * DAY + 1),
            linked(),
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
        ("at the last moment", aged("running", 31 * DAY), "9 cancel"),
        ("cancelled in vain", aged("running", 31 * DAY + 1), ""),
    ] {
        let mut gone = snapshot([], [record]);
        gone.gone.insert(Iid(1));
        assert_eq!(repairs(&gone).join("; "), expected, "{case}");
    }
}

#[test]
fn what_a_push_does_to_the_benchmark_of_the_commit_before() {
    let pushed = || with(1, |mr| mr.head = Some(sha("e")));
    let running = || record(9, 1, "running");
    let linked = || thread(1, Some(9));
    for (case, mr, record, thread, kept, cancelled) in [
        ("not pushed", mr(1), running(), linked(), "", ""),
        (
            "pushed",
            pushed(),
            running(),
            linked(),
            "",
            "9 supersede untold",
        ),
        (
            "not linked",
            pushed(),
            running(),
            thread(1, None),
            "9 link",
            "9 supersede untold",
        ),
        (
            "told already",
            pushed(),
            running(),
            told(to_be_cancelled(5)),
            "",
            "9 supersede told",
        ),
        (
            "no commit",
            with(1, |mr| mr.head = None),
            running(),
            linked(),
            "",
            "",
        ),
        (
            "stuck",
            pushed(),
            aged("running", DAY + 1),
            linked(),
            "9 time out untold",
            "9 time out untold",
        ),
        (
            "ended",
            pushed(),
            record(9, 1, "success"),
            linked(),
            "9 finish success untold",
            "9 finish success untold",
        ),
        (
            "label off",
            MergeRequest {
                head: Some(sha("e")),
                ..unlabelled()
            },
            running(),
            linked(),
            "9 withdraw untold",
            "9 withdraw untold",
        ),
    ] {
        let mut snapshot = snapshot([mr], [record]);
        snapshot.threads.insert(Iid(1), vec![thread]);
        for (on_push, expected) in [(OnPush::Keep, kept), (OnPush::Cancel, cancelled)] {
            let rules = Rules { on_push, ..RULES };
            let told = repairs_by(&snapshot, &rules).join(", ");
            assert_eq!(told, expected, "{case}, {on_push:?}");
        }
    }
}

#[test]
fn a_head_is_newer_only_if_the_versions_say_so() {
    let version = |(id, commit): (u64, &str)| Version {
        id,
        head_commit_sha: Some(sha(commit)),
        created_at: at(0),
    };
    let record = record(9, 1, "running");
    for (case, head, versions, expected) in [
        ("pushed", Some("e"), &[(2, "e"), (1, "a")][..], true),
        (
            "pushed twice",
            Some("e"),
            &[(3, "e"), (2, "d"), (1, "a")],
            true,
        ),
        ("the same", Some("a"), &[(1, "a")], false),
        ("no commit", None, &[(2, "e"), (1, "a")], false),
        ("an older one", Some("e"), &[(2, "a"), (1, "e")], false),
        (
            "an older one again",
            Some("e"),
            &[(3, "e"), (2, "a"), (1, "e")],
            true,
        ),
        ("no version of it yet", Some("e"), &[(1, "a")], false),
        ("no version of ours yet", Some("e"), &[(1, "e")], false),
    ] {
        let versions: Vec<Version> = versions.iter().copied().map(version).collect();
        let head = head.map(sha);
        let told = plan::is_still_superseded(&record, head.as_ref(), &versions);
        assert_eq!(told, expected, "{case}");
    }
}
