//! What a failed request means, and its message for people.

use reqwest::StatusCode;
use serde_json::Value;

/// A request that failed, or may have failed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{request}: {message}")]
pub struct Error {
    pub kind: ErrorKind,
    /// Method and path, without the query.
    pub request: String,
    pub message: String,
}

/// What an error means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// GitLab refused, and will refuse again until somebody changes something.
    Refused(StatusCode),
    /// Something between us and GitLab refused in its place, for instance a proxy that reloads. It proves nothing about
    /// what exists or what took effect.
    NotGitlab(StatusCode),
    /// The request had no effect and may succeed later: rate limits, locks, no connection.
    Transient,
    /// The request may have taken effect or not: a timeout, a broken connection, a server error, an unreadable response.
    Unclear,
}

/// Why the bot cannot use a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessProblem {
    /// GitLab refuses the token or its account. Holds the remedy if GitLab names the reason.
    TokenRefused(Option<&'static str>),
    /// It passes by itself: rate limits, maintenance.
    Unavailable,
    /// Something other than GitLab answers.
    NotGitlab,
    /// Nothing answers.
    NoAnswer,
}

impl Error {
    pub fn access_problem(&self) -> AccessProblem {
        match (self.kind, self.status()) {
            (ErrorKind::Refused(_), Some(401 | 403)) => {
                AccessProblem::TokenRefused(way_in(&self.message))
            }
            (ErrorKind::Refused(_) | ErrorKind::NotGitlab(_), _) => AccessProblem::NotGitlab,
            (_, Some(_)) => AccessProblem::Unavailable,
            _ if self.message.starts_with("answered, but unreadable") => AccessProblem::NotGitlab,
            _ => AccessProblem::NoAnswer,
        }
    }

    /// The response's status, if there was a response: a message begins with it.
    fn status(&self) -> Option<u16> {
        let said = || self.message.get(..3)?.parse().ok();
        self.refused().map(|status| status.as_u16()).or_else(said)
    }

    /// Whether a fine-grained token lacks a permission, which GitLab names.
    pub fn fine_grained(&self) -> bool {
        self.refused() == Some(StatusCode::FORBIDDEN)
            && self.message.to_lowercase().contains("fine-grained")
    }

    pub fn refused(&self) -> Option<StatusCode> {
        match self.kind {
            ErrorKind::Refused(status) => Some(status),
            ErrorKind::NotGitlab(_) | ErrorKind::Transient | ErrorKind::Unclear => None,
        }
    }

    /// GitLab refuses, other than by saying that the thing does not exist: that is for a later run to find out.
    pub fn forbids(&self) -> bool {
        self.refused().is_some() && !self.not_found()
    }

    /// GitLab itself says that the thing does not exist. It says the same if the user may not see it.
    pub fn not_found(&self) -> bool {
        self.refused() == Some(StatusCode::NOT_FOUND)
    }

    pub fn forbidden(&self) -> bool {
        self.refused() == Some(StatusCode::FORBIDDEN)
    }
}

fn way_in(message: &str) -> Option<&'static str> {
    let ways = [
        ("is expired", "rotate it, so that its user stays the same"),
        (
            "was revoked",
            "create another one for the same user, with the scope api",
        ),
        (
            "has been blocked",
            "ask an administrator to unblock the bot's account",
        ),
        (
            "pending approval",
            "ask an administrator to approve the bot's account",
        ),
        ("Terms of Service", "sign in as the bot and accept them"),
        (
            "been deactivated",
            "sign in as the bot, which reactivates its account",
        ),
        ("is not confirmed", "confirm the bot's email address"),
        (
            "password expired",
            "sign in as the bot and set a new password",
        ),
        ("ine-grained", GRANT),
    ];
    let (_, way) = ways.iter().find(|(said, _)| message.contains(said))?;
    Some(way)
}

/// What to do if a fine-grained token is refused.
pub const GRANT: &str =
    "give the token the permission that GitLab names, or use one with the scope api";

/// In characters.
pub const LONGEST_REASON: usize = 300;

pub type Result<T> = std::result::Result<T, Error>;

/// The root cause of an error, which names neither the URL nor what was sent.
pub fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Whether an error response comes from GitLab's API. Its `404` for a route that does not exist has `error` in place of
/// `message`, and proves nothing about the thing in question.
pub fn in_gitlabs_words(status: StatusCode, body: &[u8]) -> bool {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
        return false;
    };
    body.contains_key("message") || (status != StatusCode::NOT_FOUND && body.contains_key("error"))
}

/// GitLab's reason for a refusal in one line, in whichever of its formats it comes.
pub fn reason(status: StatusCode, body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return status.to_string();
    };
    let said = ["error_description", "message", "error"]
        .iter()
        .find_map(|key| body.get(key));
    let mut sentences = Vec::new();
    collect(said.unwrap_or(&body), &mut sentences);
    let line = sentences
        .join("; ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let line: String = line.chars().take(LONGEST_REASON).collect();
    // GitLab itself says `403 Forbidden`, but only `Reference not found`.
    match line.starts_with(status.as_str()) {
        true => line,
        false => format!("{}: {line}", status.as_u16()).trim_end().to_owned(),
    }
}

/// Collects the texts of a message: a string, a list, or an object of lists by field (`base` is the whole record).
fn collect(message: &Value, sentences: &mut Vec<String>) {
    match message {
        Value::String(text) => sentences.push(text.clone()),
        Value::Array(texts) => texts.iter().for_each(|text| collect(text, sentences)),
        Value::Object(fields) => {
            for (field, texts) in fields {
                let from = sentences.len();
                collect(texts, sentences);
                if field != "base" && field != "error" {
                    sentences[from..]
                        .iter_mut()
                        .for_each(|text| *text = format!("{field} {text}"));
                }
            }
        }
        other => sentences.push(other.to_string()),
    }
}
