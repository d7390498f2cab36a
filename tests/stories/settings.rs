//! Bad input: one clear line that says what is wrong and how to mend it, exit status 2, nothing written.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use in_memory_gitlab::{EXPIRED_TOKEN, Fault, Gitlab, READ_ONLY_TOKEN, REVOKED_TOKEN};

use crate::bot::{Ran, bare, bot};

/// What the first line says; Clap adds a hint at `--help` to its own.
fn said(ran: &Ran) -> &str {
    ran.stderr.lines().next().unwrap_or_default()
}

#[test]
fn a_missing_setting_is_named_by_flag_and_variable() {
    let gitlab = Gitlab::start();
    for (variable, named) in [
        (
            "BENCH_BOT_PROJECT",
            "--project (BENCH_BOT_PROJECT) is missing",
        ),
        (
            "BENCH_BOT_BENCHMARK_PROJECT",
            "--benchmark-project (BENCH_BOT_BENCHMARK_PROJECT) is missing",
        ),
        ("BENCH_BOT_TOKEN", "set BENCH_BOT_TOKEN"),
    ] {
        let absent = bot(&gitlab, "scan").without(variable).exits(2);
        let empty = bot(&gitlab, "scan").env(variable, "").exits(2);
        for ran in [absent, empty] {
            assert!(ran.complaint().contains(named), "{}", ran.stderr);
        }
    }
    assert!(gitlab.requests().is_empty());
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    for command in ["scan", "status", "doctor"] {
        let ran = bare(command).exits(2);
        let said = ran.complaint();
        for named in [
            "--project (BENCH_BOT_PROJECT) is missing",
            "--benchmark-project (BENCH_BOT_BENCHMARK_PROJECT) is missing",
            "the token is missing",
        ] {
            assert!(said.contains(named), "{command}: {said}");
        }
    }
}

#[test]
fn what_was_copied_along_with_a_token_is_named_and_the_token_is_not() {
    let gitlab = Gitlab::start();
    for (token, named) in [
        ("\"glpat-secret\"", "is in quotation marks"),
        ("'glpat-secret'", "is in quotation marks"),
        ("Bearer glpat-secret", "begins with a word of a header"),
        (
            "PRIVATE-TOKEN: glpat-secret",
            "begins with a word of a header",
        ),
        (
            "glpat-secret glpat-secret",
            "contains a space or a line break",
        ),
    ] {
        for variable in ["BENCH_BOT_TOKEN", "BENCH_BOT_BENCHMARK_TOKEN"] {
            let ran = bot(&gitlab, "scan").env(variable, token).exits(2);
            let expected = format!("the token in {variable} {named}");
            assert!(ran.complaint().contains(&expected), "{}", ran.stderr);
            assert!(!ran.stderr.contains("secret"), "{}", ran.stderr);
        }
    }
    assert!(gitlab.requests().is_empty());
}

#[test]
fn a_server_that_does_not_answer_is_one_line_that_counts() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", port.local_addr().expect("an address"));
    drop(port);
    let gitlab = Gitlab::start();
    let ran = bot(&gitlab, "scan")
        .env("BENCH_BOT_GITLAB_URL", &url)
        .env("BENCH_BOT_RETRIES", "1")
        .exits(1);
    let warnings: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning"))
        .collect();
    let [first, count] = &warnings[..] else {
        panic!("{}", ran.stderr);
    };
    assert!(first.ends_with("; trying again"), "{first}");
    assert!(count.ends_with(": 5 retries"), "{count}");
}

#[test]
fn a_name_that_does_not_resolve_is_looked_up_twice() {
    let gitlab = Gitlab::start();
    let ran = bot(&gitlab, "scan -v")
        .env("BENCH_BOT_GITLAB_URL", "https://gitlab.invalid")
        .env("BENCH_BOT_RETRIES", "4")
        .exits(1);
    let again = ran.stderr.matches("again").count();
    assert_eq!(again, 5, "once for each of five requests: {}", ran.stderr);
}

/// The component's job has a variable for each input, filled or not.
#[test]
fn an_empty_setting_that_may_be_left_out_is_left_out() {
    let gitlab = Gitlab::start();
    for variable in [
        "BENCH_BOT_USER",
        "BENCH_BOT_REF",
        "BENCH_BOT_RESULTS_JOB",
        "BENCH_BOT_RESULTS_FILE",
        "BENCH_BOT_BENCHMARK_TOKEN",
    ] {
        let ran = bot(&gitlab, "scan").env(variable, "").succeeds();
        assert_eq!(ran.stderr, "", "{variable}");
    }
}

