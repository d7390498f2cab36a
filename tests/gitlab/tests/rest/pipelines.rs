//! Pipelines: lists, variables, jobs, cancelling and retrying.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::{Value, json};

const LIST: &str = "/projects/8/pipelines";

#[test]
fn a_list_is_filtered() {
    let gitlab = Gitlab::start();
    for (user, source) in [
        ("bench-bot", "api"),
        ("ada", "api"),
        ("bench-bot", "schedule"),
        ("ada", "parent_pipeline"),
    ] {
        gitlab.pipeline_by(user, "acme/benchmarks", source, &[]);
    }
    gitlab.benchmark_ends(1001, "success");
    gitlab.benchmark_runs(1002);
    gitlab.benchmark_ends(1003, "skipped");
    let ids = |query: &str| client(&gitlab).get(&format!("{LIST}?{query}")).column("id");
    assert_eq!(ids(""), [1003, 1002, 1001]);
    assert_eq!(ids("source=parent_pipeline"), [1004]);
    assert_eq!(ids("username=bench-bot&source=api"), [1001]);
    assert_eq!(ids("username=nobody"), [0; 0]);
    assert_eq!(ids("status=running"), [1002]);
    assert_eq!(ids("scope=finished"), [1001]);
    assert_eq!(ids("scope=running"), [1002]);
    assert_eq!(ids("scope=tags"), [0; 0]);
    assert_eq!(ids("ref=main&sort=asc"), [1001, 1002, 1003]);
    assert_eq!(ids("updated_after=2026-01-05T09:00:05Z"), [1003, 1002]);
    assert_eq!(ids("created_before=2026-01-05T09:00:00Z"), [1001]);
    assert_eq!(ids("order_by=updated_at&sort=asc"), [1001, 1002, 1003]);
    assert_eq!(
        client(&gitlab).get(&format!("{LIST}?status=new")).json()["error"],
        "status does not have a valid value"
    );
    let row = &client(&gitlab).get(LIST).json()[0];
    assert_eq!(
        (row.get("user"), row.get("started_at"), &row["name"]),
        (None, None, &Value::Null)
    );
    gitlab.configure("acme/benchmarks", |project| project.jobs_enabled = false);
    assert_eq!(
        client(&gitlab).get(LIST).json(),
        json!({ "message": "403 Forbidden" })
    );
}

#[test]
fn a_list_that_lags_behind() {
    let gitlab = Gitlab::start();
    let create = || client(&gitlab).post("/projects/8/pipeline", json!({ "ref": "main" }));
    create();
    gitlab.lists_lag();
    let second = create().json()["id"].clone();
    let ids = || client(&gitlab).get(LIST).column("id");
    assert_eq!(ids(), [1001]);
    assert_eq!(client(&gitlab).get(&format!("{LIST}/{second}")).status, 200);
    gitlab.run_background_jobs();
    assert_eq!(ids(), [1002, 1001]);
}

