use super::labels::basic_json as label_json;
use super::pipelines::{basic_json as pipeline_json, detail_json};
use super::{
    Answer, Call, Endpoint, PAGING, Param, Result, SORT, boolean, integer, list as titles, one_of,
    text, time, time_json, user_by_id,
};
use crate::world::{LabelChange, MergeRequest, MergeRequestChange, Pipeline, Version, World};
use serde_json::{Value, json};
use std::cmp::Reverse;

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/projects/{id}/merge_requests", list)
        .public()
        .takes(LIST),
    Endpoint::get("/projects/{id}/merge_requests/{merge_request_iid}", single).public(),
    Endpoint::put("/projects/{id}/merge_requests/{merge_request_iid}", update).takes(UPDATE),
    Endpoint::get(
        "/projects/{id}/merge_requests/{merge_request_iid}/versions",
        versions,
    )
    .takes(&PAGING),
    Endpoint::get(
        "/projects/{id}/merge_requests/{merge_request_iid}/pipelines",
        pipelines,
    )
    .public()
    .takes(&PAGING),
];

const LIST: &[Param] = &[
    one_of("state", "opened closed locked merged all"),
    titles("labels"),
    titles("not[labels]"),
    titles("iids"),
    one_of("scope", "created_by_me assigned_to_me reviews_for_me all"),
    one_of("order_by", "created_at updated_at"),
    SORT,
    time("created_after"),
    time("created_before"),
    time("updated_after"),
    time("updated_before"),
    text("source_branch"),
    text("target_branch"),
    integer("author_id"),
    text("author_username"),
    text("my_reaction_emoji"),
    text("not[my_reaction_emoji]"),
    boolean("with_labels_details"),
    PAGING[0],
    PAGING[1],
];

const UPDATE: &[Param] = &[
    text("title"),
    text("description"),
    one_of("state_event", "close reopen"),
    titles("labels"),
    titles("add_labels"),
    titles("remove_labels"),
];

fn list(call: &mut Call) -> Result {
    let project = call.project()?;
    if !project.shows_merge_requests_to(call.user) {
        return Err(Answer::forbidden());
    }
    let all = call
        .world
        .merge_requests
        .values()
        .filter(|mr| mr.project_id == project.id);
    let mut found: Vec<&MergeRequest> = all.filter(|mr| matches(call, mr)).collect();
    let by_update = call.params.text("order_by").as_deref() == Some("updated_at");
    found.sort_by_key(|mr| {
        (
            if by_update {
                mr.updated_at
            } else {
                mr.created_at
            },
            mr.id,
        )
    });
    let found = call.params.sorted(found);
    let with_details = call.params.boolean("with_labels_details") == Some(true);
    Ok(call.page(found, |mr| {
        let mut json = mr_json(call.world, mr);
        if with_details {
            json["labels"] = mr
                .labels
                .iter()
                .filter_map(|id| call.world.labels.get(id))
                .map(label_json)
                .collect();
        }
        json
    }))
}

fn matches(call: &Call, mr: &MergeRequest) -> bool {
    let params = &call.params;
    let is = |name: &str, actual: &str| params.let_through(name, actual);
    let world = &*call.world;
    let borne = world.titles(&mr.labels);
    let bears = |wanted: &String| borne.contains(wanted);
    let bears_all = |wanted: Vec<String>| {
        // One of GitLab's own words decides, whatever else is asked for.
        let has_word = |word: &str| wanted.iter().any(|title| title.to_lowercase() == word);
        match () {
            () if has_word("none") => borne.is_empty(),
            () if has_word("any") => !borne.is_empty(),
            () => wanted.iter().all(bears),
        }
    };
    let reacted = |wanted: &str| {
        let mut own = mr
            .reactions
            .iter()
            .filter(|reaction| Some(reaction.user_id) == call.user);
        match wanted.to_lowercase().as_str() {
            "none" => own.next().is_none(),
            "any" => own.next().is_some(),
            _ => own.any(|reaction| reaction.name == wanted),
        }
    };
    // Nobody has no reactions to ask for: GitLab ignores the filter.
    let reaction = |name: &str| call.user.and_then(|_| params.text(name));
    let in_scope = match params.text("scope").as_deref() {
        Some("created_by_me") => Some(mr.author_id) == call.user,
        Some("assigned_to_me") => call.user.is_some_and(|me| mr.assignees.contains(&me)),
        Some("reviews_for_me") => false,
        _ => true,
    };
    params
        .text("state")
        .is_none_or(|state| state == "all" || state == mr.state)
        && params.list("labels").is_none_or(bears_all)
        && params
            .list("not[labels]")
            .is_none_or(|unwanted| !unwanted.iter().any(bears))
        && params
            .list("iids")
            .is_none_or(|iids| iids.contains(&mr.iid.to_string()))
        && reaction("my_reaction_emoji").is_none_or(|wanted| reacted(&wanted))
        && reaction("not[my_reaction_emoji]").is_none_or(|unwanted| !reacted(&unwanted))
        && in_scope
        && params.within("created", mr.created_at)
        && params.within("updated", mr.updated_at)
        && is("source_branch", &mr.source_branch)
        && is("target_branch", &mr.target_branch)
        && is("author_id", &mr.author_id.to_string())
        && is("author_username", &world.user(mr.author_id).username)
}

