use super::{Answer, Call, Endpoint, PAGING, Param, Result, boolean, text, time_json, user_by_id};
use crate::world::{Label, LabelAction, LabelEvent, LabelOwner, MergeRequest, Role, World};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/projects/{id}/labels", list).takes(LIST),
    Endpoint::post("/projects/{id}/labels", create).takes(&[
        text("name").required(),
        text("color").required(),
        text("description"),
    ]),
    Endpoint::get("/projects/{id}/labels/{name}", single)
        .takes(&[boolean("include_ancestor_groups")]),
    Endpoint::get(
        "/projects/{id}/merge_requests/{noteable_iid}/resource_label_events",
        events,
    )
    .takes(&PAGING),
    Endpoint::get(
        "/projects/{id}/merge_requests/{noteable_iid}/resource_label_events/{event_id}",
        event,
    ),
];

const LIST: &[Param] = &[
    boolean("with_counts"),
    boolean("include_ancestor_groups"),
    text("search"),
    PAGING[0],
    PAGING[1],
];

/// A label as merge requests and events show it.
pub fn basic_json(label: &Label) -> Value {
    json!({
        "id": label.id,
        "name": label.title,
        "description": label.description,
        "description_html": label.description.as_deref().unwrap_or_default(),
        "text_color": "#FFFFFF",
        "color": label.color,
    })
}

fn label_json(label: &Label) -> Value {
    let mut json = basic_json(label);
    json["subscribed"] = json!(false);
    json["priority"] = Value::Null;
    json["is_project_label"] = json!(matches!(label.owner, LabelOwner::Project(_)));
    json
}

fn list(call: &mut Call) -> Result {
    let project = call.project()?;
    let inherited = call
        .params
        .boolean("include_ancestor_groups")
        .unwrap_or(true);
    let search = call
        .params
        .text("search")
        .unwrap_or_default()
        .to_lowercase();
    let mut labels = call.world.labels_of(project.id);
    labels.retain(|label| inherited || matches!(label.owner, LabelOwner::Project(_)));
    labels.retain(|label| label.title.to_lowercase().contains(&search));
    labels.sort_by_key(|label| label.title.clone());
    let with_counts = call.params.boolean("with_counts") == Some(true);
    Ok(call.page(labels, |label| {
        let mut json = label_json(label);
        if with_counts {
            let bears = |mr: &&_| is_open_with(mr, label.id);
            json["open_issues_count"] = json!(0);
            json["closed_issues_count"] = json!(0);
            json["open_merge_requests_count"] =
                json!(call.world.merge_requests.values().filter(bears).count());
        }
        json
    }))
}

fn is_open_with(mr: &MergeRequest, label_id: u64) -> bool {
    mr.state == "opened" && mr.labels.contains(&label_id)
}

fn single(call: &mut Call) -> Result {
    let project = call.project()?;
    let name = call.path("name");
    let labels = call.world.labels_of(project.id);
    let label = labels
        .into_iter()
        .find(|label| label.title == name || label.id.to_string() == name);
    Ok(Answer::ok(label_json(
        label.ok_or_else(|| Answer::not_found("Label"))?,
    )))
}

fn create(call: &mut Call) -> Result {
    let project = call.project()?;
    let project_id = project.id;
    if project.archived || !project.is_at_least(Role::Planner, call.user) {
        return Err(Answer::forbidden());
    }
    let title = call.params.text("name").unwrap_or_default();
    if title.trim().is_empty() || title.contains(',') {
        return Err(Answer::json(
            400,
            json!({ "message": { "title": ["is invalid"] } }),
        ));
    }
    if call.world.label_titled(project_id, &title).is_some() {
        return Err(Answer::message(409, "Label already exists"));
    }
    let color = call.params.text("color").unwrap_or_default();
    let description = call.params.text("description");
    let label = call
        .world
        .add_label(LabelOwner::Project(project_id), &title);
    label.color = color;
    label.description = description;
    Ok(Answer::created(label_json(label)))
}

fn event_json(world: &World, mr_id: u64, event: &LabelEvent) -> Value {
    json!({
        "id": event.id,
        "user": user_by_id(world, event.user_id),
        "created_at": time_json(event.created_at),
        "resource_type": "MergeRequest",
        "resource_id": mr_id,
        "label": world.labels.get(&event.label_id).map(basic_json),
        "action": match event.action {
            LabelAction::Add => "add",
            LabelAction::Remove => "remove",
        },
    })
}

fn events(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    let events = mr.label_events.iter().collect();
    Ok(
        call.page_among(call.world.unreadable_rows, events, |event| {
            event_json(call.world, mr.id, event)
        }),
    )
}

fn event(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    let id = call.number("event_id")?;
    let event = mr.label_events.iter().find(|event| event.id == id);
    let event = event.ok_or_else(|| Answer::not_found("ResourceLabelEvent"))?;
    Ok(Answer::ok(event_json(call.world, mr.id, event)))
}
