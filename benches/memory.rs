//! `cargo bench --bench memory`: how much memory a run holds at most, measured with the release binary against the in-memory
//! GitLab, which makes the long texts only as it answers.
//!
//! That it does not hang on what strangers write is asserted, and that the merge requests beside theirs are served.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use anyhow::{Context, Result, ensure};
use in_memory_gitlab::{Gitlab, Mr, filler};

use setting::{PROGRAM, cpu_of_children, gitlab, program, ready};

mod setting;

/// Whatever there is, in kB.
const MOST: u64 = 64_000;
/// GitLab takes no longer note, and 5,000 on one merge request: so many beside the bot's.
const LONGEST: usize = 1_000_000;
const MOST_NOTES: usize = 4_990;
/// Requests that are under way at once.
const AT_ONCE: usize = 16;

fn main() -> Result<()> {
    if !env::args().any(|argument| argument == "--bench") {
        println!("This measures the release binary: cargo bench");
        return Ok(());
    }
    println!("{:44}  scan, CPU time     reconcile, CPU time", "");
    let nobody = |_: &Mr| {};
    measure("nothing is written", 1, nobody)?;
    measure("nothing is written, 1,000 merge requests", 1_000, nobody)?;
    for (count, times) in [(1, ""), (AT_ONCE, ", 16 times")] {
        measure(&format!("300 notes of 1 MB{times}"), count, |mr| {
            notes(mr, 300, &filler('x', LONGEST));
        })?;
        measure(
            &format!("50 notes of 1,000,000 escapes{times}"),
            count,
            |mr| {
                notes(mr, 50, &filler('\u{1}', LONGEST));
            },
        )?;
        measure(
            &format!("5,000 of 50 kB, like the bot's{times}"),
            count,
            |mr| {
                replies(mr, MOST_NOTES, &copy(LONGEST / 20));
            },
        )?;
    }
    measure("5,000 notes of 1 MB", 1, |mr| {
        notes(mr, MOST_NOTES, &filler('x', LONGEST));
    })?;
    measure("5,000 of them in one discussion", 1, |mr| {
        replies(mr, MOST_NOTES, &filler('x', LONGEST));
    })?;
    measure("a description of 1 MB, 300 times", 300, |mr| {
        mr.described(&filler('x', LONGEST));
    })
}

/// A stranger writes so many.
fn notes(mr: &Mr, count: usize, text: &str) {
    for _ in 0..count {
        mr.comment("linus", text);
    }
}

fn replies(mr: &Mr, count: usize, text: &str) {
    let discussion = mr.comment("linus", text);
    for _ in 1..count {
        mr.reply("linus", &discussion, text);
    }
}

/// What looks like a note of the bot's, of that length.
fn copy(length: usize) -> String {
    let marker = r#"<!-- bench-bot {"start":{"request":1,"pipeline":1,"label":"benchmarking","sha":"0"}} -->"#;
    format!("{}\n\n{marker}", filler('x', length))
}

/// What a scan holds that is to start the benchmarks of so many such merge requests and of one beside them, and then a
/// reconcile that is to finish them.
fn measure(name: &str, count: usize, flood: impl Fn(&Mr)) -> Result<()> {
    print!("{name:44}");
    let run = |gitlab: &Gitlab, command: &str| -> Result<()> {
        let before = cpu_of_children();
        let peak = peak_memory(program(PROGRAM, gitlab, command))?;
        print!("{peak:8} kB{:>8.1?}", cpu_of_children() - before);
        std::io::stdout().flush()?;
        ensure!(peak <= MOST, "{name}: {peak} kB are more than {MOST}");
        Ok(())
    };
    let world = |flooded: bool| {
        let gitlab = gitlab();
        let mrs = ready(&gitlab, count);
        let beside = gitlab.mr("beside").passed().labelled();
        if flooded {
            mrs.iter().for_each(&flood);
        }
        (gitlab, mrs, beside)
    };
    let all = format!("scan --max-in-flight {}", count + 1);

    let (gitlab, _, beside) = world(true);
    run(&gitlab, &all)?;
    let page = beside.page();
    ensure!(page.contains("Benchmark started"), "{name}: {page}");

    let (gitlab, mrs, beside) = world(false);
    let started = program(PROGRAM, &gitlab, &all).output()?.status;
    ensure!(started.success(), "{name}: they are not started");
    mrs.iter().for_each(&flood);
    for benchmark in gitlab.benchmarks() {
        gitlab.benchmark_ends(benchmark.id, "success");
    }
    run(&gitlab, "reconcile")?;
    println!();
    let page = beside.page();
    ensure!(page.contains("Benchmark success"), "{name}: {page}");
    Ok(())
}

/// In kB, as /proc tells it; the peak that `wait4` gives is that of this process, from before `exec`.
fn peak_memory(mut command: Command) -> Result<u64> {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut peak = None;
    while child.try_wait()?.is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.unwrap_or_default();
        let high = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        peak = high.and_then(|high| high.trim().parse().ok()).or(peak);
        thread::sleep(Duration::from_millis(2));
    }
    peak.context("there is no /proc")
}
