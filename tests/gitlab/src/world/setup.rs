//! What makes a project and fills it: creation, forks, commits, and merge requests from branches
//! that are there.

use super::projects::Visibility;
use super::{Done, LabelChange, PlannedJob, Refusal, Role, World};
use std::collections::BTreeMap;

/// A file of a commit.
pub struct FileChange {
    /// `create` or `update`.
    pub action: String,
    pub path: String,
    pub content: String,
}

/// Whence and whither.
pub struct NewMergeRequest {
    pub source_project: u64,
    pub source_branch: String,
    pub target_project: u64,
    pub target_branch: String,
    pub title: String,
    pub labels: Vec<String>,
}

impl World {
    /// An empty project, with the members of its group.
    pub fn create_project(
        &mut self,
        user: u64,
        group: u64,
        path: &str,
        visibility: Visibility,
    ) -> Done<u64> {
        let group = &self.groups[&group];
        if group.members.get(&user) < Some(&Role::Maintainer) {
            return Err(Refusal::invalid("namespace", "is not valid"));
        }
        let full_path = format!("{}/{path}", group.path);
        let members = group.members.clone();
        if self.find_project(&full_path).is_some() {
            return Err(Refusal::invalid("path", "has already been taken"));
        }
        let id = self.projects.keys().max().map_or(1, |last| last + 1);
        let project = self.add_project(id, &full_path);
        project.visibility = visibility;
        project.members = members;
        project.branches.clear();
        project.files.clear();
        project.reads_ci_file = true;
        Ok(id)
    }

    /// A copy, whose import is done by [`World::finish_imports`].
    pub fn fork_project(&mut self, user: u64, parent: u64, group: u64, path: &str) -> Done<u64> {
        let visibility = self.projects[&parent].visibility;
        let fork = self.create_project(user, group, path, visibility)?;
        let parent = &self.projects[&parent];
        let (parent_id, branches) = (parent.id, parent.branches.clone());
        let (files, default) = (parent.files.clone(), parent.default_branch.clone());
        for commit in self.commits.values_mut() {
            if commit.projects.contains(&parent_id) {
                commit.projects.insert(fork);
            }
        }
        if let Some(project) = self.projects.get_mut(&fork) {
            project.forked_from = Some(parent_id);
            project.import_status = "scheduled".to_owned();
            project.branches = branches;
            project.files = files;
            project.default_branch = default;
        }
        Ok(fork)
    }

    pub fn finish_imports(&mut self) {
        for project in self.projects.values_mut() {
            if project.import_status == "scheduled" {
                project.import_status = "finished".to_owned();
            }
        }
    }

    /// A commit on a branch, which is made from `start` if that is given, and the pipeline that it
    /// sets off.
    pub fn commit_files(
        &mut self,
        user: u64,
        project_id: u64,
        branch: &str,
        start: Option<&str>,
        message: &str,
        changes: Vec<FileChange>,
    ) -> Done<String> {
        let project = &self.projects[&project_id];
        if !project.lets_push(Some(user), branch) {
            return Err(Refusal::Forbidden);
        }
        let refused = |reason: &str| Err(Refusal::Plain(reason.to_owned()));
        if start.is_some() && project.branches.contains_key(branch) {
            return refused(&format!(
                "A branch called '{branch}' already exists. Switch to that branch in order to make changes"
            ));
        }
        let parent = project.branches.get(start.unwrap_or(branch)).cloned();
        if parent.is_none() && !project.branches.is_empty() {
            return refused("You can only create or edit files when you are on a branch");
        }
        for change in &changes {
            match (
                change.action.as_str(),
                project.files.contains_key(&change.path),
            ) {
                ("create", true) => return refused("A file with this name already exists"),
                ("update", false) => return refused("A file with this name doesn't exist"),
                _ => {}
            }
        }
        let sha = self.add_commit(project_id, message, parent.into_iter().collect());
        self.set_branch(project_id, branch, &sha);
        if let Some(project) = self.projects.get_mut(&project_id) {
            let files = changes
                .into_iter()
                .map(|change| (change.path, change.content));
            project.files.extend(files);
        }
        self.after_push(user, project_id, branch, &sha);
        Ok(sha)
    }

    fn after_push(&mut self, user: u64, project_id: u64, branch: &str, sha: &str) {
        let is_from_it = |id: &u64| {
            let mr = &self.merge_requests[id];
            (mr.source_project_id, mr.source_branch.as_str()) == (Some(project_id), branch)
                && mr.state == "opened"
        };
        let from_it: Vec<u64> = self
            .merge_requests
            .keys()
            .copied()
            .filter(is_from_it)
            .collect();
        for &mr in &from_it {
            self.move_head(mr, sha);
        }
        // A push that the CI file has no job for makes no pipeline, and nobody is told.
        let Ok(Some(planned)) = self.planned_jobs(project_id, "push", branch, &[]) else {
            return;
        };
        let pipeline = self.add_pipeline(project_id, branch, sha, "push", user).id;
        self.plan_jobs(pipeline, planned);
        for mr in from_it {
            self.mr_mut(mr).head_pipeline_id = Some(pipeline);
        }
    }

