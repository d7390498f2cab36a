//! How fast the server lets us go, and how fast we went.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::parallel::{MAX_CONCURRENT, Semaphore, lock};

/// With so few requests left until the limit is lifted, the rest of them are spread over that time.
const FEW: i64 = 32;
/// A run that has to wait longer than this for each request had better end, and the next one begin.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub struct RateLimiter {
    concurrency: Semaphore,
    /// When each request began and was answered.
    spans: Mutex<Vec<(Instant, Instant)>>,
    /// How often requests were sent again, by why they failed.
    retries: Mutex<BTreeMap<String, usize>>,
    quota: Mutex<Option<Quota>>,
    /// Passed one by one, each after a pause, while there are few left.
    slow: Semaphore,
}

/// What the server said of its rate limit.
#[derive(Clone, Copy)]
struct Quota {
    left: i64,
    reset_at: Instant,
}

impl Default for RateLimiter {
    fn default() -> Self {
        Self {
            concurrency: Semaphore::new(MAX_CONCURRENT),
            spans: Mutex::default(),
            retries: Mutex::default(),
            quota: Mutex::default(),
            slow: Semaphore::new(1),
        }
    }
}

impl RateLimiter {
    /// Sends a request when there is room for it, unless it is too late by then.
    pub fn run<R>(&self, deadline: Instant, request: impl FnOnce() -> R) -> Option<R> {
        let in_time = || {
            self.slow_down(deadline);
            let begun = Instant::now();
            (begun < deadline).then(|| {
                let answer = request();
                lock(&self.spans).push((begun, Instant::now()));
                answer
            })
        };
        self.concurrency.run(deadline, in_time)?
    }

    fn slow_down(&self, deadline: Instant) {
        if !self.pause().is_zero() {
            self.slow.run(deadline, || {
                let time_left = deadline.saturating_duration_since(Instant::now());
                thread::sleep(self.pause().min(time_left));
            });
        }
    }

    /// What is due before the next request.
    fn pause(&self) -> Duration {
        let Some(Quota { left, reset_at }) = *lock(&self.quota) else {
            return Duration::ZERO;
        };
        if left >= FEW {
            return Duration::ZERO;
        }
        let until_reset = reset_at.saturating_duration_since(Instant::now());
        let shares = u32::try_from(left.max(0) + 1).unwrap_or(1);
        (until_reset / shares).min(LONGEST_PAUSE)
    }

    /// The server answered that so many requests are left until then.
    pub fn update(&self, left: i64, reset_in: Duration) {
        let reset_at = Instant::now().checked_add(reset_in);
        *lock(&self.quota) = reset_at.map(|reset_at| Quota { left, reset_at });
    }

    /// Whether it is the first that failed for this reason.
    pub fn count_retry(&self, why: &str) -> bool {
        let mut retries = lock(&self.retries);
        let count = retries.entry(why.to_owned()).or_default();
        *count += 1;
        *count == 1
    }

    /// One server that does not answer is one line, however many requests it fails.
    pub fn log_stats(&self) {
        for (why, count) in lock(&self.retries).iter().filter(|(_, count)| **count > 1) {
            warn!("{why}: {count} retries");
        }
        info!("{}", self.stats());
    }

    fn stats(&self) -> String {
        let spans = lock(&self.spans).clone();
        let begun = spans.iter().map(|(begun, _)| *begun).min();
        let took = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        let left = lock(&self.quota).map_or("unknown".to_owned(), |known| known.left.to_string());
        format!(
            "{} requests, {} of them repetitions, longest chain {}, {took:.1?}, rate limit left: {left}",
            spans.len(),
            lock(&self.retries).values().sum::<usize>(),
            longest_chain(spans),
        )
    }
}

/// Of requests each of which began when the one before it had been answered.
fn longest_chain(mut spans: Vec<(Instant, Instant)>) -> usize {
    spans.sort_by_key(|(_, answered)| *answered);
    let mut last: Option<Instant> = None;
    let mut length = 0;
    for (begun, answered) in spans {
        if last.is_none_or(|last| begun >= last) {
            last = Some(answered);
            length += 1;
        }
    }
    length
}
