//! A runner: it takes the jobs of all projects that are made over the API, and does what else
//! GitLab does in the background there.

use crate::people::People;
use crate::pipelines::{self, Pipeline};
use crate::world::{Work, has_ended};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(20);

/// Works until it is dropped.
pub struct Runner {
    stop: Arc<AtomicBool>,
}

impl People {
    /// `work` says what becomes of each job, by its pipeline and its name.
    pub fn runner(&self, work: impl Fn(&Pipeline, &str) -> Work + Send + 'static) -> Runner {
        let stop = Arc::new(AtomicBool::new(false));
        let (people, stopped) = (self.clone(), Arc::clone(&stop));
        thread::spawn(move || {
            let mut begun = BTreeMap::new();
            while !stopped.load(Ordering::Relaxed) {
                step(&people, &mut begun, &work);
                thread::sleep(STEP);
            }
        });
        Runner { stop }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Everything goes one step on; `begun` is when each job was first seen running.
fn step(
    people: &People,
    begun: &mut BTreeMap<u64, Instant>,
    work: &impl Fn(&Pipeline, &str) -> Work,
) {
    let jobs = {
        let mut world = people.world();
        world.finish_imports();
        world.run_background_jobs();
        world.jobs_on_their_way()
    };
    for (pipeline_id, job_id) in jobs {
        let Some((pipeline, name, is_running)) = look(people, pipeline_id, job_id) else {
            continue;
        };
        let work = work(&pipeline, &name);
        let since = is_running.then(|| *begun.entry(job_id).or_insert_with(Instant::now));
        let done = since.is_some_and(|since| since.elapsed() >= work.takes);
        people
            .world()
            .step_job(pipeline_id, job_id, done.then_some(&work));
    }
}

fn look(people: &People, pipeline_id: u64, job_id: u64) -> Option<(Pipeline, String, bool)> {
    let world = people.world();
    let pipeline = world.pipelines.get(&pipeline_id)?;
    let job = pipeline.jobs.iter().find(|job| job.id == job_id)?;
    let alive = !has_ended(&job.status);
    alive.then(|| {
        let pipeline = pipelines::view(&world, pipeline);
        (pipeline, job.name.clone(), job.status == "running")
    })
}
