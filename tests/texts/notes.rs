//! The bot finds its own notes again, and takes nobody else's for its own.

use bench_bot::gitlab::answer::{Discussion, Outcome};
use bench_bot::id::{DiscussionId, NoteId, PipelineId, RequestId};
use bench_bot::note::{
    self, CloseReason, Details, End, OpeningNote, OutcomeNote, Thread, Triggered, Unstarted,
};
use bench_bot::record::Task;
use bench_bot::snapshot::Request;
use proptest::prelude::*;

use crate::{BENCHMARKS, BOT, any_task, any_text, discussion, note_by, record};

fn read(bodies: impl IntoIterator<Item = String>) -> Thread {
    note::read(&discussion(bodies), BOT).expect("each note has an author")
}

fn opening_of(body: String) -> OpeningNote {
    read([body]).opening.expect("it opens a discussion")
}

fn outcome_of(body: String) -> OutcomeNote {
    let thread = read([body]);
    assert!(thread.opening.is_none());
    let [outcome] = &thread.outcomes[..] else {
        panic!("{thread:?}")
    };
    outcome.clone()
}

pub fn request(task: &Task) -> Request {
    Request {
        id: task.request,
        label: task.label.clone(),
        at: None,
        by: None,
        triggered: Some((task.sha.clone(), Triggered::Commit)),
    }
}

/// Every note that can open a discussion.
fn openings(task: &Task, reason: &str) -> Vec<String> {
    let record = record(task.clone());
    let opened = note::opening(&request(task), BENCHMARKS, &task.branch, Some(&task.sha));
    let opening = opening_of(opened.clone());
    let closed = [
        CloseReason::Unlabelled,
        CloseReason::Merged,
        CloseReason::Closed,
    ];
    let closed = closed.map(|why| note::closed(&opening, &task.label, why));
    let refused = [Unstarted::Refused, Unstarted::Unavailable];
    let refused =
        refused.map(|state| note::refused(task, &request(task), BENCHMARKS, (state, reason)));
    let started = note::started(task, BENCHMARKS, record.pipeline, &record.web_url);
    [vec![opened, started], closed.into(), refused.into()].concat()
}

const ENDS: [End; 8] = [
    End::Pipeline(Outcome::Success),
    End::Pipeline(Outcome::Failed),
    End::Pipeline(Outcome::Canceled),
    End::Pipeline(Outcome::Skipped),
    End::ResultsFailed,
    End::Withdrawn,
    End::TimedOut,
    End::Blocked,
];

