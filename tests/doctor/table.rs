//! One thing amiss a row, and the one check that tells it.

use super::*;

fn runner(findings: &mut Findings) -> &mut AutomationFindings {
    findings.automation.as_mut().expect("it is a job")
}

fn minimum(findings: &mut Findings, role: Option<&str>) {
    let settings = runner(findings).settings.as_mut().expect("it is there");
    settings.ci_pipeline_variables_minimum_override_role = role.map(str::to_owned);
}

fn restrict(findings: &mut Findings, restrict: Option<bool>) {
    let settings = runner(findings).settings.as_mut().expect("it is there");
    settings.restrict_user_defined_variables = restrict;
}

fn scope(findings: &mut Findings) -> &mut JobTokenScope {
    runner(findings).job_tokens.as_mut().expect("it is there")
}

fn runs(findings: &mut Findings) -> &mut Vec<Pipeline> {
    runner(findings).pipelines.as_mut().expect("they are there")
}

#[test]
fn one_thing_amiss_is_one_check() {
    type Change = fn(&mut Findings);
    let table: &[(Change, &str, CheckResult, &str)] = &[
        (
            |f| {
                let settings = settings(&mut f.source);
                settings.only_allow_merge_if_all_discussions_are_resolved = Some(true);
            },
            "threads",
            CheckResult::Warning,
            "--resolve unless-worse",
        ),
        (
            |f| {
                let message = "no connection: its certificate is not trusted by …";
                f.version = Err(error_of(ErrorKind::Transient, message));
                f.token.user = Err(error_of(ErrorKind::Transient, message));
            },
            "server",
            CheckResult::Fails,
            "CI_SERVER_TLS_CA_FILE",
        ),
        (
            |f| {
                f.version = Err(refused(404));
                f.token.user = Err(refused(404));
            },
            "server",
            CheckResult::Fails,
            "--gitlab-url",
        ),
        (
            |f| {
                f.version = Err(refused(401));
                f.token.user = Err(refused(401));
            },
            "token",
            CheckResult::Fails,
            "signed in as the bot, under Edit profile > Access tokens",
        ),
        (
            |f| {
                f.version = Err(refused(401));
                f.token.user = Err(refused(401));
                f.token.given = false;
            },
            "token",
            CheckResult::Fails,
            "BENCH_BOT_TOKEN",
        ),
        (
            |f| {
                f.version = Ok(Version {
                    version: "15.10.0".to_owned(),
                })
            },
            "version",
            CheckResult::Fails,
            "update",
        ),
        (
            |f| f.token.details = Err(refused(400)),
            "token-scopes",
            CheckResult::UnknownNeed,
            "personal, project or group access token",
        ),
        (
            |f| {
                f.token.details = Ok(TokenDetails {
                    scopes: vec!["api".to_owned()],
                    expires_at: Some("1970-01-02".to_owned()),
                });
            },
            "token-expiry",
            CheckResult::Warning,
            "rotate it",
        ),
        (
            |f| f.source.settings = Err(refused(404)),
            "project",
            CheckResult::Fails,
            "https://gitlab.example.com/acme/engine/-/project_members",
        ),
        (
            |f| settings(&mut f.source).archived = Some(true),
            "project",
            CheckResult::Fails,
            "https://gitlab.example.com/acme/engine/edit",
        ),
        (
            |f| {
                let disabled = Some("disabled".to_owned());
                settings(&mut f.source).merge_requests_access_level = disabled;
            },
            "project",
            CheckResult::Fails,
            "/edit",
        ),
        (
            |f| f.source.role = Some(Ok(Some(Role::REPORTER))),
            "project-role",
            CheckResult::Fails,
            "give it the role Developer",
        ),
        (
            |f| f.labels[0].1 = LabelFound::Missing,
            "label",
            CheckResult::Fails,
            "bench-bot doctor --fix",
        ),
        (
            |f| f.benchmark.settings = Err(error_of(ErrorKind::Unclear, "500")),
            "benchmark-project",
            CheckResult::UnknownNeed,
            "run doctor again",
        ),
        (
            |f| f.benchmark.role = Some(Ok(Some(Role(10)))),
            "benchmark-role",
            CheckResult::Fails,
            "give it the role Maintainer",
        ),
        (
            |f| {
                let found = f.ref_found.as_mut().expect("a ref");
                found.branch = Ok(None);
                found.tag = Ok(Some(Tag {
                    name: "release/1".to_owned(),
                    protected: Some(true),
                }));
            },
            "ref-access",
            CheckResult::UnknownNeed,
            "bench-bot doctor --rehearse",
        ),
        (
            |f| settings(&mut f.benchmark).ci_pipeline_variables_minimum_override_role = None,
            "pipeline-variables",
            CheckResult::Fails,
            "make the bot Maintainer",
        ),
        (
            |f| {
                let settings = settings(&mut f.benchmark);
                settings.restrict_user_defined_variables = None;
                settings.ci_pipeline_variables_minimum_override_role = None;
            },
            "pipeline-variables",
            CheckResult::UnknownNeed,
            "bench-bot doctor --rehearse",
        ),
        (
            |f| settings(&mut f.benchmark).ci_delete_pipelines_in_seconds = Some(172_799),
            "pipeline-deletion",
            CheckResult::Fails,
            "keep them for 2days",
        ),
        (
            |f| {
                let error = "429: This endpoint has been requested too many times.";
                f.version = Err(error_of(ErrorKind::Transient, error));
                f.token.user = Err(error_of(ErrorKind::Transient, error));
            },
            "server",
            CheckResult::UnknownNeed,
            "in a minute",
        ),
        (
            |f| {
                let error = "answered, but unreadable: expected value at line 1";
                f.version = Err(error_of(ErrorKind::Unclear, error));
                f.token.user = Err(error_of(ErrorKind::Unclear, error));
            },
            "server",
            CheckResult::Fails,
            "--gitlab-url",
        ),
        (
            |f| f.token.user = Err(forbidden("403 Forbidden - Your account has been blocked.")),
            "token",
            CheckResult::Fails,
            "unblock the bot's account",
        ),
        (
            |f| {
                f.token.details = Ok(TokenDetails {
                    scopes: vec!["granular".to_owned()],
                    expires_at: None,
                });
            },
            "token-scopes",
            CheckResult::UnknownNeed,
            "bench-bot doctor --rehearse",
        ),
        (
            |f| f.token.details = Err(forbidden(NOT_GRANTED)),
            "token-scopes",
            CheckResult::UnknownNeed,
            "bench-bot doctor --rehearse",
        ),
        (
            |f| f.source.role = Some(Err(forbidden(NOT_GRANTED))),
            "project-role",
            CheckResult::UnknownNeed,
            "the permission that GitLab names",
        ),
        (
            |f| settings(&mut f.source).builds_access_level = Some("disabled".to_owned()),
            "project",
            CheckResult::Fails,
            "/edit",
        ),
        (
            |f| {
                let day = Some("2026-01-04".to_owned());
                settings(&mut f.source).marked_for_deletion_on = day;
            },
            "project",
            CheckResult::Fails,
            "restore it: https://gitlab.example.com/acme/engine/edit",
        ),
        (
            |f| {
                let day = Some("2026-01-04".to_owned());
                settings(&mut f.benchmark).marked_for_deletion_at = day;
            },
            "benchmark-project",
            CheckResult::Fails,
            "restore it",
        ),
        (
            |f| settings(&mut f.source).can_create_merge_request_in = Some(false),
            "project",
            CheckResult::UnknownNeed,
            "restore that group: https://gitlab.example.com/acme",
        ),
        (
            |f| f.labels[0].1 = LabelFound::NotCreated(refused(403)),
            "label",
            CheckResult::Fails,
            "a group above it is archived",
        ),
        (
            |f| {
                f.labels
                    .push(("benchmarking::full".to_owned(), LabelFound::Missing))
            },
            "label",
            CheckResult::Fails,
            "bench-bot doctor --fix",
        ),
        (
            |f| {
                f.ci_file = Some(CiFile::Own {
                    path: ".gitlab-ci.yml".to_owned(),
                    text: Ok(Some("benchmark:\n  script: make bench\n".to_owned())),
                })
            },
            "resource-group",
            CheckResult::Warning,
            "resource_group: benchmark",
        ),
        (
            |f| f.ref_found = None,
            "ref",
            CheckResult::Fails,
            "write a CI file",
        ),
        (
            |f| settings(&mut f.benchmark).builds_access_level = None,
            "ci",
            CheckResult::UnknownNeed,
            "bench-bot doctor --rehearse",
        ),
        (
            |f| {
                let nobody = Some("no_one".to_owned());
                settings(&mut f.benchmark).ci_restrict_pipeline_cancellation_role = nobody;
            },
            "cancel",
            CheckResult::Fails,
            "Minimum role required to cancel a pipeline or job",
        ),
        (
            |f| {
                let maintainers = Some("maintainer".to_owned());
                settings(&mut f.benchmark).ci_restrict_pipeline_cancellation_role = maintainers;
            },
            "cancel",
            CheckResult::Fails,
            "make the bot Maintainer",
        ),
        (
            |f| {
                f.pipelines = Some(Ok(vec![
                    pipeline(1, "running", 49),
                    pipeline(2, "manual", 47),
                ]))
            },
            "overdue",
            CheckResult::Warning,
            "by hand",
        ),
        (
            |f| f.pipelines = Some(Err(refused(403))),
            "overdue",
            CheckResult::UnknownNeed,
            "the bot's role",
        ),
        (
            |f| runner(f).settings = Err(refused(404)),
            "automation-variables",
            CheckResult::UnknownRisk,
            "make the bot Maintainer there",
        ),
        (
            |f| minimum(f, Some("maintainer")),
            "automation-variables",
            CheckResult::Fails,
            "https://gitlab.example.com/acme/automation/-/settings/ci_cd",
        ),
        (
            |f| minimum(f, Some("owner")),
            "automation-variables",
            CheckResult::Fails,
            "No one allowed",
        ),
        // As older servers say that Maintainers may.
        (
            |f| minimum(f, None),
            "automation-variables",
            CheckResult::Fails,
            "No one allowed",
        ),
        (
            |f| {
                minimum(f, None);
                let version = "17.0.3-ee".to_owned();
                f.version = Ok(Version { version });
            },
            "automation-variables",
            CheckResult::Fails,
            "from GitLab 17.1 on",
        ),
        // Without it, the role does not count.
        (
            |f| restrict(f, Some(false)),
            "automation-variables",
            CheckResult::Fails,
            "No one allowed",
        ),
        (
            |f| {
                minimum(f, None);
                restrict(f, None);
            },
            "automation-variables",
            CheckResult::UnknownRisk,
            "look under Variables",
        ),
        (
            |f| runner(f).job_tokens = Err(refused(403)),
            "automation-job-tokens",
            CheckResult::UnknownRisk,
            "make the bot Maintainer there",
        ),
        (
            |f| scope(f).limited = false,
            "automation-job-tokens",
            CheckResult::Fails,
            "limit it to the allowlist",
        ),
        // The benchmark project's.
        (
            |f| scope(f).projects.push(ProjectId(7)),
            "automation-job-tokens",
            CheckResult::Fails,
            "remove acme/benchmarks from the allowlist",
        ),
        (
            |f| {
                let group = "https://gitlab.example.com/groups/acme".to_owned();
                scope(f).groups.push(group);
            },
            "automation-job-tokens",
            CheckResult::Fails,
            "replace the group acme",
        ),
        (
            |f| runner(f).pipelines = Err(refused(403)),
            "automation-runs",
            CheckResult::UnknownRisk,
            "make the bot Maintainer there",
        ),
        (
            |f| runs(f).retain(|run| run.source.as_deref() != Some("schedule")),
            "automation-runs",
            CheckResult::Warning,
            "make a schedule, which makes up for lost wake-ups",
        ),
        (
            |f| runs(f).clear(),
            "automation-runs",
            CheckResult::Warning,
            "https://gitlab.example.com/acme/automation/-/pipeline_schedules",
        ),
    ];
    assert_eq!(amiss(&well()), []);
    for &(change, name, result, hint) in table {
        let mut findings = well();
        change(&mut findings);
        assert_looked_at_both(&findings);
        let amiss = amiss(&findings);
        let [check] = &amiss[..] else {
            panic!("{name}: {amiss:?}")
        };
        assert_eq!((check.name, check.result), (name, result));
        assert!(
            check.hint.as_deref().unwrap_or_default().contains(hint),
            "{check:?}"
        );
    }
}

