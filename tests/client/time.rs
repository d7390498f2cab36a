//! What time it is, and how long a run waits: for an answer, for a pause that it is told of, for its turn.

use std::time::{Duration, Instant};

use bench_bot::gitlab::{ErrorKind, Gitlab};
use mockito::ServerGuard;

use crate::{DATE, VARIABLES, answer, connect_for, get, gitlab, variables};

#[test]
fn the_time_is_the_servers() {
    let (_server, gitlab) = gitlab(0);
    assert_eq!(gitlab.now().to_rfc3339(), "2026-01-05T09:00:00+00:00");
}

/// One answer after the other, with these dates.
fn dated(server: &mut ServerGuard, gitlab: &Gitlab, dates: &[&str]) {
    for date in dates {
        let mock = server.mock("GET", &*format!("/api/v4{VARIABLES}"));
        let mock = mock.with_header("date", date).with_body("[]").create();
        variables(gitlab).expect("an empty list");
        mock.remove();
    }
}

#[test]
fn and_one_answer_alone_does_not_change_it() {
    // There have been three.
    for wrong in [
        "Wed, 07 Jan 2026 09:00:00 GMT",
        "Sat, 03 Jan 2026 09:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "yesterday",
    ] {
        let (mut server, gitlab) = gitlab(0);
        dated(&mut server, &gitlab, &[wrong]);
        assert_eq!(gitlab.now().to_rfc3339(), "2026-01-05T09:00:00+00:00");
        let right = "Mon, 05 Jan 2026 10:00:00 GMT";
        dated(&mut server, &gitlab, &[right; 5]);
        assert_eq!(gitlab.now().to_rfc3339(), "2026-01-05T10:00:00+00:00");
    }
}

#[test]
fn after_hours_of_waiting_the_answers_from_before_count_little() {
    let (mut server, gitlab) = gitlab(0);
    dated(&mut server, &gitlab, &[DATE; 20]);
    let gitlab = gitlab.with_new_deadline(0);
    assert_eq!(gitlab.now().to_rfc3339(), "2026-01-05T09:00:00+00:00");
    let later = "Tue, 06 Jan 2026 10:00:00 GMT";
    dated(&mut server, &gitlab, &[later; 2]);
    assert_eq!(gitlab.now().to_rfc3339(), "2026-01-06T10:00:00+00:00");
}

#[test]
fn the_time_goes_on_between_answers() {
    let (_server, gitlab) = gitlab(0);
    let before = gitlab.now();
    std::thread::sleep(Duration::from_millis(1_100));
    assert!(gitlab.now() > before);
}

#[test]
fn the_server_says_how_long_to_wait() {
    let (mut server, gitlab) = gitlab(1);
    let throttled = answer(&mut server, VARIABLES, "Retry later\n").with_status(429);
    let throttled = throttled.with_header("retry-after", "2").expect(1).create();
    answer(&mut server, VARIABLES, "[]").create();
    let started = Instant::now();
    variables(&gitlab).expect("an empty list");
    assert!(started.elapsed() >= Duration::from_secs(2));
    throttled.assert();
}

#[test]
fn unless_that_is_longer_than_a_run_should_last() {
    let (mut server, gitlab) = gitlab(4);
    let mock = answer(&mut server, VARIABLES, "Retry later\n").with_status(429);
    let mock = mock.with_header("retry-after", "3600").expect(1).create();
    assert_eq!(
        variables(&gitlab).expect_err("it gives up").kind,
        ErrorKind::Transient
    );
    mock.assert();
}

#[test]
fn a_run_has_its_time_and_can_have_it_anew() {
    let (mut server, _) = gitlab(0);
    let second = Duration::from_secs(1);
    let gitlab = connect_for(&server, 0, second, second);
    answer(&mut server, VARIABLES, "[]").create();
    let refused = |_| {
        variables(&gitlab)
            .err()
            .filter(|error| error.kind == ErrorKind::Transient)
    };
    let error = (0..100_000).find_map(refused).expect("its time is bounded");
    assert!(
        error
            .message
            .starts_with("the run has reached its time limit")
    );
    variables(&gitlab.with_new_deadline(0)).expect("there is time again");
}

#[test]
fn an_answer_that_trickles_is_given_up_in_time() {
    let (mut server, _) = gitlab(0);
    let gitlab = connect_for(
        &server,
        0,
        Duration::from_secs(60),
        Duration::from_millis(300),
    );
    get(&mut server, VARIABLES)
        .with_chunked_body(|body| {
            loop {
                body.write_all(b" ")?;
                std::thread::sleep(Duration::from_millis(50));
            }
        })
        .create();
    let error = variables(&gitlab).expect_err("it never ends");
    assert_eq!(error.message, "no answer in time");
}

#[test]
fn the_last_requests_before_a_limit_are_spread_until_it_is_lifted() {
    let (mut server, gitlab) = gitlab(0);
    let in_two_seconds = (gitlab.now().timestamp() + 2).to_string();
    let told = |left: &str| {
        let headers = [
            ("ratelimit-remaining", left),
            ("ratelimit-reset", &in_two_seconds),
        ];
        headers.map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let mut answering = |left: &str| {
        let mock = answer(&mut server, VARIABLES, "[]");
        told(left)
            .into_iter()
            .fold(mock, |mock, (name, value)| mock.with_header(&*name, &value))
            .create()
    };
    let plenty = answering("1000");
    let started = Instant::now();
    variables(&gitlab)
        .and_then(|_| variables(&gitlab))
        .expect("two answers");
    assert!(started.elapsed() < Duration::from_millis(500));
    plenty.remove();
    let _few = answering("1");
    variables(&gitlab).expect("an answer that tells of the limit");
    variables(&gitlab).expect("an answer");
    assert!(started.elapsed() >= Duration::from_millis(900));
}
