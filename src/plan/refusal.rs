//! What a refused pipeline means for the requests behind it.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};

use crate::gitlab::Error;

/// So many refusals in one run are enough: what else there is to ask is left to the next.
pub const MAX_REFUSALS: usize = 6;

/// What a refusal lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBy {
    /// The benchmark project, its settings or the bot's rights there: every request would be refused alike.
    Project,
    /// It may be this request alone, or its label.
    Request,
}

/// GitLab's words for what concerns all pipelines of a project, see `lib/gitlab/ci/pipeline/chain/`.
const OF_PROJECT: [&str; 13] = [
    "Project is deleted",
    "Pipelines are disabled",
    "project import",
    "Insufficient permissions",
    "sufficient permission to run a pipeline",
    "Ref is ambiguous",
    "Reference not found",
    "Commit not found",
    "Duplicate variable name",
    "variables.key",
    // `Missing CI config file`, and what is wrong inside it: `jobs:benchmark config should …`.
    " config ",
    "Missing .gitlab-ci.yml",
    "Identity verification",
];

impl RefusedBy {
    pub fn of(error: &Error) -> Self {
        let says = |words: &&str| error.message.contains(*words);
        let status = error.refused().map(|status| status.as_u16());
        match status == Some(400) && !OF_PROJECT.iter().any(says) {
            true => Self::Request,
            false => Self::Project,
        }
    }
}

/// In which order the requests that GitLab refused in earlier runs are asked for again in this one, after all others:
/// others first each time, so that each has its turn though a run is refused only so many.
///
/// Which ones is drawn by lot from the time: counted off, a schedule could come round to the same ones for ever.
pub fn to_retry<T>(mut refused: Vec<T>, now: DateTime<Utc>) -> Vec<T> {
    let mut lot = DefaultHasher::new();
    now.timestamp().hash(&mut lot);
    let waiting = u64::try_from(refused.len()).unwrap_or(u64::MAX);
    let from = lot.finish().checked_rem(waiting).unwrap_or(0);
    refused.rotate_left(usize::try_from(from).unwrap_or(0));
    refused
}
