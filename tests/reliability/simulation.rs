//! A world in which everything happens at once, told by a seed: people label, push, merge, delete, rename, refuse; benchmarks
//! end, are cancelled, are retried, are blocked, hang; runs are cut short, overlap, are lied to. Safety is checked at every step, and the promise
//! once the faults have stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bench_bot::RunOutcome;
use in_memory_gitlab::{BENCH_BOT, Fault, Gitlab, LabelOwner, Mr, People, Pipeline, Request};

use crate::bot::run;
use crate::promise::{self, LABELS, RENAMED, kept};

/// Steps a seed; two in five are runs of the program.
const STEPS: usize = 150;
const SEEDS: std::ops::Range<u64> = 1..7;
const SOAK: std::ops::Range<u64> = 1000..1200;
const MOST_MERGE_REQUESTS: usize = 7;
/// That a merge request takes.
const MOST_NOTES: usize = 5000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
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
    /// With the label chosen in the form.
    OpenLabelled,
    OpenForkLabelled,
    Label,
    LabelFull,
    Unlabel,
    UnlabelFull,
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
    /// The label gets another name, or its old one back.
    Rename,
    /// The benchmark project refuses all, some or no pipelines.
    RefuseAll,
    RefuseSome,
    RefuseNothing,
    /// GitLab takes no more notes, or takes them again.
    TakeNoNotes,
    /// What GitLab does later than it answers, for the next run or two.
    EventsLate,
    ListsLag,
    CancelSlowly,
}

/// What becomes of a benchmark.
#[derive(Clone, Copy, Debug)]
enum Fortune {
    Runs,
    Ends(&'static str),
    /// By a person, its jobs that failed or were cancelled.
    Retried,
    /// By a manual job, until a person starts it.
    Blocked,
    /// In that status, whoever cancels it, until a person ends it.
    Hangs(&'static str),
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
    NotFound,
    NotFoundByProxy,
    Forbidden,
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
            let hangs =
                Fortune::Hangs(random.of(&["running", "canceling", "waiting_for_resource"]));
            let fortune = random.of(&[
                Fortune::Runs,
                Fortune::Runs,
                ends,
                ends,
                ends,
                ends,
                Fortune::Retried,
                Fortune::Retried,
                Fortune::Blocked,
                hangs,
            ]);
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
        OpenLabelled,
        OpenForkLabelled,
        LabelFull,
        LabelFull,
        UnlabelFull,
        Rename,
        RefuseAll,
        RefuseSome,
        RefuseNothing,
        RefuseNothing,
        TakeNoNotes,
        EventsLate,
        ListsLag,
        CancelSlowly,
    ])
}

