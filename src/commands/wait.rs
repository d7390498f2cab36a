//! `trigger --wait`: follows a benchmark to its end. The rules and steps of reconcile then finish the request.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use indicatif::ProgressStyle;
use log::debug;

use super::Run;
use super::reconcile::ENDED_WITHIN;
use crate::act::{Action, BenchmarkPipeline, Effect, Verb};
use crate::gitlab::answer::{Job, Outcome, Status};
use crate::gitlab::{Error, Gitlab};
use crate::id::{Iid, RequestId};
use crate::note::End;
use crate::plan::{self, Plan};
use crate::run_outcome::{Exit, RunOutcome};
use crate::sanitize::one_line;
use crate::snapshot::Snapshot;
use crate::survey::{self, Newest, Scope};

/// The pause between two looks at a benchmark. It doubles each time, up to the longest.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The same while GitLab does not answer.
const LONGEST_PAUSE_IN_TROUBLE: Duration = Duration::from_secs(60);

/// After more, posting the outcome is left to reconcile.
const MAX_FAILED_POSTS: usize = 5;

/// A benchmark that is waited for.
struct Following {
    mr: Iid,
    /// The label that asked for it.
    label: String,
    benchmark: BenchmarkPipeline,
    begun: Instant,
    /// The request that the label stood for at the first look.
    request: Option<Option<RequestId>>,
    shown: String,
    /// Whether GitLab has once said that it does not exist.
    unknown: bool,
    /// How often it had ended, but its outcome was not posted because something else could not be read.
    failed_posts: usize,
    actions: Vec<Action>,
}

impl Following {
    /// A new pipeline may not be visible everywhere yet, so the first time is forgiven.
    fn unknown_again(&mut self) -> bool {
        std::mem::replace(&mut self.unknown, true)
    }
}

/// What a look at a benchmark shows.
struct Seen {
    status: Status,
    created_at: DateTime<Utc>,
    /// Empty if it has ended.
    jobs: Vec<Job>,
    /// The request that the label stands for, if the label is on.
    request: Option<RequestId>,
}

/// The benchmark has ended, and its request is finished.
struct Over {
    snapshot: Snapshot,
    success: bool,
}

enum Step {
    GoesOn,
    Over(Box<Over>),
    Deleted,
}

impl Run {
    /// Reports all that was done, at the end. `snapshot` and `plan` are from the beginning.
    pub(super) fn wait(
        &mut self,
        mr: Iid,
        label: String,
        benchmark: BenchmarkPipeline,
        actions: Vec<Action>,
        snapshot: &Snapshot,
        plan: &Plan,
    ) -> RunOutcome {
        let again = &self.config.given_flags;
        self.on_interrupt(format!(
            "The benchmark of !{mr} goes on: {}\nTo follow it again: {}\n\
             Otherwise, the next reconcile posts its outcome, by hand or on schedule.",
            benchmark.web_url,
            again.command(&format!("trigger {mr} --wait"))
        ));
        let mut following = Following {
            mr,
            label,
            benchmark,
            begun: Instant::now(),
            request: None,
            shown: String::new(),
            unknown: false,
            failed_posts: 0,
            actions,
        };
        match self.follow(&mut following) {
            Ok(Over { snapshot, success }) => {
                let plan = Plan {
                    free: 0,
                    ..plan::scan(&snapshot, &self.config.rules)
                };
                let mut ran = self.report(&snapshot, &plan, &following.actions);
                if ran.exit == Exit::Done && !success {
                    ran.exit = Exit::Unsuccessful;
                }
                ran
            }
            Err(error) => {
                let mut ran = self.report(snapshot, plan, &following.actions);
                ran.errors.push(format!("!{mr}: {error:#}"));
                ran.exit = Exit::Failed;
                ran
            }
        }
    }

