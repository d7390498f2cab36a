//! Reads from GitLab what a run decides on. A list is complete or an error; what concerns one merge request or
//! one pipeline alone is noted when it cannot be read, and the others go on.

mod courses;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use log::{debug, warn};

use crate::gitlab::answer::{self, LabelEvent, Pipeline, Variable};
use crate::gitlab::{Error, Gitlab, Listing, SourceProject, both, by_id, side_by_side};
use crate::id::{Iid, PipelineId, RequestId, Sha, UserId};
use crate::note::{self, Thread};
use crate::record::{Record, Task};
use crate::snapshot::{HeadPipeline, MergeRequest, Origin, Request, Snapshot, Unreadable};

/// What a run is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scope {
    /// The open labelled merge requests.
    Queue,
    /// Those, and whatever records ask for: all in flight, and those that ended so lately.
    Records { aftercare: TimeDelta },
    /// One merge request, labelled or not.
    One(Iid),
    /// That, and whatever its records ask for: those in flight, and those that ended so lately.
    Ending { iid: Iid, aftercare: TimeDelta },
    /// The open labelled merge requests, and the course of what is in flight or ended since: of all, or of one
    /// merge request, labelled or not.
    Courses { since: TimeDelta, of: Option<Iid> },
}

/// `lookback` says how old a record's last change may be if no open request is older.
pub fn survey(
    gitlab: &Gitlab,
    label: &str,
    lookback: TimeDelta,
    scope: Scope,
) -> Result<Snapshot, Error> {
    let source = &gitlab.source;
    let since = gitlab.now() - lookback;
    let recent = match scope {
        Scope::Records { aftercare } | Scope::Ending { aftercare, .. } => {
            Some(gitlab.now() - aftercare)
        }
        Scope::Courses { since, .. } => Some(gitlab.now() - since),
        Scope::Queue | Scope::One(_) => None,
    };
    // Its outcome may still be untold, though the label went before anybody looked.
    let matters_anyway = |pipeline: &Pipeline| {
        !pipeline.status.ended() || recent.is_some_and(|recent| pipeline.updated_at >= recent)
    };
    let (merge_requests, pipelines) = both(
        || listed(gitlab, label, since, scope).map(|iids| read_all(source, label, iids)),
        || {
            let pipelines = own_pipelines(gitlab, since, scope)?.into_iter();
            let (matter, others) = pipelines.partition(matters_anyway);
            Ok((with_variables(gitlab, matter), others))
        },
    );
    let mut snapshot = Snapshot {
        now: gitlab.now(),
        source: source.project().id,
        merge_requests: BTreeMap::new(),
        gone: BTreeSet::new(),
        unread: BTreeSet::new(),
        records: Vec::new(),
        unreadable: Vec::new(),
        threads: BTreeMap::new(),
        courses: BTreeMap::new(),
        troubles: Vec::new(),
    };
    add_merge_requests(&mut snapshot, merge_requests?);
    let (mut read, mut others): (Vec<WithVariables>, Vec<Pipeline>) = pipelines?;
    // However long nobody looked: an open request may have a record from any time since it was made.
    if let Some(oldest) = oldest_request(&snapshot, |mr| mr.state == "opened")
        && oldest < since
    {
        others = gitlab.benchmark.created_since(oldest)?;
        let known: BTreeSet<PipelineId> = read.iter().map(|(pipeline, _)| pipeline.id).collect();
        others.retain(|pipeline| !known.contains(&pipeline.id));
    }
    // One that ended before anybody asked cannot be the record of what is asked now.
    let oldest = oldest_request(&snapshot, |_| true);
    others.retain(|pipeline| {
        matters_anyway(pipeline) || oldest.is_some_and(|oldest| pipeline.created_at >= oldest)
    });
    read.extend(with_variables(gitlab, others));
    read.sort_by_key(|(pipeline, _)| pipeline.id);
    add_records(&mut snapshot, read);
    match scope {
        Scope::Queue => {}
        Scope::Records { .. } | Scope::One(_) | Scope::Ending { .. } => {
            add_threads(&mut snapshot, source, label, recent);
        }
        Scope::Courses { of, .. } => courses::add(&mut snapshot, gitlab, recent, of),
    }
    Ok(snapshot)
}

