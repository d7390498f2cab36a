//! A fork, whose commits are an outsider's: only one that a person has seen is benchmarked.

use in_memory_gitlab::{ADA, Gitlab, Mr, Request};

use super::{before, reason, takes_label_off};
use crate::bot::{bot, json, run};

type Happens = fn(&Gitlab, &Mr) -> Mr;

#[test]
fn a_fork_is_benchmarked_only_at_the_commit_that_it_had_when_somebody_labelled_it() {
    let stories: [(&str, bool, Happens); 9] = [
        ("pushed to a second before", true, |_, mr| {
            mr.push().passed().labelled()
        }),
        ("pushed to a second after", false, |_, mr| {
            mr.labelled().push().passed()
        }),
        ("labelled anew by another since", true, |_, mr| {
            let pushed = mr.labelled().push().passed();
            pushed.unlabelled().label_by("linus", "benchmarking")
        }),
        ("given another label since", false, |_, mr| {
            mr.labelled().push().passed().label("urgent")
        }),
        ("pushed back to that commit", true, |_, mr| {
            let commit = mr.sha();
            mr.passed().labelled().push().force_push_to(&commit)
        }),
        ("pushed back, and passed once more", true, |_, mr| {
            let commit = mr.sha();
            mr.labelled()
                .push()
                .passed()
                .force_push_to(&commit)
                .passed()
        }),
        ("given another target since", true, |_, mr| {
            mr.passed().labelled().retarget("develop")
        }),
        (
            "labelled by an account since deleted",
            false,
            |gitlab, mr| {
                let mr = mr.passed().labelled();
                delete_account(gitlab, ADA);
                mr
            },
        ),
        (
            "labelled by one since deleted, and then by Linus",
            true,
            |gitlab, mr| {
                let mr = mr.passed().labelled();
                delete_account(gitlab, ADA);
                mr.unlabel_by("linus", "benchmarking")
                    .label_by("linus", "benchmarking")
            },
        ),
    ];
    for (story, served, happens) in stories {
        let gitlab = Gitlab::start();
        let mr = happens(&gitlab, &gitlab.fork_mr("speed-up"));
        let report = json(&gitlab, "scan");
        let waits = match served {
            true => "none",
            false if story.ends_with("since deleted") => "unvouched",
            false => "changed-since-request",
        };
        assert_eq!(reason(&report, &mr), waits, "{story}");
        assert_eq!(gitlab.benchmarks().len(), usize::from(served), "{story}");
    }
}

/// What the account did is from now on nobody's.
fn delete_account(gitlab: &Gitlab, user: u64) {
    let mut world = gitlab.world();
    let events = world
        .merge_requests
        .values_mut()
        .flat_map(|mr| &mut mr.label_events);
    events
        .filter(|event| event.user_id == Some(user))
        .for_each(|event| event.user_id = None);
}

#[test]
fn a_branch_of_the_project_itself_is_served_whoever_labelled_it() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    delete_account(&gitlab, ADA);
    run(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn a_label_that_the_bot_puts_back_does_not_approve_of_a_fork() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed().labelled();
    run(&gitlab, "scan");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "failed");
    before(&gitlab, 0, takes_label_off, |people| {
        people
            .existing_mr("acme/engine", 1)
            .relabel()
            .push()
            .passed();
    });
    run(&gitlab, "reconcile");
    gitlab.no_faults();
    assert_eq!(reason(&json(&gitlab, "scan"), &mr), "unvouched");
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn a_fork_pushed_to_while_it_is_triggered_is_not_benchmarked_at_an_unseen_commit() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed();
    let commit = mr.sha();
    before(&gitlab, 0, Request::is_write, |people| {
        people.existing_mr("acme/engine", 1).push().passed();
    });
    bot(&gitlab, "trigger --mr 1").runs();
    for benchmark in gitlab.benchmarks() {
        assert_eq!(benchmark.variable("BENCH_SHA"), Some(commit.as_str()));
    }
}
