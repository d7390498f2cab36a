//! The CI/CD component offers what the program takes; `.ci/run` has it at work.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bench_bot::cli::{Cli, MrName, RUN_TIME};
use clap::{Arg, ArgAction, CommandFactory};
use proptest::prelude::*;
use regex::Regex;

const COMPONENT: &str = include_str!("../../templates/bench-bot.yml");

/// Inputs about the job rather than a setting of the program.
const JOBS_OWN: [&str; 8] = [
    "trigger",
    "allow-trigger",
    "releases",
    "version",
    "sha256",
    "image",
    "job-name",
    "stage",
];

/// Settings that are no line of the list from which the job takes its flags.
const APART: [&str; 5] = ["allow-http", "format", "since", "variable", "verbose"];

/// Each input with its properties, as they are written.
fn inputs() -> BTreeMap<&'static str, BTreeMap<&'static str, &'static str>> {
    let mut inputs = BTreeMap::<_, BTreeMap<_, _>>::new();
    let mut input = "";
    let spec = COMPONENT.split("\n---\n").next().unwrap_or_default();
    for line in spec.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        match key.len() - key.trim_start().len() {
            4 => input = key.trim(),
            6 => {
                inputs
                    .entry(input)
                    .or_default()
                    .insert(key.trim(), value.trim());
            }
            _ => {}
        }
    }
    inputs
}

/// The flags of what the job runs.
fn settings() -> Vec<Arg> {
    let mut program = Cli::command();
    program.build();
    let commands = program.get_subcommands();
    let scheduled = commands.filter(|command| ["scan", "reconcile"].contains(&command.get_name()));
    let mut settings: Vec<Arg> = scheduled
        .flat_map(|command| command.get_arguments().cloned())
        .filter(|arg| !["help", "dry_run"].contains(&arg.get_id().as_str()))
        .collect();
    settings.sort_by_key(|arg| arg.get_id().to_string());
    settings.dedup_by_key(|arg| arg.get_id().to_string());
    settings
}

fn flag(setting: &Arg) -> &str {
    setting.get_long().expect("a setting has a flag")
}

#[test]
fn every_setting_is_an_input_with_the_same_default_and_values() {
    let inputs = inputs();
    for setting in settings() {
        let name = flag(&setting);
        let input = inputs
            .get(name)
            .unwrap_or_else(|| panic!("no input {name}"));
        let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
        let default = match setting.get_action() {
            ArgAction::SetTrue => "false".to_owned(),
            ArgAction::Count => String::new(),
            _ => setting
                .get_default_values()
                .iter()
                .map(|value| text(value))
                .collect(),
        };
        assert_eq!(input["default"].trim_matches('"'), default, "{name}");
        assert!(input["description"].len() > 10, "{name}");
        let listed = COMPONENT.contains(&format!("\n      {name}=$[[ inputs.{name} ]]\n"));
        assert_ne!(listed, APART.contains(&name), "{name}");
        let mut values = setting.get_possible_values();
        values.retain(|value| !value.is_hide_set());
        if values.len() > 1 && setting.get_action().takes_values() {
            let names: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
            assert_eq!(
                input["options"],
                format!("[{}]", names.join(", ")),
                "{name}"
            );
        }
    }
}

#[test]
fn every_input_is_a_setting_or_about_the_job() {
    let settings = settings();
    for (name, properties) in inputs() {
        let known = settings.iter().any(|setting| flag(setting) == name);
        assert!(known || JOBS_OWN.contains(&name), "{name}");
        // The Catalog shows both; without a default GitLab would ask for a value.
        assert!(properties["description"].len() > 10, "{name}");
        assert!(properties.contains_key("default"), "{name}");
        assert!(
            COMPONENT.contains(&format!("$[[ inputs.{name} ]]")),
            "{name} has no effect"
        );
    }
}

#[test]
fn the_component_runs_the_release_that_it_belongs_to() {
    assert_eq!(inputs()["version"]["default"], env!("CARGO_PKG_VERSION"));
}