fn listed(
    gitlab: &Gitlab,
    label: &str,
    since: DateTime<Utc>,
    scope: Scope,
) -> Result<Vec<Iid>, Error> {
    match scope {
        Scope::One(iid) | Scope::Ending { iid, .. } => Ok(vec![iid]),
        Scope::Queue => gitlab.labelled(label),
        Scope::Courses { of, .. } => {
            let mut iids = gitlab.labelled(label)?;
            iids.extend(of.filter(|iid| !iids.contains(iid)));
            Ok(iids)
        }
        Scope::Records { .. } => {
            let changed = Listing::ChangedSince(since);
            let (open, changed) = both(
                || gitlab.labelled(label),
                || gitlab.source.labelled(label, &changed),
            );
            let iids: BTreeSet<Iid> = open?.into_iter().chain(changed?).collect();
            Ok(iids.into_iter().collect())
        }
    }
}

/// Where ended ones matter as well, also those that were made before then and have changed since.
fn own_pipelines(
    gitlab: &Gitlab,
    since: DateTime<Utc>,
    scope: Scope,
) -> Result<Vec<Pipeline>, Error> {
    let benchmark = &gitlab.benchmark;
    let ended_too = matches!(scope, Scope::Records { .. } | Scope::Courses { .. });
    let (created, changed) = both(
        || benchmark.created_since(since),
        || ended_too.then(|| benchmark.changed_since(since)),
    );
    let changed = changed.transpose()?.unwrap_or_default();
    Ok(by_id([created?, changed].concat()))
}

fn oldest_request(
    snapshot: &Snapshot,
    counts: impl Fn(&MergeRequest) -> bool,
) -> Option<DateTime<Utc>> {
    let counted = snapshot.merge_requests.values().filter(|mr| counts(mr));
    let requested_at = |mr: &MergeRequest| Some(mr.request?.at.unwrap_or(mr.created_at));
    counted.filter_map(requested_at).min()
}

type Read = (Iid, Result<MergeRequest, Error>);

fn read_all(source: &SourceProject, label: &str, iids: Vec<Iid>) -> Vec<Read> {
    side_by_side(iids, |iid| (iid, merge_request(source, label, iid)))
}

fn add_merge_requests(snapshot: &mut Snapshot, merge_requests: Vec<Read>) {
    for (iid, read) in merge_requests {
        match read {
            Ok(mr) => drop(snapshot.merge_requests.insert(iid, mr)),
            Err(error) if error.not_found() => drop(snapshot.gone.insert(iid)),
            Err(error) => {
                snapshot.unread.insert(iid);
                snapshot
                    .troubles
                    .push(format!("!{iid} cannot be read: {error}"));
            }
        }
    }
}

/// Everything about one merge request that the rules ask for.
pub fn merge_request(source: &SourceProject, label: &str, iid: Iid) -> Result<MergeRequest, Error> {
    let (mr, events) = both(|| source.merge_request(iid), || source.label_events(iid));
    let (mr, events) = (mr?, events?);
    let request = bears(&mr, label).then(|| Request::newest(&events, label));
    let fork = mr.source_project_id != Some(mr.target_project_id);
    let origin = match fork {
        false => Origin::SameProject,
        true => Origin::Fork {
            head_when_labelled: head_when_labelled(source, iid, &events, label)?,
        },
    };
    let parents = parents(source, mr.head_pipeline.as_ref())?;
    Ok(assembled(mr, parents, request, origin))
}

