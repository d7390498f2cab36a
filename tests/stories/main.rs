//! Stories: people do things on an in-memory GitLab, the real program runs, and what people then see is asserted.

mod bot;
mod dry_run;
mod reconcile;
mod reports;
mod scan;
mod settings;
mod start;
mod trigger;
