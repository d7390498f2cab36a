//! The record of a request: the `BENCH_*` variables of its benchmark pipeline, which are bench-bot's only memory.

use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::gitlab::answer::{Status, Variable};
use crate::id::{DiscussionId, Iid, PipelineId, ProjectId, RequestId, Sha};

/// Other variables must not begin like this.
pub const PREFIX: &str = "BENCH_";

/// The only variable of `doctor --rehearse`'s pipeline. It names no merge request, so the pipeline is no record.
pub fn rehearsal() -> Variable {
    literal("BENCH_REHEARSAL", "true")
}

/// A pipeline of the benchmark project, and what it is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub pipeline: PipelineId,
    pub web_url: String,
    pub status: Status,
    pub created_at: DateTime<Utc>,
    /// When its status last changed.
    pub updated_at: DateTime<Utc>,
    pub task: Task,
}

/// What a benchmark pipeline has to do, and for which request.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    pub mr: Iid,
    pub mr_url: String,
    /// The label that asked, by its name at that time.
    pub label: String,
    pub request: RequestId,
    pub discussion: DiscussionId,
    pub branch: String,
    pub sha: Sha,
    pub target_branch: String,
    pub base: Option<Sha>,
    /// The source pipeline that made the merge request ready. `None` if it was forced without one.
    pub pipeline: Option<PipelineId>,
    pub pipeline_started_at: Option<DateTime<Utc>>,
    pub project: ProjectId,
    pub project_path: String,
    pub project_url: String,
}

/// A record that bench-bot cannot have written.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{key} is {value:?}")]
pub struct Malformed {
    key: &'static str,
    value: String,
    /// Whether the variable is there but GitLab left its value out, which does not prove that it is empty.
    pub is_withheld: bool,
}

impl Task {
    pub fn variables(&self) -> Vec<Variable> {
        let started_at = self.pipeline_started_at;
        let started_at = started_at.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true));
        [
            ("BENCH_MR_IID", self.mr.to_string()),
            ("BENCH_LABEL", self.label.clone()),
            (
                "BENCH_PIPELINE_ID",
                self.pipeline.map(|id| id.to_string()).unwrap_or_default(),
            ),
            ("BENCH_DISCUSSION_ID", self.discussion.to_string()),
            ("BENCH_BRANCH", self.branch.clone()),
            ("BENCH_SHA", self.sha.to_string()),
            ("BENCH_PIPELINE_STARTED_AT", started_at.unwrap_or_default()),
            ("BENCH_REQUEST_ID", self.request.to_string()),
            ("BENCH_PROJECT_ID", self.project.to_string()),
            ("BENCH_PROJECT_PATH", self.project_path.clone()),
            ("BENCH_PROJECT_URL", self.project_url.clone()),
            ("BENCH_MR_URL", self.mr_url.clone()),
            (
                "BENCH_MR_REF",
                format!("refs/merge-requests/{}/head", self.mr),
            ),
            ("BENCH_TARGET_BRANCH", self.target_branch.clone()),
            (
                "BENCH_BASE_SHA",
                self.base.as_ref().map(Sha::to_string).unwrap_or_default(),
            ),
        ]
        .map(|(key, value)| literal(key, &value))
        .into()
    }

    /// Returns `None` if the pipeline is no record. Older records do not name their label: they belong to the `first` one.
    pub fn read(variables: &[Variable], first: &str) -> Result<Option<Self>, Malformed> {
        let fields = Fields(variables);
        if fields.find("BENCH_MR_IID").is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            mr: Iid(fields.parsed("BENCH_MR_IID")?),
            mr_url: fields.text("BENCH_MR_URL"),
            label: fields
                .find("BENCH_LABEL")
                .filter(|label| !label.is_empty())
                .unwrap_or_else(|| first.to_owned()),
            request: RequestId(fields.parsed("BENCH_REQUEST_ID")?),
            discussion: DiscussionId(fields.hash("BENCH_DISCUSSION_ID")?),
            branch: fields.text("BENCH_BRANCH"),
            sha: Sha(fields.hash("BENCH_SHA")?),
            target_branch: fields.text("BENCH_TARGET_BRANCH"),
            base: fields.optional("BENCH_BASE_SHA", Fields::hash)?.map(Sha),
            pipeline: fields
                .optional("BENCH_PIPELINE_ID", Fields::parsed)?
                .map(PipelineId),
            pipeline_started_at: fields.optional("BENCH_PIPELINE_STARTED_AT", Fields::parsed)?,
            project: ProjectId(fields.parsed("BENCH_PROJECT_ID")?),
            project_path: fields.text("BENCH_PROJECT_PATH"),
            project_url: fields.text("BENCH_PROJECT_URL"),
        }))
    }
}

struct Fields<'a>(&'a [Variable]);

impl Fields<'_> {
    fn find(&self, key: &str) -> Option<String> {
        self.0
            .iter()
            .find(|variable| variable.key == key)
            .map(|found| unescape(&found.value))
    }

    fn text(&self, key: &str) -> String {
        self.find(key).unwrap_or_default()
    }

    fn parsed<T: FromStr>(&self, key: &'static str) -> Result<T, Malformed> {
        let value = self.text(key);
        value.parse().map_err(|_| self.malformed(key, value))
    }

    /// A commit or discussion id. It becomes part of API paths, so it has to be hexadecimal.
    fn hash(&self, key: &'static str) -> Result<String, Malformed> {
        let value = self.text(key);
        match !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            true => Ok(value),
            false => Err(self.malformed(key, value)),
        }
    }

    fn malformed(&self, key: &'static str, value: String) -> Malformed {
        Malformed {
            is_withheld: value.is_empty() && self.find(key).is_some(),
            key,
            value,
        }
    }

    fn optional<T>(
        &self,
        key: &'static str,
        read: impl Fn(&Self, &'static str) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.text(key).is_empty() {
            true => Ok(None),
            false => read(self, key).map(Some),
        }
    }
}

/// A variable whose value reaches the job's environment unchanged.
pub fn literal(key: &str, value: &str) -> Variable {
    Variable {
        key: key.to_owned(),
        value: escape(value),
    }
}

/// GitLab replaces `$NAME`, `${NAME}` and `%NAME%` in a value, and leaves `$$` as it is. The runner then turns `$$` into
/// `$`, and removes `${}`. A branch may contain any of these.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        escaped.push(c);
        match c {
            '$' => escaped.push('$'),
            '%' if opens_reference(&value[at + 1..]) => escaped.push_str("${}"),
            _ => {}
        }
    }
    escaped
}

/// Whether a `%` before this text would make a reference to a variable: `NAME%`.
fn opens_reference(rest: &str) -> bool {
    rest.split_once('%').is_some_and(|(name, _)| {
        let mut bytes = name.bytes();
        bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

fn unescape(value: &str) -> String {
    let mut literal = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        literal.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = match rest.strip_prefix("${}") {
            Some(after) => after,
            None => {
                literal.push('$');
                rest.strip_prefix("$$").unwrap_or(&rest[1..])
            }
        };
    }
    literal + rest
}