/// Reads again what may have changed about a merge request whose request is being served.
pub fn look_again(
    source: &SourceProject,
    label: &str,
    then: &MergeRequest,
    request: Request,
) -> Result<MergeRequest, Error> {
    let mr = source.merge_request(then.iid)?;
    let known = then.pipeline.as_ref();
    let parents = match (&mr.head_pipeline, known) {
        (Some(now), Some(known)) if now.id == known.id => known.parents.clone(),
        (now, _) => parents(source, now.as_ref())?,
    };
    let request = bears(&mr, label).then_some(request);
    Ok(assembled(mr, parents, request, then.origin.clone()))
}

fn assembled(
    mr: answer::MergeRequest,
    parents: Vec<Sha>,
    request: Option<Request>,
    origin: Origin,
) -> MergeRequest {
    MergeRequest {
        iid: mr.iid,
        web_url: mr.web_url,
        state: mr.state,
        branch: mr.source_branch,
        target_branch: mr.target_branch,
        created_at: mr.created_at,
        head: mr.sha,
        base: mr.diff_refs.and_then(|refs| refs.base_sha),
        pipeline: mr.head_pipeline.map(|pipeline| HeadPipeline {
            parents,
            id: pipeline.id,
            web_url: pipeline.web_url,
            status: pipeline.status,
            created_at: pipeline.created_at,
            started_at: pipeline.started_at,
            finished_at: pipeline.finished_at,
            sha: pipeline.sha,
        }),
        has_notes: mr.user_notes_count > 0,
        request,
        origin,
    }
}

fn bears(mr: &answer::MergeRequest, label: &str) -> bool {
    mr.labels.iter().any(|name| name == label)
}

impl Request {
    /// The request that the label stands for while it is on.
    pub fn newest(events: &[LabelEvent], label: &str) -> Self {
        match newest_addition(events, label) {
            Some(event) => Request {
                id: event.id,
                at: Some(event.created_at),
            },
            None => Request {
                id: RequestId::NONE,
                at: None,
            },
        }
    }
}

fn newest_addition<'a>(events: &'a [LabelEvent], label: &str) -> Option<&'a LabelEvent> {
    let additions = of_label(events, label).filter(|event| event.action == "add");
    additions.max_by_key(|event| event.id)
}

/// An event of a label since deleted has lost its name; the label that is on now is another one.
fn of_label<'a>(events: &'a [LabelEvent], label: &str) -> impl Iterator<Item = &'a LabelEvent> {
    let named = move |event: &&LabelEvent| {
        event
            .label
            .as_ref()
            .is_some_and(|found| found.name == label)
    };
    events.iter().filter(named)
}

/// Who took the label off last, if that is the last thing that happened to it.
pub fn taken_off_by(events: &[LabelEvent], label: &str) -> Option<Option<UserId>> {
    let last = of_label(events, label).max_by_key(|event| event.id)?;
    (last.action == "remove").then(|| last.user.as_ref().map(|user| user.id))
}

/// The head as GitLab knew it when the label came: by the time of the push, since a commit's own date is its
/// author's to choose. None without a known person behind the label: what the bot puts on, nobody has looked at.
fn head_when_labelled(
    source: &SourceProject,
    iid: Iid,
    events: &[LabelEvent],
    label: &str,
) -> Result<Option<Sha>, Error> {
    let person = |event: &&LabelEvent| {
        event
            .user
            .as_ref()
            .is_some_and(|user| user.id != source.user().id)
    };
    let Some(event) = newest_addition(events, label).filter(person) else {
        return Ok(None);
    };
    let mut versions = source.versions(iid)?;
    versions.retain(|version| version.created_at <= event.created_at);
    let newest = versions
        .into_iter()
        .max_by_key(|version| (version.created_at, version.id));
    Ok(newest.map(|version| version.head_commit_sha))
}

