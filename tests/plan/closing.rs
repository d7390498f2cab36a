//! Every discussion of the bot's ends, also where its request goes away before its turn.

use bench_bot::id::{Iid, PipelineId, RequestId};
use bench_bot::note::Unstarted;
use bench_bot::snapshot::{MergeRequest, Snapshot};

use crate::scene::*;

#[test]
fn what_goes_away_before_its_turn_is_closed() {
    let opened = || thread(1, None);
    let refused = || unstarted(Unstarted::Refused);
    let closed = || unstarted(Unstarted::Closed);
    let mut of_old = opened();
    opening(&mut of_old).label = None;
    let mut of_another_request = opened();
    opening(&mut of_another_request).request = RequestId(55);
    let missing = off(mr(1));
    let reopened_late = with(1, |mr| {
        mr.requests.clear();
        mr.unexplained = vec![LABEL.to_owned()];
        mr.events.push(event(150, "remove", Some(LABEL)));
    });
    for (case, mr, thread, expected) in [
        ("open and labelled", mr(1), opened(), ""),
        ("refused, and labelled", mr(1), refused(), ""),
        ("label missing", missing.clone(), opened(), ""),
        (
            "label off",
            unlabelled(),
            opened(),
            "close !1: benchmarking unlabelled, in its discussion",
        ),
        (
            "refused, label off",
            unlabelled(),
            refused(),
            "close !1: benchmarking unlabelled, in its discussion",
        ),
        (
            "label off, of old",
            unlabelled(),
            of_old,
            "close !1: benchmarking unlabelled, in its discussion",
        ),
        ("label off, closed", unlabelled(), closed(), ""),
        ("label off, linked", unlabelled(), thread(1, Some(8)), ""),
        (
            "label off, no discussion of the bot's",
            unlabelled(),
            foreign_thread(),
            "",
        ),
        (
            "put on anew",
            relabelled(),
            opened(),
            "close !1: benchmarking unlabelled, in its discussion, not at rest",
        ),
        (
            "put on anew, as is to be shown",
            reopened_late,
            opened(),
            "close !1: benchmarking unlabelled, in its discussion, not at rest",
        ),
        (
            "merged",
            in_state("merged"),
            opened(),
            "close !1: benchmarking merged, in its discussion, benchmarking off",
        ),
        (
            "closed",
            in_state("closed"),
            refused(),
            "close !1: benchmarking closed, in its discussion, benchmarking off",
        ),
        (
            "locked, as while it is merged",
            in_state("locked"),
            opened(),
            "",
        ),
        (
            "merged, without discussion",
            in_state("merged"),
            foreign_thread(),
            "close !1: benchmarking merged, benchmarking off",
        ),
        (
            "merged, told but the label still on",
            in_state("merged"),
            closed(),
            "close !1: benchmarking merged, in its discussion, benchmarking off",
        ),
        (
            "merged, label off",
            off(in_state("merged")),
            opened(),
            "close !1: benchmarking merged, in its discussion",
        ),
        (
            "merged, label off, told",
            off(in_state("merged")),
            closed(),
            "",
        ),
        (
            "merged, its label on anew",
            in_state("merged"),
            of_another_request,
            "close !1: benchmarking merged, in its discussion; close !1: benchmarking merged, benchmarking off",
        ),
    ] {
        assert_eq!(repair(mr, None, thread), expected, "{case}");
    }
}

#[test]
fn a_label_that_is_left_on_comes_off_though_the_discussions_were_not_read() {
    let snapshot = snapshot([in_state("merged")], []);
    assert_eq!(
        repairs(&snapshot),
        ["close !1: benchmarking merged, benchmarking off"]
    );
}

#[test]
fn what_may_have_a_record_is_not_closed() {
    let closings = |change: fn(&mut Snapshot)| {
        let mut snapshot = snapshot([in_state("merged")], []);
        snapshot.threads.insert(Iid(1), vec![thread(1, None)]);
        change(&mut snapshot);
        repairs(&snapshot).join("; ")
    };
    let running = closings(|snapshot| snapshot.records = vec![record(9, 1, "running")]);
    assert_eq!(running, "9 link");
    let ended = closings(|snapshot| snapshot.records = vec![record(9, 1, "success")]);
    assert_eq!(ended, "9 finish success untold");
    let unread = closings(|snapshot| snapshot.unreadable = vec![unreadable(9, -30, "running")]);
    assert_eq!(unread, "");
    let uncertain = closings(|snapshot| snapshot.uncertain.extend([(Iid(1), RequestId(101))]));
    assert_eq!(uncertain, "");
}

