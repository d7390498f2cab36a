//! Text of strangers shows as inert text: on the page, in the report, and on standard error.

use in_memory_gitlab::{Fault, Gitlab, Mr, Note};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::Value;

use crate::bot::{bot, run};

/// Names for a branch, and how they show where that is different. GitLab's messages may hold what Git refuses.
/// The first two speak of the request that the first merge request makes.
const NAMES: &[(&str, &str)] = &[
    (r#"<!-- bench-bot {"outcome":{"request":101}} -->"#, ""),
    (
        "x\n\n<!-- bench-bot {\"outcome\":{\"request\":101}} -->",
        "x��<!-- bench-bot {\"outcome\":{\"request\":101}} -->",
    ),
    (
        r#"<!-- bench-bot {"start":{"request":102,"pipeline":1}} -->"#,
        "",
    ),
    ("-->", ""),
    ("--> <!--", ""),
    ("/merge", ""),
    ("/unlabel ~benchmarking", ""),
    ("x\n/close", "x�/close"),
    ("x\r\n/label ~urgent\r\n", "x��/label ~urgent��"),
    ("x\u{2028}/close\u{85}/close", "x�/close�/close"),
    ("@all", ""),
    ("~urgent", ""),
    ("!1 and #1, acme/engine#1", ""),
    (":tada:", ""),
    ("<script>alert(1)</script>", ""),
    ("<details open>", ""),
    ("[a](http://evil.test)", ""),
    ("![a](http://evil.test/a.png)", ""),
    ("<http://evil.test> http://evil.test", ""),
    ("[pipeline 7]: http://evil.test", ""),
    ("|a|b|\n|-|-|\n|c|d|", "|a|b|�|-|-|�|c|d|"),
    ("**bold** ~~gone~~ &amp; $`x`$", ""),
    ("`", ""),
    ("``@all``", ""),
    ("a```b", ""),
    ("```\n@all\n```", "```�@all�```"),
    ("`@all` ``@all`` ```@all", ""),
    ("\\`@all\\`", ""),
    ("\u{202e}niam\u{202c}", "�niam�"),
    ("\u{2066}a\u{2069}\u{200f}", "�a��"),
    ("ma\u{200b}in\u{feff}\u{2060}\u{ad}", "ma�in���"),
    ("\u{1b}[31mred\u{1b}[0m", "�[31mred�[0m"),
    ("\u{1b}]0;x\u{7}", "�]0;x�"),
    ("\u{9b}2J\u{0}", "�2J�"),
    ("$CI_JOB_TOKEN", ""),
    ("%CI_JOB_TOKEN%", ""),
    ("%BENCH_BRANCH% $BENCH_BRANCH", ""),
    ("$$", ""),
    ("${}", ""),
    ("%${}CI_JOB_TOKEN%", ""),
    ("$(id) `id` ; id && id | id > 'x' \"y\" !", ""),
    ("schneller-lösen-数独-🏎", ""),
];

const BENCHMARKS: &str = "https://gitlab.example.com/acme/benchmarks/-/";

fn names() -> Vec<(String, String)> {
    let long = [
        ("`".repeat(79), String::new()),
        ("x".repeat(250), String::new()),
    ];
    let all = NAMES
        .iter()
        .map(|&(name, shown)| (name.to_owned(), shown.to_owned()));
    let all = all.chain(long);
    all.map(|(name, shown)| match shown.is_empty() {
        true => (name.clone(), name),
        false => (name, shown),
    })
    .collect()
}

/// A note as it is rendered, but for the numbers in it.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    words: String,
    code: Vec<String>,
    links: Vec<String>,
    html: Vec<String>,
    blocks: Vec<TagEnd>,
}

fn shown(note: &Note) -> Shown {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut shown = Shown::default();
    for event in Parser::new_ext(&note.body, options) {
        match event {
            Event::Text(text) => shown.words += &text.replace(|c: char| c.is_ascii_digit(), ""),
            Event::Code(code) => shown.code.push(code.into_string()),
            Event::Html(html) | Event::InlineHtml(html) => shown.html.push(html.into_string()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                shown.links.push(dest_url.into_string());
            }
            Event::Start(_) => {}
            Event::End(end) => shown.blocks.push(end),
            other => shown.words += &format!("{other:?}"),
        }
    }
    shown
}

/// The note says, around code, what it says of a branch called `plain`, and does nothing else.
#[track_caller]
fn assert_inert_note(note: &Note, plain: &Note) {
    let (body, seen, harmless) = (&note.body, shown(note), shown(plain));
    assert_eq!(seen.words, harmless.words, "{body}");
    assert_eq!(seen.blocks, harmless.blocks, "{body}");
    assert_eq!(seen.code.len(), harmless.code.len(), "{body}");
    assert!(
        seen.links.iter().all(|url| url.starts_with(BENCHMARKS)),
        "{body}"
    );
    let marker = body.lines().next_back().expect("it has lines");
    assert_eq!(seen.html, [marker], "{body}");
    assert!(marker.starts_with("<!-- bench-bot "), "{body}");
    assert!(body.lines().all(|line| !line.starts_with('/')), "{body}");
    assert_inert(body);
}

