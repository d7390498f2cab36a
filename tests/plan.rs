//! The rules, as a table: one case for each row of what becomes of a request, and what must hold for any snapshot.

use std::collections::{BTreeMap, BTreeSet};

use bench_bot::gitlab::answer::{Outcome, Status};
use bench_bot::id::{DiscussionId, Iid, NoteId, PipelineId, ProjectId, RequestId, Sha};
use bench_bot::note::{First, Thread, Told};
use bench_bot::plan::{
    self, Condition, Order, Refusal, Reply, Resolve, Rules, Trigger, Verdict, What,
};
use bench_bot::record::{Record, Task};
use bench_bot::snapshot::{HeadPipeline, MergeRequest, Origin, Request, Snapshot, Unreadable};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

const RULES: Rules = Rules {
    order: Order::Pipeline,
    max_in_flight: 1,
    timeout: TimeDelta::hours(24),
};
const ENGINE: ProjectId = ProjectId(7);

/// Noon, and so many minutes.
fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_614_400 + minutes * 60, 0).expect("a time")
}

fn sha(text: &str) -> Sha {
    Sha(format!("{text:0<40}"))
}

fn word(status: &str) -> Status {
    Status::from(status.to_owned())
}

fn snapshot(
    mrs: impl IntoIterator<Item = MergeRequest>,
    records: impl Into<Vec<Record>>,
) -> Snapshot {
    Snapshot {
        now: at(0),
        source: ENGINE,
        merge_requests: mrs.into_iter().map(|mr| (mr.iid, mr)).collect(),
        gone: BTreeSet::new(),
        unread: BTreeSet::new(),
        records: records.into(),
        unreadable: Vec::new(),
        threads: BTreeMap::new(),
        courses: BTreeMap::new(),
        troubles: Vec::new(),
    }
}

/// Labelled by request 100 + its number, and ready.
fn mr(iid: u64) -> MergeRequest {
    MergeRequest {
        iid: Iid(iid),
        web_url: format!("https://gitlab.example.com/acme/engine/-/merge_requests/{iid}"),
        state: "opened".to_owned(),
        branch: format!("branch-{iid}"),
        target_branch: "main".to_owned(),
        created_at: at(-600),
        head: Some(sha("a")),
        base: Some(sha("b")),
        pipeline: Some(HeadPipeline {
            id: PipelineId(1000 + iid),
            web_url: format!(
                "https://gitlab.example.com/acme/engine/-/pipelines/{}",
                1000 + iid
            ),
            status: word("success"),
            created_at: at(-121),
            started_at: Some(at(-120)),
            finished_at: Some(at(-100)),
            sha: sha("a"),
            parents: Vec::new(),
        }),
        has_notes: false,
        request: Some(Request {
            id: RequestId(100 + iid),
            at: Some(at(-60)),
        }),
        origin: Origin::SameProject,
    }
}

fn with(iid: u64, change: impl FnOnce(&mut MergeRequest)) -> MergeRequest {
    let mut mr = mr(iid);
    change(&mut mr);
    mr
}

fn pipeline(change: impl FnOnce(&mut HeadPipeline)) -> MergeRequest {
    with(1, |mr| change(mr.pipeline.as_mut().expect("it has one")))
}

/// Of the request that `mr(iid)` has, begun half an hour ago.
fn record(pipeline: u64, iid: u64, status: &str) -> Record {
    Record {
        pipeline: PipelineId(pipeline),
        web_url: format!("https://gitlab.example.com/acme/benchmarks/-/pipelines/{pipeline}"),
        status: word(status),
        created_at: at(-30),
        updated_at: at(-30),
        task: Task {
            mr: Iid(iid),
            mr_url: String::new(),
            request: RequestId(100 + iid),
            discussion: DiscussionId(format!("{iid:040}")),
            branch: format!("branch-{iid}"),
            sha: sha("a"),
            target_branch: "main".to_owned(),
            base: None,
            pipeline: None,
            pipeline_started_at: None,
            project: ENGINE,
            project_path: "acme/engine".to_owned(),
            project_url: "https://gitlab.example.com/acme/engine".to_owned(),
        },
    }
}

