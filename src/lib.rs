//! bench-bot benchmarks merge requests on demand.
