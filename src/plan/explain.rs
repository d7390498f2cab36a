//! Explains why a merge request is or is not benchmarked next. It evaluates all rules one by one, while the plan stops at
//! the first that does not hold.

use super::requests::{passed, unserved, vouched};
use super::{Plan, Rules, WaitReason};
use crate::snapshot::{MergeRequest, Origin, Request, Snapshot};

/// A condition for the next scan to start the benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    pub name: ConditionName,
    /// `None` if an earlier condition does not hold, or if it is unknown.
    pub holds: Option<bool>,
    /// The rule that does not hold.
    pub reason: Option<WaitReason>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionName {
    Open,
    Labelled,
    /// There is no benchmark for its request yet.
    Unserved,
    /// Somebody vouches for the commit of a fork.
    AsLabelled,
    Pipeline,
    PipelineOfHead,
    PipelineEnded,
    PipelinePassed,
    /// Its place in the queue is among those that the next scan starts.
    Turn,
}

/// Returns the conditions in the order in which they are usually met. `request`: `None` if the label is off.
pub fn explain(
    snapshot: &Snapshot,
    plan: &Plan,
    mr: &MergeRequest,
    request: Option<&Request>,
    rules: &Rules,
) -> Vec<Condition> {
    let plain = |name, holds: bool| Condition {
        name,
        holds: Some(holds),
        reason: None,
    };
    let judged = |name, result: Result<(), WaitReason>| Condition {
        name,
        holds: match result {
            Err(WaitReason::Unknown | WaitReason::Unexplained) => None,
            result => Some(result.is_ok()),
        },
        reason: result.err(),
    };
    let is_unexplained = request.is_none() && !mr.unexplained.is_empty();
    let mut conditions = vec![
        plain(ConditionName::Open, mr.state == "opened"),
        match is_unexplained {
            true => judged(ConditionName::Labelled, Err(WaitReason::Unexplained)),
            false => plain(ConditionName::Labelled, request.is_some()),
        },
    ];
    if let Some(request) = request {
        conditions.push(judged(
            ConditionName::Unserved,
            unserved(snapshot, mr, request, rules),
        ));
        if mr.origin != Origin::SameProject {
            conditions.push(judged(
                ConditionName::AsLabelled,
                vouched(mr, request, &snapshot.bot),
            ));
        }
    }
    conditions.extend(pipeline(mr));
    let place = plan
        .queue
        .iter()
        .position(|queued| queued.mr.iid == mr.iid && Some(queued.request) == request);
    conditions.push(Condition {
        name: ConditionName::Turn,
        holds: place.map(|place| place < plan.free),
        reason: None,
    });
    conditions
}

/// The steps of [`passed`]. Each one depends on the one before it.
fn pipeline(mr: &MergeRequest) -> impl Iterator<Item = Condition> {
    const STEPS: [(ConditionName, WaitReason); 4] = [
        (ConditionName::Pipeline, WaitReason::NoPipeline),
        (ConditionName::PipelineOfHead, WaitReason::PipelineOutdated),
        (ConditionName::PipelineEnded, WaitReason::PipelineUnfinished),
        (
            ConditionName::PipelinePassed,
            WaitReason::PipelineUnsuccessful,
        ),
    ];
    let failing = passed(mr).err();
    let failed_at = STEPS
        .iter()
        .position(|(_, reason)| Some(*reason) == failing);
    STEPS.iter().enumerate().map(move |(step, (name, reason))| {
        let holds = match failed_at {
            Some(at) if step > at => None,
            Some(at) => Some(step < at),
            // If `passed` fails with a reason that is not among these steps, none of them is known to hold.
            None => failing.is_none().then_some(true),
        };
        Condition {
            name: *name,
            holds,
            reason: (holds == Some(false)).then_some(*reason),
        }
    })
}
