//! bench-bot benchmarks merge requests on demand. A run goes one way:
//!
//! [`cli`] (flags, environment) → [`survey`] (read GitLab into a [`snapshot`]) → [`plan`] (what each request waits
//! for and what is to be done: pure) → [`act`] (carry it out) → [`report`] (text or JSON).
//!
//! [`doctor`] looks at the setup instead: findings → checks (pure) → [`report`].

pub mod act;
pub mod cli;
pub mod course;
pub mod doctor;
pub mod gitlab;
pub mod id;
pub mod inert;
pub mod note;
pub mod plan;
pub mod record;
pub mod report;
mod run;
pub mod shell;
pub mod snapshot;
mod status;
pub mod survey;
mod trigger;

use anyhow::Result;
use chrono::TimeDelta;

use crate::cli::{Command, Environment, Writing, WrongSetting};
use crate::doctor::Writes;
use crate::gitlab::ConnectError;
use crate::run::Run;
use crate::survey::Scope;

/// How long after a benchmark ends its outcome is still posted if the label is already gone and the merge request is not
/// marked: longer than a schedule's interval, and short enough to concern few.
const AFTERCARE: TimeDelta = TimeDelta::hours(1);

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// For standard output; in colour where it is for people.
    pub report: String,
    /// For standard error, each in a sentence.
    pub warnings: Vec<String>,
    pub errors: Vec<String>,
    pub exit: Exit,
}

/// The exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// Everything else was still carried out.
    Failed = 1,
    Unusable = 2,
    /// `trigger --wait`: the benchmark did not succeed.
    Unsuccessful = 3,
}

/// Carries out a command. An error is one that kept all of it from being done.
pub fn run(command: Command, environment: &Environment) -> Result<Ran> {
    let begin =
        |name, settings, scope, writes| Run::begin(name, settings, environment, scope, writes);
    match command {
        Command::Scan {
            writing: Writing { dry_run },
            settings,
            benchmark,
        } => {
            let scope = Scope::Queue;
            let run = Run {
                dry_run,
                variables: benchmark.variables()?,
                ..begin("scan", settings, Some(scope), !dry_run)?
            };
            let snapshot = run.survey(None, scope)?;
            let plan = plan::scan(&snapshot, &run.settled.rules);
            Ok(run.act(&snapshot, &plan, |actor| actor.start_queue(&plan)))
        }
        Command::Reconcile {
            since,
            writing: Writing { dry_run },
            settings,
        } => {
            let since = since.and_then(|since| TimeDelta::from_std(since).ok());
            let aftercare = since.unwrap_or_default().max(AFTERCARE);
            let scope = Scope::Records { aftercare };
            let run = Run {
                dry_run,
                ..begin("reconcile", settings, Some(scope), !dry_run)?
            };
            let snapshot = run.survey(since, scope)?;
            let plan = plan::reconcile(&snapshot, &run.settled.rules);
            Ok(run.act(&snapshot, &plan, |actor| actor.repair_all(&plan.repairs)))
        }
        Command::Trigger {
            mr,
            force,
            wait,
            writing: Writing { dry_run },
            settings,
            benchmark,
        } => {
            let run = Run {
                dry_run,
                variables: benchmark.variables()?,
                ..begin("trigger", settings, None, !dry_run)?
            };
            run.trigger(&mr, force, wait)
        }
        Command::Status {
            mr,
            since,
            settings,
        } => {
            status::check(&settings, mr.as_ref())?;
            let since = TimeDelta::from_std(since).unwrap_or(TimeDelta::MAX);
            // The labelled ones, whichever is explained beside them.
            let scope = Scope::Courses { since, of: None };
            let run = begin("status", settings, Some(scope), false)?;
            run.status(since, mr.as_ref())
        }
        Command::Doctor {
            fix,
            rehearse,
            settings,
        } => doctor::doctor(&settings, environment, Writes { fix, rehearse }),
        Command::Completions { shell } => Ok(Ran::done(shell::completions(shell))),
        Command::Man { folder } => {
            shell::man_pages(&folder)?;
            Ok(Ran::done(String::new()))
        }
    }
}

impl Ran {
    fn done(report: String) -> Self {
        Self {
            report,
            warnings: Vec::new(),
            errors: Vec::new(),
            exit: Exit::Done,
        }
    }

    pub fn of_error(error: &anyhow::Error) -> Self {
        let setting = error.is::<WrongSetting>()
            || matches!(error.downcast_ref(), Some(ConnectError::Setting(_)));
        Self {
            report: String::new(),
            warnings: Vec::new(),
            errors: vec![format!("{error:#}")],
            exit: if setting {
                Exit::Unusable
            } else {
                Exit::Failed
            },
        }
    }
}
