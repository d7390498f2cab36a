//! The pipelines to which the bot's discussions link, where no list shows them.

use super::Survey;
use super::records::{record, record_in};
use crate::gitlab::answer::{Pipeline, Variable};
use crate::gitlab::{Error, ErrorKind, Gitlab, both, parallel_map};
use crate::id::{DiscussionId, Iid, PipelineId};
use crate::note::{OpeningNote, Thread};
use crate::record::{Record, Task};
use crate::snapshot::{About, MergeRequest, Request, Unreadable};

/// A pipeline that a discussion links to and that is not among the records.
struct Link {
    mr: Iid,
    discussion: DiscussionId,
    opening: OpeningNote,
    pipeline: PipelineId,
}

impl Survey<'_> {
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
                let mut outcomes = threads.iter().flat_map(|thread| &thread.outcomes);
                let told = outcomes.any(|note| note.is_about(opening.request, label));
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

/// The benchmark of a request to which nothing links, if it is among the bot's newest hundred pipelines: the run that
/// created it may have failed to add the link, and no other run come before it ended. `known`: the records that the survey
/// has found, none of which serves the request.
pub fn find_unlinked(
    gitlab: &Gitlab,
    first_label: &str,
    known: &[Record],
    mr: &MergeRequest,
    request: &Request,
) -> Result<Option<Record>, Error> {
    let (benchmark, source) = (&gitlab.benchmark, gitlab.source.project().id);
    // A benchmark is always younger than its request.
    let since = request.at.unwrap_or(mr.created_at);
    let mut pipelines = benchmark.newest()?;
    pipelines.retain(|pipeline| {
        let is_known = known.iter().any(|record| record.pipeline == pipeline.id);
        !is_known && pipeline.created_at.is_none_or(|at| at >= since)
    });
    let read = parallel_map(pipelines, |pipeline| {
        let variables = benchmark.variables(pipeline.id);
        (pipeline, variables)
    });
    for (pipeline, variables) in read {
        let record = record_in(&pipeline, &variables?, first_label).map_err(|what| Error {
            kind: ErrorKind::Unclear,
            request: format!("pipeline {}", pipeline.web_url),
            message: format!("may be a benchmark, but GitLab does not show {what}"),
        })?;
        let serves = |record: &Record| record.serves(source, mr.iid, request.id, &request.label);
        if let Some(record) = record.filter(serves) {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

fn linked(thread: &Thread) -> Option<(&OpeningNote, PipelineId)> {
    let opening = thread.opening.as_ref()?;
    Some((opening, opening.linked?))
}
