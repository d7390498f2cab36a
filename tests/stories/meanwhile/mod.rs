//! What people do while the bot is at work: between its runs, and between its requests.

mod benchmark;
mod fork;
mod label;
mod loose_ends;
mod push;
mod refusal;
mod shifting;
mod two_labels;
mod unreadable;
mod unsaid;
mod vouching;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use in_memory_gitlab::{Discussion, Fault, Gitlab, Mr, People, Request};
use serde_json::Value;

use crate::bot::in_flight;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// One whose benchmark has failed, which the bot has not seen yet.
fn ended(gitlab: &Gitlab) -> (Mr, u64) {
    let (mr, benchmark) = in_flight(gitlab);
    gitlab.benchmark_ends(benchmark, "failed");
    (mr, benchmark)
}

/// Lets people do something right before the so many-th of such requests, counted from 0.
fn before(
    gitlab: &Gitlab,
    nth: usize,
    such: impl Fn(&Request) -> bool + Send + Sync + 'static,
    act: impl Fn(&People) + Send + Sync + 'static,
) {
    let (people, seen) = (People::clone(gitlab), AtomicUsize::new(0));
    gitlab.fault(move |request| {
        if such(request) && seen.fetch_add(1, Ordering::SeqCst) == nth {
            act(&people);
        }
        None
    });
}

/// A list that is no longer than that.
pub fn lists(rows: &Value) -> Fault {
    let whole = ("x-next-page".to_owned(), String::new());
    Fault::Answer {
        status: 200,
        headers: vec![whole],
        body: rows.to_string(),
    }
}

fn any(_: &Request) -> bool {
    true
}

fn takes_label_off(request: &Request) -> bool {
    request.body.get("remove_labels").is_some()
}

fn reads_label_events(request: &Request) -> bool {
    request.path.ends_with("/resource_label_events")
}

/// The bodies of the notes in each discussion.
fn told(mr: &Mr) -> Vec<Vec<String>> {
    let bodies =
        |discussion: Discussion| discussion.notes.into_iter().map(|note| note.body).collect();
    mr.discussions().into_iter().map(bodies).collect()
}

/// So many discussions, each with what opened it and such an outcome.
#[track_caller]
fn assert_told(mr: &Mr, outcomes: &[&str]) {
    let told = told(mr);
    assert_eq!(told.len(), outcomes.len(), "{}", mr.page());
    for (notes, outcome) in told.iter().zip(outcomes) {
        let [_, reply] = &notes[..] else {
            panic!("{}", mr.page())
        };
        assert!(
            reply.contains(&format!("Benchmark {outcome}")),
            "{}",
            mr.page()
        );
    }
}

fn reason(report: &Value, mr: &Mr) -> String {
    let mut waiting = report["waiting"].as_array().expect("a list").iter();
    let found = waiting.find(|waiting| waiting["mr"] == mr.iid());
    found
        .and_then(|found| found["reason"].as_str())
        .unwrap_or("none")
        .to_owned()
}
