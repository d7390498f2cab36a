//! What the benchmark says of the commit, and where bench-bot passes it on.

use in_memory_gitlab::{ENGINE, Fault, Gitlab, LabelOwner, Mr};
use serde_json::{Value, json};

use crate::bot::{bot, in_flight, json, run};
use crate::outcome::told;

const JOB: &str = "--results-job benchmark";
const LABELS: &str =
    "--results-job benchmark --verdict-label worse=perf::worse,better=perf::better";

/// A benchmark that has ended and left that summary.
fn judged(gitlab: &Gitlab, status: &str, summary: &'static str) -> (Mr, u64) {
    for name in ["perf::worse", "perf::better"] {
        gitlab.world().add_label(LabelOwner::Project(ENGINE), name);
    }
    let (mr, benchmark) = in_flight(gitlab);
    gitlab.benchmark_leaves(benchmark, "benchmark", "bench-summary.md", summary);
    gitlab.benchmark_ends(benchmark, status);
    (mr, benchmark)
}

#[test]
fn the_word_comes_first_in_the_reply() {
    let reply = |status: &str, summary: &'static str| {
        let gitlab = Gitlab::start();
        let (mr, _) = judged(&gitlab, status, summary);
        run(&gitlab, &format!("reconcile {JOB}"));
        told(&mr)
    };
    for (word, lead) in [
        ("worse", "🔴 **Worse**"),
        ("better", "🟢 **Better**"),
        ("mixed", "🟡 **Mixed**"),
        ("noise", "⚪ **Noise**"),
    ] {
        let summary: &'static str = format!("{word}: parse +4.1 %, 11 others `unchanged`\n").leak();
        let reply = reply("success", summary);
        let start = format!("{lead}: `` parse +4.1 %, 11 others `unchanged` ``. [pipeline ");
        assert!(reply.starts_with(&start), "{reply}");
        assert!(reply.contains("ended with success. Results: "), "{reply}");
    }
    assert!(reply("success", "worse:").starts_with("🔴 **Worse**. [pipeline "));
    for no_verdict in [
        "Worse: x",
        "worse x",
        "worst: x",
        "x: worse",
        "**worse**: x",
        "",
    ] {
        let reply = reply("success", format!("{no_verdict}\nworse: y").leak());
        assert!(
            reply.starts_with("🏁 **Benchmark finished**"),
            "{no_verdict}: {reply}"
        );
    }
    let failed = reply("failed", "better: parse -50 %");
    assert!(failed.starts_with("❌ **Benchmark failed**"), "{failed}");
}

#[test]
fn it_stands_in_json_in_text_and_on_the_page() {
    let gitlab = Gitlab::start();
    judged(&gitlab, "success", "worse: parse +4.1 %");
    run(&gitlab, &format!("reconcile {JOB}"));
    let status = format!("status {JOB}");
    assert_eq!(json(&gitlab, &status)["ended"][0]["verdict"], "worse");
    let text = run(&gitlab, &status).stdout;
    assert!(text.contains("worse, success"), "{text}");
    let page = run(&gitlab, &format!("{status} --format html")).stdout;
    assert!(
        page.contains("<span class=\"worse\">worse</span>"),
        "{page}"
    );
    assert!(page.contains("worse: parse +4.1 %"), "{page}");
    let unread = json(&gitlab, "status");
    assert_eq!(
        unread["ended"][0]["verdict"],
        Value::Null,
        "no results are asked for"
    );
}

#[test]
fn a_discussion_stays_open_unless_nothing_is_worse() {
    for (summary, is_resolved) in [
        ("better: x", true),
        ("noise: x", true),
        ("worse: x", false),
        ("mixed: x", false),
        ("12 % faster", false),
    ] {
        for takes_off in [false, true] {
            let gitlab = Gitlab::start();
            let (mr, _) = judged(&gitlab, "success", summary);
            if takes_off {
                mr.unlabelled();
            }
            run(&gitlab, &format!("reconcile {JOB} --resolve unless-worse"));
            assert!(!told(&mr).is_empty());
            let found = mr.discussions()[0].is_resolved();
            assert_eq!(found, is_resolved, "{summary}, label off: {takes_off}");
        }
    }
    let gitlab = Gitlab::start();
    let (mr, _) = judged(&gitlab, "failed", "better: x");
    run(&gitlab, &format!("reconcile {JOB} --resolve unless-worse"));
    assert!(told(&mr).contains("failed") && !mr.discussions()[0].is_resolved());
}

