//! The report of a run on standard output, for people and for scripts.

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
use crate::given_flags::GivenFlags;
use crate::milestones::Milestones;
use crate::note::OutcomeNote;
use crate::plan::{self, Condition, Order, Plan, Queued, Rules};
use crate::record::Record;
use crate::snapshot::{MergeRequest, Request, Snapshot};

/// Everything that a report may show.
pub struct Report<'a> {
    pub command: &'static str,
    pub dry_run: bool,
    pub source: &'a Project,
    pub benchmark: &'a Project,
    pub now: DateTime<Utc>,
    pub snapshot: &'a Snapshot,
    /// This run's labels. If there are several, the report shows each request's label.
    pub labels: &'a [String],
    pub given_flags: &'a GivenFlags,
    pub order: Order,
    pub max_in_flight: usize,
    pub plan: &'a Plan<'a>,
    pub actions: &'a [Action],
    /// Only for `status`, which takes no actions.
    pub status: Option<Status<'a>>,
}

/// What `status` shows in addition to what is in flight, queued and waiting.
pub struct Status<'a> {
    pub rules: &'a Rules,
    /// How far it looks back.
    pub since: TimeDelta,
    /// Latest first.
    pub ended: Vec<(&'a Record, &'a Milestones)>,
    /// For `status N`. Then the plan is about this merge request only.
    pub explained: Option<Explained<'a>>,
}

pub struct Explained<'a> {
    /// `None` if it could not be read.
    pub mr: Option<&'a MergeRequest>,
    /// One for each of this run's labels that is on, or one without a request if none is.
    pub requests: Vec<ExplainedRequest<'a>>,
    /// The length of the queue.
    pub queued: usize,
    /// How many places are taken, by any merge request.
    pub taken: usize,
}

pub struct ExplainedRequest<'a> {
    pub request: Option<&'a Request>,
    pub conditions: Vec<Condition>,
    /// Its index in the queue.
    pub place: Option<usize>,
    /// When it is expected to start, if enough is known for a guess.
    pub expected_at: Option<DateTime<Utc>>,
}

impl<'a> Explained<'a> {
    pub fn of(plan: &Plan, mr: &'a MergeRequest, snapshot: &Snapshot, rules: &Rules) -> Self {
        let explained = |request: Option<&'a Request>| {
            let is_it =
                |queued: &Queued| queued.mr.iid == mr.iid && Some(queued.request) == request;
            let place = plan.queue.iter().position(is_it);
            ExplainedRequest {
                request,
                conditions: plan::explain(snapshot, plan, mr, request, rules),
                place,
                expected_at: place.and_then(|place| plan.queue[place].expected_at),
            }
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

impl<'a> Report<'a> {
    /// The reply with the record's outcome, if that was read.
    fn reply(&self, record: &Record) -> Option<&'a OutcomeNote> {
        let threads = self.snapshot.threads.get(&record.task.mr)?;
        let mut outcomes = threads.iter().flat_map(|thread| &thread.outcomes);
        outcomes.find(|outcome| outcome.pipeline == Some(record.pipeline))
    }

    /// Whether there are several labels: this run's own, or that of a benchmark for another installation.
    pub fn shows_labels(&self) -> bool {
        let mut in_flight = self.plan.in_flight.iter().map(|found| found.record);
        let other = |record: &Record| {
            record.task.project == self.source.id && !self.labels.contains(&record.task.label)
        };
        self.labels.len() > 1 || in_flight.any(other)
    }
}
