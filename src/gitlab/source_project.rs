//! What bench-bot asks of the source project: its merge requests, their labels and their discussions.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Access;
use super::answer::{
    Commit, Discussion, LabelEvent, MergeRequest, Note, Pipeline, Project, User, Version,
};
use super::error::Result;
use super::http::{Http, Token};
use crate::id::{DiscussionId, Iid, NoteId, PipelineId, ProjectId, Sha};

pub struct SourceProject(pub(super) Access);

/// Which labelled merge requests to list.
pub enum Listing {
    Open,
    /// In any state, if something about them changed since then.
    ChangedSince(DateTime<Utc>),
}

impl SourceProject {
    pub fn project(&self) -> &Project {
        &self.0.project
    }

    /// Whose notes are the bot's.
    pub fn user(&self) -> &User {
        &self.0.user
    }

    fn get_all<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Vec<T>> {
        self.0.http.get_all(&self.0.token, path, query)
    }

    fn merge_request_path(&self, iid: Iid) -> String {
        format!("projects/{}/merge_requests/{iid}", self.0.project.id)
    }

    /// Numbers of the merge requests that bear the label, each once, lowest first.
    pub fn labelled(&self, label: &str, listing: &Listing) -> Result<Vec<Iid>> {
        let path = format!("projects/{}", self.0.project.id);
        labelled(&self.0.http, &self.0.token, &path, label, listing)
    }

    pub fn merge_request(&self, iid: Iid) -> Result<MergeRequest> {
        self.0
            .http
            .get(&self.0.token, &self.merge_request_path(iid))
    }

    /// Oldest first.
    pub fn label_events(&self, iid: Iid) -> Result<Vec<LabelEvent>> {
        self.get_all(
            &format!("{}/resource_label_events", self.merge_request_path(iid)),
            &[],
        )
    }

    /// What was pushed and when, newest first.
    pub fn versions(&self, iid: Iid) -> Result<Vec<Version>> {
        self.get_all(&format!("{}/versions", self.merge_request_path(iid)), &[])
    }

    /// A commit of the project that a pipeline ran in, which need not be this one.
    pub fn commit(&self, project: ProjectId, sha: &Sha) -> Result<Commit> {
        self.0.http.get(
            &self.0.token,
            &format!("projects/{project}/repository/commits/{sha}"),
        )
    }

    /// Not there where it ran in a fork.
    pub fn pipeline(&self, pipeline: PipelineId) -> Result<Pipeline> {
        let path = format!("projects/{}/pipelines/{pipeline}", self.0.project.id);
        self.0.http.get(&self.0.token, &path)
    }

    pub fn add_label(&self, iid: Iid, label: &str) -> Result<MergeRequest> {
        self.change(iid, &json!({ "add_labels": label }))
    }

    /// Never the whole list of labels, which would lose what others add meanwhile.
    pub fn remove_label(&self, iid: Iid, label: &str) -> Result<MergeRequest> {
        self.change(iid, &json!({ "remove_labels": label }))
    }

    fn change(&self, iid: Iid, body: &Value) -> Result<MergeRequest> {
        self.0
            .http
            .put(&self.0.token, &self.merge_request_path(iid), body)
    }

    pub fn discussions(&self, iid: Iid) -> Result<Vec<Discussion>> {
        self.get_all(
            &format!("{}/discussions", self.merge_request_path(iid)),
            &[],
        )
    }

    /// The discussion, and the note that opens it.
    pub fn open_discussion(&self, iid: Iid, body: &str) -> Result<(DiscussionId, NoteId)> {
        #[derive(Deserialize)]
        struct Opened {
            id: DiscussionId,
            notes: [Note; 1],
        }
        let path = format!("{}/discussions", self.merge_request_path(iid));
        let Opened { id, notes: [first] } =
            self.0
                .http
                .post(&self.0.token, &path, &json!({ "body": body }))?;
        Ok((id, first.id))
    }

    pub fn reply(&self, iid: Iid, discussion: &DiscussionId, body: &str) -> Result<Note> {
        let path = format!(
            "{}/discussions/{discussion}/notes",
            self.merge_request_path(iid)
        );
        self.0
            .http
            .post(&self.0.token, &path, &json!({ "body": body }))
    }

    /// No error if it is gone already.
    pub fn resolve(&self, iid: Iid, discussion: &DiscussionId) -> Result<()> {
        let path = format!("{}/discussions/{discussion}", self.merge_request_path(iid));
        let body = json!({ "resolved": true });
        match self.0.http.put::<Discussion>(&self.0.token, &path, &body) {
            Err(error) if !error.not_found() => Err(error),
            _ => Ok(()),
        }
    }

    pub fn edit_note(&self, iid: Iid, note: NoteId, body: &str) -> Result<Note> {
        let path = format!("{}/notes/{note}", self.merge_request_path(iid));
        self.0
            .http
            .put(&self.0.token, &path, &json!({ "body": body }))
    }

    /// No error if it is gone already.
    pub fn delete_note(&self, iid: Iid, note: NoteId) -> Result<()> {
        let path = format!("{}/notes/{note}", self.merge_request_path(iid));
        match self.0.http.delete(&self.0.token, &path) {
            Err(error) if error.not_found() => Ok(()),
            deleted => deleted,
        }
    }
}

/// As [`SourceProject::labelled`], of a project that has not been looked at yet.
pub fn labelled(
    http: &Http,
    token: &Token,
    project_path: &str,
    label: &str,
    listing: &Listing,
) -> Result<Vec<Iid>> {
    #[derive(Deserialize)]
    struct Listed {
        iid: Iid,
        labels: Vec<String>,
    }
    // Ascending by creation, so that what is added or leaves while pages are read moves nothing past us.
    let mut query = vec![
        ("labels", label.to_owned()),
        ("order_by", "created_at".to_owned()),
        ("sort", "asc".to_owned()),
    ];
    match listing {
        Listing::Open => query.push(("state", "opened".to_owned())),
        Listing::ChangedSince(time) => {
            let time = time.to_rfc3339_opts(SecondsFormat::Millis, true);
            query.extend([("state", "all".to_owned()), ("updated_after", time)]);
        }
    }
    let path = format!("{project_path}/merge_requests");
    let mut iids: Vec<Iid> = http
        .get_all::<Listed>(token, &path, &query)?
        .into_iter()
        .filter(|listed| listed.labels.iter().any(|name| name == label))
        .map(|listed| listed.iid)
        .collect();
    iids.sort_unstable();
    iids.dedup();
    Ok(iids)
}
