//! Command lines in hints, which people paste into a shell.

use in_memory_gitlab::Gitlab;

use crate::bot::{bot, pasted, run};

const ODD_LABELS: [&str; 2] = ["needs bench", "it's $HOME"];

#[test]
fn the_hint_about_a_missing_label_creates_that_label() {
    for label in ODD_LABELS {
        let gitlab = Gitlab::start();
        let scan = || bot(&gitlab, "scan --label").arg(label);
        let hint = scan().exits(1).complaint().to_owned();
        assert!(hint.contains("create it with `bench-bot doctor --fix --label="));
        pasted(&gitlab, &hint).succeeds();
        scan().succeeds();
    }
}

#[test]
fn the_hint_of_doctor_creates_the_label_and_stays_on_a_line() {
    for label in ODD_LABELS {
        let gitlab = Gitlab::start();
        let flags =
            "doctor --project acme/engine --benchmark-project acme/benchmarks --ref main --label";
        let doctor = || bot(&gitlab, flags).arg(label);
        let report = doctor().exits(1).stdout;
        let hint = report.lines().find(|line| line.contains("doctor --fix"));
        let hint = hint.expect("the label is missing");
        assert!(hint.contains("--project=acme/engine"), "{hint}");
        pasted(&gitlab, hint).succeeds();
        doctor().succeeds();
    }
}

#[test]
fn the_hint_of_status_starts_that_merge_request_for_that_label() {
    let gitlab = Gitlab::start();
    bot(&gitlab, "doctor --fix --label")
        .arg("needs bench")
        .succeeds();
    gitlab.mr("first").passed().label("needs bench");
    let second = gitlab.mr("second").passed().label("needs bench");
    bot(&gitlab, "scan --label").arg("needs bench").succeeds();
    let status = bot(&gitlab, "status 2 --label").arg("needs bench");
    let status = status.succeeds().stdout;
    let command = "`bench-bot trigger 2 --label='needs bench'`";
    assert!(status.contains(command), "{status}");
    pasted(&gitlab, &status).succeeds();
    let benchmarks = gitlab.benchmarks();
    assert_eq!(benchmarks[1].variable("BENCH_MR_IID"), Some("2"));
    assert_eq!(benchmarks[1].variable("BENCH_LABEL"), Some("needs bench"));
    assert!(!second.page().contains("--label"), "{}", second.page());
}

#[test]
fn what_comes_from_the_environment_is_not_repeated_and_neither_is_the_format() {
    let gitlab = Gitlab::start();
    let ran = bot(&gitlab, "scan --format json")
        .env("BENCH_BOT_LABEL", "needs bench")
        .exits(1);
    let end = "create it with `bench-bot doctor --fix`";
    assert!(ran.complaint().ends_with(end), "{}", ran.stderr);
}

#[test]
fn a_flag_without_a_value_and_one_that_is_repeated_are_given_as_they_were() {
    let gitlab = Gitlab::start();
    let flags = "scan --allow-http --label missing --label=also,-odd --max-in-flight=0";
    let ran = bot(&gitlab, flags).exits(1);
    let command = "`bench-bot doctor --fix --label=missing --label=also --label=-odd --max-in-flight=0 --allow-http`";
    assert!(ran.stderr.contains(command), "{}", ran.stderr);
    pasted(&gitlab, &ran.stderr).succeeds();
    run(&gitlab, "scan --label=-odd");
}
