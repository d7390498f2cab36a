//! Starts benchmarks.

use std::sync::atomic::{AtomicBool, Ordering};

use log::{info, warn};

use super::{Action, Actor, BenchmarkPipeline, Effect, Verb};
use crate::gitlab::{Count, Error, ErrorKind, Mark, both};
use crate::id::{DiscussionId, Iid, NoteId};
use crate::note::{self, OpeningNote, Thread, Triggered, Unstarted};
use crate::plan::{self, RefusedBy, Trigger};
use crate::record::Task;
use crate::snapshot::{MergeRequest, Request};
use crate::survey;

/// What is read of a merge request right before its benchmark is started.
pub(super) struct Preflight {
    /// The bot's discussions.
    pub(super) threads: Result<Vec<Thread>, Error>,
    /// `None` if it was not read again.
    mr: Option<Result<MergeRequest, Error>>,
}

/// The result of a start.
pub(super) enum Start {
    Started(BenchmarkPipeline, Result<(), Error>),
    /// An earlier run had started a benchmark without being able to link to it, which was made up for.
    Found(BenchmarkPipeline, Result<(), Error>),
    /// The merge request has changed since the survey, or an earlier start of the batch failed: left to the next run.
    Stale,
    /// No benchmark was started, for a reason that concerns only this merge request.
    Failed(Error),
    /// GitLab refused the pipeline.
    Refused(RefusedBy, Error),
    /// No benchmark was started, and others would fail for the same reason at the moment.
    Transient {
        error: Error,
        /// Whether there is a discussion, which tells a later run which commit was triggered.
        opened: bool,
    },
    /// A benchmark may have been started.
    Unclear(Error),
}

