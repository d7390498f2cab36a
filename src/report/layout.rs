//! Layout of text: colours, columns, durations and ages.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, TimeDelta, Utc};
use textwrap::core::Word;
use textwrap::{Options, WordSplitter};
use unicode_width::UnicodeWidthStr;

pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GREEN: Style = AnsiColor::Green.on_default();
pub const RED: Style = AnsiColor::Red.on_default();

pub fn line(out: &mut String, style: Style, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{style}{text}{style:#}");
}

pub fn paragraph(out: &mut String, sentence: &str, width: usize) {
    let _ = writeln!(out, "  {}", wrapped(sentence, width, 2));
}

/// Wraps text into lines of at most `width`, and indents all but the first. A longer word, such as a URL, stays whole.
pub fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let options = Options::new(width.saturating_sub(indent))
        .break_words(false)
        .word_splitter(WordSplitter::NoHyphenation);
    let text: Vec<&str> = text.split_whitespace().collect();
    let lines = textwrap::wrap(&text.join(" "), options).join("\n");
    lines.replace('\n', &format!("\n{:indent$}", ""))
}

pub fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
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
