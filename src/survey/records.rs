//! The bot's pipelines, and which requests they serve. A pipeline that ended long ago is read only if it may serve a
//! request, so that neither history nor a forgotten label makes a run expensive.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use log::{debug, warn};

use super::{Scope, Survey};
use crate::gitlab::answer::{Pipeline, Variable};
use crate::gitlab::{Error, both, parallel_map};
use crate::id::{PipelineId, RequestId};
use crate::record::{Record, Task};
use crate::snapshot::{About, MergeRequest, Request, Unreadable};

pub(super) type Read = (Pipeline, Result<Vec<Variable>, Error>);

/// A shorter list holds all of the bot's pipelines.
pub(super) const WHOLE_PAGE: usize = 100;
/// Up to this many ended pipelines that may serve a request are cheaper to read than its discussions.
const FEW: usize = 3;

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

    pub(super) fn add_record(
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
        let record = record_in(pipeline, &variables, first).map_err(Unknown::Missing)?;
        self.snapshot.records.extend(record);
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
        if let Scope::Status {
            verdicts: true,
            since,
            ..
        } = self.scope
        {
            let ended =
                |record: &&Record| record.status.ended() && now - record.updated_at <= since;
            let ended = self.snapshot.own_records().filter(ended);
            threads.extend(ended.map(|record| record.task.mr));
        }
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
}

/// Why it is unknown what one of the bot's pipelines is for.
pub(super) enum Unknown {
    Error(Error),
    Missing(&'static str),
    /// GitLab does not show its variables to the token's user, who is not the bot.
    Hidden,
}

/// `None` if the pipeline is no record of the bot's. An error names what GitLab does not show of it.
pub(super) fn record_in(
    pipeline: &Pipeline,
    variables: &[Variable],
    first_label: &str,
) -> Result<Option<Record>, &'static str> {
    let task = match Task::read(variables, first_label) {
        Ok(Some(task)) => task,
        Ok(None) => {
            debug!("pipeline {} is no benchmark", pipeline.web_url);
            return Ok(None);
        }
        Err(error) if error.is_withheld => return Err("one of its variables"),
        Err(error) => {
            warn!("pipeline {} is ignored: its {error}", pipeline.web_url);
            return Ok(None);
        }
    };
    if pipeline.source.is_none() {
        return Err("how it was started");
    }
    record(pipeline, task).map(Some).ok_or("its status or age")
}

/// `None` if GitLab does not show enough of the pipeline.
pub(super) fn record(pipeline: &Pipeline, task: Task) -> Option<Record> {
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

/// Whether the label was on this merge request before.
fn asks_again(mr: &MergeRequest, request: &Request) -> bool {
    let earlier = mr.events.iter().filter(|event| event.id < request.id);
    let same = |name: &str| name == request.label;
    request.id != RequestId::NONE
        && earlier
            .filter_map(|event| event.label.as_ref())
            .any(|label| same(&label.name))
}
