//! What `doctor --rehearse` tries, and what it believes.

use in_memory_gitlab::{BOT_TOKEN, Gitlab, LINUS, People, Role, permissions};
use serde_json::Value;

use crate::bot::{Ran, bot};

/// What a report says, however its lines are broken.
fn told(ran: &Ran) -> String {
    ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Something happens to the rehearsal right before it is cancelled.
fn before_cancel(gitlab: &Gitlab, act: impl Fn(&People, u64) + Send + Sync + 'static) {
    let people = People::clone(gitlab);
    gitlab.fault(move |request| {
        if request.path.ends_with("/cancel") && request.path.contains("/pipelines/") {
            act(&people, people.benchmarks()[0].id);
        }
        None
    });
}

#[test]
fn a_rehearsal_is_looked_at_until_it_has_ended() {
    let gitlab = Gitlab::start();
    gitlab.world().slow_cancel = true;
    let people = People::clone(&gitlab);
    gitlab.fault(move |request| {
        if request.method == "GET" && request.path.contains("/pipelines/") {
            people.run_background_jobs();
        }
        None
    });
    let ran = bot(&gitlab, "doctor --rehearse").exits(0);
    assert!(
        told(&ran).contains("read back and cancelled"),
        "{}",
        told(&ran)
    );
}

#[test]
fn a_rehearsal_that_goes_on_is_not_called_cancelled() {
    let gitlab = Gitlab::start();
    before_cancel(&gitlab, |people, id| people.benchmark_hangs(id, "running"));
    let ran = bot(&gitlab, "doctor --rehearse").exits(1);
    assert!(
        told(&ran).contains("but the pipeline is still running"),
        "{}",
        told(&ran)
    );
}

/// Cancelling a pipeline leaves its manual jobs alone.
#[test]
fn a_rehearsal_that_waits_for_a_person_is_cancelled_job_by_job() {
    let gitlab = Gitlab::start();
    before_cancel(&gitlab, |people, id| people.benchmark_blocked(id, "deploy"));
    let ran = bot(&gitlab, "doctor --rehearse").exits(0);
    assert!(
        told(&ran).contains("read back and cancelled"),
        "{}",
        told(&ran)
    );
    assert_eq!(gitlab.benchmarks()[0].status, "canceled");
}

/// The bot's token becomes a fine-grained one with all permissions but these.
fn fine_grained(gitlab: &Gitlab, lacks: &[&str]) {
    gitlab.change_token(BOT_TOKEN, |token| {
        token.scopes = vec!["granular".to_owned()];
        token.permissions = permissions();
        for lack in lacks {
            assert!(token.permissions.remove(*lack), "{lack}");
        }
    });
}

fn verdicts(ran: &Ran) -> Vec<(String, Value)> {
    let report = ran.json();
    let checks = report["checks"].as_array().expect("a list").iter();
    let pair = |check: &Value| {
        let name = check["name"].as_str().unwrap_or_default().to_owned();
        (name, check["ok"].clone())
    };
    checks.map(pair).collect()
}

#[test]
fn what_a_fine_grained_token_may_do_is_told_by_trying() {
    let gitlab = Gitlab::start();
    fine_grained(&gitlab, &[]);
    let ran = bot(&gitlab, "doctor --format json").exits(1);
    let unproved = verdicts(&ran);
    let amiss: Vec<_> = unproved.iter().filter(|(_, ok)| *ok != true).collect();
    assert_eq!(amiss, [&("token-scopes".to_owned(), Value::Null)]);
    assert!(gitlab.writes().is_empty());

    let ran = bot(&gitlab, "doctor --rehearse --format json").exits(0);
    let proved = verdicts(&ran);
    assert!(proved.iter().all(|(_, ok)| *ok == true), "{proved:?}");
    for name in ["token-scopes", "project-role", "label", "benchmark-role"] {
        assert!(proved.iter().any(|(proved, _)| proved == name), "{name}");
    }
}

#[test]
fn a_fine_grained_token_that_may_not_write_in_the_source_project_is_not_ready() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    for (lack, named) in [
        ("update_merge_request", "[Merge Request: Update]"),
        ("create_merge_request_note", "[Merge Request Note: Create]"),
        ("update_merge_request_note", "[Merge Request Note: Update]"),
        ("update_work_item_note", "[Work Item Note: Update]"),
    ] {
        fine_grained(&gitlab, &[lack]);
        let ran = bot(&gitlab, "doctor --rehearse").exits(1);
        let told = told(&ran);
        assert!(
            told.contains("the token may not write in acme/engine"),
            "{told}"
        );
        assert!(told.contains(named), "{told}");
    }
    assert!(mr.is_labelled() && mr.discussions().is_empty());
}