/// The discussion that `record(pipeline, iid, …)` names, with the link in its first note.
fn thread(iid: u64, linked: Option<u64>) -> Thread {
    Thread {
        id: DiscussionId(format!("{iid:040}")),
        first: Some(First {
            note: NoteId(300 + iid),
            body: String::new(),
            request: RequestId(100 + iid),
            linked: linked.map(PipelineId),
        }),
        outcomes: Vec::new(),
        resolved: false,
    }
}

const READY: Result<(), Verdict> = Ok(());

/// Of the only merge request.
fn verdict(snapshot: &Snapshot) -> Result<(), Verdict> {
    let plan = plan::scan(snapshot, &RULES);
    match (&plan.queue[..], &plan.waiting[..]) {
        ([_], []) => READY,
        ([], [waiting]) => Err(waiting.verdict),
        _ => panic!("{plan:?}"),
    }
}

#[test]
fn what_a_merge_request_without_record_waits_for() {
    let fork = |head_when_labelled| with(1, |mr| mr.origin = Origin::Fork { head_when_labelled });
    let status = |status: &'static str| pipeline(move |pipeline| pipeline.status = word(status));
    let cases = [
        ("passed", mr(1), READY),
        (
            "no pipeline",
            with(1, |mr| mr.pipeline = None),
            Err(Verdict::NoPipeline),
        ),
        (
            "no commit yet",
            with(1, |mr| mr.head = None),
            Err(Verdict::NoPipeline),
        ),
        (
            "of an older commit",
            pipeline(|p| p.sha = sha("c")),
            Err(Verdict::PipelineOutdated),
        ),
        (
            "of a merge of the head",
            pipeline(|p| (p.sha, p.parents) = (sha("d"), vec![sha("b"), sha("a")])),
            READY,
        ),
        (
            "of a merge of an older commit",
            pipeline(|p| (p.sha, p.parents) = (sha("d"), vec![sha("b"), sha("c")])),
            Err(Verdict::PipelineOutdated),
        ),
        (
            "running",
            status("running"),
            Err(Verdict::PipelineUnfinished),
        ),
        ("manual", status("manual"), Err(Verdict::PipelineUnfinished)),
        (
            "a word of the future",
            status("dreaming"),
            Err(Verdict::PipelineUnfinished),
        ),
        (
            "failed",
            status("failed"),
            Err(Verdict::PipelineUnsuccessful),
        ),
        (
            "canceled",
            status("canceled"),
            Err(Verdict::PipelineUnsuccessful),
        ),
        (
            "skipped",
            status("skipped"),
            Err(Verdict::PipelineUnsuccessful),
        ),
        ("fork as labelled", fork(Some(sha("a"))), READY),
        (
            "fork changed",
            fork(Some(sha("c"))),
            Err(Verdict::ChangedSinceRequest),
        ),
        (
            "fork labelled by nobody known",
            fork(None),
            Err(Verdict::ChangedSinceRequest),
        ),
    ];
    for (case, mr, expected) in cases {
        assert_eq!(verdict(&snapshot([mr], [])), expected, "{case}");
    }
}

#[test]
fn what_a_merge_request_with_a_record_waits_for() {
    let changed = |change: fn(&mut Record)| {
        let mut record = record(9, 1, "running");
        change(&mut record);
        record
    };
    let cases = [
        (
            "in flight",
            vec![record(9, 1, "running")],
            Err(Verdict::InFlight),
        ),
        (
            "a word of the future",
            vec![record(9, 1, "dreaming")],
            Err(Verdict::InFlight),
        ),
        (
            "just in time",
            vec![changed(|r| r.created_at = at(-24 * 60))],
            Err(Verdict::InFlight),
        ),
        (
            "too long",
            vec![changed(|r| r.created_at = at(-24 * 60 - 1))],
            Err(Verdict::Stuck),
        ),
        (
            "ended",
            vec![record(9, 1, "failed")],
            Err(Verdict::Finished),
        ),
        (
            "the lowest stands",
            vec![record(8, 1, "success"), record(9, 1, "running")],
            Err(Verdict::Finished),
        ),
        (
            "of an earlier request",
            vec![changed(|r| r.task.request = RequestId(50))],
            READY,
        ),
        (
            "of another MR",
            vec![changed(|r| r.task.mr = Iid(2))],
            READY,
        ),
        (
            "of another project",
            vec![changed(|r| r.task.project = ProjectId(70))],
            READY,
        ),
    ];
    for (case, records, expected) in cases {
        assert_eq!(verdict(&snapshot([mr(1)], records)), expected, "{case}");
    }
}

