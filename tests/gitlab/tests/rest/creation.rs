//! New pipelines, and every reason why there is none.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::{Value, json};
use std::time::Duration;

const CREATE: &str = "/projects/8/pipeline";

fn benchmarks(gitlab: &Gitlab, change: impl FnOnce(&mut Project)) {
    gitlab.configure("acme/benchmarks", change);
}

/// The one reason given for a refusal.
fn refusal(gitlab: &Gitlab, body: Value) -> String {
    let reply = client(gitlab).post(CREATE, body);
    assert_eq!(reply.status, 400, "{}", reply.body);
    reply.json()["message"]["base"][0]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_pipeline_with_variables() {
    let gitlab = Gitlab::start();
    let variables = json!([{ "key": "A", "value": "$$x" }, { "key": "F", "value": "", "variable_type": "file" }]);
    let reply = client(&gitlab).post(CREATE, json!({ "ref": "main", "variables": variables }));
    let pipeline = reply.json();
    assert_eq!(
        (reply.status, &pipeline["id"], &pipeline["iid"]),
        (201, &json!(1001), &json!(1))
    );
    assert_eq!(
        (&pipeline["status"], &pipeline["source"]),
        (&json!("created"), &json!("api"))
    );
    assert_eq!(
        (pipeline.get("variables"), pipeline.get("name")),
        (None, None)
    );
    let read = client(&gitlab).get("/projects/8/pipelines/1001/variables");
    assert_eq!(read.column("value"), ["$$x", ""]);
    assert_eq!(read.column("variable_type"), ["env_var", "file"]);
    assert_eq!(gitlab.benchmarks()[0].variable("A"), Some("$$x"));
    assert_eq!(gitlab.benchmarks()[0].user.as_deref(), Some("bench-bot"));
}

#[test]
fn the_first_refusal_wins() {
    let gitlab = Gitlab::start();
    let twice = json!({ "ref": "main", "variables": [{ "key": "", "value": "" }, { "key": "", "value": "" }] });
    benchmarks(&gitlab, |project| {
        project.members.insert(BENCH_BOT, Role::Reporter);
        project.jobs_enabled = false;
        project.protected_branches.insert("main".to_owned(), None);
        project.ci_pipeline_variables_minimum_override_role = "no_one_allowed".to_owned();
        project.pipelines_per_minute = Some(0);
        project.files.clear();
        project.yaml_error = Some("jobs config should contain at least one visible job".to_owned());
        project.workflow_rules_filter = true;
        project.job_names.clear();
    });
    assert_eq!(
        client(&gitlab).post(CREATE, json!({})).json(),
        json!({ "error": "ref is missing" })
    );
    let invisible = Client::anonymous(&gitlab)
        .with_token(LINUS_TOKEN)
        .post(CREATE, twice.clone());
    assert_eq!(
        invisible.json(),
        json!({ "message": "404 Project Not Found" })
    );
    let forbidden = client(&gitlab).post(CREATE, twice.clone());
    assert_eq!(
        (forbidden.status, forbidden.json()),
        (403, json!({ "message": "403 Forbidden" }))
    );

    let refused = || refusal(&gitlab, twice.clone());
    benchmarks(&gitlab, |project| {
        project.members.extend([(BENCH_BOT, Role::Owner)])
    });
    assert_eq!(refused(), "Pipelines are disabled!");
    benchmarks(&gitlab, |project| project.jobs_enabled = true);
    assert!(
        refused().starts_with("You do not have sufficient permission to run a pipeline on 'main'.")
    );
    assert_eq!(
        refusal(&gitlab, json!({ "ref": "none" })),
        "Reference not found"
    );
    benchmarks(&gitlab, |project| {
        project.protected_branches.clear();
        project.tags.insert("main".to_owned(), "0".repeat(40));
    });
    assert_eq!(refused(), "Ref is ambiguous");
    benchmarks(&gitlab, |project| project.tags.clear());
    assert_eq!(
        refused(),
        "Insufficient permissions to set pipeline variables"
    );
    benchmarks(&gitlab, |project| {
        project.restrict_user_defined_variables = false
    });
    assert_eq!(refused(), "Duplicate variable name: ");
    let variable =
        |key: &str| json!({ "ref": "main", "variables": [{ "key": key, "value": "$B" }] });
    let bad_key = || refusal(&gitlab, variable("B-1"));
    assert_eq!(
        bad_key(),
        "Too many pipelines created in the last minute. Try again later."
    );
    benchmarks(&gitlab, |project| project.pipelines_per_minute = None);
    assert_eq!(bad_key(), "Missing CI config file");
    benchmarks(&gitlab, |project| {
        project.files.extend([(CI_FILE.to_owned(), String::new())])
    });
    assert_eq!(
        bad_key(),
        "jobs config should contain at least one visible job"
    );
    benchmarks(&gitlab, |project| project.yaml_error = None);
    assert!(refusal(&gitlab, variable("B")).starts_with("circular variable reference detected"));
    assert_eq!(bad_key(), "Pipeline filtered out by workflow rules.");
    benchmarks(&gitlab, |project| project.workflow_rules_filter = false);
    assert!(bad_key().starts_with("Pipeline will not run for the selected trigger."));
    benchmarks(&gitlab, |project| {
        project.job_names.push("benchmark".to_owned())
    });
    let keys = client(&gitlab).post(CREATE, variable("B-1")).json();
    assert_eq!(
        keys["message"]["variables.key"][0],
        "can contain only letters, digits and '_'."
    );
    assert!(gitlab.benchmarks().is_empty());
}

#[test]
fn workflow_rules_look_at_variables() {
    let gitlab = Gitlab::start();
    gitlab.refuse("acme/benchmarks", |variables| {
        let slow = variables.iter().any(|variable| variable.value == "slow");
        slow.then(|| "Not on Mondays.".to_owned())
    });
    let create = |label: &str| {
        let variables = json!([{ "key": "BENCH_LABEL", "value": label }]);
        client(&gitlab).post(CREATE, json!({ "ref": "main", "variables": variables }))
    };
    let refused = create("slow");
    assert_eq!(
        (refused.status, refused.json()),
        (400, json!({ "message": { "base": ["Not on Mondays."] } }))
    );
    assert_eq!(create("fast").status, 201);
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn so_many_a_minute() {
    let gitlab = Gitlab::start();
    benchmarks(&gitlab, |project| project.pipelines_per_minute = Some(2));
    let create = || {
        client(&gitlab)
            .post(CREATE, json!({ "ref": "main" }))
            .status
    };
    assert_eq!([create(), create(), create()], [201, 201, 400]);
    gitlab.later(Duration::from_secs(61));
    assert_eq!(create(), 201);
}

#[test]
fn the_role_for_variables() {
    let gitlab = Gitlab::start();
    let statuses = ["developer", "maintainer", "owner", "no_one_allowed"].map(|role| {
        benchmarks(&gitlab, |project| {
            project.ci_pipeline_variables_minimum_override_role = role.to_owned()
        });
        client(&gitlab)
            .post(
                CREATE,
                json!({ "ref": "main", "variables": [{ "key": "A", "value": "" }] }),
            )
            .status
    });
    assert_eq!(statuses, [201, 201, 400, 400]);
    assert_eq!(
        client(&gitlab)
            .post(CREATE, json!({ "ref": "main" }))
            .status,
        201,
        "without variables"
    );
}

#[test]
fn wrong_shapes_of_variables() {
    let gitlab = Gitlab::start();
    let error = |variables: Value| {
        client(&gitlab)
            .post(CREATE, json!({ "ref": "main", "variables": variables }))
            .json()["error"]
            .clone()
    };
    assert_eq!(error(json!({ "A": "b" })), "variables is invalid");
    assert_eq!(
        error(json!([{ "key": "A", "raw": true }])),
        "unknown parameter: variables[raw]"
    );
    let unknown_type = json!([{ "key": "A", "value": "", "variable_type": "x" }]);
    assert_eq!(
        error(unknown_type),
        "variables[variable_type] does not have a valid value"
    );
    gitlab.take_violations();
}
