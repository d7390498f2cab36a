//! The rules: from what was read to what each request is waiting for and what is to be done. Pure: the same
//! snapshot always gives the same plan.

mod explain;
mod repair;
mod trigger;

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;

pub use self::explain::{Condition, ConditionName, explain};
pub use self::repair::{Repair, Reply, What, reconcile, surplus, unlinked, unresolved};
pub use self::trigger::{Refusal, Trigger, trigger};

use crate::gitlab::answer::{Outcome, Status};
use crate::id::{Iid, RequestId, Sha};
use crate::record::Record;
use crate::snapshot::{HeadPipeline, MergeRequest, Origin, Request, Snapshot};

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

/// Which discussions are resolved, once their outcome is told.
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
    InFlight,
    Stuck,
    Finished,
    /// Something could not be read that may say otherwise.
    Unknown,
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
            Self::InFlight => "in-flight",
            Self::Stuck => "stuck",
            Self::Finished => "finished",
            Self::Unknown => "unknown",
        }
    }
}

/// A request that may be started.
#[derive(Clone, Debug)]
pub struct Queued<'a> {
    pub mr: &'a MergeRequest,
    pub request: Request,
    pub head: &'a Sha,
    pub pipeline: &'a HeadPipeline,
}

#[derive(Clone, Debug)]
pub struct Waiting<'a> {
    pub iid: Iid,
    /// `None` where it could not be read.
    pub mr: Option<&'a MergeRequest>,
    pub verdict: Verdict,
}

#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// Lowest pipeline id first.
    pub in_flight: Vec<&'a Record>,
    /// In the order in which they go.
    pub queue: Vec<Queued<'a>>,
    pub waiting: Vec<Waiting<'a>>,
    /// How many of the queue may start.
    pub free: usize,
    /// What is to be done about records.
    pub repairs: Vec<Repair<'a>>,
}

pub fn scan<'a>(snapshot: &'a Snapshot, rules: &Rules) -> Plan<'a> {
    let mut plan = Plan {
        in_flight: in_flight(snapshot),
        ..Plan::default()
    };
    for mr in snapshot
        .merge_requests
        .values()
        .filter(|mr| mr.state == "opened")
    {
        let Some(request) = mr.request else { continue };
        match standing(snapshot, mr, request, rules) {
            Ok(queued) => plan.queue.push(queued),
            Err(verdict) => plan.waiting.push(Waiting {
                iid: mr.iid,
                mr: Some(mr),
                verdict,
            }),
        }
    }
    let unread = snapshot.unread.iter();
    plan.waiting.extend(unread.map(|&iid| Waiting {
        iid,
        mr: None,
        verdict: Verdict::Unknown,
    }));
    plan.waiting.sort_by_key(|waiting| waiting.iid);
    plan.queue.sort_by(|a, b| before(rules.order, a, b));
    let unreadable = snapshot
        .unreadable
        .iter()
        .filter(|unreadable| !unreadable.ended)
        .count();
    plan.free = rules
        .max_in_flight
        .saturating_sub(plan.in_flight.len() + unreadable);
    plan
}

/// Every record in flight counts, whichever source project it is for: the benchmark machines are what is scarce.
fn in_flight(snapshot: &Snapshot) -> Vec<&Record> {
    snapshot
        .records
        .iter()
        .filter(|record| !record.status.ended())
        .collect()
}

/// Which of two requests goes first. A pipeline without a start of its own counts from its creation.
fn before(order: Order, a: &Queued, b: &Queued) -> Ordering {
    let key = |queued: &Queued| match order {
        Order::Pipeline => {
            let pipeline = queued.pipeline;
            (
                pipeline.started_at.unwrap_or(pipeline.created_at),
                pipeline.id.0,
            )
        }
        Order::Request => (
            queued.request.at.unwrap_or(queued.mr.created_at),
            queued.request.id.0,
        ),
    };
    (key(a), a.mr.iid).cmp(&(key(b), b.mr.iid))
}

