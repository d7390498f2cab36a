use std::process::ExitCode;

use bench_bot::cli::Cli;
use bench_bot::{Exit, inert};

fn main() -> ExitCode {
    let cli = Cli::from_command_line();
    let level = match cli.verbose {
        0 => "warn",
        1 => "bench_bot=info",
        _ => "bench_bot=debug",
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(level))
        .format_timestamp(None)
        .format_target(false)
        .init();
    let exit = bench_bot::run(cli.command).unwrap_or_else(|error| {
        eprintln!("error: {}", inert::one_line(&format!("{error:#}")));
        Exit::of(&error)
    });
    ExitCode::from(exit as u8)
}