    /// An interrupt may cut any step short: a later run finds that step again.
    fn on_interrupt(&self, message: String) {
        let progress = self.progress.clone();
        let set = ctrlc::set_handler(move || {
            progress.finish_and_clear();
            eprintln!("{message}");
            std::process::exit(130);
        });
        if let Err(error) = set {
            debug!("an interrupt will end this without a message: {error}");
        }
    }

    fn follow(&mut self, following: &mut Following) -> Result<Over> {
        let mr = following.mr;
        let mut pause = FIRST_PAUSE;
        let mut in_trouble = false;
        self.begin_showing(following);
        loop {
            thread::sleep(pause);
            let error = match self.look_and_close(following) {
                Ok(Step::Over(over)) => return Ok(*over),
                Ok(Step::Deleted) => bail!(
                    "its benchmark {} has been deleted",
                    following.benchmark.web_url
                ),
                Ok(Step::GoesOn) => {
                    (in_trouble, pause) = (false, (pause * 2).min(LONGEST_PAUSE));
                    continue;
                }
                Err(error) => error,
            };
            let passes = match error.downcast_ref::<Error>() {
                Some(error) => error.refused().is_none(),
                None => true,
            };
            if !passes || following.failed_posts > MAX_FAILED_POSTS || self.over_time(following) {
                let url = &following.benchmark.web_url;
                return Err(error.context(format!(
                    "{url} is no longer followed, and reconcile posts its outcome"
                )));
            }
            if !in_trouble {
                self.say(&format!("!{mr}: {error:#}; trying again"));
            }
            (in_trouble, pause) = (true, (pause * 2).min(LONGEST_PAUSE_IN_TROUBLE));
        }
    }

    fn over_time(&self, following: &Following) -> bool {
        is_over(following.begun, self.config.rules.timeout)
    }

    fn look_and_close(&mut self, following: &mut Following) -> Result<Step> {
        let gitlab = self.gitlab.with_new_deadline(0);
        let seen = match look(&gitlab, following) {
            Ok(seen) => seen,
            Err(error) if error.not_found() => {
                return Ok(match following.unknown_again() {
                    true => Step::Deleted,
                    false => Step::GoesOn,
                });
            }
            Err(error) => return Err(error.into()),
        };
        self.show(following, &seen);
        let asked = *following.request.get_or_insert(seen.request);
        let withdrawn = seen.request.is_none() || seen.request != asked;
        let stuck = gitlab.now() - seen.created_at > self.config.rules.timeout;
        match seen.status.ended() || withdrawn || stuck || self.over_time(following) {
            true => self.close(following, &seen),
            false => Ok(Step::GoesOn),
        }
    }

    /// Does what reconcile would do about the merge request's benchmarks.
    fn close(&mut self, following: &mut Following, seen: &Seen) -> Result<Step> {
        self.gitlab = self
            .gitlab
            .with_new_deadline(self.config.connection.limits.retries);
        let (mr, followed) = (following.mr, following.benchmark.id);
        let ending = Scope::Ending {
            iid: mr,
            ended_within: ENDED_WITHIN,
        };
        let snapshot = self.survey(None, ending)?;
        let mut repairs = plan::reconcile(&snapshot, &self.config.rules).repairs;
        repairs.retain(|repair| repair.mr() == mr);
        let done = self.actor(&snapshot).repair_all(&repairs);
        following.actions.extend(done.iter().cloned());

        let mut records = snapshot.records.iter();
        let record = records.find(|record| record.pipeline == followed);
        let primary = record.map(|record| plan::primary_record(&snapshot, record));
        let id = primary.map_or(followed, |primary| primary.pipeline);
        let status = primary.map_or(&seen.status, |primary| &primary.status);
        let of_it = |action: &&Action| action.pipeline.as_ref().is_some_and(|of| of.id == id);
        let action = done.iter().find(of_it);
        let failed = done
            .iter()
            .any(|action| matches!(action.effect, Effect::Failed(_)));
        let success = match action.map(|action| (action.end, action.verb)) {
            Some((Some(end), _)) => end == End::Pipeline(Outcome::Success),
            // The merge request has been deleted.
            Some((None, Verb::Cancel)) => false,
            _ if failed => false,
            _ => {
                let mut troubles = snapshot.troubles.iter();
                if let Some(trouble) = troubles.find(|it| self.concerns(&snapshot, it.about)) {
                    following.failed_posts += 1;
                    bail!("{}", trouble.text);
                }
                let ended = status.ended() && (record.is_some() || following.unknown_again());
                // Somebody may have retried it after its outcome was posted.
                let retried = primary.is_some_and(|record| plan::was_retried(&snapshot, record));
                if !ended && !retried {
                    if let Some(first) = primary.filter(|first| first.pipeline != followed) {
                        following.benchmark = BenchmarkPipeline::from(first);
                        self.begin_showing(following);
                    }
                    return Ok(Step::GoesOn);
                }
                let word = status.word();
                self.say(&format!(
                    "!{mr}: {word}; another run has posted its outcome"
                ));
                *status == Status::Ended(Outcome::Success)
            }
        };
        Ok(Step::Over(Box::new(Over { snapshot, success })))
    }

