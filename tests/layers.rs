//! Modules use only what lies below them, so that a reader knows where to look: what is named first here may use what
//! comes after it.

use std::fs;
use std::path::{Path, PathBuf};

const LAYERS: [&[&str]; 11] = [
    &["main", "lib"],
    &["commands"],
    &["run_outcome"],
    &["cli"],
    &["report"],
    &["setup"],
    &["act"],
    &["plan", "survey"],
    DATA,
    &["gitlab", "given_flags"],
    &["id", "sanitize"],
];
/// They describe one another: what was read, and what the bot has written.
const DATA: &[&str] = &["snapshot", "record", "note", "milestones"];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

fn layer(module: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&module));
    found.unwrap_or_else(|| panic!("{module} is in no layer"))
}

/// The modules that are named after `crate::`.
fn used(text: &str) -> Vec<String> {
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: Vec<&str> = code.collect();
    let code = code.join("\n");
    let name = |rest: &str| {
        let is_part = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        rest.chars().take_while(is_part).collect::<String>()
    };
    code.split("crate::").skip(1).map(name).collect()
}

#[test]
fn modules_use_what_lies_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in files(&src) {
        let relative = file.strip_prefix(&src).expect("below src");
        let first = relative.iter().next().expect("a name").to_string_lossy();
        let module = first.trim_end_matches(".rs");
        let text = fs::read_to_string(&file).expect("a text");
        for other in used(&text) {
            let (from, to) = (layer(module), layer(&other));
            let is_data = |module: &str| DATA.contains(&module);
            let allowed = from < to || module == other || (is_data(module) && is_data(&other));
            assert!(
                allowed,
                "{} uses {other}, which lies above it",
                relative.display()
            );
        }
    }
}

#[test]
fn no_file_is_longer_than_can_be_read_at_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in files(&root.join("src")) {
        let lines = fs::read_to_string(&file).expect("a text").lines().count();
        assert!(lines <= 400, "{} has {lines} lines", file.display());
    }
}