proptest! {
    #[test]
    fn an_opening_note_tells_its_request_whatever_things_are_called(task in any_task(), reason in any_text()) {
        let states = [None, None, Some(Unstarted::Closed), Some(Unstarted::Closed), Some(Unstarted::Closed),
            Some(Unstarted::Refused), Some(Unstarted::Unavailable)];
        for (place, (body, state)) in openings(&task, &reason).into_iter().zip(states).enumerate() {
            let read = opening_of(body.clone());
            let expected = OpeningNote {
                note: NoteId(1),
                body,
                request: task.request,
                label: Some(task.label.clone()),
                sha: Some(task.sha.clone()),
                linked: (place == 1).then_some(PipelineId(1001)),
                state,
                project: Some(BENCHMARKS),
                triggered: matches!(place, 0 | 5 | 6).then_some(Triggered::Commit), waits: None, };
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn an_outcome_tells_its_request_whatever_things_are_called(task in any_task()) {
        let record = record(task.clone());
        let statuses = [Some("success"), Some("failed"), Some("canceled"), Some("skipped"), Some("success"), None, None, None];
        for (end, status) in ENDS.into_iter().zip(statuses) {
            let body = note::outcome(&record, end, &task.label, &Details::default());
            let expected = OutcomeNote {
                note: NoteId(1),
                body: body.clone(),
                posted_at: discussion([String::new()]).notes[0].created_at,
                request: task.request,
                label: Some(task.label.clone()),
                pipeline: Some(PipelineId(1001)),
                end: Some(end.word().to_owned()),
                status: status.map(str::to_owned),
                cancels: status.is_none(),
                verdict: None,
                summary: None,
            };
            prop_assert_eq!(outcome_of(body), expected);
        }
    }

    /// Nothing else changes about it.
    #[test]
    fn a_reply_can_say_later_that_it_was_cancelled(task in any_task()) {
        let record = record(task.clone());
        for end in [End::Withdrawn, End::TimedOut, End::Blocked] {
            let first = outcome_of(note::outcome(&record, end, &task.label, &Details::default()));
            for outcome in Outcome::ALL {
                let body = note::cancelled(&first, outcome);
                let expected = OutcomeNote {
                    body: body.clone(),
                    status: Some(outcome.word().to_owned()),
                    ..first.clone()
                };
                prop_assert_eq!(outcome_of(body), expected);
            }
        }
    }

    #[test]
    fn nobody_elses_note_is_the_bots(task in any_task(), author in "[a-z]{1,9}") {
        for body in openings(&task, "whatever") {
            let mut by_gitlab = note_by(Some(BOT), 2, body.clone());
            by_gitlab.system = true;
            let notes = vec![note_by(Some(&author), 1, body), by_gitlab];
            let discussion = Discussion { id: DiscussionId("d".repeat(40)), notes };
            let thread = note::read(&discussion, BOT).expect("each note has an author");
            prop_assert!(thread.opening.is_none());
        }
    }

    #[test]
    fn whose_note_it_is_may_not_be_told(task in any_task()) {
        let mut discussion = discussion(openings(&task, "whatever"));
        discussion.notes[1].author = None;
        prop_assert_eq!(note::read(&discussion, BOT), None);
        discussion.notes[1].body = "A note without marker is anyone's.".to_owned();
        prop_assert!(note::read(&discussion, BOT).is_some());
    }

    #[test]
    fn any_note_is_read_without_harm(body in any_text()) {
        let marked = format!("x\n<!-- bench-bot {body} -->");
        let first = outcome_of(OLD_WITHDRAWN.to_owned());
        let _ = note::cancelled(&OutcomeNote { body: body.clone(), ..first }, Outcome::Success);
        for body in [body, marked] {
            read([body]);
        }
    }
}

const OLD_STARTED: &str =
    "**Benchmark started**\n\n<!-- bench-bot {\"start\":{\"request\":101,\"pipeline\":1007}} -->";
const OLD_REQUESTED: &str =
    "**Benchmark requested**\n\n<!-- bench-bot {\"start\":{\"request\":101,\"pipeline\":null}} -->";
const OLD_WITHDRAWN: &str = "**Benchmark withdrawn**\n\n<!-- bench-bot {\"outcome\":{\"request\":101,\"cancels\":true}} -->";
const OLD_ENDED: &str =
    "**Benchmark success**\n\n<!-- bench-bot {\"outcome\":{\"request\":101,\"cancels\":false}} -->";

#[test]
fn notes_of_the_first_version_are_still_read() {
    let request = RequestId(101);
    let opening = opening_of(OLD_STARTED.to_owned());
    assert_eq!(
        (opening.request, opening.linked),
        (request, Some(PipelineId(1007)))
    );
    assert_eq!(
        (opening.label.as_ref(), opening.sha.as_ref(), opening.state),
        (None, None, None)
    );
    assert!(opening.is_about(request, "any label"));
    assert_eq!(opening_of(OLD_REQUESTED.to_owned()).linked, None);
    for (body, cancels) in [(OLD_WITHDRAWN, true), (OLD_ENDED, false)] {
        let outcome = outcome_of(body.to_owned());
        assert_eq!((outcome.request, outcome.cancels), (request, cancels));
        assert_eq!(
            (
                outcome.pipeline,
                outcome.end.as_ref(),
                outcome.status.as_ref()
            ),
            (None, None, None)
        );
        assert!(outcome.is_about(request, "any label"));
    }
}

#[test]
fn only_a_marker_in_the_last_line_counts() {
    let marker = r#"<!-- bench-bot {"outcome":{"request":101,"cancels":true}} -->"#;
    for (body, counts) in [
        (marker.to_owned(), true),
        (format!("text\n{marker}"), true),
        (format!("text {marker}"), false),
        (format!("{marker}\ntext"), false),
        (format!("> {marker}"), false),
        (marker.replace("bench-bot", "other-bot"), false),
        (marker.replace("101", "\"101\""), false),
    ] {
        let found = read([body.clone()]).outcomes.len();
        assert_eq!(found, usize::from(counts), "{body}");
    }
}

#[test]
fn the_first_of_several_opening_notes_counts_and_every_reply() {
    let second = OLD_STARTED.replace("1007", "1008");
    let bodies = [OLD_STARTED, &second, OLD_ENDED, OLD_WITHDRAWN].map(str::to_owned);
    let thread = read(bodies);
    assert_eq!(
        thread.opening.expect("the first").linked,
        Some(PipelineId(1007))
    );
    assert_eq!(
        thread
            .outcomes
            .iter()
            .map(|note| note.note.0)
            .collect::<Vec<_>>(),
        [3, 4]
    );
}

#[test]
fn a_discussion_is_resolved_when_all_its_notes_are() {
    let resolved = |states: [bool; 2]| {
        let mut discussion = discussion([OLD_STARTED, OLD_ENDED].map(str::to_owned));
        for (note, state) in discussion.notes.iter_mut().zip(states) {
            note.resolved = state;
        }
        note::read(&discussion, BOT).expect("it is read").resolved
    };
    assert!(resolved([true, true]));
    assert!(!resolved([true, false]));
}

#[test]
fn what_is_unfinished() {
    let unfinished = |bodies: &[&str]| {
        let threads = [read(bodies.iter().map(|body| (*body).to_owned()))];
        note::unfinished(&threads).count()
    };
    let closed = r#"<!-- bench-bot {"start":{"request":101,"pipeline":null,"state":"closed"}} -->"#;
    let refused = closed.replace("closed", "refused");
    let of_another = OLD_ENDED.replace("101", "55");
    assert_eq!(unfinished(&[]), 0);
    assert_eq!(unfinished(&[OLD_REQUESTED]), 1);
    assert_eq!(unfinished(&[OLD_STARTED]), 1);
    assert_eq!(unfinished(&[&refused]), 1);
    assert_eq!(unfinished(&[closed]), 0);
    assert_eq!(unfinished(&[OLD_STARTED, OLD_ENDED]), 0);
    assert_eq!(unfinished(&[OLD_STARTED, &of_another]), 1);
}
