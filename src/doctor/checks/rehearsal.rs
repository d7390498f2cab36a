//! What a rehearsal says, and what it proves beside.

use super::super::findings::{Findings, Rehearsal};
use super::Check;
use crate::gitlab::Kind;

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
                Kind::Refused(_) => Check::fails(
                    name,
                    format!("GitLab does not start it ({because})"),
                    "mend that: benchmarks would be refused likewise",
                ),
                Kind::Passing => Check::needed(
                    name,
                    format!("GitLab does not start it now ({because})"),
                    "try again in a minute",
                ),
                Kind::Unclear | Kind::NotGitlab(_) => Check::needed(
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
    match (read_back, cancelled) {
        (Ok(true), Ok(())) => {
            Check::holds(name, format!("started, read back and cancelled: {url}"))
        }
        (Ok(true), Err(error)) => Check::fails(
            name,
            format!("it cannot be cancelled ({})", error.message),
            format!("cancel it: {url}"),
        ),
        (Ok(false), _) => Check::fails(
            name,
            "its variables came back as others",
            format!("see what it was given: {url}"),
        ),
        (Err(error), _) => Check::fails(
            name,
            format!("its variables cannot be read back ({})", error.message),
            format!(
                "make the bot a Maintainer, or name an unprotected branch: --ref (BENCH_BOT_REF)\nsee that it is cancelled: {url}"
            ),
        ),
    }
}

/// A pipeline that was let through settles what no setting shows.
pub fn prove(checks: &mut [Check], findings: &Findings, rehearsal: &Rehearsal) {
    let let_through = match rehearsal {
        Rehearsal::Started { read_back, .. } => matches!(read_back, Ok(true)),
        Rehearsal::NotStarted(error) => kept_from_jobs(&error.message),
    };
    let scopes = match findings.benchmark_token {
        Some(_) => "benchmark-token-scopes",
        None => "token-scopes",
    };
    let proved = [scopes, "ref-access", "ci-file", "pipeline-variables"];
    let open = |check: &&mut Check| proved.contains(&check.name) && check.verdict.hinders();
    for check in checks.iter_mut().filter(|_| let_through).filter(open) {
        *check = Check::holds(check.name, "the rehearsal has proved it");
    }
}

/// GitLab comes to the rules of the CI file when all the rest has been let through.
fn kept_from_jobs(message: &str) -> bool {
    ["workflow rules", "rules configuration", "No stages / jobs"]
        .iter()
        .any(|text| message.contains(text))
}
