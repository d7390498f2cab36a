//! Within a few undisturbed rounds all is as promised, and then nothing more is done.

use bench_bot::{Exit, RunOutcome};
use in_memory_gitlab::{BENCH_BOT, LabelAction, MergeRequest};

use super::Sim;
use super::deeds::MAX_NOTES;
use crate::promise::{self, Asked, kept};

/// After the faults have stopped.
const ROUNDS: usize = 3;
/// In minutes.
const DAY: u64 = 24 * 60;

impl Sim {
    pub fn comes_to_rest(&self) -> Result<(), String> {
        self.refuse_nothing();
        self.people.world().most_notes = MAX_NOTES;
        self.people.world().slow_cancel = false;
        self.name_back();
        for _ in 0..ROUNDS {
            self.catch_up();
            if self.setup.rare {
                self.later(3 * DAY);
            }
            self.settles()?;
            self.runs("scan --max-in-flight 99");
            self.end_what_ends();
        }
        // What hangs is cancelled in vain for an hour; then it is left to people, and named.
        // A second benchmark of one request, for a month beyond the time-out.
        for _ in 0..2 {
            self.later(20 * DAY);
            self.settles()?;
            // One installation may have taken away the other's 👀 as its own label came off.
            self.runs("scan");
        }
        let before = self.people.writes().len();
        for _ in 0..2 {
            let scanned = self.runs("scan --format json");
            for ran in &scanned {
                if ran.exit != Exit::Done || !ran.report.contains("\"queue\": []") {
                    let (report, errors) = (&ran.report, &ran.errors);
                    return Err(format!("somebody still waits: {report} {errors:?}"));
                }
            }
            self.names_what_hangs(scanned)?;
            self.names_what_hangs(self.runs("reconcile"))?;
        }
        let more = self.people.writes().split_off(before);
        if !more.is_empty() {
            let more: Vec<String> = more.iter().map(ToString::to_string).collect();
            return Err(format!("there is still something to do: {more:?}"));
        }
        kept(self.waits_in_vain())?;
        kept(self.unannounced())?;
        self.goes_on()?;
        kept(promise::at_rest(
            &self.people,
            &self.meddling(),
            self.setup.timeout() * 2,
        ))?;
        if self.setup.resolves {
            kept(promise::resolved(&self.people, &self.meddling()))?;
        }
        Ok(())
    }

    fn settles(&self) -> Result<(), String> {
        self.runs("reconcile");
        for installation in &self.setup.installations {
            kept(promise::settled(&self.people, installation))?;
        }
        Ok(())
    }

    fn names_what_hangs(&self, ran: Vec<RunOutcome>) -> Result<(), String> {
        let hanging = self.ours().into_iter().filter(|found| !found.has_ended());
        for found in hanging {
            let named =
                |ran: &RunOutcome| ran.warnings.iter().any(|line| line.contains(&found.url));
            if !ran.iter().all(named) {
                return Err(format!("pipeline {} hangs, and is not named", found.id));
            }
        }
        Ok(())
    }

    /// Requests that nothing hinders, and that nobody serves.
    fn waits_in_vain(&self) -> Vec<String> {
        let mut waiting = Vec::new();
        for mr in promise::merge_requests(&self.people).values() {
            for label in self.labels_of(mr) {
                let Some(asked) = self.asked(mr, label) else {
                    continue;
                };
                if mr.state == "opened" && self.has_passed(mr) && self.is_vouched(mr, asked) {
                    waiting.push(format!("{asked}: {label} waits in vain"));
                }
            }
        }
        waiting
    }

    /// Requests that wait for somebody, and of which nobody is told.
    fn unannounced(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for mr in promise::merge_requests(&self.people).values() {
            let asked = self.labels_of(mr).filter_map(|label| self.asked(mr, label));
            for asked in asked.filter(|_| mr.state == "opened") {
                let mut reactions = mr.reactions.iter();
                let is_told = match self.setup.announce {
                    "emoji" => reactions.any(|it| it.name == "eyes" && it.user_id == BENCH_BOT),
                    "discussion" => !promise::about(mr, "start", asked.event).is_empty(),
                    _ => true,
                };
                if !is_told {
                    missing.push(format!("{asked}: it waits, and nothing says so"));
                }
            }
        }
        missing
    }

    /// Those of the installations that see to it.
    fn labels_of(&self, mr: &MergeRequest) -> impl Iterator<Item = &'static str> {
        let url = self.people.world().project_url(mr.project_id);
        let installations = self.setup.installations.iter();
        let of_project = installations.filter(move |of| url.ends_with(of.project));
        of_project.flat_map(|of| of.labels.iter().copied())
    }

    /// What a label that is on asks for.
    fn asked(&self, mr: &MergeRequest, label: &str) -> Option<Asked> {
        let world = self.people.world();
        let id = world.label_titled(mr.project_id, label)?.id;
        let mut events = mr.label_events.iter().rev();
        let event = events.find(|event| event.label_id == id)?.id;
        mr.labels.contains(&id).then_some(Asked {
            project: mr.project_id,
            iid: mr.iid,
            event,
        })
    }

    fn has_passed(&self, mr: &MergeRequest) -> bool {
        let world = self.people.world();
        let pipeline = mr.head_pipeline_id.and_then(|id| world.pipelines.get(&id));
        pipeline.is_some_and(|found| found.status == "success" && Some(&*found.sha) == mr.sha())
    }

    /// It is not a fork's, or whoever asked has seen this very commit.
    fn is_vouched(&self, mr: &MergeRequest, asked: Asked) -> bool {
        let mut events = mr.label_events.iter();
        let event =
            events.find(|event| event.id == asked.event && event.action == LabelAction::Add);
        let Some(event) = event.filter(|_| mr.is_from_fork()) else {
            return !mr.is_from_fork();
        };
        if event.user_id == Some(BENCH_BOT) {
            let meant = self.meant.lock().expect("no panic");
            return meant.get(&asked).map(String::as_str) == mr.sha();
        }
        let mut seen = mr.versions.iter().rev();
        let seen = seen.find(|version| version.created_at <= event.created_at);
        seen.is_some_and(|seen| Some(&*seen.head_commit_sha) == mr.sha())
    }

    /// Whatever hangs, the next is served.
    fn goes_on(&self) -> Result<(), String> {
        let next = self.people.mr("next").passed().labelled();
        self.runs("scan --max-in-flight 1");
        let iid = next.iid().to_string();
        let mut ours = self.ours().into_iter();
        if !ours.any(|found| found.variable("BENCH_MR_IID") == Some(&iid)) {
            return Err(format!("!{iid} is not served"));
        }
        self.end_what_ends();
        self.runs("reconcile");
        Ok(())
    }
}
