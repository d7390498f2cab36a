//! Carries out a plan, step by step. Each step can be found again by a later run, so that a run may stop anywhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use log::{info, warn};

use crate::gitlab::answer::{self, LabelEvent, Variable};
use crate::gitlab::{Count, Error, Gitlab, Kind, both, side_by_side};
use crate::id::{DiscussionId, Iid, NoteId, PipelineId};
use crate::note::{self, End, First, Thread};
use crate::plan::{self, Plan, Queued, Repair, Reply, What};
use crate::record::{Record, Task};
use crate::snapshot::{MergeRequest, Request};
use crate::survey;

pub struct Actor<'a> {
    pub gitlab: &'a Gitlab,
    pub label: &'a str,
    /// The benchmark project's branch or tag to run.
    pub ref_name: &'a str,
    /// Variables for the benchmark beside the record.
    pub variables: &'a [Variable],
    /// Those that are known.
    pub records: &'a [Record],
}

/// What was done, or was tried, or would be done.
#[derive(Clone, Debug)]
pub struct Action {
    pub verb: Verb,
    pub mr: Iid,
    /// What is told on the merge request, where an end is.
    pub end: Option<End>,
    pub effect: Effect,
    pub pipeline: Option<BenchmarkPipeline>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Start,
    Link,
    Finish,
    Withdraw,
    Cancel,
}

impl Verb {
    /// The word for it in the JSON report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Link => "link",
            Self::Finish => "finish",
            Self::Withdraw => "withdraw",
            Self::Cancel => "cancel",
        }
    }
}

/// How an action went.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Done,
    Planned,
    Failed(String),
}

#[derive(Clone, Debug)]
pub struct BenchmarkPipeline {
    pub id: PipelineId,
    pub web_url: String,
}

impl Action {
    pub fn start(mr: Iid, effect: Effect, pipeline: Option<BenchmarkPipeline>) -> Self {
        Self {
            verb: Verb::Start,
            mr,
            end: None,
            effect,
            pipeline,
        }
    }

    fn repair(repair: &Repair, effect: Effect) -> Self {
        let (verb, end) = match &repair.what {
            What::Link => (Verb::Link, None),
            What::Finish { outcome, .. } => (Verb::Finish, Some(End::Of(*outcome))),
            What::Withdraw(_) => (Verb::Withdraw, Some(End::Withdrawn)),
            What::TimeOut(_) => (Verb::Cancel, Some(End::TimedOut)),
            What::Cancel => (Verb::Cancel, None),
        };
        let pipeline = Some(BenchmarkPipeline::from(repair.record));
        Self {
            verb,
            mr: repair.record.task.mr,
            end,
            effect,
            pipeline,
        }
    }
}

impl From<&Record> for BenchmarkPipeline {
    fn from(record: &Record) -> Self {
        Self {
            id: record.pipeline,
            web_url: record.web_url.clone(),
        }
    }
}

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

/// What a dry run says of the plan.
pub fn planned(plan: &Plan) -> Vec<Action> {
    let repairs = plan
        .repairs
        .iter()
        .map(|repair| Action::repair(repair, Effect::Planned));
    let starts = plan.queue.iter().take(plan.free);
    let starts = starts.map(|queued| Action::start(queued.mr.iid, Effect::Planned, None));
    repairs.chain(starts).collect()
}

