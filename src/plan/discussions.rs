//! Which of the bot's notes belong to a record, and which are missing or duplicates.

use super::Resolve;
use crate::gitlab::answer::{Outcome, Status};
use crate::id::NoteId;
use crate::note::{self, OpeningNote, OutcomeNote, Thread, Verdict};
use crate::record::Record;

/// Whether finishing this record leaves no other unfinished request on its merge request.
pub fn is_last_unfinished(threads: &[Thread], record: &Record) -> bool {
    let task = &record.task;
    let mut others =
        note::unfinished(threads).filter(|opening| !opening.is_about(task.request, &task.label));
    others.next().is_none()
}

/// The discussion that the record names, or else another that was opened for the same request.
pub(super) fn thread_of<'a>(threads: &'a [Thread], record: &Record) -> Option<&'a Thread> {
    let task = &record.task;
    let opened = |thread: &&Thread| thread.opened_for(task.request, &task.label).is_some();
    let named = threads.iter().find(|thread| thread.id == task.discussion);
    named.or_else(|| threads.iter().find(opened))
}

/// The posted outcome is that of another record, which lists may no longer show.
pub(super) fn is_other_outcome_posted(threads: &[Thread], record: &Record) -> bool {
    let of = |(_, note): (&Thread, &OutcomeNote)| note.pipeline;
    let told: Vec<_> = outcomes(threads, record).filter_map(of).collect();
    !told.is_empty() && !told.contains(&record.pipeline)
}

/// The first note of the record's discussion, if it lacks the link to the record's pipeline.
pub fn unlinked<'a>(threads: &'a [Thread], record: &Record) -> Option<&'a OpeningNote> {
    if is_other_outcome_posted(threads, record) {
        return None;
    }
    let task = &record.task;
    let opening = thread_of(threads, record)?.opened_for(task.request, &task.label)?;
    (opening.linked != Some(record.pipeline)).then_some(opening)
}

pub(super) fn outcomes<'a>(
    threads: &'a [Thread],
    record: &Record,
) -> impl Iterator<Item = (&'a Thread, &'a OutcomeNote)> {
    let task = &record.task;
    let all = threads
        .iter()
        .flat_map(|thread| thread.outcomes.iter().map(move |note| (thread, note)));
    all.filter(|(_, note)| note.is_about(task.request, &task.label))
}

/// The outcome to keep if there are several.
fn outcome_of<'a>(threads: &'a [Thread], record: &Record) -> Option<(&'a Thread, &'a OutcomeNote)> {
    let standing = thread_of(threads, record).map(|thread| &thread.id);
    outcomes(threads, record).min_by_key(|(thread, note)| (Some(&thread.id) != standing, note.note))
}

/// What the posted outcome says of the commit.
pub fn verdict_of(threads: &[Thread], record: &Record) -> Option<Verdict> {
    outcome_of(threads, record)?.1.verdict
}

/// The discussion with the outcome, if it has yet to be resolved.
pub fn unresolved<'a>(
    threads: &'a [Thread],
    record: &Record,
    resolve: Resolve,
) -> Option<&'a Thread> {
    let (thread, note) = outcome_of(threads, record)?;
    let success = match &note.end {
        Some(end) => end == Outcome::Success.word(),
        None => record.status == Status::Ended(Outcome::Success) && !note.cancels,
    };
    (!thread.resolved && resolve.takes(success, note.verdict)).then_some(thread)
}

/// The bot's duplicate notes about a request. Two runs at once, or a write whose response was lost, can create a second
/// discussion or a second reply.
pub fn redundant_notes(threads: &[Thread], record: &Record) -> Vec<NoteId> {
    let task = &record.task;
    let standing = thread_of(threads, record).map(|thread| &thread.id);
    let kept = outcome_of(threads, record);
    let other_outcomes = outcomes(threads, record)
        .map(|(_, note)| note.note)
        .filter(|note| kept.is_some_and(|(_, kept)| kept.note != *note));
    let other_openings = threads
        .iter()
        .filter(|thread| Some(&thread.id) != standing)
        .filter(|thread| kept.is_none_or(|(of, _)| of.id != thread.id))
        .filter_map(|thread| thread.opened_for(task.request, &task.label))
        .map(|opening| opening.note);
    other_outcomes.chain(other_openings).collect()
}
