//! Every request of every story is hit by every fault, the points found by recording an undisturbed run. Then
//! undisturbed runs follow, and the promise must hold. The table that comes of it is kept in `snapshots/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bench_bot::{Exit, Ran};
use in_memory_gitlab::{Fault, Gitlab, Mr, Request, World};

use crate::bot::{end_all, run};
use crate::promise::{self, kept};

/// How long a hit run waits for an answer, and how long a hanging server lets it wait.
const PATIENCE: &str = "--http-timeout 150ms";
const HANG: Duration = Duration::from_millis(300);
/// Long enough for what is sent at the same time to arrive.
const BESIDE: Duration = Duration::from_millis(60);
/// After the run that was hit.
const MOST_ROUNDS: usize = 4;

struct Story {
    name: &'static str,
    command: &'static str,
    arrange: fn(&Gitlab),
}

const STORIES: [Story; 12] = [
    Story {
        name: "scan starts a benchmark",
        command: "scan",
        arrange: |gitlab| drop(ready(gitlab)),
    },
    Story {
        name: "scan starts those of a fork and of a merge result",
        command: "scan --max-in-flight 2",
        arrange: |gitlab| {
            gitlab.fork_mr("fork").passed().labelled();
            gitlab
                .mr("merged-results")
                .merged_results("success")
                .labelled();
        },
    },
    Story {
        name: "reconcile puts in a link",
        command: "reconcile",
        arrange: |gitlab| {
            ready(gitlab);
            gitlab.fault(|request| (request.method == "PUT").then_some(Fault::Reset));
            run(gitlab, "scan");
            gitlab.no_faults();
        },
    },
    Story {
        name: "reconcile finishes",
        command: "reconcile",
        arrange: |gitlab| {
            in_flight(gitlab);
            end_all(gitlab);
        },
    },
    Story {
        name: "reconcile finishes where the discussion was deleted",
        command: "reconcile",
        arrange: |gitlab| {
            let mr = in_flight(gitlab);
            mr.delete_discussion(&mr.discussions()[1].id);
            end_all(gitlab);
        },
    },
    Story {
        name: "reconcile withdraws",
        command: "reconcile",
        arrange: |gitlab| drop(in_flight(gitlab).unlabelled()),
    },
    Story {
        name: "reconcile cancels what is stuck",
        command: "reconcile",
        arrange: |gitlab| {
            in_flight(gitlab);
            gitlab.later(Duration::from_secs(25 * 60 * 60));
        },
    },
    Story {
        name: "reconcile cancels a double",
        command: "reconcile",
        arrange: doubled,
    },
    Story {
        name: "reconcile finishes with results and resolves",
        command: "reconcile --resolve always --results-job benchmark",
        arrange: |gitlab| {
            in_flight(gitlab);
            let id = gitlab.benchmarks()[0].id;
            gitlab.benchmark_leaves(id, "benchmark", "bench-summary.md", "2x");
            end_all(gitlab);
        },
    },
    Story {
        name: "reconcile tells of failed jobs and resolves",
        command: "reconcile --resolve always",
        arrange: |gitlab| {
            in_flight(gitlab);
            let id = gitlab.benchmarks()[0].id;
            gitlab.job_fails(id, "benchmark", "runner_system_failure");
            gitlab.benchmark_ends(id, "failed");
        },
    },
    Story {
        name: "reconcile withdraws and resolves",
        command: "reconcile --resolve always",
        arrange: |gitlab| drop(in_flight(gitlab).unlabelled()),
    },
    Story {
        name: "trigger finishes, labels and starts",
        command: "trigger --mr 2",
        arrange: |gitlab| {
            in_flight(gitlab);
            end_all(gitlab);
        },
    },
];

/// Among other people's labels and notes: !1 is a bystander, !2 is ready.
fn ready(gitlab: &Gitlab) -> Mr {
    let bystander = gitlab.mr("bystander").running().labelled();
    bystander.comment("ada", "Let us wait for CI.");
    let mr = gitlab.mr("speed-up").passed().labelled().label("urgent");
    mr.comment("linus", "Does it really?");
    mr
}

fn in_flight(gitlab: &Gitlab) -> Mr {
    let mr = ready(gitlab);
    run(gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1);
    mr
}

/// Two runs at once: the second opens its discussion and starts its benchmark before the first is seen.
fn doubled(gitlab: &Gitlab) {
    ready(gitlab);
    let other = (**gitlab).clone();
    let begun = AtomicUsize::new(0);
    gitlab.fault(move |request| {
        if request.path.ends_with("/discussions")
            && request.method == "POST"
            && begun.fetch_add(1, Ordering::SeqCst) == 0
        {
            run(&other, "scan");
        }
        None
    });
    run(gitlab, "scan");
    gitlab.no_faults();
    assert_eq!(gitlab.benchmarks().len(), 2);
}