/// Which conditions hold (+), do not (-), or are not come to (?).
fn conditions(snapshot: &Snapshot, mr: &MergeRequest) -> String {
    let plan = plan::scan(snapshot, &RULES);
    let conditions = plan::explain(snapshot, &plan, mr, &RULES);
    let sign = |condition: &Condition| match condition.holds {
        Some(true) => '+',
        Some(false) => '-',
        None => '?',
    };
    conditions.iter().map(sign).collect()
}

#[test]
fn which_conditions_hold() {
    let fork = |head_when_labelled| with(1, |mr| mr.origin = Origin::Fork { head_when_labelled });
    let status = |status: &'static str| pipeline(move |pipeline| pipeline.status = word(status));
    // Open, labelled, unserved, for a fork as labelled, the pipeline's four, and its turn.
    let cases = [
        ("ready", mr(1), vec![], "++++++++"),
        (
            "a fork as labelled",
            fork(Some(sha("a"))),
            vec![],
            "+++++++++",
        ),
        ("a fork changed", fork(Some(sha("c"))), vec![], "+++-++++?"),
        (
            "closed",
            with(1, |mr| mr.state = "closed".to_owned()),
            vec![],
            "-++++++?",
        ),
        (
            "not labelled",
            with(1, |mr| mr.request = None),
            vec![],
            "+-++++?",
        ),
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
    ];
    for (case, mr, records, expected) in cases {
        assert_eq!(
            conditions(&snapshot([mr.clone()], records), &mr),
            expected,
            "{case}"
        );
    }
    let mut unreadable = snapshot([mr(1)], []);
    unreadable.unreadable = vec![Unreadable {
        created_at: at(0),
        ended: true,
    }];
    assert_eq!(conditions(&unreadable, &mr(1)), "++?++++?");
}

#[test]
fn half_knowledge_is_not_absence() {
    let unreadable = |minutes| Unreadable {
        created_at: at(minutes),
        ended: true,
    };
    let mut snapshot = snapshot([mr(1)], []);
    snapshot.unreadable = vec![unreadable(-59)];
    assert_eq!(
        verdict(&snapshot),
        Err(Verdict::Unknown),
        "it may be the record of this request"
    );
    snapshot.unreadable = vec![unreadable(-61)];
    assert_eq!(verdict(&snapshot), READY, "it is older than the request");
    snapshot.unreadable = vec![Unreadable {
        ended: false,
        ..unreadable(-61)
    }];
    assert_eq!(
        plan::scan(&snapshot, &RULES).free,
        0,
        "but in flight it counts"
    );
    snapshot.merge_requests.clear();
    snapshot.unread.insert(Iid(1));
    assert_eq!(verdict(&snapshot), Err(Verdict::Unknown));
}

