//! What has to hold, told from GitLab's state alone: nothing here knows how the program works.

mod notes;
mod requests;

use std::collections::BTreeSet;

use chrono::TimeDelta;
use in_memory_gitlab::{BENCH_BOT, LabelAction, LabelEvent, MergeRequest, People, Pipeline};

use self::notes::untrue;
pub use self::notes::{Refused, Said, about, refused, said};
pub use self::requests::{Asked, LABELS, RENAMED, asks, by_request, is_asked_for, merge_requests};
use self::requests::{is_kept_for, label_events, withdrawn_at};
use crate::bot::Installation;

/// What people did to the bot's own words: that alone is not held against it.
#[derive(Clone, Debug, Default)]
pub struct Meddling {
    /// Requests of which they deleted a note. Nothing is told twice for that.
    pub deleted: BTreeSet<u64>,
    /// Discussions that they opened again, which is not fought.
    pub reopened: BTreeSet<String>,
}

/// That nothing is broken.
pub fn kept(broken: Vec<String>) -> Result<(), String> {
    match broken.is_empty() {
        true => Ok(()),
        false => Err(broken.join("; ")),
    }
}

/// What must hold at every moment.
pub fn safety(gitlab: &People, meddling: &Meddling) -> Vec<String> {
    let mut broken = Vec::new();
    let mrs = merge_requests(gitlab);
    for asked in by_request(gitlab).into_keys() {
        let Some(mr) = mrs.get(&(asked.project, asked.iid)) else {
            continue;
        };
        let events = label_events(gitlab, mr);
        let made = |event: &LabelEvent| event.id == asked.event && event.action == LabelAction::Add;
        if !events.iter().flatten().any(made) {
            broken.push(format!("{asked}: a benchmark that nobody asked for"));
        }
    }
    let refused = refused(gitlab);
    for mr in mrs.values() {
        broken.extend(untrue(gitlab, mr));
        broken.extend(untold(gitlab, mr, &refused, meddling));
    }
    broken
}

/// What a reconcile that nothing disturbed leaves behind: of each of its requests only the benchmark that stands is
/// alive, whatever has become of that, the label and the discussion.
pub fn settled(gitlab: &People, by: &Installation) -> Vec<String> {
    let mut broken = Vec::new();
    for (asked, benchmarks) in by_request(gitlab) {
        let goes_on = |found: &&Pipeline| {
            by.owns(found) && !found.has_ended() && !is_being_cancelled(gitlab, found.id)
        };
        for found in benchmarks.iter().skip(1).filter(goes_on) {
            broken.push(format!(
                "{asked}: pipeline {} goes on beside {}",
                found.id, benchmarks[0].id
            ));
        }
    }
    broken
}

/// As far as it can be: some hang whatever is done.
fn is_being_cancelled(gitlab: &People, id: u64) -> bool {
    let world = gitlab.world();
    let pipeline = &world.pipelines[&id];
    let mut jobs = pipeline.jobs.iter();
    pipeline.status == "canceling"
        || jobs.any(|job| job.cancel_requested)
        || world.stuck.contains(&id)
}

/// Benchmarks that the bot has cancelled since that many requests, though their request stands: neither stuck nor doubles,
/// nor, where a push cancels, of an older commit.
pub fn cancelled_in_error(
    gitlab: &People,
    since: usize,
    stuck: TimeDelta,
    on_push: bool,
) -> Vec<String> {
    let mrs = merge_requests(gitlab);
    let by_request = by_request(gitlab);
    let mut broken = Vec::new();
    for request in &gitlab.requests()[since..] {
        let path = request.path.strip_prefix("/projects/8/pipelines/");
        let id = path.and_then(|path| path.strip_suffix("/cancel")?.parse::<u64>().ok());
        let standing = by_request.iter().map(|(asked, found)| (asked, &found[0]));
        let cancelled = standing.filter(|(_, found)| Some(found.id) == id);
        for (asked, found) in cancelled {
            let age = gitlab.now() - found.created_at;
            let is_stuck = age > stuck;
            let mr = mrs.get(&(asked.project, asked.iid));
            let is_of_head = |mr: &MergeRequest| mr.sha() == found.variable("BENCH_SHA");
            let is_superseded = on_push && !mr.is_some_and(is_of_head);
            let is_excused = is_stuck || is_superseded;
            if mr.is_some_and(|mr| is_asked_for(gitlab, mr, asked.event)) && !is_excused {
                broken.push(format!("{asked}: pipeline {} is cancelled", found.id));
            }
        }
    }
    broken
}

