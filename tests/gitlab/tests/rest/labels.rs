//! Labels and their events.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::{Value, json};

const ONE: &str = "/projects/7/merge_requests/1";
const EVENTS: &str = "/projects/7/merge_requests/1/resource_label_events";

#[test]
fn events_one_for_each_change() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled().label_by("linus", "other");
    client(&gitlab).put(
        ONE,
        json!({ "add_labels": "new", "remove_labels": ["benchmarking", "absent"] }),
    );
    client(&gitlab).put(
        ONE,
        json!({ "add_labels": ["new"], "remove_labels": "benchmarking" }),
    );
    let events = client(&gitlab).get(EVENTS);
    assert_eq!(events.column("id"), [101, 102, 103, 104]);
    assert_eq!(events.column("action"), ["add", "add", "add", "remove"]);
    assert_eq!(events.column("resource_id"), [501; 4]);
    let users: Vec<Value> = events
        .column("user")
        .iter()
        .map(|user| user["username"].clone())
        .collect();
    assert_eq!(users, ["ada", "linus", "bench-bot", "bench-bot"]);
    assert_eq!(mr.labels(), ["new", "other"]);
    assert_eq!(
        client(&gitlab).get(&format!("{EVENTS}/104")).json()["label"]["name"],
        "benchmarking"
    );
    let missing = client(&gitlab).get(&format!("{EVENTS}/999"));
    assert_eq!(missing.json(), json!({ "message": "404 Not found" }));
    assert_eq!(Client::anonymous(&gitlab).get(EVENTS).status, 401);
}

#[test]
fn a_label_renamed_or_deleted_later() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled();
    gitlab.rename_label("benchmarking", "bench");
    assert_eq!(
        client(&gitlab).get(EVENTS).json()[0]["label"]["name"],
        "bench"
    );
    gitlab.delete_label("bench");
    assert_eq!(client(&gitlab).get(EVENTS).column("label"), [Value::Null]);
    assert!(mr.labels().is_empty());
}

#[test]
fn a_promoted_label_takes_its_events_along() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled();
    let label = || client(&gitlab).get(EVENTS).json()[0]["label"].clone();
    let before = label();
    gitlab.promote_label("benchmarking");
    let group_label = client(&gitlab)
        .get("/projects/7/labels/benchmarking")
        .json();
    assert_eq!(group_label["is_project_label"], false);
    assert_ne!(before["id"], group_label["id"]);
    assert_eq!(label()["id"], group_label["id"]);
    assert!(mr.is_labelled());
}

#[test]
fn a_project_leaves_the_group_of_its_label() {
    let gitlab = Gitlab::start();
    gitlab.group_label("acme", "shared");
    let mr = gitlab.mr("faster").label("shared").labelled();
    gitlab.move_project("acme/engine", "tools/engine");
    assert_eq!(mr.labels(), ["benchmarking", "shared"]);
    let shared = client(&gitlab).get("/projects/7/labels/shared").json();
    assert_eq!(shared["is_project_label"], true);
    let labels = || client(&gitlab).get(EVENTS).column("label");
    assert_eq!(labels()[0]["name"], "shared");
    assert_ne!(labels()[0]["id"], shared["id"], "that of the group");

    // Nothing is left in the group that the bot may see.
    gitlab.role("bench-bot", "acme/benchmarks", None);
    assert_eq!(labels().len(), 1);
    let first = client(&gitlab).get(&format!("{EVENTS}?per_page=1"));
    assert_eq!(first.json(), json!([]));
    assert_eq!(first.header("x-next-page"), Some("2"));
    let hidden = client(&gitlab).get(&format!("{EVENTS}/101"));
    assert_eq!(
        hidden.json(),
        json!({ "message": "404 ResourceLabelEvent Not Found" })
    );
    mr.unlabel("shared");
    assert_eq!(labels().last().unwrap()["id"], shared["id"]);
}

#[test]
fn events_of_somebody_who_is_gone() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").label_by("linus", "benchmarking");
    mr.comment("linus", "Please.");
    gitlab.delete_user("linus");
    let events = client(&gitlab).get(EVENTS).json();
    assert_eq!(events[0]["user"]["username"], "ghost");
    let notes = client(&gitlab).get(&format!("{ONE}/notes")).json();
    assert_eq!(notes[0]["author"]["username"], "ghost");
    let gone = Client::anonymous(&gitlab).with_token(LINUS_TOKEN);
    assert_eq!(gone.get("/user").status, 401);
}

#[test]
fn an_event_that_comes_later_than_its_label() {
    let gitlab = Gitlab::start();
    gitlab.events_come_late();
    let mr = gitlab.mr("faster").labelled();
    assert!(mr.is_labelled());
    assert_eq!(client(&gitlab).get(EVENTS).json(), json!([]));
    mr.push();
    gitlab.run_background_jobs();
    let events = client(&gitlab).get(EVENTS);
    assert_eq!(events.column("id"), [101]);
    assert_eq!(events.column("created_at"), ["2026-01-05T09:00:01.000Z"]);
}

