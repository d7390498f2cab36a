//! `bench-bot doctor`: checks the setup. It reads what GitLab shows, fixes and rehearses if asked to, and then judges.

use anyhow::Result;

use super::rehearse::{rehearse, try_writes};
use super::{examine, screen, spinner};
use crate::cli::{Config, Environment, Format, Settings};
use crate::gitlab::{ConnectError, ProjectAccess};
use crate::report::{self, Checkup};
use crate::run_outcome::{Exit, RunOutcome};
use crate::setup::checks;
use crate::setup::findings::{Findings, LabelFound};

/// What `doctor` may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writes {
    /// Missing labels.
    pub fix: bool,
    /// A pipeline, which it cancels at once.
    pub rehearse: bool,
    /// It lets that pipeline run to its end instead.
    pub wait: bool,
}

/// A missing token is a finding like any other.
pub fn doctor(
    settings: &Settings,
    environment: &Environment,
    writes: Writes,
) -> Result<RunOutcome> {
    let given = environment.token.is_some();
    let environment = Environment {
        token: Some(environment.token.clone().unwrap_or_default()),
        ..environment.clone()
    };
    let config = settings.resolve(&environment)?;
    let progress = spinner("looking at tokens and projects");
    let findings = examine(&config, given, writes)?;
    progress.finish_and_clear();
    let checks = checks::checks(&findings);
    let checkup = Checkup {
        dry_run: !writes.fix && !writes.rehearse,
        source: findings.source.path(),
        benchmark: findings.benchmark.path(),
        checks: &checks,
    };
    Ok(RunOutcome {
        report: match settings.format {
            Format::Json => report::checkup_json(&checkup),
            // Only `status` makes a page: the parser refuses `html` for other commands.
            Format::Text | Format::Html => report::checkup_text(&checkup, screen().width),
        },
        warnings: Vec::new(),
        errors: Vec::new(),
        exit: match checks.iter().any(|check| check.result.is_blocking()) {
            true => Exit::Failed,
            false => Exit::Done,
        },
    })
}

/// `given`: whether there is a token at all.
pub fn examine(config: &Config, given: bool, writes: Writes) -> Result<Findings, ConnectError> {
    let (source, benchmark) = ProjectAccess::both(&config.connection)?;
    let mut findings = examine::read(&source, &benchmark, config, given);
    if writes.fix {
        create_labels(&source, &mut findings);
    }
    if writes.rehearse {
        findings.tried = try_writes(&source, &findings);
        let longest = writes.wait.then_some(config.rules.timeout);
        findings.rehearsal = rehearse(benchmark, &findings, longest);
    }
    source.log_stats();
    Ok(findings)
}

fn create_labels(source: &ProjectAccess, findings: &mut Findings) {
    let Ok(settings) = &findings.source.settings else {
        return;
    };
    for (label, found) in &mut findings.labels {
        if let LabelFound::Missing = found {
            *found = match source.create_label(settings.project.id, label) {
                Ok(()) => LabelFound::Created,
                Err(error) => LabelFound::NotCreated(error),
            };
        }
    }
}
