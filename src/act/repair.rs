//! Carries out repairs of records and discussions: posts outcomes, cancels withdrawn benchmarks, adds missing links, and
//! closes requests that go away before they are started.

use std::collections::BTreeMap;

use anyhow::Context;
use chrono::{DateTime, Utc};
use log::{debug, warn};

use super::{Action, Actor, Effect};
use crate::gitlab::answer::Outcome;
use crate::gitlab::{Error, Mark, both, parallel_map};
use crate::id::{Iid, Sha};
use crate::note::{self, Details, End, OutcomeNote, Thread, Unstarted, Verdict};
use crate::plan::{self, Closing, CutShort, RecordRepair, Repair, Reply};
use crate::record::Record;
use crate::snapshot::Request;
use crate::survey;

/// The first note or cancel that GitLab refused. GitLab would refuse it again, so it must not keep a request open: the
/// other steps are carried out, and the refusal is reported.
#[derive(Default)]
pub(super) struct Refusals(Option<anyhow::Error>);

impl Refusals {
    pub(super) fn tolerate(&mut self, result: anyhow::Result<()>) -> anyhow::Result<()> {
        match result {
            Err(error) if is_refusal(&error) => {
                self.0.get_or_insert(error);
                Ok(())
            }
            result => result,
        }
    }

