//! What `doctor` makes of what it found, as a table: one thing amiss a row, and the one check that tells it.

use bench_bot::doctor::checks::{Check, Verdict, checks};
use bench_bot::doctor::findings::{CiFile, Findings, Identity, LabelFound, Place, RefFound};
use bench_bot::gitlab::answer::{Project, User};
use bench_bot::gitlab::{
    AccessLevel, Branch, Error, Kind, ProjectSettings, ProtectedBranch, Role, Tag, TokenDetails,
    Version,
};
use bench_bot::id::{ProjectId, UserId};
use bench_bot::plan::Resolve;
use chrono::{DateTime, TimeDelta};

const BOT: UserId = UserId(20);

fn error(kind: Kind, message: &str) -> Error {
    Error {
        kind,
        request: "GET /something".to_owned(),
        message: message.to_owned(),
    }
}

fn refused(status: u16) -> Error {
    let status = status.try_into().expect("a status");
    error(Kind::Refused(status), "refused")
}

fn identity(variable: &'static str) -> Identity {
    Identity {
        variable,
        given: true,
        user: Ok(User {
            id: BOT,
            username: "bench-bot".to_owned(),
        }),
        details: Ok(TokenDetails {
            scopes: vec!["api".to_owned()],
            expires_at: None,
        }),
    }
}

fn place(name: &str, role: Role) -> Place {
    let enabled = || Some("enabled".to_owned());
    Place {
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
            merge_requests_access_level: enabled(),
            builds_access_level: enabled(),
            only_allow_merge_if_all_discussions_are_resolved: Some(false),
            ci_config_path: None,
            auto_cancel_pending_pipelines: Some("disabled".to_owned()),
            restrict_user_defined_variables: Some(true),
            ci_pipeline_variables_minimum_override_role: Some("developer".to_owned()),
            ci_delete_pipelines_in_seconds: None,
        }),
        role: Some(Ok(Some(role))),
    }
}

/// As it should be.
fn well() -> Findings {
    Findings {
        url: "https://gitlab.example.com".to_owned(),
        now: DateTime::UNIX_EPOCH,
        label: "benchmarking".to_owned(),
        timeout: TimeDelta::hours(24),
        resolve: Resolve::Never,
        version: Ok(Version {
            version: "18.5.1-ee".to_owned(),
        }),
        token: identity("BENCH_BOT_TOKEN"),
        benchmark_token: None,
        source: place("acme/engine", Role::DEVELOPER),
        benchmark: place("acme/benchmarks", Role::DEVELOPER),
        label_found: Some(LabelFound::There),
        ref_found: Some(RefFound {
            name: "release/1".to_owned(),
            branch: Ok(Some(Branch {
                protected: false,
                can_push: true,
                developers_can_merge: false,
            })),
            tag: Ok(None),
            rules: Err(refused(403)),
        }),
        ci_file: Some(CiFile::Own {
            path: ".gitlab-ci.yml".to_owned(),
            text: Ok(Some(String::new())),
        }),
        rehearsal: None,
    }
}

fn amiss(findings: &Findings) -> Vec<Check> {
    let mut amiss = checks(findings);
    amiss.retain(|check| check.verdict != Verdict::Holds);
    amiss
}

fn settings(place: &mut Place) -> &mut ProjectSettings {
    place.settings.as_mut().expect("it is there")
}

