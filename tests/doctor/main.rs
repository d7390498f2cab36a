//! What `doctor` makes of what it found.

mod rehearsal;
mod table;

use bench_bot::gitlab::answer::{Pipeline, Project, User};
use bench_bot::gitlab::{
    AccessLevel, Branch, Error, ErrorKind, JobTokenScope, ProjectSettings, ProtectedBranch, Role,
    Tag, TokenDetails, Version,
};
use bench_bot::given_flags::GivenFlags;
use bench_bot::id::{PipelineId, ProjectId, UserId};
use bench_bot::plan::Resolve;
use bench_bot::setup::checks::{Check, CheckResult, checks};
use bench_bot::setup::findings::{
    AutomationFindings, CiFile, Findings, LabelFound, ProjectFindings, RefFound, TokenFindings,
};
use chrono::{DateTime, TimeDelta};

const BOT: UserId = UserId(20);

fn error_of(kind: ErrorKind, message: &str) -> Error {
    Error {
        kind,
        request: "GET /something".to_owned(),
        message: message.to_owned(),
    }
}

fn refused(status: u16) -> Error {
    let status = status.try_into().expect("a status");
    error_of(ErrorKind::Refused(status), "refused")
}

fn forbidden(message: &str) -> Error {
    Error {
        message: message.to_owned(),
        ..refused(403)
    }
}

/// What GitLab says to a fine-grained token.
const NOT_GRANTED: &str = "403: Access denied: This operation requires a fine-grained personal access token with the following project permissions: [Merge Request: Update].";

/// One that was created so many hours ago.
fn pipeline(id: u64, status: &str, hours: i64) -> Pipeline {
    let time = DateTime::UNIX_EPOCH - TimeDelta::hours(hours);
    Pipeline {
        id: PipelineId(id),
        status: Some(status.to_owned().into()),
        source: Some("api".to_owned()),
        web_url: format!("https://gitlab.example.com/acme/benchmarks/-/pipelines/{id}"),
        created_at: Some(time),
        updated_at: Some(time),
        started_at: None,
        finished_at: None,
        user: None,
    }
}

fn identity(variable: &'static str) -> TokenFindings {
    TokenFindings {
        variable,
        given: true,
        user: Ok(User {
            id: BOT,
            username: "bench-bot".to_owned(),
            bot: Some(true),
        }),
        details: Ok(TokenDetails {
            scopes: vec!["api".to_owned()],
            expires_at: None,
        }),
    }
}

fn place(name: &str, role: Role) -> ProjectFindings {
    let enabled = || Some("enabled".to_owned());
    ProjectFindings {
        name: name.to_owned(),
        setting: "--project",
        settings: Ok(ProjectSettings {
            project: Project {
                id: ProjectId(7),
                path_with_namespace: name.to_owned(),
                web_url: format!("https://gitlab.example.com/{name}"),
                default_branch: Some("main".to_owned()),
            },
            archived: Some(false),
            marked_for_deletion_on: None,
            marked_for_deletion_at: None,
            can_create_merge_request_in: Some(true),
            empty_repo: Some(false),
            repository_access_level: enabled(),
            merge_requests_access_level: enabled(),
            builds_access_level: enabled(),
            only_allow_merge_if_all_discussions_are_resolved: Some(false),
            ci_config_path: None,
            auto_cancel_pending_pipelines: Some("disabled".to_owned()),
            restrict_user_defined_variables: Some(true),
            ci_pipeline_variables_minimum_override_role: Some("developer".to_owned()),
            ci_delete_pipelines_in_seconds: None,
            ci_restrict_pipeline_cancellation_role: None,
        }),
        role: Some(Ok(Some(role))),
    }
}

