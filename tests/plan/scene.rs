//! What the tables are made of: a snapshot of one ready merge request, and what may be different about it.

use std::collections::{BTreeMap, BTreeSet};

use bench_bot::gitlab::answer::{Label, LabelEvent, Status, User};
use bench_bot::id::{DiscussionId, Iid, NoteId, PipelineId, ProjectId, RequestId, Sha, UserId};
use bench_bot::note::{CloseReason, OpeningNote, OutcomeNote, Thread, Unstarted};
use bench_bot::plan::{
    self, Announce, CutShort, OnPush, Order, RecordRepair, Repair, Reply, Rules, WaitReason,
};
use bench_bot::record::{Record, Task};
use bench_bot::snapshot::{HeadPipeline, MergeRequest, Origin, Request, Snapshot, Unreadable};
use chrono::{DateTime, TimeDelta, Utc};

pub const RULES: Rules = Rules {
    order: Order::Pipeline,
    max_in_flight: 1,
    timeout: TimeDelta::hours(24),
    on_push: OnPush::Keep,
    announce: Announce::Emoji,
};
pub const ENGINE: ProjectId = ProjectId(7);
pub const LABEL: &str = "benchmarking";
pub const FULL: &str = "benchmarking::full";
pub const DAY: i64 = 24 * 60;

/// Noon, and so many minutes.
pub fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_614_400 + minutes * 60, 0).expect("a time")
}

pub fn sha(text: &str) -> Sha {
    Sha(format!("{text:0<40}"))
}

pub fn word(status: &str) -> Status {
    Status::from(status.to_owned())
}

pub fn user(id: u64, username: &str) -> User {
    User {
        id: UserId(id),
        username: username.to_owned(),
        bot: None,
    }
}

pub fn snapshot(
    mrs: impl IntoIterator<Item = MergeRequest>,
    records: impl Into<Vec<Record>>,
) -> Snapshot {
    Snapshot {
        now: at(0),
        source: ENGINE,
        labels: vec![LABEL.to_owned()],
        bot: "bench-bot".to_owned(),
        merge_requests: mrs.into_iter().map(|mr| (mr.iid, mr)).collect(),
        gone: BTreeSet::new(),
        unread: BTreeSet::new(),
        records: records.into(),
        unreadable: Vec::new(),
        threads: BTreeMap::new(),
        uncertain: BTreeSet::new(),
        lost: BTreeSet::new(),
        begun: None,
        seen: None,
        milestones: BTreeMap::new(),
        requested_by: BTreeMap::new(),
        run_times: Vec::new(),
        missing_labels: Vec::new(),
        unknown_labels: Vec::new(),
        troubles: Vec::new(),
    }
}

/// The same, with both labels.
pub fn two_labels(
    mrs: impl IntoIterator<Item = MergeRequest>,
    records: impl Into<Vec<Record>>,
) -> Snapshot {
    Snapshot {
        labels: vec![LABEL.to_owned(), FULL.to_owned()],
        ..snapshot(mrs, records)
    }
}

pub fn request(id: u64, label: &str) -> Request {
    Request {
        id: RequestId(id),
        label: label.to_owned(),
        at: Some(at(-60)),
        by: Some(user(30, "dana")),
        triggered: None,
    }
}

/// By dana, an hour ago: `event(101, "add", Some(LABEL))` is what made the request of `mr(1)`.
pub fn event(id: u64, action: &str, label: Option<&str>) -> LabelEvent {
    LabelEvent {
        id: RequestId(id),
        created_at: at(-60),
        user: Some(user(30, "dana")),
        action: action.to_owned(),
        label: label.map(|name| Label {
            name: name.to_owned(),
        }),
    }
}

/// Labelled by request 100 + its number, and ready.
pub fn mr(iid: u64) -> MergeRequest {
    let page = format!(
        "https://gitlab.example.com/acme/engine/-/pipelines/{}",
        1000 + iid
    );
    MergeRequest {
        iid: Iid(iid),
        web_url: format!("https://gitlab.example.com/acme/engine/-/merge_requests/{iid}"),
        title: None,
        author: Some(user(31, "olga")),
        state: "opened".to_owned(),
        labels: vec![LABEL.to_owned()],
        branch: format!("branch-{iid}"),
        target_branch: "main".to_owned(),
        created_at: at(-600),
        head: Some(sha("a")),
        base: Some(sha("b")),
        pipeline: Some(HeadPipeline {
            id: PipelineId(1000 + iid),
            web_url: page,
            status: word("success"),
            created_at: at(-121),
            started_at: Some(at(-120)),
            finished_at: Some(at(-100)),
            sha: sha("a"),
            parents: Vec::new(),
            is_of_train: false,
        }),
        has_notes: false,
        requests: vec![request(100 + iid, LABEL)],
        unexplained: Vec::new(),
        events: vec![event(100 + iid, "add", Some(LABEL))],
        origin: Origin::SameProject,
    }
}

