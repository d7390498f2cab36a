//! Tries out what no setting shows.

use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::TimeDelta;

use super::PROGRESS;
use super::wait::{FIRST_PAUSE, LONGEST_PAUSE, is_over};
use crate::act::SUMMARY;
use crate::gitlab::answer::Status;
use crate::gitlab::{BenchmarkProject, Error, ProjectAccess, both};
use crate::id::PipelineId;
use crate::record;
use crate::sanitize::one_line;
use crate::setup::checks::rehearsal::CANCELING;
use crate::setup::findings::{Findings, Rehearsal};

/// The pauses before it looks again whether the pipeline has ended: GitLab cancels in the background.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
];

/// So many of its jobs are asked for a summary.
const MOST_JOBS: usize = 5;
/// A summary begins with the line that matters.
const MAX_BYTES: u64 = 4 << 10;

/// Whether the token may write in the source project, if its scopes do not say.
pub fn try_writes(source: &ProjectAccess, findings: &Findings) -> Option<Result<(), Error>> {
    let settings = findings.source.settings.as_ref().ok()?;
    let token = &findings.token;
    let unknown = token.user.is_ok() && (token.fine_grained() || token.details.is_err());
    unknown.then(|| source.try_writes(settings.project.id))
}

/// Whether a pipeline with variables can be started, read back and cancelled. `longest`: how long to let it run instead.
pub fn rehearse(
    benchmark: ProjectAccess,
    findings: &Findings,
    longest: Option<TimeDelta>,
) -> Option<Rehearsal> {
    let user = findings.benchmark_identity().user.as_ref().ok()?;
    let settings = findings.benchmark.settings.as_ref().ok()?;
    let found = findings.ref_found.as_ref()?;
    if let (Ok(None), Ok(None)) = (&found.branch, &found.tag) {
        return None;
    }
    let benchmark = benchmark.into_benchmark_project(user.clone(), settings.project.clone());
    let variables = [record::rehearsal()];
    let pipeline = match benchmark.create_pipeline(&found.name, &variables) {
        Ok(pipeline) => pipeline,
        Err(error) => return Some(Rehearsal::NotStarted(error)),
    };
    if let Some(longest) = longest {
        let url = pipeline.web_url;
        PROGRESS.suspend(|| eprintln!("waiting for {url} (Ctrl-C leaves it running)"));
        let read_back = benchmark.variables(pipeline.id);
        let ended = follow(&benchmark, pipeline.id, longest);
        return Some(Rehearsal::Ran {
            url,
            read_back: read_back.map(|read| read == variables),
            said: ended
                .as_ref()
                .ok()
                .and_then(|_| said(&benchmark, pipeline.id)),
            ended,
        });
    }
    let (read_back, cancelled) = both(
        || benchmark.variables(pipeline.id),
        || cancel(&benchmark, pipeline.id),
    );
    Some(Rehearsal::Started {
        url: pipeline.web_url,
        read_back: read_back.map(|read| read == variables),
        cancelled,
    })
}

/// The status with which it has ended, or that it still has after the longest time.
fn follow(
    benchmark: &BenchmarkProject,
    pipeline: PipelineId,
    longest: TimeDelta,
) -> Result<Status, Error> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
        let is_late = is_over(begun, longest);
        match benchmark.with_new_deadline().pipeline(pipeline) {
            Ok(found) if found.ended() || is_late => return Ok(found.status()),
            Err(error) if is_late || error.refused().is_some() => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
}

/// The first line of the summary that one of its jobs has left.
fn said(benchmark: &BenchmarkProject, pipeline: PipelineId) -> Option<String> {
    let benchmark = benchmark.with_new_deadline();
    let jobs = benchmark.jobs(pipeline).ok()?;
    let with_artifacts = jobs.iter().filter(|job| job.artifacts_file.is_some());
    with_artifacts.take(MOST_JOBS).find_map(|job| {
        let summary = benchmark.artifact(job.id, SUMMARY, MAX_BYTES).ok()?;
        let summary = String::from_utf8_lossy(&summary).into_owned();
        let line = one_line(summary.lines().next()?.trim());
        (!line.is_empty()).then_some(line)
    })
}

/// Cancels the pipeline and checks that this had an effect, since GitLab also accepts a cancel that does nothing.
fn cancel(benchmark: &BenchmarkProject, pipeline: PipelineId) -> Result<Status, Error> {
    let mut status = benchmark.cancel(pipeline)?.status();
    for pause in PAUSES {
        if status.ended() || status.word() == CANCELING {
            break;
        }
        if status.word() == "manual" {
            let waits = |status: &Status| status.word() == "manual";
            for job in benchmark.jobs(pipeline)? {
                if waits(&job.status) {
                    benchmark.cancel_job(job.id)?;
                }
            }
        }
        sleep(pause);
        status = benchmark.pipeline(pipeline)?.status();
    }
    Ok(status)
}
