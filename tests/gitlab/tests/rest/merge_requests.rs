//! Merge requests: lists, the single one, its head pipeline.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::{Value, json};
use std::time::Duration;

const ONE: &str = "/projects/7/merge_requests/1";

#[test]
fn a_list_is_filtered() {
    let gitlab = Gitlab::start();
    gitlab.mr("one").labelled();
    gitlab.mr("two").labelled().label("other").close();
    gitlab.fork_mr("three").label("Benchmarking");
    let iids = |query: &str| {
        client(&gitlab)
            .get(&format!("/projects/7/merge_requests?{query}"))
            .column("iid")
    };
    assert_eq!(iids(""), [3, 2, 1]);
    assert_eq!(iids("labels=benchmarking"), [2, 1]);
    assert_eq!(iids("labels=benchmarking,other&state=closed"), [2]);
    assert_eq!(iids("labels=nowhere"), [0; 0]);
    assert_eq!(iids("labels=None"), [0; 0]);
    assert_eq!(iids("labels=any&sort=asc"), [1, 2, 3]);
    assert_eq!(iids("labels=any,other"), [3, 2, 1], "the word decides");
    assert_eq!(iids("not[labels]=other"), [3, 1]);
    assert_eq!(iids("not[labels]=other,Benchmarking"), [1]);
    assert_eq!(iids("not[labels]=None"), [3, 2, 1], "no label is called so");
    assert_eq!(iids("state=opened&scope=all"), [3, 1]);
    assert_eq!(iids("author_username=mallory"), [3]);
    assert_eq!(iids("source_branch=two"), [2]);
    assert_eq!(iids("target_branch=none"), [0; 0]);
    assert_eq!(iids("scope=created_by_me"), [0; 0]);
    assert_eq!(iids("created_before=2026-01-05T09:00:02Z"), [2, 1]);
    assert_eq!(iids("updated_after=2026-01-05T09:00:05Z"), [3, 2]);
    gitlab.existing_mr("acme/engine", 1).described("Later");
    gitlab
        .existing_mr("acme/engine", 1)
        .comment("ada", "Even later");
    assert_eq!(iids("order_by=updated_at"), [1, 3, 2]);
    let detailed =
        client(&gitlab).get("/projects/7/merge_requests?iids[]=1&with_labels_details=true");
    assert_eq!(detailed.json()[0]["labels"][0]["name"], "benchmarking");
}

#[test]
fn only_the_single_one_has_its_pipeline() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").passed();
    let listed = &client(&gitlab).get("/projects/7/merge_requests").json()[0];
    assert_eq!(
        (listed.get("head_pipeline"), listed.get("diff_refs")),
        (None, None)
    );
    let single = client(&gitlab).get(ONE).json();
    assert_eq!(
        (&single["id"], &single["sha"]),
        (&json!(501), &json!(mr.sha()))
    );
    assert_eq!(single["head_pipeline"]["status"], "success");
    assert_eq!(
        single["head_pipeline"]["started_at"],
        "2026-01-05T09:00:01.000Z"
    );
    assert_eq!(single["diff_refs"]["head_sha"], single["sha"]);
    assert_eq!(
        single["web_url"],
        "https://gitlab.example.com/acme/engine/-/merge_requests/1"
    );
    assert_eq!(single["references"]["full"], "acme/engine!1");
    let missing = client(&gitlab).get("/projects/7/merge_requests/9");
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({ "message": "404 Not found" }))
    );
}

#[test]
fn the_head_pipeline_lags_behind_a_push() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").passed();
    let old = mr.sha();
    mr.push();
    let single = client(&gitlab).get(ONE).json();
    assert_eq!(single["sha"], mr.sha());
    assert_eq!(single["head_pipeline"]["sha"], old);
    mr.running();
    assert_eq!(
        client(&gitlab).get(ONE).json()["head_pipeline"]["sha"],
        mr.sha()
    );
    gitlab.delete_pipeline(mr.head_pipeline_id().unwrap());
    assert_eq!(
        client(&gitlab).get(ONE).json()["head_pipeline"],
        Value::Null
    );
}

