use super::jobs::is_cancelable;
use super::{Done, Job, Refusal, Role, Time, World};

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
}

impl Pipeline {
    pub fn has_ended(&self) -> bool {
        has_ended(&self.status)
    }

    /// Whether another service reports it: GitLab knows little of its times.
    pub fn is_external(&self) -> bool {
        self.source == "external"
    }

    /// Without those whose place another has taken.
    pub fn current_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| !job.retried)
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
        // What another service reports are statuses, which are no jobs.
        let job_names = match source {
            "external" => Vec::new(),
            _ => self.projects[&project_id].job_names.clone(),
        };
        let jobs = job_names
            .into_iter()
            .map(|name| self.new_job(name, Some(user)))
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
        };
        if self.lagging_lists {
            self.unlisted_pipelines.insert(id);
        }
        self.pipelines.entry(id).insert_entry(pipeline).into_mut()
    }

    /// Of the pipeline, and of all its jobs that have not ended before.
    pub fn set_status(&mut self, id: u64, status: &str) {
        self.mark(id, status);
        let Some(pipeline) = self.pipelines.get_mut(&id) else {
            return;
        };
        let keeps = |job: &Job| job.retried || (has_ended(&job.status) && has_ended(status));
        for job in pipeline.jobs.iter_mut().filter(|job| !keeps(job)) {
            job.set_status(status);
        }
    }

    pub(super) fn mark(&mut self, id: u64, status: &str) {
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
        if has_ended(status) {
            self.tell_parent(id);
        }
    }

    pub(super) fn check_may_run(&self, user: u64, id: u64) -> Done {
        let pipeline = &self.pipelines[&id];
        let project = &self.projects[&pipeline.project_id];
        if project.runs_pipelines_for(Some(user), &pipeline.reference) {
            Ok(())
        } else {
            Err(Refusal::Forbidden)
        }
    }

    pub(super) fn check_may_cancel(&self, user: u64, id: u64) -> Done {
        let pipeline = &self.pipelines[&id];
        let project = &self.projects[&pipeline.project_id];
        if project.cancels_pipelines_for(Some(user), &pipeline.reference) {
            Ok(())
        } else {
            Err(Refusal::Forbidden)
        }
    }

    /// Ends what can be cancelled among its jobs, and those of its child pipelines. Where there is
    /// nothing, a job that waits for a person included, the asker is not told.
    pub fn cancel_pipeline(&mut self, user: u64, id: u64) -> Done {
        self.check_may_cancel(user, id)?;
        if !self.pipelines[&id].is_external() {
            self.cancel_jobs(id, |job| is_cancelable(&job.status));
        }
        for child in self.children(id) {
            self.cancel_pipeline(user, child)?;
        }
        Ok(())
    }

    /// What its jobs started in the same project.
    fn children(&self, id: u64) -> Vec<u64> {
        let jobs = self.pipelines[&id].jobs.iter();
        let started = jobs.filter_map(|job| job.trigger.as_ref()?.pipeline);
        started
            .filter(|child| {
                let child = self.pipelines.get(child);
                child.is_some_and(|child| child.source == "parent_pipeline")
            })
            .collect()
    }

    /// Runs again what failed or was cancelled, and what was skipped for it.
    pub fn retry_pipeline(&mut self, user: u64, id: u64) -> Done {
        self.check_may_run(user, id)?;
        let is_lost = |job: &&Job| matches!(job.status.as_str(), "failed" | "canceled");
        let lost: Vec<u64> = self.pipelines[&id]
            .current_jobs()
            .filter(is_lost)
            .map(|job| job.id)
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        for job in lost {
            self.replace_job(user, job);
        }
        let jobs = self.pipelines.get_mut(&id).into_iter();
        let skipped = jobs
            .flat_map(|pipeline| &mut pipeline.jobs)
            .filter(|job| job.status == "skipped");
        skipped.for_each(|job| job.set_status("created"));
        self.follow_jobs(id);
        Ok(())
    }

    pub fn is_listed(&self, pipeline: &Pipeline) -> bool {
        !self.unlisted_pipelines.contains(&pipeline.id)
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
