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
pub mod shell;
pub mod snapshot;
mod status;
pub mod survey;
mod wait;

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::TimeDelta;
use indicatif::ProgressBar;

use crate::act::{Action, Actor, BenchmarkPipeline, Effect, Verb};
use crate::cli::{Command, Environment, Format, MrName, Settings, Settled, WrongSetting};
use crate::doctor::Writes;
use crate::doctor::checks::checks;
use crate::gitlab::answer::Variable;
use crate::gitlab::{ConnectError, Gitlab};
use crate::id::Iid;
use crate::plan::{Plan, Trigger};
use crate::report::{Checkup, Report, Status};
use crate::snapshot::Snapshot;
use crate::survey::{Scope, survey};

/// For so long after its end a benchmark's outcome is told though its label has gone: longer than a schedule's
/// interval, and short enough to concern few.
const AFTERCARE: TimeDelta = TimeDelta::hours(1);

/// What came of a run.
#[derive(Debug)]
pub struct Ran {
    /// For standard output; in colour where it is for people.
    pub report: String,
    /// For standard error, each in a sentence.
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
    let begin = |name, settings, of_all| Run::begin(name, settings, environment, of_all);
    match command {
        Command::Scan {
            writing,
            settings,
            benchmark,
        } => {
            let run = Run {
                dry_run: writing.dry_run,
                variables: benchmark.variables()?,
                ..begin("scan", settings, true)?
            };
            let snapshot = run.survey(None, Scope::Queue)?;
            let plan = plan::scan(&snapshot, &run.settled.rules);
            Ok(run.act(&snapshot, &plan, |actor| actor.start_queue(&plan)))
        }
        Command::Reconcile {
            since,
            writing,
            settings,
        } => {
            let run = Run {
                dry_run: writing.dry_run,
                ..begin("reconcile", settings, true)?
            };
            let since = since.and_then(|since| TimeDelta::from_std(since).ok());
            let aftercare = since.unwrap_or(AFTERCARE);
            let snapshot = run.survey(since, Scope::Records { aftercare })?;
            let plan = plan::reconcile(&snapshot, &run.settled.rules);
            Ok(run.act(&snapshot, &plan, |actor| actor.repair_all(&plan.repairs)))
        }
        Command::Trigger {
            mr,
            force,
            wait,
            writing,
            settings,
            benchmark,
        } => {
            let run = Run {
                dry_run: writing.dry_run,
                variables: benchmark.variables()?,
                ..begin("trigger", settings, false)?
            };
            run.trigger(&mr, force, wait)
        }
        Command::Status {
            mr,
            since,
            settings,
        } => {
            status::check(&settings, mr.as_ref())?;
            let run = begin("status", settings, true)?;
            let since = TimeDelta::from_std(since).unwrap_or(TimeDelta::MAX);
            run.status(since, mr.as_ref())
        }
        Command::Doctor {
            fix,
            rehearse,
            settings,
        } => check_up(&settings, environment, Writes { fix, rehearse }),
        Command::Completions { shell } => Ok(Ran::done(shell::completions(shell))),
        Command::Man { folder } => {
            shell::man_pages(&folder)?;
            Ok(Ran::done(String::new()))
        }
    }
}

/// Draws on standard error, and only if that is a terminal.
fn spinner(message: &'static str) -> ProgressBar {
    let progress = ProgressBar::new_spinner().with_message(message);
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}

