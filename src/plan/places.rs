//! Which pipelines take one of the places that `--max-in-flight` gives: those that may use a machine and that somebody
//! will end.

use chrono::{DateTime, TimeDelta, Utc};

use super::Rules;
use super::requests::is_primary;
use crate::gitlab::answer::Status;
use crate::record::Record;
use crate::snapshot::{Snapshot, Unreadable};

/// A record whose pipeline has not ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InFlight<'a> {
    pub record: &'a Record,
    pub place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Taken,
    /// It waits for a manual job and uses no machine.
    Blocked,
    /// Nobody has ended it in time: it holds up the queue no longer.
    Overdue,
}

/// How long reconcile has for cancelling what is stuck.
pub const GRACE: TimeDelta = TimeDelta::hours(1);

pub(super) fn of_record(snapshot: &Snapshot, record: &Record, rules: &Rules) -> Place {
    let is_ours_to_end = snapshot.owns(record) && !was_retried(snapshot, record);
    let overdue = match is_ours_to_end {
        true => snapshot.now - in_flight_since(snapshot, record) > rules.timeout + GRACE,
        false => is_overdue_for_others(snapshot, record.updated_at, rules),
    };
    place(&record.status, overdue)
}

/// One that does not stand for its request is cancelled however often somebody retries it.
pub(super) fn in_flight_since(snapshot: &Snapshot, record: &Record) -> DateTime<Utc> {
    match is_primary(snapshot, record) {
        true => record.created_at,
        false => record.updated_at,
    }
}

/// `None` where it has ended.
pub(super) fn of_unreadable(
    snapshot: &Snapshot,
    found: &Unreadable,
    rules: &Rules,
) -> Option<Place> {
    let alive = Status::Alive(String::new());
    let status = found.status.as_ref().unwrap_or(&alive);
    let since = found.updated_at.or(found.created_at);
    let overdue = since.is_some_and(|since| is_overdue_for_others(snapshot, since, rules));
    (!status.ended()).then(|| place(status, overdue))
}

/// A retry begins its time again, as does whatever else has changed its status since.
fn is_overdue_for_others(snapshot: &Snapshot, since: DateTime<Utc>, rules: &Rules) -> bool {
    snapshot.now - since > rules.timeout * 2
}

fn place(status: &Status, overdue: bool) -> Place {
    match status.word() {
        "manual" => Place::Blocked,
        _ if overdue => Place::Overdue,
        _ => Place::Taken,
    }
}

/// Whether somebody retried it when it was known how it had ended: then it is theirs to end.
pub fn was_retried(snapshot: &Snapshot, record: &Record) -> bool {
    let threads = snapshot.threads.get(&record.task.mr).into_iter().flatten();
    let mut outcomes = threads.flat_map(|thread| &thread.outcomes);
    outcomes.any(|outcome| outcome.pipeline == Some(record.pipeline) && outcome.status.is_some())
}
