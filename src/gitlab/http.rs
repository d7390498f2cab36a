//! The HTTP client of one server: authentication, certificates, paging, and one function for each kind of request.

mod body;
mod call;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::blocking::Client;
use reqwest::header::HeaderValue;
use reqwest::{Certificate, Method, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde_json::Value;

use self::body::LONGEST_TEXT;
use self::call::{Call, Retry};
use super::ConnectError;
use super::clock::Clock;
use super::error::{ErrorKind, Result, cause};
use super::rate_limit::RateLimiter;

/// GitLab's maximum.
pub const PER_PAGE: usize = 100;
/// The most pages of one list. No list that people make comes near.
const MAX_PAGES: usize = 200;

/// The token as an `Authorization` header, marked as sensitive so that no log of headers shows it.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Returns `None` if the text cannot be a header, and so is no token.
    pub fn new(secret: &SecretString) -> Option<Self> {
        let mut bearer =
            HeaderValue::try_from(format!("Bearer {}", secret.expose_secret())).ok()?;
        bearer.set_sensitive(true);
        Some(Self(bearer))
    }
}

/// Limits on requests: see the flags of the same names.
pub struct Limits {
    pub http_timeout: Duration,
    pub retries: usize,
    /// For all requests together, including retries and pauses.
    pub run_time: Duration,
    /// For one response, or for all pages of a list.
    pub max_bytes: u64,
    /// A file of PEM certificates to trust in addition to the system's.
    pub ca_file: Option<std::path::PathBuf>,
}

/// One server, with any token.
pub struct Http {
    client: Client,
    api: Url,
    http_timeout: Duration,
    retries: usize,
    run_time: Duration,
    max_bytes: u64,
    deadline: Instant,
    rate_limiter: Arc<RateLimiter>,
    clock: Arc<Clock>,
}

impl Http {
    /// `gitlab` is the server's URL, including its relative path if it has one.
    pub fn new(gitlab: &Url, limits: &Limits) -> std::result::Result<Self, ConnectError> {
        // This fails only if a provider is installed already, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .user_agent(concat!("bench-bot/", env!("CARGO_PKG_VERSION")))
            // Redirects are followed by hand, since the token must not go to another server.
            .redirect(reqwest::redirect::Policy::none());
        if gitlab.scheme() == "http" {
            // Reading the system's certificates takes longer than the rest of the start-up.
            client = client.tls_certs_only([]);
        } else if let Some(file) = &limits.ca_file {
            let trusted = certificates(file).map_err(|error| {
                let file = file.display();
                ConnectError::Setting(format!("CI_SERVER_TLS_CA_FILE: {file}: {error}"))
            })?;
            client = client.tls_certs_merge(trusted);
        }
        let client = client.build().map_err(|error| {
            ConnectError::Setting(format!("cannot create an HTTP client: {}", cause(&error)))
        })?;
        let mut api = gitlab.clone();
        api.set_path(&format!("{}/api/v4/", gitlab.path().trim_end_matches('/')));
        Ok(Self {
            client,
            api,
            http_timeout: limits.http_timeout,
            retries: limits.retries,
            run_time: limits.run_time,
            max_bytes: limits.max_bytes,
            deadline: Instant::now() + limits.run_time,
            rate_limiter: Arc::default(),
            clock: Arc::default(),
        })
    }

    /// The same server, with a new deadline and this many retries.
    pub fn with_new_deadline(&self, retries: usize) -> Self {
        self.clock.merge_samples();
        Self {
            client: self.client.clone(),
            api: self.api.clone(),
            http_timeout: self.http_timeout,
            retries,
            run_time: self.run_time,
            max_bytes: self.max_bytes,
            deadline: Instant::now() + self.run_time,
            rate_limiter: self.rate_limiter.clone(),
            clock: self.clock.clone(),
        }
    }

    /// The time by the server's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Sleeps for `time`, but not beyond the run's deadline.
    pub fn pause(&self, time: Duration) {
        std::thread::sleep(time.min(self.time_left()));
    }

    /// Logs the run's requests, retries, longest chain and time.
    pub fn log_stats(&self) {
        self.rate_limiter.log_stats()
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
        self.get_with_texts_up_to(LONGEST_TEXT, token, path, query)
    }

