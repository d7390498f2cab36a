//! Keeps requests within the server's rate limit and counts them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::parallel::{MAX_CONCURRENT, Semaphore, lock};

/// With fewer requests left than this, they are spread over the time until the limit resets.
const FEW: i64 = 32;
/// Waiting longer than this for each request would be worse than leaving the rest to the next run.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub struct RateLimiter {
    concurrency: Semaphore,
    /// When each request began and was answered.
    spans: Mutex<Vec<(Instant, Instant)>>,
    /// How many requests were retried, by the reason of the failure.
    retries: Mutex<BTreeMap<String, usize>>,
    quota: Mutex<Option<Quota>>,
    /// Lets one request through at a time, after a pause, while few are left.
    slow: Semaphore,
}

/// What the server last said about its rate limit.
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
    /// Runs the request when there is room for it. Returns `None` if the deadline passes first.
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

    /// How long to wait before the next request.
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

    /// Records how many requests the server allows until the reset.
    pub fn update(&self, left: i64, reset_in: Duration) {
        let reset_at = Instant::now().checked_add(reset_in);
        *lock(&self.quota) = reset_at.map(|reset_at| Quota { left, reset_at });
    }

    /// Returns whether this is the first retry for this reason.
    pub fn count_retry(&self, why: &str) -> bool {
        let mut retries = lock(&self.retries);
        let count = retries.entry(why.to_owned()).or_default();
        *count += 1;
        *count == 1
    }

    /// Logs one line per reason, however many requests were retried.
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
            "{} requests, {} of them retries, longest chain {}, {took:.1?}, rate limit left: {left}",
            spans.len(),
            lock(&self.retries).values().sum::<usize>(),
            longest_chain(spans),
        )
    }
}

/// The length of the longest chain of requests that each began after the one before was answered.
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
