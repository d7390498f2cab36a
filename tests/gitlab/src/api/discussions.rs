use super::{
    Answer, Call, Endpoint, PAGING, Param, Result, SORT, boolean, one_of, text, time_json,
    user_by_id,
};
use crate::world::{Discussion, MergeRequest, Note, Posted, QuickAction, World};
use serde_json::{Map, Value, json};

const BODY: &[Param] = &[text("body").required()];
const RESOLVED: Param = boolean("resolved");

macro_rules! mr {
    ($path:literal) => {
        concat!("/projects/{id}/merge_requests/{noteable_iid}", $path)
    };
}

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get(mr!("/discussions"), discussions).takes(&PAGING),
    Endpoint::post(mr!("/discussions"), open_discussion).takes(BODY),
    Endpoint::get(mr!("/discussions/{discussion_id}"), discussion),
    Endpoint::put(mr!("/discussions/{discussion_id}"), resolve).takes(&[RESOLVED.required()]),
    Endpoint::post(mr!("/discussions/{discussion_id}/notes"), reply).takes(BODY),
    Endpoint::get(mr!("/discussions/{discussion_id}/notes/{note_id}"), note),
    Endpoint::put(
        mr!("/discussions/{discussion_id}/notes/{note_id}"),
        edit_or_resolve,
    )
    .takes(&[text("body"), RESOLVED]),
    Endpoint::delete(
        mr!("/discussions/{discussion_id}/notes/{note_id}"),
        delete_note,
    ),
    Endpoint::get(mr!("/notes"), notes).takes(NOTES),
    Endpoint::post(mr!("/notes"), comment).takes(BODY),
    Endpoint::get(mr!("/notes/{note_id}"), note),
    Endpoint::put(mr!("/notes/{note_id}"), edit_note).takes(BODY),
    Endpoint::delete(mr!("/notes/{note_id}"), delete_note),
];

const NOTES: &[Param] = &[
    SORT,
    one_of("order_by", "created_at updated_at"),
    one_of("activity_filter", "all_notes only_comments only_activity"),
    PAGING[0],
    PAGING[1],
];

fn note_json(world: &World, mr: &MergeRequest, discussion: &Discussion, note: &Note) -> Value {
    let is_thread = discussion.is_resolvable();
    let mut json = json!({
        "id": note.id,
        "type": is_thread.then_some("DiscussionNote"),
        "body": note.body,
        "author": user_by_id(world, Some(note.author_id)),
        "created_at": time_json(note.created_at),
        "updated_at": time_json(note.updated_at),
        "system": note.system,
        "noteable_id": mr.id,
        "noteable_type": "MergeRequest",
        "project_id": mr.project_id,
        "resolvable": is_thread,
        "confidential": false,
        "internal": false,
        "imported": false,
        "imported_from": "none",
        "noteable_iid": mr.iid,
        "commands_changes": {},
    });
    if is_thread {
        json["resolved"] = json!(note.resolved.is_some());
        json["resolved_by"] = user_by_id(world, note.resolved.map(|(_, by)| by));
        json["resolved_at"] = note.resolved.map(|(at, _)| time_json(at)).into();
    }
    json
}

fn discussion_json(world: &World, mr: &MergeRequest, discussion: &Discussion) -> Value {
    let notes: Vec<Value> = discussion
        .notes
        .iter()
        .map(|note| note_json(world, mr, discussion, note))
        .collect();
    json!({ "id": discussion.id, "individual_note": discussion.individual_note, "notes": notes })
}

fn changes_json(actions: &[QuickAction]) -> Value {
    let change = |action: &QuickAction| match action.name.as_str() {
        "close" => ("state_event".to_owned(), json!("close")),
        name => (name.to_owned(), json!(action.arguments)),
    };
    Value::Object(actions.iter().map(change).collect::<Map<_, _>>())
}

fn discussions(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    let discussions = mr.discussions.iter().collect();
    let unreadable = call.world.unreadable_rows;
    Ok(call.page_among(unreadable, discussions, |discussion| {
        discussion_json(call.world, mr, discussion)
    }))
}

fn the_discussion<'a>(call: &Call, mr: &'a MergeRequest) -> Result<&'a Discussion> {
    mr.discussion(call.path("discussion_id"))
        .ok_or_else(|| Answer::not_found("Discussion"))
}

fn discussion(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    Ok(Answer::ok(discussion_json(
        call.world,
        mr,
        the_discussion(call, mr)?,
    )))
}

fn body(call: &Call) -> String {
    call.params.text("body").unwrap_or_default()
}

