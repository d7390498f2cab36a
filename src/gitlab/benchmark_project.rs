//! Requests to the benchmark project: the bot's pipelines, their variables and their jobs.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::ProjectClient;
use super::answer::{Job, Pipeline, Project, TriggerJob, Variable};
use super::error::Result;
use super::http::{PER_PAGE, segments};
use crate::id::{JobId, PipelineId, ProjectId};

pub struct BenchmarkProject(pub(super) ProjectClient);

impl BenchmarkProject {
    /// With a deadline of its own, and without retries: following a pipeline for hours must not hit a run's time limit.
    pub fn with_new_deadline(&self) -> Self {
        let http = Arc::new(self.0.http.with_new_deadline(0));
        Self(self.0.over(&http))
    }

    pub fn project(&self) -> &Project {
        &self.0.project
    }

    fn pipelines_path(&self) -> String {
        format!("projects/{}/pipelines", self.0.project.id)
    }

    /// The pipelines that the bot started through the API and that changed since `time`, lowest id first.
    pub fn changed_since(&self, time: DateTime<Utc>) -> Result<Vec<Pipeline>> {
        let since = time.to_rfc3339_opts(SecondsFormat::Millis, true);
        self.own("asc", &[("updated_after", since)], |_| false)
    }

    /// The bot's newest hundred pipelines, lowest id first.
    pub fn newest(&self) -> Result<Vec<Pipeline>> {
        self.own("desc", &[], |_| true)
    }

    /// The bot's pipelines created since `time`, and in any case its newest hundred.
    pub fn created_since(&self, time: DateTime<Utc>) -> Result<Vec<Pipeline>> {
        let is_older = |pipeline: &Pipeline| pipeline.created_at.is_some_and(|at| at < time);
        let older = |page: &[Pipeline]| page.iter().any(is_older);
        let mut pipelines = self.own("desc", &[], older)?;
        // If a pipeline is deleted while pages are read, the next one slips onto a page that was read already.
        if pipelines.len() > PER_PAGE {
            pipelines = by_id([pipelines, self.changed_since(time)?].concat());
        }
        Ok(pipelines)
    }

    fn own(
        &self,
        sort: &str,
        more: &[(&str, String)],
        enough: impl Fn(&[Pipeline]) -> bool,
    ) -> Result<Vec<Pipeline>> {
        let own = [
            ("username", self.0.bot.clone()),
            ("source", "api".to_owned()),
            ("order_by", "id".to_owned()),
            ("sort", sort.to_owned()),
        ];
        let (path, query) = (self.pipelines_path(), [&own, more].concat());
        let pipelines = self
            .0
            .http
            .get_until(&self.0.token, &path, &query, enough)?;
        let located = pipelines.into_iter().map(|found| self.located(found));
        Ok(by_id(located.collect()))
    }

    /// Fills in the pipeline's URL if GitLab leaves it out: notes link to it.
    fn located(&self, pipeline: Pipeline) -> Pipeline {
        let web_url = match pipeline.web_url.is_empty() {
            true => format!("{}/-/pipelines/{}", self.0.project.web_url, pipeline.id),
            false => pipeline.web_url,
        };
        Pipeline {
            web_url,
            ..pipeline
        }
    }

    /// One pipeline, with the times that lists leave out.
    pub fn pipeline(&self, pipeline: PipelineId) -> Result<Pipeline> {
        let path = format!("{}/{pipeline}", self.pipelines_path());
        let found = self.0.http.get(&self.0.token, &path)?;
        Ok(self.located(found))
    }

    /// A pipeline of another project. `None`: it is gone, which is certain only if the bot can see that project.
    pub fn pipeline_in(
        &self,
        project: ProjectId,
        pipeline: PipelineId,
    ) -> Result<Option<Pipeline>> {
        let (http, token) = (&self.0.http, &self.0.token);
        let project = format!("projects/{project}");
        match http.get(token, &format!("{project}/pipelines/{pipeline}")) {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.not_found() => http.get::<Project>(token, &project).map(|_| None),
            Err(error) => Err(error),
        }
    }

    /// Whether the bot started it through the API, as far as GitLab says.
    pub fn is_by_bot(&self, pipeline: &Pipeline) -> bool {
        let user = pipeline.user.as_ref();
        let source = pipeline.source.as_deref();
        user.is_none_or(|user| user.username == self.0.bot)
            && source.is_none_or(|source| source == "api")
    }

    pub fn variables(&self, pipeline: PipelineId) -> Result<Vec<Variable>> {
        // This list has no pages: GitLab returns all variables at once, without `x-next-page`.
        let path = format!("{}/{pipeline}/variables", self.pipelines_path());
        self.0.http.get(&self.0.token, &path)
    }

    /// The pipeline's jobs, oldest first, without those that were retried.
    pub fn jobs(&self, pipeline: PipelineId) -> Result<Vec<Job>> {
        let path = format!("{}/{pipeline}/jobs", self.pipelines_path());
        let mut jobs: Vec<Job> = self.0.http.get_all(&self.0.token, &path, &[])?;
        jobs.sort_by_key(|job| job.id);
        jobs.dedup_by_key(|job| job.id);
        Ok(jobs)
    }

    /// The pipeline's jobs that start other pipelines, oldest first, without those that were retried.
    pub fn trigger_jobs(&self, pipeline: PipelineId) -> Result<Vec<TriggerJob>> {
        let path = format!("{}/{pipeline}/bridges", self.pipelines_path());
        let mut jobs: Vec<TriggerJob> = self.0.http.get_all(&self.0.token, &path, &[])?;
        jobs.sort_by_key(|trigger| trigger.job.id);
        jobs.dedup_by_key(|trigger| trigger.job.id);
        Ok(jobs)
    }

    /// At most the first `most` bytes of a file among a job's artifacts.
    pub fn artifact(&self, job: JobId, file: &str, most: u64) -> Result<Vec<u8>> {
        let (project, file) = (self.0.project.id, segments(file));
        let path = format!("projects/{project}/jobs/{job}/artifacts/{file}");
        self.0.http.get_beginning(&self.0.token, &path, most)
    }

    pub fn create_pipeline(&self, ref_name: &str, variables: &[Variable]) -> Result<Pipeline> {
        let path = format!("projects/{}/pipeline", self.0.project.id);
        let body = json!({ "ref": ref_name, "variables": variables });
        let created = self.0.http.post(&self.0.token, &path, &body)?;
        Ok(self.located(created))
    }

    /// Returns the pipeline as it is then. GitLab answers with success even if the cancel has no effect, or has it later.
    pub fn cancel(&self, pipeline: PipelineId) -> Result<Pipeline> {
        let path = format!("{}/{pipeline}/cancel", self.pipelines_path());
        self.0.http.post_idempotent(&self.0.token, &path, None)
    }

    /// Returns the job as it is then. This also cancels a manual job, which cancelling the pipeline leaves alone.
    pub fn cancel_job(&self, job: JobId) -> Result<Job> {
        let path = format!("projects/{}/jobs/{job}/cancel", self.0.project.id);
        self.0.http.post_idempotent(&self.0.token, &path, None)
    }
}

/// Sorts by id, removes duplicates, and drops pipelines of other sources in case a server ignores that parameter.
pub fn by_id(mut pipelines: Vec<Pipeline>) -> Vec<Pipeline> {
    pipelines.retain(|pipeline| {
        pipeline
            .source
            .as_deref()
            .is_none_or(|source| source == "api")
    });
    pipelines.sort_by_key(|pipeline| pipeline.id);
    pipelines.dedup_by_key(|pipeline| pipeline.id);
    pipelines
}