impl Actor<'_> {
    /// Starts a benchmark regardless of queue and limit. First it finishes one that has ended but is not reconciled, and
    /// adds the label if it is missing, so that an unfinished request always has its label.
    pub fn trigger(&self, mr: &MergeRequest, trigger: &Trigger, force: bool) -> Vec<Action> {
        let mut actions = self.repair_all(trigger.repairs());
        let failed = |action: &Action| matches!(action.effect, Effect::Failed(_));
        if trigger.in_flight.is_some() || actions.iter().any(failed) {
            return actions;
        }
        let request = mr.requests.first();
        let label = request.map_or(self.label, |request| &request.label);
        let failed = |message| vec![Action::start(mr.iid, label, Effect::Failed(message), None)];
        // `trigger` vouches for the head that was surveyed, even if it is a fork's.
        let at_head = |triggered| mr.head.clone().map(|head| (head, triggered));
        let unforced = match request {
            Some(request) if trigger.finish.is_none() => request.clone(),
            _ => match self.put_label_on(mr.iid, label) {
                Ok(request) => Request {
                    triggered: at_head(Triggered::Commit),
                    ..request
                },
                Err(error) => return [actions, failed(format!("{error:#}"))].concat(),
            },
        };
        let request = match force {
            true => Request {
                triggered: at_head(Triggered::Forced),
                ..unforced.clone()
            },
            false => unforced.clone(),
        };
        let order = CreationOrder::default();
        let found = self.preflight(mr, &request);
        let started = self.start(mr, &request, found, force, CreationSlot::new(&order, 0));
        actions.extend(match started {
            Start::Stale => failed("it has changed in the meantime; try again".to_owned()),
            Start::Transient { error, opened } if !self.is_kept(mr, &request, opened) => {
                failed(format!("{error}; try again later"))
            }
            started => actions_of(mr.iid, label, started),
        });
        actions
    }

    /// Whether the next scan will start this commit: by the rules, or because the bot's label leads it to the bot's note.
    fn is_kept(&self, mr: &MergeRequest, request: &Request, opened: bool) -> bool {
        let bot = self.gitlab.source.bot();
        let by_bot = request.by.as_ref().is_some_and(|user| user.username == bot);
        let as_noted = request.clone();
        let by_rules = Request {
            triggered: None,
            ..request.clone()
        };
        let request = if opened && by_bot { as_noted } else { by_rules };
        plan::readiness(mr, &request, bot).is_ok()
    }

    /// Looks for an existing discussion of the bot's if the merge request has any notes, and at the same time checks that
    /// the request still stands, so that no discussion is opened for nothing.
    pub(super) fn preflight(&self, mr: &MergeRequest, request: &Request) -> Preflight {
        let source = &self.gitlab.source;
        if !mr.has_notes {
            let threads = Ok(Vec::new());
            return Preflight { threads, mr: None };
        }
        let (threads, mr) = both(
            || survey::threads(source, mr.iid),
            || survey::read_again(source, mr, request),
        );
        let mr = Some(mr);
        Preflight { threads, mr }
    }

    /// Opens the discussion, so that the record can name it, then creates the pipeline, then adds the link. Reads the merge
    /// request again right before it creates the pipeline, so that the commit that passed, the one that was labelled and
    /// the one that is benchmarked are the same.
    pub(super) fn start(
        &self,
        mr: &MergeRequest,
        request: &Request,
        found: Preflight,
        forced: bool,
        slot: CreationSlot,
    ) -> Start {
        let source = &self.gitlab.source;
        let is_asked =
            |fresh: &MergeRequest| plan::is_still_asked(mr, fresh, request, source.bot(), forced);
        let threads = match (found.threads, found.mr.transpose()) {
            (Ok(_), Ok(Some(fresh))) if !is_asked(&fresh) => return Start::stale(mr),
            (Ok(threads), Ok(_)) => threads,
            (Err(error), _) | (_, Err(error)) => return Start::not_begun(error),
        };
        if let Some(start) = self.linked_by(&threads, mr.iid, request) {
            return start;
        }
        let (opened, fresh) = both(
            || {
                self.remove_verdict_labels(mr);
                let opened = self.discussion_for(&threads, mr, request)?;
                let found = match opened.was_begun {
                    true => {
                        survey::find_unlinked(self.gitlab, self.label, self.records, mr, request)?
                    }
                    false => None,
                };
                Ok((opened, found))
            },
            || {
                slot.wait_to_look();
                survey::read_again(source, mr, request)
            },
        );
        let (opened, found, fresh) = match (opened, fresh) {
            (Ok((opened, found)), Ok(fresh)) => (opened, found, fresh),
            (Err(error), _) | (_, Err(error)) => return Start::not_begun(error),
        };
        let task = self
            .task(&fresh, request, &opened)
            .filter(|_| is_asked(&fresh));
        let Some(task) = task else {
            return Start::stale(mr);
        };
        if let Some(record) = found {
            return self.link_to(&record, opened.note);
        }
        let variables = [task.variables(), self.variables.to_vec()].concat();
        slot.wait_to_create();
        if slot.order.halted.load(Ordering::SeqCst) {
            return Start::Stale;
        }
        let created = self
            .gitlab
            .benchmark
            .create_pipeline(self.ref_name, &variables);
        let start = match created {
            Ok(pipeline) => Ok(pipeline),
            Err(error) if error.refused().is_some() => {
                Err(Start::Refused(RefusedBy::of(&error), error))
            }
            Err(error) if error.kind == ErrorKind::Transient => Err(Start::Transient {
                error,
                opened: true,
            }),
            Err(error) => Err(Start::Unclear(error)),
        };
        let halted = matches!(
            start,
            Err(Start::Transient { .. } | Start::Refused(RefusedBy::Project, _))
        );
        slot.order.halted.fetch_or(halted, Ordering::SeqCst);
        drop(slot);
        match start {
            Ok(pipeline) => {
                let project = self.gitlab.benchmark.project().id;
                let text = note::started(&task, project, pipeline.id, &pipeline.web_url);
                let linked = source.edit_note(mr.iid, opened.note, &text).map(drop);
                let pipeline = BenchmarkPipeline {
                    id: pipeline.id,
                    web_url: pipeline.web_url,
                };
                Start::Started(pipeline, linked)
            }
            Err(start) => {
                if let Start::Refused(by, error) = &start {
                    self.tell_refusal(&task, request, &opened, *by, error);
                }
                start
            }
        }
    }

    fn task(&self, mr: &MergeRequest, request: &Request, opened: &Opened) -> Option<Task> {
        let project = self.gitlab.source.project();
        let pipeline = mr.pipeline.as_ref();
        Some(Task {
            mr: mr.iid,
            mr_url: mr.web_url.clone(),
            label: request.label.clone(),
            request: request.id,
            discussion: opened.discussion.clone(),
            branch: mr.branch.clone(),
            sha: mr.head.clone()?,
            target_branch: mr.target_branch.clone(),
            base: mr.base.clone(),
            pipeline: pipeline.map(|pipeline| pipeline.id),
            pipeline_started_at: pipeline.map(|pipeline| pipeline.began_at()),
            project: project.id,
            project_path: project.path_with_namespace.clone(),
            project_url: project.web_url.clone(),
        })
    }

    /// Finds the discussion that an earlier run opened for the request, or opens one. A new one comes with 👀 on the merge
    /// request, so that a later run finds it even if the label is gone.
    fn discussion_for(
        &self,
        threads: &[Thread],
        mr: &MergeRequest,
        request: &Request,
    ) -> Result<Opened, Error> {
        let source = &self.gitlab.source;
        let project = self.gitlab.benchmark.project().id;
        let mut opened = threads
            .iter()
            .filter_map(|thread| Some((thread, thread.opened_for(request.id, &request.label)?)));
        // A discussion of another benchmark project may be in use by another run.
        let is_free = |(_, opening): &(&Thread, &OpeningNote)| {
            let here = opening.project.is_none_or(|of| of == project);
            opening.state != Some(Unstarted::Closed) && (here || opening.linked.is_some())
        };
        if let Some((thread, opening)) = opened.find(is_free) {
            let (discussion, body) = (thread.id.clone(), opening.body.clone());
            return Ok(Opened {
                discussion,
                note: opening.note,
                body,
                was_begun: true,
            });
        }
        let body = note::opening(request, project, &mr.branch, mr.head.as_ref());
        let (marked, written) = both(
            || source.mark(mr.iid, Mark::Begun),
            || source.open_discussion(mr.iid, &body),
        );
        let is_new_mark = marked.unwrap_or_else(|_| self.mark(mr.iid));
        let (discussion, note) = written?;
        Ok(Opened {
            discussion,
            note,
            body,
            // Somebody may have deleted the discussion that an earlier run opened.
            was_begun: !is_new_mark,
        })
    }

    /// Writes the refusal into the discussion, unless the same words are there already.
    fn tell_refusal(
        &self,
        task: &Task,
        request: &Request,
        opened: &Opened,
        by: RefusedBy,
        error: &Error,
    ) {
        let state = match by {
            RefusedBy::Project => Unstarted::Unavailable,
            RefusedBy::Request => Unstarted::Refused,
        };
        let project = self.gitlab.benchmark.project().id;
        let text = note::refused(task, request, project, (state, &error.message));
        if text != opened.body
            && let Err(error) = self.gitlab.source.edit_note(task.mr, opened.note, &text)
        {
            warn!("!{}: {error}", task.mr);
        }
    }
}

