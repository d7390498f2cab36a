//! Jobs: what they leave, and what people do to them.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::{Value, json};

const LIST: &str = "/projects/8/pipelines";

#[test]
fn why_jobs_failed_and_what_they_left() {
    let gitlab = Gitlab::start();
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    gitlab.job_fails(id, "flaky", "runner_system_failure");
    gitlab.benchmark_job(id, "flaky", |job| job.allow_failure = true);
    gitlab.benchmark_leaves(id, "benchmark", "out/bench-summary.md", "2x\n");
    let file =
        |client: Client, path: &str| client.get(&format!("/projects/8/jobs/2001/artifacts/{path}"));
    let not_there = json!({ "message": "404 Not Found" });
    let early = file(client(&gitlab), "out/bench-summary.md");
    assert_eq!((early.status, early.json()), (404, not_there.clone()));
    gitlab.benchmark_ends(id, "failed");

    let jobs = client(&gitlab).get(&format!("{LIST}/{id}/jobs"));
    assert_eq!(jobs.column("name"), ["flaky", "benchmark"]);
    assert_eq!(jobs.column("allow_failure"), [true, false]);
    let reasons = ["runner_system_failure", "script_failure"];
    assert_eq!(jobs.column("failure_reason"), reasons);
    let archive = json!({ "filename": "artifacts.zip", "size": 1000 });
    assert_eq!(jobs.column("artifacts_file"), [Value::Null, archive]);

    assert_eq!(file(client(&gitlab), "out/bench-summary.md").body, "2x\n");
    assert_eq!(file(client(&gitlab), "bench-summary.md").json(), not_there);
    let other = client(&gitlab).get("/projects/7/jobs/2001/artifacts/out/bench-summary.md");
    assert_eq!(other.json(), json!({ "message": "404 Not found" }));
    let anyone = file(Client::anonymous(&gitlab), "out/bench-summary.md");
    assert_eq!(anyone.json()["message"], "404 Project Not Found");
    gitlab.role("bench-bot", "acme/benchmarks", Role::Guest);
    assert_eq!(file(client(&gitlab), "out/bench-summary.md").status, 403);

    gitlab.role("bench-bot", "acme/benchmarks", Role::Maintainer);
    client(&gitlab).post(&format!("{LIST}/{id}/retry"), json!({}));
    let retried = client(&gitlab).get(&format!("{LIST}/{id}/jobs"));
    assert!(retried.json()[0].get("failure_reason").is_none());
}

/// A pipeline of the bot's with one job for each status, in that order; the first job is 2002.
fn pipeline_of(gitlab: &Gitlab, statuses: &[&str]) -> u64 {
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    gitlab.benchmark_runs(id);
    gitlab.benchmark_job(id, "benchmark", |job| job.set_status("success"));
    for (number, status) in statuses.iter().enumerate() {
        gitlab.benchmark_job(id, &format!("job {number}"), |job| job.set_status(status));
    }
    id
}

fn act(gitlab: &Gitlab, job: u64, verb: &str) -> (u16, Value) {
    let reply = client(gitlab).post(&format!("/projects/8/jobs/{job}/{verb}"), json!({}));
    (reply.status, reply.json())
}

#[test]
fn a_pipeline_ends_with_its_last_job() {
    for (statuses, expected) in [
        (vec!["success"], "canceled"),
        (vec!["skipped"], "canceled"),
        (vec!["failed"], "failed"),
        (vec!["manual"], "manual"),
        (vec!["pending"], "running"),
        (vec!["created"], "running"),
        (vec!["failed", "manual"], "manual"),
        (
            vec!["waiting_for_resource", "manual"],
            "waiting_for_resource",
        ),
        (vec!["scheduled"], "scheduled"),
    ] {
        let gitlab = Gitlab::start();
        let id = pipeline_of(&gitlab, &[&["running"], statuses.as_slice()].concat());
        let (status, job) = act(&gitlab, 2002, "cancel");
        assert_eq!((status, &job["status"]), (201, &json!("canceled")));
        assert_eq!(job["pipeline"]["status"], expected, "{statuses:?}");
        let ended = gitlab.pipeline(id).finished_at.is_some();
        assert_eq!(ended, gitlab.pipeline(id).has_ended());
        let again = act(&gitlab, 2002, "cancel");
        assert_eq!((again.0, &again.1["status"]), (201, &json!("canceled")));
    }
}

