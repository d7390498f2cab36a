//! Why a merge request is benchmarked next, or is not: the rules one by one, where the plan needs only the first
//! that does not hold.

use super::requests::{passed, unserved, vouched};
use super::{Plan, Rules, Verdict};
use crate::snapshot::{MergeRequest, Origin, Request, Snapshot};

/// One thing that has to hold before the next scan starts the benchmark.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    pub name: ConditionName,
    /// `None` where it does not come to that, or cannot be told.
    pub holds: Option<bool>,
    /// Which rule says so, where one does.
    pub verdict: Option<Verdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionName {
    Open,
    Labelled,
    /// No benchmark serves its request yet.
    Unserved,
    /// Somebody vouches for the commit of a fork.
    AsLabelled,
    Pipeline,
    PipelineOfHead,
    PipelineEnded,
    PipelinePassed,
    /// Its place in the queue is among those that start next.
    Turn,
}

/// In the order in which they come about. `request`: the one that is explained, where the label is on.
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
        verdict: None,
    };
    let judged = |name, result: Result<(), Verdict>| Condition {
        name,
        holds: match result {
            Err(Verdict::Unknown | Verdict::Unexplained) => None,
            result => Some(result.is_ok()),
        },
        verdict: result.err(),
    };
    let is_unexplained = request.is_none() && !mr.unexplained.is_empty();
    let mut conditions = vec![
        plain(ConditionName::Open, mr.state == "opened"),
        match is_unexplained {
            true => judged(ConditionName::Labelled, Err(Verdict::Unexplained)),
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
        verdict: None,
    });
    conditions
}

/// The steps of [`passed`], each of which asks for the one before it.
fn pipeline(mr: &MergeRequest) -> impl Iterator<Item = Condition> {
    const STEPS: [(ConditionName, Verdict); 4] = [
        (ConditionName::Pipeline, Verdict::NoPipeline),
        (ConditionName::PipelineOfHead, Verdict::PipelineOutdated),
        (ConditionName::PipelineEnded, Verdict::PipelineUnfinished),
        (ConditionName::PipelinePassed, Verdict::PipelineUnsuccessful),
    ];
    let failing = passed(mr).err();
    let failed_at = STEPS
        .iter()
        .position(|(_, verdict)| Some(*verdict) == failing);
    STEPS
        .iter()
        .enumerate()
        .map(move |(step, (name, verdict))| {
            let holds = match failed_at {
                Some(at) if step > at => None,
                Some(at) => Some(step < at),
                // A verdict of `passed` that is none of these steps would be no step that holds.
                None => failing.is_none().then_some(true),
            };
            Condition {
                name: *name,
                holds,
                verdict: (holds == Some(false)).then_some(*verdict),
            }
        })
}
