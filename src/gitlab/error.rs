//! What a failed request means, and what it says to people.

use reqwest::StatusCode;
use serde_json::Value;

/// A request that came to nothing, or may have.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{request}: {message}")]
pub struct Error {
    pub kind: ErrorKind,
    /// Method and path, without query.
    pub request: String,
    pub message: String,
}

/// What an error means for whoever made the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// GitLab said no, and will say so again until somebody changes something.
    Refused(StatusCode),
    /// Something between us and GitLab said no in its place, a proxy that reloads for instance: it says nothing about
    /// what is there, nor about what took effect.
    NotGitlab(StatusCode),
    /// Nothing happened, and it may go through later: rate limits, locks, no connection.
    Transient,
    /// It may have taken effect or not: a time-out, a broken connection, a server error, an unreadable answer.
    Unclear,
}

/// What keeps the bot out of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessProblem {
    /// The token is refused, or the account that it belongs to; and the way out, where GitLab names the reason.
    TokenRefused(Option<&'static str>),
    /// It lets in again by itself: rate limits, maintenance.
    Unavailable,
    /// What answers is no GitLab.
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

    /// That of the answer, if there was one: a message begins with it.
    fn status(&self) -> Option<u16> {
        let said = || self.message.get(..3)?.parse().ok();
        self.refused().map(|status| status.as_u16()).or_else(said)
    }

    /// Whether GitLab names a permission that a fine-grained token lacks.
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

    /// GitLab says no, and not that the thing is not there: that, a later run has to find for itself.
    pub fn forbids(&self) -> bool {
        self.refused().is_some() && !self.not_found()
    }

    /// GitLab itself says that the thing is not there, which is also what it says of what may not be seen.
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
            "make another of the same user, with the scope api",
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
            "sign in as the bot, which activates its account again",
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

/// What to do where a fine-grained token is refused.
pub const GRANT: &str =
    "give it the permission that is named there, or use a token with the scope api";

/// In characters, of what goes wrong.
pub const LONGEST_REASON: usize = 300;

pub type Result<T> = std::result::Result<T, Error>;

/// What lies at the bottom of an error, which names neither the address nor what was sent there.
pub fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Whether a refusal is in GitLab's words: its `404` for a route that there is not has `error` in place of `message`, and
/// proves nothing about what was asked for.
pub fn in_gitlabs_words(status: StatusCode, body: &[u8]) -> bool {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else {
        return false;
    };
    body.contains_key("message") || (status != StatusCode::NOT_FOUND && body.contains_key("error"))
}

/// What GitLab says about a refusal, in one line, whichever of its several forms it uses.
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

/// The texts in a message: a string, a list, or an object of lists by field (`base` is the whole record).
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
