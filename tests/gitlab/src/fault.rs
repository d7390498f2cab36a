//! What can go wrong between a client and GitLab, at the wish of a test.

use std::time::Duration;

/// What happens to one request. "After effect": GitLab has done what it was asked to, but the
/// client does not learn it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    AnswerAfterEffect {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    /// The connection is closed without an answer.
    Reset,
    ResetAfterEffect,
    /// The true answer, but the connection is closed in the middle of its body.
    CutBody,
    /// The true answer, in which no object has that field.
    Without(&'static str),
    /// The true answer, whose `Date` is so many seconds off.
    DateOff(i64),
    /// No answer for so long, then the connection is closed.
    Hang(Duration),
    HangAfterEffect(Duration),
}

const TOO_MANY_REQUESTS: &str =
    r#"{"message":{"error":"This endpoint has been requested too many times. Try again later."}}"#;
const BAD_GATEWAY: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
     <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";

impl Fault {
    pub fn answer(status: u16, content_type: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::Answer {
            status,
            headers,
            body: body.to_owned(),
        }
    }

    fn json(status: u16, body: &str) -> Self {
        Self::answer(status, "application/json", body)
    }

    /// The request throttle's 429, which is plain text.
    pub fn throttled(retry_after: Option<u64>) -> Self {
        Self::answer(429, "text/plain", "Retry later\n").retry_after(retry_after)
    }

    /// The application's 429.
    pub fn rate_limited() -> Self {
        Self::json(429, TOO_MANY_REQUESTS)
    }

    /// What GitLab also says of things that are there, but not for this user.
    pub fn not_found() -> Self {
        Self::json(404, r#"{"message":"404 Not found"}"#)
    }

    /// A proxy that does not know its way while it reloads.
    pub fn not_found_by_proxy() -> Self {
        Self::answer(404, "text/plain", "default backend - 404")
    }

    pub fn forbidden() -> Self {
        Self::json(403, r#"{"message":"403 Forbidden"}"#)
    }

    pub fn server_error() -> Self {
        Self::json(500, r#"{"message":"500 Internal Server Error"}"#)
    }

    pub fn bad_gateway() -> Self {
        Self::answer(502, "text/html", BAD_GATEWAY)
    }

    pub fn resource_lock() -> Self {
        Self::json(409, r#"{"message":"409 Conflict: Resource lock"}"#)
    }

    pub fn not_json() -> Self {
        Self::json(200, "Welcome to the hotel's wireless network")
    }

    pub fn wrong_shape() -> Self {
        Self::json(200, r#"{"something":"else"}"#)
    }

    fn retry_after(mut self, seconds: Option<u64>) -> Self {
        if let (Self::Answer { headers, .. }, Some(seconds)) = (&mut self, seconds) {
            headers.push(("retry-after".to_owned(), seconds.to_string()));
        }
        self
    }

    /// The same, but GitLab has done its work.
    pub fn after_effect(self) -> Self {
        match self {
            Self::Answer {
                status,
                headers,
                body,
            } => Self::AnswerAfterEffect {
                status,
                headers,
                body,
            },
            Self::Reset => Self::ResetAfterEffect,
            Self::Hang(duration) => Self::HangAfterEffect(duration),
            other => other,
        }
    }
}
