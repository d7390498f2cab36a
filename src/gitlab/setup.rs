//! Requests about the setup: tokens, roles, and what the two projects allow.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

use super::answer::{Label, Pipeline, Project, User};
use super::error::Result;
use super::http::{Http, Token, segment};
use super::{BenchmarkProject, ProjectAccess, ProjectClient, both};
use crate::id::{ProjectId, UserId};

#[derive(Clone, Debug, Deserialize)]
pub struct Version {
    /// For example `18.5.1-ee`.
    pub version: String,
}

impl Version {
    /// Major and minor version.
    pub fn numbers(&self) -> Option<(u32, u32)> {
        let mut numbers = self.version.split(['.', '-']).map(|part| part.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct TokenDetails {
    pub scopes: Vec<String>,
    /// A date: the token expires at the beginning of that day, UTC.
    pub expires_at: Option<String>,
}

/// GitLab's access levels. A higher one includes the lower ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Role(pub u32);

impl Role {
    pub const REPORTER: Role = Role(20);
    pub const DEVELOPER: Role = Role(30);
    pub const MAINTAINER: Role = Role(40);
    pub const OWNER: Role = Role(50);
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            5 => "Minimal Access",
            10 => "Guest",
            15 => "Planner",
            20 => "Reporter",
            25 => "Security Manager",
            30 => "Developer",
            40 => "Maintainer",
            50 => "Owner",
            level => return write!(f, "a member with access level {level}"),
        })
    }
}

/// A project with the settings that matter here. `None`: not shown to this user, or never set.
#[derive(Clone, Debug, Deserialize)]
pub struct ProjectSettings {
    #[serde(flatten)]
    pub project: Project,
    pub archived: Option<bool>,
    /// The day on which it was marked for deletion, under either of the names that servers use.
    pub marked_for_deletion_on: Option<String>,
    pub marked_for_deletion_at: Option<String>,
    /// False if the project, or a group above it, is archived or marked for deletion.
    pub can_create_merge_request_in: Option<bool>,
    pub empty_repo: Option<bool>,
    pub repository_access_level: Option<String>,
    pub merge_requests_access_level: Option<String>,
    pub builds_access_level: Option<String>,
    pub only_allow_merge_if_all_discussions_are_resolved: Option<bool>,
    pub ci_config_path: Option<String>,
    /// This and the following are shown to Maintainers only. `enabled` or `disabled`.
    pub auto_cancel_pending_pipelines: Option<String>,
    pub restrict_user_defined_variables: Option<bool>,
    /// `developer`, `maintainer`, `owner` or `no_one_allowed`.
    pub ci_pipeline_variables_minimum_override_role: Option<String>,
    /// Also null if pipelines are kept for ever.
    pub ci_delete_pipelines_in_seconds: Option<i64>,
    /// `developer`, `maintainer` or `no_one`, if the server has this feature.
    pub ci_restrict_pipeline_cancellation_role: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Branch {
    pub name: String,
    pub protected: Option<bool>,
    /// For the token's user.
    pub can_push: Option<bool>,
    pub developers_can_merge: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Tag {
    pub name: String,
    pub protected: Option<bool>,
}

/// A rule for all branches whose name matches.
#[derive(Clone, Debug, Deserialize)]
pub struct ProtectedBranch {
    /// `*` stands for any text.
    pub name: String,
    pub merge_access_levels: Option<Vec<AccessLevel>>,
}

/// Who is allowed: one user, one group, or a role and those above it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AccessLevel {
    pub access_level: Option<Role>,
    pub user_id: Option<UserId>,
    pub group_id: Option<u64>,
}

/// Whose job tokens a project lets in.
#[derive(Clone, Debug)]
pub struct JobTokenScope {
    /// Without it, those of all projects.
    pub limited: bool,
    pub projects: Vec<ProjectId>,
    /// Groups, all of whose projects it lets in, by their URLs.
    pub groups: Vec<String>,
}

/// In base64. GitLab itself accepts CI files of up to 2 MB.
const LONGEST_FILE: usize = 4 << 20;

impl ProjectAccess {
    /// The time by the server's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }

    pub fn log_stats(&self) {
        self.http.log_stats()
    }

    pub fn version(&self) -> Result<Version> {
        self.http.get(&self.token, "version")
    }

    pub fn token_details(&self) -> Result<TokenDetails> {
        self.http.get(&self.token, "personal_access_tokens/self")
    }

    fn find<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        if_there(self.http.get(&self.token, path))
    }

    /// The user's role: direct, inherited, or through an invited group. `None`: not a member.
    pub fn role(&self, project: ProjectId, user: UserId) -> Result<Option<Role>> {
        #[derive(Deserialize)]
        struct Member {
            access_level: Role,
        }
        let member = self.find::<Member>(&format!("projects/{project}/members/all/{user}"));
        Ok(member?.map(|member| member.access_level))
    }

    pub fn label_exists(&self, project: ProjectId, name: &str) -> Result<bool> {
        label_exists(&self.http, &self.token, project, name)
    }

