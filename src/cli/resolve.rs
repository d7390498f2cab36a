//! Turns flags and environment into a checked [`Config`].

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

use super::{Settings, WrongSetting, without_credentials};
use crate::gitlab::{BotNames, Connection, Limits, ProjectName, Url};
use crate::given_flags::GivenFlags;
use crate::id::ProjectId;
use crate::note::Verdict;
use crate::plan::{Resolve, Rules};

/// What comes from the environment alone: a command line never holds a secret.
#[derive(Clone)]
pub struct Environment {
    pub token: Option<SecretString>,
    pub benchmark_token: Option<SecretString>,
    /// In a job: the server that runs it, and the certificates to trust there.
    pub server_url: Option<String>,
    pub ca_file: Option<PathBuf>,
    /// Whether this runs in a CI job.
    pub is_job: bool,
    /// The project whose job this is.
    pub job_project: Option<ProjectId>,
}

impl Environment {
    pub fn of_process() -> Self {
        let text = |variable| {
            let value = std::env::var(variable)
                .unwrap_or_default()
                .trim()
                .to_owned();
            (!value.is_empty()).then_some(value)
        };
        Self {
            token: text("BENCH_BOT_TOKEN").map(SecretString::from),
            benchmark_token: text("BENCH_BOT_BENCHMARK_TOKEN").map(SecretString::from),
            server_url: text("CI_SERVER_URL"),
            ca_file: text("CI_SERVER_TLS_CA_FILE").map(PathBuf::from),
            is_job: text("CI").is_some(),
            job_project: text("CI_PROJECT_ID").and_then(|id| Some(ProjectId(id.parse().ok()?))),
        }
    }
}

/// The checked settings of a run.
pub struct Config {
    pub connection: Connection,
    pub ref_name: Option<String>,
    /// At least one.
    pub labels: Vec<String>,
    pub rules: Rules,
    pub resolve: Resolve,
    pub results_job: Option<String>,
    pub verdict_labels: Vec<(Verdict, String)>,
    /// Only together with `results_job`.
    pub results_file: Option<String>,
    pub given_flags: GivenFlags,
    /// The project whose job this is, which has the bot's token.
    pub automation: Option<ProjectId>,
}

const PROJECT: &str = "--project (BENCH_BOT_PROJECT)";
const BENCHMARK_PROJECT: &str = "--benchmark-project (BENCH_BOT_BENCHMARK_PROJECT)";
const NO_TOKEN: &str = "the token is missing: set BENCH_BOT_TOKEN to a token of the bot with the scope api (an unprotected \
                        branch does not get protected CI variables)";

impl Settings {
    pub fn resolve(&self, environment: &Environment) -> Result<Config, WrongSetting> {
        let (project, benchmark_project) = self.projects(environment)?;
        let gitlab_url = self.gitlab_url(environment)?;
        let connection = Connection {
            gitlab_url,
            project,
            benchmark_project,
            token: match &environment.token {
                Some(token) => bare(token, "BENCH_BOT_TOKEN")?,
                None => return Err(WrongSetting(NO_TOKEN.to_owned())),
            },
            benchmark_token: match &environment.benchmark_token {
                Some(token) => Some(bare(token, "BENCH_BOT_BENCHMARK_TOKEN")?),
                None => None,
            },
            bot: match self.bot.as_deref() {
                None | Some("") => None,
                Some(names) => Some(bot(names)?),
            },
            limits: Limits {
                http_timeout: self.http_timeout,
                retries: self.retries,
                run_time: RUN_TIME,
                max_bytes: MAX_BYTES,
                ca_file: environment.ca_file.clone(),
            },
        };
        let mut labels: Vec<String> = Vec::new();
        for label in &self.labels {
            let label = label.trim();
            check_label(label)?;
            if !labels.iter().any(|other| other == label) {
                labels.push(label.to_owned());
            }
        }
        let results_job = self.results_job.clone().filter(|name| !name.is_empty());
        let results_file = self.results_file.clone().filter(|path| !path.is_empty());
        if let Some(path) = &results_file {
            check_results_file(path, results_job.is_some())?;
        }
        let timeout = TimeDelta::from_std(self.timeout).unwrap_or(TimeDelta::MAX);
        Ok(Config {
            connection,
            ref_name: self.ref_name.clone().filter(|name| !name.is_empty()),
            labels,
            rules: Rules {
                order: self.order,
                max_in_flight: self.max_in_flight,
                timeout,
                on_push: self.on_push,
                announce: self.announce,
            },
            resolve: self.resolve,
            verdict_labels: self.verdict_labels(results_job.is_some())?,
            results_job,
            results_file,
            given_flags: self.given_flags.clone(),
            automation: environment.job_project,
        })
    }

    fn verdict_labels(&self, of_job: bool) -> Result<Vec<(Verdict, String)>, WrongSetting> {
        let setting = "--verdict-label (BENCH_BOT_VERDICT_LABEL)";
        let mut verdicts = BTreeSet::new();
        for (verdict, name) in &self.verdict_labels {
            if self.labels.iter().any(|label| label.trim() == name) {
                return Err(WrongSetting(format!(
                    "{setting} names {name}, which requests a benchmark: name another label"
                )));
            }
            if !verdicts.insert(verdict) {
                let word = verdict.word();
                return Err(WrongSetting(format!(
                    "{setting} names two labels for {word}"
                )));
            }
        }
        if !of_job && !verdicts.is_empty() {
            return Err(WrongSetting(format!(
                "{setting} needs --results-job (BENCH_BOT_RESULTS_JOB): the verdict is the first word of that job's \
                 bench-summary.md"
            )));
        }
        Ok(self.verdict_labels.clone())
    }

