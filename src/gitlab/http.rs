//! One exchange with GitLab: authentication, time limits, repetition, paging, and what an error means.

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use chrono::{DateTime, Utc};
use log::{debug, info, warn};
use reqwest::blocking::{Client, Response};
use reqwest::header::{AUTHORIZATION, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Method, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ConnectError;
use super::error::{Error, Kind, Result, cause, reason};
use super::pace::Pace;

/// A server may ask for a longer pause; the next scheduled run is then the better place to try again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// GitLab cuts larger pages to this.
pub const PER_PAGE: usize = 100;
const MOST_REDIRECTS: usize = 5;

/// Whether the same request may be sent again when it is not known what became of the first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Safe,
    /// It would make a second note, discussion or pipeline.
    Never,
}

/// A token as it goes over the wire, and nowhere else: marked so that no log of headers shows it.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// `None` for what cannot stand in a header and so is no token.
    pub fn new(secret: &SecretString) -> Option<Self> {
        let mut bearer =
            HeaderValue::try_from(format!("Bearer {}", secret.expose_secret())).ok()?;
        bearer.set_sensitive(true);
        Some(Self(bearer))
    }
}

/// How requests are sent: see the flags of the same names.
pub struct Limits {
    pub http_timeout: Duration,
    pub retries: usize,
    /// For all requests together, repetitions and pauses included.
    pub run_time: Duration,
    /// A file of PEM certificates to trust besides the system's.
    pub ca_file: Option<std::path::PathBuf>,
}

/// One server, whoever asks.
pub struct Http {
    client: Client,
    api: Url,
    http_timeout: Duration,
    retries: usize,
    run_time: Duration,
    deadline: Instant,
    pace: Arc<Pace>,
    /// When the server last said what time it is, in seconds since 1970; 0 before.
    server_time: Arc<AtomicI64>,
}

/// A failed attempt, and the pause after which another is worth while, if one is.
struct Attempt {
    error: Error,
    again: Option<Pause>,
}

#[derive(Clone, Copy)]
enum Pause {
    Backoff,
    AsTold(Duration),
}

impl Http {
    /// `gitlab` is the address of the server, with its relative path where it has one.
    pub fn new(gitlab: &Url, limits: &Limits) -> std::result::Result<Self, ConnectError> {
        // Fails only where a provider is installed already, which is then as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("bench-bot/", env!("CARGO_PKG_VERSION")))
            // Followed by hand, since a token must not go to another server.
            .redirect(reqwest::redirect::Policy::none());
        if gitlab.scheme() == "http" {
            // Reading the system's certificates takes longer than all the rest of the start.
            client = client.tls_certs_only([]);
        } else if let Some(file) = &limits.ca_file {
            let trusted = certificates(file).map_err(|error| {
                let file = file.display();
                ConnectError::Setting(format!("CI_SERVER_TLS_CA_FILE: {file}: {error}"))
            })?;
            client = client.tls_certs_merge(trusted);
        }
        let client = client.build().map_err(|error| {
            ConnectError::Setting(format!("cannot make an HTTP client: {}", cause(&error)))
        })?;
        let mut api = gitlab.clone();
        api.set_path(&format!("{}/api/v4/", gitlab.path().trim_end_matches('/')));
        Ok(Self {
            client,
            api,
            http_timeout: limits.http_timeout,
            retries: limits.retries,
            run_time: limits.run_time,
            deadline: Instant::now() + limits.run_time,
            pace: Arc::default(),
            server_time: Arc::default(),
        })
    }

    /// The same server, with a run's time before it, and so many repetitions of a request.
    pub fn anew(&self, retries: usize) -> Self {
        Self {
            client: self.client.clone(),
            api: self.api.clone(),
            http_timeout: self.http_timeout,
            retries,
            run_time: self.run_time,
            deadline: Instant::now() + self.run_time,
            pace: self.pace.clone(),
            server_time: self.server_time.clone(),
        }
    }

    /// The server's own clock as of its last answer: a runner's may be hours off.
    pub fn now(&self) -> DateTime<Utc> {
        match self.server_time.load(Ordering::Relaxed) {
            0 => Utc::now(),
            seconds => DateTime::from_timestamp(seconds, 0).unwrap_or_else(Utc::now),
        }
    }

    /// How the run went: requests, repetitions, chain, time.
    pub fn figures(&self) -> String {
        self.pace.figures()
    }

    pub fn get<T: DeserializeOwned>(&self, token: &Token, path: &str) -> Result<T> {
        self.get_with(token, path, &[])
    }

