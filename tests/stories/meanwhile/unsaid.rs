//! Words that GitLab does not take: that is reported, once, and keeps no request open and no benchmark going.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr, Request, Role};
use serde_json::json;

use super::{HOUR, before, in_flight, takes_label_off};
use crate::bot::{Ran, bot, json, run};

/// A member of no project may write, but not where a discussion is locked, and may set no label.
fn locks(gitlab: &Gitlab, mr: &Mr) {
    mr.lock_discussion();
    let forbidden = |request: &Request| {
        let talks = request.path.contains("/discussions") || request.path.contains("/notes");
        request.is_write() && talks
    };
    gitlab.fault(move |request| forbidden(request).then(Fault::forbidden));
}

fn is_full(gitlab: &Gitlab, _: &Mr) {
    gitlab.world().most_notes = 1;
}

/// Neither a new word nor another in the place of an old one.
fn is_full_and_takes_no_edit(gitlab: &Gitlab, mr: &Mr) {
    is_full(gitlab, mr);
    takes_no_edit(gitlab, mr);
}

fn takes_no_edit(gitlab: &Gitlab, _: &Mr) {
    let edits = |request: &Request| request.method == "PUT" && request.path.contains("/notes/");
    gitlab.fault(move |request| edits(request).then(Fault::forbidden));
}

type Refuses = fn(&Gitlab, &Mr);

/// With whether the outcome is refused, too, where it stands in the place of the link.
const REFUSALS: [(&str, Refuses, bool); 4] = [
    ("a locked discussion", locks, true),
    ("as many comments as may be", is_full, false),
    ("no room and no edit", is_full_and_takes_no_edit, true),
    ("no edit", takes_no_edit, false),
];

/// At rest: no later run writes or complains.
#[track_caller]
fn assert_nobody_tries_again(gitlab: &Gitlab, mr: &Mr, story: &str) {
    assert!(!mr.is_labelled(), "{story}");
    gitlab.clear_requests();
    for command in ["reconcile", "scan", "reconcile"] {
        let ran = bot(gitlab, &format!("{command} --format json")).runs();
        let told = format!("{story}, {command}: {}\n{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, 0, "{told}");
        assert_eq!(ran.json()["actions"], json!([]), "{told}");
    }
    assert!(gitlab.writes().is_empty(), "{story}: {:?}", gitlab.writes());
}

fn reconcile(gitlab: &Gitlab) -> Ran {
    bot(gitlab, "reconcile --format json").runs()
}

#[test]
fn an_outcome_that_cannot_be_told_is_reported_once_and_the_label_comes_off() {
    for (story, refuses, is_untold) in REFUSALS {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        refuses(&gitlab, &mr);
        gitlab.benchmark_ends(benchmark, "success");
        let ran = reconcile(&gitlab);
        assert_eq!(ran.code, i32::from(is_untold), "{story}: {}", ran.stdout);
        let report = ran.json();
        let action = &report["actions"][0];
        assert_eq!(action["action"], "finish", "{story}");
        let outcome = if is_untold { "failed" } else { "done" };
        assert_eq!(action["outcome"], outcome, "{story}");
        let page = mr.page();
        assert_eq!(page.contains("Benchmark finished"), !is_untold, "{page}");
        assert_nobody_tries_again(&gitlab, &mr, story);
    }
}

/// The first note, in whose place it could stand, may take it the next time.
#[test]
fn an_outcome_for_which_there_is_no_room_waits_for_a_server_that_fails() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    is_full(&gitlab, &mr);
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.fault(|request| {
        let edits = request.method == "PUT" && request.path.contains("/notes/");
        edits.then(Fault::server_error)
    });
    assert_eq!(reconcile(&gitlab).code, 1);
    assert!(mr.is_labelled(), "the label is the last step");
    gitlab.no_faults();
    assert_eq!(reconcile(&gitlab).code, 0);
    assert!(mr.page().contains("Benchmark finished"), "{}", mr.page());
    assert_nobody_tries_again(&gitlab, &mr, "500");
}

