//! More of everything than fits on a page, and people who go on adding to it while the pages are read.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr, People};
use serde_json::Value;

use crate::bot::{bot, json, run};

/// Lets people do something once, right before the second page of a list is read.
pub fn between_pages(
    gitlab: &Gitlab,
    list: &'static str,
    act: impl Fn(&People) + Send + Sync + 'static,
) {
    let (people, acted) = (People::clone(gitlab), AtomicBool::new(false));
    gitlab.fault(move |request| {
        let second = request.path.ends_with(list) && request.query("page") == Some("2");
        if second && !acted.swap(true, Ordering::SeqCst) {
            act(&people);
        }
        None
    });
}

/// The merge requests in one of the report's lists.
fn numbers(report: &Value, list: &str) -> Vec<u64> {
    let rows = report[list].as_array().expect("a list").iter();
    rows.filter_map(|row| row["mr"].as_u64()).collect()
}

#[test]
fn hundreds_of_merge_requests_are_each_told_once() {
    let gitlab = Gitlab::start();
    for number in 1..=250 {
        let mr = gitlab.mr("faster").labelled();
        if number % 5 == 0 {
            mr.passed();
        }
    }
    let late = gitlab.mr("late").passed();
    between_pages(&gitlab, "/merge_requests", |people| {
        people.existing_mr("acme/engine", 251).labelled();
        (0..30).for_each(|_| drop(people.mr("later").passed().labelled()));
    });
    for command in ["scan --dry-run", "status"] {
        let report = json(&gitlab, command);
        let mut told = [numbers(&report, "queue"), numbers(&report, "waiting")].concat();
        told.sort_unstable();
        told.retain(|&mr| mr <= 250);
        assert_eq!(told, Vec::from_iter(1..=250), "{command}");
    }
    assert!(late.is_labelled());
}

#[test]
fn hundreds_of_benchmarks_are_each_counted_once() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    gitlab.mr("next").passed().labelled();
    run(&gitlab, "scan");
    let mut record = gitlab.benchmarks().remove(0).variables;
    let project = record.iter_mut().find(|(key, _)| key == "BENCH_PROJECT_ID");
    project.expect("a record").1 = "50".to_owned();
    let start_theirs = move |people: &People| {
        let record: Vec<_> = record
            .iter()
            .map(|(key, value)| (&**key, &**value))
            .collect();
        people.pipeline_by("bench-bot", "acme/benchmarks", "api", &record)
    };
    for _ in 0..75 {
        gitlab.benchmark_ends(start_theirs(&gitlab), "failed");
        start_theirs(&gitlab);
    }
    between_pages(&gitlab, "/pipelines", move |people| {
        start_theirs(people);
    });
    let report = json(&gitlab, "scan --max-in-flight 78");
    let in_flight = report["in_flight"].as_array().expect("a list").iter();
    let ids: Vec<_> = in_flight
        .map(|row| row["benchmark_pipeline"]["id"].as_u64())
        .collect();
    assert_eq!(ids.len(), 77, "76 of another project's, and ours");
    assert_eq!(BTreeSet::from_iter(&ids).len(), 77);
    assert_eq!(numbers(&report, "actions"), [2]);
    gitlab.mr("one too many").passed().labelled();
    let report = json(&gitlab, "scan --max-in-flight 78");
    assert_eq!(report["actions"][0]["action"], "announce");
    assert_eq!(numbers(&report, "actions"), [3]);
}

