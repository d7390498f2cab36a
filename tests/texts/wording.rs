//! Every word that the bot writes on a merge request, and how harmless it is.

use bench_bot::gitlab::answer::{Job, Outcome};
use bench_bot::note::{self, CloseReason, Details, End, Results, Spent, Unstarted};
use bench_bot::record::Task;
use bench_bot::snapshot::Request;
use chrono::TimeDelta;
use proptest::prelude::*;

use crate::{BENCHMARKS, any_task, any_text, note_by, record, task};

fn job(name: &str, reason: &str) -> Job {
    let job = serde_json::json!({
        "id": 5,
        "name": name,
        "status": "failed",
        "failure_reason": reason,
        "web_url": "https://gitlab.example.com/acme/benchmarks/-/jobs/5",
        "artifacts_file": {},
    });
    serde_json::from_value(job).expect("a job")
}

fn results(name: &str, summary: Option<&str>) -> Option<Results> {
    Some(Results {
        job: job(name, ""),
        summary: summary.map(str::to_owned),
    })
}

fn failed(jobs: &[(&str, &str)]) -> Details {
    Details {
        failed: jobs
            .iter()
            .map(|(name, reason)| job(name, reason))
            .collect(),
        ..Details::default()
    }
}

/// Each note that there is, with the words of others as they are given.
fn all_notes(label: &str, branch: &str, name: &str, words: &str) -> Vec<(&'static str, String)> {
    let task = task(label, branch);
    let record = record(task.clone());
    let request = Request {
        id: task.request,
        label: label.to_owned(),
        at: None,
        by: None,
        triggered: None,
    };
    let of = |end, details: &Details| note::outcome(&record, end, label, details);
    let plain = Details::default;
    let with_results = || Details {
        results: results(name, Some(words)),
        ..plain()
    };
    let spent = |running: Option<i64>| Details {
        spent: Some(Spent {
            waiting: TimeDelta::minutes(95),
            running: running.map(TimeDelta::minutes),
        }),
        ..plain()
    };
    let retried = |first: &str| Details {
        first_end: Some(first.to_owned()),
        ..with_results()
    };
    let opened = note::opening(&request, BENCHMARKS, branch, Some(&task.sha));
    let opening = note::read(&crate::discussion([opened.clone()]), crate::BOT);
    let opening = opening
        .and_then(|thread| thread.opening)
        .expect("it opens one");
    let closed = |why| note::closed(&opening, label, why);
    let baseless = Task {
        base: None,
        ..task.clone()
    };
    let became = |end, details: &Details, outcome| {
        let note = note_by(Some(crate::BOT), 2, of(end, details));
        note::cancelled(&note::as_outcome(&note).expect("an outcome"), outcome)
    };
    vec![
        ("opened", opened.clone()),
        (
            "started",
            note::started(&task, BENCHMARKS, record.pipeline, &record.web_url),
        ),
        (
            "started, no base known",
            note::started(&baseless, BENCHMARKS, record.pipeline, &record.web_url),
        ),
        (
            "refused, as may lie in the request",
            note::refused(&task, &request, BENCHMARKS, (Unstarted::Refused, words)),
        ),
        (
            "refused, as every request is",
            note::refused(&task, &request, BENCHMARKS, (Unstarted::Unavailable, words)),
        ),
        ("closed, label off", closed(CloseReason::Unlabelled)),
        ("closed, merged", closed(CloseReason::Merged)),
        ("closed, closed", closed(CloseReason::Closed)),
        ("success", of(End::Pipeline(Outcome::Success), &plain())),
        (
            "success, with results",
            of(End::Pipeline(Outcome::Success), &with_results()),
        ),
        (
            "success, after a retry",
            of(End::Pipeline(Outcome::Success), &retried("failed")),
        ),
        ("failed", of(End::Pipeline(Outcome::Failed), &plain())),
        (
            "failed by its script",
            of(
                End::Pipeline(Outcome::Failed),
                &failed(&[(name, "script_failure")]),
            ),
        ),
        (
            "failed by its machine",
            of(
                End::Pipeline(Outcome::Failed),
                &failed(&[(name, "runner_system_failure")]),
            ),
        ),
        (
            "failed by many",
            of(
                End::Pipeline(Outcome::Failed),
                &failed(&[
                    (name, "script_failure"),
                    ("b", "runner_system_failure"),
                    ("c", "unheard_of"),
                    ("d", "script_failure"),
                    ("e", "script_failure"),
                    ("f", "script_failure"),
                ]),
            ),
        ),
        (
            "failed, after a retry",
            of(End::Pipeline(Outcome::Failed), &retried("success")),
        ),
        ("canceled", of(End::Pipeline(Outcome::Canceled), &plain())),
        ("skipped", of(End::Pipeline(Outcome::Skipped), &plain())),
        (
            "passed, but no results",
            of(End::ResultsFailed, &failed(&[(name, "script_failure")])),
        ),
        ("withdrawn", of(End::Withdrawn, &plain())),
        (
            "withdrawn, and cancelled",
            became(End::Withdrawn, &plain(), Outcome::Canceled),
        ),
        (
            "withdrawn, but it had ended",
            became(End::Withdrawn, &plain(), Outcome::Success),
        ),
        ("timed out", of(End::TimedOut, &plain())),
        ("timed out, never begun", of(End::TimedOut, &spent(None))),
        ("timed out, begun", of(End::TimedOut, &spent(Some(1441)))),
        (
            "timed out, and cancelled",
            became(End::TimedOut, &spent(Some(1441)), Outcome::Canceled),
        ),
        ("blocked", of(End::Blocked, &plain())),
        ("blocked, with results", of(End::Blocked, &with_results())),
        (
            "blocked, and cancelled",
            became(End::Blocked, &with_results(), Outcome::Canceled),
        ),
        (
            "blocked, but it had ended",
            became(End::Blocked, &with_results(), Outcome::Failed),
        ),
    ]
}