pub fn with(iid: u64, change: impl FnOnce(&mut MergeRequest)) -> MergeRequest {
    let mut mr = mr(iid);
    change(&mut mr);
    mr
}

/// !1 with another pipeline.
pub fn pipeline(change: impl FnOnce(&mut HeadPipeline)) -> MergeRequest {
    with(1, |mr| change(mr.pipeline.as_mut().expect("it has one")))
}

/// Without labels, of which no event tells.
pub fn off(mr: MergeRequest) -> MergeRequest {
    MergeRequest {
        requests: Vec::new(),
        ..mr
    }
}

/// !1 with the label off, as its events show.
pub fn unlabelled() -> MergeRequest {
    with(1, |mr| {
        mr.requests.clear();
        mr.events.push(event(150, "remove", Some(LABEL)));
    })
}

/// !1 with the label taken off by the bot, and then these events.
pub fn label_removed_by_bot(more: &[LabelEvent]) -> MergeRequest {
    let by_bot = LabelEvent {
        user: Some(user(20, "bench-bot")),
        ..event(150, "remove", Some(LABEL))
    };
    with(1, |mr| {
        mr.requests.clear();
        mr.events = [&mr.events[..], &[by_bot], more].concat();
    })
}

/// !1 with the label put on once more.
pub fn relabelled() -> MergeRequest {
    with(1, |mr| {
        mr.requests = vec![request(200, LABEL)];
        mr.events.push(event(150, "remove", Some(LABEL)));
        mr.events.push(event(200, "add", Some(LABEL)));
    })
}

pub fn in_state(state: &str) -> MergeRequest {
    with(1, |mr| mr.state = state.to_owned())
}