fn disturbed(random: &mut Random) -> Disturbed {
    use Hit::*;
    let hits = [
        Stop,
        StopAfter,
        Error,
        ErrorAfter,
        Reset,
        ResetAfter,
        Cut,
        Throttled,
        NotFound,
        NotFoundByProxy,
        Forbidden,
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
    /// How many runs are still told what lags behind.
    lag: Arc<AtomicUsize>,
}

fn simulate(seed: u64, disturbed: &BTreeSet<usize>) -> Result<(), String> {
    let gitlab = Gitlab::start();
    let sim = Sim {
        people: (*gitlab).clone(),
        seed,
        excused: Arc::default(),
        lag: Arc::default(),
    };
    sim.people
        .world()
        .add_label(LabelOwner::Project(7), LABELS[1]);
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
            Step::Later(seconds) => {
                self.catch_up();
                self.people.later(Duration::from_secs(*seconds));
            }
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

    fn has_commit(&self, mr: &Mr) -> bool {
        let iid = mr.iid();
        let world = self.people.world();
        let found = world.find_merge_request(7, iid);
        found.is_some_and(|mr| !mr.versions.is_empty())
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
        let branch = format!("branch-{choice}");
        match deed {
            Deed::Open | Deed::OpenFork | Deed::OpenLabelled | Deed::OpenForkLabelled
                if mrs.len() >= MOST_MERGE_REQUESTS =>
            {
                return;
            }
            Deed::Open => return drop(self.people.mr(&branch)),
            Deed::OpenFork => return drop(self.people.fork_mr(&branch)),
            // That puts on a label of the first name.
            Deed::OpenLabelled | Deed::OpenForkLabelled if !self.has_label(LABELS[0]) => return,
            Deed::OpenLabelled => return drop(self.people.mr_labelled(&branch, "ada")),
            Deed::OpenForkLabelled => return drop(self.people.fork_mr_labelled(&branch, "ada")),
            Deed::Rename => return self.rename(choice),
            Deed::RefuseAll => {
                return self.people.configure("acme/benchmarks", |project| {
                    project.yaml_error = Some("jobs config should contain a job".to_owned());
                });
            }
            Deed::RefuseSome => {
                return self.people.refuse("acme/benchmarks", |variables| {
                    let refused = variables.iter().any(|variable| {
                        variable.key == "BENCH_MR_IID" && ["2", "3"].contains(&&*variable.value)
                    });
                    refused.then(|| "Pipeline filtered out by workflow rules.".to_owned())
                });
            }
            Deed::RefuseNothing => return self.refuse_nothing(),
            Deed::TakeNoNotes => {
                let most = &mut self.people.world().most_notes;
                *most = if *most > 0 { 0 } else { MOST_NOTES };
                return;
            }
            Deed::EventsLate => {
                self.people.events_come_late();
                return self.lag.store(1, Ordering::SeqCst);
            }
            Deed::ListsLag => {
                self.people.lists_lag();
                return self.lag.store(2, Ordering::SeqCst);
            }
            Deed::CancelSlowly => {
                let slow = &mut self.people.world().slow_cancel;
                *slow = !*slow;
                return;
            }
            _ => {}
        }
        let Some(mr) = mrs.get(choice % mrs.len().max(1)) else {
            return;
        };
        let state = self.state(mr);
        // Nothing can be built or merged before GitLab has made the first version.
        let open = state == "opened" && self.has_commit(mr);
        match deed {
            Deed::Label => drop(mr.label(&self.title(LABELS[0]))),
            Deed::LabelFull => drop(mr.label(&self.title(LABELS[1]))),
            Deed::Unlabel => drop(mr.unlabel(&self.title(LABELS[0]))),
            Deed::UnlabelFull => drop(mr.unlabel(&self.title(LABELS[1]))),
            Deed::Relabel => {
                let title = self.title(LABELS[0]);
                mr.unlabel(&title).label(&title);
            }
            Deed::Push if open => drop(mr.push()),
            Deed::PushAndPass if open => drop(mr.push().passed()),
            Deed::Pass if open => drop(mr.passed()),
            Deed::Fail if open => drop(mr.failed()),
            Deed::MergedResults if open => drop(mr.merged_results("success")),
            Deed::Merge if open => drop(mr.merge()),
            Deed::Close if open => drop(mr.close()),
            Deed::Reopen if state == "closed" => drop(mr.reopen()),
            Deed::Delete if choice.is_multiple_of(5) => drop(mr.delete()),
            Deed::Comment if self.takes_notes() => {
                drop(mr.comment("linus", "Does it really?"));
            }
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
                    .find(|note| note.author_id == BENCH_BOT && self.takes_notes())
                {
                    mr.comment("linus", &note.body);
                }
            }
            _ => {}
        }
    }

    fn takes_notes(&self) -> bool {
        self.people.world().most_notes > 0
    }

    fn has_label(&self, title: &str) -> bool {
        self.people.world().label_titled(7, title).is_some()
    }

    /// What the label is called just now.
    fn title(&self, label: &str) -> String {
        let renamed = format!("{label}{RENAMED}");
        match !self.has_label(label) && self.has_label(&renamed) {
            true => renamed,
            false => label.to_owned(),
        }
    }

    fn rename(&self, choice: usize) {
        let label = LABELS[choice % LABELS.len()];
        let renamed = format!("{label}{RENAMED}");
        match (self.has_label(label), self.has_label(&renamed)) {
            (true, false) => self.people.rename_label(label, &renamed),
            (false, true) => self.people.rename_label(&renamed, label),
            _ => {}
        }
    }

    fn refuse_nothing(&self) {
        self.people.configure("acme/benchmarks", |project| {
            project.refuses = None;
            project.yaml_error = None;
        });
    }

    /// What GitLab does later than it answers is done.
    fn catch_up(&self) {
        self.lag.store(0, Ordering::SeqCst);
        let mut world = self.people.world();
        (world.late_events, world.lagging_lists) = (false, false);
        drop(world);
        self.people.settle();
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
        let hangs = self.people.world().stuck.contains(&benchmark.id);
        match fortune {
            // Some hang for ever.
            Fortune::Ends(_) if hangs && !choice.is_multiple_of(3) => {}
            Fortune::Runs | Fortune::Blocked | Fortune::Hangs(_) if hangs => {}
            Fortune::Blocked => self.people.benchmark_blocked(benchmark.id, "publish"),
            Fortune::Hangs(status) => self.people.benchmark_hangs(benchmark.id, status),
            Fortune::Runs => self.people.benchmark_runs(benchmark.id),
            Fortune::Retried => {
                self.people.retry(benchmark.id);
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

    /// The labels of each installation that there is.
    fn installations(&self) -> &'static [&'static str] {
        match self.seed % 3 {
            0 => &[" --label benchmarking"],
            1 => &[" --label benchmarking --label benchmarking::full"],
            _ => &[" --label benchmarking", " --label benchmarking::full"],
        }
    }

    fn runs_of(&self, installation: usize, command: &str) -> RunOutcome {
        let settings = if self.resolves() { SETTINGS } else { "" };
        let labels = self.installations()[installation % self.installations().len()];
        run(&self.people, &format!("{command}{labels}{settings}"))
    }

    /// Of each installation.
    fn runs(&self, command: &str) -> Vec<RunOutcome> {
        let installations = 0..self.installations().len();
        installations
            .map(|installation| self.runs_of(installation, command))
            .collect()
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
        let lags = self.lag.load(Ordering::SeqCst) > 0;
        // What is neither listed nor linked nor answered for can be found by nobody.
        let disturbed = &match lags {
            true => disturbed.calm(),
            false => disturbed.clone(),
        };
        let (others, before) = (self.others(), self.ours());
        let asked = self.people.requests().len();
        self.disturb(disturbed);
        let RunOutcome { .. } = self.runs_of(disturbed.mr, &command);
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
            self.starts_no_more(&before, &command, limit)?;
            self.cancels_no_more(asked)?;
        }
        let settled = calm && !lags && command == "reconcile" && self.installations().len() == 1;
        kept(promise::safety(&self.people, settled, |iid| {
            self.is_excused(iid)
        }))?;
        if self.lag.load(Ordering::SeqCst) > 1 {
            self.lag.fetch_sub(1, Ordering::SeqCst);
        } else {
            self.catch_up();
        }
        Ok(())
    }

    /// The bot's benchmarks.
    fn ours(&self) -> Vec<Pipeline> {
        let mut benchmarks = self.people.benchmarks();
        benchmarks.retain(|benchmark| benchmark.user.as_deref() == Some("bench-bot"));
        benchmarks
    }

    /// A run starts no second benchmark of a request, none of an old commit, and none over the limit.
    fn starts_no_more(
        &self,
        before: &[Pipeline],
        command: &str,
        limit: usize,
    ) -> Result<(), String> {
        let ours = self.ours();
        let is_new = |found: &&Pipeline| before.iter().all(|known| known.id != found.id);
        let new: Vec<&Pipeline> = ours.iter().filter(is_new).collect();
        for (index, found) in new.iter().enumerate() {
            let Some((iid, request)) = promise::request_of(found) else {
                continue;
            };
            let same = |other: &&Pipeline| promise::request_of(other) == Some((iid, request));
            let earlier = before.iter().chain(new[..index].iter().copied());
            if let Some(earlier) = earlier.clone().find(same).filter(|_| !self.is_excused(iid)) {
                return Err(format!(
                    "!{iid}: pipeline {} is started for request {request}, as was {}",
                    found.id, earlier.id
                ));
            }
            let mr = self.people.existing_mr("acme/engine", iid);
            if found.variable("BENCH_SHA") != Some(mr.sha().as_str()) {
                return Err(format!("!{iid}: pipeline {} is of an old commit", found.id));
            }
        }
        let taken = |benchmarks: &[Pipeline]| {
            let mut alive = benchmarks.to_vec();
            alive.retain(|found| !found.has_ended() && found.status != "manual");
            alive
        };
        let stuck = self.people.world().stuck.clone();
        let mut counted = taken(&ours);
        // What hangs may have lost its place.
        counted.retain(|found| !stuck.contains(&found.id));
        if command.starts_with("scan") && !new.is_empty() && counted.len() > limit {
            let now = self.people.now();
            let overdue =
                |found: &&Pipeline| (now - found.created_at).to_std().unwrap_or_default() > DAY;
            let overdue = counted.iter().filter(overdue).count();
            if counted.len() - overdue > limit {
                return Err(format!("{} in flight, of {limit}", counted.len()));
            }
        }
        Ok(())
    }

    /// A run cancels nothing whose request is still asked for, but what is stuck or a double.
    fn cancels_no_more(&self, asked: usize) -> Result<(), String> {
        let mrs = promise::merge_requests(&self.people);
        let ours = self.ours();
        for request in &self.people.requests()[asked..] {
            let path = request.path.strip_prefix("/projects/8/pipelines/");
            let id = path.and_then(|path| path.strip_suffix("/cancel")?.parse::<u64>().ok());
            let cancelled = ours.iter().find(|found| Some(found.id) == id);
            let Some(cancelled) = cancelled else { continue };
            let Some((iid, request)) = promise::request_of(cancelled) else {
                continue;
            };
            let age = self.people.now() - cancelled.created_at;
            let stuck = age.to_std().unwrap_or_default() > DAY;
            let is_double = ours.iter().any(|other| {
                other.id < cancelled.id && promise::request_of(other) == Some((iid, request))
            });
            let mr = mrs.iter().find(|mr| mr.iid == iid);
            let asked_for = mr.is_some_and(|mr| promise::is_asked_for(&self.people, mr, request));
            if asked_for && !stuck && !is_double {
                return Err(format!(
                    "!{iid}: pipeline {} is cancelled, though request {request} stands",
                    cancelled.id
                ));
            }
        }
        Ok(())
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
                .filter(|title| !promise::asks(title));
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
            // The mark goes out beside the opening of a discussion. A process that is killed exactly between the two
            // leaves a discussion that nobody finds once its label has gone: so no stop falls there.
            let marks = request.method == "POST" && request.path.ends_with("/award_emoji");
            if stopped.load(Ordering::SeqCst) > 0 {
                return (!marks).then_some(Fault::Reset);
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
                let hash = hasher.finish();
                return (hash % 100 < disturbed.reads).then(|| fault_of_read(hash / 100));
            }
            let write = writes.fetch_add(1, Ordering::SeqCst);
            if let Some((at, step)) = &disturbed.meanwhile
                && write == *at
            {
                // What it does is not disturbed in its turn: its writes are counted on from here.
                let _ = match step.as_ref() {
                    Step::Run(other) => {
                        sim.mrs().iter().for_each(|mr| sim.excuse(mr.iid()));
                        sim.runs_of(other.mr, other.command);
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
                if marks {
                    return None;
                }
            }
            Some(match hit {
                Hit::Stop | Hit::Reset => Fault::Reset,
                Hit::StopAfter | Hit::ResetAfter => Fault::ResetAfterEffect,
                Hit::Error => Fault::server_error(),
                Hit::ErrorAfter => Fault::server_error().after_effect(),
                Hit::Cut => Fault::CutBody,
                Hit::Throttled => Fault::throttled(None),
                Hit::NotFound => Fault::not_found(),
                Hit::NotFoundByProxy => Fault::not_found_by_proxy(),
                Hit::Forbidden => Fault::forbidden(),
            })
        });
    }

    /// Within a few undisturbed rounds.
    fn comes_to_rest(&self) -> Result<(), String> {
        self.refuse_nothing();
        self.people.world().most_notes = MOST_NOTES;
        self.people.world().slow_cancel = false;
        for (choice, label) in LABELS.iter().enumerate() {
            if !self.has_label(label) {
                self.rename(choice);
            }
        }
        for _ in 0..ROUNDS {
            self.catch_up();
            self.runs("reconcile --since 300days");
            self.runs("scan --max-in-flight 99");
            self.end_what_ends();
        }
        // What hangs is cancelled in vain for an hour; then it is left to people, and named.
        for _ in 0..2 {
            self.people.later(2 * DAY);
            self.runs("reconcile --since 300days");
        }
        let before = self.people.writes().len();
        let mut ran = self.runs("scan --format json");
        for ran in &ran {
            if ran.exit != bench_bot::Exit::Done || !ran.report.contains("\"queue\": []") {
                return Err(format!(
                    "somebody still waits: {} {:?}",
                    ran.report, ran.errors
                ));
            }
        }
        ran.extend(self.runs("reconcile --since 300days"));
        if self.people.writes().len() != before {
            let writes = self.people.writes();
            let more: Vec<String> = writes[before..].iter().map(ToString::to_string).collect();
            return Err(format!("there is still something to do: {more:?}"));
        }
        self.names_what_hangs(&ran)?;
        self.goes_on()?;
        kept(promise::at_rest(&self.people, |iid| self.is_excused(iid)))?;
        if self.resolves() {
            // Once somebody has taken the label off, what was told before is left as it is.
            kept(promise::resolved(&self.people, |mr, request| {
                self.is_excused(mr.iid) || promise::withdrawn(&self.people, mr, request)
            }))?;
        }
        Ok(())
    }

    fn end_what_ends(&self) {
        let stuck = self.people.world().stuck.clone();
        for benchmark in self.people.benchmarks() {
            if !benchmark.has_ended() && !stuck.contains(&benchmark.id) {
                self.people.benchmark_ends(benchmark.id, "success");
            }
        }
    }

    fn names_what_hangs(&self, ran: &[RunOutcome]) -> Result<(), String> {
        let hanging = self.ours().into_iter().filter(|found| !found.has_ended());
        for found in hanging {
            let named =
                |ran: &RunOutcome| ran.warnings.iter().any(|line| line.contains(&found.url));
            if !ran.iter().all(named) {
                return Err(format!("pipeline {} hangs, and is not named", found.id));
            }
        }
        Ok(())
    }

    /// Whatever hangs, the next is served.
    fn goes_on(&self) -> Result<(), String> {
        let next = self.people.mr("next").passed().labelled();
        self.runs("scan --max-in-flight 1");
        let iid = next.iid().to_string();
        let mut ours = self.ours().into_iter();
        if !ours.any(|found| found.variable("BENCH_MR_IID") == Some(&iid)) {
            return Err(format!("!{iid} is not served"));
        }
        self.end_what_ends();
        self.runs("reconcile --since 300days");
        Ok(())
    }
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
    let field = FIELDS[(hash / 5 % FIELDS.len() as u64) as usize];
    match hash % 5 {
        0 => Fault::server_error(),
        1 => Fault::not_found(),
        2 => Fault::not_found_by_proxy(),
        3 => Fault::forbidden(),
        _ => Fault::Without(field),
    }
}
