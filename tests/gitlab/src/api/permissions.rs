//! What a fine-grained token has to be granted for each endpoint.

use super::{Answer, Endpoint, Result, endpoints};
use crate::world::{Token, World};
use serde_json::json;
use std::collections::BTreeSet;

/// Parts of paths and what they are about; the first that is found counts.
const RESOURCES: &[(&str, &str)] = &[
    ("/award_emoji", "merge_request_award_emoji"),
    ("/resource_label_events", "merge_request_label_event"),
    ("/discussions", "merge_request_note"),
    ("/notes", "work_item_note"),
    ("/versions", "merge_request_diff"),
    (
        "/merge_requests/{merge_request_iid}/pipelines",
        "merge_request_pipeline",
    ),
    ("/merge_requests", "merge_request"),
    ("/variables", "pipeline_variable"),
    ("/artifacts", "job_artifact"),
    ("/jobs", "job"),
    ("/pipeline", "pipeline"),
    ("/labels", "label"),
    ("/members", "member"),
    ("/protected_branches", "protected_branch"),
    ("/repository/branches", "branch"),
    ("/repository/commits", "commit"),
    ("/repository/files", "repository_file"),
    ("/repository/tags", "tag"),
    ("/projects", "project"),
    ("/personal_access_tokens", "personal_access_token"),
    ("/user", "user"),
];

/// All of them, as `read_merge_request`.
pub fn permissions() -> BTreeSet<String> {
    endpoints().map(permission).collect()
}

fn action(endpoint: &Endpoint) -> &'static str {
    let last = endpoint.path.rsplit('/').next();
    match (endpoint.method, last) {
        ("GET", _) => "read",
        ("PUT", _) => "update",
        ("DELETE", _) => "delete",
        (_, Some("cancel")) => "cancel",
        (_, Some("play")) => "play",
        (_, Some("retry")) => "retry",
        _ => "create",
    }
}

fn permission(endpoint: &Endpoint) -> String {
    let mut resources = RESOURCES.iter();
    let resource = resources.find(|(part, _)| endpoint.path.contains(part));
    format!(
        "{}_{}",
        action(endpoint),
        resource.map_or("metadata", |(_, name)| name)
    )
}

pub fn check(
    world: &World,
    endpoint: &Endpoint,
    project: Option<&str>,
    token: &Token,
) -> Result<()> {
    let permission = permission(endpoint);
    if token.permissions.contains(&permission) {
        return Ok(());
    }
    let project = project.map(|id| world.find_project(id));
    let boundary = match project {
        None => "user",
        Some(Some(project)) if project.is_visible_to(Some(token.user_id)) => "project",
        Some(_) => return Err(Answer::message(404, "404 Not Found")),
    };
    let description = format!(
        "Access denied: This operation requires a fine-grained personal access token with the \
         following {boundary} permissions: [{}].",
        title(&permission)
    );
    Err(Answer::json(
        403,
        json!({ "error": "insufficient_granular_scope", "error_description": description }),
    ))
}

/// `read_merge_request` → `Merge Request: Read`
fn title(permission: &str) -> String {
    let words: Vec<String> = permission
        .split('_')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect();
    format!("{}: {}", words[1..].join(" "), words[0])
}
