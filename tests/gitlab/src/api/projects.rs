use super::{Answer, Call, Endpoint, Result, user_json};
use crate::world::{Project, Role, Visibility, World};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/projects/{id}", single).public(),
    Endpoint::get("/projects/{id}/members/all/{user_id}", member).public(),
];

fn single(call: &mut Call) -> Result {
    Ok(Answer::ok(project_json(call, call.project()?)))
}

/// A project as the caller sees it.
pub fn project_json(call: &Call, project: &Project) -> Value {
    let world = &*call.world;
    let enabled = |enabled: bool| if enabled { "enabled" } else { "disabled" };
    let mut json = basic_json(world, project);
    let more = json!({
        "archived": project.archived,
        "visibility": visibility(project),
        "empty_repo": project.branches.is_empty(),
        "issues_enabled": true,
        "merge_requests_enabled": true,
        "jobs_enabled": project.jobs_enabled,
        "public_jobs": true,
        "builds_access_level": enabled(project.jobs_enabled),
        "merge_requests_access_level": "enabled",
        "repository_access_level": "enabled",
        "ci_config_path": project.ci_config_path,
        "import_status": project.import_status,
        "marked_for_deletion_at": project.marked_for_deletion_on.map(|date| date.to_string()),
        "marked_for_deletion_on": project.marked_for_deletion_on.map(|date| date.to_string()),
        "only_allow_merge_if_pipeline_succeeds": false,
        "only_allow_merge_if_all_discussions_are_resolved": project.only_allow_merge_if_all_discussions_are_resolved,
    });
    extend(&mut json, more);
    if let Some(parent) = project.forked_from.and_then(|id| world.projects.get(&id)) {
        json["forked_from_project"] = basic_json(world, parent);
    }
    if call.user.is_some() {
        let role = project.role(call.user);
        let access =
            role.map(|role| json!({ "access_level": role as u8, "notification_level": 3 }));
        json["permissions"] = json!({ "project_access": access, "group_access": null });
    }
    if project.is_at_least(Role::Maintainer, call.user) {
        let settings = json!({
            "ci_pipeline_variables_minimum_override_role": project.ci_pipeline_variables_minimum_override_role,
            "restrict_user_defined_variables": project.restrict_user_defined_variables,
            "auto_cancel_pending_pipelines": enabled(project.auto_cancel_pending_pipelines),
            "ci_delete_pipelines_in_seconds": project.ci_delete_pipelines_in_seconds,
            "build_timeout": 3600,
            "ci_default_git_depth": 20,
            "ci_job_token_scope_enabled": false,
            "ci_allow_fork_pipelines_to_run_in_parent_project": true,
        });
        extend(&mut json, settings);
        if let Some(role) = &project.ci_restrict_pipeline_cancellation_role {
            json["ci_restrict_pipeline_cancellation_role"] = json!(role);
        }
    }
    json
}

pub fn basic_json(world: &World, project: &Project) -> Value {
    let url = world.project_url(project.id);
    json!({
        "id": project.id,
        "description": null,
        "name": project.name(),
        "path": project.name(),
        "path_with_namespace": project.path_with_namespace,
        "created_at": "2025-01-01T00:00:00.000Z",
        "default_branch": project.default_branch,
        "http_url_to_repo": format!("{url}.git"),
        "web_url": url,
    })
}

fn visibility(project: &Project) -> &'static str {
    match project.visibility {
        Visibility::Private => "private",
        Visibility::Internal => "internal",
        Visibility::Public => "public",
    }
}

fn extend(json: &mut Value, more: Value) {
    if let (Value::Object(json), Value::Object(more)) = (json, more) {
        json.extend(more);
    }
}

/// Membership through the groups above counts too; here all of it is the project's own.
fn member(call: &mut Call) -> Result {
    let project = call.project()?;
    let user_id = call.number("user_id")?;
    let role = project.role(Some(user_id)).ok_or_else(Answer::no_record)?;
    let mut json = user_json(call.world, &call.world.user(user_id));
    extend(
        &mut json,
        json!({
            "access_level": role as u8,
            "created_at": "2025-01-01T00:00:00.000Z",
            "expires_at": null,
            "membership_state": "active",
        }),
    );
    Ok(Answer::ok(json))
}
