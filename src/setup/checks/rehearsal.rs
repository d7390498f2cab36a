//! The check of the rehearsal, and which other checks it proves.

use super::super::findings::{Findings, Rehearsal};
use super::Check;
use super::benchmark::who_cancels;
use super::project::look_above;
use crate::gitlab::answer::{Outcome, Status};
use crate::gitlab::{Error, ErrorKind, GRANT};

pub fn check(findings: &Findings, rehearsal: &Rehearsal) -> Check {
    let name = "rehearsal";
    let (url, read_back, cancelled) = match rehearsal {
        Rehearsal::Started {
            url,
            read_back,
            cancelled,
        } => (url, read_back, cancelled),
        Rehearsal::Ran {
            url,
            read_back: Ok(true),
            ended,
            said,
        } => return ran(url, ended, said.as_deref()),
        Rehearsal::Ran {
            url,
            read_back,
            ended,
            ..
        } => (url, read_back, ended),
        Rehearsal::NotStarted(error) if kept_from_jobs(&error.message) => {
            return Check::warning(
                name,
                "GitLab would start a pipeline, but the CI file has no job for it",
                "let the rules of a job accept it: - if: $BENCH_SHA || $BENCH_REHEARSAL",
            );
        }
        Rehearsal::NotStarted(error) => {
            let because = &error.message;
            return match error.kind {
                ErrorKind::Refused(status) => {
                    let fix = "fix this: GitLab would refuse benchmarks too";
                    let way = match &findings.benchmark.settings {
                        _ if error.fine_grained() => GRANT.to_owned(),
                        Ok(settings) if status == 403 => {
                            format!("{fix}\n{}", look_above(settings))
                        }
                        _ => fix.to_owned(),
                    };
                    Check::fails(
                        name,
                        format!("GitLab refuses to start the pipeline ({because})"),
                        way,
                    )
                }
                ErrorKind::Transient => Check::needed(
                    name,
                    format!("GitLab does not start a pipeline at the moment ({because})"),
                    "try again in a minute",
                ),
                ErrorKind::Unclear | ErrorKind::NotGitlab(_) => Check::needed(
                    name,
                    format!("the pipeline may have started or not ({because})"),
                    format!(
                        "look for it, and cancel it: {}/{}/-/pipelines",
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
                "started and read back; it ended before it was cancelled ({}): {url}",
                outcome.word()
            ),
        ),
        (Ok(true), Ok(status)) if status.word() == CANCELING => Check::holds(
            name,
            format!("started, read back and being cancelled: {url}"),
        ),
        (Ok(true), Ok(status)) => Check::needed(
            name,
            format!(
                "GitLab accepted the cancel, but the pipeline is still {}",
                status.word()
            ),
            format!("check whether it ends; otherwise {cancel}"),
        ),
        (Ok(true), Err(error)) => {
            let detail = format!("the pipeline cannot be cancelled ({})", error.message);
            let ways = match (&findings.benchmark.settings, error.refused()) {
                _ if error.fine_grained() => format!("{GRANT}\n{cancel}"),
                (Ok(settings), Some(_)) => format!(
                    "allow the bot's role to cancel, under {}\n{cancel}",
                    who_cancels(settings)
                ),
                _ => cancel,
            };
            Check::fails(name, detail, ways)
        }
        (Ok(false), _) => Check::fails(
            name,
            "the pipeline's variables came back changed",
            format!("check which variables it has: {url}"),
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
                format!(
                    "the pipeline's variables cannot be read back ({})",
                    error.message
                ),
                format!("{way}\nmake sure that it is cancelled: {url}"),
            )
        }
    }
}

/// A rehearsal that was to run to its end.
fn ran(url: &str, ended: &Result<Status, Error>, said: Option<&str>) -> Check {
    let name = "rehearsal";
    match ended {
        Ok(Status::Ended(Outcome::Success)) => Check::holds(
            name,
            format!("ran to its end: {}: {url}", said.unwrap_or("success")),
        ),
        Ok(Status::Ended(outcome)) => Check::fails(
            name,
            format!("ran, and ended as {}", outcome.word()),
            format!("look at its jobs, for benchmarks would end alike: {url}"),
        ),
        Ok(status) => Check::needed(
            name,
            format!("did not end in time (--timeout): it is {}", status.word()),
            format!("check whether a runner takes its jobs: {url}"),
        ),
        Err(error) => Check::needed(
            name,
            format!(
                "started, but it cannot be read how it ended ({})",
                error.message
            ),
            format!("look at it: {url}"),
        ),
    }
}

/// GitLab's status for a pipeline whose running jobs have yet to stop.
pub const CANCELING: &str = "canceling";

/// Marks the checks that the rehearsal has proved, and no others.
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
        Rehearsal::Ran { read_back, .. } => (matches!(read_back, Ok(true)), false),
        Rehearsal::NotStarted(error) => (kept_from_jobs(&error.message), false),
    };
    // A fine-grained token needs a permission for each of the three requests, another token has one scope for all.
    let writes = let_through && (cancelled || !findings.benchmark_identity().fine_grained());
    let (own_scopes, scopes) = match findings.benchmark_token {
        Some(_) => (true, "benchmark-token-scopes"),
        None => (writes, "token-scopes"),
    };
    for check in checks {
        let proved = match check.name {
            "cancel" => cancelled,
            _ if !check.result.is_blocking() => false,
            "token-scopes" => match &findings.tried {
                Some(Err(error)) if error.refused().is_some() => {
                    let place = findings.source.path();
                    let detail = format!("the token may not write in {place} ({})", error.message);
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
            *check = Check::holds(check.name, "proved by the rehearsal");
        }
    }
}

/// GitLab evaluates the rules of the CI file last, so everything before was accepted.
fn kept_from_jobs(message: &str) -> bool {
    ["workflow rules", "rules configuration", "No stages / jobs"]
        .iter()
        .any(|text| message.contains(text))
}