#[test]
fn a_label_is_looked_up_by_its_id_first() {
    let gitlab = Gitlab::start();
    for title in ["71", "71 times faster", "2 times faster"] {
        gitlab.group_label("acme", title);
    }
    let found = |path: &str| {
        let path = format!("/projects/7/labels/{path}");
        client(&gitlab).get(&path).json()["name"].clone()
    };
    assert_eq!(found("71"), "benchmarking");
    assert_eq!(found("71%20times%20faster"), "benchmarking");
    assert_eq!(found("2%20times%20faster"), "2 times faster");
    let own = "/projects/7/labels/72?include_ancestor_groups=false";
    assert_eq!(client(&gitlab).get(own).status, 404);
}

#[test]
fn adding_creates_and_the_whole_list_replaces() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled();
    let updated = client(&gitlab).put(ONE, json!({ "add_labels": "Benchmarking" }));
    assert_eq!(
        updated.json()["labels"],
        json!(["Benchmarking", "benchmarking"])
    );
    client(&gitlab).put(ONE, json!({ "labels": "a, b" }));
    assert_eq!(mr.labels(), ["a", "b"]);
    client(&gitlab).put(ONE, json!({ "add_labels": "size::1" }));
    client(&gitlab).put(ONE, json!({ "add_labels": "size::2" }));
    client(&gitlab).put(ONE, json!({ "remove_labels": "a" }));
    assert_eq!(mr.labels(), ["b", "size::2"]);
    client(&gitlab).put(ONE, json!({ "labels": "" }));
    assert!(mr.labels().is_empty());
}

#[test]
fn an_author_without_the_role_changes_nothing_and_is_not_told() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("faster").labelled();
    let author = Client::anonymous(&gitlab).with_token(MALLORY_TOKEN);
    let reply = author.put(
        ONE,
        json!({ "remove_labels": "benchmarking", "add_labels": "x" }),
    );
    assert_eq!(
        (reply.status, &reply.json()["labels"]),
        (200, &json!(["benchmarking"]))
    );
    assert!(mr.is_labelled());
}

#[test]
fn a_locked_label_stays_after_the_merge() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster").labelled().merge();
    gitlab
        .world()
        .labels
        .values_mut()
        .for_each(|label| label.lock_on_merge = true);
    let reply = client(&gitlab).put(ONE, json!({ "remove_labels": "benchmarking" }));
    assert_eq!(
        (reply.status, &reply.json()["labels"]),
        (200, &json!(["benchmarking"]))
    );
    assert_eq!(client(&gitlab).get(EVENTS).column("action"), ["add"]);
}

#[test]
fn labels_of_projects_and_groups() {
    let gitlab = Gitlab::start();
    gitlab.group_label("acme", "shared");
    gitlab.mr("faster").labelled();
    let labels = client(&gitlab).get("/projects/7/labels?with_counts=true");
    assert_eq!(labels.column("name"), ["benchmarking", "shared"]);
    assert_eq!(labels.column("is_project_label"), [true, false]);
    assert_eq!(labels.column("open_merge_requests_count"), [1, 0]);
    assert_eq!(
        client(&gitlab)
            .get("/projects/7/labels?search=SHAR")
            .column("name"),
        ["shared"]
    );
    let own = client(&gitlab).get("/projects/7/labels?include_ancestor_groups=false");
    assert_eq!(own.column("name"), ["benchmarking"]);
    assert_eq!(client(&gitlab).get("/projects/9/labels").json(), json!([]));
    assert_eq!(
        client(&gitlab).get("/projects/7/labels/shared").json()["color"],
        "#6699cc"
    );
    let missing = client(&gitlab).get("/projects/7/labels/Shared");
    assert_eq!(
        (missing.status, missing.json()),
        (404, json!({ "message": "404 Label Not Found" }))
    );
}

#[test]
fn creating_labels() {
    let gitlab = Gitlab::start();
    let new = |token, body| {
        Client::anonymous(&gitlab)
            .with_token(token)
            .post("/projects/7/labels", body)
    };
    let body = json!({ "name": "speed", "color": "#428BCA", "description": "Faster" });
    let created = new(BOT_TOKEN, body.clone());
    assert_eq!(
        (created.status, &created.json()["description"]),
        (201, &json!("Faster"))
    );
    let again = new(BOT_TOKEN, body.clone());
    assert_eq!(
        (again.status, again.json()),
        (409, json!({ "message": "Label already exists" }))
    );
    assert_eq!(new(MALLORY_TOKEN, body).status, 403);
    assert_eq!(
        new(BOT_TOKEN, json!({ "name": "x" })).json()["error"],
        "color is missing"
    );
    assert_eq!(
        new(BOT_TOKEN, json!({ "name": "a,b", "color": "red" })).status,
        400
    );
}
