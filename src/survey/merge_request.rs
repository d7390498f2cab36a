//! Reads what the rules need to know about one merge request.

use std::cmp::Reverse;

use chrono::{DateTime, TimeDelta, Utc};

use crate::gitlab::answer::{self, LabelEvent, SourcePipeline, User};
use crate::gitlab::{Error, ErrorKind, SourceProject, both};
use crate::id::{Iid, RequestId, Sha};
use crate::note::{self, Thread};
use crate::snapshot::{HeadPipeline, MergeRequest, Origin, Request};

/// GitLab writes a label's event after the label itself. A label that still has no event after this time will not get one,
/// for instance after an import.
const EVENT_IS_LATE: TimeDelta = TimeDelta::minutes(10);

/// Reads everything that the rules need if the merge request may be started, or else only what concerns its records.
/// `None` if GitLab says that it does not exist.
pub fn read(
    source: &SourceProject,
    labels: &[String],
    iid: Iid,
    now: DateTime<Utc>,
    may_start: bool,
) -> Result<Option<MergeRequest>, Error> {
    let (mr, events) = both(|| source.merge_request(iid), || source.label_events(iid));
    let mr = match mr {
        Err(error) if error.not_found() => return Ok(None),
        mr => mr?,
    };
    let events = events?;
    let (mut requests, mut unexplained) = (Vec::new(), Vec::new());
    for label in labels.iter().filter(|label| mr.labels.contains(label)) {
        match newest_request(&events, label) {
            Newest::Request(request) => requests.push(request),
            Newest::NoEvent if mr.updated_at.is_some_and(|at| now - at > EVENT_IS_LATE) => {
                requests.push(Request {
                    id: RequestId::NONE,
                    label: label.clone(),
                    at: None,
                    by: None,
                    triggered: None,
                });
            }
            Newest::NoEvent | Newest::NotYet => unexplained.push(label.clone()),
        }
    }
    let is_fork = mr.source_project_id != Some(mr.target_project_id);
    let origin = match is_fork {
        false => Origin::SameProject,
        true => Origin::Fork {
            versions: match may_start && !requests.is_empty() {
                true => source.versions(iid)?,
                false => Vec::new(),
            },
        },
    };
    let pipeline = match may_start {
        true => head_pipeline(source, &mr)?,
        false => mr
            .head_pipeline
            .clone()
            .map(|pipeline| known(pipeline, Vec::new())),
    };
    Ok(Some(MergeRequest {
        requests,
        unexplained,
        events,
        origin,
        ..assembled(mr, pipeline)
    }))
}

/// Reads again what may have changed about a merge request that is about to be started. Its label counts only if it still
/// stands for the same request.
pub fn read_again(
    source: &SourceProject,
    then: &MergeRequest,
    request: &Request,
) -> Result<MergeRequest, Error> {
    let (mr, events) = both(
        || source.merge_request(then.iid),
        || source.label_events(then.iid),
    );
    let (mr, events) = (mr?, events?);
    let known_before = then.pipeline.as_ref();
    let pipeline = match (&mr.head_pipeline, known_before) {
        (Some(now), Some(before)) if now.id == before.id => {
            Some(known(now.clone(), before.parents.clone()))
        }
        _ => head_pipeline(source, &mr)?,
    };
    let still_on = mr.labels.contains(&request.label) && stands_for(&events, request);
    Ok(MergeRequest {
        requests: still_on.then(|| request.clone()).into_iter().collect(),
        unexplained: Vec::new(),
        events,
        origin: then.origin.clone(),
        ..assembled(mr, pipeline)
    })
}

fn assembled(mr: answer::MergeRequest, pipeline: Option<HeadPipeline>) -> MergeRequest {
    MergeRequest {
        iid: mr.iid,
        web_url: mr.web_url,
        title: mr.title,
        author: mr.author,
        state: mr.state,
        labels: mr.labels,
        branch: mr.source_branch,
        target_branch: mr.target_branch,
        created_at: mr.created_at,
        head: mr.sha,
        base: mr.diff_refs.and_then(|refs| refs.base_sha),
        pipeline,
        has_notes: mr.user_notes_count.is_none_or(|count| count > 0),
        requests: Vec::new(),
        unexplained: Vec::new(),
        events: Vec::new(),
        origin: Origin::SameProject,
    }
}