    fn reported(self) -> anyhow::Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

fn is_refusal(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(Error::forbids)
}

impl Actor<'_> {
    /// Runs repairs in parallel, but those of one merge request one after the other.
    pub fn repair_all<'p>(&self, repairs: impl IntoIterator<Item = &'p Repair<'p>>) -> Vec<Action> {
        let mut by_mr: BTreeMap<Iid, Vec<&Repair>> = BTreeMap::new();
        for repair in repairs {
            by_mr.entry(repair.mr()).or_default().push(repair);
        }
        let done = parallel_map(by_mr.into_values().collect(), |repairs| {
            repairs
                .into_iter()
                .filter_map(|repair| self.repair(repair))
                .collect::<Vec<_>>()
        });
        done.into_iter().flatten().collect()
    }

    /// Returns `None` if there is nothing to report.
    pub fn repair(&self, repair: &Repair) -> Option<Action> {
        let mut end = None;
        let done = match repair {
            Repair::Record(record, what) => self.carry_out(record, what, &mut end),
            Repair::Close(closing) => self.close(closing).map(|()| true),
            Repair::Unmark(iid, before) => {
                self.unmark(*iid, Some(*before));
                Ok(true)
            }
            Repair::Mark(iid) => {
                self.mark(*iid);
                Ok(true)
            }
        };
        let effect = match done {
            Ok(true) => Effect::Done,
            Ok(false) => return None,
            Err(error) => Effect::Failed(format!("{error:#}")),
        };
        let action = Action::repair(repair, effect)?;
        Some(Action {
            end: end.or(action.end),
            ..action
        })
    }

    /// Returns whether there still was something to do.
    fn carry_out(
        &self,
        record: &Record,
        what: &RecordRepair,
        end: &mut Option<End>,
    ) -> anyhow::Result<bool> {
        let mut refusals = Refusals::default();
        match what {
            RecordRepair::Link => {
                let threads = self.threads_of(record)?;
                self.repair_thread(record, &threads)?;
            }
            RecordRepair::Finish {
                outcome,
                reply,
                labelled,
            } => {
                let replied = match reply {
                    Reply::Posted => Ok(()),
                    Reply::Outdated(note) => self.amend(record, *outcome, note, end),
                    Reply::Due(_) | Reply::DueInNewThread => {
                        let (posted, details) = self.details(record, *outcome);
                        *end = Some(posted);
                        if labelled.is_none() {
                            let verdict = details.verdict(posted);
                            self.resolve_first(record, *reply, (posted, verdict))?;
                            self.set_verdict_label(record.task.mr, verdict)?;
                        }
                        let label = labelled.map_or(&record.task.label, |request| &request.label);
                        let replied = self.reply(record, label, *reply, posted, &details);
                        replied.map(drop)
                    }
                };
                refusals.tolerate(replied)?;
                self.finish_request(record, *labelled, &mut refusals)?;
            }
            RecordRepair::Amend(outcome, note) => self.amend(record, *outcome, note, end)?,
            RecordRepair::Withdraw(reply) => {
                self.resolve_first(record, *reply, (End::Withdrawn, None))?;
                let (label, details) = (&record.task.label, Details::default());
                let posted = self.reply(record, label, *reply, End::Withdrawn, &details);
                let note = self.tolerate_reply(posted, &mut refusals)?;
                let threads = self.threads_of(record)?;
                refusals.tolerate(self.repair_thread(record, &threads))?;
                self.cancel_and_report(record, note, &mut refusals)?;
                if plan::is_last_unfinished(&threads, record) {
                    self.unmark(record.task.mr, None);
                }
            }
            RecordRepair::Cancel => self.cancel(record).map(drop)?,
            RecordRepair::CutShort {
                why,
                reply,
                labelled,
            } => return self.cut_short(record, *why, *reply, *labelled, end),
        }
        refusals.reported().map(|()| true)
    }

    fn amend(
        &self,
        record: &Record,
        outcome: Outcome,
        note: &OutcomeNote,
        end: &mut Option<End>,
    ) -> anyhow::Result<()> {
        let text = match &note.status {
            None => note::cancelled(note, outcome),
            Some(_) => {
                let (posted, details) = self.details(record, outcome);
                *end = Some(posted);
                let first_end = note.end.clone();
                let details = Details {
                    first_end,
                    ..details
                };
                note::outcome(record, posted, &record.task.label, &details)
            }
        };
        let edited = self
            .gitlab
            .source
            .edit_note(record.task.mr, note.note, &text);
        edited.context("the reply is out of date").map(drop)
    }

    /// Looks again before it cancels. Returns `false` if there is no reason any more, for instance if the pipeline has just
    /// ended: then the next run finishes it.
    fn cut_short(
        &self,
        record: &Record,
        why: CutShort,
        reply: Reply,
        labelled: Option<&Request>,
        end: &mut Option<End>,
    ) -> anyhow::Result<bool> {
        let found = self.gitlab.benchmark.pipeline(record.pipeline);
        let found = found.context("cannot read whether the benchmark is still in flight")?;
        let (posted, details) = match why {
            CutShort::Stuck if plan::is_still_stuck(&found, self.gitlab.now(), self.timeout) => {
                self.details_in_time(record, &found)
            }
            CutShort::Superseded if !found.ended() => match self.new_head(record)? {
                Some(head) => (End::Superseded, Details::superseded_by(head)),
                None => return Ok(false),
            },
            CutShort::Stuck | CutShort::Superseded => return Ok(false),
        };
        let mut refusals = Refusals::default();
        *end = Some(posted);
        let label = labelled.map_or(&record.task.label, |request| &request.label);
        let replied = self.reply(record, label, reply, posted, &details);
        let note = self.tolerate_reply(replied, &mut refusals)?;
        let cancelled = self.cancel_and_report(record, note, &mut refusals);
        refusals.tolerate(cancelled)?;
        self.finish_request(record, labelled, &mut refusals)?;
        refusals.reported().map(|()| true)
    }

    /// The commit that was pushed since, if GitLab still says so.
    fn new_head(&self, record: &Record) -> anyhow::Result<Option<Sha>> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let (head, versions) = both(|| source.merge_request(mr), || source.versions(mr));
        let head = head.context("cannot read its head")?.sha;
        let versions = versions.context("cannot read its versions")?;
        let is_superseded = plan::is_still_superseded(record, head.as_ref(), &versions);
        Ok(head.filter(|_| is_superseded))
    }

    fn tolerate_reply(
        &self,
        replied: anyhow::Result<Option<OutcomeNote>>,
        refusals: &mut Refusals,
    ) -> anyhow::Result<Option<OutcomeNote>> {
        match replied {
            Ok(note) => Ok(note),
            Err(error) => refusals.tolerate(Err(error)).map(|()| None),
        }
    }

    /// Reads the discussions again after the last write: of two runs that write at once, the later one sees both notes.
    fn threads_of(&self, record: &Record) -> anyhow::Result<Vec<Thread>> {
        Ok(survey::threads(&self.gitlab.source, record.task.mr)?)
    }

    /// Adds a missing link, deletes duplicate notes that another run wrote, and resolves the discussion if `--resolve`
    /// says so.
    fn repair_thread(&self, record: &Record, threads: &[Thread]) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        if let Some(opening) = plan::unlinked(threads, record) {
            let text = self.started(record);
            let edited = source.edit_note(mr, opening.note, &text);
            edited.context("the discussion has no link to the pipeline")?;
        }
        for note in plan::redundant_notes(threads, record) {
            source
                .delete_note(mr, note)
                .context("cannot delete a duplicate note")?;
        }
        match plan::unresolved(threads, record, self.resolve) {
            Some(thread) => self.resolve(mr, thread),
            None => Ok(()),
        }
    }

    /// Resolves the discussion before the reply. If the label is gone, later runs may find nothing left to do once the
    /// outcome is posted, so the reply has to come last. A reply leaves a resolved discussion resolved.
    fn resolve_first(
        &self,
        record: &Record,
        reply: Reply,
        (end, verdict): (End, Option<Verdict>),
    ) -> anyhow::Result<()> {
        let success = end == End::Pipeline(Outcome::Success);
        match reply {
            Reply::Due(thread) if !thread.resolved && self.resolve.takes(success, verdict) => {
                self.resolve(record.task.mr, thread)
            }
            _ => Ok(()),
        }
    }

    /// GitLab would refuse again, so a refusal is only a warning: the label still comes off, and the cancel still goes out.
    fn resolve(&self, mr: Iid, thread: &Thread) -> anyhow::Result<()> {
        match self.gitlab.source.resolve(mr, &thread.id) {
            Err(error) if error.forbids() => {
                let hint = "the bot needs the role Developer in the project";
                warn!("!{mr}: cannot resolve the discussion: {error}; {hint}");
                Ok(())
            }
            resolved => resolved.context("cannot resolve the discussion"),
        }
    }

    /// The last step of a request. No run looks at its discussion afterwards, so that is repaired first. If somebody adds
    /// the label again meanwhile, that is a new request, and the label stays. GitLab has no conditional removal, so a
    /// label that was added right before the removal is put back.
    fn finish_request(
        &self,
        record: &Record,
        labelled: Option<&Request>,
        refusals: &mut Refusals,
    ) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let repair = || {
            let threads = self.threads_of(record)?;
            let repaired = self.repair_thread(record, &threads);
            anyhow::Ok((threads, repaired))
        };
        let (repaired, events) = both(repair, || source.label_events(mr));
        let (threads, repaired) = repaired?;
        refusals.tolerate(repaired)?;
        let at_rest = plan::is_last_unfinished(&threads, record);
        let (events, task) = (events?, &record.task);
        match labelled {
            Some(request) if survey::stands_for(&events, request) => {
                self.set_verdict_label(mr, plan::verdict_of(&threads, record))?;
                self.take_label_off(mr, request, at_rest)?
            }
            Some(_) => {}
            None if at_rest && !plan::is_renamed(&events, task.request, &task.label) => {
                self.unmark(mr, None);
            }
            None => {}
        }
        Ok(())
    }

    /// Sets ⏳. Without it, no run would find the benchmark's end if the label is gone and the end is long ago. Returns
    /// whether it is new, as far as is known.
    pub(super) fn mark(&self, mr: Iid) -> bool {
        let marked = self.gitlab.source.mark(mr, Mark::Begun);
        marked.unwrap_or_else(|error| {
            debug!("!{mr}: cannot set the reaction ⏳: {error}");
            true
        })
    }

    /// Removes the bot's reactions. If that fails, the only cost is that a later run reads the merge request for nothing.
    /// `before`: only if it was set before that.
    pub(super) fn unmark(&self, mr: Iid, before: Option<DateTime<Utc>>) {
        if let Err(error) = self.gitlab.source.unmark(mr, before) {
            warn!("!{mr}: cannot remove the bot's reactions: {error}");
        }
    }

    /// Takes the label off only if the merge request is still merged or closed: somebody may have reopened it.
    fn close(&self, closing: &Closing) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, closing.mr.iid);
        if closing.labelled.is_some() && source.merge_request(mr)?.state == "opened" {
            return Ok(());
        }
        let mut refusals = Refusals::default();
        // A later run ignores a discussion whose note says that it is closed, so the note is edited last. From then on, a
        // discussion that somebody reopens stays open.
        if let Some((thread, opening)) = closing.discussion
            && opening.state != Some(Unstarted::Closed)
        {
            if !thread.resolved {
                self.resolve(mr, thread)?;
            }
            let text = note::closed(opening, &closing.label, closing.why);
            let edited = source.edit_note(mr, opening.note, &text);
            let edited = edited.context("the discussion still announces a benchmark");
            refusals.tolerate(edited.map(drop))?;
        }
        match closing.labelled {
            Some(request) => self.take_label_off(mr, request, closing.at_rest)?,
            None if closing.at_rest => self.unmark(mr, None),
            None => {}
        }
        refusals.reported()
    }
}
