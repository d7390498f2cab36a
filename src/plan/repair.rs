//! What reconcile does about records and discussions: it posts outcomes, cancels withdrawn benchmarks, adds missing links,
//! and brings every discussion to an end.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::closing::{Closing, closings, is_at_rest, marked_before};
use super::discussions::{is_other_outcome_posted, outcomes, redundant_notes, thread_of, unlinked};
use super::label_events::{is_label_removed_by_bot, withdrawn};
use super::places;
use super::requests::{is_primary, is_stuck, is_superseded, may_be_duplicate};
use super::{Plan, Rules, in_flight};
use crate::gitlab::answer::{Outcome, Status};
use crate::id::Iid;
use crate::note::{OutcomeNote, Thread};
use crate::record::Record;
use crate::snapshot::{Request, Snapshot};

/// Something to do on one merge request.
#[derive(Clone, Debug, PartialEq)]
pub enum Repair<'a> {
    /// About a record.
    Record(&'a Record, RecordRepair<'a>),
    /// Close a request that went away before it had a record.
    Close(Closing<'a>),
    /// Remove the bot's reactions if they were set before this time: nothing is unfinished there.
    Unmark(Iid, DateTime<Utc>),
    /// Set ⏳: something is unfinished there, and without ⏳ a later run might not find its end.
    Mark(Iid),
}

#[derive(Clone, Debug, PartialEq)]
pub enum RecordRepair<'a> {
    /// Add the link to the discussion's first note, and delete duplicate notes.
    Link,
    /// Post the outcome, then take the label off if it is still on.
    Finish {
        outcome: Outcome,
        reply: Reply<'a>,
        labelled: Option<&'a Request>,
    },
    /// Edit an outdated reply.
    Amend(Outcome, &'a OutcomeNote),
    /// Reply, then cancel.
    Withdraw(Reply<'a>),
    /// Reply, cancel, then take the label off if it is still on.
    CutShort {
        why: CutShort,
        reply: Reply<'a>,
        labelled: Option<&'a Request>,
    },
    /// Cancel without a reply: a reply has announced the cancel already, another record serves the request, or the merge
    /// request is gone.
    Cancel,
}

/// Why a benchmark that somebody still asks for does not run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutShort {
    Stuck,
    Superseded,
}

/// Whether the reply with the outcome has been posted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply<'a> {
    Posted,
    /// It names another status than the pipeline's: the pipeline was to be cancelled, or somebody retried it.
    Outdated(&'a OutcomeNote),
    Due(&'a Thread),
    /// Somebody deleted the discussion.
    DueInNewThread,
}

/// How long each run repeats a cancel. After that, a person has to deal with the pipeline.
const CANCELLING: TimeDelta = TimeDelta::hours(1);
/// The same if no note says when cancelling began: counted from the timeout, and long enough for rare runs.
const CANCELLING_IN_SILENCE: TimeDelta = TimeDelta::days(30);

pub fn reconcile<'a>(snapshot: &'a Snapshot, rules: &Rules) -> Plan<'a> {
    let of_records = snapshot
        .own_records()
        .filter_map(|record| repair(snapshot, record, rules));
    let mut repairs: Vec<Repair> = of_records.collect();
    for mr in snapshot.merge_requests.values() {
        repairs.extend(closings(snapshot, mr, rules).into_iter().map(Repair::Close));
    }
    let busy = repairs.iter().filter(|repair| repair.ends_something());
    let busy: Vec<Iid> = busy.map(Repair::mr).collect();
    let marked: BTreeSet<Iid> = [&snapshot.begun, &snapshot.seen]
        .into_iter()
        .flatten()
        .flatten()
        .copied()
        .collect();
    let idle = marked.iter().filter(|iid| !busy.contains(iid));
    let at_rest = idle.filter(|iid| is_at_rest(snapshot, **iid));
    repairs.extend(at_rest.filter_map(|iid| {
        let before = marked_before(snapshot, *iid)?;
        Some(Repair::Unmark(*iid, before))
    }));
    if let Some(begun) = &snapshot.begun {
        let in_flight = snapshot.own_records().filter(|record| {
            !record.status.ended()
                && is_primary(snapshot, record)
                && !is_outcome_posted(snapshot, record)
        });
        let read = in_flight.filter(|record| snapshot.threads.contains_key(&record.task.mr));
        let unmarked: BTreeSet<Iid> = read.map(|record| record.task.mr).collect();
        let unmarked = unmarked
            .into_iter()
            .filter(|iid| !begun.contains(iid) && !busy.contains(iid));
        repairs.extend(unmarked.map(Repair::Mark));
    }
    Plan {
        repairs,
        ..in_flight(snapshot, rules)
    }
}

impl Repair<'_> {
    pub fn mr(&self) -> Iid {
        match self {
            Repair::Record(record, _) => record.task.mr,
            Repair::Close(closing) => closing.mr.iid,
            Repair::Unmark(iid, _) | Repair::Mark(iid) => *iid,
        }
    }

    /// Whether carrying it out may also remove the bot's reactions.
    fn ends_something(&self) -> bool {
        match self {
            Repair::Record(_, what) => !matches!(
                what,
                RecordRepair::Link | RecordRepair::Amend(..) | RecordRepair::Cancel
            ),
            Repair::Close(_) | Repair::Unmark(..) => true,
            Repair::Mark(_) => false,
        }
    }
}

