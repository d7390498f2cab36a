//! What GitLab shows of the setup, not yet judged: an error is a finding like any other.

use chrono::{DateTime, TimeDelta, Utc};

use crate::gitlab::answer::{Pipeline, Status, User};
use crate::gitlab::{
    Branch, Error, JobTokenScope, ProjectSettings, ProtectedBranch, Role, Tag, TokenDetails,
    Version,
};
use crate::given_flags::GivenFlags;
use crate::plan::Resolve;

/// `None`: not looked for, since something that it depends on was not found.
pub struct Findings {
    /// The server's URL, without a trailing slash.
    pub url: String,
    /// By the server's clock.
    pub now: DateTime<Utc>,
    pub timeout: TimeDelta,
    pub max_in_flight: usize,
    pub resolve: Resolve,
    pub given_flags: GivenFlags,
    pub version: Result<Version, Error>,
    pub token: TokenFindings,
    /// The separate token for the benchmark project.
    pub benchmark_token: Option<TokenFindings>,
    pub source: ProjectFindings,
    pub benchmark: ProjectFindings,
    /// In a job: its project.
    pub automation: Option<AutomationFindings>,
    /// By name. Empty if they were not looked for.
    pub labels: Vec<(String, LabelFound)>,
    /// Also `None` for an empty repository.
    pub ref_found: Option<RefFound>,
    pub ci_file: Option<CiFile>,
    /// The newest pipelines that the bot started in the benchmark project.
    pub pipelines: Option<Result<Vec<Pipeline>, Error>>,
    pub rehearsal: Option<Rehearsal>,
    /// Whether writing to the source project worked. It is tried only if the token's scopes do not say.
    pub tried: Option<Result<(), Error>>,
}

/// A token and its user.
pub struct TokenFindings {
    pub variable: &'static str,
    /// Whether the variable is set.
    pub given: bool,
    pub user: Result<User, Error>,
    pub details: Result<TokenDetails, Error>,
}

/// A project, and the bot's role in it.
pub struct ProjectFindings {
    pub name: String,
    /// The setting that holds the name.
    pub setting: &'static str,
    pub settings: Result<ProjectSettings, Error>,
    pub role: Option<Result<Option<Role>, Error>>,
}

/// The project whose job this is, which has the bot's token.
pub struct AutomationFindings {
    pub settings: Result<ProjectSettings, Error>,
    pub job_tokens: Result<JobTokenScope, Error>,
    /// The newest, with the one that this runs in.
    pub pipelines: Result<Vec<Pipeline>, Error>,
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
    /// In another project or at another URL.
    Elsewhere(String),
}

pub enum Rehearsal {
    NotStarted(Error),
    Started {
        url: String,
        /// Whether its variables came back as they were given.
        read_back: Result<bool, Error>,
        /// Its status when it was last read after the cancel.
        cancelled: Result<Status, Error>,
    },
    /// It ran to its end.
    Ran {
        url: String,
        read_back: Result<bool, Error>,
        /// The status with which it ended, or which it still had when nobody waited any longer.
        ended: Result<Status, Error>,
        /// What it says of its machine.
        said: Option<String>,
    },
}

impl Findings {
    /// The token for the benchmark project.
    pub fn benchmark_identity(&self) -> &TokenFindings {
        self.benchmark_token.as_ref().unwrap_or(&self.token)
    }

    /// How to find out what no setting shows.
    pub fn rehearse(&self) -> String {
        let command = self.given_flags.command("doctor --rehearse");
        format!("test it with one pipeline: {command}")
    }

    /// Whether the server is known to be older than this version.
    pub fn older_than(&self, major: u32, minor: u32) -> bool {
        let version = self.version.as_ref().ok();
        version
            .and_then(Version::numbers)
            .is_some_and(|numbers| numbers < (major, minor))
    }
}

impl ProjectFindings {
    /// The project's path, or its name in the settings if it was not found.
    pub fn path(&self) -> &str {
        match &self.settings {
            Ok(settings) => &settings.project.path_with_namespace,
            Err(_) => &self.name,
        }
    }
}
