//! Where the model meets HTTP: a listener on the loopback, the log of requests, and the faults.

use crate::api::{self, Answer, Body, Endpoint, Incoming};
use crate::fault::Fault;
use crate::filler::Filled;
use crate::page;
use crate::request::Request;
use crate::world::World;
use axum::Router;
use axum::body::{Body as HttpBody, Bytes, to_bytes};
use axum::extract::{RawPathParams, Request as HttpRequest};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, header};
use axum::routing::{MethodFilter, on};
use chrono::TimeDelta;
use hyper::body::{Frame, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, Result};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;

const API: &str = "/api/v4";

pub type Hook = Arc<dyn Fn(&Request) -> Option<Fault> + Send + Sync>;
pub type Answered = Arc<dyn Fn(&Request) + Send + Sync>;

pub struct State {
    pub world: Mutex<World>,
    pub requests: Mutex<Vec<Request>>,
    pub violations: Mutex<Vec<String>>,
    pub hook: Mutex<Option<Hook>>,
    pub answered: Mutex<Option<Answered>>,
    pub delay: Mutex<Duration>,
}

/// A test that has failed holding the lock is no reason for others to fail.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How an answer reaches the client.
enum Delivery {
    Whole(Answer),
    Half(Answer),
    /// The connection is closed, after that time.
    Closed(Duration),
}

impl State {
    pub fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            requests: Mutex::default(),
            violations: Mutex::default(),
            hook: Mutex::default(),
            answered: Mutex::default(),
            delay: Mutex::default(),
        }
    }

    fn handle(&self, incoming: &Incoming, mut request: Request) -> Delivery {
        // Asked without any lock, so that it may act on the world, or wait.
        let hook = lock(&self.hook).clone();
        let fault = hook.and_then(|hook| hook(&request));
        let answer = match fault {
            Some(Fault::Answer { .. } | Fault::Reset | Fault::Hang(_)) => None,
            _ => Some(self.take_effect(incoming, &request)),
        };
        let delivery = match (fault, answer) {
            (None, Some(answer)) => Delivery::Whole(answer),
            (Some(Fault::CutBody), Some(answer)) => Delivery::Half(answer),
            (Some(Fault::Without(field)), Some(answer)) => Delivery::Whole(answer.without(field)),
            (Some(Fault::DateOff(seconds)), Some(answer)) => {
                let date = lock(&self.world).now() + TimeDelta::seconds(seconds);
                Delivery::Whole(answer.header("date", api::http_date(date)))
            }
            (
                Some(
                    Fault::Answer {
                        status,
                        headers,
                        body,
                    }
                    | Fault::AnswerAfterEffect {
                        status,
                        headers,
                        body,
                    },
                ),
                _,
            ) => Delivery::Whole(Answer {
                status,
                headers,
                body: Body::Text(body),
            }),
            (Some(Fault::Hang(time) | Fault::HangAfterEffect(time)), _) => Delivery::Closed(time),
            _ => Delivery::Closed(Duration::ZERO),
        };
        if let Delivery::Whole(answer) | Delivery::Half(answer) = &delivery {
            request.status = Some(answer.status);
            request.fields = answer.fields();
        }
        let answered = lock(&self.answered).clone();
        lock(&self.requests).push(request.clone());
        if let Some(answered) = answered {
            answered(&request);
        }
        delivery
    }

    fn take_effect(&self, incoming: &Incoming, request: &Request) -> Answer {
        let handled = api::handle(&mut lock(&self.world), incoming);
        if let Some(violation) = handled.violation {
            lock(&self.violations)
                .push(format!("{violation} ({} {})", request.method, request.path));
        }
        handled.answer
    }

    fn username(&self, secret: Option<&str>) -> Option<String> {
        let world = lock(&self.world);
        let token = world
            .tokens
            .iter()
            .find(|token| Some(token.secret.as_str()) == secret)?;
        Some(world.user(token.user_id).username)
    }
}

