//! What `doctor` says of a setup, from a newcomer's to one that is ready.

use std::time::Duration;

use in_memory_gitlab::{
    BENCH_BOT, BOT_TOKEN, Fault, Gitlab, LINUS, Project, READ_ONLY_TOKEN, REVOKED_TOKEN, Role,
    Visibility,
};
use serde_json::Value;

use crate::bot::{Bot, bot, json, run};

macro_rules! snapshot {
    ($gitlab:expr, $name:expr, $text:expr) => {
        insta::with_settings!({
            snapshot_path => "../../snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!($name, $text.replace($gitlab.url(), "http://gitlab.test:1234"))
        })
    };
}

/// The checks of a run, whatever its exit status.
fn checks(bot: Bot) -> Vec<Value> {
    let report = bot.arg("--format").arg("json").runs().json();
    report["checks"].as_array().expect("a list").clone()
}

#[track_caller]
fn check(gitlab: &Gitlab, name: &str) -> Value {
    let checks = checks(bot(gitlab, "doctor"));
    let found = checks.iter().find(|check| check["name"] == name);
    found
        .unwrap_or_else(|| panic!("no {name}: {checks:?}"))
        .clone()
}

fn names(checks: &[Value], ok: Value) -> Vec<&str> {
    let those = checks.iter().filter(|check| check["ok"] == ok);
    those.filter_map(|check| check["name"].as_str()).collect()
}

/// `None`: nobody may push or merge.
fn protect(project: &mut Project, least: Option<Role>) {
    project.protected_branches.insert("main".to_owned(), least);
}

/// A Developer in both projects, in a way that works.
fn developer() -> Gitlab {
    let gitlab = Gitlab::start();
    gitlab.role("bench-bot", "acme/benchmarks", Role::Developer);
    gitlab.configure("acme/benchmarks", |project| {
        project.protected_branches.clear();
        project.ci_pipeline_variables_minimum_override_role = "developer".to_owned();
    });
    gitlab
}

