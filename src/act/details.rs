//! What is posted about an ended benchmark besides its outcome. It is read only where an outcome is about to be posted, and
//! what cannot be read is left out: the outcome itself is posted in any case.

use log::warn;

use super::Actor;
use crate::gitlab::answer::{Job, Outcome, Pipeline, Status};
use crate::note::{Details, End, Results, Spent};
use crate::record::Record;

/// The file among the results whose first line stands in the reply.
const SUMMARY: &str = "bench-summary.md";
/// A line that says it in short lies well within.
const MAX_BYTES: u64 = 4096;

impl Actor<'_> {
    /// How it ended, which is no success where the job that has the results failed.
    pub(super) fn details(&self, record: &Record, outcome: Outcome) -> (End, Details) {
        let failed = outcome == Outcome::Failed;
        let end = End::Pipeline(outcome);
        if !failed && self.results_job.is_none() {
            return (end, Details::default());
        }
        let Some(mut jobs) = self.jobs(record) else {
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

    /// What became of a benchmark that has not ended in time. `pipeline`: as a second look shows it.
    pub(super) fn details_in_time(&self, record: &Record, pipeline: &Pipeline) -> (End, Details) {
        let is_done = |job: &Job| job.status.ended() || job.status.word() == "manual";
        if record.status.word() == "manual"
            && let Some(jobs) = self.jobs(record)
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

    fn jobs(&self, record: &Record) -> Option<Vec<Job>> {
        let jobs = self.gitlab.benchmark.jobs(record.pipeline);
        jobs.inspect_err(|error| {
            warn!(
                "the jobs of {} could not be read, so the reply leaves them out: {error}",
                record.web_url
            );
        })
        .ok()
    }

    /// GitLab calls the jobs of `parallel: 3` `name 1/3`, and those of a matrix `name: [a, b]`.
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
        let summary = match self.gitlab.benchmark.artifact(job.id, SUMMARY, MAX_BYTES) {
            Ok(beginning) => first_line(&beginning),
            Err(error) if error.not_found() => None,
            Err(error) => {
                warn!(
                    "{SUMMARY} of {} could not be read, so the reply leaves it out: {error}",
                    job.web_url
                );
                None
            }
        };
        Some(Results {
            job: job.clone(),
            summary,
        })
    }
}

fn has_failed(job: &Job) -> bool {
    job.status == Status::Ended(Outcome::Failed)
}

/// `None` where nothing stands there.
fn first_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    let line = line.trim_start_matches('\u{feff}').trim();
    (!line.is_empty()).then(|| line.to_owned())
}
