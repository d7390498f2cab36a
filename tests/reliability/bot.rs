//! The program within this process: thousands of runs a minute, without the cost of starting each.

use bench_bot::RunOutcome;
use bench_bot::cli::{Cli, Environment};
use clap::Parser;
use in_memory_gitlab::{BOT_TOKEN, People, Pipeline};
use secrecy::SecretString;

/// One of those that may share a benchmark project: nobody else sees to its requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Installation {
    pub project: &'static str,
    pub labels: &'static [&'static str],
}

pub const SOLE: Installation = Installation {
    project: "acme/engine",
    labels: &["benchmarking"],
};
pub const OF_TWO_LABELS: Installation = Installation {
    project: "acme/engine",
    labels: &["benchmarking", "benchmarking::full"],
};
/// Of the same source project.
pub const OF_ANOTHER_LABEL: Installation = Installation {
    project: "acme/engine",
    labels: &["benchmarking::full"],
};
pub const OF_ANOTHER_PROJECT: Installation = Installation {
    project: "acme/gears",
    labels: &["benchmarking"],
};

impl Installation {
    /// Runs `bench-bot ARGUMENTS` against that GitLab; nothing is repeated, so that each fault is met in full.
    pub fn run(&self, gitlab: &People, arguments: &str) -> RunOutcome {
        let url = gitlab.url();
        let settings = [
            "--gitlab-url",
            url,
            "--project",
            self.project,
            "--benchmark-project",
            "acme/benchmarks",
            "--retries",
            "0",
        ];
        let labels = self.labels.iter().flat_map(|label| ["--label", label]);
        let words = ["bench-bot"]
            .into_iter()
            .chain(arguments.split_whitespace())
            .chain(settings)
            .chain(labels);
        let cli = Cli::try_parse_from(words).expect("the arguments are right");
        let environment = Environment {
            token: Some(SecretString::from(BOT_TOKEN)),
            benchmark_token: None,
            server_url: None,
            ca_file: None,
            is_job: true,
            job_project: None,
        };
        bench_bot::run(cli.command, &environment)
            .unwrap_or_else(|error| RunOutcome::of_error(&error))
    }

    /// Whether that benchmark is of one of its requests.
    pub fn owns(&self, benchmark: &Pipeline) -> bool {
        benchmark.variable("BENCH_PROJECT_PATH") == Some(self.project)
            && benchmark
                .variable("BENCH_LABEL")
                .is_some_and(|label| self.labels.contains(&label))
    }
}

/// All benchmarks in flight have their success, but for those that nobody can end.
pub fn end_all(gitlab: &People) {
    let stuck = gitlab.world().stuck.clone();
    for benchmark in gitlab.benchmarks() {
        if !benchmark.has_ended() && !stuck.contains(&benchmark.id) {
            gitlab.benchmark_ends(benchmark.id, "success");
        }
    }
}