    fn begin_showing(&self, following: &Following) {
        let style = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        self.progress.set_style(style);
        self.progress.set_message("");
        self.progress.reset_elapsed();
        let url = &following.benchmark.web_url;
        self.say(&format!(
            "!{}: waiting for {url} (Ctrl-C leaves it running)",
            following.mr
        ));
    }

    /// Replaces the line on a terminal. Elsewhere, each change gets a line.
    fn show(&self, following: &mut Following, seen: &Seen) {
        let text = format!("!{}: {}", following.mr, progress(seen));
        if text != following.shown {
            match self.progress.is_hidden() {
                true => self.say(&text),
                false => self.progress.set_message(one_line(&text)),
            }
            following.shown = text;
        }
    }

    fn say(&self, line: &str) {
        self.progress.suspend(|| eprintln!("{}", one_line(line)));
    }
}

/// Whether it was followed for longer than a benchmark may take, by this machine's clock.
pub(super) fn is_over(begun: Instant, longest: TimeDelta) -> bool {
    TimeDelta::from_std(begun.elapsed()).is_ok_and(|time| time > longest)
}

fn look(gitlab: &Gitlab, following: &Following) -> Result<Seen, Error> {
    let pipeline = gitlab.benchmark.pipeline(following.benchmark.id)?;
    let jobs = match pipeline.ended() {
        true => Vec::new(),
        false => match gitlab.benchmark.jobs(pipeline.id) {
            // They are only for display.
            Err(error) if error.refused().is_some() => Vec::new(),
            jobs => jobs?,
        },
    };
    let request = match gitlab.source.label_events(following.mr) {
        Ok(events) => match survey::newest_request(&events, &following.label) {
            Newest::Request(request) => Some(request.id),
            Newest::NoEvent => Some(RequestId::NONE),
            Newest::NotYet => None,
        },
        // The merge request may have been deleted: `close` looks into that.
        Err(error) if error.not_found() => None,
        Err(error) => return Err(error),
    };
    Ok(Seen {
        status: pipeline.status(),
        created_at: pipeline.created_at.unwrap_or_else(|| gitlab.now()),
        jobs,
        request,
    })
}

/// A benchmark's status and its jobs, in a line.
fn progress(seen: &Seen) -> String {
    let word = seen.status.word();
    if seen.jobs.is_empty() {
        return word.to_owned();
    }
    let ended = seen.jobs.iter().filter(|job| job.status.ended()).count();
    let running = seen
        .jobs
        .iter()
        .filter(|job| job.status.word() == "running");
    let running: Vec<&str> = running.map(|job| job.name.as_str()).collect();
    let which = match &running[..] {
        [] => String::new(),
        [first] => format!(", now {first}"),
        [first, others @ ..] => format!(", now {first} and {} more", others.len()),
    };
    format!("{word}, {ended} of {} jobs ended{which}", seen.jobs.len())
}
