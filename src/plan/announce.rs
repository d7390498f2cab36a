//! What is announced on a merge request before its benchmark starts.

use std::collections::BTreeMap;

use super::{Announce, Plan, Rules, WaitReason};
use crate::id::Iid;
use crate::note::{OpeningNote, Waits};
use crate::snapshot::{MergeRequest, Request, Snapshot};

#[derive(Clone, Debug, PartialEq)]
pub struct Announcement<'a> {
    pub mr: &'a MergeRequest,
    pub request: &'a Request,
    pub what: Announced<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Announced<'a> {
    /// Set 👀.
    Seen,
    /// Open the discussion.
    Opened(Waits),
    /// Edit its first note, since something else holds the request up.
    Edited(&'a OpeningNote, Waits),
}

pub(super) fn announcements<'a>(
    snapshot: &'a Snapshot,
    plan: &Plan<'a>,
    rules: &Rules,
) -> Vec<Announcement<'a>> {
    match rules.announce {
        Announce::None => Vec::new(),
        Announce::Emoji => unseen(snapshot, plan),
        Announce::Discussion => untold(snapshot, plan, rules),
    }
}

/// One for each merge request.
fn unseen<'a>(snapshot: &'a Snapshot, plan: &Plan<'a>) -> Vec<Announcement<'a>> {
    let waiting = unserved(plan).map(|(mr, request, _)| (mr, request));
    let queued = plan.queue.iter().map(|queued| (queued.mr, queued.request));
    let seen = snapshot.seen.as_ref();
    let is_new = |mr: &MergeRequest| seen.is_some_and(|seen| !seen.contains(&mr.iid));
    let new = waiting.chain(queued).filter(|(mr, _)| is_new(mr));
    let by_mr: BTreeMap<Iid, Announcement> = new
        .map(|(mr, request)| {
            let what = Announced::Seen;
            (mr.iid, Announcement { mr, request, what })
        })
        .collect();
    by_mr.into_values().collect()
}

/// Those that this run does not start: a start opens a discussion anyway.
fn untold<'a>(snapshot: &'a Snapshot, plan: &Plan<'a>, rules: &Rules) -> Vec<Announcement<'a>> {
    let queued = plan.queue.iter().enumerate().skip(plan.free);
    let queued = queued.map(|(index, queued)| {
        let waits = match rules.max_in_flight {
            0 => Waits::Paused,
            _ => Waits::Place(index + 1 - plan.free, queued.expected_at),
        };
        (queued.mr, queued.request, waits)
    });
    let all = unserved(plan).chain(queued);
    all.filter_map(|(mr, request, waits)| {
        let what = in_discussion(snapshot, mr, request, waits)?;
        Some(Announcement { mr, request, what })
    })
    .collect()
}

/// Requests that are not in the queue, and for which there is no benchmark.
fn unserved<'a>(plan: &Plan<'a>) -> impl Iterator<Item = (&'a MergeRequest, &'a Request, Waits)> {
    plan.waiting.iter().filter_map(|waiting| {
        let mr = waiting.mr?;
        let mut requests = mr.requests.iter();
        let request = requests.find(|request| Some(&*request.label) == waiting.label)?;
        Some((mr, request, waits(waiting.reason)?))
    })
}

/// `None` if the discussion says so already, or tells of a refusal, which says more.
fn in_discussion<'a>(
    snapshot: &'a Snapshot,
    mr: &MergeRequest,
    request: &Request,
    waits: Waits,
) -> Option<Announced<'a>> {
    let threads = match snapshot.threads.get(&mr.iid) {
        Some(threads) => threads.as_slice(),
        None if mr.has_notes => return None,
        None => &[],
    };
    let mut openings = threads
        .iter()
        .filter_map(|thread| thread.opened_for(request.id, &request.label));
    match openings.next() {
        None => Some(Announced::Opened(waits)),
        Some(opening) if opening.linked.is_some() || opening.state.is_some() => None,
        Some(opening) if opening.waits.as_deref() == Some(&*waits.key()) => None,
        Some(opening) => Some(Announced::Edited(opening, waits)),
    }
}

/// `None` if there is a benchmark, or may be one.
fn waits(reason: WaitReason) -> Option<Waits> {
    Some(match reason {
        WaitReason::NoPipeline => Waits::NoPipeline,
        WaitReason::PipelineOutdated => Waits::PipelineOutdated,
        WaitReason::PipelineUnfinished => Waits::PipelineUnfinished,
        WaitReason::PipelineUnsuccessful => Waits::PipelineUnsuccessful,
        WaitReason::ChangedSinceRequest => Waits::ChangedSinceRequest,
        WaitReason::Unvouched(_) => Waits::Unvouched,
        WaitReason::InFlight
        | WaitReason::Stuck
        | WaitReason::Superseded
        | WaitReason::Finished
        | WaitReason::Unexplained
        | WaitReason::Unknown => return None,
    })
}
