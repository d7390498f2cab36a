//! Requests and their benchmarks, as GitLab knows them.

use std::collections::BTreeMap;
use std::fmt;

use in_memory_gitlab::{BENCH_BOT, LabelAction, LabelEvent, MergeRequest, People, Pipeline, Time};

/// The labels that ask for a benchmark.
pub const LABELS: [&str; 2] = ["benchmarking", "benchmarking::full"];
/// What people add to the name of one of them for a while.
pub const RENAMED: &str = " of old";

/// Whether a label asks for a benchmark, whatever it is called just now.
pub fn asks(title: &str) -> bool {
    LABELS.contains(&title.strip_suffix(RENAMED).unwrap_or(title))
}

/// An addition of such a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub project: u64,
    pub iid: u64,
    /// Unique on the server.
    pub event: u64,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self {
            project,
            iid,
            event,
        } = self;
        write!(f, "!{iid} of project {project}, request {event}")
    }
}

/// The benchmarks of each request that anyone made, the one that stands first.
pub fn by_request(gitlab: &People) -> BTreeMap<Asked, Vec<Pipeline>> {
    let mut found: BTreeMap<Asked, Vec<_>> = BTreeMap::new();
    for benchmark in gitlab.benchmarks() {
        if let Some(request) = request_of(&benchmark) {
            found.entry(request).or_default().push(benchmark);
        }
    }
    found
}

/// `None` for what is no benchmark of the bot's.
pub fn request_of(benchmark: &Pipeline) -> Option<Asked> {
    let number = |key| benchmark.variable(key)?.parse().ok();
    let is_ours = benchmark.source == "api" && benchmark.user.as_deref() == Some("bench-bot");
    let asked = Asked {
        project: number("BENCH_PROJECT_ID")?,
        iid: number("BENCH_MR_IID")?,
        event: number("BENCH_REQUEST_ID")?,
    };
    is_ours.then_some(asked)
}

/// By project and number.
pub fn merge_requests(gitlab: &People) -> BTreeMap<(u64, u64), MergeRequest> {
    let world = gitlab.world();
    let all = world.merge_requests.values();
    all.map(|mr| ((mr.project_id, mr.iid), mr.clone()))
        .collect()
}

/// Additions and removals of the labels that ask, oldest first; those of one label each.
pub fn label_events(gitlab: &People, mr: &MergeRequest) -> Vec<Vec<LabelEvent>> {
    let world = gitlab.world();
    let ours = world.labels.values().filter(|label| asks(&label.title));
    let events = |label: u64| {
        let events = mr.label_events.iter();
        events.filter(move |event| event.label_id == label).cloned()
    };
    ours.map(|label| events(label.id).collect()).collect()
}

/// What happened to the label of that request, from its addition on.
fn since(gitlab: &People, mr: &MergeRequest, request: u64) -> Vec<LabelEvent> {
    let of_label = label_events(gitlab, mr).into_iter();
    let since = of_label.map(|events| {
        let since = events.into_iter().skip_while(|event| event.id != request);
        since.collect::<Vec<_>>()
    });
    since.max_by_key(Vec::len).unwrap_or_default()
}

/// The label of that request is on, and it has not been put on once more.
pub fn is_asked_for(gitlab: &People, mr: &MergeRequest, request: u64) -> bool {
    let since = since(gitlab, mr, request);
    since.len() == 1 && since[0].action == LabelAction::Add
}

/// The label of that request is on, or on again: whoever asks again gets the same discussion.
pub fn is_kept_for(gitlab: &People, mr: &MergeRequest, request: u64) -> bool {
    let since = since(gitlab, mr, request);
    let last = since.last();
    last.is_some_and(|last| last.action == LabelAction::Add)
}

/// When the label of that request was taken off by somebody else than the bot.
pub fn withdrawn_at(gitlab: &People, mr: &MergeRequest, request: u64) -> Option<Time> {
    let since = since(gitlab, mr, request);
    let removal = since.get(1)?;
    (removal.user_id != Some(BENCH_BOT)).then_some(removal.created_at)
}
