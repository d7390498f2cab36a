//! Which jobs a CI file makes: as much of its language as that takes.

use super::{CI_FILE, Done, Refusal, Variable, World};
use saphyr::{LoadableYamlNode, Yaml};
use std::collections::BTreeMap;

/// Keys at the top of a CI file that are no jobs.
const GLOBAL: &str = "\
    after_script before_script cache default image include pages services spec stages variables \
    workflow";
const FILTERED: &str = "Pipeline filtered out by workflow rules.";
pub(super) const NO_JOBS: &str = "\
    Pipeline will not run for the selected trigger. The rules configuration prevented any jobs \
    from being added to the pipeline.";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedJob {
    pub name: String,
    /// Waits for a person.
    pub manual: bool,
    pub allow_failure: bool,
    pub resource_group: Option<String>,
}

type Values<'a> = BTreeMap<&'a str, &'a str>;
type Plan<T> = Result<T, String>;

/// What the first rule that holds says; nothing where none does.
struct Rule {
    when: String,
    allow_failure: Option<bool>,
}

impl World {
    /// `None` where it is the test that says which jobs there are.
    pub(super) fn planned_jobs(
        &self,
        project_id: u64,
        source: &str,
        reference: &str,
        variables: &[Variable],
    ) -> Done<Option<Vec<PlannedJob>>> {
        let project = &self.projects[&project_id];
        if !project.reads_ci_file {
            return Ok(None);
        }
        let default_branch = project.default_branch.as_deref().unwrap_or_default();
        let predefined = [
            ("CI_PIPELINE_SOURCE", source),
            ("CI_COMMIT_BRANCH", reference),
            ("CI_COMMIT_REF_NAME", reference),
            ("CI_DEFAULT_BRANCH", default_branch),
        ];
        let given = variables
            .iter()
            .map(|variable| (variable.key.as_str(), variable.value.as_str()));
        let values = predefined.into_iter().chain(given).collect();
        let file = project.files.get(CI_FILE).map_or("", String::as_str);
        let planned = plan(file, &values).map_err(|fault| Refusal::base(&fault))?;
        Ok(Some(planned))
    }
}

fn plan(file: &str, values: &Values) -> Plan<Vec<PlannedJob>> {
    let invalid = |fault: &str| format!("Invalid configuration format: {fault}");
    let documents = Yaml::load_from_str(file).map_err(|fault| invalid(&fault.to_string()))?;
    let file = documents.first().and_then(Yaml::as_mapping);
    let file = file.ok_or_else(|| invalid("it is no mapping"))?;
    let mut jobs = Vec::new();
    for (key, value) in file {
        let name = key.as_str().unwrap_or_default();
        if name == "workflow" && !lets_through(value, values)? {
            return Err(FILTERED.to_owned());
        }
        if !name.starts_with('.') && !GLOBAL.split(' ').any(|global| global == name) {
            jobs.extend(job(name, value, values)?);
        }
    }
    if jobs.is_empty() {
        return Err(NO_JOBS.to_owned());
    }
    Ok(jobs)
}

fn lets_through(workflow: &Yaml, values: &Values) -> Plan<bool> {
    match workflow.as_mapping_get("rules") {
        None => Ok(true),
        Some(rules) => Ok(first_rule(rules, values)?.is_some_and(|rule| rule.when != "never")),
    }
}

fn job(name: &str, job: &Yaml, values: &Values) -> Plan<Option<PlannedJob>> {
    let text = |key: &str| job.as_mapping_get(key).and_then(Yaml::as_str);
    let own_when = text("when").unwrap_or("on_success");
    let rule = match job.as_mapping_get("rules") {
        Some(rules) => first_rule(rules, values)?,
        // Without rules, a job is for branches and tags.
        None if values["CI_PIPELINE_SOURCE"] == "merge_request_event" => None,
        None => Some(Rule {
            when: own_when.to_owned(),
            allow_failure: (own_when == "manual").then_some(true),
        }),
    };
    let Some(rule) = rule.filter(|rule| rule.when != "never") else {
        return Ok(None);
    };
    let own_allow_failure = job.as_mapping_get("allow_failure").and_then(Yaml::as_bool);
    Ok(Some(PlannedJob {
        name: name.to_owned(),
        manual: rule.when == "manual",
        allow_failure: own_allow_failure.or(rule.allow_failure).unwrap_or(false),
        resource_group: text("resource_group").map(str::to_owned),
    }))
}

