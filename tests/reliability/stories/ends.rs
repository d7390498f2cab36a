//! What becomes of benchmarks, and of what never had one.

use super::*;

const VERDICT: &str =
    "--results-job benchmark --resolve unless-worse --verdict-label worse=perf::worse";

fn judge(gitlab: &Gitlab) {
    let id = gitlab.benchmarks()[0].id;
    gitlab.benchmark_leaves(id, "benchmark", "bench-summary.md", "worse: parse +4.1 %");
    end_all(gitlab);
}

pub static ENDS: [Story; 21] = [
    Story {
        name: "reconcile puts in a link",
        arrange: |gitlab| {
            ready(gitlab);
            gitlab.fault(|request| (request.method == "PUT").then_some(Fault::Reset));
            SOLE.run(gitlab, "scan");
            gitlab.no_faults();
        },
        ..PLAIN
    },
    Story {
        name: "reconcile leaves alone what is in flight",
        by: OF_TWO_LABELS,
        arrange: |gitlab| {
            let mr = ready(gitlab).label("benchmarking::full");
            OF_TWO_LABELS.run(gitlab, "scan --max-in-flight 2");
            assert_eq!(gitlab.benchmarks().len(), 2);
            mr.push();
        },
        ..PLAIN
    },
    Story {
        name: "reconcile cancels what a push has superseded",
        settings: "--on-push cancel",
        arrange: |gitlab| {
            in_flight(gitlab).push();
        },
        ..PLAIN
    },
    Story {
        name: "reconcile finishes",
        arrange: |gitlab| {
            in_flight(gitlab);
            end_all(gitlab);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile finishes one label of two",
        by: OF_TWO_LABELS,
        arrange: |gitlab| {
            ready(gitlab).label("benchmarking::full");
            OF_TWO_LABELS.run(gitlab, "scan --max-in-flight 2");
            assert_eq!(gitlab.benchmarks().len(), 2);
            gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
        },
        ..PLAIN
    },
    Story {
        name: "reconcile finishes where the discussion was deleted",
        arrange: |gitlab| {
            let mr = in_flight(gitlab);
            mr.delete_discussion(&mr.discussions()[1].id);
            end_all(gitlab);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile finishes where no more comments are taken",
        arrange: |gitlab| {
            in_flight(gitlab);
            end_all(gitlab);
            gitlab.world().most_notes = 0;
        },
        ..PLAIN
    },
    Story {
        name: "reconcile finishes with results and resolves",
        settings: "--resolve always --results-job benchmark",
        arrange: |gitlab| {
            in_flight(gitlab);
            let id = gitlab.benchmarks()[0].id;
            gitlab.benchmark_leaves(id, "benchmark", "bench-summary.md", "2x");
            end_all(gitlab);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile passes on a verdict and sets its label",
        settings: VERDICT,
        arrange: |gitlab| {
            gitlab
                .world()
                .add_label(LabelOwner::Project(ENGINE), "perf::worse");
            in_flight(gitlab);
            judge(gitlab);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile passes on the verdict of one whose label is off",
        settings: VERDICT,
        arrange: |gitlab| {
            gitlab
                .world()
                .add_label(LabelOwner::Project(ENGINE), "perf::worse");
            let mr = in_flight(gitlab);
            judge(gitlab);
            mr.unlabelled();
        },
        ..PLAIN
    },
    Story {
        name: "reconcile tells of failed jobs and resolves",
        settings: "--resolve always",
        arrange: |gitlab| {
            in_flight(gitlab);
            let id = gitlab.benchmarks()[0].id;
            gitlab.job_fails(id, "benchmark", "runner_system_failure");
            gitlab.benchmark_ends(id, "failed");
        },
        ..PLAIN
    },
    Story {
        name: "reconcile tells of another end after a retry",
        arrange: |gitlab| {
            in_flight(gitlab);
            let id = gitlab.benchmarks()[0].id;
            gitlab.benchmark_ends(id, "failed");
            SOLE.run(gitlab, "reconcile");
            gitlab.retry(id);
            gitlab.benchmark_ends(id, "success");
        },
        ..PLAIN
    },
    Story {
        name: "reconcile withdraws",
        arrange: |gitlab| drop(in_flight(gitlab).unlabelled()),
        ..PLAIN
    },
    Story {
        name: "reconcile withdraws and resolves",
        settings: "--resolve always",
        arrange: |gitlab| drop(in_flight(gitlab).unlabelled()),
        ..PLAIN
    },
    Story {
        name: "reconcile withdraws what takes its time to end",
        arrange: |gitlab| {
            in_flight(gitlab).unlabelled();
            gitlab.benchmark_runs(gitlab.benchmarks()[0].id);
            gitlab.world().slow_cancel = true;
        },
        afterwards: |gitlab| {
            gitlab.run_background_jobs();
            gitlab.run_background_jobs();
        },
        ..PLAIN
    },
    Story {
        name: "reconcile cancels what is stuck",
        arrange: |gitlab| {
            in_flight(gitlab);
            gitlab.later(A_DAY_AND_MORE);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile cancels what a manual job blocks",
        settings: "--results-job benchmark",
        arrange: |gitlab| {
            in_flight(gitlab);
            gitlab.benchmark_blocked(gitlab.benchmarks()[0].id, "publish");
            gitlab.later(A_DAY_AND_MORE);
        },
        ..PLAIN
    },
    Story {
        name: "reconcile closes what lost its label before its turn",
        arrange: |gitlab| {
            let mr = ready(gitlab);
            refuse(gitlab, "speed-up");
            SOLE.run(gitlab, "scan");
            refuse_nothing(gitlab);
            mr.unlabelled();
        },
        ..PLAIN
    },
    Story {
        name: "reconcile closes one label of two",
        by: OF_TWO_LABELS,
        arrange: |gitlab| {
            let mr = ready(gitlab).label("benchmarking::full");
            refuse(gitlab, "speed-up");
            OF_TWO_LABELS.run(gitlab, "scan");
            assert_eq!(mr.discussions().len(), 3);
            mr.unlabelled();
        },
        afterwards: |gitlab| {
            gitlab
                .existing_mr("acme/engine", 2)
                .unlabel("benchmarking::full");
        },
        ..PLAIN
    },
    Story {
        name: "reconcile closes what was merged or closed before its turn",
        arrange: |gitlab| {
            let mr = ready(gitlab);
            refuse(gitlab, "speed-up");
            SOLE.run(gitlab, "scan");
            refuse_nothing(gitlab);
            mr.merge();
            gitlab.mr("untold").running().labelled().close();
        },
        ..PLAIN
    },
    Story {
        name: "trigger finishes, labels and starts",
        command: "trigger --mr 2",
        arrange: |gitlab| {
            in_flight(gitlab);
            end_all(gitlab);
        },
        ..PLAIN
    },
];
