//! When each step of a request happened. It is only displayed, so what cannot be read stays unknown.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::gitlab::answer::{Pipeline, Status};
use crate::gitlab::{Error, Gitlab, both, parallel_map};
use crate::id::{Iid, PipelineId};
use crate::milestones::Milestones;
use crate::record::Record;
use crate::snapshot::{About, Snapshot, Trouble};

/// How long pipelines took that nobody cancelled, latest first. A pipeline's last change is its end, or somewhat later.
pub fn run_times(
    pipelines: &BTreeMap<PipelineId, Pipeline>,
    records: &[Record],
) -> Vec<(Option<String>, TimeDelta)> {
    let ended = pipelines.values().rev().filter(|pipeline| {
        let status = pipeline.status.as_ref().map(Status::word);
        matches!(status, Some("success" | "failed"))
    });
    let labels = records.iter().map(|of| (of.pipeline, &of.task.label));
    let labels: BTreeMap<PipelineId, &String> = labels.collect();
    let times = ended.filter_map(|pipeline| {
        let label = labels.get(&pipeline.id).copied().cloned();
        Some((label, pipeline.updated_at? - pipeline.created_at?))
    });
    times.collect()
}

/// Adds the milestones of records in flight and of those that ended since `since`. `of`: only this merge request's.
pub fn add(
    snapshot: &mut Snapshot,
    gitlab: &Gitlab,
    since: Option<DateTime<Utc>>,
    of: Option<Iid>,
) {
    let own = |record: &Record| record.task.project == gitlab.source.project().id;
    let lately = |record: &Record| since.is_some_and(|since| record.updated_at >= since);
    let mut milestones: Vec<(&Record, Milestones)> = snapshot
        .records
        .iter()
        .filter(|record| !record.status.ended() || lately(record))
        .filter(|record| of.is_none_or(|of| own(record) && record.task.mr == of))
        .map(|record| (record, surveyed(snapshot, record)))
        .collect();
    let missing = |time: fn(&Milestones) -> Option<DateTime<Utc>>| {
        let own = milestones.iter().filter(|(record, _)| own(record));
        own.filter(move |(_, known)| time(known).is_none())
            .map(|(record, _)| &record.task)
    };
    let benchmarks = milestones
        .iter()
        .map(|(record, _)| record.pipeline)
        .collect();
    let labelled = missing(|milestones| milestones.requested_at)
        .map(|task| task.mr)
        .collect();
    let pipelines = missing(|milestones| milestones.ready_at)
        .filter_map(|task| task.pipeline)
        .collect();
    let (benchmarks, (labelled, pipelines)) = both(
        || read(benchmarks, |id| gitlab.benchmark.pipeline(id)),
        || {
            both(
                || read(labelled, |iid| gitlab.source.label_events(iid)),
                || read(pipelines, |id| gitlab.source.pipeline(id)),
            )
        },
    );
    let mut troubles = Vec::new();
    let benchmarks = collect_known(benchmarks, &mut troubles, |id| {
        format!("when benchmark pipeline {id} started")
    });
    let labelled = collect_known(labelled, &mut troubles, |iid| {
        format!("when !{iid} was labelled")
    });
    let pipelines = collect_known(pipelines, &mut troubles, |id| {
        format!("when pipeline {id} passed")
    });
    let mut requested_by = BTreeMap::new();
    for (record, milestones) in &mut milestones {
        let task = &record.task;
        let request = snapshot.request_of(record);
        let mut by = request.and_then(|request| request.by.as_ref());
        if let Some(benchmark) = benchmarks.get(&record.pipeline) {
            milestones.started_at = benchmark.started_at;
            milestones.ended_at = milestones
                .ended_at
                .map(|at| benchmark.finished_at.unwrap_or(at));
        }
        if let (true, Some(events)) = (own(record), labelled.get(&task.mr)) {
            let event = events.iter().find(|event| event.id == task.request);
            milestones.requested_at = milestones
                .requested_at
                .or(event.map(|event| event.created_at));
            by = by.or(event.and_then(|event| event.user.as_ref()));
        }
        requested_by.extend(by.map(|by| (record.pipeline, by.clone())));
        if let (true, Some(id)) = (own(record), task.pipeline) {
            let finished_at = pipelines.get(&id).and_then(|pipeline| pipeline.finished_at);
            milestones.ready_at = milestones.ready_at.or(finished_at);
        }
    }
    let milestones = milestones.into_iter();
    snapshot.milestones = milestones
        .map(|(record, milestones)| (record.pipeline, milestones))
        .collect();
    snapshot.requested_by = requested_by;
    // Milestones are only displayed, so they decide nothing.
    let about = About::Milestones;
    let troubles = troubles.into_iter().map(|text| Trouble { about, text });
    snapshot.troubles.extend(troubles);
}

/// The milestones that the survey has read already.
fn surveyed(snapshot: &Snapshot, record: &Record) -> Milestones {
    let task = &record.task;
    let mr = snapshot
        .merge_requests
        .get(&task.mr)
        .filter(|_| task.project == snapshot.source);
    let request = snapshot.request_of(record);
    let pipeline = mr.and_then(|mr| mr.pipeline.as_ref());
    Milestones {
        requested_at: request.and_then(|request| request.at),
        ready_at: pipeline
            .filter(|pipeline| Some(pipeline.id) == task.pipeline)
            .and_then(|pipeline| pipeline.finished_at),
        begun_at: Some(record.created_at),
        started_at: None,
        ended_at: record.status.ended().then_some(record.updated_at),
    }
}

type Read<K, T> = Vec<(K, Result<T, Error>)>;

fn read<K: Copy + Send, T: Send>(
    keys: BTreeSet<K>,
    ask: impl Fn(K) -> Result<T, Error> + Sync,
) -> Read<K, T> {
    parallel_map(keys.into_iter().collect(), |key| (key, ask(key)))
}

/// Collects what could be read. What is gone is left out silently; other errors are reported.
fn collect_known<K: Copy + Ord, T>(
    read: Read<K, T>,
    troubles: &mut Vec<String>,
    what: impl Fn(K) -> String,
) -> BTreeMap<K, T> {
    let mut told = BTreeMap::new();
    for (key, answer) in read {
        match answer {
            Ok(answer) => drop(told.insert(key, answer)),
            Err(error) if error.not_found() => {}
            Err(error) => troubles.push(format!("cannot read {}: {error}", what(key))),
        }
    }
    told
}
