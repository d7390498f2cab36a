//! The jobs of a pipeline, and the status that they make.

use super::pipelines::has_ended;
use super::{Done, Pipeline, Refusal, World};
use std::collections::BTreeMap;

/// What a job and a pipeline can be cancelled in. A manual job is not among them: it takes part in
/// the cancelling of a job, not of a pipeline.
const CANCELABLE: &str = "\
    created waiting_for_resource preparing waiting_for_callback pending running scheduled";

pub fn is_cancelable(status: &str) -> bool {
    CANCELABLE.split(' ').any(|known| known == status)
}

#[derive(Clone, Debug)]
pub struct Job {
    pub id: u64,
    pub name: String,
    pub status: String,
    /// In whose name it runs: that of whoever retried it, in the end.
    pub user_id: Option<u64>,
    /// Of a failed one.
    pub failure_reason: Option<String>,
    /// Its failure is none of the pipeline's.
    pub allow_failure: bool,
    /// The files that it left, by path.
    pub artifacts: BTreeMap<String, String>,
    /// Another job of the same name has taken its place.
    pub retried: bool,
    pub cancel_requested: bool,
    /// Waits for a person when its turn comes.
    pub manual: bool,
    /// What it printed.
    pub trace: String,
    /// Of a job that has no runner, but starts another pipeline.
    pub trigger: Option<Trigger>,
}

/// What a job starts, and whether it waits for that.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub pipeline: Option<u64>,
    /// `strategy: depend`: it ends as that pipeline does.
    pub depends: bool,
}

impl Job {
    pub fn set_status(&mut self, status: &str) {
        self.status = status.to_owned();
        self.failure_reason = (status == "failed").then(|| "script_failure".to_owned());
        self.cancel_requested &= !has_ended(status);
    }

    /// What it contributes to the status of its pipeline.
    fn contribution(&self) -> &str {
        match self.status.as_str() {
            "failed" | "canceled" if self.allow_failure => "passed with warnings",
            "manual" if self.allow_failure => "ignored",
            status => status,
        }
    }
}

/// The status of a pipeline with these jobs, by GitLab's own order of questions.
fn composite_status(pipeline: &Pipeline) -> &'static str {
    let jobs: Vec<&str> = pipeline.current_jobs().map(Job::contribution).collect();
    let only = |of: &[&str]| {
        let harmless = ["passed with warnings", "ignored"];
        jobs.iter()
            .all(|job| of.contains(job) || harmless.contains(job))
    };
    let any = |of: &[&str]| jobs.iter().any(|job| of.contains(job));
    match () {
        () if jobs.iter().all(|job| ["skipped", "ignored"].contains(job)) => "skipped",
        () if only(&["success", "skipped"]) => "success",
        () if only(&["created"]) => "created",
        () if only(&["preparing"]) => "preparing",
        () if only(&["canceled", "success", "skipped"]) => "canceled",
        () if only(&["pending", "created", "skipped"]) => "pending",
        () if any(&["running", "pending"]) => "running",
        () if any(&["waiting_for_resource"]) => "waiting_for_resource",
        () if any(&["waiting_for_callback"]) => "waiting_for_callback",
        () if any(&["manual"]) => "manual",
        () if any(&["scheduled"]) => "scheduled",
        () if any(&["preparing"]) => "preparing",
        () if any(&["created"]) => "running",
        () if any(&["canceling"]) => "canceling",
        () => "failed",
    }
}

impl World {
    pub(super) fn new_job(&mut self, name: String, user_id: Option<u64>) -> Job {
        let id = self.ids.job.next();
        Job {
            id,
            name,
            status: "created".to_owned(),
            user_id,
            failure_reason: None,
            allow_failure: false,
            artifacts: BTreeMap::new(),
            retried: false,
            cancel_requested: false,
            manual: false,
            trace: String::new(),
            trigger: None,
        }
    }

