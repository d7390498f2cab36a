//! The rules: they turn a snapshot into a plan, which says what each request waits for and what to do. Pure: the same
//! snapshot always gives the same plan.

mod announce;
mod closing;
mod discussions;
mod expected;
mod explain;
mod label_events;
mod places;
mod refusal;
mod repair;
mod requests;
mod trigger;

use std::cmp::Ordering;

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;

pub use self::announce::{Announced, Announcement};
pub use self::closing::Closing;
pub use self::discussions::{
    is_last_unfinished, redundant_notes, unlinked, unresolved, verdict_of,
};
pub use self::explain::{Condition, ConditionName, explain};
pub use self::label_events::is_renamed;
pub use self::places::{GRACE, InFlight, Place, was_retried};
pub use self::refusal::{MAX_REFUSALS, RefusedBy, to_retry};
pub use self::repair::{
    CutShort, RecordRepair, Repair, Reply, is_outcome_posted, is_past_cancelling, reconcile,
};
pub use self::requests::{
    concerns, is_still_asked, is_still_stuck, is_still_superseded, passed, primary_record,
    readiness, record_of,
};
pub use self::trigger::{Refusal, Trigger, trigger};

use self::requests::judge;
use crate::id::{Iid, Sha};
use crate::note::Verdict;
use crate::record::Record;
use crate::snapshot::{HeadPipeline, MergeRequest, Request, Snapshot};

#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub order: Order,
    pub max_in_flight: usize,
    /// A record that is in flight for longer is stuck.
    pub timeout: TimeDelta,
    pub on_push: OnPush,
    pub announce: Announce,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// The merge request whose pipeline started first
    Pipeline,
    /// The merge request that was labelled first
    Request,
}

/// What a push does to the benchmark of an older commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnPush {
    /// It goes on
    Keep,
    /// It is cancelled, and the label comes off
    Cancel,
}

/// How a request is announced before its benchmark starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Announce {
    /// Not at all
    None,
    /// With the reaction "eyes" on the merge request
    Emoji,
    /// With a discussion that says why it waits, or what its place is
    Discussion,
}

/// Which discussions to resolve when their outcome is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resolve {
    /// None: people resolve them
    Never,
    /// Those of benchmarks that judge the commit better, or no different
    UnlessWorse,
    /// Those of benchmarks that succeeded
    Success,
    /// All, including those of benchmarks that were withdrawn or timed out
    Always,
}

impl Resolve {
    pub fn takes(self, success: bool, verdict: Option<Verdict>) -> bool {
        match self {
            Resolve::Never => false,
            Resolve::UnlessWorse => success && verdict.is_some_and(Verdict::is_harmless),
            Resolve::Success => success,
            Resolve::Always => true,
        }
    }
}

/// Why a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    NoPipeline,
    PipelineOutdated,
    PipelineUnfinished,
    PipelineUnsuccessful,
    ChangedSinceRequest,
    Unvouched(Unvouched),
    InFlight,
    Stuck,
    /// In flight, though somebody has pushed since, with `--on-push cancel`.
    Superseded,
    Finished,
    /// The label is on, but GitLab does not yet show who added it.
    Unexplained,
    /// Something could not be read that may already serve the request.
    Unknown,
}

/// Why nobody vouches for the commits of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unvouched {
    /// The bot added the label, and a bot has not looked at the commits.
    ByBot,
    /// The account that added the label was deleted, or GitLab does not name it.
    ByNobody,
    /// Somebody other than the author added the label before GitLab knew any commit.
    BeforeCommits,
}

impl WaitReason {
    /// Its word in the JSON report.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoPipeline => "no-pipeline",
            Self::PipelineOutdated => "pipeline-outdated",
            Self::PipelineUnfinished => "pipeline-unfinished",
            Self::PipelineUnsuccessful => "pipeline-unsuccessful",
            Self::ChangedSinceRequest => "changed-since-request",
            Self::Unvouched(_) => "unvouched",
            Self::InFlight => "in-flight",
            Self::Stuck => "stuck",
            Self::Superseded => "superseded",
            Self::Finished => "finished",
            Self::Unexplained | Self::Unknown => "unknown",
        }
    }
}

/// A request that is ready to start.
#[derive(Clone, Debug)]
pub struct Queued<'a> {
    pub mr: &'a MergeRequest,
    pub request: &'a Request,
    pub head: &'a Sha,
    pub pipeline: &'a HeadPipeline,
    /// Whether the same commit was benchmarked for the same label before.
    pub again: bool,
    /// When it is expected to start, if enough is known for a guess.
    pub expected_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
pub struct Waiting<'a> {
    pub iid: Iid,
    /// `None` if the merge request could not be read.
    pub label: Option<&'a str>,
    pub mr: Option<&'a MergeRequest>,
    pub reason: WaitReason,
}

impl Waiting<'_> {
    /// When the label was added, if that is known.
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
    /// How many unreadable pipelines take a place.
    pub unknown: usize,
    /// In the order in which they start.
    pub queue: Vec<Queued<'a>>,
    pub waiting: Vec<Waiting<'a>>,
    /// How many requests of the queue may start.
    pub free: usize,
    /// What to announce about requests that do not start yet.
    pub announcements: Vec<Announcement<'a>>,
    /// What to do about records and discussions.
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
                Err(reason) => plan.waiting.push(Waiting {
                    iid: mr.iid,
                    label: Some(&request.label),
                    mr: Some(mr),
                    reason,
                }),
            }
        }
        plan.waiting
            .extend(mr.unexplained.iter().map(|label| Waiting {
                iid: mr.iid,
                label: Some(label),
                mr: Some(mr),
                reason: WaitReason::Unexplained,
            }));
    }
    let unread = snapshot.unread.iter();
    plan.waiting.extend(unread.map(|&iid| Waiting {
        iid,
        label: None,
        mr: None,
        reason: WaitReason::Unknown,
    }));
    plan.waiting.sort_by_key(|waiting| waiting.iid);
    plan.queue.sort_by(|a, b| before(rules.order, a, b));
    plan.free = rules.max_in_flight.saturating_sub(plan.taken());
    let expected = expected::expected(snapshot, &plan, rules);
    for (queued, at) in plan.queue.iter_mut().zip(expected) {
        queued.expected_at = at;
    }
    plan.announcements = announce::announcements(snapshot, &plan, rules);
    plan
}

/// Every record counts, also those of other source projects and labels: they share the benchmark machines.
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

/// Which of two requests starts first. A repeated request never overtakes a first one.
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

/// Warnings about pipelines that a person has to deal with, since this run does not cancel them.
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
                    "benchmark pipeline {url} could not be cancelled: created {hours} hours ago, still {status}; it takes a place until somebody cancels or \
                     deletes it"
                ),
                Place::Blocked | Place::Overdue => format!(
                    "benchmark pipeline {url} is overdue: created {hours} hours ago, still {status}; it no longer holds up the queue, but somebody has to \
                     cancel or delete it"
                ),
            }
        })
        .collect()
}
