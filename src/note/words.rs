//! The texts of the reply with the outcome.

use chrono::TimeDelta;

use super::fold::folded;
use super::{MARKER, Marker, OutcomeNote, marked};
use crate::gitlab::answer::{Job, Outcome};
use crate::gitlab::segments;
use crate::id::{PipelineId, Sha};
use crate::record::Record;

/// How a benchmark ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Pipeline(Outcome),
    /// Its pipeline passed, but the results job failed.
    ResultsFailed,
    /// The label was taken off, or added again, during the benchmark.
    Withdrawn,
    TimedOut,
    /// Somebody pushed another commit.
    Superseded,
    /// All its jobs have ended except manual ones, which nobody started.
    Blocked,
}

impl End {
    /// GitLab's word, or one of ours.
    pub fn word(self) -> &'static str {
        match self {
            End::Pipeline(outcome) => outcome.word(),
            End::ResultsFailed => Outcome::Failed.word(),
            End::Withdrawn => "withdrawn",
            End::TimedOut => "timed out",
            End::Superseded => "superseded",
            End::Blocked => "blocked",
        }
    }

    fn sign(self) -> &'static str {
        match self {
            End::Pipeline(Outcome::Success) => "🏁",
            End::Pipeline(Outcome::Failed) | End::ResultsFailed => "❌",
            End::Pipeline(Outcome::Canceled) => "🚫",
            End::Pipeline(Outcome::Skipped) => "⏭️",
            End::Withdrawn => "↩️",
            End::TimedOut => "⌛",
            End::Superseded => "⏩",
            End::Blocked => "✋",
        }
    }

    fn cancels(self) -> bool {
        !matches!(self, End::Pipeline(_) | End::ResultsFailed)
    }

    /// GitLab's word for the pipeline's outcome, if it has ended.
    fn status(self) -> Option<&'static str> {
        match self {
            End::Pipeline(outcome) => Some(outcome.word()),
            End::ResultsFailed => Some(Outcome::Success.word()),
            End::Withdrawn | End::TimedOut | End::Superseded | End::Blocked => None,
        }
    }
}

/// What a reply says in addition to the outcome.
#[derive(Debug, Default)]
pub struct Details {
    /// The jobs that made the pipeline fail, or the failed results jobs.
    pub failed: Vec<Job>,
    pub results: Option<Results>,
    pub spent: Option<Spent>,
    /// The word of its first end, if somebody retried it since.
    pub first_end: Option<String>,
    /// The commit that was pushed since.
    pub new_head: Option<Sha>,
}

impl Details {
    pub fn superseded_by(head: Sha) -> Self {
        Self {
            new_head: Some(head),
            ..Self::default()
        }
    }
}

/// How a benchmark that did not end in time spent its time.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    pub waiting: TimeDelta,
    /// `None` if it never started.
    pub running: Option<TimeDelta>,
}

/// The artifacts of the results job.
#[derive(Debug)]
pub struct Results {
    pub job: Job,
    /// The one among them to link to.
    pub file: Option<String>,
    /// The first line of its summary.
    pub summary: Option<String>,
    /// What follows that line, as Markdown.
    pub figures: String,
}

const TO_BE_CANCELLED: &str = "is to be cancelled";
const ASK: &str = "if that does not help, ask a Maintainer of the benchmark project";

/// The reply that posts the outcome.
pub fn outcome(record: &Record, end: End, label: &str, details: &Details) -> String {
    let (sign, word) = (end.sign(), end.word());
    let commit = code(record.task.sha.short());
    let pipeline = link(record.pipeline, &record.web_url);
    let (summary, artifacts) = (summary(details), artifacts(details));
    let mut more = match end {
        End::Pipeline(Outcome::Success) => format!(
            "{summary}{}To benchmark it again, add the label {} again.",
            results(&artifacts),
            code(label)
        ),
        End::Pipeline(_) => {
            let failures = failures(details, label);
            format!("{summary}See {artifacts}{pipeline}. {failures}")
        }
        End::ResultsFailed => {
            let failures = failures(details, label);
            format!(
                "Its pipeline passed, but the results job failed, so there are no reliable results. See {artifacts}{pipeline}. {failures}"
            )
        }
        End::Withdrawn => format!(
            "The label {0} was taken off or added again, so {pipeline} {TO_BE_CANCELLED}. For another benchmark, add the label \
             {0} again.",
            code(label)
        ),
        End::TimedOut => format!(
            "{}, so {pipeline} {TO_BE_CANCELLED}. To try again, add the label {} again; {ASK}.",
            too_long(details.spent),
            code(label)
        ),
        End::Superseded => format!(
            "{} was pushed to {} since, so {pipeline} {TO_BE_CANCELLED}. To benchmark that commit, add the label {} again.",
            details
                .new_head
                .as_ref()
                .map_or("Another commit".to_owned(), |head| code(head.short())),
            code(&record.task.branch),
            code(label)
        ),
        End::Blocked => format!(
            "{summary}All its jobs have ended except manual ones, for which {pipeline} waits: it {TO_BE_CANCELLED}. \
             {}To try again, add the label {} again; {ASK}.",
            results(&artifacts),
            code(label)
        ),
    };
    if let Some(first) = &details.first_end {
        more += &format!(" It was {} at first, and somebody retried it.", code(first));
    }
    let lead = match end {
        // GitLab's word alone would read as if the commit were no slower.
        End::Pipeline(Outcome::Success) => {
            format!("**Benchmark finished**: {pipeline} for commit {commit} ended with {word}")
        }
        _ => format!("**Benchmark {word}**: commit {commit}"),
    };
    let figures = match (end, &details.results) {
        (End::ResultsFailed, _) | (_, None) => String::new(),
        (_, Some(results)) => folded(&results.figures),
    };
    let text = format!("{sign} {lead}. {}", more.trim_start());
    let text = format!("{}{figures}", text.trim_end());
    let marker = Marker::Outcome {
        request: record.task.request,
        cancels: end.cancels(),
        label: Some(record.task.label.clone()),
        pipeline: Some(record.pipeline),
        end: Some(word.to_owned()),
        status: end.status().map(str::to_owned),
    };
    marked(&text, &marker)
}

