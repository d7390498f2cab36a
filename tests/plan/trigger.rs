//! What `trigger` does about one merge request.

use bench_bot::gitlab::answer::Version;
use bench_bot::id::{Iid, RequestId};
use bench_bot::plan::{self, RecordRepair, Refusal, Repair, Trigger};
use bench_bot::record::Record;
use bench_bot::snapshot::{MergeRequest, Origin, Snapshot};

use crate::scene::*;

fn decide(snapshot: &Snapshot, force: bool) -> String {
    let mr = &snapshot.merge_requests[&Iid(1)];
    match plan::trigger(snapshot, mr, &RULES, force) {
        Ok(Trigger {
            finish,
            cancels,
            in_flight,
        }) => {
            let finish = finish.map(|_| "finish".to_owned());
            let cancels = cancels.iter().map(|repair| match repair {
                Repair::Record(record, RecordRepair::Cancel) => {
                    format!("cancel {}", record.pipeline)
                }
                repair => panic!("{repair:?}"),
            });
            let rest = match in_flight {
                Some(record) => format!("in flight {}", record.pipeline),
                None => "start".to_owned(),
            };
            let all: Vec<String> = finish.into_iter().chain(cancels).chain([rest]).collect();
            all.join(", ")
        }
        Err(Refusal::NotOpen(_)) => "not open".to_owned(),
        Err(Refusal::NoCommit) => "no commit".to_owned(),
        Err(Refusal::NotReady(_, reason)) => reason.word().to_owned(),
        Err(Refusal::Unknown) => "unknown".to_owned(),
    }
}

fn fork(head: &str, by: Option<&str>) -> MergeRequest {
    with(1, |mr| {
        mr.requests[0].by = by.map(|name| user(40, name));
        mr.origin = Origin::Fork {
            versions: vec![Version {
                id: 1,
                head_commit_sha: Some(sha(head)),
                created_at: at(-90),
            }],
        }
    })
}

#[test]
fn what_trigger_does() {
    let failed = || pipeline(|pipeline| pipeline.status = word("failed"));
    let changed = || fork("c", Some("dana"));
    let running = || vec![record(9, 1, "running")];
    let ended = || vec![record(9, 1, "failed")];
    let of_full = |status| {
        vec![record_with(status, |record| {
            (record.task.request, record.task.label) = (RequestId(102), FULL.to_owned());
        })]
    };
    let none = Vec::<Record>::new;
    for (case, mr, records, by_default, forced) in [
        ("ready", mr(1), none(), "start", "start"),
        ("ready, unlabelled", off(mr(1)), none(), "start", "start"),
        (
            "not passed",
            failed(),
            none(),
            "pipeline-unsuccessful",
            "start",
        ),
        (
            "not passed, unlabelled",
            off(failed()),
            none(),
            "pipeline-unsuccessful",
            "start",
        ),
        (
            "fork changed",
            changed(),
            none(),
            "changed-since-request",
            "start",
        ),
        (
            "fork, labelled by nobody",
            fork("a", None),
            none(),
            "unvouched",
            "start",
        ),
        (
            "fork, labelled by the bot",
            fork("a", Some("bench-bot")),
            none(),
            "unvouched",
            "start",
        ),
        ("fork, unlabelled", off(changed()), none(), "start", "start"),
        ("closed", in_state("closed"), none(), "not open", "not open"),
        (
            "without commit",
            with(1, |mr| mr.head = None),
            none(),
            "no commit",
            "no commit",
        ),
        ("in flight", mr(1), running(), "in flight 9", "in flight 9"),
        (
            "two in flight",
            mr(1),
            vec![record(8, 1, "running"), record(9, 1, "running")],
            "cancel 9, in flight 8",
            "cancel 9, in flight 8",
        ),
        (
            "blocked",
            mr(1),
            vec![record(9, 1, "manual")],
            "in flight 9",
            "in flight 9",
        ),
        (
            "stuck",
            mr(1),
            vec![aged("running", 9 * DAY)],
            "in flight 9",
            "in flight 9",
        ),
        (
            "in flight, pipeline since failed",
            failed(),
            running(),
            "in flight 9",
            "in flight 9",
        ),
        ("ended", mr(1), ended(), "finish, start", "finish, start"),
        (
            "ended, not passed",
            failed(),
            ended(),
            "pipeline-unsuccessful",
            "finish, start",
        ),
        (
            "ended, fork changed",
            changed(),
            ended(),
            "finish, start",
            "finish, start",
        ),
        ("withdrawn", unlabelled(), running(), "start", "start"),
        ("put on anew", relabelled(), running(), "start", "start"),
        (
            "another label in flight",
            mr(1),
            of_full("running"),
            "start",
            "start",
        ),
        (
            "another label ended",
            mr(1),
            of_full("failed"),
            "start",
            "start",
        ),
    ] {
        let mut snapshot = two_labels([mr], records);
        snapshot.threads.insert(Iid(1), vec![thread(1, Some(9))]);
        assert_eq!(decide(&snapshot, false), by_default, "{case}");
        assert_eq!(decide(&snapshot, true), forced, "{case}, forced");
    }
}

#[test]
fn order_and_limit_are_passed_over() {
    let before = with(2, |mr| {
        mr.pipeline.as_mut().expect("one").started_at = Some(at(-500))
    });
    let snapshot = snapshot([mr(1), before], [record(8, 3, "running")]);
    assert_eq!(decide(&snapshot, false), "start");
}

/// Not even by force is a second one begun.
#[test]
fn what_may_be_in_flight_is_not_started() {
    let unknown = |case: &str, snapshot: &Snapshot| {
        for force in [false, true] {
            assert_eq!(decide(snapshot, force), "unknown", "{case}");
        }
    };
    let mut unread = snapshot([mr(1)], []);
    unread.unreadable = vec![unreadable(9, -30, "running")];
    unknown("a pipeline that cannot be read", &unread);
    let mut uncertain = snapshot([mr(1)], []);
    uncertain.uncertain.insert((Iid(1), RequestId(101)));
    unknown("a discussion that links to one", &uncertain);
    let late = with(1, |mr| {
        mr.requests.clear();
        mr.unexplained = vec![LABEL.to_owned()];
    });
    unknown(
        "a label that nobody is seen to have put on",
        &snapshot([late], []),
    );
    unknown(
        "ended, its discussions not read",
        &snapshot([mr(1)], [record(9, 1, "failed")]),
    );
}

/// Of several labels the first that is on is meant.
#[test]
fn the_first_label_that_is_on_is_meant() {
    let both = with(1, |mr| mr.requests.push(request(102, FULL)));
    let only_full = with(1, |mr| mr.requests = vec![request(102, FULL)]);
    let of_full = record_with("running", |record| {
        (record.task.request, record.task.label) = (RequestId(102), FULL.to_owned());
    });
    assert_eq!(
        decide(&two_labels([both], [of_full.clone()]), false),
        "start"
    );
    assert_eq!(
        decide(&two_labels([only_full], [of_full]), false),
        "in flight 9"
    );
}