/// Answers connections until the runtime ends.
pub async fn serve(listener: TcpListener, state: Arc<State>, relative_path: String) {
    let router = router(&state, &relative_path);
    while let Ok((stream, _)) = listener.accept().await {
        // Delayed acknowledgements would cost 40 ms a request.
        let _ = stream.set_nodelay(true);
        let router = TowerToHyperService::new(router.clone());
        let service = service_fn(move |request| {
            let response = router.call(request);
            async move {
                let response = response.await.map_err(Error::other)?;
                // An error of the service makes hyper close the connection.
                let closed = response.extensions().get::<Unanswered>().is_some();
                if closed {
                    Err(Error::other("closed by a fault"))
                } else {
                    Ok(response)
                }
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

fn router(state: &Arc<State>, relative_path: &str) -> Router {
    let mut router = Router::new();
    let prefixes = [API.to_owned(), format!("{relative_path}{API}")];
    let distinct = if relative_path.is_empty() { 1 } else { 2 };
    for prefix in &prefixes[..distinct] {
        for endpoint in api::endpoints() {
            let state = Arc::clone(state);
            let handler = move |params: RawPathParams, request: HttpRequest| {
                let path = params
                    .iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                respond(state, Some(endpoint), path, request)
            };
            let method = match endpoint.method {
                "POST" => MethodFilter::POST,
                "PUT" => MethodFilter::PUT,
                "DELETE" => MethodFilter::DELETE,
                _ => MethodFilter::GET,
            };
            router = router.route(&format!("{prefix}{}", endpoint.path), on(method, handler));
        }
    }
    let (state, relative_path) = (Arc::clone(state), relative_path.to_owned());
    let elsewhere = move |request: HttpRequest| otherwise(state, relative_path, request);
    router
        .fallback(elsewhere.clone())
        .method_not_allowed_fallback(elsewhere)
}

/// An unknown route of the API, or a page for people.
async fn otherwise(
    state: Arc<State>,
    relative_path: String,
    request: HttpRequest,
) -> Response<HttpBody> {
    let path = percent_decode_str(request.uri().path())
        .decode_utf8_lossy()
        .into_owned();
    if path.contains("/api/") {
        return respond(state, None, BTreeMap::new(), request).await;
    }
    let world = lock(&state.world);
    let path = path.strip_prefix(relative_path.as_str()).unwrap_or(&path);
    let accepts = request.headers().get(header::ACCEPT);
    let is_browser = accepts
        .and_then(|accepts| accepts.to_str().ok())
        .is_some_and(|accepts| accepts.contains("text/html"));
    let page = match is_browser {
        true => page::html(&world, path),
        false => page::at(&world, path),
    };
    let answer = match page {
        Some(page) if is_browser => {
            let html = "text/html; charset=utf-8";
            Answer::text(200, page).header("content-type", html)
        }
        Some(page) => Answer::text(200, page),
        None => Answer::text(404, "Page not found\n".to_owned()),
    };
    write(&world, answer, whole)
}

async fn respond(
    state: Arc<State>,
    endpoint: Option<&'static Endpoint>,
    path: BTreeMap<String, String>,
    request: HttpRequest,
) -> Response<HttpBody> {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return unanswered();
    };
    let incoming = incoming(&parts, endpoint, path, &body);
    let request = to_log(&state, &parts, &incoming);
    let delay = *lock(&state.delay);
    let worker = Arc::clone(&state);
    // A hook may take its time, which must not keep other requests waiting.
    let delivery = tokio::task::spawn_blocking(move || {
        let handled = AssertUnwindSafe(|| worker.handle(&incoming, request));
        // Noted here, since nothing after this goes on where the client does not wait.
        std::panic::catch_unwind(handled).inspect_err(|_| {
            let panicked = "a hook or the server panicked".to_owned();
            lock(&worker.violations).push(panicked);
        })
    });
    let delivery = delivery.await;
    tokio::time::sleep(delay).await;
    match delivery {
        Ok(Ok(Delivery::Whole(answer))) => write(&lock(&state.world), answer, whole),
        Ok(Ok(Delivery::Half(answer))) => write(&lock(&state.world), answer, |body| {
            let half = body.slice(..body.len() / 2);
            HttpBody::new(CutBody {
                half: Some(half),
                told: false,
                length: body.len() as u64,
            })
        }),
        Ok(Ok(Delivery::Closed(after))) => {
            tokio::time::sleep(after).await;
            unanswered()
        }
        Ok(Err(_)) | Err(_) => unanswered(),
    }
}

fn incoming(
    parts: &Parts,
    endpoint: Option<&'static Endpoint>,
    path: BTreeMap<String, String>,
    body: &[u8],
) -> Incoming {
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let bearer = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let prefix = parts
        .uri
        .path()
        .split_once(API)
        .map_or("", |(prefix, _)| prefix);
    Incoming {
        endpoint,
        path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        form: header("content-type")
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")),
        body: body.to_owned(),
        secret: header("private-token").or(bearer).map(str::to_owned),
        asked_at: format!(
            "http://{}{prefix}{API}",
            header("host").unwrap_or("localhost")
        ),
    }
}

fn to_log(state: &State, parts: &Parts, incoming: &Incoming) -> Request {
    let path = parts.uri.path();
    let path = path.split_once(API).map_or(path, |(_, path)| path);
    Request {
        method: parts.method.to_string(),
        path: percent_decode_str(path).decode_utf8_lossy().into_owned(),
        query: form_urlencoded::parse(incoming.query.as_bytes())
            .into_owned()
            .collect(),
        body: serde_json::from_slice(&incoming.body).unwrap_or(Value::Null),
        user: state.username(incoming.secret.as_deref()),
        status: None,
        fields: BTreeSet::new(),
    }
}

fn write(
    world: &World,
    answer: Answer,
    send: impl FnOnce(Bytes) -> HttpBody,
) -> Response<HttpBody> {
    let (kind, body) = match answer.body {
        Body::Empty => (None, String::new()),
        Body::Json(json) => (Some("application/json"), json.to_string()),
        Body::Text(text) => (Some("text/plain; charset=utf-8"), text),
    };
    let mut response = Response::new(send(body.into()));
    *response.status_mut() = answer.status.try_into().expect("a status of HTTP");
    let headers = response.headers_mut();
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    let date = api::http_date(world.now());
    // A date of the answer's own comes after this one, and so in its place.
    let headers_given = [("date".to_owned(), date)]
        .into_iter()
        .chain(answer.headers);
    for (name, value) in headers_given {
        let name: header::HeaderName = name.parse().expect("a header's name");
        headers.insert(
            name,
            HeaderValue::from_bytes(value.as_bytes()).expect("a header's value"),
        );
    }
    response
}

fn whole(body: Bytes) -> HttpBody {
    let text = std::str::from_utf8(&body).ok();
    match text.and_then(Filled::new) {
        Some(filled) => HttpBody::new(filled),
        None => body.into(),
    }
}

/// Marks a response that is never sent.
#[derive(Clone)]
struct Unanswered;

fn unanswered() -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::empty());
    response.extensions_mut().insert(Unanswered);
    response
}

/// Promises `length` bytes, sends half of them, and breaks off.
struct CutBody {
    half: Option<Bytes>,
    told: bool,
    length: u64,
}

impl axum::body::HttpBody for CutBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        if !self.told {
            // Gives hyper the time to send the half.
            self.told = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Error::other("cut"))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
