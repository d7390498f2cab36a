//! What has to hold, told from GitLab's state alone: nothing here knows how the program works.

use std::collections::BTreeMap;

use in_memory_gitlab::{BENCH_BOT, LabelAction, MergeRequest, Note, People, Pipeline};

const LABEL: &str = "benchmarking";

/// The benchmarks of each request that anyone made, by merge request and label event.
fn by_request(gitlab: &People) -> BTreeMap<(u64, u64), Vec<Pipeline>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for benchmark in gitlab.benchmarks() {
        let number = |key| benchmark.variable(key).and_then(|value| value.parse().ok());
        if benchmark.source == "api"
            && benchmark.user.as_deref() == Some("bench-bot")
            && let (Some(mr), Some(request)) = (number("BENCH_MR_IID"), number("BENCH_REQUEST_ID"))
        {
            found.entry((mr, request)).or_default().push(benchmark);
        }
    }
    found
}

fn merge_requests(gitlab: &People) -> Vec<MergeRequest> {
    let world = gitlab.world();
    world
        .merge_requests
        .values()
        .filter(|mr| mr.project_id == 7)
        .cloned()
        .collect()
}

/// Additions and removals of the label, oldest first: id, action, user.
fn label_events(gitlab: &People, mr: &MergeRequest) -> Vec<(u64, LabelAction, Option<u64>)> {
    let world = gitlab.world();
    let ours = |id| {
        world
            .labels
            .get(&id)
            .is_some_and(|label| label.title == LABEL)
    };
    let events = mr.label_events.iter().filter(|event| ours(event.label_id));
    events
        .map(|event| (event.id, event.action, event.user_id))
        .collect()
}

/// The bot's notes on a merge request that bear a mark of that kind for that request.
fn marked<'a>(mr: &'a MergeRequest, kind: &str, request: u64) -> Vec<&'a Note> {
    let mark = format!("<!-- bench-bot {{\"{kind}\":{{\"request\":{request}");
    let notes = mr
        .discussions
        .iter()
        .flat_map(|discussion| &discussion.notes);
    notes
        .filter(|note| note.author_id == BENCH_BOT && !note.system)
        .filter(|note| {
            let after = note.body.split(&mark).nth(1);
            after.is_some_and(|after| after.starts_with([',', '}']))
        })
        .collect()
}

/// That nothing is broken.
pub fn kept(broken: Vec<String>) -> Result<(), String> {
    match broken.is_empty() {
        true => Ok(()),
        false => Err(broken.join("; ")),
    }
}

/// What must hold at every moment; after a reconcile, `settled`, a little more. A merge request is excused from what
/// people have taken away the evidence of, and from what they run again themselves.
pub fn safety(gitlab: &People, settled: bool, excused: impl Fn(u64) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    let mrs: BTreeMap<u64, MergeRequest> = merge_requests(gitlab)
        .into_iter()
        .map(|mr| (mr.iid, mr))
        .collect();
    for ((iid, request), benchmarks) in by_request(gitlab) {
        let alive = benchmarks
            .iter()
            .filter(|benchmark| !benchmark.has_ended())
            .count();
        if settled && alive > 1 && !excused(iid) {
            broken.push(format!(
                "!{iid}: {alive} benchmarks in flight for request {request}"
            ));
        }
        let Some(mr) = mrs.get(&iid) else { continue };
        let asked = label_events(gitlab, mr);
        if !asked
            .iter()
            .any(|(id, action, _)| *id == request && *action == LabelAction::Add)
        {
            broken.push(format!(
                "!{iid}: a benchmark for request {request}, which nobody made"
            ));
        }
    }
    for mr in mrs.values().filter(|mr| !excused(mr.iid)) {
        let events = label_events(gitlab, mr);
        let by_bot = |event: &(u64, LabelAction, Option<u64>), action| {
            event.1 == action && event.2 == Some(BENCH_BOT)
        };
        for (index, event) in events.iter().enumerate() {
            let asked = events[..index]
                .iter()
                .rev()
                .find(|(_, action, _)| *action == LabelAction::Add);
            let told =
                asked.is_none_or(|(request, ..)| !marked(mr, "outcome", *request).is_empty());
            let put_back = events
                .get(index + 1)
                .is_some_and(|next| by_bot(next, LabelAction::Add));
            if by_bot(event, LabelAction::Remove) && !told && !put_back {
                broken.push(format!(
                    "!{}: label taken off, request {asked:?} untold",
                    mr.iid
                ));
            }
        }
    }
    broken
}