#[test]
fn a_wrong_setting_is_named_by_flag_and_variable() {
    let gitlab = Gitlab::start();
    for (variable, value, flag) in [
        ("BENCH_BOT_GITLAB_URL", "gitlab.example.com", "--gitlab-url"),
        (
            "BENCH_BOT_GITLAB_URL",
            "ftp://gitlab.example.com",
            "--gitlab-url",
        ),
        (
            "BENCH_BOT_GITLAB_URL",
            "http://gitlab.example.com",
            "--allow-http",
        ),
        (
            "BENCH_BOT_GITLAB_URL",
            "https://bot:secret@gitlab.example.com",
            "--gitlab-url",
        ),
        ("BENCH_BOT_PROJECT", "engine", "--project"),
        ("BENCH_BOT_PROJECT", "acme//engine", "--project"),
        (
            "BENCH_BOT_BENCHMARK_PROJECT",
            "acme/bench?x=1",
            "--benchmark-project",
        ),
        ("BENCH_BOT_LABEL", "a,,b", "--label"),
        ("BENCH_BOT_LABEL", "a,None", "--label"),
        ("BENCH_BOT_LABEL", "any", "--label"),
        ("BENCH_BOT_USER", "ada lovelace", "--bot"),
        ("BENCH_BOT_LABEL", "", "--label"),
        (
            "BENCH_BOT_RESULTS_FILE",
            "report/index.html",
            "--results-file",
        ),
        ("BENCH_BOT_ORDER", "random", "--order"),
        ("BENCH_BOT_MAX_IN_FLIGHT", "-1", "--max-in-flight"),
        ("BENCH_BOT_TIMEOUT", "soon", "--timeout"),
        ("BENCH_BOT_TIMEOUT", "0s", "--timeout"),
        ("BENCH_BOT_HTTP_TIMEOUT", "9999999years", "--http-timeout"),
        ("BENCH_BOT_RETRIES", "many", "--retries"),
        ("BENCH_BOT_FORMAT", "yaml", "--format"),
    ] {
        let ran = bot(&gitlab, "scan").env(variable, value).exits(2);
        assert!(
            said(&ran).contains(flag) && said(&ran).contains(variable),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("secret"));
    }
    assert!(gitlab.requests().is_empty());
}

#[test]
fn an_unknown_flag_or_argument_is_named() {
    for (arguments, named) in [
        ("scan --frobnicate", "'--frobnicate'"),
        ("frobnicate", "'frobnicate'"),
        ("trigger !twelve", "'!twelve'"),
        ("trigger 1 --mr 2", "--mr"),
        ("trigger --mr 0", "'0'"),
        ("trigger", "<MR|--mr <MR>>"),
        ("reconcile --since tomorrow", "--since"),
        ("status --since 0s", "--since"),
        ("status --dry-run", "'--dry-run'"),
        ("scan --variable NOVALUE", "NOVALUE"),
        ("scan --variable BENCH_SHA=0", "bench-bot's record"),
        ("scan --variable CI_JOB_TOKEN=x", "the job depends on"),
        ("scan --variable PATH=/tmp", "the job depends on"),
        ("scan --variable A-B=1", "letters, digits"),
    ] {
        let ran = bare(arguments).exits(2);
        assert!(
            ran.stderr.starts_with("error: ") && ran.stderr.contains(named),
            "{}",
            ran.stderr
        );
    }
    let gitlab = Gitlab::start();
    let ran = bot(&gitlab, "scan --variable A=1 --variable A=2").exits(2);
    assert_eq!(ran.complaint(), "error: --variable A is given twice");
}

#[test]
fn a_token_that_gitlab_refuses() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    for (token, why, way) in [
        ("glpat-mistyped", "401 Unauthorized", "have the scope api"),
        (EXPIRED_TOKEN, "Token is expired", "rotate it"),
        (REVOKED_TOKEN, "Token was revoked", "create another one"),
    ] {
        let ran = bot(&gitlab, "scan").env("BENCH_BOT_TOKEN", token).exits(2);
        let line = ran.complaint();
        assert!(
            line.contains("BENCH_BOT_TOKEN") && line.contains(why) && line.contains(way),
            "{line}"
        );
        assert!(!line.contains(token));
    }
    let ran = bot(&gitlab, "scan")
        .env("BENCH_BOT_TOKEN", "two\nlines")
        .exits(2);
    assert!(ran.complaint().contains("BENCH_BOT_TOKEN"));
    assert!(gitlab.writes().is_empty());
}

