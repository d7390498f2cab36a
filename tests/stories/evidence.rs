//! What the bot's own notes say counts: a link to a benchmark that goes on, and the commit that somebody meant.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, Mr, Request};

use crate::bot::{bot, in_flight, run};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn creates(request: &Request) -> bool {
    request.method == "POST" && request.path.ends_with("/pipeline")
}

/// !1 with a benchmark that its discussion links to, though it is another user's.
fn of_another_user() -> (Gitlab, Mr, u64) {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    {
        let mut world = gitlab.world();
        let found = world.pipelines.get_mut(&benchmark).expect("it is there");
        found.user_id = Some(in_memory_gitlab::world::ADA);
    }
    (gitlab, mr, benchmark)
}

#[test]
fn nothing_is_started_beside_a_benchmark_that_a_note_links_to_and_another_user_runs() {
    let (gitlab, mr, benchmark) = of_another_user();
    gitlab.clear_requests();
    for command in ["scan", "trigger --mr 1", "trigger --mr 1 --force"] {
        let ran = bot(&gitlab, command).exits(1);
        let expected = "which is running and was not started by the bot, so nothing is started: wait until it ends or cancel it, and check --bot";
        let said = format!("{} {}", ran.stdout, ran.stderr);
        let said: Vec<&str> = said.split_whitespace().collect();
        assert!(said.join(" ").contains(expected), "{command}: {said:?}");
        assert!(gitlab.writes().is_empty(), "{:?}", gitlab.writes());
    }
    let ran = bot(&gitlab, "status --mr 1").exits(1);
    assert!(
        !ran.stdout.contains("The next scan starts it"),
        "{}",
        ran.stdout
    );
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "scan");
    assert!(mr.page().contains("**Benchmark started**"));
    assert_eq!(gitlab.benchmarks().len(), 2);
}

#[test]
fn nor_beside_one_in_the_benchmark_project_of_before() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.clear_requests();
    let scan = || bot(&gitlab, "scan").env("BENCH_BOT_BENCHMARK_PROJECT", "acme/engine");
    let ran = scan().exits(1);
    let said: Vec<&str> = ran.stdout.split_whitespace().collect();
    assert!(
        said.join(" ").contains("is in another project"),
        "{}",
        ran.stdout
    );
    assert!(gitlab.writes().is_empty());
    gitlab.fault(move |request| {
        let asked = request.path.ends_with(&format!("/pipelines/{benchmark}"));
        asked.then(Fault::forbidden)
    });
    scan().exits(1);
    assert!(gitlab.writes().is_empty());
    assert_eq!(mr.notes().len(), 1, "{}", mr.page());
}

/// A fork's merge request that is triggered while GitLab lets nobody create pipelines.
fn hindered(arguments: &str, arrange: impl Fn(&Mr)) -> (Gitlab, Mr) {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up");
    arrange(&mr);
    gitlab.fault(|request| creates(request).then(|| Fault::throttled(None)));
    let ran = bot(&gitlab, &format!("trigger --mr 1 {arguments}")).exits(1);
    assert!(
        ran.stdout.contains("the next run tries again"),
        "{}",
        ran.stdout
    );
    gitlab.no_faults();
    (gitlab, mr)
}

#[test]
fn what_somebody_triggered_is_started_once_nothing_hinders_it() {
    for (arguments, arrange) in [
        ("", (|mr| drop(mr.passed())) as fn(&Mr)),
        ("--force", |mr| drop(mr.failed())),
    ] {
        let (gitlab, mr) = hindered(arguments, arrange);
        gitlab.later(HOUR);
        run(&gitlab, "scan");
        let [benchmark] = &gitlab.benchmarks()[..] else {
            panic!("{:?}", gitlab.benchmarks())
        };
        assert_eq!(benchmark.variable("BENCH_SHA"), Some(&*mr.sha()));
        let page = mr.page();
        assert!(page.contains("**Benchmark started**"), "{page}");
        assert_eq!(mr.notes().len(), 1, "{page}");
    }
}

#[test]
fn but_no_other_commit_of_that_fork() {
    let (gitlab, mr) = hindered("", |mr| drop(mr.passed()));
    mr.push().passed();
    run(&gitlab, "scan");
    assert!(gitlab.benchmarks().is_empty());
    assert!(mr.page().contains("**Benchmark requested**"));
}

