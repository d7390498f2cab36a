//! What is not shown is not gone: nothing is started or cancelled on it.

use std::time::Duration;

use in_memory_gitlab::world::Pipeline;
use in_memory_gitlab::{Fault, Gitlab, Mr, Request};
use serde_json::json;

use crate::bot::{bot, in_flight, json, run};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What may come in place of something that is there.
fn denials() -> [Fault; 4] {
    let no_route = r#"{"error":"404 Not Found"}"#;
    [
        Fault::not_found(),
        Fault::not_found_by_proxy(),
        Fault::answer(404, "application/json", no_route),
        Fault::forbidden(),
    ]
}

fn statuses(gitlab: &Gitlab) -> Vec<String> {
    let benchmarks = gitlab.benchmarks().into_iter();
    benchmarks.map(|benchmark| benchmark.status).collect()
}

fn starts_or_cancels(gitlab: &Gitlab) -> Vec<String> {
    let does =
        |write: &&Request| write.path.ends_with("/pipeline") || write.path.ends_with("/cancel");
    gitlab
        .writes()
        .iter()
        .filter(does)
        .map(Request::to_string)
        .collect()
}

struct Scene {
    gitlab: Gitlab,
    mr: Mr,
    benchmark: u64,
}

/// !1, from a fork, with its benchmark running.
fn scene() -> Scene {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    let benchmark = gitlab.benchmarks().remove(0).id;
    gitlab.benchmark_runs(benchmark);
    Scene {
        gitlab,
        mr,
        benchmark,
    }
}

/// What each of the requests that name the one thing ends with, and the commands that have to ask for it.
fn things(benchmark: u64) -> Vec<(String, &'static [&'static str])> {
    const ALL: &[&str] = &["reconcile", "scan --max-in-flight 9", "trigger --mr 1"];
    const QUEUE: &[&str] = &["scan --max-in-flight 9", "trigger --mr 1"];
    const RECORDS: &[&str] = &["reconcile"];
    vec![
        ("/merge_requests/1".to_owned(), ALL),
        ("/merge_requests/1/resource_label_events".to_owned(), ALL),
        ("/merge_requests/1/versions".to_owned(), QUEUE),
        ("/merge_requests/1/discussions".to_owned(), RECORDS),
        (format!("/pipelines/{benchmark}/variables"), ALL),
    ]
}

#[test]
fn a_thing_that_is_denied_once_ends_and_begins_nothing() {
    for denial in denials() {
        let paths = things(1002);
        for (path, commands) in paths {
            let Scene {
                gitlab,
                mr,
                benchmark,
            } = scene();
            assert_eq!(benchmark, 1002);
            for command in commands {
                gitlab.clear_requests();
                let (path, denial) = (path.clone(), denial.clone());
                gitlab.fault(move |request| request.path.ends_with(&path).then(|| denial.clone()));
                let ran = bot(&gitlab, command).exits(1);
                let context = format!(
                    "{command}: {}
{}",
                    ran.stdout, ran.stderr
                );
                assert!(ran.stderr.starts_with("error: "), "{context}");
                assert_eq!(
                    starts_or_cancels(&gitlab),
                    Vec::<String>::new(),
                    "{context}"
                );
                gitlab.no_faults();
                let next = run(&gitlab, command);
                assert_eq!(next.stderr, "", "{context}");
            }
            assert_eq!(statuses(&gitlab), ["running"]);
            assert!(mr.is_labelled());
            gitlab.benchmark_ends(benchmark, "success");
            run(&gitlab, "reconcile");
            assert!(!mr.is_labelled() && mr.notes().len() == 2, "{}", mr.page());
        }
    }
}

/// Those who are next when a place is free, too.
#[test]
fn nor_does_a_denial_start_or_finish_what_waits() {
    for denial in denials() {
        for path in [
            "/merge_requests/2",
            "/merge_requests/2/resource_label_events",
            "/merge_requests/2/versions",
            "/labels/benchmarking",
        ] {
            let gitlab = Gitlab::start();
            gitlab.mr("first").passed();
            let mr = gitlab.fork_mr("speed-up").passed().labelled();
            let fault = denial.clone();
            gitlab.fault(move |request| request.path.ends_with(path).then(|| fault.clone()));
            let ran = bot(&gitlab, "scan").runs();
            if path.starts_with("/merge_requests") {
                assert_eq!((ran.code, gitlab.benchmarks().len()), (1, 0), "{path}");
                assert!(
                    ran.complaint().starts_with("error: cannot read !2: "),
                    "{}",
                    ran.stderr
                );
                assert!(mr.discussions().is_empty());
                gitlab.no_faults();
                run(&gitlab, "scan");
            }
            assert_eq!(gitlab.benchmarks().len(), 1);
        }
    }
}

