//! The milestones of a request, from its label to its benchmark's end, and what it spent its time on.

use chrono::{DateTime, TimeDelta, Utc};

/// When what happened to a request; each `None` until it has happened, or where it could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Milestones {
    /// The label came.
    pub requested_at: Option<DateTime<Utc>>,
    /// Its own pipeline had passed, which may be long before the label came.
    pub ready_at: Option<DateTime<Utc>>,
    /// The benchmark pipeline was made: from now on the request takes a place.
    pub begun_at: Option<DateTime<Utc>>,
    /// A machine took it up.
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// What a request spends its time on, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its own pipeline runs.
    Pipeline,
    /// From the label to the benchmark pipeline, where it is not known when it was ready.
    Untold,
    /// Ready, it waits for its turn.
    Queue,
    /// The benchmark pipeline waits for a machine.
    Machine,
    Running,
}

impl Stage {
    pub const ALL: [Stage; 5] = [
        Self::Pipeline,
        Self::Untold,
        Self::Queue,
        Self::Machine,
        Self::Running,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    pub stage: Stage,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Milestones {
    /// From the label to the benchmark's start.
    pub fn waited(&self) -> Option<TimeDelta> {
        Some((self.started_at? - self.requested_at?).max(TimeDelta::zero()))
    }

    pub fn ran(&self) -> Option<TimeDelta> {
        Some((self.ended_at? - self.started_at?).max(TimeDelta::zero()))
    }

    /// One after the other, up to now if it has not ended. A retried pipeline ends later than its benchmark began:
    /// no stage begins before the one that it follows.
    pub fn phases(&self, now: DateTime<Utc>) -> Vec<Phase> {
        let end = self.ended_at.unwrap_or(now);
        let begun = self.begun_at.unwrap_or(end).min(end);
        let started = self.started_at.unwrap_or(end).clamp(begun, end);
        let requested = self.requested_at.unwrap_or(begun).min(begun);
        let (before_ready, ready) = match self.ready_at {
            Some(ready) => (Stage::Pipeline, ready.clamp(requested, begun)),
            None => (Stage::Untold, begun),
        };
        [
            (before_ready, requested, ready),
            (Stage::Queue, ready, begun),
            (Stage::Machine, begun, started),
            (Stage::Running, started, end),
        ]
        .into_iter()
        .filter(|(_, from, to)| from < to)
        .map(|(stage, from, to)| Phase { stage, from, to })
        .collect()
    }
}

/// What requests waited for, all together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waits {
    pub pipeline: TimeDelta,
    /// Ready, while all places were taken.
    pub place: TimeDelta,
    /// Ready, with a place free: until the next scan.
    pub scan: TimeDelta,
    pub machine: TimeDelta,
}

impl Waits {
    /// `in_flight`: the milestones of all benchmarks, those that others asked for as well.
    pub fn of(
        milestones: &[Milestones],
        in_flight: &[Milestones],
        places: usize,
        now: DateTime<Utc>,
    ) -> Self {
        let taken = all_taken(in_flight, places, now);
        let mut waits = Self::default();
        for phase in milestones
            .iter()
            .flat_map(|milestones| milestones.phases(now))
        {
            let lasted = phase.to - phase.from;
            match phase.stage {
                Stage::Pipeline => waits.pipeline += lasted,
                Stage::Machine => waits.machine += lasted,
                Stage::Queue => {
                    let overlaps = taken.iter().map(|(from, to)| {
                        let overlap = phase.to.min(*to) - phase.from.max(*from);
                        overlap.max(TimeDelta::zero())
                    });
                    let place = overlaps.sum();
                    waits.place += place;
                    waits.scan += lasted - place;
                }
                Stage::Untold | Stage::Running => {}
            }
        }
        waits
    }

    pub fn total(&self) -> TimeDelta {
        self.pipeline + self.place + self.scan + self.machine
    }
}

/// When as many were in flight as may be.
fn all_taken(
    in_flight: &[Milestones],
    places: usize,
    now: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let spans = in_flight
        .iter()
        .filter_map(|milestones| Some((milestones.begun_at?, milestones.ended_at.unwrap_or(now))));
    let mut changes: Vec<(DateTime<Utc>, isize)> =
        spans.flat_map(|(from, to)| [(from, 1), (to, -1)]).collect();
    // Where one ends as another begins, a place was not taken twice.
    changes.sort_unstable();
    let (mut taken, mut since) = (Vec::new(), None);
    let mut count = 0;
    for (at, change) in changes {
        count += change;
        let full = count.unsigned_abs() >= places.max(1);
        match since {
            None if full => since = Some(at),
            Some(from) if !full => {
                taken.push((from, at));
                since = None;
            }
            _ => {}
        }
    }
    taken
}

pub fn median(mut times: Vec<TimeDelta>) -> Option<TimeDelta> {
    times.sort_unstable();
    let (lower, upper) = (
        times.get(times.len().checked_sub(1)? / 2)?,
        times.get(times.len() / 2)?,
    );
    Some((*lower + *upper) / 2)
}