    /// Its labels come before GitLab knows its commits.
    pub fn open_merge_request_from(&mut self, user: u64, new: NewMergeRequest) -> Done<u64> {
        let source = &self.projects[&new.source_project];
        if !source.is_developed_by(Some(user)) {
            return Err(Refusal::Forbidden);
        }
        let Some(sha) = source.branches.get(&new.source_branch).cloned() else {
            return Err(Refusal::invalid("source_branch", "does not exist"));
        };
        let twin = self.merge_requests.values().find(|mr| {
            mr.state == "opened"
                && mr.source_project_id == Some(new.source_project)
                && mr.source_branch == new.source_branch
                && mr.target_branch == new.target_branch
        });
        if let Some(twin) = twin {
            let fault = "Another open merge request already exists for this source branch";
            return Err(Refusal::Conflict(format!("{fault}: !{}", twin.iid)));
        }
        let NewMergeRequest {
            source_project,
            target_project,
            ..
        } = new;
        let id = self.new_merge_request(user, source_project, &new.source_branch, target_project);
        let mr = self.mr_mut(id);
        mr.title = new.title;
        mr.target_branch = new.target_branch;
        self.change_labels(user, id, &LabelChange::adding(new.labels));
        let of_head = self.pipelines.values().rfind(|pipeline| {
            pipeline.project_id == source_project
                && pipeline.reference == new.source_branch
                && pipeline.sha == sha
        });
        self.mr_mut(id).head_pipeline_id = of_head.map(|pipeline| pipeline.id);
        Ok(id)
    }

    /// The first time, a project is only marked, under another name.
    pub fn remove_project(&mut self, user: u64, id: u64, permanently: Option<&str>) -> Done {
        let project = &self.projects[&id];
        if !project.is_at_least(Role::Owner, Some(user)) {
            return Err(Refusal::Forbidden);
        }
        match permanently {
            None if project.marked_for_deletion_on.is_some() => Err(Refusal::Plain(
                "Project has been already marked for deletion".to_owned(),
            )),
            None => {
                let today = self.now().date_naive();
                let path = format!("{}-deletion_scheduled-{id}", project.path_with_namespace);
                self.move_project(id, &path);
                if let Some(project) = self.projects.get_mut(&id) {
                    project.marked_for_deletion_on = Some(today);
                }
                Ok(())
            }
            Some(_) if project.marked_for_deletion_on.is_none() => Err(Refusal::Plain(
                "Project must be marked for deletion first.".to_owned(),
            )),
            Some(path) if path != project.path_with_namespace => {
                let fault =
                    "`full_path` is incorrect. You must enter the complete path for the project.";
                Err(Refusal::Plain(fault.to_owned()))
            }
            Some(_) => {
                self.delete_project(id);
                Ok(())
            }
        }
    }

    /// Least roles for pipeline variables that only an owner may set, or do away with.
    pub fn set_variables_role(&mut self, user: u64, project: u64, role: &str) -> Done {
        let Some(project) = self.projects.get_mut(&project) else {
            return Err(Refusal::NoRecord);
        };
        let is_high = |role: &str| matches!(role, "owner" | "no_one_allowed");
        let current = &mut project.ci_pipeline_variables_minimum_override_role;
        let touches = current != role && (is_high(current) || is_high(role));
        if touches && project.members.get(&user) < Some(&Role::Owner) {
            let fault = "Changing the ci_pipeline_variables_minimum_override_role to the owner role is not allowed";
            return Err(Refusal::Plain(fault.to_owned()));
        }
        role.clone_into(current);
        Ok(())
    }

    /// What the pipeline consists of, from its project's CI file.
    pub(super) fn plan_jobs(&mut self, id: u64, planned: Vec<PlannedJob>) {
        let user = self.pipelines[&id].user_id;
        let mut jobs = Vec::new();
        let mut groups = BTreeMap::new();
        for plan in planned {
            let mut job = self.new_job(plan.name, user);
            job.manual = plan.manual;
            job.allow_failure = plan.allow_failure;
            jobs.push(job);
            groups.extend(plan.resource_group.map(|key| (key, "unordered".to_owned())));
        }
        let Some(pipeline) = self.pipelines.get_mut(&id) else {
            return;
        };
        pipeline.jobs = jobs;
        if let Some(project) = self.projects.get_mut(&pipeline.project_id) {
            groups.append(&mut project.resource_groups);
            project.resource_groups = groups;
        }
    }
}
