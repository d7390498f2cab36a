//! Labels that are missing, renamed, older than their records' memory, or oddly called.

use std::time::Duration;

use in_memory_gitlab::{ENGINE, Gitlab, LabelOwner, Request};
use serde_json::json;

use crate::bot::{Bot, bare, bot, in_flight, json, last_word, run, writes};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn with_label(gitlab: &Gitlab, label: &str, arguments: &str) -> Bot {
    bot(gitlab, arguments).arg(&format!("--label={label}"))
}

fn add_label(gitlab: &Gitlab, name: &str) {
    gitlab.world().add_label(LabelOwner::Project(ENGINE), name);
}

#[test]
fn a_typo_is_said_and_harms_nothing() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    let waiting = gitlab.mr("waits").passed().labelled();
    let bare_one = gitlab.mr("unlabelled").passed();
    let labels = gitlab.world().labels.len();
    for hours in [0, 30] {
        gitlab.later(hours * HOUR);
        gitlab.clear_requests();
        for command in [
            "scan --max-in-flight 9",
            "reconcile",
            "trigger --mr 3",
            "trigger --mr 2 --force",
            "status",
            "status --mr 1",
        ] {
            let ran = with_label(&gitlab, "benchmarkng", command).exits(1);
            let said = "there is no label benchmarkng in acme/engine: check --label";
            assert!(ran.stderr.contains(said), "{command}: {}", ran.stderr);
        }
        assert_eq!(writes(&gitlab), Vec::<String>::new());
    }
    assert_eq!(gitlab.world().labels.len(), labels);
    assert_eq!(gitlab.pipeline(benchmark).status, "running");
    assert!(mr.is_labelled() && waiting.is_labelled() && !bare_one.is_labelled());
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn beside_a_typo_the_other_labels_are_served() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    let labels = "benchmarkng,benchmarking";
    let ran = bot(&gitlab, "scan").env("BENCH_BOT_LABEL", labels).exits(1);
    assert!(
        ran.complaint().contains("no label benchmarkng"),
        "{}",
        ran.stderr
    );
    let benchmark = gitlab.benchmarks().remove(0);
    gitlab.benchmark_ends(benchmark.id, "success");
    bot(&gitlab, "reconcile")
        .env("BENCH_BOT_LABEL", labels)
        .exits(1);
    assert!(last_word(&mr).contains("success") && !mr.is_labelled());
}

#[test]
fn a_label_renamed_while_its_benchmark_runs_still_gets_its_outcome() {
    for follows in [false, true] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        gitlab.rename_label("benchmarking", "performance");
        let (label, code) = match follows {
            true => ("performance", 0),
            false => ("benchmarking", 1),
        };
        for command in ["scan --max-in-flight 9", "reconcile"] {
            with_label(&gitlab, label, command).exits(code);
        }
        assert_eq!(gitlab.benchmarks().len(), 1);
        assert_eq!(gitlab.pipeline(benchmark).status, "running");
        gitlab.benchmark_ends(benchmark, "failed");
        with_label(&gitlab, label, "reconcile").exits(code);
        assert!(
            last_word(&mr).contains("**Benchmark failed**"),
            "{}",
            mr.page()
        );
        assert_eq!(mr.labels().is_empty(), follows, "{:?}", mr.labels());
        if follows {
            assert!(last_word(&mr).contains("add the label `performance` again"));
        }
        // Whoever names the new label later finds that the request is served.
        gitlab.later(72 * HOUR);
        for command in ["scan", "reconcile", "scan"] {
            with_label(&gitlab, "performance", command).succeeds();
        }
        assert!(mr.labels().is_empty());
        assert_eq!(gitlab.benchmarks().len(), 1);
        assert_eq!(mr.notes().len(), 2, "{}", mr.page());
        assert_eq!(mr.reactions(), []);
    }
}

#[test]
fn a_renamed_label_that_is_taken_off_withdraws_all_the_same() {
    for label in ["benchmarking", "performance"] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        gitlab.rename_label("benchmarking", "performance");
        mr.unlabel("performance");
        with_label(&gitlab, label, "reconcile").exits(i32::from(label == "benchmarking"));
        if label == "benchmarking" {
            assert_eq!(gitlab.pipeline(benchmark).status, "canceled");
            assert!(last_word(&mr).contains("withdrawn"), "{}", mr.page());
        }
    }
}

