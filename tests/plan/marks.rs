//! The bot's mark says where it has unfinished business, and goes with that.

use std::collections::BTreeSet;

use bench_bot::gitlab::answer::LabelEvent;
use bench_bot::id::{Iid, RequestId};
use bench_bot::note::{Thread, Unstarted};
use bench_bot::plan;
use bench_bot::record::Record;
use bench_bot::snapshot::MergeRequest;

use crate::scene::*;

fn of_full() -> Record {
    record_with("running", |record| {
        (record.task.request, record.task.label) = (RequestId(102), FULL.to_owned());
    })
}

#[test]
fn the_mark_goes_where_nothing_is_unfinished() {
    let marked = |mr: Option<MergeRequest>, records: Vec<_>, threads: Option<Vec<Thread>>| {
        let mut snapshot = snapshot(mr, records);
        snapshot.begun = Some(BTreeSet::from([Iid(1)]));
        snapshot
            .threads
            .extend(threads.map(|threads| (Iid(1), threads)));
        repairs(&snapshot).join("; ")
    };
    let late = with(1, |mr| {
        mr.requests.clear();
        mr.unexplained = vec![LABEL.to_owned()];
    });
    let opened = || Some(vec![thread(1, None)]);
    let over = || Some(vec![told(outcome("success"))]);
    let closed = || Some(vec![unstarted(Unstarted::Closed)]);
    let ended = || vec![record(9, 1, "success")];
    let running = || vec![record(9, 1, "running")];
    for (case, mr, records, threads, expected) in [
        (
            "nothing there",
            Some(unlabelled()),
            vec![],
            Some(vec![]),
            "unmark !1",
        ),
        ("posted", Some(unlabelled()), vec![], over(), "unmark !1"),
        (
            "posted, of a record",
            Some(unlabelled()),
            ended(),
            over(),
            "unmark !1",
        ),
        ("closed", Some(unlabelled()), vec![], closed(), "unmark !1"),
        ("labelled", Some(mr(1)), vec![], Some(vec![]), ""),
        (
            "labelled, as is to be shown",
            Some(late),
            vec![],
            Some(vec![]),
            "",
        ),
        ("not read", None, vec![], over(), ""),
        ("discussions not read", Some(unlabelled()), vec![], None, ""),
        (
            "label missing, still open",
            Some(off(mr(1))),
            vec![],
            opened(),
            "",
        ),
        ("retried", Some(unlabelled()), running(), over(), ""),
        (
            "about to be closed",
            Some(unlabelled()),
            vec![],
            opened(),
            "close !1: benchmarking unlabelled, in its discussion",
        ),
        (
            "about to be posted",
            Some(unlabelled()),
            ended(),
            Some(vec![thread(1, Some(9))]),
            "9 finish success untold, label gone",
        ),
        (
            "amended as well",
            Some(unlabelled()),
            ended(),
            Some(vec![told(to_be_cancelled(5))]),
            "9 amend 400 to success; unmark !1",
        ),
    ] {
        assert_eq!(marked(mr, records, threads), expected, "{case}");
    }
}

#[test]
fn what_is_in_flight_unmarked_is_marked() {
    let linked = || thread(1, Some(9));
    for (case, mr, record, thread, expected) in [
        (
            "running",
            mr(1),
            record(9, 1, "running"),
            linked(),
            "mark !1",
        ),
        (
            "blocked",
            mr(1),
            record(9, 1, "manual"),
            linked(),
            "mark !1",
        ),
        (
            "ended",
            mr(1),
            record(9, 1, "success"),
            linked(),
            "9 finish success untold",
        ),
        (
            "ended, with nobody left to tell",
            unlabelled(),
            record(9, 1, "success"),
            foreign_thread(),
            "",
        ),
        (
            "withdrawn, which ends it",
            unlabelled(),
            record(9, 1, "running"),
            linked(),
            "9 withdraw untold",
        ),
        (
            "retried",
            off(mr(1)),
            record(9, 1, "running"),
            told(outcome("failed")),
            "",
        ),
        ("of another label", mr(1), of_full(), thread(1, None), ""),
    ] {
        let mut snapshot = snapshot([mr], [record]);
        snapshot.threads.insert(Iid(1), vec![thread]);
        snapshot.begun = Some(BTreeSet::new());
        assert_eq!(repairs(&snapshot).join("; "), expected, "{case}");
    }
    let mut marked = snapshot([mr(1)], [record(9, 1, "running")]);
    marked.threads.insert(Iid(1), vec![linked()]);
    marked.begun = Some(BTreeSet::from([Iid(1)]));
    assert_eq!(repairs(&marked), [""; 0], "marked already");
}

/// A run that knows its new name has yet to take it off.
#[test]
fn the_mark_stays_where_the_label_was_renamed() {
    let marked = |more: &[LabelEvent]| {
        let mr = with(1, |mr| {
            mr.requests.clear();
            mr.events = [&[event(101, "add", Some("renamed"))], more].concat();
        });
        let mut snapshot = snapshot([mr], []);
        snapshot
            .threads
            .insert(Iid(1), vec![told(outcome("success"))]);
        snapshot.begun = Some(BTreeSet::from([Iid(1)]));
        repairs(&snapshot).join("; ")
    };
    assert_eq!(marked(&[]), "");
    assert_eq!(
        marked(&[event(150, "remove", Some("renamed"))]),
        "unmark !1"
    );
    assert_eq!(
        marked(&[event(150, "remove", Some(LABEL))]),
        "",
        "another label"
    );
}

#[test]
fn which_label_was_renamed() {
    let renamed = |name: Option<&str>, more: &[LabelEvent]| {
        let events = [&[event(101, "add", name)], more].concat();
        plan::is_renamed(&events, RequestId(101), LABEL)
    };
    assert!(renamed(Some("renamed"), &[]));
    assert!(!renamed(Some(LABEL), &[]));
    assert!(!renamed(None, &[]), "deleted");
    assert!(!renamed(
        Some("renamed"),
        &[event(150, "remove", Some("renamed"))]
    ));
    assert!(
        renamed(Some("renamed"), &[event(100, "remove", Some("renamed"))]),
        "earlier"
    );
    assert!(!plan::is_renamed(&[], RequestId(101), LABEL), "not shown");
}
