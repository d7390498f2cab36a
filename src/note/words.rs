//! The texts of the reply with the outcome.

use chrono::TimeDelta;

use super::failures::failures;
use super::fold::folded;
use super::{MARKER, Marker, OutcomeNote, Verdict, marked};
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

/// In characters. A longer one is cut off.
const LONGEST_SUMMARY: usize = 200;

impl Details {
    /// What the summary begins with, if there are reliable results.
    pub fn verdict(&self, end: End) -> Option<Verdict> {
        let (verdict, _) = Verdict::of(self.summary()?.as_str())?;
        (end == End::Pipeline(Outcome::Success)).then_some(verdict)
    }

    /// The first line of the summary, cut off if it is long.
    fn summary(&self) -> Option<String> {
        let whole = self.results.as_ref()?.summary.as_ref()?;
        let shown = match whole.chars().count() > LONGEST_SUMMARY {
            true => whole
                .chars()
                .take(LONGEST_SUMMARY - 1)
                .chain(['…'])
                .collect(),
            false => whole.clone(),
        };
        Some(crate::sanitize::one_line(&shown))
    }

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
pub(super) const ASK: &str = "if that does not help, ask a Maintainer of the benchmark project";

/// The reply that posts the outcome.
pub fn outcome(record: &Record, end: End, label: &str, details: &Details) -> String {
    let (sign, word) = (end.sign(), end.word());
    let commit = code(record.task.sha.short());
    let pipeline = link(record.pipeline, &record.web_url);
    let (summary, verdict, artifacts) =
        (details.summary(), details.verdict(end), artifacts(details));
    let in_short = match &summary {
        Some(summary) if verdict.is_none() => format!("In short: {}. ", code(summary)),
        _ => String::new(),
    };
    let mut more = match end {
        End::Pipeline(Outcome::Success) => format!(
            "{in_short}{}To benchmark it again, add the label {} again.",
            results(&artifacts),
            code(label)
        ),
        End::Pipeline(_) => {
            let failures = failures(details, label);
            format!("{in_short}See {artifacts}{pipeline}. {failures}")
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
            "{in_short}All its jobs have ended except manual ones, for which {pipeline} waits: it {TO_BE_CANCELLED}. \
             {}To try again, add the label {} again; {ASK}.",
            results(&artifacts),
            code(label)
        ),
    };
    if let Some(first) = &details.first_end {
        more += &format!(" It was {} at first, and somebody retried it.", code(first));
    }
    let ended = format!("{pipeline} for commit {commit} ended with {word}");
    let lead = match (end, verdict) {
        (_, Some(verdict)) => {
            let judged = summary.as_deref().and_then(Verdict::of);
            let figures = match judged.map_or("", |(_, figures)| figures) {
                "" => String::new(),
                figures => format!(": {}", code(figures)),
            };
            format!("{}{figures}. {ended}", verdict.lead())
        }
        // GitLab's word alone would read as if the commit were no slower.
        (End::Pipeline(Outcome::Success), None) => {
            format!("{sign} **Benchmark finished**: {ended}")
        }
        _ => format!("{sign} **Benchmark {word}**: commit {commit}"),
    };
    let figures = match (end, &details.results) {
        (End::ResultsFailed, _) | (_, None) => String::new(),
        (_, Some(results)) => folded(&results.figures),
    };
    let text = format!("{lead}. {}", more.trim_start());
    let text = format!("{}{figures}", text.trim_end());
    let marker = Marker::Outcome {
        request: record.task.request,
        cancels: end.cancels(),
        label: Some(record.task.label.clone()),
        pipeline: Some(record.pipeline),
        end: Some(word.to_owned()),
        status: end.status().map(str::to_owned),
        verdict,
        summary,
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
        verdict: note.verdict,
        summary: note.summary.clone(),
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

fn results(artifacts: &str) -> String {
    match artifacts {
        "" => String::new(),
        artifacts => format!("Results: {}. ", artifacts.trim_end_matches(", ")),
    }
}

/// Which jobs failed and why, and how to try again.
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
