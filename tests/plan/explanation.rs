//! The rules one by one, as `status` explains them.

use bench_bot::gitlab::answer::Version;
use bench_bot::plan::{self, Condition, ConditionName, Unvouched, WaitReason};
use bench_bot::snapshot::{MergeRequest, Origin, Snapshot};

use crate::scene::*;

fn explain(snapshot: &Snapshot, mr: &MergeRequest) -> Vec<Condition> {
    let plan = plan::scan(snapshot, &RULES);
    plan::explain(snapshot, &plan, mr, mr.requests.first(), &RULES)
}

/// Which conditions hold (+), do not (-), or are not come to (?).
fn conditions(snapshot: &Snapshot, mr: &MergeRequest) -> String {
    let sign = |condition: &Condition| match condition.holds {
        Some(true) => '+',
        Some(false) => '-',
        None => '?',
    };
    explain(snapshot, mr).iter().map(sign).collect()
}

fn fork(head: &str) -> MergeRequest {
    with(1, |mr| {
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
fn which_conditions_hold() {
    let status = |status: &'static str| pipeline(move |pipeline| pipeline.status = word(status));
    let mut by_nobody = fork("a");
    by_nobody.requests[0].by = None;
    let late = with(1, |mr| {
        mr.requests.clear();
        mr.unexplained = vec![LABEL.to_owned()];
    });
    // Open, labelled, unserved, for a fork as labelled, the pipeline's four, and its turn.
    let cases = [
        ("ready", mr(1), vec![], "++++++++"),
        ("a fork as labelled", fork("a"), vec![], "+++++++++"),
        ("a fork changed", fork("c"), vec![], "+++-++++?"),
        (
            "a fork that nobody vouches for",
            by_nobody,
            vec![],
            "+++-++++?",
        ),
        ("closed", in_state("closed"), vec![], "-++++++?"),
        (
            "not labelled",
            with(1, |mr| mr.requests.clear()),
            vec![],
            "+-++++?",
        ),
        ("labelled, as is to be shown", late, vec![], "+?++++?"),
        (
            "no pipeline",
            with(1, |mr| mr.pipeline = None),
            vec![],
            "+++-????",
        ),
        (
            "an older commit's",
            pipeline(|p| p.sha = sha("c")),
            vec![],
            "++++-???",
        ),
        ("running", status("running"), vec![], "+++++-??"),
        ("failed", status("failed"), vec![], "++++++-?"),
        (
            "in flight",
            mr(1),
            vec![record(9, 1, "running")],
            "++-++++?",
        ),
        ("ended", mr(1), vec![record(9, 1, "success")], "++-++++?"),
        (
            "another in flight",
            mr(1),
            vec![record(9, 2, "running")],
            "+++++++-",
        ),
        (
            "another blocked",
            mr(1),
            vec![record(9, 2, "manual")],
            "++++++++",
        ),
    ];
    for (case, mr, records, expected) in cases {
        assert_eq!(
            conditions(&snapshot([mr.clone()], records), &mr),
            expected,
            "{case}"
        );
    }
    let mut unread = snapshot([mr(1)], []);
    unread.unreadable = vec![unreadable(9, 0, "success")];
    assert_eq!(conditions(&unread, &mr(1)), "++?++++?");
}

#[test]
fn each_label_has_its_own_turn() {
    let mr = with(1, |mr| {
        mr.requests = vec![request(105, LABEL), request(103, FULL)]
    });
    let snapshot = two_labels([mr.clone()], []);
    let plan = plan::scan(&snapshot, &RULES);
    let turn = |request| {
        let conditions = plan::explain(&snapshot, &plan, &mr, Some(request), &RULES);
        conditions.last().expect("there are some").holds
    };
    assert_eq!(
        [turn(&mr.requests[0]), turn(&mr.requests[1])],
        [Some(false), Some(true)]
    );
}

#[test]
fn the_rule_that_does_not_hold_is_named() {
    let mut by_bot = fork("a");
    by_bot.requests[0].by = Some(user(20, "bench-bot"));
    let explained = explain(&snapshot([by_bot.clone()], []), &by_bot);
    let named: Vec<_> = explained
        .iter()
        .filter_map(|condition| Some((condition.name, condition.reason?)))
        .collect();
    let by_bot = WaitReason::Unvouched(Unvouched::ByBot);
    assert_eq!(named, [(ConditionName::AsLabelled, by_bot)]);
}

#[test]
fn since_when_a_request_waits() {
    let asked = |mr: MergeRequest| {
        let snapshot = snapshot([mr], []);
        let plan = plan::scan(&snapshot, &RULES);
        plan.waiting[0].requested_at()
    };
    assert_eq!(asked(with(1, |mr| mr.pipeline = None)), Some(at(-60)));
    let late = with(1, |mr| {
        mr.requests.clear();
        mr.unexplained = vec![LABEL.to_owned()];
    });
    assert_eq!(asked(late), None);
}
