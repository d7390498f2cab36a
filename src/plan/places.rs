//! Which pipelines count towards `--max-in-flight`: those that may use a machine and that somebody will end.

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
    /// It waits for a manual job, so it uses no machine.
    Blocked,
    /// Nobody has ended it in time, so it no longer holds up the queue.
    Overdue,
}

/// How long after `--timeout` a stuck pipeline still counts, so that reconcile can cancel it.
pub const GRACE: TimeDelta = TimeDelta::hours(1);

pub(super) fn of_record(snapshot: &Snapshot, record: &Record, rules: &Rules) -> Place {
    let is_ours_to_end = snapshot.owns(record) && !was_retried(snapshot, record);
    let overdue = match is_ours_to_end {
        true => snapshot.now - in_flight_since(snapshot, record) > rules.timeout + GRACE,
        false => is_overdue_for_others(snapshot, record.updated_at, rules),
    };
    place(&record.status, overdue)
}

/// A duplicate record is cancelled even if somebody retries it, so its time counts from its last change.
pub(super) fn in_flight_since(snapshot: &Snapshot, record: &Record) -> DateTime<Utc> {
    match is_primary(snapshot, record) {
        true => record.created_at,
        false => record.updated_at,
    }
}

/// `None` if it has ended.
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

/// `since`: the pipeline's last change of status, so a retry starts its time again.
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

/// Whether somebody retried it after its outcome was posted: then that person has to end it.
pub fn was_retried(snapshot: &Snapshot, record: &Record) -> bool {
    let threads = snapshot.threads.get(&record.task.mr).into_iter().flatten();
    let mut outcomes = threads.flat_map(|thread| &thread.outcomes);
    outcomes.any(|outcome| outcome.pipeline == Some(record.pipeline) && outcome.status.is_some())
}