/// Whatever the first answer is, it is told what it means, and who can do what about it.
#[test]
fn a_server_that_does_not_let_the_bot_in() {
    let json = "application/json";
    let forbidden = |why: &str| {
        let body = format!(r#"{{"message":"403 Forbidden - {why}"}}"#);
        Fault::answer(403, json, &body)
    };
    let fine_grained = r#"{"error":"insufficient_granular_scope","error_description":"Access denied: This operation requires a fine-grained personal access token with the following user permissions: [User: Read]."}"#;
    let unavailable = "<html><title>503 Service Unavailable</title></html>";
    for (fault, code, way) in [
        (Fault::throttled(Some(600)), 1, "the next run tries again"),
        (Fault::rate_limited(), 1, "the next run tries again"),
        (
            Fault::answer(503, "text/html", unavailable),
            1,
            "is not accepting requests at the moment (503 Service Unavailable)",
        ),
        (
            Fault::answer(200, "text/html", "<h1>Sign in</h1>"),
            1,
            "does not respond like a GitLab server",
        ),
        (
            forbidden("Your account has been blocked."),
            2,
            "ask an administrator to unblock",
        ),
        (
            forbidden(
                "Your account is pending approval from your administrator and hence blocked.",
            ),
            2,
            "to approve",
        ),
        (
            forbidden(
                "You (@bench-bot) must accept the Terms of Service in order to perform this action.",
            ),
            2,
            "accept them",
        ),
        (
            forbidden("Your account has been deactivated by your administrator."),
            2,
            "activates its account",
        ),
        (
            forbidden("Your primary email address is not confirmed."),
            2,
            "confirm the bot's email address",
        ),
        (
            forbidden(
                "Your password expired. Please access GitLab from a web browser to update your password.",
            ),
            2,
            "set a new password",
        ),
        (
            Fault::answer(403, json, fine_grained),
            2,
            "give the token the permission that GitLab names",
        ),
    ] {
        let gitlab = Gitlab::start();
        gitlab.fault(move |_| Some(fault.clone()));
        let ran = bot(&gitlab, "scan").exits(code);
        let line = ran.complaint();
        assert!(line.contains(way), "{line}");
        let blamed = ["check --gitlab-url", "the scope api"].map(|blamed| line.contains(blamed));
        let blames = [
            way.contains("like a GitLab"),
            way.contains("the permission"),
        ];
        assert_eq!(blamed, blames, "{line}");
        let ran = bot(&gitlab, "doctor").exits(1);
        let told: Vec<&str> = ran.stdout.split_whitespace().collect();
        let way = way.replace("the next run tries again", "run doctor again in a minute");
        assert!(told.join(" ").contains(&way), "{}", ran.stdout);
    }
}

#[test]
fn a_token_that_may_only_read() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    let reading = |command: &str| bot(&gitlab, command).env("BENCH_BOT_TOKEN", READ_ONLY_TOKEN);
    reading("scan --dry-run").succeeds();
    let ran = reading("scan").exits(1);
    assert!(ran.stdout.contains("higher privileges"), "{}", ran.stdout);
}

#[test]
fn a_project_that_is_not_there() {
    let gitlab = Gitlab::start();
    let ran = bot(&gitlab, "scan --project acme/enigne").exits(2);
    let line = ran.complaint();
    assert!(
        line.contains("acme/enigne") && line.contains("--project (BENCH_BOT_PROJECT)"),
        "{line}"
    );
    gitlab
        .world()
        .projects
        .get_mut(&8)
        .expect("the benchmark project")
        .members
        .clear();
    let ran = bot(&gitlab, "scan").exits(2);
    let line = ran.complaint();
    assert!(
        line.contains("make bench-bot a member") && line.contains("BENCH_BOT_BENCHMARK_PROJECT"),
        "{line}"
    );
}

#[test]
fn a_server_that_is_not_reached_or_is_no_gitlab() {
    let gitlab = Gitlab::start();
    let closed = TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port");
    let ran = bot(&gitlab, "scan")
        .env("BENCH_BOT_GITLAB_URL", &format!("http://{closed}"))
        .exits(1);
    let line = ran.complaint();
    assert!(
        line.contains("cannot be reached") && line.contains("--gitlab-url"),
        "{line}"
    );

    let mut website = mockito::Server::new();
    website
        .mock("GET", mockito::Matcher::Any)
        .with_status(404)
        .with_body("<h1>Not found</h1>")
        .create();
    let ran = bot(&gitlab, "scan")
        .env("BENCH_BOT_GITLAB_URL", &website.url())
        .exits(2);
    let line = ran.complaint();
    assert!(
        line.contains("does not respond like a GitLab server")
            && line.contains("BENCH_BOT_GITLAB_URL"),
        "{line}"
    );
}

#[test]
fn the_server_of_the_pipeline_is_the_default() {
    let gitlab = Gitlab::start();
    bot(&gitlab, "scan")
        .without("BENCH_BOT_GITLAB_URL")
        .env("CI_SERVER_URL", gitlab.url())
        .succeeds();
    let ran = bot(&gitlab, "scan")
        .without("BENCH_BOT_GITLAB_URL")
        .env("CI_SERVER_URL", "http://x.test")
        .exits(2);
    assert!(ran.complaint().contains("CI_SERVER_URL"), "{}", ran.stderr);
}

#[test]
fn a_server_under_a_relative_path_and_a_renamed_project() {
    let gitlab = Gitlab::builder().relative_path("/gitlab").start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.move_project("acme/engine", "acme/motor");
    bot(&gitlab, "scan").succeeds();
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    bot(&gitlab, "reconcile").succeeds();
    assert!(!mr.is_labelled());
}

#[test]
fn a_server_that_hangs_is_waited_for_no_longer_than_is_set() {
    let gitlab = Gitlab::start();
    gitlab.fault(|_| Some(Fault::Hang(Duration::from_secs(5))));
    let started = Instant::now();
    let ran = bot(&gitlab, "scan --http-timeout 200ms").exits(1);
    assert!(
        ran.complaint().contains("no answer in time"),
        "{}",
        ran.stderr
    );
    assert!(started.elapsed() < Duration::from_secs(3));
}
