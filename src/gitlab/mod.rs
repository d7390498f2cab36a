//! The part of GitLab's REST API v4 that bench-bot uses. Only this folder knows HTTP.
//!
//! This is a thin client of our own and not the `gitlab` crate, for three reasons. That crate stops paging at the first
//! short page, which loses label events and discussions (GitLab removes rows after it has cut the pages). Its errors do
//! not distinguish a request that certainly had no effect from one that may have had, and every write here depends on
//! that. And our two dozen endpoints take less code than adapting the crate would.

pub mod answer;
mod benchmark_project;
mod clock;
mod discussions;
mod error;
mod http;
mod parallel;
mod rate_limit;
mod setup;
mod source_project;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::de::DeserializeOwned;

pub use self::benchmark_project::{BenchmarkProject, by_id};
pub use self::error::{AccessProblem, Error, ErrorKind, GRANT};
pub use self::http::{Limits, segments};
pub use self::parallel::{Count, both, parallel_map};
pub use self::setup::{
    AccessLevel, Branch, JobTokenScope, ProjectSettings, ProtectedBranch, Role, Tag, TokenDetails,
    Version,
};
pub use self::source_project::{Listed, Listing, Mark, SourceProject};
pub use reqwest::Url;

use self::answer::{Project, User};
use self::http::{Http, Token};

/// A project as the settings name it: by path or by numeric id.
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

/// How to reach the two projects.
pub struct Connection {
    pub gitlab_url: Url,
    pub project: ProjectName,
    pub benchmark_project: ProjectName,
    pub token: SecretString,
    /// A separate token for the benchmark project.
    pub benchmark_token: Option<SecretString>,
    /// `None`: the tokens' users are the bot.
    pub bot: Option<BotNames>,
    pub limits: Limits,
}

/// The bot's usernames in the two projects: usually the same.
#[derive(Clone, Debug, PartialEq)]
pub struct BotNames {
    /// The author of the bot's notes.
    pub source: String,
    /// The user whose pipelines are records.
    pub benchmark: String,
}

/// A project, with the token to use there.
#[derive(Clone)]
struct ProjectClient {
    http: Arc<Http>,
    token: Token,
    project: Project,
    /// The bot's username in this project, which may differ from the token's user.
    bot: String,
}

impl ProjectClient {
    fn over(&self, http: &Arc<Http>) -> Self {
        Self {
            http: http.clone(),
            ..self.clone()
        }
    }
}

/// The connection to the two projects.
pub struct Gitlab {
    http: Arc<Http>,
    pub source: SourceProject,
    pub benchmark: BenchmarkProject,
    /// The user of the token for the source project.
    pub user: User,
    /// The token belongs to a user other than the bot: it must not write, and GitLab does not show it everything.
    pub is_observer: bool,
    prefetched: Vec<Result<Vec<Listed>, Error>>,
}

/// Why a run cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Somebody has to change a setting.
    #[error("{0}")]
    Setting(String),
    #[error("{0}")]
    Unreachable(String),
}

impl Gitlab {
    /// Looks up the tokens' users and the projects. Fetches `prefetched` at the same time, which saves a round trip.
    pub fn connect(connection: &Connection, prefetched: &[Listing]) -> Result<Self, ConnectError> {
        let (source, benchmark) = ProjectAccess::both(connection)?;
        let http = source.http.clone();
        let two_users = connection.benchmark_token.is_some();
        let of_source = || both(|| source.user(), || source.project());
        let of_benchmark = || {
            both(
                || two_users.then(|| benchmark.user()),
                || benchmark.project(),
            )
        };
        let (prefetched, ((source_user, source_project), (benchmark_user, benchmark_project))) =
            both(
                || parallel_map(prefetched.to_vec(), |listing| source.list(listing)),
                || both(of_source, of_benchmark),
            );
        let user = source_user.map_err(|error| source.connect_error(&error))?;
        let benchmark_user = match benchmark_user {
            Some(user) => user.map_err(|error| benchmark.connect_error(&error))?,
            None => user.clone(),
        };
        let (source_bot, benchmark_bot) = match &connection.bot {
            None => (user.username.clone(), benchmark_user.username.clone()),
            Some(bot) => (
                source.username(&bot.source, &user)?,
                benchmark.username(&bot.benchmark, &benchmark_user)?,
            ),
        };
        let is_observer = source_bot != user.username || benchmark_bot != benchmark_user.username;
        let source = source.into_client(&user, source_project, source_bot)?;
        let benchmark = benchmark.into_client(&benchmark_user, benchmark_project, benchmark_bot)?;
        Ok(Self {
            http,
            source: SourceProject(source),
            benchmark: BenchmarkProject(benchmark),
            user,
            is_observer,
            prefetched,
        })
    }