/// What must hold once all is quiet: exactly one benchmark, one discussion with its link, one result, no label.
pub fn at_rest(gitlab: &People, excused: impl Fn(u64) -> bool) -> Vec<String> {
    let mut broken = safety(gitlab, true, &excused);
    let mrs: BTreeMap<u64, MergeRequest> = merge_requests(gitlab)
        .into_iter()
        .map(|mr| (mr.iid, mr))
        .collect();
    for ((iid, request), benchmarks) in by_request(gitlab) {
        let mut complain = |what: String| broken.push(format!("!{iid}, request {request}: {what}"));
        if let Some(alive) = benchmarks.iter().find(|benchmark| !benchmark.has_ended()) {
            complain(format!("pipeline {} has not ended", alive.id));
        }
        let Some(mr) = mrs.get(&iid) else { continue };
        let still_on = gitlab
            .world()
            .titles(&mr.labels)
            .iter()
            .any(|title| title == LABEL);
        if still_on && newest_request(gitlab, mr) == Some(request) {
            complain("the label is still on".to_owned());
        }
        if excused(iid) {
            continue;
        }
        let run = benchmarks
            .iter()
            .filter(|benchmark| benchmark.status != "canceled")
            .count();
        if run > 1 {
            complain(format!("{run} benchmarks have run"));
        }
        let starts = marked(mr, "start", request);
        let outcomes = marked(mr, "outcome", request);
        if withdrawn(gitlab, mr, request) && outcomes.is_empty() {
            // It had ended when the label was taken off: nobody asks for its outcome any more.
            continue;
        }
        if (starts.len(), outcomes.len()) != (1, 1) {
            let (starts, outcomes) = (starts.len(), outcomes.len());
            complain(format!("{starts} discussions and {outcomes} outcomes"));
        }
        let standing = benchmarks.iter().min_by_key(|benchmark| benchmark.id);
        let standing = standing.expect("there is one at least");
        for note in starts.iter().chain(&outcomes) {
            if !note.body.contains(&standing.url) {
                complain(format!(
                    "note {} does not link to pipeline {}",
                    note.id, standing.id
                ));
            }
        }
    }
    broken
}

/// With `--resolve always`: each discussion in which an outcome is told, but for a request that is excused.
pub fn resolved(gitlab: &People, excused: impl Fn(&MergeRequest, u64) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    let mrs = merge_requests(gitlab);
    for ((iid, request), _) in by_request(gitlab) {
        let Some(mr) = mrs.iter().find(|mr| mr.iid == iid) else {
            continue;
        };
        for note in marked(mr, "outcome", request) {
            let (discussion, _) = mr.note(note.id).expect("it is the merge request's");
            if !discussion.is_resolved() && !excused(mr, request) {
                broken.push(format!("!{iid}, request {request}: told, but not resolved"));
            }
        }
    }
    broken
}

fn newest_request(gitlab: &People, mr: &MergeRequest) -> Option<u64> {
    let events = label_events(gitlab, mr);
    events
        .iter()
        .rev()
        .find(|(_, action, _)| *action == LabelAction::Add)
        .map(|(id, ..)| *id)
}

/// Whether the label of that request was taken off by somebody else than the bot.
pub fn withdrawn(gitlab: &People, mr: &MergeRequest, request: u64) -> bool {
    let events = label_events(gitlab, mr);
    let removal = events.iter().skip_while(|(id, ..)| *id != request).nth(1);
    removal.is_some_and(|(_, _, user)| *user != Some(BENCH_BOT))
}
