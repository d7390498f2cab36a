//! Two labels on one merge request: what ends for the one leaves the other's request as it is, and in sight.

use in_memory_gitlab::{ENGINE, Gitlab, LabelOwner};

use super::HOUR;
use super::loose_ends::{actions, filter};
use crate::bot::{bot, json, run};

const LABELS: &str = "--label benchmarking --label benchmarking::full";

fn add_label(gitlab: &Gitlab) {
    let owner = LabelOwner::Project(ENGINE);
    gitlab.world().add_label(owner, "benchmarking::full");
}

#[test]
fn of_two_labels_one_may_end_while_the_other_is_put_on_again() {
    let gitlab = Gitlab::start();
    add_label(&gitlab);
    let mr = gitlab.mr("speed-up").passed().labelled();
    mr.label("benchmarking::full");
    filter(&gitlab, true);
    bot(&gitlab, &format!("scan --max-in-flight 2 {LABELS}")).exits(1);
    assert_eq!(mr.discussions().len(), 2, "{}", mr.page());
    mr.unlabel("benchmarking::full").relabel();
    let report = json(&gitlab, &format!("reconcile {LABELS}"));
    assert_eq!(actions(&report), [["close", "done"], ["close", "done"]]);
    let mut labels: Vec<_> = (0..2)
        .map(|nth| report["actions"][nth]["label"].as_str())
        .collect();
    labels.sort();
    assert_eq!(labels, [Some("benchmarking"), Some("benchmarking::full")]);
    assert_eq!(mr.labels(), ["benchmarking"]);
    filter(&gitlab, false);
    run(&gitlab, &format!("scan {LABELS}"));
    let page = mr.page();
    let discussions = mr.discussions();
    assert_eq!(discussions.len(), 3, "{page}");
    for discussion in discussions {
        let started = discussion.notes[0].body.contains("Benchmark started");
        assert_ne!(started, discussion.is_resolved(), "{page}");
    }
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    run(&gitlab, &format!("reconcile {LABELS}"));
    assert_eq!((mr.labels().len(), mr.reactions().len()), (0, 0));
}

#[test]
fn one_that_ends_does_not_hide_another_that_ends_later() {
    for (first, second) in [
        ("benchmarking", "benchmarking::full"),
        ("benchmarking::full", "benchmarking"),
    ] {
        let gitlab = Gitlab::start();
        add_label(&gitlab);
        let mr = gitlab.mr("speed-up").passed().labelled();
        mr.label("benchmarking::full");
        filter(&gitlab, true);
        bot(&gitlab, &format!("scan --max-in-flight 2 {LABELS}")).exits(1);
        for label in [first, second] {
            mr.unlabel(label);
            let report = json(&gitlab, &format!("reconcile {LABELS}"));
            assert_eq!(actions(&report), [["close", "done"]], "{label}");
            assert_eq!(report["actions"][0]["label"], label);
        }
        let page = mr.page();
        assert!(mr.discussions().iter().all(|of| of.is_resolved()), "{page}");
        assert_eq!(mr.reactions(), []);
    }
}

#[test]
fn neither_does_one_whose_outcome_is_posted_though_its_label_has_gone() {
    let gitlab = Gitlab::start();
    add_label(&gitlab);
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, &format!("scan {LABELS}"));
    filter(&gitlab, true);
    mr.label("benchmarking::full");
    bot(&gitlab, &format!("scan --max-in-flight 2 {LABELS}")).exits(1);
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    mr.unlabel("benchmarking");
    run(&gitlab, &format!("reconcile {LABELS}"));
    // Only the mark still leads there.
    gitlab.later(2 * HOUR);
    mr.unlabel("benchmarking::full");
    let report = json(&gitlab, &format!("reconcile {LABELS}"));
    assert_eq!(actions(&report), [["close", "done"]]);
    assert_eq!(mr.reactions(), []);
}

#[test]
fn the_first_of_two_refusals_ends_though_one_of_another_label_lies_between() {
    let gitlab = Gitlab::start();
    add_label(&gitlab);
    filter(&gitlab, true);
    let mr = gitlab.mr("speed-up").passed();
    for label in ["benchmarking", "benchmarking::full", "benchmarking"] {
        mr.unlabel(label).label(label);
        bot(&gitlab, &format!("scan {LABELS}")).exits(1);
    }
    assert_eq!(mr.discussions().len(), 3, "{}", mr.page());
    let report = json(&gitlab, &format!("reconcile {LABELS}"));
    assert_eq!(actions(&report), [["close", "done"]]);
    let resolved = mr.discussions().into_iter().map(|of| of.is_resolved());
    assert_eq!(resolved.collect::<Vec<_>>(), [true, false, false]);
}
