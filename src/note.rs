//! Every word that bench-bot writes on a merge request, and how it finds its own notes again.
//!
//! A note ends with a marker in an HTML comment, which the page does not show. Only a marker in the last line of
//! a note that the bot itself wrote counts. Text of other people's stands in inline code on a line that begins
//! with the bot's own words, so that it acts neither as quick action nor as mention, link or HTML.

mod first_note;
mod words;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::first_note::{CloseReason, closed, opening, refused, started};
pub use self::words::{Details, End, Results, Spent, cancelled, outcome};
use crate::gitlab::answer::{Discussion, Note};
use crate::id::{DiscussionId, NoteId, PipelineId, ProjectId, RequestId, Sha};

const MARKER: (&str, &str) = ("<!-- bench-bot ", " -->");

/// What a marker says its note is. What is optional was not always written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Marker {
    /// The discussion's first note.
    Start {
        request: RequestId,
        /// It is there once the note links to it.
        pipeline: Option<PipelineId>,
        label: Option<String>,
        sha: Option<Sha>,
        /// The benchmark project.
        project: Option<ProjectId>,
        #[serde(rename = "meant", skip_serializing_if = "Option::is_none")]
        triggered: Option<Triggered>,
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<Unstarted>,
    },
    /// The one reply with the outcome.
    Outcome {
        request: RequestId,
        /// It announces that the benchmark is to be cancelled.
        cancels: bool,
        label: Option<String>,
        pipeline: Option<PipelineId>,
        /// Our word for the end.
        end: Option<String>,
        /// GitLab's word for how the pipeline ended, as far as the reply says so.
        status: Option<String>,
    },
}

/// Whoever triggered a benchmark meant that very commit, which a later run starts where the first was hindered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Triggered {
    /// Whichever fork it is from.
    Commit,
    /// That, and whatever became of its pipeline.
    Forced,
}

/// Why a discussion has no benchmark, where its first note says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unstarted {
    /// GitLab refused it, for a reason that may lie in this request.
    Refused,
    /// GitLab refused it, for a reason that concerns every request.
    Unavailable,
    /// The request went away before its turn.
    Closed,
}

/// A discussion of the bot's, as far as its notes go.
#[derive(Clone, Debug, PartialEq)]
pub struct Thread {
    pub id: DiscussionId,
    /// The note that opened it, unless a person deleted that.
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
    /// What was measured, or was to be.
    pub sha: Option<Sha>,
    /// The benchmark project. Older notes do not name it.
    pub project: Option<ProjectId>,
    pub linked: Option<PipelineId>,
    pub triggered: Option<Triggered>,
    pub state: Option<Unstarted>,
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
    /// GitLab's word for how the pipeline ended, as far as the note says so.
    pub status: Option<String>,
    /// It announces that the benchmark is to be cancelled.
    pub cancels: bool,
}

/// Whether a note is about a request. Notes that name no label, as older ones do, are about any.
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
    /// The note that opened it, if that was for this request.
    pub fn opened_for(&self, request: RequestId, label: &str) -> Option<&OpeningNote> {
        let opening = self.opening.as_ref()?;
        opening.is_about(request, label).then_some(opening)
    }
}

/// The first notes of discussions whose request has neither an outcome there nor gone away.
pub fn unfinished(threads: &[Thread]) -> impl Iterator<Item = &OpeningNote> {
    let openings = threads.iter().filter_map(|thread| thread.opening.as_ref());
    openings.filter(|opening| {
        let label = opening.label.as_deref().unwrap_or_default();
        let mut outcomes = threads.iter().flat_map(|thread| &thread.outcomes);
        opening.state != Some(Unstarted::Closed)
            && !outcomes.any(|outcome| outcome.is_about(opening.request, label))
    })
}

/// What the bot's own notes say that the discussion is; `None` where it cannot be told whether they are the bot's.
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
                });
            }
            Marker::Start { .. } => {}
            Marker::Outcome { .. } => thread.outcomes.extend(as_outcome(note)),
        }
    }
    Some(thread)
}

/// What a note posts, if it posts an outcome.
pub fn as_outcome(note: &Note) -> Option<OutcomeNote> {
    let Marker::Outcome {
        request,
        cancels,
        label,
        pipeline,
        end,
        status,
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
