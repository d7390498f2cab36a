//! What must hold for any snapshot.

use bench_bot::gitlab::answer::{LabelEvent, Version};
use bench_bot::id::{Iid, RequestId};
use bench_bot::note::OutcomeNote;
use bench_bot::plan::{self, Condition, Order, RecordRepair, Repair, Rules};
use bench_bot::record::Record;
use bench_bot::snapshot::{MergeRequest, Origin, Snapshot};
use proptest::prelude::*;
use proptest::sample::select;

use crate::play::carried_out;
use crate::scene::*;
use crate::world::any_snapshot;

fn serves(record: &Record, mr: Iid, request: RequestId) -> bool {
    record.task.mr == mr && record.task.request == request
}

/// Its label's being taken off, or put on once more, since that request.
fn is_followed(mr: &MergeRequest, request: RequestId) -> bool {
    let name = |event: &LabelEvent| event.label.clone();
    let asked = mr.events.iter().find(|event| event.id == request);
    let mut later = mr.events.iter().filter(|event| event.id > request);
    match asked {
        Some(asked) => later.any(|event| name(event) == name(asked)),
        None => later.next().is_some(),
    }
}

fn notes<'a>(snapshot: &'a Snapshot, record: &Record) -> impl Iterator<Item = &'a OutcomeNote> {
    let threads = snapshot.threads.get(&record.task.mr).into_iter().flatten();
    threads.flat_map(|thread| &thread.outcomes)
}

fn age(snapshot: &Snapshot, record: &Record) -> i64 {
    (snapshot.now - record.created_at).num_minutes()
}

fn unchanged(snapshot: &Snapshot, record: &Record) -> i64 {
    (snapshot.now - record.updated_at).num_minutes()
}

/// Another has a lower id.
fn is_second(snapshot: &Snapshot, record: &Record) -> bool {
    let (mr, request) = (record.task.mr, record.task.request);
    let mut all = snapshot.records.iter();
    all.any(|other| serves(other, mr, request) && other.pipeline < record.pipeline)
}

fn takes_a_place(snapshot: &Snapshot, record: &Record) -> bool {
    let mut retried = notes(snapshot, record)
        .filter(|note| note.pipeline == Some(record.pipeline) && note.status.is_some());
    let is_ours = record.task.label != "somebody-elses" || snapshot.request_of(record).is_some();
    let (minutes, most) = match is_ours && retried.next().is_none() {
        true if is_second(snapshot, record) => (unchanged(snapshot, record), DAY + 60),
        true => (age(snapshot, record), DAY + 60),
        false => (unchanged(snapshot, record), 2 * DAY),
    };
    !record.status.ended() && record.status.word() != "manual" && minutes <= most
}

