//! Sees to records: what ended is told, what is not asked for any more is cancelled, what is missing is put in.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use log::warn;

use super::{Action, Actor, Effect};
use crate::gitlab::answer::{self, LabelEvent, Outcome};
use crate::gitlab::{Error, both, side_by_side};
use crate::id::Iid;
use crate::note::{self, Details, End, Thread};
use crate::plan::{self, Repair, Reply, What};
use crate::record::Record;
use crate::snapshot::Request;
use crate::survey;

impl Actor<'_> {
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
            What::Finish {
                outcome,
                reply,
                labelled,
            } => {
                if !labelled {
                    self.resolve_first(record, *reply, *outcome == Outcome::Success)?;
                }
                self.reply(record, *reply, End::Of(*outcome))?;
                self.take_label_off(record)
            }
            What::Withdraw(reply) => {
                self.resolve_first(record, *reply, false)?;
                self.reply(record, *reply, End::Withdrawn)?;
                self.mend_discussion(record)?;
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

    /// Puts in the link that is missing, takes out what another run said at the same time, or an earlier one without
    /// knowing, and resolves what is told where that is asked for. Looked up anew, after the last word: of any two
    /// that talk at once, the later sees both.
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
        match plan::unresolved(&threads, record, self.resolve) {
            Some(thread) => self.resolve(record, thread),
            None => Ok(()),
        }
    }

    /// Where the label has gone, later runs may see no more to do once the outcome is told, so that comes last. A
    /// reply leaves a resolved discussion resolved.
    fn resolve_first(&self, record: &Record, reply: Reply, success: bool) -> anyhow::Result<()> {
        match reply {
            Reply::Due(thread) if !thread.resolved && self.resolve.takes(success) => {
                self.resolve(record, thread)
            }
            _ => Ok(()),
        }
    }

    /// A refusal would be the same next time: it must keep neither the label on nor a benchmark going.
    fn resolve(&self, record: &Record, thread: &Thread) -> anyhow::Result<()> {
        let mr = record.task.mr;
        match self.gitlab.source.resolve(mr, &thread.id) {
            Err(error) if error.refused().is_some() => {
                let hint = "the bot needs the role Developer in the project";
                warn!("!{mr}: the discussion stays unresolved: {error}; {hint}");
                Ok(())
            }
            resolved => resolved.context("the discussion is not resolved"),
        }
    }

    fn cancel(&self, record: &Record) -> anyhow::Result<()> {
        let cancelled = self.gitlab.benchmark.cancel(record.pipeline);
        cancelled
            .map(drop)
            .context("the benchmark is not cancelled")
    }

    fn reply(&self, record: &Record, reply: Reply, end: End) -> anyhow::Result<()> {
        let thread = match reply {
            Reply::Made => return Ok(()),
            Reply::Due(thread) => Some(thread),
            Reply::DueAnew => None,
        };
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let details = match end {
            End::Of(outcome) => self.details(record, outcome),
            End::Withdrawn | End::TimedOut => Details::default(),
        };
        let text = note::outcome(record, end, self.label, &details);
        let discussion = thread.map_or(&record.task.discussion, |thread| &thread.id);
        let replied = match source.reply(mr, discussion, &text) {
            // It was not among those listed, but the list may have shifted while it was read.
            Err(error) if error.not_found() && thread.is_none() => {
                let first = note::started(&record.task, record.pipeline, &record.web_url);
                let opened = source.open_discussion(mr, &first);
                opened.and_then(|(discussion, _)| source.reply(mr, &discussion, &text))
            }
            replied => replied,
        };
        replied.map(drop).context("the outcome is not told")
    }

    /// The last step of a request, after which nobody looks at it again: so its discussion is set right first. A
    /// label put on anew meanwhile is a new request and stays; since GitLab has no conditional removal, one that came
    /// in just before the removal is put back.
    fn take_label_off(&self, record: &Record) -> anyhow::Result<()> {
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let served =
            |events: &[LabelEvent]| Request::newest(events, self.label).id == record.task.request;
        let (mended, events) = both(|| self.mend_discussion(record), || source.label_events(mr));
        mended?;
        if !served(&events?) {
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
    pub(super) fn put_label_on(&self, mr: Iid) -> anyhow::Result<Request> {
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
