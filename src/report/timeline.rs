//! Statistics over milestones: typical times, and what requests mostly waited for.

use std::cmp::Reverse;

use chrono::TimeDelta;

use super::layout::lasting;
use super::{Report, Status};
use crate::milestones::{Milestones, Waits, median};
use crate::plan::Queued;

/// Those of requests that are in flight or queued, or that ended recently.
fn milestones(report: &Report) -> Vec<Milestones> {
    let queued = report.plan.queue.iter().map(queued);
    let begun = report.snapshot.milestones.values().copied();
    begun.chain(queued).collect()
}

pub fn queued(queued: &Queued) -> Milestones {
    Milestones {
        requested_at: queued.request.at,
        ready_at: queued.pipeline.finished_at,
        ..Milestones::default()
    }
}

fn waits(report: &Report) -> Waits {
    let in_flight: Vec<Milestones> = report.snapshot.milestones.values().copied().collect();
    let all = milestones(report);
    Waits::of(&all, &in_flight, report.max_in_flight, report.now)
}

/// The median and the longest of the known times, in words.
pub fn spread(times: impl Iterator<Item = Option<TimeDelta>>) -> Option<(String, String)> {
    let known: Vec<TimeDelta> = times.flatten().collect();
    let longest = known.iter().max().copied()?;
    Some((lasting(median(known)?), lasting(longest)))
}

pub fn typical(status: &Status) -> Option<String> {
    let ended = || status.ended.iter().map(|(_, milestones)| milestones);
    let told = [
        (
            "waited",
            spread(ended().map(|milestones| milestones.waited())),
        ),
        ("ran", spread(ended().map(|milestones| milestones.ran()))),
    ];
    let told = told.into_iter().filter_map(|(verb, spread)| {
        let (median, longest) = spread?;
        Some(format!("They {verb} {median} (median), {longest} at most."))
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| told.join(" "))
}

/// One thing that requests waited for, and what would help if it is the largest share.
pub struct Share {
    /// The CSS class of its stage.
    pub class: &'static str,
    pub time: TimeDelta,
    pub percent: i64,
    pub what: &'static str,
    help: String,
}

/// Largest first. Empty if requests hardly waited.
pub fn shares(report: &Report) -> Vec<Share> {
    let waits = waits(report);
    let (total, places) = (waits.total().num_seconds(), report.max_in_flight);
    if total < 60 {
        return Vec::new();
    }
    let share = |class, time: TimeDelta, what, help: &str| Share {
        class,
        time,
        percent: (200 * time.num_seconds() + total) / (2 * total),
        what,
        help: help.to_owned(),
    };
    let larger = format!(
        "A larger --max-in-flight (now {places}) would help, if there are machines for it."
    );
    let machines = "More machines would help; a larger --max-in-flight would not.";
    let schedule = "A benchmark that wakes bench-bot would help, or a more frequent schedule.";
    let neither = "Neither machines nor --max-in-flight hold them up.";
    let mut shares = vec![
        share("queue", waits.place, "for a place in flight", &larger),
        share("machine", waits.machine, "for a machine", machines),
        share("scan", waits.scan, "for the next scan", schedule),
        share(
            "pipeline",
            waits.pipeline,
            "for their own pipelines",
            neither,
        ),
    ];
    shares.retain(|share| share.percent > 0);
    shares.sort_by_key(|share| Reverse(share.time));
    shares
}

/// How long requests waited in total, and what would help.
pub fn advice(shares: &[Share]) -> Option<(String, &str)> {
    let total = shares.iter().map(|share| share.time).sum();
    let largest = shares.first()?;
    Some((lasting(total), &largest.help))
}
