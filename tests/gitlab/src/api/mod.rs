//! The face: GitLab's REST API v4 over the model. One file per resource; each lists its endpoints
//! and what they take.

mod answer;
mod call;
mod discussions;
mod groups;
mod jobs;
mod labels;
mod merge_requests;
mod params;
mod permissions;
mod pipelines;
mod projects;
mod reactions;
mod repository;
mod setup;
mod users;

pub use answer::{Answer, Body};
pub use permissions::permissions;

use crate::world::{Refusal, Throttle, Time, TokenFault, World};
use call::{Call, Result};
use params::{
    PAGING, Param, Params, SORT, boolean, decode_form, integer, list, objects, one_of, text, time,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use users::{user_by_id, user_json};

pub struct Endpoint {
    pub method: &'static str,
    pub path: &'static str,
    handler: fn(&mut Call) -> Result,
    takes: &'static [Param],
    /// Whether it can be had without a token.
    public: bool,
    /// One of these is needed; none: every token will do.
    scopes: &'static [&'static str],
}

type Handler = fn(&mut Call) -> Result;

impl Endpoint {
    const fn new(method: &'static str, path: &'static str, handler: Handler) -> Self {
        Self {
            method,
            path,
            handler,
            takes: &[],
            public: false,
            scopes: &["api"],
        }
    }

    const fn get(path: &'static str, handler: Handler) -> Self {
        Self::new("GET", path, handler).scopes(&["api", "read_api"])
    }

    const fn post(path: &'static str, handler: Handler) -> Self {
        Self::new("POST", path, handler)
    }

    const fn put(path: &'static str, handler: Handler) -> Self {
        Self::new("PUT", path, handler)
    }

    const fn delete(path: &'static str, handler: Handler) -> Self {
        Self::new("DELETE", path, handler)
    }

    const fn takes(mut self, params: &'static [Param]) -> Self {
        self.takes = params;
        self
    }

    const fn public(mut self) -> Self {
        self.public = true;
        self
    }

    const fn scopes(mut self, scopes: &'static [&'static str]) -> Self {
        self.scopes = scopes;
        self
    }

    const fn any_scope(self) -> Self {
        self.scopes(&[])
    }
}

pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    let resources = [
        discussions::ENDPOINTS,
        groups::ENDPOINTS,
        jobs::ENDPOINTS,
        labels::ENDPOINTS,
        merge_requests::ENDPOINTS,
        pipelines::ENDPOINTS,
        projects::ENDPOINTS,
        reactions::ENDPOINTS,
        repository::ENDPOINTS,
        setup::ENDPOINTS,
        users::ENDPOINTS,
    ];
    resources.into_iter().flatten()
}

/// A request as it came in.
pub struct Incoming {
    /// `None`: there is no such route.
    pub endpoint: Option<&'static Endpoint>,
    pub path: BTreeMap<String, String>,
    pub query: String,
    pub form: bool,
    pub body: Vec<u8>,
    pub secret: Option<String>,
    /// The API's address in the words of the client.
    pub asked_at: String,
}

/// What is answered, and what the client did that GitLab would not have told it about.
pub struct Handled {
    pub answer: Answer,
    pub violation: Option<String>,
}

pub fn handle(world: &mut World, incoming: &Incoming) -> Handled {
    let Some(throttle) = world.count_request(incoming.secret.as_deref()) else {
        return handle_unthrottled(world, incoming);
    };
    if throttle.is_exceeded() {
        let seconds = (throttle.reset - world.now()).num_seconds();
        let answer = Answer::text(429, "Retry later\n".to_owned())
            .header("retry-after", seconds)
            .header("ratelimit-resettime", http_date(throttle.reset));
        return Handled {
            answer: tell(&throttle, answer),
            violation: None,
        };
    }
    let mut handled = handle_unthrottled(world, incoming);
    if throttle.told {
        handled.answer = tell(&throttle, handled.answer);
    }
    handled
}