/// A run that stopped before has left its discussion without the link.
fn without_link(gitlab: &Gitlab) -> (Mr, u64) {
    gitlab.fault(|request| {
        let links = request.method == "PUT" && request.path.contains("/notes/");
        links.then(Fault::server_error)
    });
    let mr = gitlab.mr("speed-up").passed().labelled();
    bot(gitlab, "scan").exits(1);
    gitlab.no_faults();
    let benchmark = gitlab.benchmarks()[0].id;
    gitlab.benchmark_runs(benchmark);
    (mr, benchmark)
}

#[test]
fn a_link_that_cannot_be_put_in_keeps_no_label_on() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = without_link(&gitlab);
    takes_no_edit(&gitlab, &mr);
    gitlab.benchmark_ends(benchmark, "success");
    assert_eq!(reconcile(&gitlab).code, 1);
    assert!(mr.page().contains("Benchmark finished"), "{}", mr.page());
    assert!(!mr.is_labelled());
    // It is tried again as long as one that ended so lately is looked at.
    gitlab.later(2 * HOUR);
    assert_nobody_tries_again(&gitlab, &mr, "no link");
}

#[test]
fn a_withdrawal_puts_in_the_link_that_is_missing() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = without_link(&gitlab);
    mr.unlabelled();
    run(&gitlab, "reconcile");
    let opening = mr.notes().remove(0).body;
    let url = gitlab.pipeline(benchmark).url;
    assert!(opening.contains(&url), "{}", mr.page());
}

#[test]
fn a_withdrawal_that_cannot_be_told_cancels_all_the_same() {
    for (story, refuses, is_untold) in REFUSALS {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        refuses(&gitlab, &mr);
        mr.unlabelled();
        let ran = reconcile(&gitlab);
        let told = format!("{story}: {}\n{}", ran.stdout, ran.stderr);
        assert_eq!(gitlab.pipeline(benchmark).status, "canceled", "{told}");
        if is_untold {
            assert_eq!(ran.code, 1, "{told}");
        }
        // Nothing tells it from one that ended by itself, whose outcome is due for two hours.
        gitlab.later(2 * HOUR);
        assert_nobody_tries_again(&gitlab, &mr, story);
    }
}

#[test]
fn a_time_out_that_cannot_be_told_cancels_all_the_same() {
    for (story, refuses, is_untold) in REFUSALS {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        refuses(&gitlab, &mr);
        gitlab.later(25 * HOUR);
        let ran = reconcile(&gitlab);
        let told = format!("{story}: {}\n{}", ran.stdout, ran.stderr);
        assert_eq!(gitlab.pipeline(benchmark).status, "canceled", "{told}");
        match is_untold {
            true => assert_eq!(ran.code, 1, "{told}"),
            // That it was cancelled is still to be said, for two hours.
            false => gitlab.later(2 * HOUR),
        }
        assert_nobody_tries_again(&gitlab, &mr, story);
    }
}

#[test]
fn an_end_before_its_turn_that_cannot_be_told_is_reported_once() {
    let leaves: [fn(&Mr) -> Mr; 3] = [Mr::unlabelled, Mr::close, Mr::merge];
    for leaves in leaves {
        for (story, refuses, _) in REFUSALS {
            let gitlab = Gitlab::start();
            let mr = gitlab.mr("speed-up").passed().labelled();
            gitlab.configure("acme/benchmarks", |project| project.files.clear());
            bot(&gitlab, "scan").exits(1);
            refuses(&gitlab, &mr);
            leaves(&mr);
            // Where comments are full, this is but an edit.
            let ran = reconcile(&gitlab);
            let is_taken = std::ptr::fn_addr_eq(refuses, is_full as Refuses);
            let told = format!("{story}: {}\n{}", ran.stdout, ran.stderr);
            assert_eq!(ran.code, i32::from(!is_taken), "{told}");
            assert_eq!(ran.json()["actions"][0]["action"], "close", "{told}");
            assert_nobody_tries_again(&gitlab, &mr, story);
        }
    }
}

