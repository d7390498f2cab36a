//! The two projects, those who work on them, and what can be done there.

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::api::{Api, Branch, INTERRUPTED};
use crate::made::{Made, Project};
use crate::observations::{Observations, say};
use crate::settings::Settings;

pub const LABEL: &str = "benchmarking";
/// The template's job, which leaves the results.
pub const JOB: &str = "benchmark";

pub struct Live<'a> {
    pub settings: &'a Settings,
    pub seen: &'a Observations,
    pub made: &'a Made,
    /// The name that all of it begins with.
    pub name: String,
    pub person: Api,
    pub bot_token: String,
    pub bot: User,
    /// Whether the person and the bot are two.
    pub bot_is_apart: bool,
    pub source: Project,
    pub benchmarks: Project,
}

pub struct User {
    pub id: u64,
    pub username: String,
}

impl User {
    pub fn of(api: &Api) -> Result<Self> {
        let user = api.get("/user")?;
        Ok(Self {
            id: user["id"].as_u64().context("a user has an id")?,
            username: user["username"].as_str().unwrap_or_default().to_owned(),
        })
    }
}

pub struct Mr {
    pub iid: u64,
    pub url: String,
    pub sha: String,
}

impl Live<'_> {
    /// Looks again and again until there is something to see.
    pub fn wait<T>(
        &self,
        what: impl Display,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
            if let Some(found) = look()? {
                return Ok(found);
            }
            let waited = begun.elapsed();
            ensure!(
                waited < self.settings.patience,
                "after {} seconds still waiting for {what}",
                waited.as_secs()
            );
            thread::sleep(self.settings.pause);
        }
    }

    /// A branch with one commit from the default branch, which makes `make bench` print other
    /// figures.
    pub fn push(&self, project: &Project, branch: &str, makefile: &str) -> Result<String> {
        let branch = Branch {
            name: branch,
            from: Some("main"),
        };
        self.person
            .commit(project.id, &branch, &[("update", "Makefile", makefile)])
    }

    pub fn open(&self, from: &Project, branch: &str, sha: String, labels: &[&str]) -> Result<Mr> {
        let body = json!({
            "source_branch": branch,
            "target_branch": "main",
            "target_project_id": self.source.id,
            "title": format!("Measure {branch}"),
            "labels": labels.join(","),
        });
        let mr = self
            .person
            .post(&format!("/projects/{}/merge_requests", from.id), &body)?;
        let url = mr["web_url"].as_str().unwrap_or_default().to_owned();
        say(format_args!("  {url}"));
        Ok(Mr {
            iid: mr["iid"].as_u64().context("a merge request has a number")?,
            url,
            sha,
        })
    }

    /// A merge request from a branch of the source project, whose pipeline has passed.
    pub fn ready(&self, branch: &str, makefile: &str) -> Result<Mr> {
        let sha = self.push(&self.source, branch, makefile)?;
        let mr = self.open(&self.source, branch, sha, &[])?;
        self.passes(&mr)?;
        Ok(mr)
    }

    pub fn mr(&self, mr: &Mr) -> Result<Value> {
        self.person.get(&self.mr_path(mr, ""))
    }

    pub fn mr_path(&self, mr: &Mr, rest: &str) -> String {
        format!(
            "/projects/{}/merge_requests/{}{rest}",
            self.source.id, mr.iid
        )
    }

    /// Waits until the pipeline of its head has passed.
    pub fn passes(&self, mr: &Mr) -> Result<()> {
        self.wait(format_args!("the pipeline of {} to pass", mr.url), || {
            let now = self.mr(mr)?;
            let pipeline = &now["head_pipeline"];
            if pipeline["sha"] != mr.sha.as_str() {
                return Ok(None);
            }
            match pipeline["status"].as_str() {
                Some("success") => Ok(Some(())),
                Some(status @ ("failed" | "canceled" | "skipped")) => {
                    bail!(
                        "the pipeline of {} is {status}: {}",
                        mr.url,
                        pipeline["web_url"]
                    )
                }
                _ => Ok(None),
            }
        })
    }

    pub fn put_label_on(&self, mr: &Mr) -> Result<()> {
        self.label(mr, "add_labels", true)
    }

    pub fn take_label_off(&self, mr: &Mr) -> Result<()> {
        self.label(mr, "remove_labels", false)
    }

    fn label(&self, mr: &Mr, how: &str, on: bool) -> Result<()> {
        let change = json!({ how: LABEL });
        let now = self.person.put(&self.mr_path(mr, ""), &change)?;
        self.seen.expect(
            format_args!("{how} to take effect at once"),
            bears(&now) == on,
            &now["labels"],
        );
        // On a server with several databases the bot's may be behind the person's.
        thread::sleep(self.settings.pause);
        Ok(())
    }

    pub fn is_labelled(&self, mr: &Mr) -> Result<bool> {
        Ok(bears(&self.mr(mr)?))
    }

    /// The bodies of the notes of each discussion that the bot opened.
    pub fn discussions(&self, mr: &Mr) -> Result<Vec<Vec<String>>> {
        let all = self.person.list(&self.mr_path(mr, "/discussions"))?;
        let notes = all
            .iter()
            .filter_map(|discussion| discussion["notes"].as_array());
        let by_bot = notes.filter(|notes| {
            notes
                .first()
                .is_some_and(|note| note["author"]["id"] == self.bot.id && note["system"] == false)
        });
        let body = |note: &Value| note["body"].as_str().unwrap_or_default().to_owned();
        Ok(by_bot
            .map(|notes| notes.iter().map(body).collect())
            .collect())
    }

    /// The pipelines that measure the merge request, by the variables that they were made with.
    pub fn benchmarks_of(&self, mr: &Mr) -> Result<Vec<Value>> {
        let made = self
            .person
            .list(&format!("{}?source=api", self.pipelines()))?;
        let mut found = Vec::new();
        for pipeline in made {
            let path = format!("{}/{}/variables", self.pipelines(), pipeline["id"]);
            let variables = self.person.get(&path)?;
            let value = |key| value_of(&variables, key);
            if value("BENCH_MR_IID") == mr.iid.to_string() && value("BENCH_SHA") == mr.sha {
                found.push(pipeline);
            }
        }
        Ok(found)
    }

    /// The one that there is.
    pub fn benchmark_of(&self, mr: &Mr) -> Result<u64> {
        let found = self.benchmarks_of(mr)?;
        let is_one = found.len() == 1;
        self.seen.expect(
            format_args!("one benchmark of {}", mr.url),
            is_one,
            found.len(),
        );
        let id = found.first().and_then(|pipeline| pipeline["id"].as_u64());
        id.with_context(|| format!("no benchmark of {}", mr.url))
    }

    pub fn pipelines(&self) -> String {
        format!("/projects/{}/pipelines", self.benchmarks.id)
    }

    /// Waits until a benchmark is in one of these.
    pub fn becomes(&self, id: u64, statuses: &[&str]) -> Result<Value> {
        let what = format!("pipeline {id} to be {}", statuses.join(" or "));
        self.wait(what, || {
            let pipeline = self.person.get(&format!("{}/{id}", self.pipelines()))?;
            let status = pipeline["status"].as_str().unwrap_or_default();
            let ended = ["success", "failed", "canceled", "skipped"].contains(&status);
            if ended && !statuses.contains(&status) {
                bail!(
                    "pipeline {id} is {status}: {}\n{}",
                    pipeline["web_url"],
                    self.traces(id)?
                );
            }
            Ok(statuses.contains(&status).then_some(pipeline))
        })
    }

    /// The last that its jobs printed.
    fn traces(&self, pipeline: u64) -> Result<String> {
        let mut text = String::new();
        for job in self.jobs(pipeline)? {
            let trace = self.trace(&job)?;
            let lines: Vec<&str> = trace.lines().collect();
            let last = &lines[lines.len().saturating_sub(15)..];
            text += &format!(
                "{} ({}):\n{}\n",
                job["name"],
                job["failure_reason"],
                last.join("\n")
            );
        }
        Ok(text)
    }

    pub fn jobs(&self, pipeline: u64) -> Result<Vec<Value>> {
        self.person
            .list(&format!("{}/{pipeline}/jobs", self.pipelines()))
    }

    /// The template's.
    pub fn job(&self, pipeline: u64) -> Result<Value> {
        let mut jobs = self.jobs(pipeline)?.into_iter();
        let job = jobs.find(|job| job["name"] == JOB);
        job.with_context(|| format!("pipeline {pipeline} has no job `{JOB}`"))
    }

    pub fn trace(&self, job: &Value) -> Result<String> {
        self.person.text(&format!(
            "/projects/{}/jobs/{}/trace",
            self.benchmarks.id, job["id"]
        ))
    }

    /// The label is off, and there is one discussion, which is returned as one text.
    pub fn is_over(&self, mr: &Mr) -> Result<String> {
        let labelled = self.is_labelled(mr)?;
        self.seen.expect(
            format_args!("the label to be off {}", mr.url),
            !labelled,
            "it is on",
        );
        let notes = self.one_discussion(mr)?;
        let reactions = self.person.list(&self.mr_path(mr, "/award_emoji"))?;
        let by_bot = reactions
            .iter()
            .filter(|emoji| emoji["user"]["id"] == self.bot.id);
        let left = by_bot.count();
        self.seen
            .expect("no reaction of the bot's to be left", left == 0, left);
        Ok(notes)
    }

    pub fn one_discussion(&self, mr: &Mr) -> Result<String> {
        let discussions = self.discussions(mr)?;
        let is_one = discussions.len() == 1;
        self.seen.expect(
            format_args!("one discussion on {}", mr.url),
            is_one,
            discussions.len(),
        );
        Ok(discussions.concat().join("\n---\n"))
    }

    /// Another round of the schedule finds nothing to do about it.
    pub fn stays_over(&self, mr: &Mr) -> Result<()> {
        let state = || {
            Ok::<_, anyhow::Error>((
                self.discussions(mr)?,
                self.benchmarks_of(mr)?.len(),
                self.is_labelled(mr)?,
            ))
        };
        let before = state()?;
        self.bench_bot("reconcile", 0)?;
        self.bench_bot("scan", 0)?;
        let after = state()?;
        self.seen.expect(
            format_args!("another reconcile and scan to leave {} alone", mr.url),
            before == after,
            format_args!("{before:?}\nand then {after:?}"),
        );
        Ok(())
    }

    pub fn says(&self, text: &str, words: &[&str]) {
        let lower = text.to_lowercase();
        for word in words {
            let is_there = lower.contains(&word.to_lowercase());
            self.seen
                .expect(format_args!("the words `{word}`"), is_there, text);
        }
    }
}

fn bears(mr: &Value) -> bool {
    let labels = mr["labels"].as_array();
    labels.is_some_and(|labels| labels.iter().any(|label| label == LABEL))
}

/// Of a pipeline's variables.
pub fn value_of(variables: &Value, key: &str) -> String {
    let list = variables.as_array().into_iter().flatten();
    let value = |variable: &Value| variable["value"].as_str().map(str::to_owned);
    let mut found = list
        .filter(|variable| variable["key"] == key)
        .filter_map(value);
    found.next().unwrap_or_default()
}

/// The rows of a report's list that are about one merge request.
pub fn rows<'a>(report: &'a Value, list: &str, mr: &Mr) -> Vec<&'a Value> {
    let rows = report[list].as_array().into_iter().flatten();
    rows.filter(|row| row["mr"] == mr.iid).collect()
}
