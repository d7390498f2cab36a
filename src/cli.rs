//! Flags and environment. What was typed becomes what is meant here, once: nothing further on sees a flag.

mod mr_name;
mod resolve;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{FalseyValueParser, PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use self::mr_name::MrName;
pub use self::resolve::{Config, Environment, RUN_TIME};
use crate::gitlab::answer::Variable;
use crate::plan::{Order, Resolve};
use crate::record;

/// Benchmarks merge requests on demand: a label on a merge request starts a pipeline in a benchmark project.
///
/// Tokens are read from BENCH_BOT_TOKEN and, where the benchmark project needs another,
/// BENCH_BOT_BENCHMARK_TOKEN: a secret never stands on a command line.
#[derive(Debug, Parser)]
#[command(
    version = env!("VERSION_AND_COMMIT"),
    max_term_width = 100,
    after_help = "Exit status: 0 done, or nothing to do; 1 something failed; 2 unusable arguments or settings; \
        3 trigger --wait: the benchmark did not succeed."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Say what it does, on standard error; -vv also what GitLab answers [env: RUST_LOG]
    #[arg(short, long, global = true, action = clap::ArgAction::Count, display_order = 900)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Decide which requests go next, and start their benchmarks
    Scan {
        #[command(flatten)]
        writing: Writing,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        benchmark: Benchmark,
    },
    /// Start the benchmark of one merge request now, ahead of the queue
    Trigger {
        #[command(flatten)]
        mr: ChosenMr,
        /// Start whatever the state of its pipeline, and whoever pushed to the fork since the label came
        #[arg(long)]
        force: bool,
        /// Follow the benchmark to its end, then close the loop as reconcile does
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        writing: Writing,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        benchmark: Benchmark,
    },
    /// Close the loop on benchmarks that ended; mend what an interrupted run left
    Reconcile {
        /// Look further back than --timeout, after an outage [example: 7days]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        since: Option<Duration>,
        #[command(flatten)]
        writing: Writing,
        #[command(flatten)]
        settings: Settings,
    },
    /// Tell what is in flight, queued and waiting, and what ended lately, as text, JSON or a page
    #[command(
        mut_arg("format", |format| format.value_parser(format_of(&["text", "json", "html"]))),
        mut_group("ChosenMr", |group| group.required(false)),
        mut_arg("mr", |mr| mr.help("Explain one merge request instead, named by its number, its URL or its branch: why nothing \
                                    happens, and who can change it"))
    )]
    Status {
        #[command(flatten)]
        mr: Option<ChosenMr>,
        /// How far to look back for what has ended
        #[arg(long, value_name = "DURATION", default_value = "7days", value_parser = duration)]
        since: Duration,
        #[command(flatten)]
        settings: Settings,
    },
    /// Check tokens, roles, label and project settings, and say how to mend each
    #[command(mut_arg("order", |arg| arg.hide(true)))]
    Doctor {
        /// Create the label where it is missing
        #[arg(long)]
        fix: bool,
        /// Prove what no setting shows: start a pipeline in the benchmark project, read it back and cancel it
        #[arg(long)]
        rehearse: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print completions for a shell
    Completions {
        /// The shell that is to complete what is typed
        shell: Shell,
    },
    /// Write the man pages into a folder
    #[command(hide = true)]
    Man { folder: PathBuf },
}

/// One merge request, named in either way.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct ChosenMr {
    /// The merge request: its number, its URL or its branch
    #[arg(value_name = "MR")]
    mr: Option<MrName>,
    /// The same as MR
    #[arg(long = "mr", id = "mr_flag", value_name = "MR")]
    flag: Option<MrName>,
}

impl ChosenMr {
    /// One of the two was given.
    pub fn name(&self) -> Option<&MrName> {
        self.mr.as_ref().or(self.flag.as_ref())
    }
}

/// Of the commands that write.
#[derive(Args, Debug)]
pub struct Writing {
    /// Do everything but write: report what would be done
    #[arg(long)]
    pub dry_run: bool,
}

