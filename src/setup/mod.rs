//! What `doctor` finds about tokens, roles and project settings, and its checks of that. Nothing here makes a request.

pub mod checks;
pub mod findings;
