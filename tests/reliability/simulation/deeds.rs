//! What people and machines do.

use std::sync::atomic::Ordering;

use in_memory_gitlab::{BENCH_BOT, Discussion, Note, Pipeline};

use super::steps::{Deed, Fortune};
use super::{Known, Sim};
use crate::bot::OF_ANOTHER_PROJECT;
use crate::promise::{self, LABELS, RENAMED};

const MAX_MERGE_REQUESTS: usize = 7;
/// That a merge request takes.
pub const MAX_NOTES: usize = 5000;

impl Sim {
    pub fn deed(&self, deed: Deed, choice: usize) {
        let mrs = self.mrs();
        let is_full = mrs.len() >= MAX_MERGE_REQUESTS;
        match deed {
            Deed::Open | Deed::OpenFork | Deed::OpenLabelled | Deed::OpenForkLabelled => {
                if !is_full {
                    self.open(deed, choice);
                }
            }
            Deed::RefuseAll
            | Deed::RefuseSome
            | Deed::RefuseNothing
            | Deed::Limit
            | Deed::TakeNoNotes
            | Deed::EventsLate
            | Deed::ListsLag
            | Deed::CancelSlowly
            | Deed::Rename => self.arrange(deed, choice),
            _ => {
                if let Some(known) = mrs.get(choice % mrs.len().max(1)) {
                    self.deed_on(known, deed, choice);
                }
            }
        }
    }

    fn open(&self, deed: Deed, choice: usize) {
        let branch = format!("branch-{choice}");
        let elsewhere = self.setup.installations.contains(&OF_ANOTHER_PROJECT);
        match deed {
            Deed::Open if elsewhere && choice.is_multiple_of(2) => {
                self.people.mr_in("acme/gears", &branch);
            }
            Deed::Open => drop(self.people.mr(&branch)),
            Deed::OpenFork => drop(self.people.fork_mr(&branch)),
            // That puts on a label of the first name.
            _ if !self.has_label(LABELS[0]) => {}
            Deed::OpenLabelled => drop(self.people.mr_labelled(&branch, "ada")),
            _ => drop(self.people.fork_mr_labelled(&branch, "ada")),
        }
    }

    /// What concerns GitLab as a whole.
    fn arrange(&self, deed: Deed, choice: usize) {
        match deed {
            Deed::Rename => self.rename(choice),
            Deed::RefuseAll => self.people.configure("acme/benchmarks", |project| {
                project.yaml_error = Some("jobs config should contain a job".to_owned());
            }),
            Deed::RefuseSome => self.people.refuse("acme/benchmarks", |variables| {
                let refused = variables.iter().any(|variable| {
                    variable.key == "BENCH_MR_IID" && ["2", "3"].contains(&&*variable.value)
                });
                refused.then(|| "Pipeline filtered out by workflow rules.".to_owned())
            }),
            Deed::Limit => self.people.configure("acme/benchmarks", |project| {
                project.pipelines_per_minute = Some(0);
            }),
            Deed::RefuseNothing => self.refuse_nothing(),
            Deed::TakeNoNotes => {
                let most = &mut self.people.world().most_notes;
                *most = if *most > 0 { 0 } else { MAX_NOTES };
            }
            Deed::EventsLate => {
                self.people.events_come_late();
                self.lag.store(1, Ordering::SeqCst);
            }
            Deed::ListsLag => {
                self.people.lists_lag();
                self.lag.store(2, Ordering::SeqCst);
            }
            _ => {
                let slow = &mut self.people.world().slow_cancel;
                *slow = !*slow;
            }
        }
    }

    fn deed_on(&self, known: &Known, deed: Deed, choice: usize) {
        let mr = &known.mr;
        let (state, has_commit) = self.look(known, |mr| (mr.state.clone(), mr.sha().is_some()));
        // Nothing can be built or merged before GitLab has made the first version.
        let open = state == "opened" && has_commit;
        let title = |label| self.title(known, label);
        match deed {
            Deed::Label => drop(mr.label(&title(LABELS[0]))),
            Deed::LabelFull => drop(mr.label(&title(LABELS[1]))),
            Deed::Unlabel => drop(mr.unlabel(&title(LABELS[0]))),
            Deed::UnlabelFull => drop(mr.unlabel(&title(LABELS[1]))),
            Deed::Relabel => {
                let title = title(LABELS[0]);
                mr.unlabel(&title).label(&title);
            }
            Deed::Push if open => drop(mr.push()),
            Deed::PushAndPass if open => drop(mr.push().passed()),
            Deed::Pass if open => drop(mr.passed()),
            Deed::Fail if open => drop(mr.failed()),
            Deed::MergedResults if open => drop(mr.merged_results("success")),
            Deed::Merge if open => drop(mr.merge()),
            Deed::Close if open => drop(mr.close()),
            Deed::Reopen if state == "closed" => drop(mr.reopen()),
            Deed::Delete if choice.is_multiple_of(5) => drop(mr.delete()),
            Deed::Comment if self.takes_notes() => {
                mr.comment("linus", "Does it really?");
            }
            Deed::OtherLabel => drop(mr.label("urgent")),
            Deed::DeleteDiscussion | Deed::DeleteFirstNote | Deed::Unresolve => {
                self.meddle(known, deed);
            }
            Deed::Impostor => self.impostor(known),
            _ => {}
        }
    }

