//! Tokens and users; how many requests they may make.

use crate::client::{Client, Reply, client};
use in_memory_gitlab::*;
use serde_json::json;
use std::time::Duration;

#[test]
fn tokens_that_are_not_good() {
    let gitlab = Gitlab::start();
    let with = |token| Client::anonymous(&gitlab).with_token(token).get("/user");
    assert_eq!(with(BOT_TOKEN).json()["username"], "bench-bot");
    assert_eq!(with(READ_ONLY_TOKEN).status, 200);
    let bearer =
        Client::anonymous(&gitlab).with_header(&format!("Authorization: Bearer {ADA_TOKEN}"));
    assert_eq!(bearer.get("/user").json()["username"], "ada");

    let unauthorized = json!({ "message": "401 Unauthorized" });
    assert_eq!(Client::anonymous(&gitlab).get("/user").json(), unauthorized);
    let unknown = with("glpat-unknown");
    assert_eq!((unknown.status, unknown.json()), (401, unauthorized));
    let expired = with(EXPIRED_TOKEN);
    assert_eq!(expired.status, 401);
    assert!(
        expired.json()["error_description"]
            .as_str()
            .unwrap()
            .starts_with("Token is expired.")
    );
    assert_eq!(with(REVOKED_TOKEN).json()["error"], "invalid_token");
}

#[test]
fn users_who_are_let_do_nothing() {
    let gitlab = Gitlab::start();
    let change = |change: fn(&mut User)| change(gitlab.world().users.get_mut(&BENCH_BOT).unwrap());
    let denied = || {
        let reply = client(&gitlab).get("/projects/7/merge_requests");
        (reply.status, reply.json()["message"].clone())
    };
    change(|user| user.password_expired = true);
    let expired = "403 Forbidden - Your password expired. Please access GitLab from a web browser \
                   to update your password.";
    assert_eq!(denied(), (403, json!(expired)));
    change(|user| user.state = "blocked".to_owned());
    let blocked = "403 Forbidden - Your account has been blocked.";
    assert_eq!(denied(), (403, json!(blocked)));
}

#[test]
fn a_fine_grained_token_does_what_it_was_granted() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    let all = permissions();
    assert!(all.contains("read_merge_request") && all.contains("create_pipeline"));
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    gitlab.grant(BOT_TOKEN, &all);
    let label = || {
        let body = json!({ "add_labels": "x" });
        client(&gitlab).put("/projects/7/merge_requests/1", body)
    };
    assert_eq!(label().status, 200);
    let token = client(&gitlab).get("/personal_access_tokens/self").json();
    assert_eq!(token["scopes"], json!(["granular"]));

    gitlab.grant(BOT_TOKEN, &["read_merge_request"]);
    assert_eq!(
        client(&gitlab).get("/projects/7/merge_requests").status,
        200
    );
    let refused = label();
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (403, &json!("insufficient_granular_scope"))
    );
    let wanted = "following project permissions: [Merge Request: Update].";
    let description = refused.json()["error_description"].clone();
    assert!(description.as_str().unwrap().ends_with(wanted));
    let own = client(&gitlab).get("/user").json();
    assert!(
        own["error_description"]
            .as_str()
            .unwrap()
            .contains("user permissions: [User: Read]")
    );
    let hidden = client(&gitlab).get("/projects/acme%2Fnowhere").json();
    assert_eq!(hidden, json!({ "message": "404 Not Found" }));
}

#[test]
fn so_many_requests_a_minute() {
    let gitlab = Gitlab::start();
    let headers = |reply: &Reply| {
        ["limit", "name", "observed", "remaining", "reset"].map(|name| {
            reply
                .header(&format!("ratelimit-{name}"))
                .map(str::to_owned)
        })
    };
    let ask = || client(&gitlab).get("/user");
    assert_eq!(headers(&ask()), [const { None }; 5]);
    gitlab.limit_rate(2, true);
    let told = ["2", "throttle_authenticated_api", "1", "1", "1767603660"];
    assert_eq!(headers(&ask()), told.map(|value| Some(value.to_owned())));
    assert_eq!(ask().header("ratelimit-remaining"), Some("0"));
    let refused = ask();
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (429, "Retry later\n")
    );
    assert_eq!(refused.header("retry-after"), Some("60"));
    let reset = "Mon, 05 Jan 2026 09:01:00 GMT";
    assert_eq!(refused.header("ratelimit-resettime"), Some(reset));
    let other = Client::anonymous(&gitlab).with_token(ADA_TOKEN);
    assert_eq!(other.get("/user").status, 200);
    gitlab.later(Duration::from_secs(60));
    assert_eq!(ask().status, 200);

    gitlab.limit_rate(1, false);
    assert_eq!(headers(&ask()), [const { None }; 5]);
    assert_eq!(ask().header("ratelimit-observed"), Some("2"));
}

#[test]
fn users() {
    let gitlab = Gitlab::start();
    let named = |name: &str| client(&gitlab).get(&format!("/users?username={name}"));
    assert_eq!(named("Bench-Bot").column("id"), [20]);
    assert_eq!(named("nobody").json(), json!([]));
    let own = || client(&gitlab).get("/user").json();
    assert_eq!((&own()["id"], &own()["bot"]), (&json!(20), &json!(true)));
    gitlab.world().users.get_mut(&BENCH_BOT).unwrap().bot = false;
    assert_eq!(own()["bot"], false);
}

#[test]
fn a_token_for_reading_does_not_write() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled();
    let reader = Client::anonymous(&gitlab).with_token(READ_ONLY_TOKEN);
    assert_eq!(reader.get("/projects/7/merge_requests/1").status, 200);
    let refused = reader.put(
        "/projects/7/merge_requests/1",
        json!({ "remove_labels": "benchmarking" }),
    );
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (403, &json!("insufficient_scope"))
    );
    assert_eq!(refused.json()["scope"], "api");
    assert!(mr.is_labelled());
}

#[test]
fn a_token_tells_about_itself() {
    let gitlab = Gitlab::start();
    let token = client(&gitlab).get("/personal_access_tokens/self").json();
    assert_eq!(token["scopes"], json!(["api"]));
    assert_eq!(token["expires_at"], "2026-11-01");
    let version = client(&gitlab).get("/version").json();
    assert_eq!(version["version"], "18.5.1-ee");
    assert_eq!(client(&gitlab).get("/metadata").json()["enterprise"], true);
    assert_eq!(Client::anonymous(&gitlab).get("/version").status, 401);
}
