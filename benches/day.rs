//! `cargo bench --bench day [-- SVG]`: what it is worth that a benchmark wakes bench-bot when it ends, over a week of workdays
//! in the in-memory GitLab. Its clock is a virtual one, so a day takes seconds.
//!
//! The days are the same twice: once with the schedule alone, and once with wake-ups as well. Each run is what the component's
//! job does: `reconcile`, then `scan`. While it goes, a write takes a second.
//!
//! How much of the busy time the machine may stand idle, when woken, is asserted. The first day is drawn to SVG,
//! `target/day.svg` unless told otherwise.

#[path = "../tests/reliability/simulation/random.rs"]
mod random;

use std::collections::BTreeSet;
use std::{env, fs, path::Path};

use anyhow::{Context, Result, ensure};
use bench_bot::cli::{Cli, Environment};
use bench_bot::{Exit, run};
use chrono::TimeDelta;
use clap::Parser;
use in_memory_gitlab::{BOT_TOKEN, Gitlab, Mr, Time};
use random::Random;

const DAYS: u64 = 5;
const REQUESTS: usize = 28;
/// The hours in which people add the label: there are fewer at noon and in the evening.
const HOURS: [i64; 16] = [9, 9, 10, 10, 11, 11, 12, 13, 13, 14, 14, 15, 15, 16, 16, 17];
/// How long after the label the pipeline of the merge request passes. Half of them have passed before.
const PASSES_AFTER: [i64; 6] = [0, 0, 0, 3, 8, 20];
const BENCHMARK: TimeDelta = TimeDelta::minutes(25);
const SCHEDULE: TimeDelta = TimeDelta::minutes(10);
/// From a pipeline of the automation project to the first request that bench-bot makes there. A runner asks for jobs every
/// three seconds unless told otherwise; then it starts a container, which fetches a release of some megabytes.
const TO_RUN: TimeDelta = TimeDelta::seconds(20);
/// How long the machine may stand idle while somebody is ready, in percent of the time that it is busy.
const MOST_IDLE: f64 = 4.0;
/// When a day begins, as in the in-memory GitLab.
const NINE: i64 = 9;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Labelled(usize),
    Passed(usize),
    Ended(u64),
    Schedule,
    Run,
}

struct Request {
    labelled: Time,
    ready: Time,
    mr: Option<Mr>,
    seen: Option<Time>,
    started: Option<Time>,
}

struct Day {
    begins: Time,
    /// In the order in which their benchmarks started.
    served: Vec<Request>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("This simulates days: cargo bench");
        return Ok(());
    }
    let svg = arguments.iter().find(|word| !word.starts_with("--"));
    let svg = Path::new(svg.map_or("target/day.svg", String::as_str));
    let week =
        |is_woken| -> Result<Vec<Day>> { (0..DAYS).map(|seed| day(seed, is_woken)).collect() };
    let (scheduled, woken) = (week(false)?, week(true)?);

    println!("{DAYS} days, each with {REQUESTS} requests\n");
    println!("{:44}{:>16}{:>16}", "", "schedule alone", "woken");
    let row = |name: &str, told: fn(&[Day]) -> String| {
        println!("{name:44}{:>16}{:>16}", told(&scheduled), told(&woken));
    };
    row("from label to 👀, median", |week| {
        minutes(median(week, |request| {
            Some(request.seen? - request.labelled)
        }))
    });
    row("from ready to start, median", |week| {
        minutes(median(week, |request| {
            Some(request.started? - request.ready)
        }))
    });
    row("idle while somebody is ready", |week| {
        format!("{:.1} %", idle_share(week))
    });
    row("the last benchmark of the first day ends at", |week| {
        let last = week[0].busy().last();
        last.map_or_else(String::new, |(_, end)| end.format("%H:%M").to_string())
    });

    fs::create_dir_all(svg.parent().context("no file name")?)?;
    fs::write(svg, drawing(&scheduled[0], &woken[0]))?;
    println!("\nDrawn to {}", svg.display());
    let idle = idle_share(&woken);
    ensure!(
        idle < MOST_IDLE,
        "woken, the machine is idle for {idle:.1} % of its busy time, at most {MOST_IDLE} % are right"
    );
    Ok(())
}

fn day(seed: u64, is_woken: bool) -> Result<Day> {
    let gitlab = Gitlab::start();
    let begins = gitlab.now();
    let mut random = Random(seed);
    let mut due = BTreeSet::from([(begins, Event::Schedule)]);
    let mut requests = Vec::new();
    for number in 0..REQUESTS {
        let minute = (random.of(&HOURS) - NINE) * 60 + random.below(60) as i64;
        let labelled = begins + TimeDelta::minutes(minute);
        let ready = labelled + TimeDelta::minutes(random.of(&PASSES_AFTER));
        due.extend([
            (labelled, Event::Labelled(number)),
            (ready, Event::Passed(number)),
        ]);
        let (mr, seen, started) = (None, None, None);
        requests.push(Request {
            labelled,
            ready,
            mr,
            seen,
            started,
        });
    }
    while let Some((time, event)) = due.pop_first() {
        gitlab.later((time - gitlab.now()).to_std().unwrap_or_default());
        match event {
            Event::Labelled(number) => {
                let mr = gitlab.mr(&format!("change-{number}"));
                requests[number].mr = Some(mr.running().labelled());
            }
            Event::Passed(number) => drop(requests[number].mr.as_ref().map(Mr::passed)),
            Event::Ended(id) => {
                gitlab.benchmark_ends(id, "success");
                if is_woken {
                    due.insert((time + TO_RUN, Event::Run));
                }
            }
            Event::Schedule => {
                due.insert((time + TO_RUN, Event::Run));
                let is_open = |mr: &Option<Mr>| mr.as_ref().is_none_or(Mr::is_labelled);
                if requests.iter().any(|request| is_open(&request.mr)) {
                    due.insert((time + SCHEDULE, Event::Schedule));
                }
            }
            Event::Run => {
                bench_bot(&gitlab, "reconcile")?;
                bench_bot(&gitlab, "scan")?;
                due.extend(look(&gitlab, &mut requests));
            }
        }
    }
    let mut served = requests;
    let is_served = |request: &Request| request.seen.is_some() && request.started.is_some();
    ensure!(
        served.iter().all(is_served),
        "one was not seen, or not served"
    );
    served.sort_by_key(|request| request.started);
    Ok(Day { begins, served })
}