/// A labelled merge request is ready, or waits for this reason.
fn standing<'a>(
    snapshot: &Snapshot,
    mr: &'a MergeRequest,
    request: Request,
    rules: &Rules,
) -> Result<Queued<'a>, Verdict> {
    unserved(snapshot, mr, request, rules)?;
    readiness(mr, request)
}

/// No benchmark serves the request, as far as can be told.
fn unserved(
    snapshot: &Snapshot,
    mr: &MergeRequest,
    request: Request,
    rules: &Rules,
) -> Result<(), Verdict> {
    if let Some(record) = record_of(snapshot, mr.iid, request) {
        return Err(match record.status.ended() {
            true => Verdict::Finished,
            false if stuck(snapshot, record, rules) => Verdict::Stuck,
            false => Verdict::InFlight,
        });
    }
    let mut unreadable = snapshot.unreadable.iter();
    match unreadable.any(|pipeline| may_serve(pipeline.created_at, request)) {
        true => Err(Verdict::Unknown),
        false => Ok(()),
    }
}

/// A benchmark is younger than the request that it serves.
fn may_serve(created_at: DateTime<Utc>, request: Request) -> bool {
    request.at.is_none_or(|at| at <= created_at)
}

/// The record that stands for a request: where two runs at once made two, the one with the lowest pipeline id.
pub fn record_of(snapshot: &Snapshot, mr: Iid, request: Request) -> Option<&Record> {
    of_request(snapshot, mr, request.id).next()
}

/// The record that stands for the same request as this one.
pub fn standing_for<'a>(snapshot: &'a Snapshot, record: &'a Record) -> &'a Record {
    let mut all = of_request(snapshot, record.task.mr, record.task.request);
    all.next().unwrap_or(record)
}

/// Lowest pipeline id first.
fn of_request(snapshot: &Snapshot, mr: Iid, request: RequestId) -> impl Iterator<Item = &Record> {
    let of_request = move |record: &&Record| record.task.mr == mr && record.task.request == request;
    snapshot.own_records().filter(of_request)
}

fn stuck(snapshot: &Snapshot, record: &Record, rules: &Rules) -> bool {
    snapshot.now - record.created_at > rules.timeout
}

/// Whether a request without a record may be started, judged by the merge request alone.
pub fn readiness(mr: &MergeRequest, request: Request) -> Result<Queued<'_>, Verdict> {
    as_labelled(mr)?;
    let (head, pipeline) = passed(mr)?;
    Ok(Queued {
        mr,
        request,
        head,
        pipeline,
    })
}

/// The head, and its pipeline if that succeeded. A pipeline is the head's if it ran for that very commit, or for
/// GitLab's own merge of it (merged results, merge trains).
pub fn passed(mr: &MergeRequest) -> Result<(&Sha, &HeadPipeline), Verdict> {
    let head = mr.head.as_ref().ok_or(Verdict::NoPipeline)?;
    let pipeline = mr.pipeline.as_ref().ok_or(Verdict::NoPipeline)?;
    if pipeline.sha != *head && !pipeline.parents.contains(head) {
        return Err(Verdict::PipelineOutdated);
    }
    match pipeline.status {
        Status::Ended(Outcome::Success) => Ok((head, pipeline)),
        Status::Ended(_) => Err(Verdict::PipelineUnsuccessful),
        Status::Alive(_) => Err(Verdict::PipelineUnfinished),
    }
}

/// Whoever set the label has seen the commits of then; an outsider may have pushed others since.
fn as_labelled(mr: &MergeRequest) -> Result<(), Verdict> {
    match &mr.origin {
        Origin::Fork { head_when_labelled } if *head_when_labelled != mr.head => {
            Err(Verdict::ChangedSinceRequest)
        }
        Origin::Fork { .. } if mr.head.is_none() => Err(Verdict::ChangedSinceRequest),
        Origin::Fork { .. } | Origin::SameProject => Ok(()),
    }
}
