//! Requests that will never have a record: their merge request was merged or closed, or the label was taken off.

use chrono::{DateTime, TimeDelta, Utc};

use super::Rules;
use super::label_events::{is_label_removed_by_bot, is_renamed, withdrawn};
use super::requests::unserved;
use crate::id::Iid;
use crate::note::{self, CloseReason, OpeningNote, Thread};
use crate::record::Record;
use crate::snapshot::{MergeRequest, Request, Snapshot};

/// A request that has no record and will never have one.
#[derive(Clone, Debug, PartialEq)]
pub struct Closing<'a> {
    pub mr: &'a MergeRequest,
    /// Its discussion, if there is one.
    pub discussion: Option<(&'a Thread, &'a OpeningNote)>,
    pub label: String,
    pub why: CloseReason,
    /// The request, if its label is still on.
    pub labelled: Option<&'a Request>,
    /// Whether nothing else of the bot's is unfinished on the merge request.
    pub at_rest: bool,
}

pub(super) fn closings<'a>(
    snapshot: &'a Snapshot,
    mr: &'a MergeRequest,
    rules: &Rules,
) -> Vec<Closing<'a>> {
    let left = match mr.state.as_str() {
        "merged" => Some(CloseReason::Merged),
        "closed" => Some(CloseReason::Closed),
        _ => None,
    };
    let threads = snapshot.threads.get(&mr.iid).map_or(&[][..], Vec::as_slice);
    let is_served = |request: &Request| unserved(snapshot, mr, request, rules).is_err();
    let mut closings = Vec::new();
    for opening in note::unfinished(threads) {
        let event = mr.events.iter().find(|event| event.id == opening.request);
        let present = event.and_then(|event| event.label.as_ref());
        let noted = opening.label.as_ref().or(snapshot.labels.first());
        let Some(label) = present.map(|label| &label.name).or(noted) else {
            continue;
        };
        let request = Request {
            id: opening.request,
            label: label.clone(),
            at: event.map(|event| event.created_at),
            by: None,
            triggered: None,
        };
        // A new request gets a new discussion, since another run may be using this one.
        let unlabelled = withdrawn(mr, request.id, label);
        let why = left.or(unlabelled.then_some(CloseReason::Unlabelled));
        let thread = threads
            .iter()
            .find(|thread| thread.opening.as_ref() == Some(opening));
        let has_benchmark = opening
            .linked
            .is_some_and(|pipeline| !snapshot.lost.contains(&pipeline));
        if let (Some(why), Some(thread), false) = (why, thread, has_benchmark)
            && (snapshot.labels.contains(label)
                || noted.is_some_and(|it| snapshot.labels.contains(it)))
            && !is_served(&request)
        {
            closings.push(Closing {
                mr,
                discussion: Some((thread, opening)),
                label: label.clone(),
                why,
                labelled: mr
                    .requests
                    .iter()
                    .find(|on| opening.is_about(on.id, &on.label)),
                at_rest: false,
            });
        }
    }
    let left_on = left.map_or(&[][..], |_| mr.requests.as_slice());
    for (request, why) in left_on.iter().filter_map(|request| Some((request, left?))) {
        let is_closed = |closing: &Closing| closing.labelled == Some(request);
        if !closings.iter().any(is_closed) && !is_served(request) {
            closings.push(Closing {
                mr,
                discussion: threads.iter().find_map(|thread| {
                    let opening = thread.opened_for(request.id, &request.label)?;
                    Some((thread, opening))
                }),
                label: request.label.clone(),
                why,
                labelled: Some(request),
                at_rest: false,
            });
        }
    }
    let is_closed = |opening: &&OpeningNote| {
        let mut closed = closings.iter().filter_map(|closing| closing.discussion);
        closed.any(|(_, closed)| closed == *opening)
    };
    let stays_on = |request: &Request| closings.iter().all(|it| it.labelled != Some(request));
    let at_rest = note::unfinished(threads).all(|opening| is_closed(&opening))
        && mr.unexplained.is_empty()
        && !mr.requests.iter().any(stays_on);
    for closing in &mut closings {
        closing.at_rest = at_rest;
    }
    closings
}

/// Whether nothing of the bot's is unfinished on the merge request. `false` if its discussions were not read.
pub(super) fn is_at_rest(snapshot: &Snapshot, iid: Iid) -> bool {
    // Those of another label count too: their installation finds them by the same reaction.
    let in_flight = |record: &Record| {
        record.task.project == snapshot.source && record.task.mr == iid && !record.status.ended()
    };
    let Some(threads) = snapshot.threads.get(&iid) else {
        return false;
    };
    let Some(mr) = snapshot.merge_requests.get(&iid) else {
        return false;
    };
    let mut openings = threads.iter().filter_map(|thread| thread.opening.as_ref());
    let renamed = openings.any(|opening| {
        let label = opening.label.as_ref();
        label.is_some_and(|label| is_renamed(&mr.events, opening.request, label))
    });
    // If the bot took the label off without an outcome, it will not post one later.
    let mut unfinished = note::unfinished(threads).filter(|opening| {
        let label = opening.label.as_deref().unwrap_or_default();
        !is_label_removed_by_bot(mr, opening.request, label, &snapshot.bot)
    });
    unfinished.next().is_none()
        && mr.requests.is_empty()
        && mr.unexplained.is_empty()
        && !renamed
        && !snapshot.records.iter().any(in_flight)
}

/// A run that has seen the label may still set 👀 this long after the label came off.
const LATE: TimeDelta = TimeDelta::minutes(10);

/// Which of the bot's reactions may be removed once its work there is done: those set before this time. A later 👀 may be
/// that of another installation, with labels of its own. `None` if this one set none.
pub(super) fn marked_before(snapshot: &Snapshot, iid: Iid) -> Option<DateTime<Utc>> {
    // Whoever opened a discussion there, all are closed.
    if snapshot.begun.iter().flatten().any(|of| *of == iid) {
        return Some(snapshot.now + LATE);
    }
    let events = &snapshot.merge_requests.get(&iid)?.events;
    let removed = events.iter().filter_map(|event| match &event.label {
        // That of a deleted label, which may have been ours.
        None => Some(snapshot.now),
        Some(label) => {
            let ours = event.action == "remove" && snapshot.labels.contains(&label.name);
            ours.then_some(event.created_at)
        }
    });
    removed.max().map(|at| at + LATE)
}