#[test]
fn times_of_a_pipeline() {
    let gitlab = Gitlab::start();
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    let single = || client(&gitlab).get(&format!("{LIST}/{id}")).json();
    assert_eq!(
        (&single()["status"], &single()["started_at"]),
        (&json!("created"), &Value::Null)
    );
    assert_eq!(
        single()["web_url"],
        "https://gitlab.example.com/acme/benchmarks/-/pipelines/1001"
    );
    gitlab.benchmark_runs(id);
    assert_eq!(
        (&single()["queued_duration"], &single()["finished_at"]),
        (&json!(1), &Value::Null)
    );
    gitlab.benchmark_ends(id, "failed");
    assert_eq!(
        (&single()["duration"], &single()["user"]["username"]),
        (&json!(1), &json!("bench-bot"))
    );
    let retried = client(&gitlab).post(&format!("{LIST}/{id}/retry"), json!({}));
    assert_eq!(
        (retried.status, &retried.json()["status"]),
        (201, &json!("pending"))
    );
    assert_eq!(single()["finished_at"], Value::Null);
    let jobs = client(&gitlab).get(&format!("{LIST}/{id}/jobs"));
    assert_eq!(jobs.column("id"), [2002]);
    assert_eq!(
        client(&gitlab)
            .get(&format!("{LIST}/{id}/jobs?include_retried=true"))
            .column("id"),
        [2002, 2001]
    );
    assert_eq!(
        client(&gitlab)
            .get(&format!("{LIST}/{id}/jobs?scope[]=success"))
            .json(),
        json!([])
    );
    gitlab.benchmark_ends(id, "a_status_to_come");
    assert_eq!(
        (&single()["status"], &single()["finished_at"]),
        (&json!("a_status_to_come"), &Value::Null)
    );
    assert_eq!(
        client(&gitlab).get(&format!("{LIST}/999")).json(),
        json!({ "message": "404 Not found" })
    );
    assert_eq!(
        client(&gitlab).get("/projects/7/pipelines/1001").status,
        404
    );
}

#[test]
fn who_reads_variables() {
    let gitlab = Gitlab::start();
    let by_bot = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[("A", "$B ü\n")]);
    let by_ada = gitlab.pipeline_by("ada", "acme/benchmarks", "api", &[]);
    let read = |id: u64| client(&gitlab).get(&format!("{LIST}/{id}/variables"));
    let expected =
        json!([{ "variable_type": "env_var", "key": "A", "value": "$B ü\n", "raw": false }]);
    assert_eq!(read(by_bot).json(), expected);
    assert_eq!(read(by_ada).json(), json!([]));

    let set_role = |role| {
        gitlab.role("bench-bot", "acme/benchmarks", role);
    };
    set_role(Role::Developer);
    assert_eq!(
        read(by_bot).status,
        403,
        "the branch is protected against Developers"
    );
    gitlab.configure("acme/benchmarks", |project| {
        project.protected_branches.clear()
    });
    assert_eq!(read(by_bot).status, 200);
    assert_eq!(
        (read(by_ada).status, read(by_ada).json()),
        (403, json!({ "message": "403 Forbidden" }))
    );
    set_role(Role::Reporter);
    assert_eq!(read(by_bot).status, 403);
}

#[test]
fn cancelling() {
    let gitlab = Gitlab::start();
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    let cancel = |id: u64| client(&gitlab).post(&format!("{LIST}/{id}/cancel"), json!({}));
    let cancelled = cancel(id);
    assert_eq!(
        (cancelled.status, &cancelled.json()["status"]),
        (200, &json!("canceled"))
    );
    assert_eq!(cancel(id).status, 200);

    gitlab.world().slow_cancel = true;
    let slow = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    gitlab.benchmark_runs(slow);
    assert_eq!(cancel(slow).json()["status"], "running");
    gitlab.run_background_jobs();
    assert_eq!(gitlab.pipeline(slow).status, "canceling");
    gitlab.run_background_jobs();
    assert_eq!(gitlab.pipeline(slow).status, "canceled");

    gitlab.role("bench-bot", "acme/benchmarks", Role::Developer);
    assert_eq!(cancel(id).status, 403);
}

#[test]
fn what_cannot_be_cancelled_is_answered_alike() {
    let gitlab = Gitlab::start();
    let cancel = |id: u64| client(&gitlab).post(&format!("{LIST}/{id}/cancel"), json!({}));
    for status in ["manual", "canceling", "success", "a_status_to_come"] {
        let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
        gitlab.benchmark_ends(id, status);
        let answer = cancel(id);
        assert_eq!(
            (answer.status, &answer.json()["status"]),
            (200, &json!(status))
        );
    }
    for status in ["running", "canceling", "waiting_for_resource"] {
        let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
        gitlab.benchmark_hangs(id, status);
        assert_eq!(cancel(id).json()["status"], status);
        gitlab.run_background_jobs();
        assert_eq!(gitlab.pipeline(id).status, status);
        gitlab.benchmark_ends(id, "failed");
        assert_eq!(gitlab.pipeline(id).status, "failed");
    }
}

