//! What is told of a run: the world that it finds, its command, and what comes after it.

mod ends;
mod starts;
mod twins;

use std::time::Duration;

use bench_bot::RunOutcome;
use in_memory_gitlab::{ENGINE, Fault, Gitlab, LabelOwner, Mr, Request};

use crate::bot::{Installation, OF_TWO_LABELS, SOLE, end_all};

pub struct Story {
    pub name: &'static str,
    /// The run that is hit.
    pub command: &'static str,
    /// Who runs it.
    pub by: Installation,
    /// Of all runs.
    pub settings: &'static str,
    pub arrange: fn(&Gitlab),
    /// What comes between the run that is hit and those after it.
    pub afterwards: fn(&Gitlab),
}

const PLAIN: Story = Story {
    name: "",
    command: "reconcile",
    by: SOLE,
    settings: "",
    arrange: |_| {},
    afterwards: |_| {},
};
const A_DAY_AND_MORE: Duration = Duration::from_secs(25 * 60 * 60);

/// `STORY=double cargo test …` for those alone that are called so.
pub fn all() -> impl Iterator<Item = &'static Story> {
    let called = std::env::var("STORY").unwrap_or_default();
    let all = [&starts::STARTS[..], &ends::ENDS, &twins::TWINS];
    let all = all.into_iter().flatten();
    all.filter(move |story| story.name.contains(&called))
}

impl Story {
    pub fn run(&self, gitlab: &Gitlab, command: &str) -> RunOutcome {
        let command = format!("{command} {}", self.settings);
        self.by.run(gitlab, &command)
    }
}

/// Among other people's labels and notes: !1 is a bystander, !2 is ready.
fn ready(gitlab: &Gitlab) -> Mr {
    let bystander = gitlab.mr("bystander").running().labelled();
    bystander.comment("ada", "Let us wait for CI.");
    let mr = gitlab.mr("speed-up").passed().labelled().label("urgent");
    mr.comment("linus", "Does it really?");
    mr
}

fn in_flight(gitlab: &Gitlab) -> Mr {
    let mr = ready(gitlab);
    SOLE.run(gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1);
    mr
}

/// By the workflow rules of the benchmark project.
fn refuse(gitlab: &Gitlab, branch: &'static str) {
    gitlab.refuse("acme/benchmarks", move |variables| {
        let mut variables = variables.iter();
        let refused = variables.any(|found| found.key == "BENCH_BRANCH" && found.value == branch);
        refused.then(|| "Pipeline filtered out by workflow rules.".to_owned())
    });
}

fn misconfigure(gitlab: &Gitlab) {
    gitlab.configure("acme/benchmarks", |project| {
        project.yaml_error = Some("jobs config should contain at least one visible job".to_owned());
    });
}

fn refuse_nothing(gitlab: &Gitlab) {
    gitlab.configure("acme/benchmarks", |project| {
        project.refuses = None;
        project.yaml_error = None;
    });
}