    /// What is wrong is named all at once, so that nobody has to try again for each.
    fn projects(
        &self,
        environment: &Environment,
    ) -> Result<(ProjectName, ProjectName), WrongSetting> {
        let wrong = match (
            project(&self.project, PROJECT),
            project(&self.benchmark_project, BENCHMARK_PROJECT),
        ) {
            (Ok(source), Ok(benchmark)) => return Ok((source, benchmark)),
            (source, benchmark) => source.err().into_iter().chain(benchmark.err()),
        };
        let mut wrong: Vec<String> = wrong.map(|error| error.0).collect();
        let token = environment.token.as_ref();
        if token.is_none_or(|token| token.expose_secret().is_empty()) {
            wrong.push(NO_TOKEN.to_owned());
        }
        Err(WrongSetting(wrong.join("; ")))
    }

    fn gitlab_url(&self, environment: &Environment) -> Result<Url, WrongSetting> {
        let given = self.gitlab_url.clone().filter(|url| !url.is_empty());
        let (text, setting) = match (given, environment.server_url.clone()) {
            (Some(url), _) => (url, "--gitlab-url (BENCH_BOT_GITLAB_URL)"),
            (None, Some(url)) => (url, "CI_SERVER_URL"),
            (None, None) => (
                "https://gitlab.com".to_owned(),
                "--gitlab-url (BENCH_BOT_GITLAB_URL)",
            ),
        };
        let wrong = |why: &str| WrongSetting(format!("{setting} {why}"));
        let url = Url::parse(&text)
            .ok()
            .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                let shown = without_credentials(&text);
                wrong(&format!(
                    "is {shown:?}: write it as https://gitlab.example.com"
                ))
            })?;
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(wrong(
                "contains more than an address: put a token into BENCH_BOT_TOKEN",
            ));
        }
        if url.scheme() == "http" && !self.allow_http && !loopback(&url) {
            return Err(wrong(&format!(
                "is {url}: the token would be sent unencrypted; use https://, or allow it with \
                 --allow-http (BENCH_BOT_ALLOW_HTTP=true)"
            )));
        }
        Ok(url)
    }
}

/// Rejects a token that was pasted together with something else, which GitLab would refuse without a reason.
fn bare(token: &SecretString, variable: &str) -> Result<SecretString, WrongSetting> {
    let text = token.expose_secret();
    let around = |c: char| text.starts_with(c) && text.ends_with(c) && !text.is_empty();
    let first_word = text.split_whitespace().next().unwrap_or_default();
    let header = ["bearer", "private-token:", "authorization:", "token"]
        .contains(&first_word.to_lowercase().as_str());
    let what = match text {
        _ if around('"') || around('\'') => "is in quotation marks",
        _ if header => "begins with a word of a header",
        _ if text.contains(char::is_whitespace) => "contains a space or a line break",
        _ => return Ok(token.clone()),
    };
    Err(WrongSetting(format!(
        "the token in {variable} {what}: set it to the token alone, such as glpat-…"
    )))
}

/// GitLab gives two names a special meaning when it lists merge requests with a label.
fn check_label(label: &str) -> Result<(), WrongSetting> {
    let setting = "--label (BENCH_BOT_LABEL)";
    if label.is_empty() {
        return Err(WrongSetting(format!(
            "{label:?} is not a label: {setting} takes one name, or several separated by commas"
        )));
    }
    match ["none", "any"]
        .iter()
        .any(|word| label.eq_ignore_ascii_case(word))
    {
        true => Err(WrongSetting(format!(
            "{label:?} cannot be used: to GitLab it means no label at all, or any label; rename the label, and give its \
             new name with {setting}"
        ))),
        false => Ok(()),
    }
}

fn check_results_file(path: &str, of_job: bool) -> Result<(), WrongSetting> {
    let setting = "--results-file (BENCH_BOT_RESULTS_FILE)";
    if !of_job {
        return Err(WrongSetting(format!(
            "{setting} needs --results-job (BENCH_BOT_RESULTS_JOB), the job that leaves this file"
        )));
    }
    // GitLab would refuse such a path.
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(WrongSetting(format!(
            "{setting} is {path:?}: write the path of a file among the artifacts, such as report/index.html"
        )));
    }
    Ok(())
}

fn bot(names: &str) -> Result<BotNames, WrongSetting> {
    let (source, benchmark) = names.split_once(',').unwrap_or((names, names));
    let name = |name: &str| {
        let name = name.trim().trim_start_matches('@');
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        match !name.is_empty() && name.chars().all(allowed) {
            true => Ok(name.to_owned()),
            false => Err(WrongSetting(format!(
                "--bot (BENCH_BOT_USER) is {names:?}: write a username, or two separated by a comma: first the source \
                 project's, then the benchmark project's"
            ))),
        }
    };
    Ok(BotNames {
        source: name(source)?,
        benchmark: name(benchmark)?,
    })
}

fn loopback(url: &Url) -> bool {
    let host = url
        .host_str()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

fn project(name: &Option<String>, setting: &str) -> Result<ProjectName, WrongSetting> {
    match name.as_deref().unwrap_or_default() {
        "" => Err(WrongSetting(format!(
            "{setting} is missing: give group/name or a project's id"
        ))),
        name => name.parse().map_err(|why| {
            WrongSetting(format!(
                "{setting} is {:?}: {why}",
                without_credentials(name)
            ))
        }),
    }
}

/// A scheduled job makes two runs. Both have to end and report before the job's own time limit.
pub const RUN_TIME: Duration = Duration::from_secs(10 * 60);

/// Received within seconds, and more than any list that people wrote by hand.
const MAX_BYTES: u64 = 512 << 20;