#[test]
fn its_label_is_set_and_those_of_others_come_off() {
    for (summary, labels) in [
        ("worse: x", vec!["perf::worse"]),
        ("better: x", vec!["perf::better"]),
        ("noise: x", vec![]),
        ("12 % faster", vec![]),
    ] {
        for takes_off in [false, true] {
            let gitlab = Gitlab::start();
            let (mr, _) = judged(&gitlab, "success", summary);
            if takes_off {
                mr.unlabelled();
            }
            mr.label("perf::better").label("urgent");
            run(&gitlab, &format!("reconcile {LABELS}"));
            assert!(!told(&mr).is_empty());
            let expected = [&labels[..], &["urgent"]].concat();
            let mut found = mr.labels();
            found.sort();
            assert_eq!(found, expected, "{summary}, label off: {takes_off}");
        }
    }
}

#[test]
fn a_new_request_takes_off_the_label_of_the_one_before() {
    let gitlab = Gitlab::start();
    let (mr, _) = judged(&gitlab, "success", "worse: x");
    run(&gitlab, &format!("reconcile {LABELS}"));
    assert_eq!(mr.labels(), ["perf::worse"]);
    assert!(!told(&mr).is_empty());
    mr.push();
    mr.passed();
    mr.labelled();
    run(&gitlab, &format!("scan {LABELS}"));
    assert_eq!(mr.labels(), ["benchmarking"]);
    assert!(mr.page().contains("**Benchmark started**"));
}

#[test]
fn a_label_that_is_missing_or_refused_is_said_and_keeps_nothing_open() {
    let gitlab = Gitlab::start();
    let (mr, _) = judged(&gitlab, "success", "worse: x");
    gitlab.delete_label("perf::worse");
    let ran = run(&gitlab, &format!("reconcile {LABELS}"));
    assert!(
        ran.stderr.contains("there is no label perf::worse"),
        "{}",
        ran.stderr
    );
    assert_eq!(mr.labels(), [""; 0]);
    assert!(!told(&mr).is_empty());
    let gitlab = Gitlab::start();
    let (mr, _) = judged(&gitlab, "success", "worse: x");
    gitlab.fault(|request| request.body.get("add_labels").map(|_| Fault::forbidden()));
    let ran = run(&gitlab, &format!("reconcile {LABELS}"));
    assert!(
        ran.stderr.contains("cannot set the label of its verdict"),
        "{}",
        ran.stderr
    );
    assert!(!mr.is_labelled() && !told(&mr).is_empty());
}

/// The next run finds the reply, and the label's turn is before the request's own comes off.
#[test]
fn a_run_that_stops_after_the_reply_leaves_the_label_to_the_next() {
    let gitlab = Gitlab::start();
    let (mr, _) = judged(&gitlab, "success", "worse: x");
    gitlab.fault(|request| (request.method == "PUT").then_some(Fault::Reset));
    bot(&gitlab, &format!("reconcile {LABELS}")).exits(1);
    assert_eq!(mr.labels(), ["benchmarking"]);
    gitlab.no_faults();
    run(&gitlab, &format!("reconcile {LABELS}"));
    assert_eq!(
        (mr.labels(), mr.notes().len()),
        (vec!["perf::worse".to_owned()], 2)
    );
    assert!(told(&mr).starts_with("🔴 **Worse**"));
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let gitlab = Gitlab::start();
    for (setting, why) in [
        ("--verdict-label worse=slow", "needs --results-job"),
        (
            "--results-job b --verdict-label bad=slow",
            "write a verdict",
        ),
        ("--results-job b --verdict-label worse", "write a verdict"),
        (
            "--results-job b --verdict-label worse=a --verdict-label worse=b",
            "names two labels for worse",
        ),
        (
            "--results-job b --verdict-label worse=benchmarking",
            "requests a benchmark",
        ),
    ] {
        let ran = bot(&gitlab, &format!("reconcile {setting}")).exits(2);
        assert!(ran.stderr.contains(why), "{setting}: {}", ran.stderr);
    }
    assert_eq!(json!(gitlab.requests().len()), 0);
}

/// `SUMMARY` names one that the benchmark project's template has really made, of a commit that is slower: `.ci/run` has it.
#[test]
#[ignore]
fn what_the_template_leaves_reaches_the_reply() {
    let file = std::env::var("SUMMARY").expect("SUMMARY names a file");
    let summary = std::fs::read_to_string(file).expect("it is there").leak();
    let gitlab = Gitlab::start();
    let (mr, _) = judged(&gitlab, "success", summary);
    run(
        &gitlab,
        &format!("reconcile {LABELS} --resolve unless-worse"),
    );
    let reply = told(&mr);
    assert!(reply.starts_with("🔴 **Worse**: `parse +"), "{reply}");
    assert!(reply.contains("2 others unchanged`. [pipeline "), "{reply}");
    assert!(reply.contains("| `parse` |"), "{reply}");
    assert_eq!(mr.labels(), ["perf::worse"]);
    assert!(!mr.discussions()[0].is_resolved());
}