    pub fn look<T>(
        &self,
        known: &Known,
        view: impl FnOnce(&in_memory_gitlab::MergeRequest) -> T,
    ) -> T {
        let world = self.people.world();
        let project = if known.project == "acme/engine" {
            7
        } else {
            10
        };
        let mut all = world.merge_requests.values();
        let mr = all.find(|mr| (mr.project_id, mr.iid) == (project, known.iid));
        view(mr.expect("the merge request is there"))
    }

    /// With the bot's own words.
    fn meddle(&self, known: &Known, deed: Deed) {
        let mr = &known.mr;
        let by_bot = |note: &Note| note.author_id == BENCH_BOT;
        let is_bots = |found: &Discussion| found.notes.iter().all(by_bot);
        let Some(found) = mr.discussions().into_iter().find(is_bots) else {
            return;
        };
        let about: Vec<u64> = self.look(known, |mr| {
            let said = ["start", "outcome"].map(|kind| promise::said(mr, kind));
            let mut said = said.into_iter().flatten().collect::<Vec<_>>();
            said.retain(|said| said.discussion.id == found.id);
            said.iter().map(|said| said.request).collect()
        });
        let mut meddling = self.meddling.lock().expect("no panic");
        match deed {
            Deed::Unresolve => {
                mr.unresolve("linus", &found.id);
                meddling.reopened.insert(found.id);
                return;
            }
            Deed::DeleteDiscussion => mr.delete_discussion(&found.id),
            _ if found.notes.len() > 1 => mr.delete_note(found.notes[0].id),
            _ => return,
        }
        // The commit that a trigger meant stood in that note alone.
        let mut meant = self.meant.lock().expect("no panic");
        meant.retain(|asked, _| !about.contains(&asked.event));
        meddling.deleted.extend(about);
    }

    /// Somebody copies what the bot has written.
    fn impostor(&self, known: &Known) {
        let last = self.people.benchmarks().pop();
        let copied = last.map(|last| last.variables).unwrap_or_default();
        let copied: Vec<_> = copied
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        self.people
            .pipeline_by("ada", "acme/benchmarks", "api", &copied);
        let mut notes = known.mr.notes().into_iter();
        if let Some(note) = notes.find(|note| note.author_id == BENCH_BOT)
            && self.takes_notes()
        {
            known.mr.comment("linus", &note.body);
        }
    }

    fn takes_notes(&self) -> bool {
        self.people.world().most_notes > 0
    }

    fn has_label(&self, title: &str) -> bool {
        self.people.world().label_titled(7, title).is_some()
    }

    /// What the label is called just now.
    fn title(&self, known: &Known, label: &str) -> String {
        let renamed = format!("{label}{RENAMED}");
        let is_renamed = !self.has_label(label) && self.has_label(&renamed);
        match is_renamed && known.project == "acme/engine" {
            true => renamed,
            false => label.to_owned(),
        }
    }

    fn rename(&self, choice: usize) {
        let label = LABELS[choice % LABELS.len()];
        let renamed = format!("{label}{RENAMED}");
        match (self.has_label(label), self.has_label(&renamed)) {
            (true, false) => self.people.rename_label(label, &renamed),
            (false, true) => self.people.rename_label(&renamed, label),
            _ => {}
        }
    }

    /// All labels have the names that they began with.
    pub fn name_back(&self) {
        for (choice, label) in LABELS.iter().enumerate() {
            if !self.has_label(label) {
                self.rename(choice);
            }
        }
    }

    pub fn refuse_nothing(&self) {
        self.people.configure("acme/benchmarks", |project| {
            project.refuses = None;
            project.yaml_error = None;
            project.pipelines_per_minute = None;
        });
    }

    pub fn fortune(&self, fortune: Fortune, choice: usize) {
        let ended = matches!(fortune, Fortune::Retried);
        let mut benchmarks = self.people.benchmarks();
        benchmarks.retain(|benchmark| {
            benchmark.user.as_deref() == Some("bench-bot") && benchmark.has_ended() == ended
        });
        // Only what ended lately is ever tried again.
        let number = match ended {
            true => benchmarks.len().saturating_sub(1 + choice % 2),
            false => choice % benchmarks.len().max(1),
        };
        if let Some(benchmark) = benchmarks.get(number) {
            self.befall(benchmark, fortune, choice);
        }
    }

    fn befall(&self, benchmark: &Pipeline, fortune: Fortune, choice: usize) {
        let (people, id) = (&self.people, benchmark.id);
        let hangs = people.world().stuck.contains(&id);
        match fortune {
            // Some hang for ever.
            Fortune::Ends(_) if hangs && !choice.is_multiple_of(3) => {}
            Fortune::Runs | Fortune::Blocked | Fortune::Hangs(_) if hangs => {}
            Fortune::Blocked => people.benchmark_blocked(id, "publish"),
            Fortune::Hangs(status) => people.benchmark_hangs(id, status),
            Fortune::Runs => people.benchmark_runs(id),
            Fortune::Retried => people.retry(id),
            Fortune::Ends(status) => {
                if choice.is_multiple_of(2) {
                    people.benchmark_leaves(id, "benchmark", "bench-summary.md", "2x");
                }
                if status == "failed" && choice.is_multiple_of(3) {
                    people.job_fails(id, "measure", "runner_system_failure");
                }
                people.benchmark_ends(id, status);
            }
        }
    }

    pub fn end_what_ends(&self) {
        crate::bot::end_all(&self.people);
    }
}
