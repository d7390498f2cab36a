//! What a rehearsal says, and what it proves beside.

use super::super::findings::{Findings, Rehearsal};
use super::Check;
use super::benchmark::who_cancels;
use super::project::look_above;
use crate::gitlab::answer::{Outcome, Status};
use crate::gitlab::{ErrorKind, GRANT};

pub fn check(findings: &Findings, rehearsal: &Rehearsal) -> Check {
    let name = "rehearsal";
    let (url, read_back, cancelled) = match rehearsal {
        Rehearsal::Started {
            url,
            read_back,
            cancelled,
        } => (url, read_back, cancelled),
        Rehearsal::NotStarted(error) if kept_from_jobs(&error.message) => {
            return Check::warning(
                name,
                "GitLab would start one, but the CI file has no job for it",
                "let a job's rules accept it: - if: $BENCH_SHA || $BENCH_REHEARSAL",
            );
        }
        Rehearsal::NotStarted(error) => {
            let because = &error.message;
            return match error.kind {
                ErrorKind::Refused(status) => {
                    let mend = "mend that: benchmarks would be refused likewise";
                    let way = match &findings.benchmark.settings {
                        _ if error.fine_grained() => GRANT.to_owned(),
                        Ok(settings) if status == 403 => {
                            format!("{mend}\n{}", look_above(settings))
                        }
                        _ => mend.to_owned(),
                    };
                    Check::fails(name, format!("GitLab does not start it ({because})"), way)
                }
                ErrorKind::Transient => Check::needed(
                    name,
                    format!("GitLab does not start it now ({because})"),
                    "try again in a minute",
                ),
                ErrorKind::Unclear | ErrorKind::NotGitlab(_) => Check::needed(
                    name,
                    format!("it may have started or not ({because})"),
                    format!(
                        "look, and cancel it: {}/{}/-/pipelines",
                        findings.url,
                        findings.benchmark.path()
                    ),
                ),
            };
        }
    };
    let cancel = format!("cancel it: {url}");
    match (read_back, cancelled) {
        (Ok(true), Ok(Status::Ended(Outcome::Canceled))) => {
            Check::holds(name, format!("started, read back and cancelled: {url}"))
        }
        (Ok(true), Ok(Status::Ended(outcome))) => Check::holds(
            name,
            format!(
                "started and read back, and over before it was cancelled ({}): {url}",
                outcome.word()
            ),
        ),
        (Ok(true), Ok(status)) if status.word() == CANCELING => Check::holds(
            name,
            format!("started, read back, and being cancelled: {url}"),
        ),
        (Ok(true), Ok(status)) => Check::needed(
            name,
            format!(
                "GitLab was asked to cancel it and did not refuse, but it is still {}",
                status.word()
            ),
            format!("see whether it ends, and else {cancel}"),
        ),
        (Ok(true), Err(error)) => {
            let detail = format!("it cannot be cancelled ({})", error.message);
            let ways = match (&findings.benchmark.settings, error.refused()) {
                _ if error.fine_grained() => format!("{GRANT}\n{cancel}"),
                (Ok(settings), Some(_)) => format!(
                    "let the bot's role cancel, under {}\n{cancel}",
                    who_cancels(settings)
                ),
                _ => cancel,
            };
            Check::fails(name, detail, ways)
        }
        (Ok(false), _) => Check::fails(
            name,
            "its variables came back as others",
            format!("see what it was given: {url}"),
        ),
        (Err(error), _) => {
            let way = match error.fine_grained() {
                true => GRANT,
                false => {
                    "make the bot a Maintainer, or name an unprotected branch: --ref (BENCH_BOT_REF)"
                }
            };
            Check::fails(
                name,
                format!("its variables cannot be read back ({})", error.message),
                format!("{way}\nsee that it is cancelled: {url}"),
            )
        }
    }
}

/// What GitLab calls a pipeline whose jobs have been told to end.
pub const CANCELING: &str = "canceling";

/// What was tried settles what no setting shows, and nothing beyond that.
pub fn apply(checks: &mut [Check], findings: &Findings, rehearsal: &Rehearsal) {
    let (let_through, cancelled) = match rehearsal {
        Rehearsal::Started {
            read_back,
            cancelled,
            ..
        } => (
            matches!(read_back, Ok(true)),
            matches!(cancelled, Ok(status) if status.word() == CANCELING
                || *status == Status::Ended(Outcome::Canceled)),
        ),
        Rehearsal::NotStarted(error) => (kept_from_jobs(&error.message), false),
    };
    // A fine-grained token has a permission for each of the three requests, any other one for all.
    let writes = let_through && (cancelled || !findings.benchmark_identity().fine_grained());
    let (own_scopes, scopes) = match findings.benchmark_token {
        Some(_) => (true, "benchmark-token-scopes"),
        None => (writes, "token-scopes"),
    };
    for check in checks {
        let proved = match check.name {
            "cancel" => cancelled,
            _ if !check.verdict.is_blocking() => false,
            "token-scopes" => match &findings.tried {
                Some(Err(error)) if error.refused().is_some() => {
                    let place = findings.source.path();
                    let detail = format!("it may not write in {place} ({})", error.message);
                    *check = Check::fails("token-scopes", detail, GRANT);
                    false
                }
                tried => own_scopes && matches!(tried, Some(Ok(()))),
            },
            name if name == scopes => writes,
            "benchmark-project" | "benchmark-role" | "ci" | "ref" | "ref-access" | "ci-file"
            | "pipeline-variables" => let_through,
            _ => false,
        };
        if proved {
            *check = Check::holds(check.name, "the rehearsal has proved it");
        }
    }
}

/// GitLab comes to the rules of the CI file when all the rest has been let through.
fn kept_from_jobs(message: &str) -> bool {
    ["workflow rules", "rules configuration", "No stages / jobs"]
        .iter()
        .any(|text| message.contains(text))
}