#[test]
fn the_order_in_which_they_go() {
    let started = |iid, minutes| {
        with(iid, |mr| {
            mr.pipeline.as_mut().expect("one").started_at = Some(at(minutes))
        })
    };
    let labelled = |mut mr: MergeRequest, minutes| {
        mr.request.as_mut().expect("one").at = Some(at(minutes));
        mr
    };
    let never_started = with(4, |mr| mr.pipeline.as_mut().expect("one").started_at = None);
    let mrs = [
        labelled(started(1, -20), -50),
        labelled(started(2, -90), -10),
        labelled(started(3, -20), -50),
        labelled(never_started, -30),
    ];
    let order = |order| {
        let snapshot = snapshot(mrs.clone(), []);
        let plan = plan::scan(&snapshot, &Rules { order, ..RULES });
        plan.queue
            .iter()
            .map(|queued| queued.mr.iid.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        order(Order::Pipeline),
        [4, 2, 1, 3],
        "ties by pipeline id; created if never started"
    );
    assert_eq!(order(Order::Request), [1, 3, 4, 2], "ties by request id");
}

/// What `reconcile` does about the record of !1, whose discussion is there.
fn repair(mr: MergeRequest, record: Record, thread: Thread) -> Option<String> {
    let mut snapshot = snapshot([mr], [record]);
    snapshot.threads.insert(Iid(1), vec![thread]);
    let plan = plan::reconcile(&snapshot, &RULES);
    assert!(plan.repairs.len() < 2);
    plan.repairs.first().map(|repair| match &repair.what {
        What::Link => "link".to_owned(),
        What::Finish {
            outcome,
            reply,
            labelled,
        } => {
            let label = if *labelled { "" } else { ", label gone" };
            format!("finish {} {}{label}", outcome.word(), reply_word(*reply))
        }
        What::Withdraw(reply) => format!("withdraw {}", reply_word(*reply)),
        What::TimeOut(reply) => format!("time out {}", reply_word(*reply)),
        What::Cancel => "cancel".to_owned(),
    })
}

fn reply_word(reply: Reply) -> &'static str {
    match reply {
        Reply::Made => "told",
        Reply::Due(_) => "untold",
        Reply::DueAnew => "anew",
    }
}

#[test]
fn what_reconcile_does_about_a_record() {
    let old = || Record {
        created_at: at(-25 * 60),
        ..record(9, 1, "running")
    };
    let unlabelled = || with(1, |mr| mr.request = None);
    let relabelled = || {
        with(1, |mr| {
            mr.request = Some(Request {
                id: RequestId(200),
                at: Some(at(-1)),
            })
        })
    };
    let merged = || with(1, |mr| mr.state = "merged".to_owned());
    let pushed = || with(1, |mr| mr.head = Some(sha("e")));
    let linked = || thread(1, Some(9));
    let told = || Thread {
        outcomes: vec![Told {
            note: NoteId(400),
            request: RequestId(101),
            cancels: true,
        }],
        ..linked()
    };
    let other = || Thread {
        id: DiscussionId("f".repeat(40)),
        first: None,
        outcomes: Vec::new(),
        resolved: false,
    };
    let ends = |status| record(9, 1, status);
    let cases = [
        ("in flight, linked", mr(1), ends("running"), linked(), None),
        (
            "in flight, not linked",
            mr(1),
            ends("running"),
            thread(1, None),
            Some("link"),
        ),
        (
            "in flight, linked to another",
            mr(1),
            ends("running"),
            thread(1, Some(8)),
            Some("link"),
        ),
        (
            "in flight, discussion deleted",
            mr(1),
            ends("running"),
            other(),
            None,
        ),
        (
            "success",
            mr(1),
            ends("success"),
            linked(),
            Some("finish success untold"),
        ),
        (
            "failed",
            mr(1),
            ends("failed"),
            linked(),
            Some("finish failed untold"),
        ),
        (
            "canceled",
            mr(1),
            ends("canceled"),
            linked(),
            Some("finish canceled untold"),
        ),
        (
            "skipped",
            mr(1),
            ends("skipped"),
            linked(),
            Some("finish skipped untold"),
        ),
        (
            "told, label still on",
            mr(1),
            ends("success"),
            told(),
            Some("finish success told"),
        ),
        (
            "ended, discussion deleted",
            mr(1),
            ends("success"),
            other(),
            Some("finish success anew"),
        ),
        (
            "merged meanwhile",
            merged(),
            ends("success"),
            linked(),
            Some("finish success untold"),
        ),
        (
            "pushed to meanwhile",
            pushed(),
            ends("success"),
            linked(),
            Some("finish success untold"),
        ),
        (
            "merged, still in flight",
            merged(),
            ends("running"),
            linked(),
            None,
        ),
        (
            "ended, label gone",
            unlabelled(),
            ends("success"),
            linked(),
            Some("finish success untold, label gone"),
        ),
        (
            "ended, label gone, told",
            unlabelled(),
            ends("success"),
            told(),
            None,
        ),
        (
            "ended, label gone, discussion deleted",
            unlabelled(),
            ends("success"),
            other(),
            None,
        ),
        (
            "ended, put on anew",
            relabelled(),
            ends("success"),
            linked(),
            Some("finish success untold, label gone"),
        ),
        (
            "ended, told without the link, put on anew",
            relabelled(),
            ends("success"),
            Thread {
                outcomes: told().outcomes,
                ..thread(1, None)
            },
            Some("link"),
        ),
        (
            "label gone",
            unlabelled(),
            ends("running"),
            linked(),
            Some("withdraw untold"),
        ),
        (
            "put on anew",
            relabelled(),
            ends("running"),
            linked(),
            Some("withdraw untold"),
        ),
        (
            "label gone, discussion deleted",
            unlabelled(),
            ends("running"),
            other(),
            Some("cancel"),
        ),
        (
            "withdrawn, told, not cancelled",
            unlabelled(),
            ends("running"),
            told(),
            Some("withdraw told"),
        ),
        (
            "withdrawn, being cancelled",
            unlabelled(),
            ends("canceling"),
            told(),
            None,
        ),
        ("stuck", mr(1), old(), linked(), Some("time out untold")),
        (
            "stuck and told",
            mr(1),
            old(),
            told(),
            Some("time out told"),
        ),
    ];
    for (case, mr, record, thread, expected) in cases {
        assert_eq!(repair(mr, record, thread).as_deref(), expected, "{case}");
    }
}

