//! The page of `status`: one file without script, to be published as it is. Text of others is escaped by maud.

mod drawing;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::json::rfc3339;
use super::layout::lasting;
use super::text::{mr_of, state};
use super::{Report, Status, explain, timeline};
use crate::gitlab::Url;
use crate::milestones::Milestones;
use crate::plan::{Order, Verdict, Waiting};
use crate::record::Record;
use crate::sanitize::one_line;

const STYLE: &str = include_str!("page.css");
/// Nothing is loaded, wherever it is from, and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     base-uri 'none'; form-action 'none'";
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E\
     %3Cpath d='M0 1h3v2H0zM2 5h6v2H2z' fill='%230072b2'/%3E%3C/svg%3E";

pub fn html(report: &Report) -> String {
    let Some(status) = &report.status else {
        return String::new();
    };
    let title = format!("Benchmarks of {}", report.source.path_with_namespace);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { (title) }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(report))
                main {
                    (troubles(status))
                    (figures(report, status))
                    @if is_quiet(report, status) {
                        section {
                            h2 { "All is quiet" }
                            p { "Nothing is in flight or waits, and nothing ended lately. Put the label "
                                strong { (text(&report.labels.join(", or "))) } " on a merge request, and it gets benchmarked." }
                        }
                    } @else {
                        (in_flight(report, status))
                        (queue(report))
                        (waiting(report, status))
                        (drawing::drawing(report, status))
                        (ended(report, status))
                    }
                }
                footer {
                    "Made by bench-bot " (env!("CARGO_PKG_VERSION")) ". All times are UTC. What ended in the last "
                    (lasting(status.since)) " is shown."
                }
            }
        }
    }
    .into_string()
}

/// As far as can be told, for which all has to have been read.
fn is_quiet(report: &Report, status: &Status) -> bool {
    let plan = report.plan;
    let idle = plan.in_flight.is_empty() && plan.queue.is_empty() && plan.waiting.is_empty();
    idle && status.ended.is_empty() && status.snapshot.troubles.is_empty()
}

fn header(report: &Report) -> Markup {
    html! {
        header {
            div {
                h1 { "Benchmarks of " (link(&report.source.web_url, text(&report.source.path_with_namespace))) }
                p { "They run in " (link(&report.benchmark.web_url, text(&report.benchmark.path_with_namespace))) "." }
            }
            p.made {
                "Made " time datetime=(rfc3339(report.now)) { (report.now.format("%a %-d %b %Y, %H:%M UTC")) }
                small { "Each run of the schedule makes it anew: if that is long ago, the schedule has stopped." }
            }
        }
    }
}

fn troubles(status: &Status) -> Markup {
    html! {
        @if !status.snapshot.troubles.is_empty() {
            section.troubles {
                h2 { "Not all could be read" }
                ul { @for trouble in &status.snapshot.troubles { li { (text(&trouble.text)) } } }
            }
        }
    }
}

fn figures(report: &Report, status: &Status) -> Markup {
    let plan = report.plan;
    let succeeded = status.ended.iter();
    let succeeded = succeeded
        .filter(|(record, _)| record.status.word() == "success")
        .count();
    let typical = |time: fn(&Milestones) -> Option<TimeDelta>| {
        let spread = timeline::spread(status.ended.iter().map(|(_, milestones)| time(milestones)));
        match spread {
            Some((median, longest)) => (median, format!("median, {longest} at most")),
            None => ("–".to_owned(), "not known yet".to_owned()),
        }
    };
    let figures = [
        (
            "In flight",
            count(plan.taken(), format!("of {}", report.max_in_flight)),
        ),
        (
            "Queue",
            count(plan.queue.len(), "ready to start".to_owned()),
        ),
        (
            "Waiting",
            count(not_in_flight(report).count(), "not ready".to_owned()),
        ),
        (
            "Ended",
            count(status.ended.len(), format!("{succeeded} with success")),
        ),
        ("Waited", typical(Milestones::waited)),
        ("Ran", typical(Milestones::ran)),
    ];
    html! {
        dl.figures {
            @for (name, (figure, remark)) in figures {
                div { dt { (name) } dd { strong { (figure) } (remark) } }
            }
        }
    }
}

fn count(count: usize, remark: String) -> (String, String) {
    (count.to_string(), remark)
}

fn in_flight(report: &Report, status: &Status) -> Markup {
    let rows = report.plan.in_flight.iter().map(|found| {
        let record = found.record;
        let milestones = status
            .snapshot
            .milestones
            .get(&record.pipeline)
            .copied()
            .unwrap_or_default();
        vec![
            html! { (mr_link(report, record)) (label(report, &record.task.label)) },
            branch(&record.task.branch),
            commit(record.task.sha.short()),
            text(&state(found)),
            at(milestones.requested_at),
            at(milestones.ready_at),
            at(milestones.begun_at),
            at(milestones.started_at),
            link(&record.web_url, html! { (record.pipeline) }),
        ]
    });
    let columns = [
        "MR",
        "Branch",
        "Commit",
        "State",
        "Label",
        "Passed",
        "Begun",
        "Started",
        "Benchmark",
    ];
    section("In flight", "", "nothing", &columns, rows.collect())
}

