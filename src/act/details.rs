//! Reads what a reply says in addition to the outcome. It is read only when an outcome is about to be posted. What cannot
//! be read is left out, and the outcome is posted in any case.

use log::warn;

use super::Actor;
use crate::gitlab::answer::{Job, Outcome, Pipeline, Status, TriggerJob};
use crate::gitlab::both;
use crate::id::PipelineId;
use crate::note::{Details, End, Results, Spent};
use crate::record::Record;

/// The artifact whose first line is in the reply, with the rest folded below it.
pub const SUMMARY: &str = "bench-summary.md";
/// More than a reply shows.
const MAX_BYTES: u64 = 16 << 10;
/// A benchmark with more child pipelines than that must not hold up the others.
const MAX_CHILDREN: usize = 20;

impl Actor<'_> {
    /// How the benchmark ended. It is no success if the results job failed.
    pub(super) fn details(&self, record: &Record, outcome: Outcome) -> (End, Details) {
        let failed = outcome == Outcome::Failed;
        let end = End::Pipeline(outcome);
        if !failed && self.results_job.is_none() {
            return (end, Details::default());
        }
        let Some(mut jobs) = self.jobs(record, failed) else {
            return (end, Details::default());
        };
        let results = self.results(record, &jobs);
        let without_results = outcome == Outcome::Success
            && jobs
                .iter()
                .any(|job| self.has_results(job) && has_failed(job));
        jobs.retain(|job| match without_results {
            true => self.has_results(job) && has_failed(job),
            false => failed && job.fails_pipeline(),
        });
        let details = Details {
            failed: jobs,
            results,
            ..Details::default()
        };
        match without_results {
            true => (End::ResultsFailed, details),
            false => (end, details),
        }
    }

    /// How a benchmark ends that has taken too long. `pipeline` has just been read again.
    pub(super) fn details_in_time(&self, record: &Record, pipeline: &Pipeline) -> (End, Details) {
        let is_done = |job: &Job| job.status.ended() || job.status.word() == "manual";
        if record.status.word() == "manual"
            && let Some(jobs) = self.jobs(record, false)
            && jobs.iter().all(is_done)
        {
            let results = self.results(record, &jobs);
            let details = Details {
                results,
                ..Details::default()
            };
            return (End::Blocked, details);
        }
        let spent = match pipeline.started_at {
            None => Spent {
                waiting: self.now - record.created_at,
                running: None,
            },
            Some(started_at) => Spent {
                waiting: started_at - record.created_at,
                running: Some(self.now - started_at),
            },
        };
        let details = Details {
            spent: Some(spent),
            ..Details::default()
        };
        (End::TimedOut, details)
    }

    /// The jobs of the benchmark, and of its child pipelines if the results job, or the reason for the failure, is not
    /// among its own.
    fn jobs(&self, record: &Record, failed: bool) -> Option<Vec<Job>> {
        let mut jobs = self.jobs_of(record.pipeline, &record.web_url)?;
        let lacks_results =
            self.results_job.is_some() && !jobs.iter().any(|job| self.has_results(job));
        let lacks_reason = failed && !jobs.iter().any(Job::fails_pipeline);
        if lacks_results || lacks_reason {
            jobs.extend(self.jobs_below(record, lacks_results));
        }
        Some(jobs)
    }

    fn jobs_of(&self, pipeline: PipelineId, web_url: &str) -> Option<Vec<Job>> {
        let jobs = self.gitlab.benchmark.jobs(pipeline);
        jobs.inspect_err(|error| {
            warn!("cannot read the jobs of {web_url}, so the reply leaves them out: {error}");
        })
        .ok()
    }

    /// The jobs of child pipelines: of all, or only of those that made the benchmark fail.
    fn jobs_below(&self, record: &Record, of_all: bool) -> Vec<Job> {
        let url = &record.web_url;
        let mut triggers = match self.gitlab.benchmark.trigger_jobs(record.pipeline) {
            Ok(triggers) => triggers,
            Err(error) => {
                warn!(
                    "cannot read the child pipelines of {url}, so the reply leaves them out: {error}"
                );
                return Vec::new();
            }
        };
        triggers.retain(|trigger| of_all || trigger.job.fails_pipeline());
        if triggers.len() > MAX_CHILDREN {
            warn!("{url} has many child pipelines: the reply is about the first {MAX_CHILDREN}");
            triggers.truncate(MAX_CHILDREN);
        }
        let jobs = triggers.into_iter();
        jobs.flat_map(|trigger| self.jobs_started_by(trigger, record))
            .collect()
    }

    fn jobs_started_by(&self, trigger: TriggerJob, record: &Record) -> Vec<Job> {
        let fails = trigger.job.fails_pipeline();
        let child = trigger.downstream_pipeline.as_ref();
        let ours = child.filter(|child| child.project_id == self.gitlab.benchmark.project().id);
        let jobs = ours.and_then(|child| self.jobs_of(child.id, &child.web_url));
        let mut jobs = jobs.unwrap_or_default();
        for job in &mut jobs {
            job.allow_failure |= !fails;
        }
        if fails && !jobs.iter().any(Job::fails_pipeline) {
            // A trigger job has no page of its own: GitLab leads to the pipeline that it started, if it started one.
            let web_url = child.map_or(&record.web_url, |child| &child.web_url);
            jobs.push(Job {
                web_url: web_url.clone(),
                ..trigger.job
            });
        }
        jobs
    }

    /// GitLab names the jobs of `parallel: 3` `name 1/3`, and those of a matrix `name: [a, b]`.
    fn has_results(&self, job: &Job) -> bool {
        let Some(rest) = self
            .results_job
            .and_then(|name| job.name.strip_prefix(name))
        else {
            return false;
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_part = |rest: &str| {
            let parts = rest.split_once('/');
            parts.is_some_and(|(part, of)| is_number(part) && is_number(of))
        };
        rest.is_empty()
            || rest.strip_prefix(' ').is_some_and(is_part)
            || (rest.starts_with(": [") && rest.ends_with(']'))
    }

    fn results(&self, record: &Record, jobs: &[Job]) -> Option<Results> {
        let name = self.results_job?;
        let mut found = jobs.iter().filter(|job| self.has_results(job)).peekable();
        if found.peek().is_none() {
            let hint = "see --results-job (BENCH_BOT_RESULTS_JOB)";
            warn!("{} has no job {name}: {hint}", record.web_url);
        }
        let job = found.find(|job| job.artifacts_file.is_some())?;
        let (text, file) = both(|| self.summary(job), || self.results_file(job));
        let (line, figures) = text.split_once('\n').unwrap_or((&text, ""));
        let line = line.trim();
        Some(Results {
            job: job.clone(),
            file,
            summary: (!line.is_empty()).then(|| line.to_owned()),
            figures: figures.to_owned(),
        })
    }

    fn summary(&self, job: &Job) -> String {
        match self.gitlab.benchmark.artifact(job.id, SUMMARY, MAX_BYTES) {
            Ok(beginning) => whole_lines(&beginning),
            Err(error) if error.not_found() => String::new(),
            Err(error) => {
                let url = &job.web_url;
                warn!("cannot read {SUMMARY} of {url}, so the reply leaves it out: {error}");
                String::new()
            }
        }
    }

    /// `--results-file`, if the job has left it.
    fn results_file(&self, job: &Job) -> Option<String> {
        let (file, url) = (self.results_file?, &job.web_url);
        let instead = "so the reply links to all artifacts";
        match self.gitlab.benchmark.artifact(job.id, file, 1) {
            Ok(_) => return Some(file.to_owned()),
            Err(error) if error.not_found() => {
                let hint = "see --results-file (BENCH_BOT_RESULTS_FILE)";
                warn!("{url} left no file {file}, {instead}: {hint}");
            }
            Err(error) => warn!("cannot read {file} of {url}, {instead}: {error}"),
        }
        None
    }
}

fn has_failed(job: &Job) -> bool {
    job.status == Status::Ended(Outcome::Failed)
}

/// Without a last line that was cut off, unless it is the only one.
fn whole_lines(beginning: &[u8]) -> String {
    let text = String::from_utf8_lossy(beginning);
    let text = text
        .trim_start_matches('\u{feff}')
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    match text.rsplit_once('\n') {
        Some((whole, _)) if beginning.len() as u64 == MAX_BYTES => format!("{whole}\n…\n"),
        _ => text,
    }
}
