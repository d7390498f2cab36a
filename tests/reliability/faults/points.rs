//! The requests of a story: where it can be hit.

use std::collections::BTreeMap;
use std::fmt;

use in_memory_gitlab::{Gitlab, Request};

use crate::stories::Story;

/// What the program reads of answers: the names in `src/gitlab/answer.rs`.
const FIELDS: [&str; 42] = [
    "action",
    "allow_failure",
    "artifacts_file",
    "author",
    "base_sha",
    "body",
    "bot",
    "created_at",
    "default_branch",
    "diff_refs",
    "failure_reason",
    "finished_at",
    "head_commit_sha",
    "head_pipeline",
    "id",
    "iid",
    "key",
    "label",
    "labels",
    "name",
    "notes",
    "parent_ids",
    "path_with_namespace",
    "project_id",
    "ref",
    "resolved",
    "sha",
    "source",
    "source_branch",
    "source_project_id",
    "started_at",
    "state",
    "status",
    "system",
    "target_branch",
    "target_project_id",
    "updated_at",
    "user",
    "user_notes_count",
    "username",
    "value",
    "web_url",
];

/// A request of a story: the how-manieth of its kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub method: String,
    path: String,
    occurrence: usize,
    /// Those of its answer that the program reads.
    pub fields: Vec<&'static str>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        match self.occurrence {
            0 => Ok(()),
            more => write!(f, " ({})", more + 1),
        }
    }
}

impl Point {
    /// Whether that request is one of its kind.
    pub fn is_like(&self, request: &Request) -> bool {
        request.method == self.method && place(request) == self.path
    }

    pub fn is_nth(&self, of_its_kind: usize) -> bool {
        of_its_kind == self.occurrence
    }
}

/// A request's path. Which of two starts side by side is given which note or discussion is up to chance, as is which of
/// two lists or reactions side by side comes first.
fn place(request: &Request) -> String {
    let listed = match (request.query("updated_after"), request.query("state")) {
        (Some(_), _) if request.path.ends_with("/pipelines") => " changed lately".to_owned(),
        (Some(_), Some(state)) => format!(" {state}"),
        _ => reaction(request).map_or(String::new(), |name| format!(" {name}")),
    };
    let is_id = |part: &str| part.len() == 40 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let numbered = ["/notes/", "/award_emoji/"].into_iter().find_map(|kind| {
        let (before, _) = request.path.split_once(kind)?;
        Some((before, format!("{kind}:id")))
    });
    let (path, note) = numbered.unwrap_or((&request.path, String::new()));
    let parts = path.split('/');
    let parts: Vec<&str> = parts
        .map(|part| if is_id(part) { ":id" } else { part })
        .collect();
    format!("{}{note}{listed}", parts.join("/"))
}

/// The reaction that is listed by or set.
fn reaction(request: &Request) -> Option<String> {
    let set = request
        .body
        .get("name")
        .filter(|_| request.path.ends_with("/award_emoji"));
    let set = set.and_then(|name| name.as_str()).map(str::to_owned);
    set.or(request
        .query("my_reaction_emoji")
        .map(|name| name.to_string()))
}

/// The requests of the story's command undisturbed, in no particular order since some go out side by side.
pub fn points(gitlab: &Gitlab, story: &Story) -> Vec<Point> {
    gitlab.clear_requests();
    story.run(gitlab, story.command);
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut points = Vec::new();
    for request in gitlab.requests() {
        let (method, path) = (request.method.clone(), place(&request));
        let count = seen.entry((method.clone(), path.clone())).or_default();
        let mut fields = FIELDS.to_vec();
        // GitLab refuses the second of two reactions side by side, and which that is is up to chance.
        let sets = method == "POST" && request.path.ends_with("/award_emoji");
        fields.retain(|&field| !sets && request.fields.contains(field));
        points.push(Point {
            method,
            path,
            occurrence: *count,
            fields,
        });
        *count += 1;
    }
    points
}
