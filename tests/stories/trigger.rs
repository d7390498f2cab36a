//! The manual override.

use in_memory_gitlab::{Gitlab, Role};

use crate::bot::{bot, json, run};

#[test]
fn by_number_by_reference_by_address_or_by_branch() {
    for name in [
        "1",
        "!1",
        "https://gitlab.example.com/acme/engine/-/merge_requests/1",
        "https://gitlab.example.com/acme/engine/-/merge_requests/1/diffs#note_3",
        "feature/speed-up",
    ] {
        for flag in ["", "--mr "] {
            let gitlab = Gitlab::start();
            let mr = gitlab.mr("feature/speed-up").passed().labelled();
            gitlab.mr("feature/speed-up-2").passed();
            run(&gitlab, &format!("trigger {flag}{name}"));
            assert_eq!(gitlab.benchmarks().len(), 1, "{name}");
            assert!(mr.page().contains("Benchmark started"));
            let status = run(&gitlab, &format!("status {flag}{name}"));
            assert!(status.stdout.contains("!1"), "{}", status.stdout);
        }
    }
}

#[test]
fn a_branch_has_to_tell_which_merge_request_is_meant() {
    let gitlab = Gitlab::start();
    gitlab.mr("merged").passed().merge();
    gitlab.mr("twice").passed().retarget("main");
    gitlab.fork_mr("twice").passed();
    for (branch, sentence) in [
        (
            "merged",
            "error: no open merge request of acme/engine comes from a branch merged",
        ),
        (
            "twice",
            "error: !2 and !3 come from a branch twice: name one by its number",
        ),
    ] {
        let ran = bot(&gitlab, &format!("trigger {branch}")).exits(1);
        assert!(ran.complaint().contains(sentence), "{}", ran.stderr);
    }
    assert!(gitlab.writes().is_empty());
}

#[test]
fn it_adds_the_label_where_it_is_missing() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed();
    run(&gitlab, "trigger --mr 1");
    assert!(mr.is_labelled());
    let benchmark = &gitlab.benchmarks()[0];
    let request = mr.label_event_id().to_string();
    assert_eq!(
        benchmark.variable("BENCH_REQUEST_ID"),
        Some(request.as_str())
    );
    gitlab.benchmark_ends(benchmark.id, "success");
    run(&gitlab, "reconcile");
    assert!(!mr.is_labelled(), "and reconcile treats it like any other");
}

#[test]
fn it_passes_over_order_and_limit() {
    let gitlab = Gitlab::start();
    gitlab.mr("first").passed().pipeline_started(90).labelled();
    gitlab.mr("second").passed().pipeline_started(60).labelled();
    gitlab.mr("urgent").passed().labelled();
    run(&gitlab, "scan");
    run(&gitlab, "trigger --mr !3");
    let benchmarks = gitlab.benchmarks();
    assert_eq!(benchmarks[1].variable("BENCH_MR_IID"), Some("3"));
}

#[test]
fn it_refuses_in_a_sentence_and_writes_nothing() {
    let gitlab = Gitlab::start();
    gitlab.mr("merged").passed().merge();
    gitlab.mr("closed").passed().labelled().close();
    gitlab.mr("bare");
    gitlab.mr("running").running();
    gitlab.mr("failed").failed().labelled();
    gitlab.mr("outdated").passed().push();
    gitlab
        .fork_mr("changed")
        .passed()
        .labelled()
        .push()
        .passed();
    for (mr, sentence) in [
        (
            1,
            "error: !1: it is merged; only an open merge request is benchmarked",
        ),
        (
            2,
            "error: !2: it is closed; only an open merge request is benchmarked",
        ),
        (3, "error: !3: no pipeline; --force overrides"),
        (4, "error: !4: pipeline running; --force overrides"),
        (5, "error: !5: pipeline failed; --force overrides"),
        (6, "error: !6: no pipeline for its head; --force overrides"),
        (
            7,
            "error: !7: somebody pushed to its fork after the label was added: look at the commits, take the label off and add it again; --force overrides",
        ),
        (
            99,
            "error: !99: there is no such merge request in acme/engine",
        ),
    ] {
        let ran = bot(&gitlab, &format!("trigger --mr {mr}")).exits(1);
        assert_eq!(ran.complaint(), sentence);
        assert_eq!(ran.stdout, "");
    }
    assert!(gitlab.writes().is_empty(), "{:?}", gitlab.writes());
}

