//! Sees to records and discussions: what ended is posted, what is not asked for any more is cancelled, what is missing is
//! put in, what goes away before its turn is closed.

use std::collections::BTreeMap;

use anyhow::Context;
use log::{debug, warn};

use super::{Action, Actor, Effect};
use crate::gitlab::answer::Outcome;
use crate::gitlab::{Error, both, parallel_map};
use crate::id::Iid;
use crate::note::{self, Details, End, OutcomeNote, Thread, Unstarted};
use crate::plan::{self, Closing, RecordRepair, Repair, Reply};
use crate::record::Record;
use crate::snapshot::Request;
use crate::survey;

/// What GitLab refused to take, or to cancel. It would refuse it the next time as well, so it must not keep a request open:
/// the rest is done, and the refusal reported.
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
    /// Those of one merge request go one after the other.
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

    /// `None` for what nobody needs to hear of.
    pub fn repair(&self, repair: &Repair) -> Option<Action> {
        let mut end = None;
        let done = match repair {
            Repair::Record(record, what) => self.carry_out(record, what, &mut end),
            Repair::Close(closing) => self.close(closing).map(|()| true),
            Repair::Unmark(iid) => {
                self.unmark(*iid);
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

    /// Whether there still was something to do.
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
                let (posted, details) = match reply {
                    Reply::Posted => (End::Pipeline(*outcome), Details::default()),
                    _ => self.details(record, *outcome),
                };
                *end = Some(posted);
                if labelled.is_none() {
                    self.resolve_first(record, *reply, posted == End::Pipeline(Outcome::Success))?;
                }
                let label = labelled.map_or(&record.task.label, |request| &request.label);
                let replied = self.reply(record, label, *reply, posted, &details);
                refusals.tolerate(replied.map(drop))?;
                self.finish_request(record, *labelled, &mut refusals)?;
            }
            RecordRepair::Amend(outcome, note) => {
                let text = match (&note.status, &note.end) {
                    (None, _) => note::cancelled(note, *outcome),
                    (Some(_), first) => {
                        let (posted, details) = self.details(record, *outcome);
                        *end = Some(posted);
                        let first_end = first.clone();
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
                edited.context("the reply still says otherwise")?;
            }
            RecordRepair::Withdraw(reply) => {
                self.resolve_first(record, *reply, false)?;
                let (label, details) = (&record.task.label, Details::default());
                let posted = self.reply(record, label, *reply, End::Withdrawn, &details);
                let note = self.tolerate_reply(posted, &mut refusals)?;
                let threads = self.threads_of(record)?;
                refusals.tolerate(self.repair_thread(record, &threads))?;
                self.cancel_and_report(record, note, &mut refusals)?;
                if plan::is_last_unfinished(&threads, record) {
                    self.unmark(record.task.mr);
                }
            }
            RecordRepair::Cancel => self.cancel(record).map(drop)?,
            RecordRepair::TimeOut { reply, labelled } => {
                return self.time_out(record, *reply, *labelled, end);
            }
        }
        refusals.reported().map(|()| true)
    }

    /// Whether it did not end just now, which the next run sees to.
    fn time_out(
        &self,
        record: &Record,
        reply: Reply,
        labelled: Option<&Request>,
        end: &mut Option<End>,
    ) -> anyhow::Result<bool> {
        let found = self.gitlab.benchmark.pipeline(record.pipeline);
        let found = found.context("whether it is still in flight could not be read")?;
        if !plan::is_still_stuck(&found, self.gitlab.now(), self.timeout) {
            return Ok(false);
        }
        let mut refusals = Refusals::default();
        let (posted, details) = self.details_in_time(record, &found);
        *end = Some(posted);
        let label = labelled.map_or(&record.task.label, |request| &request.label);
        let replied = self.reply(record, label, reply, posted, &details);
        let note = self.tolerate_reply(replied, &mut refusals)?;
        let cancelled = self.cancel_and_report(record, note, &mut refusals);
        refusals.tolerate(cancelled)?;
        self.finish_request(record, labelled, &mut refusals)?;
        refusals.reported().map(|()| true)
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

    /// Looked up once more, after the last word: of any two runs that talk at once, the later sees both.
    fn threads_of(&self, record: &Record) -> anyhow::Result<Vec<Thread>> {
        Ok(survey::threads(&self.gitlab.source, record.task.mr)?)
    }

    /// Puts in the link that is missing, takes out what another run said at the same time, or an earlier one without
    /// knowing, and resolves what is posted where that is asked for.
    fn repair_thread(&self, record: &Record, threads: &[Thread]) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        if let Some(opening) = plan::unlinked(threads, record) {
            let text = self.started(record);
            let edited = source.edit_note(mr, opening.note, &text);
            edited.context("the discussion is without the link")?;
        }
        for note in plan::redundant_notes(threads, record) {
            source
                .delete_note(mr, note)
                .context("a note too many stays")?;
        }
        match plan::unresolved(threads, record, self.resolve) {
            Some(thread) => self.resolve(mr, thread),
            None => Ok(()),
        }
    }

    /// Where the label has gone, later runs may see no more to do once the outcome is posted, so that comes last. A
    /// reply leaves a resolved discussion resolved.
    fn resolve_first(&self, record: &Record, reply: Reply, success: bool) -> anyhow::Result<()> {
        match reply {
            Reply::Due(thread) if !thread.resolved && self.resolve.takes(success) => {
                self.resolve(record.task.mr, thread)
            }
            _ => Ok(()),
        }
    }

    /// A refusal would be the same next time: it must keep neither the label on nor a benchmark going.
    fn resolve(&self, mr: Iid, thread: &Thread) -> anyhow::Result<()> {
        match self.gitlab.source.resolve(mr, &thread.id) {
            Err(error) if error.forbids() => {
                let hint = "the bot needs the role Developer in the project";
                warn!("!{mr}: the discussion stays unresolved: {error}; {hint}");
                Ok(())
            }
            resolved => resolved.context("the discussion is not resolved"),
        }
    }

    /// The last step of a request, after which nobody looks at it again: so its discussion is set right first. A
    /// label put on again meanwhile is a new request and stays; since GitLab has no conditional removal, one that came
    /// in just before the removal is put back.
    fn finish_request(
        &self,
        record: &Record,
        labelled: Option<&Request>,
        refusals: &mut Refusals,
    ) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let mended = || {
            let threads = self.threads_of(record)?;
            let mended = self.repair_thread(record, &threads);
            anyhow::Ok((threads, mended))
        };
        let (mended, events) = both(mended, || source.label_events(mr));
        let (threads, mended) = mended?;
        refusals.tolerate(mended)?;
        let at_rest = plan::is_last_unfinished(&threads, record);
        let (events, task) = (events?, &record.task);
        match labelled {
            Some(request) if survey::stands_for(&events, request) => {
                self.take_label_off(mr, request, at_rest)?
            }
            Some(_) => {}
            None if at_rest && !plan::is_renamed(&events, task.request, &task.label) => {
                self.unmark(mr);
            }
            None => {}
        }
        Ok(())
    }

    /// Without it nobody finds an end once the label has gone, and the benchmark no longer is among those of late.
    pub(super) fn mark(&self, mr: Iid) {
        if let Err(error) = self.gitlab.source.mark(mr) {
            debug!("!{mr} is not marked: {error}");
        }
    }

    /// It only says where the bot has something to do: a mark too many costs a look.
    pub(super) fn unmark(&self, mr: Iid) {
        if let Err(error) = self.gitlab.source.unmark(mr) {
            warn!("!{mr}: the reaction 👀 stays: {error}");
        }
    }

    /// A label is taken off only from what still is merged or closed: it may have been reopened. Nobody looks again at a
    /// discussion that says it is closed, so that it does is the last thing done to it.
    fn close(&self, closing: &Closing) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, closing.mr.iid);
        if closing.labelled.is_some() && source.merge_request(mr)?.state == "opened" {
            return Ok(());
        }
        let mut refusals = Refusals::default();
        // By its words a later run knows that it has ended, so that they come after all else that is done about it; and
        // who opens it again from then on is not fought.
        if let Some((thread, opening)) = closing.discussion
            && opening.state != Some(Unstarted::Closed)
        {
            if !thread.resolved {
                self.resolve(mr, thread)?;
            }
            let text = note::closed(opening, &closing.label, closing.why);
            let edited = source.edit_note(mr, opening.note, &text);
            let edited = edited.context("the discussion still promises a benchmark");
            refusals.tolerate(edited.map(drop))?;
        }
        match closing.labelled {
            Some(request) => self.take_label_off(mr, request, closing.at_rest)?,
            None if closing.at_rest => self.unmark(mr),
            None => {}
        }
        refusals.reported()
    }
}
