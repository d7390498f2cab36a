//! Carries out a plan, step by step. A later run can find each step again, so a run may stop anywhere.

mod announce;
mod details;
mod earlier;
mod ending;
mod labels;
mod queue;
mod repair;
mod start;

pub use self::details::SUMMARY;
use chrono::{DateTime, TimeDelta, Utc};

use crate::gitlab::Gitlab;
use crate::gitlab::answer::Variable;
use crate::id::{Iid, PipelineId};
use crate::note::{End, Verdict};
use crate::plan::{CutShort, Plan, Queued, RecordRepair, Repair, Resolve, Trigger};
use crate::record::Record;

pub struct Actor<'a> {
    pub gitlab: &'a Gitlab,
    /// The label that `trigger` adds if there is none.
    pub label: &'a str,
    /// When the run began.
    pub now: DateTime<Utc>,
    /// A benchmark that is in flight for longer is stuck.
    pub timeout: TimeDelta,
    /// The branch or tag of the benchmark project to run.
    pub ref_name: &'a str,
    /// Variables for the benchmark in addition to the record.
    pub variables: &'a [Variable],
    pub resolve: Resolve,
    /// The labels that tell a benchmark's verdict.
    pub verdict_labels: &'a [(Verdict, String)],
    /// The job whose artifacts are the results.
    pub results_job: Option<&'a str>,
    /// The artifact to which the reply links.
    pub results_file: Option<&'a str>,
    /// The records of the snapshot.
    pub records: &'a [Record],
}

/// Something that was done, failed, or would be done.
#[derive(Clone, Debug)]
pub struct Action {
    pub verb: Verb,
    pub mr: Iid,
    pub label: String,
    /// The outcome that is posted on the merge request, if one is.
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
    Close,
    Announce,
}

impl Verb {
    /// Its word in the JSON report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Link => "link",
            Self::Finish => "finish",
            Self::Withdraw => "withdraw",
            Self::Cancel => "cancel",
            Self::Close => "close",
            Self::Announce => "announce",
        }
    }
}

/// The result of an action.
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
    pub fn start(
        mr: Iid,
        label: &str,
        effect: Effect,
        pipeline: Option<BenchmarkPipeline>,
    ) -> Self {
        Self {
            verb: Verb::Start,
            mr,
            label: label.to_owned(),
            end: None,
            effect,
            pipeline,
        }
    }

    fn start_of(queued: &Queued, effect: Effect) -> Self {
        Self::start(queued.mr.iid, &queued.request.label, effect, None)
    }

    /// Returns `None` if there is nothing to report.
    fn repair(repair: &Repair, effect: Effect) -> Option<Self> {
        let (record, what) = match repair {
            Repair::Record(record, what) => (record, what),
            Repair::Close(closing) => {
                return Some(Self {
                    verb: Verb::Close,
                    ..Self::start(closing.mr.iid, &closing.label, effect, None)
                });
            }
            Repair::Unmark(..) | Repair::Mark(_) => return None,
        };
        let (verb, end) = match what {
            RecordRepair::Link => (Verb::Link, None),
            RecordRepair::Finish { outcome, .. } | RecordRepair::Amend(outcome, _) => {
                (Verb::Finish, Some(End::Pipeline(*outcome)))
            }
            RecordRepair::Withdraw(_) => (Verb::Withdraw, Some(End::Withdrawn)),
            RecordRepair::CutShort { why, .. } => {
                let end = match why {
                    CutShort::Stuck => End::TimedOut,
                    CutShort::Superseded => End::Superseded,
                };
                (Verb::Cancel, Some(end))
            }
            RecordRepair::Cancel => (Verb::Cancel, None),
        };
        Some(Self {
            verb,
            mr: record.task.mr,
            label: record.task.label.clone(),
            end,
            effect,
            pipeline: Some(BenchmarkPipeline::from(*record)),
        })
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

/// What a run would do.
pub fn planned(plan: &Plan) -> Vec<Action> {
    let repairs = plan
        .repairs
        .iter()
        .filter_map(|repair| Action::repair(repair, Effect::Planned));
    let starts = plan.queue.iter().take(plan.free);
    let starts = starts.map(|queued| Action::start_of(queued, Effect::Planned));
    let announcements = plan.announcements.iter();
    let announcements = announcements.filter_map(|it| Action::announce(plan, it, Effect::Planned));
    repairs.chain(starts).chain(announcements).collect()
}

/// What `trigger` would do.
pub fn planned_trigger(mr: Iid, label: &str, trigger: &Trigger) -> Vec<Action> {
    let repairs = trigger.repairs();
    let repairs = repairs.filter_map(|repair| Action::repair(repair, Effect::Planned));
    let start = || Action::start(mr, label, Effect::Planned, None);
    let start = trigger.in_flight.is_none().then(start);
    repairs.chain(start).collect()
}
