//! What a run does.

use std::collections::{BTreeMap, BTreeSet};

use in_memory_gitlab::{People, Pipeline};
use serde_json::Value;

use crate::promise::{self, Asked};

/// The requests for which a run starts benchmarks, those for which there were some already among them, the paths by
/// which it cancels, and from where it takes labels off.
#[derive(Default)]
pub struct Done {
    pub started: Vec<Asked>,
    cancelled: BTreeSet<String>,
    unlabelled: BTreeSet<String>,
}

pub type Benchmarks = BTreeMap<Asked, Vec<Pipeline>>;

/// Since the log of requests was cleared.
pub fn done(gitlab: &People, before: &Benchmarks) -> Done {
    let mut started = Vec::new();
    for (request, benchmarks) in promise::by_request(gitlab) {
        let known = before.get(&request).map_or(0, Vec::len);
        started.extend(benchmarks.iter().skip(known).map(|_| request));
    }
    let (mut cancelled, mut unlabelled) = (BTreeSet::new(), BTreeSet::new());
    for write in gitlab.writes() {
        if write.path.ends_with("/cancel") {
            cancelled.insert(write.path);
        } else if write.body.get("remove_labels").is_some_and(requests_one) {
            unlabelled.insert(format!("{} {}", write.path, write.body));
        }
    }
    Done {
        started,
        cancelled,
        unlabelled,
    }
}

/// Other labels tell a verdict, and come off wherever none was read.
fn requests_one(labels: &Value) -> bool {
    let mut labels = labels.as_str().unwrap_or_default().split(',');
    labels.any(promise::asks)
}

impl Done {
    /// Whatever a run is told, it starts, cancels and unlabels nothing that it would not if it were told all.
    pub fn no_more_than(&self, may: &Done) -> Result<(), String> {
        let once: BTreeSet<&Asked> = self.started.iter().collect();
        if once.len() < self.started.len() || once.iter().any(|start| !may.started.contains(start))
        {
            return Err(format!("{:?} were started", self.started));
        }
        if !self.cancelled.is_subset(&may.cancelled) {
            return Err(format!("{:?} were cancelled", self.cancelled));
        }
        match self.unlabelled.is_subset(&may.unlabelled) {
            true => Ok(()),
            false => Err(format!("{:?} were unlabelled", self.unlabelled)),
        }
    }
}
