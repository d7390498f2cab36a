//! What people and runners do to pipelines, and what they see of them.

use crate::merge_request::{Mr, allowed, head};
use crate::people::People;
use crate::world::{self, ADA, BENCHMARKS, Job, Time, Variable, World};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// A pipeline as it stood when it was asked for.
#[derive(Clone, Debug)]
pub struct Pipeline {
    pub id: u64,
    pub project_id: u64,
    pub status: String,
    pub source: String,
    pub reference: String,
    pub sha: String,
    /// Username.
    pub user: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub variables: Vec<(String, String)>,
    pub url: String,
}

impl Pipeline {
    pub fn variable(&self, key: &str) -> Option<&str> {
        self.variables
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    pub fn has_ended(&self) -> bool {
        world::has_ended(&self.status)
    }

    /// What its jobs see, with a secret among it.
    pub fn job_sees(&self) -> BTreeMap<String, String> {
        let variables: Vec<Variable> = self
            .variables
            .iter()
            .map(|(key, value)| Variable::new(key, value))
            .collect();
        crate::job_sees(
            &variables,
            &[("CI", "true"), ("CI_JOB_TOKEN", "glcbt-secret")],
        )
    }
}

impl People {
    /// All pipelines of `acme/benchmarks`, the oldest first.
    pub fn benchmarks(&self) -> Vec<Pipeline> {
        let world = self.world();
        let pipelines = world
            .pipelines
            .values()
            .filter(|pipeline| pipeline.project_id == BENCHMARKS);
        pipelines.map(|pipeline| view(&world, pipeline)).collect()
    }

    pub fn pipeline(&self, id: u64) -> Pipeline {
        let world = self.world();
        let pipeline = world
            .pipelines
            .get(&id)
            .map(|pipeline| view(&world, pipeline));
        drop(world);
        pipeline.unwrap_or_else(|| panic!("there is no pipeline {id}"))
    }

    pub fn benchmark_runs(&self, id: u64) {
        self.set_status("acme/benchmarks", id, "running");
    }

    pub fn benchmark_ends(&self, id: u64, status: &str) {
        self.world().stuck.remove(&id);
        self.set_status("acme/benchmarks", id, status);
    }

    /// It gets that status and keeps it, cancelled or not, until [`People::benchmark_ends`].
    pub fn benchmark_hangs(&self, id: u64, status: &str) {
        self.set_status("acme/benchmarks", id, status);
        self.world().stuck.insert(id);
    }

    /// All its jobs have succeeded, but for one that waits for somebody to start it.
    pub fn benchmark_blocked(&self, id: u64, job: &str) {
        self.act(|world| world.block_pipeline(id, job));
    }

    /// Ada cancels what can be cancelled.
    pub fn cancel(&self, id: u64) {
        allowed(self.act(|world| world.cancel_pipeline(ADA, id)));
    }

    /// Ada runs the jobs again that failed or were cancelled.
    pub fn retry(&self, id: u64) {
        allowed(self.act(|world| world.retry_pipeline(ADA, id)));
    }

    /// Ada starts a job that waits for it.
    pub fn play(&self, id: u64, job: &str) {
        allowed(self.act(|world| {
            let job = world.job_mut(id, job).expect("the pipeline is there").id;
            world.play_job(ADA, job)
        }));
    }

    /// A job of a benchmark: one that has ended stays as it is when the benchmark ends.
    pub fn benchmark_job(&self, id: u64, name: &str, change: impl FnOnce(&mut Job)) {
        let job = |world: &mut World| world.job_mut(id, name).map(change);
        let changed = self.act(job);
        changed.unwrap_or_else(|| panic!("there is no pipeline {id}"));
    }

    pub fn job_fails(&self, id: u64, name: &str, reason: &str) {
        self.benchmark_job(id, name, |job| {
            job.set_status("failed");
            job.failure_reason = Some(reason.to_owned());
        });
    }

    /// A job of a benchmark starts another pipeline, in the same project or in another, and depends
    /// on how that ends; the new one's id.
    pub fn benchmark_triggers(&self, id: u64, job: &str, project: &str) -> u64 {
        let project = self.project_id(project);
        let triggered = self.act(|world| world.trigger_pipeline(id, job, project));
        triggered.unwrap_or_else(|| panic!("there is no pipeline {id}, or no branch"))
    }

    /// A file among a job's artifacts.
    pub fn benchmark_leaves(&self, id: u64, job: &str, path: &str, content: &str) {
        self.benchmark_job(id, job, |job| {
            job.artifacts.insert(path.to_owned(), content.to_owned());
        });
    }

    pub fn set_status(&self, project: &str, id: u64, status: &str) {
        let project_id = self.project_id(project);
        assert_eq!(
            self.pipeline(id).project_id,
            project_id,
            "pipeline {id} is not of {project}"
        );
        self.act(|world| world.set_status(id, status));
    }

    /// A pipeline on the default branch, whoever or whatever made it.
    pub fn pipeline_by(
        &self,
        user: &str,
        project: &str,
        source: &str,
        variables: &[(&str, &str)],
    ) -> u64 {
        let (user, project_id) = (self.user_id(user), self.project_id(project));
        self.act(|world| {
            let project = &world.projects[&project_id];
            let branch = project
                .default_branch
                .clone()
                .expect("the project has a default branch");
            let sha = project.branches[&branch].clone();
            let pipeline = world.add_pipeline(project_id, &branch, &sha, source, user);
            pipeline.variables = variables
                .iter()
                .map(|&(key, value)| Variable::new(key, value))
                .collect();
            pipeline.id
        })
    }

