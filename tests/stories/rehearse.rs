//! What `doctor --rehearse` tries, and what it believes.

use in_memory_gitlab::{BOT_TOKEN, Fault, Gitlab, LINUS, People, Request, Role};
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
            people.settle();
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
        told(&ran).contains("but it is still running"),
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

const NOT_GRANTED: &str = r#"{"error":"insufficient_granular_scope","error_description":"Access denied: This operation requires a fine-grained personal access token with the following project permissions: [Merge Request: Update]."}"#;

/// GitLab says of the bot's token that it is a fine-grained one, and refuses it such requests.
fn fine_grained(gitlab: &Gitlab, refused: fn(&Request) -> bool) {
    gitlab.fault(move |request| {
        let json = |status, body| Some(Fault::answer(status, "application/json", body));
        match request {
            _ if refused(request) => json(403, NOT_GRANTED),
            _ if request.path.ends_with("/self") => json(
                200,
                r#"{"id":1,"scopes":["granular"],"expires_at":"2026-11-01"}"#,
            ),
            _ => None,
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
    fine_grained(&gitlab, |_| false);
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
    fine_grained(&gitlab, |request| {
        request.method == "PUT" && request.path.ends_with("/merge_requests/0")
    });
    let ran = bot(&gitlab, "doctor --rehearse").exits(1);
    let told = told(&ran);
    assert!(told.contains("it may not write in acme/engine"), "{told}");
    assert!(told.contains("[Merge Request: Update]"), "{told}");
    assert!(mr.is_labelled() && mr.discussions().is_empty());
}

/// It need not be told its scopes, nor the server's version.
#[test]
fn a_fine_grained_token_that_may_not_read_about_itself() {
    let gitlab = Gitlab::start();
    fine_grained(&gitlab, |request| {
        request.path.ends_with("/self") || request.path.ends_with("/version")
    });
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