#[test]
fn every_note() {
    let notes = all_notes("benchmarking", "topic", "benchmark", "12 % faster");
    let notes: Vec<String> = notes
        .iter()
        .map(|(case, body)| format!("# {case}\n\n{body}"))
        .collect();
    insta::with_settings!({ snapshot_path => "../../snapshots", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("notes", notes.join("\n\n"));
    });
}

/// All there is outside of inline code.
fn own_words(body: &str) -> String {
    use pulldown_cmark::{Event, Parser, Tag};
    let own = Parser::new(body).filter_map(|event| match event {
        Event::Code(_) => Some("`…`".to_owned()),
        Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => Some(text.into_string()),
        Event::SoftBreak | Event::HardBreak => Some("\n".to_owned()),
        Event::Start(Tag::Link { dest_url, .. }) => Some(format!("({dest_url})")),
        _ => None,
    });
    own.collect()
}

fn without_marker(body: &str) -> String {
    let (text, marker) = body.rsplit_once("\n\n").expect("a marker follows");
    assert!(
        marker.starts_with("<!-- bench-bot {") && marker.ends_with("} -->"),
        "{marker}"
    );
    assert_eq!(marker.matches("-->").count(), 1, "{marker}");
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.starts_with(['/', '>', '#', '<']), "{text}");
    own_words(text)
}

fn check_inert(hostile: &str) {
    let harmless = all_notes("benchmarking", "topic", "benchmark", "12 % faster");
    for (what, notes) in [
        (
            "label",
            all_notes(hostile, "topic", "benchmark", "12 % faster"),
        ),
        (
            "branch",
            all_notes("benchmarking", hostile, "benchmark", "12 % faster"),
        ),
        (
            "job",
            all_notes("benchmarking", "topic", hostile, "12 % faster"),
        ),
        (
            "words",
            all_notes("benchmarking", "topic", "benchmark", hostile),
        ),
    ] {
        for ((case, note), (_, harmless)) in notes.iter().zip(&harmless) {
            assert_eq!(
                without_marker(note),
                without_marker(harmless),
                "{what}: {case}: {note}"
            );
        }
    }
}

#[test]
fn hostile_text_acts_as_nothing() {
    for hostile in [
        "-->",
        "--> @all",
        "`",
        "``",
        "` @all `",
        "a`b``c",
        "\n/close\n",
        "\n\n<!-- bench-bot {\"outcome\":{\"request\":1,\"cancels\":true}} -->",
        "/close",
        "@all",
        "[here](https://evil.example.com)",
        "<img src=x>",
        "is to be cancelled @all [here](https://evil.example.com)",
        "` is to be cancelled @all",
        "\u{202e}live",
        " ",
        "\\",
    ] {
        check_inert(hostile);
    }
    check_inert(&"`".repeat(100));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_acts_as_nothing(hostile in any_text().prop_filter("nobody is called so", |text| !text.is_empty())) {
        check_inert(&hostile);
    }

    #[test]
    fn a_refusal_is_one_line_whatever_things_are_called(task in any_task(), reason in any_text()) {
        let request = crate::notes::request(&task);
        let body = note::refused(&task, &request, BENCHMARKS, (Unstarted::Refused, &reason));
        let lines: Vec<&str> = body.lines().collect();
        prop_assert_eq!(lines.len(), 3, "text, nothing, marker: {:?}", lines);
        prop_assert!(lines[0].starts_with("**Benchmark not started**"));
        prop_assert!(lines[2].starts_with("<!-- bench-bot ") && lines[2].ends_with(" -->"));
    }
}
