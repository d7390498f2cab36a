//! The program within this process: thousands of runs a minute, without the cost of starting each.

use bench_bot::RunOutcome;
use bench_bot::cli::{Cli, Environment};
use clap::Parser;
use in_memory_gitlab::{BOT_TOKEN, People};
use secrecy::SecretString;

/// Runs `bench-bot ARGUMENTS` against that GitLab; nothing is repeated, so that each fault is met in full.
pub fn run(gitlab: &People, arguments: &str) -> RunOutcome {
    let url = gitlab.url();
    let settings = [
        "--gitlab-url",
        url,
        "--project",
        "acme/engine",
        "--benchmark-project",
        "acme/benchmarks",
        "--retries",
        "0",
    ];
    let words = ["bench-bot"]
        .into_iter()
        .chain(arguments.split_whitespace())
        .chain(settings);
    let cli = Cli::try_parse_from(words).expect("the arguments are right");
    let environment = Environment {
        token: Some(SecretString::from(BOT_TOKEN)),
        benchmark_token: None,
        server_url: None,
        ca_file: None,
        is_job: true,
    };
    bench_bot::run(cli.command, &environment).unwrap_or_else(|error| RunOutcome::of_error(&error))
}

/// All benchmarks in flight have their success.
pub fn end_all(gitlab: &People) {
    for benchmark in gitlab.benchmarks() {
        if !benchmark.has_ended() {
            gitlab.benchmark_ends(benchmark.id, "success");
        }
    }
}
