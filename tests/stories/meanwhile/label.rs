//! A label that people take off, put on anew, rename or replace.

use std::time::Duration;

use in_memory_gitlab::{ENGINE, Fault, Gitlab, Mr, Request};

use super::{assert_told, before, ended, in_flight, reads_label_events, takes_label_off};
use crate::bot::{bot, run};

#[test]
fn a_label_renamed_or_deleted_withdraws_nothing() {
    let happens: [fn(&Gitlab); 3] = [
        |gitlab| gitlab.rename_label("benchmarking", "performance"),
        |gitlab| gitlab.delete_label("benchmarking"),
        |gitlab| {
            gitlab.delete_label("benchmarking");
            gitlab.group_label("acme", "benchmarking");
        },
    ];
    for happens in happens {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        happens(&gitlab);
        let missing = gitlab
            .world()
            .label_titled(ENGINE, "benchmarking")
            .is_none();
        for command in ["reconcile", "scan"] {
            let ran = bot(&gitlab, command).exits(i32::from(missing));
            let said = "there is no label benchmarking in acme/engine: check --label";
            assert_eq!(ran.stderr.contains(said), missing, "{}", ran.stderr);
        }
        assert_eq!(gitlab.pipeline(benchmark).status, "running");
        gitlab.benchmark_ends(benchmark, "success");
        bot(&gitlab, "reconcile").exits(i32::from(missing));
        assert_told(&mr, &["finished"]);
    }
}

#[test]
fn a_label_of_the_group_does_as_well_as_the_projects_that_it_replaces() {
    let gitlab = Gitlab::start();
    let (mr, _) = in_flight(&gitlab);
    gitlab.delete_label("benchmarking");
    gitlab.group_label("acme", "benchmarking");
    mr.labelled();
    run(&gitlab, "reconcile");
    run(&gitlab, "scan");
    let benchmark = gitlab.benchmarks().pop().expect("it was started");
    assert_eq!(
        benchmark.variable("BENCH_REQUEST_ID"),
        Some(&*mr.label_event_id().to_string())
    );
    gitlab.benchmark_ends(benchmark.id, "success");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["withdrawn", "finished"]);
    assert!(!mr.is_labelled());
}

type Such = fn(&Request) -> bool;

#[test]
fn a_label_put_on_anew_while_the_bot_finishes_is_a_new_request() {
    let gaps: [(&str, usize, Such); 4] = [
        ("before the outcome is told", 0, Request::is_write),
        ("before the events are read again", 1, reads_label_events),
        ("before the label comes off", 0, takes_label_off),
        ("after it came off", 2, reads_label_events),
    ];
    for (gap, nth, such) in gaps {
        let gitlab = Gitlab::start();
        let (mr, _) = ended(&gitlab);
        before(&gitlab, nth, such, |people| {
            people.existing_mr("acme/engine", 1).relabel();
        });
        gitlab.clear_requests();
        run(&gitlab, "reconcile");
        gitlab.no_faults();
        assert_told(&mr, &["failed"]);
        assert!(mr.is_labelled(), "{gap}");
        let is_seen = [
            "before the outcome is told",
            "before the events are read again",
        ];
        let takes_off = gitlab.writes().iter().any(takes_label_off);
        assert_eq!(takes_off, !is_seen.contains(&gap), "{gap}");
        run(&gitlab, "scan");
        let second = gitlab.benchmarks().pop().expect("it was started");
        assert_eq!(
            second.variable("BENCH_REQUEST_ID"),
            Some(&*mr.label_event_id().to_string())
        );
        gitlab.benchmark_ends(second.id, "success");
        run(&gitlab, "reconcile");
        assert_told(&mr, &["failed", "finished"]);
        assert!(!mr.is_labelled(), "{gap}");
    }
}

/// Where anybody wrote anything there is a look before the first word, too.
#[test]
fn no_discussion_is_opened_for_a_label_that_went_before_the_first_word() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    mr.comment("linus", "Is it any faster?");
    before(&gitlab, 1, reads_label_events, |people| {
        people.existing_mr("acme/engine", 1).unlabelled();
    });
    run(&gitlab, "scan");
    gitlab.no_faults();
    assert!(gitlab.benchmarks().is_empty());
    assert_eq!(mr.notes().len(), 1, "{}", mr.page());
    run(&gitlab, "reconcile");
    assert_eq!(mr.reactions(), []);
}

