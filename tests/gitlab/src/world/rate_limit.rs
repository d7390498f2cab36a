use super::{Time, World};
use std::collections::BTreeMap;

/// The throttle of requests, which counts by token and minute.
#[derive(Clone, Debug)]
pub struct RateLimit {
    per_minute: u64,
    told: bool,
    observed: BTreeMap<Option<String>, (i64, u64)>,
}

/// How one request stands to the limit.
pub struct Throttle {
    pub limit: u64,
    pub observed: u64,
    /// When the count begins again.
    pub reset: Time,
    /// Whether an answer tells about it that is no refusal.
    pub told: bool,
}

impl RateLimit {
    pub fn new(per_minute: u64, told: bool) -> Self {
        Self {
            per_minute,
            told,
            observed: BTreeMap::new(),
        }
    }
}

impl Throttle {
    pub fn is_exceeded(&self) -> bool {
        self.observed > self.limit
    }
}

impl World {
    /// `None`: there is no limit.
    pub fn count_request(&mut self, secret: Option<&str>) -> Option<Throttle> {
        let now = self.now();
        let minute = now.timestamp().div_euclid(60);
        let limit = self.rate_limit.as_mut()?;
        let of_token = limit.observed.entry(secret.map(str::to_owned)).or_default();
        if of_token.0 != minute {
            *of_token = (minute, 0);
        }
        of_token.1 += 1;
        Some(Throttle {
            limit: limit.per_minute,
            observed: of_token.1,
            reset: Time::from_timestamp((minute + 1) * 60, 0).unwrap_or(now),
            told: limit.told,
        })
    }
}
