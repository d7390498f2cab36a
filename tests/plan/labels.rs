//! Several labels, and labels of others.

use bench_bot::id::{Iid, RequestId};
use bench_bot::note::Thread;
use bench_bot::plan;
use bench_bot::record::Record;
use bench_bot::snapshot::{MergeRequest, Snapshot};

use crate::scene::*;

/// !1, with both labels on: requests 101 and 102.
fn with_both() -> MergeRequest {
    with(1, |mr| {
        mr.requests.push(request(102, FULL));
        mr.events.push(event(102, "add", Some(FULL)));
    })
}

fn full(pipeline: u64, status: &str) -> Record {
    let mut record = record(pipeline, 1, status);
    (record.task.request, record.task.label) = (RequestId(102), FULL.to_owned());
    record
}

/// Each request's label, and what it waits for.
fn standing(snapshot: &Snapshot) -> Vec<String> {
    let plan = plan::scan(snapshot, &RULES);
    let queued = plan
        .queue
        .iter()
        .map(|queued| format!("{} queued", queued.request.label));
    let waiting = plan.waiting.iter().map(|waiting| {
        let label = waiting.label.unwrap_or("?");
        format!("{label} {}", waiting.reason.word())
    });
    queued.chain(waiting).collect()
}

#[test]
fn each_label_is_a_request_of_its_own() {
    let cases: [(&str, Vec<Record>, [&str; 2]); 4] = [
        (
            "none served",
            vec![],
            ["benchmarking queued", "benchmarking::full queued"],
        ),
        (
            "one in flight",
            vec![full(9, "running")],
            ["benchmarking queued", "benchmarking::full in-flight"],
        ),
        (
            "the other ended",
            vec![record(9, 1, "failed")],
            ["benchmarking::full queued", "benchmarking finished"],
        ),
        (
            "both",
            vec![record(8, 1, "failed"), full(9, "running")],
            ["benchmarking finished", "benchmarking::full in-flight"],
        ),
    ];
    for (case, records, expected) in cases {
        assert_eq!(
            standing(&two_labels([with_both()], records)),
            expected,
            "{case}"
        );
    }
}

/// A merge request that was imported with its labels has no events of them.
#[test]
fn without_events_the_label_tells_requests_apart() {
    let imported = with(1, |mr| {
        mr.requests = [LABEL, FULL].map(|label| request(0, label)).to_vec();
        mr.events.clear();
    });
    let mut record = full(9, "running");
    record.task.request = RequestId::NONE;
    let mut snapshot = two_labels([imported], [record]);
    let expected = ["benchmarking queued", "benchmarking::full in-flight"];
    assert_eq!(standing(&snapshot), expected);
    snapshot.records[0].status = word("success");
    let mut own = thread(1, Some(9));
    opening(&mut own).request = RequestId::NONE;
    opening(&mut own).label = Some(FULL.to_owned());
    snapshot.threads.insert(Iid(1), vec![own]);
    assert_eq!(repairs(&snapshot), ["9 finish success untold"]);
    let plan = plan::reconcile(&snapshot, &RULES);
    let plan::Repair::Record(_, plan::RecordRepair::Finish { labelled, .. }) = &plan.repairs[0]
    else {
        panic!("{plan:?}")
    };
    assert_eq!(labelled.expect("it is on").label, FULL);
}