fn queue(report: &Report) -> Markup {
    let rows = report.plan.queue.iter().enumerate().map(|(index, queued)| {
        vec![
            html! {
                (link(&queued.mr.web_url, html! { "!" (queued.mr.iid) }))
                (label(report, &queued.request.label))
            },
            branch(&queued.mr.branch),
            commit(queued.head.short()),
            html! { (index + 1) ". " @if index < report.plan.free { "goes next" } },
            at(queued.request.at),
            at(queued.pipeline.finished_at),
            link(&queued.pipeline.web_url, html! { (queued.pipeline.id) }),
        ]
    });
    let order = match report.order {
        Order::Pipeline => "oldest pipeline first",
        Order::Request => "oldest label first",
    };
    let columns = [
        "MR", "Branch", "Commit", "Place", "Label", "Passed", "Pipeline",
    ];
    section(
        "Queue",
        order,
        "nothing is ready to start",
        &columns,
        rows.collect(),
    )
}

/// Those in flight are told of already.
fn not_in_flight<'a>(report: &'a Report) -> impl Iterator<Item = &'a Waiting<'a>> {
    let waiting = report.plan.waiting.iter();
    waiting.filter(|waiting| waiting.verdict != Verdict::InFlight)
}

fn waiting(report: &Report, status: &Status) -> Markup {
    let rows = not_in_flight(report).map(|waiting| {
        let Some(mr) = waiting.mr else {
            let why = html! { "It could not be read." };
            return vec![
                html! { "!" (waiting.iid) },
                html! {},
                html! {},
                html! {},
                why,
            ];
        };
        let (why, who) = explain::why_it_waits(report, status, mr, waiting.label);
        vec![
            html! {
                (link(&mr.web_url, html! { "!" (mr.iid) }))
                (label(report, waiting.label.unwrap_or_default()))
            },
            branch(&mr.branch),
            commit(mr.head.as_ref().map_or("–", |head| head.short())),
            at(waiting.requested_at()),
            html! { (sentence(&why)) " " small { (one_line(&who)) } },
        ]
    });
    let columns = [
        "MR",
        "Branch",
        "Commit",
        "Label",
        "Why, and who can change it",
    ];
    section("Waiting", "", "nothing", &columns, rows.collect())
}

fn ended(report: &Report, status: &Status) -> Markup {
    let rows = status.ended.iter().map(|(record, milestones)| {
        vec![
            html! { (mr_link(report, record)) (label(report, &record.task.label)) },
            branch(&record.task.branch),
            commit(record.task.sha.short()),
            outcome(record.status.word()),
            at(milestones.requested_at),
            at(milestones.ready_at),
            at(milestones.begun_at),
            at(milestones.started_at),
            at(milestones.ended_at),
            took(milestones.waited()),
            took(milestones.ran()),
            link(&record.web_url, html! { (record.pipeline) }),
        ]
    });
    let columns = [
        "MR",
        "Branch",
        "Commit",
        "Outcome",
        "Label",
        "Passed",
        "Begun",
        "Started",
        "Ended",
        "Waited",
        "Ran",
        "Benchmark",
    ];
    let title = format!("Ended in the last {}", lasting(status.since));
    section(&title, "", "nothing", &columns, rows.collect())
}

/// A table, which a phone shows as cards.
fn section(
    title: &str,
    remark: &str,
    empty: &str,
    columns: &[&str],
    rows: Vec<Vec<Markup>>,
) -> Markup {
    html! {
        @if rows.is_empty() {
            section.empty { h2 { (title) } p { (empty) } }
        } @else {
            section {
                h2 { (title) " " span.count { (rows.len()) @if !remark.is_empty() { ", " (remark) } } }
                table {
                    thead { tr { @for column in columns { th scope="col" { (column) } } } }
                    tbody {
                        @for row in rows {
                            tr { @for (cell, column) in row.iter().zip(columns) { td data-label=(column) { (cell) } } }
                        }
                    }
                }
            }
        }
    }
}

fn mr_link(report: &Report, record: &Record) -> Markup {
    let mr = mr_of(record, report);
    match record.task.project == report.source.id {
        true => {
            let url = format!(
                "{}/-/merge_requests/{}",
                report.source.web_url, record.task.mr
            );
            link(&url, text(&mr))
        }
        false => link(&record.task.mr_url, text(&mr)),
    }
}

/// Only where there is more than one to tell apart.
fn label(report: &Report, name: &str) -> Markup {
    html! { @if report.shows_labels() { " " small { (text(name)) } } }
}

/// To the web alone, whatever a record holds.
fn link(url: &str, shown: Markup) -> Markup {
    let web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    html! { @if web { a href=(url) rel="noopener" { (shown) } } @else { (shown) } }
}

/// Text of others: nothing in it reorders or hides what stands around it.
fn text(text: &str) -> Markup {
    html! { bdi { (one_line(text)) } }
}

fn branch(name: &str) -> Markup {
    html! { span.branch { (text(name)) } }
}

fn commit(short: &str) -> Markup {
    html! { code { (short) } }
}

/// Told by a sign as well as by its colour.
fn outcome(word: &str) -> Markup {
    let sign = match word {
        "success" => "✓",
        "failed" => "✗",
        _ => "⊘",
    };
    html! { span.outcome.(word) { (sign) " " (word) } }
}

fn at(time: Option<DateTime<Utc>>) -> Markup {
    html! {
        @match time {
            Some(time) => time datetime=(rfc3339(time)) { (time.format("%-d %b %H:%M")) },
            None => span.unknown { "–" },
        }
    }
}

fn took(time: Option<TimeDelta>) -> Markup {
    html! { (time.map_or("–".to_owned(), lasting)) }
}

/// From a part of one.
fn sentence(text: &str) -> String {
    let text = one_line(text);
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    format!("{first}{}.", chars.as_str())
}
