//! What is installed with the program: completions for shells, and man pages. Both are generated from the flags in [`cli`].
//!
//! [`cli`]: crate::cli

use std::path::Path;

use anyhow::{Context, Result};
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;

pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "bench-bot", &mut script);
    // The bash script spells a name with a hyphen in two ways that do not match:
    // https://github.com/clap-rs/clap/issues/6421
    String::from_utf8_lossy(&script).replace("bench__subcmd__bot", "bench__bot")
}

/// Writes `bench-bot.1`, and a page for each command, into an existing folder.
pub fn man_pages(folder: &Path) -> Result<()> {
    clap_mangen::generate_to(command(), folder)
        .with_context(|| format!("cannot write man pages to {}", folder.display()))
}

/// The command `help` would double each completion and man page, and say nothing that `--help` does not.
fn command() -> Command {
    Cli::command().disable_help_subcommand(true)
}
