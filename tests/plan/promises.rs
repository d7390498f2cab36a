//! What must hold for any snapshot.

use std::collections::BTreeSet;

use bench_bot::gitlab::answer::{LabelEvent, Version};
use bench_bot::id::{DiscussionId, Iid, NoteId, PipelineId, RequestId};
use bench_bot::note::{OpeningNote, OutcomeNote, Thread, Unstarted};
use bench_bot::plan::{self, Condition, Order, Repair, Rules, What};
use bench_bot::record::Record;
use bench_bot::snapshot::{MergeRequest, Origin, Request, Snapshot};
use proptest::prelude::*;
use proptest::sample::select;

use crate::scene::*;

const LABELS: [&str; 2] = [LABEL, FULL];

fn request_id(iid: u64, event: usize) -> RequestId {
    RequestId(iid * 100 + event as u64)
}

prop_compose! {
    /// Its labels were put on and taken off in turn; one may be missing without any event.
    fn any_mr(iid: u64)(
        history in prop::collection::vec(0..2usize, 0..5),
        is_missing in prop::bool::weighted(0.1),
        is_renamed in prop::bool::weighted(0.1),
        by in select(vec![Some((30, "dana")), Some((31, "olga")), Some((20, "bench-bot")), Some((1, "ghost")), None]),
        fork in prop::option::weighted(0.3, prop::collection::vec((select(vec!["a", "c"]), -90..-30i64), 0..3)),
        started in -300..0i64,
        status in select(vec!["success", "success", "success", "failed", "running"]),
        state in select(vec!["opened", "opened", "opened", "merged", "closed"]),
    ) -> MergeRequest {
        let mut is_on = [false; 2];
        let mut requests = [None, None];
        let mut events = Vec::new();
        for (at_, label) in history.into_iter().enumerate() {
            is_on[label] ^= true;
            let action = if is_on[label] { "add" } else { "remove" };
            let id = request_id(iid, at_);
            events.push(event(id.0, action, Some(if is_renamed { "renamed" } else { LABELS[label] })));
            requests[label] = is_on[label].then(|| Request {
                by: by.map(|(id, name)| user(id, name)),
                ..request(id.0, LABELS[label])
            });
        }
        with(iid, |mr| {
            mr.state = state.to_owned();
            mr.events = events;
            mr.requests = requests.into_iter().flatten().filter(|_| !is_missing && !is_renamed).collect();
            let pipeline = mr.pipeline.as_mut().expect("it has one");
            (pipeline.status, pipeline.started_at) = (word(status), Some(at(started)));
            if let Some(versions) = fork {
                let version = |(id, (head, minutes)): (usize, (&str, i64))| Version {
                    id: id as u64,
                    head_commit_sha: Some(sha(head)),
                    created_at: at(minutes),
                };
                mr.origin = Origin::Fork {
                    author: Some(user(31, "olga")),
                    versions: versions.into_iter().enumerate().map(version).collect(),
                };
            }
        })
    }
}

prop_compose! {
    fn any_record()(
        iid in 1..7u64,
        event in 0..5usize,
        label in 0..3usize,
        status in select(vec!["created", "running", "manual", "canceling", "success", "failed", "canceled"]),
        unchanged in 0..60i64,
        commit in select(vec!["a", "c"]),
    ) -> Record {
        let mut record = record(0, iid, status);
        record.task.request = request_id(iid, event);
        record.task.label = [LABEL, FULL, "somebody-elses"][label].to_owned();
        record.task.sha = sha(commit);
        record.updated_at = at(-unchanged * 60);
        record
    }
}

prop_compose! {
    /// What the bot wrote for one request.
    fn any_thread()(
        iid in 1..7u64,
        event in 0..5usize,
        label in 0..2usize,
        linked in prop::option::of(1..20u64),
        state in prop::option::weighted(0.3, select(vec![Unstarted::Refused, Unstarted::Unavailable, Unstarted::Closed])),
        status in prop::option::weighted(0.4, select(vec![None, Some("success"), Some("canceled")])),
        posted in 0..120i64,
        resolved: bool,
    ) -> (Iid, Thread) {
        let (request, label) = (request_id(iid, event), Some(LABELS[label].to_owned()));
        let outcome = |status: Option<&str>| OutcomeNote {
            note: NoteId(request.0 + 5000),
            request,
            label: label.clone(),
            pipeline: linked.map(PipelineId),
            status: status.map(str::to_owned),
            ..to_be_cancelled(posted)
        };
        let outcomes: Vec<_> = status.into_iter().map(outcome).collect();
        let thread = Thread {
            id: DiscussionId(format!("{:040}", request.0)),
            opening: Some(OpeningNote {
                note: NoteId(request.0),
                body: String::new(),
                request,
                label,
                sha: Some(sha("a")),
                linked: linked.map(PipelineId),
                state: state.filter(|_| linked.is_none()),
            }),
            outcomes,
            resolved,
        };
        (Iid(iid), thread)
    }
}

