//! What bench-bot asks about its own setup: tokens, roles, and what the two projects let it do.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

use super::answer::{Label, Project, User};
use super::error::Result;
use super::http::{Http, Token};
use super::{BenchmarkProject, ProjectAccess, ProjectClient};
use crate::id::{ProjectId, UserId};

#[derive(Clone, Debug, Deserialize)]
pub struct Version {
    /// As in `18.5.1-ee`.
    pub version: String,
}

impl Version {
    /// Major and minor.
    pub fn numbers(&self) -> Option<(u32, u32)> {
        let mut numbers = self.version.split(['.', '-']).map(|part| part.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct TokenDetails {
    pub scopes: Vec<String>,
    /// A date: it ends with the beginning of that day, UTC.
    pub expires_at: Option<String>,
}

/// GitLab's access levels: the higher includes the lower.
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

/// A project with those settings that matter. What is `None` is not shown to this user, or was never set.
#[derive(Clone, Debug, Deserialize)]
pub struct ProjectSettings {
    #[serde(flatten)]
    pub project: Project,
    pub archived: Option<bool>,
    /// The day on which somebody marked it, whichever of the two names the server has for it.
    pub marked_for_deletion_on: Option<String>,
    pub marked_for_deletion_at: Option<String>,
    /// Not so for the user who asks where the project, or a group above it, is archived or marked for deletion.
    pub can_create_merge_request_in: Option<bool>,
    pub empty_repo: Option<bool>,
    pub repository_access_level: Option<String>,
    pub merge_requests_access_level: Option<String>,
    pub builds_access_level: Option<String>,
    pub only_allow_merge_if_all_discussions_are_resolved: Option<bool>,
    pub ci_config_path: Option<String>,
    /// The following are shown to Maintainers alone. `enabled` or `disabled`.
    pub auto_cancel_pending_pipelines: Option<String>,
    pub restrict_user_defined_variables: Option<bool>,
    /// `developer`, `maintainer`, `owner` or `no_one_allowed`.
    pub ci_pipeline_variables_minimum_override_role: Option<String>,
    /// Null, too, where pipelines are kept for ever.
    pub ci_delete_pipelines_in_seconds: Option<i64>,
    /// `developer`, `maintainer` or `no_one`; only where the server has that feature.
    pub ci_restrict_pipeline_cancellation_role: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Branch {
    pub name: String,
    pub protected: Option<bool>,
    /// Whether the user who asks may.
    pub can_push: Option<bool>,
    pub developers_can_merge: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Tag {
    pub name: String,
    pub protected: Option<bool>,
}

/// A rule for all branches whose name fits.
#[derive(Clone, Debug, Deserialize)]
pub struct ProtectedBranch {
    /// With `*` for any text.
    pub name: String,
    pub merge_access_levels: Option<Vec<AccessLevel>>,
}

/// Who may: one user, one group, or a role and those above.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AccessLevel {
    pub access_level: Option<Role>,
    pub user_id: Option<UserId>,
    pub group_id: Option<u64>,
}

/// In base64: GitLab itself takes no longer configuration than 2 MB.
const LONGEST_FILE: usize = 4 << 20;

impl ProjectAccess {
    /// What time it is by the server's clock.
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

    /// Direct, inherited or by an invited group; `None` for no member.
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
            // Somebody else may have been faster, or the answer have been lost.
            Err(error) => match self.label_exists(project, name) {
                Ok(true) => Ok(()),
                _ => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }

    /// Whether the token may do there what the bot does to merge requests. It is tried on one that never is: GitLab
    /// looks at the token before it looks for the thing.
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

    pub fn branch(&self, project: ProjectId, name: &str) -> Result<Option<Branch>> {
        let name = segment(name);
        self.find(&format!("projects/{project}/repository/branches/{name}"))
    }

    pub fn tag(&self, project: ProjectId, name: &str) -> Result<Option<Tag>> {
        let name = segment(name);
        self.find(&format!("projects/{project}/repository/tags/{name}"))
    }

    /// For Maintainers.
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

    /// To act there, once both are known.
    pub fn into_benchmark_project(self, user: User, project: Project) -> BenchmarkProject {
        BenchmarkProject(ProjectClient {
            http: self.http,
            token: self.token,
            project,
            bot: user.username,
        })
    }
}

/// Whether the project, or a group above it, has a label of exactly that name. GitLab takes what begins with a number for
/// an id first, so that another label, or none, is only the beginning of an answer.
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

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(encoded).collect()
}
