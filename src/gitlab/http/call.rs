//! One request: how it is sent, when it is retried, and what its failure means.

use std::fmt;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::DateTime;
use log::{debug, info, warn};
use reqwest::blocking::Response;
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::{Deserializer as Json, Value};

use super::body::{Body, LONGEST_TEXT, TooLarge};
use super::{Http, Token};
use crate::gitlab::error::{
    Error, ErrorKind, LONGEST_REASON, Result, cause, in_gitlabs_words, reason,
};

/// If a server asks for a longer pause, the next scheduled run tries again instead.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const MAX_REDIRECTS: usize = 5;
/// Bytes read of an error response, which may be a proxy's page of any length.
const MAX_OF_REFUSAL: u64 = 64 << 10;

/// Whether a request may be sent again when it is unknown whether the first attempt took effect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    Safe,
    /// A second attempt could create a second note, discussion or pipeline.
    Never,
}

/// A failed attempt, and how long to wait before the next one. `None`: another attempt would not help.
pub struct Attempt {
    error: Error,
    retry_in: Option<Pause>,
}

#[derive(Clone, Copy)]
enum Pause {
    Backoff,
    /// A single retry, which seldom helps.
    Once,
    RetryAfter(Duration),
}

pub struct Call<'a> {
    http: &'a Http,
    token: &'a Token,
    method: Method,
    path: &'a str,
    pub query: Vec<(&'a str, String)>,
    pub body: Option<&'a Value>,
    retry: Retry,
    /// Limit on the response.
    pub max_bytes: u64,
    pub longest_text: usize,
}

/// A response that has been read.
pub struct Answer<T> {
    pub value: T,
    pub headers: HeaderMap,
    pub bytes: u64,
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} /{}", self.method, self.path)
    }
}

impl<'a> Call<'a> {
    pub fn new(
        http: &'a Http,
        token: &'a Token,
        method: Method,
        path: &'a str,
        retry: Retry,
    ) -> Self {
        let (query, body) = (Vec::new(), None);
        Self {
            http,
            token,
            method,
            path,
            query,
            body,
            retry,
            max_bytes: http.max_bytes,
            longest_text: LONGEST_TEXT,
        }
    }

    pub fn with(mut self, body: &'a Value) -> Self {
        self.body = Some(body);
        self
    }