/// What the list and the single merge request have in common.
fn mr_json(world: &World, mr: &MergeRequest) -> Value {
    let project = &world.projects[&mr.project_id];
    let reference = format!("!{}", mr.iid);
    let blocked =
        project.only_allow_merge_if_all_discussions_are_resolved && mr.has_unresolved_discussions();
    let merged_by = user_by_id(world, mr.merged.map(|(_, by)| by));
    let assignees: Vec<Value> = mr
        .assignees
        .iter()
        .map(|&id| user_by_id(world, Some(id)))
        .collect();
    let notes = mr
        .discussions
        .iter()
        .flat_map(|discussion| &discussion.notes)
        .filter(|note| !note.system);
    let votes = |name: &str| {
        let cast = mr.reactions.iter().filter(|reaction| reaction.name == name);
        cast.count()
    };
    let mut json = json!({
        "id": mr.id,
        "iid": mr.iid,
        "project_id": mr.project_id,
        "title": mr.title,
        "description": mr.description,
        "state": mr.state,
        "imported": false,
        "imported_from": "none",
        "created_at": time_json(mr.created_at),
        "updated_at": time_json(mr.updated_at),
        "prepared_at": mr.prepared_at.map(time_json),
        "merged_by": merged_by,
        "merge_user": merged_by,
        "merged_at": mr.merged.map(|(at, _)| time_json(at)),
        "closed_by": user_by_id(world, mr.closed.map(|(_, by)| by)),
        "closed_at": mr.closed.map(|(at, _)| time_json(at)),
        "target_branch": mr.target_branch,
        "source_branch": mr.source_branch,
        "source_project_id": mr.source_project_id,
        "target_project_id": mr.project_id,
        "upvotes": votes("thumbsup"),
        "downvotes": votes("thumbsdown"),
        "user_notes_count": notes.count(),
        "author": user_by_id(world, Some(mr.author_id)),
        "assignee": assignees.first(),
        "assignees": assignees,
        "reviewers": [],
        "labels": world.titles(&mr.labels),
        "draft": mr.is_draft(),
        "work_in_progress": mr.is_draft(),
        "milestone": null,
        "merge_when_pipeline_succeeds": false,
        "merge_status": if mr.prepared_at.is_some() { "can_be_merged" } else { "checking" },
        "detailed_merge_status": match () {
            () if mr.prepared_at.is_none() => "preparing",
            () if mr.state != "opened" => "not_open",
            () if mr.is_draft() => "draft_status",
            () if blocked => "discussions_not_resolved",
            () => "mergeable",
        },
        "merge_after": null,
        "sha": mr.sha(),
        "merge_commit_sha": mr.merge_commit_sha,
        "squash_commit_sha": null,
        "discussion_locked": mr.discussion_locked.then_some(true),
        "should_remove_source_branch": null,
        "force_remove_source_branch": null,
        "reference": reference,
        "references": {
            "short": reference,
            "relative": reference,
            "full": format!("{}!{}", project.path_with_namespace, mr.iid),
        },
        "web_url": world.merge_request_url(mr),
        "time_stats": {
            "time_estimate": 0,
            "total_time_spent": 0,
            "human_time_estimate": null,
            "human_total_time_spent": null,
        },
        "squash": false,
        "squash_on_merge": false,
        "task_completion_status": { "count": 0, "completed_count": 0 },
        "has_conflicts": false,
        "blocking_discussions_resolved": !blocked,
        "approvals_before_merge": null,
    });
    if mr.is_from_fork() {
        json["allow_collaboration"] = json!(true);
        json["allow_maintainer_to_push"] = json!(true);
    }
    json
}

