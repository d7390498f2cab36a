//! The report for people, to be read at a glance in 80 columns.

mod actions;
mod status;

use std::fmt::Write;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::Report;
use super::explain::unvouched;
use super::layout::{BOLD, Cell, DIM, GREEN, RED, Screen, ago, clock, line, paragraph, shortened};
use crate::act::{Action, BenchmarkPipeline, Effect, Verb};
use crate::plan::{InFlight, Order, Place, Queued, Refusal, Unvouched, WaitReason, Waiting};
use crate::record::Record;
use crate::sanitize::one_line;
use crate::snapshot::MergeRequest;

/// In colour: whoever prints it removes the colours if there is no terminal.
pub fn text(report: &Report, screen: Screen) -> String {
    let mut out = String::new();
    let dry = if report.dry_run {
        "  (dry run: nothing is written)"
    } else {
        ""
    };
    let (source, benchmark) = (
        &report.source.path_with_namespace,
        &report.benchmark.path_with_namespace,
    );
    line(&mut out, BOLD, &format!("{source} → {benchmark}{dry}"));
    if let Some(status) = &report.status {
        if let Some(explained) = &status.explained {
            status::explanation(&mut out, report, explained, screen);
        } else {
            in_flight(&mut out, report, screen);
            queue(&mut out, report, screen);
            waiting(&mut out, report, screen);
        }
        status::ended(&mut out, report, status, screen);
        return out;
    }
    in_flight(&mut out, report, screen);
    if report.command == "scan" {
        queue(&mut out, report, screen);
        waiting(&mut out, report, screen);
    }
    actions::actions(&mut out, report);
    out
}

/// The benchmarks that this run has started, unless they were read again since.
fn started<'a>(report: &'a Report) -> impl Iterator<Item = (&'a Action, &'a BenchmarkPipeline)> {
    let actions = report.actions.iter();
    let started =
        actions.filter(|action| action.verb == Verb::Start && action.effect == Effect::Done);
    let started = started.filter_map(|action| Some((action, action.pipeline.as_ref()?)));
    let records = &report.snapshot.records;
    started.filter(|(_, pipeline)| records.iter().all(|record| record.pipeline != pipeline.id))
}

/// As it is after this run.
fn in_flight(out: &mut String, report: &Report, screen: Screen) {
    let plan = report.plan;
    let others = plan.in_flight.iter();
    let others = others.filter(|found| found.place != Place::Taken).count();
    let more = [
        (plan.unknown, "of them unknown"),
        (others, "more that take no place"),
    ];
    let more = more.iter().filter(|(count, _)| *count > 0);
    let more: String = more
        .map(|(count, what)| format!(", {count} {what}"))
        .collect();
    let paused = match report.max_in_flight {
        0 => ", paused: nothing is started",
        _ => "",
    };
    let head = format!(
        "\nIn flight: {} of {}{more}{paused}",
        plan.taken() + started(report).count(),
        report.max_in_flight
    );
    line(out, BOLD, &head);
    in_flight_rows(out, report, screen);
}

fn in_flight_rows(out: &mut String, report: &Report, screen: Screen) {
    let known = report.plan.in_flight.iter().map(|found| {
        let record = found.record;
        Row {
            cells: vec![
                Cell::of(mr_of(record, report)).linked(&record.task.mr_url),
                Cell::of(record.task.sha.short()),
                Cell::of(ago(report.now, record.created_at)),
                Cell::of(state(found)).linked(&record.web_url),
            ],
            label: &record.task.label,
            title: title_of(record, report),
            address: Some(&record.web_url),
        }
    });
    let new = started(report).map(|(action, pipeline)| {
        let mr = report.snapshot.merge_requests.get(&action.mr);
        let head = mr.and_then(|mr| mr.head.as_ref());
        let number = Cell::of(format!("!{}", action.mr));
        Row {
            cells: vec![
                mr.map_or(number, |mr| linked_number(mr)),
                Cell::of(head.map_or("-", |head| head.short())),
                Cell::of("just now"),
                Cell::of("started").linked(&pipeline.web_url),
            ],
            label: &action.label,
            title: mr.map_or("", MergeRequest::title),
            address: Some(&pipeline.web_url),
        }
    });
    let rows = known.chain(new).collect();
    let titles = &["MR", "COMMIT", "BEGUN", "STATE"];
    table(out, report, screen, titles, rows);
}

/// GitLab's word for its status, and why it takes no place if it takes none.
pub fn state(found: &InFlight) -> String {
    let word = found.record.status.word();
    match found.place {
        Place::Taken => word.to_owned(),
        Place::Blocked => format!("{word}: blocked"),
        Place::Overdue => format!("{word}: overdue"),
    }
}

