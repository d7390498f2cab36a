use super::{
    Answer, Call, Endpoint, PAGING, Param, Result, SORT, boolean, objects, one_of, text, time,
    time_json, user_by_id,
};
use crate::world::{Pipeline, STATUSES, Time, Variable, World};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/projects/{id}/pipelines", list)
        .public()
        .takes(LIST),
    Endpoint::post("/projects/{id}/pipeline", create)
        .takes(&[text("ref").required(), objects("variables")]),
    Endpoint::get("/projects/{id}/pipelines/{pipeline_id}", single).public(),
    Endpoint::get(
        "/projects/{id}/pipelines/{pipeline_id}/variables",
        variables,
    )
    .public()
    .takes(&PAGING),
    Endpoint::post("/projects/{id}/pipelines/{pipeline_id}/cancel", cancel),
    Endpoint::post("/projects/{id}/pipelines/{pipeline_id}/retry", retry),
];

const LIST: &[Param] = &[
    one_of("scope", "running pending finished branches tags"),
    one_of("status", STATUSES),
    text("ref"),
    text("sha"),
    one_of("source", SOURCES),
    text("username"),
    text("name"),
    boolean("yaml_errors"),
    time("created_after"),
    time("created_before"),
    time("updated_after"),
    time("updated_before"),
    one_of("order_by", "id status ref updated_at user_id"),
    SORT,
    PAGING[0],
    PAGING[1],
];

const SOURCES: &str = "\
    push web trigger schedule api external pipeline chat webide merge_request_event \
    external_pull_request_event parent_pipeline ondemand_dast_scan ondemand_dast_validation \
    security_orchestration_policy";

/// A pipeline as lists show it.
pub fn basic_json(world: &World, pipeline: &Pipeline) -> Value {
    json!({
        "id": pipeline.id,
        "iid": pipeline.iid,
        "project_id": pipeline.project_id,
        "sha": pipeline.sha,
        "ref": pipeline.reference,
        "status": pipeline.status,
        "source": pipeline.source,
        "created_at": time_json(pipeline.created_at),
        "updated_at": (!pipeline.is_external()).then(|| time_json(pipeline.updated_at)),
        "web_url": world.pipeline_url(pipeline),
    })
}

pub fn detail_json(world: &World, pipeline: &Pipeline) -> Value {
    let mut json = basic_json(world, pipeline);
    let seconds = |from: Time, to: Option<Time>| to.map(|to| (to - from).num_seconds());
    json["before_sha"] = json!("0".repeat(40));
    json["tag"] = json!(
        world.projects[&pipeline.project_id]
            .tags
            .contains_key(&pipeline.reference)
    );
    json["yaml_errors"] = Value::Null;
    json["user"] = user_by_id(world, pipeline.user_id);
    let started = pipeline.started_at.filter(|_| !pipeline.is_external());
    json["started_at"] = started.map(time_json).into();
    json["finished_at"] = pipeline.finished_at.map(time_json).into();
    json["committed_at"] = Value::Null;
    json["duration"] = started
        .and_then(|started| seconds(started, pipeline.finished_at))
        .into();
    json["queued_duration"] = seconds(pipeline.created_at, started).into();
    json["coverage"] = Value::Null;
    json["archived"] = json!(false);
    json["detailed_status"] = detailed_status(pipeline);
    json
}

fn detailed_status(pipeline: &Pipeline) -> Value {
    let status = pipeline.status.as_str();
    let (text, group) = match status {
        "success" => ("Passed", "success"),
        "waiting_for_resource" => ("Waiting", "waiting-for-resource"),
        status => (status, status),
    };
    let mut capitalized = text[..1].to_uppercase();
    capitalized.push_str(&text[1..].replace('_', " "));
    json!({
        "icon": format!("status_{status}"),
        "text": capitalized,
        "label": text.to_lowercase(),
        "group": group,
        "tooltip": text.to_lowercase(),
        "has_details": true,
        "details_path": format!("/-/pipelines/{}", pipeline.id),
        "illustration": null,
        "favicon": format!("/assets/ci_favicons/favicon_status_{status}.png"),
    })
}