    /// A job of a pipeline starts another one, and depends on it; the new one's id.
    pub fn trigger_pipeline(&mut self, id: u64, job: &str, project_id: u64) -> Option<u64> {
        let parent = self.pipelines.get(&id)?;
        let is_child = parent.project_id == project_id;
        let user = parent.user_id?;
        let (reference, sha) = match is_child {
            true => (parent.reference.clone(), parent.sha.clone()),
            false => {
                let project = self.projects.get(&project_id)?;
                let branch = project.default_branch.clone()?;
                let sha = project.branches.get(&branch)?.clone();
                (branch, sha)
            }
        };
        let source = if is_child {
            "parent_pipeline"
        } else {
            "pipeline"
        };
        let pipeline = self.add_pipeline(project_id, &reference, &sha, source, user);
        let pipeline = pipeline.id;
        let job = self.job_mut(id, job)?;
        job.set_status("running");
        job.trigger = Some(Trigger {
            pipeline: Some(pipeline),
            depends: true,
        });
        Some(pipeline)
    }

    /// The job that started a pipeline, and depends on it, ends as it did.
    pub(super) fn tell_parent(&mut self, pipeline: u64) {
        let of = &self.pipelines[&pipeline];
        if !matches!(of.source.as_str(), "parent_pipeline" | "pipeline") {
            return;
        }
        let status = match of.status.as_str() {
            status @ ("success" | "canceled") => status.to_owned(),
            _ => "failed".to_owned(),
        };
        let waits = |job: &&mut Job| {
            let trigger = job.trigger.as_ref();
            let started = trigger.filter(|trigger| trigger.pipeline == Some(pipeline));
            started.is_some_and(|trigger| trigger.depends) && !has_ended(&job.status)
        };
        let mut parent = None;
        for other in self.pipelines.values_mut() {
            if let Some(job) = other.jobs.iter_mut().find(waits) {
                job.set_status(&status);
                job.failure_reason = (status == "failed").then(|| "unknown_failure".to_owned());
                parent = Some(other.id);
            }
        }
        if let Some(parent) = parent {
            self.follow_jobs(parent);
        }
    }

    /// A job of a pipeline, which is added where it has none of that name.
    pub fn job_mut(&mut self, pipeline: u64, name: &str) -> Option<&mut Job> {
        let found = |job: &Job| job.name == name && !job.retried;
        let of = self.pipelines.get(&pipeline)?;
        let user = of.user_id;
        if !of.jobs.iter().any(found) {
            let job = self.new_job(name.to_owned(), user);
            self.pipelines.get_mut(&pipeline)?.jobs.push(job);
        }
        let jobs = &mut self.pipelines.get_mut(&pipeline)?.jobs;
        jobs.iter_mut().find(|job| found(job))
    }

    /// A job by its id, with the pipeline that it is in.
    pub fn find_job(&self, project_id: u64, id: u64) -> Option<(&Pipeline, &Job)> {
        self.pipelines
            .values()
            .filter(|pipeline| pipeline.project_id == project_id)
            .flat_map(|pipeline| pipeline.jobs.iter().map(move |job| (pipeline, job)))
            .find(|(_, job)| job.id == id && job.trigger.is_none())
    }

    fn pipeline_of(&self, job: u64) -> Done<u64> {
        let mut pipelines = self.pipelines.values();
        let found = pipelines.find(|pipeline| pipeline.jobs.iter().any(|other| other.id == job));
        found.map(|pipeline| pipeline.id).ok_or(Refusal::NoRecord)
    }

    /// The status of the pipeline once something has happened to its jobs.
    pub(super) fn follow_jobs(&mut self, id: u64) {
        let status = composite_status(&self.pipelines[&id]);
        if self.pipelines[&id].status != status {
            self.mark(id, status);
        }
    }