/// The project that runs the job, as it should be: woken an hour after its schedule.
fn automation() -> AutomationFindings {
    let run = |id, source: &str, hours| Pipeline {
        source: Some(source.to_owned()),
        ..pipeline(id, "success", hours)
    };
    let mut settings = place("acme/automation", Role::MAINTAINER).settings;
    if let Ok(settings) = &mut settings {
        settings.project.id = ProjectId(9);
        let nobody = Some("no_one_allowed".to_owned());
        settings.ci_pipeline_variables_minimum_override_role = nobody;
    }
    AutomationFindings {
        settings,
        job_tokens: Ok(JobTokenScope {
            limited: true,
            projects: vec![ProjectId(9)],
            groups: vec!["https://gitlab.example.com/groups/acme/bench".to_owned()],
        }),
        pipelines: Ok(vec![
            run(5, "push", 0),
            run(4, "pipeline", 1),
            run(3, "schedule", 2),
            run(2, "schedule", 3),
        ]),
    }
}

/// A CI file as it should be.
const LOCKED: &str = "benchmark:\n  script: make bench\n  resource_group: benchmark\n";

/// As it should be.
fn well() -> Findings {
    Findings {
        url: "https://gitlab.example.com".to_owned(),
        now: DateTime::UNIX_EPOCH,
        timeout: TimeDelta::hours(24),
        max_in_flight: 1,
        resolve: Resolve::Never,
        given_flags: GivenFlags::default(),
        version: Ok(Version {
            version: "18.5.1-ee".to_owned(),
        }),
        token: identity("BENCH_BOT_TOKEN"),
        benchmark_token: None,
        source: place("acme/engine", Role::DEVELOPER),
        benchmark: place("acme/benchmarks", Role::DEVELOPER),
        automation: Some(automation()),
        labels: vec![("benchmarking".to_owned(), LabelFound::There)],
        ref_found: Some(RefFound {
            name: "release/1".to_owned(),
            branch: Ok(Some(Branch {
                name: "release/1".to_owned(),
                protected: Some(false),
                can_push: Some(true),
                developers_can_merge: Some(false),
            })),
            tag: Ok(None),
            rules: Err(refused(403)),
        }),
        ci_file: Some(CiFile::Own {
            path: ".gitlab-ci.yml".to_owned(),
            text: Ok(Some(LOCKED.to_owned())),
        }),
        pipelines: Some(Ok(Vec::new())),
        rehearsal: None,
        tried: None,
    }
}

fn amiss(findings: &Findings) -> Vec<Check> {
    let mut amiss = checks(findings);
    amiss.retain(|check| check.hint.is_some());
    amiss
}

/// What is ready has been looked at in both projects.
#[track_caller]
fn assert_looked_at_both(findings: &Findings) {
    let checks = checks(findings);
    let ready = !checks.iter().any(|check| check.result.is_blocking());
    for name in [
        "project-role",
        "label",
        "benchmark-role",
        "ref",
        "ci-file",
        "overdue",
    ] {
        let there = checks.iter().any(|check| check.name == name);
        assert!(!ready || there, "no {name}: {checks:?}");
    }
}

fn settings(place: &mut ProjectFindings) -> &mut ProjectSettings {
    place.settings.as_mut().expect("it is there")
}

/// Whether the bot may run a pipeline of `release/1`, protected and not open to its pushes.
fn ref_access(
    role: Role,
    developers: bool,
    rules: Result<Vec<ProtectedBranch>, Error>,
) -> CheckResult {
    let mut findings = well();
    findings.benchmark.role = Some(Ok(Some(role)));
    let found = findings.ref_found.as_mut().expect("a ref");
    found.branch = Ok(Some(Branch {
        name: "release/1".to_owned(),
        protected: Some(true),
        can_push: Some(false),
        developers_can_merge: Some(developers),
    }));
    found.rules = rules;
    let checks = checks(&findings);
    let check = checks.iter().find(|check| check.name == "ref-access");
    check.expect("it is there").result
}

fn rule(name: &str, level: AccessLevel) -> ProtectedBranch {
    ProtectedBranch {
        name: name.to_owned(),
        merge_access_levels: Some(vec![level]),
    }
}

