//! The one place where bench-bot does several things at once: a run's time is its chain of round trips, so
//! requests that do not depend on one another go out together.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// How many requests are under way at most.
pub const MAX_CONCURRENT: usize = 16;

/// What `f` makes of each item, in the items' order. They are begun in that order, too.
pub fn parallel_map<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    let workers = items.len().min(MAX_CONCURRENT);
    if workers < 2 {
        return items.into_iter().map(f).collect();
    }
    let todo = Mutex::new(items.into_iter().enumerate());
    let work = || {
        let next = || lock(&todo).next();
        std::iter::from_fn(next)
            .map(|(index, item)| (index, f(item)))
            .collect::<Vec<_>>()
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| joined(worker.join()))
            .collect()
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Both results, the two done at the same time.
pub fn both<A: Send, B>(first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B) -> (A, B) {
    thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        (joined(first.join()), second)
    })
}

fn joined<T>(result: thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What a thread that panicked left behind is as good as before: no half-done change is ever behind these locks.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that several threads count up and wait for. Whoever is waited for is at requests, which come to an end with
/// the run's time.
#[derive(Default)]
pub struct Count {
    value: Mutex<usize>,
    changed: Condvar,
}

impl Count {
    pub fn reach(&self, value: usize) {
        let mut current = lock(&self.value);
        *current = value.max(*current);
        self.changed.notify_all();
    }

    pub fn wait_for(&self, value: usize) {
        let waiting = self
            .changed
            .wait_while(lock(&self.value), |current| *current < value);
        drop(waiting.unwrap_or_else(PoisonError::into_inner));
    }
}

/// Lets no more through at once than there are places.
pub struct Semaphore {
    free: Mutex<usize>,
    left: Condvar,
}

impl Semaphore {
    pub fn new(places: usize) -> Self {
        Self {
            free: Mutex::new(places),
            left: Condvar::new(),
        }
    }

    /// `None` where no place is free before the deadline.
    pub fn run<R>(&self, deadline: Instant, task: impl FnOnce() -> R) -> Option<R> {
        let time = deadline.saturating_duration_since(Instant::now());
        let waiting = self
            .left
            .wait_timeout_while(lock(&self.free), time, |free| *free == 0);
        let (mut free, _) = waiting.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        drop(free);
        let result = task();
        *lock(&self.free) += 1;
        self.left.notify_one();
        Some(result)
    }
}
