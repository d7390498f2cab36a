//! What people do to GitLab: the verbs of tests.

use crate::fault::Fault;
use crate::merge_request::{LABEL, Mr};
use crate::request::Request;
use crate::server::{State, lock};
use crate::world::{
    ADA, BENCH_BOT, ENGINE, FORK, LabelChange, LabelOwner, MALLORY, Project, RateLimit, Refuses,
    Role, Time, Token, Variable, Visibility, World,
};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

/// Hands on a GitLab: clone it to act from another thread, or from within a fault's hook. All panic
/// on misuse.
#[derive(Clone)]
pub struct People {
    state: Arc<State>,
    url: String,
}

impl People {
    pub(crate) fn new(state: Arc<State>, url: String) -> Self {
        Self { state, url }
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

    /// The same as [`People::fork_mr`] by whomever, who chooses the label `benchmarking` in the form:
    /// the event is there, the first version comes with [`People::run_background_jobs`]. GitLab drops the label of
    /// an author who may not set it, and does not say so.
    pub fn fork_mr_labelled(&self, branch: &str, author: &str) -> Mr {
        self.open_labelled(author, FORK, branch)
    }

    /// Likewise, from a branch of `acme/engine`.
    pub fn mr_labelled(&self, branch: &str, author: &str) -> Mr {
        self.open_labelled(author, ENGINE, branch)
    }

    fn open_labelled(&self, author: &str, source_project: u64, branch: &str) -> Mr {
        let author = self.user_id(author);
        let id = self.act(|world| {
            let id = world.create_merge_request(author, source_project, branch, ENGINE);
            let labels = LabelChange::adding(vec![LABEL.to_owned()]);
            world.change_labels(author, id, &labels);
            id
        });
        Mr::new(self.clone(), id)
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

    /// `acme/automation`, whose jobs run bench-bot. As a job there knows it, by its id.
    pub fn automate(&self) -> u64 {
        self.act(|world| {
            let id = 1 + world.projects.keys().max().copied().unwrap_or_default();
            let project = world.add_project(id, "acme/automation");
            project.visibility = Visibility::Private;
            project
                .members
                .extend([(ADA, Role::Owner), (BENCH_BOT, Role::Maintainer)]);
            project.ci_pipeline_variables_minimum_override_role = "no_one_allowed".to_owned();
            project.job_names = vec!["bench-bot".to_owned()];
            id
        })
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

    /// As a project is that has just been made: without a commit, but with a default branch.
    pub fn empty_project(&self, project: &str) {
        self.configure(project, |project| {
            project.branches.clear();
            project.tags.clear();
            project.files.clear();
            project.protected_branches.clear();
        });
    }

    /// The workflow rules of a project refuse pipelines by their variables.
    pub fn refuse(
        &self,
        project: &str,
        why: impl Fn(&[Variable]) -> Option<String> + Send + Sync + 'static,
    ) {
        self.configure(project, |project| project.refuses = Some(Refuses::new(why)));
    }

    /// A token becomes a fine-grained one, with these permissions out of [`crate::permissions`].
    pub fn grant(&self, secret: &str, permissions: &[&str]) {
        self.change_token(secret, |token| {
            token.scopes = vec!["granular".to_owned()];
            token.permissions = permissions.iter().map(|&name| name.to_owned()).collect();
        });
    }

    /// So many requests a minute are answered to each token; `told`: every answer says how many are
    /// left, as GitLab.com's do, not only a refusal.
    pub fn limit_rate(&self, per_minute: u64, told: bool) {
        self.world().rate_limit = Some(RateLimit::new(per_minute, told));
    }

    /// What a user is in a project from now on; `None`: no member.
    pub fn role(&self, username: &str, project: &str, role: impl Into<Option<Role>>) {
        let user = self.user_id(username);
        self.configure(project, |project| match role.into() {
            Some(role) => project.members.extend([(user, role)]),
            None => project.members.retain(|&member, _| member != user),
        });
    }

    /// A commit on a branch of a project; the pipelines that it makes redundant end with the next
    /// one there.
    pub fn push_to(&self, project: &str, branch: &str) -> String {
        let project_id = self.project_id(project);
        self.act(|world| world.push_to(project_id, branch))
    }

    /// Lets GitLab's background jobs catch up, each by one step: see [`World::run_background_jobs`].
    pub fn run_background_jobs(&self) {
        self.act(World::run_background_jobs);
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

    /// Makes it a label of the group `acme`.
    pub fn promote_label(&self, title: &str) {
        let id = self.label_id(title);
        self.act(|world| world.promote_label(id, "acme"));
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

    /// Labels are on a merge request before their events, which [`People::run_background_jobs`] writes.
    pub fn events_come_late(&self) {
        self.world().late_events = true;
    }

    /// Everything that they have done passes to the ghost user.
    pub fn delete_user(&self, username: &str) {
        let id = self.user_id(username);
        self.act(|world| world.delete_user(id));
    }

    /// To another path, which may be in another group: see what becomes of its labels in
    /// [`World::move_project`].
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

    /// Told of each request once it has taken effect, before its answer goes out.
    pub fn answered(&self, hook: impl Fn(&Request) + Send + Sync + 'static) {
        *lock(&self.state.answered) = Some(Arc::new(hook));
    }

    /// Neither asks nor tells any more.
    pub fn no_faults(&self) {
        lock(&self.state.hook).take();
        lock(&self.state.answered).take();
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
