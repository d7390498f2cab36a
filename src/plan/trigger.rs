//! One merge request ahead of the queue.

use super::repair::{Repair, repair};
use super::requests::{passed, record_of, standing};
use super::{Rules, Verdict};
use crate::record::Record;
use crate::snapshot::{MergeRequest, Snapshot};

/// What `trigger` does about one merge request.
#[derive(Debug)]
pub enum Trigger<'a> {
    InFlight(&'a Record),
    /// Finishes what ended but is not reconciled, labels where there is no label then, and starts.
    Start {
        finish: Option<Repair<'a>>,
    },
}

/// Why `trigger` does nothing.
#[derive(Debug, PartialEq)]
pub enum Refusal<'a> {
    NotOpen(&'a MergeRequest),
    /// There is nothing to benchmark yet.
    NoCommit,
    /// `--force` overrides it.
    NotReady(&'a MergeRequest, Verdict),
    /// It may be in flight already.
    Unknown,
}

pub fn trigger<'a>(
    snapshot: &'a Snapshot,
    mr: &'a MergeRequest,
    rules: &Rules,
    force: bool,
) -> Result<Trigger<'a>, Refusal<'a>> {
    if mr.state != "opened" {
        return Err(Refusal::NotOpen(mr));
    }
    if mr.head.is_none() {
        return Err(Refusal::NoCommit);
    }
    if !mr.unexplained.is_empty() {
        return Err(Refusal::Unknown);
    }
    let request = mr.requests.first();
    let standing = request.map(|request| standing(snapshot, mr, request, rules));
    let record = request.and_then(|request| record_of(snapshot, mr, request));
    let ready = match (standing, record) {
        (Some(Err(Verdict::Unknown)), _) => return Err(Refusal::Unknown),
        (_, Some(record)) if !record.status.ended() => return Ok(Trigger::InFlight(record)),
        // The label comes on now, by somebody who means the present head.
        (None, _) | (_, Some(_)) => passed(mr).map(|_| ()),
        (Some(standing), None) => standing.map(|_| ()),
    };
    match ready {
        Err(verdict) if !force => return Err(Refusal::NotReady(mr, verdict)),
        _ => {}
    }
    match record.map(|record| repair(snapshot, record, rules)) {
        Some(None) => Err(Refusal::Unknown),
        finish => Ok(Trigger::Start {
            finish: finish.flatten(),
        }),
    }
}
