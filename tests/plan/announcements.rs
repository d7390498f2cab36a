//! What scan announces of requests before they start.

use std::collections::BTreeSet;

use bench_bot::id::Iid;
use bench_bot::note::{Thread, Unstarted, Waits};
use bench_bot::plan::{self, Announce, Announced, Rules};
use bench_bot::snapshot::{MergeRequest, Snapshot};

use crate::scene::*;

fn announced(snapshot: &Snapshot, rules: &Rules) -> Vec<String> {
    let plan = plan::scan(snapshot, rules);
    let told = plan.announcements.iter().map(|it| {
        let what = match &it.what {
            Announced::Seen => "seen".to_owned(),
            Announced::Opened(waits) => format!("open {}", waits.key()),
            Announced::Edited(_, waits) => format!("edit {}", waits.key()),
        };
        format!("!{} {what}", it.mr.iid)
    });
    told.collect()
}

/// Two in the queue, and one that waits for its pipeline.
fn three() -> [MergeRequest; 3] {
    let failed = with(3, |mr| {
        mr.pipeline.as_mut().expect("one").status = word("failed");
    });
    [mr(1), mr(2), failed]
}

#[test]
fn whom_it_has_not_seen_yet() {
    let seen = |iids: &[u64]| Some(iids.iter().map(|iid| Iid(*iid)).collect::<BTreeSet<_>>());
    for (case, seen, expected) in [
        ("not listed", None, &[][..]),
        ("none", seen(&[]), &["!1 seen", "!2 seen", "!3 seen"]),
        ("one", seen(&[2]), &["!1 seen", "!3 seen"]),
        ("all", seen(&[1, 2, 3]), &[]),
    ] {
        let snapshot = Snapshot {
            seen,
            ..snapshot(three(), [])
        };
        assert_eq!(announced(&snapshot, &RULES), expected, "{case}");
        let none = Rules {
            announce: Announce::None,
            ..RULES
        };
        assert_eq!(announced(&snapshot, &none), [""; 0], "{case}");
    }
    let snapshot = Snapshot {
        seen: seen(&[]),
        ..snapshot([mr(1)], [record(9, 1, "running")])
    };
    assert_eq!(announced(&snapshot, &RULES), [""; 0], "it has a benchmark");
}

fn rules(max_in_flight: usize) -> Rules {
    Rules {
        announce: Announce::Discussion,
        max_in_flight,
        ..RULES
    }
}

#[test]
fn why_each_waits_and_what_its_place_is() {
    let snapshot = |mrs: Vec<MergeRequest>| {
        let without_notes = mrs.into_iter().map(|mr| MergeRequest {
            has_notes: false,
            ..mr
        });
        snapshot(without_notes.collect::<Vec<_>>(), [])
    };
    for (places, expected) in [
        (
            0,
            [
                "!3 open pipeline-unsuccessful",
                "!1 open paused",
                "!2 open paused",
            ]
            .as_slice(),
        ),
        (1, &["!3 open pipeline-unsuccessful", "!2 open place-1"]),
        (2, &["!3 open pipeline-unsuccessful"]),
    ] {
        assert_eq!(
            announced(&snapshot(three().into()), &rules(places)),
            expected,
            "{places}"
        );
    }
}

#[test]
fn a_note_is_edited_only_if_it_says_something_else() {
    let says = |waits: Option<Waits>| {
        let mut thread = thread(1, None);
        opening(&mut thread).waits = waits.map(Waits::key);
        thread
    };
    let at_noon = Waits::Place(1, Some(at(0)));
    for (case, threads, expected) in [
        ("no discussion", Some(vec![]), &["!1 open place-1"][..]),
        ("not read", None, &[]),
        (
            "the same place, whenever",
            Some(vec![says(Some(at_noon))]),
            &[],
        ),
        (
            "another place",
            Some(vec![says(Some(Waits::Place(2, None)))]),
            &["!1 edit place-1"],
        ),
        (
            "a start that failed",
            Some(vec![says(None)]),
            &["!1 edit place-1"],
        ),
        ("refused", Some(vec![unstarted(Unstarted::Refused)]), &[]),
        ("started", Some(vec![thread(1, Some(9))]), &[]),
        (
            "of another request",
            Some(vec![thread(2, None)]),
            &["!1 open place-1"],
        ),
    ] as [(&str, Option<Vec<Thread>>, &[&str]); 8]
    {
        let mr = with(1, |mr| mr.has_notes = true);
        let mut busy = record(8, 9, "running");
        busy.task.mr = Iid(9);
        let mut snapshot = snapshot([mr], [busy]);
        snapshot
            .threads
            .extend(threads.map(|threads| (Iid(1), threads)));
        assert_eq!(announced(&snapshot, &rules(1)), expected, "{case}");
    }
}
