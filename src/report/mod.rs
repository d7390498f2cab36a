//! What people and machines get to read of a run, on standard output.

mod doctor;
mod json;
mod text;

use chrono::{DateTime, Utc};

pub use self::doctor::{Checkup, checkup_json, checkup_text};
pub use self::json::json;
pub use self::text::{refusal, text};

use crate::act::Action;
use crate::gitlab::answer::Project;
use crate::plan::{Order, Plan};

/// All that a report tells.
pub struct Report<'a> {
    pub command: &'static str,
    pub dry_run: bool,
    pub source: &'a Project,
    pub benchmark: &'a Project,
    pub now: DateTime<Utc>,
    pub order: Order,
    pub max_in_flight: usize,
    pub plan: &'a Plan<'a>,
    pub actions: &'a [Action],
}
