//! A developer looks at the queue with a token of their own.

use in_memory_gitlab::{ADA_TOKEN, Gitlab, LINUS_TOKEN, Mr, Role};
use serde_json::{Value, json};

use crate::bot::{Bot, bot, json as of_bot, run};

/// The first is in flight, the second is next, the third waits for its pipeline.
fn busy() -> (Gitlab, [Mr; 3]) {
    let gitlab = Gitlab::start();
    gitlab.role("linus", "acme/benchmarks", Role::Reporter);
    for token in [ADA_TOKEN, LINUS_TOKEN] {
        gitlab.change_token(token, |token| token.scopes = vec!["read_api".to_owned()]);
    }
    let first = gitlab.mr("first").passed().labelled();
    run(&gitlab, "scan");
    gitlab.benchmark_runs(gitlab.benchmarks()[0].id);
    let second = gitlab.mr("second").passed().labelled();
    let third = gitlab.mr("third").running().labelled();
    (gitlab, [first, second, third])
}

fn desk(gitlab: &Gitlab, token: &str, arguments: &str) -> Bot {
    bot(gitlab, arguments)
        .without("CI")
        .env("BENCH_BOT_TOKEN", token)
        .env("BENCH_BOT_USER", "bench-bot")
}

fn report(gitlab: &Gitlab, token: &str, arguments: &str) -> Value {
    let arguments = format!("{arguments} --format json");
    desk(gitlab, token, &arguments).succeeds().json()
}

#[test]
fn a_developer_sees_what_the_bot_sees() {
    let (gitlab, _) = busy();
    for command in [
        // GitLab lists by the token's own reactions, so that a developer cannot tell whom the bot has yet to answer.
        "scan --dry-run --announce none",
        "reconcile --dry-run",
        "status",
        "status --mr 1",
        "status --mr 2",
    ] {
        let seen_by_bot = of_bot(&gitlab, command);
        for (who, token) in [("a Maintainer", ADA_TOKEN), ("a Reporter", LINUS_TOKEN)] {
            let seen = report(&gitlab, token, command);
            assert_eq!(seen, seen_by_bot, "{command}, {who}");
        }
    }
    let in_flight = &report(&gitlab, LINUS_TOKEN, "status")["in_flight"];
    assert_eq!(
        (in_flight[0]["mr"].clone(), &in_flight[1]),
        (json!(1), &Value::Null)
    );
    let told = desk(&gitlab, LINUS_TOKEN, "status --mr 1")
        .succeeds()
        .stdout;
    assert!(
        told.contains("its benchmark is already in flight: running"),
        "{told}"
    );
    assert!(!told.contains("The next scan starts it"), "{told}");
}

#[test]
fn in_the_order_in_which_it_was_started() {
    let (gitlab, [_, _, third]) = busy();
    run(&gitlab, "trigger --mr 2");
    third.passed();
    let fourth = gitlab.mr("fourth").passed().labelled();
    run(&gitlab, &format!("trigger --mr {}", fourth.iid()));
    run(&gitlab, "trigger --mr 3");
    let command = "status --max-in-flight 9";
    assert_eq!(
        report(&gitlab, LINUS_TOKEN, command),
        of_bot(&gitlab, command)
    );
}

#[test]
fn what_the_notes_do_not_tell_is_unknown() {
    let (gitlab, [first, second, _]) = busy();
    // The link is missing: it may be this request that the pipeline serves.
    let note = first.notes()[0].clone();
    let body = note.body.replace("\"pipeline\":1002", "\"pipeline\":null");
    assert_ne!(body, note.body);
    gitlab
        .world()
        .edit_note(note.author_id, 501, note.id, &body)
        .expect("it is the bot's");
    let seen = report(&gitlab, LINUS_TOKEN, "scan --dry-run");
    assert_eq!(seen["in_flight"], json!([]));
    assert_eq!(
        seen["waiting"][0],
        json!({ "mr": 1, "label": "benchmarking", "reason": "unknown" })
    );
    assert_eq!(seen["queue"][0]["mr"], second.iid());
    assert_eq!(
        seen["actions"],
        json!([]),
        "the place is taken, whatever for"
    );
    let told = desk(&gitlab, LINUS_TOKEN, "scan --dry-run")
        .succeeds()
        .stdout;
    assert!(
        told.contains("In flight: 1 of 1, 1 of them unknown"),
        "{told}"
    );
}

