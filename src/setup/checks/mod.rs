//! Judges the findings, without clock or network. A check that depends on a failed one is left out, so that one cause
//! makes one failure.

mod automation;
mod benchmark;
mod code;
mod project;
pub mod rehearsal;
mod token;

use super::findings::Findings;
use crate::gitlab::{AccessProblem, Error, GRANT};

/// One thing that the bot needs, or should have.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// A stable word: scripts depend on it.
    pub name: &'static str,
    pub result: CheckResult,
    pub detail: String,
    /// What to do about it, one way per line.
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckResult {
    Holds,
    /// It holds, but not for long, or with a drawback.
    Warning,
    Fails,
    /// It is unknown, and the bot does not work without it.
    UnknownNeed,
    /// It is unknown, and the bot works either way.
    UnknownRisk,
}

impl CheckResult {
    /// Whether the setup is not known to work because of it.
    pub fn is_blocking(self) -> bool {
        matches!(self, Self::Fails | Self::UnknownNeed)
    }
}

impl Check {
    fn holds(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            result: CheckResult::Holds,
            detail: detail.into(),
            hint: None,
        }
    }

    fn hint(self, result: CheckResult, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self {
            result,
            hint,
            ..self
        }
    }

    fn warning(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::holds(name, detail).hint(CheckResult::Warning, hint)
    }

    fn fails(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::holds(name, detail).hint(CheckResult::Fails, hint)
    }

    fn needed(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::holds(name, detail).hint(CheckResult::UnknownNeed, hint)
    }

    fn unknown(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            result: CheckResult::UnknownRisk,
            ..Self::holds(name, detail)
        }
    }

    /// Something that the bot needs and that could not be read.
    fn unread(name: &'static str, error: &Error) -> Self {
        let hint = match error.refused() {
            Some(_) if error.fine_grained() => GRANT,
            Some(_) => "check the bot's role and its token's scopes, and run doctor again",
            None => "run doctor again; if this persists, ask whoever runs the server",
        };
        Self::needed(name, format!("cannot be read ({error})"), hint)
    }
}

/// In the order in which a person sets things up.
pub fn checks(findings: &Findings) -> Vec<Check> {
    let server = server(findings);
    if server.result.is_blocking() {
        return vec![server];
    }
    let mut checks = vec![server];
    checks.extend(version(findings));
    let own = &findings.token;
    let names = ["token", "token-scopes", "token-expiry"];
    checks.extend(token::checks(findings, own, names));
    if let Some(user) = own.reader() {
        checks.extend(project::checks(findings, user));
    }
    if let Some(second) = &findings.benchmark_token {
        let names = [
            "benchmark-token",
            "benchmark-token-scopes",
            "benchmark-token-expiry",
        ];
        checks.extend(token::checks(findings, second, names));
    }
    if let Some(user) = findings.benchmark_identity().reader() {
        checks.extend(benchmark::checks(findings, user));
    }
    if let Some(automation) = findings
        .automation
        .as_ref()
        .filter(|_| findings.token.reader().is_some())
    {
        checks.extend(automation::checks(findings, automation));
    }
    if let Some(rehearsed) = &findings.rehearsal {
        let check = rehearsal::check(findings, rehearsed);
        rehearsal::apply(&mut checks, findings, rehearsed);
        checks.push(check);
    }
    checks
}

/// A server that refuses the token is reachable all the same.
fn server(findings: &Findings) -> Check {
    let (name, url) = ("server", &findings.url);
    let error = match (&findings.version, &findings.token.user) {
        (Err(version), Err(user)) if !token::refused(version) && !token::refused(user) => user,
        _ if url.starts_with("https") => {
            return Check::holds(
                name,
                format!("{url} responds, and its certificate is trusted"),
            );
        }
        _ => return Check::holds(name, format!("{url} responds")),
    };
    let check_url = "check --gitlab-url (BENCH_BOT_GITLAB_URL)";
    let message = &error.message;
    match error.access_problem() {
        AccessProblem::Unavailable => Check::needed(
            name,
            format!("{url} is not accepting requests at the moment ({message})"),
            "run doctor again in a minute; if this persists, ask whoever runs the server",
        ),
        AccessProblem::NotGitlab => {
            let detail = format!("{url} does not respond like a GitLab server ({error})");
            Check::fails(name, detail, check_url)
        }
        AccessProblem::NoAnswer | AccessProblem::TokenRefused(_) => {
            let hint = match message.contains("certificate is not trusted") {
                true => "trust its certificate authority: CI_SERVER_TLS_CA_FILE=/path/to/ca.pem"
                    .to_owned(),
                false => format!("{check_url} and the network"),
            };
            Check::fails(name, format!("{url} cannot be reached ({message})"), hint)
        }
    }
}

/// The oldest GitLab that has everything the bot needs.
const OLDEST: (u32, u32) = (15, 11);

fn version(findings: &Findings) -> Option<Check> {
    let name = "version";
    let version = match &findings.version {
        Ok(version) => version,
        // Then the token is what is wrong.
        Err(_) if findings.token.user.is_err() => return None,
        Err(error) if error.fine_grained() => {
            let detail = "not shown, but a server with fine-grained tokens is new enough";
            return Some(Check::unknown(name, detail));
        }
        Err(error) => return Some(Check::unread(name, error)),
    };
    let told = format!("GitLab {}", version.version);
    Some(match version.numbers() {
        Some(numbers) if numbers >= OLDEST => Check::holds(name, told),
        Some(_) => Check::fails(
            name,
            format!("{told} is too old: bench-bot needs 15.11 or later"),
            "ask whoever runs the server to update it: https://docs.gitlab.com/update/",
        ),
        None => Check::unknown(name, format!("{told}: bench-bot needs 15.11 or later")),
    })
}
