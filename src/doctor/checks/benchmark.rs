//! The checks of the benchmark project: that a pipeline can be started there, read back and reported.

use chrono::TimeDelta;

use super::super::findings::{CiFile, Findings, RefFound};
use super::project::{Needs, features, found, role};
use super::{Check, REHEARSE, Verdict};
use crate::gitlab::answer::User;
use crate::gitlab::{ProjectSettings, ProtectedBranch, Role};
use crate::id::UserId;

pub fn checks(findings: &Findings, user: &User) -> Vec<Check> {
    let place = &findings.benchmark;
    let mut checks = vec![found(findings, "benchmark-project", place, user)];
    let settings = match &place.settings {
        Ok(settings) if checks[0].verdict == Verdict::Holds => settings,
        _ => return checks,
    };
    let needs = Needs {
        role: Role::DEVELOPER,
        to: "start pipelines",
        advised: "Maintainer",
    };
    let role_check = role("benchmark-role", place, settings, user, &needs);
    let suffices = role_check.verdict != Verdict::Fails;
    checks.push(role_check);
    let role = match &place.role {
        Some(Ok(role)) => Some(role.unwrap_or(Role(0))),
        Some(Err(_)) | None => None,
    };
    if role.is_some_and(|role| role < Role::REPORTER) {
        return checks;
    }
    checks.push(ci(settings));
    let reference = reference(findings.ref_found.as_ref(), settings);
    let there = reference.verdict == Verdict::Holds;
    checks.push(reference);
    if let Some(found) = findings.ref_found.as_ref().filter(|_| there) {
        checks.extend(suffices.then(|| ref_access(found, settings, role, user)));
        let file = findings.ci_file.as_ref();
        checks.extend(file.map(|file| ci_file(file, found, settings)));
    }
    checks.extend(
        role.filter(|_| suffices)
            .map(|role| variables(settings, role)),
    );
    checks.push(auto_cancel(settings, findings.ci_file.as_ref()));
    checks.push(deletion(findings, settings));
    checks
}

fn ci(settings: &ProjectSettings) -> Check {
    match settings.builds_access_level.as_deref() {
        Some("disabled") => Check::fails("ci", "CI/CD is switched off", features(settings)),
        Some(_) => Check::holds("ci", "CI/CD is on"),
        None => Check::untold("ci", "whether CI/CD is on is not shown"),
    }
}

fn reference(found: Option<&RefFound>, settings: &ProjectSettings) -> Check {
    let name = "ref";
    let url = &settings.project.web_url;
    let Some(found) = found else {
        return Check::fails(
            name,
            format!("{} is empty", settings.project.path_with_namespace),
            format!("write a CI file there: {url}/-/ci/editor"),
        );
    };
    let wanted = &found.name;
    let another = "name another: --ref (BENCH_BOT_REF)";
    match (&found.branch, &found.tag) {
        (Err(error), _) | (_, Err(error)) => Check::unread(name, error),
        (Ok(Some(_)), Ok(None)) => Check::holds(name, format!("branch {wanted}")),
        (Ok(None), Ok(Some(_))) => Check::holds(name, format!("tag {wanted}")),
        (Ok(Some(_)), Ok(Some(_))) => Check::fails(
            name,
            format!("{wanted} is a branch and a tag at once, so that GitLab runs neither"),
            format!("delete one of them: {url}/-/tags\n{another}"),
        ),
        (Ok(None), Ok(None)) => Check::fails(
            name,
            format!("there is no branch or tag {wanted}"),
            format!("push it: {url}/-/branches\n{another}"),
        ),
    }
}

fn ref_access(
    found: &RefFound,
    settings: &ProjectSettings,
    role: Option<Role>,
    user: &User,
) -> Check {
    let name = "ref-access";
    let (wanted, bot, url) = (&found.name, &user.username, &settings.project.web_url);
    match may_run(found, role, user.id) {
        Some(true) => Check::holds(name, format!("{bot} may run pipelines of {wanted}")),
        Some(false) => {
            let raise = match role {
                Some(role) if role < Role::MAINTAINER => {
                    format!("make {bot} a Maintainer: {url}/-/project_members\n")
                }
                _ => String::new(),
            };
            Check::fails(
                name,
                format!("{wanted} is protected, and {bot} may neither push nor merge to it"),
                format!(
                    "{raise}allow it to merge, under Protected branches: {url}/-/settings/repository\n\
                     name an unprotected branch: --ref (BENCH_BOT_REF)"
                ),
            )
        }
        None => Check::needed(
            name,
            format!("{wanted} is protected, and whether {bot} may run it is not shown"),
            REHEARSE,
        ),
    }
}

/// GitLab asks for the right to push to a protected branch or to merge to it.
fn may_run(found: &RefFound, role: Option<Role>, user: UserId) -> Option<bool> {
    let branch = match (&found.branch, &found.tag) {
        (Ok(Some(branch)), _) => branch,
        (_, Ok(Some(tag))) => return (!tag.protected).then_some(true),
        _ => return None,
    };
    if !branch.protected || branch.can_push {
        return Some(true);
    }
    let role = role?;
    if branch.developers_can_merge {
        return Some(role >= Role::DEVELOPER);
    }
    match &found.rules {
        Ok(rules) => may_merge(rules, &found.name, role, user),
        // Roles below have just been excluded.
        Err(_) => (role < Role::MAINTAINER).then_some(false),
    }
}

