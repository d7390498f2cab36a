//! `cargo run --example sandbox -- --picture`: the picture at the top of the README, as a page for a browser to draw.
//! The program's own words, from runs against the in-memory GitLab, in frames such as people see them in.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use in_memory_gitlab::{Gitlab, Mr};
use pulldown_cmark::{Parser, html};

use super::{MINUTE, cast, in_flight, program, settings};

const FRAMES: &str = include_str!("picture.html");

pub fn draw() -> Result<String> {
    let program = program()?;
    let gitlab = Gitlab::start();
    let cast = cast(&gitlab);
    let output = |arguments: &str| output(&program, &gitlab, arguments);
    for (round, outcome) in ["success", "failed", "success"].into_iter().enumerate() {
        gitlab.later(7 * MINUTE);
        output("scan")?;
        gitlab.later(3 * MINUTE);
        let running = in_flight(&gitlab);
        running.iter().for_each(|&id| gitlab.benchmark_runs(id));
        gitlab.later(22 * MINUTE);
        running
            .iter()
            .for_each(|&id| gitlab.benchmark_ends(id, outcome));
        if round == 0 {
            let iid = cast.running.iid();
            gitlab.existing_mr("acme/engine", iid).passed();
            gitlab.mr("pgo").passed().pipeline_started(1).labelled();
        }
        output("reconcile")?;
    }
    let late = gitlab.mr("inline-hot-path").passed();
    late.pipeline_started(12).labelled();
    gitlab.later(4 * MINUTE);
    let scan = output("scan")?;
    let page = output("status --format html")?;
    let served = &cast.all[1];
    Ok(FRAMES
        .replace("{scan}", &coloured(&scan))
        .replace("{title}", &escaped(&title(served)))
        .replace("{notes}", &notes(served))
        .replace("{page}", &escaped(&page)))
}

fn output(program: &Path, gitlab: &Gitlab, arguments: &str) -> Result<String> {
    let output = Command::new(program)
        .args(arguments.split(' '))
        .envs(settings(gitlab))
        .env("CLICOLOR_FORCE", "1")
        .output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "bench-bot {arguments}: {complaint}"
    );
    String::from_utf8(output.stdout).context("reports are UTF-8")
}

fn title(mr: &Mr) -> String {
    mr.page().lines().next().unwrap_or_default().to_owned()
}

fn notes(mr: &Mr) -> String {
    let note = |body: &str| {
        let mut note = String::new();
        html::push_html(&mut note, Parser::new(body));
        format!("<article><b>Benchmarking bot</b> <i>@bench-bot</i>{note}</article>")
    };
    mr.notes().iter().map(|found| note(&found.body)).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

/// A terminal's colours: each that begins ends with a reset.
fn coloured(text: &str) -> String {
    let styles = [("1", "bold"), ("2", "dim"), ("31", "red"), ("32", "green")];
    let mut text = escaped(text).replace("\u{1b}[0m", "</span>");
    for (code, class) in styles {
        let begin = format!("\u{1b}[{code}m");
        text = text.replace(&begin, &format!("<span class={class}>"));
    }
    text
}