#[test]
fn a_renamed_label_ends_the_discussion_of_a_refusal() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = true;
    });
    bot(&gitlab, "scan").exits(1);
    gitlab.rename_label("benchmarking", "performance");
    mr.merge();
    bot(&gitlab, "reconcile").exits(1);
    let page = mr.page();
    assert!(page.contains("was merged before its turn"), "{page}");
    assert!(mr.discussions()[0].is_resolved(), "{page}");
    assert_eq!(mr.reactions(), []);
}

/// As 0.1 wrote them: the markers without a label and what else came later, the record without `BENCH_LABEL`.
fn made_by_0_1(gitlab: &Gitlab) {
    let mut world = gitlab.world();
    for pipeline in world.pipelines.values_mut() {
        pipeline
            .variables
            .retain(|variable| variable.key != "BENCH_LABEL");
    }
    let mrs = world.merge_requests.values_mut();
    let notes = mrs.flat_map(|mr| &mut mr.discussions);
    for note in notes.flat_map(|discussion| &mut discussion.notes) {
        let Some((text, marker)) = note.body.split_once("<!-- bench-bot ") else {
            continue;
        };
        let marker = marker.trim_end_matches(" -->");
        let mut marker: serde_json::Value = serde_json::from_str(marker).expect("JSON");
        for (kind, fields) in marker.as_object_mut().expect("one kind") {
            let known = |key: &String| match kind.as_str() {
                "start" => ["request", "pipeline"].contains(&key.as_str()),
                _ => ["request", "cancels"].contains(&key.as_str()),
            };
            fields
                .as_object_mut()
                .expect("fields")
                .retain(|key, _| known(key));
        }
        note.body = format!("{text}<!-- bench-bot {marker} -->");
    }
}

#[test]
fn records_and_notes_of_0_1_belong_to_the_first_label() {
    let both = |gitlab: &Gitlab, command: &str| {
        let labels = "benchmarking,full";
        bot(gitlab, command)
            .env("BENCH_BOT_LABEL", labels)
            .succeeds()
    };
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    made_by_0_1(&gitlab);
    mr.label("full");
    let report = both(&gitlab, "status --format json").json();
    assert_eq!(report["in_flight"][0]["label"], "benchmarking");
    both(&gitlab, "reconcile");
    both(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1);
    gitlab.benchmark_ends(benchmark, "success");
    both(&gitlab, "reconcile");
    assert_eq!(mr.labels(), ["full"]);
    let [discussion] = &mr.discussions()[..] else {
        panic!("{}", mr.page())
    };
    assert_eq!(discussion.notes.len(), 2);

    // What 0.1 had posted is not posted again, whatever became of its label.
    mr.unlabel("full");
    made_by_0_1(&gitlab);
    gitlab.clear_requests();
    for command in ["reconcile", "reconcile --since 8days", "scan"] {
        both(&gitlab, command);
    }
    assert_eq!(writes(&gitlab), Vec::<String>::new());
}

#[test]
fn one_withdrawn_by_0_1_and_still_going_is_left_to_a_person() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_hangs(benchmark, "running");
    mr.unlabelled();
    run(&gitlab, "reconcile");
    made_by_0_1(&gitlab);
    gitlab.later(2 * HOUR);
    gitlab.clear_requests();
    run(&gitlab, "reconcile");
    assert_eq!(writes(&gitlab), Vec::<String>::new());
    assert_eq!(mr.notes().len(), 2);
    gitlab.later(24 * HOUR);
    let ran = run(&gitlab, "reconcile");
    assert!(ran.complaint().contains("is overdue"), "{}", ran.stderr);
    assert_eq!(writes(&gitlab), Vec::<String>::new());
}

#[test]
fn words_that_gitlab_reads_as_its_own_are_no_labels() {
    let gitlab = Gitlab::start();
    for label in ["none", "Any", "NONE"] {
        for command in ["scan", "reconcile", "trigger --mr 1", "status", "doctor"] {
            let ran = with_label(&gitlab, label, command).exits(2);
            let said = ran.complaint();
            assert!(
                said.contains(&format!("{label:?}")) && said.contains("--label"),
                "{said}"
            );
        }
    }
    assert!(gitlab.requests().is_empty());
    bare("scan --label None").exits(2);
}

