//! What happens to the requests of a run.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use in_memory_gitlab::{Fault, People, Request};

use super::Sim;
use super::steps::{Disturbed, Hit, Step};

impl Sim {
    pub fn disturb(&self, disturbed: &Disturbed) -> Arc<Readings> {
        let readings = Arc::new(Readings::default());
        let (sim, disturbed) = (self.clone(), disturbed.clone());
        let (writes, stopped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (before, after) = (Arc::clone(&readings), Arc::clone(&readings));
        let overlaps = disturbed.overlaps();
        self.people.fault(move |request| {
            if !overlaps {
                before.asked(&sim.people, request);
            }
            sim.what_befalls(request, &disturbed, &writes, &stopped)
        });
        let people = self.people.clone();
        self.people.answered(move |request| {
            if !overlaps {
                after.answered(&people, request);
            }
        });
        readings
    }

    fn what_befalls(
        &self,
        request: &Request,
        disturbed: &Disturbed,
        writes: &AtomicUsize,
        stopped: &AtomicUsize,
    ) -> Option<Fault> {
        // The mark goes out beside the opening of a discussion. A process that is killed exactly between the two
        // leaves a discussion that nobody finds once its label has gone: so no stop falls there.
        let marks = request.method == "POST" && request.path.ends_with("/award_emoji");
        if stopped.load(Ordering::SeqCst) > 0 {
            return (!marks).then_some(Fault::Reset);
        }
        let waits = disturbed.waits();
        // What is waited for ends, and is waited for until its end: a stop is another story.
        if waits && let Some(benchmark) = self.looked_at(request) {
            let ends = ["success", "failed", "canceled"][disturbed.mr % 3];
            self.people.benchmark_ends(benchmark, ends);
        }
        if !request.is_write() {
            let mut hasher = DefaultHasher::new();
            (self.seed, disturbed.mr, &request.path, &request.query).hash(&mut hasher);
            let hash = hasher.finish();
            let fails = hash % 100 < disturbed.reads && !waits;
            return fails.then(|| fault_of_read(hash / 100));
        }
        let write = writes.fetch_add(1, Ordering::SeqCst);
        if let Some((at, step)) = &disturbed.meanwhile
            && write == *at
        {
            // What it does is not disturbed in its turn: its writes are counted on from here.
            let _ = match step.as_ref() {
                Step::Run(other) => self.command(other).map_or(Ok(()), |command| {
                    self.runs_of(other.by, &command);
                    Ok(())
                }),
                step => self.take(step),
            };
        }
        let hit = disturbed.write.filter(|(at, _)| *at == write)?.1;
        if let Hit::Stop | Hit::StopAfter = hit
            && !waits
        {
            stopped.store(1, Ordering::SeqCst);
            if marks {
                return None;
            }
        }
        Some(hit.fault())
    }

    /// A benchmark that is looked at.
    fn looked_at(&self, request: &Request) -> Option<u64> {
        let id = request.path.strip_prefix("/projects/8/pipelines/")?;
        let id = id.parse().ok()?;
        let mut benchmarks = self.people.benchmarks().into_iter();
        benchmarks
            .any(|benchmark| benchmark.id == id && !benchmark.has_ended())
            .then_some(id)
    }
}

impl Hit {
    fn fault(self) -> Fault {
        match self {
            Hit::Stop | Hit::Reset => Fault::Reset,
            Hit::StopAfter | Hit::ResetAfter => Fault::ResetAfterEffect,
            Hit::Error => Fault::server_error(),
            Hit::ErrorAfter => Fault::server_error().after_effect(),
            Hit::Cut => Fault::CutBody,
            Hit::Throttled => Fault::throttled(None),
            Hit::NotFound => Fault::not_found(),
            Hit::NotFoundByProxy => Fault::not_found_by_proxy(),
            Hit::Forbidden => Fault::forbidden(),
            Hit::DateOff => date_off(3),
        }
    }
}

/// By minutes or days, to either side.
fn date_off(hash: u64) -> Fault {
    const SECONDS: [i64; 4] = [-400_000, -5_000, 5_000, 400_000];
    Fault::DateOff(SECONDS[(hash % 4) as usize])
}

/// One of those that a read may meet.
fn fault_of_read(hash: u64) -> Fault {
    const FIELDS: [&str; 16] = [
        "action",
        "author",
        "created_at",
        "head_commit_sha",
        "head_pipeline",
        "id",
        "label",
        "labels",
        "sha",
        "source",
        "state",
        "status",
        "updated_at",
        "user",
        "username",
        "value",
    ];
    let field = FIELDS[(hash / 6 % FIELDS.len() as u64) as usize];
    match hash % 6 {
        0 => Fault::server_error(),
        1 => Fault::not_found(),
        2 => Fault::not_found_by_proxy(),
        3 => Fault::forbidden(),
        4 => date_off(hash / 6),
        _ => Fault::Without(field),
    }
}

/// What a run has read of merge requests, by their paths: whatever it starts must agree with it.
#[derive(Default)]
pub struct Readings {
    asked: Mutex<BTreeMap<String, Reading>>,
    read: Mutex<BTreeMap<String, Vec<Option<Reading>>>>,
    broken: Mutex<Vec<String>>,
}

#[derive(Clone, PartialEq)]
struct Reading {
    state: String,
    labels: Vec<String>,
    head: Option<String>,
    is_from_fork: bool,
}

impl Readings {
    fn asked(&self, people: &People, request: &Request) {
        if request.method == "POST" && request.path == "/projects/8/pipeline" {
            self.is_started(request);
        } else if let Some(reading) = reading(people, request) {
            let mut asked = self.asked.lock().expect("no panic");
            asked.insert(request.path.clone(), reading);
        }
    }

