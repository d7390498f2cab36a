//! Requests with two benchmarks, which two runs at once have started: the lower one stands.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

pub static TWINS: [Story; 15] = [
    Story {
        name: "reconcile cancels a double",
        arrange: |gitlab| {
            doubled(gitlab);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile finishes, and cancels a double",
        arrange: |gitlab| {
            let (lower, _) = doubled(gitlab);
            gitlab.benchmark_ends(lower, "success");
        },
        ..PLAIN
    },
    Story {
        name: "reconcile cancels a double when all is told",
        arrange: told,
        ..PLAIN
    },
    Story {
        name: "reconcile cancels a double when all was told long ago",
        arrange: |gitlab| {
            told(gitlab);
            gitlab.later(A_DAY_AND_MORE / 2);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile cancels a double that somebody retried",
        arrange: |gitlab| {
            let (lower, higher) = doubled(gitlab);
            gitlab.benchmark_ends(lower, "success");
            SOLE.run(gitlab, "reconcile");
            assert_eq!(gitlab.pipeline(higher).status, "canceled");
            gitlab.retry(higher);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile leaves alone what outlives its double",
        arrange: |gitlab| {
            let (_, higher) = doubled(gitlab);
            gitlab.benchmark_ends(higher, "success");
        },
        ..PLAIN
    },
    Story {
        name: "reconcile finishes the first of two that have ended",
        arrange: |gitlab| {
            let (lower, higher) = doubled(gitlab);
            gitlab.benchmark_ends(higher, "success");
            gitlab.benchmark_ends(lower, "failed");
        },
        ..PLAIN
    },
    Story {
        name: "reconcile withdraws two",
        settings: "--resolve always",
        arrange: |gitlab| {
            doubled(gitlab);
            gitlab.existing_mr("acme/engine", 2).unlabelled();
        },
        ..PLAIN
    },
    Story {
        name: "reconcile cancels two that are stuck",
        arrange: |gitlab| {
            doubled(gitlab);
            gitlab.later(A_DAY_AND_MORE);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile cancels a double that a manual job blocks",
        arrange: |gitlab| {
            let (lower, higher) = doubled(gitlab);
            gitlab.benchmark_blocked(higher, "publish");
            gitlab.benchmark_ends(lower, "success");
        },
        ..PLAIN
    },
    Story {
        name: "reconcile withdraws two whose label was added again",
        arrange: |gitlab| {
            doubled(gitlab);
            gitlab.existing_mr("acme/engine", 2).relabel();
        },
        ..PLAIN
    },
    Story {
        name: "reconcile finishes one of two of what was merged",
        arrange: |gitlab| {
            let (lower, _) = doubled(gitlab);
            gitlab.existing_mr("acme/engine", 2).merge();
            gitlab.benchmark_ends(lower, "failed");
        },
        ..PLAIN
    },
    Story {
        name: "trigger finds two in flight",
        command: "trigger --mr 2",
        arrange: |gitlab| {
            doubled(gitlab);
        },
        ..PLAIN
    },
    Story {
        name: "trigger finishes one of two, labels and starts",
        command: "trigger --mr 2",
        arrange: |gitlab| {
            let (lower, _) = doubled(gitlab);
            gitlab.benchmark_ends(lower, "success");
        },
        ..PLAIN
    },
    Story {
        name: "trigger starts another beside a double",
        command: "trigger --mr 2",
        arrange: told,
        ..PLAIN
    },
];

/// The second run opens its discussion and starts its benchmark before the first is seen.
fn doubled(gitlab: &Gitlab) -> (u64, u64) {
    ready(gitlab);
    let other = (**gitlab).clone();
    let begun = AtomicUsize::new(0);
    gitlab.fault(move |request| {
        if request.path.ends_with("/discussions")
            && request.method == "POST"
            && begun.fetch_add(1, Ordering::SeqCst) == 0
        {
            SOLE.run(&other, "scan");
        }
        None
    });
    SOLE.run(gitlab, "scan");
    gitlab.no_faults();
    let [lower, higher] = &gitlab.benchmarks()[..] else {
        panic!("two runs at once start two");
    };
    (lower.id, higher.id)
}

/// The lower one has its outcome, the label is off, and that the other was to be cancelled got lost.
fn told(gitlab: &Gitlab) {
    let (lower, higher) = doubled(gitlab);
    gitlab.benchmark_ends(lower, "success");
    gitlab.fault(|request| request.path.ends_with("/cancel").then_some(Fault::Reset));
    SOLE.run(gitlab, "reconcile");
    gitlab.no_faults();
    let label_is_on = gitlab.existing_mr("acme/engine", 2).is_labelled();
    assert!(!label_is_on && !gitlab.pipeline(higher).has_ended());
}
