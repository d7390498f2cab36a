//! What can be done to a request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab};

use super::points::Point;

/// How long a hit run waits for an answer, and how long a hanging server lets it wait.
pub const PATIENCE: &str = "--http-timeout 500ms";
pub const HANG: Duration = Duration::from_millis(800);
const THREE_DAYS: i64 = 3 * 24 * 60 * 60;
/// Long enough for what is sent at the same time to arrive.
const BESIDE: Duration = Duration::from_millis(60);

/// What is done to one request.
#[derive(Clone, Copy)]
pub enum Hit {
    /// The run ends here, and nothing more of it reaches the server.
    StopBefore,
    StopAfter,
    Once(fn() -> Fault),
    /// Each of these fields of its answer is missing in turn.
    FieldsMissing,
    /// It takes effect when the run has given it up, before the next begins.
    TakesEffectLate,
}

impl Hit {
    /// The run gives up waiting.
    pub fn hangs(self) -> bool {
        match self {
            Hit::TakesEffectLate => true,
            Hit::Once(fault) => matches!(fault(), Fault::Hang(_)),
            _ => false,
        }
    }
}

/// Which requests a fault befalls. To reads some are no different from others, and the quick test keeps to a few.
#[derive(Clone, Copy, PartialEq)]
pub enum Befalls {
    AllAlways,
    All,
    WritesAlways,
    Writes,
}
use Befalls::{All, AllAlways, Writes, WritesAlways};

impl Befalls {
    pub fn is_by(self, point: &Point, extent: Extent) -> bool {
        match self {
            AllAlways => true,
            All => extent == Extent::Full,
            WritesAlways => point.method != "GET",
            Writes => point.method != "GET" && extent == Extent::Full,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub enum Extent {
    Quick,
    Full,
}

pub const HITS: [(&str, Befalls, Hit); 20] = [
    ("stop before", All, Hit::StopBefore),
    ("500", All, Hit::Once(Fault::server_error)),
    ("429", All, Hit::Once(|| Fault::throttled(None))),
    (
        "429, Retry-After",
        All,
        Hit::Once(|| Fault::throttled(Some(1))),
    ),
    ("403", All, Hit::Once(Fault::forbidden)),
    ("404", AllAlways, Hit::Once(Fault::not_found)),
    ("404 of a proxy", All, Hit::Once(Fault::not_found_by_proxy)),
    ("502 HTML", All, Hit::Once(Fault::bad_gateway)),
    (
        "not JSON",
        All,
        Hit::Once(|| Fault::not_json().after_effect()),
    ),
    (
        "wrong shape",
        All,
        Hit::Once(|| Fault::wrong_shape().after_effect()),
    ),
    ("a field less", All, Hit::FieldsMissing),
    ("Date off", All, Hit::Once(|| Fault::DateOff(THREE_DAYS))),
    ("cut off", All, Hit::Once(|| Fault::CutBody)),
    ("reset", All, Hit::Once(|| Fault::Reset)),
    ("hangs", All, Hit::Once(|| Fault::Hang(HANG))),
    ("stop after", WritesAlways, Hit::StopAfter),
    ("409 lock", Writes, Hit::Once(Fault::resource_lock)),
    (
        "500 after effect",
        Writes,
        Hit::Once(|| Fault::server_error().after_effect()),
    ),
    (
        "reset after effect",
        Writes,
        Hit::Once(|| Fault::ResetAfterEffect),
    ),
    ("late effect", Writes, Hit::TakesEffectLate),
];

pub fn hit(gitlab: &Gitlab, point: &Point, hit: Hit, field: &'static str) {
    let (point, count, hits) = (point.clone(), AtomicUsize::new(0), AtomicUsize::new(0));
    gitlab.fault(move |request| {
        let stopped = hits.load(Ordering::SeqCst) > 0;
        let here = point.is_like(request) && point.is_nth(count.fetch_add(1, Ordering::SeqCst));
        if here {
            // What went out beside it gets in, so that it is no race.
            if let Hit::StopBefore | Hit::StopAfter = hit {
                thread::sleep(BESIDE);
            }
            hits.fetch_add(1, Ordering::SeqCst);
        }
        match hit {
            Hit::StopBefore | Hit::StopAfter if stopped => Some(Fault::Reset),
            _ if !here => None,
            Hit::StopBefore => Some(Fault::Reset),
            Hit::StopAfter => Some(Fault::ResetAfterEffect),
            Hit::Once(fault) => Some(fault()),
            Hit::FieldsMissing => Some(Fault::Without(field)),
            Hit::TakesEffectLate => {
                thread::sleep(HANG);
                None
            }
        }
    });
}