/// Of the request that `mr(iid)` has, begun half an hour ago.
pub fn record(pipeline: u64, iid: u64, status: &str) -> Record {
    Record {
        pipeline: PipelineId(pipeline),
        web_url: format!("https://gitlab.example.com/acme/benchmarks/-/pipelines/{pipeline}"),
        status: word(status),
        created_at: at(-30),
        updated_at: at(-30),
        task: Task {
            mr: Iid(iid),
            mr_url: String::new(),
            label: LABEL.to_owned(),
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

/// `record(9, 1, status)`, but for that.
pub fn record_with(status: &str, change: impl FnOnce(&mut Record)) -> Record {
    let mut record = record(9, 1, status);
    change(&mut record);
    record
}

/// `record(9, 1, status)`, so many minutes old, without any change since.
pub fn aged(status: &str, minutes: i64) -> Record {
    record_with(status, |record| {
        record.created_at = at(-minutes);
        record.updated_at = at(-minutes);
    })
}

pub fn unreadable(pipeline: u64, minutes: i64, status: &str) -> Unreadable {
    Unreadable {
        pipeline: PipelineId(pipeline),
        web_url: format!("https://gitlab.example.com/acme/benchmarks/-/pipelines/{pipeline}"),
        created_at: Some(at(minutes)),
        updated_at: Some(at(minutes)),
        status: Some(word(status)),
        is_hidden: false,
    }
}

/// The discussion that `record(pipeline, iid, …)` names, with the link in its first note.
pub fn thread(iid: u64, linked: Option<u64>) -> Thread {
    Thread {
        id: DiscussionId(format!("{iid:040}")),
        opening: Some(OpeningNote {
            note: NoteId(300 + iid),
            body: String::new(),
            request: RequestId(100 + iid),
            label: Some(LABEL.to_owned()),
            sha: Some(sha("a")),
            project: None,
            linked: linked.map(PipelineId),
            triggered: None,
            state: None,
            waits: None,
        }),
        outcomes: Vec::new(),
        resolved: false,
    }
}

pub fn opening(thread: &mut Thread) -> &mut OpeningNote {
    thread.opening.as_mut().expect("it has one")
}

/// `thread(1, None)`, whose first note says that.
pub fn unstarted(state: Unstarted) -> Thread {
    let mut thread = thread(1, None);
    opening(&mut thread).state = Some(state);
    thread
}

/// A discussion that a person began.
pub fn foreign_thread() -> Thread {
    Thread {
        id: DiscussionId("f".repeat(40)),
        opening: None,
        outcomes: Vec::new(),
        resolved: false,
    }
}

/// What was posted five minutes ago about `record(9, 1, …)`, which ended so.
pub fn outcome(status: &str) -> OutcomeNote {
    OutcomeNote {
        note: NoteId(400),
        body: String::new(),
        posted_at: Some(at(-5)),
        request: RequestId(101),
        label: Some(LABEL.to_owned()),
        pipeline: Some(PipelineId(9)),
        end: Some(status.to_owned()),
        status: Some(status.to_owned()),
        cancels: false,
        verdict: None,
        summary: None,
    }
}

/// Likewise, where that was to be cancelled.
pub fn to_be_cancelled(minutes_ago: i64) -> OutcomeNote {
    OutcomeNote {
        end: Some("withdrawn".to_owned()),
        status: None,
        cancels: true,
        posted_at: Some(at(-minutes_ago)),
        ..outcome("")
    }
}

/// The discussion of `record(9, 1, …)` with that reply.
pub fn told(outcome: OutcomeNote) -> Thread {
    Thread {
        outcomes: vec![outcome],
        ..thread(1, Some(9))
    }
}

pub const READY: Result<(), WaitReason> = Ok(());

/// Of the only request.
pub fn reason(snapshot: &Snapshot) -> Result<(), WaitReason> {
    let plan = plan::scan(snapshot, &RULES);
    match (&plan.queue[..], &plan.waiting[..]) {
        ([_], []) => READY,
        ([], [waiting]) => Err(waiting.reason),
        _ => panic!("{plan:?}"),
    }
}

/// What `reconcile` does, each in a few words.
pub fn repairs(snapshot: &Snapshot) -> Vec<String> {
    repairs_by(snapshot, &RULES)
}

pub fn repairs_by(snapshot: &Snapshot, rules: &Rules) -> Vec<String> {
    let plan = plan::reconcile(snapshot, rules);
    plan.repairs.iter().map(in_words).collect()
}

/// What `reconcile` does where there is one discussion, that of !1.
pub fn repair(mr: MergeRequest, record: impl Into<Option<Record>>, thread: Thread) -> String {
    let records: Vec<Record> = record.into().into_iter().collect();
    let mut snapshot = snapshot([mr], records);
    snapshot.threads.insert(Iid(1), vec![thread]);
    repairs(&snapshot).join("; ")
}

fn in_words(repair: &Repair) -> String {
    let on = |labelled: &Option<&Request>| match labelled {
        Some(_) => "",
        None => ", label gone",
    };
    match repair {
        Repair::Record(record, what) => {
            let what = match what {
                RecordRepair::Link => "link".to_owned(),
                RecordRepair::Finish {
                    outcome,
                    reply,
                    labelled,
                } => format!(
                    "finish {} {}{}",
                    outcome.word(),
                    reply_word(*reply),
                    on(labelled)
                ),
                RecordRepair::Amend(outcome, note) => {
                    format!("amend {} to {}", note.note, outcome.word())
                }
                RecordRepair::Withdraw(reply) => format!("withdraw {}", reply_word(*reply)),
                RecordRepair::CutShort {
                    why,
                    reply,
                    labelled,
                } => {
                    let what = match why {
                        CutShort::Stuck => "time out",
                        CutShort::Superseded => "supersede",
                    };
                    format!("{what} {}{}", reply_word(*reply), on(labelled))
                }
                RecordRepair::Cancel => "cancel".to_owned(),
            };
            format!("{} {what}", record.pipeline)
        }
        Repair::Close(closing) => {
            let why = match closing.why {
                CloseReason::Unlabelled => "unlabelled",
                CloseReason::Merged => "merged",
                CloseReason::Closed => "closed",
            };
            let told = match closing.discussion {
                Some((thread, opening)) => {
                    assert_eq!(thread.opening.as_ref(), Some(opening));
                    ", in its discussion"
                }
                None => "",
            };
            let labelled = match closing.labelled {
                Some(request) => format!(", {} off", request.label),
                None => String::new(),
            };
            let rest = if closing.at_rest { "" } else { ", not at rest" };
            let mr = closing.mr.iid;
            format!("close !{mr}: {} {why}{told}{labelled}{rest}", closing.label)
        }
        Repair::Unmark(iid, _) => format!("unmark !{iid}"),
        Repair::Mark(iid) => format!("mark !{iid}"),
    }
}

fn reply_word(reply: Reply) -> &'static str {
    match reply {
        Reply::Posted => "told",
        Reply::Outdated(_) => "told otherwise",
        Reply::Due(_) => "untold",
        Reply::DueInNewThread => "anew",
    }
}