#[test]
fn of_two_records_the_lowest_pipeline_stands_and_one_reply_is_made() {
    let whats = |mr: MergeRequest, statuses: [&str; 2]| {
        let records = [record(8, 1, statuses[0]), record(9, 1, statuses[1])];
        let mut snapshot = snapshot([mr], records);
        snapshot.threads.insert(Iid(1), vec![thread(1, Some(8))]);
        let plan = plan::reconcile(&snapshot, &RULES);
        plan.repairs
            .iter()
            .map(|repair| (repair.record.pipeline.0, format!("{:?}", repair.what)))
            .collect::<Vec<_>>()
    };
    let starts = |found: &[(u64, String)], expected: &[(u64, &str)]| {
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for ((id, what), (expected_id, start)) in found.iter().zip(expected) {
            assert!(id == expected_id && what.starts_with(start), "{found:?}");
        }
    };
    starts(&whats(mr(1), ["running", "running"]), &[(9, "Cancel")]);
    starts(
        &whats(mr(1), ["success", "running"]),
        &[(8, "Finish"), (9, "Cancel")],
    );
    starts(&whats(mr(1), ["running", "failed"]), &[]);
    starts(
        &whats(mr(1), ["failed", "success"]),
        &[(8, "Finish { outcome: Failed")],
    );
    let withdrawn = whats(with(1, |mr| mr.request = None), ["running", "running"]);
    starts(&withdrawn, &[(8, "Withdraw(Due"), (9, "Withdraw(Made")]);
}

#[test]
fn which_discussion_is_still_to_be_resolved() {
    let told = |cancels, resolved| Thread {
        outcomes: vec![Told {
            note: NoteId(400),
            request: RequestId(101),
            cancels,
        }],
        resolved,
        ..thread(1, Some(9))
    };
    let due = |status, thread: Thread| {
        let record = record(9, 1, status);
        [Resolve::Never, Resolve::Success, Resolve::Always].map(|resolve| {
            plan::unresolved(std::slice::from_ref(&thread), &record, resolve).is_some()
        })
    };
    assert_eq!(
        due("success", thread(1, Some(9))),
        [false, false, false],
        "untold"
    );
    assert_eq!(due("success", told(false, false)), [false, true, true]);
    assert_eq!(due("success", told(false, true)), [false, false, false]);
    assert_eq!(due("failed", told(false, false)), [false, false, true]);
    assert_eq!(
        due("running", told(true, false)),
        [false, false, true],
        "withdrawn"
    );
    let late = due("success", told(true, false));
    assert_eq!(
        late,
        [false, false, true],
        "told to be cancelled, and ended before that"
    );
}

