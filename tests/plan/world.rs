//! Any snapshot: with people who label and unlabel, benchmarks in any state, and notes that may or may not fit them.

use bench_bot::gitlab::answer::Version;
use bench_bot::id::{DiscussionId, Iid, NoteId, PipelineId, RequestId};
use bench_bot::note::{OpeningNote, OutcomeNote, Thread, Unstarted};
use bench_bot::record::Record;
use bench_bot::snapshot::{MergeRequest, Origin, Request, Snapshot};
use proptest::prelude::*;
use proptest::sample::select;

use crate::scene::*;

const LABELS: [&str; 2] = [LABEL, FULL];

fn request_id(iid: u64, event: usize) -> RequestId {
    RequestId(iid * 100 + event as u64)
}

prop_compose! {
    /// Its labels were put on and taken off in turn; one may be missing without any event.
    fn any_mr(iid: u64)(
        history in prop::collection::vec(0..2usize, 0..5),
        is_missing in prop::bool::weighted(0.1),
        is_renamed in prop::bool::weighted(0.1),
        by in select(vec![Some((30, "dana")), Some((31, "olga")), Some((20, "bench-bot")), Some((1, "ghost")), None]),
        fork in prop::option::weighted(0.3, prop::collection::vec((select(vec!["a", "c"]), -90..-30i64), 0..3)),
        started in -300..0i64,
        status in select(vec!["success", "success", "success", "failed", "running"]),
        state in select(vec!["opened", "opened", "opened", "merged", "closed"]),
    ) -> MergeRequest {
        let mut is_on = [false; 2];
        let mut requests = [None, None];
        let mut events = Vec::new();
        for (at_, label) in history.into_iter().enumerate() {
            is_on[label] ^= true;
            let action = if is_on[label] { "add" } else { "remove" };
            let id = request_id(iid, at_);
            events.push(event(id.0, action, Some(if is_renamed { "renamed" } else { LABELS[label] })));
            requests[label] = is_on[label].then(|| Request {
                by: by.map(|(id, name)| user(id, name)),
                ..request(id.0, LABELS[label])
            });
        }
        with(iid, |mr| {
            mr.state = state.to_owned();
            mr.events = events;
            mr.requests = requests.into_iter().flatten().filter(|_| !is_missing && !is_renamed).collect();
            let pipeline = mr.pipeline.as_mut().expect("it has one");
            (pipeline.status, pipeline.started_at) = (word(status), Some(at(started)));
            if let Some(versions) = fork {
                let version = |(id, (head, minutes)): (usize, (&str, i64))| Version {
                    id: id as u64,
                    head_commit_sha: Some(sha(head)),
                    created_at: at(minutes),
                };
                mr.origin = Origin::Fork {
                    versions: versions.into_iter().enumerate().map(version).collect(),
                };
            }
        })
    }
}

prop_compose! {
    fn any_record()(
        iid in 1..7u64,
        event in 0..5usize,
        label in 0..3usize,
        status in select(vec!["created", "running", "manual", "canceling", "success", "failed", "canceled"]),
        unchanged in 0..60i64,
        commit in select(vec!["a", "c"]),
    ) -> Record {
        let mut record = record(0, iid, status);
        record.task.request = request_id(iid, event);
        record.task.label = [LABEL, FULL, "somebody-elses"][label].to_owned();
        record.task.sha = sha(commit);
        record.updated_at = at(-unchanged * 60);
        record
    }
}

prop_compose! {
    /// What the bot wrote for one request.
    fn any_thread()(
        iid in 1..7u64,
        event in 0..5usize,
        label in 0..2usize,
        linked in prop::option::of(1..20u64),
        state in prop::option::weighted(0.3, select(vec![Unstarted::Refused, Unstarted::Unavailable, Unstarted::Closed])),
        status in prop::option::weighted(0.4, select(vec![None, Some("success"), Some("canceled")])),
        posted in 0..120i64,
        resolved: bool,
    ) -> (Iid, Thread) {
        let (request, label) = (request_id(iid, event), Some(LABELS[label].to_owned()));
        let outcome = |status: Option<&str>| OutcomeNote {
            note: NoteId(request.0 + 5000),
            request,
            label: label.clone(),
            pipeline: linked.map(PipelineId),
            status: status.map(str::to_owned),
            ..to_be_cancelled(posted)
        };
        let outcomes: Vec<_> = status.into_iter().map(outcome).collect();
        let thread = Thread {
            id: DiscussionId(format!("{:040}", request.0)),
            opening: Some(OpeningNote {
                note: NoteId(request.0),
                body: String::new(),
                request,
                label,
                sha: Some(sha("a")),
                linked: linked.map(PipelineId),
                state: state.filter(|_| linked.is_none()),
                project: None,
                triggered: None, waits: None, }),
            outcomes,
            resolved,
        };
        (Iid(iid), thread)
    }
}

prop_compose! {
    pub fn any_snapshot()(
        mrs in (any_mr(1), any_mr(2), any_mr(3), any_mr(4), any_mr(5)),
        records in prop::collection::btree_map(1..20u64, any_record(), 0..8),
        threads in prop::collection::vec(any_thread(), 0..10),
        unread in prop::option::weighted(0.2, (1..20u64, -70..0i64, select(vec!["running", "success", "manual"]))),
        uncertain in prop::option::weighted(0.2, (1..6u64, 0..5usize)),
        marked in prop::collection::btree_set(1..7u64, 0..3),
        threads_unread in prop::collection::btree_set(1..6u64, 0..2),
    ) -> Snapshot {
        let mrs = [mrs.0, mrs.1, mrs.2, mrs.3, mrs.4];
        let records: Vec<Record> = records
            .into_iter()
            .map(|(id, record)| {
                // Ids grow with time.
                let created_at = at((id as i64 - 20) * 180);
                let updated_at = record.updated_at.max(created_at);
                Record { pipeline: PipelineId(id), created_at, updated_at, ..record }
            })
            .collect();
        let mut snapshot = two_labels(mrs, records);
        snapshot.gone.insert(Iid(6));
        for iid in (1..6).filter(|iid| !threads_unread.contains(iid)) {
            snapshot.threads.insert(Iid(iid), Vec::new());
        }
        for (iid, thread) in threads {
            if let Some(threads) = snapshot.threads.get_mut(&iid)
                && threads.iter().all(|other| other.id != thread.id)
            {
                threads.push(thread);
            }
        }
        let unread = unread.map(|(id, minutes, status)| unreadable(id, minutes, status));
        snapshot.unreadable.extend(unread);
        snapshot.uncertain.extend(uncertain.map(|(iid, event)| (Iid(iid), request_id(iid, event))));
        snapshot.begun = Some(marked.into_iter().map(Iid).collect());
        snapshot
    }
}