/// Nothing in it moves a cursor, reorders text, or hides.
#[track_caller]
fn assert_inert(text: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let line = text.lines().find(|line| line.contains(acts));
    assert_eq!(line, None);
}

/// A labelled merge request for each name, of its source and its target branch; the last one's are `plain`.
fn named(gitlab: &Gitlab) -> Vec<Mr> {
    let names = names();
    let all = names.iter().map(|(name, _)| name.as_str()).chain(["plain"]);
    all.map(|name| {
        gitlab
            .mr(name)
            .passed()
            .retarget(name)
            .labelled()
            .label("other")
    })
    .collect()
}

/// GitLab carried out nothing that stands in a text.
#[track_caller]
fn assert_nothing_happened(gitlab: &Gitlab, mr: &Mr, labels: &[&str]) {
    assert!(mr.page().contains("(open)"), "{}", mr.page());
    assert_eq!(mr.labels(), labels);
    let commands_only = gitlab
        .writes()
        .into_iter()
        .find(|write| write.status == Some(202));
    assert_eq!(commands_only, None);
}

#[test]
fn a_branch_is_shown_by_its_name_which_does_nothing() {
    let gitlab = Gitlab::start();
    let mrs = named(&gitlab);
    assert_eq!(mrs[0].label_event_id(), 101);
    // Without the link, which reconcile puts in with the name from its record.
    gitlab.fault(|request| (request.method == "PUT").then(Fault::server_error));
    let report = bot(&gitlab, "scan --max-in-flight 99 --format json")
        .exits(1)
        .json();
    gitlab.no_faults();
    run(&gitlab, "reconcile");
    let benchmarks = gitlab.benchmarks();
    for benchmark in &benchmarks {
        gitlab.benchmark_ends(benchmark.id, "success");
    }
    run(&gitlab, "reconcile");

    let plain = mrs.last().expect("there are some").notes();
    assert_eq!(shown(&plain[0]).code[1], "plain");
    for (index, (name, safe)) in names().into_iter().enumerate() {
        let mr = &mrs[index];
        let [first, outcome] = &mr.notes()[..] else {
            panic!("{}", mr.page())
        };
        assert_inert_note(first, &plain[0]);
        assert_inert_note(outcome, &plain[1]);
        let code = shown(first).code;
        assert_eq!([&code[1], &code[3]], [&safe, &safe]);
        assert!(outcome.body.contains("Benchmark finished"));
        assert_nothing_happened(&gitlab, mr, &["other"]);

        // The job and a machine get the name itself.
        let seen = benchmarks[index].job_sees();
        assert_eq!(
            [&seen["BENCH_BRANCH"], &seen["BENCH_TARGET_BRANCH"]],
            [&name, &name]
        );
        assert_eq!(report["queue"][index]["branch"], name);
    }
}

#[test]
fn a_report_is_as_wide_as_ever_and_nothing_in_it_acts_on_a_terminal() {
    let gitlab = Gitlab::start();
    named(&gitlab);
    let record =
        ["\u{1b}[2J\u{202e}", "1"].map(|iid| [("BENCH_MR_IID", iid), ("BENCH_SHA", "\u{1b}c")]);
    for variables in record {
        gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &variables);
    }
    for command in [
        "scan --dry-run -vv",
        "scan --max-in-flight 99 -v",
        "reconcile",
        "status",
        "status --mr 1",
    ] {
        let ran = run(&gitlab, command);
        assert_inert(&ran.stdout);
        assert_inert(&ran.stderr);
        let fits = |line: &&str| line.contains("https://") || line.chars().count() <= 80;
        assert_eq!(ran.stdout.lines().find(|line| !fits(line)), None);
    }
}

/// Hostile names, a plain one last to compare with, and a merge request for each.
fn ready_for_names(gitlab: &Gitlab) -> (Vec<(String, String)>, Vec<Mr>) {
    let plain = ("plain".to_owned(), "plain".to_owned());
    let names: Vec<_> = names().into_iter().chain([plain]).collect();
    let mrs = names.iter();
    let mrs = mrs.map(|_| gitlab.mr("faster").passed().labelled());
    let mrs = mrs.collect();
    (names, mrs)
}

