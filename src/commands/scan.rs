//! `bench-bot scan`: decides which requests go next, and starts them.

use anyhow::Result;

use super::Run;
use crate::cli::{Benchmark, Environment, Settings, Writing};
use crate::plan::{self, Announce};
use crate::run_outcome::RunOutcome;
use crate::survey::Scope;

pub fn scan(
    settings: Settings,
    benchmark: Benchmark,
    Writing { dry_run }: Writing,
    environment: &Environment,
) -> Result<RunOutcome> {
    let scope = Scope::Queue {
        marked: settings.announce != Announce::None,
        threads: settings.announce == Announce::Discussion,
    };
    let run = Run {
        dry_run,
        variables: benchmark.variables()?,
        ..Run::begin("scan", settings, environment, Some(scope), !dry_run)?
    };
    let snapshot = run.survey(None, scope)?;
    let plan = plan::scan(&snapshot, &run.config.rules);
    Ok(run.act(&snapshot, &plan, |actor| actor.start_and_announce(&plan)))
}
