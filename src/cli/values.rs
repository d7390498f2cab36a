//! Parses the values of flags.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::gitlab::answer::Variable;
use crate::note::Verdict;
use crate::record;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
    /// An HTML page, which only `status` makes.
    Html,
}

/// All commands know all formats, so that a format that does not apply gets another error than a mistyped one.
pub fn format_of(applicable: &'static [&'static str]) -> impl TypedValueParser<Value = Format> {
    let word = |word| PossibleValue::new(word).hide(!applicable.contains(&word));
    PossibleValuesParser::new(["text", "json", "html"].map(word)).try_map(|format| {
        match format.as_str() {
            format if !applicable.contains(&format) => {
                Err("only `bench-bot status` makes a page; write text or json")
            }
            "html" => Ok(Format::Html),
            "json" => Ok(Format::Json),
            _ => Ok(Format::Text),
        }
    })
}

/// Nothing is meant to run for longer than this, and sums of such times cannot overflow.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

pub fn number(text: &str) -> Result<usize, &'static str> {
    let number = text.trim().parse();
    number.map_err(|_| "write a whole number, such as 0, 1 or 4")
}

pub fn duration(text: &str) -> Result<Duration, String> {
    let example = "write it as 30s, 90m, 24h or 7days";
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(format!("it must be longer than zero: {example}")),
        Ok(duration) if duration > LONGEST => Err(format!("that is too long: {example}")),
        Ok(duration) => Ok(duration),
        Err(_) => Err(example.to_owned()),
    }
}

/// A pipeline variable overrides even GitLab's own, so those are refused, as are the record's.
pub fn variable(text: &str) -> Result<Variable, String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if key.is_empty() || key.len() > 255 || !key.bytes().all(allowed) {
        return Err("a key may contain only letters, digits and _".to_owned());
    }
    let upper = key.to_ascii_uppercase();
    if upper.starts_with(record::PREFIX) {
        return Err(format!(
            "{}… is reserved for bench-bot's record",
            record::PREFIX
        ));
    }
    if ["CI_", "GITLAB_"]
        .iter()
        .any(|prefix| upper.starts_with(prefix))
        || matches!(upper.as_str(), "CI" | "PATH")
    {
        return Err("it would override a variable that the job depends on".to_owned());
    }
    Ok(record::literal(key, value))
}

pub fn verdict_label(text: &str) -> Result<(Verdict, String), &'static str> {
    let (word, name) = text.split_once('=').unwrap_or_default();
    let verdict = Verdict::from_str(word.trim(), false);
    match (verdict, name.trim()) {
        (Ok(verdict), name) if !name.is_empty() => Ok((verdict, name.to_owned())),
        _ => Err(
            "write a verdict (better, worse, mixed or noise), an equals sign and a label, such as worse=perf::worse",
        ),
    }
}
