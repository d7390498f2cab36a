//! Begins benchmarks.

use std::sync::atomic::{AtomicBool, Ordering};

use log::{debug, info, warn};

use super::{Action, Actor, BenchmarkPipeline, Effect, Verb};
use crate::gitlab::{Count, Error, Kind, both};
use crate::id::{DiscussionId, Iid, NoteId, PipelineId};
use crate::note::{self, OpeningNote, Thread, Unstarted};
use crate::plan::{self, RefusedBy, Repair};
use crate::record::Task;
use crate::snapshot::{MergeRequest, Request};
use crate::survey;

pub(super) type Threads = Result<Vec<Thread>, Error>;

/// What became of a start.
pub(super) enum Start {
    Started(BenchmarkPipeline, Result<(), Error>),
    /// The merge request has changed since it was surveyed, or another start was hindered: the next run sees to it.
    Overtaken,
    /// There is no benchmark, and that lies in this merge request.
    Failed(Error),
    /// GitLab refuses the pipeline.
    Refused(RefusedBy, Error),
    /// There is none, and another would fare no better just now.
    Hindered(Error),
    /// There may be one.
    Unclear(Error),
}

impl Actor<'_> {
    /// Starts one, whatever the queue and the limit say; before that, finishes what ended but is not reconciled,
    /// and puts the label on where it then is missing, so that an unfinished request always bears it.
    pub fn trigger(&self, mr: &MergeRequest, finish: Option<&Repair>, force: bool) -> Vec<Action> {
        let mut actions: Vec<Action> = finish
            .and_then(|repair| self.repair(repair))
            .into_iter()
            .collect();
        if actions
            .iter()
            .any(|action| matches!(action.effect, Effect::Failed(_)))
        {
            return actions;
        }
        let request = mr.requests.first();
        let label = request.map_or(self.label, |request| &request.label);
        let failed = |message| vec![Action::start(mr.iid, label, Effect::Failed(message), None)];
        // Whoever triggers means the head that was surveyed, which may be a fork's.
        let unmoved = |fresh: &MergeRequest| fresh.head == mr.head && plan::passed(fresh).is_ok();
        let turns = Turns::default();
        let turn = Turn::new(&turns, 0);
        let threads = self.threads(mr);
        let bot = self.gitlab.source.bot();
        let started = match request {
            Some(request) if finish.is_none() => {
                let ready = |fresh: &MergeRequest| plan::readiness(fresh, request, bot).is_ok();
                self.start(mr, request, threads, |fresh| force || ready(fresh), turn)
            }
            _ => match self.put_label_on(mr.iid, label) {
                Ok(request) => {
                    self.start(mr, &request, threads, |fresh| force || unmoved(fresh), turn)
                }
                Err(error) => return [actions, failed(format!("{error:#}"))].concat(),
            },
        };
        actions.extend(match started {
            Start::Overtaken => failed("it has changed meanwhile; try again".to_owned()),
            started => actions_of(mr.iid, label, started),
        });
        actions
    }

    /// The bot's discussions, where anybody has written anything.
    pub(super) fn threads(&self, mr: &MergeRequest) -> Threads {
        match mr.has_notes {
            true => survey::threads(&self.gitlab.source, mr.iid),
            false => Ok(Vec::new()),
        }
    }

    /// Discussion first, so that the record can name it; then the pipeline; then the link to it. The merge
    /// request is read again right before the pipeline is created: what passed, what was labelled and what is
    /// benchmarked are one commit.
    pub(super) fn start(
        &self,
        mr: &MergeRequest,
        request: &Request,
        threads: Threads,
        suits: impl Fn(&MergeRequest) -> bool,
        turn: Turn,
    ) -> Start {
        let source = &self.gitlab.source;
        let threads = match threads {
            Ok(threads) => threads,
            Err(error) => return Start::not_begun(error),
        };
        let mut linked = threads.iter().filter_map(|thread| {
            let opening = thread.opened_for(request.id, &request.label)?;
            opening.linked
        });
        if let Some(pipeline) = linked.next()
            && let Some(start) = self.served_by(mr.iid, pipeline)
        {
            return start;
        }
        let (opened, fresh) = both(
            || self.discussion_for(&threads, mr, request),
            || {
                turn.wait_to_look();
                survey::read_again(source, mr, request)
            },
        );
        let (opened, fresh) = match (opened, fresh) {
            (Ok(opened), Ok(fresh)) => (opened, fresh),
            (Err(error), _) | (_, Err(error)) => return Start::not_begun(error),
        };
        let task = self
            .task(&fresh, request, &opened)
            .filter(|_| !fresh.requests.is_empty() && suits(&fresh));
        let Some(task) = task else {
            info!("!{} has changed since it was surveyed", mr.iid);
            return Start::Overtaken;
        };
        let variables = [task.variables(), self.variables.to_vec()].concat();
        turn.wait_to_create();
        if turn.turns.hindered.load(Ordering::SeqCst) {
            return Start::Overtaken;
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
            Err(error) if error.kind == Kind::Passing => Err(Start::Hindered(error)),
            Err(error) => Err(Start::Unclear(error)),
        };
        let hindered = matches!(
            start,
            Err(Start::Hindered(_) | Start::Refused(RefusedBy::Project, _))
        );
        turn.turns.hindered.fetch_or(hindered, Ordering::SeqCst);
        drop(turn);
        match start {
            Ok(pipeline) => {
                let text = note::started(&task, pipeline.id, &pipeline.web_url);
                let linked = source.edit_note(mr.iid, opened.note, &text).map(drop);
                let pipeline = BenchmarkPipeline {
                    id: pipeline.id,
                    web_url: pipeline.web_url,
                };
                Start::Started(pipeline, linked)
            }
            Err(start) => {
                if let Start::Refused(by, error) = &start {
                    self.tell_refusal(&task, &opened, *by, error);
                }
                start
            }
        }
    }

    /// The discussion links to a pipeline that no list has shown: lists may lag behind. `None` where it is gone.
    fn served_by(&self, mr: Iid, pipeline: PipelineId) -> Option<Start> {
        match self.gitlab.benchmark.is_gone(pipeline) {
            Ok(true) => None,
            Err(error) => Some(Start::not_begun(error)),
            Ok(false) => Some(Start::Failed(Error {
                kind: Kind::Unclear,
                request: format!("pipeline {pipeline}"),
                message: format!(
                    "serves !{mr} already, though no list shows it yet: the next run looks again"
                ),
            })),
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

    /// The discussion that an earlier run opened for the request, or one for the same label that nothing came of, or a
    /// new one. With that the merge request is marked, so that a later run finds it though its label has gone.
    fn discussion_for(
        &self,
        threads: &[Thread],
        mr: &MergeRequest,
        request: &Request,
    ) -> Result<Opened, Error> {
        let source = &self.gitlab.source;
        let opened = threads
            .iter()
            .filter_map(|thread| Some((thread, thread.opening.as_ref()?)));
        let same = |(_, opening): &(&Thread, &OpeningNote)| {
            opening.is_about(request.id, &request.label) && opening.state != Some(Unstarted::Closed)
        };
        if let Some((thread, opening)) = opened.clone().find(same) {
            let (discussion, body) = (thread.id.clone(), opening.body.clone());
            return Ok(Opened {
                discussion,
                note: opening.note,
                body,
            });
        }
        let body = note::opening(request, &mr.branch, mr.head.as_ref());
        let named = |thread: &Thread| {
            self.records
                .iter()
                .any(|record| record.task.discussion == thread.id)
        };
        let idle = |(thread, opening): &(&Thread, &OpeningNote)| {
            let label = opening.label.as_ref();
            opening.linked.is_none()
                && opening.state != Some(Unstarted::Closed)
                && label.is_none_or(|label| *label == request.label)
                && thread.outcomes.is_empty()
                && !named(thread)
        };
        let found = opened.clone().find(idle);
        let (marked, written) = both(
            || source.mark(mr.iid),
            || match found {
                Some((thread, opening)) => {
                    let edited = source.edit_note(mr.iid, opening.note, &body);
                    edited.map(|note| (thread.id.clone(), note.id))
                }
                None => source.open_discussion(mr.iid, &body),
            },
        );
        // Without the mark nobody finds the discussion once its label has gone.
        if let Err(error) = marked.or_else(|_| source.mark(mr.iid)) {
            debug!("!{} is not marked: {error}", mr.iid);
        }
        let (discussion, note) = written?;
        Ok(Opened {
            discussion,
            note,
            body,
        })
    }

    /// Says so in the discussion that is there, once: the same words are not written again each run.
    fn tell_refusal(&self, task: &Task, opened: &Opened, by: RefusedBy, error: &Error) {
        let state = match by {
            RefusedBy::Project => Unstarted::Unavailable,
            RefusedBy::Request => Unstarted::Refused,
        };
        let text = note::refused(task, state, &error.message);
        if text != opened.body
            && let Err(error) = self.gitlab.source.edit_note(task.mr, opened.note, &text)
        {
            warn!("!{}: {error}", task.mr);
        }
    }
}

/// The order in which starts that go on side by side come to create their pipelines.
#[derive(Default)]
pub(super) struct Turns {
    creating: Count,
    created: Count,
    /// Those that follow would fare no better.
    hindered: AtomicBool,
}

/// A place in that order, kept until it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    place: usize,
}

