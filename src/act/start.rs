//! Begins benchmarks.

use std::sync::atomic::{AtomicBool, Ordering};

use log::{info, warn};

use super::{Action, Actor, BenchmarkPipeline, Effect, Verb};
use crate::gitlab::{Count, Error, Kind, both, side_by_side};
use crate::id::{DiscussionId, Iid, NoteId};
use crate::note::{self, First, Thread};
use crate::plan::{self, Plan, Queued, Repair};
use crate::record::Task;
use crate::snapshot::{MergeRequest, Request};
use crate::survey;

/// What became of a start.
enum Start {
    Started(BenchmarkPipeline, Result<(), Error>),
    /// The merge request has changed since it was surveyed, or another start was hindered: the next run sees to it.
    Overtaken,
    /// There is no benchmark, and that lies in this merge request or its benchmark.
    Failed(Error),
    /// There is none, and another would fare no better just now.
    Hindered(Error),
    /// There may be one.
    Unclear(Error),
}

impl Actor<'_> {
    /// Starts as many of the queue as may be, side by side, but their pipelines in the queue's order: the benchmark
    /// project serves the lowest id first. Those that cannot be started give their places to the next.
    pub fn start_queue(&self, plan: &Plan) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut queue = plan.queue.iter();
        let mut free = plan.free;
        while free > 0 {
            let batch: Vec<(usize, &Queued)> = queue.by_ref().take(free).enumerate().collect();
            let turns = Turns::default();
            let started = side_by_side(batch, |(place, queued)| {
                let ready = |mr: &MergeRequest| plan::readiness(mr, queued.request).is_ok();
                let turn = Turn {
                    turns: &turns,
                    place,
                };
                (
                    queued.mr.iid,
                    self.start(queued.mr, queued.request, ready, turn),
                )
            });
            let failed = |start: &Start| matches!(start, Start::Failed(_) | Start::Overtaken);
            let hindered = started
                .iter()
                .any(|(_, start)| matches!(start, Start::Hindered(_)));
            free = started
                .iter()
                .filter(|(_, start)| failed(start) && !hindered)
                .count();
            actions.extend(
                started
                    .into_iter()
                    .flat_map(|(iid, start)| actions_of(iid, start)),
            );
        }
        actions
    }

    /// Starts one, whatever the queue and the limit say; before that, finishes what ended but is not reconciled,
    /// and puts the label on where it then is missing, so that an unfinished request always bears it.
    pub fn trigger(&self, mr: &MergeRequest, finish: Option<&Repair>, force: bool) -> Vec<Action> {
        let mut actions: Vec<Action> = finish
            .map(|repair| self.repair(repair))
            .into_iter()
            .collect();
        if actions
            .iter()
            .any(|action| matches!(action.effect, Effect::Failed(_)))
        {
            return actions;
        }
        let failed = |message| vec![Action::start(mr.iid, Effect::Failed(message), None)];
        // Whoever triggers means the head that was surveyed, which may be a fork's.
        let unmoved = |fresh: &MergeRequest| fresh.head == mr.head && plan::passed(fresh).is_ok();
        let turns = Turns::default();
        let turn = Turn {
            turns: &turns,
            place: 0,
        };
        let started = match mr.request {
            Some(request) if finish.is_none() => {
                let ready = |fresh: &MergeRequest| plan::readiness(fresh, request).is_ok();
                self.start(mr, request, |fresh| force || ready(fresh), turn)
            }
            _ => match self.put_label_on(mr.iid) {
                Ok(request) => self.start(mr, request, |fresh| force || unmoved(fresh), turn),
                Err(error) => return [actions, failed(format!("{error:#}"))].concat(),
            },
        };
        actions.extend(match started {
            Start::Overtaken => failed("it has changed meanwhile; try again".to_owned()),
            started => actions_of(mr.iid, started),
        });
        actions
    }

    /// Discussion first, so that the record can name it; then the pipeline; then the link to it. The merge
    /// request is read again right before the pipeline is created: what passed, what was labelled and what is
    /// benchmarked are one commit.
    fn start(
        &self,
        mr: &MergeRequest,
        request: Request,
        suits: impl Fn(&MergeRequest) -> bool,
        turn: Turn,
    ) -> Start {
        let source = &self.gitlab.source;
        let threads = match mr.has_notes.then(|| survey::threads(source, mr.iid)) {
            None => Vec::new(),
            Some(Ok(threads)) => threads,
            Some(Err(error)) => return Start::not_begun(error),
        };
        let (opened, fresh) = both(
            || self.discussion_for(&threads, mr, request),
            || {
                turn.wait_to_look();
                survey::look_again(source, self.label, mr, request)
            },
        );
        let (opened, fresh) = match (opened, fresh) {
            (Ok(opened), Ok(fresh)) => (opened, fresh),
            (Err(error), _) | (_, Err(error)) => return Start::not_begun(error),
        };
        let task = self
            .task(&fresh, request, &opened)
            .filter(|_| fresh.request.is_some() && suits(&fresh));
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
        let hindered = created
            .as_ref()
            .is_err_and(|error| error.kind == Kind::Passing);
        turn.turns.hindered.fetch_or(hindered, Ordering::SeqCst);
        drop(turn);
        match created {
            Ok(pipeline) => {
                let text = note::started(&task, pipeline.id, &pipeline.web_url);
                let linked = source.edit_note(mr.iid, opened.note, &text).map(drop);
                let pipeline = BenchmarkPipeline {
                    id: pipeline.id,
                    web_url: pipeline.web_url,
                };
                Start::Started(pipeline, linked)
            }
            Err(error) if error.kind == Kind::Unclear => Start::Unclear(error),
            Err(error) => {
                if error.refused().is_some() {
                    self.tell_refusal(&task, &opened, &error);
                }
                Start::not_begun(error)
            }
        }
    }

    fn task(&self, mr: &MergeRequest, request: Request, opened: &Opened) -> Option<Task> {
        let project = self.gitlab.source.project();
        Some(Task {
            mr: mr.iid,
            mr_url: mr.web_url.clone(),
            request: request.id,
            discussion: opened.discussion.clone(),
            branch: mr.branch.clone(),
            sha: mr.head.clone()?,
            target_branch: mr.target_branch.clone(),
            base: mr.base.clone(),
            pipeline: mr.pipeline.as_ref().map(|pipeline| pipeline.id),
            pipeline_started_at: mr
                .pipeline
                .as_ref()
                .and_then(|pipeline| pipeline.started_at),
            project: project.id,
            project_path: project.path_with_namespace.clone(),
            project_url: project.web_url.clone(),
        })
    }

    /// The discussion that an earlier run opened for the request, or one that nothing came of, or a new one.
    fn discussion_for(
        &self,
        threads: &[Thread],
        mr: &MergeRequest,
        request: Request,
    ) -> Result<Opened, Error> {
        let source = &self.gitlab.source;
        let opened = threads
            .iter()
            .filter_map(|thread| Some((thread, thread.first.as_ref()?)));
        if let Some((thread, first)) = opened
            .clone()
            .find(|(_, first)| first.request == request.id)
        {
            let (discussion, body) = (thread.id.clone(), first.body.clone());
            return Ok(Opened {
                discussion,
                note: first.note,
                body,
            });
        }
        let body = note::opening(request.id, &mr.branch);
        let named = |thread: &Thread| {
            self.records
                .iter()
                .any(|record| record.task.discussion == thread.id)
        };
        let idle = |(thread, first): &(&Thread, &First)| {
            first.linked.is_none() && thread.outcomes.is_empty() && !named(thread)
        };
        let (discussion, note) = match opened.clone().find(idle) {
            Some((thread, first)) => {
                source.edit_note(mr.iid, first.note, &body)?;
                (thread.id.clone(), first.note)
            }
            None => source.open_discussion(mr.iid, &body)?,
        };
        Ok(Opened {
            discussion,
            note,
            body,
        })
    }

    /// Says so in the discussion that is there, once: the same words are not written again each run.
    fn tell_refusal(&self, task: &Task, opened: &Opened, error: &Error) {
        let text = note::refused(task, &error.message);
        if text != opened.body
            && let Err(error) = self.gitlab.source.edit_note(task.mr, opened.note, &text)
        {
            warn!("!{}: {error}", task.mr);
        }
    }
}

