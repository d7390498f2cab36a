use super::{Answer, Call, Endpoint, PAGING, Result, boolean, text, time_json};
use crate::world::{Commit, Project, Role, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/projects/{id}/repository/commits/{sha}", commit)
        .public()
        .takes(&[boolean("stats")]),
    Endpoint::get("/projects/{id}/repository/branches/{branch}", branch).public(),
    Endpoint::get("/projects/{id}/repository/tags/{tag}", tag).public(),
    Endpoint::get("/projects/{id}/protected_branches", protected_branches).takes(&[
        text("search"),
        PAGING[0],
        PAGING[1],
    ]),
    Endpoint::get("/projects/{id}/repository/files/{file_path}", file)
        .public()
        .takes(&[text("ref").required()]),
];

fn readable<'a>(call: &'a Call) -> Result<&'a Project> {
    let project = call.project()?;
    if project.shows_code_to(call.user) {
        Ok(project)
    } else {
        Err(Answer::forbidden())
    }
}

/// A SHA, or the head of a branch or tag.
fn find_commit<'a>(call: &'a Call, project: &Project, revision: &str) -> Option<&'a Commit> {
    let head = project
        .branches
        .get(revision)
        .or_else(|| project.tags.get(revision));
    let commit = call
        .world
        .commits
        .get(head.map_or(revision, String::as_str))?;
    commit.projects.contains(&project.id).then_some(commit)
}

fn commit(call: &mut Call) -> Result {
    let project = readable(call)?;
    let commit =
        find_commit(call, project, call.path("sha")).ok_or_else(|| Answer::not_found("Commit"))?;
    Ok(Answer::ok(commit_json(call.world, project.id, commit)))
}

pub fn commit_json(world: &World, project_id: u64, commit: &Commit) -> Value {
    let at = time_json(commit.created_at);
    json!({
        "id": commit.sha,
        "short_id": commit.sha.get(..8),
        "created_at": at,
        "parent_ids": commit.parents,
        "title": commit.title,
        "message": format!("{}\n", commit.title),
        "author_name": commit.author,
        "author_email": "ada@example.com",
        "authored_date": at,
        "committer_name": commit.author,
        "committer_email": "ada@example.com",
        "committed_date": at,
        "web_url": format!("{}/-/commit/{}", world.project_url(project_id), commit.sha),
    })
}

fn branch(call: &mut Call) -> Result {
    let project = readable(call)?;
    let name = call.path("branch");
    let sha = project
        .branches
        .get(name)
        .ok_or_else(|| Answer::not_found("Branch"))?;
    let commit = call
        .world
        .commits
        .get(sha)
        .map(|commit| commit_json(call.world, project.id, commit));
    let rule = project.protected_branches.get(name);
    let developers = rule.is_some_and(|least| least.is_some_and(|least| least <= Role::Developer));
    Ok(Answer::ok(json!({
        "name": name,
        "merged": false,
        "protected": rule.is_some(),
        "default": project.default_branch.as_deref() == Some(name),
        "developers_can_push": developers && !project.merge_only.contains(name),
        "developers_can_merge": developers,
        "can_push": project.lets_push(call.user, name),
        "web_url": format!("{}/-/tree/{name}", call.world.project_url(project.id)),
        "commit": commit,
    })))
}

fn tag(call: &mut Call) -> Result {
    let project = readable(call)?;
    let name = call.path("tag");
    let sha = project
        .tags
        .get(name)
        .ok_or_else(|| Answer::not_found("Tag"))?;
    let commit = call
        .world
        .commits
        .get(sha)
        .map(|commit| commit_json(call.world, project.id, commit));
    Ok(Answer::ok(json!({
        "name": name,
        "message": "",
        "target": sha,
        "commit": commit,
        "release": null,
        "protected": project.protected_tags.contains_key(name),
        "created_at": null,
    })))
}

/// The rules, for those who may change them.
fn protected_branches(call: &mut Call) -> Result {
    let project = call.project()?;
    if !project.is_at_least(Role::Maintainer, call.user) {
        return Err(Answer::forbidden());
    }
    let level = |role: Option<Role>| {
        let (level, who) = match role {
            None => (0, "No one"),
            Some(Role::Developer) => (30, "Developers + Maintainers"),
            Some(_) => (40, "Maintainers"),
        };
        json!([{ "id": 1, "access_level": level, "access_level_description": who, "user_id": null, "group_id": null }])
    };
    let search = call.params.text("search").unwrap_or_default();
    let rules = project.protected_branches.iter();
    let rules = rules.filter(|(name, _)| name.contains(&search)).collect();
    Ok(call.page(rules, |(name, &least)| {
        let push = least.filter(|_| !project.merge_only.contains(name));
        json!({
            "id": 1,
            "name": name,
            "push_access_levels": level(push),
            "merge_access_levels": level(least),
            "unprotect_access_levels": [],
            "allow_force_push": false,
            "code_owner_approval_required": false,
            "inherited": false,
        })
    }))
}

fn file(call: &mut Call) -> Result {
    let project = readable(call)?;
    let path = call.path("file_path");
    let reference = call.params.text("ref").unwrap_or_default();
    let revision = match reference.as_str() {
        "HEAD" => project.default_branch.clone().unwrap_or_default(),
        _ => reference.clone(),
    };
    let commit =
        find_commit(call, project, &revision).ok_or_else(|| Answer::not_found("Commit"))?;
    let content = project
        .files
        .get(path)
        .ok_or_else(|| Answer::not_found("File"))?;
    Ok(Answer::ok(json!({
        "file_name": path.rsplit('/').next(),
        "file_path": path,
        "size": content.len(),
        "encoding": "base64",
        "content": STANDARD.encode(content),
        "ref": reference,
        "commit_id": commit.sha,
        "last_commit_id": commit.sha,
    })))
}
