//! GitLab's ids and hashes, each with its own type so that they cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

numbers! {
    /// A user's id, unique on the server.
    UserId
    /// A project's id, unique on the server.
    ProjectId
    /// A merge request's number within its project: the 12 of `!12`.
    Iid
    /// A pipeline's id, unique on the server and growing with time.
    PipelineId
    /// A job's id, unique on the server and growing with time.
    JobId
    /// A note's id, unique on the server and growing with time.
    NoteId
    /// The id of the label event that made a request.
    RequestId
}

impl RequestId {
    /// A label without any event, for instance after an import: its request has no id.
    pub const NONE: RequestId = RequestId(0);
}

/// A discussion's id: 40 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiscussionId(pub String);

impl fmt::Display for DiscussionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A commit's full hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sha(pub String);

impl Sha {
    /// The first eight characters, as GitLab's pages show it.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