#[test]
fn one_thing_amiss_is_one_check() {
    type Change = fn(&mut Findings);
    let table: [(Change, &str, Verdict, &str); 19] = [
        (
            |f| {
                let settings = settings(&mut f.source);
                settings.only_allow_merge_if_all_discussions_are_resolved = Some(true);
            },
            "threads",
            Verdict::Warning,
            "--resolve success",
        ),
        (
            |f| {
                let message = "no connection: its certificate is not trusted, neither by …";
                f.version = Err(error(Kind::Passing, message));
                f.token.user = Err(error(Kind::Passing, message));
            },
            "server",
            Verdict::Fails,
            "CI_SERVER_TLS_CA_FILE",
        ),
        (
            |f| {
                f.version = Err(refused(404));
                f.token.user = Err(refused(404));
            },
            "server",
            Verdict::Fails,
            "--gitlab-url",
        ),
        (
            |f| {
                f.version = Err(refused(401));
                f.token.user = Err(refused(401));
            },
            "token",
            Verdict::Fails,
            "https://gitlab.example.com/-/user_settings/personal_access_tokens",
        ),
        (
            |f| {
                f.version = Err(refused(401));
                f.token.user = Err(refused(401));
                f.token.given = false;
            },
            "token",
            Verdict::Fails,
            "BENCH_BOT_TOKEN",
        ),
        (
            |f| {
                f.version = Ok(Version {
                    version: "15.10.0".to_owned(),
                })
            },
            "version",
            Verdict::Fails,
            "update",
        ),
        (
            |f| f.token.details = Err(refused(400)),
            "token-scopes",
            Verdict::UnknownNeed,
            "personal, project or group access token",
        ),
        (
            |f| {
                f.token.details = Ok(TokenDetails {
                    scopes: vec!["api".to_owned()],
                    expires_at: "1970-01-02".parse().ok(),
                });
            },
            "token-expiry",
            Verdict::Warning,
            "rotate it",
        ),
        (
            |f| f.source.settings = Err(refused(404)),
            "project",
            Verdict::Fails,
            "https://gitlab.example.com/acme/engine/-/project_members",
        ),
        (
            |f| settings(&mut f.source).archived = Some(true),
            "project",
            Verdict::Fails,
            "https://gitlab.example.com/acme/engine/edit",
        ),
        (
            |f| {
                let disabled = Some("disabled".to_owned());
                settings(&mut f.source).merge_requests_access_level = disabled;
            },
            "project",
            Verdict::Fails,
            "/edit",
        ),
        (
            |f| f.source.role = Some(Ok(Some(Role::REPORTER))),
            "project-role",
            Verdict::Fails,
            "give it the role Developer",
        ),
        (
            |f| f.label_found = Some(LabelFound::Missing),
            "label",
            Verdict::Fails,
            "bench-bot doctor --fix",
        ),
        (
            |f| f.benchmark.settings = Err(error(Kind::Unclear, "500")),
            "benchmark-project",
            Verdict::UnknownNeed,
            "run this again",
        ),
        (
            |f| f.benchmark.role = Some(Ok(Some(Role(10)))),
            "benchmark-role",
            Verdict::Fails,
            "give it the role Maintainer",
        ),
        (
            |f| {
                let found = f.ref_found.as_mut().expect("a ref");
                found.branch = Ok(None);
                found.tag = Ok(Some(Tag { protected: true }));
            },
            "ref-access",
            Verdict::UnknownNeed,
            "bench-bot doctor --rehearse",
        ),
        (
            |f| settings(&mut f.benchmark).ci_pipeline_variables_minimum_override_role = None,
            "pipeline-variables",
            Verdict::Fails,
            "make it Maintainer",
        ),
        (
            |f| {
                let settings = settings(&mut f.benchmark);
                settings.restrict_user_defined_variables = None;
                settings.ci_pipeline_variables_minimum_override_role = None;
            },
            "pipeline-variables",
            Verdict::UnknownNeed,
            "bench-bot doctor --rehearse",
        ),
        (
            |f| settings(&mut f.benchmark).ci_delete_pipelines_in_seconds = Some(172_799),
            "pipeline-deletion",
            Verdict::Fails,
            "keep them for 2days",
        ),
    ];
    assert_eq!(amiss(&well()), []);
    for (change, name, verdict, hint) in table {
        let mut findings = well();
        change(&mut findings);
        let amiss = amiss(&findings);
        let [check] = &amiss[..] else {
            panic!("{name}: {amiss:?}")
        };
        assert_eq!((check.name, check.verdict), (name, verdict));
        assert!(
            check.hint.as_deref().unwrap_or_default().contains(hint),
            "{check:?}"
        );
    }
}

/// Whether the bot may run a pipeline of `release/1`, protected and not open to its pushes.
fn ref_access(role: Role, developers: bool, rules: Result<Vec<ProtectedBranch>, Error>) -> Verdict {
    let mut findings = well();
    findings.benchmark.role = Some(Ok(Some(role)));
    let found = findings.ref_found.as_mut().expect("a ref");
    found.branch = Ok(Some(Branch {
        protected: true,
        can_push: false,
        developers_can_merge: developers,
    }));
    found.rules = rules;
    let checks = checks(&findings);
    let check = checks.iter().find(|check| check.name == "ref-access");
    check.expect("it is there").verdict
}

fn rule(name: &str, level: AccessLevel) -> ProtectedBranch {
    ProtectedBranch {
        name: name.to_owned(),
        merge_access_levels: vec![level],
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
        Verdict::Holds
    );
    assert_eq!(
        ref_access(developer, false, Err(refused(403))),
        Verdict::Fails
    );
    assert_eq!(
        ref_access(maintainer, false, Err(refused(500))),
        Verdict::UnknownNeed
    );
    for (pattern, verdict) in [
        ("release/1", Verdict::Holds),
        ("release/*", Verdict::Holds),
        ("*e*1", Verdict::Holds),
        ("*", Verdict::Holds),
        ("release/1*", Verdict::Holds),
        // No rule that is shown: one of a group.
        ("release", Verdict::UnknownNeed),
        ("*/2", Verdict::UnknownNeed),
        ("re*lease*se*", Verdict::UnknownNeed),
    ] {
        assert_eq!(ref_of(pattern, least(maintainer)), verdict, "{pattern}");
    }
    assert_eq!(ref_of("release/1", least(Role(0))), Verdict::Fails);
    assert_eq!(ref_of("release/1", least(Role(60))), Verdict::Fails);
    let user = |id| AccessLevel {
        user_id: Some(UserId(id)),
        ..least(maintainer)
    };
    assert_eq!(ref_of("release/1", user(BOT.0)), Verdict::Holds);
    assert_eq!(ref_of("release/1", user(21)), Verdict::Fails);
    let group = AccessLevel {
        group_id: Some(3),
        ..least(maintainer)
    };
    assert_eq!(ref_of("release/1", group), Verdict::UnknownNeed);
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
            text: Ok(Some(yaml.to_owned())),
        });
        assert_eq!(amiss(&findings).is_empty(), spares, "{yaml}");
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
