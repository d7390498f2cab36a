//! Where to prove it, and how long to wait there.

use std::env;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use in_memory_gitlab::{ADA_TOKEN, Clock, ExternalUrl, Gitlab, Pipeline, Runner, Work};

const IN_MEMORY: &str = "in-memory";

const NEEDED: [(&str, &str); 3] = [
    ("BENCH_BOT_LIVE_URL", "the address of a GitLab"),
    (
        "BENCH_BOT_LIVE_TOKEN",
        "a token with the scope api, of an owner of a group",
    ),
    (
        "BENCH_BOT_LIVE_GROUP",
        "the path of that group, for throwaway projects",
    ),
];

pub struct Settings {
    pub url: String,
    /// A person's, who owns the group.
    pub token: String,
    pub group: String,
    /// The bot's, if it is to be this one.
    pub bot_token: Option<String>,
    /// What the runner's tags are, where it takes no job without.
    pub tags: Vec<String>,
    /// How long a pipeline may take.
    pub patience: Duration,
    /// Between two looks.
    pub pause: Duration,
}

/// The server that is started for it, if there is none.
pub struct InMemory {
    pub gitlab: Gitlab,
    _runner: Runner,
}

/// From the environment.
pub fn settings() -> Result<(Settings, Option<InMemory>)> {
    if given(NEEDED[0].0).as_deref() == Some(IN_MEMORY) {
        let server = InMemory::start();
        return Ok((server.settings(), Some(server)));
    }
    let missing = NEEDED
        .iter()
        .filter(|(variable, _)| given(variable).is_none());
    let missing: Vec<String> = missing
        .map(|(variable, what)| format!("{variable} to {what}"))
        .collect();
    ensure!(missing.is_empty(), "set {}", missing.join(", and "));
    let [url, token, group] = NEEDED.map(|(variable, _)| given(variable).unwrap_or_default());
    let loopback = ["http://127.0.0.1", "http://localhost"];
    let is_safe = url.starts_with("https://") || loopback.iter().any(|safe| url.starts_with(safe));
    ensure!(
        is_safe,
        "{} must begin with https://, for a token goes there",
        NEEDED[0].0
    );
    let settings = Settings {
        url: url.trim_end_matches('/').to_owned(),
        token,
        group,
        bot_token: given("BENCH_BOT_LIVE_BOT_TOKEN"),
        tags: given("BENCH_BOT_LIVE_TAGS")
            .map(|tags| tags.split(',').map(|tag| tag.trim().to_owned()).collect())
            .unwrap_or_default(),
        patience: match given("BENCH_BOT_LIVE_PATIENCE") {
            None => Duration::from_secs(600),
            Some(text) => humantime::parse_duration(&text)
                .context("BENCH_BOT_LIVE_PATIENCE is written as 90s or 20m")?,
        },
        pause: Duration::from_secs(5),
    };
    Ok((settings, None))
}

fn given(variable: &str) -> Option<String> {
    env::var(variable).ok().filter(|value| !value.is_empty())
}

impl InMemory {
    fn start() -> Self {
        let gitlab = Gitlab::builder()
            .external_url(ExternalUrl::Loopback)
            .clock(Clock::real())
            .start();
        gitlab.world().slow_cancel = true;
        let runner = gitlab.runner(work);
        Self {
            gitlab,
            _runner: runner,
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            url: self.gitlab.url().to_owned(),
            token: ADA_TOKEN.to_owned(),
            group: "acme".to_owned(),
            bot_token: given("BENCH_BOT_LIVE_BOT_TOKEN"),
            tags: Vec::new(),
            patience: Duration::from_secs(20),
            pause: Duration::from_millis(30),
        }
    }
}

/// What the scripts would come to if they ran there.
fn work(pipeline: &Pipeline, job: &str) -> Work {
    let of = pipeline.job_sees();
    let branch = of.get("BENCH_BRANCH").map_or("", String::as_str);
    let takes = match (job, branch) {
        ("benchmark", crate::stories::SLOW) => Duration::from_secs(3600),
        ("benchmark", _) => Duration::from_secs(1),
        _ => Duration::from_millis(100),
    };
    Work::success(takes)
        .prints(&format!("Branch: {branch}\n"))
        .leaves("bench-summary.md", "noise: nothing has changed\n")
}