    pub fn get_with<T: DeserializeOwned>(
        &self,
        token: &Token,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T> {
        let mut call = Call::new(self, token, Method::GET, path, Repeat::Safe);
        call.query = query.to_vec();
        Ok(call.send()?.0)
    }

    /// The first bytes of what is no JSON; more are not even received.
    pub fn get_beginning(&self, token: &Token, path: &str, most: u64) -> Result<Vec<u8>> {
        let call = Call::new(self, token, Method::GET, path, Repeat::Safe);
        let (_, body) = call.repeatedly(|| call.exchange(most))?;
        Ok(body)
    }

    /// The first hundred rows of a list.
    pub fn get_page<T: DeserializeOwned>(
        &self,
        token: &Token,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>> {
        Ok(self.page_call(token, path, query, 1).send()?.0)
    }

    fn page_call<'a>(
        &'a self,
        token: &'a Token,
        path: &'a str,
        query: &[(&'a str, String)],
        page: usize,
    ) -> Call<'a> {
        let mut call = Call::new(self, token, Method::GET, path, Repeat::Safe);
        call.query = query.to_vec();
        call.query.push(("per_page", PER_PAGE.to_string()));
        call.query.push(("page", page.to_string()));
        call
    }

    /// All pages of a list. It is complete or an error: a page's length says nothing about whether another
    /// follows, since GitLab drops rows that may not be seen after it has cut the pages.
    pub fn get_all<T: DeserializeOwned>(
        &self,
        token: &Token,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        let mut page = 1;
        loop {
            let call = self.page_call(token, path, query, page);
            let (more, headers): (Vec<T>, HeaderMap) = call.send()?;
            rows.extend(more);
            let next = headers
                .get("x-next-page")
                .and_then(|next| next.to_str().ok());
            page = match next.map(|next| (next, next.parse::<usize>())) {
                Some(("", _)) => return Ok(rows),
                Some((_, Ok(next))) if next > page => next,
                _ => {
                    return Err(Error {
                        kind: Kind::Unclear,
                        request: call.to_string(),
                        message: format!("page {page} does not say which page follows it"),
                    });
                }
            };
        }
    }

    pub fn put<T: DeserializeOwned>(&self, token: &Token, path: &str, body: &Value) -> Result<T> {
        let call = Call::new(self, token, Method::PUT, path, Repeat::Safe);
        Ok(call.with(body).send()?.0)
    }

    pub fn delete(&self, token: &Token, path: &str) -> Result<()> {
        let call = Call::new(self, token, Method::DELETE, path, Repeat::Safe);
        call.send::<()>().map(|_| ())
    }

    /// Sent once, unless it is certain that nothing came of it.
    pub fn post<T: DeserializeOwned>(&self, token: &Token, path: &str, body: &Value) -> Result<T> {
        let call = Call::new(self, token, Method::POST, path, Repeat::Never);
        Ok(call.with(body).send()?.0)
    }

    /// A POST that does the same when it is done twice.
    pub fn post_repeatable<T: DeserializeOwned>(&self, token: &Token, path: &str) -> Result<T> {
        let call = Call::new(self, token, Method::POST, path, Repeat::Safe);
        Ok(call.send()?.0)
    }
}

struct Call<'a> {
    http: &'a Http,
    token: &'a Token,
    method: Method,
    path: &'a str,
    query: Vec<(&'a str, String)>,
    body: Option<&'a Value>,
    repeat: Repeat,
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} /{}", self.method, self.path)
    }
}

impl<'a> Call<'a> {
    fn new(
        http: &'a Http,
        token: &'a Token,
        method: Method,
        path: &'a str,
        repeat: Repeat,
    ) -> Self {
        let (query, body) = (Vec::new(), None);
        Self {
            http,
            token,
            method,
            path,
            query,
            body,
            repeat,
        }
    }

    fn with(mut self, body: &'a Value) -> Self {
        self.body = Some(body);
        self
    }

    fn send<T: DeserializeOwned>(&self) -> Result<(T, HeaderMap)> {
        self.repeatedly(|| {
            let (headers, body) = self.exchange(u64::MAX)?;
            match serde_json::from_slice(&body) {
                Ok(answer) => Ok((answer, headers)),
                Err(error) => Err(self.unclear(format!("answered, but unreadable: {error}"))),
            }
        })
    }

