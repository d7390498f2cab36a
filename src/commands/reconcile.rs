//! `bench-bot reconcile`: posts the outcome of what ended, and repairs what an interrupted run left.

use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;

use super::Run;
use crate::cli::{Environment, Settings, Writing};
use crate::plan;
use crate::run_outcome::RunOutcome;
use crate::survey::Scope;

/// How long after a benchmark ends its outcome is still posted if the label is already gone and the merge request is not
/// marked: longer than the interval of an hourly schedule, but short enough to concern few benchmarks.
pub(super) const ENDED_WITHIN: TimeDelta = TimeDelta::hours(2);

pub fn reconcile(
    settings: Settings,
    since: Option<Duration>,
    Writing { dry_run }: Writing,
    environment: &Environment,
) -> Result<RunOutcome> {
    let since = since.and_then(|since| TimeDelta::from_std(since).ok());
    let ended_within = since.unwrap_or_default().max(ENDED_WITHIN);
    let scope = Scope::Records { ended_within };
    let run = Run {
        dry_run,
        ..Run::begin("reconcile", settings, environment, Some(scope), !dry_run)?
    };
    let snapshot = run.survey(since, scope)?;
    let plan = plan::reconcile(&snapshot, &run.config.rules);
    Ok(run.act(&snapshot, &plan, |actor| actor.repair_all(&plan.repairs)))
}
