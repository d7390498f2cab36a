//! Every word that the bot writes on a merge request, and how harmless it is.

use bench_bot::gitlab::answer::{Job, Outcome};
use bench_bot::id::Sha;
use bench_bot::note::{self, CloseReason, Details, End, Results, Spent, Unstarted, Waits};
use bench_bot::record::Task;
use bench_bot::snapshot::Request;
use chrono::{DateTime, TimeDelta};
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
        file: None,
        summary: summary.map(str::to_owned),
        figures: String::new(),
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
    let announced = |waits: Waits| {
        let head = Some(&task.sha);
        note::announced(&request, BENCHMARKS, branch, head, &waits)
    };
    let of = |end, details: &Details| note::outcome(&record, end, label, details);
    let plain = Details::default;
    let with_results = || Details {
        results: results(name, Some(words)),
        ..plain()
    };
    let with_file = Details {
        results: results(name, Some(words)).map(|results| Results {
            file: Some("report/index.html".to_owned()),
            ..results
        }),
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
        ("announced, no pipeline", announced(Waits::NoPipeline)),
        (
            "announced, pipeline outdated",
            announced(Waits::PipelineOutdated),
        ),
        (
            "announced, pipeline unfinished",
            announced(Waits::PipelineUnfinished),
        ),
        (
            "announced, pipeline unsuccessful",
            announced(Waits::PipelineUnsuccessful),
        ),
        ("announced, changed", announced(Waits::ChangedSinceRequest)),
        ("announced, unvouched", announced(Waits::Unvouched)),
        ("announced, paused", announced(Waits::Paused)),
        ("announced, next", announced(Waits::Place(1, None))),
        (
            "announced, third",
            announced(Waits::Place(3, DateTime::from_timestamp(1_767_612_600, 0))),
        ),
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
            "success, with a verdict",
            of(
                End::Pipeline(Outcome::Success),
                &Details {
                    results: results(
                        name,
                        Some("worse: parse +4.1 % (±0.6), 11 others unchanged"),
                    ),
                    ..plain()
                },
            ),
        ),
        (
            "success, with results",
            of(End::Pipeline(Outcome::Success), &with_results()),
        ),
        (
            "success, with a file among the results",
            of(End::Pipeline(Outcome::Success), &with_file),
        ),
        (
            "success, after a retry",
            of(End::Pipeline(Outcome::Success), &retried("failed")),
        ),
        ("failed", of(End::Pipeline(Outcome::Failed), &plain())),
        (
            "canceled, with a file among the results",
            of(End::Pipeline(Outcome::Canceled), &with_file),
        ),
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
        (
            "superseded",
            of(
                End::Superseded,
                &Details::superseded_by(Sha("e5f6a7b8".repeat(5))),
            ),
        ),
        (
            "superseded, and cancelled",
            became(End::Superseded, &plain(), Outcome::Canceled),
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

const TABLE: &str = "\n| figure | base | head | change |\n| --- | ---: | ---: | ---: |\n| parse | 12 | 6 | -50.0 % |\n\n\
                     Measured twice.\n";

fn with_figures(figures: &str) -> String {
    let details = Details {
        results: Some(Results {
            job: job("benchmark", ""),
            file: None,
            summary: Some("parse -50.0 %".to_owned()),
            figures: figures.to_owned(),
        }),
        ..Details::default()
    };
    let record = record(task("benchmarking", "topic"));
    note::outcome(
        &record,
        End::Pipeline(Outcome::Success),
        "benchmarking",
        &details,
    )
}

#[test]
fn figures_are_folded_below_the_outcome() {
    let note = with_figures(TABLE);
    let (text, _) = note.rsplit_once("\n\n<!-- bench-bot ").expect("a marker");
    insta::assert_snapshot!(text.replace("https://gitlab.example.com/acme/benchmarks/-", ""), @r"
    🏁 **Benchmark finished**: [pipeline 1001](/pipelines/1001) for commit `a1b2c3d4` ended with success. In short: `parse -50.0 %`. Results: [artifacts of `benchmark`](/jobs/5/artifacts/browse). To benchmark it again, add the label `benchmarking` again.

    <details><summary>All figures</summary>

    | `figure` | `base` | `head` | `change` |
    | --- | ---: | ---: | ---: |
    | `parse` | `12` | `6` | `-50.0 %` |

    `Measured twice.`

    </details>
    ");
    let within = "<details><summary>11 unchanged</summary>\n\n| lex | 3 |\n\n</details>\n";
    let once = with_figures(within);
    assert_eq!(once.matches("details>").count(), 2, "{once}");
    let plain = with_figures("");
    assert_eq!(with_figures(" \n\n"), plain);
    assert!(!plain.contains("details"), "{plain}");
}

#[test]
fn many_figures_are_cut_off_so_that_the_bot_can_read_its_note_again() {
    for line in ["| <b> | 1 |\n", "ü\n", "||||||||||||||||\n"] {
        let note = with_figures(&line.repeat(9000));
        assert!(note.contains("The rest is in the artifacts."), "{line}");
        assert!(6 * note.len() < 64 << 10, "{line}: {}", note.len());
        let read = note::as_outcome(&note_by(Some(crate::BOT), 2, note));
        assert_eq!(read.and_then(|read| read.end).as_deref(), Some("success"));
    }
}

/// Whatever stands outside of inline code in the figures, on GitLab's terms: with tables.
fn check_figures(hostile: &str) {
    use pulldown_cmark::{Event, Options, Parser, Tag};
    let body = with_figures(hostile);
    let (text, _) = body.rsplit_once("\n\n<!-- bench-bot ").expect("a marker");
    let Some((_, figures)) = text.split_once("\n\n<details>") else {
        return;
    };
    let lines = figures.lines().skip(1);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("</details>")) {
        assert!(
            line.starts_with(['|', '`']) || line.starts_with("The rest"),
            "{line}"
        );
    }
    let figures = format!("<details>{figures}");
    for event in Parser::new_ext(&figures, Options::all()) {
        match event {
            // A row of a table that has no head.
            Event::Text(text) if text.chars().all(|c| "|-: ".contains(c)) => {}
            Event::Text(text) => assert_eq!(&*text, "The rest is in the artifacts.", "{figures}"),
            Event::Html(html) | Event::InlineHtml(html) => assert!(
                ["<details><summary>All figures</summary>", "</details>"].contains(&html.trim()),
                "{html}: {figures}"
            ),
            Event::Start(tag) => assert!(
                matches!(
                    tag,
                    Tag::Paragraph
                        | Tag::HtmlBlock
                        | Tag::Table(_)
                        | Tag::TableHead
                        | Tag::TableRow
                        | Tag::TableCell
                ),
                "{tag:?}: {figures}"
            ),
            Event::Code(_) | Event::End(_) | Event::SoftBreak => {}
            other => panic!("{other:?}: {figures}"),
        }
    }
}

#[test]
fn hostile_figures_act_as_nothing() {
    for hostile in [
        "/close",
        "@all",
        "@all | /close\n--- | ---\n",
        "a | b\n| - | - |\n| ` | @all ` |\n",
        "| `a` | ``@all |",
        "|\n|-|\n|@all|",
        "| \\| @all |\n| --- | --- |",
        "```\n@all\n```",
        "</details>\n@all",
        "<!-- bench-bot {\"outcome\":{\"request\":1,\"cancels\":true}} -->",
        "    @all",
        "[a]: https://evil.example.com\n[a]",
        "[^1]: @all",
        "---\n@all\n---",
        "x\n===\n",
        "- [ ] @all",
        "> @all",
        "\u{202e}| @all |",
    ] {
        check_figures(hostile);
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
    fn any_figures_act_as_nothing(lines in prop::collection::vec(any_text(), 0..6), separator in "[|\n]") {
        check_figures(&lines.join(&separator));
    }

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