#[test]
fn a_benchmark_that_is_denied_while_its_link_is_followed_is_not_replaced() {
    for denial in denials() {
        let Scene {
            gitlab,
            mr,
            benchmark,
        } = scene();
        gitlab.benchmark_ends(benchmark, "success");
        // So many since that only the discussion tells which it was.
        for _ in 0..4 {
            let other = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
            gitlab.benchmark_ends(other, "success");
        }
        let variables = format!("/{benchmark}/variables");
        gitlab.fault(move |request| request.path.ends_with(&variables).then(|| denial.clone()));
        gitlab.clear_requests();
        let ran = bot(&gitlab, "scan").exits(1);
        assert!(
            ran.stderr.contains(&format!("pipeline {benchmark}")),
            "{}",
            ran.stderr
        );
        assert_eq!(starts_or_cancels(&gitlab), Vec::<String>::new());
        gitlab.no_faults();
        run(&gitlab, "scan");
        run(&gitlab, "reconcile");
        assert_eq!(gitlab.benchmarks().len(), 5);
        assert!(!mr.is_labelled());
    }
}

#[test]
fn one_that_no_list_shows_is_not_replaced_on_the_word_of_a_proxy() {
    let gone = || Some(Fault::not_found());
    let denials = denials().into_iter().skip(1).flat_map(|denial| {
        let denial = Some(denial);
        [
            (denial.clone(), None),
            (denial.clone(), gone()),
            (gone(), denial),
            (gone(), None),
        ]
    });
    for (of_pipeline, of_variables) in denials {
        let Scene {
            gitlab, benchmark, ..
        } = scene();
        let hide = |pipeline: &mut Pipeline| pipeline.source = "web".to_owned();
        gitlab.world().pipelines.get_mut(&benchmark).map(hide);
        let path = format!("/pipelines/{benchmark}");
        gitlab.fault(move |request| {
            let (_, rest) = request.path.split_once(&path)?;
            match rest {
                "" => of_pipeline.clone(),
                _ => of_variables.clone(),
            }
        });
        gitlab.clear_requests();
        for command in ["scan", "reconcile"] {
            bot(&gitlab, command).exits(1);
        }
        assert_eq!(starts_or_cancels(&gitlab), Vec::<String>::new());
    }
}

#[test]
fn a_pipeline_listed_without_its_source_or_status_is_unknown() {
    for field in ["source", "status", "created_at"] {
        for ended in [false, true] {
            let gitlab = Gitlab::start();
            let (mr, benchmark) = in_flight(&gitlab);
            if ended {
                gitlab.benchmark_ends(benchmark, "success");
            }
            gitlab.fault(move |request| {
                let of_benchmarks = request.path.starts_with("/projects/8/pipelines");
                of_benchmarks.then_some(Fault::Without(field))
            });
            gitlab.clear_requests();
            for command in ["scan", "scan", "scan", "reconcile", "trigger --mr 1"] {
                let ran = bot(&gitlab, command).exits(1);
                let url = &gitlab.pipeline(benchmark).url;
                assert!(
                    ran.stderr.contains(url),
                    "{field}, {command}: {}",
                    ran.stderr
                );
            }
            assert_eq!(starts_or_cancels(&gitlab), Vec::<String>::new());
            gitlab.no_faults();
            gitlab.benchmark_ends(benchmark, "success");
            run(&gitlab, "reconcile");
            assert!(!mr.is_labelled());
            assert_eq!(gitlab.benchmarks().len(), 1);
        }
    }
}

#[test]
fn a_deleted_merge_request_has_its_benchmark_cancelled_once() {
    let Scene {
        gitlab,
        mr,
        benchmark,
    } = scene();
    mr.delete();
    let denied = |request: &Request| request.path.ends_with("/merge_requests");
    gitlab.fault(move |request| denied(request).then(Fault::forbidden));
    bot(&gitlab, "reconcile").exits(1);
    assert_eq!(statuses(&gitlab), ["running"], "no list says so");
    gitlab.no_faults();
    run(&gitlab, "scan");
    let report = json(&gitlab, "reconcile");
    assert_eq!(report["actions"][0]["action"], "cancel");
    assert_eq!(statuses(&gitlab), ["canceled"]);
    gitlab.clear_requests();
    run(&gitlab, "reconcile");
    assert!(gitlab.writes().is_empty());
    assert_eq!(gitlab.pipeline(benchmark).status, "canceled");
}

#[test]
fn one_of_a_deleted_merge_request_that_hangs_is_named_and_left() {
    let Scene {
        gitlab,
        mr,
        benchmark,
    } = scene();
    gitlab.benchmark_hangs(benchmark, "running");
    mr.delete();
    for _ in 0..3 {
        run(&gitlab, "reconcile");
        gitlab.later(5 * HOUR);
    }
    gitlab.later(31 * 24 * HOUR);
    gitlab.clear_requests();
    for command in ["reconcile", "scan", "status"] {
        let ran = run(&gitlab, command);
        assert!(ran.complaint().contains("is overdue"), "{}", ran.stderr);
    }
    assert!(gitlab.writes().is_empty());
}

