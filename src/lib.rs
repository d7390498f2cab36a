//! bench-bot benchmarks merge requests on demand. Data flows one way:
//!
//! [`cli`] (flags, environment) → [`survey`] (reads GitLab into a [`snapshot`]) → [`plan`] (decides what each request waits
//! for and what to do: pure) → [`act`] (carries that out) → [`report`] (text, JSON or a page).
//!
//! [`commands`] has one file for each verb. `doctor` examines the [`setup`] instead: findings → checks (pure) → [`report`].

pub mod act;
pub mod cli;
pub mod commands;
pub mod gitlab;
pub mod given_flags;
pub mod id;
pub mod milestones;
pub mod note;
pub mod plan;
pub mod record;
pub mod report;
pub mod run_outcome;
pub mod sanitize;
pub mod setup;
pub mod snapshot;
pub mod survey;

use anyhow::Result;

use crate::cli::{ChosenMr, Command, Environment};
use crate::commands::{Triggering, Writes};
pub use crate::run_outcome::{Exit, RunOutcome};

/// Runs a command. Returns an error if nothing of it could be done.
pub fn run(command: Command, environment: &Environment) -> Result<RunOutcome> {
    match command {
        Command::Scan {
            writing,
            settings,
            benchmark,
        } => commands::scan(settings, benchmark, writing, environment),
        Command::Reconcile {
            since,
            writing,
            settings,
        } => commands::reconcile(settings, since, writing, environment),
        Command::Trigger {
            mr,
            force,
            wait,
            writing,
            settings,
            benchmark,
        } => {
            let triggering = Triggering { mr, force, wait };
            commands::trigger(settings, benchmark, triggering, writing, environment)
        }
        Command::Status {
            mr,
            since,
            settings,
        } => commands::status(
            settings,
            mr.as_ref().and_then(ChosenMr::name),
            since,
            environment,
        ),
        Command::Doctor {
            fix,
            rehearse,
            wait,
            settings,
        } => {
            let writes = Writes {
                fix,
                rehearse,
                wait,
            };
            commands::doctor(&settings, environment, writes)
        }
        Command::Completions { shell } => Ok(RunOutcome::done(commands::completions(shell))),
        Command::Man { folder } => {
            commands::man_pages(&folder)?;
            Ok(RunOutcome::done(String::new()))
        }
    }
}
