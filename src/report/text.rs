//! The report for people: to be taken in at a glance, in 80 columns.

mod status;

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::Report;
use super::explain::unvouched;
use super::layout::{BOLD, DIM, GREEN, RED, ago, line, padded, shortened};
use crate::act::Effect;
use crate::plan::{InFlight, Order, Place, Refusal, Unvouched, Verdict, Waiting};
use crate::record::Record;
use crate::sanitize::one_line;
use crate::snapshot::MergeRequest;

/// In colour; whoever prints it takes the colours out where there is no terminal. `width` is in columns.
pub fn text(report: &Report, width: usize) -> String {
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
            status::explanation(&mut out, report, status, explained, width);
        } else {
            in_flight(&mut out, report, width);
            queue(&mut out, report, width);
            waiting(&mut out, report, width);
        }
        status::ended(&mut out, report, status, width);
        return out;
    }
    in_flight(&mut out, report, width);
    if report.command == "scan" {
        queue(&mut out, report, width);
        waiting(&mut out, report, width);
    }
    actions(&mut out, report);
    out
}

fn in_flight(out: &mut String, report: &Report, width: usize) {
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
    let head = format!(
        "\nIn flight: {} of {}{more}",
        plan.taken(),
        report.max_in_flight
    );
    line(out, BOLD, &head);
    in_flight_rows(out, report, width);
}

fn in_flight_rows(out: &mut String, report: &Report, width: usize) {
    let rows = report.plan.in_flight.iter().map(|found| {
        let record = found.record;
        Row {
            cells: vec![
                mr_of(record, report),
                record.task.sha.short().to_owned(),
                ago(report.now, record.created_at),
                state(found),
            ],
            label: &record.task.label,
            branch: &record.task.branch,
            links: vec![&record.web_url],
        }
    });
    let titles = &["MR", "COMMIT", "BEGUN", "STATE"];
    table(out, report, width, titles, rows.collect());
}

/// GitLab's word for it, and whether it holds up others.
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

fn queue(out: &mut String, report: &Report, width: usize) {
    let queue = &report.plan.queue;
    let order = match report.order {
        Order::Pipeline => "oldest pipeline first",
        Order::Request => "oldest label first",
    };
    line(
        out,
        BOLD,
        &format!("\nQueue: {} ready, {order}", queue.len()),
    );
    let rows = queue.iter().enumerate().map(|(index, queued)| Row {
        cells: vec![
            format!("{}.", index + 1),
            format!("!{}", queued.mr.iid),
            queued.head.short().to_owned(),
            ago(report.now, queued.pipeline.began_at()),
            queued
                .request
                .at
                .map_or("?".to_owned(), |at| ago(report.now, at)),
            match (index < report.plan.free, report.status.is_some()) {
                (true, false) => "goes now".to_owned(),
                (true, true) => "goes next".to_owned(),
                (false, _) if queued.again => "ready, again".to_owned(),
                (false, _) => "ready".to_owned(),
            },
        ],
        label: &queued.request.label,
        branch: &queued.mr.branch,
        links: vec![&queued.mr.web_url, &queued.pipeline.web_url],
    });
    let titles = &["#", "MR", "COMMIT", "PIPELINE", "LABELLED", "STATE"];
    table(out, report, width, titles, rows.collect());
}

/// Those in flight have been shown already.
fn waiting(out: &mut String, report: &Report, width: usize) {
    let all = report.plan.waiting.iter();
    let waiting: Vec<&Waiting> = all
        .filter(|waiting| waiting.verdict != Verdict::InFlight)
        .collect();
    line(out, BOLD, &format!("\nWaiting: {}", waiting.len()));
    let rows = waiting.iter().map(|waiting| {
        let mr = waiting.mr;
        let head = mr.and_then(|mr| mr.head.as_ref());
        let labelled = waiting.requested_at();
        Row {
            cells: vec![
                format!("!{}", waiting.iid),
                head.map_or("-", |head| head.short()).to_owned(),
                labelled.map_or("?".to_owned(), |at| ago(report.now, at)),
                why(waiting.verdict, mr),
            ],
            label: waiting.label.unwrap_or("?"),
            branch: mr.map_or("?", |mr| &mr.branch),
            links: mr.map(|mr| mr.web_url.as_str()).into_iter().collect(),
        }
    });
    let titles = &["MR", "COMMIT", "LABELLED", "STATE"];
    table(out, report, width, titles, rows.collect());
}

/// The state of a merge request in words.
pub fn why(verdict: Verdict, mr: Option<&MergeRequest>) -> String {
    let status = || {
        mr.and_then(|mr| mr.pipeline.as_ref())
            .map_or("?", |found| found.status.word())
    };
    match verdict {
        Verdict::NoPipeline => "no pipeline".to_owned(),
        Verdict::PipelineOutdated => {
            let pipeline = mr.and_then(|mr| mr.pipeline.as_ref());
            match pipeline.is_some_and(|pipeline| pipeline.is_of_train) {
                true => "only a merge train's pipeline".to_owned(),
                false => "no pipeline for its head".to_owned(),
            }
        }
        Verdict::PipelineUnfinished | Verdict::PipelineUnsuccessful => {
            one_line(&format!("pipeline {}", status()))
        }
        Verdict::ChangedSinceRequest => "fork: pushed since labelled".to_owned(),
        Verdict::Unvouched(Unvouched::ByBot) => "fork: labelled by the bot".to_owned(),
        Verdict::Unvouched(Unvouched::ByNobody) => "fork: unknown who labelled".to_owned(),
        Verdict::Unvouched(Unvouched::BeforeCommits) => "fork: labelled too early".to_owned(),
        Verdict::Unexplained => "label too new to tell".to_owned(),
        Verdict::InFlight => "in flight".to_owned(),
        Verdict::Stuck => "stuck: reconcile cancels".to_owned(),
        Verdict::Finished => "ended: reconcile reports".to_owned(),
        Verdict::Unknown => "unknown: could not be read".to_owned(),
    }
}

