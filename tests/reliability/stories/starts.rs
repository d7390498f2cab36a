//! How benchmarks begin.

use super::*;

pub static STARTS: [Story; 11] = [
    Story {
        name: "scan starts a benchmark",
        command: "scan",
        arrange: |gitlab| drop(ready(gitlab)),
        ..PLAIN
    },
    Story {
        name: "scan announces in discussions",
        command: "scan",
        settings: "--announce discussion",
        arrange: |gitlab| drop(ready(gitlab)),
        ..PLAIN
    },
    Story {
        name: "scan announces again what has changed",
        command: "scan",
        settings: "--announce discussion",
        arrange: |gitlab| {
            ready(gitlab);
            SOLE.run(gitlab, "scan --announce discussion --max-in-flight 0");
            gitlab.existing_mr("acme/engine", 1).pipeline("failed");
        },
        ..PLAIN
    },
    Story {
        name: "scan starts those of a fork and of a merge result",
        command: "scan --max-in-flight 2",
        arrange: |gitlab| {
            gitlab.fork_mr("fork").passed().labelled();
            gitlab
                .mr("merged-results")
                .merged_results("success")
                .labelled();
        },
        ..PLAIN
    },
    Story {
        name: "scan starts one of a fork that was labelled in the form",
        command: "scan",
        arrange: |gitlab| {
            let mr = gitlab.fork_mr_labelled("fork", "ada");
            gitlab.run_background_jobs();
            mr.passed();
        },
        ..PLAIN
    },
    Story {
        name: "scan starts one for each of two labels",
        command: "scan --max-in-flight 2",
        by: OF_TWO_LABELS,
        arrange: |gitlab| drop(ready(gitlab).label("benchmarking::full")),
        ..PLAIN
    },
    Story {
        name: "scan is refused one, and starts the next",
        command: "scan",
        arrange: |gitlab| {
            gitlab.mr("refused").passed().labelled();
            gitlab.mr("next").passed().labelled();
            refuse(gitlab, "refused");
        },
        afterwards: refuse_nothing,
        ..PLAIN
    },
    Story {
        name: "scan is refused by the benchmark project",
        command: "scan --max-in-flight 2",
        arrange: |gitlab| {
            gitlab.mr("first").passed().labelled();
            gitlab.mr("next").passed().labelled();
            misconfigure(gitlab);
        },
        afterwards: refuse_nothing,
        ..PLAIN
    },
    Story {
        name: "scan sees a label before its event",
        command: "scan",
        arrange: |gitlab| {
            gitlab.events_come_late();
            ready(gitlab);
        },
        afterwards: |gitlab| {
            gitlab.world().late_events = false;
            gitlab.run_background_jobs();
        },
        ..PLAIN
    },
    Story {
        name: "scan is shown lists without the latest benchmark",
        command: "scan --max-in-flight 2",
        arrange: |gitlab| {
            gitlab.lists_lag();
            in_flight(gitlab);
        },
        afterwards: |gitlab| {
            gitlab.world().lagging_lists = false;
            gitlab.run_background_jobs();
        },
        ..PLAIN
    },
    Story {
        name: "scan finds a benchmark to which nothing links",
        command: "scan",
        arrange: |gitlab| {
            let links =
                |request: &Request| request.method == "PUT" && request.path.contains("/notes/");
            gitlab.fault(move |request| links(request).then(Fault::server_error));
            in_flight(gitlab);
            gitlab.no_faults();
            end_all(gitlab);
            gitlab.later(A_DAY_AND_MORE);
            // More than a run reads unasked.
            for number in 0..4 {
                gitlab.mr(&format!("other-{number}")).passed().labelled();
            }
            SOLE.run(gitlab, "scan --max-in-flight 4");
            end_all(gitlab);
            SOLE.run(gitlab, "reconcile");
        },
        ..PLAIN
    },
];
