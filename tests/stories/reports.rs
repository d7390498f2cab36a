//! What people and machines read, word for word. A changed snapshot is a changed page: look at it as such.

use std::time::Duration;

use in_memory_gitlab::{Gitlab, LabelOwner, Role};

use crate::bot::{Bot, bare, bot, run};

macro_rules! snapshot {
    ($name:expr, $text:expr) => {
        insta::with_settings!({
            snapshot_path => "../../snapshots",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!($name, $text)
        })
    };
}
pub(crate) use snapshot;

/// One of everything.
fn world() -> Gitlab {
    let gitlab = Gitlab::start();
    gitlab
        .mr("in-flight")
        .passed()
        .pipeline_started(200)
        .labelled();
    run(&gitlab, "scan --announce none");
    gitlab.benchmark_runs(gitlab.benchmarks()[0].id);
    gitlab.later(Duration::from_secs(12 * 60));
    gitlab
        .mr("parser/faster-lookup-of-identifiers-in-deeply-nested-scopes")
        .passed()
        .pipeline_started(150)
        .labelled();
    gitlab
        .fork_mr("schneller-lösen-数独")
        .passed()
        .pipeline_started(25)
        .labelled();
    gitlab.later(Duration::from_secs(3 * 60));
    wait_for_every_reason(&gitlab);
    gitlab
}

/// A merge request for each reason to wait.
pub fn wait_for_every_reason(gitlab: &Gitlab) {
    gitlab.mr("running").running().labelled();
    gitlab.mr("failed").failed().labelled();
    gitlab.mr("pushed").passed().labelled().push();
    gitlab.fork_mr("changed").passed().labelled().push();
    gitlab.mr("bare").labelled();
}

#[test]
fn the_queue_at_a_desk() {
    let gitlab = world();
    snapshot!(
        "scan-dry-run",
        run(&gitlab, "scan --dry-run --max-in-flight 2").stdout
    );
    snapshot!(
        "scan-dry-run-json",
        run(&gitlab, "scan --dry-run --max-in-flight 2 --format json").stdout
    );
}

#[test]
fn a_scan_that_starts_and_one_that_finds_nothing() {
    let gitlab = world();
    snapshot!("scan", run(&gitlab, "scan --max-in-flight 2").stdout);
    snapshot!("scan-nothing", run(&Gitlab::start(), "scan").stdout);
}

#[test]
fn a_reconcile_of_every_kind() {
    let gitlab = Gitlab::start();
    let mr = |branch| gitlab.mr(branch).passed().labelled();
    let (_, failed, withdrawn) = (mr("success"), mr("failed"), mr("withdrawn"));
    mr("stuck");
    run(&gitlab, "scan --max-in-flight 9 --announce none");
    let ids: Vec<u64> = gitlab
        .benchmarks()
        .iter()
        .map(|benchmark| benchmark.id)
        .collect();
    gitlab.benchmark_ends(ids[0], "success");
    gitlab.benchmark_ends(ids[1], "failed");
    withdrawn.unlabelled();
    gitlab.later(Duration::from_secs(25 * 3600));
    failed.lock_discussion();
    snapshot!(
        "reconcile-dry-run",
        run(&gitlab, "reconcile --dry-run").stdout
    );
    gitlab.role("bench-bot", "acme/engine", Role::Reporter);
    snapshot!(
        "reconcile-refused",
        bot(&gitlab, "reconcile").exits(1).stdout
    );
    gitlab.role("bench-bot", "acme/engine", Role::Developer);
    snapshot!(
        "reconcile-json",
        run(&gitlab, "reconcile --format json").stdout
    );
}

