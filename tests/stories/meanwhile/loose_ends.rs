//! A request that goes away before it has a benchmark: its discussion says so and is resolved, and nothing is left to do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use in_memory_gitlab::{BENCHMARKS, Fault, Gitlab, Mr, People, Request};
use serde_json::{Value, json};

use super::before;
use crate::bot::{bot, json, run};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub fn filter(gitlab: &Gitlab, filtered: bool) {
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = filtered;
    });
}

type ComesToNothing = fn(&Gitlab);

/// How a start can come to nothing with its discussion open.
const STARTS: [(&str, ComesToNothing); 5] = [
    ("refused", |gitlab| {
        filter(gitlab, true);
        bot(gitlab, "scan").exits(1);
    }),
    ("refused for all", |gitlab| {
        gitlab.configure("acme/benchmarks", |project| project.files.clear());
        bot(gitlab, "scan").exits(1);
    }),
    ("overtaken by a push", |gitlab| {
        // The discussion is opened while the merge request is read again.
        let (people, opens) = (People::clone(gitlab), AtomicBool::new(false));
        gitlab.fault(move |request| {
            let opened = request.method == "POST" && request.path.ends_with("/discussions");
            if opened && !opens.load(Ordering::SeqCst) {
                people.existing_mr("acme/engine", 1).push();
                opens.store(true, Ordering::SeqCst);
            }
            let looks = request.method == "GET" && request.path.ends_with("/merge_requests/1");
            let looked_before = || {
                people
                    .requests()
                    .iter()
                    .any(|past| past.path == request.path)
            };
            if looks && looked_before() {
                while !opens.load(Ordering::SeqCst) {
                    sleep(Duration::from_millis(1));
                }
            }
            None
        });
        run(gitlab, "scan");
    }),
    ("hindered", |gitlab| {
        gitlab.configure("acme/benchmarks", |project| {
            project.pipelines_per_minute = Some(0)
        });
        bot(gitlab, "scan").exits(1);
    }),
    ("stopped", |gitlab| {
        let creates = |request: &Request| request.path.ends_with("/pipeline");
        gitlab.fault(move |request| creates(request).then(Fault::forbidden));
        bot(gitlab, "scan").exits(1);
    }),
];

type Leaves = fn(&Mr) -> Mr;

const LEAVING: [(Leaves, &str); 5] = [
    (
        Mr::unlabelled,
        "the label `benchmarking` was taken off before its turn",
    ),
    (Mr::close, "the merge request was closed before its turn"),
    (Mr::merge, "the merge request was merged before its turn"),
    (
        |mr| mr.unlabelled().close(),
        "the merge request was closed before its turn",
    ),
    (
        |mr| mr.unlabelled().merge(),
        "the merge request was merged before its turn",
    ),
];

pub fn actions(report: &Value) -> Vec<[&str; 2]> {
    let actions = report["actions"].as_array().expect("a list").iter();
    actions
        .map(|action| ["action", "outcome"].map(|field| action[field].as_str().expect("a word")))
        .collect()
}

/// The one discussion ends with those words, and no run has anything more to do.
#[track_caller]
fn assert_at_rest(gitlab: &Gitlab, mr: &Mr, words: &str, story: &str) {
    let page = mr.page();
    let [discussion] = &mr.discussions()[..] else {
        panic!("{story}: {page}")
    };
    let [note] = &discussion.notes[..] else {
        panic!("{story}: {page}")
    };
    assert!(note.body.contains(words), "{story}: {page}");
    assert!(
        !note.body.contains("as long as the label"),
        "{story}: {page}"
    );
    assert!(discussion.is_resolved(), "{story}: {page}");
    assert_eq!(mr.reactions(), [], "{story}");
    assert!(!mr.is_labelled(), "{story}");
    gitlab.clear_requests();
    for command in ["reconcile", "scan", "reconcile"] {
        assert_eq!(json(gitlab, command)["actions"], json!([]), "{story}");
    }
    assert!(gitlab.writes().is_empty(), "{story}: {:?}", gitlab.writes());
    assert!(gitlab.benchmarks().is_empty(), "{story}");
}

