//! The rules: from what was read to what each request is waiting for and what is to be done. Pure: the same
//! snapshot always gives the same plan.

mod explain;

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;

pub use self::explain::{Condition, ConditionName, explain};

use crate::gitlab::answer::{Outcome, Status};
use crate::id::{Iid, NoteId, RequestId, Sha};
use crate::note::{First, Thread, Told};
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

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ready,
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
            Self::Ready => "ready",
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

/// Something to be done about a record.
#[derive(Clone, Debug)]
pub struct Repair<'a> {
    pub record: &'a Record,
    pub what: What<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum What<'a> {
    /// Put the link into the discussion's first note, and take out what is one too many.
    Link,
    /// Tell the outcome, then take the label off where it still is on.
    Finish {
        outcome: Outcome,
        reply: Reply<'a>,
        labelled: bool,
    },
    /// Say so, then cancel.
    Withdraw(Reply<'a>),
    /// Say so, cancel, then take the label off.
    TimeOut(Reply<'a>),
    /// Another record stands for the request, or its merge request is gone.
    Cancel,
}

/// Whether the discussion has the one reply with the outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reply<'a> {
    Made,
    Due(&'a Thread),
    /// A person deleted the discussion.
    DueAnew,
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

pub fn reconcile<'a>(snapshot: &'a Snapshot, rules: &Rules) -> Plan<'a> {
    let repairs = snapshot
        .own_records()
        .filter_map(|record| repair(snapshot, record, rules));
    let seen = scan(snapshot, rules);
    Plan {
        repairs: repairs.collect(),
        free: 0,
        ..seen
    }
}

fn repair<'a>(snapshot: &'a Snapshot, record: &'a Record, rules: &Rules) -> Option<Repair<'a>> {
    let what = what(snapshot, record, rules)?;
    Some(Repair { record, what })
}

fn what<'a>(snapshot: &'a Snapshot, record: &'a Record, rules: &Rules) -> Option<What<'a>> {
    let task = &record.task;
    let cancelling = record.status.word() == "canceling";
    if snapshot.gone.contains(&task.mr) {
        return (!record.status.ended() && !cancelling).then_some(What::Cancel);
    }
    let mr = snapshot.merge_requests.get(&task.mr)?;
    let threads = snapshot.threads.get(&task.mr)?;
    let thread = thread_of(threads, record);
    let told = outcomes(threads, task.request)
        .next()
        .map(|(_, told)| *told);
    let reply = match thread {
        _ if told.is_some() || spoken_for(snapshot, record) => Reply::Made,
        Some(thread) => Reply::Due(thread),
        None => Reply::DueAnew,
    };
    let asked = mr.request.filter(|request| request.id == task.request);
    let lowest = of_request(snapshot, task.mr, task.request).next();
    let stands = lowest.is_some_and(|lowest| lowest.pipeline == record.pipeline);
    let mended = unlinked(threads, record).is_none() && surplus(threads, record).is_empty();
    match (&record.status, asked) {
        // Where the label went before anybody looked, whoever reads the discussion still waits for the outcome.
        (Status::Ended(outcome), _)
            if stands && (asked.is_some() || matches!(reply, Reply::Due(_))) =>
        {
            Some(What::Finish {
                outcome: *outcome,
                reply,
                labelled: asked.is_some(),
            })
        }
        // A run stopped when it had told the outcome, and then the label went.
        (Status::Ended(_), _) if stands && told.is_some() && !mended => Some(What::Link),
        (Status::Ended(_), _) => None,
        // Somebody retried it when all had been told: that is theirs to end.
        (Status::Alive(_), None) if told.is_some_and(|told| !told.cancels) => None,
        (Status::Alive(_), None) if cancelling && reply == Reply::Made => None,
        (Status::Alive(_), None) if reply == Reply::DueAnew => Some(What::Cancel),
        (Status::Alive(_), None) => Some(What::Withdraw(reply)),
        (Status::Alive(_), Some(_)) if !stands => (!cancelling).then_some(What::Cancel),
        (Status::Alive(_), Some(_)) if stuck(snapshot, record, rules) => Some(What::TimeOut(reply)),
        (Status::Alive(_), Some(_)) => (!mended).then_some(What::Link),
    }
}

/// Another record in flight for the same request has the reply made.
fn spoken_for(snapshot: &Snapshot, record: &Record) -> bool {
    let mut twins = of_request(snapshot, record.task.mr, record.task.request);
    twins.any(|twin| twin.pipeline < record.pipeline && !twin.status.ended())
}

