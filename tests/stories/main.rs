//! Stories: people do things on an in-memory GitLab, the real program runs, and what people then see is asserted.

mod bot;
mod component;
mod desk;
mod doctor;
mod door;
mod dry_run;
mod gaps;
mod hostile;
mod install;
mod meanwhile;
mod outcome;
mod reconcile;
mod rehearse;
mod reports;
mod requests;
mod scan;
mod secrets;
mod settings;
mod start;
mod status;
mod storm;
mod trigger;
mod turn;
mod volume;
mod wait;
