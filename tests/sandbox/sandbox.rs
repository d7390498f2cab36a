//! `cargo run --example sandbox`: bench-bot through its whole story, against an in-memory GitLab.
//! `cargo run --example sandbox -- --serve`: that GitLab kept up, to be driven by hand.
//! `cargo run --example sandbox -- --pictures FOLDER`: the README's pictures of it, as pages.

mod picture;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use in_memory_gitlab::{BOT_TOKEN, Clock, ExternalUrl, Gitlab, Mr, Role, Work};

const MINUTE: Duration = Duration::from_secs(60);
/// How long a benchmark takes while the server is kept up.
const SERVED_BENCHMARK: Duration = Duration::from_secs(8);
/// What the benchmarks say, in turn.
const SUMMARIES: [&str; 3] = [
    "noise: 12 figures unchanged\n",
    "better: parse -20.4 % (±1.1), 11 others unchanged\n",
    "worse: parse +4.1 % (±0.6), 11 others unchanged\n",
];
/// There are four requests that can be served; more rounds mean that something goes round in circles.
const MOST_ROUNDS: usize = 8;

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn run() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => tell_the_story()?,
        ["--pictures", folder] => picture::draw(Path::new(folder))?,
        ["--serve"] => serve(0)?,
        ["--serve", "--port", port] => serve(port.parse().context("--port takes a number")?)?,
        _ => {
            eprintln!(
                "usage: cargo run --example sandbox [-- --serve [--port N] | -- --pictures FOLDER]"
            );
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Some merge requests in every state that matters.
struct Cast {
    running: Mr,
    all: Vec<Mr>,
}

fn cast(gitlab: &Gitlab) -> Cast {
    let mr = |branch: &str, title: &str| gitlab.mr(branch).titled(title);
    let parser = mr("parser/lookup-table", "Look tokens up in a table")
        .passed()
        .pipeline_started(95);
    let cache = mr("bigger-cache", "Double the cache")
        .passed()
        .pipeline_started(140);
    let allocator = mr("arena-allocator", "Allocate nodes in an arena")
        .running()
        .pipeline_started(6);
    let broken = mr("unroll-loops", "Unroll the inner loops")
        .failed()
        .pipeline_started(30);
    let fork = gitlab
        .fork_mr("simd")
        .titled("Scan strings with SIMD")
        .passed()
        .pipeline_started(20);
    let all = [&parser, &cache, &allocator, &broken, &fork];
    let all = all.map(|mr| mr.clone().labelled()).into();
    Cast {
        running: allocator,
        all,
    }
}

fn tell_the_story() -> Result<()> {
    let program = program()?;
    let gitlab = Gitlab::start();
    let cast = cast(&gitlab);
    println!("Ada has labelled five merge requests `benchmarking`. The schedule comes round:\n");
    bench_bot(&program, &gitlab, &["scan", "--dry-run"])?;
    for round in 1..=MOST_ROUNDS {
        bench_bot(&program, &gitlab, &["scan"])?;
        let running = in_flight(&gitlab);
        if running.is_empty() {
            break;
        }
        ensure!(round < MOST_ROUNDS, "the queue does not get empty");
        gitlab.later(2 * MINUTE);
        for &id in &running {
            gitlab.benchmark_runs(id);
        }
        gitlab.later(25 * MINUTE);
        for &id in &running {
            // Not every benchmark goes well.
            let outcome = if round == 3 { "failed" } else { "success" };
            println!("… the benchmark runs for 25 minutes: {outcome} …\n");
            let summary = SUMMARIES[round % SUMMARIES.len()];
            gitlab.benchmark_leaves(id, "benchmark", "bench-summary.md", summary);
            gitlab.benchmark_ends(id, outcome);
        }
        if round == 1 {
            println!(
                "… meanwhile the pipeline of !{} has passed …\n",
                cast.running.iid()
            );
            let pipeline = cast
                .running
                .head_pipeline_id()
                .context("it has a pipeline")?;
            gitlab.set_status("acme/engine", pipeline, "success");
        }
        bench_bot(&program, &gitlab, &["reconcile"])?;
    }
    println!("The merge requests as their pages show them now:\n");
    for mr in &cast.all {
        println!("{}", indented(&mr.page()));
    }
    println!("The benchmarks:\n");
    for benchmark in gitlab.benchmarks() {
        let variable = |key| benchmark.variable(key).unwrap_or("?");
        println!(
            "  {:8} !{} {}  {}",
            benchmark.status,
            variable("BENCH_MR_IID"),
            &variable("BENCH_SHA")[..8],
            benchmark.url
        );
    }
    Ok(())
}

fn serve(port: u16) -> Result<()> {
    let gitlab = Gitlab::builder()
        .port(port)
        .external_url(ExternalUrl::Loopback)
        .clock(Clock::real())
        .try_start()
        .with_context(|| format!("cannot serve on port {port}"))?;
    gitlab.role("ada", "acme/benchmarks", Role::Owner);
    gitlab.configure("acme/benchmarks", |project| project.reads_ci_file = true);
    let cast = cast(&gitlab);
    let url = gitlab.url();
    println!(
        "A GitLab with {} labelled merge requests, until Ctrl-C. In another shell:\n",
        cast.all.len()
    );
    for (variable, value) in settings(&gitlab) {
        println!("  export {variable}={value}");
    }
    let commands = ["doctor", "scan --dry-run", "scan", "status", "reconcile"];
    println!(
        "\n{}",
        commands
            .map(|command| format!("  cargo run -- {command}"))
            .join("\n")
    );
    println!(
        "\nA benchmark takes {} seconds. The merge requests, in a browser:\n",
        SERVED_BENCHMARK.as_secs()
    );
    println!("  {url}/");
    println!(
        "\nTo label one again: curl -X PUT -H 'PRIVATE-TOKEN: {}' '{url}/api/v4/projects/7/merge_requests/1?add_labels=benchmarking'",
        in_memory_gitlab::ADA_TOKEN
    );
    println!(
        "To change what the benchmark project lets the bot do, or its CI file (a job with `when: manual`, say):\n\n  \
         curl -X PUT -H 'PRIVATE-TOKEN: {0}' '{url}/api/v4/projects/8?ci_pipeline_variables_minimum_override_role=owner'\n  \
         curl -H 'PRIVATE-TOKEN: {0}' --json @commit.json '{url}/api/v4/projects/8/repository/commits'",
        in_memory_gitlab::ADA_TOKEN
    );
    let _runner = gitlab.runner(|_, _| Work::success(SERVED_BENCHMARK));
    loop {
        thread::park();
    }
}

fn in_flight(gitlab: &Gitlab) -> Vec<u64> {
    let benchmarks = gitlab.benchmarks().into_iter();
    let alive = benchmarks.filter(|benchmark| !benchmark.has_ended());
    alive.map(|benchmark| benchmark.id).collect()
}

fn settings(gitlab: &Gitlab) -> [(&'static str, String); 5] {
    [
        ("BENCH_BOT_GITLAB_URL", gitlab.url().to_owned()),
        ("BENCH_BOT_TOKEN", BOT_TOKEN.to_owned()),
        ("BENCH_BOT_PROJECT", "acme/engine".to_owned()),
        ("BENCH_BOT_BENCHMARK_PROJECT", "acme/benchmarks".to_owned()),
        ("BENCH_BOT_RESULTS_JOB", "benchmark".to_owned()),
    ]
}

/// Runs the program as a user does, its report going where ours goes.
fn bench_bot(program: &Path, gitlab: &Gitlab, arguments: &[&str]) -> Result<()> {
    println!("$ bench-bot {}\n", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .envs(settings(gitlab))
        .status()?;
    println!();
    match status.success() {
        true => Ok(()),
        false => bail!("bench-bot {}: {status}", arguments.join(" ")),
    }
}

/// The program itself, which Cargo builds for tests but not for examples.
fn program() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let release = !cfg!(debug_assertions);
    eprintln!("Building bench-bot itself …");
    let mut build = Command::new(cargo);
    // What Cargo tells this example about itself would have everything that reads it built anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_ours = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_CRATE_",
            "CARGO_BIN_",
        ];
        if text == "OUT_DIR" || is_ours.iter().any(|prefix| text.starts_with(prefix)) {
            build.env_remove(name);
        }
    }
    let built = build
        .args(["build", "--bin", "bench-bot"])
        .args(release.then_some("--release"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    ensure!(built.success(), "cargo cannot build bench-bot");
    let example = std::env::current_exe()?;
    let folder = example
        .parent()
        .and_then(Path::parent)
        .context("examples lie beside the program")?;
    Ok(folder.join(format!("bench-bot{}", std::env::consts::EXE_SUFFIX)))
}

fn indented(page: &str) -> String {
    page.lines().map(|line| format!("  {line}\n")).collect()
}
