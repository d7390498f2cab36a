//! What the benches have in common: the program, and a GitLab for it.

use std::env;
use std::process::Command;
use std::time::Duration;

use in_memory_gitlab::{BOT_TOKEN, ExternalUrl, Gitlab, Mr};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_bench-bot");

pub fn gitlab() -> Gitlab {
    Gitlab::builder()
        .external_url(ExternalUrl::Loopback)
        .start()
}

/// Labelled merge requests whose pipelines have passed; the last one's started first.
pub fn ready(gitlab: &Gitlab, count: usize) -> Vec<Mr> {
    let mr = |_| gitlab.mr("faster").passed().labelled();
    let mrs: Vec<Mr> = (0..count).map(mr).collect();
    if let Some(last) = mrs.last() {
        last.pipeline_started(24 * 60);
    }
    mrs
}

/// A program with bench-bot's settings, and nothing else from this environment but where programs are.
pub fn program(path: &str, gitlab: &Gitlab, arguments: &str) -> Command {
    let mut command = Command::new(path);
    command.env_clear();
    command.env("PATH", env::var_os("PATH").unwrap_or_default());
    command.env("BENCH_BOT_GITLAB_URL", gitlab.url());
    command.env("BENCH_BOT_TOKEN", BOT_TOKEN);
    command.env("BENCH_BOT_PROJECT", "acme/engine");
    command.env("BENCH_BOT_BENCHMARK_PROJECT", "acme/benchmarks");
    command.args(arguments.split_whitespace());
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// User and system time of all that have ended.
pub fn cpu_of_children() -> Duration {
    // SAFETY: `rusage` is plain numbers, which the call fills in.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let micros = |time: libc::timeval| time.tv_sec as u64 * 1_000_000 + time.tv_usec as u64;
    Duration::from_micros(micros(usage.ru_utime) + micros(usage.ru_stime))
}