fn tell(throttle: &Throttle, answer: Answer) -> Answer {
    let remaining = throttle.limit.saturating_sub(throttle.observed);
    answer
        .header("ratelimit-limit", throttle.limit)
        .header("ratelimit-name", "throttle_authenticated_api")
        .header("ratelimit-observed", throttle.observed)
        .header("ratelimit-remaining", remaining)
        .header("ratelimit-reset", throttle.reset.timestamp())
}

fn handle_unthrottled(world: &mut World, incoming: &Incoming) -> Handled {
    let Some(endpoint) = incoming.endpoint else {
        return Handled {
            answer: Answer::no_route(),
            violation: Some("unknown route".to_owned()),
        };
    };
    let given = match given_params(incoming) {
        Ok(given) => given,
        Err(answer) => {
            return Handled {
                answer,
                violation: Some("malformed body".to_owned()),
            };
        }
    };
    let unknown = given
        .keys()
        .find(|name| !endpoint.takes.iter().any(|param| param.name == *name));
    let violation = unknown.map(|name| format!("unknown parameter: {name}"));
    let answer = match &violation {
        Some(violation) => Answer::error(violation),
        None => run(world, endpoint, incoming, given).unwrap_or_else(|refusal| refusal),
    };
    if endpoint.method != "GET" && answer.status < 300 {
        world.clock.tick();
    }
    Handled { answer, violation }
}

fn run(
    world: &mut World,
    endpoint: &'static Endpoint,
    incoming: &Incoming,
    given: Map<String, Value>,
) -> Result {
    let user = authenticate(world, endpoint, incoming)?;
    let mut call = Call {
        params: Params::check(given, endpoint.takes)?,
        world,
        endpoint,
        path: incoming.path.clone(),
        user,
        secret: incoming.secret.clone(),
        asked_at: incoming.asked_at.clone(),
        query: incoming.query.clone(),
    };
    (endpoint.handler)(&mut call)
}

fn authenticate(world: &World, endpoint: &Endpoint, incoming: &Incoming) -> Result<Option<u64>> {
    let Some(secret) = incoming.secret.as_deref() else {
        return if endpoint.public {
            Ok(None)
        } else {
            Err(Answer::unauthorized())
        };
    };
    let invalid =
        |description| json!({ "error": "invalid_token", "error_description": description });
    let token = world.token(secret).map_err(|fault| match fault {
        TokenFault::Unknown => Answer::unauthorized(),
        TokenFault::Expired => Answer::json(
            401,
            invalid("Token is expired. You can either do re-authorization or token refresh."),
        ),
        TokenFault::Revoked => Answer::json(
            401,
            invalid("Token was revoked. You have to re-authorize from the user."),
        ),
    })?;
    if let Some(reason) = world.user(token.user_id).denial() {
        return Err(Refusal::ForbiddenAs(reason).into());
    }
    if token.scopes.iter().any(|scope| scope == "granular") {
        let project = incoming.path.get("id").map(String::as_str);
        permissions::check(world, endpoint, project, token)?;
        return Ok(Some(token.user_id));
    }
    let suffices = token
        .scopes
        .iter()
        .any(|scope| endpoint.scopes.contains(&scope.as_str()));
    if endpoint.scopes.is_empty() || suffices {
        return Ok(Some(token.user_id));
    }
    let description = "The request requires higher privileges than provided by the access token.";
    Err(Answer::json(
        403,
        json!({
            "error": "insufficient_scope",
            "error_description": description,
            "scope": endpoint.scopes.join(" "),
        }),
    ))
}

/// Query and body make one set of parameters.
fn given_params(incoming: &Incoming) -> Result<Map<String, Value>> {
    let mut given = decode_form(&incoming.query);
    if incoming.body.is_empty() {
        return Ok(given);
    }
    if incoming.form {
        given.extend(decode_form(&String::from_utf8_lossy(&incoming.body)));
        return Ok(given);
    }
    match serde_json::from_slice(&incoming.body) {
        Ok(Value::Object(body)) => {
            given.extend(body);
            Ok(given)
        }
        _ => Err(Answer::error("message body does not match declared format")),
    }
}

pub fn http_date(time: Time) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// A time as GitLab writes it: `2026-01-05T09:00:00.000Z`.
fn time_json(time: Time) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
