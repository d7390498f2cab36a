//! Layout of text: colours, columns, durations and ages.

use std::fmt::Write;
use std::iter;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, TimeDelta, Utc};
use textwrap::core::Word;
use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_width::UnicodeWidthStr;

use crate::sanitize::one_line;

pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GREEN: Style = AnsiColor::Green.on_default();
pub const RED: Style = AnsiColor::Red.on_default();

/// The screen that shows a report for people.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// In columns.
    pub width: usize,
    /// Whether it can show links. Otherwise URLs get lines of their own.
    pub links: bool,
}

/// A piece of a line.
pub struct Cell<'a> {
    pub text: String,
    pub style: Style,
    pub link: Option<&'a str>,
}

impl<'a> Cell<'a> {
    pub fn of(text: impl Into<String>) -> Self {
        Self {
            text: one_line(&text.into()),
            style: Style::new(),
            link: None,
        }
    }

    pub fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }

    pub fn linked(self, url: &'a str) -> Self {
        let link = Some(url);
        Self { link, ..self }
    }

    /// Padded to this width.
    pub fn shown(&self, width: usize, screen: Screen) -> String {
        let Self { text, style, .. } = self;
        let padding = " ".repeat(width.saturating_sub(text.width()));
        match self.link.filter(|_| screen.links).map(one_line) {
            None => format!("{style}{text}{style:#}{padding}"),
            Some(url) => {
                format!("\x1b]8;;{url}\x1b\\{style}{text}{style:#}\x1b]8;;\x1b\\{padding}")
            }
        }
    }
}

pub fn line(out: &mut String, style: Style, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{style}{text}{style:#}");
}

pub fn paragraph(out: &mut String, sentence: &str, width: usize) {
    let _ = writeln!(out, "  {}", wrapped(sentence, width, 2));
}

/// Wraps text into lines of at most `width`, and indents all but the first. A longer word, such as a URL, stays whole, and
/// so does a command line, since a line break would end it where it is pasted.
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let options = Options::new(width.saturating_sub(indent))
        .break_words(false)
        .word_separator(WordSeparator::Custom(|line| Box::new(words(line))))
        .word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text.trim(), options).join("\n");
    lines.replace('\n', &format!("\n{:indent$}", ""))
}

/// Words with the spaces after them. A command line in backticks counts as one word.
fn words(mut rest: &str) -> impl Iterator<Item = Word<'_>> {
    iter::from_fn(move || {
        let command = rest
            .strip_prefix("`bench-bot ")
            .and_then(|command| command.find('`'));
        let from = command.map_or(0, |length| "`bench-bot ".len() + length);
        let end = rest[from..].find(' ').map_or(rest.len(), |at| from + at);
        let spaces = rest[end..].find(|c| c != ' ');
        let (word, after) = rest.split_at(spaces.map_or(rest.len(), |spaces| end + spaces));
        rest = after;
        (!word.is_empty()).then(|| Word::from(word))
    })
}

/// Cuts text to at most `width` columns.
pub fn shortened(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let whole = Word::from(text);
    let first = whole.break_apart(width.saturating_sub(1)).next();
    format!("{}…", first.map_or("", |part| part.word))
}

/// A duration in at most two units.
pub fn lasting(time: TimeDelta) -> String {
    let seconds = time.num_seconds().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |big: i64, unit: &str, small: i64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit} {small}{small_unit}"),
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m"),
        3600..172_800 => two(hours, "h", minutes % 60, "m"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// A time of day, with the day if that is another.
pub fn clock(now: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let format = match now.date_naive() == at.date_naive() {
        true => "%H:%M UTC",
        false => "%a %H:%M UTC",
    };
    at.format(format).to_string()
}

/// An age in a single unit.
pub fn ago(now: DateTime<Utc>, then: DateTime<Utc>) -> String {
    let passed = (now - then).max(TimeDelta::zero());
    let (number, unit) = match passed.num_minutes() {
        0 => (passed.num_seconds(), 's'),
        minutes @ 1..120 => (minutes, 'm'),
        minutes @ 120..2880 => (minutes / 60, 'h'),
        minutes => (minutes / 1440, 'd'),
    };
    format!("{number}{unit} ago")
}
