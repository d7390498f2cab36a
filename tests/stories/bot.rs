//! The program, run as a pipeline or a person would run it.

use std::process::{Child, Command, Output, Stdio};

use in_memory_gitlab::{BOT_TOKEN, Gitlab, Mr, People, Request};
use serde_json::Value;

/// A command line about to be run in an environment of its own.
pub struct Bot(Command);

/// One that has begun.
pub struct Running(Child);

pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// `bench-bot ARGUMENTS`, without any settings.
pub fn bare(arguments: &str) -> Bot {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench-bot"));
    command.args(arguments.split_whitespace());
    without_settings(command)
}

fn without_settings(mut command: Command) -> Bot {
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy().into_owned();
        if name.starts_with("BENCH_BOT_") || name.starts_with("CI") || name == "RUST_LOG" {
            command.env_remove(variable);
        }
    }
    Bot(command)
}

/// `bench-bot ARGUMENTS` in a job, with the settings that its team gave it.
pub fn bot(gitlab: &People, arguments: &str) -> Bot {
    in_job(bare(arguments), gitlab)
}

fn in_job(bot: Bot, gitlab: &People) -> Bot {
    bot.env("CI", "true")
        .env("BENCH_BOT_GITLAB_URL", gitlab.url())
        .env("BENCH_BOT_TOKEN", BOT_TOKEN)
        .env("BENCH_BOT_PROJECT", "acme/engine")
        .env("BENCH_BOT_BENCHMARK_PROJECT", "acme/benchmarks")
        .env("BENCH_BOT_RETRIES", "0")
}

/// The first command line that a text names, as a person pastes it into a shell.
pub fn pasted(gitlab: &People, text: &str) -> Bot {
    let (_, command) = text.split_once("`bench-bot").expect("a command line");
    let (arguments, _) = command.split_once('`').expect("its end");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("\"$0\"{arguments}")]);
    shell.arg(env!("CARGO_BIN_EXE_bench-bot"));
    in_job(without_settings(shell), gitlab)
}

/// Runs it, and expects it to succeed.
pub fn run(gitlab: &People, arguments: &str) -> Ran {
    bot(gitlab, arguments).succeeds()
}

/// Its report, as a machine reads it.
pub fn json(gitlab: &Gitlab, arguments: &str) -> Value {
    run(gitlab, &format!("{arguments} --format json")).json()
}

/// What was written to GitLab, one line each.
pub fn writes(gitlab: &Gitlab) -> Vec<String> {
    gitlab.writes().iter().map(Request::to_string).collect()
}

/// The newest note.
pub fn last_word(mr: &Mr) -> String {
    mr.notes().pop().expect("something was said").body
}

/// A merge request whose benchmark is in flight, and the benchmark's id.
pub fn in_flight(gitlab: &Gitlab) -> (Mr, u64) {
    let mr = gitlab.mr("speed-up").passed().labelled();
    run(gitlab, "scan");
    let benchmark = gitlab.benchmarks().pop().expect("it was started");
    gitlab.benchmark_runs(benchmark.id);
    (mr, benchmark.id)
}

impl Bot {
    pub fn env(mut self, variable: &str, value: &str) -> Self {
        self.0.env(variable, value);
        self
    }

    pub fn without(mut self, variable: &str) -> Self {
        self.0.env_remove(variable);
        self
    }

    /// One argument, spaces and all.
    pub fn arg(mut self, argument: &str) -> Self {
        self.0.arg(argument);
        self
    }

    pub fn starts(mut self) -> Running {
        let piped = self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(piped.spawn().expect("the program is built"))
    }

    pub fn runs(self) -> Ran {
        self.starts().ends()
    }

    #[track_caller]
    pub fn succeeds(self) -> Ran {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, code: i32) -> Ran {
        let ran = self.runs();
        assert_eq!(
            ran.code, code,
            "stdout:\n{}\nstderr:\n{}",
            ran.stdout, ran.stderr
        );
        ran
    }
}

impl Running {
    /// Ctrl-C.
    pub fn interrupt(&self) {
        let pid = self.0.id().try_into().expect("a process id");
        // SAFETY: a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
    }

    /// With the most memory that it had at a time, in kB.
    pub fn ends_with_peak(mut self) -> (Ran, u64) {
        let status = format!("/proc/{}/status", self.0.id());
        let mut peak = 0;
        while let Ok(None) = self.0.try_wait() {
            let status = std::fs::read_to_string(&status).unwrap_or_default();
            let high = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
            peak = high
                .and_then(|high| high.trim().parse().ok())
                .unwrap_or(peak);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        (self.ends(), peak)
    }

    pub fn ends(self) -> Ran {
        let Output {
            stdout,
            stderr,
            status,
        } = self.0.wait_with_output().expect("it can be waited for");
        Ran {
            stdout: String::from_utf8(stdout).expect("reports are UTF-8"),
            stderr: String::from_utf8(stderr).expect("errors are UTF-8"),
            code: status.code().expect("it ends by itself"),
        }
    }
}

impl Ran {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("the report is JSON")
    }

    /// Standard error: exactly one line, as bad input deserves.
    #[track_caller]
    pub fn complaint(&self) -> &str {
        let line = self.stderr.trim_end();
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    }
}
