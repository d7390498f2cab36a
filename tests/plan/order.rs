//! The order in which requests go.

use bench_bot::id::{Iid, PipelineId, RequestId};
use bench_bot::plan::{self, Order, Rules};
use bench_bot::record::Record;
use bench_bot::snapshot::{MergeRequest, Snapshot};

use crate::scene::*;

fn order(snapshot: &Snapshot, order: Order) -> Vec<u64> {
    let plan = plan::scan(snapshot, &Rules { order, ..RULES });
    plan.queue
        .iter()
        .map(|queued| queued.request.id.0)
        .collect()
}

fn started(mut mr: MergeRequest, minutes: i64) -> MergeRequest {
    mr.pipeline.as_mut().expect("one").started_at = Some(at(minutes));
    mr
}

fn labelled(mut mr: MergeRequest, minutes: i64) -> MergeRequest {
    mr.requests[0].at = Some(at(minutes));
    mr
}

#[test]
fn the_order_in_which_they_go() {
    let never_started = with(4, |mr| mr.pipeline.as_mut().expect("one").started_at = None);
    let mrs = [
        labelled(started(mr(1), -20), -50),
        labelled(started(mr(2), -90), -10),
        labelled(started(mr(3), -20), -50),
        labelled(never_started, -30),
    ];
    let snapshot = snapshot(mrs, []);
    let by_pipeline = order(&snapshot, Order::Pipeline);
    assert_eq!(
        by_pipeline,
        [104, 102, 101, 103],
        "ties by pipeline id; created if never started"
    );
    let by_request = order(&snapshot, Order::Request);
    assert_eq!(by_request, [101, 103, 104, 102], "ties by request id");
}

#[test]
fn without_label_event_the_merge_request_tells_its_age() {
    let mut unasked = labelled(mr(1), 0);
    unasked.requests[0].at = None;
    unasked.created_at = at(-55);
    let mrs = [unasked, labelled(mr(2), -56), labelled(mr(3), -54)];
    assert_eq!(order(&snapshot(mrs, []), Order::Request), [102, 101, 103]);
}

/// Of !1, for the commit `a`, and an earlier request.
fn earlier(change: impl FnOnce(&mut Record)) -> Record {
    record_with("success", |record| {
        record.task.request = RequestId(50);
        change(record);
    })
}

/// Whether !1, which would come first, goes behind !2.
fn is_asked_again(change: impl FnOnce(&mut Snapshot)) -> bool {
    let mrs = [
        labelled(started(mr(1), -90), -90),
        labelled(started(mr(2), -20), -50),
    ];
    let mut snapshot = snapshot(mrs, []);
    change(&mut snapshot);
    let both = [Order::Pipeline, Order::Request].map(|by| order(&snapshot, by)[0]);
    assert_eq!(both[0], both[1]);
    both[0] == 102
}

#[test]
fn asking_again_goes_behind_those_who_wait_for_their_first() {
    let with_record = |record: Record| is_asked_again(|snapshot| snapshot.records = vec![record]);
    assert!(!is_asked_again(|_| {}));
    assert!(with_record(earlier(|_| {})));
    assert!(
        with_record(earlier(|r| r.status = word("failed"))),
        "however it ended"
    );
    assert!(
        !with_record(earlier(|r| r.task.sha = sha("c"))),
        "another commit"
    );
    assert!(
        !with_record(earlier(|r| r.task.mr = Iid(2))),
        "another merge request's"
    );
    assert!(
        !with_record(earlier(|r| r.task.label = FULL.to_owned())),
        "another label's"
    );
    assert!(
        !with_record(earlier(|r| r.task.project.0 = 70)),
        "another project's"
    );
}

/// The record may have ended too long ago to be read.
#[test]
fn a_discussion_tells_as_well_that_somebody_asks_again() {
    let with_thread = |linked: Option<u64>, label: Option<&str>, commit: Option<&str>| {
        let mut thread = thread(1, linked);
        let opening = opening(&mut thread);
        opening.request = RequestId(50);
        opening.label = label.map(str::to_owned);
        opening.sha = commit.map(sha);
        is_asked_again(|snapshot| drop(snapshot.threads.insert(Iid(1), vec![thread])))
    };
    assert!(with_thread(Some(9), Some(LABEL), Some("a")));
    assert!(!with_thread(None, Some(LABEL), Some("a")), "it never began");
    assert!(
        !with_thread(Some(9), Some(FULL), Some("a")),
        "another label"
    );
    assert!(
        !with_thread(Some(9), Some(LABEL), Some("c")),
        "another commit"
    );
    assert!(!with_thread(Some(9), None, Some("a")), "no label told");
    assert!(!with_thread(Some(9), Some(LABEL), None), "no commit told");
}

#[test]
fn those_who_ask_again_keep_their_order() {
    let again = |pipeline, iid: u64| {
        let mut record = record(pipeline, iid, "success");
        record.task.request = RequestId(50 + iid);
        record
    };
    let mrs = [
        labelled(started(mr(1), -20), -10),
        labelled(started(mr(2), -90), -80),
        labelled(started(mr(3), -10), -5),
    ];
    let snapshot = snapshot(mrs, [again(8, 1), again(9, 2)]);
    for by in [Order::Pipeline, Order::Request] {
        assert_eq!(order(&snapshot, by), [103, 102, 101], "{by:?}");
    }
}

#[test]
fn the_labels_of_one_merge_request_go_in_the_order_of_their_requests() {
    let both = with(1, |mr| {
        mr.requests = vec![request(105, LABEL), request(103, FULL)]
    });
    let snapshot = two_labels([both], []);
    for by in [Order::Pipeline, Order::Request] {
        assert_eq!(order(&snapshot, by), [103, 105], "{by:?}");
    }
}

#[test]
fn ties_in_everything_else_go_by_number() {
    let same = |iid| {
        let mut mr = started(mr(iid), -20);
        mr.pipeline.as_mut().expect("one").id = PipelineId(1000);
        mr.requests[0].id = RequestId::NONE;
        mr
    };
    let snapshot = snapshot([same(2), same(1)], []);
    for order in [Order::Pipeline, Order::Request] {
        let plan = plan::scan(&snapshot, &Rules { order, ..RULES });
        let iids: Vec<_> = plan.queue.iter().map(|queued| queued.mr.iid.0).collect();
        assert_eq!(iids, [1, 2]);
    }
}

#[test]
fn who_waits_is_listed_by_number_also_what_could_not_be_read() {
    let mut snapshot = snapshot([with(2, |mr| mr.pipeline = None)], []);
    snapshot.unread.extend([Iid(3), Iid(1)]);
    let plan = plan::scan(&snapshot, &RULES);
    let iids: Vec<u64> = plan.waiting.iter().map(|waiting| waiting.iid.0).collect();
    assert_eq!(iids, [1, 2, 3]);
}
