//! What is going on, and why nothing happens: told without writing anything.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use in_memory_gitlab::{Fault, Gitlab, Mr};
use serde_json::{Value, json};

use crate::bot::{bot, json, run};
use crate::reports::{snapshot, wait_for_every_reason};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The next benchmark, from its scan to its outcome; so many minutes until a machine takes it up, and so many that
/// it takes.
fn benchmarked(gitlab: &Gitlab, machine_after: u32, takes: u32, outcome: &str) {
    run(gitlab, "scan --announce none");
    let id = gitlab.benchmarks().last().expect("it was started").id;
    gitlab.later(machine_after * MINUTE);
    gitlab.benchmark_runs(id);
    gitlab.later(takes * MINUTE);
    gitlab.benchmark_ends(id, outcome);
    run(gitlab, "reconcile");
}

/// Three benchmarks on Monday, one on Tuesday, and now one in flight, two queued, and others that wait.
fn two_days() -> Gitlab {
    let gitlab = Gitlab::start();
    gitlab.mr("bigger-cache").passed().labelled();
    gitlab.later(2 * MINUTE);
    gitlab.mr("parser/lookup-table").passed().labelled();
    let late = gitlab.mr("arena-allocator").running().labelled();
    gitlab.later(5 * MINUTE);
    benchmarked(&gitlab, 1, 25, "success");
    gitlab.later(3 * MINUTE);
    late.passed();
    benchmarked(&gitlab, 10, 31, "failed");
    benchmarked(&gitlab, 1, 22, "success");
    gitlab.later(DAY - 60 * MINUTE);
    gitlab.fork_mr("simd").passed().labelled();
    gitlab.later(4 * MINUTE);
    benchmarked(&gitlab, 0, 27, "canceled");
    gitlab.later(11 * MINUTE);
    gitlab.mr("in-flight").passed().labelled();
    gitlab.later(2 * MINUTE);
    run(&gitlab, "scan --announce none");
    gitlab.later(MINUTE);
    gitlab.benchmark_runs(gitlab.benchmarks().last().expect("it was started").id);
    gitlab.later(12 * MINUTE);
    gitlab
        .mr("parser/faster-lookup-of-identifiers-in-deeply-nested-scopes")
        .passed()
        .labelled();
    gitlab.later(4 * MINUTE);
    gitlab.fork_mr("schneller-lösen-数独").passed().labelled();
    gitlab.later(3 * MINUTE);
    wait_for_every_reason(&gitlab);
    gitlab
}

#[test]
fn what_is_going_on() {
    let gitlab = two_days();
    gitlab.clear_requests();
    let text = run(&gitlab, "status").stdout;
    snapshot!("status", text);
    snapshot!("status-json", run(&gitlab, "status --format json").stdout);
    let asked = |gitlab: &Gitlab| {
        let mut asked: Vec<String> = gitlab
            .requests()
            .iter()
            .map(|request| request.path.clone())
            .collect();
        asked.sort_unstable();
        asked
    };
    gitlab.clear_requests();
    run(&gitlab, "status --format json");
    let by_json = asked(&gitlab);
    gitlab.clear_requests();
    let page = run(&gitlab, "status --format html").stdout;
    assert_eq!(asked(&gitlab), by_json, "a page asks for nothing more");
    let (head, rest) = page.split_once("<style>").expect("it has one");
    let (_, body) = rest.split_once("</style>").expect("it ends");
    snapshot!("status-html", format!("{head}{body}").replace("><", ">\n<"));
    assert!(gitlab.writes().is_empty());
    let fits = |line: &&str| line.contains("https://") || line.chars().count() <= 80;
    assert_eq!(text.lines().find(|line| !fits(line)), None);
}

#[test]
fn nothing_is_going_on() {
    let gitlab = Gitlab::start();
    snapshot!("status-nothing", run(&gitlab, "status").stdout);
    let page = run(&gitlab, "status --format html").stdout;
    assert!(page.contains("All is quiet"));
    let how = "Add the label <strong><bdi>benchmarking</bdi></strong> to <a href=";
    assert!(page.contains(how), "{page}");

    gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    gitlab.fault(|request| {
        let variables = request.path.ends_with("/variables");
        variables.then(Fault::server_error)
    });
    let page = bot(&gitlab, "status --format html").exits(1).stdout;
    assert!(page.contains("Some things could not be read") && !page.contains("All is quiet"));
}

