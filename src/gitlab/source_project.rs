//! Requests to the source project: its merge requests, their labels and their discussions.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ProjectClient;
use super::answer::{
    AwardEmoji, Commit, Discussion, LabelEvent, MergeRequest, Note, Project, SourcePipeline,
    Version,
};
use super::discussions::with_texts_of;
use super::error::{Error, ErrorKind, Result};
use super::http::{Http, Token};
use super::parallel::parallel_map;
use super::setup::label_exists;
use crate::id::{DiscussionId, Iid, NoteId, PipelineId, ProjectId, Sha};

pub struct SourceProject(pub(super) ProjectClient);

/// Which merge requests to list.
#[derive(Clone, Copy, Debug)]
pub enum Listing<'a> {
    /// The open ones with this label.
    Labelled(&'a str),
    /// Those in this state with this label that changed since then.
    LabelledIn {
        label: &'a str,
        state: &'static str,
        since: DateTime<Utc>,
    },
    /// Those with this reaction of the bot's, in any state.
    Marked(Mark),
    /// Those with the bot's 👀 and none of these labels, in any state.
    SeenWithout(&'a [String]),
    /// One, in any state.
    One(Iid),
    /// The open ones from this branch, in any fork.
    From(&'a str),
}

/// A row of that list.
#[derive(Clone, Debug, Deserialize)]
pub struct Listed {
    pub iid: Iid,
    pub state: String,
    pub labels: Vec<String>,
}

/// The bot's reactions on merge requests: GitLab can list merge requests by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It has seen a request.
    Seen,
    /// It has opened a discussion, and has to bring that to an end.
    Begun,
}

impl Mark {
    const ALL: [Self; 2] = [Self::Seen, Self::Begun];

    /// GitLab's name for 👀 and ⏳.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seen => "eyes",
            Self::Begun => "hourglass_flowing_sand",
        }
    }
}

impl SourceProject {
    pub fn project(&self) -> &Project {
        &self.0.project
    }