/// Notes what has been seen and started; the ends of the benchmarks to come.
fn look(gitlab: &Gitlab, requests: &mut [Request]) -> Vec<(Time, Event)> {
    let mut ends = Vec::new();
    let benchmarks = gitlab.benchmarks();
    for request in requests {
        let Some(iid) = request.mr.as_ref().map(Mr::iid) else {
            continue;
        };
        let world = gitlab.world();
        let mut mrs = world.merge_requests.values();
        let reactions = mrs.find(|mr| mr.iid == iid).map(|mr| &mr.reactions);
        let eyes = reactions.and_then(|all| all.iter().find(|one| one.name == "eyes"));
        request.seen = request.seen.or(eyes.map(|eyes| eyes.created_at));
        drop(world);
        let iid = iid.to_string();
        let benchmark = benchmarks
            .iter()
            .find(|one| one.variable("BENCH_MR_IID") == Some(&iid));
        if let (None, Some(benchmark)) = (request.started, benchmark) {
            gitlab.benchmark_runs(benchmark.id);
            request.started = Some(benchmark.created_at);
            ends.push((benchmark.created_at + BENCHMARK, Event::Ended(benchmark.id)));
        }
    }
    ends
}

/// Within this process: a week takes a thousand runs.
fn bench_bot(gitlab: &Gitlab, command: &str) -> Result<()> {
    let url = gitlab.url();
    let projects = "--project=acme/engine --benchmark-project=acme/benchmarks";
    let words = format!("bench-bot {command} --gitlab-url={url} {projects}");
    let cli = Cli::try_parse_from(words.split(' '))?;
    let environment = Environment {
        token: Some(BOT_TOKEN.to_owned().into()),
        benchmark_token: None,
        server_url: None,
        ca_file: None,
        is_job: true,
        job_project: None,
    };
    let outcome = run(cli.command, &environment)?;
    ensure!(outcome.exit == Exit::Done, "{command}: {outcome:?}");
    Ok(())
}

impl Day {
    /// From and to when benchmarks run.
    fn busy(&self) -> impl Iterator<Item = (Time, Time)> {
        let started = self.served.iter().filter_map(|request| request.started);
        started.map(|from| (from, from + BENCHMARK))
    }

    /// From and to when no benchmark runs although somebody is ready.
    fn idle(&self) -> Vec<(Time, Time)> {
        let mut free_since = self.begins;
        let mut idle = Vec::new();
        for (place, (started, ended)) in self.busy().enumerate() {
            let ready = self.served[place..].iter().map(|request| request.ready);
            let ready = ready.min().unwrap_or(started);
            idle.push((ready.max(free_since), started));
            free_since = ended;
        }
        idle
    }
}

/// In percent of the time that the machine is busy.
fn idle_share(week: &[Day]) -> f64 {
    let seconds = |(from, to): (Time, Time)| (to - from).num_seconds();
    let idle: i64 = week.iter().flat_map(Day::idle).map(seconds).sum();
    let busy: i64 = week.iter().flat_map(Day::busy).map(seconds).sum();
    100.0 * idle as f64 / busy as f64
}

fn median(week: &[Day], of: fn(&Request) -> Option<TimeDelta>) -> TimeDelta {
    let requests = week.iter().flat_map(|day| &day.served);
    let mut all: Vec<TimeDelta> = requests.filter_map(of).collect();
    all.sort();
    all[all.len() / 2]
}

fn minutes(time: TimeDelta) -> String {
    format!("{:.1} min", time.num_seconds() as f64 / 60.0)
}

fn drawing(scheduled: &Day, woken: &Day) -> String {
    let strips = strip(scheduled, 75) + &strip(woken, 135);
    include_str!("day.in.svg").replace("<!-- strips -->", &strips)
}

/// In the axes of `day.in.svg`.
fn strip(day: &Day, top: u32) -> String {
    let x = |time: Time| 120.0 + 48.0 * (time - day.begins).num_seconds() as f64 / 3_600.0;
    let bar = |class: &str, from: Time, to: Time| {
        let (left, width) = (x(from), x(to) - x(from));
        format!("<rect class='{class}' x='{left:.1}' y='{top}' width='{width:.2}' height='36'/>\n")
    };
    let busy = day.busy().map(|(from, to)| bar("busy", from, to));
    let idle = day.idle().into_iter();
    let idle = idle.map(|(from, to)| bar("idle", from, to));
    busy.chain(idle).collect()
}