/// A missing token is itself something that this finds out.
fn check_up(settings: &Settings, environment: &Environment, writes: Writes) -> Result<Ran> {
    let given = environment.token.is_some();
    let environment = Environment {
        token: Some(environment.token.clone().unwrap_or_default()),
        ..environment.clone()
    };
    let settled = settings.settle(&environment)?;
    let progress = spinner("looking at tokens and projects");
    let findings = doctor::examine(&settled, given, writes)?;
    progress.finish_and_clear();
    let checks = checks(&findings);
    let checkup = Checkup {
        dry_run: !writes.fix && !writes.rehearse,
        source: findings.source.path(),
        benchmark: findings.benchmark.path(),
        checks: &checks,
    };
    Ok(Ran {
        report: match settings.format {
            Format::Json => report::checkup_json(&checkup),
            // Only `status` has a page; elsewhere the word is refused.
            Format::Text | Format::Html => report::checkup_text(&checkup, columns()),
        },
        errors: Vec::new(),
        exit: match checks.iter().any(|check| check.verdict.hinders()) {
            true => Exit::Failed,
            false => Exit::Done,
        },
    })
}

impl Ran {
    fn done(report: String) -> Self {
        Self {
            report,
            errors: Vec::new(),
            exit: Exit::Done,
        }
    }

    pub fn of_error(error: &anyhow::Error) -> Self {
        let setting = error.is::<WrongSetting>()
            || matches!(error.downcast_ref(), Some(ConnectError::Setting(_)));
        Self {
            report: String::new(),
            errors: vec![format!("{error:#}")],
            exit: if setting {
                Exit::Unusable
            } else {
                Exit::Failed
            },
        }
    }
}

/// A run that has found GitLab and its projects.
struct Run {
    command: &'static str,
    settings: Settings,
    dry_run: bool,
    settled: Settled,
    gitlab: Gitlab,
    ref_name: String,
    variables: Vec<Variable>,
    progress: ProgressBar,
}

impl Run {
    /// `of_all`: whether the open merge requests with the label will be asked for.
    fn begin(
        command: &'static str,
        settings: Settings,
        environment: &Environment,
        of_all: bool,
    ) -> Result<Self> {
        let settled = settings.settle(environment)?;
        let progress = spinner("finding the projects");
        let label = of_all.then_some(&*settled.label);
        let gitlab = Gitlab::connect(&settled.connection, label)?;
        let default = gitlab.benchmark.project().default_branch.clone();
        let ref_name = settled.ref_name.clone().or(default).ok_or_else(|| {
            WrongSetting(format!(
                "{} has no default branch yet: push a .gitlab-ci.yml there, or name a branch with \
                 --ref (BENCH_BOT_REF)",
                gitlab.benchmark.project().path_with_namespace
            ))
        })?;
        Ok(Self {
            command,
            settings,
            dry_run: false,
            settled,
            gitlab,
            ref_name,
            variables: Vec::new(),
            progress,
        })
    }

    /// Twice the timeout: whatever is in flight that long is stuck, and there are as many hours again for a run to
    /// notice, before it falls out of sight.
    fn survey(&self, since: Option<TimeDelta>, scope: Scope) -> Result<Snapshot> {
        self.progress
            .set_message("reading merge requests and benchmarks");
        let lookback = (self.settled.rules.timeout * 2).max(since.unwrap_or_default());
        let source = &self.gitlab.source.project().path_with_namespace;
        survey(&self.gitlab, &self.settled.label, lookback, scope)
            .with_context(|| format!("cannot survey {source}; nothing was written"))
    }

    /// Carries the plan out, or tells it where the run is a dry one.
    fn act(
        &self,
        snapshot: &Snapshot,
        plan: &Plan,
        carry_out: impl FnOnce(&Actor) -> Vec<Action>,
    ) -> Ran {
        self.progress.set_message("carrying out");
        let actions = match self.dry_run {
            true => act::planned(plan),
            false => carry_out(&self.actor(snapshot)),
        };
        self.report(snapshot, plan, &actions)
    }

    fn actor<'a>(&'a self, snapshot: &'a Snapshot) -> Actor<'a> {
        Actor {
            gitlab: &self.gitlab,
            label: &self.settled.label,
            ref_name: &self.ref_name,
            variables: &self.variables,
            resolve: self.settled.resolve,
            results_job: self.settled.results_job.as_deref(),
            records: &snapshot.records,
        }
    }

