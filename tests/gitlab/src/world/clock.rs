use chrono::{DateTime, TimeDelta, TimeZone, Utc};

pub type Time = DateTime<Utc>;

/// GitLab's clock. The virtual one stands still but for writes, so that every test sees the same
/// times.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    Virtual(Time),
    Real { ahead: TimeDelta },
}

impl Clock {
    /// The virtual clock, on a Monday morning.
    pub fn monday_morning() -> Self {
        let start = Utc.with_ymd_and_hms(2026, 1, 5, 9, 0, 0);
        Self::Virtual(start.single().expect("this time exists"))
    }

    pub fn real() -> Self {
        Self::Real {
            ahead: TimeDelta::zero(),
        }
    }

    pub fn now(&self) -> Time {
        match self {
            Self::Virtual(now) => *now,
            Self::Real { ahead } => Utc::now() + *ahead,
        }
    }

    pub fn advance(&mut self, by: TimeDelta) {
        match self {
            Self::Virtual(now) => *now += by,
            Self::Real { ahead } => *ahead += by,
        }
    }

    /// A write has been done: no two of them bear the same second.
    pub fn tick(&mut self) {
        if let Self::Virtual(now) = self {
            *now += TimeDelta::seconds(1);
        }
    }
}
