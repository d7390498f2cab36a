//! What bench-bot asks about its own setup: tokens, roles, and what the two projects let it do.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::answer::{Label, Project, User};
use super::error::Result;
use super::{Access, BenchmarkProject, Door};
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
    /// It ends with the beginning of that day, UTC.
    pub expires_at: Option<NaiveDate>,
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
}

#[derive(Clone, Debug, Deserialize)]
pub struct Branch {
    pub protected: bool,
    /// Whether the user who asks may.
    pub can_push: bool,
    pub developers_can_merge: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Tag {
    pub protected: bool,
}

/// A rule for all branches whose name fits.
#[derive(Clone, Debug, Deserialize)]
pub struct ProtectedBranch {
    /// With `*` for any text.
    pub name: String,
    pub merge_access_levels: Vec<AccessLevel>,
}

/// Who may: one user, one group, or a role and those above.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AccessLevel {
    pub access_level: Option<Role>,
    pub user_id: Option<UserId>,
    pub group_id: Option<u64>,
}

impl Door {
    /// What time it is by the server's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.http.now()
    }

    pub fn figures(&self) -> String {
        self.http.figures()
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

    /// Of the project or of a group above it.
    pub fn label(&self, project: ProjectId, name: &str) -> Result<Option<Label>> {
        let label: Option<Label> =
            self.find(&format!("projects/{project}/labels/{}", segment(name)))?;
        // GitLab takes a number for an id first.
        Ok(label.filter(|label| label.name == name))
    }

    pub fn create_label(&self, project: ProjectId, name: &str) -> Result<Label> {
        let label = json!({
            "name": name,
            "color": "#6699cc",
            "description": "Asks bench-bot to benchmark the merge request",
        });
        let path = format!("projects/{project}/labels");
        self.http.post(&self.token, &path, &label)
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
        let file: Option<File> = if_there(self.http.get_with(&self.token, &path, &query))?;
        Ok(file.map(|file| {
            let bytes = STANDARD.decode(file.content).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        }))
    }

    /// To act there, once both are known.
    pub fn opened(self, user: User, project: Project) -> BenchmarkProject {
        BenchmarkProject(Access {
            http: self.http,
            token: self.token,
            project,
            bot: user.username,
        })
    }
}

fn if_there<T>(answer: Result<T>) -> Result<Option<T>> {
    match answer {
        Ok(there) => Ok(Some(there)),
        Err(error) if error.not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(encoded).collect()
}
