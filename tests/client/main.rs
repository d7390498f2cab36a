//! Single exchanges with GitLab: what is repeated, how lists are read to their end, what errors say.

mod absence;
mod budget;
mod merge_requests;
mod size;
mod time;

use std::time::Duration;

use bench_bot::gitlab::answer::Variable;
use bench_bot::gitlab::{Connection, Error, ErrorKind, Gitlab, Limits, Listing};
use bench_bot::id::{Iid, JobId, PipelineId, Sha};
use mockito::{Matcher, Mock, Server, ServerGuard};
use secrecy::SecretString;

const DATE: &str = "Mon, 05 Jan 2026 09:00:00 GMT";
const TOKEN: &str = "glpat-secret";

fn connect(server: &ServerGuard, retries: usize) -> Gitlab {
    let (minute, seconds) = (Duration::from_secs(60), Duration::from_secs(5));
    connect_for(server, retries, minute, seconds)
}

fn connect_for(
    server: &ServerGuard,
    retries: usize,
    run_time: Duration,
    http_timeout: Duration,
) -> Gitlab {
    let connection = Connection {
        gitlab_url: server.url().parse().expect("an address"),
        project: "acme/engine".parse().expect("a path"),
        benchmark_project: "8".parse().expect("an id"),
        token: SecretString::from(TOKEN),
        benchmark_token: None,
        bot: None,
        limits: Limits {
            http_timeout,
            retries,
            run_time,
            max_bytes: 2 << 20,
            ca_file: None,
        },
    };
    Gitlab::connect(&connection, &[]).expect("everything is there")
}

