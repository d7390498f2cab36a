use super::{Answer, Call, Endpoint, Result, boolean, text, time_json};
use crate::world::{Commit, Project, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/projects/{id}/repository/commits/{sha}", commit)
        .public()
        .takes(&[boolean("stats")]),
    Endpoint::get("/projects/{id}/repository/branches/{branch}", branch).public(),
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
    let open = project.lets_update(call.user, name) && project.is_developed_by(call.user);
    Ok(Answer::ok(json!({
        "name": name,
        "merged": false,
        "protected": project.protected_branches.contains_key(name),
        "default": project.default_branch.as_deref() == Some(name),
        "developers_can_push": false,
        "developers_can_merge": false,
        "can_push": open,
        "web_url": format!("{}/-/tree/{name}", call.world.project_url(project.id)),
        "commit": commit,
    })))
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
