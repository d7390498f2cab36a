//! Projects that are made over the API, and what a runner makes of their pipelines.

use crate::client::Client;
use in_memory_gitlab::*;
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

const CI: &str = "test:\n  script: make test\n";

fn ada(gitlab: &Gitlab) -> Client {
    Client::anonymous(gitlab).with_token(ADA_TOKEN)
}

/// An empty project in `acme`, by its id.
fn project(ada: &Client, path: &str) -> u64 {
    let reply = ada.post("/projects", json!({ "path": path, "namespace_id": ACME }));
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.json()["id"].as_u64().unwrap()
}

fn commit(ada: &Client, project: u64, body: Value) -> (u16, Value) {
    let mut whole = json!({ "branch": "main", "commit_message": "Work" });
    whole
        .as_object_mut()
        .unwrap()
        .extend(body.as_object().unwrap().clone());
    let reply = ada.post(&format!("/projects/{project}/repository/commits"), whole);
    (reply.status, reply.json())
}

fn files(action: &str, path: &str, content: &str) -> Value {
    json!({ "actions": [{ "action": action, "file_path": path, "content": content }] })
}

fn pipelines(ada: &Client, project: u64) -> Vec<Value> {
    let list = ada.get(&format!("/projects/{project}/pipelines?sort=asc"));
    list.json().as_array().unwrap().clone()
}

#[test]
fn a_project_comes_into_being_and_goes_in_two_steps() {
    let gitlab = Gitlab::start();
    let ada = ada(&gitlab);
    let id = project(&ada, "new");
    let address = format!("/projects/{id}");
    let made = ada.get(&address).json();
    assert_eq!(made["path_with_namespace"], "acme/new");
    assert_eq!(
        (&made["visibility"], &made["empty_repo"]),
        (&json!("private"), &json!(true))
    );
    let twin = ada.post("/projects", json!({ "path": "new", "namespace_id": ACME }));
    assert_eq!(
        (twin.status, twin.json()["message"]["path"][0].clone()),
        (400, json!("has already been taken"))
    );
    let linus = Client::anonymous(&gitlab).with_token(LINUS_TOKEN);
    let refused = linus.post("/projects", json!({ "path": "his", "namespace_id": ACME }));
    assert_eq!(
        refused.json(),
        json!({ "message": { "namespace": ["is not valid"] } })
    );

    let at_once = |path: &str| format!("{address}?permanently_remove=true&full_path={path}");
    assert_eq!(
        ada.delete(&at_once("acme%2Fnew")).status,
        400,
        "it is not marked"
    );
    assert_eq!(
        ada.delete(&address).json(),
        json!({ "message": "202 Accepted" })
    );
    let marked = ada.get(&address).json();
    let path = format!("acme/new-deletion_scheduled-{id}");
    assert_eq!(marked["path_with_namespace"], path.as_str());
    assert!(marked["marked_for_deletion_on"].is_string());
    assert_eq!(
        ada.delete(&at_once("acme%2Fnew")).status,
        400,
        "it is not called that any more"
    );
    assert_eq!(ada.delete(&at_once(&path.replace('/', "%2F"))).status, 202);
    assert_eq!(ada.get(&address).status, 404);
    assert_eq!(
        ada.delete("/projects/7").status,
        403,
        "she is no owner there"
    );
}

#[test]
fn commits_make_branches_and_pipelines() {
    let gitlab = Gitlab::start();
    let ada = ada(&gitlab);
    let id = project(&ada, "new");
    let (status, first) = commit(&ada, id, files("create", ".gitlab-ci.yml", CI));
    assert_eq!((status, &first["parent_ids"]), (201, &json!([])));
    let mut branch = files("update", ".gitlab-ci.yml", "nothing: {rules: [{if: $NO}]}");
    branch["branch"] = json!("quiet");
    let (_, lost) = commit(&ada, id, branch.clone());
    assert_eq!(
        lost["message"],
        "You can only create or edit files when you are on a branch"
    );
    branch["start_branch"] = json!("main");
    let (status, second) = commit(&ada, id, branch);
    assert_eq!(
        (status, &second["parent_ids"]),
        (201, &json!([first["id"]]))
    );
    let (status, twice) = commit(&ada, id, files("create", ".gitlab-ci.yml", CI));
    assert_eq!(
        (status, &twice["message"]),
        (400, &json!("A file with this name already exists"))
    );
    let made = pipelines(&ada, id);
    let made: Vec<_> = made
        .iter()
        .map(|made| (&made["source"], &made["sha"]))
        .collect();
    assert_eq!(
        made,
        [(&json!("push"), &first["id"])],
        "the other has no job for a push"
    );
}