#[test]
fn when_it_last_ran_and_why_is_told() {
    let told = |change: fn(&mut Findings)| {
        let mut findings = well();
        change(&mut findings);
        let checks = checks(&findings);
        let check = checks
            .into_iter()
            .find(|check| check.name == "automation-runs");
        check.expect("it is there").detail
    };
    assert_eq!(
        told(|_| ()),
        "acme/automation ran 1h ago woken by another project's pipeline, 2h ago by its schedule"
    );
    assert_eq!(
        told(|f| runs(f).truncate(2)),
        "acme/automation ran 1h ago woken by another project's pipeline, but not by a schedule"
    );
    assert_eq!(
        told(|f| runs(f).truncate(1)),
        "acme/automation has not run lately"
    );
}

/// At a desk, nothing is known of it, and nothing is amiss.
#[test]
fn outside_of_a_job_there_is_no_automation_project() {
    let mut findings = well();
    findings.automation = None;
    let checks = checks(&findings);
    let named = |check: &Check| check.name.starts_with("automation");
    assert!(!checks.iter().any(named), "{checks:?}");
}

#[test]
fn what_is_overdue_is_named() {
    let overdue = |pipelines| {
        let mut findings = well();
        findings.pipelines = Some(Ok(pipelines));
        let checks = checks(&findings);
        let check = checks.into_iter().find(|check| check.name == "overdue");
        check.expect("it is there").detail
    };
    assert_eq!(
        overdue(vec![
            pipeline(1, "running", 49),
            pipeline(2, "success", 99),
            pipeline(3, "manual", 49),
            pipeline(4, "running", 25),
        ]),
        "in flight for longer than 1day 1h (--timeout and an hour): \
         https://gitlab.example.com/acme/benchmarks/-/pipelines/1 (running), \
         https://gitlab.example.com/acme/benchmarks/-/pipelines/3 (manual)"
    );
    let many = (1..=8).map(|id| pipeline(id, "running", 49)).collect();
    assert!(overdue(many).ends_with("/5 (running) and 3 more"));
}

