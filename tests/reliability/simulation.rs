//! A world in which everything happens at once, told by a seed: people label, push, merge, delete; benchmarks end, are
//! cancelled, are retried; runs are cut short, overlap, are lied to. Safety is checked at every step, and the promise
//! once the faults have stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bench_bot::Ran;
use in_memory_gitlab::{BENCH_BOT, Fault, Gitlab, Mr, People, Pipeline, Request};

use crate::bot::{end_all, run};
use crate::promise::{self, kept};

/// Steps a seed; two in five are runs of the program.
const STEPS: usize = 150;
const SEEDS: std::ops::Range<u64> = 1..9;
const SOAK: std::ops::Range<u64> = 1000..1200;
const MOST_MERGE_REQUESTS: usize = 7;
/// Every other seed is run so.
const SETTINGS: &str = " --resolve always --results-job benchmark";
/// After the faults have stopped; one more to see that nothing is left to do.
const ROUNDS: usize = 3;

#[test]
fn whatever_happens_the_promise_holds() {
    simulate_all(SEEDS);
}

/// `SEED=7 cargo test …` for one seed alone; `SEED=7 KEEP=3,12 …`, as a failure prints it, with the disturbances of
/// these steps only.
#[test]
#[ignore = "a soak of minutes"]
fn whatever_happens_for_long() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    simulate_all(seed.map_or(SOAK, |seed: u64| seed..seed + 1));
}

fn simulate_all(seeds: std::ops::Range<u64>) {
    let kept = std::env::var("KEEP").ok();
    let kept = kept.map(|kept| {
        kept.split(',')
            .filter_map(|index| index.parse().ok())
            .collect()
    });
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(seed) = seeds.clone().nth(next.fetch_add(1, Ordering::SeqCst)) {
                    let disturbed = kept.clone().unwrap_or_else(|| disturbed_steps(seed));
                    if let Err(broken) = simulate(seed, &disturbed) {
                        fail(seed, disturbed, broken);
                    }
                }
            });
        }
    });
}

fn disturbed_steps(seed: u64) -> BTreeSet<usize> {
    let steps = plan(seed).into_iter().enumerate();
    steps
        .filter(|(_, step)| step.is_disturbed())
        .map(|(index, _)| index)
        .collect()
}

/// Drops one disturbance after the other while it still fails, and prints the line that replays what is left.
fn fail(seed: u64, mut disturbed: BTreeSet<usize>, mut broken: String) -> ! {
    for index in disturbed.clone() {
        let mut fewer = disturbed.clone();
        fewer.remove(&index);
        if let Err(still) = simulate(seed, &fewer) {
            (disturbed, broken) = (fewer, still);
        }
    }
    let kept: Vec<String> = disturbed.iter().map(usize::to_string).collect();
    panic!(
        "{broken}\nSEED={seed} KEEP={} cargo test --test reliability -- --ignored whatever_happens_for_long",
        kept.join(",")
    );
}

/// A sequence of numbers that is the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// What happens next. Numbers choose among what is there at that time.
#[derive(Clone, Debug)]
enum Step {
    Person(Deed, usize),
    Machine(Fortune, usize),
    Later(u64),
    Run(Disturbed),
}

/// What people do to a merge request.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Open,
    OpenFork,
    Label,
    Unlabel,
    Relabel,
    Push,
    PushAndPass,
    Pass,
    Fail,
    MergedResults,
    Merge,
    Close,
    Reopen,
    Delete,
    Comment,
    DeleteDiscussion,
    DeleteFirstNote,
    OtherLabel,
    Impostor,
    Unresolve,
}

