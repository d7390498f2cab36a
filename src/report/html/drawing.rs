//! The drawn timeline: a panel for each day, a row for each request, and what they waited for.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, Utc};
use maud::{Markup, html};

use super::{lasting, link, mr_link, outcome, spelled, text};
use crate::milestones::{Milestones, Stage};
use crate::record::Record;
use crate::report::text::{state, title_of};
use crate::report::{Report, Status, timeline};

/// A panel does not go further back, so that the events of a day remain distinguishable.
const LONGEST: TimeDelta = TimeDelta::hours(24);
const MOST_TICKS: i64 = 6;
/// In percent of the width. A narrower bar would be invisible.
const NARROWEST: f64 = 0.4;
/// The height of a row, in pixels.
const HEIGHT: u8 = 24;

/// How a stage is drawn: its class; its height in pixels, which distinguishes it without colour; and what it means.
fn look(stage: Stage) -> (&'static str, u8, &'static str) {
    match stage {
        Stage::Pipeline => ("pipeline", 3, "its own pipeline runs"),
        Stage::Untold => ("untold", 1, "waiting for an unknown reason"),
        Stage::Queue => ("queue", 7, "ready, waiting for its turn"),
        Stage::Machine => ("machine", 10, "waiting for a machine"),
        Stage::Running => ("running", 14, "benchmark running"),
    }
}

struct Row {
    mr: Markup,
    milestones: Milestones,
    state: Markup,
    is_queued: bool,
}

pub fn drawing(report: &Report, status: &Status) -> Markup {
    let rows = rows(report, status);
    let legend = legend(&rows, report.now);
    let mut days: BTreeMap<Reverse<NaiveDate>, Vec<Row>> = BTreeMap::new();
    for row in rows {
        let day = row.milestones.ended_at.unwrap_or(report.now).date_naive();
        days.entry(Reverse(day)).or_default().push(row);
    }
    html! {
        @if !days.is_empty() {
            (waits(report))
            section {
                h2 { "Timeline" }
                (legend)
                @for (index, (Reverse(day), rows)) in days.iter().enumerate() {
                    details open[index == 0] {
                        summary { (day.format("%A %-d %B")) " " span.count { (rows.len()) } }
                        (panel(rows, report.now))
                    }
                }
            }
        }
    }
}

/// Those that have not ended come first, then the others, latest first.
fn rows(report: &Report, status: &Status) -> Vec<Row> {
    let of_record = |record: &Record, milestones: &Milestones, state: Markup| {
        let name = text(title_of(record, report));
        Row {
            mr: html! { (mr_link(report, record)) " " (name) },
            milestones: *milestones,
            state,
            is_queued: false,
        }
    };
    let queue = report.plan.queue.iter().rev().map(|queued| Row {
        mr: html! {
            (link(&queued.mr.web_url, html! { "!" (queued.mr.iid) })) " " (text(queued.mr.title()))
        },
        milestones: timeline::queued(queued),
        state: html! { "queued" },
        is_queued: true,
    });
    let in_flight = report.plan.in_flight.iter().rev().map(|found| {
        let milestones = report.snapshot.milestones.get(&found.record.pipeline);
        let milestones = milestones.copied().unwrap_or_default();
        of_record(found.record, &milestones, text(&state(found)))
    });
    let ended = status
        .ended
        .iter()
        .map(|(record, milestones)| of_record(record, milestones, outcome(record.status.word())));
    queue.chain(in_flight).chain(ended).collect()
}

/// The time that a panel shows.
#[derive(Clone, Copy)]
struct Axis {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    step: TimeDelta,
}

impl Axis {
    fn of(rows: &[Row], now: DateTime<Utc>) -> Self {
        let starts = rows
            .iter()
            .filter_map(|row| Some(row.milestones.phases(now).first()?.from));
        let ends = rows
            .iter()
            .map(|row| row.milestones.ended_at.unwrap_or(now));
        let to = ends.max().unwrap_or(now);
        let from = starts.min().unwrap_or(to).max(to - LONGEST);
        let steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240].map(TimeDelta::minutes);
        let fits = |step: &&TimeDelta| (to - from).num_seconds() <= step.num_seconds() * MOST_TICKS;
        let step = steps
            .iter()
            .find(fits)
            .copied()
            .unwrap_or(TimeDelta::hours(6));
        // Times of this and any thinkable year can be rounded.
        let from = from.duration_trunc(step).unwrap_or(from);
        Self {
            from,
            to: to.max(from + step),
            step,
        }
    }

    /// In percent of the width.
    fn place(&self, at: DateTime<Utc>) -> f64 {
        let (at, whole) = (at - self.from, self.to - self.from);
        (at.num_seconds() as f64 / whole.num_seconds().max(1) as f64 * 100.0).clamp(0.0, 100.0)
    }

    fn ticks(self) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(Some(self.from), move |tick| Some(*tick + self.step))
            .take_while(move |tick| *tick <= self.to)
    }
}

