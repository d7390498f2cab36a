//! The rules about a single request.

use chrono::{DateTime, TimeDelta, Utc};

use super::{OnPush, Queued, Rules, Unvouched, WaitReason};
use crate::gitlab::answer::{Outcome, Pipeline, Status, User, Version};
use crate::id::{Iid, Sha};
use crate::note::Triggered;
use crate::record::Record;
use crate::snapshot::{About, HeadPipeline, MergeRequest, Origin, Request, Snapshot, Unreadable};

/// Returns the queued request, or why it waits.
pub(super) fn judge<'a>(
    snapshot: &Snapshot,
    mr: &'a MergeRequest,
    request: &'a Request,
    rules: &Rules,
) -> Result<Queued<'a>, WaitReason> {
    unserved(snapshot, mr, request, rules)?;
    let queued = readiness(mr, request, &snapshot.bot)?;
    let again = was_benchmarked(snapshot, mr, request, queued.head);
    Ok(Queued { again, ..queued })
}

/// Whether no benchmark serves the request yet, as far as is known.
pub(super) fn unserved(
    snapshot: &Snapshot,
    mr: &MergeRequest,
    request: &Request,
    rules: &Rules,
) -> Result<(), WaitReason> {
    if let Some(record) = record_of(snapshot, mr, request) {
        return Err(match record.status.ended() {
            true => WaitReason::Finished,
            false if is_stuck(snapshot, record, rules) => WaitReason::Stuck,
            false if is_superseded(mr, record, rules) => WaitReason::Superseded,
            false => WaitReason::InFlight,
        });
    }
    let mut unreadable = snapshot.unreadable.iter();
    let uncertain = snapshot.uncertain.contains(&(mr.iid, request.id));
    match uncertain || unreadable.any(|found| may_serve(snapshot, found, mr, request)) {
        true => Err(WaitReason::Unknown),
        false => Ok(()),
    }
}

/// Whether an unreadable pipeline may serve the request. A benchmark is always younger than its request. One whose
/// variables GitLab hides from this user can only serve a request for which the bot has opened a discussion.
pub(super) fn may_serve(
    snapshot: &Snapshot,
    found: &Unreadable,
    mr: &MergeRequest,
    request: &Request,
) -> bool {
    let younger = match (request.at, found.created_at) {
        (Some(at), Some(created_at)) => at <= created_at,
        _ => true,
    };
    let opened = || match snapshot.threads.get(&mr.iid) {
        None => mr.has_notes,
        Some(threads) => threads.iter().any(|thread| {
            let opening = thread.opened_for(request.id, &request.label);
            opening.is_some_and(|opening| opening.linked.is_none())
        }),
    };
    younger && (!found.is_hidden || opened())
}

/// Whether an unreadable pipeline with a lower id may be the primary record of the same request.
pub(super) fn may_be_duplicate(snapshot: &Snapshot, mr: &MergeRequest, record: &Record) -> bool {
    let task = &record.task;
    let event = mr.events.iter().find(|event| event.id == task.request);
    let request = Request {
        id: task.request,
        label: task.label.clone(),
        at: event.map(|event| event.created_at),
        by: None,
        triggered: None,
    };
    let lower = |found: &&Unreadable| found.pipeline < record.pipeline;
    let mut unreadable = snapshot.unreadable.iter().filter(lower);
    snapshot.uncertain.contains(&(task.mr, task.request))
        || unreadable.any(|found| may_serve(snapshot, found, mr, &request))
}

/// Of several records of one request, the one with the lowest id is primary; the others are cancelled.
pub(super) fn is_primary(snapshot: &Snapshot, record: &Record) -> bool {
    primary_record(snapshot, record).pipeline == record.pipeline
}

/// The primary record of a request: if two runs at once created two, the one with the lowest pipeline id.
pub fn record_of<'a>(
    snapshot: &'a Snapshot,
    mr: &MergeRequest,
    request: &Request,
) -> Option<&'a Record> {
    let serves =
        |record: &&Record| record.serves(snapshot.source, mr.iid, request.id, &request.label);
    snapshot.records.iter().find(serves)
}

/// The primary record of the request that this record serves.
pub fn primary_record<'a>(snapshot: &'a Snapshot, record: &'a Record) -> &'a Record {
    of_same_request(snapshot, record).next().unwrap_or(record)
}

/// Lowest pipeline id first.
fn of_same_request<'a>(
    snapshot: &'a Snapshot,
    record: &'a Record,
) -> impl Iterator<Item = &'a Record> {
    let task = &record.task;
    let same = |other: &&Record| other.serves(task.project, task.mr, task.request, &task.label);
    snapshot.records.iter().filter(same)
}

pub(super) fn is_stuck(snapshot: &Snapshot, record: &Record, rules: &Rules) -> bool {
    snapshot.now - record.created_at > rules.timeout
}

/// Whether a stuck record is still in flight and over its timeout, now that pipeline and clock have been read again.
pub fn is_still_stuck(pipeline: &Pipeline, now: DateTime<Utc>, timeout: TimeDelta) -> bool {
    let overstays = |created_at| now - created_at > timeout;
    !pipeline.ended() && pipeline.created_at.is_none_or(overstays)
}

pub(super) fn is_superseded(mr: &MergeRequest, record: &Record, rules: &Rules) -> bool {
    let pushed = |head: &Sha| *head != record.task.sha;
    rules.on_push == OnPush::Cancel && mr.head.as_ref().is_some_and(pushed)
}

