//! What a refused pipeline means for the requests behind it.

use std::collections::BTreeSet;

use bench_bot::gitlab::{Error, ErrorKind};
use bench_bot::plan::{MAX_REFUSALS, RefusedBy, to_retry};
use chrono::TimeDelta;

use crate::scene::at;

fn refused(status: u16, message: &str) -> RefusedBy {
    let status = status.try_into().expect("a status");
    RefusedBy::of(&Error {
        kind: ErrorKind::Refused(status),
        request: "POST /projects/8/pipeline".to_owned(),
        message: format!("{}: {message}", status.as_u16()),
    })
}

/// In GitLab's own words, in the order in which it looks.
#[test]
fn what_concerns_every_request() {
    for message in [
        "Project is deleted!",
        "Pipelines are disabled!",
        "You cannot run pipelines before project import is complete.",
        "Insufficient permissions to create a new pipeline",
        "You do not have sufficient permission to run a pipeline on 'main'. Please select a different branch or contact \
         your administrator for assistance.",
        "You do not have sufficient permission to run a pipeline on 'main'. Please select a different branch or contact \
         your administrator for assistance. Learn more",
        "Ref is ambiguous",
        "Reference not found",
        "Commit not found",
        "Insufficient permissions to set pipeline variables",
        "Duplicate variable name: A",
        "Duplicate variable names: A, B",
        "Failed to build the pipeline!; variables.key can't be blank",
        "Missing CI config file",
        "Missing .gitlab-ci.yml file",
        "jobs:benchmark config should implement the script:, run:, or trigger: keyword",
        "root config contains unknown keys: scripts",
        "Identity verification is required in order to run CI jobs",
    ] {
        assert_eq!(refused(400, message), RefusedBy::Project, "{message}");
    }
    for (status, message) in [
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "Project Not Found"),
    ] {
        assert_eq!(refused(status, message), RefusedBy::Project, "{message}");
    }
}

#[test]
fn what_may_lie_in_the_request() {
    for message in [
        "Pipeline filtered out by workflow rules.",
        "Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from being added to \
         the pipeline.",
        "No stages / jobs for this pipeline.",
        "'report' job needs 'benchmark' job, but 'benchmark' does not exist in the pipeline",
        "This pipeline did not run because the code should be reviewed by a non-AI user first. Please verify this change \
         is okay before running a new pipeline.",
        "Pipeline size limit exceeded by 1 job!",
        "Pipeline has too many deployments! Requested 9, but the limit is 5.",
        "External validation failed",
        "Failed to build the pipeline!",
        "Failed to persist the pipeline: something",
        "Undefined error (01HX)",
        "words of the future",
    ] {
        assert_eq!(refused(400, message), RefusedBy::Request, "{message}");
    }
}

#[test]
fn all_refused_requests_are_asked_for_again() {
    for waiting in [0, 1, MAX_REFUSALS, 40] {
        let all: Vec<usize> = (0..waiting).collect();
        let mut retried = to_retry(all.clone(), at(3));
        retried.sort_unstable();
        assert_eq!(retried, all);
    }
}

/// However often the schedule runs, and however many wait.
#[test]
fn each_has_its_turn() {
    for every in [1, 5, 6, 10, 15, 30, 60, 24 * 60] {
        for waiting in 7..40 {
            let runs = (0..300).map(|run| at(0) + TimeDelta::minutes(every) * run);
            let asked: BTreeSet<usize> = runs
                .flat_map(|now| {
                    let asked = to_retry((0..waiting).collect(), now);
                    asked.into_iter().take(MAX_REFUSALS)
                })
                .collect();
            assert_eq!(
                asked.len(),
                waiting,
                "{waiting} waiting, a run each {every} minutes"
            );
        }
    }
}
