//! bench-bot benchmarks merge requests on demand.

pub mod gitlab;
pub mod id;
pub mod inert;
