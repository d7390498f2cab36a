//! The bot's pipelines, and which requests they serve. A pipeline that ended long ago is read only if it may serve a
//! request, so that neither history nor a forgotten label makes a run expensive.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use log::{debug, warn};

use super::{Scope, Survey};
use crate::gitlab::answer::{Pipeline, Variable};
use crate::gitlab::{Error, Gitlab, both, parallel_map};
use crate::id::{DiscussionId, Iid, PipelineId, RequestId};
use crate::note::{OpeningNote, Thread};
use crate::record::{Record, Task};
use crate::snapshot::{About, MergeRequest, Request, Unreadable};

pub(super) type Read = (Pipeline, Result<Vec<Variable>, Error>);

/// A shorter list holds all of the bot's pipelines.
pub(super) const WHOLE_PAGE: usize = 100;
/// Up to this many ended pipelines that may serve a request are cheaper to read than its discussions.
const FEW: usize = 3;

/// A pipeline that a discussion links to and that is not among the records.
struct Link {
    mr: Iid,
    discussion: DiscussionId,
    opening: OpeningNote,
    pipeline: PipelineId,
}

impl Survey<'_> {
    pub(super) fn variables(&self, pipelines: Vec<Pipeline>) -> Vec<Read> {
        parallel_map(pipelines, |pipeline| {
            let variables = self.gitlab.benchmark.variables(pipeline.id);
            (pipeline, variables)
        })
    }

    pub(super) fn add_records(&mut self, read: Vec<Read>) {
        for (pipeline, variables) in read {
            self.looked_at.insert(pipeline.id);
            if let Err(why) = self.add_record(&pipeline, variables) {
                let trouble = match why {
                    Unknown::Error(error) => {
                        format!("its variables cannot be read: {error}")
                    }
                    Unknown::Missing(what) => format!("GitLab does not show {what}"),
                    Unknown::Hidden => String::new(),
                };
                let is_hidden = trouble.is_empty();
                if !is_hidden {
                    let url = &pipeline.web_url;
                    let text = format!("pipeline {url} may be a benchmark, but {trouble}");
                    self.trouble(About::Pipeline(pipeline.id), text);
                }
                self.snapshot.unreadable.push(Unreadable {
                    pipeline: pipeline.id,
                    web_url: pipeline.web_url,
                    created_at: pipeline.created_at,
                    updated_at: pipeline.updated_at,
                    status: pipeline.status,
                    is_hidden,
                });
            }
        }
    }

    fn add_record(
        &mut self,
        pipeline: &Pipeline,
        variables: Result<Vec<Variable>, Error>,
    ) -> Result<(), Unknown> {
        let variables = match variables {
            Err(error) if error.forbidden() && self.gitlab.is_observer => {
                return Err(Unknown::Hidden);
            }
            variables => variables.map_err(Unknown::Error)?,
        };
        let first = self.snapshot.labels.first().map_or("", String::as_str);
        let task = match Task::read(&variables, first) {
            Ok(Some(task)) => task,
            Ok(None) => {
                debug!("pipeline {} is no benchmark", pipeline.web_url);
                return Ok(());
            }
            Err(error) if error.is_withheld => {
                return Err(Unknown::Missing("one of its variables"));
            }
            Err(error) => {
                warn!("pipeline {} is ignored: its {error}", pipeline.web_url);
                return Ok(());
            }
        };
        if pipeline.source.is_none() {
            return Err(Unknown::Missing("how it was started"));
        }
        let record = record(pipeline, task).ok_or(Unknown::Missing("its status or age"))?;
        self.snapshot.records.push(record);
        Ok(())
    }

    /// Looks for the records of open requests among ended pipelines: reads the pipelines if they are few, or else the
    /// discussions, which link to them. Also reads the other discussions that the rules need.
    pub(super) fn find_records(&mut self) {
        let (mut few, mut threads) = (BTreeSet::new(), BTreeSet::new());
        for mr in self.snapshot.merge_requests.values() {
            for request in &mr.requests {
                let may_serve = match self.is_served(mr, request) {
                    true => Some(Vec::new()),
                    false => self.ended_since(request.at.unwrap_or(mr.created_at)),
                };
                match may_serve {
                    Some(ended) if ended.len() <= FEW => few.extend(ended),
                    _ => threads.extend(mr.has_notes.then_some(mr.iid)),
                }
                if mr.has_notes && (asks_again(mr, request) || self.is_by_bot(request)) {
                    threads.insert(mr.iid);
                }
            }
            // An announcement is edited as things change.
            if let Scope::Queue { threads: true, .. } = self.scope {
                let mut requests = mr.requests.iter();
                let unserved = requests.any(|request| !self.is_served(mr, request));
                threads.extend((mr.has_notes && unserved).then_some(mr.iid));
            }
            // An observer can learn from the notes alone what a pipeline is for.
            let is_hidden = self.snapshot.unreadable.iter().any(|found| found.is_hidden);
            if is_hidden && mr.has_notes {
                threads.insert(mr.iid);
            }
        }
        // A record in flight for this long may have been retried after its outcome was posted.
        let now = self.snapshot.now;
        let may_be_stuck =
            |record: &&Record| !record.status.ended() && now - record.created_at > self.timeout;
        let old = self.snapshot.own_records().filter(may_be_stuck);
        threads.extend(old.map(|record| record.task.mr));
        // `status N` explains what becomes of a benchmark whose label is off, and a note may link to a pipeline that
        // keeps the request from being started.
        if let Scope::Status { of: Some(iid), .. } = self.scope {
            let goes_on = |record: &&Record| record.task.mr == iid && !record.status.ended();
            let mut own = self.snapshot.own_records().filter(goes_on);
            let without_label = own.any(|record| self.snapshot.request_of(record).is_none());
            let mr = self.snapshot.merge_requests.get(&iid);
            let unserved = mr.is_some_and(|mr| {
                let mut requests = mr.requests.iter();
                mr.has_notes && requests.any(|request| !self.is_served(mr, request))
            });
            threads.extend((without_label || unserved).then_some(iid));
        }
        if let Scope::One(iid) | Scope::Ending { iid, .. } = self.scope {
            threads.retain(|of| *of == iid);
        }
        threads.retain(|iid| !self.snapshot.threads.contains_key(iid));
        let few = few.iter().filter_map(|id| self.pipelines.get(id).cloned());
        let (read, fetched) = both(
            || self.variables(few.collect()),
            || self.read(&BTreeSet::new(), &threads),
        );
        self.add_records(read);
        self.add(fetched);
    }

    /// The bot added the label, so somebody triggered it, and the bot's note names the commit.
    fn is_by_bot(&self, request: &Request) -> bool {
        let by = request.by.as_ref();
        by.is_some_and(|user| user.username == self.snapshot.bot)
    }

    fn is_served(&self, mr: &MergeRequest, request: &Request) -> bool {
        let serves = |record: &Record| {
            record.serves(self.snapshot.source, mr.iid, request.id, &request.label)
        };
        self.snapshot.records.iter().any(serves)
    }

    /// Pipelines created since `time` that were not read. `None` if the list does not reach back that far.
    fn ended_since(&self, time: DateTime<Utc>) -> Option<Vec<PipelineId>> {
        if self.pipelines_since.is_some_and(|since| time < since) {
            return None;
        }
        let unknown = |pipeline: &&Pipeline| {
            let younger = pipeline.created_at.is_none_or(|created| created >= time);
            younger && !self.looked_at.contains(&pipeline.id)
        };
        let found = self.pipelines.values().filter(unknown);
        Some(found.map(|pipeline| pipeline.id).collect())
    }

    /// Reads the pipelines that the bot's discussions link to and that are not known yet.
    pub(super) fn follow_links(&mut self) {
        let links = self.links();
        let read = parallel_map(links, |link| {
            let listed = self.pipelines.get(&link.pipeline).cloned();
            let found = match listed {
                Some(pipeline) => {
                    let variables = self.gitlab.benchmark.variables(link.pipeline);
                    Ok(LinkTarget::Benchmark(pipeline, variables))
                }
                None => follow(self.gitlab, &link.opening, link.pipeline),
            };
            (link, found)
        });
        for (link, found) in read {
            let id = link.pipeline;
            let (request, mr) = (link.opening.request, link.mr);
            let (pipeline, variables) = match found {
                Ok(LinkTarget::Benchmark(pipeline, variables)) => (pipeline, variables),
                Ok(LinkTarget::Inactive) => {
                    self.snapshot.lost.insert(id);
                    continue;
                }
                Ok(LinkTarget::Foreign(why)) => {
                    self.snapshot.uncertain.insert((mr, request));
                    self.trouble(About::MergeRequest(mr), format!("!{mr}: {why}"));
                    continue;
                }
                Err(error) => {
                    self.snapshot.uncertain.insert((mr, request));
                    let text = format!(
                        "!{mr}: cannot read pipeline {id}, to which its discussion links: {error}"
                    );
                    self.trouble(About::MergeRequest(mr), text);
                    continue;
                }
            };
            self.followed.insert(mr);
            let hidden = variables.as_ref().is_err_and(Error::forbidden) && self.gitlab.is_observer;
            let added = match hidden {
                true => {
                    let task = self.task_of(&link);
                    if let Some(record) = task.and_then(|task| record(&pipeline, task)) {
                        let unreadable = &mut self.snapshot.unreadable;
                        unreadable.retain(|found| found.pipeline != id);
                        self.snapshot.records.push(record);
                    }
                    Ok(())
                }
                false => self.add_record(&pipeline, variables),
            };
            if added.is_err() {
                self.snapshot.uncertain.insert((mr, request));
                let text = format!(
                    "!{mr}: cannot read the variables of pipeline {id}, to which its discussion links"
                );
                self.trouble(About::MergeRequest(mr), text);
            }
        }
    }

    fn links(&self) -> Vec<Link> {
        let known = |id: &PipelineId| {
            let hidden = |found: &Unreadable| found.pipeline == *id && found.is_hidden;
            self.looked_at.contains(id) && !self.snapshot.unreadable.iter().any(hidden)
        };
        let mut links = Vec::new();
        for (mr, threads) in &self.snapshot.threads {
            for thread in threads {
                let Some((opening, pipeline)) = linked(thread) else {
                    continue;
                };
                let label = opening.label.as_deref().unwrap_or_default();
                let told = threads
                    .iter()
                    .flat_map(|thread| &thread.outcomes)
                    .filter(|note| note.pipeline.is_none_or(|of| of == pipeline))
                    .any(|note| note.is_about(opening.request, label));
                // A posted outcome matters only while its label is on.
                let asked = self.snapshot.merge_requests.get(mr).is_some_and(|mr| {
                    mr.requests
                        .iter()
                        .any(|request| opening.is_about(request.id, &request.label))
                });
                if !known(&pipeline) && (!told || asked) {
                    links.push(Link {
                        mr: *mr,
                        discussion: thread.id.clone(),
                        opening: opening.clone(),
                        pipeline,
                    });
                }
            }
        }
        links
    }

    /// What a pipeline is for according to the bot's note, for an observer who cannot see its variables.
    fn task_of(&self, link: &Link) -> Option<Task> {
        let mr = self.snapshot.merge_requests.get(&link.mr)?;
        let project = self.gitlab.source.project();
        let opening = &link.opening;
        Some(Task {
            mr: mr.iid,
            mr_url: mr.web_url.clone(),
            label: opening
                .label
                .clone()
                .or_else(|| self.snapshot.labels.first().cloned())?,
            request: opening.request,
            discussion: link.discussion.clone(),
            branch: mr.branch.clone(),
            sha: opening.sha.clone().or_else(|| mr.head.clone())?,
            target_branch: mr.target_branch.clone(),
            base: None,
            pipeline: None,
            pipeline_started_at: None,
            project: project.id,
            project_path: project.path_with_namespace.clone(),
            project_url: project.web_url.clone(),
        })
    }
}

