//! How many requests a run makes: they are exact, and do not grow with history.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr};

use crate::bot::{bot, run};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The requests that a command makes.
fn requests(gitlab: &Gitlab, command: &str) -> usize {
    gitlab.clear_requests();
    run(gitlab, command);
    gitlab.requests().len()
}

/// Old benchmarks and merged merge requests, a third of them still labelled, all of ten days ago.
fn history(gitlab: &Gitlab, length: usize) {
    for number in 0..length {
        let mr = gitlab.mr(&format!("old-{number}")).passed();
        if number % 3 == 0 {
            mr.labelled();
        }
        mr.merge();
        let iid = mr.iid().to_string();
        let made = [("BENCH_MR_IID", iid.as_str()), ("BENCH_REQUEST_ID", "1")];
        let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &made);
        gitlab.benchmark_ends(id, "success");
    }
    gitlab.later(10 * DAY);
}

fn ready(gitlab: &Gitlab, count: usize) -> Vec<Mr> {
    (0..count)
        .map(|number| gitlab.mr(&format!("ready-{number}")).passed().labelled())
        .collect()
}

/// Who the bot is, the two projects, the labelled merge requests, and its newest pipelines.
const EVERY_RUN: usize = 1 + 2 + 1 + 1;
/// The same, and the merge requests that it has seen.
const EVERY_SCAN: usize = EVERY_RUN + 1;
/// 👀 on a merge request that is seen for the first time.
const SEEN: usize = 1;
/// Whether the label exists, where no merge request bears it.
const UNUSED_LABEL: usize = 1;
/// The same, but those with the bot's other reaction in place of labelled ones; those merged and closed with the label on, and the
/// pipelines that have changed lately.
const EVERY_RECONCILE: usize = EVERY_SCAN + UNUSED_LABEL + 2 + 1;
/// The merge request, and its label events.
const EACH: usize = 2;
/// The mark, the new discussion, once more the merge request and its events, the pipeline, the link.
const A_START: usize = 1 + 1 + EACH + 1 + 1;

#[test]
fn a_scan_asks_for_what_is_open_and_no_more() {
    let gitlab = Gitlab::start();
    assert_eq!(requests(&gitlab, "scan"), EVERY_SCAN + UNUSED_LABEL);
    ready(&gitlab, 5);
    assert_eq!(requests(&gitlab, "scan --dry-run"), EVERY_SCAN + 5 * EACH);
    let first = requests(&gitlab, "scan");
    assert_eq!(first, EVERY_SCAN + 5 * EACH + 5 * SEEN + A_START);
    let variables = 1;
    assert_eq!(requests(&gitlab, "scan"), EVERY_SCAN + 5 * EACH + variables);
}

#[test]
fn discussions_are_looked_up_where_somebody_wrote_something() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    mr.comment("linus", "please");
    let discussions = 1;
    assert_eq!(
        requests(&gitlab, "scan"),
        EVERY_SCAN + EACH + SEEN + discussions + EACH + A_START
    );
}

#[test]
fn of_which_commit_a_pipeline_is_is_asked_once_and_where_it_is_in_doubt() {
    let none: fn(&Mr) -> Mr = Mr::clone;
    let (commit, list) = (1, 1);
    for (pipeline, then, asked) in [
        ((|mr| mr.passed()) as fn(&Mr) -> Mr, none, 0),
        (|mr| mr.passed(), Mr::push, 0),
        (|mr| mr.detached("success"), none, 0),
        (|mr| mr.detached("success"), Mr::push, 0),
        (|mr| mr.merged_results("success"), none, commit),
        (|mr| mr.merged_results("success"), Mr::push, commit),
        (|mr| mr.train("success"), none, commit),
        (
            |mr| mr.passed().squashing_train("success"),
            none,
            commit + list,
        ),
    ] {
        let gitlab = Gitlab::start();
        then(&pipeline(&gitlab.mr("speed-up"))).labelled();
        let every = EVERY_SCAN + EACH + asked;
        assert_eq!(requests(&gitlab, "scan --dry-run"), every);
    }
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").merged_results("success").labelled();
    assert_eq!(
        requests(&gitlab, "scan"),
        EVERY_SCAN + EACH + SEEN + commit + A_START
    );
}