/// The order in which starts that go on side by side come to create their pipelines.
#[derive(Default)]
struct Turns {
    creating: Count,
    created: Count,
    /// Those that follow would fare no better.
    hindered: AtomicBool,
}

/// A place in that order, kept until it is dropped.
struct Turn<'a> {
    turns: &'a Turns,
    place: usize,
}

impl Turn<'_> {
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
            Kind::Refused(_) | Kind::Unclear => Start::Failed(error),
        }
    }
}

fn actions_of(mr: Iid, start: Start) -> Vec<Action> {
    let failed = |message| vec![Action::start(mr, Effect::Failed(message), None)];
    match start {
        Start::Started(pipeline, linked) => {
            let link = linked.err().map(|error| Action {
                verb: Verb::Link,
                effect: Effect::Failed(format!("{error}; reconcile puts it into the discussion")),
                ..Action::start(mr, Effect::Done, Some(pipeline.clone()))
            });
            let started = Action::start(mr, Effect::Done, Some(pipeline));
            [Some(started), link].into_iter().flatten().collect()
        }
        Start::Overtaken => Vec::new(),
        Start::Failed(error) => failed(error.to_string()),
        Start::Hindered(error) => failed(format!("{error}; the next run tries again")),
        Start::Unclear(error) => failed(format!(
            "{error}; it may have started: the next run looks it up"
        )),
    }
}
