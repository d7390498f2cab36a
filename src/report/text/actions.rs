//! What a run has done, or would do.

use std::fmt::Write;

use crate::act::Effect;
use crate::plan::WaitReason;
use crate::report::Report;
use crate::report::layout::{BOLD, DIM, GREEN, RED, line};
use crate::sanitize::one_line;

pub fn actions(out: &mut String, report: &Report) {
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
    waiting.any(|waiting| {
        matches!(
            waiting.reason,
            WaitReason::InFlight | WaitReason::Stuck | WaitReason::Superseded
        )
    })
}