/// The same reply, when the outcome of the pipeline that was to be cancelled is known.
pub fn cancelled(note: &OutcomeNote, outcome: Outcome) -> String {
    let text = note.body.rsplit_once(MARKER.0).map_or("", |(text, _)| text);
    let became = match outcome {
        Outcome::Canceled => "was cancelled".to_owned(),
        ended => format!(
            "was to be cancelled, but had ended by then: {}",
            code(ended.word())
        ),
    };
    let marker = Marker::Outcome {
        request: note.request,
        cancels: note.cancels,
        label: note.label.clone(),
        pipeline: note.pipeline,
        end: note.end.clone(),
        status: Some(outcome.word().to_owned()),
    };
    let text = replace_own(text.trim_end(), TO_BE_CANCELLED, &became);
    marked(&text, &marker)
}

/// Replaces text outside inline code, which is foreign text that may contain the same words.
fn replace_own(text: &str, from: &str, to: &str) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('`') {
        let (own, others) = rest.split_at(at);
        let inside = others.trim_start_matches('`');
        let fence = &others[..others.len() - inside.len()];
        let ends_at = inside.find(fence).map(|end| end + 2 * fence.len());
        let (code, after) = others.split_at(ends_at.unwrap_or(others.len()));
        replaced += &own.replace(from, to);
        replaced += code;
        rest = after;
    }
    replaced + &rest.replace(from, to)
}

fn too_long(spent: Option<Spent>) -> String {
    // Nobody needs seconds after hours.
    let lasting = |time: TimeDelta| {
        let minutes = u64::try_from(time.num_minutes()).unwrap_or(0);
        humantime::format_duration(std::time::Duration::from_secs(minutes * 60)).to_string()
    };
    match spent {
        None => "It did not end in time".to_owned(),
        Some(Spent {
            waiting,
            running: None,
        }) => format!("It never started: it waited for {}", lasting(waiting)),
        Some(Spent {
            waiting,
            running: Some(running),
        }) => format!(
            "It took too long: it waited for {} and ran for {}",
            lasting(waiting),
            lasting(running)
        ),
    }
}

const IN_SHORT: &str = "In short: ";

impl OutcomeNote {
    /// What the benchmark said of its results itself, as far as it was posted.
    pub fn summary(&self) -> Option<&str> {
        let (_, rest) = self.body.split_once(IN_SHORT)?;
        let inside = rest.trim_start_matches('`');
        let fence = &rest[..rest.len() - inside.len()];
        let (summary, _) = inside.split_once(fence)?;
        Some(summary.trim())
    }
}

/// In characters. A longer one is cut off.
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
    format!("{IN_SHORT}{}. ", code(&shown))
}

fn artifacts(details: &Details) -> String {
    details.results.as_ref().map_or(String::new(), |results| {
        let (name, url) = (code(&results.job.name), &results.job.web_url);
        match &results.file {
            Some(file) => {
                let (shown, path) = (code(file), segments(file));
                format!("[{shown}]({url}/artifacts/file/{path}), ")
            }
            None => format!("[artifacts of {name}]({url}/artifacts/browse), "),
        }
    })
}

/// What made a job fail, as far as GitLab's reason shows.
#[derive(PartialEq)]
enum FailureCause {
    Script,
    Machine,
    Unsaid,
}

/// Only a failure that may well not happen again counts as the machine's. GitLab's words are listed in its
/// `app/models/concerns/enums/ci/commit_status.rb`, and each version adds some.
fn failure_cause(job: &Job) -> FailureCause {
    match job.failure_reason() {
        "script_failure" => FailureCause::Script,
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
        | "data_integrity_failure" => FailureCause::Machine,
        _ => FailureCause::Unsaid,
    }
}

const MAX_JOBS: usize = 5;

fn results(artifacts: &str) -> String {
    match artifacts {
        "" => String::new(),
        artifacts => format!("Results: {}. ", artifacts.trim_end_matches(", ")),
    }
}

/// Which jobs failed and why, and how to try again.
fn failures(details: &Details, label: &str) -> String {
    let named = &details.failed[..details.failed.len().min(MAX_JOBS)];
    let mut text = String::new();
    for (whose, lead) in [
        (FailureCause::Script, "The script failed: look at"),
        (FailureCause::Machine, "The machine failed, not the commit:"),
        (FailureCause::Unsaid, "Failed:"),
    ] {
        let jobs = named.iter().filter(|job| failure_cause(job) == whose);
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
            .all(|job| failure_cause(job) == FailureCause::Machine);
    let label = code(label);
    text + &match machine {
        true => format!("Just add the label {label} again; {ASK}."),
        false => format!("To try again, add the label {label} again."),
    }
}

pub(super) fn link(pipeline: PipelineId, web_url: &str) -> String {
    format!("[pipeline {pipeline}]({web_url})")
}

/// GitLab's Markdown does not accept a longer row of backticks as a fence.
const LONGEST_FENCE: usize = 80;

/// Foreign text as inline code: one line without invisible characters, in a fence longer than any row of backticks in it.
pub(super) fn code(text: &str) -> String {
    let mut text = crate::sanitize::one_line(text);
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
