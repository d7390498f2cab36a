//! What people do, and what becomes of it.

mod blocked;
mod facts;
mod fork;
mod name;
mod outcome;
mod refusal;
mod withdrawal;

pub use withdrawal::SLOW;

use std::sync::atomic::Ordering;

use anyhow::Result;

use crate::api::INTERRUPTED;
use crate::live::Live;

type Story = fn(&Live) -> Result<()>;

const ALL: [(&str, Story); 7] = [
    ("from the label to the outcome", outcome::tell),
    (
        "the label is taken off while the benchmark runs",
        withdrawal::tell,
    ),
    ("GitLab refuses the benchmark", refusal::tell),
    ("a merge request from a fork", fork::tell),
    (
        "started by hand, with a name that looks like variables",
        name::tell,
    ),
    ("a job that waits for a person", blocked::tell),
    ("what else is taken for granted", facts::tell),
];

/// Each of them, though one before it has failed.
pub fn tell_all(live: &Live) {
    for (title, story) in ALL {
        if INTERRUPTED.load(Ordering::Relaxed) {
            return;
        }
        live.seen.step(title);
        if let Err(error) = story(live) {
            live.seen
                .note("the story to go on", format_args!("{error:#}"));
        }
    }
}