#[test]
fn what_a_scan_would_start_goes_next() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    assert!(run(&gitlab, "status").stdout.contains("goes next"));
    assert!(gitlab.writes().is_empty());
}

#[test]
fn every_state_of_a_merge_request_explained() {
    let gitlab = two_days();
    gitlab.mr("unlabelled").failed();
    gitlab.mr("closed").passed().labelled().close();
    gitlab.mr("merged").passed().labelled().merge();
    gitlab.mr("by-hand").pipeline("manual").labelled();
    let explain = |mr: u64, flags: &str| run(&gitlab, &format!("status --mr {mr} {flags}")).stdout;
    let mut told: Vec<String> = (5..=16).map(|mr| explain(mr, "")).collect();
    told.push(explain(7, "--max-in-flight 9"));
    gitlab.existing_mr("acme/engine", 5).unlabelled();
    told.push(explain(5, ""));
    gitlab.existing_mr("acme/engine", 5).labelled();
    told.push(explain(5, "--max-in-flight 9"));
    gitlab.benchmark_ends(
        gitlab.benchmarks().last().expect("one is in flight").id,
        "failed",
    );
    told.push(explain(4, ""));
    snapshot!("status-mr", told.join("\n"));
    snapshot!("status-mr-json", explain(6, "--format json"));
}

#[test]
fn what_reconcile_has_yet_to_do_is_told_as_such() {
    let gitlab = Gitlab::start();
    gitlab.mr("ends").passed().labelled();
    gitlab.mr("hangs").passed().labelled();
    run(&gitlab, "scan --max-in-flight 2 --announce none");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "skipped");
    gitlab.later(2 * DAY);
    for (mr, detail, hint) in [
        (
            1,
            "has already ended: skipped",
            "posts the outcome and takes the label off",
        ),
        (2, "in flight for too long", "The next reconcile cancels it"),
    ] {
        let told = run(&gitlab, &format!("status --mr !{mr}")).stdout;
        assert!(told.contains(detail) && told.contains(hint), "{told}");
    }
    let page = run(&gitlab, "status --format html").stdout;
    assert!(page.contains("<strong>Ended: reconcile reports</strong>"));
}

#[test]
fn what_may_be_its_benchmark_but_cannot_be_read_is_neither_yes_nor_no() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan --announce none");
    gitlab.fault(|request| {
        request
            .path
            .ends_with("/variables")
            .then(Fault::server_error)
    });
    let ran = bot(&gitlab, "status --mr 1 --format json").exits(1);
    let unserved = &ran.json()["conditions"][2];
    assert_eq!(
        (&unserved["name"], &unserved["ok"]),
        (&json!("unserved"), &Value::Null)
    );
}

