//! Announces requests that do not start yet. Nothing depends on it, so a failure is only a warning.

use log::warn;

use super::{Action, Actor, Effect, Verb};
use crate::gitlab::{Error, Mark, both, parallel_map};
use crate::note;
use crate::plan::{Announced, Announcement, Plan};

impl Actor<'_> {
    /// The announcements come last, since people wait for the machine, not for a word.
    pub fn start_and_announce(&self, plan: &Plan) -> Vec<Action> {
        let mut actions = self.start_queue(plan);
        let announced = parallel_map(plan.announcements.iter().collect(), |announcement| {
            let done = self.announce(announcement);
            done.then(|| Action::announce(plan, announcement, Effect::Done))
        });
        actions.extend(announced.into_iter().flatten().flatten());
        actions
    }

    fn announce(&self, announcement: &Announcement) -> bool {
        let Announcement { mr, request, what } = announcement;
        let (source, project) = (&self.gitlab.source, self.gitlab.benchmark.project().id);
        let announced: Result<(), Error> = match what {
            Announced::Seen => source.mark(mr.iid, Mark::Seen).map(drop),
            Announced::Opened(waits) => {
                let text = note::announced(request, project, &mr.branch, mr.head.as_ref(), waits);
                let (marked, opened) = both(
                    || source.mark(mr.iid, Mark::Begun),
                    || source.open_discussion(mr.iid, &text),
                );
                marked.and(opened.map(drop))
            }
            Announced::Edited(opening, waits) => {
                let text = note::announced_again(opening, request, &mr.branch, waits);
                source.edit_note(mr.iid, opening.note, &text).map(drop)
            }
        };
        match announced {
            Ok(()) => true,
            Err(error) => {
                warn!("!{}: cannot announce the benchmark: {error}", mr.iid);
                false
            }
        }
    }
}

impl Action {
    /// `None` if the run starts a benchmark there, which says enough.
    pub(super) fn announce(
        plan: &Plan,
        announcement: &Announcement,
        effect: Effect,
    ) -> Option<Self> {
        let mr = announcement.mr.iid;
        let mut starts = plan.queue.iter().take(plan.free);
        let is_started = starts.any(|queued| queued.mr.iid == mr);
        (!is_started).then(|| Self {
            verb: Verb::Announce,
            ..Self::start(mr, &announcement.request.label, effect, None)
        })
    }
}
