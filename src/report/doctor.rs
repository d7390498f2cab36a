//! The report of `doctor`: one line for each check, and below it what to do.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::json::{Checked, printed};
use super::layout::{BOLD, DIM, GREEN, RED, line, wrapped};
use crate::sanitize::one_line;
use crate::setup::checks::{Check, CheckResult};

const YELLOW: Style = AnsiColor::Yellow.on_default();

/// Everything that the report shows.
pub struct Checkup<'a> {
    /// Whether neither `--fix` nor `--rehearse` was given.
    pub dry_run: bool,
    /// The projects' paths, or how the settings name them.
    pub source: &'a str,
    pub benchmark: &'a str,
    pub checks: &'a [Check],
}

pub fn checkup_text(checkup: &Checkup, width: usize) -> String {
    let mut out = String::new();
    let projects = format!("{} → {}", checkup.source, checkup.benchmark);
    line(&mut out, BOLD, &projects);
    out.push('\n');
    let names = checkup.checks.iter().map(|check| check.name.len());
    let indent = names.max().unwrap_or(0) + "  ✓   ".width();
    for check in checkup.checks {
        let (style, sign) = match check.result {
            CheckResult::Holds => (GREEN, "✓"),
            CheckResult::Warning => (YELLOW, "!"),
            CheckResult::Fails => (RED, "✗"),
            CheckResult::UnknownNeed | CheckResult::UnknownRisk => (YELLOW, "?"),
        };
        let detail = wrapped(&one_line(&check.detail), width, indent);
        let pad = indent - "  ✓ ".width();
        let _ = writeln!(out, "  {style}{sign}{style:#} {:pad$}{detail}", check.name);
        for way in check.hint.iter().flat_map(|hint| hint.lines()) {
            let way = wrapped(&one_line(way), width, "      → ".width());
            let _ = writeln!(out, "      → {way}");
        }
    }
    let any = |test: fn(CheckResult) -> bool| checkup.checks.iter().any(|check| test(check.result));
    let fails = any(|result| result == CheckResult::Fails);
    let (style, head) = match fails {
        true => (RED, "Not ready"),
        false if any(CheckResult::is_blocking) => (YELLOW, "Not known to be ready"),
        false => (GREEN, "Ready"),
    };
    out.push('\n');
    let told = format!("{head}: {}", summary(checkup.checks));
    line(&mut out, style, &told);
    if fails {
        let next = "Fix these from the top, and run doctor again: it may find more then.";
        line(&mut out, DIM, next);
    }
    out
}

fn summary(checks: &[Check]) -> String {
    let count = |counts: fn(CheckResult) -> bool| {
        checks.iter().filter(|check| counts(check.result)).count()
    };
    let parts = [
        (count(|result| result == CheckResult::Holds), "hold"),
        (
            count(|result| result == CheckResult::Warning),
            "with a warning",
        ),
        (count(unknown), "unknown"),
        (count(|result| result == CheckResult::Fails), "to fix"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let checks = match checks.len() {
        1 => "1 check".to_owned(),
        number => format!("{number} checks"),
    };
    format!("{checks}, {}", parts.join(", "))
}

fn unknown(result: CheckResult) -> bool {
    matches!(result, CheckResult::UnknownNeed | CheckResult::UnknownRisk)
}

#[derive(Serialize)]
struct Json<'a> {
    version: u32,
    command: &'a str,
    dry_run: bool,
    project: &'a str,
    benchmark_project: &'a str,
    checks: Vec<Checked<'a>>,
}

pub fn checkup_json(checkup: &Checkup) -> String {
    let json = Json {
        version: 1,
        command: "doctor",
        dry_run: checkup.dry_run,
        project: checkup.source,
        benchmark_project: checkup.benchmark,
        checks: checkup.checks.iter().map(checked).collect(),
    };
    printed(&json)
}

fn checked(check: &Check) -> Checked<'_> {
    Checked {
        name: check.name,
        ok: match check.result {
            CheckResult::Holds | CheckResult::Warning => Some(true),
            CheckResult::Fails => Some(false),
            CheckResult::UnknownNeed | CheckResult::UnknownRisk => None,
        },
        detail: check.detail.as_str().into(),
        hint: check.hint.as_deref(),
    }
}
