//! A fork's commits are an outsider's: who vouches for the one to run.

use bench_bot::gitlab::answer::{User, Version};
use bench_bot::plan::{Unvouched, WaitReason};
use bench_bot::snapshot::{MergeRequest, Origin};

use crate::scene::*;

fn version(id: u64, head: Option<&str>, minutes: i64) -> Version {
    Version {
        id,
        head_commit_sha: head.map(sha),
        created_at: at(minutes),
    }
}

/// !1, labelled an hour ago by dana, who is not the author.
fn fork(versions: &[Version]) -> MergeRequest {
    with(1, |mr| {
        mr.origin = Origin::Fork {
            versions: versions.to_vec(),
        }
    })
}

fn by(who: Option<User>, versions: &[Version]) -> MergeRequest {
    let mut mr = fork(versions);
    mr.requests[0].by = who;
    mr
}

#[test]
fn who_vouches_for_a_forks_commit() {
    let author = || Some(user(31, "olga"));
    let before = |head| version(1, Some(head), -90);
    let after = |id, head| version(id, Some(head), -30);
    let headless = |mut mr: MergeRequest| {
        mr.head = None;
        mr
    };
    let authorless = |mut mr: MergeRequest| {
        mr.author = None;
        mr
    };
    let undated = |mut mr: MergeRequest| {
        mr.requests[0].at = None;
        mr
    };
    let changed = Err(WaitReason::ChangedSinceRequest);
    let by_bot = Err(WaitReason::Unvouched(Unvouched::ByBot));
    let by_nobody = Err(WaitReason::Unvouched(Unvouched::ByNobody));
    let before_commits = Err(WaitReason::Unvouched(Unvouched::BeforeCommits));
    for (case, mr, expected) in [
        ("as labelled", fork(&[before("a")]), READY),
        (
            "pushed in the second of the label",
            fork(&[version(1, Some("a"), -60)]),
            READY,
        ),
        (
            "pushed to since",
            fork(&[before("c"), after(2, "a")]),
            changed,
        ),
        (
            "pushed to and back",
            fork(&[before("a"), after(2, "c"), after(3, "a")]),
            READY,
        ),
        (
            "the last of what was pushed before",
            fork(&[version(2, Some("a"), -80), before("c")]),
            READY,
        ),
        (
            "an earlier one than the last of what was pushed before",
            fork(&[before("a"), version(2, Some("c"), -80)]),
            changed,
        ),
        (
            "of one second, the later version",
            fork(&[version(2, Some("a"), -80), version(1, Some("c"), -80)]),
            READY,
        ),
        (
            "a version without commit",
            fork(&[version(1, None, -90)]),
            changed,
        ),
        ("by the author", by(author(), &[before("a")]), READY),
        (
            "by the author, pushed to since",
            by(author(), &[before("c"), after(2, "a")]),
            changed,
        ),
        (
            "by the author in the form",
            by(author(), &[after(1, "a")]),
            READY,
        ),
        (
            "by the author in the form, pushed to since",
            by(author(), &[after(2, "a"), after(1, "c")]),
            changed,
        ),
        (
            "by the author, and no commit known yet",
            headless(by(author(), &[])),
            Err(WaitReason::NoPipeline),
        ),
        (
            "by the author, and a head of no version",
            by(author(), &[]),
            changed,
        ),
        (
            "by another before its commits",
            fork(&[after(1, "a")]),
            before_commits,
        ),
        (
            "by another, and no commit known yet",
            headless(fork(&[])),
            before_commits,
        ),
        (
            "in the form, of an author unknown",
            authorless(by(author(), &[after(1, "a")])),
            before_commits,
        ),
        (
            "by the bot",
            by(Some(user(20, "bench-bot")), &[before("a")]),
            by_bot,
        ),
        (
            "by an account that is gone",
            by(Some(user(1, "ghost")), &[before("a")]),
            by_nobody,
        ),
        ("by nobody", by(None, &[before("a")]), by_nobody),
        (
            "without label event",
            undated(fork(&[before("a")])),
            by_nobody,
        ),
    ] {
        assert_eq!(reason(&snapshot([mr], [])), expected, "{case}");
    }
}

#[test]
fn a_fork_that_is_vouched_for_still_has_to_pass() {
    let mut mr = fork(&[version(1, Some("a"), -90)]);
    mr.pipeline.as_mut().expect("it has one").status = word("failed");
    assert_eq!(
        reason(&snapshot([mr], [])),
        Err(WaitReason::PipelineUnsuccessful)
    );
}

#[test]
fn a_benchmark_in_flight_comes_before_the_question_who_vouches() {
    let mr = by(None, &[]);
    let records = [record(9, 1, "running")];
    assert_eq!(reason(&snapshot([mr], records)), Err(WaitReason::InFlight));
}

/// !1, of a fork's commit that nobody has seen.
pub fn unvouched() -> MergeRequest {
    fork(&[version(1, Some("a"), -30)])
}
