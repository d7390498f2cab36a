//! What a plan comes to when it is carried out.

use std::collections::BTreeSet;

use bench_bot::id::{DiscussionId, Iid, NoteId};
use bench_bot::note::{OpeningNote, OutcomeNote, Thread, Unstarted};
use bench_bot::plan::{self, RecordRepair, Repair};
use bench_bot::record::Record;
use bench_bot::snapshot::{Request, Snapshot};

use crate::scene::*;

pub fn carried_out(before: &Snapshot, cancels_at_once: bool) -> Snapshot {
    let mut after = before.clone();
    let mut seen = BTreeSet::new();
    for repair in plan::reconcile(before, &RULES).repairs {
        assert!(seen.insert(format!("{repair:?}")), "twice: {repair:?}");
        match repair {
            Repair::Record(record, what) => carry_out(&mut after, record, &what, cancels_at_once),
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
            Repair::Unmark(iid, _) => assert!(marks(&mut after).remove(&iid)),
            Repair::Mark(iid) => assert!(marks(&mut after).insert(iid)),
        }
    }
    after
}

fn marks(after: &mut Snapshot) -> &mut BTreeSet<Iid> {
    after.begun.as_mut().expect("they were asked for")
}

fn carry_out(after: &mut Snapshot, record: &Record, what: &RecordRepair, cancels_at_once: bool) {
    let mr = record.task.mr;
    let status = match what {
        RecordRepair::Finish { outcome, .. } => Some(outcome.word()),
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
        RecordRepair::Finish { reply, .. }
        | RecordRepair::Withdraw(reply)
        | RecordRepair::CutShort { reply, .. } => {
            let threads = after.threads.get_mut(&mr).expect("they were read");
            match reply {
                plan::Reply::Posted => {}
                plan::Reply::Outdated(note) => amend(threads, note, status),
                plan::Reply::Due(thread) => {
                    let thread = threads.iter_mut().find(|other| other.id == thread.id);
                    thread.expect("it is there").outcomes.push(note);
                }
                plan::Reply::DueInNewThread => threads.push(Thread {
                    id: DiscussionId(format!("{:040}", 7000 + record.pipeline.0)),
                    opening: Some(OpeningNote {
                        note: NoteId(7000 + record.pipeline.0),
                        body: String::new(),
                        request: record.task.request,
                        label: Some(record.task.label.clone()),
                        sha: None,
                        linked: Some(record.pipeline),
                        state: None,
                        project: None,
                        triggered: None,
                        waits: None,
                    }),
                    outcomes: vec![note],
                    resolved: false,
                }),
            }
        }
        RecordRepair::Amend(outcome, note) => {
            let threads = after.threads.get_mut(&mr).expect("they were read");
            amend(threads, note, Some(outcome.word()));
        }
        RecordRepair::Link | RecordRepair::Cancel => {}
    }
    match what {
        RecordRepair::Finish { labelled: None, .. }
        | RecordRepair::CutShort { labelled: None, .. } => {}
        RecordRepair::Finish { labelled, .. } | RecordRepair::CutShort { labelled, .. } => {
            repair_thread(after, record);
            take_off(after, mr, *labelled);
        }
        RecordRepair::Link | RecordRepair::Withdraw(_) => repair_thread(after, record),
        RecordRepair::Amend(..) | RecordRepair::Cancel => {}
    }
    if matches!(
        what,
        RecordRepair::Withdraw(_) | RecordRepair::CutShort { .. } | RecordRepair::Cancel
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

fn repair_thread(after: &mut Snapshot, record: &Record) {
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
    let redundant_notes = plan::redundant_notes(threads, record);
    for thread in threads {
        thread
            .outcomes
            .retain(|note| !redundant_notes.contains(&note.note));
        thread
            .opening
            .take_if(|opening| redundant_notes.contains(&opening.note));
    }
}

fn take_off(after: &mut Snapshot, mr: Iid, labelled: Option<&Request>) {
    let Some(request) = labelled else { return };
    let mr = after.merge_requests.get_mut(&mr).expect("it was read");
    mr.requests.retain(|on| on != request);
    let id = 9000 + mr.events.len() as u64;
    mr.events.push(event(id, "remove", Some(&request.label)));
}

fn amend(threads: &mut [Thread], note: &OutcomeNote, status: Option<&str>) {
    let mut notes = threads.iter_mut().flat_map(|thread| &mut thread.outcomes);
    let posted = notes.find(|posted| posted.note == note.note);
    posted.expect("it is there").status = status.map(str::to_owned);
}