/// The same release builds and runs the same way later, as far as a tag tells. Tags of buildpack-deps are names of Debian's
/// releases alone.
#[test]
fn images_have_versions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [".gitlab-ci.yml", "Containerfile", "templates/bench-bot.yml"];
    let text = files.map(|file| fs::read_to_string(root.join(file)).expect(file));
    let text = format!("{}\nimage: {}", text.concat(), inputs()["image"]["default"]);
    let images: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            let image = line
                .strip_prefix("image: ")
                .or(line.strip_prefix("FROM "))?;
            image.split_whitespace().last()
        })
        .filter(|image| !image.starts_with(['*', '$']) && *image != "]]")
        .collect();
    assert_eq!(images.len(), 4, "{images:?}");
    let exact = Regex::new(r":v?[0-9]+\.[0-9]+\.[0-9]+(-[a-z]+)?(@sha256:[0-9a-f]{64})?$")
        .expect("it is one");
    for image in images {
        let known = exact.is_match(image) || image == "buildpack-deps:bookworm-curl";
        assert!(known, "{image}");
    }
}

/// As they are written in a table: the first cell of each row, and its last.
fn rows<'a>(page: &'a str, heading: &str) -> BTreeMap<&'a str, &'a str> {
    let (_, section) = page.split_once(heading).expect("it has the heading");
    let section = section.split("\n#").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (name, rest) = cells.split_once(" | ")?;
        Some((name, rest.rsplit_once(" | ")?.1))
    });
    cells.filter(|(name, _)| name.starts_with('`')).collect()
}

#[test]
fn the_inputs_about_the_job_are_explained() {
    let page = include_str!("../../docs/settings.md");
    let explained = rows(page, "\n### The component's own inputs\n");
    let inputs = inputs();
    let own: BTreeMap<String, String> = JOBS_OWN
        .into_iter()
        .map(|name| {
            let default = match inputs[name]["default"] {
                "\"\"" => "none".to_owned(),
                default => format!("`{default}`"),
            };
            (format!("`{name}`"), default)
        })
        .collect();
    let explained: BTreeMap<String, String> = explained
        .into_iter()
        .map(|(name, default)| (name.to_owned(), default.to_owned()))
        .collect();
    assert_eq!(explained, own);
}

#[test]
fn a_checksum_is_written_as_sha256sum_prints_it() {
    let checksum = Regex::new(inputs()["sha256"]["regex"]).expect("RE2 has no other syntax");
    let one = "0123456789abcdef".repeat(4);
    assert!(checksum.is_match(""), "GitLab checks the default as well");
    assert!(checksum.is_match(&one));
    let wrong = [
        one[1..].to_owned(),
        format!("{one}0"),
        format!("{one}\n"),
        format!(" {one}"),
        format!("sha256:{one}"),
        one.to_uppercase(),
        one.replace('f', "g"),
        "…".to_owned(),
    ];
    for value in wrong {
        assert!(!checksum.is_match(&value), "{value:?}");
    }
}

#[test]
fn the_job_lasts_as_long_as_its_two_runs_may() {
    let timeout = COMPONENT.lines().find_map(|line| {
        let minutes = line.trim().strip_prefix("timeout: ")?;
        minutes.strip_suffix(" minutes")
    });
    let minutes: u64 = timeout
        .and_then(|minutes| minutes.parse().ok())
        .expect("it has one");
    let fetching = 5 * 60;
    assert!(minutes * 60 >= 2 * RUN_TIME.as_secs() + fetching);
}

/// What may fill the input `trigger`. GitLab looks for it anywhere in the value, as this does.
fn trigger() -> Regex {
    Regex::new(inputs()["trigger"]["regex"]).expect("RE2 has no other syntax")
}

/// Of a merge request, in the words that `trigger --mr` takes.
const NAMES: [&str; 6] = [
    "12",
    "!12",
    "https://gitlab.example.com/acme/engine/-/merge_requests/12",
    "https://gitlab.example.com/acme/engine/-/merge_requests/12/",
    "https://gitlab.example.com/acme/engine/-/merge_requests/12/diffs",
    "http://127.0.0.1:8080/git/acme/rust.d/en_gine-2/-/merge_requests/12",
];

#[test]
fn a_merge_request_may_be_named_as_on_the_command_line() {
    let trigger = trigger();
    assert!(
        trigger.is_match(""),
        "GitLab checks the default as well, which is none"
    );
    assert_eq!(inputs()["trigger"]["default"], "\"\"");
    for name in NAMES {
        assert!(trigger.is_match(name), "{name}");
        name.parse::<MrName>().expect("the program takes it");
    }
}

