//! `trigger --wait`: followed to its end, whatever happens meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr, People, Request};

use crate::bot::{Ran, bot, run};

const WAIT: &str = "trigger 1 --wait";
const URL: &str = "https://gitlab.example.com/acme/benchmarks/-/pipelines/1002";

fn ready() -> (Gitlab, Mr) {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    (gitlab, mr)
}

/// The benchmark that a request looks at.
fn looked_at(request: &Request) -> Option<u64> {
    let id = request.path.strip_prefix("/projects/8/pipelines/")?;
    id.parse().ok()
}

/// With each look at the benchmark something happens, told its number, before the answer is given.
fn at_each_look(
    gitlab: &Gitlab,
    happens: impl Fn(&People, u64, usize) -> Option<Fault> + Send + Sync + 'static,
) {
    let (people, looks) = ((**gitlab).clone(), AtomicUsize::new(0));
    gitlab.fault(move |request| {
        let benchmark = looked_at(request)?;
        happens(&people, benchmark, looks.fetch_add(1, Ordering::SeqCst))
    });
}

/// It ends so at the first look.
fn ends(gitlab: &Gitlab, status: &'static str) {
    at_each_look(gitlab, move |people, benchmark, _| {
        people.benchmark_ends(benchmark, status);
        None
    });
}

/// One benchmark, one reply with that, no label.
#[track_caller]
fn assert_closed(gitlab: &Gitlab, mr: &Mr, told: &str) {
    assert_eq!(gitlab.benchmarks().len(), 1);
    let [_, reply] = &mr.notes()[..] else {
        panic!("{}", mr.page())
    };
    assert!(reply.body.contains(told), "{}", reply.body);
    assert!(!mr.is_labelled());
}

fn lines(ran: &Ran) -> Vec<&str> {
    ran.stderr.lines().collect()
}

