//! What a run has read from GitLab: all that [`crate::plan`] decides on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::course::Course;
use crate::gitlab::answer::Status;
use crate::id::{Iid, PipelineId, ProjectId, RequestId, Sha};
use crate::note::Thread;
use crate::record::Record;

#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// By the server's clock.
    pub now: DateTime<Utc>,
    pub source: ProjectId,
    pub merge_requests: BTreeMap<Iid, MergeRequest>,
    /// Merge requests that are no longer there.
    pub gone: BTreeSet<Iid>,
    /// Merge requests that could not be read, so that nothing is known of them.
    pub unread: BTreeSet<Iid>,
    /// Lowest pipeline id first; of other source projects as well.
    pub records: Vec<Record>,
    /// Pipelines of the bot's that might be records.
    pub unreadable: Vec<Unreadable>,
    /// The bot's discussions on the merge requests whose records ask for something to be done there.
    pub threads: BTreeMap<Iid, Vec<Thread>>,
    /// Of the benchmarks in flight and of those that ended lately, where those were asked for.
    pub courses: BTreeMap<PipelineId, Course>,
    /// What could not be read, each in a sentence.
    pub troubles: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MergeRequest {
    pub iid: Iid,
    pub web_url: String,
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
    /// Present while the merge request bears the label.
    pub request: Option<Request>,
    pub origin: Origin,
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
}

/// One addition of the label.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    pub id: RequestId,
    /// `None` where GitLab has no event of it.
    pub at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    SameProject,
    /// Commits from there are an outsider's: the one to run must be the one that was there when the label came.
    Fork {
        head_when_labelled: Option<Sha>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Unreadable {
    pub created_at: DateTime<Utc>,
    pub ended: bool,
}

impl Snapshot {
    /// The records of this source project.
    pub fn own_records(&self) -> impl Iterator<Item = &Record> {
        self.records
            .iter()
            .filter(|record| record.task.project == self.source)
    }
}
