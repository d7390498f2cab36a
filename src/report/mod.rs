//! What people and machines get to read of a run, on standard output.

mod doctor;
mod explain;
mod html;
mod json;
mod layout;
mod text;
mod timeline;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::doctor::{Checkup, checkup_json, checkup_text};
pub use self::html::html;
pub use self::json::json;
pub use self::layout::{Screen, wrapped};
pub use self::text::{refusal, text};

use crate::act::Action;
use crate::gitlab::answer::Project;
use crate::milestones::Milestones;
use crate::plan::{self, Condition, Order, Plan, Rules};
use crate::record::Record;
use crate::snapshot::{MergeRequest, Request, Snapshot};

/// All that a report tells.
pub struct Report<'a> {
    pub command: &'static str,
    pub dry_run: bool,
    pub source: &'a Project,
    pub benchmark: &'a Project,
    pub now: DateTime<Utc>,
    pub snapshot: &'a Snapshot,
    /// That this run is about: where there are several, each request is shown with its own.
    pub labels: &'a [String],
    pub order: Order,
    pub max_in_flight: usize,
    pub plan: &'a Plan<'a>,
    pub actions: &'a [Action],
    /// Of `status`, which takes no actions.
    pub status: Option<Status<'a>>,
}

/// What `status` tells besides what is in flight, queued and waiting.
pub struct Status<'a> {
    pub rules: &'a Rules,
    /// How far it looks back.
    pub since: TimeDelta,
    pub snapshot: &'a Snapshot,
    /// Latest first.
    pub ended: Vec<(&'a Record, &'a Milestones)>,
    /// Where one merge request was asked for: then the plan is of that alone.
    pub explained: Option<Explained<'a>>,
}

pub struct Explained<'a> {
    /// `None` where it could not be read.
    pub mr: Option<&'a MergeRequest>,
    /// One for each label that it bears; one without request where it bears none.
    pub requests: Vec<ExplainedRequest<'a>>,
    /// How many are in the queue.
    pub queued: usize,
    /// How many places are taken, for whichever merge request.
    pub taken: usize,
}

pub struct ExplainedRequest<'a> {
    pub request: Option<&'a Request>,
    pub conditions: Vec<Condition>,
    /// In the queue, from 0.
    pub place: Option<usize>,
}

impl<'a> Explained<'a> {
    pub fn of(plan: &Plan, mr: &'a MergeRequest, snapshot: &Snapshot, rules: &Rules) -> Self {
        let explained = |request: Option<&'a Request>| ExplainedRequest {
            request,
            conditions: plan::explain(snapshot, plan, mr, request, rules),
            place: plan
                .queue
                .iter()
                .position(|queued| queued.mr.iid == mr.iid && Some(queued.request) == request),
        };
        let requests = match mr.requests.is_empty() {
            true => vec![explained(None)],
            false => mr.requests.iter().map(Some).map(explained).collect(),
        };
        Self {
            mr: Some(mr),
            requests,
            queued: plan.queue.len(),
            taken: plan.taken(),
        }
    }
}

impl Report<'_> {
    /// Where there is more than one: of this run's, or of another that asks for benchmarks of the same project.
    pub fn shows_labels(&self) -> bool {
        let mut in_flight = self.plan.in_flight.iter().map(|found| found.record);
        let other = |record: &Record| {
            record.task.project == self.source.id && !self.labels.contains(&record.task.label)
        };
        self.labels.len() > 1 || in_flight.any(other)
    }
}
