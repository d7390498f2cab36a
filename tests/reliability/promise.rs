//! What has to hold, told from GitLab's state alone: nothing here knows how the program works.

use std::collections::{BTreeMap, BTreeSet};

use in_memory_gitlab::{
    BENCH_BOT, Discussion, LabelAction, LabelEvent, MergeRequest, Note, People, Pipeline,
};
use serde_json::Value;

/// The labels that ask for a benchmark.
pub const LABELS: [&str; 2] = ["benchmarking", "benchmarking::full"];
/// What people add to the name of one of them for a while.
pub const RENAMED: &str = " of old";

/// Whether a label asks for a benchmark, whatever it is called just now.
pub fn asks(title: &str) -> bool {
    LABELS.contains(&title.strip_suffix(RENAMED).unwrap_or(title))
}

/// The requests that a merge request and a label event make.
type Requests<T> = BTreeMap<(u64, u64), T>;

/// The benchmarks of each request that anyone made.
pub fn by_request(gitlab: &People) -> Requests<Vec<Pipeline>> {
    let mut found: Requests<Vec<_>> = BTreeMap::new();
    for benchmark in gitlab.benchmarks() {
        if let Some(request) = request_of(&benchmark) {
            found.entry(request).or_default().push(benchmark);
        }
    }
    found
}

/// `None` for what is no benchmark of the bot's.
pub fn request_of(benchmark: &Pipeline) -> Option<(u64, u64)> {
    let number = |key| benchmark.variable(key)?.parse().ok();
    let is_ours = benchmark.source == "api" && benchmark.user.as_deref() == Some("bench-bot");
    is_ours.then_some((number("BENCH_MR_IID")?, number("BENCH_REQUEST_ID")?))
}

pub fn merge_requests(gitlab: &People) -> Vec<MergeRequest> {
    let world = gitlab.world();
    world
        .merge_requests
        .values()
        .filter(|mr| mr.project_id == 7)
        .cloned()
        .collect()
}

/// Additions and removals of the labels that ask, oldest first; those of one label each.
fn label_events(gitlab: &People, mr: &MergeRequest) -> Vec<Vec<LabelEvent>> {
    let world = gitlab.world();
    let ours = world.labels.values().filter(|label| asks(&label.title));
    let events = |label: u64| {
        let events = mr.label_events.iter();
        events.filter(move |event| event.label_id == label).cloned()
    };
    ours.map(|label| events(label.id).collect()).collect()
}

/// A note of the bot's that bears its mark.
pub struct Said<'a> {
    pub discussion: &'a Discussion,
    pub note: &'a Note,
    pub request: u64,
    mark: Value,
}

impl Said<'_> {
    fn is_closed(&self) -> bool {
        self.mark["state"] == "closed"
    }

    fn pipeline(&self) -> Option<u64> {
        self.mark["pipeline"].as_u64()
    }
}

/// The bot's notes of that kind on a merge request: `start` or `outcome`.
pub fn said<'a>(mr: &'a MergeRequest, kind: &str) -> Vec<Said<'a>> {
    let mut found = Vec::new();
    for discussion in &mr.discussions {
        let notes = discussion.notes.iter();
        for note in notes.filter(|note| note.author_id == BENCH_BOT && !note.system) {
            let mark = note.body.lines().last().unwrap_or_default();
            let mark = mark.strip_prefix("<!-- bench-bot ");
            let mark = mark.and_then(|mark| mark.strip_suffix(" -->"));
            let mark: Option<Value> = mark.and_then(|mark| serde_json::from_str(mark).ok());
            let Some(mut mark) = mark.filter(|mark| mark.get(kind).is_some()) else {
                continue;
            };
            let mark = mark[kind].take();
            found.push(Said {
                discussion,
                note,
                request: mark["request"].as_u64().unwrap_or_default(),
                mark,
            });
        }
    }
    found
}

fn about<'a>(said: Vec<Said<'a>>, request: u64) -> Vec<Said<'a>> {
    said.into_iter()
        .filter(|said| said.request == request)
        .collect()
}

/// Merge requests where GitLab has refused a note.
#[derive(Debug)]
pub struct Refused {
    /// To open a discussion, to edit or to resolve one: what it was to tell is told nowhere, so that the request does not
    /// stay open for ever.
    telling: BTreeSet<u64>,
    /// A reply, in place of which the first note tells, where there is one.
    replying: BTreeSet<u64>,
}

