//! New pipelines, and why there may be none.

use super::ci_file::NO_JOBS;
use super::{Done, Pipeline, Project, Refusal, Role, Time, Variable, World};
use crate::expansion;
use chrono::TimeDelta;

impl World {
    /// What somebody asks for through the API.
    pub fn create_pipeline(
        &mut self,
        user: u64,
        project_id: u64,
        reference: &str,
        variables: Vec<Variable>,
    ) -> Done<u64> {
        let sha = self.check_new_pipeline(user, project_id, reference, &variables)?;
        let planned = self.planned_jobs(project_id, "api", reference, &variables)?;
        let pipeline = self.add_pipeline(project_id, reference, &sha, "api", user);
        pipeline.variables = variables;
        let id = pipeline.id;
        if let Some(planned) = planned {
            self.plan_jobs(id, planned);
        }
        self.cancel_redundant_pipelines(id);
        Ok(id)
    }

    /// The refusals in GitLab's order; the commit if there is none.
    fn check_new_pipeline(
        &mut self,
        user: u64,
        project_id: u64,
        reference: &str,
        variables: &[Variable],
    ) -> Done<String> {
        let project = &self.projects[&project_id];
        if !project.is_developed_by(Some(user)) {
            return Err(Refusal::Forbidden);
        }
        if !project.jobs_enabled {
            return Err(Refusal::base("Pipelines are disabled!"));
        }
        let sha = head_of(project, reference, user)?;
        if !variables.is_empty() && !lets_set_variables(project, user) {
            return Err(Refusal::base(
                "Insufficient permissions to set pipeline variables",
            ));
        }
        check_for_duplicates(variables)?;
        self.check_rate(user, project_id, &sha)?;

        let project = &self.projects[&project_id];
        if !self.has_ci_file(project) {
            return Err(Refusal::base("Missing CI config file"));
        }
        if let Some(error) = &project.yaml_error {
            return Err(Refusal::base(error));
        }
        if let Some(key) = expansion::circular_reference(variables) {
            return Err(Refusal::base(&format!(
                "circular variable reference detected: [\"{key}\"]"
            )));
        }
        self.planned_jobs(project_id, "api", reference, variables)?;
        if project.workflow_rules_filter {
            return Err(Refusal::base("Pipeline filtered out by workflow rules."));
        }
        let refused = project.refuses.as_ref();
        if let Some(reason) = refused.and_then(|refuses| refuses.why(variables)) {
            return Err(Refusal::base(&reason));
        }
        if project.job_names.is_empty() {
            return Err(Refusal::base(NO_JOBS));
        }
        check_keys(variables)?;
        Ok(sha)
    }

    /// Counts the attempt, even if it is refused later.
    fn check_rate(&mut self, user: u64, project_id: u64, sha: &str) -> Done {
        let Some(limit) = self.projects[&project_id].pipelines_per_minute else {
            return Ok(());
        };
        let now = self.now();
        self.pipeline_attempts
            .retain(|(at, ..)| now - *at < TimeDelta::minutes(1));
        self.pipeline_attempts
            .push((now, user, project_id, sha.to_owned()));
        let alike = |(_, by, project, commit): &&(Time, u64, u64, String)| {
            (*by, *project, commit.as_str()) == (user, project_id, sha)
        };
        if self.pipeline_attempts.iter().filter(alike).count() > limit {
            return Err(Refusal::base(
                "Too many pipelines created in the last minute. Try again later.",
            ));
        }
        Ok(())
    }

    /// Ends pipelines of the same ref that have not started, are of another commit, and not of the
    /// ref's head.
    fn cancel_redundant_pipelines(&mut self, newer: u64) {
        let newer = &self.pipelines[&newer];
        let project = &self.projects[&newer.project_id];
        if !project.auto_cancel_pending_pipelines {
            return;
        }
        let head = project.branches.get(&newer.reference);
        let is_redundant = |older: &&Pipeline| {
            (older.project_id, &older.reference) == (newer.project_id, &newer.reference)
                && older.id < newer.id
                && older.sha != newer.sha
                && Some(&older.sha) != head
                && older.started_at.is_none()
                && !older.has_ended()
                && newer.created_at - older.created_at < TimeDelta::days(7)
        };
        let redundant: Vec<u64> = self
            .pipelines
            .values()
            .filter(is_redundant)
            .map(|older| older.id)
            .collect();
        for id in redundant {
            self.set_status(id, "canceled");
        }
    }
}

fn head_of(project: &Project, reference: &str, user: u64) -> Done<String> {
    let branch = project.branches.get(reference);
    let tag = project.tags.get(reference);
    if (branch.is_some() || tag.is_some()) && !project.lets_update(Some(user), reference) {
        return Err(Refusal::base(&format!(
            "You do not have sufficient permission to run a pipeline on '{reference}'. Please \
             select a different branch or contact your administrator for assistance. Learn more"
        )));
    }
    match (branch, tag) {
        (Some(_), Some(_)) => Err(Refusal::base("Ref is ambiguous")),
        (Some(sha), None) | (None, Some(sha)) => Ok(sha.clone()),
        (None, None) => Err(Refusal::base("Reference not found")),
    }
}

fn lets_set_variables(project: &Project, user: u64) -> bool {
    let least = match project.ci_pipeline_variables_minimum_override_role.as_str() {
        _ if !project.restrict_user_defined_variables => Role::Developer,
        "developer" => Role::Developer,
        "maintainer" => Role::Maintainer,
        "owner" => Role::Owner,
        _ => return false,
    };
    project.is_at_least(least, Some(user))
}

fn check_for_duplicates(variables: &[Variable]) -> Done {
    let mut twice: Vec<&str> = Vec::new();
    for (position, Variable { key, .. }) in variables.iter().enumerate() {
        if variables[..position]
            .iter()
            .any(|earlier| earlier.key == *key)
            && !twice.contains(&key.as_str())
        {
            twice.push(key);
        }
    }
    match twice.as_slice() {
        [] => Ok(()),
        [key] => Err(Refusal::base(&format!("Duplicate variable name: {key}"))),
        keys => Err(Refusal::base(&format!(
            "Duplicate variable names: {}",
            keys.join(", ")
        ))),
    }
}

fn check_keys(variables: &[Variable]) -> Done {
    let is_word = |key: &str| {
        key.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let fault = variables
        .iter()
        .find_map(|Variable { key, .. }| match key.as_str() {
            "" => Some("can't be blank"),
            key if !is_word(key) => Some("can contain only letters, digits and '_'."),
            key if key.len() > 255 => Some("is too long (maximum is 255 characters)"),
            _ => None,
        });
    match fault {
        None => Ok(()),
        Some(fault) => Err(Refusal::Invalid(vec![
            ("variables.key".to_owned(), fault.to_owned()),
            (
                "base".to_owned(),
                "Failed to build the pipeline!".to_owned(),
            ),
        ])),
    }
}
