//! The CI/CD component offers what the program takes; `.ci/run` has it at work.

use std::collections::BTreeMap;

use bench_bot::cli::Cli;
use clap::{Arg, ArgAction, CommandFactory};

const COMPONENT: &str = include_str!("../../templates/bench-bot.yml");

/// Inputs about the job rather than the program.
const JOBS_OWN: [&str; 5] = ["releases", "version", "image", "job-name", "stage"];

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
        if let Some(variable) = setting.get_env().map(text) {
            let value = format!("$[[ inputs.{name} ]]");
            let handed_on = COMPONENT
                .lines()
                .any(|line| line.contains(&variable) && line.contains(&value));
            assert!(handed_on || name == "allow-http", "{variable}");
        }
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
    for name in inputs().into_keys() {
        let known = settings.iter().any(|setting| flag(setting) == name);
        assert!(known || JOBS_OWN.contains(&name), "{name}");
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