#[test]
fn who_may_merge_to_a_protected_branch_may_run_it() {
    let (developer, maintainer) = (Role::DEVELOPER, Role::MAINTAINER);
    let least = |role| AccessLevel {
        access_level: Some(role),
        ..AccessLevel::default()
    };
    let ref_of = |name, level| ref_access(maintainer, false, Ok(vec![rule(name, level)]));
    assert_eq!(
        ref_access(developer, true, Err(refused(403))),
        CheckResult::Holds
    );
    assert_eq!(
        ref_access(developer, false, Err(refused(403))),
        CheckResult::Fails
    );
    assert_eq!(
        ref_access(maintainer, false, Err(refused(500))),
        CheckResult::UnknownNeed
    );
    for (pattern, result) in [
        ("release/1", CheckResult::Holds),
        ("release/*", CheckResult::Holds),
        ("*e*1", CheckResult::Holds),
        ("*", CheckResult::Holds),
        ("release/1*", CheckResult::Holds),
        // No rule that is shown: one of a group.
        ("release", CheckResult::UnknownNeed),
        ("*/2", CheckResult::UnknownNeed),
        ("re*lease*se*", CheckResult::UnknownNeed),
    ] {
        assert_eq!(ref_of(pattern, least(maintainer)), result, "{pattern}");
    }
    assert_eq!(ref_of("release/1", least(Role(0))), CheckResult::Fails);
    assert_eq!(ref_of("release/1", least(Role(60))), CheckResult::Fails);
    let user = |id| AccessLevel {
        user_id: Some(UserId(id)),
        ..least(maintainer)
    };
    assert_eq!(ref_of("release/1", user(BOT.0)), CheckResult::Holds);
    assert_eq!(ref_of("release/1", user(21)), CheckResult::Fails);
    let group = AccessLevel {
        group_id: Some(3),
        ..least(maintainer)
    };
    assert_eq!(ref_of("release/1", group), CheckResult::UnknownNeed);
}

#[test]
fn a_ci_file_may_spare_the_benchmarks_that_wait() {
    for (yaml, spares) in [
        ("workflow:\n  auto_cancel:\n    on_new_commit: none\n", true),
        ("workflow: { auto_cancel: { on_new_commit: none } }", true),
        ("    on_new_commit: \"none\" # they wait", true),
        ("    on_new_commit: interruptible", false),
        ("    # on_new_commit: none", false),
        ("", false),
    ] {
        let mut findings = well();
        let settings = settings(&mut findings.benchmark);
        settings.auto_cancel_pending_pipelines = Some("enabled".to_owned());
        findings.ci_file = Some(CiFile::Own {
            path: ".gitlab-ci.yml".to_owned(),
            text: Ok(Some(format!("{LOCKED}{yaml}"))),
        });
        assert_eq!(amiss(&findings).is_empty(), spares, "{yaml}");
    }
}

#[test]
fn a_resource_group_keeps_benchmarks_apart_where_only_one_may_run() {
    for (yaml, limit, result) in [
        (LOCKED, 1, CheckResult::Holds),
        ("a: { resource_group: machine }", 1, CheckResult::Holds),
        ("a:\n  script: make bench\n", 1, CheckResult::Warning),
        ("a:\n  # resource_group: later\n", 0, CheckResult::Warning),
        ("a:\n  script: make bench\n", 2, CheckResult::Holds),
        ("include: jobs.yml\n", 1, CheckResult::UnknownRisk),
        ("include: jobs.yml\n", 2, CheckResult::Holds),
        (
            "a:\n  trigger: {include: b.yml}\n",
            1,
            CheckResult::UnknownRisk,
        ),
    ] {
        let mut findings = well();
        findings.max_in_flight = limit;
        findings.ci_file = Some(CiFile::Own {
            path: ".gitlab-ci.yml".to_owned(),
            text: Ok(Some(yaml.to_owned())),
        });
        let checks = checks(&findings);
        let check = checks.iter().find(|check| check.name == "resource-group");
        assert_eq!(check.expect("it is there").result, result, "{yaml}");
    }
}

#[test]
fn threads_that_the_bot_resolves_hold_nobody_up() {
    for resolve in [Resolve::Success, Resolve::Always] {
        let mut findings = well();
        findings.resolve = resolve;
        settings(&mut findings.source).only_allow_merge_if_all_discussions_are_resolved =
            Some(true);
        assert_eq!(amiss(&findings), []);
    }
}
