//! Several labels: in one run, and in installations that share both projects.

use std::time::Duration;

use in_memory_gitlab::{Gitlab, Mr, People};
use serde_json::{Value, json};

use crate::bot::{Bot, bot, run, writes};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// With the labels `benchmarking` and `full`.
fn both(gitlab: &People, arguments: &str) -> Bot {
    bot(gitlab, arguments).env("BENCH_BOT_LABEL", "benchmarking,full")
}

/// Another installation, whose label is `full`.
fn other(gitlab: &People, arguments: &str) -> Bot {
    bot(gitlab, arguments).env("BENCH_BOT_LABEL", "full")
}

fn report(bot: Bot) -> Value {
    bot.arg("--format").arg("json").succeeds().json()
}

/// Of each benchmark, the oldest first.
fn labels(gitlab: &Gitlab) -> Vec<String> {
    let benchmarks = gitlab.benchmarks();
    let label = |benchmark: &in_memory_gitlab::Pipeline| {
        let label = benchmark.variable("BENCH_LABEL");
        label.expect("it names its label").to_owned()
    };
    benchmarks.iter().map(label).collect()
}

fn last(gitlab: &Gitlab) -> u64 {
    gitlab.benchmarks().pop().expect("one was started").id
}

#[test]
fn two_labels_on_one_merge_request_are_two_requests_in_one_queue() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().label("full").labelled();
    gitlab.mr("next").passed().labelled();
    let queue = report(both(&gitlab, "scan --dry-run"));
    let queue = queue["queue"].as_array().expect("a list");
    let queued: Vec<_> = queue
        .iter()
        .map(|queued| (&queued["mr"], &queued["label"]))
        .collect();
    let (one, two, full) = (json!(1), json!(2), json!("full"));
    let quick = json!("benchmarking");
    assert_eq!(queued, [(&one, &full), (&one, &quick), (&two, &quick)]);

    both(&gitlab, "scan").succeeds();
    both(&gitlab, "scan").succeeds();
    assert_eq!(labels(&gitlab), ["full"], "one place, for all labels");
    gitlab.benchmark_ends(last(&gitlab), "failed");
    both(&gitlab, "reconcile").succeeds();
    assert_eq!(mr.labels(), ["benchmarking"]);
    both(&gitlab, "scan").succeeds();
    gitlab.benchmark_ends(last(&gitlab), "success");
    both(&gitlab, "reconcile").succeeds();
    assert_eq!(labels(&gitlab), ["full", "benchmarking"]);
    assert!(mr.labels().is_empty());
    let discussions = mr.discussions();
    let outcomes = discussions.iter().map(|discussion| {
        let [opening, reply] = &discussion.notes[..] else {
            panic!("{}", mr.page())
        };
        assert!(opening.body.contains("Benchmark started"));
        reply.body.lines().next().unwrap_or_default().to_owned()
    });
    let outcomes: Vec<_> = outcomes.collect();
    assert!(
        outcomes[0].contains("failed") && outcomes[0].contains("`full`"),
        "{outcomes:?}"
    );
    assert!(outcomes[1].contains("success"), "{outcomes:?}");
}

#[test]
fn each_is_withdrawn_for_itself() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().label("full").labelled();
    both(&gitlab, "scan --max-in-flight 2").succeeds();
    mr.unlabel("full");
    let report = report(both(&gitlab, "reconcile"));
    assert_eq!(report["actions"][0]["label"], "full");
    let statuses: Vec<_> = gitlab
        .benchmarks()
        .into_iter()
        .map(|benchmark| benchmark.status)
        .collect();
    assert_eq!(statuses, ["canceled", "created"]);
    assert_eq!(mr.labels(), ["benchmarking"]);
}