    fn trigger(mut self, name: &MrName, force: bool, wait: bool) -> Result<Ran> {
        let source = self.gitlab.source.project();
        let iid = name.in_project(&source.web_url)?;
        let snapshot = self.survey(None, Scope::One(iid))?;
        let rules = &self.settled.rules;
        let plan = Plan {
            free: 0,
            ..plan::scan(&snapshot, rules)
        };
        let refuse = |why| Ok(self.refuse(&snapshot, &plan, iid, why));
        let Some(mr) = snapshot.merge_requests.get(&iid) else {
            return refuse(self.unknown(&snapshot, iid));
        };
        let (actions, benchmark) = match plan::trigger(&snapshot, mr, rules, force) {
            Err(refusal) => return refuse(report::refusal(&refusal)),
            Ok(Trigger::InFlight(record)) => (Vec::new(), Some(BenchmarkPipeline::from(record))),
            Ok(Trigger::Start { finish }) => {
                self.progress.set_message("carrying out");
                let actions = match self.dry_run {
                    true => act::planned_trigger(iid, finish.as_ref()),
                    false => self.actor(&snapshot).trigger(mr, finish.as_ref(), force),
                };
                let started = actions.iter().find(|action| action.verb == Verb::Start);
                let pipeline = started.and_then(|start| start.pipeline.clone());
                (actions, pipeline)
            }
        };
        match benchmark.filter(|_| wait && !self.dry_run) {
            Some(benchmark) => Ok(self.wait(iid, benchmark, actions, &snapshot, &plan)),
            None => Ok(self.report(&snapshot, &plan, &actions)),
        }
    }

    /// A person gets the sentence alone, a machine the report that it expects as well.
    fn refuse(&self, snapshot: &Snapshot, plan: &Plan, mr: Iid, why: String) -> Ran {
        let refused = [Action::start(mr, Effect::Failed(why.clone()), None)];
        let mut ran = self.report(snapshot, plan, &refused);
        if self.settings.format == Format::Text {
            ran.report.clear();
        }
        ran.errors.push(format!("!{mr}: {why}"));
        ran
    }

    /// Why nothing is known of a merge request that was asked for.
    fn unknown(&self, snapshot: &Snapshot, mr: Iid) -> String {
        let path = &self.gitlab.source.project().path_with_namespace;
        match snapshot.gone.contains(&mr) {
            true => format!("there is no such merge request in {path}"),
            false => "it could not be read".to_owned(),
        }
    }

    fn report(&self, snapshot: &Snapshot, plan: &Plan, actions: &[Action]) -> Ran {
        self.tell(snapshot, plan, actions, None)
    }

    fn tell(
        &self,
        snapshot: &Snapshot,
        plan: &Plan,
        actions: &[Action],
        status: Option<Status>,
    ) -> Ran {
        self.progress.finish_and_clear();
        log::info!("{}", self.gitlab.figures());
        let report = Report {
            command: self.command,
            dry_run: self.dry_run,
            source: self.gitlab.source.project(),
            benchmark: self.gitlab.benchmark.project(),
            now: snapshot.now,
            order: self.settled.rules.order,
            max_in_flight: self.settled.rules.max_in_flight,
            plan,
            actions,
            status,
        };
        let failed = |action: &Action| matches!(action.effect, Effect::Failed(_));
        let troubled = !snapshot.troubles.is_empty() || actions.iter().any(failed);
        Ran {
            report: match self.settings.format {
                Format::Json => report::json(&report),
                Format::Text => report::text(&report, columns()),
                Format::Html => report::html(&report),
            },
            errors: snapshot.troubles.clone(),
            exit: if troubled { Exit::Failed } else { Exit::Done },
        }
    }
}

/// As wide as the terminal, within reason; 80 elsewhere.
fn columns() -> usize {
    match terminal_size::terminal_size() {
        Some((width, _)) if std::io::stdout().is_terminal() => usize::from(width.0).clamp(60, 120),
        _ => 80,
    }
}
