use anyhow::Result;

use crate::live::{Live, Mr};
use crate::setup::{change_template, let_set_variables, makefile};

/// Makes every pipeline of the benchmark project but those of pushes impossible.
const FILTER: (&str, &str) = (
    "workflow:\n",
    "workflow:\n  rules:\n    - if: $CI_PIPELINE_SOURCE == \"push\"\n",
);

pub fn tell(live: &Live) -> Result<()> {
    let mr = live.ready("refused", &makefile(110, ""))?;
    live.put_label_on(&mr)?;

    let_set_variables(live, "no_one_allowed")?;
    let refused = is_refused(live, &mr, "variables");
    let_set_variables(live, "maintainer")?;
    refused?;

    change_template(live, |ci| ci.replacen(FILTER.0, FILTER.1, 1))?;
    let refused = is_refused(live, &mr, "workflow");
    change_template(live, str::to_owned)?;
    refused?;

    live.bench_bot("scan", 0)?;
    let benchmark = live.benchmark_of(&mr)?;
    live.becomes(benchmark, &["success"])?;
    live.bench_bot("reconcile", 0)?;
    let notes = live.is_over(&mr)?;
    live.says(&notes, &["success"]);
    live.stays_over(&mr)
}

fn is_refused(live: &Live, mr: &Mr, word: &str) -> Result<()> {
    let ran = live.bench_bot("scan", 1)?;
    live.says(&format!("{}{}", ran.stdout, ran.stderr), &[word]);
    let benchmarks = live.benchmarks_of(mr)?;
    live.seen.expect(
        "no benchmark while GitLab refuses it",
        benchmarks.is_empty(),
        benchmarks.len(),
    );
    let discussions = live.discussions(mr)?;
    live.seen.expect(
        "one discussion at most",
        discussions.len() <= 1,
        discussions.len(),
    );
    live.seen
        .expect("the label to stay on", live.is_labelled(mr)?, "it is off");
    Ok(())
}
