//! Which jobs failed, and whether the commit or the machine is to blame.

use super::words::{ASK, Details, code};
use crate::gitlab::answer::Job;

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

pub(super) fn failures(details: &Details, label: &str) -> String {
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
