//! What an installation brings along: a version, completions, man pages. None of it needs settings, or GitLab.

use std::fs;
use std::process::Command;

use crate::bot::bare;

#[test]
fn the_version_names_the_commit_it_is_built_from() {
    let version = bare("--version").succeeds().stdout;
    let git = Command::new("git")
        .args(["log", "-1", "--abbrev=8", "--format=%h, %cs"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let commit = git.ok().filter(|output| output.status.success());
    let commit = commit.map(|output| String::from_utf8(output.stdout).expect("hex and a date"));
    let number = env!("CARGO_PKG_VERSION");
    match commit {
        Some(commit) => assert_eq!(version, format!("bench-bot {number} ({})\n", commit.trim())),
        None => assert!(version.starts_with(&format!("bench-bot {number}"))),
    }
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = bare(&format!("completions {shell}")).succeeds().stdout;
        for word in ["reconcile", "max-in-flight"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    bare("completions tcsh").exits(2);
}

#[test]
fn bash_completes_commands_and_flags() {
    let script = bare("completions bash").succeeds().stdout;
    for (words, completed) in [
        ("bench-bot sc", "scan"),
        ("bench-bot scan --max", "--max-in-flight"),
        ("bench-bot scan --order re", "request"),
    ] {
        let typed = format!(
            "words=({words}); COMP_WORDS=(\"${{words[@]}}\"); COMP_CWORD=$((${{#words[@]}} - 1))
             _bench__bot bench-bot \"${{words[COMP_CWORD]}}\" \"${{words[COMP_CWORD - 1]}}\"
             echo \"${{COMPREPLY[@]}}\""
        );
        let bash = Command::new("bash")
            .args(["-uc", &format!("{script}\n{typed}")])
            .output()
            .expect("bash is there");
        assert_eq!(
            String::from_utf8_lossy(&bash.stdout).trim(),
            completed,
            "{words}"
        );
    }
}

#[test]
fn the_man_pages_name_every_flag_and_variable_that_help_does() {
    let folder = std::env::temp_dir().join(format!("bench-bot-man-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    bare("man").arg(&folder.to_string_lossy()).succeeds();
    for command in ["scan", "trigger", "reconcile"] {
        let page = fs::read_to_string(folder.join(format!("bench-bot-{command}.1")));
        let page = page.expect("there is a page").replace("\\-", "-");
        let help = bare(&format!("{command} --help")).succeeds().stdout;
        for word in help.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)) {
            let named = word.starts_with("--") || word.starts_with("BENCH_BOT_");
            assert!(!named || page.contains(word), "{command}: {word}");
        }
    }
    fs::remove_dir_all(&folder).expect("it can go");
    let ran = bare("man").arg(&folder.to_string_lossy()).exits(1);
    assert!(
        ran.complaint()
            .starts_with("error: cannot write man pages to ")
    );
}