// Help shows a comment as it is, brackets around an address included.
#[allow(rustdoc::bare_urls)]
#[derive(Args, Debug)]
pub struct Settings {
    /// Address of the GitLab server [default: $CI_SERVER_URL, else https://gitlab.com]
    #[arg(
        long,
        value_name = "URL",
        env = "BENCH_BOT_GITLAB_URL",
        hide_env_values = true
    )]
    gitlab_url: Option<String>,
    /// Source project, the one with the merge requests: group/name or id
    #[arg(
        long,
        value_name = "P",
        env = "BENCH_BOT_PROJECT",
        hide_env_values = true
    )]
    project: Option<String>,
    /// Project in which the benchmark pipelines run: group/name or id
    #[arg(
        long,
        value_name = "P",
        env = "BENCH_BOT_BENCHMARK_PROJECT",
        hide_env_values = true
    )]
    benchmark_project: Option<String>,
    /// Branch or tag of the benchmark project to run [default: its default branch]
    #[arg(
        long = "ref",
        value_name = "REF",
        env = "BENCH_BOT_REF",
        hide_env_values = true
    )]
    ref_name: Option<String>,
    /// Label that asks for a benchmark; repeatable, or several with commas: each label asks for one of its own
    #[arg(
        long = "label",
        value_name = "NAME",
        env = "BENCH_BOT_LABEL",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "benchmarking"
    )]
    labels: Vec<String>,
    /// Username of the bot, to look at the queue with a token of your own (two with a comma where each project has a bot
    /// user: source, then benchmark project) [default: the token's user]
    #[arg(
        long,
        value_name = "USERNAME",
        env = "BENCH_BOT_USER",
        hide_env_values = true
    )]
    bot: Option<String>,
    /// Which request goes first
    #[arg(
        long,
        env = "BENCH_BOT_ORDER",
        hide_env_values = true,
        default_value = "pipeline"
    )]
    order: Order,
    /// How many benchmarks may be in flight at once, those of other source projects counted
    #[arg(
        long,
        value_name = "N",
        env = "BENCH_BOT_MAX_IN_FLIGHT",
        hide_env_values = true,
        default_value = "1",
        value_parser = number
    )]
    max_in_flight: usize,
    /// A benchmark in flight for longer is stuck, and is cancelled
    #[arg(long, value_name = "DURATION", env = "BENCH_BOT_TIMEOUT", hide_env_values = true, default_value = "24h", value_parser = duration)]
    timeout: Duration,
    /// Benchmark job whose artifacts are the results: the reply links to them [default: none]
    #[arg(
        long,
        value_name = "NAME",
        env = "BENCH_BOT_RESULTS_JOB",
        hide_env_values = true
    )]
    results_job: Option<String>,
    /// Which discussions to resolve once the outcome is told
    #[arg(
        long,
        env = "BENCH_BOT_RESOLVE",
        hide_env_values = true,
        default_value = "never"
    )]
    resolve: Resolve,
    /// How long to wait for each answer
    #[arg(long, value_name = "DURATION", env = "BENCH_BOT_HTTP_TIMEOUT", hide_env_values = true, default_value = "30s", value_parser = duration)]
    http_timeout: Duration,
    /// How often to repeat a request that is safe to repeat (0: never)
    #[arg(
        long,
        value_name = "N",
        env = "BENCH_BOT_RETRIES",
        hide_env_values = true,
        default_value = "4",
        value_parser = number
    )]
    retries: usize,
    /// Send the token over unencrypted http:// to other than this machine
    #[arg(long, env = "BENCH_BOT_ALLOW_HTTP", hide_env_values = true, value_parser = FalseyValueParser::new())]
    allow_http: bool,
    /// How to report
    #[arg(
        long,
        env = "BENCH_BOT_FORMAT",
        hide_env_values = true,
        default_value = "text",
        value_parser = format_of(&["text", "json"])
    )]
    pub format: Format,
}

