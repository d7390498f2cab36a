//! What goes wrong on demand.

use crate::client::{Reply, client};
use in_memory_gitlab::*;
use serde_json::json;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const DISCUSSIONS: &str = "/projects/7/merge_requests/1/discussions";

/// A new discussion under that fault.
fn say(gitlab: &Gitlab, fault: Fault) -> std::io::Result<Reply> {
    gitlab.fault(move |request| request.is_write().then(|| fault.clone()));
    client(gitlab).try_ask("POST", DISCUSSIONS, r#"{"body":"Hello"}"#)
}

#[test]
fn answers_of_others() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    for (fault, status, body) in [
        (Fault::throttled(Some(30)), 429, "Retry later\n"),
        (
            Fault::rate_limited(),
            429,
            "{\"message\":{\"error\":\"This endpoint",
        ),
        (
            Fault::server_error(),
            500,
            "{\"message\":\"500 Internal Server Error\"}",
        ),
        (Fault::bad_gateway(), 502, "<html>"),
        (Fault::not_found(), 404, "{\"message\":\"404 Not found\"}"),
        (Fault::not_found_by_proxy(), 404, "default backend - 404"),
        (Fault::forbidden(), 403, "{\"message\":\"403 Forbidden\"}"),
        (
            Fault::resource_lock(),
            409,
            "{\"message\":\"409 Conflict: Resource lock\"}",
        ),
        (Fault::not_json(), 200, "Welcome"),
        (Fault::wrong_shape(), 200, "{"),
    ] {
        let before = mr.discussions().len();
        let reply = say(&gitlab, fault.clone()).unwrap();
        assert_eq!(
            (reply.status, reply.body.starts_with(body)),
            (status, true),
            "{reply:?}"
        );
        assert_eq!(mr.discussions().len(), before);
        let after = say(&gitlab, fault.after_effect()).unwrap();
        assert_eq!((after.status, mr.discussions().len()), (status, before + 1));
    }
    let throttled = say(&gitlab, Fault::throttled(Some(30))).unwrap();
    assert_eq!(throttled.header("retry-after"), Some("30"));
    assert_eq!(
        say(&gitlab, Fault::throttled(None))
            .unwrap()
            .header("retry-after"),
        None
    );
}

#[test]
fn connections_that_break() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    for (fault, taken) in [
        (Fault::Reset, false),
        (Fault::Hang(Duration::from_millis(10)), false),
        (Fault::Hang(Duration::from_secs(5)), false),
        (Fault::Reset.after_effect(), true),
        (Fault::Hang(Duration::from_secs(5)).after_effect(), true),
    ] {
        let before = mr.discussions().len();
        assert!(say(&gitlab, fault).is_err());
        assert_eq!(mr.discussions().len() - before, usize::from(taken));
    }
    let cut = say(&gitlab, Fault::CutBody).unwrap();
    let length: usize = cut.header("content-length").unwrap().parse().unwrap();
    assert_eq!((cut.status, cut.body.len()), (201, length / 2));
    let statuses: Vec<_> = gitlab
        .writes()
        .iter()
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [None, None, None, None, None, Some(201)]);
}

#[test]
fn a_field_that_is_missing_everywhere() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").passed();
    let reply = say(&gitlab, Fault::Without("body")).unwrap();
    assert_eq!((reply.status, mr.discussions().len()), (201, 1));
    assert_eq!(reply.json()["notes"][0].get("body"), None);
    assert!(reply.json()["notes"][0].get("author").is_some());
    gitlab.fault(|_| Some(Fault::Without("status")));
    let mr = client(&gitlab).get("/projects/7/merge_requests/1").json();
    assert_eq!(mr["head_pipeline"].get("status"), None);
    let list = client(&gitlab).get("/projects/7/pipelines").json();
    assert_eq!(list[0].get("status"), None);
    assert_eq!(list[0]["id"], 1001);
}

#[test]
fn a_date_that_is_off() {
    let gitlab = Gitlab::start();
    let date = || {
        let reply = client(&gitlab).get("/user");
        assert_eq!(reply.json()["username"], "bench-bot");
        reply.header("date").map(str::to_owned)
    };
    assert_eq!(date().as_deref(), Some("Mon, 05 Jan 2026 09:00:00 GMT"));
    for (seconds, off) in [
        (2 * 24 * 60 * 60, "Wed, 07 Jan 2026 09:00:00 GMT"),
        (-1, "Mon, 05 Jan 2026 08:59:59 GMT"),
    ] {
        gitlab.fault(move |_| Some(Fault::DateOff(seconds)));
        assert_eq!(date().as_deref(), Some(off));
    }
}

#[test]
fn the_hook_sees_each_request_and_may_act() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    let (pushing, seen) = (mr.clone(), AtomicUsize::new(0));
    gitlab.fault(move |request| {
        if request.path == "/projects/7/merge_requests/1"
            && seen.fetch_add(1, Ordering::Relaxed) == 1
        {
            pushing.push();
        }
        None
    });
    let sha = || client(&gitlab).get("/projects/7/merge_requests/1").json()["sha"].clone();
    let first = sha();
    assert_ne!(sha(), first);
    gitlab.no_faults();
    assert_eq!(gitlab.requests().len(), 2);
}

#[test]
fn requests_can_be_made_to_wait_for_each_other() {
    let gitlab = Gitlab::start();
    let meeting = Barrier::new(8);
    gitlab.fault(move |_| {
        meeting.wait();
        None
    });
    let ask = || client(&gitlab).get("/user").status;
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        assert!(
            asking
                .into_iter()
                .all(|thread| thread.join().unwrap() == 200)
        );
    });
}

#[test]
fn a_panic_in_a_hook_fails_the_test() {
    let gitlab = Gitlab::start();
    gitlab.fault(|_| panic!("on purpose"));
    assert!(client(&gitlab).try_ask("GET", "/user", "").is_err());
    // The client sees the connection break before the server has come to notice why.
    let noticed = (0..5000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(2));
        let violations = gitlab.take_violations();
        violations
            .into_iter()
            .find(|said| said.contains("panicked"))
    });
    assert!(noticed.is_some());
}

#[test]
fn requests_are_logged() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    client(&gitlab).get("/projects/acme%2Fengine/merge_requests?state=opened&labels=a%20b");
    client(&gitlab).post(DISCUSSIONS, json!({ "body": "Hello" }));
    let requests = gitlab.requests();
    assert_eq!(
        requests[0].to_string(),
        "GET /projects/acme/engine/merge_requests?state=opened&labels=a b"
    );
    assert_eq!(
        (requests[0].query("labels"), requests[0].status),
        (Some("a b"), Some(200))
    );
    assert_eq!(gitlab.writes().len(), 1);
    assert_eq!(gitlab.writes()[0].body, json!({ "body": "Hello" }));
    assert_eq!(gitlab.writes()[0].user.as_deref(), Some("bench-bot"));
    gitlab.clear_requests();
    assert!(gitlab.requests().is_empty());
}

#[test]
fn latency() {
    let gitlab = Gitlab::start();
    gitlab.delay(Duration::from_millis(50));
    let start = Instant::now();
    client(&gitlab).get("/user");
    assert!(start.elapsed() >= Duration::from_millis(50));
}
