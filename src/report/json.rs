//! The report for scripts, which depend on version 1 of its format. Fields are null or empty, but never absent.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::Report;
use super::explain::{self, Sentence};
use crate::act::{Action, Effect};
use crate::id::{Iid, PipelineId, ProjectId, RequestId, Sha};
use crate::milestones::Milestones;
use crate::note::Verdict;
use crate::plan::{self, Queued};
use crate::record::Record;
use crate::sanitize::is_unsafe;

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    command: &'a str,
    dry_run: bool,
    project: &'a str,
    benchmark_project: &'a str,
    in_flight: Vec<InFlight<'a>>,
    queue: Vec<InQueue<'a>>,
    waiting: Vec<Waiting<'a>>,
    /// For all commands except `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<Vec<Acted<'a>>>,
    /// For `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<Vec<Ended<'a>>>,
    /// For `status N`.
    #[serde(skip_serializing_if = "Option::is_none")]
    conditions: Option<Vec<Checked<'a>>>,
}

#[derive(Serialize)]
struct Ended<'a> {
    mr: Option<Iid>,
    label: &'a str,
    sha: &'a Sha,
    outcome: &'a str,
    verdict: Option<Verdict>,
    requested_at: Option<String>,
    ready_at: Option<String>,
    started_at: Option<String>,
    ended_at: Option<String>,
    benchmark_pipeline: Pipeline<'a>,
}

/// A condition of `status N`, or a check of `doctor`.
#[derive(Serialize)]
pub(super) struct Checked<'a> {
    pub name: &'a str,
    pub ok: Option<bool>,
    pub detail: Cow<'a, str>,
    pub hint: Option<&'a str>,
}

#[derive(Serialize)]
struct InFlight<'a> {
    /// Null for a record of another source project, which has its own numbers.
    mr: Option<Iid>,
    label: &'a str,
    sha: &'a Sha,
    status: &'a str,
    overdue: bool,
    benchmark_pipeline: Pipeline<'a>,
}

#[derive(Serialize)]
struct Pipeline<'a> {
    id: PipelineId,
    web_url: &'a str,
}

#[derive(Serialize)]
struct InQueue<'a> {
    mr: Iid,
    label: &'a str,
    branch: &'a str,
    sha: &'a Sha,
    request_id: RequestId,
    requested_at: Option<String>,
    expected_at: Option<String>,
    pipeline: SourcePipeline<'a>,
}

#[derive(Serialize)]
struct SourcePipeline<'a> {
    id: PipelineId,
    started_at: Option<String>,
    web_url: &'a str,
}

#[derive(Serialize)]
struct Waiting<'a> {
    mr: Iid,
    /// Null if the merge request could not be read.
    label: Option<&'a str>,
    reason: &'a str,
}

#[derive(Serialize)]
struct Acted<'a> {
    action: &'a str,
    mr: Iid,
    label: &'a str,
    outcome: &'a str,
    benchmark_pipeline: Option<Pipeline<'a>>,
    error: Option<&'a str>,
}

pub fn json(report: &Report) -> String {
    let plan = report.plan;
    let waiting = plan.waiting.iter();
    let sentences = report.status.as_ref().and_then(|status| {
        let explained = status.explained.as_ref()?;
        let sentences = explain::sentences(report, explained);
        Some(sentences.into_iter().flatten().collect::<Vec<_>>())
    });
    let json = Json {
        version: 1,
        command: report.command,
        dry_run: report.dry_run,
        project: &report.source.path_with_namespace,
        benchmark_project: &report.benchmark.path_with_namespace,
        in_flight: plan
            .in_flight
            .iter()
            .map(|found| in_flight(found, report.source.id))
            .collect(),
        queue: plan.queue.iter().map(in_queue).collect(),
        waiting: waiting
            .map(|waiting| Waiting {
                mr: waiting.iid,
                label: waiting.label,
                reason: waiting.reason.word(),
            })
            .collect(),
        actions: match report.status {
            None => Some(report.actions.iter().map(acted).collect()),
            Some(_) => None,
        },
        ended: report.status.as_ref().map(|status| {
            let all = status.ended.iter();
            all.map(|(record, milestones)| ended(report, record, milestones))
                .collect()
        }),
        conditions: sentences
            .as_ref()
            .map(|sentences| sentences.iter().map(condition).collect()),
    };
    printed(&json)
}

pub(super) fn printed(json: &impl Serialize) -> String {
    // Serializing strings, numbers and lists cannot fail.
    escaped(&serde_json::to_string_pretty(json).unwrap_or_default()) + "\n"
}

/// Escapes characters in JSON strings to which a terminal might react.
fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe(c) && c != '\n' {
            let units = c
                .encode_utf16(&mut [0; 2])
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect::<String>();
            escaped += &units;
        } else {
            escaped.push(c);
        }
    }
    escaped
}

fn in_flight<'a>(found: &plan::InFlight<'a>, source: ProjectId) -> InFlight<'a> {
    let record = found.record;
    InFlight {
        mr: (record.task.project == source).then_some(record.task.mr),
        label: &record.task.label,
        sha: &record.task.sha,
        status: record.status.word(),
        overdue: found.place == plan::Place::Overdue,
        benchmark_pipeline: Pipeline {
            id: record.pipeline,
            web_url: &record.web_url,
        },
    }
}

fn ended<'a>(report: &Report<'a>, record: &'a Record, milestones: &Milestones) -> Ended<'a> {
    let source = report.source.id;
    Ended {
        mr: (record.task.project == source).then_some(record.task.mr),
        label: &record.task.label,
        sha: &record.task.sha,
        outcome: record.status.word(),
        verdict: report.reply(record).and_then(|reply| reply.verdict),
        requested_at: milestones.requested_at.map(rfc3339),
        ready_at: milestones.ready_at.map(rfc3339),
        started_at: milestones.started_at.map(rfc3339),
        ended_at: milestones.ended_at.map(rfc3339),
        benchmark_pipeline: Pipeline {
            id: record.pipeline,
            web_url: &record.web_url,
        },
    }
}

fn condition(sentence: &Sentence) -> Checked<'_> {
    Checked {
        name: sentence.name,
        ok: sentence.holds,
        detail: match &sentence.link {
            Some(link) => format!("{}: {link}", sentence.detail).into(),
            None => sentence.detail.as_str().into(),
        },
        hint: sentence.hint.as_deref(),
    }
}

fn in_queue<'a>(queued: &'a Queued<'a>) -> InQueue<'a> {
    InQueue {
        mr: queued.mr.iid,
        label: &queued.request.label,
        branch: &queued.mr.branch,
        sha: queued.head,
        request_id: queued.request.id,
        requested_at: queued.request.at.map(rfc3339),
        expected_at: queued.expected_at.map(rfc3339),
        pipeline: SourcePipeline {
            id: queued.pipeline.id,
            started_at: queued.pipeline.started_at.map(rfc3339),
            web_url: &queued.pipeline.web_url,
        },
    }
}

fn acted(action: &Action) -> Acted<'_> {
    let (outcome, error) = match &action.effect {
        Effect::Done => ("done", None),
        Effect::Planned => ("planned", None),
        Effect::Failed(error) => ("failed", Some(error.as_str())),
    };
    let benchmark_pipeline = action.pipeline.as_ref();
    Acted {
        action: action.verb.word(),
        mr: action.mr,
        label: &action.label,
        outcome,
        benchmark_pipeline: benchmark_pipeline.map(|pipeline| Pipeline {
            id: pipeline.id,
            web_url: &pipeline.web_url,
        }),
        error,
    }
}

pub fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