fn first_rule(rules: &Yaml, values: &Values) -> Plan<Option<Rule>> {
    for rule in rules.as_sequence().into_iter().flatten() {
        let text = |key: &str| rule.as_mapping_get(key).and_then(Yaml::as_str);
        if text("if").map_or(Ok(true), |condition| holds(condition, values))? {
            return Ok(Some(Rule {
                when: text("when").unwrap_or("on_success").to_owned(),
                allow_failure: rule.as_mapping_get("allow_failure").and_then(Yaml::as_bool),
            }));
        }
    }
    Ok(None)
}

/// `$A == "b" && $C || $D != null`, without brackets and patterns.
fn holds(condition: &str, values: &Values) -> Plan<bool> {
    for alternative in condition.split("||") {
        let mut all = true;
        for term in alternative.split("&&") {
            all &= term_holds(term.trim(), values)?;
        }
        if all {
            return Ok(true);
        }
    }
    Ok(false)
}

fn term_holds(term: &str, values: &Values) -> Plan<bool> {
    let unknown = || format!("the in-memory GitLab does not understand `{term}`");
    let operand = |text: &str| {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('$') {
            return Ok(values.get(name).map(|value| (*value).to_owned()));
        }
        let quoted = |mark| text.strip_prefix(mark)?.strip_suffix(mark);
        match quoted('"').or_else(|| quoted('\'')) {
            Some(literal) => Ok(Some(literal.to_owned())),
            None if text == "null" => Ok(None),
            None => Err(unknown()),
        }
    };
    if let Some((left, right)) = term.split_once("==") {
        return Ok(operand(left)? == operand(right)?);
    }
    if let Some((left, right)) = term.split_once("!=") {
        return Ok(operand(left)? != operand(right)?);
    }
    Ok(operand(term)?.is_some_and(|value| !value.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../../templates/benchmark-project/.gitlab-ci.yml");

    fn names(file: &str, variables: &[(&'static str, &'static str)]) -> Plan<Vec<String>> {
        let source = [("CI_PIPELINE_SOURCE", "api")];
        let values = source.iter().chain(variables).copied().collect();
        let jobs = plan(file, &values)?;
        Ok(jobs.into_iter().map(|job| job.name).collect())
    }

    #[test]
    fn the_template_has_the_jobs_that_it_is_asked_for() {
        let sha = names(TEMPLATE, &[("BENCH_SHA", "1234")]);
        assert_eq!(sha, Ok(vec!["benchmark".to_owned()]));
        let rehearsal = names(TEMPLATE, &[("BENCH_REHEARSAL", "true")]);
        assert_eq!(rehearsal, Ok(vec!["benchmark".to_owned()]));
        assert_eq!(names(TEMPLATE, &[]), Err(NO_JOBS.to_owned()));
    }

    #[test]
    fn rules_of_the_workflow_come_first() {
        let file =
            "workflow:\n  rules:\n    - if: $CI_PIPELINE_SOURCE == \"push\"\na: {script: x}\n";
        assert_eq!(names(file, &[]), Err(FILTERED.to_owned()));
        let push = [("CI_PIPELINE_SOURCE", "push")];
        assert_eq!(names(file, &push), Ok(vec!["a".to_owned()]));
    }

    #[test]
    fn a_manual_job_blocks_under_rules_only() {
        let file = "a: {when: manual}\nb: {rules: [{if: $X && $Y != \"2\", when: manual}]}\n";
        let values = [("CI_PIPELINE_SOURCE", "api"), ("X", "1")];
        let jobs = plan(file, &values.into_iter().collect()).expect("it is valid");
        let facts = jobs.iter().map(|job| (job.manual, job.allow_failure));
        assert_eq!(facts.collect::<Vec<_>>(), [(true, true), (true, false)]);
    }
}
