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
    json["is_project_label"] = json!(is_own(label));
    json
}

fn is_own(label: &Label) -> bool {
    matches!(label.owner, LabelOwner::Project(_))
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
    labels.retain(|label| inherited || is_own(label));
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

/// A number at the beginning is taken for an id, and only without a label of this id for a title.
fn single(call: &mut Call) -> Result {
    let project = call.project()?;
    let asked = call.path("name");
    let inherited = call.params.boolean("include_ancestor_groups");
    let mut labels = call.world.labels_of(project.id);
    labels.retain(|label| inherited != Some(false) || is_own(label));
    let digits = asked.bytes().take_while(u8::is_ascii_digit).count();
    let id: Option<u64> = asked[..digits].parse().ok();
    let by_id = labels.iter().find(|label| Some(label.id) == id);
    let label = by_id.or_else(|| labels.iter().find(|label| label.title == asked));
    Ok(Answer::ok(label_json(
        label.ok_or_else(|| Answer::not_found("Label"))?,
    )))
}

fn create(call: &mut Call) -> Result {
    let project = call.project()?;
    let project_id = project.id;
    if project.is_read_only() || !project.is_at_least(Role::Planner, call.user) {
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

/// Of a deleted label they are shown, of one that may not be read they are not.
fn is_readable(call: &Call, event: &LabelEvent) -> bool {
    let label = call.world.labels.get(&event.label_id);
    label.is_none_or(|label| call.world.shows_label_to(call.user, label))
}

fn events(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    let events = mr.label_events.iter().collect();
    let readable = |event: &&LabelEvent| is_readable(call, event);
    Ok(
        call.page_of_readable(call.world.unreadable_rows, events, readable, |event| {
            event_json(call.world, mr.id, event)
        }),
    )
}

fn event(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    let id = call.number("event_id")?;
    let event = mr.label_events.iter().find(|event| event.id == id);
    let event = event.ok_or_else(Answer::no_record)?;
    if !is_readable(call, event) {
        return Err(Answer::not_found("ResourceLabelEvent"));
    }
    Ok(Answer::ok(event_json(call.world, mr.id, event)))
}
