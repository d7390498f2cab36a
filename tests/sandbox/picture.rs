//! `cargo run --example sandbox -- --pictures FOLDER`: the pictures of the README, as pages for a browser to draw: the
//! program's own words, from runs against the in-memory GitLab.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use in_memory_gitlab::{Gitlab, Mr};
use pulldown_cmark::{Parser, html};

use super::{MINUTE, cast, in_flight, program, settings};

const MERGE_REQUEST: &str = include_str!("picture.html");
const SUMMARY: &str = "better: parse -20.0 % (±1.1), lex unchanged\n";

pub fn draw(folder: &Path) -> Result<()> {
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
        for &id in &running {
            gitlab.benchmark_leaves(id, "benchmark", "bench-summary.md", SUMMARY);
            gitlab.benchmark_ends(id, outcome);
        }
        if round == 0 {
            let iid = cast.running.iid();
            gitlab.existing_mr("acme/engine", iid).passed();
            gitlab.mr("pgo").passed().pipeline_started(1).labelled();
        }
        output("reconcile --results-job benchmark")?;
    }
    let late = gitlab.mr("inline-hot-path").passed();
    late.pipeline_started(12).labelled();
    gitlab.later(4 * MINUTE);
    output("scan")?;
    let served = &cast.all[1];
    ensure!(!served.is_labelled(), "the benchmark has not been closed");
    let merge_request = MERGE_REQUEST
        .replace("{title}", &title(served))
        .replace("{notes}", &notes(served));
    fs::create_dir_all(folder)?;
    fs::write(folder.join("merge-request.html"), merge_request)?;
    // Its script would tell that the sandbox lives in the past.
    let page = output("status --format html")?;
    let (page, _) = page.split_once("<script>").context("it has a script")?;
    fs::write(folder.join("status.html"), page)?;
    Ok(())
}

fn output(program: &Path, gitlab: &Gitlab, arguments: &str) -> Result<String> {
    let output = Command::new(program)
        .args(arguments.split(' '))
        .envs(settings(gitlab))
        .output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "bench-bot {arguments}: {complaint}"
    );
    String::from_utf8(output.stdout).context("reports are UTF-8")
}

fn title(mr: &Mr) -> String {
    let title = mr.title();
    format!("{title} <small>!{}</small>", mr.iid())
}

fn notes(mr: &Mr) -> String {
    let note = |body: &str| {
        let mut note = String::new();
        html::push_html(&mut note, Parser::new(body));
        format!("<article><b>Benchmarking bot</b> <small>@bench-bot</small>{note}</article>")
    };
    mr.notes().iter().map(|found| note(&found.body)).collect()
}