#[test]
fn which_notes_are_one_too_many() {
    let thread = |id: char, first: Option<(u64, u64)>, outcomes: &[(u64, u64)]| Thread {
        id: DiscussionId(id.to_string().repeat(40)),
        first: first.map(|(note, request)| First {
            note: NoteId(note),
            body: String::new(),
            request: RequestId(request),
            linked: None,
        }),
        outcomes: outcomes
            .iter()
            .map(|&(note, request)| Told {
                note: NoteId(note),
                request: RequestId(request),
                cancels: true,
            })
            .collect(),
        resolved: false,
    };
    let mut named = record(9, 1, "success");
    named.task.discussion = DiscussionId("b".repeat(40));
    let surplus = |threads: &[Thread]| {
        plan::surplus(threads, &named)
            .iter()
            .map(|note| note.0)
            .collect::<Vec<_>>()
    };

    const NONE: [u64; 0] = [];
    let ours = || thread('b', Some((20, 101)), &[(21, 101)]);
    assert_eq!(surplus(&[ours()]), NONE);
    assert_eq!(
        surplus(&[thread('a', Some((10, 101)), &[]), ours()]),
        [10],
        "a second discussion"
    );
    assert_eq!(
        surplus(&[thread('a', Some((10, 101)), &[(30, 101)]), ours()]),
        [30, 10],
        "with a reply"
    );
    assert_eq!(
        surplus(&[thread('b', Some((20, 101)), &[(22, 101), (21, 101)])]),
        [22],
        "two replies"
    );
    assert_eq!(
        surplus(&[thread('a', Some((10, 55)), &[(11, 55)]), ours()]),
        NONE,
        "of another request"
    );
    let anew = [
        thread('c', Some((30, 101)), &[(31, 101)]),
        thread('d', Some((32, 101)), &[(33, 101)]),
    ];
    assert_eq!(
        surplus(&anew),
        [33, 32],
        "opened anew twice, since ours was deleted"
    );
    let reply_elsewhere = [
        thread('b', None, &[]),
        thread('c', Some((30, 101)), &[(31, 101)]),
    ];
    assert_eq!(
        surplus(&reply_elsewhere),
        NONE,
        "the one reply stays, wherever it is"
    );
}

#[test]
fn nothing_is_done_about_what_could_not_be_read_or_is_not_ours() {
    let snapshot_of = |record| snapshot([mr(1)], [record]);
    let mut unread = snapshot_of(record(9, 1, "success"));
    unread.merge_requests.clear();
    unread.unread.insert(Iid(1));
    assert_eq!(plan::reconcile(&unread, &RULES).repairs.len(), 0);
    let no_threads = snapshot_of(record(9, 1, "success"));
    assert_eq!(plan::reconcile(&no_threads, &RULES).repairs.len(), 0);
    let mut foreign = record(9, 1, "success");
    foreign.task.project = ProjectId(70);
    let mut foreign = snapshot_of(foreign);
    foreign.threads.insert(Iid(1), vec![thread(1, None)]);
    assert_eq!(plan::reconcile(&foreign, &RULES).repairs.len(), 0);
    let mut gone = snapshot([], [record(8, 1, "success"), record(9, 1, "running")]);
    gone.gone.insert(Iid(1));
    let plan = plan::reconcile(&gone, &RULES);
    assert_eq!(plan.repairs.len(), 1);
    assert_eq!(
        (plan.repairs[0].record.pipeline.0, &plan.repairs[0].what),
        (9, &What::Cancel)
    );
}