#[test]
fn labels_are_shown_where_there_is_more_than_one() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().label("full").labelled();
    gitlab.mr("waits").running().label("full");
    both(&gitlab, "scan").succeeds();
    for command in ["status", "scan --dry-run", "status --format html"] {
        let told = both(&gitlab, command).succeeds().stdout;
        assert!(told.matches("full").count() >= 2, "{command}: {told}");
        assert!(told.contains("benchmarking"), "{command}: {told}");
    }
    gitlab.benchmark_ends(last(&gitlab), "success");
    let told = both(&gitlab, "reconcile").succeeds().stdout;
    assert!(
        told.contains("✓ finish   !1") && told.contains("full"),
        "{told}"
    );

    // One alone is not worth a word.
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    for command in ["scan", "status"] {
        let told = run(&gitlab, command).stdout;
        assert!(!told.contains("benchmarking"), "{command}: {told}");
    }
    let page = run(&gitlab, "status --format html").stdout;
    assert_eq!(
        page.matches("benchmarking").count(),
        1,
        "how to ask: {page}"
    );
}

#[test]
fn a_bot_label_with_commas_is_as_good_as_several_flags() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().label("full").labelled();
    let comma = both(&gitlab, "scan --dry-run").env("BENCH_BOT_LABEL", " benchmarking , full ");
    let flags = bot(&gitlab, "scan --dry-run --label benchmarking --label full");
    assert_eq!(report(comma)["queue"], report(flags)["queue"]);
    let told = both(&gitlab, "status --mr 1").succeeds().stdout;
    assert!(
        told.contains("has had the label benchmarking") && told.contains("has had the label full"),
        "{told}"
    );
}

#[test]
fn trigger_starts_what_asks_first_and_else_puts_the_first_label_on() {
    let gitlab = Gitlab::start();
    let (one, two) = (
        gitlab.mr("one").passed().label("full"),
        gitlab.mr("two").passed(),
    );
    both(&gitlab, "trigger --mr 1").succeeds();
    both(&gitlab, "trigger --mr 2").succeeds();
    assert_eq!(labels(&gitlab), ["full", "benchmarking"]);
    assert_eq!(
        (one.labels(), two.labels()),
        (vec!["full".to_owned()], vec!["benchmarking".to_owned()])
    );
}

/// Everything that the one installation may be tempted to do about the other's.
#[test]
fn two_installations_leave_each_other_alone() {
    type Happens = fn(&Gitlab, &Mr);
    let states: [(&str, Happens); 7] = [
        ("in flight", |_, _| {}),
        ("ended", |gitlab, _| {
            gitlab.benchmark_ends(last(gitlab), "failed")
        }),
        ("withdrawn", |_, mr| drop(mr.unlabel("full"))),
        ("stuck", |gitlab, _| gitlab.later(30 * HOUR)),
        ("blocked", |gitlab, _| {
            gitlab.benchmark_blocked(last(gitlab), "publish")
        }),
        ("merged", |gitlab, mr| {
            mr.merge();
            gitlab.benchmark_ends(last(gitlab), "success");
        }),
        ("without its link", |gitlab, mr| {
            let note = mr.notes().remove(0).id;
            let mut world = gitlab.world();
            let mut mrs = world.merge_requests.values_mut();
            let notes = mrs.next().expect("one").discussions.iter_mut();
            let mut notes = notes.flat_map(|discussion| &mut discussion.notes);
            let note = notes.find(|found| found.id == note).expect("it is there");
            let linked = note.body.rsplit_once("\"pipeline\":").expect("a marker");
            let (before, after) = (linked.0, linked.1.split_once(',').expect("more").1);
            note.body = format!("{before}\"pipeline\":null,{after}");
        }),
    ];
    for (state, happens) in states {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").passed().label("full");
        other(&gitlab, "scan").succeeds();
        happens(&gitlab, &mr);
        gitlab.clear_requests();
        for command in [
            "reconcile",
            "reconcile --since 8days",
            "scan",
            "status",
            "status --mr 1",
            "reconcile --dry-run",
        ] {
            let ran = run(&gitlab, command);
            assert!(
                !ran.stdout.contains("\nDone"),
                "{state}, {command}: {}",
                ran.stdout
            );
        }
        assert_eq!(writes(&gitlab), Vec::<String>::new(), "{state}");
        let actions = report(other(&gitlab, "reconcile --dry-run"))["actions"].clone();
        let expected = usize::from(!["in flight", "blocked"].contains(&state));
        assert_eq!(
            actions.as_array().expect("a list").len(),
            expected,
            "{state}"
        );
    }
}