fn panel(rows: &[Row], now: DateTime<Utc>) -> Markup {
    let axis = Axis::of(rows, now);
    let (queued, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.is_queued);
    html! {
        div.panel {
            div.row.hours aria-hidden="true" {
                span {}
                svg width="100%" height="18" {
                    @for tick in axis.ticks() {
                        @let x = axis.place(tick);
                        @let anchor = if x < 3.0 { "start" } else if x > 95.0 { "end" } else { "middle" };
                        text x=(percent(x)) y="12" text-anchor=(anchor) { (tick.format("%H:%M")) }
                    }
                }
                span {}
            }
            @if !queued.is_empty() {
                details {
                    summary { (queued.len()) " queued" }
                    @for row in queued { (drawn(row, axis, now)) }
                }
            }
            @for row in others { (drawn(row, axis, now)) }
        }
    }
}

fn drawn(row: &Row, axis: Axis, now: DateTime<Utc>) -> Markup {
    html! {
        div.row {
            span.who { (row.mr) }
            (track(row, axis, now))
            span { (row.state) @if let Some(took) = took(&row.milestones, now) { " " (lasting(took)) } }
        }
    }
}

fn track(row: &Row, axis: Axis, now: DateTime<Utc>) -> Markup {
    let milestones = &row.milestones;
    let seen = |at: DateTime<Utc>| at >= axis.from && at <= axis.to;
    let middle = HEIGHT / 2;
    html! {
        svg.track width="100%" height=(HEIGHT) role="img" {
            title { (told(milestones)) }
            @for tick in axis.ticks() {
                @let x = percent(axis.place(tick));
                line.grid x1=(x) x2=(x) y1="0" y2=(HEIGHT) {}
            }
            @for phase in milestones.phases(now) {
                @let (from, to) = (axis.place(phase.from), axis.place(phase.to));
                @if phase.to >= axis.from {
                    @let (class, height, _) = look(phase.stage);
                    rect class=(class) x=(percent(from.min(100.0 - NARROWEST)))
                        width=(percent((to - from).max(NARROWEST)))
                        y=((HEIGHT - height) / 2) height=(height) {}
                }
            }
            @if let Some(at) = milestones.requested_at.filter(|at| seen(*at)) {
                circle.label cx=(percent(axis.place(at))) cy=(middle) r="4" {}
            }
        }
    }
}

/// How long it has been in its state, or how long it ran if it has ended.
fn took(milestones: &Milestones, now: DateTime<Utc>) -> Option<TimeDelta> {
    match milestones.ended_at {
        Some(_) => milestones.ran(),
        None => Some(
            now - milestones
                .started_at
                .or(milestones.begun_at)
                .or(milestones.requested_at)?,
        ),
    }
}

/// The drawing's times in words.
pub fn told(milestones: &Milestones) -> String {
    let times = [
        ("label", milestones.requested_at),
        ("pipeline passed", milestones.ready_at),
        ("benchmark begun", milestones.begun_at),
        ("started", milestones.started_at),
        ("ended", milestones.ended_at),
    ];
    let told = times
        .iter()
        .filter_map(|(what, at)| Some(format!("{what} {}", (*at)?.format("%-d %b %H:%M"))));
    told.collect::<Vec<_>>().join(", ") + " UTC"
}

fn legend(rows: &[Row], now: DateTime<Utc>) -> Markup {
    let drawn = |stage: &Stage| {
        let mut phases = rows.iter().flat_map(|row| row.milestones.phases(now));
        phases.any(|phase| phase.stage == *stage)
    };
    html! {
        ul.legend {
            li { svg width="10" height="12" { circle.label cx="5" cy="6" r="4" {} } "the label was added" }
            @for (class, height, meaning) in Stage::ALL.into_iter().filter(drawn).map(look) {
                li {
                    svg width="18" height="14" {
                        rect class=(class) width="18" y=((14 - height) / 2) height=(height) {}
                    }
                    (meaning)
                }
            }
        }
    }
}

/// One bar for all the time that requests waited.
fn waits(report: &Report) -> Markup {
    let shares = timeline::shares(report);
    let total: TimeDelta = shares.iter().map(|share| share.time).sum();
    let part = |time: TimeDelta| time.as_seconds_f64() / total.as_seconds_f64().max(1.0) * 100.0;
    html! {
        @if let Some((total, help)) = timeline::advice(&shares) {
            section {
                h2 { "Where the time goes" }
                p { "Requests waited " strong { (spelled(&total)) } " in all. " (help) }
                svg.waits width="100%" height="14" aria-hidden="true" {
                    @for (index, share) in shares.iter().enumerate() {
                        @let before = shares[..index].iter().map(|share| part(share.time)).sum();
                        rect class=(share.class) x=(percent(before)) width=(percent(part(share.time))) height="14" {}
                    }
                }
                ul.legend {
                    @for share in &shares {
                        li {
                            svg width="12" height="12" { rect class=(share.class) width="12" height="12" {} }
                            (share.percent) " % " (share.what)
                        }
                    }
                }
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}
