use std::io::Write;
use std::process::ExitCode;

use bench_bot::cli::{Cli, Environment};
use bench_bot::{Exit, RunOutcome, commands, report, sanitize};

fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    let level = match cli.verbose {
        0 => "bench_bot=warn",
        1 => "bench_bot=info",
        _ => "bench_bot=debug",
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level))
        .format(|out, record| {
            let level = match record.level() {
                log::Level::Warn => "warning".to_owned(),
                level => level.as_str().to_lowercase(),
            };
            writeln!(out, "{}", said(&level, &record.args().to_string()))
        })
        .target(env_logger::Target::Pipe(Box::new(AboveProgress)))
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
        eprintln!("{}", said("warning", warning));
    }
    for error in &ran.errors {
        eprintln!("{}", said("error", error));
    }
    ExitCode::from(ran.exit as u8)
}

/// On a terminal it wraps at words; elsewhere it stays a line, which can be searched for.
fn said(level: &str, text: &str) -> String {
    let line = format!("{level}: {}", sanitize::one_line(text));
    match terminal_size::terminal_size_of(std::io::stderr()) {
        Some((width, _)) => report::wrapped(&line, usize::from(width.0), "  ".len()),
        None => line,
    }
}

/// Standard error, where a line must not be drawn over by what shows how far a run is.
struct AboveProgress;

impl Write for AboveProgress {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        commands::PROGRESS.suspend(|| std::io::stderr().write(line))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
