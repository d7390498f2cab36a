//! bench-bot benchmarks merge requests on demand.

pub mod gitlab;
pub mod id;
pub mod inert;
pub mod note;
pub mod plan;
pub mod record;
pub mod snapshot;
pub mod survey;