/// Makes parallel starts create their pipelines in order.
#[derive(Default)]
pub(super) struct CreationOrder {
    creating: Count,
    created: Count,
    /// Set when the starts that follow would fail for the same reason.
    halted: AtomicBool,
}

/// A place in that order. Dropping it lets the next start create its pipeline.
pub(super) struct CreationSlot<'a> {
    order: &'a CreationOrder,
    place: usize,
}

impl<'a> CreationSlot<'a> {
    pub(super) fn new(order: &'a CreationOrder, place: usize) -> Self {
        Self { order, place }
    }

    /// Waits until the start before is about to create its pipeline, so that what is read next is still fresh in time.
    fn wait_to_look(&self) {
        self.order.creating.wait_for(self.place);
    }

    fn wait_to_create(&self) {
        self.order.created.wait_for(self.place);
        self.order.creating.reach(self.place + 1);
    }
}

impl Drop for CreationSlot<'_> {
    fn drop(&mut self) {
        self.wait_to_create();
        self.order.created.reach(self.place + 1);
    }
}

/// The bot's discussion for a request, and its first note.
struct Opened {
    discussion: DiscussionId,
    note: NoteId,
    body: String,
    /// An earlier run had begun the request, and may have created its pipeline.
    was_begun: bool,
}

impl Start {
    fn stale(mr: &MergeRequest) -> Self {
        info!("!{} has changed since the survey", mr.iid);
        Start::Stale
    }

    pub(super) fn not_begun(error: Error) -> Self {
        match error.kind {
            ErrorKind::Transient => Start::Transient {
                error,
                opened: false,
            },
            ErrorKind::Refused(_) | ErrorKind::NotGitlab(_) | ErrorKind::Unclear => {
                Start::Failed(error)
            }
        }
    }
}

pub(super) fn actions_of(mr: Iid, label: &str, start: Start) -> Vec<Action> {
    let failed = |message| vec![Action::start(mr, label, Effect::Failed(message), None)];
    match start {
        Start::Started(pipeline, linked) => {
            let link = linked.err().map(|error| Action {
                verb: Verb::Link,
                effect: Effect::Failed(format!(
                    "{error}; reconcile adds the link to the discussion"
                )),
                ..Action::start(mr, label, Effect::Done, Some(pipeline.clone()))
            });
            let started = Action::start(mr, label, Effect::Done, Some(pipeline));
            [Some(started), link].into_iter().flatten().collect()
        }
        Start::Found(pipeline, linked) => vec![Action {
            verb: Verb::Link,
            effect: linked
                .map_or_else(|error| Effect::Failed(error.to_string()), |()| Effect::Done),
            ..Action::start(mr, label, Effect::Done, Some(pipeline))
        }],
        Start::Stale => Vec::new(),
        Start::Failed(error) | Start::Refused(_, error) => failed(error.to_string()),
        Start::Transient { error, .. } => failed(format!("{error}; the next run tries again")),
        Start::Unclear(error) => {
            failed(format!("{error}; it may have started: the next run checks"))
        }
    }
}
