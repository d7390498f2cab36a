//! The time by the server's clock: a runner's clock may be hours off.

use std::sync::Mutex;
use std::time::Instant;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::parallel::lock;

/// Each response carries the time, but it may come from a machine whose clock is wrong. So the median of all responses
/// counts: no single response decides, not even the first.
pub struct Clock {
    /// The same moment by this machine's monotonic clock and by its wall clock.
    begun: (Instant, DateTime<Utc>),
    /// How far each response was ahead of this machine, sorted.
    ahead: Mutex<Vec<TimeDelta>>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            begun: (Instant::now(), Utc::now()),
            ahead: Mutex::default(),
        }
    }
}

impl Clock {
    /// This machine's time as long as there is no response.
    pub fn now(&self) -> DateTime<Utc> {
        let ours = self.local_now();
        let ahead = median(&lock(&self.ahead)).unwrap_or_default();
        // GitLab sends whole seconds.
        ours.checked_add_signed(ahead)
            .unwrap_or(ours)
            .trunc_subsecs(0)
    }

    /// Records the date of a response that arrived just now.
    pub fn observe(&self, date: DateTime<Utc>) {
        let ahead = date - self.local_now();
        let mut known = lock(&self.ahead);
        let place = known.partition_point(|other| *other < ahead);
        known.insert(place, ahead);
    }

    /// Makes all responses so far count as one: over hours, clocks are set and machines sleep.
    pub fn merge_samples(&self) {
        let mut known = lock(&self.ahead);
        *known = median(&known).into_iter().collect();
    }

    fn local_now(&self) -> DateTime<Utc> {
        let (instant, time) = self.begun;
        TimeDelta::from_std(instant.elapsed()).map_or(time, |passed| time + passed)
    }
}

/// Of two middle values, the lower one: then a benchmark only seems younger, and is cancelled later.
fn median(ahead: &[TimeDelta]) -> Option<TimeDelta> {
    ahead.get(ahead.len().checked_sub(1)? / 2).copied()
}