#[test]
fn the_discussion_of_a_start_that_came_to_nothing_ends_with_the_request() {
    for (story, arrange) in STARTS {
        for (leaves, words) in LEAVING {
            let story = format!("{story}, then {words}");
            let gitlab = Gitlab::start();
            let mr = gitlab.mr("speed-up").passed().labelled();
            arrange(&gitlab);
            gitlab.no_faults();
            assert_eq!(mr.discussions().len(), 1, "{story}: {}", mr.page());
            assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]), "{story}");
            leaves(&mr);
            gitlab.clear_requests();
            let planned = json(&gitlab, "reconcile --dry-run");
            assert_eq!(actions(&planned), [["close", "planned"]], "{story}");
            assert!(gitlab.writes().is_empty(), "{story}");
            let report = json(&gitlab, "reconcile --resolve never");
            assert_eq!(actions(&report), [["close", "done"]], "{story}");
            assert_eq!(report["actions"][0]["mr"], 1, "{story}");
            assert_at_rest(&gitlab, &mr, words, &story);
        }
    }
}

#[test]
fn a_request_overtaken_by_its_own_end_leaves_nothing_open() {
    // The merge request goes, or its label, while the scan starts it.
    for (leaves, words) in LEAVING {
        for nth in 0..3 {
            let gitlab = Gitlab::start();
            let mr = gitlab.mr("speed-up").passed().labelled();
            let any_write_or_look = |request: &Request| {
                request.is_write() || request.path.ends_with("/merge_requests/1")
            };
            before(&gitlab, nth, any_write_or_look, move |people| {
                leaves(&people.existing_mr("acme/engine", 1));
            });
            run(&gitlab, "scan");
            gitlab.no_faults();
            run(&gitlab, "reconcile");
            let story = format!("{words} {nth}");
            if let [benchmark] = &gitlab.benchmarks()[..] {
                gitlab.benchmark_ends(benchmark.id, "success");
                run(&gitlab, "reconcile");
                assert_eq!(mr.notes().len(), 2, "{story}: {}", mr.page());
                assert_eq!(
                    (mr.is_labelled(), mr.reactions().len()),
                    (false, 0),
                    "{story}"
                );
            } else if mr.discussions().is_empty() {
                assert_eq!(
                    (mr.is_labelled(), mr.reactions().len()),
                    (false, 0),
                    "{story}"
                );
            } else {
                assert_at_rest(&gitlab, &mr, words, &story);
            }
        }
    }
}

#[test]
fn one_that_was_never_begun_only_loses_its_label() {
    for (leaves, _) in &LEAVING[1..3] {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").passed().labelled();
        leaves(&mr);
        let planned = json(&gitlab, "reconcile --dry-run");
        assert_eq!(actions(&planned), [["close", "planned"]]);
        assert!(mr.is_labelled());
        let report = json(&gitlab, "reconcile");
        assert_eq!(actions(&report), [["close", "done"]]);
        assert!(!mr.is_labelled());
        assert!(mr.discussions().is_empty(), "{}", mr.page());
        assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
        let explained = run(&gitlab, "status --mr 1").stdout;
        assert!(!explained.contains("The next scan"), "{explained}");
    }
}

#[test]
fn and_does_so_for_a_week_however_rarely_a_run_looks() {
    for (days, stays) in [(6, false), (8, true)] {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").passed().labelled().merge();
        gitlab.later(days * DAY);
        run(&gitlab, "reconcile");
        assert_eq!(mr.is_labelled(), stays, "{days}");
    }
}

#[test]
fn one_reopened_before_anybody_looked_goes_on_in_its_discussion() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    filter(&gitlab, true);
    bot(&gitlab, "scan").exits(1);
    mr.close().reopen();
    filter(&gitlab, false);
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    run(&gitlab, "scan");
    assert!(mr.is_labelled());
    assert_eq!(mr.notes().len(), 1, "{}", mr.page());
    assert!(mr.page().contains("Benchmark started"), "{}", mr.page());
}

