//! What makes a project, fills it and takes it away.

use super::merge_requests::single_json;
use super::projects::{basic_json, project_json};
use super::repository::commit_json;
use super::{
    Answer, Call, Endpoint, PAGING, Param, Result, boolean, integer, list as titles, objects,
    one_of, text, time_json,
};
use crate::world::{FileChange, NewMergeRequest, Role, Visibility};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::post("/projects", create).takes(&[
        text("name"),
        text("path"),
        integer("namespace_id"),
        one_of("visibility", "private internal public"),
        text("description"),
        text("default_branch"),
        boolean("initialize_with_readme"),
    ]),
    Endpoint::put("/projects/{id}", update).takes(UPDATE),
    Endpoint::delete("/projects/{id}", delete)
        .takes(&[boolean("permanently_remove"), text("full_path")]),
    Endpoint::post("/projects/{id}/fork", fork).takes(&[
        text("name"),
        text("path"),
        integer("namespace_id"),
        text("namespace_path"),
        one_of("visibility", "private internal public"),
    ]),
    Endpoint::post("/projects/{id}/repository/commits", commit).takes(&[
        text("branch").required(),
        text("commit_message").required(),
        text("start_branch"),
        objects("actions").required(),
    ]),
    Endpoint::post("/projects/{id}/merge_requests", open_merge_request).takes(&[
        text("source_branch").required(),
        text("target_branch").required(),
        text("title").required(),
        integer("target_project_id"),
        text("description"),
        titles("labels"),
    ]),
    Endpoint::get("/projects/{id}/job_token_scope", job_token_scope),
    Endpoint::get(
        "/projects/{id}/job_token_scope/allowlist",
        job_token_projects,
    )
    .takes(&PAGING),
    Endpoint::get(
        "/projects/{id}/job_token_scope/groups_allowlist",
        job_token_groups,
    )
    .takes(&PAGING),
    Endpoint::post("/projects/{id}/job_token_scope/allowlist", allow_job_token)
        .takes(&[integer("target_project_id").required()]),
    Endpoint::put("/projects/{id}/resource_groups/{key}", set_process_mode).takes(&[one_of(
        "process_mode",
        "unordered oldest_first newest_first newest_ready_first",
    )]),
];

const UPDATE: &[Param] = &[
    one_of(
        "ci_pipeline_variables_minimum_override_role",
        "no_one_allowed developer maintainer owner",
    ),
    boolean("restrict_user_defined_variables"),
    one_of("auto_cancel_pending_pipelines", "disabled enabled"),
    boolean("only_allow_merge_if_all_discussions_are_resolved"),
    text("ci_config_path"),
];

impl Call<'_> {
    /// The namespace of a new project. That of the user itself is none here.
    fn namespace(&self, missing: &'static str) -> Result<u64> {
        let params = &self.params;
        let asked = params
            .text("namespace_id")
            .or_else(|| params.text("namespace_path"))
            .unwrap_or_default();
        let group = self.world.find_group(&asked);
        group
            .map(|group| group.id)
            .ok_or_else(|| Answer::not_found(missing))
    }

    /// For whatever only Maintainers may.
    fn administered_project(&self) -> Result<u64> {
        let project = self.project()?;
        let allowed = !project.archived && project.is_at_least(Role::Maintainer, self.user);
        allowed.then_some(project.id).ok_or_else(Answer::forbidden)
    }

    fn shown_project(&self, id: u64) -> Value {
        project_json(self, &self.world.projects[&id])
    }
}

fn create(call: &mut Call) -> Result {
    let (me, group) = (call.me()?, call.namespace("Namespace")?);
    let params = &call.params;
    let Some(path) = params.text("path").or_else(|| params.text("name")) else {
        let fault = "name, path are missing, at least one parameter must be provided";
        return Err(Answer::error(fault));
    };
    let visibility = match params.text("visibility").as_deref() {
        Some("public") => Visibility::Public,
        Some("internal") => Visibility::Internal,
        _ => Visibility::Private,
    };
    let id = call.world.create_project(me, group, &path, visibility)?;
    Ok(Answer::created(call.shown_project(id)))
}

fn update(call: &mut Call) -> Result {
    let (me, id) = (call.me()?, call.administered_project()?);
    let params = &call.params;
    if !UPDATE.iter().any(|param| params.has(param.name)) {
        let names: Vec<&str> = UPDATE.iter().map(|param| param.name).collect();
        return Err(Answer::error(&format!(
            "{} are missing, at least one parameter must be provided",
            names.join(", ")
        )));
    }
    if let Some(role) = params.text("ci_pipeline_variables_minimum_override_role") {
        call.world.set_variables_role(me, id, &role)?;
    }
    let params = &call.params;
    if let Some(project) = call.world.projects.get_mut(&id) {
        if let Some(restrict) = params.boolean("restrict_user_defined_variables") {
            project.restrict_user_defined_variables = restrict;
        }
        if let Some(auto_cancel) = params.text("auto_cancel_pending_pipelines") {
            project.auto_cancel_pending_pipelines = auto_cancel == "enabled";
        }
        if let Some(resolved) = params.boolean("only_allow_merge_if_all_discussions_are_resolved") {
            project.only_allow_merge_if_all_discussions_are_resolved = resolved;
        }
        if let Some(path) = params.text("ci_config_path") {
            project.ci_config_path = Some(path).filter(|path| !path.is_empty());
        }
    }
    Ok(Answer::ok(call.shown_project(id)))
}

