use super::{Answer, Call, Endpoint, Result, integer, list as scopes, text, time_json, user_json};
use crate::world::{Group, NewToken, Role, Token, World};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/groups/{id}", single).public(),
    Endpoint::get("/groups/{id}/members/all/{user_id}", member).public(),
    Endpoint::post("/groups/{id}/access_tokens", create_token).takes(&[
        text("name").required(),
        scopes("scopes").required(),
        text("expires_at"),
        integer("access_level"),
    ]),
    Endpoint::delete("/groups/{id}/access_tokens/{token_id}", revoke_token),
];

impl Call<'_> {
    fn group(&self) -> Result<&Group> {
        let group = self.world.find_group(self.path("id"));
        group.ok_or_else(|| Answer::not_found("Group"))
    }
}

fn single(call: &mut Call) -> Result {
    let group = call.group()?;
    Ok(Answer::ok(json!({
        "id": group.id,
        "name": group.path,
        "path": group.path,
        "full_name": group.path,
        "full_path": group.path,
        "description": "",
        "visibility": "public",
        "parent_id": null,
        "web_url": format!("{}/groups/{}", call.world.external_url, group.path),
        "created_at": time_json(call.world.group_created_at()),
        "project_creation_level": "maintainer",
        "subgroup_creation_level": "maintainer",
    })))
}

fn member(call: &mut Call) -> Result {
    let user_id = call.number("user_id")?;
    let role = call.group()?.members.get(&user_id).copied();
    let role = role.ok_or_else(Answer::no_record)?;
    let mut json = user_json(call.world, &call.world.user(user_id));
    json["access_level"] = json!(role as u8);
    json["created_at"] = json!(time_json(call.world.group_created_at()));
    json["expires_at"] = Value::Null;
    json["membership_state"] = json!("active");
    Ok(Answer::ok(json))
}

fn create_token(call: &mut Call) -> Result {
    let (me, group) = (call.me()?, call.group()?.id);
    let name = call.params.text("name").unwrap_or_default();
    let scopes = call.params.list("scopes").unwrap_or_default();
    let role = match call.params.integer("access_level") {
        Some(20) => Role::Reporter,
        Some(30) => Role::Developer,
        None | Some(40) => Role::Maintainer,
        Some(50) => Role::Owner,
        Some(_) => return Err(Answer::error("access_level does not have a valid value")),
    };
    let date = call.params.text("expires_at").map(|date| date.parse());
    let expires_at = date
        .transpose()
        .map_err(|_| Answer::error("expires_at is invalid"))?;
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let new = NewToken {
        name: &name,
        scopes: &scopes,
        role,
        expires_at,
    };
    let id = call.world.add_group_token(me, group, &new)?;
    let token = call.world.tokens.iter().find(|token| token.id == id);
    Ok(Answer::created(token.map_or(Value::Null, |token| {
        token_json(call.world, token, role)
    })))
}

fn token_json(world: &World, token: &Token, role: Role) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "description": null,
        "revoked": token.revoked,
        "created_at": time_json(token.created_at),
        "scopes": token.scopes,
        "user_id": token.user_id,
        "last_used_at": null,
        "active": !token.revoked && world.token(&token.secret).is_ok(),
        "expires_at": token.expires_at.map(|date| date.to_string()),
        "access_level": role as u8,
        "token": token.secret,
    })
}

fn revoke_token(call: &mut Call) -> Result {
    let (me, group, token) = (call.me()?, call.group()?.id, call.number("token_id")?);
    call.world.revoke_group_token(me, group, token)?;
    Ok(Answer::no_content())
}
