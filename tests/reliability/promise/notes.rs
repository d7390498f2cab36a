//! What the bot says on merge requests, and what GitLab has refused to take of it.

use std::collections::BTreeSet;

use in_memory_gitlab::{BENCH_BOT, Discussion, MergeRequest, Note, People};
use serde_json::Value;

/// A note of the bot's that bears its mark.
pub struct Said<'a> {
    pub discussion: &'a Discussion,
    pub note: &'a Note,
    pub request: u64,
    pub mark: Value,
}

impl Said<'_> {
    pub fn is_closed(&self) -> bool {
        self.mark["state"] == "closed"
    }

    pub fn pipeline(&self) -> Option<u64> {
        self.mark["pipeline"].as_u64()
    }
}

fn mark(body: &str) -> Option<Value> {
    let mark = body.lines().last()?.strip_prefix("<!-- bench-bot ")?;
    serde_json::from_str(mark.strip_suffix(" -->")?).ok()
}

/// The request that a note of the bot's is about.
fn request_in(body: &str) -> Option<u64> {
    let mark = mark(body)?;
    let kinds = ["start", "outcome"].into_iter();
    kinds
        .filter_map(|kind| mark[kind]["request"].as_u64())
        .next()
}

/// The bot's notes of that kind on a merge request: `start` or `outcome`.
pub fn said<'a>(mr: &'a MergeRequest, kind: &str) -> Vec<Said<'a>> {
    let mut found = Vec::new();
    for discussion in &mr.discussions {
        let notes = discussion.notes.iter();
        for note in notes.filter(|note| note.author_id == BENCH_BOT && !note.system) {
            let mark = mark(&note.body).map(|mut mark| mark[kind].take());
            if let Some(mark) = mark.filter(Value::is_object) {
                found.push(Said {
                    discussion,
                    note,
                    request: mark["request"].as_u64().unwrap_or_default(),
                    mark,
                });
            }
        }
    }
    found
}

pub fn about<'a>(mr: &'a MergeRequest, kind: &str, request: u64) -> Vec<Said<'a>> {
    let mut said = said(mr, kind);
    said.retain(|said| said.request == request);
    said
}

/// Requests of which GitLab has refused to take a word.
#[derive(Debug, Default)]
pub struct Refused {
    /// To open a discussion, to edit, delete or resolve: what was to be told is told nowhere, so that the request does not
    /// stay open for ever.
    pub telling: BTreeSet<u64>,
    /// A reply, in place of which the first note tells, where there is one.
    pub replying: BTreeSet<u64>,
}

pub fn refused(gitlab: &People) -> Refused {
    let mut refused = Refused::default();
    let requests = gitlab.requests().into_iter();
    for request in requests.filter(|request| matches!(request.status, Some(400 | 403))) {
        let Some((_, place)) = request.path.split_once("/merge_requests/") else {
            continue;
        };
        let parts: Vec<&str> = place.split('/').collect();
        let replies = matches!(parts[..], [_, "discussions", _, "notes"]);
        let about = match (request.body["body"].as_str(), &parts[..]) {
            (Some(body), _) => request_in(body),
            (None, [_, "discussions" | "notes", id, ..]) => request_at(gitlab, id),
            _ => None,
        };
        if let Some(about) = about.filter(|_| request.is_write()) {
            let set = match replies {
                true => &mut refused.replying,
                false => &mut refused.telling,
            };
            set.insert(about);
        }
    }
    refused
}

/// What the note or the discussion of that id is about.
fn request_at(gitlab: &People, id: &str) -> Option<u64> {
    let world = gitlab.world();
    let mut discussions = world.merge_requests.values().flat_map(|mr| &mr.discussions);
    discussions.find_map(|discussion| {
        let whole = discussion.id == id;
        let mut notes = discussion.notes.iter();
        notes
            .find(|note| whole || note.id.to_string() == id)
            .and_then(|note| request_in(&note.body))
    })
}

/// Notes that say that something was cancelled that was not.
pub fn untrue(gitlab: &People, mr: &MergeRequest) -> Vec<String> {
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