#[test]
fn merged_results_have_a_commit_of_their_own() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").running().merged_results("success");
    let pipeline = &client(&gitlab).get(ONE).json()["head_pipeline"];
    assert_eq!(pipeline["ref"], "refs/merge-requests/1/merge");
    let commit = client(&gitlab).get(&format!(
        "/projects/7/repository/commits/{}",
        pipeline["sha"].as_str().unwrap()
    ));
    assert_eq!(commit.json()["parent_ids"][1], mr.sha());
    mr.train("running").detached("success");
    gitlab.pipeline_by("ada", "acme/engine", "push", &[]);
    let all = client(&gitlab).get(&format!("{ONE}/pipelines"));
    assert_eq!(all.column("id"), [1004, 1003, 1002, 1001]);
    assert_eq!(all.column("source")[3], "push");
    assert_eq!(
        all.column("started_at"),
        [Value::Null, Value::Null, Value::Null, Value::Null]
    );
}

#[test]
fn a_squashing_train_hides_the_source_head() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").squashing_train("running");
    let pipeline = &client(&gitlab).get(ONE).json()["head_pipeline"];
    assert_eq!(pipeline["ref"], "refs/merge-requests/1/train");
    let parents = |sha: &Value| {
        let path = format!("/projects/7/repository/commits/{}", sha.as_str().unwrap());
        client(&gitlab).get(&path).json()["parent_ids"].clone()
    };
    let of_train = parents(&pipeline["sha"]);
    assert_eq!(of_train.as_array().unwrap().len(), 2);
    assert_ne!(of_train[1], mr.sha());
    assert_eq!(parents(&of_train[1]), json!([of_train[0]]));
    let all = client(&gitlab).get(&format!("{ONE}/pipelines"));
    assert_eq!(all.column("id"), [1001]);
}

#[test]
fn an_external_pipeline_has_few_times() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster").external("success");
    let pipeline = &client(&gitlab).get(ONE).json()["head_pipeline"];
    assert_eq!(
        (&pipeline["source"], &pipeline["status"]),
        (&json!("external"), &json!("success"))
    );
    for field in ["updated_at", "started_at", "duration"] {
        assert_eq!(pipeline[field], Value::Null, "{field}");
    }
    let jobs = client(&gitlab).get("/projects/7/pipelines/1001/jobs");
    assert_eq!(jobs.json(), json!([]));
}