#[test]
fn a_fork_and_a_merge_request_with_its_label() {
    let gitlab = Gitlab::start();
    let ada = ada(&gitlab);
    let id = project(&ada, "new");
    commit(&ada, id, files("create", ".gitlab-ci.yml", CI));
    let fork = json!({ "namespace_path": "acme", "path": "fork" });
    let fork = ada.post(&format!("/projects/{id}/fork"), fork).json();
    assert_eq!(fork["import_status"], "scheduled");
    gitlab.world().finish_imports();
    let fork = fork["id"].as_u64().unwrap();
    assert_eq!(
        ada.get(&format!("/projects/{fork}")).json()["import_status"],
        "finished"
    );
    let mut branch = files("create", "new", "");
    branch["branch"] = json!("faster");
    branch["start_branch"] = json!("main");
    let (_, head) = commit(&ada, fork, branch);
    let open = json!({
        "source_branch": "faster", "target_branch": "main", "title": "Faster",
        "target_project_id": id, "labels": "benchmarking",
    });
    let requests = format!("/projects/{fork}/merge_requests");
    let mr = ada.post(&requests, open.clone());
    assert_eq!(
        (mr.status, mr.json()["labels"].clone()),
        (201, json!(["benchmarking"]))
    );
    assert_eq!(
        mr.json()["sha"],
        Value::Null,
        "GitLab has not looked at it yet"
    );
    gitlab.run_background_jobs();
    let mr = ada.get(&format!("/projects/{id}/merge_requests/1")).json();
    let head = &head["id"];
    assert_eq!(
        (&mr["project_id"], &mr["source_project_id"]),
        (&json!(id), &json!(fork))
    );
    assert_eq!((&mr["sha"], &mr["head_pipeline"]["sha"]), (head, head));
    let twin = ada.post(&requests, open);
    assert_eq!(twin.status, 409);
    assert!(
        twin.body
            .contains("already exists for this source branch: !1"),
        "{}",
        twin.body
    );
}

#[test]
fn settings_are_for_maintainers() {
    let gitlab = Gitlab::start();
    let ada = ada(&gitlab);
    let id = project(&ada, "new");
    let role = |role: &str| json!({ "ci_pipeline_variables_minimum_override_role": role });
    let set = ada.put(&format!("/projects/{id}"), role("no_one_allowed"));
    assert_eq!(
        set.json()["ci_pipeline_variables_minimum_override_role"],
        "no_one_allowed"
    );
    assert_eq!(
        ada.put("/projects/7", role("owner")).status,
        400,
        "she is Maintainer there"
    );
    let bot = Client::anonymous(&gitlab).with_token(BOT_TOKEN);
    assert_eq!(bot.put("/projects/7", role("developer")).status, 403);
    let allowlist = format!("/projects/{id}/job_token_scope/allowlist");
    let allowed = ada.post(&allowlist, json!({ "target_project_id": 8 }));
    assert_eq!(
        allowed.json(),
        json!({ "source_project_id": id, "target_project_id": 8 })
    );
    assert_eq!(
        ada.post(&allowlist, json!({ "target_project_id": 8 }))
            .status,
        400
    );
}

