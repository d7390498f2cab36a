//! Every word that bench-bot writes on a merge request, and how it finds its own notes again.
//!
//! A note ends with a marker in an HTML comment, which the page does not show. Only a marker in the last line of
//! a note that the bot itself wrote counts. Text of other people's stands in inline code on a line that begins
//! with the bot's own words, so that it acts neither as quick action nor as mention, link or HTML.

use serde::{Deserialize, Serialize};

use crate::gitlab::answer::{Discussion, Job, Note, Outcome};
use crate::id::{DiscussionId, NoteId, PipelineId, RequestId, UserId};
use crate::record::{Record, Task};

const MARKER: (&str, &str) = ("<!-- bench-bot ", " -->");

/// What a marker says its note is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Marker {
    /// The discussion's first note. The pipeline is there once the note links to it.
    Start {
        request: RequestId,
        pipeline: Option<PipelineId>,
    },
    /// The one reply with the outcome. `cancels` where it announces that the benchmark is cancelled.
    Outcome { request: RequestId, cancels: bool },
}

/// A discussion of the bot's, as far as its notes go.
#[derive(Clone, Debug, PartialEq)]
pub struct Thread {
    pub id: DiscussionId,
    /// The note that opened it, unless a person deleted that.
    pub first: Option<First>,
    pub outcomes: Vec<Told>,
    pub resolved: bool,
}

/// A note that tells the outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Told {
    pub note: NoteId,
    pub request: RequestId,
    /// It announces that the benchmark is cancelled.
    pub cancels: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct First {
    pub note: NoteId,
    pub body: String,
    pub request: RequestId,
    pub linked: Option<PipelineId>,
}

/// What the bot's own notes say that the discussion is.
pub fn read(discussion: &Discussion, bot: UserId) -> Thread {
    let mut thread = Thread {
        id: discussion.id.clone(),
        first: None,
        outcomes: Vec::new(),
        resolved: discussion.notes.iter().all(|note| note.resolved),
    };
    for note in discussion.notes.iter().filter(|note| written_by(note, bot)) {
        match marker(&note.body) {
            Some(Marker::Start { request, pipeline }) if thread.first.is_none() => {
                let body = note.body.clone();
                thread.first = Some(First {
                    note: note.id,
                    body,
                    request,
                    linked: pipeline,
                });
            }
            Some(Marker::Outcome { request, cancels }) => {
                thread.outcomes.push(Told {
                    note: note.id,
                    request,
                    cancels,
                });
            }
            _ => {}
        }
    }
    thread
}

fn written_by(note: &Note, bot: UserId) -> bool {
    !note.system && note.author.as_ref().is_some_and(|author| author.id == bot)
}

fn marker(body: &str) -> Option<Marker> {
    let last = body.lines().last()?;
    let json = last.strip_prefix(MARKER.0)?.strip_suffix(MARKER.1)?;
    serde_json::from_str(json).ok()
}

fn marked(text: &str, marker: &Marker) -> String {
    let json = serde_json::to_string(marker).unwrap_or_default();
    format!("{text}\n\n{}{json}{}", MARKER.0, MARKER.1)
}

/// The first note, as the discussion is opened.
pub fn opening(request: RequestId, branch: &str) -> String {
    let text = format!(
        "**Benchmark requested**: {} waits to be started, as long as the label is on.",
        code(branch)
    );
    marked(
        &text,
        &Marker::Start {
            request,
            pipeline: None,
        },
    )
}

/// The first note while GitLab refuses to start the pipeline.
pub fn refused(task: &Task, reason: &str) -> String {
    let text = format!(
        "**Benchmark not started**: GitLab refuses the pipeline for commit {} of {}: {}. \
         It is tried again with each run as long as the label is on.",
        code(task.sha.short()),
        code(&task.branch),
        code(reason)
    );
    marked(
        &text,
        &Marker::Start {
            request: task.request,
            pipeline: None,
        },
    )
}

/// The first note once the pipeline exists.
pub fn started(task: &Task, pipeline: PipelineId, web_url: &str) -> String {
    let base = match &task.base {
        Some(base) => format!(
            ", to be compared with {}, its merge base with {}",
            code(base.short()),
            code(&task.target_branch)
        ),
        None => String::new(),
    };
    let text = format!(
        "**Benchmark started**: {} measures commit {} of {}{base}. The outcome will be told here.",
        link(pipeline, web_url),
        code(task.sha.short()),
        code(&task.branch)
    );
    marked(
        &text,
        &Marker::Start {
            request: task.request,
            pipeline: Some(pipeline),
        },
    )
}

/// How a benchmark came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Of(Outcome),
    /// The label was taken off, or put on anew, while it ran.
    Withdrawn,
    TimedOut,
}

impl End {
    /// GitLab's word for it, or one of ours.
    pub fn word(self) -> &'static str {
        match self {
            End::Of(outcome) => outcome.word(),
            End::Withdrawn => "withdrawn",
            End::TimedOut => "timed out",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            End::Of(Outcome::Success) => "✅",
            End::Of(Outcome::Failed) => "❌",
            End::Of(Outcome::Canceled) => "🚫",
            End::Of(Outcome::Skipped) => "⏭️",
            End::Withdrawn => "↩️",
            End::TimedOut => "⌛",
        }
    }
}

