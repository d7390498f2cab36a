//! Every request of every story is hit by every fault, the points found by recording an undisturbed run. Then
//! undisturbed runs follow, and the promise must hold. The table that comes of it is kept in `snapshots/`.

mod hits;
pub mod points;
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use in_memory_gitlab::Gitlab;

use self::hits::{Extent, HITS};
use self::points::Point;
use self::scene::{Cell, Scene};
use crate::stories;

const THREADS: usize = 12;

#[test]
fn every_write_hit_by_every_fault_and_every_read_by_some_ends_well() {
    table(Extent::Quick);
}

/// Keeps the table current to which the documentation links.
#[test]
#[ignore = "minutes long"]
fn every_request_hit_by_every_fault_ends_well() {
    insta::with_settings!({
        snapshot_path => "../../../snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!("faults", table(Extent::Full))
    });
}

fn table(extent: Extent) -> String {
    let mut table = String::from(
        "Each request of a story (rows) is hit by each fault (columns), once, and not repeated by the run itself. A cell \
         tells the exit status of the run that was hit, and by which of the undisturbed reconciles after it all was well: \
         exactly one benchmark, one discussion with its link, one outcome, no label; and resolved where the story is told with \
         --resolve. Whatever the fault, the run itself starts, cancels and unlabels nothing that it would not undisturbed. *A field \
         less*: each field of the answer in turn; the cell is the worst of them.\n",
    );
    let mut failures = Vec::new();
    let scenes: Vec<Scene> = stories::all().map(Scene::of).collect();
    let results = hit_all(&scenes, extent);
    for (number, scene) in scenes.iter().enumerate() {
        let name = scene.story.name;
        table += &format!("\n## {name}\n\n| request |");
        HITS.iter()
            .for_each(|(name, ..)| table += &format!(" {name} |"));
        table += &format!("\n|---{}|\n", "|---".repeat(HITS.len()));
        let mut rows = BTreeSet::new();
        for (index, point) in scene.points.iter().enumerate() {
            let mut row = format!("| {point} |");
            for (hit, (fault, ..)) in HITS.iter().enumerate() {
                row += &match results.get(&(number, index, hit)) {
                    None | Some(Ok(None)) => " |".to_owned(),
                    Some(Ok(Some((round, exit)))) => format!(" {exit}/{round} |"),
                    Some(Err(broken)) => {
                        failures.push(format!("{name}: {point}, {fault}: {broken}"));
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

/// By scene, point and hit.
type Results = BTreeMap<(usize, usize, usize), Result<Option<Cell>, String>>;

fn hit_all(scenes: &[Scene], extent: Extent) -> Results {
    let hits = |point: &Point| {
        let hits = HITS.iter().enumerate();
        let befall = hits.filter(|(_, (_, met, _))| met.is_by(point, extent));
        befall.map(|(hit, _)| hit).collect::<Vec<_>>()
    };
    let mut jobs = Vec::new();
    for (number, scene) in scenes.iter().enumerate() {
        for (index, point) in scene.points.iter().enumerate() {
            jobs.extend(hits(point).into_iter().map(|hit| (number, index, hit)));
        }
    }
    let (next, results) = (AtomicUsize::new(0), Mutex::default());
    thread::scope(|scope| {
        // Much of the time goes by in waiting for servers that hang.
        for _ in 0..THREADS {
            scope.spawn(|| {
                let gitlab = Gitlab::start();
                while let Some(&job) = jobs.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let (number, point, hit) = job;
                    let scene = &scenes[number];
                    let result = scene.outcome(&gitlab, &scene.points[point], HITS[hit].2);
                    let mut results: std::sync::MutexGuard<Results> =
                        results.lock().expect("no panic");
                    results.insert(job, result);
                }
            });
        }
    });
    results.into_inner().expect("no panic")
}
