use anyhow::{Context, Result};

use crate::live::{JOB, Live};
use crate::setup::makefile;

/// As hard as a name may be: GitLab and the runner expand what they are given.
const BRANCH: &str = "pay-$5/$CI_JOB_TOKEN-%CI_JOB_TOKEN%";

pub fn tell(live: &Live) -> Result<()> {
    let mr = live.ready(BRANCH, &makefile(120, ""))?;
    live.label(&mr, "add_labels")?;
    live.bench_bot("scan", 0)?;
    let benchmark = live.benchmark_of(&mr)?;
    live.becomes(benchmark, &["success"])?;
    let jobs = live.jobs(benchmark)?;
    let job = jobs.iter().find(|job| job["name"] == JOB);
    let trace = live.trace(job.context("the template's job is not in the pipeline")?)?;
    let mut lines = trace.lines().filter(|line| line.contains("Branch: "));
    let seen = lines.next_back().unwrap_or(&trace);
    live.seen.expect(
        format_args!("the job to print `Branch: {BRANCH}`"),
        seen.contains(BRANCH),
        seen,
    );
    live.bench_bot("reconcile", 0)?;
    let notes = live.is_over(&mr)?;
    live.says(&notes, &["success", BRANCH]);
    Ok(())
}
