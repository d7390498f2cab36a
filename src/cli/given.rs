//! Collects the settings that were given as flags.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use super::Settings;
use crate::given_flags::GivenFlags;

impl FromArgMatches for GivenFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let settings = Settings::augment_args(Command::new("any"));
        let mut given = Vec::new();
        for setting in settings.get_arguments() {
            let (id, name) = (setting.get_id().as_str(), setting.get_long());
            // The format is about this report alone, and commands differ in those that they have.
            if id == "format" || matches.value_source(id) != Some(ValueSource::CommandLine) {
                continue;
            }
            let flag = format!("--{}", name.unwrap_or_default());
            match setting.get_action().takes_values() {
                true => {
                    let values = matches.get_raw(id).into_iter().flatten();
                    given.extend(
                        values.map(|value| (flag.clone(), Some(value.to_string_lossy().into()))),
                    );
                }
                false => given.push((flag, None)),
            }
        }
        Ok(Self::new(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// It has no flags of its own.
impl Args for GivenFlags {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
