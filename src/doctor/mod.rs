//! Checks the setup: reads what GitLab shows of it, mends and rehearses where asked to, and judges.

pub mod checks;
pub mod findings;

use anyhow::Result;
use log::info;

use self::findings::{Findings, LabelFound, Rehearsal};
use crate::cli::{Environment, Format, Settings, Settled};
use crate::gitlab::{ConnectError, Door, both};
use crate::report::{self, Checkup};
use crate::run::{columns, spinner};
use crate::{Exit, Ran, record};

/// What `doctor` may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Writes {
    /// The label, where it is missing.
    pub fix: bool,
    /// A pipeline that is cancelled at once.
    pub rehearse: bool,
}

/// A missing token is itself something that this finds out.
pub fn doctor(settings: &Settings, environment: &Environment, writes: Writes) -> Result<Ran> {
    let given = environment.token.is_some();
    let environment = Environment {
        token: Some(environment.token.clone().unwrap_or_default()),
        ..environment.clone()
    };
    let settled = settings.settle(&environment)?;
    let progress = spinner("looking at tokens and projects");
    let findings = examine(&settled, given, writes)?;
    progress.finish_and_clear();
    let checks = checks::checks(&findings);
    let checkup = Checkup {
        dry_run: !writes.fix && !writes.rehearse,
        source: findings.source.path(),
        benchmark: findings.benchmark.path(),
        checks: &checks,
    };
    Ok(Ran {
        report: match settings.format {
            Format::Json => report::checkup_json(&checkup),
            // Only `status` has a page; elsewhere the word is refused.
            Format::Text | Format::Html => report::checkup_text(&checkup, columns()),
        },
        warnings: Vec::new(),
        errors: Vec::new(),
        exit: match checks.iter().any(|check| check.verdict.hinders()) {
            true => Exit::Failed,
            false => Exit::Done,
        },
    })
}

/// `given` tells whether there is any token.
pub fn examine(settled: &Settled, given: bool, writes: Writes) -> Result<Findings, ConnectError> {
    let (source, benchmark) = Door::both(&settled.connection)?;
    let mut findings = findings::read(&source, &benchmark, settled, given);
    if writes.fix {
        create_label(&source, &mut findings);
    }
    if writes.rehearse {
        findings.rehearsal = rehearse(benchmark, &findings);
    }
    info!("{}", source.figures());
    Ok(findings)
}

fn create_label(source: &Door, findings: &mut Findings) {
    if let (Ok(settings), Some(LabelFound::Missing)) =
        (&findings.source.settings, &findings.label_found)
    {
        let created = source.create_label(settings.project.id, &findings.label);
        findings.label_found = Some(match created {
            Ok(_) => LabelFound::Created,
            Err(error) => LabelFound::NotCreated(error),
        });
    }
}

/// What a Developer is shown no setting of: whether a pipeline with variables is let through, and read back.
fn rehearse(benchmark: Door, findings: &Findings) -> Option<Rehearsal> {
    let user = findings.benchmark_identity().user.as_ref().ok()?;
    let settings = findings.benchmark.settings.as_ref().ok()?;
    let found = findings.ref_found.as_ref()?;
    if let (Ok(None), Ok(None)) = (&found.branch, &found.tag) {
        return None;
    }
    let benchmark = benchmark.opened(user.clone(), settings.project.clone());
    let variables = [record::rehearsal()];
    let pipeline = match benchmark.create_pipeline(&found.name, &variables) {
        Ok(pipeline) => pipeline,
        Err(error) => return Some(Rehearsal::NotStarted(error)),
    };
    let (read_back, cancelled) = both(
        || benchmark.variables(pipeline.id),
        || benchmark.cancel(pipeline.id).map(drop),
    );
    Some(Rehearsal::Started {
        url: pipeline.web_url,
        read_back: read_back.map(|read| read == variables),
        cancelled,
    })
}