    pub fn send<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(self.receive(PhantomData)?.value)
    }

    /// Sends the request, and reads the response with this seed.
    pub fn receive<T>(
        &self,
        read: impl for<'de> DeserializeSeed<'de, Value = T> + Copy,
    ) -> Result<Answer<T>> {
        self.with_retries(|| {
            let (headers, answer) = self.exchange()?;
            let mut body = Body::new(answer, self.max_bytes, self.longest_text);
            let mut json = Json::from_reader(BufReader::new(&mut body));
            let value = read.deserialize(&mut json);
            let value = value.and_then(|value| json.end().map(|()| value));
            debug!("{self}: {body}");
            let bytes = body.received();
            match value {
                Ok(value) => Ok(Answer {
                    value,
                    headers,
                    bytes,
                }),
                Err(error) => Err(self.unreadable(error)),
            }
        })
    }

    /// Sends the request, and reads the first bytes of a response that is not JSON.
    pub fn receive_beginning(&self, most: u64) -> Result<Vec<u8>> {
        self.with_retries(|| {
            let (_, answer) = self.exchange()?;
            self.beginning(answer, most)
        })
    }

    fn beginning(&self, answer: impl Read, most: u64) -> std::result::Result<Vec<u8>, Attempt> {
        let mut beginning = Vec::new();
        let received = answer.take(most).read_to_end(&mut beginning);
        received.map_err(|error| self.interrupted(error))?;
        debug!("{self}: {}", String::from_utf8_lossy(&beginning));
        Ok(beginning)
    }

    fn with_retries<R>(&self, attempt: impl Fn() -> std::result::Result<R, Attempt>) -> Result<R> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(self.http.retries)
            .with_jitter()
            .build();
        let mut error = None;
        loop {
            let failed = match self.http.rate_limiter.run(self.http.deadline, &attempt) {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(failed)) => failed,
                None => return Err(error.unwrap_or_else(|| self.too_late())),
            };
            let pause = match (failed.retry_in, pauses.next()) {
                (Some(Pause::Backoff), Some(pause)) => pause,
                (Some(Pause::RetryAfter(told)), Some(_)) => told,
                (Some(Pause::Once), Some(pause)) if error.is_none() => pause,
                _ => return Err(failed.error),
            };
            if pause >= self.http.time_left() {
                return Err(failed.error);
            }
            match self.http.rate_limiter.count_retry(&failed.error.message) {
                true => warn!("{}; trying again", failed.error),
                false => info!("{}; again in {pause:.1?}", failed.error),
            }
            self.http.pause(pause);
            error = Some(failed.error);
        }
    }

    fn too_late(&self) -> Error {
        let message = "the run has reached its time limit; the next run continues".to_owned();
        self.error(ErrorKind::Transient, message)
    }

    /// One attempt. Only the head of the response has been read when this returns.
    fn exchange(&self) -> std::result::Result<(HeaderMap, Box<dyn Read>), Attempt> {
        let response = self.follow().map_err(|error| self.broken(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        // A proxy that answers in GitLab's place has its own clock.
        if status.is_success()
            && let Some(date) = text(&headers, DATE.as_str())
            && let Ok(date) = DateTime::parse_from_rfc2822(date)
        {
            self.http.clock.observe(date.to_utc());
        }
        let number = |name| text(&headers, name).and_then(|number| number.parse::<i64>().ok());
        if let (Some(left), Some(reset)) =
            (number("ratelimit-remaining"), number("ratelimit-reset"))
        {
            let reset_in = reset.saturating_sub(self.http.now().timestamp());
            let reset_in = Duration::from_secs(reset_in.try_into().unwrap_or(0));
            self.http.rate_limiter.update(left, reset_in);
        }
        if !status.is_success() {
            let beginning = self.beginning(response, MAX_OF_REFUSAL)?;
            return Err(self.declined(status, &headers, &beginning));
        }
        // GitLab answers a DELETE with an empty body.
        match status == StatusCode::NO_CONTENT {
            true => Ok((headers, Box::new(&b"null"[..]))),
            false => Ok((headers, Box::new(response))),
        }
    }

    /// Sends the request, and follows redirects of a GET within the same server: GitLab redirects from the path that a
    /// project had before it was renamed.
    fn follow(&self) -> reqwest::Result<Response> {
        let mut url = self.http.api.clone();
        url.set_path(&format!("{}{}", url.path(), self.path));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        for _ in 0..MAX_REDIRECTS {
            let started = Instant::now();
            let response = self.request(url.clone()).send()?;
            let took = started.elapsed();
            info!(
                "{} {}: {} ({took:.0?})",
                self.method,
                url.path(),
                response.status()
            );
            let onward = text(response.headers(), LOCATION.as_str())
                .filter(|_| self.method == Method::GET && response.status().is_redirection())
                .and_then(|location| url.join(location).ok())
                .filter(|onward| onward.origin() == url.origin());
            match onward {
                Some(onward) => url = onward,
                None => return Ok(response),
            }
        }
        self.request(url).send()
    }

    fn request(&self, url: Url) -> reqwest::blocking::RequestBuilder {
        let request = self.http.client.request(self.method.clone(), url);
        let request = request
            .header(AUTHORIZATION, self.token.0.clone())
            .timeout(self.http.http_timeout.min(self.http.time_left()));
        match self.body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    /// There was no response, or only part of one.
    fn broken(&self, error: &reqwest::Error) -> Attempt {
        let cause = cause(error);
        if cause.contains("invalid peer certificate") {
            let message = format!(
                "its certificate is not trusted by the system or by CI_SERVER_TLS_CA_FILE: {cause}"
            );
            return self.failed(ErrorKind::Transient, message, None);
        }
        if error.is_connect() {
            let again = match cause.contains("failed to lookup address") {
                true => Pause::Once,
                false => Pause::Backoff,
            };
            let message = format!("no connection: {cause}");
            return self.failed(ErrorKind::Transient, message, Some(again));
        }
        self.unclear(match error.is_timeout() {
            true => "no answer in time".to_owned(),
            false => format!("connection broken: {cause}"),
        })
    }

    /// The response broke off.
    fn interrupted(&self, error: std::io::Error) -> Attempt {
        match error.downcast::<reqwest::Error>() {
            Ok(error) => self.broken(&error),
            Err(error) => self.unclear(format!("connection broken: {error}")),
        }
    }

    /// The response arrived, but it is not the expected JSON.
    fn unreadable(&self, error: serde_json::Error) -> Attempt {
        let what = match error.is_io() {
            false => error.to_string(),
            true => match std::io::Error::from(error).downcast::<TooLarge>() {
                Ok(TooLarge) => {
                    let most = self.http.max_bytes >> 20;
                    let message = format!("answered, but unreadable: it is larger than {most} MB");
                    return self.failed(ErrorKind::Unclear, message, None);
                }
                Err(error) => return self.interrupted(error),
            },
        };
        let what: String = what.chars().take(LONGEST_REASON).collect();
        self.unclear(format!("answered, but unreadable: {what}"))
    }

    /// The response has a status other than success.
    fn declined(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Attempt {
        let message = match text(headers, LOCATION.as_str()) {
            Some(onward) => format!("{}: redirected to {onward}", status.as_u16()),
            None => reason(status, body),
        };
        let told = text(headers, RETRY_AFTER.as_str())
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let retry_in = match told {
                    Some(told) if told > LONGEST_PAUSE => None,
                    Some(told) => Some(Pause::RetryAfter(told)),
                    None => Some(Pause::Backoff),
                };
                self.failed(ErrorKind::Transient, message, retry_in)
            }
            StatusCode::CONFLICT if message.contains("Resource lock") => {
                self.failed(ErrorKind::Transient, message, Some(Pause::Backoff))
            }
            // GitLab answers 400 though this is a rate limit of a minute, so the next run tries again.
            StatusCode::BAD_REQUEST
                if ["Too many pipelines", "Retry later", "please retry"]
                    .iter()
                    .any(|passing| message.contains(passing)) =>
            {
                self.failed(ErrorKind::Transient, message, None)
            }
            StatusCode::REQUEST_TIMEOUT => self.unclear(message),
            status if status.is_server_error() => self.unclear(message),
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN if !in_gitlabs_words(status, body) => {
                let message = format!("{message}, but not from GitLab itself");
                let retry_in = (self.retry == Retry::Safe).then_some(Pause::Backoff);
                self.failed(ErrorKind::NotGitlab(status), message, retry_in)
            }
            status => self.failed(ErrorKind::Refused(status), message, None),
        }
    }

    fn unclear(&self, message: String) -> Attempt {
        let retry_in = (self.retry == Retry::Safe).then_some(Pause::Backoff);
        self.failed(ErrorKind::Unclear, message, retry_in)
    }

    fn failed(&self, kind: ErrorKind, message: String, retry_in: Option<Pause>) -> Attempt {
        let error = self.error(kind, message);
        Attempt { error, retry_in }
    }

    pub fn error(&self, kind: ErrorKind, message: String) -> Error {
        Error {
            kind,
            request: self.to_string(),
            message,
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