/// What is done to one request.
#[derive(Clone, Copy)]
enum Hit {
    /// The run ends here, and nothing more of it reaches the server.
    StopBefore,
    StopAfter,
    Once(fn() -> Fault),
    /// It takes effect when the run has given it up, before the next begins.
    TakesEffectLate,
}

const HITS: [(&str, Hit); 15] = [
    ("stop before", Hit::StopBefore),
    ("500", Hit::Once(Fault::server_error)),
    ("429", Hit::Once(|| Fault::throttled(None))),
    ("429, Retry-After", Hit::Once(|| Fault::throttled(Some(1)))),
    ("502 HTML", Hit::Once(Fault::bad_gateway)),
    ("not JSON", Hit::Once(|| Fault::not_json().after_effect())),
    (
        "wrong shape",
        Hit::Once(|| Fault::wrong_shape().after_effect()),
    ),
    ("cut off", Hit::Once(|| Fault::CutBody)),
    ("reset", Hit::Once(|| Fault::Reset)),
    ("hangs", Hit::Once(|| Fault::Hang(HANG))),
    ("stop after", Hit::StopAfter),
    ("409 lock", Hit::Once(Fault::resource_lock)),
    (
        "500 after effect",
        Hit::Once(|| Fault::server_error().after_effect()),
    ),
    ("reset after effect", Hit::Once(|| Fault::ResetAfterEffect)),
    ("late effect", Hit::TakesEffectLate),
];
/// The first so many befall reads as well; to them the others are no different. They fail in one way or another, and
/// which one matters little: the quick test keeps to two.
const HITS_OF_READS: usize = 10;
const HITS_OF_READS_IN_SHORT: usize = 2;

/// A request of a story: the how-manieth of its kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    method: String,
    path: String,
    occurrence: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        match self.occurrence {
            0 => Ok(()),
            more => write!(f, " ({})", more + 1),
        }
    }
}

/// A request's path; which of two starts side by side is given which note is up to chance.
fn place(request: &Request) -> String {
    match request.path.split_once("/notes/") {
        Some((before, _)) => format!("{before}/notes/:id"),
        None => request.path.clone(),
    }
}

/// The requests of an undisturbed run, in no particular order: some go out side by side.
fn points(gitlab: &Gitlab, story: &Story) -> Vec<Point> {
    gitlab.clear_requests();
    run(gitlab, story.command);
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut points = Vec::new();
    for request in gitlab.requests() {
        let (method, path) = (request.method.clone(), place(&request));
        let count = seen.entry((method.clone(), path.clone())).or_default();
        points.push(Point {
            method,
            path,
            occurrence: *count,
        });
        *count += 1;
    }
    points
}

fn hit(gitlab: &Gitlab, point: &Point, hit: Hit) {
    let (point, count, hits) = (point.clone(), AtomicUsize::new(0), AtomicUsize::new(0));
    gitlab.fault(move |request| {
        let stopped = hits.load(Ordering::SeqCst) > 0;
        let matches = request.method == point.method && place(request) == point.path;
        let here = matches && count.fetch_add(1, Ordering::SeqCst) == point.occurrence;
        if here {
            // What went out beside it gets in, so that it is no race.
            if let Hit::StopBefore | Hit::StopAfter = hit {
                thread::sleep(BESIDE);
            }
            hits.fetch_add(1, Ordering::SeqCst);
        }
        match hit {
            Hit::StopBefore | Hit::StopAfter if stopped => Some(Fault::Reset),
            _ if !here => None,
            Hit::StopBefore => Some(Fault::Reset),
            Hit::StopAfter => Some(Fault::ResetAfterEffect),
            Hit::Once(fault) => Some(fault()),
            Hit::TakesEffectLate => {
                thread::sleep(HANG);
                None
            }
        }
    });
}

/// What came of it: how the hit run ended, and in how many later rounds all was right; or what was not.
fn outcome(
    gitlab: &Gitlab,
    world: &World,
    story: &Story,
    point: &Point,
    what: Hit,
) -> Result<(Exit, usize), String> {
    *gitlab.world() = world.clone();
    gitlab.clear_requests();
    hit(gitlab, point, what);
    let Ran { exit, .. } = run(gitlab, &format!("{} {PATIENCE}", story.command));
    if matches!(what, Hit::TakesEffectLate) {
        thread::sleep(HANG);
    }
    gitlab.no_faults();
    kept(promise::safety(gitlab, false, |_| false))?;
    let resolves = story.command.contains("--resolve always");
    let reconcile = match resolves {
        true => story.command,
        false => "reconcile",
    };
    for round in 1..=MOST_ROUNDS {
        run(gitlab, reconcile);
        kept(promise::safety(gitlab, true, |_| false))?;
        if all_served(gitlab) {
            kept(promise::at_rest(gitlab, |_| false))?;
            if resolves {
                kept(promise::resolved(gitlab, |_, _| false))?;
            }
            bystanders(gitlab)?;
            return Ok((exit, round));
        }
        run(gitlab, "scan");
        end_all(gitlab);
    }
    Err(format!(
        "there is no rest: {:?}",
        promise::at_rest(gitlab, |_| false)
    ))
}