#[test]
fn a_reconcile_asks_for_what_is_in_flight_or_ended_lately() {
    let gitlab = Gitlab::start();
    let every = EVERY_RECONCILE;
    assert_eq!(requests(&gitlab, "reconcile"), every);
    ready(&gitlab, 1);
    run(&gitlab, "scan");
    let (variables, discussions) = (1, 1);
    assert_eq!(
        requests(&gitlab, "reconcile"),
        every + EACH + variables + discussions
    );
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    let (reply, look_again, events, label_off, marks_off) = (1, 1, 2, 1, 3);
    let finish = reply + look_again + events + label_off + marks_off;
    assert_eq!(
        requests(&gitlab, "reconcile"),
        every + EACH + variables + discussions + finish
    );
    gitlab.later(DAY);
    assert_eq!(requests(&gitlab, "reconcile"), every);
}

#[test]
fn a_reconcile_asks_of_a_refused_request_for_its_discussion_alone() {
    let gitlab = Gitlab::start();
    ready(&gitlab, 1);
    gitlab.configure("acme/benchmarks", |project| project.files.clear());
    bot(&gitlab, "scan").exits(1);
    let discussions = 1;
    assert_eq!(
        requests(&gitlab, "reconcile"),
        EVERY_RECONCILE + discussions
    );
}

/// What has been pushed to a fork matters only to who starts it.
#[test]
fn a_reconcile_does_not_ask_what_was_pushed() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    gitlab.clear_requests();
    run(&gitlab, "reconcile");
    assert!(!mr.is_labelled());
    let mut requests = gitlab.requests().into_iter();
    assert!(!requests.any(|request| request.path.ends_with("/versions")));
}

#[test]
fn a_trigger_asks_for_its_merge_request_alone_whatever_else_is_in_flight() {
    let requests = [0, 3].map(|others| {
        let gitlab = Gitlab::start();
        ready(&gitlab, others);
        run(&gitlab, "scan --max-in-flight 9");
        let variables = others;
        let mr = gitlab.mr("urgent").passed();
        requests(&gitlab, &format!("trigger --mr {}", mr.iid())) - variables
    });
    assert_eq!(requests[0], requests[1]);
}

#[test]
fn jobs_are_asked_for_only_where_the_reply_tells_of_them() {
    let finish = |status: &str, arguments: &str| {
        let gitlab = Gitlab::start();
        ready(&gitlab, 1);
        run(&gitlab, "scan");
        let id = gitlab.benchmarks()[0].id;
        gitlab.benchmark_leaves(id, "benchmark", "bench-summary.md", "2x");
        gitlab.benchmark_ends(id, status);
        let first = requests(&gitlab, &format!("reconcile {arguments}"));
        let (variables, discussions) = (1, 1);
        assert_eq!(
            requests(&gitlab, &format!("reconcile {arguments}")),
            EVERY_RECONCILE + variables + EACH + discussions
        );
        first
    };
    let plain = finish("success", "");
    let (jobs, summary, resolve) = (1, 1, 1);
    assert_eq!(finish("failed", ""), plain + jobs);
    assert_eq!(
        finish("success", "--results-job benchmark"),
        plain + jobs + summary
    );
    assert_eq!(
        finish("failed", "--results-job benchmark"),
        plain + jobs + summary
    );
    assert_eq!(finish("success", "--resolve success"), plain + resolve);
    assert_eq!(finish("failed", "--resolve success"), plain + jobs);
}