#[test]
fn where_no_discussion_can_be_opened_nothing_is_started_and_that_is_said() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    let next = gitlab.mr("next").passed().labelled();
    gitlab.fault(|request| {
        let opens = request.method == "POST" && request.path.ends_with("/1/discussions");
        opens.then(Fault::forbidden)
    });
    let ran = bot(&gitlab, "scan").exits(1);
    assert!(ran.stdout.contains("403 Forbidden"), "{}", ran.stdout);
    assert!(mr.discussions().is_empty());
    assert!(next.page().contains("Benchmark started"), "{}", next.page());
}

/// GitLab has a 500 for resolving what is not there.
#[test]
fn a_discussion_deleted_right_before_it_is_resolved_holds_nothing_up() {
    let resolves = |request: &Request| !request.body["resolved"].is_null();
    for ends in [true, false] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        match ends {
            true => gitlab.benchmark_ends(benchmark, "success"),
            false => drop(mr.unlabelled()),
        }
        before(&gitlab, 0, resolves, |people| {
            let mr = people.existing_mr("acme/engine", 1);
            mr.delete_discussion(&mr.discussions()[0].id);
        });
        let ran = bot(&gitlab, "reconcile --resolve always").runs();
        gitlab.no_faults();
        assert!(!mr.is_labelled(), "{}", ran.stdout);
        for _ in 0..2 {
            run(&gitlab, "reconcile --resolve always");
        }
        assert!(gitlab.pipeline(benchmark).has_ended());
        assert_nobody_tries_again(&gitlab, &mr, &format!("{ends}"));
    }
}

#[test]
fn one_deleted_right_before_its_request_is_closed_neither() {
    let resolves = |request: &Request| !request.body["resolved"].is_null();
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.configure("acme/benchmarks", |project| project.files.clear());
    bot(&gitlab, "scan").exits(1);
    mr.close();
    before(&gitlab, 0, resolves, |people| {
        let mr = people.existing_mr("acme/engine", 1);
        mr.delete_discussion(&mr.discussions()[0].id);
    });
    bot(&gitlab, "reconcile").runs();
    gitlab.no_faults();
    run(&gitlab, "reconcile");
    assert_nobody_tries_again(&gitlab, &mr, "closed");
}

#[test]
fn a_server_that_fails_while_resolving_is_asked_again_by_the_next_run() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.fault(|request| (!request.body["resolved"].is_null()).then(Fault::server_error));
    bot(&gitlab, "reconcile --resolve always").exits(1);
    assert!(mr.is_labelled(), "the label is the last step");
    gitlab.no_faults();
    gitlab.later(Duration::from_secs(60));
    run(&gitlab, "reconcile --resolve always");
    assert!(mr.discussions()[0].is_resolved());
    assert_nobody_tries_again(&gitlab, &mr, "500");
}

#[test]
fn a_label_that_the_bot_may_not_take_off_is_said_each_time_and_the_outcome_told_once() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.role("bench-bot", "acme/engine", Role::Reporter);
    gitlab.fault(|request| takes_label_off(request).then(Fault::forbidden));
    for _ in 0..2 {
        let ran = bot(&gitlab, "reconcile").exits(1);
        assert!(ran.stdout.contains("needs the role Developer"));
    }
    assert_eq!(mr.notes().len(), 2, "{}", mr.page());
    gitlab.role("bench-bot", "acme/engine", Role::Developer);
    gitlab.no_faults();
    assert_eq!(json(&gitlab, "reconcile")["actions"][0]["outcome"], "done");
    assert_nobody_tries_again(&gitlab, &mr, "Reporter");
}