/// Labels that the bot took off before it had told how the request ended.
fn untold(
    gitlab: &People,
    mr: &MergeRequest,
    refused: &Refused,
    meddling: &Meddling,
) -> Vec<String> {
    let mut broken = Vec::new();
    let benchmarks = by_request(gitlab);
    for events in label_events(gitlab, mr) {
        for (index, event) in events.iter().enumerate() {
            let by_bot = |event: &LabelEvent, action| {
                event.action == action && event.user_id == Some(BENCH_BOT)
            };
            let mut earlier = events[..index].iter().rev();
            let asked = earlier.find(|earlier| earlier.action == LabelAction::Add);
            let Some(asked) = asked.filter(|_| by_bot(event, LabelAction::Remove)) else {
                continue;
            };
            let starts = about(mr, "start", asked.id);
            let has_benchmark = benchmarks.keys().any(|of| of.event == asked.id);
            // One that was merged or closed before its turn need not have a discussion.
            let went_away = !has_benchmark && starts.iter().all(Said::is_closed);
            let next = events.get(index + 1);
            let put_back = next.is_some_and(|next| by_bot(next, LabelAction::Add));
            let silenced = refused.telling.contains(&asked.id)
                || (starts.is_empty() && refused.replying.contains(&asked.id));
            let is_outcome_posted =
                !about(mr, "outcome", asked.id).is_empty() || meddling.deleted.contains(&asked.id);
            if !is_outcome_posted && !went_away && !put_back && !silenced {
                broken.push(format!(
                    "!{}: label taken off, request {} untold",
                    mr.iid, asked.id
                ));
            }
        }
    }
    broken
}

/// What must hold once all is quiet: exactly one benchmark that stands, one discussion with its link, one outcome, no
/// label; every other discussion closed, and no mark of the bot's left. What nobody can end is left in flight. `lookback`:
/// how far back runs look for benchmarks that nothing leads to.
pub fn at_rest(gitlab: &People, meddling: &Meddling, lookback: TimeDelta) -> Vec<String> {
    let mut broken = safety(gitlab, meddling);
    let mrs = merge_requests(gitlab);
    let stuck = gitlab.world().stuck.clone();
    let refused = refused(gitlab);
    for (asked, benchmarks) in by_request(gitlab) {
        let mut complain = |what: String| broken.push(format!("{asked}: {what}"));
        let alive = |found: &&Pipeline| !found.has_ended() && !stuck.contains(&found.id);
        if let Some(alive) = benchmarks.iter().find(alive) {
            complain(format!("pipeline {} has not ended", alive.id));
        }
        let Some(mr) = mrs.get(&(asked.project, asked.iid)) else {
            continue;
        };
        if is_asked_for(gitlab, mr, asked.event) {
            complain("the label is still on".to_owned());
        }
        let starts = about(mr, "start", asked.event);
        let outcomes = about(mr, "outcome", asked.event);
        let silenced = refused.telling.contains(&asked.event);
        let unanswered = starts.is_empty() && refused.replying.contains(&asked.event);
        let least = match silenced || unanswered || meddling.deleted.contains(&asked.event) {
            true => 0,
            false => 1,
        };
        let (told, ended) = (starts.len(), outcomes.len());
        let wrong = |count: usize| !(least..=1).contains(&count);
        // A note too many that may not be deleted stays.
        if (wrong(told) || wrong(ended)) && !silenced {
            complain(format!("{told} discussions and {ended} outcomes"));
        }
        let standing = &benchmarks[0];
        // Then the one that the discussion links to was the only one in sight.
        let mut posted = outcomes.iter().map(|said| said.note.created_at);
        if posted.any(|at| at - standing.created_at > lookback) {
            continue;
        }
        for said in starts.iter().chain(&outcomes) {
            if !said.note.body.contains(&standing.url) && !silenced {
                complain(format!(
                    "note {} does not link to pipeline {}",
                    said.note.id, standing.id
                ));
            }
        }
    }
    for mr in mrs.values() {
        broken.extend(loose_ends(gitlab, mr, &refused, meddling));
        broken.extend(still_marked(gitlab, mr));
    }
    broken
}

