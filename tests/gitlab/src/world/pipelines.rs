use std::collections::BTreeMap;

use super::{Done, Refusal, Role, Time, World};

/// All statuses of a pipeline that GitLab knows today.
pub const STATUSES: &str = "\
    created waiting_for_resource preparing waiting_for_callback pending running success failed \
    canceling canceled skipped manual scheduled";

pub fn has_ended(status: &str) -> bool {
    matches!(status, "success" | "failed" | "canceled" | "skipped")
}

/// Does a pipeline in this status have jobs that run or ran?
fn has_started(status: &str) -> bool {
    matches!(status, "running" | "success" | "failed" | "canceling")
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    pub key: String,
    /// As it was posted: only a job sees it expanded.
    pub value: String,
    /// `env_var` or `file`.
    pub variable_type: String,
}

impl Variable {
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            variable_type: "env_var".to_owned(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Job {
    pub id: u64,
    pub name: String,
    pub status: String,
    /// Of a failed one.
    pub failure_reason: Option<String>,
    /// Its failure is none of the pipeline's.
    pub allow_failure: bool,
    /// The files that it left, by path.
    pub artifacts: BTreeMap<String, String>,
    /// Another job of the same name has taken its place.
    pub retried: bool,
}

#[derive(Clone, Debug)]
pub struct Pipeline {
    pub id: u64,
    pub iid: u64,
    pub project_id: u64,
    pub sha: String,
    /// `ref` in JSON.
    pub reference: String,
    pub status: String,
    pub source: String,
    pub user_id: Option<u64>,
    pub created_at: Time,
    pub updated_at: Time,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub variables: Vec<Variable>,
    /// What `workflow:name` gave it.
    pub name: Option<String>,
    /// The merge request that a pipeline of source `merge_request_event` is for.
    pub merge_request_id: Option<u64>,
    pub jobs: Vec<Job>,
    pub cancel_requested: bool,
}

impl Job {
    pub fn set_status(&mut self, status: &str) {
        self.status = status.to_owned();
        self.failure_reason = (status == "failed").then(|| "script_failure".to_owned());
    }
}

impl Pipeline {
    pub fn has_ended(&self) -> bool {
        has_ended(&self.status)
    }
}

impl World {
    /// A pipeline, whoever and whatever made it, in status `created`.
    pub fn add_pipeline(
        &mut self,
        project_id: u64,
        reference: &str,
        sha: &str,
        source: &str,
        user: u64,
    ) -> &mut Pipeline {
        let now = self.now();
        let id = self.ids.pipeline.next();
        let iid = self
            .pipelines
            .values()
            .filter(|other| other.project_id == project_id)
            .map(|other| other.iid)
            .max();
        let job_names = self.projects[&project_id].job_names.clone();
        let jobs = job_names
            .into_iter()
            .map(|name| self.new_job(name))
            .collect();
        let pipeline = Pipeline {
            id,
            iid: iid.unwrap_or(0) + 1,
            project_id,
            sha: sha.to_owned(),
            reference: reference.to_owned(),
            status: "created".to_owned(),
            source: source.to_owned(),
            user_id: Some(user),
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
            variables: Vec::new(),
            name: None,
            merge_request_id: None,
            jobs,
            cancel_requested: false,
        };
        self.pipelines.entry(id).insert_entry(pipeline).into_mut()
    }

    fn new_job(&mut self, name: String) -> Job {
        let id = self.ids.job.next();
        Job {
            id,
            name,
            status: "created".to_owned(),
            failure_reason: None,
            allow_failure: false,
            artifacts: BTreeMap::new(),
            retried: false,
        }
    }

    pub fn set_status(&mut self, id: u64, status: &str) {
        let now = self.now();
        let Some(pipeline) = self.pipelines.get_mut(&id) else {
            return;
        };
        pipeline.status = status.to_owned();
        pipeline.updated_at = now;
        if has_started(status) {
            pipeline.started_at.get_or_insert(now);
        }
        pipeline.finished_at = has_ended(status).then_some(now);
        pipeline.cancel_requested &= !has_ended(status);
        let keeps = |job: &Job| job.retried || (has_ended(&job.status) && has_ended(status));
        for job in pipeline.jobs.iter_mut().filter(|job| !keeps(job)) {
            job.set_status(status);
        }
    }

    /// A job of a pipeline, which is added where it has none of that name.
    pub fn job_mut(&mut self, pipeline: u64, name: &str) -> Option<&mut Job> {
        let found = |job: &Job| job.name == name && !job.retried;
        if !self.pipelines.get(&pipeline)?.jobs.iter().any(found) {
            let job = self.new_job(name.to_owned());
            self.pipelines.get_mut(&pipeline)?.jobs.push(job);
        }
        let jobs = &mut self.pipelines.get_mut(&pipeline)?.jobs;
        jobs.iter_mut().find(|job| found(job))
    }

    fn check_may_run(&self, user: u64, id: u64) -> Done {
        let pipeline = &self.pipelines[&id];
        let project = &self.projects[&pipeline.project_id];
        let allowed = project.runs_pipelines_for(Some(user), &pipeline.reference);
        if allowed {
            Ok(())
        } else {
            Err(Refusal::Forbidden)
        }
    }

    pub fn cancel_pipeline(&mut self, user: u64, id: u64) -> Done {
        self.check_may_run(user, id)?;
        if self.pipelines[&id].has_ended() {
            return Ok(());
        }
        if !self.slow_cancel {
            self.set_status(id, "canceled");
        } else if let Some(pipeline) = self.pipelines.get_mut(&id) {
            pipeline.cancel_requested = true;
        }
        Ok(())
    }

    /// Brings every slow cancellation one step on: `running` → `canceling` → `canceled`.
    pub fn settle(&mut self) {
        let asked: Vec<_> = self
            .pipelines
            .values()
            .filter(|p| p.cancel_requested)
            .map(|p| (p.id, p.status.clone()))
            .collect();
        for (id, status) in asked {
            self.set_status(
                id,
                if status == "running" {
                    "canceling"
                } else {
                    "canceled"
                },
            );
        }
    }

    pub fn retry_pipeline(&mut self, user: u64, id: u64) -> Done {
        self.check_may_run(user, id)?;
        let is_lost =
            |job: &&mut Job| !job.retried && matches!(job.status.as_str(), "failed" | "canceled");
        let Some(pipeline) = self.pipelines.get_mut(&id) else {
            return Ok(());
        };
        let mut names = Vec::new();
        for job in pipeline.jobs.iter_mut().filter(is_lost) {
            job.retried = true;
            names.push(job.name.clone());
        }
        if names.is_empty() {
            return Ok(());
        }
        let jobs: Vec<Job> = names.into_iter().map(|name| self.new_job(name)).collect();
        if let Some(pipeline) = self.pipelines.get_mut(&id) {
            pipeline.jobs.extend(jobs);
        }
        self.set_status(id, "pending");
        Ok(())
    }

    pub fn delete_pipeline(&mut self, id: u64) {
        self.pipelines.remove(&id);
        for mr in self
            .merge_requests
            .values_mut()
            .filter(|mr| mr.head_pipeline_id == Some(id))
        {
            mr.head_pipeline_id = None;
        }
    }

    /// Maintainers see everybody's variables, others only those of pipelines that they made and may
    /// still run.
    pub fn shows_variables_to(&self, user: Option<u64>, pipeline: &Pipeline) -> bool {
        let project = &self.projects[&pipeline.project_id];
        let is_own = user.is_some() && pipeline.user_id == user;
        project.is_at_least(Role::Maintainer, user)
            || (is_own && project.runs_pipelines_for(user, &pipeline.reference))
    }
}
