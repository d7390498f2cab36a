//! When the queue's requests are expected to start, from how long the latest benchmarks took. It is a guess, and there is
//! none where too little is known.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Place, Plan, Rules};
use crate::milestones::median;
use crate::snapshot::Snapshot;

/// How many benchmarks must have ended for a guess, and how many of the latest count.
const FEWEST: usize = 3;
const LATEST: usize = 15;

/// For each of the queue. Those that start now are expected now.
pub(super) fn expected(
    snapshot: &Snapshot,
    plan: &Plan,
    rules: &Rules,
) -> Vec<Option<DateTime<Utc>>> {
    let now = snapshot.now;
    let taken = plan
        .in_flight
        .iter()
        .filter(|found| found.place == Place::Taken);
    let ends = taken.map(|found| {
        let record = found.record;
        let age = now - record.created_at;
        let longer = run_times(snapshot, &record.task.label)?
            .into_iter()
            .filter(|time| *time > age);
        // What takes longer than all before it may take any time.
        Some(record.created_at + median(longer.collect())?)
    });
    // `None` for a place of which nobody knows when it gets free.
    let mut places: Vec<Option<DateTime<Utc>>> = ends.collect();
    places.resize(plan.taken(), None);
    places.resize(plan.taken() + plan.free, Some(now));
    places.sort_unstable_by_key(|at| at.unwrap_or(DateTime::<Utc>::MAX_UTC));
    // More may be in flight than may start by now.
    places.drain(..places.len().saturating_sub(rules.max_in_flight));
    let next = plan.queue.iter().map(|queued| {
        let soonest = places.iter_mut().filter(|at| at.is_some()).min()?;
        let starts = *soonest;
        let held = run_times(snapshot, &queued.request.label).and_then(median);
        *soonest = starts.zip(held).map(|(at, held)| at + held);
        starts
    });
    next.collect()
}

/// Of the label's latest benchmarks. If nobody knows which label they had, a single label stands for all.
fn run_times(snapshot: &Snapshot, label: &str) -> Option<Vec<TimeDelta>> {
    let of_label = snapshot
        .run_times
        .iter()
        .filter(|(of, _)| match of {
            Some(of) => of == label,
            None => snapshot.labels == [label],
        })
        .map(|(_, time)| *time)
        .take(LATEST);
    let times: Vec<TimeDelta> = of_label.collect();
    (times.len() >= FEWEST).then_some(times)
}
