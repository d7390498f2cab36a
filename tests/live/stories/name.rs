use anyhow::Result;

use crate::live::Live;
use crate::setup::makefile;

/// As hard as a name may be: GitLab and the runner expand what they are given.
const BRANCH: &str = "pay-$5/$CI_JOB_TOKEN-%CI_JOB_TOKEN%";

/// Nobody sets the label, and one command sees to all of it.
pub fn tell(live: &Live) -> Result<()> {
    let mr = live.ready(BRANCH, &makefile(120, ""))?;
    let patience = live.settings.patience.as_secs();
    let trigger = format!("trigger --mr {} --wait --timeout {patience}s", mr.iid);
    live.bench_bot(&trigger, 0)?;
    let notes = live.is_over(&mr)?;
    live.says(&notes, &["success", BRANCH]);
    let benchmark = live.benchmark_of(&mr)?;
    let trace = live.trace(&live.job(benchmark)?)?;
    let mut lines = trace.lines().filter(|line| line.contains("Branch: "));
    let seen = lines.next_back().unwrap_or(&trace);
    live.seen.expect(
        format_args!("the job to print `Branch: {BRANCH}`"),
        seen.contains(BRANCH),
        seen,
    );
    live.stays_over(&mr)
}