    /// The bot's username in this project.
    pub fn bot(&self) -> &str {
        &self.0.bot
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

    /// Lowest number first, without duplicates.
    pub fn list(&self, listing: Listing) -> Result<Vec<Listed>> {
        let path = format!("projects/{}", self.0.project.id);
        list(&self.0.http, &self.0.token, &path, listing)
    }

    /// Whether the project, or a group above it, has this label.
    pub fn has_label(&self, name: &str) -> Result<bool> {
        label_exists(&self.0.http, &self.0.token, self.0.project.id, name)
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

    /// The versions (pushes) of a merge request, newest first.
    pub fn versions(&self, iid: Iid) -> Result<Vec<Version>> {
        self.get_all(&format!("{}/versions", self.merge_request_path(iid)), &[])
    }

    /// A commit of the project in which a pipeline ran, which may be a fork.
    pub fn commit(&self, project: ProjectId, sha: &Sha) -> Result<Commit> {
        self.0.http.get(
            &self.0.token,
            &format!("projects/{project}/repository/commits/{sha}"),
        )
    }

    /// The pipelines of a merge request, including those of commits that a merge train made.
    pub fn pipelines(&self, iid: Iid) -> Result<Vec<SourcePipeline>> {
        self.get_all(&format!("{}/pipelines", self.merge_request_path(iid)), &[])
    }

    /// A pipeline of this project. One that ran in a fork is not found.
    pub fn pipeline(&self, pipeline: PipelineId) -> Result<SourcePipeline> {
        let path = format!("projects/{}/pipelines/{pipeline}", self.0.project.id);
        self.0.http.get(&self.0.token, &path)
    }

    pub fn add_label(&self, iid: Iid, label: &str) -> Result<MergeRequest> {
        self.change(iid, &json!({ "add_labels": label }))
    }

    /// Never sends the whole list of labels, which would drop labels that others add in the meantime.
    pub fn remove_label(&self, iid: Iid, label: &str) -> Result<MergeRequest> {
        self.change(iid, &json!({ "remove_labels": label }))
    }

    /// Adds and removes labels in one request.
    pub fn change_labels(
        &self,
        iid: Iid,
        added: &[String],
        removed: &[String],
    ) -> Result<MergeRequest> {
        let mut body = serde_json::Map::new();
        for (change, labels) in [("add_labels", added), ("remove_labels", removed)] {
            if !labels.is_empty() {
                body.insert(change.to_owned(), labels.join(",").into());
            }
        }
        self.change(iid, &body.into())
    }

    fn change(&self, iid: Iid, body: &Value) -> Result<MergeRequest> {
        self.0
            .http
            .put(&self.0.token, &self.merge_request_path(iid), body)
    }

    /// All discussions of a merge request, with the text only of the bot's own notes.
    pub fn discussions(&self, iid: Iid) -> Result<Vec<Discussion>> {
        let path = format!("{}/discussions", self.merge_request_path(iid));
        let page = with_texts_of(&self.0.bot);
        self.0.http.get_pages(&self.0.token, &path, &[], page)
    }

    /// Returns the discussion and its first note.
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

    /// A discussion that is gone is no error. GitLab answers 500 for it, so that is looked up.
    pub fn resolve(&self, iid: Iid, discussion: &DiscussionId) -> Result<()> {
        #[derive(Deserialize)]
        struct Resolved {
            #[serde(rename = "id")]
            _id: DiscussionId,
        }
        let path = format!("{}/discussions/{discussion}", self.merge_request_path(iid));
        let body = json!({ "resolved": true });
        let resolved = self.0.http.put::<Resolved>(&self.0.token, &path, &body);
        let gone = |error: &Error| {
            (error.not_found() || error.kind == ErrorKind::Unclear) && {
                let found = self.0.http.get::<Resolved>(&self.0.token, &path);
                found.is_err_and(|error| error.not_found())
            }
        };
        match resolved {
            Err(error) if !gone(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns whether the reaction is new.
    pub fn mark(&self, iid: Iid, mark: Mark) -> Result<bool> {
        let path = format!("{}/award_emoji", self.merge_request_path(iid));
        let body = json!({ "name": mark.name() });
        match self
            .0
            .http
            .post_idempotent::<AwardEmoji>(&self.0.token, &path, Some(&body))
        {
            // GitLab answers this if the reaction is there already.
            Err(error) if error.not_found() && error.message.contains("taken") => Ok(false),
            marked => marked.map(|_| true),
        }
    }

    /// Removes the bot's reactions, if they are there. `before`: only if they were set before that.
    pub fn unmark(&self, iid: Iid, before: Option<DateTime<Utc>>) -> Result<()> {
        let path = format!("{}/award_emoji", self.merge_request_path(iid));
        let reactions: Vec<AwardEmoji> = self.get_all(&path, &[])?;
        let of_bot = |reaction: &&AwardEmoji| {
            let user = reaction.user.as_ref();
            let in_time = |before| reaction.created_at.is_none_or(|at| at <= before);
            Mark::ALL.iter().any(|mark| mark.name() == reaction.name)
                && user.is_some_and(|user| user.username == self.0.bot)
                && before.is_none_or(in_time)
        };
        let removed = parallel_map(reactions.iter().filter(of_bot).collect(), |reaction| {
            let path = format!("{path}/{}", reaction.id);
            match self.0.http.delete(&self.0.token, &path) {
                Err(error) if !error.not_found() => Err(error),
                _ => Ok(()),
            }
        });
        removed.into_iter().collect()
    }

    pub fn edit_note(&self, iid: Iid, note: NoteId, body: &str) -> Result<Note> {
        let path = format!("{}/notes/{note}", self.merge_request_path(iid));
        self.0
            .http
            .put(&self.0.token, &path, &json!({ "body": body }))
    }

    /// A note that is gone already is no error.
    pub fn delete_note(&self, iid: Iid, note: NoteId) -> Result<()> {
        let path = format!("{}/notes/{note}", self.merge_request_path(iid));
        match self.0.http.delete(&self.0.token, &path) {
            Err(error) if error.not_found() => Ok(()),
            deleted => deleted,
        }
    }
}

/// Like [`SourceProject::list`], for a project that has not been read yet.
pub fn list(
    http: &Http,
    token: &Token,
    project_path: &str,
    listing: Listing,
) -> Result<Vec<Listed>> {
    // Oldest first, so that what is added or removed while pages are read hides no row from us.
    let mut query = vec![
        ("order_by", "created_at".to_owned()),
        ("sort", "asc".to_owned()),
    ];
    match listing {
        Listing::Labelled(label) => {
            query.extend([("labels", label.to_owned()), ("state", "opened".to_owned())])
        }
        Listing::LabelledIn {
            label,
            state,
            since,
        } => query.extend([
            ("labels", label.to_owned()),
            ("state", state.to_owned()),
            (
                "updated_after",
                since.to_rfc3339_opts(SecondsFormat::Millis, true),
            ),
        ]),
        Listing::Marked(mark) => query.push(("my_reaction_emoji", mark.name().to_owned())),
        Listing::SeenWithout(labels) => query.extend([
            ("my_reaction_emoji", Mark::Seen.name().to_owned()),
            ("not[labels]", labels.join(",")),
        ]),
        Listing::One(iid) => query.push(("iids[]", iid.to_string())),
        Listing::From(branch) => query.extend([
            ("source_branch", branch.to_owned()),
            ("state", "opened".to_owned()),
        ]),
    }
    let path = format!("{project_path}/merge_requests");
    let mut listed: Vec<Listed> = http.get_all(token, &path, &query)?;
    if let Listing::Labelled(label) | Listing::LabelledIn { label, .. } = listing {
        listed.retain(|listed| listed.labels.iter().any(|name| name == label));
    }
    listed.sort_unstable_by_key(|listed| listed.iid);
    listed.dedup_by_key(|listed| listed.iid);
    Ok(listed)
}