#[test]
fn nor_are_they_where_the_outcome_is_told_already() {
    let gitlab = Gitlab::start();
    let mr = ready(&gitlab, 1).remove(0);
    run(&gitlab, "scan");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "failed");
    gitlab.fault(|request| {
        let label_off = request.body.get("remove_labels").is_some();
        label_off.then(Fault::server_error)
    });
    bot(&gitlab, "reconcile").exits(1);
    gitlab.no_faults();
    gitlab.clear_requests();
    run(&gitlab, "reconcile");
    assert!(!mr.is_labelled());
    let mut requests = gitlab.requests().into_iter();
    assert!(!requests.any(|request| request.path.ends_with("/jobs")));
}

#[test]
fn a_status_asks_once_for_each_time_that_it_does_not_know() {
    let gitlab = Gitlab::start();
    let every = EVERY_RUN + 1;
    assert_eq!(requests(&gitlab, "status"), every + UNUSED_LABEL);
    let mrs = ready(&gitlab, 3);
    run(&gitlab, "scan --max-in-flight 2");
    let (variables, details) = (1, 1);
    // When it was labelled and had passed stands in what is read of the merge request anyway.
    let in_flight = EACH + variables + details;
    assert_eq!(requests(&gitlab, "status"), every + 2 * in_flight + EACH);
    let one_of_three = every + 2 * in_flight + EACH - details;
    assert_eq!(requests(&gitlab, "status --mr 1"), one_of_three);
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    run(&gitlab, "reconcile");
    let (events, source_pipeline) = (1, 1);
    let ended = variables + details + events + source_pipeline;
    let all = every + ended + in_flight + EACH;
    assert_eq!(requests(&gitlab, "status"), all);
    // The same commit once more: its label events and its pipeline are asked for once.
    mrs[2].unlabelled();
    mrs[0].labelled();
    run(&gitlab, "scan --max-in-flight 2");
    gitlab.benchmark_ends(gitlab.benchmarks()[2].id, "success");
    run(&gitlab, "reconcile");
    let all = all - EACH + variables + details;
    assert_eq!(requests(&gitlab, "status"), all);
    gitlab.benchmark_ends(gitlab.benchmarks()[1].id, "failed");
    run(&gitlab, "reconcile");
    gitlab.later(8 * DAY);
    assert_eq!(requests(&gitlab, "status"), every + UNUSED_LABEL);
}

#[test]
fn nothing_grows_with_history() {
    let (young, old) = (Gitlab::start(), Gitlab::start());
    history(&old, 300);
    for gitlab in [&young, &old] {
        ready(gitlab, 3);
    }
    for command in [
        "status",
        "scan --dry-run",
        "scan",
        "scan",
        "reconcile",
        "status",
    ] {
        assert_eq!(
            requests(&young, command),
            requests(&old, command),
            "{command}"
        );
    }
    for gitlab in [&young, &old] {
        let benchmark = gitlab.benchmarks().pop().expect("it was started");
        gitlab.benchmark_ends(benchmark.id, "success");
    }
    for command in ["reconcile --dry-run", "reconcile", "reconcile", "status"] {
        assert_eq!(
            requests(&young, command),
            requests(&old, command),
            "{command}"
        );
    }
    let last = |gitlab: &Gitlab| {
        gitlab
            .existing_mr("acme/engine", gitlab.mr("last").passed().iid())
            .iid()
    };
    let triggers = [&young, &old].map(|gitlab| {
        let command = format!("trigger --mr {}", last(gitlab));
        requests(gitlab, &command)
    });
    assert_eq!(triggers[0], triggers[1]);
}

#[test]
fn those_that_merely_wait_cost_a_reconcile_nothing() {
    let gitlab = Gitlab::start();
    let waiting = |count: usize| {
        (0..count).for_each(|number| {
            let mr = gitlab.mr(&format!("waiting-{number}")).running().labelled();
            mr.comment("linus", "Is it any faster?");
        });
        run(&gitlab, "scan");
        requests(&gitlab, "reconcile")
    };
    assert_eq!([waiting(1), waiting(120)], [EVERY_RECONCILE; 2]);
}