/// Discussions of the bot's that have not come to their end, and those that still announce one.
fn loose_ends(
    gitlab: &People,
    mr: &MergeRequest,
    refused: &Refused,
    meddling: &Meddling,
) -> Vec<String> {
    let mut broken = Vec::new();
    let outcomes = said(mr, "outcome");
    for start in said(mr, "start") {
        let told = outcomes
            .iter()
            .any(|outcome| outcome.request == start.request);
        let resolved =
            start.discussion.is_resolved() || meddling.reopened.contains(&start.discussion.id);
        let ended = told || (start.is_closed() && resolved);
        let may_go_on =
            is_kept_for(gitlab, mr, start.request) || refused.telling.contains(&start.request);
        if !ended && !may_go_on {
            broken.push(format!(
                "!{}: the discussion for request {} has no end",
                mr.iid, start.request
            ));
        }
    }
    let world = gitlab.world();
    for outcome in outcomes {
        let pipeline = outcome.pipeline().and_then(|id| world.pipelines.get(&id));
        if let Some(pipeline) = pipeline.filter(|pipeline| pipeline.has_ended())
            && outcome.mark["status"] != pipeline.status.as_str()
            && !refused.telling.contains(&outcome.request)
        {
            broken.push(format!(
                "!{}: pipeline {} has ended as {}, which is not told: {:?}",
                mr.iid, pipeline.id, pipeline.status, outcome.note.body
            ));
        }
    }
    broken
}

/// A reaction of the bot's is left where nobody asks for anything.
fn still_marked(gitlab: &People, mr: &MergeRequest) -> Option<String> {
    let mut reactions = mr.reactions.iter();
    let marked = reactions.any(|reaction| reaction.user_id == BENCH_BOT);
    let titles = gitlab.world().titles(&mr.labels);
    let waits = mr.state == "opened" && titles.iter().any(|title| asks(title));
    // Whoever ends what hangs is told how it ended: the mark leads a run there.
    let hangs = by_request(gitlab).iter().any(|(asked, benchmarks)| {
        let mut benchmarks = benchmarks.iter();
        (asked.project, asked.iid) == (mr.project_id, mr.iid)
            && benchmarks.any(|found| !found.has_ended())
    });
    (marked && !waits && !hangs).then(|| format!("!{}: a reaction is left on it", mr.iid))
}

/// With `--resolve always`: each discussion in which an outcome is told.
pub fn resolved(gitlab: &People, meddling: &Meddling) -> Vec<String> {
    let mut broken = Vec::new();
    let refused = refused(gitlab);
    for mr in merge_requests(gitlab).values() {
        for said in said(mr, "outcome") {
            // Once somebody has taken the label off, what was told before is left as it is.
            let removed_at = withdrawn_at(gitlab, mr, said.request);
            let may_stay = removed_at.is_some_and(|at| at >= said.note.created_at)
                || refused.telling.contains(&said.request)
                || meddling.reopened.contains(&said.discussion.id);
            if !said.discussion.is_resolved() && !may_stay {
                broken.push(format!(
                    "!{}, request {}: told, but not resolved",
                    mr.iid, said.request
                ));
            }
        }
    }
    broken
}
