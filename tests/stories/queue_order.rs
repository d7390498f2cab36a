//! Whose turn it is: whoever waits for a first benchmark goes before those who ask again for what was measured already.

use std::time::Duration;

use in_memory_gitlab::{ENGINE, Gitlab, LabelOwner, Mr};

use crate::bot::{json, run};

const MINUTE: Duration = Duration::from_secs(60);

/// The merge requests in the queue, in the order in which they go.
fn queue(gitlab: &Gitlab, order: &str) -> Vec<u64> {
    let report = json(gitlab, &format!("scan --dry-run {order}"));
    let queue = report["queue"].as_array().expect("a list").iter();
    queue
        .map(|queued| queued["mr"].as_u64().expect("a number"))
        .collect()
}

/// The one that goes next is measured.
fn next(gitlab: &Gitlab, order: &str) -> u64 {
    run(gitlab, &format!("scan {order}"));
    let benchmark = gitlab.benchmarks().pop().expect("one was started");
    assert!(!benchmark.has_ended(), "one was started");
    gitlab.later(MINUTE);
    gitlab.benchmark_ends(benchmark.id, "success");
    run(gitlab, "reconcile");
    let iid = benchmark.variable("BENCH_MR_IID").expect("a record");
    iid.parse().expect("a number")
}

const ORDERS: [&str; 2] = ["", "--order request"];

#[test]
fn asking_again_five_times_does_not_overtake_a_colleagues_first() {
    for order in ORDERS {
        let gitlab = Gitlab::start();
        let eager = gitlab.mr("eager").passed().labelled();
        assert_eq!(next(&gitlab, order), eager.iid());
        eager.labelled();
        gitlab.later(MINUTE);
        let colleague = gitlab.mr("colleague").passed().labelled();
        let mut turns = Vec::new();
        for _ in 0..5 {
            turns.push(next(&gitlab, order));
            if !eager.is_labelled() {
                eager.labelled();
            }
        }
        let [first, others @ ..] = &turns[..] else {
            panic!("{turns:?}")
        };
        assert_eq!(*first, colleague.iid(), "{order}");
        assert!(others.iter().all(|turn| *turn == eager.iid()), "{turns:?}");
    }
}

#[test]
fn neither_does_taking_the_label_off_and_putting_it_on_again() {
    for order in ORDERS {
        let gitlab = Gitlab::start();
        let eager = gitlab.mr("eager").passed().labelled();
        next(&gitlab, order);
        for _ in 0..5 {
            eager.relabel();
        }
        let colleague = gitlab.mr("colleague").passed().labelled();
        assert_eq!(queue(&gitlab, order), [colleague.iid(), eager.iid()]);
    }
}

#[test]
fn what_was_only_asked_for_is_not_yet_measured() {
    // Off and on again without a benchmark between: still a first, by its own pipeline.
    let gitlab = Gitlab::start();
    let eager = gitlab.mr("eager").passed().labelled();
    let colleague = gitlab.mr("colleague").passed().labelled();
    for _ in 0..5 {
        eager.relabel();
    }
    assert_eq!(queue(&gitlab, ""), [eager.iid(), colleague.iid()]);
    assert_eq!(
        queue(&gitlab, "--order request"),
        [colleague.iid(), eager.iid()]
    );
}

#[test]
fn another_commit_is_a_first_again() {
    for order in ORDERS {
        let gitlab = Gitlab::start();
        let eager = gitlab.mr("eager").passed().labelled();
        next(&gitlab, order);
        eager.push().passed().labelled();
        let colleague = gitlab.mr("colleague").passed().labelled();
        assert_eq!(
            queue(&gitlab, order),
            [eager.iid(), colleague.iid()],
            "{order}"
        );
    }
}

#[test]
fn each_label_has_a_first_of_its_own() {
    for order in ORDERS {
        let gitlab = Gitlab::start();
        let labels = "--label benchmarking --label benchmarking::full";
        gitlab
            .world()
            .add_label(LabelOwner::Project(ENGINE), "benchmarking::full");
        let eager = gitlab.mr("eager").passed().labelled();
        next(&gitlab, order);
        eager.label("benchmarking::full");
        gitlab.later(MINUTE);
        eager.labelled();
        gitlab.later(MINUTE);
        let colleague = gitlab.mr("colleague").passed().labelled();
        let report = json(&gitlab, &format!("scan --dry-run {labels} {order}"));
        let queue = report["queue"].as_array().expect("a list").iter();
        let queue: Vec<_> = queue
            .map(|queued| (queued["mr"].as_u64(), queued["label"].as_str()))
            .collect();
        assert_eq!(
            queue,
            [
                (Some(eager.iid()), Some("benchmarking::full")),
                (Some(colleague.iid()), Some("benchmarking")),
                (Some(eager.iid()), Some("benchmarking")),
            ],
            "{order}"
        );
    }
}

#[test]
fn it_is_remembered_however_long_ago_that_was() {
    for order in ORDERS {
        let gitlab = Gitlab::start();
        let eager = gitlab.mr("eager").passed().labelled();
        next(&gitlab, order);
        // Older than the records that a scan lists, with more since than fit on a page.
        gitlab.later(90 * 24 * 60 * MINUTE);
        for _ in 0..101 {
            let other = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
            gitlab.benchmark_ends(other, "success");
        }
        eager.labelled();
        let colleague = gitlab.mr("colleague").passed().labelled();
        assert_eq!(
            queue(&gitlab, order),
            [colleague.iid(), eager.iid()],
            "{order}"
        );
    }
}

#[test]
fn one_that_was_withdrawn_or_cancelled_counts_as_measured() {
    let ends: [fn(&Gitlab, &Mr, u64); 2] = [
        |_, mr, _| drop(mr.unlabelled()),
        |gitlab, _, benchmark| gitlab.cancel(benchmark),
    ];
    for end in ends {
        let gitlab = Gitlab::start();
        let eager = gitlab.mr("eager").passed().labelled();
        run(&gitlab, "scan");
        end(&gitlab, &eager, gitlab.benchmarks()[0].id);
        run(&gitlab, "reconcile");
        eager.labelled();
        let colleague = gitlab.mr("colleague").passed().labelled();
        assert_eq!(queue(&gitlab, ""), [colleague.iid(), eager.iid()]);
    }
}

/// What a service outside of GitLab reports has no start.
#[test]
fn an_external_pipeline_takes_its_turn_by_its_creation() {
    let gitlab = Gitlab::start();
    let external = gitlab.mr("external").external("success").labelled();
    let later = gitlab.mr("later").passed().labelled();
    assert_eq!(queue(&gitlab, ""), [external.iid(), later.iid()]);
    run(&gitlab, "scan");
    let made = gitlab.pipeline(external.head_pipeline_id().expect("it has one"));
    let benchmark = &gitlab.benchmarks()[0];
    let told = benchmark.variable("BENCH_PIPELINE_STARTED_AT");
    let made = made.created_at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    assert_eq!(told, Some(made.as_str()));
}
