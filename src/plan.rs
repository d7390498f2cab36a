//! The rules: from what was read to what each request is waiting for and what is to be done. Pure: the same
//! snapshot always gives the same plan.

mod discussions;
mod explain;
mod places;
mod refusal;
mod repair;
mod requests;
mod trigger;

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;

pub use self::discussions::{is_last_unfinished, redundant_notes, unlinked, unresolved};
pub use self::explain::{Condition, ConditionName, explain};
pub use self::places::{GRACE, InFlight, Place, was_retried};
pub use self::refusal::{MAX_REFUSALS, RefusedBy, to_retry};
pub use self::repair::{
    Closing, RecordRepair, Repair, Reply, is_outcome_posted, is_past_cancelling, is_renamed,
    reconcile,
};
pub use self::requests::{
    concerns, is_still_asked, is_still_stuck, passed, primary_record, readiness, record_of,
};
pub use self::trigger::{Refusal, Trigger, trigger};

use self::requests::judge;
use crate::id::{Iid, Sha};
use crate::record::Record;
use crate::snapshot::{HeadPipeline, MergeRequest, Request, Snapshot};

#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub order: Order,
    pub max_in_flight: usize,
    /// A record in flight for longer counts as stuck.
    pub timeout: TimeDelta,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// The merge request whose pipeline started first
    Pipeline,
    /// The merge request that was labelled first
    Request,
}

/// Which discussions are resolved, once their outcome is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resolve {
    /// None: people resolve them
    Never,
    /// Those of a benchmark that succeeded
    Success,
    /// All, those of a benchmark withdrawn or timed out as well
    Always,
}

impl Resolve {
    pub fn takes(self, success: bool) -> bool {
        match self {
            Resolve::Never => false,
            Resolve::Success => success,
            Resolve::Always => true,
        }
    }
}

/// Why a request waits; one that is ready is queued instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    NoPipeline,
    PipelineOutdated,
    PipelineUnfinished,
    PipelineUnsuccessful,
    ChangedSinceRequest,
    Unvouched(Unvouched),
    InFlight,
    Stuck,
    Finished,
    /// The label is on, but GitLab does not show who put it there yet.
    Unexplained,
    /// Something could not be read that may say otherwise.
    Unknown,
}

/// Why nobody vouches for the commits of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unvouched {
    /// The bot put the label on, and it has not looked at anything.
    ByBot,
    /// The account of whoever put the label on is gone, or GitLab does not say whose it was.
    ByNobody,
    /// Somebody else than the author put the label on before GitLab knew any commit.
    BeforeCommits,
}

impl Verdict {
    /// The word for it in the JSON report.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoPipeline => "no-pipeline",
            Self::PipelineOutdated => "pipeline-outdated",
            Self::PipelineUnfinished => "pipeline-unfinished",
            Self::PipelineUnsuccessful => "pipeline-unsuccessful",
            Self::ChangedSinceRequest => "changed-since-request",
            Self::Unvouched(_) => "unvouched",
            Self::InFlight => "in-flight",
            Self::Stuck => "stuck",
            Self::Finished => "finished",
            Self::Unexplained | Self::Unknown => "unknown",
        }
    }
}

/// A request that may be started.
#[derive(Clone, Debug)]
pub struct Queued<'a> {
    pub mr: &'a MergeRequest,
    pub request: &'a Request,
    pub head: &'a Sha,
    pub pipeline: &'a HeadPipeline,
    /// The same commit was benchmarked for the same label before.
    pub again: bool,
}

#[derive(Clone, Debug)]
pub struct Waiting<'a> {
    pub iid: Iid,
    /// `None` where the merge request could not be read.
    pub label: Option<&'a str>,
    pub mr: Option<&'a MergeRequest>,
    pub verdict: Verdict,
}

impl Waiting<'_> {
    /// When the label came, where that is known.
    pub fn requested_at(&self) -> Option<DateTime<Utc>> {
        let mut requests = self.mr?.requests.iter();
        requests
            .find(|request| Some(request.label.as_str()) == self.label)?
            .at
    }
}

#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Lowest pipeline id first.
    pub in_flight: Vec<InFlight<'a>>,
    /// How many pipelines take a place though it is not known what for.
    pub unknown: usize,
    /// In the order in which they go.
    pub queue: Vec<Queued<'a>>,
    pub waiting: Vec<Waiting<'a>>,
    /// How many of the queue may start.
    pub free: usize,
    /// What is to be done about records and discussions.
    pub repairs: Vec<Repair<'a>>,
}

