//! GitLab's REST API v4, as far as bench-bot uses it: the only place that knows HTTP.
//!
//! A thin client of our own rather than the `gitlab` crate: that crate's paging ends at a page that comes short,
//! which loses label events and discussions (GitLab drops rows after it has cut the pages); its errors do not
//! tell a request that certainly did nothing from one that may have taken effect, on which every write here
//! depends; and the fifteen endpoints used come to less code than adapting it would.

pub mod answer;
mod benchmark_project;
mod http;
mod side_by_side;
mod source_project;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;

pub use self::benchmark_project::BenchmarkProject;
pub use self::http::{Error, Kind, Limits};
pub use self::side_by_side::{both, side_by_side};
pub use self::source_project::{Listing, SourceProject};
pub use reqwest::Url;

use self::answer::{Project, User};
use self::http::{Http, Token};

/// How the settings name a project: by path or by numeric id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName(String);

impl std::str::FromStr for ProjectName {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let name = name.trim_matches('/');
        let numeric = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let segment = |part: &str| {
            let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
            !part.is_empty() && part.chars().all(allowed)
        };
        match numeric || (name.contains('/') && name.split('/').all(segment)) {
            true => Ok(Self(name.to_owned())),
            false => Err("write group/name or the project's numeric id".to_owned()),
        }
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is needed to reach the two projects.
pub struct Connection {
    pub gitlab_url: Url,
    pub project: ProjectName,
    pub benchmark_project: ProjectName,
    pub token: SecretString,
    /// Where the benchmark project has a token of its own.
    pub benchmark_token: Option<SecretString>,
    pub limits: Limits,
}

/// A project, and the user whose token opens it.
struct Access {
    http: Arc<Http>,
    token: Token,
    project: Project,
    user: User,
}

/// The two projects, found and open to the bot.
pub struct Gitlab {
    http: Arc<Http>,
    pub source: SourceProject,
    pub benchmark: BenchmarkProject,
}

/// Why the work cannot even begin.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A setting has to be changed.
    #[error("{0}")]
    Setting(String),
    #[error("{0}")]
    Unreachable(String),
}

impl Gitlab {
    /// Finds out who the tokens belong to and which projects are meant.
    pub fn connect(connection: &Connection) -> Result<Self, ConnectError> {
        let http = Arc::new(Http::new(&connection.gitlab_url, &connection.limits)?);
        let (source, benchmark) = both(
            || open(&http, connection, Side::Source),
            || open(&http, connection, Side::Benchmark),
        );
        let (source, benchmark) = (SourceProject(source?), BenchmarkProject(benchmark?));
        Ok(Self {
            http,
            source,
            benchmark,
        })
    }

    /// What time it is by the server's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }
}

#[derive(Clone, Copy)]
enum Side {
    Source,
    Benchmark,
}

fn open(http: &Arc<Http>, connection: &Connection, side: Side) -> Result<Access, ConnectError> {
    let (name, setting) = match side {
        Side::Source => (&connection.project, "--project (BENCH_BOT_PROJECT)"),
        Side::Benchmark => (
            &connection.benchmark_project,
            "--benchmark-project (BENCH_BOT_BENCHMARK_PROJECT)",
        ),
    };
    let (secret, variable) = match (side, &connection.benchmark_token) {
        (Side::Benchmark, Some(token)) => (token, "BENCH_BOT_BENCHMARK_TOKEN"),
        _ => (&connection.token, "BENCH_BOT_TOKEN"),
    };
    let token = Token::new(secret).ok_or_else(|| {
        ConnectError::Setting(format!("{variable} holds characters that no token has"))
    })?;
    let (user, project) = both(
        || http.get::<User>(&token, "user"),
        || http.get::<Project>(&token, &format!("projects/{}", name.0.replace('/', "%2F"))),
    );
    let user = user.map_err(|error| closed(&connection.gitlab_url, variable, &error))?;
    let project = project.map_err(|error| match error.not_found() {
        true => ConnectError::Setting(format!(
            "project {name} is not there, or {} may not see it: check {setting}, \
             or make {0} a member of the project",
            user.username
        )),
        false => closed(&connection.gitlab_url, variable, &error),
    })?;
    Ok(Access {
        http: http.clone(),
        token,
        project,
        user,
    })
}

/// Why the server does not let the bot in.
fn closed(gitlab_url: &Url, variable: &str, error: &Error) -> ConnectError {
    let check_url = "check --gitlab-url (BENCH_BOT_GITLAB_URL)";
    match error.refused().map(|status| status.as_u16()) {
        Some(401 | 403) => ConnectError::Setting(format!(
            "{gitlab_url} refuses the token in {variable} ({}): \
             it must be valid, and have the scope api",
            error.message
        )),
        Some(_) => ConnectError::Setting(format!(
            "{gitlab_url} does not answer as a GitLab does ({error}): {check_url}"
        )),
        None => ConnectError::Unreachable(format!(
            "{gitlab_url} cannot be reached ({}): {check_url} and the network",
            error.message
        )),
    }
}