#[test]
fn a_label_that_begins_with_the_id_of_another_is_not_taken_for_it() {
    let gitlab = Gitlab::start();
    let id = gitlab
        .world()
        .label_titled(ENGINE, "benchmarking")
        .expect("it is there")
        .id;
    let name = format!("{id}-fold");
    let mr = gitlab.mr("speed-up").passed().labelled();
    let ran = with_label(&gitlab, &name, "scan").exits(1);
    assert!(
        ran.complaint().contains(&format!("no label {name}")),
        "{}",
        ran.stderr
    );
    bot(&gitlab, "trigger --mr 1 --force")
        .arg("--label")
        .arg(&name)
        .exits(1);
    assert_eq!(
        (gitlab.benchmarks().len(), mr.labels()),
        (0, vec!["benchmarking".to_owned()])
    );

    add_label(&gitlab, &name);
    with_label(&gitlab, &name, "scan").succeeds();
    assert_eq!(gitlab.benchmarks().len(), 0);
    mr.label(&name);
    with_label(&gitlab, &name, "scan").succeeds();
    let benchmark = gitlab.benchmarks().remove(0);
    assert_eq!(benchmark.variable("BENCH_LABEL"), Some(&*name));
    gitlab.benchmark_ends(benchmark.id, "success");
    with_label(&gitlab, &name, "reconcile").succeeds();
    assert_eq!(mr.labels(), ["benchmarking"]);
}

#[test]
fn a_label_of_the_group_asks_as_the_projects_own_does() {
    let gitlab = Gitlab::start();
    gitlab.group_label("acme", "performance");
    with_label(&gitlab, "performance", "scan").succeeds();
    let mr = gitlab.mr("speed-up").passed().label("performance");
    with_label(&gitlab, "performance", "scan").succeeds();
    // Promoted while it runs, it keeps its name and its events.
    let theirs = gitlab.mr("next").passed().labelled();
    run(&gitlab, "scan --max-in-flight 2");
    gitlab.promote_label("benchmarking");
    for benchmark in gitlab.benchmarks() {
        gitlab.benchmark_ends(benchmark.id, "success");
    }
    with_label(&gitlab, "performance", "reconcile").succeeds();
    run(&gitlab, "reconcile");
    run(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 2);
    for mr in [mr, theirs] {
        assert!(mr.labels().is_empty());
        assert!(last_word(&mr).contains("success"));
    }
}

const ODD: [&str; 8] = [
    "-->",
    "say \"please\"",
    "<script>alert(1)</script>",
    "$CI_JOB_TOKEN",
    "%CI_JOB_TOKEN% ${CI} $$",
    "`@all` /close",
    "a&b=c?d#e/f",
    "バーチ::naïve 🚀",
];

#[test]
fn a_label_may_be_called_anything() {
    for name in ODD {
        let gitlab = Gitlab::start();
        add_label(&gitlab, name);
        let mr = gitlab.mr("speed-up").passed().label(name).label("urgent");
        let lost = |request: &Request| request.method == "PUT" && request.path.contains("/notes/");
        gitlab.fault(move |request| lost(request).then_some(in_memory_gitlab::Fault::Reset));
        with_label(&gitlab, name, "scan").exits(1);
        gitlab.no_faults();
        let benchmark = gitlab.benchmarks().remove(0);
        assert_eq!(benchmark.job_sees()["BENCH_LABEL"], name);
        with_label(&gitlab, name, "scan").succeeds();
        assert_eq!(gitlab.benchmarks().len(), 1, "{name}");
        let reconcile = with_label(&gitlab, name, "reconcile --format json").succeeds();
        assert_eq!(reconcile.json()["actions"][0]["action"], "link", "{name}");
        let page = with_label(&gitlab, name, "status --format html")
            .arg("--label")
            .arg("benchmarking")
            .succeeds()
            .stdout;
        assert!(!page.contains("<script>alert"), "{name}");
        gitlab.benchmark_ends(benchmark.id, "failed");
        with_label(&gitlab, name, "reconcile").succeeds();
        assert_eq!(
            (mr.labels(), mr.notes().len()),
            (vec!["urgent".to_owned()], 2),
            "{name}"
        );
        for note in mr.notes() {
            let (text, marker) = note.body.split_once("<!-- bench-bot ").expect("a marker");
            assert_eq!(
                marker.find("-->"),
                Some(marker.len() - 3),
                "{name}: {marker}"
            );
            assert!(text.contains(name) || name.contains('`'), "{name}: {text}");
        }
        gitlab.clear_requests();
        with_label(&gitlab, name, "reconcile").succeeds();
        assert_eq!(json!(writes(&gitlab)), json!([]), "{name}");
    }
}

#[test]
fn a_missing_label_is_no_news_once_it_is_there_again() {
    let gitlab = Gitlab::start();
    gitlab.delete_label("benchmarking");
    bot(&gitlab, "scan").exits(1);
    add_label(&gitlab, "benchmarking");
    assert_eq!(json(&gitlab, "scan")["queue"], json!([]));
}