#[test]
fn nothing_else_of_what_a_person_types_reaches_a_command_line() {
    let trigger = trigger();
    let smuggled = [
        " ",
        "\t",
        "\n",
        "\r",
        "\0",
        "'",
        "\"",
        "`",
        "$",
        "$(id)",
        "$[[ inputs.label ]]",
        "\\",
        ";",
        "&",
        "|",
        "<",
        ">",
        "(",
        ")",
        "{",
        "}",
        "*",
        "?",
        "~",
        "#",
        "%",
        "@",
        "=",
        ",",
        "[",
        "]",
        "^",
        "é",
        "\u{2028}",
        "\n12",
        "12\n",
        "\n!12\n",
    ];
    for name in NAMES {
        for what in smuggled {
            for at in (0..=name.len()).filter(|at| name.is_char_boundary(*at)) {
                let value = format!("{}{what}{}", &name[..at], &name[at..]);
                assert!(!trigger.is_match(&value), "{value:?}");
            }
        }
    }
    for value in [
        "0",
        "-1",
        "!",
        "--help",
        "-v",
        "!!12",
        "12 --force",
        "12345678901",
        "main",
        "12/diffs",
        "https://gitlab.example.com/acme/engine",
        "https:///-/merge_requests/12",
        "https://gitlab.example.com/-/merge_requests/12",
        "https://bot:secret@gitlab.example.com/acme/engine/-/merge_requests/12",
        "https://gitlab.example.com/acme/engine/-/merge_requests/12?x=y",
        "file:///acme/engine/-/merge_requests/12",
        "javascript:12",
    ] {
        assert!(!trigger.is_match(value), "{value:?}");
    }
}

proptest! {
    #[test]
    fn what_may_fill_the_input_is_a_name_of_letters_that_no_shell_acts_on(
        value in prop_oneof![
            ".*",
            "[!0-9htps:/.a-z_ $'\"`\n-]{0,60}",
            "(https?://[a-z.]{1,9}(:[0-9]{1,3})?(/[a-z_.-]{1,9}){1,3})?/?-?/?merge_requests/[0-9]{1,3}[a-z/ ;\n]{0,3}",
        ],
    ) {
        if trigger().is_match(&value) {
            let harmless = |c: char| c.is_ascii_alphanumeric() || "!:/._-".contains(c);
            prop_assert!(value.chars().all(harmless));
            prop_assert!(value.is_empty() || value.parse::<MrName>().is_ok());
        }
    }
}

/// As text that GitLab puts in, and quoted: a variable is something that others may set.
#[test]
fn the_input_goes_to_trigger_alone() {
    let (_, job) = COMPONENT.split_once("\n---\n").expect("it has a header");
    let uses: Vec<&str> = job
        .lines()
        .filter(|line| line.contains("inputs.trigger"))
        .map(str::trim)
        .collect();
    let [rule, waiting, reconcile, condition, command] = uses[..] else {
        panic!("{uses:?}");
    };
    assert!(rule.starts_with("- if: '\"$[[ inputs.trigger ]]\" != \"\" && "));
    assert!(waiting.starts_with("if [ -z '$[[ inputs.trigger ]]' ] && "));
    assert_eq!(reconcile, "if [ -z '$[[ inputs.trigger ]]' ]; then");
    assert_eq!(condition, "if [ -n '$[[ inputs.trigger ]]' ]; then");
    assert!(command.starts_with("bench-bot trigger --mr '$[[ inputs.trigger ]]' "));
}

/// GitLab puts it into the CI file before it reads that, so that the first check has to come before the component's own.
#[test]
fn the_input_of_the_example_stays_one_value() {
    let page = include_str!("../../docs/watch.md");
    assert!(page.contains("      trigger: \"$[[ inputs.trigger ]]\"\n"));
    let line = page.lines().find(|line| line.starts_with("      regex: "));
    let pattern = line
        .and_then(|line| line.split_once(": "))
        .expect("it has a check")
        .1;
    let first = Regex::new(pattern).expect("RE2 has no other syntax");
    for name in NAMES.into_iter().chain([""]) {
        assert!(first.is_match(name), "{name}");
    }
    for breaking in [
        "12\"",
        "12\n",
        "\n12",
        "12\\",
        "$CI_JOB_TOKEN",
        "12 #",
        "12\n    label: x",
    ] {
        assert!(!first.is_match(breaking), "{breaking:?}");
    }
}
