//! Posts how a benchmark ended, and cancels benchmarks.

use anyhow::Context;
use log::warn;

use super::Actor;
use super::repair::Refusals;
use crate::gitlab::Error;
use crate::gitlab::answer::{Outcome, Status};
use crate::note::{self, Details, End, OutcomeNote};
use crate::plan::Reply;
use crate::record::Record;

impl Actor<'_> {
    /// Posts the outcome. Returns the note if one was written.
    pub(super) fn reply(
        &self,
        record: &Record,
        label: &str,
        reply: Reply,
        end: End,
        details: &Details,
    ) -> anyhow::Result<Option<OutcomeNote>> {
        let thread = match reply {
            Reply::Posted | Reply::Outdated(_) => return Ok(None),
            Reply::Due(thread) => Some(thread),
            Reply::DueInNewThread => None,
        };
        let (source, mr) = (&self.gitlab.source, record.task.mr);
        let text = note::outcome(record, end, label, details);
        let discussion = thread.map_or(&record.task.discussion, |thread| &thread.id);
        let opening = thread.and_then(|thread| thread.opening.as_ref());
        let mut first = opening.map(|opening| opening.note);
        let mut replied = source.reply(mr, discussion, &text);
        // The list did not show the discussion, but it may have shifted while it was read, so the reply is tried first.
        if thread.is_none() && replied.as_ref().is_err_and(Error::not_found) {
            let started = self.started(record);
            let (discussion, note) = source
                .open_discussion(mr, &started)
                .context("cannot post the outcome")?;
            first = Some(note);
            replied = source.reply(mr, &discussion, &text);
        }
        // GitLab may still allow an edit, for instance where a merge request has reached the limit of comments.
        if let (Err(refusal), Some(first)) = (&replied, first)
            && refusal.forbids()
        {
            match source.edit_note(mr, first, &text) {
                Ok(note) => {
                    warn!("!{mr}: the outcome is in the first note of the discussion: {refusal}");
                    replied = Ok(note);
                }
                // The next run may succeed.
                Err(error) if !error.forbids() => replied = Err(error),
                Err(_) => {}
            }
        }
        let note = replied.context("cannot post the outcome")?;
        Ok(note::as_outcome(&note))
    }

    pub(super) fn started(&self, record: &Record) -> String {
        let project = self.gitlab.benchmark.project().id;
        note::started(&record.task, project, record.pipeline, &record.web_url)
    }

    pub(super) fn cancel_and_report(
        &self,
        record: &Record,
        note: Option<OutcomeNote>,
        refusals: &mut Refusals,
    ) -> anyhow::Result<()> {
        let became = self.cancel(record)?;
        let (Some(outcome), Some(note)) = (became, note) else {
            return Ok(());
        };
        let text = note::cancelled(&note, outcome);
        let edited = self
            .gitlab
            .source
            .edit_note(record.task.mr, note.note, &text);
        let edited = edited.context("the reply does not say that the benchmark was cancelled");
        refusals.tolerate(edited.map(drop))
    }

    /// Cancels the pipeline, and returns its outcome if GitLab's response says that it has ended: GitLab cancels in the
    /// background, and also answers with success if it cancels nothing. A pipeline that waits for manual jobs ends when
    /// those are cancelled.
    pub(super) fn cancel(&self, record: &Record) -> anyhow::Result<Option<Outcome>> {
        let hint = "cannot cancel the benchmark";
        let benchmark = &self.gitlab.benchmark;
        if record.status.word() == "canceling" {
            return Ok(None);
        }
        let mut pipeline = benchmark.cancel(record.pipeline).context(hint)?;
        if pipeline.status().word() == "manual" {
            let jobs = benchmark.jobs(record.pipeline).context(hint)?;
            for job in jobs.iter().filter(|job| job.status.word() == "manual") {
                benchmark.cancel_job(job.id).context(hint)?;
            }
            pipeline = benchmark.pipeline(record.pipeline).context(hint)?;
        }
        Ok(match pipeline.status {
            Some(Status::Ended(outcome)) => Some(outcome),
            Some(Status::Alive(_)) | None => None,
        })
    }
}