    pub fn delete_pipeline(&self, id: u64) {
        self.act(|world| world.delete_pipeline(id));
    }

    /// Lists of pipelines lack what was made since the last [`People::run_background_jobs`].
    pub fn lists_lag(&self) {
        self.world().lagging_lists = true;
    }
}

impl Mr {
    pub fn passed(&self) -> Self {
        self.pipeline("success")
    }

    pub fn failed(&self) -> Self {
        self.pipeline("failed")
    }

    pub fn running(&self) -> Self {
        self.pipeline("running")
    }

    /// The branch pipeline of the present head gets that status; if there is none on its way, it is
    /// made.
    pub fn pipeline(&self, status: &str) -> Self {
        self.act(|world, id| {
            let mr = &world.merge_requests[&id];
            let pipeline = mr.head_pipeline_id.and_then(|id| world.pipelines.get(&id));
            let on_its_way = pipeline.filter(|pipeline| {
                Some(pipeline.sha.as_str()) == mr.sha() && !pipeline.has_ended()
            });
            let pipeline_id = match on_its_way {
                Some(pipeline) => pipeline.id,
                None => {
                    let (branch, sha) = (mr.source_branch.clone(), head(mr));
                    let project = mr.source_project_id.expect("the fork is there");
                    let pipeline = world.add_pipeline(project, &branch, &sha, "push", mr.author_id);
                    pipeline.id
                }
            };
            world.set_status(pipeline_id, status);
            world.mr_mut(id).head_pipeline_id = Some(pipeline_id);
        })
    }

    /// A merge request pipeline of the source head ("detached").
    pub fn detached(&self, status: &str) -> Self {
        self.act(|world, id| {
            let mr = &world.merge_requests[&id];
            let project = mr.source_project_id.expect("the fork is there");
            let sha = head(mr);
            add_mr_pipeline(world, id, project, "head", &sha, status);
        })
    }

    /// A pipeline of what the merge would give: a commit of its own, in the target project.
    pub fn merged_results(&self, status: &str) -> Self {
        self.act(|world, id| add_merge_pipeline(world, id, "merge", status))
    }

    pub fn train(&self, status: &str) -> Self {
        self.act(|world, id| add_merge_pipeline(world, id, "train", status))
    }

    /// A merge train's that squashes: a commit of which the source head is no parent.
    pub fn squashing_train(&self, status: &str) -> Self {
        self.act(|world, id| {
            let target = world.merge_requests[&id].project_id;
            let sha = world.squash_commit(id);
            add_mr_pipeline(world, id, target, "train", &sha, status);
        })
    }

    /// What a service outside of GitLab reports about the source head.
    pub fn external(&self, status: &str) -> Self {
        self.act(|world, id| {
            let mr = &world.merge_requests[&id];
            let (branch, sha, author) = (mr.source_branch.clone(), head(mr), mr.author_id);
            let project = mr.source_project_id.expect("the fork is there");
            let pipeline = world.add_pipeline(project, &branch, &sha, "external", author);
            let pipeline_id = pipeline.id;
            world.set_status(pipeline_id, status);
            world.mr_mut(id).head_pipeline_id = Some(pipeline_id);
        })
    }

    /// Puts the start of the head pipeline so many minutes into the past.
    pub fn pipeline_started(&self, minutes_ago: i64) -> Self {
        self.act(|world, id| {
            let started = world.now() - TimeDelta::minutes(minutes_ago);
            let pipeline_id = world.merge_requests[&id]
                .head_pipeline_id
                .expect("there is a head pipeline");
            let pipeline = world
                .pipelines
                .get_mut(&pipeline_id)
                .expect("the head pipeline is there");
            pipeline.started_at = Some(started);
            pipeline.created_at = pipeline.created_at.min(started);
        })
    }

    pub fn head_pipeline_id(&self) -> Option<u64> {
        self.look(|_, mr| mr.head_pipeline_id)
    }
}

pub(crate) fn view(world: &World, pipeline: &world::Pipeline) -> Pipeline {
    Pipeline {
        id: pipeline.id,
        project_id: pipeline.project_id,
        status: pipeline.status.clone(),
        source: pipeline.source.clone(),
        reference: pipeline.reference.clone(),
        sha: pipeline.sha.clone(),
        user: pipeline.user_id.map(|id| world.user(id).username),
        created_at: pipeline.created_at,
        updated_at: pipeline.updated_at,
        started_at: pipeline.started_at,
        finished_at: pipeline.finished_at,
        variables: pipeline
            .variables
            .iter()
            .map(|v| (v.key.clone(), v.value.clone()))
            .collect(),
        url: world.pipeline_url(pipeline),
    }
}

fn add_merge_pipeline(world: &mut World, id: u64, kind: &str, status: &str) {
    let target = world.merge_requests[&id].project_id;
    let sha = world.merge_commit(id);
    add_mr_pipeline(world, id, target, kind, &sha, status);
}

fn add_mr_pipeline(world: &mut World, id: u64, project: u64, kind: &str, sha: &str, status: &str) {
    let mr = &world.merge_requests[&id];
    let (reference, author) = (
        format!("refs/merge-requests/{}/{kind}", mr.iid),
        mr.author_id,
    );
    let pipeline = world.add_pipeline(project, &reference, sha, "merge_request_event", author);
    pipeline.merge_request_id = Some(id);
    let pipeline_id = pipeline.id;
    world.set_status(pipeline_id, status);
    world.mr_mut(id).head_pipeline_id = Some(pipeline_id);
}