/// No benchmark is in flight, and nobody waits for one but the bystander.
fn all_served(gitlab: &Gitlab) -> bool {
    let ended = gitlab
        .benchmarks()
        .iter()
        .all(|benchmark| benchmark.has_ended());
    let world = gitlab.world();
    let waits = |labels: &[u64]| {
        world
            .titles(labels)
            .iter()
            .any(|title| title == "benchmarking")
    };
    let mut waiting = world.merge_requests.values().filter(|mr| waits(&mr.labels));
    ended && waiting.all(|mr| mr.source_branch == "bystander")
}

/// Nobody else's labels and notes were touched.
fn bystanders(gitlab: &Gitlab) -> Result<(), String> {
    let world = gitlab.world();
    for mr in world
        .merge_requests
        .values()
        .filter(|mr| mr.iid <= 2 && mr.source_project_id == Some(7))
    {
        let labels = world.titles(&mr.labels);
        let intact = match mr.source_branch.as_str() {
            "bystander" => labels == ["benchmarking"] && mr.discussions.len() == 1,
            "speed-up" => {
                labels == ["urgent"] && mr.discussions[0].notes[0].body == "Does it really?"
            }
            _ => true,
        };
        if !intact {
            return Err(format!("!{} has labels {labels:?}", mr.iid));
        }
    }
    Ok(())
}

#[test]
fn every_write_hit_by_every_fault_and_every_read_by_some_ends_well() {
    table(HITS_OF_READS_IN_SHORT);
}

/// Keeps the table of the README current.
#[test]
#[ignore = "a minute long; .ci/run runs it"]
fn every_request_hit_by_every_fault_ends_well() {
    insta::with_settings!({
        snapshot_path => "../../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("faults", table(HITS_OF_READS))
    });
}

fn table(hits_of_reads: usize) -> String {
    let mut table = String::from(
        "Each request of a story (rows) is hit by each fault (columns), once, and not repeated by the run itself. A cell \
         tells the exit status of the run that was hit, and by which of the undisturbed reconciles after it all was well: \
         exactly one benchmark, one discussion with its link, one outcome, no label; and resolved where the story is told with \
         --resolve.\n",
    );
    let mut failures = Vec::new();
    for story in &STORIES {
        let gitlab = Gitlab::start();
        (story.arrange)(&gitlab);
        let world = gitlab.world().clone();
        let points = points(&gitlab, story);
        let results = hit_all(story, &world, &points, hits_of_reads);
        table += &format!("\n## {}\n\n| request |", story.name);
        HITS.iter()
            .for_each(|(name, _)| table += &format!(" {name} |"));
        table += &format!("\n|---{}|\n", "|---".repeat(HITS.len()));
        let mut rows = BTreeSet::new();
        for (index, point) in points.iter().enumerate() {
            let mut row = format!("| {point} |");
            for (hit, (name, _)) in HITS.iter().enumerate() {
                row += &match results.get(&(index, hit)) {
                    None => " |".to_owned(),
                    Some(Ok((exit, round))) => format!(" {}/{round} |", *exit as u8),
                    Some(Err(broken)) => {
                        failures.push(format!("{}: {point}, {name}: {broken}", story.name));
                        " ✗ |".to_owned()
                    }
                };
            }
            rows.insert(row + "\n");
        }
        table.extend(rows);
    }
    assert!(
        failures.is_empty(),
        "{} broken:\n{}",
        failures.len(),
        failures.join("\n")
    );
    table
}

type Results = BTreeMap<(usize, usize), Result<(Exit, usize), String>>;

/// By point and hit.
fn hit_all(story: &Story, world: &World, points: &[Point], hits_of_reads: usize) -> Results {
    let hits = |point: &Point| {
        if point.method == "GET" {
            hits_of_reads
        } else {
            HITS.len()
        }
    };
    let jobs: Vec<(usize, usize)> = (0..points.len())
        .flat_map(|point| (0..hits(&points[point])).map(move |hit| (point, hit)))
        .collect();
    let (next, results) = (AtomicUsize::new(0), Mutex::default());
    thread::scope(|scope| {
        // Much of the time goes by in waiting for servers that hang.
        for _ in 0..4 {
            scope.spawn(|| {
                let gitlab = Gitlab::start();
                while let Some(&(point, hit)) = jobs.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let result = outcome(&gitlab, world, story, &points[point], HITS[hit].1);
                    let mut results: std::sync::MutexGuard<Results> =
                        results.lock().expect("no panic");
                    results.insert((point, hit), result);
                }
            });
        }
    });
    results.into_inner().expect("no panic")
}