#[test]
fn the_pages_of_merge_requests() {
    let gitlab = Gitlab::start();
    let mr = |branch| gitlab.mr(branch).passed().labelled();
    let mrs = [
        mr("success"),
        mr("failed"),
        mr("canceled"),
        mr("skipped"),
        mr("stuck"),
        mr("withdrawn"),
    ];
    run(&gitlab, "scan --max-in-flight 9 --announce none");
    let outcomes = ["success", "failed", "canceled", "skipped"];
    for (benchmark, outcome) in gitlab.benchmarks().iter().zip(outcomes) {
        gitlab.benchmark_ends(benchmark.id, outcome);
    }
    mrs[5].unlabelled();
    gitlab.later(Duration::from_secs(25 * 3600));
    run(&gitlab, "reconcile");
    let pages: Vec<String> = mrs.iter().map(|mr| mr.page()).collect();
    snapshot!("pages", pages.join("\n"));
}

#[test]
fn on_a_terminal_that_makes_links_a_request_takes_a_line() {
    let gitlab = world();
    let told = |variables: &[(&str, &str)]| {
        let scan = bot(&gitlab, "scan --dry-run --max-in-flight 2");
        let set = |scan: Bot, (variable, value): &(&str, &str)| scan.env(variable, value);
        variables.iter().fold(scan, set).succeeds().stdout
    };
    let linked = told(&[("CLICOLOR_FORCE", "1"), ("FORCE_HYPERLINK", "1")]);
    let link = "\u{1b}]8;;https://gitlab.example.com/acme/engine/-/merge_requests/2\u{1b}\\!2\u{1b}]8;;\u{1b}\\";
    assert!(linked.contains(link), "{linked}");
    assert!(!linked.contains("      https://"), "{linked}");
    let plain = told(&[("NO_COLOR", "1"), ("FORCE_HYPERLINK", "1")]);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    assert!(
        plain.contains("\n      https://gitlab.example.com/acme/engine/-/merge_requests/2\n"),
        "{plain}"
    );
}

#[test]
fn a_label_that_nobody_uses_is_named() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    let engine = LabelOwner::Project(7);
    gitlab.world().add_label(engine, "benchmarking::full");
    let told = run(&gitlab, "status --label benchmarking,benchmarking::full").stdout;
    let unused = "No open merge request is labelled benchmarking::full.";
    assert!(told.contains(unused), "{told}");
    assert!(!told.contains("labelled benchmarking."), "{told}");
}

#[test]
fn a_trigger() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed();
    snapshot!("trigger", run(&gitlab, "trigger --mr 1").stdout);
    snapshot!("trigger-again", run(&gitlab, "trigger --mr 1").stdout);
}

#[test]
fn help() {
    for (name, arguments) in [
        ("help", "--help"),
        ("help-scan", "scan --help"),
        ("help-trigger", "trigger --help"),
        ("help-reconcile", "reconcile --help"),
        ("help-status", "status --help"),
        ("help-doctor", "doctor --help"),
    ] {
        snapshot!(name, bare(arguments).env("COLUMNS", "80").succeeds().stdout);
    }
}

#[test]
fn no_report_has_colour_codes_when_piped_or_lines_too_long() {
    let gitlab = world();
    let text = run(&gitlab, "scan --dry-run").stdout;
    assert!(!text.contains('\u{1b}'));
    let fits = |line: &&str| line.contains("https://") || line.chars().count() <= 80;
    assert_eq!(text.lines().find(|line| !fits(line)), None);
}

#[test]
fn with_v_a_run_tells_its_figures() {
    let gitlab = Gitlab::start();
    let ran = run(&gitlab, "scan -v");
    let requests = gitlab.requests().len();
    let figures = ran.stderr.lines().last().unwrap_or_default();
    let told = format!("info: {requests} requests, 0 of them retries, longest chain ");
    let chain = figures
        .strip_prefix(&told)
        .and_then(|rest| rest.split(',').next());
    // Two, but on a busy machine what goes out together may come to stand in a row.
    let chain = chain.and_then(|chain| chain.parse().ok());
    assert!(
        chain.is_some_and(|chain| (2..=requests).contains(&chain)),
        "{figures}"
    );
}
