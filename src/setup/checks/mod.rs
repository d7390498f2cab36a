//! Judges what was found: no clock, no network. What depends on something that already failed is left out, so that
//! one cause makes one failure.

mod benchmark;
mod code;
mod project;
pub mod rehearsal;
mod token;

use super::findings::Findings;
use crate::gitlab::{AccessProblem, Error, GRANT};

/// One thing that the bot needs, or had better have.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// A stable word.
    pub name: &'static str,
    pub verdict: Verdict,
    pub detail: String,
    /// What to do about it: one way a line.
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Holds,
    /// It holds, but not for long, or not without a drawback.
    Warning,
    Fails,
    /// It was not seen, and without it the bot does not work.
    UnknownNeed,
    /// It was not seen, and the bot works either way.
    UnknownRisk,
}

impl Verdict {
    /// Whether because of it the setup is not known to work.
    pub fn is_blocking(self) -> bool {
        matches!(self, Self::Fails | Self::UnknownNeed)
    }
}

impl Check {
    fn holds(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Holds,
            detail: detail.into(),
            hint: None,
        }
    }

    fn hint(self, verdict: Verdict, hint: impl Into<String>) -> Self {
        let hint = Some(hint.into());
        Self {
            verdict,
            hint,
            ..self
        }
    }

    fn warning(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::holds(name, detail).hint(Verdict::Warning, hint)
    }

    fn fails(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::holds(name, detail).hint(Verdict::Fails, hint)
    }

    fn needed(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::holds(name, detail).hint(Verdict::UnknownNeed, hint)
    }

    fn unknown(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::UnknownRisk,
            ..Self::holds(name, detail)
        }
    }

    /// Something needed, in the way of which an error came.
    fn unread(name: &'static str, error: &Error) -> Self {
        let hint = match error.refused() {
            Some(_) if error.fine_grained() => GRANT,
            Some(_) => "check the bot's role and its token's scopes, and run this again",
            None => "run this again; if it stays so, ask whoever runs the server",
        };
        Self::needed(name, format!("it cannot be read ({error})"), hint)
    }
}

const REHEARSE: &str = "prove it with one pipeline: bench-bot doctor --rehearse";

/// In the order in which a person sets things up.
pub fn checks(findings: &Findings) -> Vec<Check> {
    let server = server(findings);
    if server.verdict.is_blocking() {
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
    if let Some(rehearsed) = &findings.rehearsal {
        let check = rehearsal::check(findings, rehearsed);
        rehearsal::apply(&mut checks, findings, rehearsed);
        checks.push(check);
    }
    checks
}

/// Who answers that the token is not good is there all the same.
fn server(findings: &Findings) -> Check {
    let (name, url) = ("server", &findings.url);
    let error = match (&findings.version, &findings.token.user) {
        (Err(version), Err(user)) if !token::refused(version) && !token::refused(user) => user,
        _ if url.starts_with("https") => {
            return Check::holds(name, format!("{url} answers, its certificate is trusted"));
        }
        _ => return Check::holds(name, format!("{url} answers")),
    };
    let check_url = "check --gitlab-url (BENCH_BOT_GITLAB_URL)";
    let message = &error.message;
    match error.access_problem() {
        AccessProblem::Unavailable => Check::needed(
            name,
            format!("{url} turns requests away just now ({message})"),
            "run this again in a minute; if it stays so, ask whoever runs the server",
        ),
        AccessProblem::NotGitlab => {
            let detail = format!("{url} does not answer as a GitLab does ({error})");
            Check::fails(name, detail, check_url)
        }
        AccessProblem::NoAnswer | AccessProblem::TokenRefused(_) => {
            let hint = match message.contains("certificate is not trusted") {
                true => "trust its authority: CI_SERVER_TLS_CA_FILE=/path/to/ca.pem".to_owned(),
                false => format!("{check_url} and the network"),
            };
            Check::fails(name, format!("{url} cannot be reached ({message})"), hint)
        }
    }
}

/// The oldest GitLab with all that the bot asks of it.
const OLDEST: (u32, u32) = (15, 11);

fn version(findings: &Findings) -> Option<Check> {
    let name = "version";
    let version = match &findings.version {
        Ok(version) => version,
        // The token is what is wrong.
        Err(_) if findings.token.user.is_err() => return None,
        Err(error) if error.fine_grained() => {
            let detail = "not shown; one that knows fine-grained tokens is new enough";
            return Some(Check::unknown(name, detail));
        }
        Err(error) => return Some(Check::unread(name, error)),
    };
    let told = format!("GitLab {}", version.version);
    Some(match version.numbers() {
        Some(numbers) if numbers >= OLDEST => Check::holds(name, told),
        Some(_) => Check::fails(
            name,
            format!("{told} is too old: it must be 15.11 or later"),
            "ask whoever runs the server to update it: https://docs.gitlab.com/update/",
        ),
        None => Check::unknown(name, format!("{told}: it must be 15.11 or later")),
    })
}
