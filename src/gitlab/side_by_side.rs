//! The one place where bench-bot does several things at once: a run's time is its chain of round trips, so
//! requests that do not depend on one another go out together.

use std::sync::Mutex;
use std::thread;

/// How many requests are under way at most.
const AT_ONCE: usize = 16;

/// What `f` makes of each item, in the items' order.
pub fn side_by_side<T: Send, R: Send>(items: Vec<T>, f: impl Fn(T) -> R + Sync) -> Vec<R> {
    let workers = items.len().min(AT_ONCE);
    if workers < 2 {
        return items.into_iter().map(f).collect();
    }
    let todo = Mutex::new(items.into_iter().enumerate());
    let next = || todo.lock().ok()?.next();
    let work = || {
        let mut done = Vec::new();
        while let Some((index, item)) = next() {
            done.push((index, f(item)));
        }
        done
    };
    let mut done: Vec<(usize, R)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
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
        (
            first
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            second,
        )
    })
}
