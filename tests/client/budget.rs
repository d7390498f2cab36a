//! A run ends in its time, whatever it waits for, and tells what it has not done.

use std::time::{Duration, Instant};

use bench_bot::act::{Actor, Effect};
use bench_bot::gitlab::{Connection, Gitlab, Limits, parallel_map};
use bench_bot::id::Iid;
use bench_bot::plan::{self, Announce, OnPush, Order, Resolve, Rules};
use bench_bot::survey::{Scope, survey};
use chrono::TimeDelta;
use in_memory_gitlab::{BOT_TOKEN, Fault, Gitlab as Server};

const RUN_TIME: Duration = Duration::from_secs(1);
/// So much longer than that, that a machine which is busy with other things is no reason.
const LATE: Duration = Duration::from_secs(10);
const TOO_LATE: &str = "the run has reached its time limit";

fn connect(server: &Server, retries: usize) -> Gitlab {
    let connection = Connection {
        gitlab_url: server.url().parse().expect("an address"),
        project: "acme/engine".parse().expect("a path"),
        benchmark_project: "acme/benchmarks".parse().expect("a path"),
        token: BOT_TOKEN.to_owned().into(),
        benchmark_token: None,
        bot: None,
        limits: Limits {
            http_timeout: Duration::from_secs(60),
            retries,
            run_time: RUN_TIME,
            max_bytes: 1 << 20,
            ca_file: None,
        },
    };
    Gitlab::connect(&connection, &[]).expect("everything is there")
}

fn ready(server: &Server, count: usize) {
    (0..count).for_each(|_| drop(server.mr("faster").passed().labelled()));
}

#[test]
fn a_scan_that_is_slowed_down_tells_which_it_could_not_read_and_which_not_start() {
    let server = Server::start();
    ready(&server, 30);
    let (labels, timeout) = (["benchmarking".to_owned()], TimeDelta::hours(24));
    let rules = Rules {
        order: Order::Pipeline,
        max_in_flight: 30,
        timeout,
        on_push: OnPush::Keep,
        announce: Announce::None,
    };
    // With so few left, each request would wait for its share of a minute.
    server.limit_rate(70, true);
    let gitlab = connect(&server, 4);
    let begun = Instant::now();
    let snapshot = survey(
        &gitlab,
        &labels,
        timeout,
        timeout * 2,
        Scope::Queue {
            marked: false,
            threads: false,
        },
    );
    let snapshot = snapshot.expect("the lists are read first");
    let plan = plan::scan(&snapshot, &rules);
    let actor = Actor {
        gitlab: &gitlab,
        label: "benchmarking",
        now: snapshot.now,
        timeout: TimeDelta::hours(24),
        ref_name: "main",
        variables: &[],
        resolve: Resolve::Never,
        verdict_labels: &[],
        results_job: None,
        results_file: None,
        records: &snapshot.records,
    };
    let actions = actor.start_and_announce(&plan);
    assert!(begun.elapsed() < LATE, "{:?}", begun.elapsed());

    let (read, unread) = (&snapshot.merge_requests, &snapshot.unread);
    assert!(!read.is_empty() && !unread.is_empty());
    assert_eq!(read.len() + unread.len(), 30);
    for iid in unread {
        let said = format!("cannot read !{iid}: GET /projects/7/merge_requests/{iid}");
        let mut troubles = snapshot.troubles.iter();
        assert!(
            troubles
                .any(|trouble| trouble.text.starts_with(&said) && trouble.text.contains(TOO_LATE)),
            "{:?}",
            snapshot.troubles
        );
    }
    assert!(!actions.is_empty());
    for action in actions {
        let Effect::Failed(why) = action.effect else {
            panic!("there was no time: {action:?}")
        };
        assert!(why.contains(TOO_LATE), "{why}");
    }
    assert!(server.writes().is_empty());
}

/// More than may be under way at once.
fn ask_side_by_side(gitlab: &Gitlab) -> Vec<String> {
    let asked = parallel_map((1..=48).map(Iid).collect(), |iid| {
        gitlab.source.merge_request(iid)
    });
    let asked = asked.into_iter().map(|answer| answer.map(|mr| mr.iid));
    asked
        .map(|answer| answer.expect_err("nothing comes").message)
        .collect()
}

#[test]
fn nobody_queues_for_longer_where_nothing_is_answered() {
    let server = Server::start();
    let gitlab = connect(&server, 4);
    server.fault(|_| Some(Fault::Hang(LATE)));
    let begun = Instant::now();
    let said = ask_side_by_side(&gitlab);
    assert!(begun.elapsed() < LATE, "{:?}", begun.elapsed());
    let queued = said.iter().filter(|said| said.starts_with(TOO_LATE));
    assert_eq!(queued.count(), 32, "{said:?}");
}

#[test]
fn nobody_asks_again_for_longer() {
    for fault in [Fault::throttled(Some(1)), Fault::server_error()] {
        let server = Server::start();
        let gitlab = connect(&server, 1_000);
        server.fault(move |_| Some(fault.clone()));
        let begun = Instant::now();
        let said = ask_side_by_side(&gitlab);
        assert!(begun.elapsed() < LATE, "{:?}", begun.elapsed());
        // What went wrong, rather than that it was too late to try again.
        assert!(
            said.iter()
                .any(|said| said.starts_with("429") || said.starts_with("500")),
            "{said:?}"
        );
    }
}