#[test]
fn each_label_comes_off_for_itself() {
    let mut snapshot = two_labels([with_both()], [full(8, "success"), record(9, 1, "failed")]);
    snapshot.threads.insert(Iid(1), vec![]);
    let plan = plan::reconcile(&snapshot, &RULES);
    let off: Vec<_> = plan
        .repairs
        .iter()
        .map(|repair| match repair {
            plan::Repair::Record(record, plan::RecordRepair::Finish { labelled, .. }) => (
                record.pipeline.0,
                labelled.map(|request| request.label.as_str()),
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(off, [(8, Some(FULL)), (9, Some(LABEL))]);
}

/// Another installation, or another run, works on the same two projects with a label of its own.
#[test]
fn records_of_other_labels_count_and_are_never_written_to() {
    let off = with(1, |mr| {
        mr.requests.clear();
        mr.events = vec![
            event(102, "add", Some(FULL)),
            event(150, "remove", Some(FULL)),
        ];
        mr.state = "merged".to_owned();
    });
    let full_thread = || {
        let mut thread = thread(1, None);
        opening(&mut thread).request = RequestId(102);
        opening(&mut thread).label = Some(FULL.to_owned());
        thread
    };
    let mut stuck = full(9, "running");
    stuck.created_at = at(-2 * DAY);
    for record in [
        full(9, "running"),
        full(9, "success"),
        full(9, "manual"),
        stuck,
    ] {
        let alive = !record.status.ended() && record.status.word() != "manual";
        let mut snapshot = snapshot([off.clone()], [record]);
        snapshot.threads.insert(Iid(1), vec![full_thread()]);
        assert_eq!(repairs(&snapshot), [""; 0]);
        assert_eq!(plan::scan(&snapshot, &RULES).taken(), usize::from(alive));
    }
    let mut without_record = snapshot([off], []);
    without_record.threads.insert(Iid(1), vec![full_thread()]);
    assert_eq!(
        repairs(&without_record),
        [""; 0],
        "nor is its discussion closed"
    );
}

/// GitLab shows the events of a renamed label under its new name.
#[test]
fn a_renamed_label_still_owns_what_was_begun_under_the_old_name() {
    let renamed = || {
        with(1, |mr| {
            mr.requests = vec![request(101, FULL)];
            mr.events = vec![event(101, "add", Some(FULL))];
        })
    };
    let of_new_name = |record: Record, thread: Thread| {
        let mut snapshot = Snapshot {
            labels: vec![FULL.to_owned()],
            ..snapshot([renamed()], [record])
        };
        snapshot.threads.insert(Iid(1), vec![thread]);
        snapshot
    };
    let running = of_new_name(record(9, 1, "running"), thread(1, Some(9)));
    assert_eq!(standing(&running), ["benchmarking::full in-flight"]);
    assert_eq!(repairs(&running), [""; 0]);
    let ended = of_new_name(record(9, 1, "success"), thread(1, Some(9)));
    assert_eq!(repairs(&ended), ["9 finish success untold"]);
    let stuck = of_new_name(aged("running", DAY + 1), thread(1, Some(9)));
    assert_eq!(repairs(&stuck), ["9 time out untold"]);
    let overdue = of_new_name(aged("running", DAY + 61), thread(1, Some(9)));
    assert_eq!(
        plan::scan(&overdue, &RULES).taken(),
        0,
        "it is this run's to end"
    );
}

#[test]
fn withdrawal_needs_evidence() {
    let added = (101, "add", Some(LABEL));
    let renamed = (101, "add", Some("renamed"));
    for (case, events, evident) in [
        ("nothing but that it is missing", vec![added], false),
        ("no events at all", vec![], false),
        ("a removal", vec![added, (150, "remove", Some(LABEL))], true),
        (
            "another addition",
            vec![added, (150, "add", Some(LABEL))],
            true,
        ),
        (
            "a removal, the addition not shown",
            vec![(150, "remove", Some(LABEL))],
            true,
        ),
        (
            "an earlier removal",
            vec![(100, "remove", Some(LABEL)), added],
            false,
        ),
        (
            "another label's removal",
            vec![added, (150, "remove", Some(FULL))],
            false,
        ),
        ("renamed", vec![renamed], false),
        (
            "renamed, then removed",
            vec![renamed, (150, "remove", Some("renamed"))],
            true,
        ),
        (
            "renamed, another called so removed",
            vec![renamed, (150, "remove", Some(LABEL))],
            false,
        ),
        ("deleted", vec![(101, "add", None)], false),
        (
            "deleted, as another was",
            vec![(101, "add", None), (150, "remove", None)],
            false,
        ),
        (
            "deleted, and one called so put on",
            vec![(101, "add", None), (150, "add", Some(LABEL))],
            true,
        ),
    ] {
        let expected = if evident { "9 withdraw untold" } else { "" };
        let events = events
            .into_iter()
            .map(|(id, action, label)| event(id, action, label));
        let mr = with(1, |mr| {
            (mr.requests, mr.events) = (Vec::new(), events.collect())
        });
        let found = repair(mr, record(9, 1, "running"), thread(1, Some(9)));
        assert_eq!(found, expected, "{case}");
    }
}

#[test]
fn a_request_without_event_is_withdrawn_by_any_removal() {
    let mut running = record(9, 1, "running");
    running.task.request = RequestId::NONE;
    let mut own = thread(1, Some(9));
    opening(&mut own).request = RequestId::NONE;
    let missing = with(1, |mr| {
        mr.requests.clear();
        mr.events.clear();
    });
    assert_eq!(repair(missing.clone(), running.clone(), own.clone()), "");
    let mut removed = missing;
    removed.events.push(event(150, "remove", Some(LABEL)));
    assert_eq!(repair(removed, running, own), "9 withdraw untold");
}
