//! The texts of a discussion's first note, which bench-bot edits as things change.

use super::words::{code, link};
use super::{Marker, OpeningNote, Unstarted, marked};
use crate::id::{PipelineId, ProjectId, Sha};
use crate::record::Task;
use crate::snapshot::Request;

/// The first note when the discussion is opened. `project`, here and below: the benchmark project.
pub fn opening(request: &Request, project: ProjectId, branch: &str, head: Option<&Sha>) -> String {
    let text = format!(
        "**Benchmark requested**: it starts soon for {}, unless somebody takes the label {} off.",
        code(branch),
        code(&request.label)
    );
    marked(&text, &unstarted(request, project, head, None, None))
}

/// The marker before there is a pipeline.
pub(super) fn unstarted(
    request: &Request,
    project: ProjectId,
    head: Option<&Sha>,
    state: Option<Unstarted>,
    waits: Option<String>,
) -> Marker {
    Marker::Start {
        request: request.id,
        pipeline: None,
        label: Some(request.label.clone()),
        sha: head.cloned(),
        project: Some(project),
        triggered: request.triggered_for(head),
        state,
        waits,
    }
}

/// The first note after GitLab has refused the pipeline.
pub fn refused(
    task: &Task,
    request: &Request,
    project: ProjectId,
    (state, reason): (Unstarted, &str),
) -> String {
    let again = match state {
        Unstarted::Unavailable => {
            "A Maintainer of the benchmark project has to fix that, and then it starts"
        }
        Unstarted::Refused | Unstarted::Closed => {
            "Later runs try again, and a Maintainer of the benchmark project may know more"
        }
    };
    let text = format!(
        "**Benchmark not started**: GitLab refused the pipeline for commit {} of {}: {}. \
         {again}. To cancel it, take the label {} off.",
        code(task.sha.short()),
        code(&task.branch),
        code(reason),
        code(&task.label)
    );
    marked(
        &text,
        &unstarted(request, project, Some(&task.sha), Some(state), None),
    )
}

/// Why a request went away before its benchmark started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    Unlabelled,
    Merged,
    Closed,
}

/// The first note of a discussion in which nothing more will happen. If it links to a pipeline, somebody deleted that
/// pipeline, or it ended in another project.
pub fn closed(opening: &OpeningNote, label: &str, why: CloseReason) -> String {
    let label = code(label);
    let why = match why {
        CloseReason::Unlabelled => format!("the label {label} was taken off"),
        CloseReason::Merged => "the merge request was merged".to_owned(),
        CloseReason::Closed => "the merge request was closed".to_owned(),
    };
    let text = match opening.linked {
        None => format!("**Benchmark not started**: {why} before its turn."),
        Some(pipeline) => {
            format!("**Benchmark without an outcome**: pipeline {pipeline} is gone, and {why}.")
        }
    };
    let text =
        format!("{text} To request it again, add the label {label} to an open merge request.");
    let marker = Marker::Start {
        request: opening.request,
        pipeline: None,
        label: opening.label.clone(),
        sha: opening.sha.clone(),
        project: opening.project,
        triggered: None,
        state: Some(Unstarted::Closed),
        waits: None,
    };
    marked(&text, &marker)
}

/// The first note when the pipeline has been created.
pub fn started(task: &Task, project: ProjectId, pipeline: PipelineId, web_url: &str) -> String {
    let base = match &task.base {
        Some(base) => format!(
            ", to be compared with {}, its merge base with {}",
            code(base.short()),
            code(&task.target_branch)
        ),
        None => String::new(),
    };
    let text = format!(
        "**Benchmark started**: {} measures commit {} of {}{base}. I'll post the result here. \
         To cancel it, take the label {} off.",
        link(pipeline, web_url),
        code(task.sha.short()),
        code(&task.branch),
        code(&task.label)
    );
    let marker = Marker::Start {
        request: task.request,
        pipeline: Some(pipeline),
        label: Some(task.label.clone()),
        sha: Some(task.sha.clone()),
        project: Some(project),
        triggered: None,
        state: None,
        waits: None,
    };
    marked(&text, &marker)
}