#[test]
fn who_has_to_try_again_is_told_so() {
    let gitlab = Gitlab::start();
    gitlab.fork_mr("speed-up").passed();
    gitlab.fault(|request| {
        let opens = request.method == "POST" && request.path.ends_with("/discussions");
        opens.then(|| Fault::throttled(None))
    });
    let ran = bot(&gitlab, "trigger --mr 1").exits(1);
    assert!(ran.stdout.contains("try again later"), "{}", ran.stdout);
    gitlab.no_faults();
    run(&gitlab, "scan");
    assert!(gitlab.benchmarks().is_empty());
}

/// What people do between the moment that a run looked and the moment that it would start.
#[test]
fn what_changed_in_the_meantime_is_not_started_and_opens_no_discussion() {
    for (change, act) in [
        ("merged", (|mr| drop(mr.merge())) as fn(&Mr)),
        ("closed", |mr| drop(mr.close())),
        ("label off", |mr| drop(mr.unlabelled())),
        ("label anew", |mr| drop(mr.relabel())),
        ("pushed", |mr| drop(mr.push().passed())),
    ] {
        for command in ["scan", "trigger --mr 1", "trigger --mr 1 --force"] {
            let gitlab = Gitlab::start();
            let mr = gitlab.mr("speed-up").passed().labelled();
            mr.comment("linus", "Does it?");
            let people = in_memory_gitlab::People::clone(&gitlab);
            let first = std::sync::Once::new();
            gitlab.fault(move |request| {
                if request.path.ends_with("/discussions") {
                    first.call_once(|| act(&people.existing_mr("acme/engine", 1)));
                }
                None
            });
            let code = if command == "scan" { 0 } else { 1 };
            bot(&gitlab, command).exits(code);
            assert!(gitlab.benchmarks().is_empty(), "{change}, {command}");
            // Both are read at the same time, so that the change may come between.
            let discussions = mr.discussions().len();
            assert!(discussions <= 2, "{change}, {command}: {}", mr.page());
        }
    }
}

/// Only what may concern that merge request decides about it.
#[test]
fn what_is_wrong_elsewhere_is_a_warning_to_whoever_triggers_one() {
    let gitlab = Gitlab::start();
    let (_, first) = in_flight(&gitlab);
    gitlab.later(HOUR);
    let second = gitlab.mr("tidy-up").passed().labelled();
    gitlab.fault(move |request| {
        let denied = request.path.ends_with(&format!("{first}/variables"));
        denied.then(Fault::not_found)
    });
    let ran = run(&gitlab, "trigger --mr 2");
    assert!(ran.stderr.contains("may be a benchmark"), "{}", ran.stderr);
    assert!(second.page().contains("**Benchmark started**"));
}

/// Only the bot's own lists show it otherwise, and it is on none of them.
#[test]
fn one_that_bears_no_mark_is_not_gone_because_it_is_denied_once() {
    let gitlab = Gitlab::start();
    gitlab.fault(|request| {
        let marks = request.path.ends_with("/award_emoji");
        marks.then(Fault::forbidden)
    });
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.fault(|request| {
        let reads = request.path.ends_with("/merge_requests/1");
        reads.then(Fault::not_found)
    });
    bot(&gitlab, "reconcile").exits(1);
    assert_eq!(gitlab.pipeline(benchmark).status, "running");
    gitlab.no_faults();
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    assert!(mr.page().contains("Benchmark finished"), "{}", mr.page());
}

#[test]
fn what_is_in_flight_without_the_mark_gets_it() {
    let gitlab = Gitlab::start();
    gitlab.fault(|request| {
        let marks = request.path.ends_with("/award_emoji");
        marks.then(Fault::server_error)
    });
    let (mr, _) = in_flight(&gitlab);
    gitlab.no_faults();
    assert_eq!(mr.reactions(), []);
    run(&gitlab, "reconcile");
    let mark = ("hourglass_flowing_sand".to_owned(), "bench-bot".to_owned());
    assert_eq!(mr.reactions(), [mark]);
}

#[test]
fn a_link_that_cannot_be_followed_leaves_it_unknown_what_serves_the_request() {
    for path in ["/pipelines/1002", "/pipelines/1002/variables"] {
        let gitlab = Gitlab::start();
        gitlab.lists_lag();
        let (_, benchmark) = in_flight(&gitlab);
        assert_eq!(benchmark, 1002);
        gitlab.fault(move |request| request.path.ends_with(path).then(Fault::server_error));
        let report = bot(&gitlab, "status --mr 1 --format json").exits(1).json();
        assert_eq!(report["waiting"][0]["reason"], "unknown", "{report:#}");
    }
}
