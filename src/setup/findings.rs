//! What GitLab shows of the setup. Nothing here is judged: an error is a finding like any other.

use chrono::{DateTime, TimeDelta, Utc};

use crate::gitlab::answer::{Pipeline, Status, User};
use crate::gitlab::{
    Branch, Error, ProjectSettings, ProtectedBranch, Role, Tag, TokenDetails, Version,
};
use crate::plan::Resolve;

/// `None` is what was not looked for, since what it depends on was not found.
pub struct Findings {
    /// The server's address, without a slash at its end.
    pub url: String,
    /// By the server's clock.
    pub now: DateTime<Utc>,
    pub timeout: TimeDelta,
    pub max_in_flight: usize,
    pub resolve: Resolve,
    pub version: Result<Version, Error>,
    pub token: TokenFindings,
    /// Where the benchmark project has a token of its own.
    pub benchmark_token: Option<TokenFindings>,
    pub source: ProjectFindings,
    pub benchmark: ProjectFindings,
    /// Each by its name; none where they were not looked for.
    pub labels: Vec<(String, LabelFound)>,
    /// `None` as well for an empty repository.
    pub ref_found: Option<RefFound>,
    pub ci_file: Option<CiFile>,
    /// The newest that the bot started in the benchmark project.
    pub pipelines: Option<Result<Vec<Pipeline>, Error>>,
    pub rehearsal: Option<Rehearsal>,
    /// What came of writing in the source project, tried where the token's scopes do not say.
    pub tried: Option<Result<(), Error>>,
}

/// A token, and whose it is.
pub struct TokenFindings {
    pub variable: &'static str,
    /// Whether there is a token at all.
    pub given: bool,
    pub user: Result<User, Error>,
    pub details: Result<TokenDetails, Error>,
}

/// A project, and what the bot is there.
pub struct ProjectFindings {
    pub name: String,
    /// Where the name came from.
    pub setting: &'static str,
    pub settings: Result<ProjectSettings, Error>,
    pub role: Option<Result<Option<Role>, Error>>,
}

pub enum LabelFound {
    There,
    Missing,
    Created,
    NotCreated(Error),
    Unread(Error),
}

pub struct RefFound {
    pub name: String,
    pub branch: Result<Option<Branch>, Error>,
    pub tag: Result<Option<Tag>, Error>,
    pub rules: Result<Vec<ProtectedBranch>, Error>,
}

pub enum CiFile {
    Own {
        path: String,
        text: Result<Option<String>, Error>,
    },
    /// In another project, or at another address.
    Elsewhere(String),
}

pub enum Rehearsal {
    NotStarted(Error),
    Started {
        url: String,
        /// Whether its variables came back as they were given.
        read_back: Result<bool, Error>,
        /// Where it stood at the last look after that.
        cancelled: Result<Status, Error>,
    },
}

impl Findings {
    /// Who acts in the benchmark project.
    pub fn benchmark_identity(&self) -> &TokenFindings {
        self.benchmark_token.as_ref().unwrap_or(&self.token)
    }

    /// Whether the server is known to be of a version before that.
    pub fn older_than(&self, major: u32, minor: u32) -> bool {
        let version = self.version.as_ref().ok();
        version
            .and_then(Version::numbers)
            .is_some_and(|numbers| numbers < (major, minor))
    }
}

impl ProjectFindings {
    /// The project's path, or how it was named.
    pub fn path(&self) -> &str {
        match &self.settings {
            Ok(settings) => &settings.project.path_with_namespace,
            Err(_) => &self.name,
        }
    }
}