#[test]
fn one_reopened_while_it_is_closed_keeps_its_label() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    filter(&gitlab, true);
    bot(&gitlab, "scan").exits(1);
    mr.close();
    let looks_again =
        |request: &Request| request.method == "GET" && request.path.ends_with("/merge_requests/1");
    before(&gitlab, 1, looks_again, |people| {
        people.existing_mr("acme/engine", 1).reopen();
    });
    run(&gitlab, "reconcile");
    gitlab.no_faults();
    assert!(mr.is_labelled());
    filter(&gitlab, false);
    run(&gitlab, "scan");
    let page = mr.page();
    assert!(page.contains("Benchmark started"), "{page}");
    assert_eq!(mr.discussions().len(), 1, "{page}");
}

#[test]
fn labelled_again_after_it_was_closed_it_begins_anew() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    filter(&gitlab, true);
    bot(&gitlab, "scan").exits(1);
    mr.close();
    run(&gitlab, "reconcile");
    filter(&gitlab, false);
    mr.reopen().labelled();
    run(&gitlab, "scan");
    let discussions = mr.discussions();
    assert_eq!(discussions.len(), 2, "{}", mr.page());
    assert!(discussions[0].is_resolved());
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    run(&gitlab, "reconcile");
    assert_eq!((mr.is_labelled(), mr.reactions().len()), (false, 0));
    assert!(!mr.discussions()[1].is_resolved());
}

#[test]
fn the_label_on_again_before_anybody_looked_has_a_discussion_of_its_own() {
    for (story, arrange) in STARTS {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").passed().labelled();
        let project = gitlab.world().projects[&BENCHMARKS].clone();
        arrange(&gitlab);
        gitlab.no_faults();
        mr.relabel().passed();
        gitlab.configure("acme/benchmarks", |now| *now = project);
        run(&gitlab, "scan");
        let report = json(&gitlab, "reconcile");
        assert_eq!(actions(&report), [["close", "done"]], "{story}");
        assert!(mr.discussions()[0].is_resolved(), "{story}");
        let page = mr.page();
        assert_eq!(mr.notes().len(), 2, "{story}: {page}");
        assert!(page.contains("Benchmark started"), "{story}: {page}");
        gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
        run(&gitlab, "reconcile");
        assert_eq!((mr.is_labelled(), mr.reactions().len()), (false, 0));
        assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]), "{story}");
    }
}

#[test]
fn whoever_opens_an_ended_discussion_again_is_not_fought() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    filter(&gitlab, true);
    bot(&gitlab, "scan").exits(1);
    mr.unlabelled();
    run(&gitlab, "reconcile");
    let discussion = mr.discussions().remove(0).id;
    mr.unresolve("ada", &discussion);
    mr.reply("ada", &discussion, "Why was it refused?");
    gitlab.clear_requests();
    for _ in 0..2 {
        run(&gitlab, "reconcile --since 2days");
        bot(&gitlab, "scan").runs();
    }
    assert!(gitlab.writes().is_empty(), "{:?}", gitlab.writes());
    assert!(!mr.discussions()[0].is_resolved());
}

#[test]
fn a_run_that_stopped_while_closing_is_mended() {
    for (leaves, words) in LEAVING {
        for stop in 0..4 {
            let gitlab = Gitlab::start();
            let mr = gitlab.mr("speed-up").passed().labelled();
            filter(&gitlab, true);
            bot(&gitlab, "scan").exits(1);
            leaves(&mr);
            gitlab.clear_requests();
            let people = People::clone(&gitlab);
            gitlab.fault(move |request| {
                (request.is_write() && people.writes().len() >= stop).then_some(Fault::Reset)
            });
            bot(&gitlab, "reconcile").runs();
            gitlab.no_faults();
            run(&gitlab, "reconcile");
            assert_at_rest(&gitlab, &mr, words, &format!("{words}, stopped at {stop}"));
        }
    }
}

#[test]
fn a_discussion_that_a_person_deleted_needs_no_end() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    filter(&gitlab, true);
    bot(&gitlab, "scan").exits(1);
    mr.delete_discussion(&mr.discussions()[0].id);
    mr.unlabelled();
    run(&gitlab, "reconcile");
    assert_eq!(mr.reactions(), []);
    assert!(mr.discussions().is_empty());
}
