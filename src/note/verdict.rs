//! What a benchmark says of its commit. The benchmark project judges; bench-bot passes the word on.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Better,
    Worse,
    /// Some figures are better, others worse.
    Mixed,
    /// No change that could be told from noise.
    Noise,
}

impl Verdict {
    /// Reads it from the first line of a summary: the word, a colon, and the rest of the line.
    pub fn of(line: &str) -> Option<(Self, &str)> {
        let (word, rest) = line.split_once(':')?;
        let all = Self::value_variants().iter();
        let verdict = all.copied().find(|verdict| verdict.word() == word)?;
        Some((verdict, rest.trim()))
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Mixed => "mixed",
            Self::Noise => "noise",
        }
    }

    /// What stands first in the reply, since people read three words.
    pub(super) fn lead(self) -> &'static str {
        match self {
            Self::Better => "🟢 **Better**",
            Self::Worse => "🔴 **Worse**",
            Self::Mixed => "🟡 **Mixed**",
            Self::Noise => "⚪ **Noise**",
        }
    }

    /// Whether the commit slows nothing down.
    pub fn is_harmless(self) -> bool {
        matches!(self, Self::Better | Self::Noise)
    }
}
