//! The page of `status`: one file, to be published as it is. maud escapes text of others. The only script shows how old the
//! page is and reloads it; where scripts are forbidden, the page has the time and a link.

mod drawing;
mod requests;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

use super::json::rfc3339;
use super::text::mr_of;
use super::{Report, Status, layout, timeline};
use crate::gitlab::Url;
use crate::milestones::Milestones;
use crate::record::Record;
use crate::sanitize::one_line;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// The page loads nothing, and runs only its own script, whose hash this is.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     script-src 'sha256-4DaVWo5et1EERZdmHzSCpu18h/aULHDQ6l4BseiJHY0='; base-uri 'none'; form-action 'none'";
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E\
     %3Cpath d='M0 1h3v2H0zM2 5h6v2H2z' fill='%230072b2'/%3E%3C/svg%3E";
const RELOAD_MINUTES: u32 = 5;

pub fn html(report: &Report) -> String {
    let Some(status) = &report.status else {
        return String::new();
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta http-equiv="refresh" content=(RELOAD_MINUTES * 60);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                title { "Benchmarks of " (one_line(&report.source.path_with_namespace)) }
                link rel="icon" href=(ICON);
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(report))
                main {
                    (troubles(report))
                    @if is_quiet(report, status) { (quiet(report, status)) } @else {
                        (requests::lists(report, status))
                        (drawing::drawing(report, status))
                    }
                }
                footer {
                    "Made by bench-bot " (env!("CARGO_PKG_VERSION")) ". All times are UTC: point at one to see it in full."
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// Whether there is nothing to show, which is certain only if everything could be read.
fn is_quiet(report: &Report, status: &Status) -> bool {
    let plan = report.plan;
    let idle = plan.in_flight.is_empty() && plan.queue.is_empty() && plan.waiting.is_empty();
    idle && status.ended.is_empty() && report.snapshot.troubles.is_empty()
}

fn header(report: &Report) -> Markup {
    html! {
        header {
            div {
                h1 { "Benchmarks of " (link(&report.source.web_url, text(&report.source.path_with_namespace))) }
                p {
                    "They run in " (link(&report.benchmark.web_url, text(&report.benchmark.path_with_namespace)))
                    ". To request one, add the label " (labels(report)) " to a merge request."
                }
            }
            p.made {
                "As of " (moment(report.now, report.now.format("%H:%M UTC, %a %-d %b %Y").to_string())) span.age {} ". "
                a href="" { "Reload" }
                small {
                    "The page reloads every " (RELOAD_MINUTES) " minutes, and each scheduled run updates it. If it is much older, the \
                     schedule has stopped."
                }
            }
        }
    }
}

fn labels(report: &Report) -> Markup {
    html! {
        @for (index, label) in report.labels.iter().enumerate() {
            @if index > 0 { " or " }
            strong { (text(label)) }
        }
    }
}

fn troubles(report: &Report) -> Markup {
    html! {
        @if !report.snapshot.troubles.is_empty() {
            section.troubles {
                h2 { "Some things could not be read" }
                ul { @for trouble in &report.snapshot.troubles { li { (text(&trouble.text)) } } }
            }
        }
    }
}

fn quiet(report: &Report, status: &Status) -> Markup {
    let open = format!("{}/-/merge_requests", report.source.web_url);
    html! {
        section {
            h2 { "All is quiet" }
            p { "Nothing is in flight or waits, and nothing ended in the last " (lasting(status.since)) ". To request a benchmark:" }
            ol {
                li { "Add the label " (labels(report)) " to " (link(&open, html! { "a merge request" })) "." }
                li { "When its pipeline has passed, the next run of bench-bot starts the benchmark of its newest commit, and the bot says \
                      so on the merge request." }
                li { "When the benchmark has ended, the outcome is posted there, and the label comes off." }
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

/// A link, but only to a web page: a record may hold any text.
fn link(url: &str, shown: Markup) -> Markup {
    let web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    html! { @if web { a href=(url) rel="noopener" { (shown) } } @else { (shown) } }
}

/// Text of others, which can neither reorder nor hide the text around it.
fn text(text: &str) -> Markup {
    html! { bdi { (one_line(text)) } }
}

/// A sign tells it from others as well as its colour.
fn outcome(word: &str) -> Markup {
    html! { span.(word) { (sign(word)) " " (word) } }
}

fn sign(word: &str) -> &'static str {
    match word {
        "success" => "✓",
        "failed" => "✗",
        _ => "⊘",
    }
}

/// Words for a time, which a tooltip shows in full.
fn moment(at: DateTime<Utc>, shown: impl Render) -> Markup {
    html! { time datetime=(rfc3339(at)) title=(at.format("%a %-d %b %Y, %H:%M:%S UTC")) { (shown) } }
}

fn ago(report: &Report, at: DateTime<Utc>) -> Markup {
    moment(at, spelled(&layout::ago(report.now, at)))
}

fn lasting(time: TimeDelta) -> String {
    spelled(&layout::lasting(time))
}

/// `1h 16m` as `1 h 16 min`.
fn spelled(short: &str) -> String {
    let mut spelled = String::new();
    for c in short.chars() {
        match spelled.ends_with(|c: char| c.is_ascii_digit()) && c.is_ascii_lowercase() {
            true if c == 'm' => spelled += " min",
            true => spelled.extend([' ', c]),
            false => spelled.push(c),
        }
    }
    spelled
}

/// How long those that ended typically waited and ran.
fn typical(status: &Status) -> Markup {
    let typical = |time: fn(&Milestones) -> Option<TimeDelta>| {
        let ended = status.ended.iter().map(|(_, milestones)| time(milestones));
        timeline::spread(ended)
    };
    html! {
        @if let (Some((waited, _)), Some((ran, longest))) = (typical(Milestones::waited), typical(Milestones::ran)) {
            span { "Typically they wait " (spelled(&waited)) " and run " (spelled(&ran)) ", " (spelled(&longest)) " at most" }
        }
    }
}