fn gitlab(retries: usize) -> (ServerGuard, Gitlab) {
    let mut server = Server::new();
    answer(&mut server, "/user", r#"{"id":20,"username":"bench-bot"}"#).create();
    answer(&mut server, "/projects/acme%2Fengine", &project(7)).create();
    answer(&mut server, "/projects/8", &project(8)).create();
    let gitlab = connect(&server, retries);
    (server, gitlab)
}

fn project(id: u64) -> String {
    format!(
        r#"{{"id":{id},"path_with_namespace":"acme/{id}","web_url":"","default_branch":"main"}}"#
    )
}

fn get(server: &mut ServerGuard, path: &str) -> Mock {
    server
        .mock("GET", &*format!("/api/v4{path}"))
        .with_header("date", DATE)
}

fn answer(server: &mut ServerGuard, path: &str, body: &str) -> Mock {
    get(server, path).match_query(Matcher::Any).with_body(body)
}

fn variables(gitlab: &Gitlab) -> Result<Vec<Variable>, Error> {
    gitlab.benchmark.variables(PipelineId(9))
}

const VARIABLES: &str = "/projects/8/pipelines/9/variables";

#[test]
fn the_token_goes_into_the_authorization_header() {
    let (mut server, gitlab) = gitlab(0);
    let mock = answer(&mut server, VARIABLES, "[]")
        .match_header("authorization", &*format!("Bearer {TOKEN}"))
        .match_header(
            "user-agent",
            Matcher::Regex("^bench-bot/[0-9.]+$".to_owned()),
        )
        .create();
    variables(&gitlab).expect("an empty list");
    mock.assert();
}

#[test]
fn reads_are_repeated_as_often_as_is_set() {
    for (status, kind) in [
        (500, ErrorKind::Unclear),
        (502, ErrorKind::Unclear),
        (429, ErrorKind::Transient),
    ] {
        let (mut server, gitlab) = gitlab(1);
        let mock = answer(&mut server, VARIABLES, "<html>")
            .with_status(status)
            .expect(2)
            .create();
        assert_eq!(variables(&gitlab).expect_err("it fails").kind, kind);
        mock.assert();
    }
}

#[test]
fn a_read_that_goes_through_the_second_time_has_gone_through() {
    let (mut server, gitlab) = gitlab(3);
    let failing = answer(&mut server, VARIABLES, "")
        .with_status(503)
        .expect(1)
        .create();
    let working = answer(&mut server, VARIABLES, "[]").expect(1).create();
    variables(&gitlab).expect("an empty list");
    failing.assert();
    working.assert();
}

#[test]
fn refusals_are_not_repeated() {
    for status in [400, 401, 403, 404, 422] {
        let (mut server, gitlab) = gitlab(3);
        let mock = answer(&mut server, VARIABLES, r#"{"message":"No"}"#)
            .with_status(status)
            .expect(1)
            .create();
        let error = variables(&gitlab).expect_err("it is refused");
        assert_eq!(
            error.refused().map(|status| status.as_u16()),
            Some(status as u16)
        );
        mock.assert();
    }
}

fn create(gitlab: &Gitlab) -> Error {
    gitlab
        .benchmark
        .create_pipeline("main", &[])
        .expect_err("it fails")
}

#[test]
fn a_creation_that_may_have_taken_effect_is_not_repeated() {
    for (status, body) in [
        (500, "{}"),
        (502, "<html>"),
        (408, "{}"),
        (201, "not JSON"),
        (201, "{}"),
    ] {
        let (mut server, gitlab) = gitlab(3);
        let mock = server.mock("POST", "/api/v4/projects/8/pipeline");
        let mock = mock.with_status(status).with_body(body).expect(1).create();
        assert_eq!(create(&gitlab).kind, ErrorKind::Unclear, "{status} {body}");
        mock.assert();
    }
}

#[test]
fn one_that_certainly_did_not_is() {
    let (mut server, gitlab) = gitlab(1);
    let mock = server
        .mock("POST", "/api/v4/projects/8/pipeline")
        .with_status(429)
        .expect(2)
        .create();
    assert_eq!(create(&gitlab).kind, ErrorKind::Transient);
    mock.assert();
}

#[test]
fn a_limit_on_pipelines_is_left_to_the_next_run() {
    let (mut server, gitlab) = gitlab(3);
    let body = r#"{"message":{"base":["Too many pipelines created in the last minute. Try again later."]}}"#;
    let mock = server.mock("POST", "/api/v4/projects/8/pipeline");
    let mock = mock.with_status(400).with_body(body).expect(1).create();
    assert_eq!(create(&gitlab).kind, ErrorKind::Transient);
    mock.assert();
}

#[test]
fn edits_and_cancellations_are_repeated() {
    let (mut server, gitlab) = gitlab(1);
    let edit = server.mock("PUT", "/api/v4/projects/7/merge_requests/1");
    let edit = edit.with_status(500).expect(2).create();
    let cancel = server.mock("POST", "/api/v4/projects/8/pipelines/9/cancel");
    let cancel = cancel.with_status(500).expect(2).create();
    gitlab
        .source
        .remove_label(Iid(1), "benchmarking")
        .expect_err("it fails");
    gitlab
        .benchmark
        .cancel(PipelineId(9))
        .expect_err("it fails");
    edit.assert();
    cancel.assert();
}

const MERGE_REQUESTS: &str = "/projects/7/merge_requests";

fn page(server: &mut ServerGuard, number: usize, iids: &[u64], next: Option<&str>) -> Mock {
    let rows: Vec<String> = iids
        .iter()
        .map(|iid| format!(r#"{{"iid":{iid},"state":"opened","labels":["benchmarking"]}}"#))
        .collect();
    let mock = get(server, MERGE_REQUESTS)
        .match_query(Matcher::UrlEncoded("page".to_owned(), number.to_string()))
        .with_body(format!("[{}]", rows.join(",")));
    match next {
        Some(next) => mock.with_header("x-next-page", next).create(),
        None => mock.create(),
    }
}

fn list(gitlab: &Gitlab, listing: Listing) -> Result<Vec<u64>, Error> {
    let rows = gitlab.source.list(listing)?;
    Ok(rows.into_iter().map(|row| row.iid.0).collect())
}

fn listed(gitlab: &Gitlab) -> Result<Vec<u64>, Error> {
    list(gitlab, Listing::Labelled("benchmarking"))
}

#[test]
fn short_and_empty_pages_are_not_the_end_and_repeated_rows_count_once() {
    let (mut server, gitlab) = gitlab(0);
    let _pages = [
        page(&mut server, 1, &[1], Some("2")),
        page(&mut server, 2, &[], Some("3")),
        page(&mut server, 3, &[1, 3], Some("")),
    ];
    assert_eq!(listed(&gitlab).expect("three pages"), [1, 3]);
}

#[test]
fn a_list_is_complete_or_an_error() {
    for next in [None, Some("1"), Some("more")] {
        let (mut server, gitlab) = gitlab(0);
        let _page = page(&mut server, 1, &[1], next);
        let error = listed(&gitlab).expect_err("whether there is more cannot be told");
        assert!(
            error
                .to_string()
                .contains("does not say which page follows"),
            "{error}"
        );
    }
    let (mut server, gitlab) = gitlab(0);
    let _pages = [
        page(&mut server, 1, &[1], Some("2")),
        get(&mut server, MERGE_REQUESTS)
            .match_query(Matcher::Regex("page=2".to_owned()))
            .with_status(500)
            .create(),
    ];
    listed(&gitlab).expect_err("half a list is none");
}

#[test]
fn rows_that_an_ignored_filter_lets_through_are_dropped() {
    let (mut server, gitlab) = gitlab(0);
    let rows = r#"[{"iid":1,"state":"opened","labels":["other"]},{"iid":2,"state":"opened","labels":["benchmarking"]}]"#;
    answer(&mut server, MERGE_REQUESTS, rows)
        .with_header("x-next-page", "")
        .create();
    assert_eq!(listed(&gitlab).expect("one page"), [2]);
}

#[test]
fn reads_follow_within_the_server_and_never_beyond() {
    let (mut server, gitlab) = gitlab(0);
    let elsewhere = format!("{}/api/v4/projects/80/pipelines/9/variables", server.url());
    let moved = answer(&mut server, VARIABLES, "")
        .with_status(301)
        .with_header("location", &elsewhere);
    moved.create();
    let reached = answer(&mut server, "/projects/80/pipelines/9/variables", "[]")
        .expect(1)
        .create();
    variables(&gitlab).expect("an empty list");
    reached.assert();

    let mut foreign = Server::new();
    let untouched = foreign.mock("GET", Matcher::Any).expect(0).create();
    let commit = "/projects/7/repository/commits/abc";
    answer(&mut server, commit, "")
        .with_status(302)
        .with_header("location", &foreign.url())
        .create();
    let error = gitlab
        .source
        .commit(gitlab.source.project().id, &Sha("abc".to_owned()));
    let error = error.expect_err("it leads away").to_string();
    assert!(
        error.contains("302: redirected to http://127.0.0.1"),
        "{error}"
    );
    untouched.assert();
}

fn artifact(gitlab: &Gitlab, most: u64) -> Result<Vec<u8>, Error> {
    gitlab
        .benchmark
        .artifact(JobId(5), "bench-summary.md", most)
}

const ARTIFACT: &str = "/projects/8/jobs/5/artifacts/bench-summary.md";

#[test]
fn a_file_kept_on_another_server_is_not_fetched() {
    let (mut server, gitlab) = gitlab(0);
    let mut storage = Server::new();
    let untouched = storage.mock("GET", Matcher::Any).expect(0).create();
    get(&mut server, ARTIFACT)
        .with_status(302)
        .with_header("location", &storage.url())
        .create();
    assert!(
        artifact(&gitlab, 4096)
            .expect_err("it leads away")
            .refused()
            .is_some()
    );
    untouched.assert();
}

#[test]
fn a_write_is_not_followed() {
    let (mut server, gitlab) = gitlab(0);
    let onward = format!("{}/api/v4/elsewhere", server.url());
    let mock = server
        .mock("POST", "/api/v4/projects/8/pipeline")
        .with_status(301);
    mock.with_header("location", &onward).create();
    let untouched = server.mock("GET", "/api/v4/elsewhere").expect(0).create();
    assert!(create(&gitlab).refused().is_some());
    untouched.assert();
}

#[test]
fn each_form_of_refusal_is_told_in_a_line() {
    for (status, body, told) in [
        (401, r#"{"message":"401 Unauthorized"}"#, "401 Unauthorized"),
        (404, r#"{"message":"404 Not found"}"#, "404 Not found"),
        (
            404,
            r#"{"error":"404 Not Found"}"#,
            "404 Not Found, but not from GitLab itself",
        ),
        (400, r#"{"error":"ref is missing"}"#, "400: ref is missing"),
        (
            400,
            r#"{"message":{"base":["Reference not found"]}}"#,
            "400: Reference not found",
        ),
        (
            400,
            r#"{"message":{"base":["Failed to build the pipeline!"],"variables.key":["can't be blank"]}}"#,
            "400: Failed to build the pipeline!; variables.key can't be blank",
        ),
        (
            422,
            r#"{"message":["Branch conflict"]}"#,
            "422: Branch conflict",
        ),
        (
            401,
            r#"{"error":"invalid_token","error_description":"Token is expired.","scope":"api"}"#,
            "401: Token is expired.",
        ),
        (
            403,
            r#"{"error":"insufficient_granular_scope","error_description":"Access denied"}"#,
            "403: Access denied",
        ),
        (
            403,
            "<html><h1>No entry</h1>\n</html>",
            "403 Forbidden, but not from GitLab itself",
        ),
        (400, "[]", "400:"),
    ] {
        let (mut server, gitlab) = gitlab(0);
        server
            .mock("POST", "/api/v4/projects/8/pipeline")
            .with_status(status)
            .with_body(body)
            .create();
        let error = create(&gitlab);
        assert_eq!(error.message, told);
        assert_eq!(error.request, "POST /projects/8/pipeline");
    }
}