impl Plan<'_> {
    /// How many places are taken.
    pub fn taken(&self) -> usize {
        let taken = |found: &&InFlight| found.place == Place::Taken;
        self.in_flight.iter().filter(taken).count() + self.unknown
    }
}

pub fn scan<'a>(snapshot: &'a Snapshot, rules: &Rules) -> Plan<'a> {
    let mut plan = in_flight(snapshot, rules);
    for mr in snapshot
        .merge_requests
        .values()
        .filter(|mr| mr.state == "opened")
    {
        for request in &mr.requests {
            match judge(snapshot, mr, request, rules) {
                Ok(queued) => plan.queue.push(queued),
                Err(verdict) => plan.waiting.push(Waiting {
                    iid: mr.iid,
                    label: Some(&request.label),
                    mr: Some(mr),
                    verdict,
                }),
            }
        }
        plan.waiting
            .extend(mr.unexplained.iter().map(|label| Waiting {
                iid: mr.iid,
                label: Some(label),
                mr: Some(mr),
                verdict: Verdict::Unexplained,
            }));
    }
    let unread = snapshot.unread.iter();
    plan.waiting.extend(unread.map(|&iid| Waiting {
        iid,
        label: None,
        mr: None,
        verdict: Verdict::Unknown,
    }));
    plan.waiting.sort_by_key(|waiting| waiting.iid);
    plan.queue.sort_by(|a, b| before(rules.order, a, b));
    plan.free = rules.max_in_flight.saturating_sub(plan.taken());
    plan
}

/// Every record counts, whichever source project and label it is for: the benchmark machines are what is scarce.
fn in_flight<'a>(snapshot: &'a Snapshot, rules: &Rules) -> Plan<'a> {
    let alive = snapshot
        .records
        .iter()
        .filter(|record| !record.status.ended());
    let unknown = snapshot.unreadable.iter();
    Plan {
        in_flight: alive
            .map(|record| InFlight {
                record,
                place: places::of_record(snapshot, record, rules),
            })
            .collect(),
        unknown: unknown
            .filter(|found| places::of_unreadable(snapshot, found, rules) == Some(Place::Taken))
            .count(),
        ..Plan::default()
    }
}

/// Which of two requests goes first: asking again never overtakes those who wait for their first benchmark.
fn before(order: Order, a: &Queued, b: &Queued) -> Ordering {
    let key = |queued: &Queued| match order {
        Order::Pipeline => (queued.pipeline.began_at(), queued.pipeline.id.0),
        Order::Request => (
            queued.request.at.unwrap_or(queued.mr.created_at),
            queued.request.id.0,
        ),
    };
    let whole = |queued: &Queued| (queued.again, key(queued), queued.mr.iid, queued.request.id);
    whole(a).cmp(&whole(b))
}

/// The sentences that name, in each run, what a person has to deal with: what this run does not cancel itself.
pub fn overdue(snapshot: &Snapshot, plan: &Plan, rules: &Rules) -> Vec<String> {
    let is_seen_to = |record: &Record| {
        plan.repairs.iter().any(|repair| {
            matches!(repair, Repair::Record(of, what) if of.pipeline == record.pipeline && !matches!(what, RecordRepair::Link | RecordRepair::Cancel))
        })
    };
    let records = snapshot.records.iter().filter_map(|record| {
        let place = places::of_record(snapshot, record, rules);
        let is_named = place == Place::Overdue || is_past_cancelling(snapshot, record);
        let named = !record.status.ended() && is_named && !is_seen_to(record);
        named.then_some((
            &record.web_url,
            Some(&record.status),
            record.created_at,
            place,
        ))
    });
    let unreadable = snapshot.unreadable.iter().filter_map(|found| {
        let place = places::of_unreadable(snapshot, found, rules)?;
        let named = (
            &found.web_url,
            found.status.as_ref(),
            found.created_at?,
            place,
        );
        (place == Place::Overdue).then_some(named)
    });
    records
        .chain(unreadable)
        .map(|(url, status, created_at, place)| {
            let hours = (snapshot.now - created_at).num_hours();
            let status = status.map_or("in flight", |status| status.word());
            match place {
                Place::Taken => format!(
                    "benchmark pipeline {url} could not be cancelled: created {hours} hours ago, still {status}; a person has to cancel or delete it, and until \
                     then it takes a place"
                ),
                Place::Blocked | Place::Overdue => format!(
                    "benchmark pipeline {url} is overdue: created {hours} hours ago, still {status}; it holds up nothing any more, but a person has to cancel \
                     or delete it"
                ),
            }
        })
        .collect()
}