prop_compose! {
    fn any_snapshot()(
        mrs in (any_mr(1), any_mr(2), any_mr(3), any_mr(4), any_mr(5)),
        records in prop::collection::btree_map(1..20u64, any_record(), 0..8),
        threads in prop::collection::vec(any_thread(), 0..10),
        unread in prop::option::weighted(0.2, (1..20u64, -70..0i64, select(vec!["running", "success", "manual"]))),
        uncertain in prop::option::weighted(0.2, (1..6u64, 0..5usize)),
        marked in prop::collection::btree_set(1..7u64, 0..3),
        threads_unread in prop::collection::btree_set(1..6u64, 0..2),
    ) -> Snapshot {
        let mrs = [mrs.0, mrs.1, mrs.2, mrs.3, mrs.4];
        let records: Vec<Record> = records
            .into_iter()
            .map(|(id, record)| {
                // Ids grow with time.
                let created_at = at((id as i64 - 20) * 180);
                let updated_at = record.updated_at.max(created_at);
                Record { pipeline: PipelineId(id), created_at, updated_at, ..record }
            })
            .collect();
        let mut snapshot = two_labels(mrs, records);
        snapshot.gone.insert(Iid(6));
        for iid in (1..6).filter(|iid| !threads_unread.contains(iid)) {
            snapshot.threads.insert(Iid(iid), Vec::new());
        }
        for (iid, thread) in threads {
            if let Some(threads) = snapshot.threads.get_mut(&iid)
                && threads.iter().all(|other| other.id != thread.id)
            {
                threads.push(thread);
            }
        }
        let unread = unread.map(|(id, minutes, status)| unreadable(id, minutes, status));
        snapshot.unreadable.extend(unread);
        snapshot.uncertain.extend(uncertain.map(|(iid, event)| (Iid(iid), request_id(iid, event))));
        snapshot.marked.extend(marked.into_iter().map(Iid));
        snapshot
    }
}

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

