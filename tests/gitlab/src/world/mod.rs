//! The model: GitLab's state and what GitLab does to it, without any HTTP.

mod cast;
mod ci_file;
mod clock;
mod commits;
mod discussions;
mod groups;
mod jobs;
mod labels;
mod merge_requests;
mod pipeline_creation;
mod pipelines;
mod projects;
mod quick_actions;
mod rate_limit;
mod reactions;
mod runner;
mod setup;
mod users;

pub use cast::*;
pub use ci_file::PlannedJob;
pub use clock::{Clock, Time};
pub use commits::Commit;
pub use discussions::{Discussion, Note, Posted};
pub use groups::{Group, NewToken};
pub use jobs::{Job, Trigger};
pub use labels::{Label, LabelAction, LabelChange, LabelEvent, LabelOwner};
pub use merge_requests::{MergeRequest, MergeRequestChange, Version};
pub use pipelines::{Pipeline, STATUSES, Variable, has_ended};
pub use projects::{CI_FILE, Project, Refuses, Visibility};
pub use quick_actions::QuickAction;
pub use rate_limit::{RateLimit, Throttle};
pub use reactions::Reaction;
pub use runner::Work;
pub use setup::{FileChange, NewMergeRequest};
pub use users::{Role, Token, TokenFault, User};

use chrono::TimeDelta;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Clone)]
pub struct World {
    pub clock: Clock,
    /// What the server believes itself to be reached at.
    pub external_url: String,
    pub version: String,

    pub users: BTreeMap<u64, User>,
    pub tokens: Vec<Token>,
    pub groups: BTreeMap<u64, Group>,
    pub projects: BTreeMap<u64, Project>,
    pub labels: BTreeMap<u64, Label>,
    pub merge_requests: BTreeMap<u64, MergeRequest>,
    pub pipelines: BTreeMap<u64, Pipeline>,
    pub commits: BTreeMap<String, Commit>,
    /// Of the merge requests of each project.
    last_iids: BTreeMap<u64, u64>,
    pipeline_attempts: Vec<(Time, u64, u64, String)>,
    ids: Ids,

    /// That many rows, which the caller may not read, stand before each row of label events,
    /// discussions and notes: they are counted when a page is cut, but not shown, so that pages
    /// come short or empty.
    pub unreadable_rows: usize,
    pub rate_limit: Option<RateLimit>,
    /// How many comments a merge request takes, GitLab's own among them.
    pub most_notes: usize,
    /// A list with more rows does not tell its total.
    pub totals_up_to: usize,
    /// Whether a cancelled pipeline keeps its status until [`World::run_background_jobs`].
    pub slow_cancel: bool,
    /// Whether label events are written only with [`World::run_background_jobs`], after the labels themselves.
    pub late_events: bool,
    /// Whether lists lack pipelines made since the last [`World::run_background_jobs`], as those of a replica.
    pub lagging_lists: bool,
    unlisted_pipelines: BTreeSet<u64>,
    /// Pipelines that nobody can cancel: it is answered as always, and nothing ends.
    pub stuck: BTreeSet<u64>,
}

/// One sequence per kind, starting apart, so that an id taken for another is seen.
#[derive(Clone)]
struct Ids {
    label: Sequence,
    label_event: Sequence,
    note: Sequence,
    version: Sequence,
    merge_request: Sequence,
    pipeline: Sequence,
    job: Sequence,
    token: Sequence,
    commit: Sequence,
    reaction: Sequence,
}

#[derive(Clone)]
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        let id = self.0;
        self.0 += 1;
        id
    }
}

/// Why GitLab does not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    Unauthorized,
    Forbidden,
    ForbiddenAs(&'static str),
    /// No such thing, by its name.
    NotFound(String),
    /// No such row in the database.
    NoRecord,
    BadRequest(String),
    /// Refused in words without a status.
    Plain(String),
    Conflict(String),
    /// GitLab falls over.
    ServerError,
    /// Fields, each with what is wrong with it.
    Invalid(Vec<(String, String)>),
}

pub type Done<T = ()> = Result<T, Refusal>;

impl Refusal {
    fn invalid(field: &str, fault: &str) -> Self {
        Self::Invalid(vec![(field.to_owned(), fault.to_owned())])
    }

    pub(crate) fn not_found(thing: &str) -> Self {
        Self::NotFound(thing.to_owned())
    }

    fn bad_request(reason: &str) -> Self {
        Self::BadRequest(reason.to_owned())
    }

    fn base(fault: &str) -> Self {
        Self::invalid("base", fault)
    }
}

impl World {
    pub fn empty(clock: Clock) -> Self {
        Self {
            clock,
            external_url: "https://gitlab.example.com".to_owned(),
            version: "18.5.1-ee".to_owned(),
            users: BTreeMap::new(),
            tokens: Vec::new(),
            groups: BTreeMap::new(),
            projects: BTreeMap::new(),
            labels: BTreeMap::new(),
            merge_requests: BTreeMap::new(),
            pipelines: BTreeMap::new(),
            commits: BTreeMap::new(),
            last_iids: BTreeMap::new(),
            pipeline_attempts: Vec::new(),
            ids: Ids {
                label: Sequence(71),
                label_event: Sequence(101),
                note: Sequence(301),
                version: Sequence(401),
                merge_request: Sequence(501),
                pipeline: Sequence(1001),
                job: Sequence(2001),
                token: Sequence(901),
                commit: Sequence(1),
                reaction: Sequence(601),
            },
            unreadable_rows: 0,
            rate_limit: None,
            most_notes: 5_000,
            totals_up_to: 10_000,
            slow_cancel: false,
            late_events: false,
            lagging_lists: false,
            unlisted_pipelines: BTreeSet::new(),
            stuck: BTreeSet::new(),
        }
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Lets GitLab's background jobs catch up, each by one step: first versions are made, label
    /// events written, lists complete, and slow cancellations go on.
    pub fn run_background_jobs(&mut self) {
        self.prepare_merge_requests();
        self.write_label_events();
        self.unlisted_pipelines.clear();
        self.go_on_cancelling();
    }

    pub fn later(&mut self, duration: Duration) {
        self.clock
            .advance(TimeDelta::from_std(duration).expect("a duration that a clock can show"));
    }

    /// `<external URL>/group/project`.
    pub fn project_url(&self, project_id: u64) -> String {
        match self.projects.get(&project_id) {
            Some(project) => format!("{}/{}", self.external_url, project.path_with_namespace),
            None => self.external_url.clone(),
        }
    }

    pub fn merge_request_url(&self, mr: &MergeRequest) -> String {
        format!(
            "{}/-/merge_requests/{}",
            self.project_url(mr.project_id),
            mr.iid
        )
    }

    pub fn pipeline_url(&self, pipeline: &Pipeline) -> String {
        format!(
            "{}/-/pipelines/{}",
            self.project_url(pipeline.project_id),
            pipeline.id
        )
    }
}
