//! The checks of the benchmark project: whether pipelines can be started, read back and cancelled there.

use chrono::TimeDelta;

use super::super::findings::{CiFile, Findings};
use super::code::{ci_file, lines, ref_access, reference, resource_group};
use super::project::{Needs, features, found, role};
use super::{Check, CheckResult};
use crate::gitlab::answer::{Pipeline, User};
use crate::gitlab::{Error, ProjectSettings, Role};
use crate::plan::GRACE;

pub fn checks(findings: &Findings, user: &User) -> Vec<Check> {
    let place = &findings.benchmark;
    let mut checks = vec![found(findings, "benchmark-project", place, user)];
    let settings = match &place.settings {
        Ok(settings) if checks[0].result != CheckResult::Fails => settings,
        _ => return checks,
    };
    let needs = Needs {
        role: Role::DEVELOPER,
        to: "start pipelines",
        advised: "Maintainer",
    };
    let role_check = role("benchmark-role", place, settings, user, &needs);
    let suffices = role_check.result != CheckResult::Fails;
    checks.push(role_check);
    let role = match &place.role {
        Some(Ok(role)) => Some(role.unwrap_or(Role(0))),
        Some(Err(_)) | None => None,
    };
    if role.is_some_and(|role| role < Role::REPORTER) {
        return checks;
    }
    let on = ci(findings, settings);
    let listed = on.result != CheckResult::Fails;
    checks.push(on);
    let reference = reference(findings.ref_found.as_ref(), settings);
    let there = reference.result == CheckResult::Holds;
    checks.push(reference);
    if let Some(found) = findings.ref_found.as_ref().filter(|_| there) {
        checks.extend(suffices.then(|| ref_access(findings, found, settings, role, user)));
        let file = findings.ci_file.as_ref();
        checks.extend(file.map(|file| ci_file(findings, file, found, settings)));
        checks.extend(file.and_then(|file| resource_group(findings, file)));
    }
    if let Some(role) = role.filter(|_| suffices) {
        checks.extend([
            variables(findings, settings, role),
            cancel(findings, settings, role),
        ]);
    }
    checks.push(auto_cancel(findings, settings));
    checks.push(deletion(findings, settings));
    let pipelines = findings.pipelines.as_ref().filter(|_| listed);
    checks.extend(pipelines.map(|pipelines| overdue(findings, pipelines)));
    checks
}

fn ci(findings: &Findings, settings: &ProjectSettings) -> Check {
    match settings.builds_access_level.as_deref() {
        Some("disabled") => Check::fails("ci", "CI/CD is switched off", features(settings)),
        Some(_) => Check::holds("ci", "CI/CD is on"),
        None => Check::needed(
            "ci",
            "GitLab does not show whether CI/CD is on",
            findings.rehearse(),
        ),
    }
}

/// Whether the bot's role may set pipeline variables. A user who may run the ref may also read them.
fn variables(findings: &Findings, settings: &ProjectSettings, role: Role) -> Check {
    let name = "pipeline-variables";
    let minimum = settings
        .ci_pipeline_variables_minimum_override_role
        .as_deref();
    let page = format!(
        "Variables > Minimum role to use pipeline variables: {}/-/settings/ci_cd",
        settings.project.web_url
    );
    let least = match (settings.restrict_user_defined_variables, minimum) {
        (Some(false), _) | (_, Some("developer")) => Role::DEVELOPER,
        (_, Some("owner")) => Role::OWNER,
        (_, Some("no_one_allowed")) => {
            let hint = format!("let an Owner change it, under {page}");
            return Check::fails(name, "nobody may set them", hint);
        }
        (_, Some("maintainer")) | (Some(true), None) => Role::MAINTAINER,
        _ => {
            let detail = "only Maintainers see which role may set them";
            return Check::needed(name, detail, findings.rehearse());
        }
    };
    if role >= least {
        return Check::holds(name, format!("{least}s and up may set them"));
    }
    Check::fails(
        name,
        format!("{least}s and up may set them, but the bot is {role}"),
        format!(
            "make the bot {least}: {}/-/project_members\nlower the role under {page}",
            settings.project.web_url
        ),
    )
}

/// Without this permission, withdrawn and stuck benchmarks are not cancelled.
fn cancel(findings: &Findings, settings: &ProjectSettings, role: Role) -> Check {
    let name = "cancel";
    let least = match settings.ci_restrict_pipeline_cancellation_role.as_deref() {
        Some("no_one") => {
            let hint = format!("allow Maintainers to, under {}", who_cancels(settings));
            return Check::fails(name, "nobody may cancel pipelines", hint);
        }
        Some("developer") => Role::DEVELOPER,
        Some("maintainer") => Role::MAINTAINER,
        // GitLab shows both settings or neither, so this server does not have the feature.
        None if settings.auto_cancel_pending_pipelines.is_some() => Role::DEVELOPER,
        _ => {
            let detail = "only Maintainers see who may cancel pipelines";
            return Check::unknown(name, detail)
                .hint(CheckResult::UnknownRisk, findings.rehearse());
        }
    };
    match role >= least {
        true => Check::holds(name, format!("{least}s and up may cancel pipelines")),
        false => Check::fails(
            name,
            format!("{least}s and up may cancel pipelines, but the bot is {role}"),
            format!(
                "make the bot {least}: {}/-/project_members\nlower the role under {}",
                settings.project.web_url,
                who_cancels(settings)
            ),
        ),
    }
}

