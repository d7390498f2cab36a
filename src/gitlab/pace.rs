//! How fast the server lets us go, and how fast we went.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::side_by_side::{AT_ONCE, Gate, lock};

/// With so few requests left until the limit is lifted, the rest of them are spread over that time.
const FEW: i64 = 32;
/// A run that has to wait longer than this for each request had better end, and the next one begin.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub struct Pace {
    gate: Gate,
    /// When each request began and was answered.
    spans: Mutex<Vec<(Instant, Instant)>>,
    repeated: AtomicUsize,
    allowance: Mutex<Option<Allowance>>,
    /// Passed one by one, each after a pause, while there are few left.
    slow: Gate,
}

/// What the server said of its rate limit.
#[derive(Clone, Copy)]
struct Allowance {
    left: i64,
    reset_at: Instant,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            gate: Gate::of(AT_ONCE),
            spans: Mutex::default(),
            repeated: AtomicUsize::default(),
            allowance: Mutex::default(),
            slow: Gate::of(1),
        }
    }
}

impl Pace {
    /// Sends a request when there is room for it, unless it is too late by then.
    pub fn keep<R>(&self, deadline: Instant, request: impl FnOnce() -> R) -> Option<R> {
        let in_time = || {
            self.slow_down(deadline);
            let begun = Instant::now();
            (begun < deadline).then(|| {
                let answer = request();
                lock(&self.spans).push((begun, Instant::now()));
                answer
            })
        };
        self.gate.pass(deadline, in_time)?
    }

    fn slow_down(&self, deadline: Instant) {
        if !self.pause().is_zero() {
            self.slow.pass(deadline, || {
                let time_left = deadline.saturating_duration_since(Instant::now());
                thread::sleep(self.pause().min(time_left));
            });
        }
    }

    /// What is due before the next request.
    fn pause(&self) -> Duration {
        let Some(Allowance { left, reset_at }) = *lock(&self.allowance) else {
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
    pub fn heed(&self, left: i64, reset_in: Duration) {
        let reset_at = Instant::now().checked_add(reset_in);
        *lock(&self.allowance) = reset_at.map(|reset_at| Allowance { left, reset_at });
    }

    pub fn repeated(&self) {
        self.repeated.fetch_add(1, Ordering::Relaxed);
    }

    pub fn figures(&self) -> String {
        let spans = lock(&self.spans).clone();
        let begun = spans.iter().map(|(begun, _)| *begun).min();
        let took = begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        let left =
            lock(&self.allowance).map_or("unknown".to_owned(), |known| known.left.to_string());
        format!(
            "{} requests, {} of them repetitions, longest chain {}, {took:.1?}, rate limit left: {left}",
            spans.len(),
            self.repeated.load(Ordering::Relaxed),
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