pub fn refused(gitlab: &People) -> Refused {
    let mut refused = Refused {
        telling: BTreeSet::new(),
        replying: BTreeSet::new(),
    };
    let requests = gitlab.requests().into_iter();
    for request in requests.filter(|request| matches!(request.status, Some(400 | 403))) {
        let rest = request.path.strip_prefix("/projects/7/merge_requests/");
        let Some((iid, rest)) = rest.and_then(|rest| rest.split_once('/')) else {
            continue;
        };
        let Ok(iid) = iid.parse() else { continue };
        let is_of_notes = rest.starts_with("discussions") || rest.starts_with("notes");
        match request.method.as_str() {
            "POST" if rest.ends_with("/notes") => refused.replying.insert(iid),
            "POST" | "PUT" | "DELETE" if is_of_notes => refused.telling.insert(iid),
            _ => false,
        };
    }
    refused
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
    let stuck = gitlab.world().stuck.clone();
    for ((iid, request), benchmarks) in by_request(gitlab) {
        let alive = benchmarks
            .iter()
            .filter(|benchmark| !benchmark.has_ended() && !stuck.contains(&benchmark.id))
            .count();
        if settled && alive > 1 && !excused(iid) {
            broken.push(format!(
                "!{iid}: {alive} benchmarks in flight for request {request}"
            ));
        }
        let Some(mr) = mrs.get(&iid) else { continue };
        let events = label_events(gitlab, mr);
        let made = |event: &LabelEvent| event.id == request && event.action == LabelAction::Add;
        if !events.iter().flatten().any(made) {
            broken.push(format!(
                "!{iid}: a benchmark for request {request}, which nobody made"
            ));
        }
    }
    let refused = refused(gitlab);
    for mr in mrs.values() {
        broken.extend(untrue(gitlab, mr));
        if !excused(mr.iid) && !refused.telling.contains(&mr.iid) {
            broken.extend(untold(gitlab, mr, &refused));
        }
    }
    broken
}

/// Labels that the bot took off before it had told how the request ended.
fn untold(gitlab: &People, mr: &MergeRequest, refused: &Refused) -> Vec<String> {
    let mut broken = Vec::new();
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
            let outcomes = about(said(mr, "outcome"), asked.id);
            let starts = about(said(mr, "start"), asked.id);
            let has_benchmark = by_request(gitlab).contains_key(&(mr.iid, asked.id));
            // One that was merged or closed before its turn need not have a discussion.
            let went_away = !has_benchmark && starts.iter().all(Said::is_closed);
            let next = events.get(index + 1);
            let put_back = next.is_some_and(|next| by_bot(next, LabelAction::Add));
            let nowhere = starts.is_empty() && refused.replying.contains(&mr.iid);
            if outcomes.is_empty() && !went_away && !put_back && !nowhere {
                broken.push(format!(
                    "!{}: label taken off, request {} untold",
                    mr.iid, asked.id
                ));
            }
        }
    }
    broken
}

/// Notes that say that something was cancelled that was not.
fn untrue(gitlab: &People, mr: &MergeRequest) -> Vec<String> {
    let world = gitlab.world();
    let mut broken = Vec::new();
    for said in said(mr, "outcome") {
        let pipeline = said.pipeline().and_then(|id| world.pipelines.get(&id));
        let claims = ["was cancelled", "is cancelled", "Benchmark canceled"];
        let claims = claims.iter().any(|claim| said.note.body.contains(claim));
        // Somebody may have retried it since.
        let ever = |pipeline: &in_memory_gitlab::world::Pipeline| {
            let mut jobs = pipeline.jobs.iter();
            pipeline.status == "canceled" || jobs.any(|job| job.status == "canceled")
        };
        if claims && pipeline.is_some_and(|pipeline| !ever(pipeline)) {
            broken.push(format!(
                "!{}: not cancelled, though it says {:?}",
                mr.iid, said.note.body
            ));
        }
    }
    broken
}

