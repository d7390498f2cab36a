//! Tries out what no setting shows.

use std::thread::sleep;
use std::time::Duration;

use crate::gitlab::answer::Status;
use crate::gitlab::{BenchmarkProject, Error, ProjectAccess, both};
use crate::id::PipelineId;
use crate::record;
use crate::setup::checks::rehearsal::CANCELING;
use crate::setup::findings::{Findings, Rehearsal};

/// The pauses before it looks again whether the pipeline has ended: GitLab cancels in the background.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_millis(1000),
    Duration::from_millis(2000),
];

/// Whether the token may write in the source project, if its scopes do not say.
pub fn try_writes(source: &ProjectAccess, findings: &Findings) -> Option<Result<(), Error>> {
    let settings = findings.source.settings.as_ref().ok()?;
    let token = &findings.token;
    let unknown = token.user.is_ok() && (token.fine_grained() || token.details.is_err());
    unknown.then(|| source.try_writes(settings.project.id))
}

/// Whether a pipeline with variables can be started, read back and cancelled.
pub fn rehearse(benchmark: ProjectAccess, findings: &Findings) -> Option<Rehearsal> {
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