pub(super) fn repair<'a>(
    snapshot: &'a Snapshot,
    record: &'a Record,
    rules: &Rules,
) -> Option<Repair<'a>> {
    let what = what(snapshot, record, rules)?;
    Some(Repair::Record(record, what))
}

fn what<'a>(snapshot: &'a Snapshot, record: &'a Record, rules: &Rules) -> Option<RecordRepair<'a>> {
    let task = &record.task;
    let cancelling = record.status.word() == "canceling";
    // For cases in which no note says when cancelling began.
    let cancel_in_silence = || {
        let age = snapshot.now - places::in_flight_since(snapshot, record);
        let is_lost = age > rules.timeout + CANCELLING_IN_SILENCE;
        (!record.status.ended() && !cancelling && !is_lost).then_some(RecordRepair::Cancel)
    };
    // No matter what else is known, no two benchmarks may run for one request.
    if snapshot.gone.contains(&task.mr) || !is_primary(snapshot, record) {
        return cancel_in_silence();
    }
    let mr = snapshot.merge_requests.get(&task.mr)?;
    let threads = snapshot.threads.get(&task.mr)?;
    if !record.status.ended() && is_other_outcome_posted(threads, record) {
        return cancel_in_silence();
    }
    if may_be_duplicate(snapshot, mr, record) {
        return None;
    }
    let thread = thread_of(threads, record);
    let posted = outcomes(threads, record).next().map(|(_, note)| note);
    let outdated = posted.filter(|note| is_outdated(note, record));
    let reply = match (outdated, thread) {
        (Some(note), _) => Reply::Outdated(note),
        _ if posted.is_some() => Reply::Posted,
        (None, Some(thread)) => Reply::Due(thread),
        (None, None) => Reply::DueInNewThread,
    };
    let labelled = snapshot.request_of(record);
    let is_on = labelled.is_some();
    // Then GitLab refused the note, or somebody has deleted it since.
    let is_label_removed_by_bot =
        is_label_removed_by_bot(mr, task.request, &task.label, &snapshot.bot);
    let intact = unlinked(threads, record).is_none() && redundant_notes(threads, record).is_empty();
    let link = (!intact).then_some(RecordRepair::Link);
    match &record.status {
        // Even if the label was taken off before this run, readers of the discussion still wait for the outcome.
        Status::Ended(outcome)
            if is_on || (matches!(reply, Reply::Due(_)) && !is_label_removed_by_bot) =>
        {
            Some(RecordRepair::Finish {
                outcome: *outcome,
                reply,
                labelled,
            })
        }
        Status::Ended(outcome) => match outdated {
            Some(note) => Some(RecordRepair::Amend(*outcome, note)),
            // A run was interrupted after it had posted the outcome, and then somebody took the label off.
            None if posted.is_some() => link,
            None => None,
        },
        Status::Alive(_) if !is_on && posted.is_some() => match posted {
            Some(note) if is_to_be_cancelled(snapshot, note) && !cancelling => {
                Some(RecordRepair::Cancel)
            }
            // It is canceling, or a person has to deal with it, or somebody retried it and has to end it.
            _ => None,
        },
        Status::Alive(_) if !is_on && withdrawn(mr, task.request, &task.label) => match reply {
            Reply::DueInNewThread => cancel_in_silence(),
            // It timed out.
            _ if is_label_removed_by_bot && is_stuck(snapshot, record, rules) => {
                cancel_in_silence()
            }
            reply => Some(RecordRepair::Withdraw(reply)),
        },
        Status::Alive(_) => {
            let stuck = is_stuck(snapshot, record, rules).then_some(CutShort::Stuck);
            let superseded = is_superseded(mr, record, rules).then_some(CutShort::Superseded);
            match stuck.or(superseded) {
                Some(why) => Some(RecordRepair::CutShort {
                    why,
                    reply,
                    labelled,
                }),
                None => link,
            }
        }
    }
}

fn is_outdated(note: &OutcomeNote, record: &Record) -> bool {
    let ends_otherwise = |outcome: Outcome| note.status.as_deref() != Some(outcome.word());
    note.pipeline == Some(record.pipeline)
        && matches!(record.status, Status::Ended(outcome) if ends_otherwise(outcome))
}

/// The reply announces a cancel, and the pipeline is not known to be cancelled yet.
fn is_to_be_cancelled(snapshot: &Snapshot, note: &OutcomeNote) -> bool {
    note.cancels && note.status.is_none() && is_recent(snapshot, note)
}

fn is_recent(snapshot: &Snapshot, note: &OutcomeNote) -> bool {
    let posted_at = note.posted_at;
    posted_at.is_some_and(|at| snapshot.now - at <= CANCELLING)
}

/// Whether the record's outcome is posted.
pub fn is_outcome_posted(snapshot: &Snapshot, record: &Record) -> bool {
    let threads = snapshot.threads.get(&record.task.mr);
    threads.is_some_and(|threads| outcomes(threads, record).next().is_some())
}

/// Whether the bot has given up cancelling the pipeline, so that a person has to end it.
pub fn is_past_cancelling(snapshot: &Snapshot, record: &Record) -> bool {
    let threads = snapshot.threads.get(&record.task.mr).into_iter().flatten();
    let mut notes = threads.flat_map(|thread| &thread.outcomes);
    !record.status.ended()
        && notes.any(|note| {
            note.pipeline == Some(record.pipeline)
                && note.cancels
                && note.status.is_none()
                && !is_to_be_cancelled(snapshot, note)
        })
}
