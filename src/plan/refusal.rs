//! What GitLab's refusal of a pipeline means for the other requests.

use std::hash::{DefaultHasher, Hash, Hasher};

use chrono::{DateTime, Utc};

use crate::gitlab::Error;

/// The most refusals in one run. The rest of the queue is left to the next run.
pub const MAX_REFUSALS: usize = 6;

/// Where the reason of a refusal lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBy {
    /// In the benchmark project, its settings or the bot's role there: GitLab would refuse every request.
    Project,
    /// Possibly in this request or its label.
    Request,
}

/// GitLab's messages that concern all pipelines of a project: see `lib/gitlab/ci/pipeline/chain/`.
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

/// The requests that GitLab refused in earlier runs, in the order in which this run tries them again, after all others:
/// a different one first each time, so that each is tried in some run although a run stops after a few refusals.
///
/// The first is chosen at random, by a hash of the time: with fixed steps, a schedule could hit the same ones for ever.
pub fn to_retry<T>(mut refused: Vec<T>, now: DateTime<Utc>) -> Vec<T> {
    let mut lot = DefaultHasher::new();
    now.timestamp().hash(&mut lot);
    let waiting = u64::try_from(refused.len()).unwrap_or(u64::MAX);
    let from = lot.finish().checked_rem(waiting).unwrap_or(0);
    refused.rotate_left(usize::try_from(from).unwrap_or(0));
    refused
}
