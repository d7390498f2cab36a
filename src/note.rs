//! Everything that bench-bot writes on merge requests, and how it finds its own notes again.
//!
//! A note ends with a marker in an HTML comment, which GitLab's pages do not show. A marker counts only in the last line of
//! a note that the bot itself wrote. Foreign text is in inline code and never begins a line by itself, so that it cannot be
//! a quick action, a mention, a link or HTML.

mod announced;
mod failures;
mod first_note;
mod fold;
mod verdict;
mod words;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::announced::{Waits, announced, announced_again};
pub use self::first_note::{CloseReason, closed, opening, refused, started};
pub use self::verdict::Verdict;
pub use self::words::{Details, End, Results, Spent, cancelled, outcome};
use crate::gitlab::answer::{Discussion, Note};
use crate::id::{DiscussionId, NoteId, PipelineId, ProjectId, RequestId, Sha};

const MARKER: (&str, &str) = ("<!-- bench-bot ", " -->");

/// What a note is. Older notes lack the optional fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Marker {
    /// The discussion's first note.
    Start {
        request: RequestId,
        /// `None` until the note links to it.
        pipeline: Option<PipelineId>,
        label: Option<String>,
        sha: Option<Sha>,
        /// The benchmark project.
        project: Option<ProjectId>,
        #[serde(rename = "meant", skip_serializing_if = "Option::is_none")]
        triggered: Option<Triggered>,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<Unstarted>,
        /// What the note says that the request waits for, in short.
        #[serde(skip_serializing_if = "Option::is_none")]
        waits: Option<String>,
    },
    /// The one reply with the outcome.
    Outcome {
        request: RequestId,
        /// Whether it announces a cancel.
        cancels: bool,
        label: Option<String>,
        pipeline: Option<PipelineId>,
        /// Our word for the end.
        end: Option<String>,
        /// GitLab's word for the pipeline's outcome, if the reply names it.
        status: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verdict: Option<Verdict>,
        /// What the benchmark says of its results itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        summary: Option<String>,
    },
}

/// Somebody triggered the benchmark of this very commit. If that run could not start it, a later one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Triggered {
    /// Even if it is from a fork.
    Commit,
    /// The same, and regardless of its pipeline.
    Forced,
}

/// Why a discussion has no benchmark, if its first note says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unstarted {
    /// GitLab refused the pipeline for a reason that may lie in this request.
    Refused,
    /// GitLab refused the pipeline for a reason that concerns every request.
    Unavailable,
    /// The request went away before its benchmark started.
    Closed,
}

/// One of the bot's discussions, with the bot's notes.
#[derive(Clone, Debug, PartialEq)]
pub struct Thread {
    pub id: DiscussionId,
    /// Its first note, unless somebody deleted that.
    pub opening: Option<OpeningNote>,
    pub outcomes: Vec<OutcomeNote>,
    pub resolved: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct OpeningNote {
    pub note: NoteId,
    pub body: String,
    pub request: RequestId,
    pub label: Option<String>,
    /// The commit to benchmark.
    pub sha: Option<Sha>,
    /// The benchmark project. Older notes do not name it.
    pub project: Option<ProjectId>,
    pub linked: Option<PipelineId>,
    pub triggered: Option<Triggered>,
    pub state: Option<Unstarted>,
    /// What the note says that the request waits for, in short.
    pub waits: Option<String>,
}

/// A note that posts the outcome of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomeNote {
    pub note: NoteId,
    pub body: String,
    pub posted_at: Option<DateTime<Utc>>,
    pub request: RequestId,
    pub label: Option<String>,
    pub pipeline: Option<PipelineId>,
    /// Our word for the end.
    pub end: Option<String>,
    /// GitLab's word for the pipeline's outcome, if the note names it.
    pub status: Option<String>,
    /// Whether it announces a cancel.
    pub cancels: bool,
    pub verdict: Option<Verdict>,
    /// What the benchmark says of its results itself.
    pub summary: Option<String>,
}

/// Whether a note is about a request. Older notes name no label, and match any.
fn about(noted: (RequestId, &Option<String>), request: RequestId, label: &str) -> bool {
    let (id, of) = noted;
    id == request && (id != RequestId::NONE || of.as_ref().is_none_or(|of| of == label))
}

impl OpeningNote {
    pub fn is_about(&self, request: RequestId, label: &str) -> bool {
        about((self.request, &self.label), request, label)
    }
}

impl OutcomeNote {
    pub fn is_about(&self, request: RequestId, label: &str) -> bool {
        about((self.request, &self.label), request, label)
    }
}

impl Thread {
    /// Its first note, if that is about this request.
    pub fn opened_for(&self, request: RequestId, label: &str) -> Option<&OpeningNote> {
        let opening = self.opening.as_ref()?;
        opening.is_about(request, label).then_some(opening)
    }
}

/// The first notes of requests that have neither an outcome nor gone away.
pub fn unfinished(threads: &[Thread]) -> impl Iterator<Item = &OpeningNote> {
    let openings = threads.iter().filter_map(|thread| thread.opening.as_ref());
    openings.filter(|opening| {
        let label = opening.label.as_deref().unwrap_or_default();
        let mut outcomes = threads.iter().flat_map(|thread| &thread.outcomes);
        opening.state != Some(Unstarted::Closed)
            && !outcomes.any(|outcome| outcome.is_about(opening.request, label))
    })
}

/// Reads the bot's notes of a discussion. `None` if it is unknown whether a note is the bot's.
pub fn read(discussion: &Discussion, bot: &str) -> Option<Thread> {
    let mut thread = Thread {
        id: discussion.id.clone(),
        opening: None,
        outcomes: Vec::new(),
        resolved: discussion.notes.iter().all(|note| note.resolved),
    };
    for note in &discussion.notes {
        let Some(marker) = marker(&note.body) else {
            continue;
        };
        if note.author.as_ref()?.username != bot || note.system {
            continue;
        }
        match marker {
            Marker::Start {
                request,
                pipeline,
                label,
                sha,
                project,
                triggered,
                state,
                waits,
            } if thread.opening.is_none() => {
                thread.opening = Some(OpeningNote {
                    note: note.id,
                    body: note.body.clone(),
                    request,
                    label,
                    sha,
                    project,
                    linked: pipeline,
                    triggered,
                    state,
                    waits,
                });
            }
            Marker::Start { .. } => {}
            Marker::Outcome { .. } => thread.outcomes.extend(as_outcome(note)),
        }
    }
    Some(thread)
}

/// The outcome in a note, if there is one.
pub fn as_outcome(note: &Note) -> Option<OutcomeNote> {
    let Marker::Outcome {
        request,
        cancels,
        label,
        pipeline,
        end,
        status,
        verdict,
        summary,
    } = marker(&note.body)?
    else {
        return None;
    };
    Some(OutcomeNote {
        note: note.id,
        body: note.body.clone(),
        posted_at: note.created_at,
        request,
        label,
        pipeline,
        end,
        status,
        cancels,
        verdict,
        summary,
    })
}

fn marker(body: &str) -> Option<Marker> {
    let last = body.lines().last()?;
    let json = last.strip_prefix(MARKER.0)?.strip_suffix(MARKER.1)?;
    serde_json::from_str(json).ok()
}

fn marked(text: &str, marker: &Marker) -> String {
    let json = serde_json::to_string(marker).unwrap_or_default();
    // A label may be called `-->`, which would end the comment.
    let json = json.replace('<', "\\u003c").replace('>', "\\u003e");
    format!("{text}\n\n{}{json}{}", MARKER.0, MARKER.1)
}
