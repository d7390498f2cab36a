//! What is to be done about records: what ended is told, what is not asked for any more is cancelled, what is missing is
//! put in.

use super::{Plan, Resolve, Rules, of_request, scan, stuck};
use crate::gitlab::answer::{Outcome, Status};
use crate::id::{NoteId, RequestId};
use crate::note::{First, Thread, Told};
use crate::record::Record;
use crate::snapshot::Snapshot;

/// Something to be done about a record.
#[derive(Clone, Debug)]
pub struct Repair<'a> {
    pub record: &'a Record,
    pub what: What<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What<'a> {
    /// Put the link into the discussion's first note, and take out what is one too many.
    Link,
    /// Tell the outcome, then take the label off where it still is on.
    Finish {
        outcome: Outcome,
        reply: Reply<'a>,
        labelled: bool,
    },
    /// Say so, then cancel.
    Withdraw(Reply<'a>),
    /// Say so, cancel, then take the label off.
    TimeOut(Reply<'a>),
    /// Another record stands for the request, or its merge request is gone.
    Cancel,
}

/// Whether the discussion has the one reply with the outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply<'a> {
    Made,
    Due(&'a Thread),
    /// A person deleted the discussion.
    DueAnew,
}

pub fn reconcile<'a>(snapshot: &'a Snapshot, rules: &Rules) -> Plan<'a> {
    let repairs = snapshot
        .own_records()
        .filter_map(|record| repair(snapshot, record, rules));
    let seen = scan(snapshot, rules);
    Plan {
        repairs: repairs.collect(),
        free: 0,
        ..seen
    }
}

pub(super) fn repair<'a>(
    snapshot: &'a Snapshot,
    record: &'a Record,
    rules: &Rules,
) -> Option<Repair<'a>> {
    let what = what(snapshot, record, rules)?;
    Some(Repair { record, what })
}

fn what<'a>(snapshot: &'a Snapshot, record: &'a Record, rules: &Rules) -> Option<What<'a>> {
    let task = &record.task;
    let cancelling = record.status.word() == "canceling";
    if snapshot.gone.contains(&task.mr) {
        return (!record.status.ended() && !cancelling).then_some(What::Cancel);
    }
    let mr = snapshot.merge_requests.get(&task.mr)?;
    let threads = snapshot.threads.get(&task.mr)?;
    let thread = thread_of(threads, record);
    let told = outcomes(threads, task.request)
        .next()
        .map(|(_, told)| *told);
    let reply = match thread {
        _ if told.is_some() || spoken_for(snapshot, record) => Reply::Made,
        Some(thread) => Reply::Due(thread),
        None => Reply::DueAnew,
    };
    let asked = mr.request.filter(|request| request.id == task.request);
    let lowest = of_request(snapshot, task.mr, task.request).next();
    let stands = lowest.is_some_and(|lowest| lowest.pipeline == record.pipeline);
    let mended = unlinked(threads, record).is_none() && surplus(threads, record).is_empty();
    match (&record.status, asked) {
        // Where the label went before anybody looked, whoever reads the discussion still waits for the outcome.
        (Status::Ended(outcome), _)
            if stands && (asked.is_some() || matches!(reply, Reply::Due(_))) =>
        {
            Some(What::Finish {
                outcome: *outcome,
                reply,
                labelled: asked.is_some(),
            })
        }
        // A run stopped when it had told the outcome, and then the label went.
        (Status::Ended(_), _) if stands && told.is_some() && !mended => Some(What::Link),
        (Status::Ended(_), _) => None,
        // Somebody retried it when all had been told: that is theirs to end.
        (Status::Alive(_), None) if told.is_some_and(|told| !told.cancels) => None,
        (Status::Alive(_), None) if cancelling && reply == Reply::Made => None,
        (Status::Alive(_), None) if reply == Reply::DueAnew => Some(What::Cancel),
        (Status::Alive(_), None) => Some(What::Withdraw(reply)),
        (Status::Alive(_), Some(_)) if !stands => (!cancelling).then_some(What::Cancel),
        (Status::Alive(_), Some(_)) if stuck(snapshot, record, rules) => Some(What::TimeOut(reply)),
        (Status::Alive(_), Some(_)) => (!mended).then_some(What::Link),
    }
}

/// Another record in flight for the same request has the reply made.
fn spoken_for(snapshot: &Snapshot, record: &Record) -> bool {
    let mut twins = of_request(snapshot, record.task.mr, record.task.request);
    twins.any(|twin| twin.pipeline < record.pipeline && !twin.status.ended())
}

/// The discussion that the record names, else another that was opened for the same request.
fn thread_of<'a>(threads: &'a [Thread], record: &Record) -> Option<&'a Thread> {
    let task = &record.task;
    let opened = |thread: &Thread| {
        thread
            .first
            .as_ref()
            .is_some_and(|first| first.request == task.request)
    };
    let named = threads.iter().find(|thread| thread.id == task.discussion);
    named.or_else(|| threads.iter().find(|thread| opened(thread)))
}

/// The first note of the record's discussion, if it does not link to the record's pipeline.
pub fn unlinked<'a>(threads: &'a [Thread], record: &Record) -> Option<&'a First> {
    let first = thread_of(threads, record)?.first.as_ref()?;
    let linked = first.linked == Some(record.pipeline);
    (first.request == record.task.request && !linked).then_some(first)
}

fn outcomes(threads: &[Thread], request: RequestId) -> impl Iterator<Item = (&Thread, &Told)> {
    let all = threads
        .iter()
        .flat_map(|thread| thread.outcomes.iter().map(move |told| (thread, told)));
    all.filter(move |(_, told)| told.request == request)
}

/// The one that stays where there are several.
fn outcome_of<'a>(threads: &'a [Thread], record: &Record) -> Option<(&'a Thread, &'a Told)> {
    let standing = thread_of(threads, record).map(|thread| &thread.id);
    outcomes(threads, record.task.request)
        .min_by_key(|(thread, told)| (Some(&thread.id) != standing, told.note))
}

/// The discussion that is still to be resolved, since the outcome is told there.
pub fn unresolved<'a>(
    threads: &'a [Thread],
    record: &Record,
    resolve: Resolve,
) -> Option<&'a Thread> {
    let (thread, told) = outcome_of(threads, record)?;
    let success = record.status == Status::Ended(Outcome::Success) && !told.cancels;
    (!thread.resolved && resolve.takes(success)).then_some(thread)
}

/// The bot's notes about a request that are one too many: two runs at once, or a write whose answer was lost, can
/// make a second discussion or a second reply.
pub fn surplus(threads: &[Thread], record: &Record) -> Vec<NoteId> {
    let request = record.task.request;
    let standing = thread_of(threads, record).map(|thread| &thread.id);
    let kept = outcome_of(threads, record);
    let other_outcomes = outcomes(threads, request)
        .map(|(_, told)| told.note)
        .filter(|note| kept.is_some_and(|(_, kept)| kept.note != *note));
    let other_firsts = threads
        .iter()
        .filter(|thread| Some(&thread.id) != standing)
        .filter(|thread| kept.is_none_or(|(of, _)| of.id != thread.id))
        .filter_map(|thread| thread.first.as_ref())
        .filter(|first| first.request == request)
        .map(|first| first.note);
    other_outcomes.chain(other_firsts).collect()
}
