//! The checks of the automation project, whose job has the bot's token. They are made in that job alone.

use std::collections::BTreeMap;

use super::super::findings::{AutomationFindings, Findings};
use super::benchmark::in_words;
use super::{Check, CheckResult};
use crate::gitlab::{Error, ProjectSettings, Role};

pub fn checks(findings: &Findings, automation: &AutomationFindings) -> Vec<Check> {
    let settings = match &automation.settings {
        Ok(settings) => settings,
        Err(error) => return vec![unread("automation-variables", error)],
    };
    let mut checks = vec![variables(findings, settings)];
    checks.extend(job_tokens(findings, automation, settings));
    checks.push(runs(findings, automation, settings));
    checks
}

/// Something that bench-bot does without, but that whoever runs it should know.
fn unread(name: &'static str, error: &Error) -> Check {
    let detail = format!("the project that runs this job cannot be read ({error})");
    Check::unknown(name, detail).hint(
        CheckResult::UnknownRisk,
        "make the bot Maintainer there, and run doctor again",
    )
}

/// Pipeline variables override even those of GitLab, and so decide what the job does with the bot's token.
fn variables(findings: &Findings, settings: &ProjectSettings) -> Check {
    let name = "automation-variables";
    let path = &settings.project.path_with_namespace;
    let page = format!("{}/-/settings/ci_cd", settings.project.web_url);
    let minimum = settings
        .ci_pipeline_variables_minimum_override_role
        .as_deref();
    let least = match (settings.restrict_user_defined_variables, minimum) {
        (Some(false), _) | (_, Some("developer")) => Role::DEVELOPER,
        (_, Some("no_one_allowed")) => {
            return Check::holds(name, format!("nobody may set them in {path}"));
        }
        (_, Some("owner")) => Role::OWNER,
        (_, Some("maintainer")) | (Some(true), None) => Role::MAINTAINER,
        _ => {
            let detail = format!("only Maintainers of {path} see who may set them there");
            let look =
                format!("look under Variables > Minimum role to use pipeline variables: {page}");
            return Check::unknown(name, detail).hint(CheckResult::UnknownRisk, look);
        }
    };
    let way = match findings.older_than(17, 1) {
        true => "ask whoever runs the server to update it: \"No one allowed\" is there from GitLab 17.1 on".to_owned(),
        false => format!(
            "choose \"No one allowed\" under Variables > Minimum role to use pipeline variables: {page}"
        ),
    };
    Check::fails(
        name,
        format!(
            "{least}s and up may set them in {path}, and one of them can send the bot's token to another server"
        ),
        way,
    )
}

/// The measured code has the job token of the benchmark project. `None`: that project was not found.
fn job_tokens(
    findings: &Findings,
    automation: &AutomationFindings,
    settings: &ProjectSettings,
) -> Option<Check> {
    let name = "automation-job-tokens";
    let benchmark = &findings.benchmark.settings.as_ref().ok()?.project;
    let scope = match &automation.job_tokens {
        Ok(scope) => scope,
        Err(error) => return Some(unread(name, error)),
    };
    let (path, measured) = (
        &settings.project.path_with_namespace,
        &benchmark.path_with_namespace,
    );
    let page = format!("{}/-/settings/ci_cd", settings.project.web_url);
    let groups = scope.groups.iter();
    let mut groups = groups.filter_map(|url| Some(url.split_once("/groups/")?.1));
    let group = groups.find(|group| measured.starts_with(&format!("{group}/")));
    let way = match group {
        _ if !scope.limited => "limit it to the allowlist".to_owned(),
        _ if scope.projects.contains(&benchmark.id) => {
            format!("remove {measured} from the allowlist")
        }
        Some(group) => format!(
            "replace the group {group} on the allowlist by those of its projects that need it"
        ),
        None => {
            let detail = format!("the job token of {measured} does not reach {path}");
            return Some(Check::holds(name, detail));
        }
    };
    Some(Check::fails(
        name,
        format!("{path} lets in the job token of {measured}, which the measured code has"),
        format!("{way}, under Job token permissions: {page}"),
    ))
}

/// What makes a run, by the source of its pipeline.
fn why(source: &str) -> Option<&'static str> {
    Some(match source {
        "schedule" => "by its schedule",
        "pipeline" => "woken by another project's pipeline",
        "trigger" => "by a trigger token",
        "web" | "api" => "by a person",
        _ => return None,
    })
}

fn runs(findings: &Findings, automation: &AutomationFindings, settings: &ProjectSettings) -> Check {
    let name = "automation-runs";
    let pipelines = match &automation.pipelines {
        Ok(pipelines) => pipelines,
        Err(error) => return unread(name, error),
    };
    let mut latest = BTreeMap::new();
    for pipeline in pipelines {
        let why = pipeline.source.as_deref().and_then(why);
        if let (Some(why), Some(at)) = (why, pipeline.created_at) {
            let known = latest.entry(why).or_insert(at);
            *known = at.max(*known);
        }
    }
    let scheduled = latest.contains_key("by its schedule");
    let mut latest: Vec<_> = latest.into_iter().map(|(why, at)| (at, why)).collect();
    latest.sort_unstable();
    let told = latest.iter().rev().map(|(at, why)| {
        let ago = (findings.now - *at).num_seconds().max(0);
        format!("{} ago {why}", in_words(chrono::TimeDelta::seconds(ago)))
    });
    let told: Vec<String> = told.collect();
    let path = &settings.project.path_with_namespace;
    match scheduled {
        true => Check::holds(name, format!("{path} ran {}", told.join(", "))),
        false => {
            let detail = match told.is_empty() {
                true => format!("{path} has not run lately"),
                false => format!("{path} ran {}, but not by a schedule", told.join(", ")),
            };
            let make = "make a schedule, which makes up for lost wake-ups";
            let url = &settings.project.web_url;
            Check::warning(name, detail, format!("{make}: {url}/-/pipeline_schedules"))
        }
    }
}
