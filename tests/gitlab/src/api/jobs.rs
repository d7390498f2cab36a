use super::pipelines::{basic_json as pipeline_json, detail_json};
use super::repository::commit_json;
use super::{Answer, Call, Endpoint, PAGING, Result, boolean, list as statuses, user_by_id};
use crate::world::{Job, Pipeline, World, has_ended};
use serde_json::{Value, json};

pub const ENDPOINTS: &[Endpoint] = &[
    Endpoint::get("/projects/{id}/pipelines/{pipeline_id}/jobs", of_pipeline)
        .public()
        .takes(&[
            statuses("scope"),
            boolean("include_retried"),
            PAGING[0],
            PAGING[1],
        ]),
    Endpoint::get("/projects/{id}/pipelines/{pipeline_id}/bridges", triggers)
        .public()
        .takes(&[statuses("scope"), PAGING[0], PAGING[1]]),
    Endpoint::get("/projects/{id}/jobs/{job_id}", single),
    Endpoint::get(
        "/projects/{id}/jobs/{job_id}/artifacts/{*artifact_path}",
        artifact,
    )
    .public(),
    Endpoint::get("/projects/{id}/jobs/{job_id}/trace", trace).public(),
    Endpoint::post("/projects/{id}/jobs/{job_id}/cancel", cancel),
    Endpoint::post("/projects/{id}/jobs/{job_id}/play", play),
    Endpoint::post("/projects/{id}/jobs/{job_id}/retry", retry),
];

fn of_pipeline(call: &mut Call) -> Result {
    let pipeline = call.pipeline()?;
    let include_retried = call.params.boolean("include_retried") == Some(true);
    let scope = call.params.list("scope").unwrap_or_default();
    let wanted = |job: &&Job| {
        job.trigger.is_none()
            && (include_retried || !job.retried)
            && (scope.is_empty() || scope.contains(&job.status))
    };
    let newest_first: Vec<&Job> = pipeline.jobs.iter().rev().filter(wanted).collect();
    Ok(call.page(newest_first, |job| job_json(call.world, pipeline, job)))
}

/// The jobs that start other pipelines, which the other list leaves out.
fn triggers(call: &mut Call) -> Result {
    let pipeline = call.pipeline()?;
    let scope = call.params.list("scope").unwrap_or_default();
    let jobs = pipeline.jobs.iter().rev();
    let found = jobs.filter(|job| {
        job.trigger.is_some() && !job.retried && (scope.is_empty() || scope.contains(&job.status))
    });
    let newest_first: Vec<&Job> = found.collect();
    Ok(call.page(newest_first, |job| trigger_json(call.world, pipeline, job)))
}

/// The downstream pipeline is shown whatever project it is in.
fn trigger_json(world: &World, pipeline: &Pipeline, job: &Job) -> Value {
    let mut json = job_json(world, pipeline, job);
    for of_a_build in [
        "artifacts",
        "artifacts_file",
        "artifacts_expire_at",
        "runner",
        "runner_manager",
        "tag_list",
    ] {
        json.as_object_mut()
            .and_then(|json| json.remove(of_a_build));
    }
    let started = job.trigger.as_ref().and_then(|trigger| trigger.pipeline);
    let started = started.and_then(|id| world.pipelines.get(&id));
    json["downstream_pipeline"] = started.map_or(Value::Null, |it| pipeline_json(world, it));
    json
}

fn job_json(world: &World, pipeline: &Pipeline, job: &Job) -> Value {
    let commit = world.commits.get(&pipeline.sha);
    let ended = has_ended(&job.status);
    let artifacts_file = (ended && !job.artifacts.is_empty())
        .then(|| json!({ "filename": "artifacts.zip", "size": 1000 }));
    let detail = detail_json(world, pipeline);
    let mut json = json!({
        "id": job.id,
        "name": job.name,
        "stage": "test",
        "status": job.status,
        "ref": pipeline.reference,
        "tag": detail["tag"],
        "coverage": null,
        "allow_failure": job.allow_failure,
        "created_at": detail["created_at"],
        "started_at": detail["started_at"],
        "finished_at": if ended { detail["finished_at"].clone() } else { Value::Null },
        "erased_at": null,
        "duration": detail["duration"],
        "queued_duration": detail["queued_duration"],
        "user": user_by_id(world, job.user_id),
        "commit": commit.map(|commit| commit_json(world, pipeline.project_id, commit)),
        "pipeline": pipeline_json(world, pipeline),
        "web_url": format!("{}/-/jobs/{}", world.project_url(pipeline.project_id), job.id),
        "project": { "ci_job_token_scope_enabled": false },
        "artifacts": [],
        "artifacts_file": artifacts_file,
        "artifacts_expire_at": null,
        "runner": null,
        "runner_manager": null,
        "tag_list": [],
        "archived": false,
    });
    if let Some(reason) = &job.failure_reason {
        json["failure_reason"] = json!(reason);
    }
    json
}

impl Call<'_> {
    fn job(&self) -> Result<(&Pipeline, &Job)> {
        let (project, id) = (self.project()?, self.number("job_id")?);
        if !project.shows_pipelines_to(self.user) {
            return Err(Answer::forbidden());
        }
        self.world
            .find_job(project.id, id)
            .ok_or_else(Answer::no_record)
    }

    fn shown_job(&self, id: u64) -> Result<Value> {
        let project = self.project()?.id;
        let (pipeline, job) = self
            .world
            .find_job(project, id)
            .ok_or_else(Answer::no_record)?;
        Ok(job_json(self.world, pipeline, job))
    }
}

fn single(call: &mut Call) -> Result {
    let (pipeline, job) = call.job()?;
    Ok(Answer::ok(job_json(call.world, pipeline, job)))
}

/// One file out of the archive.
fn artifact(call: &mut Call) -> Result {
    let (_, job) = call.job()?;
    let file = job.artifacts.get(call.path("artifact_path"));
    let file = file.filter(|_| has_ended(&job.status));
    file.map(|content| Answer::text(200, content.clone()))
        .ok_or_else(|| Answer::message(404, "404 Not Found"))
}

fn trace(call: &mut Call) -> Result {
    let (_, job) = call.job()?;
    Ok(Answer::text(200, job.trace.clone()))
}

fn cancel(call: &mut Call) -> Result {
    let (me, id) = (call.me()?, call.job()?.1.id);
    call.world.cancel_job(me, id)?;
    Ok(Answer::created(call.shown_job(id)?))
}

/// The one of the three that answers 200.
fn play(call: &mut Call) -> Result {
    let (me, id) = (call.me()?, call.job()?.1.id);
    call.world.play_job(me, id)?;
    Ok(Answer::ok(call.shown_job(id)?))
}

fn retry(call: &mut Call) -> Result {
    let (me, id) = (call.me()?, call.job()?.1.id);
    let new = call.world.retry_job(me, id)?;
    Ok(Answer::created(call.shown_job(new)?))
}
