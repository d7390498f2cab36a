//! Flags and environment. They are checked here, once: no other module sees a flag.

mod given;
mod mr_name;
mod resolve;
mod values;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

pub use self::mr_name::MrName;
pub use self::resolve::{Config, Environment, RUN_TIME};
pub use self::values::Format;
use self::values::{duration, format_of, number, variable, verdict_label};
use crate::gitlab::answer::Variable;
use crate::given_flags::GivenFlags;
use crate::note::Verdict;
use crate::plan::{Announce, OnPush, Order, Resolve};

/// Benchmarks merge requests on demand: a label on a merge request starts a pipeline in a benchmark project.
///
/// Tokens are read from BENCH_BOT_TOKEN and, where the benchmark project needs another,
/// BENCH_BOT_BENCHMARK_TOKEN, never from the command line.
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
    /// Log what it does to standard error; -vv also logs GitLab's responses [env: RUST_LOG]
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
        /// Start regardless of the state of its pipeline, and of pushes to its fork after the label was added
        #[arg(long)]
        force: bool,
        /// Wait until the benchmark ends, then post the outcome as reconcile does
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        writing: Writing,
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        benchmark: Benchmark,
    },
    /// Post the outcome of benchmarks that have ended, and repair what an interrupted run left
    Reconcile {
        /// Look further back than --timeout, after an outage [example: 7days]
        #[arg(long, value_name = "DURATION", value_parser = duration)]
        since: Option<Duration>,
        #[command(flatten)]
        writing: Writing,
        #[command(flatten)]
        settings: Settings,
    },
    /// Show what is in flight, queued and waiting, and what ended recently, as text, JSON or an HTML page
    #[command(
        mut_arg("format", |format| format.value_parser(format_of(&["text", "json", "html"]))),
        mut_group("ChosenMr", |group| group.required(false)),
        mut_arg("mr", |mr| mr.help("Explain one merge request instead (its number, URL or branch): why nothing happens, and \
                                    who can change that"))
    )]
    Status {
        #[command(flatten)]
        mr: Option<ChosenMr>,
        /// How far to look back for benchmarks that have ended
        #[arg(long, value_name = "DURATION", default_value = "7days", value_parser = duration)]
        since: Duration,
        #[command(flatten)]
        settings: Settings,
    },
    /// Check tokens, roles, labels and project settings, and say how to fix each problem
    #[command(
        mut_arg("order", |arg| arg.hide(true)),
        mut_arg("on_push", |arg| arg.hide(true)),
        mut_arg("announce", |arg| arg.hide(true)),
        mut_arg("verdict_labels", |arg| arg.hide(true))
    )]
    Doctor {
        /// Create missing labels
        #[arg(long)]
        fix: bool,
        /// Test what no setting shows: start a pipeline in the benchmark project, read it back and cancel it
        #[arg(long)]
        rehearse: bool,
        /// With --rehearse: let the pipeline run to its end instead, and pass on what it says of its machine
        #[arg(long, requires = "rehearse")]
        wait: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the man pages into a folder
    #[command(hide = true)]
    Man { folder: PathBuf },
}

/// One merge request, as a positional argument or with `--mr`.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct ChosenMr {
    /// The merge request: its number, URL or branch
    #[arg(value_name = "MR")]
    mr: Option<MrName>,
    /// The same as MR
    #[arg(long = "mr", id = "mr_flag", value_name = "MR")]
    flag: Option<MrName>,
}

impl ChosenMr {
    /// Whichever of the two was given.
    pub fn name(&self) -> Option<&MrName> {
        self.mr.as_ref().or(self.flag.as_ref())
    }
}

/// For the commands that write.
#[derive(Args, Debug)]
pub struct Writing {
    /// Write nothing: report what would be done
    #[arg(long)]
    pub dry_run: bool,
}

