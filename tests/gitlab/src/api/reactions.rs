use super::{Answer, Call, Endpoint, PAGING, Result, text, time_json, user_by_id};
use crate::world::{Reaction, World};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get(
        "/projects/{id}/merge_requests/{merge_request_iid}/award_emoji",
        list,
    )
    .takes(&PAGING),
    Endpoint::post(
        "/projects/{id}/merge_requests/{merge_request_iid}/award_emoji",
        award,
    )
    .takes(&[text("name").required()]),
    Endpoint::delete(
        "/projects/{id}/merge_requests/{merge_request_iid}/award_emoji/{award_id}",
        delete,
    ),
];

fn reaction_json(world: &World, mr_id: u64, reaction: &Reaction) -> Value {
    let at = time_json(reaction.created_at);
    json!({
        "id": reaction.id,
        "name": reaction.name,
        "user": user_by_id(world, Some(reaction.user_id)),
        "created_at": at,
        "updated_at": at,
        "awardable_id": mr_id,
        "awardable_type": "MergeRequest",
        "url": null,
    })
}

fn list(call: &mut Call) -> Result {
    let mr = call.merge_request()?;
    let reactions = mr.reactions.iter().collect();
    Ok(call.page(reactions, |reaction| {
        reaction_json(call.world, mr.id, reaction)
    }))
}

fn award(call: &mut Call) -> Result {
    let (me, mr_id) = (call.me()?, call.merge_request()?.id);
    let name = call.params.text("name").unwrap_or_default();
    let reaction = call.world.react(me, mr_id, &name)?;
    Ok(Answer::created(reaction_json(call.world, mr_id, &reaction)))
}

fn delete(call: &mut Call) -> Result {
    let (me, mr_id, id) = (
        call.me()?,
        call.merge_request()?.id,
        call.number("award_id")?,
    );
    call.world.take_reaction_back(me, mr_id, id)?;
    Ok(Answer::no_content())
}
