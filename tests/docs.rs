//! What is written for people is so: links lead somewhere, flags and inputs exist, and messages are said.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All pages, by their paths from the root.
fn pages() -> BTreeMap<PathBuf, String> {
    let folders = ["", "docs"].map(|folder| root().join(folder));
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    pages
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a page is text");
            let path = path.strip_prefix(root()).expect("it is below the root");
            (path.to_owned(), text)
        })
        .collect()
}

/// The anchors of its headings. GitLab and GitHub make the same of them as long as no blanks or hyphens meet.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors = Vec::new();
    let mut heading: Option<String> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let heading = heading.take().unwrap_or_default().to_lowercase();
                let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
                let anchor: String = heading.chars().filter(kept).collect();
                anchors.push(anchor.replace(' ', "-"));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    anchors
}

fn links(text: &str) -> Vec<String> {
    let links = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.into_string())
        }
        _ => None,
    });
    links.collect()
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut checked = 0;
    for (page, text) in &pages {
        for link in links(text) {
            if link.contains("://") {
                assert!(link.starts_with("https://"), "{page:?}: {link}");
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => page.clone(),
                path => plain(&page.parent().unwrap_or(Path::new("")).join(path)),
            };
            assert!(root().join(&target).exists(), "{page:?}: {link}");
            if !anchor.is_empty() {
                let anchors = anchors(pages.get(&target).map_or("", String::as_str));
                assert!(anchors.iter().any(|one| one == anchor), "{page:?}: {link}");
            }
            checked += 1;
        }
    }
    assert!(checked > 50, "{checked} links");
}

#[test]
fn every_heading_has_an_anchor_of_its_own() {
    for (page, text) in pages() {
        // Each version has the same headings there.
        if page.ends_with("CHANGELOG.md") {
            continue;
        }
        let anchors = anchors(&text);
        let different: BTreeSet<&String> = anchors.iter().collect();
        assert_eq!(different.len(), anchors.len(), "{page:?}: {anchors:?}");
        let odd = anchors.iter().find(|anchor| anchor.contains("--"));
        assert_eq!(odd, None, "{page:?}");
    }
}

#[test]
fn every_page_is_in_the_index_and_the_readme() {
    let (index, readme) = (read("docs/README.md"), read("README.md"));
    for page in pages().keys().filter(|page| page.starts_with("docs")) {
        let name = page.file_name().unwrap_or_default().to_string_lossy();
        if name != "README.md" {
            assert!(index.contains(&format!("({name})")), "{name}");
            assert!(readme.contains(&format!("(docs/{name})")), "{name}");
        }
    }
}

#[test]
fn the_readme_is_short() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= 200);
    assert!(readme.len() <= 9_000, "{} bytes", readme.len());
}

fn help() -> String {
    let of = |command: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_bench-bot"));
        let output = program.args([command, "--help"]).output();
        String::from_utf8(output.expect("it runs").stdout).expect("help is text")
    };
    ["scan", "trigger", "reconcile", "status", "doctor"]
        .map(of)
        .join("\n")
}

/// Flags and environment variables.
fn names(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.split(|c| !is_name(c))
        .filter(|word| word.starts_with("--") && word.len() > 3 || word.starts_with("BENCH_BOT_"))
        .filter(|word| !["--help", "--verbose"].contains(word) && !word.starts_with("---"))
        .collect()
}

#[test]
fn the_settings_are_those_of_the_program() {
    let (help, page) = (help(), read("docs/settings.md"));
    let mut known = names(&help);
    known.extend(["BENCH_BOT_TOKEN", "BENCH_BOT_BENCHMARK_TOKEN"]);
    assert_eq!(names(&page), known);
}

/// The inputs given to the component in an example.
fn inputs(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut indent = None;
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        match indent {
            _ if line.trim() == "inputs:" => indent = Some(depth),
            Some(of) if depth > of => found.extend(line.split(':').next().map(str::trim)),
            _ => indent = None,
        }
    }
    found
}

#[test]
fn the_examples_fit_the_component() {
    let component = read("templates/bench-bot.yml");
    let (spec, _) = component.split_once("\n---\n").expect("it has a header");
    let version = concat!("/bench-bot@", env!("CARGO_PKG_VERSION"), "\n");
    let mut examples = 0;
    for (page, text) in pages() {
        for (position, _) in text.match_indices("- component: ") {
            let example = text[position..].split("```").next().unwrap_or_default();
            if example.contains("/wake@") {
                continue;
            }
            assert!(example.contains(version), "{page:?}");
            assert!(example.contains("results-job: benchmark"), "{page:?}");
            let pinned = ["releases: ", "image: "].map(|way| example.contains(way));
            assert_ne!(pinned[0], pinned[1], "{page:?}");
            let checksum = ["sha256: \"…\"", "@sha256:…"];
            assert!(checksum.iter().any(|one| example.contains(one)), "{page:?}");
            let inputs = inputs(example);
            assert!(inputs.len() >= 4, "{page:?}: {inputs:?}");
            for input in inputs {
                let known = spec.contains(&format!("\n    {input}:\n"));
                assert!(known, "{page:?}: there is no input {input}");
            }
            examples += 1;
        }
    }
    assert_eq!(examples, 4);
}

#[test]
fn the_example_fits_the_component_that_wakes() {
    let component = read("templates/wake.yml");
    let (spec, _) = component.split_once("\n---\n").expect("it has a header");
    let version = concat!("/tools/bench-bot/wake@", env!("CARGO_PKG_VERSION"), "\n");
    for text in [read("docs/set-up.md"), component.replace("#", "")] {
        let (_, example) = text.split_once(version).expect("it has an example");
        let example = example.split("\n\n").next().unwrap_or_default();
        let example = example.split("```").next().unwrap_or_default();
        assert_eq!(inputs(example), ["automation-project"]);
    }
    assert!(spec.contains("\n    automation-project:\n"));
}

/// In the text of Rust files, where strings may be broken over lines.
fn sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        text += &match path.is_dir() {
            true => sources(&path),
            false => fs::read_to_string(&path).unwrap_or_default(),
        };
    }
    text
}

#[test]
fn what_is_explained_is_what_is_said() {
    let folders =
        ["src", "templates", "tests/gitlab/src"].map(|folder| sources(&root().join(folder)));
    let said = folders.concat().replace("\\\n", "");
    let said: Vec<&str> = said.split_whitespace().collect();
    let said = said.join(" ");
    let page = read("docs/troubleshooting.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let firsts: Vec<&str> = rows.filter_map(|row| row.split(" | ").next()).collect();
    assert!(firsts.len() > 60, "{firsts:?}");
    for phrase in firsts
        .iter()
        .flat_map(|first| first.split('`').skip(1).step_by(2))
    {
        assert!(said.contains(phrase), "nothing says {phrase:?}");
    }
}