/// The discussion that the record names, else another that was opened for the same request.
fn thread_of<'a>(threads: &'a [Thread], record: &Record) -> Option<&'a Thread> {
    let task = &record.task;
    let opened = |thread: &Thread| {
        thread
            .first
            .as_ref()
            .is_some_and(|first| first.request == task.request)
    };
    let named = threads.iter().find(|thread| thread.id == task.discussion);
    named.or_else(|| threads.iter().find(|thread| opened(thread)))
}

/// The first note of the record's discussion, if it does not link to the record's pipeline.
pub fn unlinked<'a>(threads: &'a [Thread], record: &Record) -> Option<&'a First> {
    let first = thread_of(threads, record)?.first.as_ref()?;
    let linked = first.linked == Some(record.pipeline);
    (first.request == record.task.request && !linked).then_some(first)
}

fn outcomes(threads: &[Thread], request: RequestId) -> impl Iterator<Item = (&Thread, &Told)> {
    let all = threads
        .iter()
        .flat_map(|thread| thread.outcomes.iter().map(move |told| (thread, told)));
    all.filter(move |(_, told)| told.request == request)
}

/// The one that stays where there are several.
fn outcome_of<'a>(threads: &'a [Thread], record: &Record) -> Option<(&'a Thread, &'a Told)> {
    let standing = thread_of(threads, record).map(|thread| &thread.id);
    outcomes(threads, record.task.request)
        .min_by_key(|(thread, told)| (Some(&thread.id) != standing, told.note))
}

/// The discussion that is still to be resolved, since the outcome is told there.
pub fn unresolved<'a>(
    threads: &'a [Thread],
    record: &Record,
    resolve: Resolve,
) -> Option<&'a Thread> {
    let (thread, told) = outcome_of(threads, record)?;
    let success = record.status == Status::Ended(Outcome::Success) && !told.cancels;
    (!thread.resolved && resolve.takes(success)).then_some(thread)
}

/// The bot's notes about a request that are one too many: two runs at once, or a write whose answer was lost, can
/// make a second discussion or a second reply.
pub fn surplus(threads: &[Thread], record: &Record) -> Vec<NoteId> {
    let request = record.task.request;
    let standing = thread_of(threads, record).map(|thread| &thread.id);
    let kept = outcome_of(threads, record);
    let other_outcomes = outcomes(threads, request)
        .map(|(_, told)| told.note)
        .filter(|note| kept.is_some_and(|(_, kept)| kept.note != *note));
    let other_firsts = threads
        .iter()
        .filter(|thread| Some(&thread.id) != standing)
        .filter(|thread| kept.is_none_or(|(of, _)| of.id != thread.id))
        .filter_map(|thread| thread.first.as_ref())
        .filter(|first| first.request == request)
        .map(|first| first.note);
    other_outcomes.chain(other_firsts).collect()
}

/// What `trigger` does about one merge request.
#[derive(Debug)]
pub enum Trigger<'a> {
    InFlight(&'a Record),
    /// Finishes what ended but is not reconciled, labels where there is no label then, and starts.
    Start {
        finish: Option<Repair<'a>>,
    },
}

/// Why `trigger` does nothing.
#[derive(Debug, PartialEq)]
pub enum Refusal<'a> {
    NotOpen(&'a MergeRequest),
    /// There is nothing to benchmark yet.
    NoCommit,
    /// `--force` overrides it.
    NotReady(&'a MergeRequest, Verdict),
    /// It may be in flight already.
    Unknown,
}

pub fn trigger<'a>(
    snapshot: &'a Snapshot,
    mr: &'a MergeRequest,
    rules: &Rules,
    force: bool,
) -> Result<Trigger<'a>, Refusal<'a>> {
    if mr.state != "opened" {
        return Err(Refusal::NotOpen(mr));
    }
    if mr.head.is_none() {
        return Err(Refusal::NoCommit);
    }
    let standing = mr
        .request
        .map(|request| standing(snapshot, mr, request, rules));
    let record = mr
        .request
        .and_then(|request| record_of(snapshot, mr.iid, request));
    let ready = match (standing, record) {
        (Some(Err(Verdict::Unknown)), _) => return Err(Refusal::Unknown),
        (_, Some(record)) if !record.status.ended() => return Ok(Trigger::InFlight(record)),
        // The label comes on now, by somebody who means the present head.
        (None, _) | (_, Some(_)) => passed(mr).map(|_| ()),
        (Some(standing), None) => standing.map(|_| ()),
    };
    match ready {
        Err(verdict) if !force => return Err(Refusal::NotReady(mr, verdict)),
        _ => {}
    }
    match record.map(|record| repair(snapshot, record, rules)) {
        Some(None) => Err(Refusal::Unknown),
        finish => Ok(Trigger::Start {
            finish: finish.flatten(),
        }),
    }
}
