//! One file for each command, and here what they share: the settings, the survey, carrying out the plan, and the report.

mod doctor;
mod examine;
mod reconcile;
mod rehearse;
mod scan;
mod shell;
mod status;
mod trigger;
mod wait;

use std::io::IsTerminal;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::TimeDelta;
use indicatif::{MultiProgress, ProgressBar, ProgressFinish};
use log::warn;

pub use self::doctor::{Writes, doctor};
pub use self::reconcile::reconcile;
pub use self::scan::scan;
pub use self::shell::{completions, man_pages};
pub use self::status::status;
pub use self::trigger::{Triggering, trigger};
use crate::act::{self, Action, Actor, Effect};
use crate::cli::{Config, Environment, Format, MrName, Settings, WrongSetting};
use crate::gitlab::answer::Variable;
use crate::gitlab::{Gitlab, Listing};
use crate::id::Iid;
use crate::plan::{self, Plan};
use crate::report::{self, Report, Screen, Status};
use crate::run_outcome::{Exit, RunOutcome};
use crate::snapshot::{About, Snapshot, Trouble};
use crate::survey::{Scope, survey};

/// Shows the progress of a run. Whoever writes to standard error has to suspend it.
pub static PROGRESS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// A run that has found GitLab and its projects.
pub struct Run {
    pub command: &'static str,
    pub settings: Settings,
    pub dry_run: bool,
    /// The one merge request that this run is about, if it is about one. Problems elsewhere are no failures then.
    pub only: Option<Iid>,
    pub config: Config,
    pub gitlab: Gitlab,
    pub ref_name: String,
    pub variables: Vec<Variable>,
    pub progress: ProgressBar,
}

impl Run {
    /// `scope`: what the run will survey, if that is known before the projects are found. `writes`: whether it changes
    /// anything, which only the bot itself may do.
    pub fn begin(
        command: &'static str,
        settings: Settings,
        environment: &Environment,
        scope: Option<Scope>,
        writes: bool,
    ) -> Result<Self> {
        let config = settings.resolve(environment)?;
        let progress = spinner("finding the projects");
        let early = scope.map_or(Vec::new(), |scope| scope.listings(&config.labels));
        let gitlab = Gitlab::connect(&config.connection, &early)?;
        check_user(&gitlab, &config, environment, writes)?;
        let default = gitlab.benchmark.project().default_branch.clone();
        let ref_name = config.ref_name.clone().or(default).ok_or_else(|| {
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
            only: None,
            config,
            gitlab,
            ref_name,
            variables: Vec::new(),
            progress,
        })
    }

    fn number_of(&self, name: &MrName) -> Result<Iid> {
        let source = self.gitlab.source.project();
        let path = &source.path_with_namespace;
        let branch = match name.in_project(&source.web_url, &self.config.connection.gitlab_url)? {
            Ok(iid) => return Ok(iid),
            Err(branch) => branch,
        };
        let found = self.gitlab.source.list(Listing::From(branch));
        let found = found.with_context(|| format!("cannot look for branch {branch}"))?;
        let numbers: Vec<String> = found.iter().map(|row| format!("!{}", row.iid)).collect();
        match &found[..] {
            [row] => Ok(row.iid),
            [] => bail!("no open merge request of {path} comes from a branch {branch}"),
            _ => bail!(
                "{} come from a branch {branch}: name one by its number",
                numbers.join(" and ")
            ),
        }
    }

    /// Looks back for twice the timeout: a benchmark is stuck after the timeout, and runs have the same time again to
    /// notice that before it drops out of sight.
    pub fn survey(&self, since: Option<TimeDelta>, scope: Scope) -> Result<Snapshot> {
        self.progress
            .set_message("reading merge requests and benchmarks");
        let timeout = self.config.rules.timeout;
        let lookback = (timeout * 2).max(since.unwrap_or_default());
        let source = &self.gitlab.source.project().path_with_namespace;
        survey(&self.gitlab, &self.config.labels, timeout, lookback, scope)
            .with_context(|| format!("cannot survey {source}; nothing was written"))
    }

    /// Carries out the plan, or only reports it in a dry run.
    pub fn act(
        &self,
        snapshot: &Snapshot,
        plan: &Plan,
        carry_out: impl FnOnce(&Actor) -> Vec<Action>,
    ) -> RunOutcome {
        self.progress.set_message("carrying out");
        let actions = match self.dry_run {
            true => act::planned(plan),
            false => carry_out(&self.actor(snapshot)),
        };
        self.report(snapshot, plan, &actions)
    }

    pub fn actor<'a>(&'a self, snapshot: &'a Snapshot) -> Actor<'a> {
        Actor {
            gitlab: &self.gitlab,
            label: &self.config.labels[0],
            now: snapshot.now,
            timeout: self.config.rules.timeout,
            ref_name: &self.ref_name,
            variables: &self.variables,
            resolve: self.config.resolve,
            verdict_labels: &self.config.verdict_labels,
            results_job: self.config.results_job.as_deref(),
            results_file: self.config.results_file.as_deref(),
            records: &snapshot.records,
        }
    }

    pub fn refuse(&self, snapshot: &Snapshot, plan: &Plan, mr: Iid, why: String) -> RunOutcome {
        let label = &self.config.labels[0];
        let refused = [Action::start(mr, label, Effect::Failed(why.clone()), None)];
        self.say_why(self.report(snapshot, plan, &refused), mr, &why)
    }