#[test]
fn its_discussion_is_found_among_hundreds() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("much-discussed").passed();
    for number in 0..125 {
        mr.comment("linus", &format!("Remark {number}"));
        mr.push();
    }
    mr.passed().labelled();
    gitlab.fault(|request| {
        request
            .path
            .ends_with("/pipeline")
            .then(Fault::server_error)
    });
    bot(&gitlab, "scan").exits(1);
    assert_eq!(mr.discussions().len(), 126);

    for (command, outcome) in [
        ("scan", "Benchmark started"),
        ("reconcile", "Benchmark finished"),
    ] {
        between_pages(&gitlab, "/discussions", |people| {
            let mr = people.existing_mr("acme/engine", 1);
            (0..30).for_each(|number| drop(mr.comment("ada", &format!("Answer {number}"))));
        });
        run(&gitlab, command);
        gitlab.no_faults();
        gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
        let discussions = mr.discussions();
        let by_bot = discussions
            .iter()
            .filter(|discussion| discussion.notes[0].body.contains("bench-bot"));
        let [discussion] = by_bot.collect::<Vec<_>>()[..] else {
            panic!("{}", mr.page())
        };
        let last = discussion.notes.last().expect("it has notes");
        assert!(last.body.contains(outcome), "{}", last.body);
    }
    assert!(!mr.is_labelled());
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn the_newest_of_hundreds_of_label_events_counts() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("relabelled").passed().labelled();
    for _ in 0..75 {
        mr.relabel();
    }
    between_pages(&gitlab, "/resource_label_events", |people| {
        people
            .existing_mr("acme/engine", 1)
            .relabel()
            .label("urgent");
    });
    run(&gitlab, "scan");
    let [benchmark] = &gitlab.benchmarks()[..] else {
        panic!("{:?}", gitlab.benchmarks())
    };
    let newest = mr.label_event_id().to_string();
    assert_eq!(
        benchmark.variable("BENCH_REQUEST_ID"),
        Some(newest.as_str())
    );

    gitlab.benchmark_ends(benchmark.id, "success");
    between_pages(&gitlab, "/resource_label_events", |people| {
        people.existing_mr("acme/engine", 1).label("documentation");
    });
    run(&gitlab, "reconcile");
    assert_eq!(mr.labels(), ["documentation", "urgent"]);
}

#[test]
fn the_commit_that_a_fork_had_when_it_was_labelled_is_found_among_hundreds() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("often-pushed").push();
    let commit = mr.sha();
    mr.passed().labelled();
    (0..250).for_each(|_| drop(mr.push()));
    mr.force_push_to(&commit);
    between_pages(&gitlab, "/versions", move |people| {
        people
            .existing_mr("acme/engine", 1)
            .push()
            .force_push_to(&commit);
    });
    run(&gitlab, "scan");
    let benchmarks = gitlab.benchmarks();
    assert_eq!(benchmarks[0].variable("BENCH_SHA"), Some(mr.sha().as_str()));
}

#[test]
fn a_benchmark_that_slipped_onto_a_page_already_read_is_seen_all_the_same() {
    let gitlab = Gitlab::start();
    let older: Vec<u64> = (0..100)
        .map(|_| gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]))
        .collect();
    gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    between_pages(&gitlab, "/pipelines", move |people| {
        people.delete_pipeline(older[0])
    });
    let report = json(&gitlab, "scan --max-in-flight 9");
    assert_eq!(numbers(&report, "in_flight"), [1]);
    assert_eq!(report["actions"], serde_json::json!([]));
}

#[test]
fn a_discussion_that_slipped_onto_a_page_already_read_is_not_opened_again() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("much-discussed").passed();
    let remarks: Vec<String> = (0..100)
        .map(|number| mr.comment("linus", &format!("Remark {number}")))
        .collect();
    mr.labelled();
    run(&gitlab, "scan");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    between_pages(&gitlab, "/discussions", move |people| {
        people
            .existing_mr("acme/engine", 1)
            .delete_discussion(&remarks[0]);
    });
    run(&gitlab, "reconcile");
    assert_eq!(mr.discussions().len(), 100, "99 remarks, and the bot's own");
}

/// How many requests a run takes.
fn requests(gitlab: &Gitlab, command: &str) -> usize {
    gitlab.clear_requests();
    run(gitlab, command);
    gitlab.requests().len()
}

fn end_benchmarks(gitlab: &Gitlab) {
    for benchmark in gitlab.benchmarks() {
        if !benchmark.has_ended() {
            gitlab.benchmark_ends(benchmark.id, "success");
        }
    }
}

type Variables = Vec<(String, String)>;

/// What a benchmark was told that is over and done with.
fn a_record(gitlab: &Gitlab) -> Variables {
    let mr = gitlab.mr("merged").passed().labelled();
    run(gitlab, "scan");
    end_benchmarks(gitlab);
    run(gitlab, "reconcile");
    mr.merge();
    gitlab.benchmarks().remove(0).variables
}