impl<'a> Turn<'a> {
    pub(super) fn new(turns: &'a Turns, place: usize) -> Self {
        Self { turns, place }
    }

    /// Until the one before is about to create, so that what is read here is fresh when its own turn comes.
    fn wait_to_look(&self) {
        self.turns.creating.wait_for(self.place);
    }

    fn wait_to_create(&self) {
        self.turns.created.wait_for(self.place);
        self.turns.creating.reach(self.place + 1);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.wait_to_create();
        self.turns.created.reach(self.place + 1);
    }
}

/// The bot's discussion for a request, and its first note.
struct Opened {
    discussion: DiscussionId,
    note: NoteId,
    body: String,
}

impl Start {
    fn not_begun(error: Error) -> Self {
        match error.kind {
            Kind::Passing => Start::Hindered(error),
            Kind::Refused(_) | Kind::NotGitlab(_) | Kind::Unclear => Start::Failed(error),
        }
    }
}

pub(super) fn actions_of(mr: Iid, label: &str, start: Start) -> Vec<Action> {
    let failed = |message| vec![Action::start(mr, label, Effect::Failed(message), None)];
    match start {
        Start::Started(pipeline, linked) => {
            let link = linked.err().map(|error| Action {
                verb: Verb::Link,
                effect: Effect::Failed(format!("{error}; reconcile puts it into the discussion")),
                ..Action::start(mr, label, Effect::Done, Some(pipeline.clone()))
            });
            let started = Action::start(mr, label, Effect::Done, Some(pipeline));
            [Some(started), link].into_iter().flatten().collect()
        }
        Start::Overtaken => Vec::new(),
        Start::Failed(error) | Start::Refused(_, error) => failed(error.to_string()),
        Start::Hindered(error) => failed(format!("{error}; the next run tries again")),
        Start::Unclear(error) => failed(format!(
            "{error}; it may have started: the next run looks it up"
        )),
    }
}
