//! The checks of the source project, and those that both projects share.

use super::super::findings::{Findings, LabelFound, ProjectFindings};
use super::{Check, CheckResult};
use crate::gitlab::answer::User;
use crate::gitlab::{GRANT, ProjectSettings, Role};
use crate::given_flags::GivenFlags;
use crate::plan::Resolve;

pub fn checks(findings: &Findings, user: &User) -> Vec<Check> {
    let place = &findings.source;
    let mut found = found(findings, "project", place, user);
    let settings = match &place.settings {
        Ok(settings) if found.result != CheckResult::Fails => settings,
        _ => return vec![found],
    };
    let disabled = |level: &Option<String>| level.as_deref() == Some("disabled");
    let off = match settings {
        _ if disabled(&settings.merge_requests_access_level) => "merge requests are switched off",
        _ if disabled(&settings.builds_access_level) => {
            "CI/CD is switched off, so no merge request has a passed pipeline,"
        }
        _ => "",
    };
    if !off.is_empty() {
        let detail = format!("{off} in {}", place.path());
        found = Check::fails("project", detail, features(settings));
        return vec![found];
    }
    let needs = Needs {
        role: Role::DEVELOPER,
        to: "set labels",
        advised: "Developer",
    };
    let mut checks = vec![found, role("project-role", place, settings, user, &needs)];
    let labels = findings.labels.iter();
    checks.extend(
        labels.map(|(label, found)| {
            label_check(found, label, place, settings, &findings.given_flags)
        }),
    );
    checks.push(threads(settings, findings.resolve));
    checks
}

/// The setting that switches features on.
pub fn features(settings: &ProjectSettings) -> String {
    format!(
        "switch it on under Settings > General > Visibility, project features, permissions: {}/edit",
        settings.project.web_url
    )
}

/// Whether the project exists and can be written to.
pub fn found(
    findings: &Findings,
    name: &'static str,
    place: &ProjectFindings,
    user: &User,
) -> Check {
    let (path, setting, bot) = (place.path(), place.setting, &user.username);
    match &place.settings {
        Ok(settings) if settings.archived == Some(true) => Check::fails(
            name,
            format!("{path} is archived: nothing can be written there"),
            format!(
                "unarchive it: {}/edit\nname another: {setting}",
                settings.project.web_url
            ),
        ),
        Ok(settings) if marked(settings).is_some() => Check::fails(
            name,
            format!(
                "{path} was marked for deletion on {}: nothing can be written there",
                marked(settings).unwrap_or_default()
            ),
            format!(
                "restore it: {}/edit\nname another: {setting}",
                settings.project.web_url
            ),
        ),
        Ok(settings) if shut(settings, place) => Check::needed(
            name,
            format!("{path} seems to be read-only"),
            look_above(settings),
        ),
        Ok(_) => Check::holds(name, path),
        Err(error) if error.not_found() => {
            let ways = match path.contains('/') {
                _ if bot.starts_with("project_") && bot.contains("_bot") => format!(
                    "{bot} is the user of a project access token, which works in one project only: set \
                     BENCH_BOT_BENCHMARK_TOKEN to an access token of the benchmark project"
                ),
                true => format!(
                    "make {bot} a member: {}/{path}/-/project_members",
                    findings.url
                ),
                false => format!("make {bot} a member of the project"),
            };
            Check::fails(
                name,
                format!("{path} does not exist, or {bot} cannot see it"),
                format!("check {setting}\n{ways}"),
            )
        }
        Err(error) => Check::unread(name, error),
    }
}

/// The day on which it was marked for deletion.
fn marked(settings: &ProjectSettings) -> Option<&str> {
    let dates = [
        &settings.marked_for_deletion_on,
        &settings.marked_for_deletion_at,
    ];
    dates.into_iter().find_map(|date| date.as_deref())
}

/// Whether a Developer may not open a merge request although the features for it are on.
fn shut(settings: &ProjectSettings, place: &ProjectFindings) -> bool {
    let there = [
        &settings.merge_requests_access_level,
        &settings.repository_access_level,
    ]
    .iter()
    .all(|level| level.as_deref().is_some_and(|level| level != "disabled"));
    let developer = matches!(&place.role, Some(Ok(Some(role))) if *role >= Role::DEVELOPER);
    there && developer && settings.can_create_merge_request_in == Some(false)
}