/// What must hold once all is quiet: exactly one benchmark, one discussion with its link, one result, no label; every
/// other discussion closed, and no mark of the bot's left. What nobody can end is left in flight.
pub fn at_rest(gitlab: &People, excused: impl Fn(u64) -> bool) -> Vec<String> {
    let mut broken = safety(gitlab, true, &excused);
    let mrs: BTreeMap<u64, MergeRequest> = merge_requests(gitlab)
        .into_iter()
        .map(|mr| (mr.iid, mr))
        .collect();
    let stuck = gitlab.world().stuck.clone();
    let refused = refused(gitlab);
    for ((iid, request), benchmarks) in by_request(gitlab) {
        let mut complain = |what: String| broken.push(format!("!{iid}, request {request}: {what}"));
        let alive =
            |benchmark: &&Pipeline| !benchmark.has_ended() && !stuck.contains(&benchmark.id);
        if let Some(alive) = benchmarks.iter().find(alive) {
            complain(format!("pipeline {} has not ended", alive.id));
        }
        let Some(mr) = mrs.get(&iid) else { continue };
        if is_asked_for(gitlab, mr, request) {
            complain("the label is still on".to_owned());
        }
        if excused(iid) {
            continue;
        }
        let run = benchmarks
            .iter()
            .filter(|benchmark| benchmark.status != "canceled" && !stuck.contains(&benchmark.id))
            .count();
        if run > 1 {
            complain(format!("{run} benchmarks have run"));
        }
        let starts = about(said(mr, "start"), request);
        let outcomes = about(said(mr, "outcome"), request);
        let silenced = refused.telling.contains(&iid)
            || (starts.is_empty() && outcomes.len() <= 1 && refused.replying.contains(&iid));
        if (starts.len(), outcomes.len()) != (1, 1) && !silenced {
            let (starts, outcomes) = (starts.len(), outcomes.len());
            complain(format!("{starts} discussions and {outcomes} outcomes"));
        }
        let standing = benchmarks.iter().min_by_key(|benchmark| benchmark.id);
        let standing = standing.expect("there is one at least");
        for said in starts.iter().chain(&outcomes) {
            if !said.note.body.contains(&standing.url) && !silenced {
                complain(format!(
                    "note {} does not link to pipeline {}",
                    said.note.id, standing.id
                ));
            }
        }
    }
    for mr in mrs.values().filter(|mr| !excused(mr.iid)) {
        if !refused.telling.contains(&mr.iid) {
            broken.extend(loose_ends(gitlab, mr));
        }
        broken.extend(still_marked(gitlab, mr));
    }
    broken
}

/// Discussions of the bot's that have not come to their end, and those that still announce one.
fn loose_ends(gitlab: &People, mr: &MergeRequest) -> Vec<String> {
    let mut broken = Vec::new();
    let outcomes = said(mr, "outcome");
    for start in said(mr, "start") {
        let told = outcomes
            .iter()
            .any(|outcome| outcome.request == start.request);
        let closed = start.is_closed() && start.discussion.is_resolved();
        if !told && !closed && !is_kept_for(gitlab, mr, start.request) {
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
        {
            broken.push(format!(
                "!{}: pipeline {} has ended as {}, which is not told: {:?}",
                mr.iid, pipeline.id, pipeline.status, outcome.note.body
            ));
        }
    }
    broken
}

/// The bot's 👀 is left where nobody asks for anything.
fn still_marked(gitlab: &People, mr: &MergeRequest) -> Option<String> {
    let mut reactions = mr.reactions.iter();
    let marked = reactions.any(|reaction| reaction.name == "eyes" && reaction.user_id == BENCH_BOT);
    let titles = gitlab.world().titles(&mr.labels);
    let waits = mr.state == "opened" && titles.iter().any(|title| asks(title));
    (marked && !waits).then(|| format!("!{}: 👀 is left on it", mr.iid))
}

/// With `--resolve always`: each discussion in which an outcome is told, but for a request that is excused.
pub fn resolved(gitlab: &People, excused: impl Fn(&MergeRequest, u64) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    let refused = refused(gitlab);
    let mrs = merge_requests(gitlab);
    for ((iid, request), _) in by_request(gitlab) {
        let Some(mr) = mrs.iter().find(|mr| mr.iid == iid) else {
            continue;
        };
        for said in about(said(mr, "outcome"), request) {
            let is_excused = excused(mr, request) || refused.telling.contains(&iid);
            if !said.discussion.is_resolved() && !is_excused {
                broken.push(format!("!{iid}, request {request}: told, but not resolved"));
            }
        }
    }
    broken
}

/// The label of that request is on, and it has not been put on once more.
pub fn is_asked_for(gitlab: &People, mr: &MergeRequest, request: u64) -> bool {
    label_events(gitlab, mr).iter().any(|events| {
        let last = events.last();
        last.is_some_and(|last| last.id == request && last.action == LabelAction::Add)
    })
}

/// The label of that request is on, or on again: whoever asks again gets the same discussion.
fn is_kept_for(gitlab: &People, mr: &MergeRequest, request: u64) -> bool {
    let all = label_events(gitlab, mr);
    let mut of_label = all
        .iter()
        .filter(|events| events.iter().any(|event| event.id == request));
    of_label.any(|events| {
        let last = events.last();
        last.is_some_and(|last| last.action == LabelAction::Add)
    })
}

/// Whether the label of that request was taken off by somebody else than the bot.
pub fn withdrawn(gitlab: &People, mr: &MergeRequest, request: u64) -> bool {
    label_events(gitlab, mr).iter().any(|events| {
        let mut later = events.iter().skip_while(|event| event.id != request);
        let removal = later.nth(1);
        removal.is_some_and(|removal| removal.user_id != Some(BENCH_BOT))
    })
}
