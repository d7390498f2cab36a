//! Folds what a benchmark has to say beyond its first line, as text that cannot act.

use super::words::code;

/// In bytes of Markdown. JSON may take six times that, and a note has to stay readable for the client.
const LONGEST: usize = 8 << 10;

/// Keeps tables, and puts everything else into inline code, so that it neither mentions, links nor acts.
pub(super) fn folded(text: &str) -> String {
    let mut shown = String::new();
    for line in text.lines().filter(|line| !is_fold(line)).map(inert) {
        if shown.len() + line.len() > LONGEST {
            shown += "\nThe rest is in the artifacts.\n";
            break;
        }
        shown += &line;
        shown.push('\n');
    }
    match shown.trim() {
        "" => String::new(),
        shown => {
            format!("\n\n<details><summary>All figures</summary>\n\n{shown}\n\n</details>")
        }
    }
}

/// In the reply all of it is folded, and a fold within would show as text.
fn is_fold(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("<details") || line.starts_with("</details")
}

/// Any line with a `|` can be a row of a table, whose cells Markdown separates before it looks for code.
fn inert(line: &str) -> String {
    let as_code = |text: &str| match text {
        "" => String::new(),
        text => code(text),
    };
    let line = line.trim();
    if !line.contains('|') {
        return as_code(line);
    }
    let row = line.strip_prefix('|').unwrap_or(line);
    let row = row.strip_suffix('|').unwrap_or(row);
    let cells = row.split('|').map(str::trim);
    let is_rule = |cell: &str| cell.contains('-') && cell.chars().all(|c| matches!(c, '-' | ':'));
    let cells: Vec<String> = match cells.clone().all(is_rule) {
        true => cells.map(str::to_owned).collect(),
        false => cells.map(as_code).collect(),
    };
    format!("| {} |", cells.join(" | "))
}
