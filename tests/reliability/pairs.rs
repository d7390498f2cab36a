//! Two runs at once: the second comes and goes whole at each request of the first, before that reaches GitLab and before
//! its answer is there. Then undisturbed runs of both follow, and the promise must hold.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use chrono::TimeDelta;
use in_memory_gitlab::{Gitlab, LabelOwner, People, Request, World};

use crate::bot::{Installation, OF_ANOTHER_LABEL, OF_ANOTHER_PROJECT, OF_TWO_LABELS};
use crate::done::Benchmarks;
use crate::faults::points::{Point, points};
use crate::promise::{self, Meddling, kept};
use crate::rest::{Parties, comes_to_rest, state};
use crate::stories::{self, Story};
use crate::world::add_gears;

const TIMEOUT: TimeDelta = TimeDelta::hours(24);

/// Who else runs at the same time.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Second {
    Same(&'static str),
    /// For a label of the same merge request.
    OfAnotherLabel(&'static str),
    OfAnotherProject(&'static str),
}
use Second::{OfAnotherLabel, OfAnotherProject, Same};

const SECONDS: [Second; 7] = [
    Same("scan"),
    Same("reconcile"),
    Same("trigger"),
    OfAnotherLabel("scan"),
    OfAnotherLabel("reconcile"),
    OfAnotherProject("scan"),
    OfAnotherProject("reconcile"),
];

impl Second {
    fn command(self, gitlab: &People) -> String {
        match self {
            Same("trigger") => format!("trigger --mr {}", last(gitlab)),
            Same(command) | OfAnotherLabel(command) | OfAnotherProject(command) => {
                command.to_owned()
            }
        }
    }

    fn of(self, story: &Story) -> Installation {
        match self {
            Same(_) => story.by,
            OfAnotherLabel(_) => OF_ANOTHER_LABEL,
            OfAnotherProject(_) => OF_ANOTHER_PROJECT,
        }
    }

    /// It finds something to do: a request that is ready, or a benchmark that has ended.
    fn arrange(self, gitlab: &Gitlab, story: &Story) {
        match self {
            Same(_) => return,
            OfAnotherLabel(_) => {
                let label = OF_ANOTHER_LABEL.labels[0];
                let owner = LabelOwner::Project(7);
                gitlab.world().add_label(owner, label);
                gitlab.existing_mr("acme/engine", last(gitlab)).label(label);
            }
            OfAnotherProject(_) => {
                add_gears(gitlab);
                gitlab.mr_in("acme/gears", "bystander").running().labelled();
                gitlab.mr_in("acme/gears", "lighter").passed().labelled();
            }
        }
        if self.command(gitlab) == "reconcile" {
            let by = self.of(story);
            by.run(gitlab, "scan --max-in-flight 9");
            let benchmarks = gitlab.benchmarks().into_iter();
            for benchmark in benchmarks.filter(|benchmark| by.owns(benchmark)) {
                gitlab.benchmark_ends(benchmark.id, "success");
            }
        }
    }
}

/// The merge request that a story is about.
fn last(gitlab: &People) -> u64 {
    let world = gitlab.world();
    let all = world.merge_requests.values();
    let of_engine = all.filter(|mr| mr.project_id == 7).map(|mr| mr.iid);
    of_engine.max().expect("there is one")
}

/// When the second run comes and goes.
#[derive(Clone, Copy, Debug)]
enum When {
    Before,
    After,
}
use When::{After, Before};

struct Pair<'a> {
    story: &'a Story,
    second: Second,
    world: World,
    points: Vec<Point>,
    /// What undisturbed runs make of the world that the two leave behind: several leave the same.
    known: Mutex<BTreeMap<String, Result<usize, String>>>,
}

impl<'a> Pair<'a> {
    fn of(story: &'a Story, second: Second) -> Self {
        let gitlab = Gitlab::start();
        (story.arrange)(&gitlab);
        second.arrange(&gitlab, story);
        let world = gitlab.world().clone();
        Self {
            story,
            second,
            world,
            points: points(&gitlab, story),
            known: Mutex::default(),
        }
    }

    fn parties(&self) -> Parties {
        let mut parties = Parties::to(self.story);
        let other = self.second.of(self.story);
        if other != self.story.by {
            parties.installations.push(other);
        }
        parties.scan = "scan --max-in-flight 9";
        parties
    }

    fn meets(&self, gitlab: &Gitlab, point: &Point, when: When) -> Result<(), String> {
        *gitlab.world() = self.world.clone();
        gitlab.clear_requests();
        let before = promise::by_request(gitlab);
        let found = self.run_both(gitlab, point, when);
        kept(promise::safety(gitlab, &Meddling::default()))?;
        kept(promise::cancelled_in_error(gitlab, 0, TIMEOUT, false))?;
        self.starts_no_more(gitlab, &before, &found)?;
        let left = format!("{:?}", (promise::refused(gitlab), state(gitlab)));
        let known = self.known.lock().expect("no panic").get(&left).cloned();
        let rested = known.unwrap_or_else(|| {
            (self.story.afterwards)(gitlab);
            // Who asks anew has to be told.
            gitlab.world().most_notes = 5000;
            let rested = comes_to_rest(gitlab, &self.parties());
            let mut known = self.known.lock().expect("no panic");
            known.insert(left, rested.clone());
            rested
        });
        rested.map(drop)
    }

    /// The benchmarks that the second run finds, and those that it leaves behind.
    fn run_both(&self, gitlab: &Gitlab, point: &Point, when: When) -> (Benchmarks, Benchmarks) {
        let (other, point) = ((**gitlab).clone(), point.clone());
        let (by, command) = (self.second.of(self.story), self.second.command(gitlab));
        let settings = self.story.settings;
        let (count, begun) = (AtomicUsize::new(0), AtomicBool::new(false));
        let found = Arc::new(Mutex::default());
        let meets = {
            let found = Arc::clone(&found);
            move |request: &Request| {
                let here = !begun.load(Ordering::SeqCst)
                    && point.is_like(request)
                    && point.is_nth(count.fetch_add(1, Ordering::SeqCst));
                if here {
                    begun.store(true, Ordering::SeqCst);
                    let found_there = promise::by_request(&other);
                    by.run(&other, &format!("{command} {settings}"));
                    *found.lock().expect("no panic") = (found_there, promise::by_request(&other));
                }
            }
        };
        match when {
            Before => gitlab.fault(move |request| {
                meets(request);
                None
            }),
            After => gitlab.answered(meets),
        }
        self.story.run(gitlab, self.story.command);
        gitlab.no_faults();
        std::mem::take(&mut found.lock().expect("no panic"))
    }

    /// Nobody starts what was there when it began, and each starts a benchmark once.
    fn starts_no_more(
        &self,
        gitlab: &Gitlab,
        before: &Benchmarks,
        (found, left): &(Benchmarks, Benchmarks),
    ) -> Result<(), String> {
        let count = |of: &Benchmarks, asked| of.get(asked).map_or(0, Vec::len);
        for (asked, benchmarks) in &promise::by_request(gitlab) {
            let by_second = count(left, asked) - count(found, asked);
            let by_both = benchmarks.len() - count(before, asked);
            let most_by_second = if count(found, asked) > 0 { 0 } else { 1 };
            let most = if count(before, asked) > 0 {
                0
            } else {
                most_by_second + 1
            };
            if by_second > most_by_second || by_both > most {
                return Err(format!("{asked}: {by_both} benchmarks are started"));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Extent {
    Quick,
    Full,
}

#[test]
#[ignore = "some minutes long"]
fn two_runs_at_once_end_well() {
    all(Extent::Quick);
}

#[test]
#[ignore = "many minutes long"]
fn any_two_runs_at_once_end_well() {
    all(Extent::Full);
}

fn all(extent: Extent) {
    let stories = stories::all().flat_map(|story| SECONDS.map(|second| (story, second)));
    // After a push, the other label waits for a pipeline that never comes.
    let pairs = stories.filter(|(story, second)| {
        let pushed = story.settings.contains("--on-push");
        !(matches!(second, OfAnotherLabel(_)) && (pushed || story.by == OF_TWO_LABELS))
    });
    let pairs: Vec<Pair> = pairs
        .map(|(story, second)| Pair::of(story, second))
        .collect();
    let meetings = pairs.iter().flat_map(|pair| {
        let points = pair.points.iter();
        let points = points.filter(|point| extent == Extent::Full || point.method != "GET");
        points.flat_map(move |point| [Before, After].map(|when| (pair, point, when)))
    });
    let meetings: Vec<_> = meetings.collect();
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let gitlab = Gitlab::start();
                while let Some((pair, point, when)) =
                    meetings.get(next.fetch_add(1, Ordering::SeqCst))
                {
                    if let Err(broken) = pair.meets(&gitlab, point, *when) {
                        let mut failures = failures.lock().expect("no panic");
                        failures.push(format!(
                            "{}, and {:?} {when:?} {point}: {broken}",
                            pair.story.name, pair.second
                        ));
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no panic");
    failures.sort();
    println!("{} meetings", meetings.len());
    assert!(
        failures.is_empty(),
        "{} of {} broken:\n{}",
        failures.len(),
        meetings.len(),
        failures.join("\n")
    );
}
