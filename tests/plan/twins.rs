//! Two runs at once, or a write whose answer was lost, make two of what should be one.

use bench_bot::id::{DiscussionId, Iid, NoteId, PipelineId, RequestId};
use bench_bot::note::{OpeningNote, OutcomeNote, Thread};
use bench_bot::plan;
use bench_bot::snapshot::MergeRequest;

use crate::scene::*;

#[test]
fn of_two_records_the_lowest_pipeline_stands_and_one_reply_is_made() {
    let of_8 = |status: &str| OutcomeNote {
        pipeline: Some(PipelineId(8)),
        ..outcome(status)
    };
    let long_ago = || OutcomeNote {
        posted_at: Some(at(-61)),
        ..of_8("success")
    };
    let whats = |mr: MergeRequest, statuses: [&str; 2], note: Option<OutcomeNote>| {
        let records = [record(8, 1, statuses[0]), record(9, 1, statuses[1])];
        let mut snapshot = snapshot([mr], records);
        let outcomes = note.into_iter().collect();
        let thread = Thread {
            outcomes,
            ..thread(1, Some(8))
        };
        snapshot.threads.insert(Iid(1), vec![thread]);
        repairs(&snapshot).join("; ")
    };
    for (case, mr, statuses, note, expected) in [
        ("both run", mr(1), ["running", "running"], None, "9 cancel"),
        (
            "the second is canceling",
            mr(1),
            ["running", "canceling"],
            None,
            "",
        ),
        (
            "the first ended",
            mr(1),
            ["success", "running"],
            None,
            "8 finish success untold; 9 cancel",
        ),
        ("the second ended", mr(1), ["running", "failed"], None, ""),
        (
            "both ended",
            mr(1),
            ["failed", "success"],
            None,
            "8 finish failed untold",
        ),
        (
            "withdrawn",
            unlabelled(),
            ["running", "running"],
            None,
            "8 withdraw untold; 9 cancel",
        ),
        (
            "label missing",
            off(mr(1)),
            ["running", "running"],
            None,
            "9 cancel",
        ),
        (
            "told, label still on",
            mr(1),
            ["success", "running"],
            Some(of_8("success")),
            "8 finish success told; 9 cancel",
        ),
        (
            "told, label off",
            unlabelled(),
            ["success", "running"],
            Some(of_8("success")),
            "9 cancel",
        ),
        (
            "told, the second is canceling",
            unlabelled(),
            ["success", "canceling"],
            Some(of_8("success")),
            "",
        ),
        (
            "told long ago, label still on",
            mr(1),
            ["success", "running"],
            Some(long_ago()),
            "8 finish success told; 9 cancel",
        ),
        (
            "told long ago, and retried",
            unlabelled(),
            ["success", "running"],
            Some(long_ago()),
            "9 cancel",
        ),
        (
            "the second was told, and the first goes on",
            unlabelled(),
            ["running", "success"],
            Some(outcome("success")),
            "8 cancel",
        ),
        (
            "the second was told, the first goes on, label still on",
            mr(1),
            ["running", "success"],
            Some(outcome("success")),
            "8 cancel",
        ),
        (
            "told of one that no list shows any more",
            unlabelled(),
            ["success", "running"],
            Some(OutcomeNote {
                pipeline: Some(PipelineId(7)),
                ..outcome("success")
            }),
            "9 cancel",
        ),
        (
            "posted, and both ended otherwise",
            unlabelled(),
            ["failed", "success"],
            Some(of_8("failed")),
            "",
        ),
    ] {
        assert_eq!(whats(mr, statuses, note), expected, "{case}");
    }
}

#[test]
fn which_notes_are_one_too_many() {
    let thread = |id: char, first: Option<(u64, u64)>, outcomes: &[(u64, u64)]| Thread {
        id: DiscussionId(id.to_string().repeat(40)),
        opening: first.map(|(note, request)| OpeningNote {
            note: NoteId(note),
            body: String::new(),
            request: RequestId(request),
            label: Some(LABEL.to_owned()),
            sha: None,
            linked: None,
            state: None,
            project: None,
            triggered: None,
            waits: None,
        }),
        outcomes: outcomes
            .iter()
            .map(|&(note, request)| OutcomeNote {
                note: NoteId(note),
                request: RequestId(request),
                ..to_be_cancelled(5)
            })
            .collect(),
        resolved: false,
    };
    let mut named = record(9, 1, "success");
    named.task.discussion = DiscussionId("b".repeat(40));
    let ours = || thread('b', Some((20, 101)), &[(21, 101)]);
    let cases: [(&str, Vec<Thread>, &[u64]); 7] = [
        ("none", vec![ours()], &[]),
        (
            "a second discussion",
            vec![thread('a', Some((10, 101)), &[]), ours()],
            &[10],
        ),
        (
            "with a reply",
            vec![thread('a', Some((10, 101)), &[(30, 101)]), ours()],
            &[30, 10],
        ),
        (
            "two replies",
            vec![thread('b', Some((20, 101)), &[(22, 101), (21, 101)])],
            &[22],
        ),
        (
            "of another request",
            vec![thread('a', Some((10, 55)), &[(11, 55)]), ours()],
            &[],
        ),
        (
            "opened anew twice, since ours was deleted",
            vec![
                thread('c', Some((30, 101)), &[(31, 101)]),
                thread('d', Some((32, 101)), &[(33, 101)]),
            ],
            &[33, 32],
        ),
        (
            "the one reply stays, wherever it is",
            vec![
                thread('b', None, &[]),
                thread('c', Some((30, 101)), &[(31, 101)]),
            ],
            &[],
        ),
    ];
    for (case, threads, expected) in cases {
        let found: Vec<u64> = plan::redundant_notes(&threads, &named)
            .iter()
            .map(|note| note.0)
            .collect();
        assert_eq!(found, expected, "{case}");
    }
}

/// Without an event, a request is told from another by its label; notes of old name none.
#[test]
fn which_notes_are_about_a_request() {
    let noted = |request: u64, label: Option<&str>| {
        let mut thread = thread(1, None);
        opening(&mut thread).request = RequestId(request);
        opening(&mut thread).label = label.map(str::to_owned);
        thread
    };
    for (case, thread, asked, expected) in [
        ("the same", noted(101, Some(LABEL)), (101, LABEL), true),
        (
            "renamed since",
            noted(101, Some("before")),
            (101, LABEL),
            true,
        ),
        ("of old", noted(101, None), (101, LABEL), true),
        ("another", noted(55, Some(LABEL)), (101, LABEL), false),
        ("without event", noted(0, Some(LABEL)), (0, LABEL), true),
        (
            "without event, another label",
            noted(0, Some(FULL)),
            (0, LABEL),
            false,
        ),
        ("without event, of old", noted(0, None), (0, LABEL), true),
    ] {
        let found = thread.opened_for(RequestId(asked.0), asked.1).is_some();
        assert_eq!(found, expected, "{case}");
    }
}
