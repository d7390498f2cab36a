use super::{Job, Pipeline, World, has_ended};
use std::time::Duration;

/// What becomes of a job that a runner takes.
#[derive(Clone, Debug)]
pub struct Work {
    pub takes: Duration,
    /// How it ends.
    pub status: &'static str,
    pub prints: String,
    /// Artifacts: path and content.
    pub leaves: Vec<(String, String)>,
}

impl Work {
    pub fn success(takes: Duration) -> Self {
        Self {
            takes,
            status: "success",
            prints: String::new(),
            leaves: Vec::new(),
        }
    }

    pub fn prints(mut self, text: &str) -> Self {
        self.prints.push_str(text);
        self
    }

    pub fn leaves(mut self, path: &str, content: &str) -> Self {
        self.leaves.push((path.to_owned(), content.to_owned()));
        self
    }
}

impl World {
    /// Jobs on their way, each with the pipeline that it is in: of projects whose pipelines follow
    /// their CI file, for the others are in the hands of the test.
    pub fn jobs_on_their_way(&self) -> Vec<(u64, u64)> {
        let followed = |pipeline: &&Pipeline| {
            let project = self.projects.get(&pipeline.project_id);
            project.is_some_and(|project| project.reads_ci_file)
        };
        let alive = |job: &&Job| !has_ended(&job.status) && !job.cancel_requested;
        let pipelines = self.pipelines.values().filter(followed);
        pipelines
            .flat_map(|pipeline| {
                let alive = pipeline.current_jobs().filter(alive);
                alive.map(|job| (pipeline.id, job.id))
            })
            .collect()
    }

    /// One step of a job; a running one ends if it is `done`.
    pub fn step_job(&mut self, pipeline_id: u64, job_id: u64, done: Option<&Work>) {
        let pipeline = self.pipelines.get_mut(&pipeline_id).into_iter();
        let mut jobs = pipeline.flat_map(|pipeline| &mut pipeline.jobs);
        let Some(job) = jobs.find(|job| job.id == job_id) else {
            return;
        };
        match (job.status.as_str(), done) {
            ("created", _) if job.manual => job.set_status("manual"),
            ("created", _) => job.set_status("pending"),
            ("pending", _) => job.set_status("running"),
            ("running", Some(work)) => {
                job.set_status(work.status);
                job.trace.push_str(&work.prints);
                job.artifacts.extend(work.leaves.iter().cloned());
            }
            _ => return,
        }
        self.follow_jobs(pipeline_id);
    }
}