fn only_actions(actions: &[QuickAction]) -> Answer {
    let summary: Vec<String> = actions.iter().map(QuickAction::summary).collect();
    Answer::json(
        202,
        json!({ "commands_changes": changes_json(actions), "summary": summary }),
    )
}

/// The note just written, and the discussion that it is in.
fn posted(
    call: &Call,
    mr_id: u64,
    posted: Posted,
    render: fn(&Call, &MergeRequest, &Discussion, Value) -> Value,
) -> Result {
    match posted {
        Posted::OnlyActions(actions) => Ok(only_actions(&actions)),
        Posted::Note {
            note_id, actions, ..
        } => {
            let mr = &call.world.merge_requests[&mr_id];
            let (discussion, note) = mr.note(note_id).ok_or_else(Answer::no_record)?;
            let mut json = note_json(call.world, mr, discussion, note);
            json["commands_changes"] = changes_json(&actions);
            Ok(Answer::created(render(call, mr, discussion, json)))
        }
    }
}

fn open_discussion(call: &mut Call) -> Result {
    let (me, mr_id) = (call.me()?, call.noteable()?.id);
    let new = call.world.open_discussion(me, mr_id, &body(call), false)?;
    posted(call, mr_id, new, |call, mr, discussion, _| {
        discussion_json(call.world, mr, discussion)
    })
}

fn comment(call: &mut Call) -> Result {
    let (me, mr_id) = (call.me()?, call.noteable()?.id);
    let new = call.world.open_discussion(me, mr_id, &body(call), true)?;
    posted(call, mr_id, new, |_, _, _, note| note)
}

fn reply(call: &mut Call) -> Result {
    let (me, mr_id) = (call.me()?, call.noteable()?.id);
    let (discussion_id, body) = (call.path("discussion_id").to_owned(), body(call));
    let new = call.world.reply(me, mr_id, &discussion_id, &body)?;
    posted(call, mr_id, new, |_, _, _, note| note)
}

fn resolve(call: &mut Call) -> Result {
    let (me, mr_id) = (call.me()?, call.noteable()?.id);
    let resolved = call.params.boolean("resolved") == Some(true);
    let discussion_id = call.path("discussion_id").to_owned();
    call.world
        .resolve_discussion(me, mr_id, &discussion_id, resolved)?;
    discussion(call)
}

fn edit_or_resolve(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    the_discussion(call, mr)?;
    match (call.params.has("body"), call.params.boolean("resolved")) {
        (true, None) => edit_note(call),
        (false, Some(resolved)) => {
            let (me, mr_id, note_id) = (call.me()?, mr.id, call.number("note_id")?);
            call.world.resolve_note(me, mr_id, note_id, resolved)?;
            note(call)
        }
        (true, Some(_)) => Err(Answer::error("body, resolved are mutually exclusive")),
        (false, None) => Err(Answer::error(
            "body, resolved are missing, exactly one parameter must be provided",
        )),
    }
}

/// Shows the note even if the edit, of commands only, has deleted it.
fn edit_note(call: &mut Call) -> Result {
    let (me, note_id) = (call.me()?, call.number("note_id")?);
    let before = note(call)?;
    let mr_id = call.noteable()?.id;
    call.world.edit_note(me, mr_id, note_id, &body(call))?;
    Ok(note(call).unwrap_or(before))
}

fn delete_note(call: &mut Call) -> Result {
    let (me, mr_id, note_id) = (call.me()?, call.noteable()?.id, call.number("note_id")?);
    call.world.delete_note(me, mr_id, note_id)?;
    Ok(Answer::no_content())
}

fn note(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    let (discussion, note) = mr
        .note(call.number("note_id")?)
        .ok_or_else(Answer::no_record)?;
    Ok(Answer::ok(note_json(call.world, mr, discussion, note)))
}

fn notes(call: &mut Call) -> Result {
    let mr = call.noteable()?;
    let filter = call.params.text("activity_filter");
    let wanted = |note: &Note| match filter.as_deref() {
        Some("only_comments") => !note.system,
        Some("only_activity") => note.system,
        _ => true,
    };
    let all = mr
        .discussions
        .iter()
        .flat_map(|discussion| discussion.notes.iter().map(move |note| (discussion, note)));
    let mut found: Vec<(&Discussion, &Note)> = all.filter(|(_, note)| wanted(note)).collect();
    if call.params.text("order_by").as_deref() == Some("updated_at") {
        found.sort_by_key(|(_, note)| (note.updated_at, note.id));
    } else {
        found.sort_by_key(|(_, note)| note.id);
    }
    let found = call.params.sorted(found);
    let unreadable = call.world.unreadable_rows;
    Ok(call.page_among(unreadable, found, |(discussion, note)| {
        note_json(call.world, mr, discussion, note)
    }))
}