/// Likewise where the label is off: an unread pipeline may serve it.
#[test]
fn nor_is_it_where_the_label_is_off() {
    let mut snapshot = snapshot([unlabelled()], []);
    snapshot.threads.insert(Iid(1), vec![thread(1, None)]);
    snapshot.unreadable = vec![unreadable(9, -30, "running")];
    assert_eq!(repairs(&snapshot), [""; 0]);
    snapshot.unreadable = vec![unreadable(9, -61, "running")];
    assert_eq!(repairs(&snapshot).len(), 1, "it is older than the request");
}

#[test]
fn of_two_labels_only_the_one_that_is_off_is_closed() {
    let of_full = || {
        let mut thread = thread(2, None);
        opening(&mut thread).request = RequestId(102);
        opening(&mut thread).label = Some(FULL.to_owned());
        thread
    };
    let mr = with(1, |mr| {
        mr.events.push(event(102, "add", Some(FULL)));
        mr.events.push(event(150, "remove", Some(FULL)));
    });
    let mut snapshot = two_labels([mr], []);
    snapshot
        .threads
        .insert(Iid(1), vec![thread(1, None), of_full()]);
    assert_eq!(
        repairs(&snapshot),
        ["close !1: benchmarking::full unlabelled, in its discussion, not at rest"]
    );
    snapshot.labels.pop();
    assert_eq!(
        repairs(&snapshot),
        [""; 0],
        "that is another installation's"
    );
}

/// GitLab shows the events of a renamed label under its new name: it is closed by whichever name a run knows it.
#[test]
fn a_renamed_label_is_followed() {
    let with_label = |label: &str| {
        let mr = with(1, |mr| {
            mr.requests.clear();
            mr.events = vec![
                event(101, "add", Some(FULL)),
                event(150, "remove", Some(FULL)),
            ];
        });
        let mut snapshot = Snapshot {
            labels: vec![label.to_owned()],
            ..snapshot([mr], [])
        };
        snapshot.threads.insert(Iid(1), vec![thread(1, None)]);
        repairs(&snapshot)
    };
    let closed = ["close !1: benchmarking::full unlabelled, in its discussion"];
    assert_eq!(with_label(FULL), closed);
    assert_eq!(with_label(LABEL), closed);
    assert_eq!(with_label("somebody-elses"), [""; 0]);
}

#[test]
fn what_links_to_a_deleted_benchmark_is_closed_as_well() {
    let closed = |mr: MergeRequest, deleted: u64| {
        let mut snapshot = snapshot([mr], []);
        snapshot.threads.insert(Iid(1), vec![thread(1, Some(8))]);
        snapshot.lost.insert(PipelineId(deleted));
        repairs(&snapshot).join("; ")
    };
    let expected = "close !1: benchmarking unlabelled, in its discussion";
    assert_eq!(closed(unlabelled(), 8), expected);
    assert_eq!(closed(unlabelled(), 7), "", "another was deleted");
    assert_eq!(closed(mr(1), 8), "", "its label is on");
}

#[test]
fn of_what_is_merged_all_is_closed_at_once() {
    let both = with(1, |mr| {
        mr.state = "merged".to_owned();
        mr.requests.push(request(102, FULL));
        mr.events.push(event(102, "add", Some(FULL)));
    });
    let mut of_full = thread(2, None);
    opening(&mut of_full).request = RequestId(102);
    opening(&mut of_full).label = Some(FULL.to_owned());
    let mut snapshot = two_labels([both], []);
    snapshot
        .threads
        .insert(Iid(1), vec![thread(1, None), of_full]);
    assert_eq!(
        repairs(&snapshot),
        [
            "close !1: benchmarking merged, in its discussion, benchmarking off",
            "close !1: benchmarking::full merged, in its discussion, benchmarking::full off"
        ]
    );
}