/// What is read again long before its turn would be stale by then.
#[test]
fn one_that_follows_another_is_looked_at_again_when_its_turn_comes() {
    let gitlab = Gitlab::start();
    let first = gitlab.mr("first").passed().labelled();
    let second = gitlab.mr("second").passed().labelled();
    let opens_the_first = |request: &Request| {
        request.method == "POST" && request.path.ends_with("/merge_requests/1/discussions")
    };
    before(&gitlab, 0, opens_the_first, |people| {
        std::thread::sleep(Duration::from_millis(200));
        people.existing_mr("acme/engine", 2).unlabelled();
    });
    run(&gitlab, "scan --max-in-flight 2");
    gitlab.no_faults();
    assert!(first.page().contains("Benchmark started"));
    assert_eq!(gitlab.benchmarks().len(), 1, "{}", second.page());
}

#[test]
fn the_mark_goes_with_the_outcome_where_the_label_went_before() {
    let gitlab = Gitlab::start();
    let (mr, _) = ended(&gitlab);
    mr.unlabelled();
    run(&gitlab, "reconcile");
    assert_told(&mr, &["failed"]);
    assert_eq!(mr.reactions(), []);
}

#[test]
fn a_label_put_on_anew_while_its_benchmark_is_being_started_is_what_is_started_next() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    before(&gitlab, 1, reads_label_events, |people| {
        people.existing_mr("acme/engine", 1).relabel();
    });
    run(&gitlab, "scan");
    gitlab.no_faults();
    assert!(gitlab.benchmarks().is_empty());
    run(&gitlab, "scan");
    run(&gitlab, "reconcile");
    let [benchmark] = &gitlab.benchmarks()[..] else {
        panic!("{:?}", gitlab.benchmarks())
    };
    assert_eq!(
        benchmark.variable("BENCH_REQUEST_ID"),
        Some(&*mr.label_event_id().to_string())
    );
    let page = mr.page();
    assert_eq!(mr.discussions().len(), 2, "{page}");
    assert!(
        page.contains("**Benchmark not started**: the label `benchmarking` was taken off"),
        "{page}"
    );
    assert!(page.contains("**Benchmark started**"), "{page}");
}

#[test]
fn a_label_taken_off_while_the_bot_finishes_stays_off() {
    for (nth, such) in [
        (1, reads_label_events as Such),
        (0, takes_label_off),
        (2, reads_label_events),
    ] {
        let gitlab = Gitlab::start();
        let (mr, _) = ended(&gitlab);
        before(&gitlab, nth, such, |people| {
            people.existing_mr("acme/engine", 1).unlabelled();
        });
        run(&gitlab, "reconcile");
        assert_told(&mr, &["failed"]);
        assert!(!mr.is_labelled());
    }
}

#[test]
fn and_so_does_one_put_on_and_taken_off_again() {
    let gitlab = Gitlab::start();
    let (mr, _) = ended(&gitlab);
    before(&gitlab, 0, takes_label_off, |people| {
        people.existing_mr("acme/engine", 1).relabel().unlabelled();
    });
    run(&gitlab, "reconcile");
    assert!(!mr.is_labelled());
}

#[test]
fn another_label_put_on_at_the_same_time_stays() {
    let gitlab = Gitlab::start();
    let (mr, _) = ended(&gitlab);
    before(&gitlab, 0, takes_label_off, |people| {
        people.existing_mr("acme/engine", 1).label("urgent");
    });
    run(&gitlab, "reconcile");
    assert_eq!(mr.labels(), ["urgent"]);
}

#[test]
fn a_request_made_anew_does_not_take_over_a_discussion_whose_benchmark_is_in_flight() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.fault(|request| (request.method == "PUT").then_some(Fault::Reset));
    bot(&gitlab, "scan").exits(1);
    gitlab.no_faults();
    assert!(
        !mr.page().contains("Benchmark started"),
        "it is without the link"
    );
    mr.relabel();
    run(&gitlab, "scan --max-in-flight 9");
    gitlab.benchmark_ends(gitlab.benchmarks()[1].id, "success");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["withdrawn", "finished"]);
}

/// The discussion says: "The outcome will be told here."
#[test]
fn an_outcome_is_told_although_the_label_went_before_anybody_looked() {
    let happens: [fn(&Mr) -> Mr; 2] = [Mr::unlabelled, Mr::relabel];
    for happens in happens {
        let gitlab = Gitlab::start();
        let (mr, _) = ended(&gitlab);
        happens(&mr);
        run(&gitlab, "reconcile");
        assert_told(&mr, &["failed"]);
    }
}
