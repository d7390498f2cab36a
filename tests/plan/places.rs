//! Which pipelines take a place, and which are named until a person deals with them.

use bench_bot::id::{Iid, PipelineId, ProjectId};
use bench_bot::note::OutcomeNote;
use bench_bot::plan::{self, Place, Rules};
use bench_bot::record::Record;
use bench_bot::snapshot::Snapshot;

use crate::scene::*;

const DAY_AND_HOUR: i64 = DAY + 60;

/// The only record's place, and how many places are taken.
fn place(snapshot: &Snapshot) -> (Place, usize) {
    let plan = plan::scan(snapshot, &RULES);
    let [found] = &plan.in_flight[..] else {
        panic!("{plan:?}")
    };
    (found.place, plan.taken())
}

const TAKEN: (Place, usize) = (Place::Taken, 1);
const BLOCKED: (Place, usize) = (Place::Blocked, 0);
const OVERDUE: (Place, usize) = (Place::Overdue, 0);

fn of_project(record: Record) -> Record {
    let mut record = record;
    record.task.project = ProjectId(70);
    record
}

fn of_label(record: Record) -> Record {
    let mut record = record;
    record.task.label = "somebody-elses".to_owned();
    record.task.request = bench_bot::id::RequestId(55);
    record
}

#[test]
fn which_records_take_a_place() {
    let changed_lately = |record: Record| Record {
        updated_at: at(-5),
        ..record
    };
    let of = |minutes| aged("running", minutes);
    for (case, record, expected) in [
        ("running", of(30), TAKEN),
        ("created", aged("created", 30), TAKEN),
        ("a word of the future", aged("dreaming", 30), TAKEN),
        (
            "waiting for a resource",
            aged("waiting_for_resource", 30),
            TAKEN,
        ),
        ("canceling", aged("canceling", 30), TAKEN),
        ("manual", aged("manual", 30), BLOCKED),
        ("manual for days", aged("manual", 9 * DAY), BLOCKED),
        ("manual of others", of_project(aged("manual", 30)), BLOCKED),
        ("stuck", of(DAY + 1), TAKEN),
        ("stuck, and an hour", of(DAY_AND_HOUR), TAKEN),
        ("overdue", of(DAY_AND_HOUR + 1), OVERDUE),
        (
            "overdue, canceling",
            aged("canceling", DAY_AND_HOUR + 1),
            OVERDUE,
        ),
        (
            "overdue, changed lately",
            changed_lately(of(DAY_AND_HOUR + 1)),
            OVERDUE,
        ),
        (
            "of another project",
            of_project(of(DAY_AND_HOUR + 1)),
            TAKEN,
        ),
        (
            "of another project, twice the time",
            of_project(of(2 * DAY)),
            TAKEN,
        ),
        (
            "of another project, overdue",
            of_project(of(2 * DAY + 1)),
            OVERDUE,
        ),
        (
            "of another project, changed lately",
            changed_lately(of_project(of(9 * DAY))),
            TAKEN,
        ),
        (
            "of another label, twice the time",
            of_label(of(2 * DAY)),
            TAKEN,
        ),
        (
            "of another label, overdue",
            of_label(of(2 * DAY + 1)),
            OVERDUE,
        ),
    ] {
        assert_eq!(place(&snapshot([mr(1)], [record])), expected, "{case}");
    }
}

/// What was retried when its outcome was posted is its person's to end, who has as long as others have.
#[test]
fn a_retry_takes_a_place_as_long_as_those_of_others() {
    let retried = |note, minutes_since_change: i64| {
        let mut record = aged("running", 9 * DAY);
        record.updated_at = at(-minutes_since_change);
        let mut snapshot = snapshot([unlabelled()], [record]);
        snapshot.threads.insert(Iid(1), vec![told(note)]);
        place(&snapshot)
    };
    assert_eq!(retried(outcome("failed"), 2 * DAY), TAKEN);
    assert_eq!(retried(outcome("failed"), 2 * DAY + 1), OVERDUE);
    assert_eq!(
        retried(to_be_cancelled(5), 30),
        OVERDUE,
        "it was to be cancelled"
    );
    let mut of_another = outcome("failed");
    of_another.pipeline = Some(PipelineId(8));
    assert_eq!(
        retried(of_another, 30),
        OVERDUE,
        "posted about another pipeline"
    );
}

#[test]
fn what_cannot_be_read_takes_a_place_while_it_may_be_in_flight() {
    let mut of_unknown_status = unreadable(9, -30, "");
    of_unknown_status.status = None;
    let mut of_unknown_change = unreadable(9, -2 * DAY - 1, "running");
    of_unknown_change.updated_at = None;
    let mut retried = unreadable(9, -9 * DAY, "running");
    retried.updated_at = Some(at(-30));
    let mut undated = unreadable(9, 0, "running");
    (undated.created_at, undated.updated_at) = (None, None);
    for (case, found, taken) in [
        ("running", unreadable(9, -30, "running"), 1),
        ("status unknown", of_unknown_status, 1),
        ("ended", unreadable(9, -30, "failed"), 0),
        ("manual", unreadable(9, -30, "manual"), 0),
        ("twice the time", unreadable(9, -2 * DAY, "running"), 1),
        ("overdue", unreadable(9, -2 * DAY - 1, "running"), 0),
        ("overdue, as its creation tells", of_unknown_change, 0),
        ("changed lately", retried, 1),
        ("of unknown age", undated, 1),
    ] {
        let mut snapshot = snapshot([], []);
        snapshot.unreadable = vec![found];
        let plan = plan::scan(&snapshot, &RULES);
        assert_eq!((plan.unknown, plan.taken()), (taken, taken), "{case}");
    }
}

