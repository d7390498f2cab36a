//! What `status` tells besides what every report does.

use std::fmt::Write;

use chrono::TimeDelta;
use unicode_width::UnicodeWidthStr;

use super::{Row, in_flight_rows, mr_of, table};
use crate::report::layout::{BOLD, DIM, GREEN, RED, ago, lasting, line, paragraph, shortened};
use crate::report::{Explained, Report, Status, explain, timeline};
use crate::sanitize::one_line;

/// One merge request, rule by rule.
pub fn explanation(
    out: &mut String,
    report: &Report,
    status: &Status,
    explained: &Explained,
    width: usize,
) {
    if let Some(mr) = explained.mr {
        let head = mr.head.as_ref().map_or("no commit", |head| head.short());
        let taken = format!("!{}  {head}", mr.iid).width() + 2;
        let branch = shortened(&one_line(&mr.branch), width.saturating_sub(taken).max(8));
        line(
            out,
            BOLD,
            &format!("\n!{} {branch} {}", mr.iid, one_line(head)),
        );
        line(out, DIM, &format!("      {}", one_line(&mr.web_url)));
    }
    let requests = explain::sentences(report, status, explained);
    for sentence in requests.iter().flatten() {
        let (style, sign) = match sentence.holds {
            Some(true) => (GREEN, "✓"),
            Some(false) => (RED, "✗"),
            None => (DIM, "–"),
        };
        let _ = writeln!(
            out,
            "  {style}{sign}{style:#} {}",
            shortened(&one_line(&sentence.detail), width.saturating_sub(4))
        );
        if let Some(link) = &sentence.link {
            line(out, DIM, &format!("      {}", one_line(link)));
        }
    }
    if !report.plan.in_flight.is_empty() {
        line(out, BOLD, "\nIn flight");
        in_flight_rows(out, report, width);
    }
    line(out, BOLD, "\nNext");
    for sentences in &requests {
        for hint in explain::next(sentences) {
            paragraph(out, hint, width);
        }
    }
}

pub fn ended(out: &mut String, report: &Report, status: &Status, width: usize) {
    let since = lasting(status.since);
    line(
        out,
        BOLD,
        &format!("\nEnded in the last {since}: {}", status.ended.len()),
    );
    let or_unknown = |time: Option<TimeDelta>| time.map_or("-".to_owned(), lasting);
    let rows = status.ended.iter().map(|(record, milestones)| Row {
        cells: vec![
            mr_of(record, report),
            record.task.sha.short().to_owned(),
            milestones
                .ended_at
                .map_or("?".to_owned(), |at| ago(report.now, at)),
            or_unknown(milestones.waited()),
            or_unknown(milestones.ran()),
            record.status.word().to_owned(),
        ],
        label: &record.task.label,
        branch: &record.task.branch,
        links: vec![&record.web_url],
    });
    let titles = &["MR", "COMMIT", "ENDED", "WAITED", "RAN", "OUTCOME"];
    table(out, report, width, titles, rows.collect());
    if status.explained.is_some() {
        return;
    }
    let shares = timeline::shares(report, status);
    let waited = timeline::advice(&shares).map(|(total, help)| {
        let shares = shares.iter();
        let shares: Vec<String> = shares
            .map(|share| format!("{} % {}", share.percent, share.what))
            .collect();
        format!(
            "Requests waited {total} in all: {}. {help}",
            shares.join(", ")
        )
    });
    for told in [timeline::typical(status), waited].into_iter().flatten() {
        let _ = writeln!(out);
        paragraph(out, &told, width);
    }
}