pub fn mr_of(record: &Record, report: &Report) -> String {
    match record.task.project == report.source.id {
        true => format!("!{}", record.task.mr),
        false => one_line(&format!("{}!{}", record.task.project_path, record.task.mr)),
    }
}

fn linked_number(mr: &MergeRequest) -> Cell<'_> {
    Cell::of(format!("!{}", mr.iid)).linked(&mr.web_url)
}

/// The branch, if the title was not read.
pub fn title_of<'a>(record: &'a Record, report: &'a Report) -> &'a str {
    let ours = record.task.project == report.source.id;
    let mrs = &report.snapshot.merge_requests;
    let mr = mrs.get(&record.task.mr).filter(|_| ours);
    mr.map_or(&record.task.branch, MergeRequest::title)
}

fn queue(out: &mut String, report: &Report, screen: Screen) {
    let is_started = |queued: &Queued| {
        let mut started = started(report);
        started
            .any(|(action, _)| action.mr == queued.mr.iid && action.label == queued.request.label)
    };
    let queue = report.plan.queue.iter().enumerate();
    let queue: Vec<_> = queue.filter(|(_, queued)| !is_started(queued)).collect();
    let order = match report.order {
        Order::Pipeline => "oldest pipeline first",
        Order::Request => "oldest label first",
    };
    let head = format!("\nQueue: {} ready, {order}", queue.len());
    line(out, BOLD, &head);
    let rows = queue.iter().enumerate().map(|(place, (index, queued))| {
        let labelled = queued.request.at;
        let state = match *index < report.plan.free {
            true if report.status.is_some() => Cell::of("goes next"),
            true if report.dry_run => Cell::of("goes now"),
            _ => {
                let start = queued.expected_at.map(|at| clock(report.now, at));
                let start = start.map_or("ready".to_owned(), |at| format!("about {at}"));
                let again = if queued.again { ", again" } else { "" };
                Cell::of(format!("{start}{again}"))
            }
        };
        Row {
            cells: vec![
                Cell::of(format!("{}.", place + 1)),
                linked_number(queued.mr),
                Cell::of(queued.head.short()),
                Cell::of(ago(report.now, queued.pipeline.began_at()))
                    .linked(&queued.pipeline.web_url),
                Cell::of(labelled.map_or("?".to_owned(), |at| ago(report.now, at))),
                state.styled(GREEN),
            ],
            label: &queued.request.label,
            title: queued.mr.title(),
            address: Some(&queued.mr.web_url),
        }
    });
    let titles = &["#", "MR", "COMMIT", "PIPELINE", "LABELLED", "STATE"];
    table(out, report, screen, titles, rows.collect());
}

/// Without those in flight, which are shown above.
fn waiting(out: &mut String, report: &Report, screen: Screen) {
    let all = report.plan.waiting.iter();
    let waiting: Vec<&Waiting> = all
        .filter(|waiting| waiting.reason != WaitReason::InFlight)
        .collect();
    line(out, BOLD, &format!("\nWaiting: {}", waiting.len()));
    let rows = waiting.iter().map(|waiting| {
        let mr = waiting.mr;
        let head = mr.and_then(|mr| mr.head.as_ref());
        let labelled = waiting.requested_at();
        let number = Cell::of(format!("!{}", waiting.iid));
        let style = match waiting.reason {
            WaitReason::PipelineUnsuccessful => RED,
            _ => Style::new(),
        };
        Row {
            cells: vec![
                mr.map_or(number, linked_number),
                Cell::of(head.map_or("-", |head| head.short())),
                Cell::of(labelled.map_or("?".to_owned(), |at| ago(report.now, at))),
                Cell::of(why(waiting.reason, mr)).styled(style),
            ],
            label: waiting.label.unwrap_or("?"),
            title: mr.map_or("?", MergeRequest::title),
            address: mr.map(|mr| mr.web_url.as_str()),
        }
    });
    let titles = &["MR", "COMMIT", "LABELLED", "STATE"];
    table(out, report, screen, titles, rows.collect());
    for label in unused_labels(report) {
        let hint = format!("No open merge request is labelled {}.", one_line(label));
        let _ = writeln!(out);
        paragraph(out, &hint, screen.width);
    }
}

/// Labels that no request has: they may be mistyped.
fn unused_labels<'a>(report: &'a Report) -> impl Iterator<Item = &'a String> {
    let missing = &report.snapshot.missing_labels;
    let unknown = &report.snapshot.unknown_labels;
    let labels = report.labels.iter();
    let labels = labels.filter(|label| !missing.contains(label) && !unknown.contains(label));
    labels.filter(|label| {
        let mut queue = report.plan.queue.iter();
        let mut waiting = report.plan.waiting.iter();
        !queue.any(|queued| queued.request.label == **label)
            && !waiting.any(|waiting| waiting.label.is_none_or(|on| on == label.as_str()))
    })
}

