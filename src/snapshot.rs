//! What a run has read from GitLab: all that [`crate::plan`] decides on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

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
    /// The labels that this run is about.
    pub labels: Vec<String>,
    /// The bot's username in the source project.
    pub bot: String,
    pub merge_requests: BTreeMap<Iid, MergeRequest>,
    /// Merge requests that are no longer there.
    pub gone: BTreeSet<Iid>,
    /// Merge requests that could not be read, so that nothing is known of them.
    pub unread: BTreeSet<Iid>,
    /// Lowest pipeline id first; of other source projects and labels as well.
    pub records: Vec<Record>,
    /// Pipelines of the bot's that might be records.
    pub unreadable: Vec<Unreadable>,
    /// The bot's discussions, on those merge requests where they were looked for.
    pub threads: BTreeMap<Iid, Vec<Thread>>,
    /// Requests whose discussion links to a pipeline that could not be looked at.
    pub uncertain: BTreeSet<(Iid, RequestId)>,
    /// Pipelines that a discussion links to, and that somebody deleted or that ended in another project.
    pub lost: BTreeSet<PipelineId>,
    /// Merge requests that bear the bot's mark; `None` where that was not asked for.
    pub marked: Option<BTreeSet<Iid>>,
    /// Of the benchmarks in flight and of those that ended lately, where those were asked for.
    pub milestones: BTreeMap<PipelineId, Milestones>,
    /// Those of this run's labels that the project does not have.
    pub missing_labels: Vec<String>,
    /// Those of which that could not be read.
    pub unknown_labels: Vec<String>,
    pub troubles: Vec<Trouble>,
}

/// What could not be read, in a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    pub about: About,
    pub text: String,
}

/// What is not known then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    MergeRequest(Iid),
    /// A pipeline of the bot's, whatever it serves.
    Pipeline(PipelineId),
    Label,
    /// When something began or ended.
    Milestones,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MergeRequest {
    pub iid: Iid,
    pub web_url: String,
    pub title: Option<String>,
    /// GitLab's word: opened, closed, merged or locked.
    pub state: String,
    pub branch: String,
    pub target_branch: String,
    pub created_at: DateTime<Utc>,
    /// The head of the source branch.
    pub head: Option<Sha>,
    /// The merge base with the target branch.
    pub base: Option<Sha>,
    pub pipeline: Option<HeadPipeline>,
    /// Whether anybody wrote anything there.
    pub has_notes: bool,
    /// One for each of this run's labels that it bears, in the labels' order.
    pub requests: Vec<Request>,
    /// Those of this run's labels that it bears, though GitLab shows no addition of them yet.
    pub unexplained: Vec<String>,
    /// What happened to its labels, oldest first.
    pub events: Vec<LabelEvent>,
    pub origin: Origin,
}

impl MergeRequest {
    /// Its branch where GitLab does not tell.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.branch)
    }
}

/// GitLab's pointer to a pipeline: it may lag behind the head.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadPipeline {
    pub id: PipelineId,
    pub web_url: String,
    pub status: Status,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub sha: Sha,
    /// Where its commit is a merge result that GitLab made: what was merged.
    pub parents: Vec<Sha>,
    /// It ran for a merge train, whose commits need not have the head among their parents.
    pub is_of_train: bool,
}

impl HeadPipeline {
    /// External pipelines have no start of their own.
    pub fn began_at(&self) -> DateTime<Utc> {
        self.started_at.unwrap_or(self.created_at)
    }
}

/// One addition of one of this run's labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub id: RequestId,
    pub label: String,
    /// `None` where GitLab has no event of it.
    pub at: Option<DateTime<Utc>>,
    /// Who asked, as far as GitLab tells.
    pub by: Option<User>,
    /// Which commit somebody meant who triggered it.
    pub triggered: Option<(Sha, Triggered)>,
}

impl Request {
    /// Whether that commit was meant.
    pub fn triggered_for(&self, head: Option<&Sha>) -> Option<Triggered> {
        let (sha, triggered) = self.triggered.as_ref()?;
        (Some(sha) == head).then_some(*triggered)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    SameProject,
    /// Commits from there are an outsider's: somebody has to vouch for the one to run.
    Fork {
        author: Option<User>,
        /// What was pushed and when, in no particular order.
        versions: Vec<Version>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    pub pipeline: PipelineId,
    pub web_url: String,
    pub created_at: Option<DateTime<Utc>>,
    pub updated_at: Option<DateTime<Utc>>,
    /// `None` where that is not known either.
    pub status: Option<Status>,
    /// GitLab shows the variables of the bot's pipelines only to Maintainers, so that the bot's notes alone tell which
    /// request this serves.
    pub is_hidden: bool,
}

impl Snapshot {
    /// The records of this source project and of this run's labels. A label that was renamed since still has the same
    /// events, so whatever serves a request of this run's belongs to it as well.
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
    /// The id of a label's event is unique on the server; where there is none, the label tells requests apart.
    pub fn serves(&self, project: ProjectId, mr: Iid, request: RequestId, label: &str) -> bool {
        let task = &self.task;
        task.project == project
            && task.mr == mr
            && task.request == request
            && (request != RequestId::NONE || task.label == label)
    }
}
