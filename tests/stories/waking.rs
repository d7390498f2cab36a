//! The jobs of the templates at work: what GitLab makes of inputs, and what the shell makes of that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use in_memory_gitlab::{BOT_TOKEN, Gitlab};
use proptest::prelude::*;
use saphyr::{LoadableYamlNode, Yaml};

use crate::bot::run;

const COMPONENT: &str = include_str!("../../templates/bench-bot.yml");
const WAKE: &str = include_str!("../../templates/wake.yml");

/// The template as GitLab reads it: it first replaces inputs by their values, as text.
fn made(template: &str, given: &[(&str, &str)]) -> String {
    let (header, body) = template.split_once("\n---\n").expect("it has a header");
    let spec = Yaml::load_from_str(header).expect("YAML");
    let inputs = spec[0]["spec"]["inputs"].as_mapping().expect("inputs");
    let mut body = body.to_owned();
    for (name, properties) in inputs {
        let name = name.as_str().expect("a name");
        let value = given.iter().find(|(key, _)| *key == name);
        let value = value.map(|(_, value)| (*value).to_owned());
        let default = || {
            let default = &properties["default"];
            let text = default.as_str().map(str::to_owned);
            let number = || Some(default.as_integer()?.to_string());
            let switch = || Some(default.as_bool()?.to_string());
            text.or_else(number).or_else(switch)
        };
        let value = value.or_else(default).expect("a value");
        body = body.replace(&format!("$[[ inputs.{name} ]]"), &value);
    }
    body
}

/// What the runner gives to the shell.
fn script(given: &[(&str, &str)]) -> String {
    let file = made(COMPONENT, given);
    let file = Yaml::load_from_str(&file).expect("YAML");
    let job = &file[0]["bench-bot"];
    let commands = ["before_script", "script"].map(|key| job[key].as_sequence().expect("a list"));
    let commands = commands.into_iter().flatten();
    let commands: Vec<&str> = commands
        .map(|one| one.as_str().expect("a command"))
        .collect();
    commands.join("\n")
}

/// A folder with a bench-bot that only tells what it is given.
fn telling() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("telling");
    let program = folder.join("bench-bot");
    // Another test may be running it already.
    if !program.exists() {
        fs::create_dir_all(&folder).expect("a folder");
        let mine = folder.join(format!("{:?}", std::thread::current().id()));
        fs::write(&mine, "#!/bin/sh\nprintf '[%s]\\n' \"$@\"\n").expect("a file");
        fs::set_permissions(&mine, fs::Permissions::from_mode(0o755)).expect("a program");
        fs::rename(&mine, &program).expect("a file");
    }
    folder
}

/// The lines that the job prints, with these inputs and variables.
fn job(given: &[(&str, &str)], variables: &[(&str, &str)]) -> Vec<String> {
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{path}", telling().display());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &script(given)]).env_clear();
    shell.env("PATH", path).envs(variables.iter().copied());
    let output = shell.stderr(Stdio::inherit()).output().expect("a shell");
    assert!(output.status.success(), "{given:?}");
    let printed = String::from_utf8(output.stdout).expect("text");
    printed.lines().map(str::to_owned).collect()
}

/// What the program was given for `scan`.
fn flags(printed: &[String]) -> Vec<&str> {
    let mut lines = printed.iter().map(String::as_str);
    lines
        .by_ref()
        .find(|line| *line == "[scan]")
        .expect("a scan");
    lines.map(|line| &line[1..line.len() - 1]).collect()
}

const DEFAULTS: [&str; 9] = [
    "--order=pipeline",
    "--max-in-flight=1",
    "--timeout=24h",
    "--on-push=keep",
    "--announce=emoji",
    "--resolve=never",
    "--http-timeout=30s",
    "--retries=4",
    "--format=text",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_line_reaches_the_program_as_it_is(
        label in prop_oneof!["[ -~]{1,40}", "[$`'\"\\\\(){}; a-zé€]{1,12}", Just("END".to_owned())],
    ) {
        let printed = job(&[("label", &label)], &[("HOME", "/root"), ("END", "end")]);
        let label = format!("--label={label}");
        let expected = [&[&*label], &DEFAULTS[..]].concat();
        prop_assert_eq!(flags(&printed), expected);
    }
}