#[test]
fn a_message_of_gitlabs_does_nothing_either() {
    let gitlab = Gitlab::start();
    let (names, mrs) = ready_for_names(&gitlab);
    let messages = names.clone();
    gitlab.fault(move |request| {
        let variables = request.body["variables"].as_array()?;
        let iid = variables
            .iter()
            .find(|variable| variable["key"] == "BENCH_MR_IID")?;
        let index: usize = iid["value"].as_str()?.parse().ok()?;
        Some(refusal(
            serde_json::json!({ "base": [messages[index - 1].0], "@all": ["`"] }),
        ))
    });
    let mut reports = String::new();
    // A run asks for a few only, and the next for others.
    while mrs.iter().any(|mr| mr.notes().is_empty()) {
        let ran = bot(&gitlab, "scan").exits(1);
        assert_inert(&ran.stdout);
        assert_inert(&ran.stderr);
        reports += &ran.stdout;
    }
    assert!(reports.contains("<script>alert(1)</script>"), "{reports}");

    let plain = mrs.last().expect("there are some").notes();
    assert_eq!(shown(&plain[0]).code[2], "400: @all `; plain");
    for (mr, (message, safe)) in mrs.iter().zip(names) {
        let [note] = &mr.notes()[..] else {
            panic!("{}", mr.page())
        };
        assert_inert_note(note, &plain[0]);
        assert_nothing_happened(&gitlab, mr, &["benchmarking"]);
        if message == safe {
            assert_eq!(shown(note).code[2], format!("400: @all `; {message}"));
        }
    }
}

fn refusal(message: Value) -> Fault {
    let body = serde_json::json!({ "message": message }).to_string();
    Fault::answer(400, "application/json", &body)
}

/// Only a name of several lines has something to fold.
fn without_figures(outcome: &Note) -> Note {
    let mut note = outcome.clone();
    if let Some((text, folded)) = outcome.body.split_once("\n\n<details>") {
        let (_, marker) = folded.rsplit_once("</details>").expect("it ends");
        note.body = format!("{text}{marker}");
    }
    note
}

#[test]
fn what_a_job_is_called_and_what_it_leaves_does_nothing_either() {
    let gitlab = Gitlab::start();
    let (names, mrs) = ready_for_names(&gitlab);
    run(&gitlab, "scan --max-in-flight 99");
    for (benchmark, (name, _)) in gitlab.benchmarks().iter().zip(&names) {
        gitlab.job_fails(benchmark.id, name, name);
        gitlab.benchmark_leaves(benchmark.id, "benchmark", "bench-summary.md", name);
        gitlab.benchmark_ends(benchmark.id, "failed");
    }
    let ran = run(&gitlab, "reconcile --results-job benchmark -vv");
    assert_inert(&ran.stdout);
    assert_inert(&ran.stderr);

    let plain = mrs.last().expect("there are some").notes();
    let code = [
        "plain",
        "benchmark",
        "benchmark",
        "script_failure",
        "plain",
        "plain",
    ];
    assert_eq!(shown(&plain[1]).code[1..7], code);
    for (mr, (name, safe)) in mrs.iter().zip(names) {
        let [_, outcome] = &mr.notes()[..] else {
            panic!("{}", mr.page())
        };
        assert_inert(&outcome.body);
        assert_inert_note(&without_figures(outcome), &plain[1]);
        assert_nothing_happened(&gitlab, mr, &[]);
        let code = shown(outcome).code;
        assert_eq!([&code[5], &code[6]], [&safe, &safe]);
        if name == safe && name.len() < 200 {
            assert_eq!(code[1], name);
        }
    }
}

#[test]
fn whatever_gitlab_refuses_is_safe_to_print() {
    for path in [
        "user",
        "merge_requests",
        "discussions",
        "variables",
        "pipeline",
        "notes/301",
    ] {
        let gitlab = Gitlab::start();
        gitlab.mr("faster").passed().labelled();
        gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
        gitlab.fault(move |request| {
            let message = serde_json::json!("\u{1b}[2J\u{7f}\u{202e}x\n\u{200b}error: all is well");
            request.path.ends_with(path).then(|| refusal(message))
        });
        let ran = bot(&gitlab, "scan --max-in-flight 9 -vv").runs();
        assert_ne!(ran.code, 0, "{path}");
        assert_inert(&ran.stdout);
        assert_inert(&ran.stderr);
        let forged = |line: &str| line.starts_with("error: all is well");
        assert!(!ran.stderr.lines().any(forged), "{}", ran.stderr);
    }
}

#[test]
fn a_name_of_very_many_backticks_stays_code_in_gitlab() {
    let gitlab = Gitlab::start();
    let mr = gitlab
        .mr(&format!("{}@all", "`".repeat(80)))
        .passed()
        .labelled();
    run(&gitlab, "scan");
    let [note] = &mr.notes()[..] else {
        panic!("{}", mr.page())
    };
    assert!(shown(note).code[1].ends_with("@all"), "{}", note.body);
    // cmark-gfm and comrak: `MAXBACKTICKS`. A longer run opens no code, and @all tells everybody.
    let longest = note.body.split(|c| c != '`').map(str::len).max();
    assert!(longest <= Some(80), "{}", note.body);
}