    /// A person gets only the sentence. A script also gets the report that it expects.
    pub fn say_why(&self, mut ran: RunOutcome, mr: Iid, why: &str) -> RunOutcome {
        if self.settings.format == Format::Text {
            ran.report.clear();
        }
        // If the reason concerns the whole run, it is among the errors already.
        if !ran.errors.iter().any(|error| error == why) {
            ran.errors.push(format!("!{mr}: {why}"));
        }
        ran.exit = Exit::Failed;
        ran
    }

    pub fn missing_label(&self, label: &str) -> String {
        format!(
            "there is no label {label} in {}: check --label (BENCH_BOT_LABEL), or create it with {}",
            self.gitlab.source.project().path_with_namespace,
            self.config.given_flags.command("doctor --fix")
        )
    }

    /// Why nothing is known about the merge request that was named.
    pub fn unknown(&self, snapshot: &Snapshot, mr: Iid) -> String {
        let path = &self.gitlab.source.project().path_with_namespace;
        match snapshot.gone.contains(&mr) {
            true => format!("there is no such merge request in {path}"),
            false => "it could not be read".to_owned(),
        }
    }

    /// Whether something that could not be read may affect the merge request that this run is about.
    pub fn concerns(&self, snapshot: &Snapshot, about: About) -> bool {
        self.only
            .is_none_or(|iid| plan::concerns(snapshot, about, iid))
    }

    pub fn report(&self, snapshot: &Snapshot, plan: &Plan, actions: &[Action]) -> RunOutcome {
        self.tell(snapshot, plan, actions, None)
    }

    pub fn tell(
        &self,
        snapshot: &Snapshot,
        plan: &Plan,
        actions: &[Action],
        status: Option<Status>,
    ) -> RunOutcome {
        self.progress.finish_and_clear();
        self.gitlab.log_stats();
        let report = Report {
            command: self.command,
            dry_run: self.dry_run,
            source: self.gitlab.source.project(),
            benchmark: self.gitlab.benchmark.project(),
            now: snapshot.now,
            snapshot,
            labels: &self.config.labels,
            given_flags: &self.config.given_flags,
            order: self.config.rules.order,
            max_in_flight: self.config.rules.max_in_flight,
            plan,
            actions,
            status,
        };
        let failed = |action: &Action| matches!(action.effect, Effect::Failed(_));
        let missing = snapshot.missing_labels.iter();
        let missing: Vec<String> = missing.map(|label| self.missing_label(label)).collect();
        let troubles = snapshot.troubles.iter().cloned();
        let (errors, elsewhere): (Vec<Trouble>, Vec<Trouble>) =
            troubles.partition(|trouble| self.concerns(snapshot, trouble.about));
        let texts = |troubles: Vec<Trouble>| troubles.into_iter().map(|trouble| trouble.text);
        let errors: Vec<String> = missing.into_iter().chain(texts(errors)).collect();
        let troubled = !errors.is_empty() || actions.iter().any(failed);
        let overdue = plan::overdue(snapshot, plan, &self.config.rules);
        RunOutcome {
            report: match self.settings.format {
                Format::Json => report::json(&report),
                Format::Text => report::text(&report, screen()),
                Format::Html => report::html(&report),
            },
            warnings: texts(elsewhere).chain(overdue).collect(),
            errors,
            exit: if troubled { Exit::Failed } else { Exit::Done },
        }
    }
}

/// Only the bot itself may write, since later runs recognise only what the bot has written. For a person's own token, a
/// warning says whose pipelines and notes count as the bot's.
fn check_user(
    gitlab: &Gitlab,
    config: &Config,
    environment: &Environment,
    writes: bool,
) -> Result<(), WrongSetting> {
    let (user, bot) = (&gitlab.user.username, gitlab.source.bot());
    if gitlab.is_observer && writes {
        return Err(WrongSetting(format!(
            "the token in BENCH_BOT_TOKEN is not {bot}'s, and only {bot} may write (--bot, BENCH_BOT_USER): add --dry-run to \
             look, set BENCH_BOT_TOKEN to {bot}'s token, or run the pipeline of the project that runs bench-bot, whose \
             input `trigger` takes a merge request"
        )));
    }
    let is_person = gitlab.user.bot == Some(false);
    if config.connection.bot.is_none() && is_person && !environment.is_job {
        warn!(
            "the token in BENCH_BOT_TOKEN is {user}'s: only pipelines and notes of {user} count as the bot's; name another \
             with --bot (BENCH_BOT_USER)"
        );
    }
    Ok(())
}

/// What standard output is shown on: as wide as the terminal within limits, or 80 columns if there is none.
fn screen() -> Screen {
    let stdout = std::io::stdout();
    let terminal = terminal_size::terminal_size().filter(|_| stdout.is_terminal());
    Screen {
        width: terminal.map_or(80, |(width, _)| usize::from(width.0).clamp(60, 120)),
        // Where colours are removed, links are as well.
        links: anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never
            && supports_hyperlinks::on(supports_hyperlinks::Stream::Stdout),
    }
}

/// It is shown on standard error, and only if that is a terminal.
fn spinner(message: &'static str) -> ProgressBar {
    let progress = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
    let progress = PROGRESS.add(progress.with_message(message));
    progress.enable_steady_tick(Duration::from_millis(100));
    progress
}