    pub fn create_label(&self, project: ProjectId, name: &str) -> Result<()> {
        let label = json!({
            "name": name,
            "color": "#6699cc",
            "description": "Asks bench-bot to benchmark the merge request",
        });
        let path = format!("projects/{project}/labels");
        let created = self.http.post::<IgnoredAny>(&self.token, &path, &label);
        match created {
            // Somebody else may have created it first, or the response was lost.
            Err(error) => match self.label_exists(project, name) {
                Ok(true) => Ok(()),
                _ => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }

    /// Whether the token may write to merge requests as the bot does. Tries it on a merge request that cannot exist:
    /// GitLab checks the token's permissions before it looks for the merge request.
    pub fn try_writes(&self, project: ProjectId) -> Result<()> {
        let mr = format!("projects/{project}/merge_requests/0");
        let discussion = format!("{mr}/discussions/{}", "0".repeat(40));
        let put = |path: &str, body| self.http.put::<IgnoredAny>(&self.token, path, &body);
        let body = || json!({ "body": "bench-bot may write here." });
        let tried = [
            self.http
                .post::<IgnoredAny>(&self.token, &format!("{mr}/discussions"), &body()),
            put(&format!("{mr}/notes/0"), body()),
            put(&discussion, json!({ "resolved": true })),
            put(&mr, json!({ "remove_labels": "bench-bot may write here" })),
        ];
        tried
            .into_iter()
            .try_for_each(|tried| if_there(tried).map(drop))
    }

    /// Of a project other than the one that the settings name.
    pub fn settings_of(&self, project: ProjectId) -> Result<ProjectSettings> {
        self.http.get(&self.token, &format!("projects/{project}"))
    }

    /// Shown to Maintainers only.
    pub fn job_token_scope(&self, project: ProjectId) -> Result<JobTokenScope> {
        #[derive(Deserialize)]
        struct Scope {
            inbound_enabled: bool,
        }
        #[derive(Deserialize)]
        struct Listed {
            id: u64,
            web_url: String,
        }
        let path = format!("projects/{project}/job_token_scope");
        let list = |list| {
            self.http
                .get_all::<Listed>(&self.token, &format!("{path}/{list}"), &[])
        };
        let (scope, (projects, groups)) = both(
            || self.http.get::<Scope>(&self.token, &path),
            || both(|| list("allowlist"), || list("groups_allowlist")),
        );
        Ok(JobTokenScope {
            limited: scope?.inbound_enabled,
            projects: projects?.iter().map(|one| ProjectId(one.id)).collect(),
            groups: groups?.into_iter().map(|one| one.web_url).collect(),
        })
    }

    /// The project's newest hundred pipelines.
    pub fn newest_pipelines(&self, project: ProjectId) -> Result<Vec<Pipeline>> {
        let path = format!("projects/{project}/pipelines");
        self.http.get_until(&self.token, &path, &[], |_| true)
    }

    pub fn branch(&self, project: ProjectId, name: &str) -> Result<Option<Branch>> {
        let name = segment(name);
        self.find(&format!("projects/{project}/repository/branches/{name}"))
    }

    pub fn tag(&self, project: ProjectId, name: &str) -> Result<Option<Tag>> {
        let name = segment(name);
        self.find(&format!("projects/{project}/repository/tags/{name}"))
    }

    /// Shown to Maintainers only.
    pub fn protected_branches(&self, project: ProjectId) -> Result<Vec<ProtectedBranch>> {
        let path = format!("projects/{project}/protected_branches");
        self.http.get_all(&self.token, &path, &[])
    }

    /// The text of a file.
    pub fn file(&self, project: ProjectId, path: &str, ref_name: &str) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct File {
            /// In base64.
            content: String,
        }
        let path = format!("projects/{project}/repository/files/{}", segment(path));
        let query = [("ref", ref_name.to_owned())];
        let file = self
            .http
            .get_with_texts_up_to(LONGEST_FILE, &self.token, &path, &query);
        let file: Option<File> = if_there(file)?;
        Ok(file.map(|file| {
            let bytes = STANDARD.decode(file.content).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }))
    }

    /// The client for writes, once the user and the project are known.
    pub fn into_benchmark_project(self, user: User, project: Project) -> BenchmarkProject {
        BenchmarkProject(ProjectClient {
            http: self.http,
            token: self.token,
            project,
            bot: user.username,
        })
    }
}

/// Whether the project, or a group above it, has a label of exactly this name. GitLab first reads a name that begins with
/// a digit as an id, so if it returns another label or none, the list is searched too.
pub fn label_exists(http: &Http, token: &Token, project: ProjectId, name: &str) -> Result<bool> {
    let path = format!("projects/{project}/labels");
    let one = http.get::<Label>(token, &format!("{path}/{}", segment(name)));
    if one.is_ok_and(|label| label.name == name) {
        return Ok(true);
    }
    let labels: Vec<Label> = http.get_all(token, &path, &[("search", name.to_owned())])?;
    Ok(labels.iter().any(|label| label.name == name))
}

fn if_there<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