#[test]
fn a_fine_grained_token_that_may_not_do_all_in_the_benchmark_project_is_not_ready() {
    let gitlab = Gitlab::start();
    for (lack, named) in [
        ("create_pipeline", "[Pipeline: Create]"),
        ("read_pipeline_variable", "[Pipeline Variable: Read]"),
        ("cancel_pipeline", "[Pipeline: Cancel]"),
    ] {
        fine_grained(&gitlab, &[lack]);
        let ran = bot(&gitlab, "doctor --rehearse").exits(1);
        let told = told(&ran);
        assert!(told.contains("? token-scopes"), "{told}");
        assert!(told.contains(named), "{told}");
        assert!(told.contains("give the token the permission"), "{told}");
    }
}

/// It need not be told its scopes, nor the server's version.
#[test]
fn a_fine_grained_token_that_may_not_read_about_itself() {
    let gitlab = Gitlab::start();
    fine_grained(&gitlab, &["read_personal_access_token", "read_metadata"]);
    bot(&gitlab, "doctor").exits(1);
    bot(&gitlab, "doctor --rehearse").exits(0);
}

/// For want of a token that reads, the projects are not looked at; nothing that is tried makes up for that.
#[test]
fn no_rehearsal_is_ready_without_a_look_at_both_projects() {
    const SECOND: &str = "glpat-second-0123456789";
    let gitlab = Gitlab::start();
    gitlab.world().add_token(SECOND, LINUS, &["api"]);
    gitlab.role("linus", "acme/benchmarks", Role::Maintainer);
    gitlab.change_token(BOT_TOKEN, |token| {
        token.scopes = vec!["read_user".to_owned()];
    });
    let rehearses = || bot(&gitlab, "doctor --rehearse --format json");
    rehearses().exits(1);
    let ran = rehearses()
        .env("BENCH_BOT_BENCHMARK_TOKEN", SECOND)
        .exits(1);
    assert!(verdicts(&ran).contains(&("token-scopes".to_owned(), Value::Bool(false))));
}

/// The group's state is shown nowhere in the project.
#[test]
fn a_project_of_an_archived_group_is_told_by_trying() {
    let gitlab = Gitlab::start();
    gitlab.configure("acme/benchmarks", |project| {
        project.in_archived_group = true
    });
    let ran = bot(&gitlab, "doctor --rehearse").exits(1);
    let group = "a group above it is archived or marked for deletion, and restore that group: \
                 https://gitlab.example.com/acme";
    assert!(told(&ran).contains(group), "{}", told(&ran));

    let gitlab = Gitlab::start();
    gitlab.delete_label("benchmarking");
    gitlab.configure("acme/engine", |project| project.in_archived_group = true);
    let ran = bot(&gitlab, "doctor --fix").exits(1);
    assert!(told(&ran).contains(group), "{}", told(&ran));
}

#[test]
fn a_cancel_that_the_project_keeps_to_others_is_explained() {
    let gitlab = Gitlab::start();
    gitlab.role("bench-bot", "acme/benchmarks", Role::Developer);
    gitlab.configure("acme/benchmarks", |project| {
        project.protected_branches.clear();
        project.ci_pipeline_variables_minimum_override_role = "developer".to_owned();
        project.ci_restrict_pipeline_cancellation_role = Some("maintainer".to_owned());
    });
    let ran = bot(&gitlab, "doctor --rehearse").exits(1);
    let told = told(&ran);
    assert!(
        told.contains("the pipeline cannot be cancelled (403"),
        "{told}"
    );
    assert!(
        told.contains("Minimum role required to cancel a pipeline or job"),
        "{told}"
    );
}

/// What the template prints of its machine.
const SAID: &str = "noise ±1.3 %; slowdowns from 2.5 % are seen with 6 rounds";

#[test]
fn with_wait_it_runs_to_its_end_and_what_it_says_is_passed_on() {
    for (status, summary, code, expected) in [
        ("success", Some(SAID), 0, SAID),
        ("success", None, 0, "ran to its end: success"),
        ("failed", Some(SAID), 1, "ran, and ended as failed"),
    ] {
        let gitlab = Gitlab::start();
        let people = People::clone(&gitlab);
        gitlab.fault(move |request| {
            if request.method == "GET" && request.path.ends_with("/variables") {
                let id = people.benchmarks()[0].id;
                if let Some(summary) = summary {
                    people.benchmark_leaves(id, "benchmark", "bench-summary.md", summary);
                }
                people.benchmark_ends(id, status);
            }
            None
        });
        let ran = bot(&gitlab, "doctor --rehearse --wait").exits(code);
        assert!(told(&ran).contains(expected), "{}", told(&ran));
        assert!(
            ran.stderr.contains("waiting for https://"),
            "{}",
            ran.stderr
        );
        let mut requests = gitlab.requests().into_iter();
        assert!(!requests.any(|request| request.path.ends_with("/cancel")));
    }
    let gitlab = Gitlab::start();
    let ran = bot(&gitlab, "doctor --wait").exits(2);
    assert!(ran.stderr.contains("--rehearse"), "{}", ran.stderr);
}