/// 300 benchmarks like that one, three a day; the newest of another merge request is in flight.
fn a_hundred_days_pass(gitlab: &Gitlab, record: &Variables) {
    for request in 0..300 {
        let request = (90_000 + request).to_string();
        let variable = |(key, value)| match key {
            "BENCH_REQUEST_ID" => (key, &*request),
            _ => (key, value),
        };
        let record = record.iter().map(|(key, value)| (&**key, &**value));
        let record: Vec<_> = record.map(variable).collect();
        let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &record);
        gitlab.benchmark_ends(id, "success");
        gitlab.later(Duration::from_secs(8 * 60 * 60));
    }
    let next = gitlab.mr("next").passed().labelled();
    run(gitlab, &format!("trigger --mr {}", next.iid()));
}

#[test]
fn a_forgotten_label_costs_three_requests_however_many_benchmarks_ran_since() {
    for (status, has_notes) in [
        ("failed", false),
        ("failed", true),
        ("success", false),
        ("success", true),
    ] {
        let gitlab = Gitlab::start();
        let record = a_record(&gitlab);
        let forget = |_| {
            let mr = gitlab.mr("forgotten").pipeline(status).labelled();
            if has_notes {
                mr.comment("linus", "Is it any faster?");
            }
            mr
        };
        let mrs: Vec<Mr> = (0..6).map(forget).collect();
        a_hundred_days_pass(&gitlab, &record);
        run(&gitlab, "scan");
        let with = requests(&gitlab, "scan");
        mrs.iter().for_each(|mr| drop(mr.unlabelled()));
        let most = requests(&gitlab, "scan") + 3 * mrs.len();
        assert!(
            with <= most,
            "{status}, notes: {has_notes}: {with}, not {most}"
        );
    }
}

#[test]
fn a_record_as_old_as_a_forgotten_label_is_found_behind_hundreds() {
    let gitlab = Gitlab::start();
    let record = a_record(&gitlab);
    let served = gitlab.mr("served").passed().labelled();
    let pushed_to = gitlab.mr("served-and-pushed-to").passed().labelled();
    run(&gitlab, "scan --max-in-flight 2");
    end_benchmarks(&gitlab);
    pushed_to.push().failed();
    a_hundred_days_pass(&gitlab, &record);

    let report = json(&gitlab, "scan --max-in-flight 9");
    assert_eq!(numbers(&report, "actions"), [0; 0]);
    let waiting = report["waiting"].as_array().expect("a list").iter();
    let finished = waiting.filter(|waiting| waiting["reason"] == "finished");
    assert_eq!(finished.count(), 2, "{report:#}");

    run(&gitlab, "reconcile");
    for mr in [served, pushed_to] {
        assert!(!mr.is_labelled());
        assert!(mr.page().contains("Benchmark finished"), "{}", mr.page());
    }
}

/// The one page that is read ends before that record, and all that matters of it is known.
#[test]
fn a_record_as_old_as_a_forgotten_label_is_found_behind_a_busy_day() {
    let gitlab = Gitlab::start();
    let record = a_record(&gitlab);
    let record: Vec<_> = record
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    gitlab.mr("served").passed().labelled();
    run(&gitlab, "scan");
    for benchmarks in [1, 99] {
        end_benchmarks(&gitlab);
        gitlab.later(Duration::from_secs(10 * 24 * 60 * 60));
        for _ in 0..benchmarks {
            gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &record);
        }
    }
    end_benchmarks(&gitlab);
    let report = json(&gitlab, "status");
    assert_eq!(report["waiting"][0]["reason"], "finished", "{report:#}");
}

#[test]
fn reconcile_asks_the_same_however_many_wait() {
    let requests = [0, 40].map(|waiting| {
        let gitlab = Gitlab::start();
        let mrs: Vec<Mr> = (0..6)
            .map(|_| gitlab.mr("faster").passed().labelled())
            .collect();
        run(&gitlab, "scan --max-in-flight 6");
        end_benchmarks(&gitlab);
        for number in 0..waiting {
            let status = if number % 2 == 0 { "success" } else { "failed" };
            gitlab.mr("waits").pipeline(status).labelled();
        }
        let requests = requests(&gitlab, "reconcile");
        assert!(mrs.iter().all(|mr| !mr.is_labelled()));
        requests
    });
    assert_eq!(requests[0], requests[1]);
}
