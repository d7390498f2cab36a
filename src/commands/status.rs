//! `bench-bot status`: shows what is going on, or why nothing happens with one merge request.

use std::cmp::Reverse;
use std::time::Duration;

use anyhow::Result;
use chrono::TimeDelta;

use super::Run;
use crate::cli::{Environment, Format, MrName, Settings, WrongSetting};
use crate::id::Iid;
use crate::milestones::Milestones;
use crate::plan::{self, Plan};
use crate::record::Record;
use crate::report::{Explained, Status};
use crate::run_outcome::RunOutcome;
use crate::snapshot::Snapshot;
use crate::survey::Scope;

pub fn status(
    settings: Settings,
    mr: Option<&MrName>,
    since: Duration,
    environment: &Environment,
) -> Result<RunOutcome> {
    check(&settings, mr)?;
    let since = TimeDelta::from_std(since).unwrap_or(TimeDelta::MAX);
    // The labelled merge requests are read in any case, whichever one is explained.
    let scope = Scope::Status {
        since,
        of: None,
        verdicts: false,
    };
    let run = Run::begin("status", settings, environment, Some(scope), false)?;
    run.status(since, mr)
}

/// Checks the arguments before the first request to GitLab.
fn check(settings: &Settings, mr: Option<&MrName>) -> Result<(), WrongSetting> {
    match (settings.format, mr) {
        (Format::Html, Some(_)) => Err(WrongSetting(
            "--format html (BENCH_BOT_FORMAT) makes a page of all merge requests: name none, \
             or write --format text or json"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}

impl Run {
    fn status(&self, since: TimeDelta, mr: Option<&MrName>) -> Result<RunOutcome> {
        let of = mr.map(|name| self.number_of(name)).transpose()?;
        let scope = Scope::Status {
            since,
            of,
            verdicts: self.config.results_job.is_some(),
        };
        let snapshot = self.survey(Some(since), scope)?;
        let mut plan = plan::scan(&snapshot, &self.config.rules);
        let explained = of.map(|iid| self.explain(&snapshot, &mut plan, iid));
        let status = Status {
            rules: &self.config.rules,
            since,
            ended: ended(&snapshot),
            explained,
        };
        let ran = self.tell(&snapshot, &plan, &[], Some(status));
        Ok(match of {
            Some(iid) if !snapshot.merge_requests.contains_key(&iid) => {
                self.say_why(ran, iid, &self.unknown(&snapshot, iid))
            }
            _ => ran,
        })
    }

    /// Keeps only what concerns this merge request in the plan.
    fn explain<'a>(&self, snapshot: &'a Snapshot, plan: &mut Plan, iid: Iid) -> Explained<'a> {
        let explained = match snapshot.merge_requests.get(&iid) {
            Some(mr) => Explained::of(plan, mr, snapshot, &self.config.rules),
            None => Explained {
                mr: None,
                requests: Vec::new(),
                queued: plan.queue.len(),
                taken: plan.taken(),
            },
        };
        plan.in_flight.retain(|found| {
            let task = &found.record.task;
            task.project == snapshot.source && task.mr == iid
        });
        plan.queue.retain(|queued| queued.mr.iid == iid);
        plan.waiting.retain(|waiting| waiting.iid == iid);
        explained
    }
}

/// Latest first.
fn ended(snapshot: &Snapshot) -> Vec<(&Record, &Milestones)> {
    let ended = snapshot
        .records
        .iter()
        .filter(|record| record.status.ended());
    let mut ended: Vec<_> = ended
        .filter_map(|record| Some((record, snapshot.milestones.get(&record.pipeline)?)))
        .collect();
    ended.sort_by_key(|(record, milestones)| Reverse((milestones.ended_at, record.pipeline)));
    ended
}
