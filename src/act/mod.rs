//! Carries out a plan, step by step. Each step can be found again by a later run, so that a run may stop anywhere.

mod details;
mod repair;
mod start;

use crate::gitlab::Gitlab;
use crate::gitlab::answer::Variable;
use crate::id::{Iid, PipelineId};
use crate::note::End;
use crate::plan::{Plan, Repair, Resolve, What};
use crate::record::Record;

pub struct Actor<'a> {
    pub gitlab: &'a Gitlab,
    pub label: &'a str,
    /// The benchmark project's branch or tag to run.
    pub ref_name: &'a str,
    /// Variables for the benchmark beside the record.
    pub variables: &'a [Variable],
    pub resolve: Resolve,
    /// The job whose artifacts are a benchmark's results.
    pub results_job: Option<&'a str>,
    /// Those that are known.
    pub records: &'a [Record],
}

/// What was done, or was tried, or would be done.
#[derive(Clone, Debug)]
pub struct Action {
    pub verb: Verb,
    pub mr: Iid,
    /// What is told on the merge request, where an end is.
    pub end: Option<End>,
    pub effect: Effect,
    pub pipeline: Option<BenchmarkPipeline>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Start,
    Link,
    Finish,
    Withdraw,
    Cancel,
}

impl Verb {
    /// The word for it in the JSON report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Link => "link",
            Self::Finish => "finish",
            Self::Withdraw => "withdraw",
            Self::Cancel => "cancel",
        }
    }
}

/// How an action went.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Done,
    Planned,
    Failed(String),
}

#[derive(Clone, Debug)]
pub struct BenchmarkPipeline {
    pub id: PipelineId,
    pub web_url: String,
}

impl Action {
    pub fn start(mr: Iid, effect: Effect, pipeline: Option<BenchmarkPipeline>) -> Self {
        Self {
            verb: Verb::Start,
            mr,
            end: None,
            effect,
            pipeline,
        }
    }

    fn repair(repair: &Repair, effect: Effect) -> Self {
        let (verb, end) = match &repair.what {
            What::Link => (Verb::Link, None),
            What::Finish { outcome, .. } => (Verb::Finish, Some(End::Of(*outcome))),
            What::Withdraw(_) => (Verb::Withdraw, Some(End::Withdrawn)),
            What::TimeOut(_) => (Verb::Cancel, Some(End::TimedOut)),
            What::Cancel => (Verb::Cancel, None),
        };
        let pipeline = Some(BenchmarkPipeline::from(repair.record));
        Self {
            verb,
            mr: repair.record.task.mr,
            end,
            effect,
            pipeline,
        }
    }
}

impl From<&Record> for BenchmarkPipeline {
    fn from(record: &Record) -> Self {
        Self {
            id: record.pipeline,
            web_url: record.web_url.clone(),
        }
    }
}

/// What a dry run says of the plan.
pub fn planned(plan: &Plan) -> Vec<Action> {
    let repairs = plan
        .repairs
        .iter()
        .map(|repair| Action::repair(repair, Effect::Planned));
    let starts = plan.queue.iter().take(plan.free);
    let starts = starts.map(|queued| Action::start(queued.mr.iid, Effect::Planned, None));
    repairs.chain(starts).collect()
}

/// What a dry run says of a trigger.
pub fn planned_trigger(mr: Iid, finish: Option<&Repair>) -> Vec<Action> {
    let finish = finish.map(|repair| Action::repair(repair, Effect::Planned));
    finish
        .into_iter()
        .chain([Action::start(mr, Effect::Planned, None)])
        .collect()
}
