//! The fields that bench-bot reads of GitLab's responses. Unknown fields are ignored and unknown words kept, since any
//! minor release of GitLab may add some.

use chrono::{DateTime, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::{DiscussionId, Iid, JobId, NoteId, PipelineId, ProjectId, RequestId, Sha, UserId};

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct User {
    pub id: UserId,
    pub username: String,
    /// Whether this is not a person's account. Most responses leave it out.
    pub bot: Option<bool>,
}

impl User {
    /// GitLab's ghost user, who inherits what deleted accounts did.
    pub fn is_ghost(&self) -> bool {
        self.username == "ghost"
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Project {
    pub id: ProjectId,
    pub path_with_namespace: String,
    pub web_url: String,
    /// `None` for an empty repository on an older server; a newer one names the branch that it would have.
    pub default_branch: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct MergeRequest {
    pub iid: Iid,
    pub state: String,
    pub created_at: DateTime<Utc>,
    /// Changes with each push, label and note.
    pub updated_at: Option<DateTime<Utc>>,
    pub web_url: String,
    pub title: Option<String>,
    pub author: Option<User>,
    pub source_branch: String,
    pub target_branch: String,
    /// `None` when the fork was deleted.
    pub source_project_id: Option<ProjectId>,
    pub target_project_id: ProjectId,
    pub labels: Vec<String>,
    /// Notes by people and bots, including those in discussions.
    pub user_notes_count: Option<u64>,
    /// The head of the source branch. `None` before GitLab has made the first diff.
    pub sha: Option<Sha>,
    /// Only in the response for a single merge request, and only for those who may read pipelines.
    pub head_pipeline: Option<SourcePipeline>,
    /// Only in the response for a single merge request.
    pub diff_refs: Option<DiffRefs>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct DiffRefs {
    /// The merge base. Null if there is no diff.
    pub base_sha: Option<Sha>,
}

/// A pipeline of a merge request, in its own project or in a fork.
#[derive(Clone, Debug, Deserialize)]
pub struct SourcePipeline {
    pub id: PipelineId,
    pub project_id: ProjectId,
    pub sha: Sha,
    #[serde(rename = "ref")]
    pub ref_name: String,
    pub status: Status,
    pub web_url: String,
    pub created_at: DateTime<Utc>,
    /// Null until a job has started, and for external pipelines. Lists leave it out.
    pub started_at: Option<DateTime<Utc>>,
    /// Null until it has ended; lists do not have it.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A pipeline of the benchmark project. bench-bot acts only on what is certain about it, so missing fields make it
/// unknown instead of failing the response.
#[derive(Clone, Debug, Deserialize)]
pub struct Pipeline {
    pub id: PipelineId,
    pub status: Option<Status>,
    pub source: Option<String>,
    #[serde(default)]
    pub web_url: String,
    pub created_at: Option<DateTime<Utc>>,
    /// Changes with each change of status.
    pub updated_at: Option<DateTime<Utc>>,
    /// Null until a job has started; lists do not have it.
    pub started_at: Option<DateTime<Utc>>,
    /// Null until it has ended; lists do not have it.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who started it. Lists leave it out.
    pub user: Option<User>,
}

impl Pipeline {
    /// A missing status counts as not ended.
    pub fn status(&self) -> Status {
        let unknown = || Status::Alive("unknown".to_owned());
        self.status.clone().unwrap_or_else(unknown)
    }

    /// Whether it has certainly ended.
    pub fn ended(&self) -> bool {
        self.status.as_ref().is_some_and(Status::ended)
    }
}

/// The status of a pipeline or a job. Only the four words of [`Outcome`] mean that it has ended; any other word, even one
/// that a future GitLab adds, means that it has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    Ended(Outcome),
    Alive(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Success,
    Failed,
    Canceled,
    Skipped,
}

impl Outcome {
    pub const ALL: [Outcome; 4] = [Self::Success, Self::Failed, Self::Canceled, Self::Skipped];

    /// GitLab's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
        }
    }
}

impl From<String> for Status {
    fn from(word: String) -> Self {
        match Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.word() == word)
        {
            Some(outcome) => Status::Ended(outcome),
            None => Status::Alive(word),
        }
    }
}

impl Status {
    pub fn ended(&self) -> bool {
        matches!(self, Status::Ended(_))
    }

    /// GitLab's word for it.
    pub fn word(&self) -> &str {
        match self {
            Status::Ended(outcome) => outcome.word(),
            Status::Alive(word) => word,
        }
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Status::from)
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub name: String,
    pub status: Status,
    /// Its failure does not fail the pipeline.
    #[serde(default)]
    pub allow_failure: bool,
    /// Only for a failed job.
    pub failure_reason: Option<String>,
    pub web_url: String,
    /// Null if the job left no artifacts.
    pub artifacts_file: Option<IgnoredAny>,
}

impl Job {
    /// Whether this job made the pipeline fail.
    pub fn fails_pipeline(&self) -> bool {
        self.status == Status::Ended(Outcome::Failed) && !self.allow_failure
    }

    /// GitLab's word for why it failed.
    pub fn failure_reason(&self) -> &str {
        self.failure_reason.as_deref().unwrap_or("unknown_failure")
    }
}

/// A job that starts another pipeline, which GitLab lists apart from the others.
#[derive(Clone, Debug, Deserialize)]
pub struct TriggerJob {
    #[serde(flatten)]
    pub job: Job,
    /// Null if it has started none.
    pub downstream_pipeline: Option<DownstreamPipeline>,
}

/// In any project.
#[derive(Clone, Debug, Deserialize)]
pub struct DownstreamPipeline {
    pub id: PipelineId,
    pub project_id: ProjectId,
    pub web_url: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Commit {
    pub parent_ids: Vec<Sha>,
}

/// One push to a merge request, dated by GitLab and not by the commit's author.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Version {
    pub id: u64,
    /// Null if there is no commit.
    pub head_commit_sha: Option<Sha>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct LabelEvent {
    pub id: RequestId,
    pub created_at: DateTime<Utc>,
    /// Null or GitLab's ghost user once the account was deleted.
    pub user: Option<User>,
    pub action: String,
    /// Null once the label was deleted. A renamed label has its present name.
    pub label: Option<Label>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Label {
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    pub key: String,
    #[serde(deserialize_with = "or_empty")]
    pub value: String,
}

fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A reaction to a merge request.
#[derive(Clone, Debug, Deserialize)]
pub struct AwardEmoji {
    pub id: u64,
    pub name: String,
    pub user: Option<User>,
    pub created_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug)]
pub struct Discussion {
    pub id: DiscussionId,
    pub notes: Vec<Note>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Note {
    pub id: NoteId,
    /// Empty if it is longer than any note of the bot's, or known to be another user's.
    #[serde(deserialize_with = "or_empty")]
    pub body: String,
    pub created_at: Option<DateTime<Utc>>,
    pub author: Option<User>,
    /// Written by GitLab itself in the name of the user who acted.
    #[serde(default)]
    pub system: bool,
    /// Missing for a note that cannot be resolved.
    #[serde(default)]
    pub resolved: bool,
}
