use super::{Answer, Call, Endpoint, PAGING, Result, text, time_json};
use crate::world::{User, World};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/user", current).scopes(&["api", "read_api", "read_user"]),
    Endpoint::get("/users", search)
        .scopes(&["api", "read_api", "read_user"])
        .takes(&[text("username"), PAGING[0], PAGING[1]]),
    Endpoint::get("/personal_access_tokens/self", current_token).any_scope(),
    Endpoint::get("/version", version).scopes(&["api", "read_api", "read_user"]),
    Endpoint::get("/metadata", metadata).scopes(&["api", "read_api", "read_user"]),
];

pub fn user_json(world: &World, user: &User) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "public_email": null,
        "name": user.name,
        "state": user.state,
        "locked": false,
        "avatar_url": format!("{}/uploads/{}/avatar.png", world.external_url, user.id),
        "web_url": format!("{}/{}", world.external_url, user.username),
    })
}

pub fn user_by_id(world: &World, id: Option<u64>) -> Value {
    id.map_or(Value::Null, |id| user_json(world, &world.user(id)))
}

fn current(call: &mut Call) -> Result {
    let user = call.world.user(call.me()?);
    let mut json = user_json(call.world, &user);
    json["created_at"] = json!("2025-01-01T00:00:00.000Z");
    json["bot"] = json!(user.bot);
    json["email"] = json!(format!("{}@example.com", user.username));
    json["is_admin"] = json!(false);
    Ok(Answer::ok(json))
}

fn search(call: &mut Call) -> Result {
    let wanted = call.params.text("username").map(|name| name.to_lowercase());
    let users = call.world.users.values();
    let found = users.filter(|user| {
        wanted
            .as_ref()
            .is_none_or(|wanted| *wanted == user.username.to_lowercase())
    });
    let newest_first: Vec<&User> = found.collect::<Vec<_>>().into_iter().rev().collect();
    Ok(call.page(newest_first, |user| user_json(call.world, user)))
}

fn current_token(call: &mut Call) -> Result {
    let secret = call.secret.as_deref().unwrap_or_default();
    let token = call
        .world
        .token(secret)
        .map_err(|_| Answer::unauthorized())?;
    Ok(Answer::ok(json!({
        "id": token.id,
        "name": token.name,
        "revoked": token.revoked,
        "created_at": time_json(token.created_at),
        "description": null,
        "scopes": token.scopes,
        "user_id": token.user_id,
        "last_used_at": time_json(call.world.now()),
        "active": true,
        "expires_at": token.expires_at.map(|date| date.to_string()),
    })))
}

fn version(call: &mut Call) -> Result {
    Ok(Answer::ok(
        json!({ "version": call.world.version, "revision": "5b1f3e7a9c2" }),
    ))
}

fn metadata(call: &mut Call) -> Result {
    Ok(Answer::ok(json!({
        "version": call.world.version,
        "revision": "5b1f3e7a9c2",
        "kas": { "enabled": false, "externalUrl": null, "version": null },
        "enterprise": call.world.version.ends_with("-ee"),
    })))
}
