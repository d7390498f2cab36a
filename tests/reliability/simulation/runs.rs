//! Runs of the program, and what must hold right after each.

use std::sync::atomic::Ordering;

use bench_bot::{Exit, RunOutcome};
use in_memory_gitlab::{BENCH_BOT, LabelAction};

use super::Sim;
use super::checks::Before;
use super::steps::Disturbed;
use crate::bot::Installation;
use crate::promise::{self, Asked, kept};

/// In minutes.
const DAY: u64 = 24 * 60;

impl Sim {
    pub fn installation(&self, number: usize) -> Installation {
        self.setup.installations[self.number(number)]
    }

    fn number(&self, number: usize) -> usize {
        number % self.setup.installations.len()
    }

    pub fn runs_of(&self, installation: usize, command: &str) -> RunOutcome {
        let mut options = self.setup.settings();
        let reconciles = command.starts_with("reconcile");
        if reconciles {
            options += &self.since(installation);
        }
        let begun = self.people.now();
        let command = format!("{command}{options}");
        let ran = self.installation(installation).run(&self.people, &command);
        if reconciles && ran.exit == Exit::Done {
            let mut looked = self.looked.lock().expect("no panic");
            looked.insert(self.number(installation), begun);
        }
        ran
    }

    /// After an outage, and where runs are rare, the documentation asks to look further back.
    fn since(&self, installation: usize) -> String {
        let looked = self.looked.lock().expect("no panic");
        let last = looked.get(&self.number(installation));
        match last.map(|&last| (self.people.now() - last).num_hours()) {
            Some(0 | 1) => String::new(),
            Some(hours) => format!(" --since {}h", hours + 1),
            None => " --since 1year".to_owned(),
        }
    }

    /// Of each installation.
    pub fn runs(&self, command: &str) -> Vec<RunOutcome> {
        let installations = 0..self.setup.installations.len();
        installations
            .map(|installation| self.runs_of(installation, command))
            .collect()
    }

    /// `None` where there is nothing to trigger.
    pub fn command(&self, run: &Disturbed) -> Option<String> {
        let Some(rest) = run.command.strip_prefix("trigger") else {
            return Some(run.command.to_owned());
        };
        let mut mrs = self.mrs();
        mrs.retain(|known| known.project == self.installation(run.by).project);
        let known = mrs.get(run.mr % mrs.len().max(1))?;
        Some(format!("trigger --mr {}{rest}", known.iid))
    }

    pub fn run(&self, disturbed: &Disturbed) -> Result<(), String> {
        if self.setup.rare {
            self.later(DAY + disturbed.mr as u64 % 3 * DAY);
        }
        let Some(command) = self.command(disturbed) else {
            return Ok(());
        };
        let before = self.before();
        let readings = self.disturb(disturbed);
        self.runs_of(disturbed.by, &command);
        self.people.no_faults();
        if disturbed.is_disturbed() || self.lags() {
            let mut looked = self.looked.lock().expect("no panic");
            looked.remove(&self.number(disturbed.by));
        }
        self.remember_what_was_meant(disturbed, &before);
        kept(readings.broken())?;
        self.check(disturbed, &command, &before)?;
        let by = self.installation(disturbed.by);
        if !disturbed.is_disturbed() && !self.lags() && command == "reconcile" {
            kept(promise::settled(&self.people, &by))?;
        }
        if self.lag.load(Ordering::SeqCst) > 1 {
            self.lag.fetch_sub(1, Ordering::SeqCst);
        } else {
            self.catch_up();
        }
        Ok(())
    }

    /// Where a passing limit hindered a trigger, the commit that it meant is still to be served.
    fn remember_what_was_meant(&self, disturbed: &Disturbed, before: &Before) {
        let limit = self.people.world().projects[&8].pipelines_per_minute;
        let requests = self.people.requests();
        let hindered = requests[before.requests..].iter().any(|request| {
            let refused = request.status == Some(400) && request.path == "/projects/8/pipeline";
            request.status == Some(429) || (refused && limit == Some(0))
        });
        if !hindered || !disturbed.command.starts_with("trigger") || disturbed.meanwhile.is_some() {
            return;
        }
        let mut meant = self.meant.lock().expect("no panic");
        for mr in promise::merge_requests(&self.people).values() {
            let by_bot = mr.label_events.iter().filter(|event| {
                let new = !before.label_events.contains(&event.id);
                new && event.action == LabelAction::Add && event.user_id == Some(BENCH_BOT)
            });
            // Where its note is the write that the limit hindered, the error says to try again.
            let by_bot = by_bot.filter(|event| !promise::about(mr, "start", event.id).is_empty());
            for event in by_bot {
                let asked = Asked {
                    project: mr.project_id,
                    iid: mr.iid,
                    event: event.id,
                };
                meant.extend(mr.sha().map(|sha| (asked, sha.to_owned())));
            }
        }
    }
}