/// `workflow: auto_cancel` makes a CI file invalid where GitLab does not know it.
#[test]
fn the_ci_file_is_not_told_to_say_what_the_server_does_not_know() {
    for (version, file, setting, invalid) in [
        ("16.7.0-ee", false, true, true),
        ("16.8.0", false, true, false),
        ("16.9.0", true, true, false),
        ("next", true, true, false),
    ] {
        let mut findings = well();
        findings.version = Ok(Version {
            version: version.to_owned(),
        });
        settings(&mut findings.benchmark).auto_cancel_pending_pipelines =
            Some("enabled".to_owned());
        let hints = |findings: &Findings| {
            let hints = amiss(findings).into_iter();
            let hints = hints.filter(|check| check.name == "auto-cancel");
            hints.filter_map(|check| check.hint).collect::<String>()
        };
        let hint = hints(&findings);
        assert_eq!(
            hint.contains("on_new_commit: none"),
            file,
            "{version}: {hint}"
        );
        assert_eq!(hint.contains("Auto-cancel redundant"), setting, "{hint}");
        let yaml = format!("{LOCKED}workflow:\n  auto_cancel:\n    on_new_commit: none\n");
        findings.ci_file = Some(CiFile::Own {
            path: ".gitlab-ci.yml".to_owned(),
            text: Ok(Some(yaml)),
        });
        assert_eq!(hints(&findings).is_empty(), file, "{version}");
        let fails = |check: &Check| check.name == "ci-file" && check.result == CheckResult::Fails;
        assert_eq!(checks(&findings).iter().any(fails), invalid, "{version}");
    }
}