fn may_merge(rules: &[ProtectedBranch], branch: &str, role: Role, user: UserId) -> Option<bool> {
    let rules: Vec<_> = rules
        .iter()
        .filter(|rule| fits(&rule.name, branch))
        .collect();
    let levels = || rules.iter().flat_map(|rule| &rule.merge_access_levels);
    let allows = levels().any(|level| match (level.user_id, level.group_id) {
        (None, None) => level
            .access_level
            .is_some_and(|least| least > Role(0) && role >= least),
        (named, _) => named == Some(user),
    });
    // Whether the bot belongs to a group is not read; rules of a group above are not listed.
    let unsure = rules.is_empty() || levels().any(|level| level.group_id.is_some());
    match (allows, unsure) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }
}

/// `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn ci_file(file: &CiFile, found: &RefFound, settings: &ProjectSettings) -> Check {
    let name = "ci-file";
    match file {
        CiFile::Own {
            path,
            text: Ok(Some(_)),
        } => Check::holds(name, path),
        CiFile::Own {
            path,
            text: Ok(None),
        } => Check::fails(
            name,
            format!("there is no {path} in {}", found.name),
            format!(
                "write one, as the README shows: {}/-/ci/editor",
                settings.project.web_url
            ),
        ),
        CiFile::Own {
            text: Err(error), ..
        } => Check::unread(name, error),
        CiFile::Elsewhere(place) => {
            Check::needed(name, format!("it lies elsewhere: {place}"), REHEARSE)
        }
    }
}

/// The role has to let them be set; whoever may run the ref may also read them back.
fn variables(settings: &ProjectSettings, role: Role) -> Check {
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
            let detail = "which role may set them is shown to Maintainers only";
            return Check::needed(name, detail, REHEARSE);
        }
    };
    if role >= least {
        return Check::holds(name, format!("{least}s and up may set them"));
    }
    Check::fails(
        name,
        format!("{least}s and up may set them, and the bot is {role}"),
        format!(
            "make it {least}: {}/-/project_members\nlower it, under {page}",
            settings.project.web_url
        ),
    )
}

/// A push, followed by any new pipeline of the ref, cancels those of older commits that wait.
fn auto_cancel(settings: &ProjectSettings, file: Option<&CiFile>) -> Check {
    let name = "auto-cancel";
    let in_file = "in the CI file: workflow: { auto_cancel: { on_new_commit: none } }";
    if let Some(CiFile::Own {
        text: Ok(Some(text)),
        ..
    }) = file
        && spares_waiting(text)
    {
        return Check::holds(name, "a push cancels no waiting benchmark (CI file)");
    }
    match settings.auto_cancel_pending_pipelines.as_deref() {
        Some("disabled") => Check::holds(name, "a push cancels no waiting benchmark"),
        Some(_) => Check::warning(
            name,
            "a push to the benchmark project cancels benchmarks that wait",
            format!(
                "{in_file}\nuntick \"Auto-cancel redundant pipelines\": {}/-/settings/ci_cd",
                settings.project.web_url
            ),
        ),
        None => Check::untold(
            name,
            "whether a push cancels waiting benchmarks is shown to Maintainers only",
        )
        .hint(Verdict::UnknownRisk, in_file),
    }
}

/// Whether it has `on_new_commit: none`, in block or flow style.
fn spares_waiting(yaml: &str) -> bool {
    let code = yaml.lines().filter_map(|line| line.split('#').next());
    code.flat_map(|line| line.split("on_new_commit:").skip(1))
        .map(|value| value.trim_start_matches([' ', '"', '\'']))
        .any(|value| value.starts_with("none"))
}

fn deletion(findings: &Findings, settings: &ProjectSettings) -> Check {
    let name = "pipeline-deletion";
    // Shown together with the other setting, which is never null.
    if settings.auto_cancel_pending_pipelines.is_none() {
        return Check::untold(
            name,
            "whether old pipelines are deleted is shown to Maintainers only",
        );
    }
    // As far as a run looks back.
    let needed = findings.timeout * 2;
    let told = |time: TimeDelta| humantime::format_duration(time.to_std().unwrap_or_default());
    let after = settings.ci_delete_pipelines_in_seconds;
    match after.and_then(TimeDelta::try_seconds) {
        None => Check::holds(name, "pipelines are kept"),
        Some(after) if after >= needed => {
            Check::holds(name, format!("pipelines are kept for {}", told(after)))
        }
        Some(after) => Check::fails(
            name,
            format!(
                "pipelines are deleted after {}, reported or not",
                told(after)
            ),
            format!(
                "let \"Automatic pipeline cleanup\" keep them for {}, twice --timeout: {}/-/settings/ci_cd",
                told(needed),
                settings.project.web_url
            ),
        ),
    }
}
