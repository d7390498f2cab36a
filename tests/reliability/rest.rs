//! How the world comes to rest once nothing disturbs it any more.

use chrono::TimeDelta;
use in_memory_gitlab::{BENCH_BOT, Discussion, MergeRequest, People};

use crate::bot::{Installation, end_all};
use crate::promise::{self, Meddling, asks, kept};
use crate::stories::Story;

/// After what was disturbed.
const MAX_ROUNDS: usize = 4;

/// Those that run in turn.
pub struct Parties {
    pub installations: Vec<Installation>,
    /// Of all their runs.
    pub settings: &'static str,
    pub scan: &'static str,
}

impl Parties {
    pub fn to(story: &Story) -> Self {
        Self {
            installations: vec![story.by],
            settings: story.settings,
            scan: "scan",
        }
    }

    fn run(&self, gitlab: &People, command: &str) -> Result<(), String> {
        let command = format!("{command} {}", self.settings);
        for installation in &self.installations {
            installation.run(gitlab, &command);
            kept(promise::safety(gitlab, &Meddling::default()))?;
            if command.starts_with("reconcile") {
                kept(promise::settled(gitlab, installation))?;
            }
        }
        Ok(())
    }
}

/// By which of the undisturbed reconciles all is right.
pub fn comes_to_rest(gitlab: &People, parties: &Parties) -> Result<usize, String> {
    let mut broken = Vec::new();
    for round in 1..=MAX_ROUNDS {
        parties.run(gitlab, "reconcile")?;
        broken = amiss(gitlab, parties);
        if broken.is_empty() {
            return stays_at_rest(gitlab, parties).map(|()| round);
        }
        parties.run(gitlab, parties.scan)?;
        end_all(gitlab);
    }
    Err(format!("there is no rest: {}", broken.join("; ")))
}

/// Once nothing is left to do, nothing is done.
fn stays_at_rest(gitlab: &People, parties: &Parties) -> Result<(), String> {
    let before = gitlab.writes().len();
    parties.run(gitlab, "scan")?;
    parties.run(gitlab, "reconcile")?;
    let more = gitlab.writes().split_off(before);
    let more: Vec<String> = more.iter().map(ToString::to_string).collect();
    match more.is_empty() {
        true => Ok(()),
        false => Err(format!("there is still something to do: {more:?}")),
    }
}

/// All that runs see of the world, but the time.
pub fn state(gitlab: &People) -> String {
    let world = gitlab.world();
    format!("{:?} {:?}", world.merge_requests, world.pipelines)
}

/// What is not as it is in the end.
fn amiss(gitlab: &People, parties: &Parties) -> Vec<String> {
    let mut amiss = promise::at_rest(gitlab, &Meddling::default(), TimeDelta::hours(48));
    if parties.settings.contains("--resolve always") {
        amiss.extend(promise::resolved(gitlab, &Meddling::default()));
    }
    amiss.extend(unserved(gitlab));
    amiss.extend(bystanders(gitlab).err());
    if parties.settings.contains("--verdict-label") {
        amiss.extend(without_verdict(gitlab));
    }
    amiss
}

/// Somebody waits for a benchmark who is not the bystander.
fn unserved(gitlab: &People) -> Vec<String> {
    let world = gitlab.world();
    let asks = |labels: &[u64]| world.titles(labels).iter().any(|title| asks(title));
    let waiting = world.merge_requests.values().filter(|mr| asks(&mr.labels));
    waiting
        .filter(|mr| mr.source_branch != "bystander")
        .map(|mr| format!("!{} waits", mr.iid))
        .collect()
}

/// The label of the verdict that the reply tells is missing, though GitLab has not refused it.
fn without_verdict(gitlab: &People) -> Option<String> {
    let refused = gitlab.requests().iter().any(|request| {
        let about =
            request.path.contains("perf::worse") || request.body.get("add_labels").is_some();
        about
            && request
                .status
                .is_some_and(|status| (400..500).contains(&status) && status != 429)
    });
    let world = gitlab.world();
    let mut mrs = world.merge_requests.values();
    let mr = mrs.find(|mr| mr.source_branch == "speed-up")?;
    // Another benchmark, which has no verdict, takes the label off.
    if promise::said(mr, "start").len() > 1 {
        return None;
    }
    let mut told = promise::said(mr, "outcome").into_iter();
    let is_worse = told.any(|said| said.mark["verdict"] == "worse");
    let titles = world.titles(&mr.labels);
    let is_set = titles.iter().any(|title| title == "perf::worse");
    (is_worse && !is_set && !refused).then(|| format!("!{} lacks the label of its verdict", mr.iid))
}

/// How many discussions people have opened.
fn of_people(mr: &MergeRequest) -> usize {
    let by_bot = |found: &&Discussion| found.notes.iter().any(|note| note.author_id == BENCH_BOT);
    let all = mr.discussions.iter();
    all.filter(|found| !by_bot(found)).count()
}

/// Nobody else's labels and notes were touched.
fn bystanders(gitlab: &People) -> Result<(), String> {
    let world = gitlab.world();
    for mr in world
        .merge_requests
        .values()
        .filter(|mr| mr.iid <= 2 && mr.source_project_id == Some(7))
    {
        let labels = world.titles(&mr.labels);
        let theirs: Vec<&String> = labels.iter().filter(|title| !asks(title)).collect();
        let intact = match mr.source_branch.as_str() {
            "bystander" => labels == ["benchmarking"] && of_people(mr) == 1,
            "speed-up" => {
                theirs.iter().any(|label| *label == "urgent")
                    && mr.discussions[0].notes[0].body == "Does it really?"
            }
            _ => true,
        };
        if !intact {
            return Err(format!("!{} has labels {labels:?}", mr.iid));
        }
    }
    Ok(())
}