/// What is told of an ended benchmark besides its outcome.
#[derive(Debug, Default)]
pub struct Details {
    /// The jobs that made the pipeline fail.
    pub failed: Vec<Job>,
    pub results: Option<Results>,
}

/// The artifacts of the job that has the results.
#[derive(Debug)]
pub struct Results {
    pub job: Job,
    /// What it says of them itself, in a line.
    pub summary: Option<String>,
}

/// The reply that tells the outcome.
pub fn outcome(record: &Record, end: End, label: &str, details: &Details) -> String {
    let (sign, word) = (end.sign(), end.word());
    let pipeline = link(record.pipeline, &record.web_url);
    let (summary, artifacts) = (summary(details), artifacts(details));
    let more = match end {
        End::Of(Outcome::Success) => format!("{summary}Results: {artifacts}{pipeline}."),
        End::Of(_) => {
            let failures = failures(details, label);
            format!("{summary}See {artifacts}{pipeline}. {failures}")
        }
        End::Withdrawn => format!(
            "The label {} was taken off or put on anew, so {pipeline} is cancelled.",
            code(label)
        ),
        End::TimedOut => format!(
            "It took too long, so {pipeline} is cancelled. To try again, put the label {} on again.",
            code(label)
        ),
    };
    let text = format!(
        "{sign} **Benchmark {word}**: commit {}. {more}",
        code(record.task.sha.short())
    );
    let cancels = !matches!(end, End::Of(_));
    marked(
        &text,
        &Marker::Outcome {
            request: record.task.request,
            cancels,
        },
    )
}

/// In characters; a longer one is cut off.
const LONGEST_SUMMARY: usize = 200;

fn summary(details: &Details) -> String {
    let Some(summary) = details
        .results
        .as_ref()
        .and_then(|results| results.summary.as_ref())
    else {
        return String::new();
    };
    let mut shown = summary.clone();
    if summary.chars().count() > LONGEST_SUMMARY {
        shown = summary
            .chars()
            .take(LONGEST_SUMMARY - 1)
            .chain(['…'])
            .collect();
    }
    format!("In short: {}. ", code(&shown))
}

fn artifacts(details: &Details) -> String {
    details.results.as_ref().map_or(String::new(), |results| {
        let (name, url) = (code(&results.job.name), &results.job.web_url);
        format!("[artifacts of {name}]({url}/artifacts/browse), ")
    })
}

/// Whose failure a job's is, as far as GitLab's reason tells.
#[derive(PartialEq)]
enum Blame {
    Script,
    Machine,
    Unsaid,
}

/// Only what another attempt may well be spared counts as the machine's. GitLab's words are listed in its
/// `app/models/concerns/enums/ci/commit_status.rb`, and each version has some more.
fn blame(job: &Job) -> Blame {
    match job.failure_reason() {
        "script_failure" => Blame::Script,
        "runner_system_failure"
        | "runner_interrupted"
        | "runner_external_dependency_failure"
        | "stuck_or_timeout_failure"
        | "stuck_pending_with_matching_runners"
        | "no_updates_running"
        | "no_updates_canceling"
        | "scheduler_failure"
        | "job_router_failure"
        | "stale_schedule"
        | "api_failure"
        | "data_integrity_failure" => Blame::Machine,
        _ => Blame::Unsaid,
    }
}

const MOST_JOBS: usize = 5;

/// Which jobs failed and why, and whether it is worth while just to ask again.
fn failures(details: &Details, label: &str) -> String {
    let named = &details.failed[..details.failed.len().min(MOST_JOBS)];
    let mut text = String::new();
    for (whose, lead) in [
        (Blame::Script, "The script failed: look at"),
        (Blame::Machine, "The machine failed, not the commit:"),
        (Blame::Unsaid, "Failed:"),
    ] {
        let jobs = named.iter().filter(|job| blame(job) == whose);
        let jobs: Vec<String> = jobs
            .map(|job| {
                let (name, reason) = (code(&job.name), code(job.failure_reason()));
                format!("job [{name}]({}) ({reason})", job.web_url)
            })
            .collect();
        if !jobs.is_empty() {
            text += &format!("{lead} {}. ", jobs.join(", "));
        }
    }
    match details.failed.len() - named.len() {
        0 => {}
        1 => text += "1 more job failed. ",
        more => text += &format!("{more} more jobs failed. "),
    }
    let machine = !details.failed.is_empty()
        && details
            .failed
            .iter()
            .all(|job| blame(job) == Blame::Machine);
    let again = match machine {
        true => "Just put",
        false => "To try again, put",
    };
    text + &format!("{again} the label {} on again.", code(label))
}

fn link(pipeline: PipelineId, web_url: &str) -> String {
    format!("[pipeline {pipeline}]({web_url})")
}

/// GitLab's Markdown does not take a longer row of backticks for a fence.
const LONGEST_FENCE: usize = 80;

/// Text of anyone's as inline code: one line, nothing invisible, and fenced by more backticks than it has in a row.
fn code(text: &str) -> String {
    let mut text = crate::inert::one_line(text);
    let longest_row = |text: &str| text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    if longest_row(&text) >= LONGEST_FENCE {
        text = text.replace('`', "'");
    }
    let fence = "`".repeat(longest_row(&text) + 1);
    let pad = match text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        true => " ",
        false => "",
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}
