//! What a run may do, and what not.

use std::collections::{BTreeMap, BTreeSet};

use in_memory_gitlab::{BENCH_BOT, Pipeline};

use super::Sim;
use super::steps::{Disturbed, Step};
use crate::done::Benchmarks;
use crate::promise::{self, Asked, kept};

type NotesAndIds = Vec<(u64, String)>;

/// What there was when a run began.
pub struct Before {
    benchmarks: Benchmarks,
    /// Notes of people and labels other than ours.
    others: BTreeMap<u64, (NotesAndIds, Vec<String>)>,
    /// How many have been made.
    pub requests: usize,
    pub label_events: BTreeSet<u64>,
}

impl Sim {
    pub fn before(&self) -> Before {
        let mrs = promise::merge_requests(&self.people);
        let events = mrs.values().flat_map(|mr| &mr.label_events);
        Before {
            benchmarks: promise::by_request(&self.people),
            others: self.others(),
            requests: self.people.requests().len(),
            label_events: events.map(|event| event.id).collect(),
        }
    }

    pub fn check(
        &self,
        disturbed: &Disturbed,
        command: &str,
        before: &Before,
    ) -> Result<(), String> {
        let meanwhile = disturbed.meanwhile.as_ref().map(|(_, step)| &**step);
        let is_alone = matches!(meanwhile, None | Some(Step::Run(_)));
        if is_alone && self.others() != before.others {
            return Err("somebody else's note or label was touched".to_owned());
        }
        let new = self.starts_no_more(disturbed, before)?;
        if meanwhile.is_none() {
            self.is_of_the_head(&new)?;
            self.keeps_to_the_limit(command, &new)?;
        }
        let stuck = self.setup.timeout();
        kept(promise::cancelled_in_error(
            &self.people,
            before.requests,
            stuck,
            self.setup.on_push,
        ))
    }

    /// The bot's benchmarks.
    pub fn ours(&self) -> Vec<Pipeline> {
        let mut benchmarks = self.people.benchmarks();
        benchmarks.retain(|benchmark| benchmark.user.as_deref() == Some("bench-bot"));
        benchmarks
    }

    /// A run starts no second benchmark of a request; each of two at once may start the first.
    fn starts_no_more(
        &self,
        disturbed: &Disturbed,
        before: &Before,
    ) -> Result<Vec<(Asked, Pipeline)>, String> {
        let mut started = Vec::new();
        for (asked, benchmarks) in promise::by_request(&self.people) {
            let earlier = before.benchmarks.get(&asked).map_or(0, Vec::len);
            let new = benchmarks.into_iter().skip(earlier);
            let new: Vec<_> = new.map(|found| (asked, found)).collect();
            let most = match earlier {
                0 if disturbed.overlaps() => 2,
                0 => 1,
                // What is neither listed nor linked can be found by nobody.
                _ if self.lags() && !self.is_linked(asked) => 1,
                _ => 0,
            };
            if new.len() > most {
                let (new, asked) = (new.len(), asked);
                return Err(format!("{asked}: {new} more started beside {earlier}"));
            }
            started.extend(new);
        }
        Ok(started)
    }

    fn is_linked(&self, asked: Asked) -> bool {
        let mrs = promise::merge_requests(&self.people);
        let starts = mrs
            .get(&(asked.project, asked.iid))
            .map(|mr| promise::about(mr, "start", asked.event));
        let mut starts = starts.into_iter().flatten();
        starts.any(|start| start.pipeline().is_some())
    }

    fn is_of_the_head(&self, new: &[(Asked, Pipeline)]) -> Result<(), String> {
        let mrs = promise::merge_requests(&self.people);
        for (asked, found) in new {
            let head = mrs.get(&(asked.project, asked.iid)).and_then(|mr| mr.sha());
            if found.variable("BENCH_SHA") != head {
                return Err(format!(
                    "{asked}: pipeline {} is of an old commit",
                    found.id
                ));
            }
        }
        Ok(())
    }

    fn keeps_to_the_limit(&self, command: &str, new: &[(Asked, Pipeline)]) -> Result<(), String> {
        let limit = match command {
            "scan" => 1,
            "scan --max-in-flight 3" => 3,
            _ => return Ok(()),
        };
        if new.is_empty() || self.lags() {
            return Ok(());
        }
        let (now, stuck) = (self.people.now(), self.people.world().stuck.clone());
        let mut taken = self.ours();
        // What hangs may have lost its place.
        taken.retain(|found| {
            let overdue = now - found.created_at > self.setup.timeout();
            !found.has_ended() && found.status != "manual" && !stuck.contains(&found.id) && !overdue
        });
        match taken.len() > limit {
            true => Err(format!("{} in flight, of {limit}", taken.len())),
            false => Ok(()),
        }
    }

    fn others(&self) -> BTreeMap<u64, (NotesAndIds, Vec<String>)> {
        let world = self.people.world();
        let mrs = world.merge_requests.values();
        mrs.map(|mr| {
            let notes = mr
                .discussions
                .iter()
                .flat_map(|discussion| &discussion.notes);
            let theirs = notes.filter(|note| note.author_id != BENCH_BOT);
            let theirs = theirs.map(|note| (note.id, note.body.clone())).collect();
            let labels = world
                .titles(&mr.labels)
                .into_iter()
                .filter(|title| !promise::asks(title));
            (mr.id, (theirs, labels.collect()))
        })
        .collect()
    }
}