/// The same, now that the head was read again. A server may lag behind and show an older head than the one that was
/// benchmarked, so the versions have to show that the head came later.
pub fn is_still_superseded(record: &Record, head: Option<&Sha>, versions: &[Version]) -> bool {
    let of = |sha: &Sha| {
        let of_sha = versions
            .iter()
            .filter(|version| version.head_commit_sha.as_ref() == Some(sha));
        of_sha.map(|version| version.id).max()
    };
    let Some(head) = head.filter(|head| **head != record.task.sha) else {
        return false;
    };
    of(&record.task.sha)
        .zip(of(head))
        .is_some_and(|(then, now)| then < now)
}

/// Whether an earlier request had this commit benchmarked for this label.
fn was_benchmarked(snapshot: &Snapshot, mr: &MergeRequest, request: &Request, head: &Sha) -> bool {
    let of_mr = |record: &&Record| record.task.mr == mr.iid && snapshot.owns(record);
    let mut records = snapshot.records.iter().filter(of_mr);
    let threads = snapshot.threads.get(&mr.iid).into_iter().flatten();
    let mut openings = threads.filter_map(|thread| thread.opening.as_ref());
    let same = |label: &str, sha: &Sha| label == request.label && sha == head;
    records.any(|record| same(&record.task.label, &record.task.sha))
        || openings.any(|opening| {
            let (Some(label), Some(sha)) = (&opening.label, &opening.sha) else {
                return false;
            };
            opening.linked.is_some() && same(label, sha)
        })
}

/// Whether a request without a record may be started, as far as its merge request is concerned.
pub fn readiness<'a>(
    mr: &'a MergeRequest,
    request: &'a Request,
    bot: &str,
) -> Result<Queued<'a>, WaitReason> {
    let triggered = request.triggered_for(mr.head.as_ref());
    if triggered.is_none() {
        vouched(mr, request, bot)?;
    }
    let (head, pipeline) = match (triggered, &mr.head, &mr.pipeline) {
        (Some(Triggered::Forced), Some(head), Some(pipeline)) => (head, pipeline),
        _ => passed(mr)?,
    };
    Ok(Queued {
        mr,
        request,
        head,
        pipeline,
        again: false,
        expected_at: None,
    })
}

/// Whether the request may still be started now that its merge request was read again. `forced`: regardless of its
/// pipeline, and of who vouches for its commits.
pub fn is_still_asked(
    then: &MergeRequest,
    now: &MergeRequest,
    request: &Request,
    bot: &str,
    forced: bool,
) -> bool {
    let same_request = |on: &Request| on.id == request.id && on.label == request.label;
    now.state == "opened"
        && now.head.is_some()
        && now.head == then.head
        && now.requests.iter().any(same_request)
        && (forced || readiness(now, request, bot).is_ok())
}

/// Whether something that could not be read may concern this merge request.
pub fn concerns(snapshot: &Snapshot, about: About, iid: Iid) -> bool {
    match about {
        About::Label | About::Milestones => false,
        About::MergeRequest(of) => of == iid,
        About::Pipeline(pipeline) => {
            let mr = snapshot.merge_requests.get(&iid);
            let requests = mr.iter().flat_map(|mr| &mr.requests);
            let mut unreadable = snapshot.unreadable.iter();
            let found = unreadable.find(|found| found.pipeline == pipeline);
            let may = |(found, mr): (&Unreadable, &MergeRequest)| {
                requests
                    .into_iter()
                    .any(|request| may_serve(snapshot, found, mr, request))
            };
            found.zip(mr).is_some_and(may)
        }
    }
}

/// The head and its successful pipeline, or what is missing. A pipeline is the head's if it ran for that very commit, or
/// for a merge commit that GitLab made of it (merged results, merge trains).
pub fn passed(mr: &MergeRequest) -> Result<(&Sha, &HeadPipeline), WaitReason> {
    let head = mr.head.as_ref().ok_or(WaitReason::NoPipeline)?;
    let pipeline = mr.pipeline.as_ref().ok_or(WaitReason::NoPipeline)?;
    if pipeline.sha != *head && !pipeline.parents.contains(head) {
        return Err(WaitReason::PipelineOutdated);
    }
    match pipeline.status {
        Status::Ended(Outcome::Success) => Ok((head, pipeline)),
        Status::Ended(_) => Err(WaitReason::PipelineUnsuccessful),
        Status::Alive(_) => Err(WaitReason::PipelineUnfinished),
    }
}

/// Whether somebody vouches for the head of a fork, whose commits are an outsider's. A person vouches for the version that
/// was there when they added the label, by GitLab's time of the push: the author of a commit can choose its date. GitLab
/// makes the first version of a merge request only after its labels, so an author who chose the label in the form vouches
/// for that version.
pub(super) fn vouched(mr: &MergeRequest, request: &Request, bot: &str) -> Result<(), WaitReason> {
    let Origin::Fork { versions } = &mr.origin else {
        return Ok(());
    };
    let person = request.by.as_ref().filter(|user| !user.is_ghost());
    let (Some(person), Some(at)) = (person, request.at) else {
        return Err(WaitReason::Unvouched(Unvouched::ByNobody));
    };
    if person.username == bot {
        return Err(WaitReason::Unvouched(Unvouched::ByBot));
    }
    let age = |version: &&Version| (version.created_at, version.id);
    let seen = versions
        .iter()
        .filter(|version| version.created_at <= at)
        .max_by_key(age);
    let is_author = |author: &User| author.id == person.id;
    let meant = match seen {
        Some(seen) => Some(seen),
        None if mr.author.as_ref().is_some_and(is_author) => versions.iter().min_by_key(age),
        None => return Err(WaitReason::Unvouched(Unvouched::BeforeCommits)),
    };
    match (meant, &mr.head) {
        // Without any version there is no head either, which `passed` reports.
        (None, None) => Ok(()),
        (Some(meant), Some(head)) if meant.head_commit_sha.as_ref() == Some(head) => Ok(()),
        _ => Err(WaitReason::ChangedSinceRequest),
    }
}
