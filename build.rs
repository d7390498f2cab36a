//! Tells the program which commit it is built from: `VERSION_AND_COMMIT`, as `0.1.0 (2b04d94f, 2026-11-24)`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let version = env!("CARGO_PKG_VERSION");
    let version = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo:rustc-env=VERSION_AND_COMMIT={version}");
}

/// `None` where there is neither a clone nor a pipeline: in an unpacked archive, say.
fn commit() -> Option<String> {
    // An archive may have been unpacked inside of some other clone.
    let at_its_root = git(&["rev-parse", "--show-cdup"]).is_some_and(|up| up.is_empty());
    if !at_its_root {
        println!("cargo:rerun-if-env-changed=CI_COMMIT_SHORT_SHA");
        let commit = std::env::var("CI_COMMIT_SHORT_SHA").ok()?;
        return (!commit.is_empty()).then_some(commit);
    }
    // The log of HEAD grows with every commit and checkout; a clone may be set to keep none.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["log", "-1", "--abbrev=8", "--format=%h, %cs"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