#[test]
fn it_starts_follows_and_closes_the_loop() {
    let (gitlab, mr) = ready();
    ends(&gitlab, "success");
    let ran = bot(&gitlab, WAIT).exits(0);
    assert_closed(&gitlab, &mr, "Benchmark finished");
    insta::assert_snapshot!(ran.stdout, @r"
    acme/engine → acme/benchmarks

    In flight: 0 of 1

    Done
      ✓ start    !1
          https://gitlab.example.com/acme/benchmarks/-/pipelines/1002
      ✓ finish   !1     success
          https://gitlab.example.com/acme/benchmarks/-/pipelines/1002
    ");
    insta::assert_snapshot!(ran.stderr, @r"
    !1: waiting for https://gitlab.example.com/acme/benchmarks/-/pipelines/1002 (Ctrl-C leaves it running)
    !1: success
    ");
}

#[test]
fn a_benchmark_that_does_not_succeed_is_an_exit_status_of_its_own() {
    for status in ["failed", "canceled", "skipped"] {
        let (gitlab, mr) = ready();
        ends(&gitlab, status);
        let report = bot(&gitlab, &format!("{WAIT} --format json"))
            .exits(3)
            .json();
        assert_eq!(report["actions"][1]["action"], "finish");
        assert_eq!(report["actions"][1]["outcome"], "done");
        assert_eq!(report["in_flight"], serde_json::json!([]));
        assert_closed(&gitlab, &mr, status);
    }
}

#[test]
fn each_change_is_a_line_where_there_is_no_terminal() {
    let (gitlab, _) = ready();
    at_each_look(&gitlab, |people, benchmark, look| {
        match look {
            0 => people.set_status("acme/benchmarks", benchmark, "pending"),
            1 => {
                people.benchmark_job(benchmark, "com\u{1b}pare", |job| job.set_status("created"));
                people.benchmark_runs(benchmark);
                people.benchmark_job(benchmark, "benchmark", |job| job.set_status("success"));
            }
            _ => people.benchmark_ends(benchmark, "success"),
        }
        None
    });
    let ran = bot(&gitlab, WAIT).exits(0);
    assert_eq!(
        lines(&ran)[1..],
        [
            "!1: pending, 0 of 1 jobs ended",
            "!1: running, 1 of 2 jobs ended, now com\u{fffd}pare",
            "!1: success",
        ]
    );
}

#[test]
fn one_in_flight_already_is_followed() {
    let (gitlab, mr) = ready();
    run(&gitlab, "scan");
    ends(&gitlab, "success");
    let ran = bot(&gitlab, WAIT).exits(0);
    assert!(
        !ran.stdout.contains("start") && ran.stdout.contains("✓ finish"),
        "{}",
        ran.stdout
    );
    assert_closed(&gitlab, &mr, "Benchmark finished");
}

#[test]
fn a_dry_run_does_not_wait() {
    let (gitlab, _) = ready();
    let ran = run(&gitlab, &format!("{WAIT} --dry-run"));
    assert!(ran.stdout.contains("• start"), "{}", ran.stdout);
    assert!(
        gitlab.writes().is_empty() && !gitlab.requests().iter().any(|one| looked_at(one).is_some())
    );
}

#[test]
fn what_cannot_be_started_is_not_waited_for() {
    let gitlab = Gitlab::start();
    gitlab.mr("failed").failed();
    bot(&gitlab, WAIT).exits(1);
    assert!(gitlab.benchmarks().is_empty());
}

#[test]
fn trouble_that_passes_is_told_once_and_waited_through() {
    let (gitlab, mr) = ready();
    at_each_look(&gitlab, |people, benchmark, look| match look {
        0 => Some(Fault::bad_gateway()),
        1 => Some(Fault::Reset),
        _ => {
            people.benchmark_ends(benchmark, "success");
            None
        }
    });
    let ran = bot(&gitlab, WAIT).env("BENCH_BOT_RETRIES", "4").exits(0);
    assert_eq!(lines(&ran).len(), 3, "{}", ran.stderr);
    assert_eq!(
        lines(&ran)[1],
        "!1: GET /projects/8/pipelines/1002: 502 Bad Gateway; trying again"
    );
    assert_closed(&gitlab, &mr, "Benchmark finished");
}

#[test]
fn trouble_while_closing_is_waited_through_as_well() {
    let (gitlab, mr) = ready();
    let (people, failures) = ((*gitlab).clone(), AtomicUsize::new(0));
    gitlab.fault(move |request| {
        if let Some(benchmark) = looked_at(request) {
            people.benchmark_ends(benchmark, "success");
        }
        let list = request.path == "/projects/8/pipelines"
            && people.benchmarks().iter().any(|one| one.has_ended());
        (list && failures.fetch_add(1, Ordering::SeqCst) < 2).then(Fault::server_error)
    });
    let ran = bot(&gitlab, WAIT).exits(0);
    assert!(
        lines(&ran)[2].starts_with("!1: cannot survey acme/engine"),
        "{}",
        ran.stderr
    );
    assert_closed(&gitlab, &mr, "Benchmark finished");
}

#[test]
fn a_token_that_is_no_longer_good_ends_the_wait() {
    let (gitlab, mr) = ready();
    let revoked = r#"{"error":"invalid_token","error_description":"Token was revoked."}"#;
    at_each_look(&gitlab, move |_, _, _| {
        Some(Fault::answer(401, "application/json", revoked))
    });
    let ran = bot(&gitlab, WAIT).exits(1);
    assert!(ran.stdout.contains("✓ start"));
    let error = lines(&ran).pop().expect("there is one");
    assert!(
        error.contains("is no longer followed, and reconcile posts its outcome")
            && error.contains("revoked"),
        "{error}"
    );
    gitlab.no_faults();
    ends(&gitlab, "success");
    gitlab.benchmark_ends(1002, "success");
    run(&gitlab, "reconcile");
    assert_closed(&gitlab, &mr, "Benchmark finished");
}

#[test]
fn a_label_taken_off_meanwhile_withdraws_it() {
    for anew in [false, true] {
        let (gitlab, mr) = ready();
        let same = mr.clone();
        at_each_look(&gitlab, move |people, benchmark, look| {
            people.benchmark_runs(benchmark);
            match (look, anew) {
                (1, true) => drop(same.relabel()),
                (1, false) => drop(same.unlabelled()),
                _ => {}
            }
            None
        });
        let ran = bot(&gitlab, WAIT).exits(3);
        assert!(
            ran.stdout.contains("✓ withdraw !1     withdrawn"),
            "{}",
            ran.stdout
        );
        assert!(mr.notes()[1].body.contains("withdrawn"));
        assert_eq!(gitlab.benchmarks()[0].status, "canceled");
        assert_eq!(mr.is_labelled(), anew, "a new request stays");
    }
}

#[test]
fn it_waits_for_no_longer_than_the_timeout() {
    let (gitlab, mr) = ready();
    at_each_look(&gitlab, |people, benchmark, look| {
        people.benchmark_runs(benchmark);
        if look == 0 {
            people.later(Duration::from_secs(25 * 60 * 60));
        }
        None
    });
    let ran = bot(&gitlab, WAIT).exits(3);
    assert!(
        ran.stdout.contains("✓ cancel   !1     timed out"),
        "{}",
        ran.stdout
    );
    assert_closed(&gitlab, &mr, "timed out");
}

#[test]
fn a_deleted_benchmark_is_said() {
    let (gitlab, _) = ready();
    at_each_look(&gitlab, |people, benchmark, _| {
        people.delete_pipeline(benchmark);
        None
    });
    let ran = bot(&gitlab, WAIT).exits(1);
    let error = format!("error: !1: its benchmark {URL} has been deleted");
    assert_eq!(lines(&ran).last(), Some(&error.as_str()));
}

#[test]
fn one_that_is_not_known_everywhere_yet_is_looked_for_again() {
    let (gitlab, mr) = ready();
    let unknown = r#"{"message":"404 Not found"}"#;
    at_each_look(&gitlab, |people, benchmark, look| match look {
        0 => Some(Fault::answer(404, "application/json", unknown)),
        _ => {
            people.benchmark_ends(benchmark, "success");
            None
        }
    });
    bot(&gitlab, WAIT).exits(0);
    assert_closed(&gitlab, &mr, "Benchmark finished");
}

#[test]
fn a_deleted_merge_request_has_its_benchmark_cancelled() {
    let (gitlab, mr) = ready();
    at_each_look(&gitlab, move |_, _, look| {
        if look == 0 {
            mr.delete();
        }
        None
    });
    let ran = bot(&gitlab, WAIT).exits(3);
    assert!(ran.stdout.contains("✓ cancel"), "{}", ran.stdout);
    assert_eq!(gitlab.benchmarks()[0].status, "canceled");
}

#[test]
fn where_another_run_closes_the_loop_first_nothing_is_said_twice() {
    for (status, code) in [("success", 0), ("failed", 3)] {
        let (gitlab, mr) = ready();
        at_each_look(&gitlab, move |people, benchmark, look| {
            if look == 0 {
                people.benchmark_ends(benchmark, status);
                run(people, "reconcile");
            }
            None
        });
        let ran = bot(&gitlab, WAIT).exits(code);
        assert!(!ran.stdout.contains("finish"), "{}", ran.stdout);
        let told = format!("!1: {status}; another run has posted its outcome");
        assert_eq!(lines(&ran).last(), Some(&told.as_str()));
        assert_closed(&gitlab, &mr, status);
    }
}

#[test]
fn what_somebody_retries_when_all_has_been_told_is_not_waited_for() {
    let (gitlab, mr) = ready();
    at_each_look(&gitlab, |people, benchmark, look| {
        if look == 0 {
            people.benchmark_ends(benchmark, "failed");
            run(people, "reconcile");
            people.benchmark_runs(benchmark);
        }
        None
    });
    let ran = bot(&gitlab, WAIT).exits(3);
    let told = "!1: running; another run has posted its outcome";
    assert_eq!(lines(&ran).last(), Some(&told));
    assert_closed(&gitlab, &mr, "failed");
}

#[test]
fn of_two_begun_at_once_the_one_that_stands_is_followed() {
    let (gitlab, mr) = ready();
    run(&gitlab, "scan");
    let variables = gitlab.benchmarks()[0].variables.clone();
    let begun = AtomicUsize::new(0);
    let people = (*gitlab).clone();
    // The first is not seen by trigger, so that it begins another.
    gitlab.fault(move |request| {
        let lists = request.path == "/projects/8/pipelines" && begun.load(Ordering::SeqCst) == 0;
        if request.method == "POST" && request.path == "/projects/8/pipeline" {
            begun.store(1, Ordering::SeqCst);
        }
        match looked_at(request) {
            Some(1003) => drop(run(&people, "reconcile")),
            Some(first) => people.benchmark_ends(first, "success"),
            None => {}
        }
        let discussions = request.method == "GET" && request.path.ends_with("/discussions");
        let unseen = lists || (discussions && begun.load(Ordering::SeqCst) == 0);
        unseen.then(|| Fault::Answer {
            status: 200,
            headers: vec![("x-next-page".to_owned(), String::new())],
            body: "[]".to_owned(),
        })
    });
    let ran = bot(&gitlab, WAIT).exits(0);
    let task = |mut variables: Vec<(String, String)>| {
        variables.retain(|(key, _)| key != "BENCH_DISCUSSION_ID");
        variables
    };
    assert_eq!(
        task(variables),
        task(gitlab.benchmarks()[1].variables.clone())
    );
    let followed: Vec<_> = lines(&ran)
        .into_iter()
        .filter(|line| line.contains("waiting for"))
        .collect();
    assert!(
        followed[0].contains("/1003 ") && followed[1].contains("/1002 "),
        "{}",
        ran.stderr
    );
    let outcomes = mr
        .notes()
        .iter()
        .filter(|note| note.body.contains("success"))
        .count();
    assert_eq!((outcomes, mr.is_labelled()), (1, false), "{}", mr.page());
}

#[test]
fn an_interrupt_leaves_the_benchmark_running_and_says_how_to_go_on() {
    let (gitlab, mr) = ready();
    let (looked, looks) = mpsc::channel();
    at_each_look(&gitlab, move |people, benchmark, _| {
        people.benchmark_runs(benchmark);
        looked.send(()).ok();
        None
    });
    let child = bot(&gitlab, WAIT).arg("--timeout=2h").starts();
    looks
        .recv_timeout(Duration::from_secs(60))
        .expect("it looks");
    child.interrupt();
    let ran = child.ends();
    assert_eq!((ran.code, ran.stdout.as_str()), (130, ""));
    let said = [
        format!("The benchmark of !1 goes on: {URL}").as_str(),
        "To follow it again: `bench-bot trigger 1 --wait --timeout=2h`",
        "Otherwise, the next reconcile posts its outcome, by hand or on schedule.",
    ]
    .join("\n");
    assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    assert_eq!(gitlab.benchmarks()[0].status, "running");
    ends(&gitlab, "success");
    bot(&gitlab, WAIT).exits(0);
    assert_closed(&gitlab, &mr, "Benchmark finished");
}

#[test]
fn it_asks_for_little_at_each_look() {
    let (gitlab, _) = ready();
    at_each_look(&gitlab, |people, benchmark, look| {
        if look == 2 {
            people.benchmark_ends(benchmark, "success");
        }
        None
    });
    bot(&gitlab, WAIT).exits(0);
    let requests = gitlab.requests();
    let made = |path: &str| {
        requests
            .iter()
            .filter(|request| request.path == path)
            .count()
    };
    assert_eq!(made("/projects/8/pipelines/1002"), 3);
    assert_eq!(
        made("/projects/8/pipelines/1002/jobs"),
        2,
        "while it goes on"
    );
}
