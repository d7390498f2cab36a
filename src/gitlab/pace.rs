//! How fast the server lets us go, and how fast we went.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::side_by_side::{Gate, lock};

/// With so few requests left until the limit is lifted, the rest of them are spread over that time.
const FEW: i64 = 32;
/// A run that has to wait longer than this for each request had better end, and the next one begin.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub struct Pace {
    gate: Gate,
    /// When each request began and was answered.
    spans: Mutex<Vec<(Instant, Instant)>>,
    repeated: AtomicUsize,
    allowance: Mutex<Option<Allowance>>,
    /// Held by the one who waits before a request, while there are few left.
    slow: Mutex<()>,
}

/// What the server said of its rate limit.
#[derive(Clone, Copy)]
struct Allowance {
    left: i64,
    reset_at: Instant,
}

impl Pace {
    /// Sends a request when there is room for it.
    pub fn keep<R>(&self, request: impl FnOnce() -> R) -> R {
        self.gate.pass(|| {
            self.slow_down();
            let begun = Instant::now();
            let answer = request();
            lock(&self.spans).push((begun, Instant::now()));
            answer
        })
    }

    fn slow_down(&self) {
        let Some(Allowance { left, reset_at }) = *lock(&self.allowance) else {
            return;
        };
        let until_reset = reset_at.saturating_duration_since(Instant::now());
        if left < FEW && !until_reset.is_zero() {
            let _one_at_a_time = lock(&self.slow);
            let shares = u32::try_from(left.max(0) + 1).unwrap_or(1);
            thread::sleep((until_reset / shares).min(LONGEST_PAUSE));
        }
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