/// Why `trigger` does nothing, and the way out.
pub fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotOpen(mr) => {
            format!("it is {}; only an open merge request is benchmarked", mr.state)
        }
        Refusal::NoCommit => "it has no commit yet: push one".to_owned(),
        Refusal::NotReady(_, Verdict::ChangedSinceRequest) => {
            "its fork was pushed to since it was labelled: look at the commits, take the label off and put it on again; \
             --force overrides"
                .to_owned()
        }
        Refusal::NotReady(_, Verdict::Unvouched(why)) => format!(
            "{}: look at the commits, take the label off and put it on again; --force overrides",
            unvouched(*why)
        ),
        Refusal::NotReady(mr, verdict) => format!("{}; --force overrides", why(*verdict, Some(mr))),
        Refusal::Unknown => {
            "it may be in flight already, since not all could be read: try again later".to_owned()
        }
    }
}

fn actions(out: &mut String, report: &Report) {
    let title = match (report.actions.is_empty(), report.dry_run) {
        (true, _) if report.command == "trigger" && in_flight_already(report) => {
            "\nNothing to do: it is in flight already"
        }
        (true, _)
            if report.command == "scan"
                && report.plan.free == 0
                && !report.plan.queue.is_empty() =>
        {
            "\nNothing to do: as many are in flight as may be"
        }
        (true, _) => "\nNothing to do",
        (false, true) => "\nWould do",
        (false, false) => "\nDone",
    };
    line(out, BOLD, title);
    for action in report.actions {
        let (style, sign, error) = match &action.effect {
            Effect::Done => (GREEN, "✓", None),
            Effect::Planned => (DIM, "•", None),
            Effect::Failed(error) => (RED, "✗", Some(error)),
        };
        let (verb, mr) = (action.verb.word(), format!("!{}", action.mr));
        let end = action.end.map_or("", |end| end.word());
        let label = if report.shows_labels() {
            one_line(&action.label)
        } else {
            String::new()
        };
        let told = format!("{verb:8} {mr:6} {end} {label}");
        let _ = writeln!(out, "  {style}{sign}{style:#} {}", told.trim_end());
        if let Some(error) = error {
            line(out, RED, &format!("      {}", one_line(error)));
        }
        if let Some(pipeline) = &action.pipeline {
            line(out, DIM, &format!("      {}", one_line(&pipeline.web_url)));
        }
    }
}

fn in_flight_already(report: &Report) -> bool {
    let mut waiting = report.plan.waiting.iter();
    waiting.any(|waiting| matches!(waiting.verdict, Verdict::InFlight | Verdict::Stuck))
}

struct Row<'a> {
    /// Without the branch, which stands before the commit and takes the room that is left.
    cells: Vec<String>,
    label: &'a str,
    branch: &'a str,
    links: Vec<&'a str>,
}

/// Aligned columns under their titles; links on lines of their own, so that they can be clicked and copied whole.
fn table(out: &mut String, report: &Report, width: usize, titles: &[&str], rows: Vec<Row>) {
    if rows.is_empty() {
        return;
    }
    const INDENT: usize = 2;
    let mut titles = titles.to_vec();
    let mut rows = rows;
    if report.shows_labels() {
        titles.push("LABEL");
        for row in &mut rows {
            row.cells.push(row.label.to_owned());
        }
    }
    let mut lines = vec![
        titles
            .iter()
            .map(|title| title.to_string())
            .collect::<Vec<_>>(),
    ];
    lines.extend(
        rows.iter()
            .map(|row| row.cells.iter().map(|cell| one_line(cell)).collect()),
    );
    let widths: Vec<usize> = (0..titles.len())
        .map(|column| {
            lines
                .iter()
                .map(|cells| cells[column].width())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let longest = rows
        .iter()
        .map(|row| one_line(row.branch).width())
        .max()
        .unwrap_or(0)
        .max("BRANCH".len());
    let taken = widths.iter().map(|width| width + INDENT).sum::<usize>() + INDENT;
    let room = width.saturating_sub(taken).max(8).min(longest);
    let commit = titles
        .iter()
        .position(|title| *title == "COMMIT")
        .unwrap_or(0);
    let shown = |cells: &[String], branch: &str| {
        let mut shown = String::new();
        for (column, cell) in cells.iter().enumerate() {
            if column == commit {
                let _ = write!(shown, "  {}", padded(&shortened(branch, room), room));
            }
            let _ = write!(shown, "  {}", padded(cell, widths[column]));
        }
        shown.trim_end().to_owned()
    };
    line(out, DIM, &shown(&lines[0], "BRANCH"));
    for (row, cells) in rows.iter().zip(&lines[1..]) {
        let _ = writeln!(out, "{}", shown(cells, &one_line(row.branch)));
        for link in &row.links {
            line(out, DIM, &format!("      {}", one_line(link)));
        }
    }
}