#[test]
fn a_failure_that_is_allowed() {
    for (status, expected) in [
        ("failed", "success"),
        ("canceled", "success"),
        ("manual", "success"),
    ] {
        let gitlab = Gitlab::start();
        let id = pipeline_of(&gitlab, &[status, "pending"]);
        for job in ["job 0", "job 1"] {
            gitlab.benchmark_job(id, job, |job| job.allow_failure = true);
        }
        assert_eq!(
            act(&gitlab, 2003, "cancel").1["pipeline"]["status"],
            expected
        );
    }
}

#[test]
fn a_job_that_waits_for_a_person() {
    let gitlab = Gitlab::start();
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    gitlab.benchmark_blocked(id, "approve");
    let blocked = client(&gitlab).get(&format!("{LIST}/{id}")).json();
    assert_eq!(
        (&blocked["status"], &blocked["finished_at"]),
        (&json!("manual"), &Value::Null)
    );
    let cancelled = client(&gitlab).post(&format!("{LIST}/{id}/cancel"), json!({}));
    assert_eq!(
        (cancelled.status, &cancelled.json()["status"]),
        (200, &json!("manual"))
    );
    let jobs = client(&gitlab).get(&format!("{LIST}/{id}/jobs"));
    assert_eq!(jobs.column("status"), ["manual", "success"]);

    let (status, played) = act(&gitlab, 2002, "play");
    assert_eq!((status, &played["status"]), (200, &json!("pending")));
    assert_eq!(gitlab.pipeline(id).status, "running");
    let again = act(&gitlab, 2002, "play");
    assert_eq!(
        again,
        (
            400,
            json!({ "message": "400 Bad request - Unplayable Job" })
        )
    );
    gitlab.benchmark_blocked(id, "approve");
    gitlab.cancel(id);
    assert_eq!(gitlab.pipeline(id).status, "manual");
    gitlab.play(id, "approve");
    assert_eq!(gitlab.pipeline(id).status, "running");
    gitlab.benchmark_blocked(id, "approve");
    assert_eq!(act(&gitlab, 2002, "cancel").0, 201);
    assert_eq!(gitlab.pipeline(id).status, "canceled");
}

#[test]
fn a_job_run_again() {
    let gitlab = Gitlab::start();
    let id = pipeline_of(&gitlab, &["failed"]);
    gitlab.benchmark_ends(id, "failed");
    let (status, job) = act(&gitlab, 2002, "retry");
    assert_eq!(
        (status, &job["id"], &job["status"]),
        (201, &json!(2003), &json!("pending"))
    );
    let refused = json!({ "message": "403 Forbidden - Job is not retryable" });
    assert_eq!(act(&gitlab, 2002, "retry"), (403, refused.clone()));
    assert_eq!(act(&gitlab, 2003, "retry"), (403, refused));
    assert_eq!(gitlab.pipeline(id).status, "running");
    assert_eq!(gitlab.pipeline(id).finished_at, None);
    gitlab.benchmark_ends(id, "failed");

    gitlab.retry(id);
    let jobs = client(&gitlab).get(&format!("{LIST}/{id}/jobs"));
    assert_eq!(jobs.column("status"), ["pending", "success"]);
    let in_whose_name = jobs.column("user");
    assert_eq!(in_whose_name[0]["username"], "ada");
    assert_eq!(in_whose_name[1]["username"], "bench-bot");
    assert_eq!(gitlab.pipeline(id).user.as_deref(), Some("bench-bot"));
    assert!(!gitlab.pipeline(id).has_ended());
}