#[test]
fn what_trigger_does() {
    let decide = |mr: MergeRequest, records: Vec<Record>, force| {
        let mut snapshot = snapshot([mr.clone()], records);
        snapshot.threads.insert(Iid(1), vec![thread(1, Some(9))]);
        match plan::trigger(&snapshot, &mr, &RULES, force) {
            Ok(Trigger::InFlight(record)) => format!("in flight {}", record.pipeline),
            Ok(Trigger::Start { finish: None }) => "start".to_owned(),
            Ok(Trigger::Start { finish: Some(_) }) => "finish, start".to_owned(),
            Err(Refusal::NotOpen(_)) => "not open".to_owned(),
            Err(Refusal::NoCommit) => "no commit".to_owned(),
            Err(Refusal::NotReady(_, verdict)) => verdict.reason().to_owned(),
            Err(Refusal::Unknown) => "unknown".to_owned(),
        }
    };
    let failed = || pipeline(|pipeline| pipeline.status = word("failed"));
    let unlabelled = |mut mr: MergeRequest| {
        mr.request = None;
        mr
    };
    let changed = || {
        with(1, |mr| {
            mr.origin = Origin::Fork {
                head_when_labelled: Some(sha("c")),
            }
        })
    };
    let closed = || with(1, |mr| mr.state = "closed".to_owned());
    let running = || vec![record(9, 1, "running")];
    let ended = || vec![record(9, 1, "failed")];
    for (case, mr, records, by_default, forced) in [
        ("ready", mr(1), vec![], "start", "start"),
        (
            "ready, unlabelled",
            unlabelled(mr(1)),
            vec![],
            "start",
            "start",
        ),
        (
            "not passed",
            failed(),
            vec![],
            "pipeline-unsuccessful",
            "start",
        ),
        (
            "not passed, unlabelled",
            unlabelled(failed()),
            vec![],
            "pipeline-unsuccessful",
            "start",
        ),
        (
            "fork changed",
            changed(),
            vec![],
            "changed-since-request",
            "start",
        ),
        (
            "fork, unlabelled",
            unlabelled(changed()),
            vec![],
            "start",
            "start",
        ),
        ("closed", closed(), vec![], "not open", "not open"),
        (
            "without commit",
            with(1, |mr| mr.head = None),
            vec![],
            "no commit",
            "no commit",
        ),
        ("in flight", mr(1), running(), "in flight 9", "in flight 9"),
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
        ("withdrawn", unlabelled(mr(1)), running(), "start", "start"),
    ] {
        assert_eq!(
            decide(mr.clone(), records.clone(), false),
            by_default,
            "{case}"
        );
        assert_eq!(decide(mr, records, true), forced, "{case}, forced");
    }
}

prop_compose! {
    fn any_mr()(
        iid in 1..12u64,
        request in proptest::option::of(101..112u64),
        started in -300..0i64,
        status in prop::sample::select(vec!["success", "success", "success", "failed", "running"]),
        state in prop::sample::select(vec!["opened", "opened", "opened", "merged"]),
    ) -> MergeRequest {
        with(iid, |mr| {
            mr.state = state.to_owned();
            mr.request = request.map(|id| Request { id: RequestId(id), at: Some(at(-60)) });
            let pipeline = mr.pipeline.as_mut().expect("it has one");
            (pipeline.status, pipeline.started_at) = (word(status), Some(at(started)));
        })
    }
}

prop_compose! {
    fn any_record()(
        pipeline in 1..30u64,
        iid in 1..12u64,
        request in 101..112u64,
        status in prop::sample::select(vec!["created", "running", "canceling", "success", "failed"]),
        age in 0..50i64,
    ) -> Record {
        let mut record = record(pipeline, iid, status);
        record.task.request = RequestId(request);
        record.created_at = at(-age * 60);
        record
    }
}

prop_compose! {
    fn any_snapshot()(
        mrs in prop::collection::vec(any_mr(), 0..10),
        records in prop::collection::btree_map(1..30u64, any_record(), 0..10),
        linked in proptest::option::of(1..30u64),
    ) -> Snapshot {
        let records: Vec<Record> = records
            .into_iter()
            .map(|(id, record)| Record { pipeline: PipelineId(id), ..record })
            .collect();
        let mut snapshot = snapshot(mrs, records);
        for iid in 1..12 {
            snapshot.threads.insert(Iid(iid), vec![thread(iid, linked)]);
        }
        snapshot
    }
}

fn served(snapshot: &Snapshot) -> BTreeSet<(Iid, RequestId)> {
    snapshot
        .records
        .iter()
        .map(|record| (record.task.mr, record.task.request))
        .collect()
}