    /// What has changed between question and answer is not known to have been read.
    fn answered(&self, people: &People, request: &Request) {
        if request.status == Some(200)
            && let Some(reading) = reading(people, request)
        {
            let before = self.asked.lock().expect("no panic");
            let sure = before
                .get(&request.path)
                .filter(|before| **before == reading);
            let mut read = self.read.lock().expect("no panic");
            read.entry(request.path.clone())
                .or_default()
                .push(sure.cloned());
        }
    }

    fn is_started(&self, request: &Request) {
        let value = |key: &str| {
            let mut variables = request.body["variables"].as_array()?.iter();
            let found = variables.find(|variable| variable["key"] == key)?;
            found["value"].as_str().map(str::to_owned)
        };
        let [project, iid, label, sha] =
            ["PROJECT_ID", "MR_IID", "LABEL", "SHA"].map(|key| value(&format!("BENCH_{key}")));
        let path = format!(
            "/projects/{}/merge_requests/{}",
            project.unwrap_or_default(),
            iid.unwrap_or_default()
        );
        let read = self.read.lock().expect("no panic");
        let readings = read.get(&path).map_or(&[][..], Vec::as_slice);
        let (first, last) = (readings.first(), readings.last());
        let complain = |what: &str| {
            let mut broken = self.broken.lock().expect("no panic");
            broken.push(format!("{path} is started, though {what}"));
        };
        if let Some(Some(last)) = last {
            if last.state != "opened" {
                complain("it was read to be open no more");
            }
            if label.is_none_or(|label| !last.labels.contains(&label)) {
                complain("its label was read to be off");
            }
            if last.head != sha {
                complain("another head was read");
            }
        }
        if let Some(Some(first)) = first
            && first.is_from_fork
            && first.head != sha
        {
            complain("another head of the fork was read first");
        }
    }

    pub fn broken(&self) -> Vec<String> {
        self.broken.lock().expect("no panic").clone()
    }
}

/// What the one that is asked for is like.
fn reading(people: &People, request: &Request) -> Option<Reading> {
    if request.method != "GET" {
        return None;
    }
    let path = request.path.strip_prefix("/projects/")?;
    let (project, iid) = path.split_once("/merge_requests/")?;
    let (project, iid): (u64, u64) = (project.parse().ok()?, iid.parse().ok()?);
    let world = people.world();
    let mut all = world.merge_requests.values();
    let mr = all.find(|mr| (mr.project_id, mr.iid) == (project, iid))?;
    Some(Reading {
        state: mr.state.clone(),
        labels: world.titles(&mr.labels),
        head: mr.sha().map(str::to_owned),
        is_from_fork: mr.is_from_fork(),
    })
}
