use super::{Role, Variable, World};
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

pub const CI_FILE: &str = ".gitlab-ci.yml";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    Private,
    Internal,
    Public,
}

#[derive(Clone, Debug)]
pub struct Project {
    pub id: u64,
    pub path_with_namespace: String,
    /// Paths that it had before it was moved or renamed.
    pub former_paths: Vec<String>,
    pub visibility: Visibility,
    pub archived: bool,
    /// A group above it is archived, which its own flag does not tell.
    pub in_archived_group: bool,
    pub marked_for_deletion_on: Option<NaiveDate>,
    pub forked_from: Option<u64>,
    pub members: BTreeMap<u64, Role>,

    pub default_branch: Option<String>,
    /// Branch → its head.
    pub branches: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    /// Branch → the least role that may push or merge to it; `None`: nobody may.
    pub protected_branches: BTreeMap<String, Option<Role>>,
    /// Protected branches to which that role may only merge, and nobody push.
    pub merge_only: BTreeSet<String>,
    pub protected_tags: BTreeMap<String, Option<Role>>,
    /// Path → content, the same on every branch.
    pub files: BTreeMap<String, String>,
    /// Where the CI file is, if not at [`CI_FILE`]: a path, or `path@group/project`.
    pub ci_config_path: Option<String>,

    pub only_allow_merge_if_all_discussions_are_resolved: bool,

    /// `none`, or how far a fork is.
    pub import_status: String,
    /// Whether it lets in no job tokens but its own and those of the following.
    pub limits_job_tokens: bool,
    pub job_token_allowlist: BTreeSet<u64>,
    /// Groups, all of whose projects it lets in.
    pub job_token_groups: BTreeSet<u64>,
    /// Resource groups that have been used, with the order that they keep.
    pub resource_groups: BTreeMap<String, String>,

    pub jobs_enabled: bool,
    pub auto_cancel_pending_pipelines: bool,
    pub restrict_user_defined_variables: bool,
    /// `developer`, `maintainer`, `owner` or `no_one_allowed`.
    pub ci_pipeline_variables_minimum_override_role: String,
    /// `developer`, `maintainer` or `no_one`; `None`: a server that cannot restrict it.
    pub ci_restrict_pipeline_cancellation_role: Option<String>,
    pub ci_delete_pipelines_in_seconds: Option<u64>,
    /// Whether new pipelines consist of what the CI file says: in projects that are made over the
    /// API, where no test says it.
    pub reads_ci_file: bool,
    /// What the YAML makes of a new pipeline, otherwise.
    pub job_names: Vec<String>,
    pub yaml_error: Option<String>,
    pub workflow_rules_filter: bool,
    /// What else its workflow rules refuse, pipeline by pipeline.
    pub refuses: Option<Refuses>,
    /// How many pipelines a user may start in a minute for one commit; `None`: any number.
    pub pipelines_per_minute: Option<usize>,
}

/// Looks at the variables of a new pipeline, and says why there is none.
#[derive(Clone)]
pub struct Refuses(Arc<Refusing>);

type Refusing = dyn Fn(&[Variable]) -> Option<String> + Send + Sync;

impl Refuses {
    pub fn new(why: impl Fn(&[Variable]) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(why))
    }

    pub(super) fn why(&self, variables: &[Variable]) -> Option<String> {
        (self.0)(variables)
    }
}

impl fmt::Debug for Refuses {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Refuses")
    }
}

impl Project {
    pub fn name(&self) -> &str {
        self.path_with_namespace
            .rsplit('/')
            .next()
            .unwrap_or_default()
    }