    pub(super) fn cancel_jobs(&mut self, id: u64, wanted: impl Fn(&Job) -> bool) {
        let (slow, stuck) = (self.slow_cancel, self.stuck.contains(&id));
        let Some(pipeline) = self.pipelines.get_mut(&id).filter(|_| !stuck) else {
            return;
        };
        let mut any = false;
        let current = pipeline.jobs.iter_mut().filter(|job| !job.retried);
        for job in current.filter(|job| wanted(job)) {
            any = true;
            if slow {
                job.cancel_requested = true;
            } else {
                job.set_status("canceled");
            }
        }
        if any && !slow {
            self.follow_jobs(id);
        }
    }

    /// `running` → `canceling` → `canceled`.
    pub(super) fn go_on_cancelling(&mut self) {
        let mut moved = Vec::new();
        for pipeline in self.pipelines.values_mut() {
            for job in pipeline.jobs.iter_mut().filter(|job| job.cancel_requested) {
                let is_running = job.status == "running";
                job.set_status(if is_running { "canceling" } else { "canceled" });
                moved.push(pipeline.id);
            }
        }
        moved.dedup();
        for id in moved {
            self.follow_jobs(id);
        }
    }

    /// Also a job that waits for a person; one that has ended stays as it is.
    pub fn cancel_job(&mut self, user: u64, id: u64) -> Done {
        let pipeline = self.pipeline_of(id)?;
        self.check_may_cancel(user, pipeline)?;
        let cancelable = |status: &str| is_cancelable(status) || status == "manual";
        self.cancel_jobs(pipeline, |job| job.id == id && cancelable(&job.status));
        Ok(())
    }

    /// Starts a job that waits for a person or a time.
    pub fn play_job(&mut self, user: u64, id: u64) -> Done {
        let pipeline_id = self.pipeline_of(id)?;
        self.check_may_run(user, pipeline_id)?;
        let jobs = &mut self.pipelines.get_mut(&pipeline_id).into_iter();
        let mut jobs = jobs.flat_map(|pipeline| &mut pipeline.jobs);
        let playable = |job: &&mut Job| {
            job.id == id && !job.retried && ["manual", "scheduled"].contains(&job.status.as_str())
        };
        let job = jobs
            .find(playable)
            .ok_or_else(|| Refusal::bad_request("Unplayable Job"))?;
        job.set_status("pending");
        job.user_id = Some(user);
        self.follow_jobs(pipeline_id);
        Ok(())
    }

    /// Another job takes the place of one that has ended; its id.
    pub fn retry_job(&mut self, user: u64, id: u64) -> Done<u64> {
        let pipeline_id = self.pipeline_of(id)?;
        self.check_may_run(user, pipeline_id)?;
        let job = self.pipelines[&pipeline_id].current_jobs();
        let retryable =
            |job: &Job| matches!(job.status.as_str(), "success" | "failed" | "canceled");
        if !job.filter(|job| job.id == id).any(retryable) {
            return Err(Refusal::ForbiddenAs("Job is not retryable"));
        }
        let new = self.replace_job(user, id);
        self.follow_jobs(pipeline_id);
        Ok(new)
    }

    pub(super) fn replace_job(&mut self, user: u64, id: u64) -> u64 {
        let mut new = self.new_job(String::new(), Some(user));
        let new_id = new.id;
        new.set_status("pending");
        for pipeline in self.pipelines.values_mut() {
            if let Some(old) = pipeline.jobs.iter_mut().find(|job| job.id == id) {
                old.retried = true;
                new.name.clone_from(&old.name);
                new.allow_failure = old.allow_failure;
                new.trigger = old.trigger.clone().map(|trigger| Trigger {
                    pipeline: None,
                    ..trigger
                });
                pipeline.jobs.push(new);
                break;
            }
        }
        new_id
    }

    /// All of a pipeline is done but for a job that waits for a person.
    pub fn block_pipeline(&mut self, id: u64, job: &str) {
        self.set_status(id, "success");
        if let Some(job) = self.job_mut(id, job) {
            job.set_status("manual");
        }
        self.follow_jobs(id);
    }
}