/// What GitLab merged to make the commit that a merged-results or merge-train pipeline ran for.
fn parents(source: &SourceProject, pipeline: Option<&Pipeline>) -> Result<Vec<Sha>, Error> {
    let generated = |pipeline: &&Pipeline| {
        pipeline.ref_name.starts_with("refs/merge-requests/")
            && !pipeline.ref_name.ends_with("/head")
    };
    let Some(pipeline) = pipeline.filter(generated) else {
        return Ok(Vec::new());
    };
    match source.commit(pipeline.project_id, &pipeline.sha) {
        Ok(commit) => Ok(commit.parent_ids),
        // GitLab may have dropped a commit that it generated; then the pipeline is of the past.
        Err(error) if error.refused().is_some() => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

type WithVariables = (Pipeline, Result<Vec<Variable>, Error>);

fn with_variables(gitlab: &Gitlab, pipelines: Vec<Pipeline>) -> Vec<WithVariables> {
    side_by_side(pipelines, |pipeline| {
        let variables = gitlab.benchmark.variables(pipeline.id);
        (pipeline, variables)
    })
}

fn add_records(snapshot: &mut Snapshot, pipelines: Vec<WithVariables>) {
    for (pipeline, variables) in pipelines {
        let variables = match variables {
            Ok(variables) => variables,
            Err(error) if error.not_found() => continue,
            Err(error) => {
                snapshot.troubles.push(format!(
                    "pipeline {} may be a benchmark, but its variables cannot be read: {error}",
                    pipeline.web_url
                ));
                snapshot.unreadable.push(Unreadable {
                    created_at: pipeline.created_at,
                    ended: pipeline.status.ended(),
                });
                continue;
            }
        };
        match Task::read(&variables) {
            Ok(Some(task)) => snapshot.records.push(Record {
                pipeline: pipeline.id,
                web_url: pipeline.web_url,
                status: pipeline.status,
                created_at: pipeline.created_at,
                updated_at: pipeline.updated_at,
                task,
            }),
            Ok(None) => debug!("pipeline {} is no benchmark", pipeline.web_url),
            Err(error) => warn!("pipeline {} is passed over: its {error}", pipeline.web_url),
        }
    }
}

/// Reads the discussions wherever a record may ask for something to be written or done, and the merge requests
/// of records in flight that do not bear the label any more.
fn add_threads(
    snapshot: &mut Snapshot,
    source: &SourceProject,
    label: &str,
    recent: Option<DateTime<Utc>>,
) {
    let concerned: BTreeSet<Iid> = snapshot
        .own_records()
        .filter(|record| {
            !record.status.ended()
                || asked_by(snapshot, record)
                || recent.is_some_and(|recent| record.updated_at >= recent)
        })
        .map(|record| record.task.mr)
        .filter(|iid| !snapshot.gone.contains(iid) && !snapshot.unread.contains(iid))
        .collect();
    let unlisted: Vec<Iid> = concerned
        .iter()
        .copied()
        .filter(|iid| !snapshot.merge_requests.contains_key(iid))
        .collect();
    let concerned = concerned.into_iter().collect();
    let (unlisted, threads) = both(
        || read_all(source, label, unlisted),
        || side_by_side(concerned, |iid| (iid, threads(source, iid))),
    );
    add_merge_requests(snapshot, unlisted);
    for (iid, read) in threads {
        match read {
            Ok(threads) => drop(snapshot.threads.insert(iid, threads)),
            Err(error) if error.not_found() => {}
            Err(error) => {
                snapshot
                    .troubles
                    .push(format!("!{iid}: its discussions cannot be read: {error}"));
            }
        }
    }
}

fn asked_by(snapshot: &Snapshot, record: &Record) -> bool {
    let request = snapshot
        .merge_requests
        .get(&record.task.mr)
        .and_then(|mr| mr.request);
    request.is_some_and(|request| request.id == record.task.request)
}

/// The discussions of a merge request, as far as the bot wrote in them.
pub fn threads(source: &SourceProject, iid: Iid) -> Result<Vec<Thread>, Error> {
    let discussions = source.discussions(iid)?;
    Ok(discussions
        .iter()
        .map(|discussion| note::read(discussion, source.user().id))
        .collect())
}