/// The setting for who may cancel.
pub fn who_cancels(settings: &ProjectSettings) -> String {
    format!(
        "General pipelines > Minimum role required to cancel a pipeline or job: {}/-/settings/ci_cd",
        settings.project.web_url
    )
}

/// After a push, any new pipeline of the ref cancels waiting pipelines of older commits.
fn auto_cancel(findings: &Findings, settings: &ProjectSettings) -> Check {
    let name = "auto-cancel";
    let old = findings.older_than(16, 9);
    if let Some(CiFile::Own {
        text: Ok(Some(text)),
        ..
    }) = &findings.ci_file
        && !old
        && spares_waiting(text)
    {
        return Check::holds(name, "a push cancels no waiting benchmark (CI file)");
    }
    let untick = untick(settings);
    let key = "workflow: { auto_cancel: { on_new_commit: none } }";
    let ways = match &findings.version {
        _ if old => untick,
        Ok(version) if version.numbers().is_some() => format!("in the CI file: {key}\n{untick}"),
        _ => format!("{untick}\nor, from GitLab 16.9 on, in the CI file: {key}"),
    };
    match settings.auto_cancel_pending_pipelines.as_deref() {
        Some("disabled") => Check::holds(name, "a push cancels no waiting benchmark"),
        Some(_) => Check::warning(
            name,
            "a push to the benchmark project cancels waiting benchmarks",
            ways,
        ),
        None => Check::unknown(
            name,
            "only Maintainers see whether a push cancels waiting benchmarks",
        )
        .hint(CheckResult::UnknownRisk, ways),
    }
}

pub fn untick(settings: &ProjectSettings) -> String {
    format!(
        "untick General pipelines > Auto-cancel redundant pipelines: {}/-/settings/ci_cd",
        settings.project.web_url
    )
}

/// Whether the file has `on_new_commit: none`, in block or flow style.
fn spares_waiting(yaml: &str) -> bool {
    lines(yaml)
        .flat_map(|line| line.split("on_new_commit:").skip(1))
        .map(|value| value.trim_start_matches([' ', '"', '\'']))
        .any(|value| value.starts_with("none"))
}

pub fn in_words(time: TimeDelta) -> humantime::FormattedDuration {
    humantime::format_duration(time.to_std().unwrap_or_default())
}

fn deletion(findings: &Findings, settings: &ProjectSettings) -> Check {
    let name = "pipeline-deletion";
    // GitLab shows both settings or neither, and the other one is never null.
    if settings.auto_cancel_pending_pipelines.is_none() {
        return Check::unknown(
            name,
            "only Maintainers see whether old pipelines are deleted",
        );
    }
    // This is how far a run looks back.
    let needed = findings.timeout * 2;
    let after = settings.ci_delete_pipelines_in_seconds;
    match after.and_then(TimeDelta::try_seconds) {
        None => Check::holds(name, "pipelines are kept"),
        Some(after) if after >= needed => {
            Check::holds(name, format!("pipelines are kept for {}", in_words(after)))
        }
        Some(after) => Check::fails(
            name,
            format!(
                "pipelines are deleted after {}, even before their outcome is posted",
                in_words(after)
            ),
            format!(
                "set \"Automatic pipeline cleanup\" to keep them for {}, twice --timeout: {}/-/settings/ci_cd",
                in_words(needed),
                settings.project.web_url
            ),
        ),
    }
}

/// The most pipelines that are named.
const NAMED: usize = 5;

/// Pipelines that do not end. By then, reconcile has tried to cancel this project's own.
fn overdue(findings: &Findings, pipelines: &Result<Vec<Pipeline>, Error>) -> Check {
    let name = "overdue";
    let limit = findings.timeout + GRACE;
    let pipelines = match pipelines {
        Ok(pipelines) => pipelines.iter(),
        Err(error) => return Check::unread(name, error),
    };
    let late: Vec<String> = pipelines
        .filter(|one| {
            let since = one.created_at.filter(|_| !one.ended());
            since.is_some_and(|since| findings.now - since > limit)
        })
        .map(|one| format!("{} ({})", one.web_url, one.status().word()))
        .collect();
    if late.is_empty() {
        return Check::holds(
            name,
            format!(
                "no benchmark is in flight for longer than {}",
                in_words(limit)
            ),
        );
    }
    let more = match late.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Check::warning(
        name,
        format!(
            "in flight for longer than {} (--timeout and an hour): {}{more}",
            in_words(limit),
            late[..late.len().min(NAMED)].join(", ")
        ),
        "cancel or delete them by hand: this project's own no longer hold up the queue, others do until twice --timeout",
    )
}
