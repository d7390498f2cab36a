//! `bench-bot trigger`: starts the benchmark of one merge request ahead of the queue.

use anyhow::{Context, Result};

use super::Run;
use crate::act::{self, Action, BenchmarkPipeline, Effect, Verb};
use crate::cli::{Benchmark, ChosenMr, Environment, MrName, Settings, Writing};
use crate::plan::{self, Plan};
use crate::report;
use crate::run_outcome::RunOutcome;
use crate::survey::Scope;

/// How one merge request is to be triggered.
pub struct Triggering {
    pub mr: ChosenMr,
    pub force: bool,
    pub wait: bool,
}

pub fn trigger(
    settings: Settings,
    benchmark: Benchmark,
    Triggering { mr, force, wait }: Triggering,
    Writing { dry_run }: Writing,
    environment: &Environment,
) -> Result<RunOutcome> {
    let run = Run {
        dry_run,
        variables: benchmark.variables()?,
        ..Run::begin("trigger", settings, environment, None, !dry_run)?
    };
    let name = mr.name().context("no merge request is named")?;
    run.trigger(name, force, wait)
}

impl Run {
    fn trigger(mut self, name: &MrName, force: bool, wait: bool) -> Result<RunOutcome> {
        let iid = self.number_of(name)?;
        self.only = Some(iid);
        let snapshot = self.survey(None, Scope::One(iid))?;
        let rules = &self.config.rules;
        let plan = Plan {
            free: 0,
            ..plan::scan(&snapshot, rules)
        };
        let refuse = |why| Ok(self.refuse(&snapshot, &plan, iid, why));
        let Some(mr) = snapshot.merge_requests.get(&iid) else {
            return refuse(self.unknown(&snapshot, iid));
        };
        let request = mr.requests.first();
        if request.is_none()
            && let Some(label) = snapshot.missing_labels.first()
        {
            return refuse(self.missing_label(label));
        }
        // GitLab would create a label that does not exist.
        if request.is_none()
            && let Some(label) = snapshot.unknown_labels.first()
        {
            return refuse(format!("there may be no label {label}: try again later"));
        }
        let label = request.map_or(&self.config.labels[0], |request| &request.label);
        let (actions, benchmark) = match plan::trigger(&snapshot, mr, rules, force) {
            Err(refusal) => return refuse(report::refusal(&refusal)),
            Ok(trigger) => {
                self.progress.set_message("carrying out");
                let actions = match self.dry_run {
                    true => act::planned_trigger(iid, label, &trigger),
                    false => self.actor(&snapshot).trigger(mr, &trigger, force),
                };
                let in_flight = trigger.in_flight.map(BenchmarkPipeline::from);
                let pipeline = in_flight.or_else(|| begun(&actions)?.pipeline.clone());
                (actions, pipeline)
            }
        };
        match benchmark.filter(|_| wait && !self.dry_run) {
            Some(benchmark) => {
                let label = label.clone();
                Ok(self.wait(iid, label, benchmark, actions, &snapshot, &plan))
            }
            None => Ok(self.report(&snapshot, &plan, &actions)),
        }
    }
}

/// What was started, or linked to because an earlier run had started it.
fn begun(actions: &[Action]) -> Option<&Action> {
    let started = actions.iter().find(|action| action.verb == Verb::Start);
    let all_done = || actions.iter().all(|action| action.effect == Effect::Done);
    let found = || {
        let last = actions.last().filter(|_| all_done())?;
        (last.verb == Verb::Link).then_some(last)
    };
    started.or_else(found)
}
