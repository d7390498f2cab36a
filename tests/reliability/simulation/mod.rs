//! A world in which everything happens at once, told by a seed: people label, push, merge, delete, rename, refuse; benchmarks
//! end, are cancelled, are retried, are blocked, hang; runs are cut short, overlap, are lied to, come rarely. Safety is
//! checked at every step, and the promise once the faults have stopped.

mod checks;
mod deeds;
mod disturbance;
mod random;
mod rest;
mod runs;
mod shrink;
mod steps;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use chrono::{DateTime, TimeDelta, Utc};
use in_memory_gitlab::{Gitlab, LabelOwner, Mr, People};

use self::random::Random;
use self::shrink::{Kept, shrunk};
use self::steps::{Deed, STEPS, Step, plan};
use crate::bot::{Installation, OF_ANOTHER_LABEL, OF_ANOTHER_PROJECT, OF_TWO_LABELS, SOLE};
use crate::promise::{self, Asked, LABELS, Meddling, kept};
use crate::world::add_gears;

const SEEDS: Range<u64> = 1..5;
const SOAK: Range<u64> = 1000..1200;

#[test]
fn whatever_happens_the_promise_holds() {
    simulate_all(SEEDS);
}

/// `SEEDS=2000-3000` for others; `SEED=7` for one alone; `SEED=7 KEEP=3,12~ …`, as a failure prints it, with these steps
/// only, and undisturbed where a step bears a tilde.
#[test]
#[ignore = "a soak of minutes"]
fn whatever_happens_for_long() {
    let set = |name| std::env::var(name).ok();
    let seed = set("SEED").and_then(|seed| seed.parse().ok());
    let seeds = set("SEEDS").and_then(|seeds| {
        let (first, end) = seeds.split_once('-')?;
        Some(first.parse().ok()?..end.parse().ok()?)
    });
    let one = seed.map(|seed: u64| seed..seed + 1);
    simulate_all(one.or(seeds).unwrap_or(SOAK));
}

fn simulate_all(seeds: Range<u64>) {
    let chosen = std::env::var("KEEP").ok();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(seed) = seeds.clone().nth(next.fetch_add(1, Ordering::SeqCst)) {
                    let kept = match &chosen {
                        Some(chosen) => Kept::chosen(chosen),
                        None => Kept::all(STEPS),
                    };
                    let Err(broken) = simulate(seed, &kept) else {
                        continue;
                    };
                    // One story of a kind is enough.
                    let mut kinds = failures.lock().expect("no panic");
                    let kind = broken.kind();
                    *kinds.entry(kind.clone()).or_insert(0) += 1;
                    let is_new = kinds[&kind] == 1;
                    drop(kinds);
                    if is_new {
                        println!("{}\n", shrunk(seed, kept, broken));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "{failures:#?}");
}

/// What is so all the time.
struct Setup {
    installations: Vec<Installation>,
    resolves: bool,
    short_timeout: bool,
    /// Days go by between runs.
    rare: bool,
    /// A push cancels the benchmark of the commit before.
    on_push: bool,
    announce: &'static str,
}

impl Setup {
    fn of(seed: u64) -> Self {
        let random = &mut Random(!seed);
        let installations: &[Installation] = random.of(&[
            &[SOLE],
            &[OF_TWO_LABELS],
            &[SOLE, OF_ANOTHER_LABEL],
            &[SOLE, OF_ANOTHER_PROJECT],
            &[OF_TWO_LABELS, OF_ANOTHER_PROJECT],
        ]);
        Self {
            installations: installations.to_vec(),
            resolves: random.below(2) == 0,
            short_timeout: random.below(3) == 0,
            rare: random.below(4) == 0,
            on_push: random.below(3) == 0,
            announce: random.of(&["none", "emoji", "discussion"]),
        }
    }

    fn settings(&self) -> String {
        let mut settings = format!(" --announce {}", self.announce);
        if self.resolves {
            settings += " --resolve always --results-job benchmark";
        }
        if self.on_push {
            settings += " --on-push cancel";
        }
        if self.short_timeout {
            settings += " --timeout 2h";
        }
        settings
    }

    fn timeout(&self) -> TimeDelta {
        TimeDelta::hours(if self.short_timeout { 2 } else { 24 })
    }
}

/// The cast of one simulation. Clones act on the same world.
#[derive(Clone)]
struct Sim {
    people: People,
    seed: u64,
    setup: Arc<Setup>,
    meddling: Arc<Mutex<Meddling>>,
    /// How many runs are still told what lags behind.
    lag: Arc<AtomicUsize>,
    /// When each installation last saw all that there was.
    looked: Arc<Mutex<BTreeMap<usize, DateTime<Utc>>>>,
    /// Requests of forks that a trigger has made, and the commits that it meant.
    meant: Arc<Mutex<BTreeMap<Asked, String>>>,
}

/// A merge request that may be benchmarked.
struct Known {
    mr: Mr,
    project: &'static str,
    iid: u64,
}

/// Where and what.
struct Broken {
    at: String,
    what: String,
}

fn simulate(seed: u64, steps: &Kept) -> Result<(), Broken> {
    let gitlab = Gitlab::start();
    let sim = Sim {
        people: (*gitlab).clone(),
        seed,
        setup: Arc::new(Setup::of(seed)),
        meddling: Arc::default(),
        lag: Arc::default(),
        looked: Arc::default(),
        meant: Arc::default(),
    };
    let engine = LabelOwner::Project(7);
    sim.people.world().add_label(engine, LABELS[1]);
    if sim.setup.installations.contains(&OF_ANOTHER_PROJECT) {
        add_gears(&sim.people);
    }
    sim.deed(Deed::Open, 0);
    for (index, step) in steps.of(plan(seed)) {
        let said = |what| Broken {
            at: format!("step {index}, {step:?}"),
            what,
        };
        sim.take(&step).map_err(said)?;
        kept(promise::safety(&gitlab, &sim.meddling())).map_err(said)?;
    }
    sim.comes_to_rest().map_err(|what| Broken {
        at: "at rest".to_owned(),
        what,
    })
}

impl Sim {
    fn take(&self, step: &Step) -> Result<(), String> {
        match step {
            Step::Person(deed, choice) => self.deed(*deed, *choice),
            Step::Machine(fortune, choice) => self.fortune(*fortune, *choice),
            Step::Later(minutes) => self.later(*minutes),
            Step::Run(disturbed) => return self.run(disturbed),
        }
        Ok(())
    }

    fn mrs(&self) -> Vec<Known> {
        let found: Vec<(u64, u64)> = {
            let world = self.people.world();
            let all = world.merge_requests.values();
            all.map(|mr| (mr.project_id, mr.iid)).collect()
        };
        let known = |(project_id, iid)| {
            let project = if project_id == 7 {
                "acme/engine"
            } else {
                "acme/gears"
            };
            Known {
                mr: self.people.existing_mr(project, iid),
                project,
                iid,
            }
        };
        found.into_iter().map(known).collect()
    }

    fn meddling(&self) -> Meddling {
        self.meddling.lock().expect("no panic").clone()
    }

    fn lags(&self) -> bool {
        self.lag.load(Ordering::SeqCst) > 0
    }

    /// What GitLab does later than it answers is done.
    fn catch_up(&self) {
        self.lag.store(0, Ordering::SeqCst);
        let mut world = self.people.world();
        (world.late_events, world.lagging_lists) = (false, false);
        drop(world);
        self.people.run_background_jobs();
    }

    fn later(&self, minutes: u64) {
        self.catch_up();
        self.people
            .later(std::time::Duration::from_secs(minutes * 60));
    }
}