/// The pipeline to which one of the bot's notes links and that no list shows.
pub enum LinkTarget {
    /// It is gone, or it has ended and is not one of the bot's benchmarks.
    Inactive,
    Benchmark(Pipeline, Result<Vec<Variable>, Error>),
    /// It is in flight in another project or started by another user. Holds the sentence for people.
    Foreign(String),
}

pub fn follow(
    gitlab: &Gitlab,
    opening: &OpeningNote,
    pipeline: PipelineId,
) -> Result<LinkTarget, Error> {
    let benchmark = &gitlab.benchmark;
    let ours = benchmark.project().id;
    let project = opening.project.unwrap_or(ours);
    let elsewhere = |found: Pipeline, of: &str, check: &str| match found.ended() {
        true => LinkTarget::Inactive,
        false => LinkTarget::Foreign(format!(
            "its discussion links to {}, which is {} and {of}, so nothing is started: wait until it ends or cancel it, \
             and check {check}",
            found.web_url,
            found.status().word(),
        )),
    };
    if project != ours {
        let in_project = "is in another project";
        let setting = "--benchmark-project (BENCH_BOT_BENCHMARK_PROJECT)";
        return match benchmark.pipeline_in(project, pipeline) {
            Ok(Some(found)) => Ok(elsewhere(found, in_project, setting)),
            Ok(None) => Ok(LinkTarget::Inactive),
            Err(error) => Err(error),
        };
    }
    let (found, variables) = both(
        || benchmark.pipeline(pipeline),
        || benchmark.variables(pipeline),
    );
    match found {
        Ok(found) if !benchmark.is_by_bot(&found) => Ok(elsewhere(
            found,
            "was not started by the bot",
            "--bot (BENCH_BOT_USER) and BENCH_BOT_BENCHMARK_TOKEN",
        )),
        Ok(found) => Ok(LinkTarget::Benchmark(found, variables)),
        // Two responses have to say so: no list shows the pipeline either, but lists may lag behind.
        Err(error) if error.not_found() => match variables {
            Err(second) if second.not_found() => Ok(LinkTarget::Inactive),
            Err(second) => Err(second),
            Ok(_) => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Why it is unknown what one of the bot's pipelines is for.
enum Unknown {
    Error(Error),
    Missing(&'static str),
    /// GitLab does not show its variables to the token's user, who is not the bot.
    Hidden,
}

/// `None` if GitLab does not show enough of the pipeline.
fn record(pipeline: &Pipeline, task: Task) -> Option<Record> {
    let created_at = pipeline.created_at?;
    Some(Record {
        pipeline: pipeline.id,
        web_url: pipeline.web_url.clone(),
        status: pipeline.status.clone()?,
        created_at,
        updated_at: pipeline.updated_at.unwrap_or(created_at),
        task,
    })
}

fn linked(thread: &Thread) -> Option<(&OpeningNote, PipelineId)> {
    let opening = thread.opening.as_ref()?;
    Some((opening, opening.linked?))
}

/// Whether the label was on this merge request before.
fn asks_again(mr: &MergeRequest, request: &Request) -> bool {
    let earlier = mr.events.iter().filter(|event| event.id < request.id);
    let same = |name: &str| name == request.label;
    request.id != RequestId::NONE
        && earlier
            .filter_map(|event| event.label.as_ref())
            .any(|label| same(&label.name))
}
