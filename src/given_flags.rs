//! Command lines in hints. They repeat the flags that were given, so that they can be pasted.

use crate::sanitize::one_line;

/// The settings that were given as flags, ready for a POSIX shell. What comes from the environment is not among them:
/// the next command finds it there as well.
#[derive(Clone, Debug, Default)]
pub struct GivenFlags(String);

impl GivenFlags {
    /// Each flag by its name, with its value if it takes one.
    pub fn new(flags: impl IntoIterator<Item = (String, Option<String>)>) -> Self {
        let words = flags.into_iter().map(|(name, value)| match value {
            // With a space instead of `=`, a value that begins with a hyphen would be taken for a flag.
            Some(value) => format!(" {name}={}", quoted(&one_line(&value))),
            None => format!(" {name}"),
        });
        Self(words.collect())
    }

    /// A command line in backticks, for a command that takes all settings.
    pub fn command(&self, command: &str) -> String {
        format!("`bench-bot {command}{}`", self.0)
    }
}

fn quoted(value: &str) -> String {
    // Only a NUL cannot be quoted, and it has been replaced.
    shlex::try_quote(value).map_or(String::new(), |quoted| quoted.into_owned())
}