#[test]
fn a_deleted_benchmark_is_run_again_where_it_is_still_asked_for() {
    let Scene {
        gitlab,
        mr,
        benchmark,
    } = scene();
    gitlab.delete_pipeline(benchmark);
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    run(&gitlab, "scan");
    run(&gitlab, "scan");
    let [again] = &gitlab.benchmarks()[..] else {
        panic!("{:?}", gitlab.benchmarks())
    };
    gitlab.benchmark_ends(again.id, "success");
    run(&gitlab, "reconcile");
    assert_eq!(
        (mr.discussions().len(), mr.notes().len()),
        (1, 2),
        "{}",
        mr.page()
    );

    let Scene {
        gitlab,
        mr,
        benchmark,
    } = scene();
    gitlab.delete_pipeline(benchmark);
    mr.unlabelled();
    run(&gitlab, "reconcile");
    run(&gitlab, "scan");
    assert!(gitlab.benchmarks().is_empty());
    let page = mr.page();
    assert!(
        page.contains(&format!("pipeline {benchmark} is gone")),
        "{page}"
    );
    assert!(mr.discussions()[0].is_resolved(), "{page}");
    assert_eq!(mr.reactions(), []);
}

#[test]
fn lists_that_lag_start_nothing_twice() {
    let gitlab = Gitlab::start();
    gitlab.lists_lag();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    for command in ["scan", "scan --max-in-flight 9", "trigger --mr 1"] {
        let ran = bot(&gitlab, command).runs();
        assert_eq!(gitlab.benchmarks().len(), 1, "{command}: {}", ran.stdout);
    }
    run(&gitlab, "reconcile");
    gitlab.run_background_jobs();
    run(&gitlab, "scan");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    run(&gitlab, "reconcile");
    assert_eq!((gitlab.benchmarks().len(), mr.notes().len()), (1, 2));
    assert!(!mr.is_labelled());
}

#[test]
fn a_label_whose_event_comes_late_is_unknown_until_then() {
    let gitlab = Gitlab::start();
    gitlab.events_come_late();
    let mr = gitlab.mr("speed-up").passed().labelled();
    let report = json(&gitlab, "scan");
    assert_eq!(report["waiting"][0]["reason"], "unknown");
    let told = run(&gitlab, "scan").stdout;
    assert!(told.contains("label too new to tell"), "{told}");
    assert_eq!(gitlab.benchmarks().len(), 0);
    gitlab.run_background_jobs();
    run(&gitlab, "scan");
    let benchmark = gitlab.benchmarks().remove(0);
    let request = mr.label_event_id().to_string();
    assert_eq!(benchmark.variable("BENCH_REQUEST_ID"), Some(&*request));

    // The same of a label that comes again: the removal is there, the addition not yet.
    gitlab.benchmark_ends(benchmark.id, "success");
    run(&gitlab, "reconcile");
    gitlab.run_background_jobs();
    mr.labelled();
    run(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1);
    gitlab.run_background_jobs();
    run(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 2);
}

#[test]
fn a_label_without_any_event_is_served_as_request_0() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("imported").passed().labelled();
    let mut world = gitlab.world();
    world
        .merge_requests
        .values_mut()
        .for_each(|mr| mr.label_events.clear());
    drop(world);
    run(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 0, "its event may be late");
    gitlab.later(11 * MINUTE);
    run(&gitlab, "scan");
    let benchmark = gitlab.benchmarks().remove(0);
    assert_eq!(benchmark.variable("BENCH_REQUEST_ID"), Some("0"));
    // What the bot wrote there has touched it.
    for minutes in [0, 5, 30] {
        gitlab.later(minutes * MINUTE);
        run(&gitlab, "scan --max-in-flight 9");
        run(&gitlab, "reconcile");
    }
    assert_eq!(
        (gitlab.benchmarks().len(), statuses(&gitlab)),
        (1, vec!["created".to_owned()])
    );
    gitlab.benchmark_ends(benchmark.id, "success");
    run(&gitlab, "reconcile");
    assert!(!mr.is_labelled());
    assert_eq!(mr.notes().len(), 2, "{}", mr.page());

    // Asked for again, it has an event and is another request.
    mr.labelled();
    run(&gitlab, "scan");
    let second = gitlab.benchmarks().pop().expect("it was started");
    let request = mr.label_event_id().to_string();
    assert_eq!(second.variable("BENCH_REQUEST_ID"), Some(&*request));
}