/// A project does not show whether one of its groups is archived.
pub fn look_above(settings: &ProjectSettings) -> String {
    let url = &settings.project.web_url;
    let group = url.rsplit_once('/').map_or(&**url, |(group, _)| group);
    format!(
        "check whether a group above it is archived or marked for deletion, and restore that group: {group}"
    )
}

pub struct Needs {
    pub role: Role,
    /// What needs this role.
    pub to: &'static str,
    pub advised: &'static str,
}

pub fn role(
    name: &'static str,
    place: &ProjectFindings,
    settings: &ProjectSettings,
    user: &User,
    needs: &Needs,
) -> Check {
    let (bot, to) = (&user.username, needs.to);
    let detail = match &place.role {
        Some(Ok(Some(role))) if *role >= needs.role => {
            return Check::holds(name, format!("{bot} is {role}"));
        }
        Some(Ok(Some(role))) => format!("{bot} is {role}, and so may not {to}"),
        Some(Err(error)) => return Check::unread(name, error),
        Some(Ok(None)) | None => format!("{bot} is not a member, and so may not {to}"),
    };
    let (advised, url) = (needs.advised, &settings.project.web_url);
    Check::fails(
        name,
        detail,
        format!("give it the role {advised}: {url}/-/project_members"),
    )
}

fn label_check(
    found: &LabelFound,
    label: &str,
    place: &ProjectFindings,
    settings: &ProjectSettings,
    given_flags: &GivenFlags,
) -> Check {
    let name = "label";
    let by_hand = format!("create it by hand: {}/-/labels", settings.project.web_url);
    match found {
        LabelFound::There => Check::holds(name, label),
        LabelFound::Created => Check::holds(name, format!("{label}, just created")),
        LabelFound::Missing => Check::fails(
            name,
            format!("there is no label {label}"),
            format!(
                "create it: {}\n{by_hand}",
                given_flags.command("doctor --fix")
            ),
        ),
        LabelFound::NotCreated(error) => {
            let may = matches!(&place.role, Some(Ok(Some(role))) if *role >= Role::REPORTER);
            let ways = match error.refused().map(|status| status.as_u16()) {
                _ if error.fine_grained() => format!("{GRANT}\n{by_hand}"),
                Some(403) if may => format!("{}\n{by_hand}", look_above(settings)),
                _ => by_hand,
            };
            let detail = format!("cannot create {label} ({})", error.message);
            Check::fails(name, detail, ways)
        }
        LabelFound::Unread(error) => Check::unread(name, error),
    }
}

/// Whether merging waits for the bot's discussions, which are threads.
fn threads(settings: &ProjectSettings, resolve: Resolve) -> Check {
    let name = "threads";
    match (
        settings.only_allow_merge_if_all_discussions_are_resolved,
        resolve,
    ) {
        (Some(false), _) => Check::holds(name, "merging does not wait until threads are resolved"),
        (Some(true), Resolve::Always) => Check::holds(
            name,
            "merging waits until threads are resolved, and the bot resolves its own",
        ),
        (Some(true), Resolve::Success) => Check::holds(
            name,
            "merging waits for the bot's thread only if a benchmark did not succeed",
        ),
        (Some(true), Resolve::UnlessWorse) => Check::holds(
            name,
            "merging waits for the bot's thread unless the benchmark judges the commit better, or no different",
        ),
        (Some(true), Resolve::Never) => Check::warning(
            name,
            "merging waits until somebody resolves the bot's thread",
            format!(
                "ask people to resolve it once they have read the outcome\n\
                 let the bot resolve it: --resolve unless-worse, success or always (BENCH_BOT_RESOLVE)\n\
                 untick \"All threads must be resolved\": {}/-/settings/merge_requests",
                settings.project.web_url
            ),
        ),
        (None, _) => Check::unknown(
            name,
            "GitLab does not show whether merging waits for threads",
        ),
    }
}