/// The newest request for a label that is on.
#[derive(Debug, PartialEq)]
pub enum Newest {
    Request(Request),
    /// GitLab has not written the event of the label's addition yet: the newest event is a removal or names no label.
    NotYet,
    NoEvent,
}

pub fn newest_request(events: &[LabelEvent], label: &str) -> Newest {
    let newest = of_label(events, label).max_by_key(|event| event.id);
    match newest {
        Some(event) if event.action == "add" => Newest::Request(Request {
            id: event.id,
            label: label.to_owned(),
            at: Some(event.created_at),
            by: event.user.clone(),
            triggered: None,
        }),
        Some(_) => Newest::NotYet,
        // An event without a label is that of a label that was deleted or that the user may not see.
        None if events.iter().any(|event| event.label.is_none()) => Newest::NotYet,
        None => Newest::NoEvent,
    }
}

/// Whether the label still stands for this request.
pub fn stands_for(events: &[LabelEvent], request: &Request) -> bool {
    match newest_request(events, &request.label) {
        Newest::Request(newest) => newest.id == request.id,
        Newest::NoEvent => request.id == RequestId::NONE,
        Newest::NotYet => false,
    }
}

fn of_label<'a>(events: &'a [LabelEvent], label: &str) -> impl Iterator<Item = &'a LabelEvent> {
    let named = move |event: &&LabelEvent| {
        let found = event.label.as_ref();
        found.is_some_and(|found| found.name == label)
    };
    events.iter().filter(named)
}

/// Who took the label off, if that is its newest event.
pub fn removed_by(events: &[LabelEvent], label: &str) -> Option<Option<User>> {
    let last = of_label(events, label).max_by_key(|event| event.id)?;
    (last.action == "remove").then(|| last.user.clone())
}

/// The head pipeline, with the parents of a merge result. A merge train may squash commits, and then nothing shows which
/// commits its pipeline ran for: in that case the newest pipeline of the head itself counts.
fn head_pipeline(
    source: &SourceProject,
    mr: &answer::MergeRequest,
) -> Result<Option<HeadPipeline>, Error> {
    let Some(pipeline) = mr.head_pipeline.clone() else {
        return Ok(None);
    };
    let found = known(pipeline.clone(), parents(source, &pipeline)?);
    let of_head = |sha: &Sha| Some(sha) == mr.sha.as_ref();
    if !found.is_of_train || of_head(&found.sha) || found.parents.iter().any(of_head) {
        return Ok(Some(found));
    }
    let mut own = source.pipelines(mr.iid)?;
    own.retain(|pipeline| of_head(&pipeline.sha));
    own.sort_by_key(|pipeline| Reverse(pipeline.id));
    let own = own.into_iter().next();
    Ok(Some(own.map_or(found, |own| known(own, Vec::new()))))
}

fn known(pipeline: SourcePipeline, parents: Vec<Sha>) -> HeadPipeline {
    HeadPipeline {
        is_of_train: pipeline.ref_name.ends_with("/train"),
        parents,
        id: pipeline.id,
        web_url: pipeline.web_url,
        status: pipeline.status,
        created_at: pipeline.created_at,
        started_at: pipeline.started_at,
        finished_at: pipeline.finished_at,
        sha: pipeline.sha,
    }
}

/// The parents of the merge commit that GitLab made for a merged results or merge train pipeline.
fn parents(source: &SourceProject, pipeline: &SourcePipeline) -> Result<Vec<Sha>, Error> {
    let is_generated = pipeline.ref_name.starts_with("refs/merge-requests/")
        && !pipeline.ref_name.ends_with("/head");
    if !is_generated {
        return Ok(Vec::new());
    }
    match source.commit(pipeline.project_id, &pipeline.sha) {
        Ok(commit) => Ok(commit.parent_ids),
        // GitLab may have deleted the merge commit; then the pipeline is outdated.
        Err(error) if error.refused().is_some() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The bot's notes in the discussions of a merge request.
pub fn threads(source: &SourceProject, iid: Iid) -> Result<Vec<Thread>, Error> {
    let discussions = source.discussions(iid)?;
    let threads = discussions.iter();
    let threads = threads.map(|discussion| note::read(discussion, source.bot()));
    threads.collect::<Option<_>>().ok_or_else(|| Error {
        kind: ErrorKind::Unclear,
        request: format!("the discussions of !{iid}"),
        message: "a note does not say who wrote it".to_owned(),
    })
}