#[test]
fn all_is_well() {
    let gitlab = Gitlab::start();
    snapshot!(gitlab, "doctor", run(&gitlab, "doctor").stdout);
    let page = include_str!("../../docs/settings.md");
    for check in checks(bot(&gitlab, "doctor --rehearse")) {
        let name = check["name"].as_str().expect("a word");
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    snapshot!(
        gitlab,
        "doctor-json",
        run(&gitlab, "doctor --format json").stdout
    );
}

#[test]
fn a_first_run_without_a_token() {
    let gitlab = Gitlab::start();
    let ran = bot(&gitlab, "doctor").without("BENCH_BOT_TOKEN").exits(1);
    snapshot!(gitlab, "doctor-no-token", ran.stdout);
    assert_eq!(ran.stderr, "");
}

#[test]
fn a_newcomers_run() {
    let gitlab = Gitlab::start();
    gitlab.delete_label("benchmarking");
    gitlab.role("bench-bot", "acme/engine", Role::Reporter);
    gitlab.role("bench-bot", "acme/benchmarks", Role::Developer);
    gitlab.configure("acme/engine", |project| {
        project.only_allow_merge_if_all_discussions_are_resolved = true;
    });
    gitlab.configure("acme/benchmarks", |project| {
        project.auto_cancel_pending_pipelines = true;
        project.files.clear();
    });
    gitlab.change_token(BOT_TOKEN, |token| {
        token.expires_at = "2026-01-12".parse().ok();
    });
    let ran = bot(&gitlab, "doctor").exits(1);
    snapshot!(gitlab, "doctor-newcomer", ran.stdout);
    let fits = |line: &&str| line.contains("http") || line.chars().count() <= 80;
    assert_eq!(ran.stdout.lines().find(|line| !fits(line)), None);
}

#[test]
fn a_developer_is_not_shown_all_and_rehearses() {
    let gitlab = developer();
    snapshot!(
        gitlab,
        "doctor-developer",
        bot(&gitlab, "doctor").exits(1).stdout
    );
    assert!(gitlab.benchmarks().is_empty());
    snapshot!(
        gitlab,
        "doctor-rehearse",
        run(&gitlab, "doctor --rehearse").stdout
    );
}

#[test]
fn nothing_is_written_unless_asked_for() {
    let gitlab = Gitlab::start();
    gitlab.delete_label("benchmarking");
    bot(&gitlab, "doctor").exits(1);
    assert!(gitlab.writes().is_empty());
    // The version; the user, the token, two projects; two roles, the label by name and in a list; branch, tag, rules, CI
    // file; the bot's pipelines.
    assert_eq!(gitlab.requests().len(), 1 + 4 + 4 + 4 + 1);
    for flag in ["--fix", "--rehearse"] {
        bot(&gitlab, "doctor --dry-run").arg(flag).exits(2);
    }
    assert!(gitlab.writes().is_empty());
}

#[test]
fn the_label_is_created_once() {
    let gitlab = Gitlab::start();
    gitlab.delete_label("benchmarking");
    assert_eq!(check(&gitlab, "label")["ok"], false);
    let report = json(&gitlab, "doctor --fix");
    assert_eq!(report["dry_run"], false);
    assert_eq!(gitlab.writes().len(), 1);
    run(&gitlab, "doctor --fix");
    assert_eq!(gitlab.writes().len(), 1);
    gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn a_label_of_the_group_is_one_and_one_with_odd_characters_is_found() {
    let gitlab = Gitlab::start();
    gitlab.delete_label("benchmarking");
    gitlab.group_label("acme", "benchmarking");
    run(&gitlab, "doctor");
    let odd = "perf::a/b? 100% é #1";
    let doctor = || bot(&gitlab, "doctor --fix --label").arg(odd);
    doctor().succeeds();
    doctor().succeeds();
    assert_eq!(gitlab.writes().len(), 1);
}

/// GitLab takes what begins with a number for an id.
#[test]
fn a_label_that_begins_with_a_number_is_told_from_one_with_that_id() {
    let gitlab = Gitlab::start();
    let doctor =
        |label: &str, flags: &str| bot(&gitlab, &format!("doctor {flags} --label {label}"));
    let id = gitlab
        .world()
        .label_titled(7, "benchmarking")
        .expect("it is there")
        .id;
    let name = format!("{id}-fold");
    doctor(&name, "").exits(1);
    doctor(&name, "--fix").succeeds();
    doctor(&name, "").succeeds();
    // An ingress that reloads says so of anything.
    gitlab.fault(|request| {
        let fault = Fault::answer(404, "text/plain", "default backend - 404");
        request
            .path
            .ends_with("/labels/benchmarking")
            .then_some(fault)
    });
    doctor("benchmarking", "").succeeds();
}

#[test]
fn what_is_in_flight_for_too_long_is_named() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    let id = gitlab.benchmarks()[0].id;
    gitlab.benchmark_hangs(id, "running");
    gitlab.later(Duration::from_secs(24 * 60 * 60));
    assert_eq!(check(&gitlab, "overdue")["hint"], Value::Null);
    gitlab.later(Duration::from_secs(2 * 60 * 60));
    run(&gitlab, "doctor");
    let overdue = check(&gitlab, "overdue");
    let named = format!("/acme/benchmarks/-/pipelines/{id} (running)");
    assert!(overdue["detail"].to_string().contains(&named), "{overdue}");
    assert!(overdue["hint"].is_string());
}

#[test]
fn a_label_that_the_bot_may_not_create_is_said() {
    let gitlab = Gitlab::start();
    gitlab.delete_label("benchmarking");
    gitlab.role("bench-bot", "acme/engine", Role::Guest);
    let ran = bot(&gitlab, "doctor --fix").exits(1);
    assert!(
        ran.stdout
            .contains("cannot create benchmarking (403 Forbidden)"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_rehearsal_is_cancelled_and_is_no_record() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "doctor --rehearse");
    let [rehearsal] = &gitlab.benchmarks()[..] else {
        panic!("one pipeline")
    };
    assert_eq!(rehearsal.status, "canceled");
    assert_eq!(
        rehearsal.variables,
        [("BENCH_REHEARSAL".to_owned(), "true".to_owned())]
    );
    // Not even one that is still in flight.
    gitlab.benchmark_runs(rehearsal.id);
    run(&gitlab, "reconcile");
    assert_eq!(gitlab.pipeline(rehearsal.id).status, "running");
    let report = json(&gitlab, "scan");
    assert_eq!(report["in_flight"].as_array().map(Vec::len), Some(0));
    assert_eq!(gitlab.benchmarks().len(), 2, "the benchmark was started");
    run(&gitlab, "reconcile");
    assert!(mr.is_labelled());
    assert_eq!(mr.discussions().len(), 1);
}

#[test]
fn a_refused_rehearsal_is_explained() {
    let refused = |change: fn(&mut Project), why: &str| {
        let gitlab = developer();
        gitlab.configure("acme/benchmarks", change);
        let ran = bot(&gitlab, "doctor --rehearse").exits(1);
        let text = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(why), "{}", ran.stdout);
        assert!(gitlab.benchmarks().is_empty());
    };
    refused(
        |project| {
            project.ci_pipeline_variables_minimum_override_role = "no_one_allowed".to_owned();
        },
        "Insufficient permissions to set pipeline variables",
    );
    refused(
        |project| protect(project, None),
        "You do not have sufficient permission to run a pipeline on 'main'",
    );
    refused(
        |project| project.yaml_error = Some("jobs config should contain a job".to_owned()),
        "jobs config should contain a job",
    );
    refused(
        |project| project.pipelines_per_minute = Some(0),
        "try again in a minute",
    );
}

/// A project may have a job for benchmarks alone.
#[test]
fn a_rehearsal_that_only_the_rules_of_the_jobs_stop_has_proved_the_rest() {
    let gitlab = developer();
    gitlab.configure("acme/benchmarks", |project| project.job_names.clear());
    let ran = run(&gitlab, "doctor --rehearse");
    assert!(ran.stdout.contains("BENCH_REHEARSAL"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("✓ pipeline-variables"),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_rehearsal_that_cannot_be_cancelled_or_read_or_is_lost_is_said() {
    for (path, why) in [
        ("cancel", "the pipeline cannot be cancelled (403"),
        (
            "variables",
            "the pipeline's variables cannot be read back (403",
        ),
        ("pipeline", "GitLab refuses to start the pipeline (403"),
    ] {
        let gitlab = Gitlab::start();
        gitlab.fault(move |request| {
            let forbidden = r#"{"message":"403 Forbidden"}"#;
            let fault = Fault::answer(403, "application/json", forbidden);
            request.path.ends_with(path).then_some(fault)
        });
        let ran = bot(&gitlab, "doctor --rehearse").exits(1);
        assert!(ran.stdout.contains(why), "{}", ran.stdout);
    }
    let gitlab = Gitlab::start();
    gitlab.fault(|request| request.is_write().then_some(Fault::ResetAfterEffect));
    let ran = bot(&gitlab, "doctor --rehearse").exits(1);
    assert!(
        ran.stdout.contains("the pipeline may have started or not"),
        "{}",
        ran.stdout
    );
}

#[test]
fn tokens() {
    let gitlab = Gitlab::start();
    let with = |token: &str| checks(bot(&gitlab, "doctor").env("BENCH_BOT_TOKEN", token));
    for token in ["glpat-mistyped", REVOKED_TOKEN] {
        let refused = with(token);
        assert_eq!(names(&refused, Value::Bool(true)), ["server"]);
        assert_eq!(names(&refused, Value::Bool(false)), ["token"]);
    }
    assert_eq!(
        names(&with(READ_ONLY_TOKEN), Value::Bool(false)),
        ["token-scopes"]
    );

    gitlab.change_token(BOT_TOKEN, |token| {
        token.scopes = vec!["read_user".to_owned()]
    });
    let blind = checks(bot(&gitlab, "doctor"));
    assert_eq!(names(&blind, Value::Bool(false)), ["token-scopes"]);
    assert_eq!(names(&blind, Value::Null), [""; 0]);

    gitlab.change_token(BOT_TOKEN, |token| {
        token.scopes = vec!["api".to_owned()];
        token.expires_at = None;
    });
    assert_eq!(check(&gitlab, "token-expiry")["hint"], Value::Null);
    for (date, warned) in [("2026-01-18", true), ("2026-01-19", false)] {
        gitlab.change_token(BOT_TOKEN, |token| token.expires_at = date.parse().ok());
        run(&gitlab, "doctor");
        let hint = &check(&gitlab, "token-expiry")["hint"];
        assert_eq!(hint.is_string(), warned, "{date}: {hint}");
    }
}

/// OAuth tokens, say.
#[test]
fn a_token_that_does_not_tell_its_scopes() {
    let gitlab = Gitlab::start();
    gitlab.fault(|request| {
        let body = r#"{"message":"400 Bad request - This endpoint requires token type to be a personal access token"}"#;
        let fault = Fault::answer(400, "application/json", body);
        request.path.ends_with("/self").then_some(fault)
    });
    let told = check(&gitlab, "token-scopes");
    assert_eq!(told["ok"], Value::Null);
    bot(&gitlab, "doctor").exits(1);
    run(&gitlab, "doctor --rehearse");
}

#[test]
fn a_token_for_each_project() {
    const SECOND: &str = "glpat-second-0123456789";
    let gitlab = Gitlab::start();
    gitlab.world().add_token(SECOND, LINUS, &["read_api"]);
    gitlab.role("bench-bot", "acme/benchmarks", None);
    gitlab.role("linus", "acme/benchmarks", Role::Maintainer);
    let alone = checks(bot(&gitlab, "doctor"));
    assert_eq!(names(&alone, Value::Bool(false)), ["benchmark-project"]);
    let both = |token: &str| bot(&gitlab, "doctor").env("BENCH_BOT_BENCHMARK_TOKEN", token);
    let failed = checks(both(SECOND));
    assert_eq!(
        names(&failed, Value::Bool(false)),
        ["benchmark-token-scopes"]
    );
    gitlab.change_token(SECOND, |token| token.scopes = vec!["api".to_owned()]);
    both(SECOND).succeeds();
    let failed = checks(both("glpat-mistyped"));
    assert_eq!(names(&failed, Value::Bool(false)), ["benchmark-token"]);
    assert!(names(&failed, Value::Bool(true)).contains(&"threads"));
}

#[test]
fn a_project_access_token_opens_one_project() {
    let gitlab = Gitlab::start();
    gitlab.role("bench-bot", "acme/benchmarks", None);
    let username = "project_7_bot_4ffca233".to_owned();
    gitlab
        .world()
        .users
        .get_mut(&BENCH_BOT)
        .expect("the bot")
        .username = username;
    let hint = check(&gitlab, "benchmark-project")["hint"].to_string();
    assert!(hint.contains("BENCH_BOT_BENCHMARK_TOKEN"), "{hint}");
}

/// What is done to the benchmark project, and the one check that then fails or warns.
#[test]
fn each_thing_that_can_be_wrong_in_the_benchmark_project_is_one_check() {
    type Change = fn(&mut Project);
    let wrong: [(Change, &str, Value); 16] = [
        (
            |project| project.marked_for_deletion_on = "2026-01-04".parse().ok(),
            "benchmark-project",
            false.into(),
        ),
        (
            |project| {
                project.ci_restrict_pipeline_cancellation_role = Some("no_one".to_owned());
            },
            "cancel",
            false.into(),
        ),
        (
            |project| project.archived = true,
            "benchmark-project",
            false.into(),
        ),
        (|project| project.jobs_enabled = false, "ci", false.into()),
        (
            |project| {
                project.default_branch = None;
                project.branches.clear();
            },
            "ref",
            false.into(),
        ),
        // As GitLab tells of an empty project.
        (|project| project.branches.clear(), "ref", false.into()),
        (
            |project| {
                drop(
                    project
                        .tags
                        .insert("main".to_owned(), project.branches["main"].clone()),
                )
            },
            "ref",
            false.into(),
        ),
        (|project| protect(project, None), "ref-access", false.into()),
        (|project| project.files.clear(), "ci-file", false.into()),
        (
            |project| project.ci_config_path = Some("ci/bench.yml".to_owned()),
            "ci-file",
            false.into(),
        ),
        (
            |project| project.ci_config_path = Some("bench.yml@acme/engine".to_owned()),
            "ci-file",
            Value::Null,
        ),
        (
            |project| {
                project.ci_pipeline_variables_minimum_override_role = "no_one_allowed".to_owned();
            },
            "pipeline-variables",
            false.into(),
        ),
        (
            |project| {
                project.ci_pipeline_variables_minimum_override_role = "owner".to_owned();
            },
            "pipeline-variables",
            false.into(),
        ),
        (
            |project| project.ci_delete_pipelines_in_seconds = Some(86_400),
            "pipeline-deletion",
            false.into(),
        ),
        (
            |project| project.auto_cancel_pending_pipelines = true,
            "auto-cancel",
            true.into(),
        ),
        (
            |project| {
                let file = "benchmark:\n  script: ./benchmark\n".to_owned();
                project.files.insert(".gitlab-ci.yml".to_owned(), file);
            },
            "resource-group",
            true.into(),
        ),
    ];
    for (change, name, ok) in wrong {
        let gitlab = Gitlab::start();
        gitlab.configure("acme/benchmarks", change);
        let warning = ok == Value::Bool(true);
        let ran = bot(&gitlab, "doctor --format json").exits(if warning { 0 } else { 1 });
        let checks = ran.json()["checks"].as_array().expect("a list").clone();
        let amiss: Vec<&Value> = checks
            .iter()
            .filter(|check| check["hint"].is_string())
            .collect();
        assert_eq!(amiss.len(), 1, "{name}: {amiss:?}");
        assert_eq!((&amiss[0]["name"], &amiss[0]["ok"]), (&name.into(), &ok));
    }
}

#[test]
fn settings_that_do_no_harm_are_no_failure() {
    type Change = fn(&mut Project);
    let harmless: [Change; 6] = [
        |project| {
            project.restrict_user_defined_variables = false;
            project.ci_pipeline_variables_minimum_override_role = "no_one_allowed".to_owned();
        },
        |project| project.ci_delete_pipelines_in_seconds = Some(30 * 86_400),
        |project| {
            project.merge_only.insert("main".to_owned());
        },
        |project| {
            project.auto_cancel_pending_pipelines = true;
            let file = project
                .files
                .get_mut(".gitlab-ci.yml")
                .expect("there is one");
            *file += "workflow:\n  auto_cancel:\n    on_new_commit: none # waits\n";
        },
        |project| {
            let file = project
                .files
                .remove(".gitlab-ci.yml")
                .expect("there is one");
            project.files.insert("ci/bench.yml".to_owned(), file);
            project.ci_config_path = Some("ci/bench.yml".to_owned());
        },
        |project| {
            project.visibility = Visibility::Public;
            project.path_with_namespace = "acme/other".to_owned();
            project.former_paths.push("acme/benchmarks".to_owned());
        },
    ];
    for change in harmless {
        let gitlab = Gitlab::start();
        gitlab.configure("acme/benchmarks", change);
        let report = json(&gitlab, "doctor");
        let checks = report["checks"].as_array().expect("a list").iter();
        let amiss: Vec<&Value> = checks.filter(|check| check["hint"].is_string()).collect();
        assert!(amiss.is_empty(), "{amiss:?}");
    }
}

/// For an installation that lets several run, one group would undo that.
#[test]
fn where_several_may_run_no_resource_group_is_missed() {
    let gitlab = Gitlab::start();
    gitlab.configure("acme/benchmarks", |project| {
        let file = "benchmark:\n  script: ./benchmark\n".to_owned();
        project.files.insert(".gitlab-ci.yml".to_owned(), file);
    });
    let ran = run(&gitlab, "doctor");
    let hint = "→ in each job that measures: resource_group: benchmark\n";
    assert!(ran.stdout.contains(hint), "{}", ran.stdout);
    let ran = run(&gitlab, "doctor --max-in-flight 2");
    assert!(!ran.stdout.contains("      →"), "{}", ran.stdout);
}

#[test]
fn a_tag_is_a_ref_and_a_protected_one_is_rehearsed() {
    let gitlab = Gitlab::start();
    gitlab.configure("acme/benchmarks", |project| {
        let head = project.branches["main"].clone();
        project.tags.insert("v1".to_owned(), head);
    });
    run(&gitlab, "doctor --ref v1");
    gitlab.configure("acme/benchmarks", |project| {
        let maintainers = Some(Role::Maintainer);
        project.protected_tags.insert("v1".to_owned(), maintainers);
    });
    bot(&gitlab, "doctor --ref v1").exits(1);
    run(&gitlab, "doctor --ref v1 --rehearse");
    let failed = checks(bot(&gitlab, "doctor --ref v2 --rehearse"));
    assert_eq!(names(&failed, Value::Bool(false)), ["ref"]);
}

#[test]
fn a_guest_is_told_once_and_a_stranger_too() {
    let gitlab = Gitlab::start();
    for role in [Some(Role::Guest), Some(Role::Reporter), None] {
        gitlab.role("bench-bot", "acme/benchmarks", role);
        gitlab.configure("acme/benchmarks", |project| {
            project.visibility = match role {
                None => Visibility::Public,
                Some(_) => Visibility::Private,
            };
        });
        let failed = checks(bot(&gitlab, "doctor"));
        assert_eq!(names(&failed, Value::Bool(false)), ["benchmark-role"]);
    }
}

#[test]
fn an_old_gitlab() {
    let gitlab = Gitlab::start();
    for (version, ok) in [
        ("15.10.8", Value::Bool(false)),
        ("15.11.0-ee", Value::Bool(true)),
        ("16.0.0-pre", Value::Bool(true)),
        ("next", Value::Null),
    ] {
        gitlab.world().version = version.to_owned();
        assert_eq!(check(&gitlab, "version")["ok"], ok, "{version}");
    }
}

/// No panic, no follow-up failures, nothing that passes unseen.
#[test]
fn whatever_request_goes_wrong_is_told() {
    let gitlab = Gitlab::start();
    run(&gitlab, "doctor");
    let paths: Vec<String> = gitlab
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let answers = |status| match status {
        500 => Fault::server_error(),
        0 => Fault::wrong_shape(),
        status => {
            let body = format!(r#"{{"message":"{status} No"}}"#);
            Fault::answer(status, "application/json", &body)
        }
    };
    let mut table = String::new();
    for status in [500, 403, 404, 0] {
        for path in &paths {
            let faulty = path.clone();
            gitlab.fault(move |request| (request.path == faulty).then(|| answers(status)));
            let ran = bot(&gitlab, "doctor --format json").runs();
            assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
            let told = ran.json();
            let amiss = told["checks"].as_array().expect("a list").iter();
            let amiss: Vec<String> = amiss
                .filter(|check| check["hint"].is_string())
                .map(|check| format!("{} {}", check["name"], check["ok"]).replace('"', ""))
                .collect();
            assert!(amiss.len() <= 1, "{status} {path}: {amiss:?}");
            let status = if status == 0 {
                "odd".to_owned()
            } else {
                status.to_string()
            };
            table += &format!("{status} {path}: exit {}, {}\n", ran.code, amiss.join(", "));
        }
    }
    gitlab.take_violations();
    let mut lines: Vec<&str> = table.lines().collect();
    lines.sort_unstable();
    snapshot!(gitlab, "doctor-faults", lines.join("\n"));
}

#[test]
fn no_output_holds_a_token() {
    let gitlab = Gitlab::start();
    for token in [BOT_TOKEN, "glpat-mistyped-0123456789"] {
        let ran = bot(&gitlab, "doctor --rehearse -vv")
            .env("RUST_LOG", "trace")
            .env("BENCH_BOT_TOKEN", token)
            .runs();
        assert!(ran.stderr.contains("trace:"), "it is talkative");
        assert!(!ran.stdout.contains(token) && !ran.stderr.contains(token));
    }
}

#[test]
fn text_of_others_does_nothing_on_a_terminal() {
    let gitlab = Gitlab::start();
    gitlab.configure("acme/benchmarks", |project| {
        project.ci_config_path = Some("a\u{1b}[2J\u{202e}b\n✓ all.yml@acme/engine".to_owned());
    });
    let ran = bot(&gitlab, "doctor").exits(1);
    assert!(!ran.stdout.contains(['\u{1b}', '\u{202e}']));
    assert!(!ran.stdout.contains("\n✓"), "{}", ran.stdout);
}