#[test]
fn a_fork_runs_its_own_pipelines() {
    let gitlab = Gitlab::start();
    gitlab.fork_mr("faster").passed();
    let single = client(&gitlab).get(ONE).json();
    assert_eq!(
        (&single["source_project_id"], &single["allow_collaboration"]),
        (&json!(9), &json!(true))
    );
    assert_eq!(single["head_pipeline"]["project_id"], 9);
    gitlab.world().delete_project(FORK);
    let single = client(&gitlab).get(ONE).json();
    assert_eq!(
        (&single["source_project_id"], &single["head_pipeline"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn each_push_makes_a_version() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    let first = mr.sha();
    mr.push().force_push_to(&first).retarget("release");
    let versions = client(&gitlab).get(&format!("{ONE}/versions"));
    let heads = versions.column("head_commit_sha");
    assert_eq!(
        (heads.len(), &heads[0], &heads[1], &heads[3]),
        (4, &json!(first), &json!(first), &json!(first))
    );
    assert_eq!(versions.column("created_at")[0], "2026-01-05T09:00:03.000Z");
    let single = client(&gitlab).get(ONE).json();
    assert_eq!(
        (&single["target_branch"], &single["sha"]),
        (&json!("release"), &json!(first))
    );
    gitlab.world().mr_mut(501).versions.clear();
    let single = client(&gitlab).get(ONE).json();
    assert_eq!(
        (&single["sha"], &single["diff_refs"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn the_first_version_comes_after_the_label_of_the_form() {
    let gitlab = Gitlab::start();
    gitlab.role("mallory", "acme/engine", Role::Developer);
    let mr = gitlab.fork_mr_labelled("faster", "mallory");
    let single = client(&gitlab).get(ONE).json();
    assert_eq!(single["labels"], json!(["benchmarking"]));
    for field in ["sha", "diff_refs", "prepared_at", "changes_count"] {
        assert_eq!(single[field], Value::Null, "{field}");
    }
    assert_eq!(single["detailed_merge_status"], "preparing");
    let versions = || client(&gitlab).get(&format!("{ONE}/versions"));
    assert_eq!(versions().json(), json!([]));

    mr.push();
    gitlab.run_background_jobs();
    let single = client(&gitlab).get(ONE).json();
    assert_eq!(
        (&single["sha"], &single["diff_refs"]["head_sha"]),
        (&json!(mr.sha()), &json!(mr.sha()))
    );
    let events = client(&gitlab).get(&format!("{ONE}/resource_label_events"));
    let (labelled, prepared) = (
        events.json()[0]["created_at"].clone(),
        &single["prepared_at"],
    );
    assert!(labelled.as_str() < prepared.as_str());
    assert_eq!(versions().json()[0]["created_at"], *prepared);
    assert!(mr.discussions().is_empty());
    gitlab.run_background_jobs();
    assert_eq!(versions().column("id").len(), 1);
}

#[test]
fn the_label_of_an_author_without_the_role_is_dropped() {
    let gitlab = Gitlab::start();
    assert!(!gitlab.fork_mr_labelled("faster", "mallory").is_labelled());
    assert!(gitlab.mr_labelled("fastest", "linus").is_labelled());
}

#[test]
fn updates() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    let updated = client(&gitlab).put(
        ONE,
        json!({ "title": "Draft: x", "description": "why", "state_event": "close" }),
    );
    let updated = updated.json();
    assert_eq!(
        (&updated["draft"], &updated["state"]),
        (&json!(true), &json!("closed"))
    );
    assert_eq!(updated["closed_by"]["username"], "bench-bot");
    assert!(mr.page().contains("changed title"));
    let blank = client(&gitlab).put(ONE, json!({ "title": " " }));
    assert_eq!(
        (blank.status, blank.json()),
        (400, json!({ "message": { "title": ["can't be blank"] } }))
    );
    client(&gitlab).ask("PUT", ONE, "state_event=reopen");
    assert!(mr.page().starts_with("!1 Draft: x (open)"));

    let stranger = Client::anonymous(&gitlab).with_token(MALLORY_TOKEN);
    assert_eq!(
        stranger.put(ONE, json!({ "title": "mine" })).json(),
        json!({ "message": "403 Forbidden" })
    );
    gitlab.configure("acme/engine", |project| project.archived = true);
    assert_eq!(
        client(&gitlab).put(ONE, json!({ "title": "late" })).status,
        403
    );
}

#[test]
fn a_guest_of_a_private_project_sees_little() {
    let gitlab = Gitlab::start();
    gitlab.mr_in("acme/benchmarks", "faster");
    gitlab.role("linus", "acme/benchmarks", Role::Guest);
    let guest = Client::anonymous(&gitlab).with_token(LINUS_TOKEN);
    assert_eq!(guest.get("/projects/8").status, 200);
    assert_eq!(guest.get("/projects/8/merge_requests/1").status, 403);
    assert_eq!(guest.get("/projects/8/pipelines").status, 403);
    assert_eq!(
        guest.get("/projects/8/repository/branches/main").status,
        403
    );
    let notes = guest.get("/projects/8/merge_requests/1/notes");
    assert_eq!(
        notes.json(),
        json!({ "message": "404 MergeRequest Not Found" })
    );
    gitlab.role("linus", "acme/benchmarks", Role::Planner);
    let planner = guest.get("/projects/8/merge_requests/1").json();
    assert_eq!(
        (planner["iid"].clone(), planner.get("head_pipeline")),
        (json!(1), None)
    );
}

#[test]
fn the_clock_goes_with_the_writes() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    let date = |reply: &crate::client::Reply| reply.header("date").unwrap().to_owned();
    let read = client(&gitlab).get(ONE);
    assert_eq!(date(&read), "Mon, 05 Jan 2026 09:00:01 GMT");
    let written = client(&gitlab).put(ONE, json!({ "add_labels": "x" }));
    assert_eq!(date(&written), "Mon, 05 Jan 2026 09:00:02 GMT");
    assert_eq!(written.json()["updated_at"], "2026-01-05T09:00:01.000Z");
    client(&gitlab).put("/projects/7/merge_requests/9", json!({ "add_labels": "x" }));
    gitlab.later(Duration::from_secs(3600));
    assert_eq!(
        date(&client(&gitlab).get(ONE)),
        "Mon, 05 Jan 2026 10:00:02 GMT"
    );
}
