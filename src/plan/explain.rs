//! Why a merge request is benchmarked next, or is not: the rules one by one, where the plan needs only the first
//! that does not hold.

use super::{Plan, Rules, Verdict, as_labelled, passed, unserved};
use crate::snapshot::{MergeRequest, Origin, Snapshot};

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
    /// A fork has the commit that it had when the label came.
    AsLabelled,
    Pipeline,
    PipelineOfHead,
    PipelineEnded,
    PipelinePassed,
    /// Its place in the queue is among those that start next.
    Turn,
}

/// In the order in which they come about.
pub fn explain(
    snapshot: &Snapshot,
    plan: &Plan,
    mr: &MergeRequest,
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
            Err(Verdict::Unknown) => None,
            result => Some(result.is_ok()),
        },
        verdict: result.err(),
    };
    let mut conditions = vec![
        plain(ConditionName::Open, mr.state == "opened"),
        plain(ConditionName::Labelled, mr.request.is_some()),
    ];
    if let Some(request) = mr.request {
        conditions.push(judged(
            ConditionName::Unserved,
            unserved(snapshot, mr, request, rules),
        ));
        if mr.origin != Origin::SameProject {
            conditions.push(judged(ConditionName::AsLabelled, as_labelled(mr)));
        }
    }
    conditions.extend(pipeline(mr));
    let place = plan.queue.iter().position(|queued| queued.mr.iid == mr.iid);
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