    /// Returns these lists, prefetched if possible.
    pub fn list_all(&self, listings: &[Listing]) -> Vec<Result<Vec<Listed>, Error>> {
        match self.prefetched.len() == listings.len() {
            true => self.prefetched.clone(),
            false => parallel_map(listings.to_vec(), |listing| self.source.list(listing)),
        }
    }

    /// The same connection with a new deadline and this many retries, for `--wait`: following a benchmark for hours must
    /// not hit a run's time limit.
    pub fn with_new_deadline(&self, retries: usize) -> Self {
        let http = Arc::new(self.http.with_new_deadline(retries));
        Self {
            source: SourceProject(self.source.0.over(&http)),
            benchmark: BenchmarkProject(self.benchmark.0.over(&http)),
            http,
            user: self.user.clone(),
            is_observer: self.is_observer,
            prefetched: Vec::new(),
        }
    }

    /// Logs the run's requests, retries, longest chain and time.
    pub fn log_stats(&self) {
        self.http.log_stats()
    }

    /// Sleeps for `time`, but not beyond the run's deadline.
    pub fn pause(&self, time: Duration) {
        self.http.pause(time);
    }

    /// The time by the server's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }
}

/// A project as the settings name it, with its token, before it has been looked up.
#[derive(Clone)]
pub struct ProjectAccess {
    http: Arc<Http>,
    gitlab_url: Url,
    token: Token,
    /// The variable that holds the token.
    pub variable: &'static str,
    pub name: ProjectName,
    /// The setting that holds the name.
    pub setting: &'static str,
}

fn token(secret: &SecretString, variable: &str) -> Result<Token, ConnectError> {
    Token::new(secret).ok_or_else(|| {
        ConnectError::Setting(format!("{variable} contains characters that no token has"))
    })
}

impl ProjectAccess {
    /// For the source project and the benchmark project. Makes no request.
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

    fn list(&self, listing: Listing) -> Result<Vec<Listed>, Error> {
        source_project::list(&self.http, &self.token, &self.path(), listing)
    }

    /// The bot's username as GitLab spells it. A username that does not exist is an error: with it, all would look idle.
    fn username(&self, name: &str, user: &User) -> Result<String, ConnectError> {
        if name.eq_ignore_ascii_case(&user.username) {
            return Ok(user.username.clone());
        }
        let query = [("username", name.to_owned())];
        let found: Result<Vec<User>, Error> = self.http.get_with(&self.token, "users", &query);
        let found = found.map_err(|error| self.connect_error(&error))?;
        let found = found
            .into_iter()
            .find(|found| found.username.eq_ignore_ascii_case(name));
        found.map(|found| found.username).ok_or_else(|| {
            ConnectError::Setting(format!(
                "there is no user {name} on {}: check --bot (BENCH_BOT_USER)",
                self.gitlab_url
            ))
        })
    }

    fn path(&self) -> String {
        format!("projects/{}", self.name.0.replace('/', "%2F"))
    }

    fn into_client(
        self,
        user: &User,
        project: Result<Project, Error>,
        bot: String,
    ) -> Result<ProjectClient, ConnectError> {
        let project = project.map_err(|error| match error.not_found() {
            true => ConnectError::Setting(format!(
                "project {} does not exist, or {} cannot see it: check {}, \
                 or make {1} a member of the project",
                self.name, user.username, self.setting
            )),
            false => self.connect_error(&error),
        })?;
        Ok(ProjectClient {
            http: self.http,
            token: self.token,
            project,
            bot,
        })
    }

    /// The error for people when the server cannot be used.
    fn connect_error(&self, error: &Error) -> ConnectError {
        self.http.log_stats();
        let (url, variable, message) = (&self.gitlab_url, self.variable, &error.message);
        let check_url = "check --gitlab-url (BENCH_BOT_GITLAB_URL)";
        match error.access_problem() {
            AccessProblem::TokenRefused(way) => ConnectError::Setting(format!(
                "{url} refuses the token in {variable} ({message}): {}",
                way.unwrap_or("it must be valid and have the scope api")
            )),
            AccessProblem::Unavailable => ConnectError::Unreachable(format!(
                "{url} is not accepting requests at the moment ({message}): the next run tries again; if this persists, \
                 ask whoever runs the server"
            )),
            AccessProblem::NotGitlab => {
                let said =
                    format!("{url} does not respond like a GitLab server ({error}): {check_url}");
                match error.kind {
                    ErrorKind::Refused(_) | ErrorKind::NotGitlab(_) => ConnectError::Setting(said),
                    ErrorKind::Transient | ErrorKind::Unclear => ConnectError::Unreachable(said),
                }
            }
            AccessProblem::NoAnswer => ConnectError::Unreachable(format!(
                "{url} cannot be reached ({message}): {check_url} and the network"
            )),
        }
    }
}
