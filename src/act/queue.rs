//! Starts requests from the queue, one batch after the other, until all places are taken.

use std::collections::VecDeque;

use log::error;

use super::start::{CreationOrder, CreationSlot, Preflight, Start, actions_of};
use super::{Action, Actor};
use crate::gitlab::parallel_map;
use crate::note::Unstarted;
use crate::plan::{self, MAX_REFUSALS, Plan, Queued, RefusedBy};

impl Actor<'_> {
    /// Starts as many requests as there are places, in parallel. Their pipelines are created in the queue's order, since
    /// the benchmark project serves the lowest id first. A request that cannot be started gives its place to the next.
    /// Requests that GitLab refused in an earlier run come last.
    pub(super) fn start_queue(&self, plan: &Plan) -> Vec<Action> {
        let mut run = Starting {
            actor: self,
            actions: Vec::new(),
            free: plan.free,
            refusals: 0,
            stopped: false,
        };
        let refused = run.start(plan.queue.iter().collect(), Before::SetAside);
        run.start(plan::to_retry(refused, self.now).into(), Before::Retry);
        run.actions
    }
}

/// What to do with a request that GitLab refused in an earlier run.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    SetAside,
    Retry,
}

struct Starting<'a> {
    actor: &'a Actor<'a>,
    actions: Vec<Action>,
    free: usize,
    /// Refusals in this run whose reason may lie in the request.
    refusals: usize,
    /// Further starts would fail for the same reason.
    stopped: bool,
}

impl Starting<'_> {
    /// Returns the requests that were set aside.
    fn start<'q>(
        &mut self,
        mut queue: VecDeque<&'q Queued<'q>>,
        before: Before,
    ) -> Vec<&'q Queued<'q>> {
        let mut set_aside = Vec::new();
        while !self.stopped && self.free > 0 && self.refusals < MAX_REFUSALS && !queue.is_empty() {
            let most = self.free.min(MAX_REFUSALS - self.refusals);
            let batch: Vec<&Queued> = queue.drain(..most.min(queue.len())).collect();
            let preflight =
                |queued: &'q Queued| (queued, self.actor.preflight(queued.mr, queued.request));
            let mut batch = parallel_map(batch, preflight);
            let state = |(queued, found): &(&Queued, Preflight)| {
                let mut threads = found.threads.iter().flatten();
                threads.find_map(|thread| {
                    let request = queued.request;
                    thread.opened_for(request.id, &request.label)?.state
                })
            };
            if before == Before::SetAside {
                batch.retain(|found| {
                    let refused = state(found) == Some(Unstarted::Refused);
                    set_aside.extend(refused.then_some(found.0));
                    !refused
                });
            }
            // If the benchmark project refused all pipelines last time, one request is enough to find out whether it still does.
            if batch.first().and_then(state) == Some(Unstarted::Unavailable) {
                for (queued, _) in batch.drain(1..).rev() {
                    queue.push_front(queued);
                }
            }
            self.start_batch(batch);
        }
        set_aside
    }

    fn start_batch(&mut self, batch: Vec<(&Queued, Preflight)>) {
        let order = CreationOrder::default();
        let places = batch.into_iter().enumerate().collect();
        let started = parallel_map(places, |(place, (queued, found))| {
            let slot = CreationSlot::new(&order, place);
            let start = self
                .actor
                .start(queued.mr, queued.request, found, false, slot);
            (queued, start)
        });
        for (queued, start) in started {
            match &start {
                Start::Started(..) | Start::Found(..) | Start::Unclear(_) => self.free -= 1,
                Start::Stale | Start::Failed(_) => {}
                Start::Transient { .. } => self.stopped = true,
                Start::Refused(RefusedBy::Request, _) => self.refusals += 1,
                Start::Refused(RefusedBy::Project, refusal) => {
                    self.stopped = true;
                    let path = &self.actor.gitlab.benchmark.project().path_with_namespace;
                    error!(
                        "{path} accepts no benchmarks, so this run starts nothing more: {}",
                        refusal.message
                    );
                }
            }
            let actions = actions_of(queued.mr.iid, &queued.request.label, start);
            self.actions.extend(actions);
        }
    }
}