/// What a dry run says of a trigger.
pub fn planned_trigger(mr: Iid, finish: Option<&Repair>) -> Vec<Action> {
    let finish = finish.map(|repair| Action::repair(repair, Effect::Planned));
    finish
        .into_iter()
        .chain([Action::start(mr, Effect::Planned, None)])
        .collect()
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
        let threads = match survey::threads(source, mr.iid) {
            Ok(threads) => threads,
            Err(error) => return Start::not_begun(error),
        };
        let (opened, fresh) = both(
            || self.discussion_for(&threads, mr, request),
            || {
                turn.wait_to_look();
                survey::merge_request(source, self.label, mr.iid)
            },
        );
        let (opened, fresh) = match (opened, fresh) {
            (Ok(opened), Ok(fresh)) => (opened, fresh),
            (Err(error), _) | (_, Err(error)) => return Start::not_begun(error),
        };
        let same = fresh.request.is_some_and(|now| now.id == request.id);
        let task = self
            .task(&fresh, request, &opened)
            .filter(|_| same && suits(&fresh));
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

    /// Those of one merge request go one after the other.
    pub fn repair_all(&self, repairs: &[Repair]) -> Vec<Action> {
        let mut by_mr: BTreeMap<Iid, Vec<&Repair>> = BTreeMap::new();
        for repair in repairs {
            by_mr.entry(repair.record.task.mr).or_default().push(repair);
        }
        let done = side_by_side(by_mr.into_values().collect(), |repairs| {
            repairs
                .into_iter()
                .map(|repair| self.repair(repair))
                .collect::<Vec<_>>()
        });
        done.into_iter().flatten().collect()
    }

    pub fn repair(&self, repair: &Repair) -> Action {
        let Repair { record, what } = repair;
        let effect = match self.carry_out(record, what) {
            Ok(()) => Effect::Done,
            Err(error) => Effect::Failed(format!("{error:#}")),
        };
        Action::repair(repair, effect)
    }

    fn carry_out(&self, record: &Record, what: &What) -> anyhow::Result<()> {
        match what {
            What::Link => self.mend_discussion(record),
            What::Finish { outcome, reply } => {
                self.reply(record, *reply, End::Of(*outcome))?;
                self.take_label_off(record)
            }
            What::Withdraw(reply) => {
                self.reply(record, *reply, End::Withdrawn)?;
                self.cancel(record)
            }
            What::TimeOut(reply) => {
                self.reply(record, *reply, End::TimedOut)?;
                self.cancel(record)?;
                self.take_label_off(record)
            }
            What::Cancel => self.cancel(record),
        }
    }

    /// Puts in the link that is missing, and takes out what another run said at the same time, or an earlier one
    /// without knowing. Looked up anew, after the last word: of any two that talk at once, the later sees both.
    fn mend_discussion(&self, record: &Record) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let threads = survey::threads(source, mr)?;
        if let Some(first) = plan::unlinked(&threads, record) {
            let text = note::started(&record.task, record.pipeline, &record.web_url);
            let edited = source.edit_note(mr, first.note, &text);
            edited.context("the discussion is without the link")?;
        }
        for note in plan::surplus(&threads, record) {
            source
                .delete_note(mr, note)
                .context("a note too many stays")?;
        }
        Ok(())
    }

    fn cancel(&self, record: &Record) -> anyhow::Result<()> {
        let cancelled = self.gitlab.benchmark.cancel(record.pipeline);
        cancelled
            .map(drop)
            .context("the benchmark is not cancelled")
    }

    fn reply(&self, record: &Record, reply: Reply, end: End) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let text = note::outcome(record, end, self.label);
        let replied = match reply {
            Reply::Made => return self.mend_discussion(record),
            Reply::Due(thread) => source.reply(mr, &thread.id, &text),
            // It was not among those listed, but the list may have shifted while it was read.
            Reply::DueAnew => match source.reply(mr, &record.task.discussion, &text) {
                Err(error) if error.not_found() => {
                    let first = note::started(&record.task, record.pipeline, &record.web_url);
                    let opened = source.open_discussion(mr, &first);
                    opened.and_then(|(discussion, _)| source.reply(mr, &discussion, &text))
                }
                replied => replied,
            },
        };
        replied.context("the outcome is not told")?;
        self.mend_discussion(record)
    }

    /// The last step of a request. A label put on anew meanwhile is a new request and stays; since GitLab has no
    /// conditional removal, one that came in just before the removal is put back.
    fn take_label_off(&self, record: &Record) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let served =
            |events: &[LabelEvent]| Request::newest(events, self.label).id == record.task.request;
        if !served(&source.label_events(mr)?) {
            return Ok(());
        }
        let removed = source.remove_label(mr, self.label);
        self.check_labels(removed, false)?;
        let events = source.label_events(mr)?;
        let by = survey::taken_off_by(&events, self.label);
        if !served(&events) && by == Some(Some(source.user().id)) {
            warn!("!{mr} was labelled anew just as the label came off: it is put back");
            self.put_label_on(mr)?;
        }
        Ok(())
    }

    /// The request that this makes.
    fn put_label_on(&self, mr: Iid) -> anyhow::Result<Request> {
        let added = self.gitlab.source.add_label(mr, self.label);
        self.check_labels(added, true)?;
        Ok(Request::newest(
            &self.gitlab.source.label_events(mr)?,
            self.label,
        ))
    }

    /// GitLab can say yes and leave the labels as they are.
    fn check_labels(
        &self,
        changed: Result<answer::MergeRequest, Error>,
        wanted: bool,
    ) -> anyhow::Result<()> {
        let label = self.label;
        let state = if wanted { "off" } else { "on" };
        let hint = || {
            format!(
                "the label {label} stays {state}; the bot needs the role Developer in the project"
            )
        };
        let labels = changed.with_context(hint)?.labels;
        ensure!(
            labels.iter().any(|name| name == label) == wanted,
            "GitLab leaves the label {label} {state}: is it locked, or archived?"
        );
        Ok(())
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
