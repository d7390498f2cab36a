use std::io::Write;
use std::process::ExitCode;

use bench_bot::cli::{Cli, Environment};
use bench_bot::{Exit, RunOutcome, sanitize};

fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    let level = match cli.verbose {
        0 => "bench_bot=warn",
        1 => "bench_bot=info",
        _ => "bench_bot=debug",
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level))
        .format(|out, record| {
            let message = sanitize::one_line(&record.args().to_string());
            let level = match record.level() {
                log::Level::Warn => "warning".to_owned(),
                level => level.as_str().to_lowercase(),
            };
            writeln!(out, "{level}: {message}")
        })
        .init();
    let ran = bench_bot::run(cli.command, &Environment::of_process());
    let mut ran = ran.unwrap_or_else(|error| RunOutcome::of_error(&error));
    // This removes the colours if there is no terminal or NO_COLOR is set.
    match anstream::stdout().write_all(ran.report.as_bytes()) {
        // The reader has read enough, as in `bench-bot scan | head`.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            ran.errors.push(format!("cannot write the report: {error}"));
            ran.exit = Exit::Failed;
        }
        _ => {}
    }
    for warning in &ran.warnings {
        eprintln!("warning: {}", sanitize::one_line(warning));
    }
    for error in &ran.errors {
        eprintln!("error: {}", sanitize::one_line(error));
    }
    ExitCode::from(ran.exit as u8)
}
