//! A story whose every request can be hit.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use bench_bot::RunOutcome;
use in_memory_gitlab::{Gitlab, World};

use super::hits::{HANG, Hit, PATIENCE, hit};
use super::points::{Point, points};
use crate::done::{Done, done};
use crate::promise::{self, Meddling, kept};
use crate::rest::{Parties, comes_to_rest, state};
use crate::stories::Story;

/// From the same world each time.
pub struct Scene<'a> {
    pub story: &'a Story,
    world: World,
    pub points: Vec<Point>,
    /// What it may do, whatever it is told.
    may: Done,
    /// What undisturbed runs make of the world that a hit run leaves behind: many leave the same.
    known: Mutex<BTreeMap<String, Result<usize, String>>>,
}

/// How the hit run ended, and in how many later rounds all was right.
pub type Cell = (usize, u8);

impl<'a> Scene<'a> {
    pub fn of(story: &'a Story) -> Self {
        let gitlab = Gitlab::start();
        (story.arrange)(&gitlab);
        let world = gitlab.world().clone();
        let before = promise::by_request(&gitlab);
        Self {
            story,
            world,
            points: points(&gitlab, story),
            may: done(&gitlab, &before),
            known: Mutex::default(),
        }
    }

    /// What came of it, the worst where it is several faults in turn; or what was not right.
    pub fn outcome(
        &self,
        gitlab: &Gitlab,
        point: &Point,
        what: Hit,
    ) -> Result<Option<Cell>, String> {
        if !matches!(what, Hit::FieldsMissing) {
            return self.outcome_of(gitlab, point, what, "").map(Some);
        }
        let mut worst = None;
        for field in &point.fields {
            let outcome = self.outcome_of(gitlab, point, what, field);
            worst = worst.max(Some(
                outcome.map_err(|broken| format!("{field}: {broken}"))?,
            ));
        }
        Ok(worst)
    }

    fn outcome_of(
        &self,
        gitlab: &Gitlab,
        point: &Point,
        what: Hit,
        field: &'static str,
    ) -> Result<Cell, String> {
        let Self { story, world, .. } = self;
        *gitlab.world() = world.clone();
        gitlab.clear_requests();
        let before = promise::by_request(gitlab);
        hit(gitlab, point, what, field);
        // Elsewhere a busy machine may take its time.
        let patience = if what.hangs() { PATIENCE } else { "" };
        let RunOutcome { exit, .. } = story.run(gitlab, &format!("{} {patience}", story.command));
        if matches!(what, Hit::TakesEffectLate) {
            thread::sleep(HANG);
        }
        gitlab.no_faults();
        kept(promise::safety(gitlab, &Meddling::default()))?;
        done(gitlab, &before).no_more_than(&self.may)?;
        let left = format!("{:?}", (promise::refused(gitlab), state(gitlab)));
        let known = self.known.lock().expect("no panic").get(&left).cloned();
        let rounds = known.unwrap_or_else(|| {
            (story.afterwards)(gitlab);
            let rounds = comes_to_rest(gitlab, &Parties::to(story));
            let mut known = self.known.lock().expect("no panic");
            known.insert(left, rounds.clone());
            rounds
        });
        rounds.map(|rounds| (rounds, exit as u8))
    }
}