#[test]
fn who_may_touch_a_job() {
    let gitlab = Gitlab::start();
    pipeline_of(&gitlab, &["running"]);
    let single = |token| {
        let reader = Client::anonymous(&gitlab).with_token(token);
        reader.get("/projects/8/jobs/2002").status
    };
    assert_eq!([single(BOT_TOKEN), single(LINUS_TOKEN)], [200, 404]);
    assert_eq!(
        Client::anonymous(&gitlab).get("/projects/7/jobs/1").status,
        401
    );
    assert_eq!(
        act(&gitlab, 9, "cancel"),
        (404, json!({ "message": "404 Not found" }))
    );
    gitlab.role("bench-bot", "acme/benchmarks", Role::Developer);
    for verb in ["cancel", "play", "retry"] {
        assert_eq!(act(&gitlab, 2002, verb).0, 403, "{verb}");
    }
}

#[test]
fn a_job_that_starts_another_pipeline_is_listed_apart() {
    let gitlab = Gitlab::start();
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    gitlab.benchmark_job(id, "benchmark", |job| job.set_status("success"));
    let child = gitlab.benchmark_triggers(id, "suite", "acme/benchmarks");
    let list = |path: &str| client(&gitlab).get(&format!("{LIST}/{path}"));
    assert_eq!(list(&format!("{id}/jobs")).column("name"), ["benchmark"]);
    let bridges = list(&format!("{id}/bridges"));
    assert_eq!(bridges.column("name"), ["suite"]);
    let bridge = &bridges.json()[0];
    assert!(bridge.get("artifacts_file").is_none(), "{bridge}");
    let started = &bridge["downstream_pipeline"];
    assert_eq!(started["id"], child);
    assert_eq!(started["project_id"], 8);
    assert_eq!(started["source"], "parent_pipeline");
    let own = client(&gitlab).get(&format!("/projects/8/jobs/{}", bridge["id"]));
    assert_eq!(own.status, 404, "it is none to that list");

    let all = client(&gitlab).get(LIST);
    assert_eq!(all.column("id"), [id], "children are not listed");
    let children = client(&gitlab).get(&format!("{LIST}?source=parent_pipeline"));
    assert_eq!(children.column("id"), [child]);

    let running = list(&format!("{id}/bridges?scope[]=running"));
    assert_eq!(running.column("name"), ["suite"]);
    let failed = list(&format!("{id}/bridges?scope[]=failed"));
    assert_eq!(failed.json(), json!([]));
    gitlab.role("bench-bot", "acme/benchmarks", Role::Guest);
    assert_eq!(list(&format!("{id}/bridges")).status, 403);
}

#[test]
fn a_job_ends_as_the_pipeline_does_that_it_depends_on() {
    for (child_ends, job, reason) in [
        ("success", "success", Value::Null),
        ("failed", "failed", json!("unknown_failure")),
        ("skipped", "failed", json!("unknown_failure")),
        ("canceled", "canceled", Value::Null),
    ] {
        let gitlab = Gitlab::start();
        let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
        gitlab.benchmark_job(id, "benchmark", |job| job.set_status("success"));
        let child = gitlab.benchmark_triggers(id, "suite", "acme/benchmarks");
        gitlab.benchmark_ends(child, child_ends);
        assert_eq!(gitlab.pipeline(id).status, job, "{child_ends}");
        let bridges = client(&gitlab).get(&format!("{LIST}/{id}/bridges"));
        assert_eq!(bridges.json()[0]["status"], job);
        let told = bridges.json()[0].get("failure_reason").cloned();
        assert_eq!(told.unwrap_or_default(), reason);
    }
}

#[test]
fn cancelling_a_pipeline_cancels_its_children() {
    let gitlab = Gitlab::start();
    let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    gitlab.benchmark_runs(id);
    let child = gitlab.benchmark_triggers(id, "suite", "acme/benchmarks");
    let elsewhere = gitlab.benchmark_triggers(id, "publish", "acme/engine");
    gitlab.benchmark_runs(child);
    gitlab.set_status("acme/engine", elsewhere, "running");
    client(&gitlab).post(&format!("{LIST}/{id}/cancel"), json!({}));
    let status = |id: u64| gitlab.pipeline(id).status;
    assert_eq!(status(id), "canceled");
    assert_eq!(status(child), "canceled");
    assert_eq!(status(elsewhere), "running");
}