#[test]
fn no_variable_overrides_an_input() {
    let elsewhere = "https://elsewhere.example.com";
    let given = [
        ("gitlab-url", "https://gitlab.example.com"),
        ("project", "acme/engine"),
        ("bot", "bench-bot"),
        ("allow-http", "false"),
    ];
    let variables = [
        ("BENCH_BOT_GITLAB_URL", elsewhere),
        ("BENCH_BOT_PROJECT", "mallory/engine"),
        ("BENCH_BOT_USER", "mallory"),
        ("CI_SERVER_URL", elsewhere),
        ("BENCH_BOT_LABEL", ""),
    ];
    let printed = job(&given, &variables);
    let told = [
        "--project=acme/engine",
        "--gitlab-url=https://gitlab.example.com",
        "--label=benchmarking",
        "--bot=bench-bot",
    ];
    assert_eq!(flags(&printed), [&told, &DEFAULTS[..]].concat());
    let warnings: Vec<&String> = printed
        .iter()
        .filter(|line| line.starts_with("warning"))
        .collect();
    assert_eq!(
        warnings,
        [
            "warning: the variable BENCH_BOT_PROJECT has no effect, since the input project has a value.",
            "warning: the variable BENCH_BOT_GITLAB_URL has no effect, since the input gitlab-url has a value.",
            "warning: the variable BENCH_BOT_USER has no effect, since the input bot has a value.",
        ]
    );
}

#[test]
fn an_empty_input_leaves_the_setting_to_a_variable() {
    let printed = job(&[], &[("BENCH_BOT_PROJECT", "acme/engine")]);
    assert_eq!(
        flags(&printed),
        [&["--label=benchmarking"], &DEFAULTS[..]].concat()
    );
    assert!(
        !printed.iter().any(|line| line.starts_with("warning")),
        "{printed:?}"
    );
}

/// GitLab's list of what waits, as this job's token shows it.
#[test]
fn of_the_runs_that_wait_the_newest_alone_has_something_to_do() {
    let gitlab = Gitlab::start();
    let project = gitlab.automate();
    let run = |source: &str, status: &str| {
        let id = gitlab.pipeline_by("bench-bot", "acme/automation", source, &[]);
        gitlab.set_status("acme/automation", id, status);
        id
    };
    let older = run("pipeline", "waiting_for_resource");
    let mine = run("pipeline", "running");
    let works = |own: u64, given: &[(&str, &str)], more: &[(&str, &str)]| {
        let sha = gitlab.world().pipelines[&own].sha.clone();
        let (project, own) = (project.to_string(), own.to_string());
        let variables = [
            ("BENCH_BOT_TOKEN", BOT_TOKEN),
            ("CI_SERVER_URL", gitlab.url()),
            ("CI_PROJECT_ID", &project),
            ("CI_PIPELINE_ID", &own),
            ("CI_COMMIT_REF_NAME", "main"),
            ("CI_COMMIT_SHA", &sha),
        ];
        let given = [given, &[("allow-http", "true")]].concat();
        let printed = job(&given, &[&variables, more].concat());
        let ends = printed
            .iter()
            .any(|line| line.contains("waits for this one"));
        let works = printed
            .iter()
            .any(|line| line == "[scan]" || line == "[trigger]");
        assert_ne!(ends, works, "{printed:?}");
        works
    };
    assert!(
        works(mine, &[], &[]),
        "an older one waits: this is the newest"
    );
    let person = run("web", "waiting_for_resource");
    let begun = run("schedule", "running");
    assert!(
        works(mine, &[], &[]),
        "{person} is for one merge request, {begun} does not wait"
    );

    let newest = run("schedule", "waiting_for_resource");
    assert!(!works(mine, &[], &[]), "{newest} waits");
    assert!(!works(older, &[], &[]), "{newest} waits");
    assert!(works(newest, &[], &[]), "nothing newer waits");
    assert!(
        works(mine, &[("trigger", "!12")], &[]),
        "a person has asked"
    );

    // Where it cannot be known, it works.
    for unread in [
        ("BENCH_BOT_TOKEN", "glpat-mistyped"),
        ("CI_PROJECT_ID", "999"),
        ("CI_COMMIT_REF_NAME", "other"),
        ("CI_SERVER_URL", "http://127.0.0.1:1"),
    ] {
        assert!(works(mine, &[], &[unread]), "{unread:?}");
    }
    assert!(
        works(mine, &[("allow-http", "false")], &[]),
        "no token over http"
    );
}

#[test]
fn status_says_how_much_of_the_waiting_was_for_the_next_run() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    gitlab.later(Duration::from_secs(30 * 60));
    run(&gitlab, "scan");
    let benchmark = gitlab.benchmarks().pop().expect("it was started");
    gitlab.later(Duration::from_secs(3 * 60));
    gitlab.benchmark_runs(benchmark.id);
    let told = run(&gitlab, "status").stdout;
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "91 % for the next scan, 9 % for a machine.",
        "A benchmark that wakes bench-bot would help, or a more frequent schedule.",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn the_job_that_wakes_hands_nothing_on() {
    let file = made(WAKE, &[("automation-project", "acme/automation")]);
    let file = Yaml::load_from_str(&file).expect("YAML");
    let job = &file[0]["wake"];
    let keys = |yaml: &Yaml| -> Vec<String> {
        let keys = yaml.as_mapping().expect("a mapping").keys();
        keys.map(|key| key.as_str().expect("a key").to_owned())
            .collect()
    };
    assert_eq!(
        keys(job),
        ["stage", "rules", "allow_failure", "inherit", "trigger"],
        "and no variables"
    );
    assert_eq!(job["stage"].as_str(), Some(".post"));
    assert_eq!(job["allow_failure"].as_bool(), Some(true));
    assert_eq!(job["rules"][0]["when"].as_str(), Some("always"));
    for of in ["default", "variables"] {
        assert_eq!(job["inherit"][of].as_bool(), Some(false), "{of}");
    }
    let trigger = &job["trigger"];
    assert_eq!(
        keys(trigger),
        ["project", "branch", "forward"],
        "and no strategy"
    );
    assert_eq!(trigger["project"].as_str(), Some("acme/automation"));
    assert_eq!(trigger["branch"].as_str(), Some("main"));
    for of in ["yaml_variables", "pipeline_variables"] {
        assert_eq!(trigger["forward"][of].as_bool(), Some(false), "{of}");
    }
}

