//! The only place where bench-bot does several things at once: a run takes as long as its chain of round trips, so
//! requests that do not depend on one another are sent together.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// The most requests in flight at once.
pub const MAX_CONCURRENT: usize = 16;

/// Maps `f` over the items with several threads. Items are begun, and results returned, in the items' order.
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

/// Runs both at the same time, and returns both results.
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

/// Ignores poisoning: no thread can leave a half-done change behind these locks.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A counter that threads raise and wait for. No wait lasts for ever: the threads that raise it make requests, and those
/// end at the run's deadline.
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

/// Limits how many threads run a task at once.
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

    /// Returns `None` if no place becomes free before the deadline.
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