fn list(call: &mut Call) -> Result {
    let project = call.project()?;
    if !project.shows_pipelines_to(call.user) {
        return Err(Answer::forbidden());
    }
    let all = call
        .world
        .pipelines
        .values()
        .filter(|pipeline| pipeline.project_id == project.id && call.world.is_listed(pipeline));
    let mut found: Vec<&Pipeline> = all.filter(|pipeline| matches(call, pipeline)).collect();
    match call.params.text("order_by").as_deref() {
        Some("status") => found.sort_by_key(|pipeline| pipeline.status.clone()),
        Some("ref") => found.sort_by_key(|pipeline| pipeline.reference.clone()),
        Some("updated_at") => found.sort_by_key(|pipeline| pipeline.updated_at),
        Some("user_id") => found.sort_by_key(|pipeline| pipeline.user_id),
        _ => {}
    }
    let found = call.params.sorted(found);
    Ok(call.page(found, |pipeline| {
        with_name(call.world, pipeline, basic_json)
    }))
}

fn with_name(world: &World, pipeline: &Pipeline, json: fn(&World, &Pipeline) -> Value) -> Value {
    let mut json = json(world, pipeline);
    json["name"] = json!(pipeline.name);
    json
}

fn matches(call: &Call, pipeline: &Pipeline) -> bool {
    let params = &call.params;
    let project = &call.world.projects[&pipeline.project_id];
    let is = |name: &str, actual: &str| params.let_through(name, actual);
    let username = pipeline
        .user_id
        .map(|id| call.world.user(id).username)
        .unwrap_or_default();
    // Child pipelines are only shown to those who ask for them.
    let source_fits = match params.text("source") {
        Some(source) => source == pipeline.source,
        None => pipeline.source != "parent_pipeline",
    };
    let status = pipeline.status.as_str();
    let in_scope = match params.text("scope").as_deref() {
        Some("finished") => matches!(status, "success" | "failed" | "canceled"),
        Some("branches") => project.branches.contains_key(&pipeline.reference),
        Some("tags") => project.tags.contains_key(&pipeline.reference),
        Some(wanted) => wanted == status,
        None => true,
    };
    source_fits
        && in_scope
        && is("status", status)
        && is("ref", &pipeline.reference)
        && is("sha", &pipeline.sha)
        && is("username", &username)
        && is("name", pipeline.name.as_deref().unwrap_or_default())
        && params.boolean("yaml_errors") != Some(true)
        && params.within("created", pipeline.created_at)
        && params.within("updated", pipeline.updated_at)
}

fn single(call: &mut Call) -> Result {
    let pipeline = call.pipeline()?;
    Ok(Answer::ok(with_name(call.world, pipeline, detail_json)))
}

/// The whole list comes, whatever page is asked for.
fn variables(call: &mut Call) -> Result {
    let pipeline = call.pipeline()?;
    if !call.world.shows_variables_to(call.user, pipeline) {
        return Err(Answer::forbidden());
    }
    let variable_json = |variable: &Variable| {
        json!({
            "variable_type": variable.variable_type,
            "key": variable.key,
            "value": variable.value,
            "raw": false,
        })
    };
    Ok(Answer::ok(
        pipeline.variables.iter().map(variable_json).collect(),
    ))
}

fn create(call: &mut Call) -> Result {
    let me = call.me()?;
    let reference = call.params.text("ref").unwrap_or_default();
    let variables = posted_variables(call)?;
    let project_id = call.project()?.id;
    let id = call
        .world
        .create_pipeline(me, project_id, &reference, variables)?;
    Ok(Answer::created(detail_json(
        call.world,
        &call.world.pipelines[&id],
    )))
}

fn posted_variables(call: &Call) -> Result<Vec<Variable>> {
    let mut variables = Vec::new();
    for object in call.params.objects("variables") {
        let unknown = object
            .keys()
            .find(|key| !matches!(key.as_str(), "key" | "value" | "variable_type"));
        if let Some(unknown) = unknown {
            return Err(Answer::error(&format!(
                "unknown parameter: variables[{unknown}]"
            )));
        }
        let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut variable = Variable::new(text("key").trim(), text("value"));
        match text("variable_type") {
            "" => {}
            kind @ ("env_var" | "file") => variable.variable_type = kind.to_owned(),
            _ => {
                return Err(Answer::error(
                    "variables[variable_type] does not have a valid value",
                ));
            }
        }
        variables.push(variable);
    }
    Ok(variables)
}

fn cancel(call: &mut Call) -> Result {
    let (me, id) = (call.me()?, call.pipeline()?.id);
    call.world.cancel_pipeline(me, id)?;
    Ok(Answer::ok(detail_json(
        call.world,
        &call.world.pipelines[&id],
    )))
}

fn retry(call: &mut Call) -> Result {
    let (me, id) = (call.me()?, call.pipeline()?.id);
    call.world.retry_pipeline(me, id)?;
    Ok(Answer::created(detail_json(
        call.world,
        &call.world.pipelines[&id],
    )))
}