#[test]
fn how_many_may_start() {
    let free = |max_in_flight, records: &[Record]| {
        let snapshot = snapshot([mr(1)], records);
        plan::scan(
            &snapshot,
            &Rules {
                max_in_flight,
                ..RULES
            },
        )
        .free
    };
    assert_eq!(free(0, &[]), 0, "paused");
    assert_eq!(free(1, &[]), 1);
    assert_eq!(free(3, &[record(9, 1, "running")]), 2);
    assert_eq!(free(3, &[record(9, 1, "success")]), 3, "it has ended");
    assert_eq!(
        free(1, &[record(8, 2, "running"), record(9, 1, "running")]),
        0,
        "over the limit"
    );
    assert_eq!(free(0, &[record(9, 1, "running")]), 0);
    assert_eq!(free(1, &[aged("running", DAY_AND_HOUR + 1)]), 1);
}

#[test]
fn a_pause_keeps_the_queue_and_the_repairs() {
    let paused = Rules {
        max_in_flight: 0,
        ..RULES
    };
    let mut snapshot = snapshot([mr(1), mr(2)], [record(9, 1, "success")]);
    snapshot.threads.insert(Iid(1), vec![thread(1, Some(9))]);
    assert_eq!(plan::scan(&snapshot, &paused).queue.len(), 1);
    assert_eq!(plan::reconcile(&snapshot, &paused).repairs.len(), 1);
}

fn overdue(snapshot: &Snapshot) -> Vec<String> {
    let plan = plan::reconcile(snapshot, &RULES);
    plan::overdue(snapshot, &plan, &RULES)
}

#[test]
fn what_is_named_until_a_person_deals_with_it() {
    let named = |record: Record, thread| {
        let mut snapshot = snapshot([unlabelled()], [record]);
        snapshot.threads.insert(Iid(1), vec![thread]);
        overdue(&snapshot).len()
    };
    let linked = || thread(1, Some(9));
    for (case, record, thread, expected) in [
        ("running", record(9, 1, "running"), linked(), 0),
        ("ended long ago", aged("failed", 9 * DAY), linked(), 0),
        (
            "overdue, and nowhere to say so",
            aged("running", 9 * DAY),
            foreign_thread(),
            1,
        ),
        (
            "overdue, cancelled by this run",
            aged("running", 9 * DAY),
            linked(),
            0,
        ),
        (
            "overdue, cancelled again by this run",
            aged("running", 9 * DAY),
            told(to_be_cancelled(60)),
            1,
        ),
        (
            "overdue, cancelled in vain",
            aged("running", 9 * DAY),
            told(to_be_cancelled(61)),
            1,
        ),
        (
            "not overdue, cancelled in vain",
            aged("running", 90),
            told(to_be_cancelled(61)),
            1,
        ),
        (
            "not overdue, cancelled lately",
            aged("running", 90),
            told(to_be_cancelled(5)),
            0,
        ),
        (
            "not overdue, another was cancelled in vain",
            aged("running", 90),
            told(OutcomeNote {
                pipeline: Some(PipelineId(8)),
                ..to_be_cancelled(61)
            }),
            0,
        ),
        (
            "blocked, cancelled in vain",
            aged("manual", 90),
            told(to_be_cancelled(61)),
            1,
        ),
        (
            "canceling for long",
            aged("canceling", 9 * DAY),
            told(to_be_cancelled(61)),
            1,
        ),
        (
            "overdue, of another project",
            of_project(aged("running", 9 * DAY)),
            linked(),
            1,
        ),
        (
            "blocked, of another project",
            of_project(aged("manual", 9 * DAY)),
            linked(),
            0,
        ),
        (
            "retried, overdue",
            aged("running", 9 * DAY),
            told(outcome("failed")),
            1,
        ),
        (
            "retried",
            aged("running", 2 * DAY),
            told(outcome("failed")),
            0,
        ),
    ] {
        assert_eq!(named(record, thread), expected, "{case}");
    }
}

#[test]
fn how_it_is_named() {
    let mut foreign = snapshot([], [of_project(aged("running", 3 * DAY))]);
    foreign.unreadable = vec![
        unreadable(8, -3 * DAY, "pending"),
        unreadable(7, -30, "running"),
    ];
    insta::assert_snapshot!(overdue(&foreign).join("\n"), @r"
    benchmark pipeline https://gitlab.example.com/acme/benchmarks/-/pipelines/9 is overdue: created 72 hours ago, still running; it no longer holds up the queue, but somebody has to cancel or delete it
    benchmark pipeline https://gitlab.example.com/acme/benchmarks/-/pipelines/8 is overdue: created 72 hours ago, still pending; it no longer holds up the queue, but somebody has to cancel or delete it
    ");
}