fn takes_a_place(snapshot: &Snapshot, record: &Record) -> bool {
    let mut retried = notes(snapshot, record)
        .filter(|note| note.pipeline == Some(record.pipeline) && note.status.is_some());
    let is_ours = record.task.label != "somebody-elses" || snapshot.request_of(record).is_some();
    let (minutes, most) = match is_ours && retried.next().is_none() {
        true => (age(snapshot, record), DAY + 60),
        false => ((snapshot.now - record.updated_at).num_minutes(), 2 * DAY),
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
            let Origin::Fork { versions, .. } = &queued.mr.origin else { continue };
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
            let Repair::Of(record, what) = &repair else { continue };
            let (mr, request) = (record.task.mr, record.task.request);
            let is_twin = || {
                let mut all = snapshot.records.iter();
                all.any(|other| serves(other, mr, request) && other.pipeline < record.pipeline)
            };
            let followed = || is_followed(&snapshot.merge_requests[&mr], request);
            let announced = || {
                let mut notes = notes(&snapshot, record).filter(|note| note.request == request);
                notes.any(|note| note.cancels && note.status.is_none())
            };
            let is_evident = match what {
                What::Withdraw(_) => followed(),
                What::Cancel => mr == Iid(6) || is_twin() || announced() || followed(),
                What::TimeOut { .. } => age(&snapshot, record) > DAY,
                What::Link | What::Finish { .. } | What::Amend(..) => true,
            };
            prop_assert!(is_evident, "{repair:?}");
            prop_assert!(snapshot.owns(record), "{repair:?}");
            let cancels = matches!(what, What::Withdraw(_) | What::Cancel | What::TimeOut { .. });
            prop_assert_eq!(matches!(what, What::Finish { .. } | What::Amend(..)), record.status.ended() && *what != What::Link);
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
            prop_assert!(left || closing.mr.requests.iter().all(|request| request.label != closing.label));
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

fn carried_out(before: &Snapshot, cancels_at_once: bool) -> Snapshot {
    let mut after = before.clone();
    let mut seen = BTreeSet::new();
    for repair in plan::reconcile(before, &RULES).repairs {
        assert!(seen.insert(format!("{repair:?}")), "twice: {repair:?}");
        match repair {
            Repair::Of(record, what) => carry_out(&mut after, record, &what, cancels_at_once),
            Repair::Close(closing) => {
                let threads = after.threads.entry(closing.mr.iid).or_default();
                for thread in threads {
                    if closing
                        .discussion
                        .is_some_and(|(closed, _)| closed.id == thread.id)
                    {
                        opening(thread).state = Some(Unstarted::Closed);
                    }
                }
                take_off(&mut after, closing.mr.iid, closing.labelled);
            }
            Repair::Unmark(iid) => assert!(after.marked.remove(&iid)),
        }
    }
    after
}

fn carry_out(after: &mut Snapshot, record: &Record, what: &What, cancels_at_once: bool) {
    let mr = record.task.mr;
    let status = match what {
        What::Finish { outcome, .. } => Some(outcome.word()),
        _ if cancels_at_once => Some("canceled"),
        _ => None,
    };
    let note = OutcomeNote {
        note: NoteId(6000 + record.pipeline.0),
        request: record.task.request,
        label: Some(record.task.label.clone()),
        pipeline: Some(record.pipeline),
        status: status.map(str::to_owned),
        ..to_be_cancelled(0)
    };
    match what {
        What::Finish { reply, .. } | What::Withdraw(reply) | What::TimeOut { reply, .. } => {
            let threads = after.threads.get_mut(&mr).expect("they were read");
            match reply {
                plan::Reply::Made => {}
                plan::Reply::Due(thread) => {
                    let thread = threads.iter_mut().find(|other| other.id == thread.id);
                    thread.expect("it is there").outcomes.push(note);
                }
                plan::Reply::DueAnew => threads.push(Thread {
                    id: DiscussionId(format!("{:040}", 7000 + record.pipeline.0)),
                    opening: Some(OpeningNote {
                        note: NoteId(7000 + record.pipeline.0),
                        body: String::new(),
                        request: record.task.request,
                        label: Some(record.task.label.clone()),
                        sha: None,
                        linked: Some(record.pipeline),
                        state: None,
                    }),
                    outcomes: vec![note],
                    resolved: false,
                }),
            }
        }
        What::Amend(outcome, note) => {
            let threads = after.threads.get_mut(&mr).expect("they were read");
            let mut notes = threads.iter_mut().flat_map(|thread| &mut thread.outcomes);
            let posted = notes.find(|posted| posted.note == note.note);
            posted.expect("it is there").status = Some(outcome.word().to_owned());
        }
        What::Link | What::Cancel => {}
    }
    match what {
        What::Finish { labelled: None, .. } | What::TimeOut { labelled: None, .. } => {}
        What::Finish { labelled, .. } | What::TimeOut { labelled, .. } => {
            mend(after, record);
            take_off(after, mr, *labelled);
        }
        What::Link | What::Withdraw(_) => mend(after, record),
        What::Amend(..) | What::Cancel => {}
    }
    if matches!(
        what,
        What::Withdraw(_) | What::TimeOut { .. } | What::Cancel
    ) {
        let status = if cancels_at_once {
            "canceled"
        } else {
            "canceling"
        };
        let mut records = after.records.iter_mut();
        let cancelled = records.find(|other| other.pipeline == record.pipeline);
        cancelled.expect("it is there").status = word(status);
    }
}

fn mend(after: &mut Snapshot, record: &Record) {
    let threads = after
        .threads
        .get_mut(&record.task.mr)
        .expect("they were read");
    if let Some(note) = plan::unlinked(threads, record).map(|opening| opening.note) {
        let mut openings = threads
            .iter_mut()
            .filter_map(|thread| thread.opening.as_mut());
        let found = openings.find(|opening| opening.note == note);
        found.expect("it is there").linked = Some(record.pipeline);
    }
    let surplus = plan::surplus(threads, record);
    for thread in threads {
        thread.outcomes.retain(|note| !surplus.contains(&note.note));
        thread
            .opening
            .take_if(|opening| surplus.contains(&opening.note));
    }
}

fn take_off(after: &mut Snapshot, mr: Iid, labelled: Option<&Request>) {
    let Some(request) = labelled else { return };
    let mr = after.merge_requests.get_mut(&mr).expect("it was read");
    mr.requests.retain(|on| on != request);
    let id = 9000 + mr.events.len() as u64;
    mr.events.push(event(id, "remove", Some(&request.label)));
}
