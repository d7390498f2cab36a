//! Stories: people do things on an in-memory GitLab, the real program runs, and what people then see is asserted.

mod absence;
mod bot;
mod cancels;
mod component;
mod desk;
mod doctor;
mod dry_run;
mod hostile;
mod install;
mod label_names;
mod labels;
mod meanwhile;
mod outcome;
mod places;
mod reconcile;
mod rehearse;
mod reports;
mod requests;
mod scan;
mod secrets;
mod settings;
mod start;
mod status;
mod trigger;
mod volume;
mod wait;