#[test]
fn a_refusal_is_in_the_json_report_too() {
    let gitlab = Gitlab::start();
    gitlab.mr("failed").failed();
    let report = bot(&gitlab, "trigger --mr 1 --format json").exits(1).json();
    assert_eq!(report["actions"][0]["outcome"], "failed");
    assert_eq!(
        report["actions"][0]["error"],
        "pipeline failed; --force overrides"
    );
}

#[test]
fn force_overrides_the_pipeline_and_the_fork_rule() {
    let gitlab = Gitlab::start();
    let bare = gitlab.mr("bare");
    gitlab
        .fork_mr("changed")
        .passed()
        .labelled()
        .push()
        .failed();
    run(&gitlab, "trigger --mr 1 --force");
    run(&gitlab, "trigger --mr 2 --force");
    let [first, second] = &gitlab.benchmarks()[..] else {
        panic!("{:?}", gitlab.benchmarks())
    };
    assert_eq!(first.variable("BENCH_SHA"), Some(bare.sha().as_str()));
    assert_eq!(first.variable("BENCH_PIPELINE_ID"), Some(""));
    assert_eq!(first.variable("BENCH_PIPELINE_STARTED_AT"), Some(""));
    assert_eq!(second.variable("BENCH_MR_IID"), Some("2"));
    gitlab.benchmark_ends(first.id, "success");
    run(&gitlab, "reconcile");
    assert!(
        bare.page().contains("Benchmark finished"),
        "its record can be read back"
    );
}

#[test]
fn one_in_flight_is_not_started_twice() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    gitlab.clear_requests();
    for command in ["trigger --mr 1", "trigger --mr 1 --force"] {
        let ran = run(&gitlab, command);
        assert!(
            ran.stdout.contains(&gitlab.benchmarks()[0].url),
            "{}",
            ran.stdout
        );
    }
    assert!(gitlab.writes().is_empty());
}

#[test]
fn one_that_ended_is_finished_first_and_then_begun_anew() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "failed");
    let report = json(&gitlab, "trigger --mr 1");
    let actions: Vec<_> = report["actions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|action| &action["action"])
        .collect();
    assert_eq!(actions, ["finish", "start"]);
    let [first, second] = &mr.discussions()[..] else {
        panic!("{}", mr.page())
    };
    assert!(first.notes[1].body.contains("failed"));
    assert!(second.notes[0].body.contains(&gitlab.benchmarks()[1].url));
    assert!(mr.is_labelled());
}

#[test]
fn an_address_of_another_project_or_server_is_an_unusable_argument() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed();
    for project in [
        "https://gitlab.example.com/acme/other",
        "https://gitlab.com/acme/engine",
        "https://gitlab.example.com:8443/acme/engine",
    ] {
        let ran = bot(
            &gitlab,
            &format!("trigger --mr {project}/-/merge_requests/1"),
        )
        .exits(2);
        assert!(
            ran.complaint()
                .contains("not a merge request of https://gitlab.example.com/acme/engine"),
            "{project}"
        );
    }
    assert!(gitlab.writes().is_empty());
    let by_its_settings = format!("{}/acme/engine/-/merge_requests/1", gitlab.url());
    run(&gitlab, &format!("trigger --mr {by_its_settings}"));
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn a_label_that_the_bot_may_not_set_is_said() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed();
    gitlab.role("bench-bot", "acme/engine", Role::Reporter);
    let ran = bot(&gitlab, "trigger --mr 1").exits(1);
    assert!(ran.stdout.contains("403"), "{}", ran.stdout);
    assert!(gitlab.benchmarks().is_empty());
}
