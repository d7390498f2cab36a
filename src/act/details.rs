//! What is told of an ended benchmark besides its outcome. It is read only where an outcome is about to be told, and
//! what cannot be read is left out: the outcome itself is told in any case.

use log::warn;

use super::Actor;
use crate::gitlab::answer::{Job, Outcome};
use crate::note::{Details, Results};
use crate::record::Record;

/// The file among the results whose first line stands in the reply.
const SUMMARY: &str = "bench-summary.md";
/// A line that says it in short lies well within.
const MOST_BYTES: u64 = 4096;

impl Actor<'_> {
    pub(super) fn details(&self, record: &Record, outcome: Outcome) -> Details {
        let failed = outcome == Outcome::Failed;
        if !failed && self.results_job.is_none() {
            return Details::default();
        }
        let mut jobs = match self.gitlab.benchmark.jobs(record.pipeline) {
            Ok(jobs) => jobs,
            Err(error) => {
                warn!("{} is told of without its jobs: {error}", record.web_url);
                return Details::default();
            }
        };
        let results = self
            .results_job
            .and_then(|name| self.results(record, name, &jobs));
        jobs.retain(|job| failed && job.fails_pipeline());
        Details {
            failed: jobs,
            results,
        }
    }

    fn results(&self, record: &Record, name: &str, jobs: &[Job]) -> Option<Results> {
        let Some(job) = jobs.iter().find(|job| job.name == name) else {
            let hint = "see --results-job (BENCH_BOT_RESULTS_JOB)";
            warn!("{} has no job {name}: {hint}", record.web_url);
            return None;
        };
        job.artifacts_file.as_ref()?;
        let summary = match self.gitlab.benchmark.artifact(job.id, SUMMARY, MOST_BYTES) {
            Ok(beginning) => first_line(&beginning),
            Err(error) if error.not_found() => None,
            Err(error) => {
                warn!("{} is told of without its {SUMMARY}: {error}", job.web_url);
                None
            }
        };
        Some(Results {
            job: job.clone(),
            summary,
        })
    }
}

/// `None` where nothing stands there.
fn first_line(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    let line = line.trim_start_matches('\u{feff}').trim();
    (!line.is_empty()).then(|| line.to_owned())
}
