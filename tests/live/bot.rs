//! The program, run as its schedule runs it.

use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::api::INTERRUPTED;
use crate::live::{JOB, Live};
use crate::observations::say;

/// What bench-bot came to.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or(Value::Null)
    }

    pub fn all(&self) -> String {
        format!("exit {}\n{}{}", self.code, self.stdout, self.stderr)
    }
}

impl Live<'_> {
    /// `bench-bot ARGUMENTS`, as its schedule runs it; the exit status is expected to be `code`.
    pub fn bench_bot(&self, arguments: &str, code: i32) -> Result<Ran> {
        ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
        say(format_args!("  $ bench-bot {arguments}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_bench-bot"));
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy().into_owned();
            let is_setting = name.starts_with("BENCH_BOT_") || name.starts_with("CI_");
            if is_setting && name != "CI_SERVER_TLS_CA_FILE" || name == "RUST_LOG" {
                command.env_remove(variable);
            }
        }
        let output = command
            .args(arguments.split_whitespace())
            .env("BENCH_BOT_GITLAB_URL", &self.settings.url)
            .env("BENCH_BOT_TOKEN", &self.bot_token)
            .env("BENCH_BOT_PROJECT", &self.source.path)
            .env("BENCH_BOT_BENCHMARK_PROJECT", &self.benchmarks.path)
            .env("BENCH_BOT_RESULTS_JOB", JOB)
            // What a story that failed left in flight does not keep the next one waiting.
            .env("BENCH_BOT_MAX_IN_FLIGHT", "9")
            .stdin(Stdio::null())
            .output()?;
        let ran = Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        self.seen.expect(
            format_args!("`bench-bot {arguments}` to exit with {code}"),
            ran.code == code,
            ran.all(),
        );
        Ok(ran)
    }

    /// Its report for machines.
    pub fn report(&self, arguments: &str, code: i32) -> Result<Value> {
        let ran = self.bench_bot(&format!("{arguments} --format json"), code)?;
        let report = ran.json();
        let is_report = report["version"] == 1;
        self.seen.expect(
            format_args!("`{arguments}` to print a report"),
            is_report,
            ran.all(),
        );
        Ok(report)
    }
}
