//! What a run has read from GitLab: the only input of [`crate::plan`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::gitlab::answer::{LabelEvent, Status, User, Version};
use crate::id::{Iid, PipelineId, ProjectId, RequestId, Sha};
use crate::milestones::Milestones;
use crate::note::{Thread, Triggered};
use crate::record::Record;

#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// By the server's clock.
    pub now: DateTime<Utc>,
    pub source: ProjectId,
    /// This run's labels.
    pub labels: Vec<String>,
    /// The bot's username in the source project.
    pub bot: String,
    pub merge_requests: BTreeMap<Iid, MergeRequest>,
    /// Merge requests that no longer exist.
    pub gone: BTreeSet<Iid>,
    /// Merge requests that could not be read.
    pub unread: BTreeSet<Iid>,
    /// Lowest pipeline id first, including those of other source projects and labels.
    pub records: Vec<Record>,
    /// The bot's pipelines that may be records.
    pub unreadable: Vec<Unreadable>,
    /// The bot's discussions, by merge request, if they were read.
    pub threads: BTreeMap<Iid, Vec<Thread>>,
    /// Requests whose discussion links to a pipeline that could not be read.
    pub uncertain: BTreeSet<(Iid, RequestId)>,
    /// Pipelines that a discussion links to and that were deleted or ended in another project.
    pub lost: BTreeSet<PipelineId>,
    /// Merge requests with the bot's ⏳. `None` if they were not listed.
    pub begun: Option<BTreeSet<Iid>>,
    /// Those with the bot's 👀. `None` if they were not listed.
    pub seen: Option<BTreeSet<Iid>>,
    /// Of the benchmarks in flight and those that ended recently, if they were read.
    pub milestones: BTreeMap<PipelineId, Milestones>,
    /// Who asked for those, as far as that was read.
    pub requested_by: BTreeMap<PipelineId, User>,
    /// How long the bot's latest pipelines took, latest first, with the label of those whose variables were read.
    pub run_times: Vec<(Option<String>, TimeDelta)>,
    /// This run's labels that the project does not have.
    pub missing_labels: Vec<String>,
    /// This run's labels of which that is not known.
    pub unknown_labels: Vec<String>,
    pub troubles: Vec<Trouble>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    pub about: About,
    pub text: String,
}

/// What is unknown because of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    MergeRequest(Iid),
    /// One of the bot's pipelines, whichever request it serves.
    Pipeline(PipelineId),
    Label,
    /// When a benchmark started or ended.
    Milestones,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MergeRequest {
    pub iid: Iid,
    pub web_url: String,
    pub title: Option<String>,
    pub author: Option<User>,
    /// GitLab's word: opened, closed, merged or locked.
    pub state: String,
    pub labels: Vec<String>,
    pub branch: String,
    pub target_branch: String,
    pub created_at: DateTime<Utc>,
    /// The head of the source branch.
    pub head: Option<Sha>,
    /// The merge base with the target branch.
    pub base: Option<Sha>,
    pub pipeline: Option<HeadPipeline>,
    /// Whether it has any notes.
    pub has_notes: bool,
    /// One for each of this run's labels that is on, in the labels' order.
    pub requests: Vec<Request>,
    /// This run's labels that are on, but whose addition GitLab does not show yet.
    pub unexplained: Vec<String>,
    /// Its label events, oldest first.
    pub events: Vec<LabelEvent>,
    pub origin: Origin,
}

impl MergeRequest {
    /// Its branch if GitLab does not show the title.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.branch)
    }
}

/// The pipeline that GitLab calls the head pipeline. It may lag behind the head.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadPipeline {
    pub id: PipelineId,
    pub web_url: String,
    pub status: Status,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub sha: Sha,
    /// The parents of its commit, if that is a merge result that GitLab made.
    pub parents: Vec<Sha>,
    /// Whether it ran for a merge train, whose commits need not have the head as a parent.
    pub is_of_train: bool,
}

impl HeadPipeline {
    /// External pipelines have no start time, so their creation counts.
    pub fn began_at(&self) -> DateTime<Utc> {
        self.started_at.unwrap_or(self.created_at)
    }
}

/// One addition of one of this run's labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub id: RequestId,
    pub label: String,
    /// `None` if GitLab has no event for it.
    pub at: Option<DateTime<Utc>>,
    /// Who added the label, as far as GitLab shows.
    pub by: Option<User>,
    /// The commit that somebody triggered.
    pub triggered: Option<(Sha, Triggered)>,
}

impl Request {
    /// Whether this commit was triggered.
    pub fn triggered_for(&self, head: Option<&Sha>) -> Option<Triggered> {
        let (sha, triggered) = self.triggered.as_ref()?;
        (Some(sha) == head).then_some(*triggered)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    SameProject,
    /// Its commits are an outsider's: somebody has to vouch for the one to run.
    Fork {
        /// Its versions (pushes), in no particular order.
        versions: Vec<Version>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    pub pipeline: PipelineId,
    pub web_url: String,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
    /// `None` if that is unknown too.
    pub status: Option<Status>,
    /// Whether GitLab hides its variables from the token's user, who is neither the bot nor a Maintainer. Then only the
    /// bot's notes show which request it serves.
    pub is_hidden: bool,
}

impl Snapshot {
    /// The records of this source project and of this run's labels. A renamed label keeps its events, so a record that
    /// serves one of this run's requests counts too.
    pub fn own_records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| self.owns(record))
    }

    pub fn owns(&self, record: &Record) -> bool {
        record.task.project == self.source
            && (self.labels.contains(&record.task.label) || self.request_of(record).is_some())
    }

    /// The request that a record serves, while its label is on.
    pub fn request_of(&self, record: &Record) -> Option<&Request> {
        let mr = self.merge_requests.get(&record.task.mr)?;
        let mut requests = mr.requests.iter();
        requests.find(|request| record.serves(self.source, mr.iid, request.id, &request.label))
    }
}

impl Record {
    /// A label event's id is unique on the server. Without an event, the label distinguishes requests.
    pub fn serves(&self, project: ProjectId, mr: Iid, request: RequestId, label: &str) -> bool {
        let task = &self.task;
        task.project == project
            && task.mr == mr
            && task.request == request
            && (request != RequestId::NONE || task.label == label)
    }
}