    pub fn namespace(&self) -> &str {
        self.path_with_namespace
            .rsplit_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    pub fn role(&self, user: Option<u64>) -> Option<Role> {
        self.members.get(&user?).copied()
    }

    pub fn is_at_least(&self, role: Role, user: Option<u64>) -> bool {
        self.role(user) >= Some(role)
    }

    pub fn is_visible_to(&self, user: Option<u64>) -> bool {
        match self.visibility {
            Visibility::Public => true,
            Visibility::Internal => user.is_some(),
            Visibility::Private => self.role(user).is_some(),
        }
    }

    /// Everybody who sees a public project may; a private one asks for a role.
    fn opens_to(&self, role: Role, user: Option<u64>) -> bool {
        match self.visibility {
            Visibility::Private => self.is_at_least(role, user),
            _ => self.is_visible_to(user),
        }
    }

    pub fn shows_merge_requests_to(&self, user: Option<u64>) -> bool {
        self.opens_to(Role::Planner, user)
    }

    pub fn shows_pipelines_to(&self, user: Option<u64>) -> bool {
        self.jobs_enabled && self.opens_to(Role::Reporter, user)
    }

    pub fn shows_code_to(&self, user: Option<u64>) -> bool {
        self.opens_to(Role::Reporter, user)
    }

    pub fn is_read_only(&self) -> bool {
        self.archived || self.in_archived_group || self.marked_for_deletion_on.is_some()
    }

    pub fn takes_notes_from(&self, user: u64) -> bool {
        !self.is_read_only() && self.opens_to(Role::Planner, Some(user))
    }

    pub fn is_developed_by(&self, user: Option<u64>) -> bool {
        !self.is_read_only() && self.is_at_least(Role::Developer, user)
    }

    /// May the user run and retry pipelines of `reference`?
    pub fn runs_pipelines_for(&self, user: Option<u64>, reference: &str) -> bool {
        self.is_developed_by(user) && self.lets_update(user, reference)
    }

    /// What runs in a project that takes no writes any more can still be stopped.
    pub fn cancels_pipelines_for(&self, user: Option<u64>, reference: &str) -> bool {
        let least = match self.ci_restrict_pipeline_cancellation_role.as_deref() {
            Some("maintainer") => Role::Maintainer,
            Some("no_one") => return false,
            _ => Role::Developer,
        };
        self.is_at_least(least, user) && self.lets_update(user, reference)
    }

    pub fn lets_update(&self, user: Option<u64>, reference: &str) -> bool {
        [&self.protected_branches, &self.protected_tags]
            .iter()
            .filter_map(|rules| rules.get(reference))
            .all(|least| least.is_some_and(|least| self.is_at_least(least, user)))
    }

    pub fn lets_push(&self, user: Option<u64>, branch: &str) -> bool {
        self.is_developed_by(user)
            && self.lets_update(user, branch)
            && !self.merge_only.contains(branch)
    }
}

impl World {
    /// A public project with one branch, `main`, and a CI file.
    pub fn add_project(&mut self, id: u64, path: &str) -> &mut Project {
        let head = self.add_commit(id, "Initial commit", Vec::new());
        let project = Project {
            id,
            path_with_namespace: path.to_owned(),
            former_paths: Vec::new(),
            visibility: Visibility::Public,
            archived: false,
            in_archived_group: false,
            marked_for_deletion_on: None,
            forked_from: None,
            members: BTreeMap::new(),
            default_branch: Some("main".to_owned()),
            branches: BTreeMap::from([("main".to_owned(), head)]),
            tags: BTreeMap::new(),
            protected_branches: BTreeMap::from([("main".to_owned(), Some(Role::Maintainer))]),
            merge_only: BTreeSet::new(),
            protected_tags: BTreeMap::new(),
            files: BTreeMap::from([(
                CI_FILE.to_owned(),
                "test:\n  script: make test\n".to_owned(),
            )]),
            ci_config_path: None,
            only_allow_merge_if_all_discussions_are_resolved: false,
            import_status: "none".to_owned(),
            limits_job_tokens: true,
            job_token_allowlist: BTreeSet::new(),
            job_token_groups: BTreeSet::new(),
            resource_groups: BTreeMap::new(),
            jobs_enabled: true,
            auto_cancel_pending_pipelines: true,
            restrict_user_defined_variables: true,
            ci_pipeline_variables_minimum_override_role: "maintainer".to_owned(),
            ci_restrict_pipeline_cancellation_role: None,
            ci_delete_pipelines_in_seconds: None,
            reads_ci_file: false,
            job_names: vec!["test".to_owned()],
            yaml_error: None,
            workflow_rules_filter: false,
            refuses: None,
            pipelines_per_minute: None,
        };
        self.projects.entry(id).insert_entry(project).into_mut()
    }

    /// By number, by path, or by a path that it had before.
    pub fn find_project(&self, id_or_path: &str) -> Option<&Project> {
        if let Ok(id) = id_or_path.parse() {
            return self.projects.get(&id);
        }
        let called = |project: &&Project| project.path_with_namespace == id_or_path;
        let once_called =
            |project: &&Project| project.former_paths.iter().any(|path| path == id_or_path);
        self.projects
            .values()
            .find(called)
            .or_else(|| self.projects.values().find(once_called))
    }

    /// Whether a pipeline finds what it consists of.
    pub fn has_ci_file(&self, project: &Project) -> bool {
        let path = project.ci_config_path.as_deref().unwrap_or(CI_FILE);
        match path.split_once('@') {
            None => project.files.contains_key(path),
            Some((path, other)) => self
                .find_project(other)
                .is_some_and(|other| other.files.contains_key(path)),
        }
    }

    pub fn move_project(&mut self, id: u64, new_path: &str) {
        if let Some(project) = self.projects.get_mut(&id) {
            let old_path = std::mem::replace(&mut project.path_with_namespace, new_path.to_owned());
            project.former_paths.push(old_path);
            self.transfer_labels(id);
        }
    }

    /// Deletes a project with all its pipelines; merge requests that came from it lose their
    /// source.
    pub fn delete_project(&mut self, id: u64) {
        self.projects.remove(&id);
        let gone: BTreeSet<u64> = self
            .pipelines
            .values()
            .filter(|p| p.project_id == id)
            .map(|p| p.id)
            .collect();
        for pipeline_id in gone {
            self.delete_pipeline(pipeline_id);
        }
        self.merge_requests.retain(|_, mr| mr.project_id != id);
        for mr in self
            .merge_requests
            .values_mut()
            .filter(|mr| mr.source_project_id == Some(id))
        {
            mr.source_project_id = None;
        }
    }

    /// A new commit at the head of a branch, which is made if it is not there.
    pub fn push_to(&mut self, project_id: u64, branch: &str) -> String {
        let branches = &self.projects[&project_id].branches;
        let default = self.projects[&project_id].default_branch.as_ref();
        let parent = branches.get(branch).or_else(|| branches.get(default?));
        let parents = parent.into_iter().cloned().collect();
        let sha = self.add_commit(project_id, &format!("Work on {branch}"), parents);
        self.set_branch(project_id, branch, &sha);
        sha
    }

    pub fn set_branch(&mut self, project_id: u64, branch: &str, sha: &str) {
        if let Some(project) = self.projects.get_mut(&project_id) {
            project.branches.insert(branch.to_owned(), sha.to_owned());
        }
    }
}
