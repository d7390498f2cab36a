//! The milestones of a request, from its label to its benchmark's end, and how it spent the time between them.

use chrono::{DateTime, TimeDelta, Utc};

/// When each step happened. `None` until it has happened, or if it could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Milestones {
    /// The label was added.
    pub requested_at: Option<DateTime<Utc>>,
    /// Its own pipeline had passed, perhaps long before the label was added.
    pub ready_at: Option<DateTime<Utc>>,
    /// The benchmark pipeline was created. From then on the request takes a place.
    pub begun_at: Option<DateTime<Utc>>,
    /// A runner picked up its first job.
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// What a request spends its time on, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its own pipeline is running.
    Pipeline,
    /// The time from label to benchmark pipeline, if it is unknown when the request was ready.
    Untold,
    /// It is ready, and waits for its turn.
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

    /// The phases in order, up to now if the benchmark has not ended. Times may be out of order, for instance if somebody
    /// retried the pipeline, so no phase begins before the previous one.
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

/// What all requests together waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waits {
    pub pipeline: TimeDelta,
    /// Ready while all places were taken.
    pub place: TimeDelta,
    /// Ready while a place was free: for the next scan.
    pub scan: TimeDelta,
    pub machine: TimeDelta,
}

impl Waits {
    /// `in_flight`: the milestones of all benchmarks, including those of other source projects.
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

/// The times during which all places were taken.
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
    // If one ends at the same moment as another begins, they used the same place.
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