#[test]
fn and_count_each_others_places() {
    let gitlab = Gitlab::start();
    gitlab.mr("theirs").passed().label("full");
    let ours = gitlab.mr("ours").passed().labelled();
    other(&gitlab, "scan").succeeds();
    let told = run(&gitlab, "scan").stdout;
    assert!(told.contains("In flight: 1 of 1"), "{told}");
    assert_eq!(labels(&gitlab), ["full"]);
    gitlab.benchmark_ends(last(&gitlab), "success");
    run(&gitlab, "scan");
    assert_eq!(labels(&gitlab), ["full", "benchmarking"]);
    run(&gitlab, "reconcile");
    assert!(ours.is_labelled());
}

#[test]
fn a_merge_request_that_asks_both_is_served_by_both() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().label("full").labelled();
    other(&gitlab, "scan --max-in-flight 9").succeeds();
    let told = run(&gitlab, "scan --max-in-flight 9").stdout;
    assert_eq!(labels(&gitlab), ["full", "benchmarking"]);
    // The same merge request twice is told apart by the label.
    assert!(told.contains("full"), "{told}");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    run(&gitlab, "reconcile");
    assert_eq!(mr.labels(), ["benchmarking", "full"]);
    other(&gitlab, "reconcile").succeeds();
    assert_eq!(mr.labels(), ["benchmarking"]);
    gitlab.benchmark_ends(last(&gitlab), "failed");
    run(&gitlab, "reconcile");
    assert!(mr.labels().is_empty());
    assert_eq!(mr.reactions(), [], "nothing is left to do");
    let replies = mr.discussions().into_iter().map(|found| found.notes.len());
    assert_eq!(replies.collect::<Vec<_>>(), [2, 2]);
}

fn refuse(gitlab: &Gitlab) {
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = true;
    });
}

/// The mark says that there is unfinished business, and an end of the one request is not the end of the other.
#[test]
fn the_mark_stays_as_long_as_either_has_an_open_discussion() {
    type Command = fn(&People, &str) -> Bot;
    let installations: [[Command; 2]; 2] = [[bot, other], [both, both]];
    for [first, second] in installations {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").passed().label("full").labelled();
        refuse(&gitlab);
        for installation in [first, second] {
            installation(&gitlab, "scan").exits(1);
        }
        assert_eq!(mr.discussions().len(), 2, "{}", mr.page());
        mr.unlabelled();
        first(&gitlab, "reconcile").succeeds();
        second(&gitlab, "reconcile").succeeds();
        let marks = mr.reactions().len();
        assert_eq!(marks, 2, "👀 and ⏳: {}", mr.page());
        mr.unlabel("full");
        first(&gitlab, "reconcile").succeeds();
        second(&gitlab, "reconcile").succeeds();
        for discussion in mr.discussions() {
            assert!(discussion.is_resolved(), "{}", mr.page());
        }
        assert_eq!(mr.reactions(), [], "{}", mr.page());
    }
}

#[test]
fn the_end_of_a_benchmark_leaves_the_others_refusal_findable() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().label("full").labelled();
    run(&gitlab, "scan");
    gitlab.benchmark_ends(last(&gitlab), "success");
    refuse(&gitlab);
    other(&gitlab, "scan").exits(1);
    // Gone before anybody looked at the outcome.
    mr.unlabelled();
    run(&gitlab, "reconcile");
    mr.unlabel("full");
    other(&gitlab, "reconcile").succeeds();
    let page = mr.page();
    assert!(
        page.contains("the label `full` was taken off before its turn"),
        "{page}"
    );
    assert_eq!((mr.labels(), mr.reactions()), (vec![], vec![]), "{page}");
}
