//! The rules of `trigger`: one merge request ahead of the queue.

use super::repair::{RecordRepair, Repair, repair};
use super::requests::{judge, passed, record_of};
use super::{Rules, WaitReason};
use crate::record::Record;
use crate::snapshot::{MergeRequest, Snapshot};

/// What `trigger` does about one merge request.
#[derive(Debug)]
pub struct Trigger<'a> {
    /// The benchmark that has ended but is not reconciled.
    pub finish: Option<Repair<'a>>,
    /// Duplicate benchmarks that are still in flight.
    pub cancels: Vec<Repair<'a>>,
    /// The benchmark that is in flight already. Then none is started.
    pub in_flight: Option<&'a Record>,
}

/// Why `trigger` does nothing.
#[derive(Debug, PartialEq)]
pub enum Refusal<'a> {
    NotOpen(&'a MergeRequest),
    /// The merge request has no commit yet.
    NoCommit,
    /// `--force` overrides this.
    NotReady(&'a MergeRequest, WaitReason),
    /// A benchmark may be in flight already.
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
    let judged = request.map(|request| judge(snapshot, mr, request, rules));
    let record = request.and_then(|request| record_of(snapshot, mr, request));
    let in_flight = record.filter(|record| !record.status.ended());
    let ready = match (judged, record) {
        (Some(Err(WaitReason::Unknown)), _) => return Err(Refusal::Unknown),
        // The label is added now, by somebody who vouches for the present head.
        (None, _) | (_, Some(_)) => passed(mr).map(|_| ()),
        (Some(judged), None) => judged.map(|_| ()),
    };
    match ready {
        Err(reason) if !force && in_flight.is_none() => {
            return Err(Refusal::NotReady(mr, reason));
        }
        _ => {}
    }
    let finish = match record.filter(|_| in_flight.is_none()) {
        Some(record) => Some(repair(snapshot, record, rules).ok_or(Refusal::Unknown)?),
        None => None,
    };
    let of_mr = snapshot
        .own_records()
        .filter(|record| record.task.mr == mr.iid);
    let cancels = of_mr
        .filter_map(|record| repair(snapshot, record, rules))
        .filter(|repair| matches!(repair, Repair::Record(_, RecordRepair::Cancel)));
    Ok(Trigger {
        finish,
        cancels: cancels.collect(),
        in_flight,
    })
}

impl<'a> Trigger<'a> {
    /// What to do before starting anything.
    pub fn repairs(&self) -> impl Iterator<Item = &Repair<'a>> {
        self.finish.iter().chain(&self.cancels)
    }
}