#[test]
fn only_the_bot_itself_may_write() {
    let (gitlab, _) = busy();
    gitlab.clear_requests();
    for command in ["scan", "reconcile", "trigger --mr 2"] {
        let ran = desk(&gitlab, ADA_TOKEN, command).exits(2);
        let line = ran.complaint();
        for said in [
            "only bench-bot may write",
            "--dry-run",
            "bench-bot's token",
            "`trigger`",
        ] {
            assert!(line.contains(said), "{command}: {line}");
        }
        assert_eq!(ran.stdout, "");
    }
    let read = gitlab.requests();
    let of_merge_requests = |path: &str| path.contains("/merge_requests/");
    assert!(
        !read
            .iter()
            .any(|request| request.is_write() || of_merge_requests(&request.path))
    );
    desk(&gitlab, ADA_TOKEN, "trigger --mr 2 --dry-run").succeeds();
}

#[test]
fn a_bot_that_nobody_is_would_make_everything_look_idle() {
    let (gitlab, _) = busy();
    let ran = desk(&gitlab, ADA_TOKEN, "status")
        .env("BENCH_BOT_USER", "bench-bto")
        .exits(2);
    assert!(
        ran.complaint().contains("there is no user bench-bto"),
        "{}",
        ran.stderr
    );
    // GitLab spells it as it was made, however it is typed.
    let seen = desk(&gitlab, ADA_TOKEN, "status --format json --bot @Bench-Bot").succeeds();
    assert_eq!(seen.json()["in_flight"][0]["mr"], 1);
}

#[test]
fn a_token_of_a_persons_says_whose_pipelines_count() {
    let (gitlab, _) = busy();
    let alone = || {
        let desk = desk(&gitlab, ADA_TOKEN, "status");
        desk.without("BENCH_BOT_USER")
    };
    let ran = alone().succeeds();
    assert!(
        ran.stderr.contains("only pipelines and notes of ada count"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.contains("--bot (BENCH_BOT_USER)"),
        "{}",
        ran.stderr
    );
    let in_job = alone().env("CI", "true").succeeds();
    assert_eq!(in_job.stderr, "");
    let named = desk(&gitlab, ADA_TOKEN, "status").succeeds();
    assert_eq!(named.stderr, "");
    gitlab.world().users.get_mut(&11).expect("Ada is there").bot = true;
    assert_eq!(alone().succeeds().stderr, "");
}

#[test]
fn each_project_may_have_a_bot_user_of_its_own() {
    let gitlab = Gitlab::start();
    gitlab
        .world()
        .users
        .insert(21, in_memory_gitlab::User::new(21, "runner-bot", "Runner"));
    gitlab
        .world()
        .add_token("glpat-runner-bot-0123456789", 21, &["api"]);
    gitlab.role("runner-bot", "acme/benchmarks", Role::Maintainer);
    gitlab.role("bench-bot", "acme/benchmarks", None);
    gitlab.role("linus", "acme/benchmarks", Role::Maintainer);
    let mr = gitlab.mr("first").passed().labelled();
    let both = |command: &str| {
        bot(&gitlab, command).env("BENCH_BOT_BENCHMARK_TOKEN", "glpat-runner-bot-0123456789")
    };
    both("scan").succeeds();
    both("scan --bot bench-bot,runner-bot").succeeds();
    assert_eq!(gitlab.benchmarks().len(), 1);
    let seen = desk(&gitlab, LINUS_TOKEN, "status --format json")
        .env("BENCH_BOT_USER", "bench-bot, runner-bot")
        .succeeds();
    assert_eq!(seen.json()["in_flight"][0]["mr"], mr.iid());
}