/// What becomes of a benchmark.
#[derive(Clone, Copy, Debug)]
enum Fortune {
    Runs,
    Ends(&'static str),
    Retried,
}

/// A run, and what disturbs it.
#[derive(Clone, Debug)]
struct Disturbed {
    command: &'static str,
    mr: usize,
    /// The how-manieth write is hit, by what.
    write: Option<(usize, Hit)>,
    /// How many of a hundred reads fail, chosen by what they read.
    reads: u64,
    /// Right before that write something else happens: another run at the same time, or somebody's deed.
    meanwhile: Option<(usize, Box<Step>)>,
}

#[derive(Clone, Copy, Debug)]
enum Hit {
    Stop,
    StopAfter,
    Error,
    ErrorAfter,
    Reset,
    ResetAfter,
    Cut,
    Throttled,
}

impl Step {
    fn is_disturbed(&self) -> bool {
        matches!(self, Step::Run(run) if run.is_disturbed())
    }
}

impl Disturbed {
    fn is_disturbed(&self) -> bool {
        self.write.is_some() || self.reads > 0 || self.meanwhile.is_some()
    }

    fn calm(&self) -> Self {
        Self {
            write: None,
            reads: 0,
            meanwhile: None,
            ..self.clone()
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

fn plan(seed: u64) -> Vec<Step> {
    let random = &mut Random(seed);
    (0..STEPS).map(|_| step(random)).collect()
}

fn step(random: &mut Random) -> Step {
    match random.below(20) {
        0..7 => Step::Person(deed(random), random.below(1000)),
        7..11 => {
            let ends =
                Fortune::Ends(random.of(&["success", "success", "failed", "canceled", "skipped"]));
            let fortune = random.of(&[Fortune::Runs, ends, ends, Fortune::Retried]);
            Step::Machine(fortune, random.below(1000))
        }
        11 => Step::Later(random.of(&[60, 600, 3600, 26 * 3600])),
        _ => Step::Run(disturbed(random)),
    }
}

fn deed(random: &mut Random) -> Deed {
    use Deed::*;
    random.of(&[
        Open,
        Open,
        OpenFork,
        Label,
        Label,
        Label,
        Label,
        Unlabel,
        Relabel,
        Push,
        PushAndPass,
        PushAndPass,
        Pass,
        Pass,
        Pass,
        Fail,
        MergedResults,
        Merge,
        Close,
        Reopen,
        Delete,
        Comment,
        DeleteDiscussion,
        DeleteFirstNote,
        OtherLabel,
        Impostor,
        Unresolve,
    ])
}

fn disturbed(random: &mut Random) -> Disturbed {
    use Hit::*;
    let hits = [
        Stop, StopAfter, Error, ErrorAfter, Reset, ResetAfter, Cut, Throttled,
    ];
    let command = random.of(&[
        "scan",
        "scan --max-in-flight 3",
        "reconcile",
        "reconcile",
        "trigger",
        "trigger --force",
        "trigger --wait",
    ]);
    let mut run = Disturbed {
        command,
        mr: random.below(1000),
        write: None,
        reads: 0,
        meanwhile: None,
    };
    match random.below(8) {
        0 | 1 => run.write = Some((random.below(4), random.of(&hits))),
        2 => run.reads = random.of(&[3, 10, 30]),
        3 => {
            let other = match random.below(2) {
                0 => Step::Person(deed(random), random.below(1000)),
                _ => Step::Run(Disturbed {
                    command: random.of(&["scan", "reconcile"]),
                    ..run.calm()
                }),
            };
            run.meanwhile = Some((random.below(4), Box::new(other)));
        }
        _ => {}
    }
    run
}

type NotesAndIds = Vec<(u64, String)>;

/// The cast of one simulation. Clones act on the same world.
#[derive(Clone)]
struct Sim {
    people: People,
    seed: u64,
    /// Merge requests of which people have deleted notes or run twin benchmarks again, or that two runs looked after at
    /// the same time.
    excused: Arc<Mutex<BTreeSet<u64>>>,
}

fn simulate(seed: u64, disturbed: &BTreeSet<usize>) -> Result<(), String> {
    let gitlab = Gitlab::start();
    let sim = Sim {
        people: (*gitlab).clone(),
        seed,
        excused: Arc::default(),
    };
    sim.deed(Deed::Open, 0);
    for (index, step) in plan(seed).iter().enumerate() {
        let calm = match step {
            Step::Run(run) if !disturbed.contains(&index) => Some(Step::Run(run.calm())),
            _ => None,
        };
        let step = calm.as_ref().unwrap_or(step);
        let said = |broken: String| format!("seed {seed}, step {index}, {step}: {broken}");
        sim.take(step).map_err(said)?;
        kept(promise::safety(&gitlab, false, |iid| sim.is_excused(iid))).map_err(said)?;
    }
    sim.comes_to_rest()
        .map_err(|broken| format!("seed {seed}, at rest: {broken}"))
}

impl Sim {
    fn take(&self, step: &Step) -> Result<(), String> {
        match step {
            Step::Person(deed, choice) => self.deed(*deed, *choice),
            Step::Machine(fortune, choice) => self.fortune(*fortune, *choice),
            Step::Later(seconds) => self.people.later(Duration::from_secs(*seconds)),
            Step::Run(disturbed) => return self.run(disturbed),
        }
        Ok(())
    }

    fn mrs(&self) -> Vec<Mr> {
        let iids: Vec<u64> = {
            let world = self.people.world();
            world
                .merge_requests
                .values()
                .filter(|mr| mr.project_id == 7)
                .map(|mr| mr.iid)
                .collect()
        };
        iids.into_iter()
            .map(|iid| self.people.existing_mr("acme/engine", iid))
            .collect()
    }

    fn state(&self, mr: &Mr) -> String {
        let iid = mr.iid();
        let world = self.people.world();
        world
            .find_merge_request(7, iid)
            .map(|mr| mr.state.clone())
            .unwrap_or_default()
    }

    fn deed(&self, deed: Deed, choice: usize) {
        let mrs = self.mrs();
        if let Deed::Open | Deed::OpenFork = deed {
            if mrs.len() < MOST_MERGE_REQUESTS {
                let branch = format!("branch-{choice}");
                match deed {
                    Deed::Open => drop(self.people.mr(&branch)),
                    _ => drop(self.people.fork_mr(&branch)),
                }
            }
            return;
        }
        let Some(mr) = mrs.get(choice % mrs.len().max(1)) else {
            return;
        };
        let state = self.state(mr);
        let open = state == "opened";
        match deed {
            Deed::Label => drop(mr.labelled()),
            Deed::Unlabel => drop(mr.unlabelled()),
            Deed::Relabel => drop(mr.relabel()),
            Deed::Push if open => drop(mr.push()),
            Deed::PushAndPass if open => drop(mr.push().passed()),
            Deed::Pass if open => drop(mr.passed()),
            Deed::Fail if open => drop(mr.failed()),
            Deed::MergedResults if open => drop(mr.merged_results("success")),
            Deed::Merge if open => drop(mr.merge()),
            Deed::Close if open => drop(mr.close()),
            Deed::Reopen if state == "closed" => drop(mr.reopen()),
            Deed::Delete if choice.is_multiple_of(5) => drop(mr.delete()),
            Deed::Comment => drop(mr.comment("linus", "Does it really?")),
            Deed::OtherLabel => drop(mr.label("urgent")),
            Deed::DeleteDiscussion | Deed::DeleteFirstNote | Deed::Unresolve => {
                let by_bot = |note: &in_memory_gitlab::Note| note.author_id == BENCH_BOT;
                let found = mr
                    .discussions()
                    .into_iter()
                    .find(|found| found.notes.iter().all(by_bot));
                match (deed, found) {
                    (Deed::DeleteDiscussion, Some(found)) => mr.delete_discussion(&found.id),
                    (Deed::Unresolve, Some(found)) => mr.unresolve("linus", &found.id),
                    (_, Some(found)) if found.notes.len() > 1 => mr.delete_note(found.notes[0].id),
                    _ => return,
                }
                self.excuse(mr.iid());
            }
            Deed::Impostor => {
                let copied = self
                    .people
                    .benchmarks()
                    .pop()
                    .map(|last| last.variables)
                    .unwrap_or_default();
                let copied: Vec<_> = copied
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()))
                    .collect();
                self.people
                    .pipeline_by("ada", "acme/benchmarks", "api", &copied);
                if let Some(note) = mr
                    .notes()
                    .into_iter()
                    .find(|note| note.author_id == BENCH_BOT)
                {
                    mr.comment("linus", &note.body);
                }
            }
            _ => {}
        }
    }

    fn fortune(&self, fortune: Fortune, choice: usize) {
        let ended = matches!(fortune, Fortune::Retried);
        let all = self.people.benchmarks();
        let mut benchmarks = all.iter().filter(|benchmark| {
            benchmark.user.as_deref() == Some("bench-bot") && benchmark.has_ended() == ended
        });
        // Only what ended lately is ever tried again.
        let number = if ended {
            benchmarks.clone().count().saturating_sub(1)
        } else {
            choice % benchmarks.clone().count().max(1)
        };
        let Some(benchmark) = benchmarks.nth(number) else {
            return;
        };
        match fortune {
            Fortune::Runs => self.people.benchmark_runs(benchmark.id),
            Fortune::Retried => {
                self.people.benchmark_runs(benchmark.id);
                let of = |found: &Pipeline| {
                    ["BENCH_MR_IID", "BENCH_REQUEST_ID"]
                        .map(|key| found.variable(key).map(str::to_owned))
                };
                // Of two that served one request, both may be run again once all is told.
                if all
                    .iter()
                    .filter(|other| of(other) == of(benchmark))
                    .count()
                    > 1
                    && let Some(Ok(iid)) = benchmark.variable("BENCH_MR_IID").map(str::parse)
                {
                    self.excuse(iid);
                }
            }
            Fortune::Ends(status) => {
                if choice.is_multiple_of(2) {
                    let file = "bench-summary.md";
                    self.people
                        .benchmark_leaves(benchmark.id, "benchmark", file, "2x");
                }
                if status == "failed" && choice.is_multiple_of(3) {
                    self.people
                        .job_fails(benchmark.id, "measure", "runner_system_failure");
                }
                self.people.benchmark_ends(benchmark.id, status);
            }
        }
    }

    fn is_excused(&self, iid: u64) -> bool {
        self.excused.lock().expect("no panic").contains(&iid)
    }

    fn excuse(&self, iid: u64) {
        self.excused.lock().expect("no panic").insert(iid);
    }

    fn resolves(&self) -> bool {
        self.seed.is_multiple_of(2)
    }

    fn runs(&self, command: &str) -> Ran {
        let settings = if self.resolves() { SETTINGS } else { "" };
        run(&self.people, &format!("{command}{settings}"))
    }

    fn run(&self, disturbed: &Disturbed) -> Result<(), String> {
        let mut command = disturbed.command.to_owned();
        if let Some(rest) = disturbed.command.strip_prefix("trigger") {
            let mrs = self.mrs();
            let Some(mr) = mrs.get(disturbed.mr % mrs.len().max(1)) else {
                return Ok(());
            };
            command = format!("trigger --mr {}{rest}", mr.iid());
        }
        let in_flight = || {
            let benchmarks = self.people.benchmarks().into_iter();
            let ours =
                benchmarks.filter(|benchmark| benchmark.user.as_deref() == Some("bench-bot"));
            ours.filter(|benchmark| !benchmark.has_ended()).count()
        };
        let (others, before) = (self.others(), in_flight());
        self.disturb(disturbed);
        let Ran { .. } = self.runs(&command);
        self.people.no_faults();
        let calm = !disturbed.is_disturbed();
        let limit = if command.contains("max-in-flight 3") {
            3
        } else {
            1
        };
        if disturbed.meanwhile.is_none() {
            if self.others() != others {
                return Err("somebody else's note or label was touched".to_owned());
            }
            let ours = in_flight();
            if command.starts_with("scan") && ours > before.max(limit) {
                return Err(format!("{ours} in flight, {before} before, of {limit}"));
            }
        }
        let settled = calm && command == "reconcile";
        kept(promise::safety(&self.people, settled, |iid| {
            self.is_excused(iid)
        }))
    }

    /// Notes of people and labels other than ours.
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
                .filter(|title| title != "benchmarking");
            (mr.id, (theirs, labels.collect()))
        })
        .collect()
    }

    /// A benchmark that is looked at.
    fn looked_at(&self, request: &Request) -> Option<u64> {
        let id = request.path.strip_prefix("/projects/8/pipelines/")?;
        let id = id.parse().ok()?;
        let found =
            |benchmark: &in_memory_gitlab::Pipeline| benchmark.id == id && !benchmark.has_ended();
        self.people.benchmarks().iter().any(found).then_some(id)
    }

    fn disturb(&self, disturbed: &Disturbed) {
        let waits = disturbed.command.contains("--wait");
        if !disturbed.is_disturbed() && !waits {
            return;
        }
        let (sim, disturbed) = (self.clone(), disturbed.clone());
        let (writes, stopped) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        self.people.fault(move |request: &Request| {
            if stopped.load(Ordering::SeqCst) > 0 {
                return Some(Fault::Reset);
            }
            // What is waited for ends, and is waited for until its end: a stop is another story.
            if waits && let Some(benchmark) = sim.looked_at(request) {
                let ends = ["success", "failed", "canceled"][disturbed.mr % 3];
                sim.people.benchmark_ends(benchmark, ends);
            }
            if !request.is_write() {
                if waits {
                    return None;
                }
                let mut hasher = DefaultHasher::new();
                (sim.seed, disturbed.mr, &request.path, &request.query).hash(&mut hasher);
                return (hasher.finish() % 100 < disturbed.reads).then(Fault::server_error);
            }
            let write = writes.fetch_add(1, Ordering::SeqCst);
            if let Some((at, step)) = &disturbed.meanwhile
                && write == *at
            {
                // What it does is not disturbed in its turn: its writes are counted on from here.
                let _ = match step.as_ref() {
                    Step::Run(other) => {
                        sim.mrs().iter().for_each(|mr| sim.excuse(mr.iid()));
                        sim.runs(
                            other
                                .command
                                .strip_prefix("trigger")
                                .map_or(other.command, |_| "scan"),
                        );
                        Ok(())
                    }
                    step => sim.take(step),
                };
            }
            let hit = disturbed.write.filter(|(at, _)| *at == write)?.1;
            if let Hit::Stop | Hit::StopAfter = hit
                && !waits
            {
                stopped.store(1, Ordering::SeqCst);
            }
            Some(match hit {
                Hit::Stop | Hit::Reset => Fault::Reset,
                Hit::StopAfter | Hit::ResetAfter => Fault::ResetAfterEffect,
                Hit::Error => Fault::server_error(),
                Hit::ErrorAfter => Fault::server_error().after_effect(),
                Hit::Cut => Fault::CutBody,
                Hit::Throttled => Fault::throttled(None),
            })
        });
    }

    /// Within a few undisturbed rounds.
    fn comes_to_rest(&self) -> Result<(), String> {
        for _ in 0..ROUNDS {
            self.runs("reconcile --since 300days");
            self.runs("scan --max-in-flight 99");
            end_all(&self.people);
        }
        self.runs("reconcile --since 300days");
        let before = self.people.writes().len();
        let ran = self.runs("scan --format json");
        self.runs("reconcile --since 300days");
        if self.people.writes().len() != before {
            return Err("there is still something to do".to_owned());
        }
        if ran.exit != bench_bot::Exit::Done || !ran.report.contains("\"queue\": []") {
            return Err(format!(
                "somebody still waits: {} {:?}",
                ran.report, ran.errors
            ));
        }
        kept(promise::at_rest(&self.people, |iid| self.is_excused(iid)))?;
        if self.resolves() {
            // Once somebody has taken the label off, what was told before is left as it is.
            kept(promise::resolved(&self.people, |mr, request| {
                self.is_excused(mr.iid) || promise::withdrawn(&self.people, mr, request)
            }))?;
        }
        Ok(())
    }
}