#[derive(Args, Debug)]
pub struct Benchmark {
    /// Another variable for the benchmark pipeline; repeatable
    #[arg(long = "variable", value_name = "KEY=VALUE", value_parser = variable)]
    variables: Vec<Variable>,
}

impl Benchmark {
    pub fn variables(self) -> Result<Vec<Variable>, WrongSetting> {
        let mut keys = BTreeSet::new();
        match self
            .variables
            .iter()
            .find(|variable| !keys.insert(&variable.key))
        {
            Some(twice) => Err(WrongSetting(format!(
                "--variable {} is given twice",
                twice.key
            ))),
            None => Ok(self.variables),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    /// A page, which `status` alone makes.
    Html,
}

/// All formats are known everywhere, so that one that does not apply can be told from a mistyped one.
fn format_of(applicable: &'static [&'static str]) -> impl TypedValueParser<Value = Format> {
    let word = |word| PossibleValue::new(word).hide(!applicable.contains(&word));
    PossibleValuesParser::new(["text", "json", "html"].map(word)).try_map(|format| {
        match format.as_str() {
            format if !applicable.contains(&format) => {
                Err("only `bench-bot status` makes a page; write text or json")
            }
            "html" => Ok(Format::Html),
            "json" => Ok(Format::Json),
            _ => Ok(Format::Text),
        }
    })
}

/// A setting that has to be changed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongSetting(pub String);

impl Cli {
    /// Parses the command line, or prints help or what is wrong with it, and exits.
    pub fn from_command_line() -> Self {
        Self::try_parse().unwrap_or_else(|error| with_variable(error).exit())
    }
}

/// Names the environment variable besides the flag, since the wrong value may have come from there.
fn with_variable(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let shown = ContextValue::String(without_credentials(value));
        error.insert(ContextKind::InvalidValue, shown);
    }
    let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let flag = named
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned();
    let variable = Cli::command()
        .get_subcommands()
        .flat_map(|command| {
            command
                .get_arguments()
                .filter_map(|argument| {
                    let long = format!("--{}", argument.get_long()?);
                    (long == flag)
                        .then(|| argument.get_env().map(OsString::from))
                        .flatten()
                })
                .collect::<Vec<_>>()
        })
        .next();
    if let Some(variable) = variable {
        let both = format!("{named} ({})", variable.to_string_lossy());
        error.insert(ContextKind::InvalidArg, ContextValue::String(both));
    }
    error
}

/// What is typed into the wrong place can hold a token.
fn without_credentials(text: &str) -> String {
    text.rsplit_once('@')
        .map_or(text.to_owned(), |(_, host)| format!("…@{host}"))
}

/// Longer than this nothing is meant to run, and sums of times stay far from their limits.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

fn number(text: &str) -> Result<usize, &'static str> {
    let number = text.trim().parse();
    number.map_err(|_| "write a whole number, such as 0, 1 or 4")
}

fn duration(text: &str) -> Result<Duration, String> {
    let example = "write it as 30s, 90m, 24h or 7days";
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(format!("it must be longer than nothing: {example}")),
        Ok(duration) if duration > LONGEST => Err(format!("that is too long: {example}")),
        Ok(duration) => Ok(duration),
        Err(_) => Err(example.to_owned()),
    }
}

/// A benchmark variable overrides even GitLab's own, so those are refused, as is the record's.
fn variable(text: &str) -> Result<Variable, String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if key.is_empty() || key.len() > 255 || !key.bytes().all(allowed) {
        return Err("a key consists of letters, digits and _".to_owned());
    }
    let upper = key.to_ascii_uppercase();
    if upper.starts_with(record::PREFIX) {
        return Err(format!("{}… is bench-bot's own record", record::PREFIX));
    }
    if ["CI_", "GITLAB_"]
        .iter()
        .any(|prefix| upper.starts_with(prefix))
        || matches!(upper.as_str(), "CI" | "PATH")
    {
        return Err("it would override a variable that the job itself depends on".to_owned());
    }
    Ok(record::literal(key, value))
}
