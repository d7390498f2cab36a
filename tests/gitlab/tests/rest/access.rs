//! What is refused before anything is done, and where the server is reached.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::json;

#[test]
fn what_gitlab_would_ignore_is_refused_and_remembered() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    let client = client(&gitlab);
    let unknown = client.get("/projects/7/merge_requests?label=benchmarking");
    assert_eq!(
        (unknown.status, unknown.json()),
        (400, json!({ "error": "unknown parameter: label" }))
    );
    let unknown = client.put(
        "/projects/7/merge_requests/1",
        json!({ "remove_label": "benchmarking" }),
    );
    assert_eq!(unknown.status, 400);
    let no_route = client.get("/projects/acme/engine/merge_requests");
    assert_eq!(
        (no_route.status, no_route.json()),
        (404, json!({ "error": "404 Not Found" }))
    );
    assert_eq!(
        client.delete("/projects/7/labels").json(),
        json!({ "error": "404 Not Found" })
    );
    assert_eq!(client.ask("POST", "/projects/8/pipeline", "{").status, 400);
    assert_eq!(
        gitlab.take_violations(),
        [
            "unknown parameter: label (GET /projects/7/merge_requests)",
            "unknown parameter: remove_label (PUT /projects/7/merge_requests/1)",
            "unknown route (GET /projects/acme/engine/merge_requests)",
            "unknown route (DELETE /projects/7/labels)",
            "malformed body (POST /projects/8/pipeline)",
        ]
    );
}

#[test]
#[should_panic(expected = "unknown parameter: colour")]
fn a_violation_fails_the_test() {
    let gitlab = Gitlab::start();
    client(&gitlab).get("/projects/7/labels?colour=red");
}

#[test]
fn parameters_are_checked() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    let error = |path: &str| {
        let reply = client(&gitlab).get(path);
        assert_eq!(reply.status, 400, "{path}");
        reply.json()["error"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        error("/projects/7/merge_requests?state=open"),
        "state does not have a valid value"
    );
    assert_eq!(
        error("/projects/7/merge_requests?per_page=x"),
        "per_page is invalid"
    );
    assert_eq!(
        error("/projects/7/merge_requests?per_page=0"),
        "per_page does not have a valid value"
    );
    assert_eq!(
        error("/projects/7/merge_requests?updated_after=yesterday"),
        "updated_after is invalid"
    );
    assert_eq!(
        error("/projects/7/merge_requests/one"),
        "merge_request_iid is invalid"
    );
    assert_eq!(
        error("/projects/7/repository/files/README.md"),
        "ref is missing"
    );
    let nothing = client(&gitlab).put("/projects/7/merge_requests/1", json!({}));
    assert!(
        nothing.json()["error"]
            .as_str()
            .unwrap()
            .ends_with("at least one parameter must be provided")
    );
}

#[test]
fn under_a_relative_path() {
    let gitlab = Gitlab::builder()
        .external_url(ExternalUrl::Loopback)
        .relative_path("/gitlab")
        .start();
    let mr = gitlab.mr("faster");
    assert!(gitlab.url().ends_with("/gitlab"));
    assert_eq!(
        mr.url(),
        format!("{}/acme/engine/-/merge_requests/1", gitlab.url())
    );
    let reply = client(&gitlab).get("/projects/7/merge_requests");
    assert_eq!(reply.column("web_url"), [mr.url()]);
    let page = Client::anonymous(&gitlab)
        .outside_the_api()
        .get("/gitlab/acme/engine/-/merge_requests/1");
    assert_eq!((page.status, page.body), (200, mr.page()));
    assert!(page.head.contains("text/plain"));
    assert_eq!(
        Client::anonymous(&gitlab)
            .outside_the_api()
            .get("/nothing")
            .status,
        404
    );
}
