//! What time it is by the server's clock: a runner's may be hours off.

use std::sync::Mutex;
use std::time::Instant;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::parallel::lock;

/// Each answer tells the time, but one may be of a machine whose clock is wrong. So what counts is the median of what
/// they tell: a single answer decides nothing, not even the first.
pub struct Clock {
    /// One moment, by this machine's two clocks: nobody sets the first of them.
    begun: (Instant, DateTime<Utc>),
    /// How far each answer was ahead of this machine, least first.
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
    /// This machine's, as long as there is no answer.
    pub fn now(&self) -> DateTime<Utc> {
        let ours = self.local_now();
        let ahead = median(&lock(&self.ahead)).unwrap_or_default();
        // GitLab tells whole seconds.
        ours.checked_add_signed(ahead)
            .unwrap_or(ours)
            .trunc_subsecs(0)
    }

    /// An answer that came just now bears this date.
    pub fn observe(&self, date: DateTime<Utc>) {
        let ahead = date - self.local_now();
        let mut known = lock(&self.ahead);
        let place = known.partition_point(|other| *other < ahead);
        known.insert(place, ahead);
    }

    /// From here on, all answers so far count as one: clocks are set, and machines sleep.
    pub fn merge_samples(&self) {
        let mut known = lock(&self.ahead);
        *known = median(&known).into_iter().collect();
    }

    fn local_now(&self) -> DateTime<Utc> {
        let (instant, time) = self.begun;
        TimeDelta::from_std(instant.elapsed()).map_or(time, |passed| time + passed)
    }
}

/// The lower one of two: what is younger than it seems only lives longer.
fn median(ahead: &[TimeDelta]) -> Option<TimeDelta> {
    ahead.get(ahead.len().checked_sub(1)? / 2).copied()
}
