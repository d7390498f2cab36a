//! What people do to GitLab: the verbs of tests.

use crate::fault::Fault;
use crate::merge_request::Mr;
use crate::request::Request;
use crate::server::{State, lock};
use crate::world::{
    self, ADA, BENCHMARKS, ENGINE, FORK, Job, LabelOwner, MALLORY, Project, Role, Time, Token,
    Variable, World,
};
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

/// Hands on a GitLab: clone it to act from another thread, or from within a fault's hook. All panic
/// on misuse.
#[derive(Clone)]
pub struct People {
    state: Arc<State>,
    url: String,
}

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
    pub(crate) fn new(state: Arc<State>, url: String) -> Self {
        Self { state, url }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Where the server is reached, with its relative path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The state itself, for whatever there is no verb for. Let go of it before the next verb or
    /// request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.state.world)
    }

    /// One write, which takes a second.
    pub(crate) fn act<T>(&self, verb: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world();
        let result = verb(&mut world);
        world.clock.tick();
        result
    }

    pub fn now(&self) -> Time {
        self.world().now()
    }

    pub fn later(&self, duration: Duration) {
        self.world().later(duration);
    }

    /// A new merge request by Ada in `acme/engine`, with one commit and no pipeline.
    pub fn mr(&self, branch: &str) -> Mr {
        self.open(ADA, ENGINE, branch, ENGINE)
    }

    /// The same by Mallory, from her fork.
    pub fn fork_mr(&self, branch: &str) -> Mr {
        self.open(MALLORY, FORK, branch, ENGINE)
    }

    pub fn mr_in(&self, project: &str, branch: &str) -> Mr {
        let project = self.project_id(project);
        self.open(ADA, project, branch, project)
    }

    fn open(&self, author: u64, source_project: u64, branch: &str, target_project: u64) -> Mr {
        let id = self
            .act(|world| world.open_merge_request(author, source_project, branch, target_project));
        Mr::new(self.clone(), id)
    }

    /// The merge request that is there already.
    pub fn existing_mr(&self, project: &str, iid: u64) -> Mr {
        let project = self.project_id(project);
        let id = self
            .world()
            .find_merge_request(project, iid)
            .map(|mr| mr.id);
        Mr::new(
            self.clone(),
            id.unwrap_or_else(|| panic!("there is no !{iid}")),
        )
    }

    pub(crate) fn project_id(&self, path: &str) -> u64 {
        let id = self.world().find_project(path).map(|project| project.id);
        id.unwrap_or_else(|| panic!("there is no project {path}"))
    }

    pub(crate) fn user_id(&self, username: &str) -> u64 {
        let id = self.world().user_named(username).map(|user| user.id);
        id.unwrap_or_else(|| panic!("nobody is called {username}"))
    }

    /// Settings, members, branches, files: whatever belongs to a project.
    pub fn configure(&self, project: &str, change: impl FnOnce(&mut Project)) {
        let id = self.project_id(project);
        self.act(|world| change(world.projects.get_mut(&id).expect("the project is there")));
    }

    /// Scopes, expiry: whatever belongs to a token.
    pub fn change_token(&self, secret: &str, change: impl FnOnce(&mut Token)) {
        self.act(|world| change(world.token_mut(secret)));
    }

    /// What a user is in a project from now on; `None`: no member.
    pub fn role(&self, username: &str, project: &str, role: impl Into<Option<Role>>) {
        let user = self.user_id(username);
        self.configure(project, |project| match role.into() {
            Some(role) => project.members.extend([(user, role)]),
            None => project.members.retain(|&member, _| member != user),
        });
    }

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

    /// Ada runs the jobs again that failed or were cancelled.
    pub fn retry(&self, id: u64) {
        let retried = self.act(|world| world.retry_pipeline(ADA, id));
        retried.unwrap_or_else(|refusal| panic!("GitLab refuses: {refusal:?}"));
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

    /// A commit on a branch of a project; the pipelines that it makes redundant end with the next
    /// one there.
    pub fn push_to(&self, project: &str, branch: &str) -> String {
        let project_id = self.project_id(project);
        self.act(|world| world.push_to(project_id, branch))
    }

    /// Brings slow cancellations one step on.
    pub fn settle(&self) {
        self.act(World::settle);
    }

    /// Renames a label that `acme/engine` has or inherits.
    pub fn rename_label(&self, title: &str, new_title: &str) {
        let id = self.label_id(title);
        self.act(|world| {
            if let Some(label) = world.labels.get_mut(&id) {
                label.title = new_title.to_owned();
            }
        });
    }

    pub fn delete_label(&self, title: &str) {
        let id = self.label_id(title);
        self.act(|world| world.delete_label(id));
    }

    fn label_id(&self, title: &str) -> u64 {
        let id = self
            .world()
            .label_titled(ENGINE, title)
            .map(|label| label.id);
        id.unwrap_or_else(|| panic!("acme/engine has no label {title}"))
    }

    pub fn group_label(&self, group: &str, title: &str) {
        self.act(|world| {
            world
                .add_label(LabelOwner::Group(group.to_owned()), title)
                .id
        });
    }

    pub fn move_project(&self, old_path: &str, new_path: &str) {
        let id = self.project_id(old_path);
        self.act(|world| world.move_project(id, new_path));
    }

    /// Pages of label events and discussions hold only one readable row in so many more.
    pub fn short_pages(&self, unreadable_rows: usize) {
        self.world().unreadable_rows = unreadable_rows;
    }

    /// Asked about each request to the API before anything is done; it may itself act on the world,
    /// or wait.
    pub fn fault(&self, hook: impl Fn(&Request) -> Option<Fault> + Send + Sync + 'static) {
        *lock(&self.state.hook) = Some(Arc::new(hook));
    }

    pub fn no_faults(&self) {
        lock(&self.state.hook).take();
    }

    /// Lets every answer take that long.
    pub fn delay(&self, delay: Duration) {
        *lock(&self.state.delay) = delay;
    }

    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state.requests).clone()
    }

    pub fn writes(&self) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(Request::is_write)
            .collect()
    }

    pub fn clear_requests(&self) {
        lock(&self.state.requests).clear();
    }

    /// What was asked that GitLab would have ignored; with any left, dropping the server fails the
    /// test.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state.violations))
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
