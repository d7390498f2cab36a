//! What `doctor` finds about tokens, roles and project settings, and how that is judged. Nothing here asks GitLab anything.

pub mod checks;
pub mod findings;
