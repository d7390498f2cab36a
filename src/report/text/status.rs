//! What `status` shows in addition to every report.

use std::fmt::Write;

use anstyle::Style;
use chrono::TimeDelta;
use unicode_width::UnicodeWidthStr;

use super::{Row, in_flight_rows, mr_of, table, title_of};
use crate::note::Verdict;
use crate::report::layout::{
    BOLD, Cell, DIM, GREEN, RED, Screen, ago, lasting, line, paragraph, shortened,
};
use crate::report::{Explained, Report, Status, explain, timeline};
use crate::sanitize::one_line;

/// How many ended benchmarks are shown. JSON has them all.
const SHOWN: usize = 10;

/// One merge request, rule by rule.
pub fn explanation(out: &mut String, report: &Report, explained: &Explained, screen: Screen) {
    let width = screen.width;
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
    let requests = explain::sentences(report, explained);
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
        in_flight_rows(out, report, screen);
    }
    line(out, BOLD, "\nNext");
    for sentences in &requests {
        for hint in explain::next(sentences) {
            paragraph(out, hint, width);
        }
    }
}

pub fn ended(out: &mut String, report: &Report, status: &Status, screen: Screen) {
    let (since, all) = (lasting(status.since), status.ended.len());
    let latest = match all > SHOWN {
        true => format!(", the latest {SHOWN}"),
        false => String::new(),
    };
    line(
        out,
        BOLD,
        &format!("\nEnded in the last {since}: {all}{latest}"),
    );
    let or_unknown = |time: Option<TimeDelta>| time.map_or("-".to_owned(), lasting);
    let rows = status.ended.iter().take(SHOWN).map(|(record, milestones)| {
        let ended_at = milestones.ended_at;
        let outcome = record.status.word();
        let verdict = report.reply(record).and_then(|reply| reply.verdict);
        let style = match (outcome, verdict) {
            ("failed", _) | (_, Some(Verdict::Worse)) => RED,
            (_, Some(Verdict::Mixed)) => Style::new(),
            ("success", _) => GREEN,
            _ => Style::new(),
        };
        let told = match verdict {
            Some(verdict) => format!("{}, {outcome}", verdict.word()),
            None => outcome.to_owned(),
        };
        Row {
            cells: vec![
                Cell::of(mr_of(record, report)).linked(&record.task.mr_url),
                Cell::of(record.task.sha.short()),
                Cell::of(ended_at.map_or("?".to_owned(), |at| ago(report.now, at))),
                Cell::of(or_unknown(milestones.waited())),
                Cell::of(or_unknown(milestones.ran())),
                Cell::of(told).styled(style).linked(&record.web_url),
            ],
            label: &record.task.label,
            title: title_of(record, report),
            address: Some(&record.web_url),
        }
    });
    let titles = &["MR", "COMMIT", "ENDED", "WAITED", "RAN", "OUTCOME"];
    table(out, report, screen, titles, rows.collect());
    if status.explained.is_some() {
        return;
    }
    let shares = timeline::shares(report);
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
        paragraph(out, &told, screen.width);
    }
}