#[test]
fn cancelling_leaves_what_waits_for_a_person() {
    let gitlab = Gitlab::start();
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    gitlab.benchmark_runs(id);
    gitlab.benchmark_job(id, "approve", |job| job.set_status("manual"));
    let cancel = || client(&gitlab).post(&format!("{LIST}/{id}/cancel"), json!({}));
    assert_eq!(cancel().json()["status"], "manual");
    let jobs = client(&gitlab).get(&format!("{LIST}/{id}/jobs"));
    assert_eq!(jobs.column("status"), ["manual", "canceled"]);
}

#[test]
fn a_push_makes_waiting_pipelines_redundant() {
    let gitlab = Gitlab::start();
    let create = || {
        client(&gitlab)
            .post("/projects/8/pipeline", json!({ "ref": "main" }))
            .status
    };
    let statuses = || {
        gitlab
            .benchmarks()
            .into_iter()
            .map(|pipeline| pipeline.status)
            .collect::<Vec<_>>()
    };
    gitlab.configure("acme/benchmarks", |project| {
        project.auto_cancel_pending_pipelines = true
    });
    create();
    create();
    gitlab.benchmark_runs(1002);
    create();
    assert_eq!(
        statuses(),
        ["created", "running", "created"],
        "all of one commit"
    );
    gitlab.push_to("acme/benchmarks", "main");
    create();
    assert_eq!(statuses(), ["canceled", "running", "canceled", "created"]);
}

#[test]
fn what_a_job_sees() {
    let sees = |value: &str| {
        let variables = [Variable::new("X", value), Variable::new("Y", "why")];
        job_sees(&variables, &[("CI_JOB_TOKEN", "secret")])["X"].clone()
    };
    for (posted, seen) in [
        ("plain", "plain"),
        ("$CI_JOB_TOKEN", "secret"),
        ("${CI_JOB_TOKEN}!", "secret!"),
        ("%CI_JOB_TOKEN%", "secret"),
        ("$$CI_JOB_TOKEN", "$CI_JOB_TOKEN"),
        ("a$$b", "a$b"),
        ("$$$$", "$$"),
        ("cost$$", "cost$"),
        ("cost$", "cost$"),
        ("50%", "50%"),
        ("%%", "%%"),
        ("%%CI_JOB_TOKEN%%", "%%CI_JOB_TOKEN%%"),
        ("%${}CI_JOB_TOKEN%", "%CI_JOB_TOKEN%"),
        ("$UNKNOWN.", "."),
        ("${UNKNOWN", "UNKNOWN"),
        ("%UNKNOWN%", "%UNKNOWN%"),
        ("a$1$?b", "ab"),
        ("$ü$", "$ü$"),
        ("$Y", "why"),
    ] {
        assert_eq!(sees(posted), seen, "{posted}");
    }
    let file = Variable {
        variable_type: "file".to_owned(),
        ..Variable::new("F", "content")
    };
    let seen = job_sees(&[file, Variable::new("X", "$F")], &[]);
    assert_eq!(seen["X"], "/builds/.tmp/F");
}

#[test]
fn anyone_sees_the_pipelines_of_a_public_project() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster").passed();
    let anyone = Client::anonymous(&gitlab);
    assert_eq!(
        anyone.get("/projects/7/pipelines").column("ref"),
        ["faster"]
    );
    assert_eq!(
        anyone.get("/projects/7/pipelines/1001/variables").status,
        403
    );
    let page = anyone
        .outside_the_api()
        .get("/acme/engine/-/pipelines/1001");
    assert!(
        page.body
            .starts_with("Pipeline #1001 (success)\npush of faster at ")
    );
}
