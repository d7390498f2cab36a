//! The texts of a discussion's first note while its request waits.

use chrono::{DateTime, Utc};

use super::first_note::unstarted;
use super::words::code;
use super::{Marker, OpeningNote, marked};
use crate::id::{ProjectId, Sha};
use crate::snapshot::Request;

/// What a request waits for before its benchmark starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Waits {
    NoPipeline,
    PipelineOutdated,
    PipelineUnfinished,
    PipelineUnsuccessful,
    ChangedSinceRequest,
    Unvouched,
    /// Nothing is started at present.
    Paused,
    /// Its place in the queue, and when it is expected to start.
    Place(usize, Option<DateTime<Utc>>),
}

impl Waits {
    /// The note is edited when this changes. An expected time is no reason for that.
    pub fn key(self) -> String {
        let word = match self {
            Self::NoPipeline => "no-pipeline",
            Self::PipelineOutdated => "pipeline-outdated",
            Self::PipelineUnfinished => "pipeline-unfinished",
            Self::PipelineUnsuccessful => "pipeline-unsuccessful",
            Self::ChangedSinceRequest => "changed-since-request",
            Self::Unvouched => "unvouched",
            Self::Paused => "paused",
            Self::Place(place, _) => return format!("place-{place}"),
        };
        word.to_owned()
    }

    fn sentence(self, label: &str) -> String {
        let look = format!(
            "A Developer of this project has to look at them, take the label {} off and add it again.",
            code(label)
        );
        let start = "Somebody who may push to the branch has to start one: with a push, or with *Run pipeline* in the tab \
                     *Pipelines*.";
        match self {
            Self::NoPipeline => format!("It waits, since there is no pipeline for the merge request. {start}"),
            Self::PipelineOutdated => {
                format!("It waits, since there is no pipeline for the latest commit. {start}")
            }
            Self::PipelineUnfinished => {
                "It joins the queue as soon as the pipeline of the merge request has passed.".to_owned()
            }
            Self::PipelineUnsuccessful => "It waits, since the pipeline of the merge request did not pass. Somebody who may \
                                           push to the branch has to retry it or push a fix."
                .to_owned(),
            Self::ChangedSinceRequest => {
                format!("It waits, since new commits came from the fork after the label was added. {look}")
            }
            Self::Unvouched => format!("It waits, since nobody vouches for the commits of the fork. {look}"),
            Self::Paused => "It waits in the queue, since bench-bot is paused: nothing starts until whoever runs it raises \
                             `--max-in-flight`."
                .to_owned(),
            Self::Place(1, at) => format!("It is next in the queue{}.", about(at)),
            Self::Place(place, at) => format!("It is number {place} in the queue{}.", about(at)),
        }
    }
}

fn about(at: Option<DateTime<Utc>>) -> String {
    match at {
        Some(at) => format!(
            ", and expected to start at about {}",
            at.format("%H:%M UTC on %-d %b")
        ),
        None => String::new(),
    }
}

/// The first note of a discussion that is opened while the request waits. `project`: the benchmark project.
pub fn announced(
    request: &Request,
    project: ProjectId,
    branch: &str,
    head: Option<&Sha>,
    waits: &Waits,
) -> String {
    let marker = unstarted(request, project, head, None, Some(waits.key()));
    marked(&text(request, branch, waits), &marker)
}

/// The same note when the request waits for something else.
pub fn announced_again(
    opening: &OpeningNote,
    request: &Request,
    branch: &str,
    waits: &Waits,
) -> String {
    let marker = Marker::Start {
        request: opening.request,
        pipeline: None,
        label: opening.label.clone(),
        sha: opening.sha.clone(),
        project: opening.project,
        triggered: opening.triggered,
        state: None,
        waits: Some(waits.key()),
    };
    marked(&text(request, branch, waits), &marker)
}

fn text(request: &Request, branch: &str, waits: &Waits) -> String {
    let label = &request.label;
    format!(
        "**Benchmark requested** for {}. {} To cancel it, take the label {} off.",
        code(branch),
        waits.sentence(label),
        code(label)
    )
}
