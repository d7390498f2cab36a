//! GitLab's REST API v4, as far as bench-bot uses it: the only place that knows HTTP.
//!
//! A thin client of our own rather than the `gitlab` crate: that crate's paging ends at a page that comes short,
//! which loses label events and discussions (GitLab drops rows after it has cut the pages); its errors do not
//! tell a request that certainly did nothing from one that may have taken effect, on which every write here
//! depends; and the two dozen endpoints used come to less code than adapting it would.

pub mod answer;
mod benchmark_project;
mod error;
mod http;
mod pace;
mod setup;
mod side_by_side;
mod source_project;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

pub use self::benchmark_project::{BenchmarkProject, by_id};
pub use self::error::{Closed, Error, GRANT, Kind};
pub use self::http::Limits;
pub use self::setup::{
    AccessLevel, Branch, ProjectSettings, ProtectedBranch, Role, Tag, TokenDetails, Version,
};
pub use self::side_by_side::{Count, both, side_by_side};
pub use self::source_project::{Listing, SourceProject};
pub use reqwest::Url;

use self::answer::{Project, User};
use self::http::{Http, Token};
use crate::id::Iid;

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
#[derive(Clone)]
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
    labelled: Option<Result<Vec<Iid>, Error>>,
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
    /// Finds out who the tokens belong to and which projects are meant. What bears the label, if one is given, is
    /// asked at the same time, which saves a round trip.
    pub fn connect(connection: &Connection, label: Option<&str>) -> Result<Self, ConnectError> {
        let (source, benchmark) = Door::both(connection)?;
        let http = source.http.clone();
        let two_users = connection.benchmark_token.is_some();
        let of_source = || both(|| source.user(), || source.project());
        let of_benchmark = || {
            both(
                || two_users.then(|| benchmark.user()),
                || benchmark.project(),
            )
        };
        let (labelled, ((source_user, source_project), (benchmark_user, benchmark_project))) = both(
            || label.map(|label| source.labelled(label)),
            || both(of_source, of_benchmark),
        );
        let source_user = source_user.map_err(|error| source.closed(&error))?;
        let benchmark_user = match benchmark_user {
            Some(user) => user.map_err(|error| benchmark.closed(&error))?,
            None => source_user.clone(),
        };
        let source = source.access(source_user, source_project)?;
        let benchmark = benchmark.access(benchmark_user, benchmark_project)?;
        Ok(Self {
            http,
            source: SourceProject(source),
            benchmark: BenchmarkProject(benchmark),
            labelled,
        })
    }

    /// The open merge requests that bear the label, unless they were asked for already: numbers, lowest first.
    pub fn labelled(&self, label: &str) -> Result<Vec<Iid>, Error> {
        match &self.labelled {
            Some(labelled) => labelled.clone(),
            None => self.source.labelled(label, &Listing::Open),
        }
    }

    /// The same, with a run's time before it, and so many repetitions of a request: waiting for hours counts neither as
    /// a run's time nor as a failure.
    pub fn anew(&self, retries: usize) -> Self {
        let http = Arc::new(self.http.anew(retries));
        let access = |access: &Access| Access {
            http: http.clone(),
            ..access.clone()
        };
        Self {
            source: SourceProject(access(&self.source.0)),
            benchmark: BenchmarkProject(access(&self.benchmark.0)),
            http,
            labelled: None,
        }
    }

    /// How the run went: requests, repetitions, chain, time.
    pub fn figures(&self) -> String {
        self.http.figures()
    }

    /// What time it is by the server's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }
}

/// A project as the settings name it, and the token that is to open it.
#[derive(Clone)]
pub struct Door {
    http: Arc<Http>,
    gitlab_url: Url,
    token: Token,
    /// Where the token came from.
    pub variable: &'static str,
    pub name: ProjectName,
    /// Where the name came from.
    pub setting: &'static str,
}

fn token(secret: &SecretString, variable: &str) -> Result<Token, ConnectError> {
    Token::new(secret).ok_or_else(|| {
        ConnectError::Setting(format!("{variable} holds characters that no token has"))
    })
}

impl Door {
    /// Those of the source project and of the benchmark project, whether or not they open.
    pub fn both(connection: &Connection) -> Result<(Self, Self), ConnectError> {
        let source = Self {
            http: Arc::new(Http::new(&connection.gitlab_url, &connection.limits)?),
            gitlab_url: connection.gitlab_url.clone(),
            token: token(&connection.token, "BENCH_BOT_TOKEN")?,
            variable: "BENCH_BOT_TOKEN",
            name: connection.project.clone(),
            setting: "--project (BENCH_BOT_PROJECT)",
        };
        let benchmark = Self {
            name: connection.benchmark_project.clone(),
            setting: "--benchmark-project (BENCH_BOT_BENCHMARK_PROJECT)",
            ..source.clone()
        };
        let benchmark = match &connection.benchmark_token {
            Some(secret) => {
                let variable = "BENCH_BOT_BENCHMARK_TOKEN";
                Self {
                    token: token(secret, variable)?,
                    variable,
                    ..benchmark
                }
            }
            None => benchmark,
        };
        Ok((source, benchmark))
    }

    pub fn user(&self) -> Result<User, Error> {
        self.http.get(&self.token, "user")
    }

    pub fn project<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.http.get(&self.token, &self.path())
    }

    fn labelled(&self, label: &str) -> Result<Vec<Iid>, Error> {
        source_project::labelled(&self.http, &self.token, &self.path(), label, &Listing::Open)
    }

    fn path(&self) -> String {
        format!("projects/{}", self.name.0.replace('/', "%2F"))
    }

    fn access(self, user: User, project: Result<Project, Error>) -> Result<Access, ConnectError> {
        let project = project.map_err(|error| match error.not_found() {
            true => ConnectError::Setting(format!(
                "project {} is not there, or {} may not see it: check {}, \
                 or make {1} a member of the project",
                self.name, user.username, self.setting
            )),
            false => self.closed(&error),
        })?;
        Ok(Access {
            http: self.http,
            token: self.token,
            project,
            user,
        })
    }

    /// Why the server does not let the bot in.
    fn closed(&self, error: &Error) -> ConnectError {
        let (url, variable, message) = (&self.gitlab_url, self.variable, &error.message);
        let check_url = "check --gitlab-url (BENCH_BOT_GITLAB_URL)";
        match error.closed() {
            Closed::Refused(way) => ConnectError::Setting(format!(
                "{url} refuses the token in {variable} ({message}): {}",
                way.unwrap_or("it must be valid, and have the scope api")
            )),
            Closed::ForNow => ConnectError::Unreachable(format!(
                "{url} turns requests away just now ({message}): the next run tries again; if it stays so, ask whoever \
                 runs the server"
            )),
            Closed::Foreign => {
                let said = format!("{url} does not answer as a GitLab does ({error}): {check_url}");
                match error.refused() {
                    Some(_) => ConnectError::Setting(said),
                    None => ConnectError::Unreachable(said),
                }
            }
            Closed::Silent => ConnectError::Unreachable(format!(
                "{url} cannot be reached ({message}): {check_url} and the network"
            )),
        }
    }
}