// `--help` shows these comments verbatim, so a URL must not have brackets around it.
#[allow(rustdoc::bare_urls)]
#[derive(Args, Debug)]
pub struct Settings {
    /// Before the others, which clap takes out of the matches one by one.
    #[command(flatten)]
    given_flags: GivenFlags,
    /// URL of the GitLab server [default: $CI_SERVER_URL, else https://gitlab.com]
    #[arg(
        long,
        value_name = "URL",
        env = "BENCH_BOT_GITLAB_URL",
        hide_env_values = true
    )]
    gitlab_url: Option<String>,
    /// The source project, which has the merge requests: group/name or id
    #[arg(
        long,
        value_name = "P",
        env = "BENCH_BOT_PROJECT",
        hide_env_values = true
    )]
    project: Option<String>,
    /// The benchmark project, in which the benchmark pipelines run: group/name or id
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
    /// Label that requests a benchmark; repeatable, or several separated by commas: each label is a request of its own
    #[arg(
        long = "label",
        value_name = "NAME",
        env = "BENCH_BOT_LABEL",
        hide_env_values = true,
        value_delimiter = ',',
        default_value = "benchmarking"
    )]
    labels: Vec<String>,
    /// Username of the bot, for looking at the queue with your own token (two separated by a comma if each project has its
    /// own bot user: first the source project's) [default: the token's user]
    #[arg(
        long,
        value_name = "USERNAME",
        env = "BENCH_BOT_USER",
        hide_env_values = true
    )]
    bot: Option<String>,
    /// Which request starts first
    #[arg(
        long,
        env = "BENCH_BOT_ORDER",
        hide_env_values = true,
        default_value = "pipeline"
    )]
    order: Order,
    /// How many benchmarks may be in flight at once, including those of other source projects (0 pauses)
    #[arg(
        long,
        value_name = "N",
        env = "BENCH_BOT_MAX_IN_FLIGHT",
        hide_env_values = true,
        default_value = "1",
        value_parser = number
    )]
    max_in_flight: usize,
    /// A benchmark that is in flight for longer is stuck, and is cancelled
    #[arg(long, value_name = "DURATION", env = "BENCH_BOT_TIMEOUT", hide_env_values = true, default_value = "24h", value_parser = duration)]
    timeout: Duration,
    /// What a push does to the benchmark of an older commit
    #[arg(
        long,
        env = "BENCH_BOT_ON_PUSH",
        hide_env_values = true,
        default_value = "keep"
    )]
    on_push: OnPush,
    /// How to announce a request before its benchmark starts
    #[arg(
        long,
        env = "BENCH_BOT_ANNOUNCE",
        hide_env_values = true,
        default_value = "emoji"
    )]
    pub announce: Announce,
    /// Benchmark job whose artifacts are the results, to which the reply links [default: none]
    #[arg(
        long,
        value_name = "NAME",
        env = "BENCH_BOT_RESULTS_JOB",
        hide_env_values = true
    )]
    results_job: Option<String>,
    /// A file among the results, to which the reply links instead of to all of them [example: report/index.html]
    #[arg(
        long,
        value_name = "PATH",
        env = "BENCH_BOT_RESULTS_FILE",
        hide_env_values = true
    )]
    results_file: Option<String>,
    /// Which discussions to resolve when the outcome is posted
    #[arg(
        long,
        env = "BENCH_BOT_RESOLVE",
        hide_env_values = true,
        default_value = "never"
    )]
    resolve: Resolve,
    /// Label to set for a verdict, such as worse=perf::worse; repeatable, or several separated by commas [default: none]
    #[arg(
        long = "verdict-label",
        value_name = "VERDICT=NAME",
        env = "BENCH_BOT_VERDICT_LABEL",
        hide_env_values = true,
        value_delimiter = ',',
        value_parser = verdict_label
    )]
    verdict_labels: Vec<(Verdict, String)>,
    /// How long to wait for each response
    #[arg(long, value_name = "DURATION", env = "BENCH_BOT_HTTP_TIMEOUT", hide_env_values = true, default_value = "30s", value_parser = duration)]
    http_timeout: Duration,
    /// How often to retry a request that is safe to repeat (0: never)
    #[arg(
        long,
        value_name = "N",
        env = "BENCH_BOT_RETRIES",
        hide_env_values = true,
        default_value = "4",
        value_parser = number
    )]
    retries: usize,
    /// Send the token over unencrypted http:// to other machines than this one
    #[arg(long, env = "BENCH_BOT_ALLOW_HTTP", hide_env_values = true, value_parser = FalseyValueParser::new())]
    allow_http: bool,
    /// Format of the report
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
    /// An additional variable for the benchmark pipeline; repeatable
    #[arg(long = "variable", value_name = "KEY=VALUE", value_parser = variable)]
    variables: Vec<Variable>,
}

impl Benchmark {
    pub fn variables(self) -> Result<Vec<Variable>, WrongSetting> {
        let mut keys = BTreeSet::new();
        let mut all = self.variables.iter().map(|variable| &variable.key);
        match all.find(|key| !keys.insert(*key)) {
            Some(twice) => Err(WrongSetting(format!("--variable {twice} is given twice"))),
            None => Ok(self.variables),
        }
    }
}

/// Somebody has to change a setting.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongSetting(pub String);

impl Cli {
    /// Parses the command line. If it is wrong or asks for help, prints that and exits.
    pub fn from_command_line() -> Self {
        Self::try_parse().unwrap_or_else(|error| with_variable(error).exit())
    }
}

/// Names the environment variable in addition to the flag, since the wrong value may have come from there.
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

/// A value in the wrong place may contain a token.
fn without_credentials(text: &str) -> String {
    text.rsplit_once('@')
        .map_or(text.to_owned(), |(_, host)| format!("…@{host}"))
}