pub fn single_json(call: &Call, mr: &MergeRequest) -> Value {
    let world = &*call.world;
    let mut json = mr_json(world, mr);
    let pipeline = mr.head_pipeline_id.and_then(|id| world.pipelines.get(&id));
    json["pipeline"] = pipeline
        .map(|pipeline| pipeline_json(world, pipeline))
        .into();
    // On the strength of the target project, though the pipeline may be in a fork.
    if world.projects[&mr.project_id].shows_pipelines_to(call.user) {
        json["head_pipeline"] = pipeline.map(|pipeline| detail_json(world, pipeline)).into();
    }
    json["diff_refs"] = mr.versions.last().map_or(Value::Null, |version| {
        json!({
            "base_sha": version.base_commit_sha,
            "head_sha": version.head_commit_sha,
            "start_sha": version.start_commit_sha,
        })
    });
    json["changes_count"] = mr.versions.last().map(|_| "1").into();
    json["latest_build_started_at"] = pipeline
        .and_then(|pipeline| pipeline.started_at)
        .map(time_json)
        .into();
    json["latest_build_finished_at"] = pipeline
        .and_then(|pipeline| pipeline.finished_at)
        .map(time_json)
        .into();
    json["first_deployed_to_production_at"] = Value::Null;
    json["merge_error"] = Value::Null;
    json["subscribed"] = json!(false);
    json["first_contribution"] = json!(false);
    json["user"] =
        json!({ "can_merge": call.user.is_some_and(|user| world.may_update(mr.id, user)) });
    json
}

fn single(call: &mut Call) -> Result {
    let mr = call.merge_request()?;
    Ok(Answer::ok(single_json(call, mr)))
}

fn update(call: &mut Call) -> Result {
    let me = call.me()?;
    let mr_id = call.merge_request()?.id;
    let params = &call.params;
    if !UPDATE.iter().any(|param| params.has(param.name)) {
        let names: Vec<&str> = UPDATE.iter().map(|param| param.name).collect();
        return Err(Answer::error(&format!(
            "{} are missing, at least one parameter must be provided",
            names.join(", ")
        )));
    }
    let change = MergeRequestChange {
        title: params.text("title"),
        description: params.text("description"),
        state_event: params.text("state_event"),
        labels: LabelChange {
            set: params.list("labels"),
            add: params.list("add_labels").unwrap_or_default(),
            remove: params.list("remove_labels").unwrap_or_default(),
        },
    };
    call.world.update_merge_request(mr_id, me, change)?;
    Ok(Answer::ok(single_json(
        call,
        &call.world.merge_requests[&mr_id],
    )))
}

fn versions(call: &mut Call) -> Result {
    let mr = call.merge_request()?;
    let newest_first: Vec<&Version> = mr.versions.iter().rev().collect();
    Ok(call.page(newest_first, |version| {
        json!({
            "id": version.id,
            "head_commit_sha": version.head_commit_sha,
            "base_commit_sha": version.base_commit_sha,
            "start_commit_sha": version.start_commit_sha,
            "created_at": time_json(version.created_at),
            "merge_request_id": mr.id,
            "state": "collected",
            "real_size": "1",
        })
    }))
}

/// Those made for the merge request come first, whatever their age.
fn pipelines(call: &mut Call) -> Result {
    let mr = call.merge_request()?;
    let world = &*call.world;
    let of_branch = |pipeline: &Pipeline| {
        Some(pipeline.project_id) == mr.source_project_id
            && pipeline.reference == mr.source_branch
            && mr
                .versions
                .iter()
                .any(|version| version.head_commit_sha == pipeline.sha)
    };
    let of_mr = |pipeline: &Pipeline| pipeline.merge_request_id == Some(mr.id);
    let readable =
        |pipeline: &Pipeline| world.projects[&pipeline.project_id].shows_pipelines_to(call.user);
    let mut found: Vec<&Pipeline> = world
        .pipelines
        .values()
        .filter(|p| (of_mr(p) || of_branch(p)) && readable(p) && world.is_listed(p))
        .collect();
    found.sort_by_key(|pipeline| (!of_mr(pipeline), Reverse(pipeline.id)));
    Ok(call.page(found, |pipeline| pipeline_json(world, pipeline)))
}