/// It is done in the background, the first time after days.
fn delete(call: &mut Call) -> Result {
    let (me, id) = (call.me()?, call.project()?.id);
    let permanently = call.params.boolean("permanently_remove") == Some(true);
    let path = call.params.text("full_path").unwrap_or_default();
    let path = permanently.then_some(path.as_str());
    call.world.remove_project(me, id, path)?;
    Ok(Answer::message(202, "202 Accepted"))
}

fn fork(call: &mut Call) -> Result {
    let (me, parent) = (call.me()?, call.project()?);
    if !parent.shows_code_to(call.user) {
        return Err(Answer::message(404, "404 Not Found"));
    }
    let path = call.params.text("path");
    let path = path.unwrap_or_else(|| parent.name().to_owned());
    let (parent, group) = (parent.id, call.namespace("Target Namespace")?);
    let taken = call.world.fork_project(me, parent, group, &path);
    let id = taken.map_err(|refusal| {
        let answer = Answer::from(refusal);
        Answer {
            status: 409,
            ..answer
        }
    })?;
    Ok(Answer::created(call.shown_project(id)))
}

fn commit(call: &mut Call) -> Result {
    let (me, project) = (call.me()?, call.project()?.id);
    let params = &call.params;
    let text = |name: &str| params.text(name).unwrap_or_default();
    let mut changes = Vec::new();
    for action in params.objects("actions") {
        let text = |name: &str| action.get(name).and_then(Value::as_str).unwrap_or_default();
        let known = |key: &str| ["action", "file_path", "content"].contains(&key);
        let kind = text("action");
        if !["create", "update"].contains(&kind) || !action.keys().all(|key| known(key)) {
            return Err(Answer::error(
                "actions[0][action] does not have a valid value",
            ));
        }
        changes.push(FileChange {
            action: kind.to_owned(),
            path: text("file_path").to_owned(),
            content: text("content").to_owned(),
        });
    }
    let (branch, message) = (text("branch"), text("commit_message"));
    let start = params.text("start_branch");
    let sha = call
        .world
        .commit_files(me, project, &branch, start.as_deref(), &message, changes)?;
    let commit = &call.world.commits[&sha];
    Ok(Answer::created(commit_json(call.world, project, commit)))
}

/// The project of the address is where it comes from.
fn open_merge_request(call: &mut Call) -> Result {
    let (me, source_project) = (call.me()?, call.project()?.id);
    let text = |name: &str| call.params.text(name).unwrap_or_default();
    let target = call.params.text("target_project_id");
    let target = target.unwrap_or_else(|| source_project.to_string());
    let target_project = call
        .world
        .find_project(&target)
        .filter(|project| project.shows_merge_requests_to(call.user))
        .ok_or_else(|| Answer::not_found("Project"))?
        .id;
    let new = NewMergeRequest {
        source_project,
        source_branch: text("source_branch"),
        target_project,
        target_branch: text("target_branch"),
        title: text("title"),
        labels: call.params.list("labels").unwrap_or_default(),
    };
    let id = call.world.open_merge_request_from(me, new)?;
    if let Some(description) = call.params.text("description") {
        call.world.mr_mut(id).description = Some(description);
    }
    let mr = &call.world.merge_requests[&id];
    Ok(Answer::created(single_json(call, mr)))
}

fn job_token_scope(call: &mut Call) -> Result {
    let project = &call.world.projects[&call.administered_project()?];
    Ok(Answer::ok(json!({
        "inbound_enabled": project.limits_job_tokens,
        "outbound_enabled": false,
    })))
}

/// The project itself is on it.
fn job_token_projects(call: &mut Call) -> Result {
    let id = call.administered_project()?;
    let others = &call.world.projects[&id].job_token_allowlist;
    let all: Vec<u64> = [id].into_iter().chain(others.iter().copied()).collect();
    Ok(call.page(all, |id| basic_json(call.world, &call.world.projects[&id])))
}

fn job_token_groups(call: &mut Call) -> Result {
    let id = call.administered_project()?;
    let groups = call.world.projects[&id].job_token_groups.iter();
    let groups: Vec<_> = groups.map(|group| &call.world.groups[group]).collect();
    Ok(call.page(groups, |group| {
        json!({
            "id": group.id,
            "web_url": format!("{}/groups/{}", call.world.external_url, group.path),
            "name": group.path,
        })
    }))
}

fn allow_job_token(call: &mut Call) -> Result {
    let id = call.administered_project()?;
    let target = call.params.text("target_project_id").unwrap_or_default();
    let target = call.world.find_project(&target).map(|project| project.id);
    let target = target.ok_or_else(|| Answer::not_found("target_project"))?;
    let project = call.world.projects.get_mut(&id);
    if !project.is_some_and(|project| project.job_token_allowlist.insert(target)) {
        return Err(Answer::message(
            400,
            "400 Bad request - This project is already in the job token allowlist.",
        ));
    }
    Ok(Answer::created(
        json!({ "source_project_id": id, "target_project_id": target }),
    ))
}

/// Of a resource group that some pipeline has named before.
fn set_process_mode(call: &mut Call) -> Result {
    let id = call.administered_project()?;
    let (key, mode) = (
        call.path("key").to_owned(),
        call.params.text("process_mode"),
    );
    let now = time_json(call.world.now());
    let groups = &mut call
        .world
        .projects
        .get_mut(&id)
        .map(|project| &mut project.resource_groups);
    let group = groups.as_mut().and_then(|groups| groups.get_mut(&key));
    let group = group.ok_or_else(Answer::no_record)?;
    *group = mode.unwrap_or_else(|| group.clone());
    Ok(Answer::ok(json!({
        "id": 1,
        "key": key,
        "process_mode": group,
        "created_at": now,
        "updated_at": now,
    })))
}
