//! The checks of the code that runs: the ref, who may run it, and its CI file.

use super::super::findings::{CiFile, Findings, RefFound};
use super::{Check, CheckResult, benchmark};
use crate::gitlab::answer::User;
use crate::gitlab::{ProjectSettings, ProtectedBranch, Role};
use crate::id::UserId;

pub fn reference(found: Option<&RefFound>, settings: &ProjectSettings) -> Check {
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
            format!("{wanted} is both a branch and a tag, so GitLab runs neither"),
            format!("delete one of them: {url}/-/tags\n{another}"),
        ),
        (Ok(None), Ok(None)) => Check::fails(
            name,
            format!("there is no branch or tag {wanted}"),
            format!("push it: {url}/-/branches\n{another}"),
        ),
    }
}

pub fn ref_access(
    findings: &Findings,
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
                    "{raise}allow {bot} to merge, under Protected branches: {url}/-/settings/repository\n\
                     name an unprotected branch: --ref (BENCH_BOT_REF)"
                ),
            )
        }
        None => Check::needed(
            name,
            format!("{wanted} is protected, and GitLab does not show whether {bot} may run it"),
            findings.rehearse(),
        ),
    }
}

/// To run a protected branch, a user must be allowed to push or merge to it.
fn may_run(found: &RefFound, role: Option<Role>, user: UserId) -> Option<bool> {
    let branch = match (&found.branch, &found.tag) {
        (Ok(Some(branch)), _) => branch,
        (_, Ok(Some(tag))) => return (tag.protected == Some(false)).then_some(true),
        _ => return None,
    };
    if branch.protected == Some(false) || branch.can_push == Some(true) {
        return Some(true);
    }
    let role = role?;
    if branch.developers_can_merge == Some(true) {
        return Some(role >= Role::DEVELOPER);
    }
    match &found.rules {
        Ok(rules) => may_merge(rules, &found.name, role, user),
        Err(_) if branch.protected.is_none() || branch.developers_can_merge.is_none() => None,
        // Developers may not merge, as was checked above, so lower roles may not either.
        Err(_) => (role < Role::MAINTAINER).then_some(false),
    }
}

fn may_merge(rules: &[ProtectedBranch], branch: &str, role: Role, user: UserId) -> Option<bool> {
    let rules: Vec<_> = rules
        .iter()
        .filter(|rule| fits(&rule.name, branch))
        .collect();
    let levels = || {
        rules
            .iter()
            .filter_map(|rule| rule.merge_access_levels.as_ref())
            .flatten()
    };
    let allows = levels().any(|level| match (level.user_id, level.group_id) {
        (None, None) => level
            .access_level
            .is_some_and(|least| least > Role(0) && role >= least),
        (named, _) => named == Some(user),
    });
    // The bot's group memberships are not read, and GitLab does not list rules of groups above.
    let unsure = rules.is_empty()
        || rules.iter().any(|rule| rule.merge_access_levels.is_none())
        || levels().any(|level| level.group_id.is_some());
    match (allows, unsure) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }
}

/// `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let mut fetched = pattern.split('*');
    let first = fetched.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = fetched.next_back() else {
        return rest.is_empty();
    };
    for piece in fetched {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

pub fn ci_file(
    findings: &Findings,
    file: &CiFile,
    found: &RefFound,
    settings: &ProjectSettings,
) -> Check {
    let name = "ci-file";
    match file {
        CiFile::Own {
            path,
            text: Ok(Some(text)),
        } if findings.older_than(16, 8)
            && lines(text).any(|line| line.contains("auto_cancel:")) =>
        {
            Check::fails(
                name,
                format!("GitLab before 16.9 does not know auto_cancel in {path}, and runs nothing"),
                format!("remove it, and {}", benchmark::untick(settings)),
            )
        }
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
                "write one, starting from bench-bot's templates/benchmark-project: {}/-/ci/editor",
                settings.project.web_url
            ),
        ),
        CiFile::Own {
            text: Err(error), ..
        } => Check::unread(name, error),
        CiFile::Elsewhere(place) => Check::needed(
            name,
            format!("in another place: {place}"),
            findings.rehearse(),
        ),
    }
}

/// Runs for two source projects may both take the last place at the same moment. Only GitLab's resource group keeps two
/// benchmarks from running at once.
pub fn resource_group(findings: &Findings, file: &CiFile) -> Option<Check> {
    let CiFile::Own {
        path,
        text: Ok(Some(text)),
    } = file
    else {
        return None;
    };
    let name = "resource-group";
    if lines(text).any(|line| line.contains("resource_group:")) {
        return Some(Check::holds(name, format!("a job in {path} has one")));
    }
    let limit = findings.max_in_flight;
    if limit > 1 {
        let detail = format!("none: {limit} benchmarks may run at once (--max-in-flight)");
        return Some(Check::holds(name, detail));
    }
    let ways = "in each job that measures: resource_group: benchmark\n\
                if several may run at once, say how many: --max-in-flight (BENCH_BOT_MAX_IN_FLIGHT)";
    let included = lines(text).any(|line| line.contains("include:"));
    Some(match included {
        true => Check::unknown(
            name,
            format!("no job in {path} has one; included files are not checked"),
        )
        .hint(CheckResult::UnknownRisk, ways),
        false => Check::warning(
            name,
            format!("no job in {path} has one, so two benchmarks may run at once"),
            ways,
        ),
    })
}

/// The lines of a YAML file, without comments.
pub fn lines(yaml: &str) -> impl Iterator<Item = &str> {
    yaml.lines().filter_map(|line| line.split('#').next())
}