/// Only then is what stands in the CI file what happens.
#[test]
fn no_variable_names_what_is_woken() {
    let regexes = WAKE
        .lines()
        .filter_map(|line| line.trim().strip_prefix("regex: "));
    let regexes: Vec<regex::Regex> = regexes.map(|one| one.parse().expect("RE2")).collect();
    assert_eq!(regexes.len(), 2);
    let (project, branch) = (&regexes[0], &regexes[1]);
    for name in ["acme/automation", "acme/tools/bench_bot-2.runs"] {
        assert!(project.is_match(name), "{name}");
    }
    for name in [
        "",
        "$TARGET",
        "acme/$TARGET",
        "${A}/b",
        "%A%/b",
        "acme",
        "a/b\n",
        "a/b #",
        "a/b\"",
        "42",
    ] {
        assert!(!project.is_match(name), "{name:?}");
    }
    for name in ["main", "release/1.0"] {
        assert!(branch.is_match(name), "{name}");
    }
    for name in ["", "$B", "main\n", "a b", "%B%"] {
        assert!(!branch.is_match(name), "{name:?}");
    }
}

/// Of each input that is part of a command: a line break would end its line, a quotation mark what it stands in.
#[test]
fn what_is_part_of_a_command_stays_where_it_stands() {
    let (header, body) = COMPONENT.split_once("\n---\n").expect("it has a header");
    let (_, commands) = body
        .split_once("  before_script:\n")
        .expect("it has commands");
    let spec = Yaml::load_from_str(header).expect("YAML");
    let inputs = spec[0]["spec"]["inputs"].as_mapping().expect("inputs");
    let mut checked = 0;
    for (name, properties) in inputs {
        let name = name.as_str().expect("a name");
        let put_in = format!("$[[ inputs.{name} ]]");
        let chosen = ["options", "type"]
            .iter()
            .any(|key| properties.contains_mapping_key(key));
        if !commands.contains(&put_in) || chosen {
            continue;
        }
        let regex = properties["regex"]
            .as_str()
            .unwrap_or_else(|| panic!("{name} has no regex"));
        let regex = regex::Regex::new(regex).expect("RE2 has no other syntax");
        let default = properties["default"].as_str().expect("a default");
        assert!(
            regex.is_match(default),
            "{name}: GitLab checks the default as well"
        );
        if name != "variable" {
            for text in ["a\n", "\na", "a\nb", "\n"] {
                assert!(!regex.is_match(text), "{name}: {text:?}");
            }
        }
        if commands.contains(&format!("'{put_in}'")) {
            for text in ["'", "a'b", "A='"] {
                assert!(!regex.is_match(text), "{name}: {text:?}");
            }
        }
        checked += 1;
    }
    assert!(checked > 12, "{checked}");
}

#[test]
fn variables_are_separated_by_blanks_and_line_breaks() {
    let (header, _) = COMPONENT.split_once("\n---\n").expect("it has a header");
    let spec = Yaml::load_from_str(header).expect("YAML");
    let regex = spec[0]["spec"]["inputs"]["variable"]["regex"]
        .as_str()
        .expect("a regex");
    let regex = regex::Regex::new(regex).expect("RE2 has no other syntax");
    for text in ["", "A=1", "A=1\nB=$2,*`id`\n", "  A=  B=x=y "] {
        assert!(regex.is_match(text), "{text:?}");
    }
    for text in ["A", "A=1 b", "A='1'", "A=\"1\"", "A=\\n", "A B=1", "=1"] {
        assert!(!regex.is_match(text), "{text:?}");
    }
    let printed = job(
        &[("variable", "  A=1 B=$HOME,*`id`  C= ")],
        &[("HOME", "/root")],
    );
    let given: Vec<&str> = flags(&printed)
        .into_iter()
        .filter(|flag| flag.starts_with("--variable"))
        .collect();
    assert_eq!(
        given,
        [
            "--variable=A=1",
            "--variable=B=$HOME,*`id`",
            "--variable=C="
        ]
    );
}
