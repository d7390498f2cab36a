//! Lists that shift while they are read, and that lag behind what happened: nothing is started twice or cancelled.

use std::sync::atomic::{AtomicBool, Ordering};

use in_memory_gitlab::{ENGINE, Fault, Gitlab, LabelOwner, Mr, Request};
use serde_json::json;

use super::{assert_told, in_flight, lists, told};
use crate::bot::{bot, json, run};
use crate::volume::between_pages;

/// Labelled, and not to be started: their pipelines have not passed.
fn waiting(gitlab: &Gitlab, count: usize) -> Vec<Mr> {
    (0..count)
        .map(|number| gitlab.mr(&format!("waiting-{number}")).running().labelled())
        .collect()
}

#[test]
fn a_labelled_one_is_not_taken_for_gone_though_it_slipped_off_the_list() {
    type Shifts = fn(&Mr) -> Mr;
    let shifts: [Shifts; 3] = [Mr::unlabelled, Mr::close, Mr::merge];
    for shift in shifts {
        let gitlab = Gitlab::start();
        let before = waiting(&gitlab, 100);
        let (mr, benchmark) = in_flight(&gitlab);
        let first = before[0].clone();
        // Each that leaves the first page moves one of the second there.
        between_pages(&gitlab, "/merge_requests", move |_| drop(shift(&first)));
        let report = json(&gitlab, "scan --max-in-flight 9");
        gitlab.no_faults();
        assert_eq!(report["actions"], json!([]));
        run(&gitlab, "reconcile");
        assert_eq!(gitlab.pipeline(benchmark).status, "running");
        assert_eq!(gitlab.benchmarks().len(), 1);
        gitlab.benchmark_ends(benchmark, "success");
        run(&gitlab, "reconcile");
        assert_told(&mr, &["finished"]);
        assert!(!mr.is_labelled());
    }
}

#[test]
fn a_list_that_does_not_show_yet_what_was_started_makes_no_second() {
    let gitlab = Gitlab::start();
    gitlab.lists_lag();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    for command in [
        "scan",
        "scan --max-in-flight 9",
        "reconcile",
        "trigger --mr 1",
    ] {
        bot(&gitlab, command).runs();
    }
    assert_eq!(gitlab.benchmarks().len(), 1, "{}", mr.page());
    gitlab.run_background_jobs();
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["finished"]);
    assert!(!mr.is_labelled());
}

#[test]
fn an_outcome_goes_into_the_discussion_that_a_list_did_not_show() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    let is_read = AtomicBool::new(false);
    gitlab.fault(move |request| {
        let first = request.path.ends_with("/discussions") && !is_read.swap(true, Ordering::SeqCst);
        first.then(|| lists(&json!([])))
    });
    gitlab.clear_requests();
    run(&gitlab, "reconcile");
    gitlab.no_faults();
    let opens = |write: &Request| write.method == "POST" && write.path.ends_with("/discussions");
    assert!(!gitlab.writes().iter().any(opens), "nor is another opened");
    assert_told(&mr, &["finished"]);
    assert!(!mr.is_labelled());
}

#[test]
fn a_label_whose_event_comes_late_waits_for_it() {
    let gitlab = Gitlab::start();
    gitlab.events_come_late();
    let mr = gitlab.mr("speed-up").passed().labelled();
    for _ in 0..2 {
        let report = json(&gitlab, "scan");
        assert_eq!(report["waiting"][0]["reason"], "unknown");
        run(&gitlab, "reconcile");
    }
    assert!(gitlab.benchmarks().is_empty() && told(&mr).is_empty());
    gitlab.run_background_jobs();
    run(&gitlab, "scan");
    run(&gitlab, "scan --max-in-flight 9");
    let [benchmark] = &gitlab.benchmarks()[..] else {
        panic!("{}", mr.page())
    };
    let request = mr.label_event_id().to_string();
    assert_eq!(
        benchmark.variable("BENCH_REQUEST_ID"),
        Some(request.as_str())
    );
}

#[test]
fn so_does_one_put_on_again_while_its_benchmark_runs() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.events_come_late();
    mr.relabel();
    for _ in 0..2 {
        run(&gitlab, "reconcile");
        run(&gitlab, "scan --max-in-flight 9");
    }
    assert_eq!(gitlab.benchmarks().len(), 1);
    assert_eq!(gitlab.pipeline(benchmark).status, "running");
    gitlab.run_background_jobs();
    run(&gitlab, "reconcile");
    assert_eq!(gitlab.pipeline(benchmark).status, "canceled");
    run(&gitlab, "scan");
    gitlab.benchmark_ends(gitlab.benchmarks()[1].id, "success");
    run(&gitlab, "reconcile");
    assert_told(&mr, &["withdrawn", "finished"]);
    assert!(!mr.is_labelled());
}

#[test]
fn a_refused_one_is_closed_though_its_events_come_late() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.configure("acme/benchmarks", |project| project.files.clear());
    bot(&gitlab, "scan").exits(1);
    gitlab.events_come_late();
    mr.unlabelled();
    run(&gitlab, "reconcile");
    gitlab.run_background_jobs();
    run(&gitlab, "reconcile");
    assert!(mr.discussions()[0].is_resolved(), "{}", mr.page());
    assert_eq!(mr.reactions(), []);
}

/// The mark, which leads to discussions as well, could not be set.
#[test]
fn the_benchmark_of_one_label_leads_to_that_of_another_which_no_list_shows() {
    let gitlab = Gitlab::start();
    gitlab.fault(|request| {
        let marks = request.path.ends_with("/award_emoji");
        marks.then(Fault::forbidden)
    });
    let (mr, _) = in_flight(&gitlab);
    gitlab.lists_lag();
    let owner = LabelOwner::Project(ENGINE);
    gitlab.world().add_label(owner, "benchmarking::full");
    mr.label("benchmarking::full");
    let labels = "--label benchmarking --label benchmarking::full";
    run(&gitlab, &format!("scan --max-in-flight 2 {labels}"));
    gitlab.benchmark_ends(gitlab.benchmarks()[1].id, "success");
    run(&gitlab, &format!("reconcile {labels}"));
    assert_eq!(mr.labels(), ["benchmarking"], "{}", mr.page());
}