#[test]
fn whose_job_tokens_a_project_lets_in_is_for_maintainers() {
    let gitlab = Gitlab::start();
    let ada = ada(&gitlab);
    let id = project(&ada, "new");
    let scope = format!("/projects/{id}/job_token_scope");
    let ids = |list: &str| {
        let list = ada.get(&format!("{scope}/{list}")).json();
        let list = list.as_array().expect("a list").clone();
        let ids = list.iter().map(|one| one["id"].as_u64().expect("an id"));
        ids.collect::<Vec<u64>>()
    };
    assert_eq!(ada.get(&scope).json()["inbound_enabled"], true);
    assert_eq!(ids("allowlist"), [id], "its own");
    assert_eq!(ids("groups_allowlist"), [0; 0]);
    ada.post(
        &format!("{scope}/allowlist"),
        json!({ "target_project_id": 8 }),
    );
    gitlab.configure("acme/new", |project| {
        project.limits_job_tokens = false;
        project.job_token_groups.extend([ACME]);
    });
    assert_eq!(ada.get(&scope).json()["inbound_enabled"], false);
    assert_eq!(ids("allowlist"), [id, 8]);
    assert_eq!(ids("groups_allowlist"), [ACME]);
    let groups = ada.get(&format!("{scope}/groups_allowlist")).json();
    let url = groups[0]["web_url"].as_str().expect("a URL").to_owned();
    assert!(url.ends_with("/groups/acme"), "{url}");
    let bot = Client::anonymous(&gitlab).with_token(BOT_TOKEN);
    for list in ["", "/allowlist", "/groups_allowlist"] {
        let engine = format!("/projects/7/job_token_scope{list}");
        assert_eq!(bot.get(&engine).status, 403, "a Developer, of {list:?}");
    }
}

#[test]
fn a_groups_token_has_a_user_of_its_own() {
    let gitlab = Gitlab::start();
    let ada = ada(&gitlab);
    let id = project(&ada, "new");
    assert_eq!(ada.get("/groups/acme").json()["id"], ACME);
    let role = ada.get(&format!("/groups/acme/members/all/{ADA}"));
    assert_eq!(role.json()["access_level"], 50);
    let wanted = json!({ "name": "bot", "scopes": ["api"], "expires_at": "2026-02-01" });
    let token = ada.post("/groups/acme/access_tokens", wanted.clone());
    assert_eq!(
        (token.status, token.json()["access_level"].clone()),
        (201, json!(40))
    );
    let token = token.json();
    let bot = Client::anonymous(&gitlab).with_token(token["token"].as_str().unwrap());
    assert_eq!(bot.get("/user").json()["bot"], true);
    assert_eq!(
        bot.put(&format!("/projects/{id}"), json!({ "ci_config_path": "" }))
            .status,
        200
    );
    assert_eq!(
        bot.post("/groups/acme/access_tokens", wanted).status,
        400,
        "it makes no others"
    );
    let address = format!("/groups/acme/access_tokens/{}", token["id"]);
    assert_eq!(ada.delete(&address).status, 204);
    assert_eq!(bot.get("/user").status, 401);
}

#[test]
fn a_runner_takes_the_jobs_that_wait_for_nobody() {
    let gitlab = Gitlab::builder().clock(Clock::real()).start();
    let ada = ada(&gitlab);
    let id = project(&ada, "new");
    let ci = "build: {script: x, resource_group: one}\ngate: {rules: [{when: manual}], script: x}";
    commit(&ada, id, files("create", ".gitlab-ci.yml", ci));
    let pipeline = pipelines(&ada, id)[0]["id"].as_u64().unwrap();
    let work = Work::success(Duration::ZERO)
        .prints("done\n")
        .leaves("a.txt", "1");
    let _runner = gitlab.runner(move |_, _| work.clone());
    let becomes = |status: &str| {
        let begun = Instant::now();
        while gitlab.pipeline(pipeline).status != status {
            assert!(begun.elapsed() < Duration::from_secs(5), "{status}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    becomes("manual");
    let jobs = ada.get(&format!("/projects/{id}/pipelines/{pipeline}/jobs"));
    assert_eq!(jobs.column("status"), ["manual", "success"]);
    let job =
        |at: usize, rest: &str| format!("/projects/{id}/jobs/{}{rest}", jobs.column("id")[at]);
    assert_eq!(ada.get(&job(1, "/trace")).body, "done\n");
    assert_eq!(ada.get(&job(1, "/artifacts/a.txt")).body, "1");
    assert_eq!(ada.post(&job(0, "/play"), json!({})).status, 200);
    becomes("success");
    let group = format!("/projects/{id}/resource_groups/");
    let oldest = json!({ "process_mode": "oldest_first" });
    let set = ada.put(&format!("{group}one"), oldest.clone());
    assert_eq!(set.json()["process_mode"], "oldest_first");
    assert_eq!(ada.put(&format!("{group}none"), oldest).status, 404);
}