proptest! {
    #[test]
    fn never_more_than_the_limit(snapshot in any_snapshot(), limit in 0..5usize) {
        let plan = plan::scan(&snapshot, &Rules { max_in_flight: limit, ..RULES });
        let records = snapshot.records.iter().filter(|record| takes_a_place(&snapshot, record)).count();
        let unread = snapshot.unreadable.iter().filter(|found| found.status == Some(word("running"))).count();
        prop_assert_eq!(plan.taken(), records + unread);
        prop_assert_eq!(plan.free, limit.saturating_sub(records + unread));
    }

    #[test]
    fn never_a_second_benchmark_for_a_request(snapshot in any_snapshot()) {
        for queued in plan::scan(&snapshot, &RULES).queue {
            let (mr, request) = (queued.mr.iid, queued.request.id);
            prop_assert!(!snapshot.records.iter().any(|record| serves(record, mr, request)));
            prop_assert!(!snapshot.uncertain.contains(&(mr, request)));
            let younger = |at| at >= queued.request.at;
            prop_assert!(!snapshot.unreadable.iter().any(|found| younger(found.created_at)));
        }
    }

    /// Those who wait for their first before those who ask again, and the oldest pipeline first.
    #[test]
    fn who_goes_first(snapshot in any_snapshot()) {
        let queue = plan::scan(&snapshot, &RULES).queue;
        let again = |queued: &plan::Queued| {
            let (label, head) = (&queued.request.label, queued.head);
            let mut threads = snapshot.threads.get(&queued.mr.iid).into_iter().flatten();
            snapshot.records.iter().any(|record| {
                record.task.mr == queued.mr.iid && record.task.label == *label && record.task.sha == *head
            }) || threads.any(|thread| {
                let opening = thread.opening.as_ref().expect("each has one");
                opening.linked.is_some() && opening.label.as_ref() == Some(label) && opening.sha.as_ref() == Some(head)
            })
        };
        let keys: Vec<_> = queue.iter().map(|queued| (again(queued), queued.pipeline.started_at)).collect();
        prop_assert!(keys.is_sorted(), "{keys:?}");
    }

    #[test]
    fn no_commit_of_a_fork_goes_that_nobody_may_have_seen(snapshot in any_snapshot()) {
        for queued in plan::scan(&snapshot, &RULES).queue {
            let Origin::Fork { versions } = &queued.mr.origin else { continue };
            let by = queued.request.by.as_ref().expect("somebody").username.as_str();
            prop_assert!(["dana", "olga"].contains(&by));
            let since = |version: &&Version| Some(version.created_at) > queued.request.at;
            let new = versions.iter().filter(since).count();
            prop_assert!(versions.iter().any(|version| version.head_commit_sha.as_ref() == Some(queued.head)));
            prop_assert!(new < versions.len() || by == "olga");
        }
    }

    #[test]
    fn every_label_on_an_open_merge_request_is_told_of_once(snapshot in any_snapshot()) {
        let plan = plan::scan(&snapshot, &RULES);
        let queued = plan.queue.iter().map(|queued| (queued.mr.iid, queued.request.label.as_str()));
        let waiting = plan.waiting.iter().map(|waiting| (waiting.iid, waiting.label.expect("it was read")));
        let mut told: Vec<_> = queued.chain(waiting).collect();
        told.sort();
        let open = snapshot.merge_requests.values().filter(|mr| mr.state == "opened");
        let labelled = open.flat_map(|mr| mr.requests.iter().map(|request| (mr.iid, request.label.as_str())));
        prop_assert_eq!(told, labelled.collect::<Vec<_>>());
    }

    /// The explanation and the decision cannot come apart.
    #[test]
    fn all_conditions_hold_where_it_is_started_and_all_but_its_turn_where_it_is_queued(
        snapshot in any_snapshot(),
        max_in_flight in 0..5usize,
    ) {
        let rules = Rules { max_in_flight, ..RULES };
        let plan = plan::scan(&snapshot, &rules);
        for mr in snapshot.merge_requests.values() {
            for request in mr.requests.iter().map(Some).chain([None]) {
                let conditions = plan::explain(&snapshot, &plan, mr, request, &rules);
                let holds = |condition: &Condition| condition.holds == Some(true);
                let place = plan
                    .queue
                    .iter()
                    .position(|queued| queued.mr.iid == mr.iid && Some(queued.request) == request);
                let (turn, others) = conditions.split_last().expect("there are some");
                prop_assert_eq!(others.iter().all(holds), place.is_some());
                prop_assert_eq!(holds(turn), place.is_some_and(|place| place < plan.free));
            }
        }
    }

    #[test]
    fn same_snapshot_same_plan(snapshot in any_snapshot(), order in select(vec![Order::Pipeline, Order::Request])) {
        let (one, two) = (snapshot.clone(), snapshot);
        let rules = Rules { order, ..RULES };
        let plans = |snapshot| format!("{:?} {:?}", plan::scan(snapshot, &rules), plan::reconcile(snapshot, &rules));
        prop_assert_eq!(plans(&one), plans(&two));
    }

    #[test]
    fn nothing_is_withdrawn_or_cancelled_without_evidence(snapshot in any_snapshot()) {
        for repair in plan::reconcile(&snapshot, &RULES).repairs {
            let Repair::Record(record, what) = &repair else { continue };
            let (mr, request) = (record.task.mr, record.task.request);
            let is_other_outcome_posted = || {
                let notes = notes(&snapshot, record).filter(|note| note.request == request);
                let told: Vec<_> = notes.map(|note| note.pipeline).collect();
                !told.is_empty() && !told.contains(&Some(record.pipeline))
            };
            let is_twin = || is_second(&snapshot, record) || is_other_outcome_posted();
            let followed = || is_followed(&snapshot.merge_requests[&mr], request);
            let announced = || {
                let mut notes = notes(&snapshot, record).filter(|note| note.request == request);
                notes.any(|note| note.cancels && note.status.is_none())
            };
            let is_evident = match what {
                RecordRepair::Withdraw(_) => followed(),
                RecordRepair::Cancel => mr == Iid(6) || is_twin() || announced() || followed(),
                RecordRepair::CutShort { .. } => age(&snapshot, record) > DAY,
                RecordRepair::Link | RecordRepair::Finish { .. } | RecordRepair::Amend(..) => true,
            };
            prop_assert!(is_evident, "{repair:?}");
            prop_assert!(snapshot.owns(record), "{repair:?}");
            let cancels = matches!(what, RecordRepair::Withdraw(_) | RecordRepair::Cancel | RecordRepair::CutShort { .. });
            prop_assert_eq!(matches!(what, RecordRepair::Finish { .. } | RecordRepair::Amend(..)), record.status.ended() && *what != RecordRepair::Link);
            prop_assert!(!cancels || !record.status.ended());
        }
    }

    /// Nor is a discussion closed for which a benchmark may be under way, or may yet start.
    #[test]
    fn nothing_is_closed_that_may_have_a_benchmark(snapshot in any_snapshot()) {
        for repair in plan::reconcile(&snapshot, &RULES).repairs {
            let Repair::Close(closing) = repair else { continue };
            let left = ["merged", "closed"].contains(&closing.mr.state.as_str());
            let ids = [
                closing.discussion.map(|(_, opening)| opening.request),
                closing.labelled.map(|request| request.id),
            ];
            for id in ids.into_iter().flatten() {
                prop_assert!(left || is_followed(closing.mr, id));
                prop_assert!(!snapshot.records.iter().any(|record| serves(record, closing.mr.iid, id)));
                prop_assert!(!snapshot.uncertain.contains(&(closing.mr.iid, id)));
            }
            let closed = closing.discussion.map(|(_, opening)| opening.request);
            prop_assert!(left || closing.mr.requests.iter().all(|request| Some(request.id) != closed));
            prop_assert!(closing.labelled.is_none_or(|_| left));
        }
    }

    /// Carried out, plans soon ask for nothing more, whether GitLab cancels at once or is still about to.
    #[test]
    fn reconciled_there_is_nothing_left_to_do(mut snapshot in any_snapshot(), at_once: bool) {
        for _ in 0..4 {
            snapshot = carried_out(&snapshot, at_once);
        }
        prop_assert_eq!(repairs(&snapshot), [""; 0]);
    }
}