    /// For a response that may hold longer strings than others.
    pub fn get_with_texts_up_to<T: DeserializeOwned>(
        &self,
        longest: usize,
        token: &Token,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T> {
        let mut call = Call::new(self, token, Method::GET, path, Retry::Safe);
        call.query = query.to_vec();
        call.longest_text = longest;
        call.send()
    }

    /// The first bytes of a response that is not JSON. The rest is not received.
    pub fn get_beginning(&self, token: &Token, path: &str, most: u64) -> Result<Vec<u8>> {
        let call = Call::new(self, token, Method::GET, path, Retry::Safe);
        call.receive_beginning(most)
    }

    fn page_call<'a>(
        &'a self,
        token: &'a Token,
        path: &'a str,
        query: &[(&'a str, String)],
        page: usize,
    ) -> Call<'a> {
        let mut call = Call::new(self, token, Method::GET, path, Retry::Safe);
        call.query = query.to_vec();
        call.query.push(("per_page", PER_PAGE.to_string()));
        call.query.push(("page", page.to_string()));
        call
    }

    /// All pages of a list.
    pub fn get_all<T: DeserializeOwned>(
        &self,
        token: &Token,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>> {
        self.get_pages(token, path, query, PhantomData)
    }

    /// All pages of a list, each read by this seed.
    pub fn get_pages<T>(
        &self,
        token: &Token,
        path: &str,
        query: &[(&str, String)],
        page: impl for<'de> DeserializeSeed<'de, Value = Vec<T>> + Copy,
    ) -> Result<Vec<T>> {
        self.pages(token, path, query, page, |_| false)
    }

    /// The pages of a list up to the first for which `enough` is true.
    pub fn get_until<T: DeserializeOwned>(
        &self,
        token: &Token,
        path: &str,
        query: &[(&str, String)],
        enough: impl Fn(&[T]) -> bool,
    ) -> Result<Vec<T>> {
        self.pages(token, path, query, PhantomData, enough)
    }

    /// Returns complete lists or an error. A short page does not mean that it is the last, since GitLab removes rows that
    /// the user may not see after it has cut the pages.
    fn pages<T>(
        &self,
        token: &Token,
        path: &str,
        query: &[(&str, String)],
        read: impl for<'de> DeserializeSeed<'de, Value = Vec<T>> + Copy,
        enough: impl Fn(&[T]) -> bool,
    ) -> Result<Vec<T>> {
        let mut rows = Vec::new();
        let (mut page, mut bytes) = (1, 0);
        for _ in 0..MAX_PAGES {
            let mut call = self.page_call(token, path, query, page);
            call.max_bytes -= bytes;
            let answer = call.receive(read)?;
            bytes += answer.bytes;
            let last = enough(&answer.value);
            rows.extend(answer.value);
            if last {
                return Ok(rows);
            }
            let next = answer.headers.get("x-next-page");
            let next = next.and_then(|next| next.to_str().ok());
            page = match next.map(|next| (next, next.parse::<usize>())) {
                Some(("", _)) => return Ok(rows),
                Some((_, Ok(next))) if next > page => next,
                _ => {
                    let message = format!("page {page} does not say which page follows it");
                    return Err(call.error(ErrorKind::Unclear, message));
                }
            };
        }
        let call = self.page_call(token, path, query, page);
        let message = format!("answered, but unreadable: it is larger than {MAX_PAGES} pages");
        Err(call.error(ErrorKind::Unclear, message))
    }

    pub fn put<T: DeserializeOwned>(&self, token: &Token, path: &str, body: &Value) -> Result<T> {
        let call = Call::new(self, token, Method::PUT, path, Retry::Safe);
        call.with(body).send()
    }

    pub fn delete(&self, token: &Token, path: &str) -> Result<()> {
        let call = Call::new(self, token, Method::DELETE, path, Retry::Safe);
        call.send()
    }

    /// A POST that is retried only if the first attempt certainly had no effect.
    pub fn post<T: DeserializeOwned>(&self, token: &Token, path: &str, body: &Value) -> Result<T> {
        let call = Call::new(self, token, Method::POST, path, Retry::Never);
        call.with(body).send()
    }

    /// A POST that has the same effect when it is sent twice.
    pub fn post_idempotent<T: DeserializeOwned>(
        &self,
        token: &Token,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T> {
        let mut call = Call::new(self, token, Method::POST, path, Retry::Safe);
        call.body = body;
        call.send()
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

/// Encodes a name as one segment of a path.
pub fn segment(name: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(encoded).collect()
}

/// Encodes a path segment by segment.
pub fn segments(path: &str) -> String {
    let encoded: Vec<String> = path.split('/').map(segment).collect();
    encoded.join("/")
}
