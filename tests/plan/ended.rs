//! What reconcile does about a record that ended.

use bench_bot::gitlab::answer::LabelEvent;
use bench_bot::id::{NoteId, PipelineId, RequestId};
use bench_bot::note::{OutcomeNote, Thread};
use bench_bot::plan::{self, Resolve};

use crate::scene::*;

#[test]
fn what_reconcile_does_about_one_that_ended() {
    let ends = |status| record(9, 1, status);
    let linked = || thread(1, Some(9));
    let told_so = || told(outcome("success"));
    let without_link = Thread {
        outcomes: vec![outcome("success")],
        ..thread(1, None)
    };
    let since = [
        event(200, "add", Some(LABEL)),
        event(210, "remove", Some(LABEL)),
    ];
    let another_put_aside = {
        let mut mr = label_removed_by_bot(&[]);
        mr.events.insert(1, event(140, "remove", Some(LABEL)));
        mr.events.insert(2, event(145, "add", Some(LABEL)));
        mr
    };
    let added_by_bot = {
        let mut mr = label_removed_by_bot(&[]);
        mr.events[1].action = "add".to_owned();
        mr
    };
    let back = LabelEvent {
        user: Some(user(20, "bench-bot")),
        ..event(160, "add", Some(LABEL))
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
            "told that it is to be cancelled, label still on",
            mr(1),
            ends("skipped"),
            told(to_be_cancelled(10)),
            "9 finish skipped told otherwise",
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
            off(mr(1)),
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
            "label off by the bot, and not linked",
            label_removed_by_bot(&[]),
            ends("success"),
            thread(1, None),
            "",
        ),
        (
            "put aside, but GitLab took no word of it",
            label_removed_by_bot(&[]),
            ends("success"),
            linked(),
            "",
        ),
        (
            "put aside by an earlier run, put on and taken off since",
            label_removed_by_bot(&since),
            ends("success"),
            linked(),
            "",
        ),
        (
            "taken off and put back by the bot",
            label_removed_by_bot(&[back]),
            ends("success"),
            linked(),
            "9 finish success untold, label gone",
        ),
        (
            "put on anew by the bot",
            added_by_bot,
            ends("success"),
            linked(),
            "9 finish success untold, label gone",
        ),
        (
            "taken off, another request put aside",
            another_put_aside,
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
    assert_eq!(labelled, "9 finish success told otherwise");
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
        request: RequestId(55),
        note: NoteId(401),
        ..outcome("failed")
    };
    let ours = || told(outcome("success"));
    let elsewhere =
        |threads: &[Thread]| plan::is_last_unfinished(threads, &record(9, 1, "success"));
    assert!(elsewhere(&[ours()]));
    assert!(elsewhere(&[thread(1, Some(9))]), "its own is about to be");
    assert!(!elsewhere(&[ours(), of_another(vec![])]));
    assert!(elsewhere(&[ours(), of_another(vec![about])]));
}