#[test]
fn a_merge_request_that_is_not_there() {
    let gitlab = Gitlab::start();
    let ran = bot(&gitlab, "status --mr 9").exits(1);
    assert_eq!(
        ran.complaint(),
        "error: !9: there is no such merge request in acme/engine"
    );
    assert_eq!(ran.stdout, "");
    let report = bot(&gitlab, "status --mr 9 --format json").exits(1).json();
    assert_eq!(
        (&report["conditions"], &report["ended"]),
        (&json!([]), &json!([]))
    );
    let elsewhere = "status --mr https://gitlab.example.com/acme/other/-/merge_requests/1";
    let ran = bot(&gitlab, elsewhere).exits(2);
    assert!(
        ran.complaint().contains("is not a merge request of"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_page_is_made_by_status_alone_and_of_all_merge_requests() {
    let gitlab = Gitlab::start();
    for command in ["scan", "reconcile", "trigger --mr 1"] {
        let ran = bot(&gitlab, command)
            .env("BENCH_BOT_FORMAT", "html")
            .exits(2);
        let said = ran.stderr.lines().next().unwrap_or_default();
        assert!(said.contains("BENCH_BOT_FORMAT"), "{said}");
        assert!(
            said.contains("only `bench-bot status` makes a page"),
            "{said}"
        );
    }
    let ran = bot(&gitlab, "status --format html --mr 1").exits(2);
    assert!(ran.complaint().contains("name none"));
    assert!(gitlab.requests().is_empty());
}

#[test]
fn what_ended_is_as_old_as_since_says() {
    let gitlab = Gitlab::start();
    for (branch, days) in [("old", 8), ("older", 3), ("new", 0)] {
        gitlab.mr(branch).passed().labelled();
        benchmarked(&gitlab, 1, 1, "success");
        gitlab.later(days * DAY);
    }
    let ended = |command: &str| -> Vec<Value> {
        let report = json(&gitlab, command);
        let ended = report["ended"].as_array().expect("a list").iter();
        ended.map(|ended| ended["mr"].clone()).collect()
    };
    assert_eq!(ended("status"), [3, 2], "latest first");
    assert_eq!(ended("status --since 12days"), [3, 2, 1]);
    assert_eq!(ended("status --since 1h"), [3]);
    assert_eq!(ended("status --since 12days --mr 1"), [1]);
}

/// One ended benchmark of ours and one of another project's.
fn ours_and_theirs() -> Gitlab {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    benchmarked(&gitlab, 1, 20, "success");
    let mut record = gitlab.benchmarks().remove(0).variables;
    let project = record.iter_mut().find(|(key, _)| key == "BENCH_PROJECT_ID");
    project.expect("a record").1 = "50".to_owned();
    let record: Vec<_> = record
        .iter()
        .map(|(key, value)| (&**key, &**value))
        .collect();
    let theirs = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &record);
    gitlab.benchmark_ends(theirs, "failed");
    gitlab
}

#[test]
fn the_benchmark_of_another_project_takes_its_place_without_a_number() {
    let gitlab = ours_and_theirs();
    let report = json(&gitlab, "status");
    let theirs = &report["ended"][0];
    assert_eq!(
        (&theirs["mr"], &theirs["outcome"]),
        (&Value::Null, &json!("failed"))
    );
    assert_eq!(
        (&theirs["requested_at"], &theirs["ready_at"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(report["ended"][1]["mr"], 1);
    // It has the same number there.
    let of_ours = json(&gitlab, "status --mr 1");
    assert_eq!(of_ours["ended"], json!([report["ended"][1]]));
}

#[test]
fn a_time_that_cannot_be_read_is_null_and_the_rest_is_told() {
    let gitlab = ours_and_theirs();
    let whole = json(&gitlab, "status");
    let (source, benchmark) = (
        gitlab
            .existing_mr("acme/engine", 1)
            .head_pipeline_id()
            .expect("it has one"),
        gitlab.benchmarks()[0].id,
    );
    for (path, field) in [
        ("/resource_label_events".to_owned(), "requested_at"),
        (format!("/pipelines/{source}"), "ready_at"),
        (format!("/pipelines/{benchmark}"), "started_at"),
    ] {
        assert!(whole["ended"][1][field].is_string(), "{field}");
        let mut expected = whole.clone();
        expected["ended"][1][field] = Value::Null;
        for (fault, code) in [
            (Fault::server_error(), 1),
            (
                Fault::answer(403, "application/json", r#"{"message":"403 Forbidden"}"#),
                1,
            ),
            (
                Fault::answer(404, "application/json", r#"{"message":"404 Not found"}"#),
                0,
            ),
        ] {
            let path = path.clone();
            gitlab.fault(move |request| request.path.ends_with(&path).then(|| fault.clone()));
            let ran = bot(&gitlab, "status --format json").exits(code);
            assert_eq!(ran.json(), expected, "{field}");
            assert_eq!(ran.stderr.lines().count(), code as usize, "{}", ran.stderr);
        }
    }
    gitlab.fault(|request| {
        request
            .path
            .ends_with("/resource_label_events")
            .then(Fault::server_error)
    });
    let page = bot(&gitlab, "status --format html").exits(1).stdout;
    assert!(page.contains("cannot read when !1 was labelled"));
}

/// Names that Git allows for a branch and some that it does not.
const HOSTILE: [&str; 8] = [
    "<img src=x onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)\" x=\"",
    "' autofocus onfocus='alert(1)",
    "</style></svg></table><iframe src=//evil.test>",
    "\u{202e}gnp.exe\u{2066}",
    "javascript:alert(1)",
    "a-very-long-name-without-any-place-to-break-it-which-goes-on-and-on-and-on-and-on-and-on-and-on-and-on",
];

/// Each name queued, waiting and ended.
fn hostile() -> Gitlab {
    let gitlab = Gitlab::start();
    let mr = |name| gitlab.mr(name).titled(name);
    let ended: Vec<Mr> = HOSTILE
        .iter()
        .map(|name| mr(name).passed().labelled())
        .collect();
    run(&gitlab, "scan --max-in-flight 99");
    gitlab.later(9 * MINUTE);
    for benchmark in gitlab.benchmarks() {
        gitlab.benchmark_runs(benchmark.id);
        gitlab.later(4 * MINUTE);
        gitlab.benchmark_ends(benchmark.id, "success");
    }
    run(&gitlab, "reconcile");
    ended[0].relabel();
    run(&gitlab, "scan --announce none");
    for name in HOSTILE {
        mr(name).passed().labelled();
        mr(name).failed().labelled();
    }
    gitlab
}

/// Sixty requests: as many as a busy team has.
fn busy_week() -> Gitlab {
    let gitlab = Gitlab::start();
    for day in 0..4 {
        for number in 0..5 {
            let branch = format!("tune-pass-{day}-{number}");
            gitlab.mr(&branch).passed().labelled();
            gitlab.later(7 * MINUTE);
            let outcome = ["success", "success", "failed"][(day + number) % 3];
            benchmarked(&gitlab, 2, 18 + 3 * number as u32, outcome);
        }
        gitlab.later(DAY - 300 * MINUTE);
    }
    for number in 0..24 {
        gitlab
            .mr(&format!("vectorize-{number}"))
            .titled("Vectorize the loops of the lexer that are hot in large files")
            .passed()
            .labelled();
        gitlab.later(3 * MINUTE);
    }
    for _ in 0..2 {
        run(&gitlab, "scan --max-in-flight 2 --announce none");
        gitlab.later(4 * MINUTE);
        gitlab.benchmark_runs(gitlab.benchmarks().last().expect("it was started").id);
    }
    (0..2).for_each(|_| wait_for_every_reason(&gitlab));
    (0..6).for_each(|_| drop(gitlab.mr("unroll-loops").failed().labelled()));
    gitlab
}

#[test]
fn hostile_names_stay_text() {
    let gitlab = hostile();
    let page = run(&gitlab, "status --format html").stdout;
    for markup in [
        "<img",
        "<script>alert",
        "<iframe",
        "\u{202e}",
        "\u{2066}",
        "href=\"javascript",
    ] {
        assert!(!page.contains(markup), "{markup}");
    }
    // Escaped, a quote ends no attribute; and no attribute holds a name.
    assert_eq!(
        page.matches("onmouseover").count(),
        page.matches("&quot; onmouseover=&quot;").count()
    );
    assert!(page.matches("&lt;img src=x onerror=alert(1)&gt;").count() > 4);
    assert_eq!(page.matches("<script").count(), 1, "its own");
    for command in ["status", "status --mr 7"] {
        assert!(!run(&gitlab, command).stdout.contains('\u{202e}'));
    }
}

/// The policy lets that one script run, and an attribute of the policy may not end early.
#[test]
fn the_page_runs_its_own_script_alone() {
    let page = run(&Gitlab::start(), "status --format html").stdout;
    let (_, script) = page.split_once("<script>").expect("it has one");
    let (script, _) = script.split_once("</script>").expect("it ends");
    let hash = ring::digest::digest(&ring::digest::SHA256, script.as_bytes());
    let hash = STANDARD.encode(hash);
    assert!(
        page.contains(&format!("script-src 'sha256-{hash}';")),
        "{hash}"
    );
}

#[test]
fn a_link_to_a_merge_request_leads_to_where_it_stands_now() {
    let gitlab = Gitlab::start();
    let mr = gitlab
        .mr("speed-up")
        .titled("Parse twice as fast")
        .passed()
        .labelled();
    run(&gitlab, "scan --announce none");
    let id = gitlab.benchmarks()[0].id;
    gitlab.benchmark_runs(id);
    gitlab.later(20 * MINUTE);
    gitlab.benchmark_leaves(
        id,
        "benchmark",
        "bench-summary.md",
        "-12.0 % <b>in</b> `all`",
    );
    gitlab.benchmark_ends(id, "success");
    run(&gitlab, "reconcile --results-job benchmark");
    mr.label_by("linus", "benchmarking");
    let page = run(&gitlab, "status --format html").stdout;
    assert_eq!(page.matches("id=\"mr-1\"").count(), 1);
    let (_, queue) = page
        .split_once("<section id=\"queue\">")
        .expect("it is queued");
    let (queue, ended) = queue
        .split_once("<section id=\"ended\">")
        .expect("it has ended");
    for shown in [
        "id=\"mr-1\"",
        "Parse twice as fast",
        "by <bdi>ada",
        "labelled by <bdi>linus",
        "goes next",
        "not for the first time",
    ] {
        assert!(queue.contains(shown), "{shown}: {queue}");
    }
    for shown in [
        "Parse twice as fast",
        "labelled by <bdi>ada",
        ">success<",
        "ran 20 min",
        "-12.0 % &lt;b&gt;in&lt;/b&gt; `all`",
    ] {
        assert!(ended.contains(shown), "{shown}: {ended}");
    }
}

#[test]
fn when_a_queued_request_starts_is_told_by_how_long_benchmarks_take() {
    let gitlab = Gitlab::start();
    let measured = ["first", "second", "third"];
    for branch in [&measured[..], &["running", "next", "fifth", "sixth"]].concat() {
        gitlab.mr(branch).passed().labelled();
        gitlab.later(MINUTE);
    }
    let page = |arguments: &str| run(&gitlab, &format!("status --format html {arguments}")).stdout;
    let expected = |command: &str| {
        let queue = json(&gitlab, command)["queue"].take();
        let queue = queue.as_array().expect("a list").clone();
        let expected = queue.iter().map(|queued| queued["expected_at"].clone());
        expected.collect::<Vec<_>>()
    };
    for _ in measured {
        let ended = page("");
        assert!(!ended.contains("in about"), "too little is known yet");
        benchmarked(&gitlab, 2, 28, "success");
    }
    run(&gitlab, "scan --announce none");
    gitlab.later(10 * MINUTE);
    let starts = |page: String, number: u64| {
        let (_, row) = page
            .split_once(&format!("id=\"mr-{number}\""))
            .expect("a row");
        let (_, state) = row.split_once("<div class=\"state\">").expect("a state");
        let (state, _) = state.split_once("</div>").expect("it ends");
        state
            .rsplit_once("</time>")
            .map_or(state, |(state, _)| state)
            .rsplit('>')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let all = |arguments: &str| [5, 6, 7].map(|number| starts(page(arguments), number));
    assert_eq!(
        all(""),
        ["in about 20 min", "in about 50 min", "in about 1 h 20 min"]
    );
    assert_eq!(
        all("--max-in-flight 2"),
        ["goes next", "in about 20 min", "in about 30 min"]
    );
    assert_eq!(all("--max-in-flight 0"), ["ready"; 3]);
    let (scan, status) = (expected("scan --dry-run"), expected("status"));
    assert_eq!(scan, status, "known without reading what ended");
    assert!(scan.iter().all(Value::is_string), "{scan:?}");
    gitlab.later(40 * MINUTE);
    assert_eq!(all(""), ["ready"; 3], "it runs for longer than any before");
}

/// Needs node with playwright-core, and Chromium: `.ci/run` has them. Leaves the pages and how they look in `PAGES`,
/// if that is set.
#[test]
#[ignore]
fn the_page_holds_up_in_a_browser() {
    let temp = std::env::temp_dir().join(format!("bench-bot-pages-{}", std::process::id()));
    let folder = std::env::var("PAGES").map_or(temp, |pages| Path::new(&pages).to_owned());
    std::fs::create_dir_all(&folder).expect("there is room");
    let worlds = [
        ("two-days", two_days()),
        ("busy-week", busy_week()),
        ("quiet", Gitlab::start()),
        ("hostile", hostile()),
    ];
    for (name, gitlab) in &worlds {
        let page = run(gitlab, "status --format html").stdout;
        std::fs::write(folder.join(format!("{name}.html")), page).expect("there is room");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/page.cjs");
    let ran = Command::new("node")
        .arg(script)
        .arg(&folder)
        .output()
        .expect("node is there");
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
}