proptest! {
    #[test]
    fn never_more_than_the_limit(snapshot in any_snapshot(), limit in 0..5usize) {
        let plan = plan::scan(&snapshot, &Rules { max_in_flight: limit, ..RULES });
        prop_assert!(plan.free == 0 || plan.free + plan.in_flight.len() <= limit);
    }

    #[test]
    fn never_a_second_benchmark_for_a_request(snapshot in any_snapshot()) {
        let served = served(&snapshot);
        for queued in plan::scan(&snapshot, &RULES).queue {
            prop_assert!(!served.contains(&(queued.mr.iid, queued.request.id)));
        }
    }

    #[test]
    fn oldest_first(snapshot in any_snapshot()) {
        let queue = plan::scan(&snapshot, &RULES).queue;
        prop_assert!(queue.is_sorted_by_key(|queued| queued.pipeline.started_at));
    }

    #[test]
    fn every_open_labelled_merge_request_is_told_of_once(snapshot in any_snapshot()) {
        let plan = plan::scan(&snapshot, &RULES);
        let queued = plan.queue.iter().map(|queued| queued.mr.iid);
        let mut told: Vec<Iid> = queued.chain(plan.waiting.iter().map(|waiting| waiting.iid)).collect();
        told.sort();
        let labelled = snapshot.merge_requests.values().filter(|mr| mr.state == "opened" && mr.request.is_some());
        prop_assert_eq!(told, labelled.map(|mr| mr.iid).collect::<Vec<_>>());
    }

    /// The explanation and the decision cannot come apart.
    #[test]
    fn all_conditions_hold_where_it_is_started_and_all_but_its_turn_where_it_is_queued(
        snapshot in any_snapshot(),
        max_in_flight in 0..5usize,
    ) {
        let rules = Rules { max_in_flight, ..RULES };
        let plan = plan::scan(&snapshot, &rules);
        for mr in snapshot.merge_requests.values() {
            let conditions = plan::explain(&snapshot, &plan, mr, &rules);
            let holds = |condition: &Condition| condition.holds == Some(true);
            let place = plan.queue.iter().position(|queued| queued.mr.iid == mr.iid);
            let (turn, others) = conditions.split_last().expect("there are some");
            prop_assert_eq!(others.iter().all(holds), place.is_some());
            prop_assert_eq!(holds(turn), place.is_some_and(|place| place < plan.free));
        }
    }

    #[test]
    fn same_snapshot_same_plan(snapshot in any_snapshot()) {
        let (one, two) = (snapshot.clone(), snapshot);
        let plan = |snapshot| format!("{:?}", plan::reconcile(snapshot, &RULES));
        prop_assert_eq!(plan(&one), plan(&two));
    }

    /// Carried out, a plan asks for nothing more: what was to be cancelled is cancelled, what was to be told is told.
    #[test]
    fn reconciled_once_there_is_nothing_left_to_do(mut snapshot in any_snapshot()) {
        for _ in 0..2 {
            let done: Vec<_> = {
                let plan = plan::reconcile(&snapshot, &RULES);
                plan.repairs.iter().map(|repair| {
                    let record = repair.record;
                    let takes_label = matches!(repair.what, What::Finish { .. } | What::TimeOut(_));
                    let cancels = !matches!(repair.what, What::Finish { .. } | What::Link);
                    let links = matches!(repair.what, What::Link);
                    (record.pipeline, record.task.mr, record.task.request, takes_label, cancels, links)
                }).collect()
            };
            for (pipeline, mr, request, takes_label, cancels, links) in done {
                let threads = snapshot.threads.get_mut(&mr).expect("each has one");
                if links {
                    threads[0].first.as_mut().expect("it is there").linked = Some(pipeline);
                } else if threads[0].outcomes.iter().all(|told| told.request != request) {
                    threads[0].outcomes.push(Told { note: NoteId(400), request, cancels: true });
                }
                let mr = snapshot.merge_requests.get_mut(&mr);
                if let Some(mr) = mr.filter(|_| takes_label) {
                    mr.request = None;
                }
                let record = snapshot.records.iter_mut().find(|record| record.pipeline == pipeline);
                if cancels {
                    record.expect("it is there").status = Status::Ended(Outcome::Canceled);
                }
            }
        }
        prop_assert_eq!(plan::reconcile(&snapshot, &RULES).repairs.len(), 0);
    }
}