/// The state of a merge request in words.
pub fn why(reason: WaitReason, mr: Option<&MergeRequest>) -> String {
    let status = || {
        mr.and_then(|mr| mr.pipeline.as_ref())
            .map_or("?", |found| found.status.word())
    };
    match reason {
        WaitReason::NoPipeline => "no pipeline".to_owned(),
        WaitReason::PipelineOutdated => {
            let pipeline = mr.and_then(|mr| mr.pipeline.as_ref());
            match pipeline.is_some_and(|pipeline| pipeline.is_of_train) {
                true => "only a merge train's pipeline".to_owned(),
                false => "no pipeline for its head".to_owned(),
            }
        }
        WaitReason::PipelineUnfinished | WaitReason::PipelineUnsuccessful => {
            one_line(&format!("pipeline {}", status()))
        }
        WaitReason::ChangedSinceRequest => "fork: pushed since labelled".to_owned(),
        WaitReason::Unvouched(Unvouched::ByBot) => "fork: labelled by the bot".to_owned(),
        WaitReason::Unvouched(Unvouched::ByNobody) => "fork: unknown who labelled".to_owned(),
        WaitReason::Unvouched(Unvouched::BeforeCommits) => "fork: labelled too early".to_owned(),
        WaitReason::Unexplained => "label too new to tell".to_owned(),
        WaitReason::InFlight => "in flight".to_owned(),
        WaitReason::Stuck => "stuck: reconcile cancels".to_owned(),
        WaitReason::Superseded => "superseded: reconcile cancels".to_owned(),
        WaitReason::Finished => "ended: reconcile reports".to_owned(),
        WaitReason::Unknown => "unknown: could not be read".to_owned(),
    }
}

/// Why `trigger` does nothing, and the way out.
pub fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotOpen(mr) => {
            format!("it is {}; only an open merge request is benchmarked", mr.state)
        }
        Refusal::NoCommit => "it has no commit yet: push one".to_owned(),
        Refusal::NotReady(_, WaitReason::ChangedSinceRequest) => {
            "somebody pushed to its fork after the label was added: look at the commits, take the label off and add it \
             again; --force overrides"
                .to_owned()
        }
        Refusal::NotReady(_, WaitReason::Unvouched(why)) => format!(
            "{}: look at the commits, take the label off and add it again; --force overrides",
            unvouched(*why)
        ),
        Refusal::NotReady(mr, reason) => format!("{}; --force overrides", why(*reason, Some(mr))),
        Refusal::Unknown => {
            "it may be in flight already, since not all could be read: try again later".to_owned()
        }
    }
}

struct Row<'a> {
    /// Without the title, which goes before the commit and takes the remaining width.
    cells: Vec<Cell<'a>>,
    label: &'a str,
    title: &'a str,
    /// A URL, which gets a line of its own where links cannot be shown.
    address: Option<&'a str>,
}

/// Aligned columns under their titles.
fn table<'a>(
    out: &mut String,
    report: &Report,
    screen: Screen,
    titles: &[&str],
    mut rows: Vec<Row<'a>>,
) {
    if rows.is_empty() {
        return;
    }
    const INDENT: usize = 2;
    let mut titles: Vec<Cell> = titles.iter().map(|title| Cell::of(*title)).collect();
    let before = titles.iter().position(|title| title.text == "COMMIT");
    let before = before.unwrap_or(0);
    if report.shows_labels() {
        titles.push(Cell::of("LABEL"));
        for row in &mut rows {
            row.cells.push(Cell::of(row.label));
        }
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row.cells[column].text.width());
        cells.fold(titles[column].text.width(), usize::max)
    };
    let mut widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let taken = widths.iter().map(|width| width + INDENT).sum::<usize>() + INDENT;
    let longest = rows.iter().map(|row| one_line(row.title).width());
    let longest = longest.fold("TITLE".len(), usize::max);
    let room = screen.width.saturating_sub(taken).max(8).min(longest);
    widths.insert(before, room);
    titles.insert(before, Cell::of("TITLE"));
    let shown = |cells: &[Cell]| {
        let cells = cells.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| cell.shown(*width, screen));
        format!("  {}", cells.collect::<Vec<_>>().join("  "))
    };
    line(out, DIM, shown(&titles).trim_end());
    for mut row in rows {
        let title = shortened(&one_line(row.title), room);
        row.cells.insert(before, Cell::of(title));
        let _ = writeln!(out, "{}", shown(&row.cells).trim_end());
        if let Some(address) = row.address.filter(|_| !screen.links) {
            line(out, DIM, &format!("      {}", one_line(address)));
        }
    }
}