    fn repeatedly<R>(&self, attempt: impl Fn() -> std::result::Result<R, Attempt>) -> Result<R> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(500))
            .with_max_delay(Duration::from_secs(10))
            .with_max_times(self.http.retries)
            .with_jitter()
            .build();
        loop {
            let failed = match self.http.pace.keep(&attempt) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let pause = match (failed.again, pauses.next()) {
                (Some(Pause::Backoff), Some(pause)) => pause,
                (Some(Pause::AsTold(told)), Some(_)) => told,
                _ => return Err(failed.error),
            };
            if pause >= self.time_left() {
                return Err(failed.error);
            }
            warn!("{}; again in {pause:.1?}", failed.error);
            self.http.pace.repeated();
            std::thread::sleep(pause);
        }
    }

    fn time_left(&self) -> Duration {
        self.http.deadline.saturating_duration_since(Instant::now())
    }

    /// One request, and at most so many bytes of its answer.
    fn exchange(&self, most: u64) -> std::result::Result<(HeaderMap, Vec<u8>), Attempt> {
        if self.time_left().is_zero() {
            let message = "the run has taken as long as it may; the next one goes on".to_owned();
            return Err(self.failed(Kind::Passing, message, None));
        }
        let response = self.follow().map_err(|error| self.broken(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if let Some(date) = text(&headers, DATE.as_str())
            && let Ok(date) = DateTime::parse_from_rfc2822(date)
        {
            self.http
                .server_time
                .fetch_max(date.timestamp(), Ordering::Relaxed);
        }
        let number = |name| text(&headers, name).and_then(|number| number.parse().ok());
        if let (Some(left), Some(reset)) =
            (number("ratelimit-remaining"), number("ratelimit-reset"))
        {
            let reset_in = reset - self.http.now().timestamp();
            self.http
                .pace
                .heed(left, Duration::from_secs(reset_in.try_into().unwrap_or(0)));
        }
        let mut body = Vec::new();
        let received = response.take(most).read_to_end(&mut body);
        received.map_err(|error| match error.downcast() {
            Ok(error) => self.broken(&error),
            Err(error) => self.unclear(format!("connection broken: {error}")),
        })?;
        debug!("{self}: {}", String::from_utf8_lossy(&body));
        if !status.is_success() {
            return Err(self.declined(status, &headers, &body));
        }
        // What is deleted is answered with nothing.
        if status == StatusCode::NO_CONTENT {
            body = b"null".to_vec();
        }
        Ok((headers, body))
    }

    /// Sends the request, and follows where a read is sent elsewhere on the same server: so GitLab answers for
    /// a project's path of before it was renamed.
    fn follow(&self) -> reqwest::Result<Response> {
        let mut url = self.http.api.clone();
        url.set_path(&format!("{}{}", url.path(), self.path));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        for _ in 0..MOST_REDIRECTS {
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
            .timeout(self.http.http_timeout.min(self.time_left()));
        match self.body {
            Some(body) => request.json(body),
            None => request,
        }
    }

    /// No answer, or not all of it.
    fn broken(&self, error: &reqwest::Error) -> Attempt {
        let cause = cause(error);
        if cause.contains("invalid peer certificate") {
            let message = format!(
                "its certificate is not trusted, neither by the system nor by CI_SERVER_TLS_CA_FILE: {cause}"
            );
            return self.failed(Kind::Passing, message, None);
        }
        if error.is_connect() {
            let message = format!("no connection: {cause}");
            return self.failed(Kind::Passing, message, Some(Pause::Backoff));
        }
        self.unclear(match error.is_timeout() {
            true => "no answer in time".to_owned(),
            false => format!("connection broken: {cause}"),
        })
    }

    /// An answer other than success.
    fn declined(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Attempt {
        let message = match text(headers, LOCATION.as_str()) {
            Some(onward) => format!("{}: sent on to {onward}", status.as_u16()),
            None => reason(status, body),
        };
        let told = text(headers, RETRY_AFTER.as_str())
            .and_then(|seconds| seconds.parse().ok())
            .map(Duration::from_secs);
        match status {
            StatusCode::TOO_MANY_REQUESTS => {
                let again = match told {
                    Some(told) if told > LONGEST_PAUSE => None,
                    Some(told) => Some(Pause::AsTold(told)),
                    None => Some(Pause::Backoff),
                };
                self.failed(Kind::Passing, message, again)
            }
            StatusCode::CONFLICT if message.contains("Resource lock") => {
                self.failed(Kind::Passing, message, Some(Pause::Backoff))
            }
            // A 400 in GitLab, though it is a rate limit; a minute's wait is the next run's.
            StatusCode::BAD_REQUEST
                if message.contains("Too many pipelines") || message.contains("Retry later") =>
            {
                self.failed(Kind::Passing, message, None)
            }
            StatusCode::REQUEST_TIMEOUT => self.unclear(message),
            status if status.is_server_error() => self.unclear(message),
            status => self.failed(Kind::Refused(status), message, None),
        }
    }

    fn unclear(&self, message: String) -> Attempt {
        let again = (self.repeat == Repeat::Safe).then_some(Pause::Backoff);
        self.failed(Kind::Unclear, message, again)
    }

    fn failed(&self, kind: Kind, message: String, again: Option<Pause>) -> Attempt {
        Attempt {
            error: Error {
                kind,
                request: self.to_string(),
                message,
            },
            again,
        }
    }
}

fn certificates(
    file: &std::path::Path,
) -> std::result::Result<Vec<Certificate>, Box<dyn std::error::Error>> {
    let certificates = Certificate::from_pem_bundle(&std::fs::read(file)?)?;
    match certificates.is_empty() {
        true => Err("there is no certificate in it".into()),
        false => Ok(certificates),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
