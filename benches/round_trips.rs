//! `cargo bench --bench round_trips [-- SVG]`: what a run costs, measured with the release binary against the
//! in-memory GitLab.
//!
//! A run mostly waits for GitLab, so its time is told in *round trips*: every answer comes after the same delay, and
//! the whole run, from start to exit, is divided by that. What goes beyond a whole number is work: the program's own,
//! and that of the in-memory GitLab, which shares this machine and answers one request at a time.
//!
//! What must not grow is asserted: what a forgotten label costs, what 👀 costs, and `reconcile` while others wait.
//!
//! The growth curves are drawn to SVG, `target/growth.svg` unless told otherwise. For comparison `scan.py` and `scan.sh`
//! do the same scan; the former wants python-gitlab, in the Python that the variable `PYTHON` names.

mod setting;

use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, path::Path, thread};

use anyhow::{Context, Result};
use bench_bot::cli::{Cli, Command as Subcommand, Environment};
use bench_bot::gitlab::answer::Status;
use bench_bot::id::{Iid, PipelineId, RequestId};
use bench_bot::plan::{self, Plan, Rules};
use bench_bot::snapshot::Snapshot;
use bench_bot::survey::{Scope, survey};
use clap::Parser;
use in_memory_gitlab::{BOT_TOKEN, Gitlab};

use setting::{PROGRAM, cpu_of_children, gitlab, program, ready};

const DELAY: Duration = Duration::from_millis(150);
/// So long that work, and others who keep this machine busy, weigh little.
const LONG_DELAY: Duration = Duration::from_millis(400);
const SHORT_DELAY: Duration = Duration::from_millis(50);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MONTH: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What a label that nobody took off may cost a scan.
const MOST_FORGOTTEN: usize = 3;
/// The same where its benchmark ended and nobody has posted the outcome yet: the pipeline that the discussion links to is
/// looked at, and its variables. The next `reconcile` takes that label off.
const MOST_UNPOSTED: usize = MOST_FORGOTTEN + 2;
/// How many such labels there are.
const FORGOTTEN: [usize; 4] = [0, 1, 5, 20];
/// How many wait where the cost of 👀 is measured.
const WAITING: usize = 20;
/// What `reconcile` may take with six ended.
const MOST_TRIPS_SIX_ENDED: f64 = 9.5;
/// The plots below the growth curves in `growth.in.svg`: the height of nothing, and that of one.
const BELOW: (f64, f64) = (760.0, 1.6);

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("This measures the release binary: cargo bench");
        return Ok(());
    }
    let svg = arguments.iter().find(|word| !word.starts_with("--"));
    let svg = svg.map_or("target/growth.svg", String::as_str);
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split(": ").nth(1));
    let cores = thread::available_parallelism()?;
    println!("{cores} cores, {}", model.unwrap_or("unknown"));

    scenes();
    announcing();
    println!("\nGrowth: a scan that starts one benchmark, a reconcile that finishes it");
    println!("Old: ended benchmarks, and as many merged MRs; 10 are open. Open: labelled MRs.");
    let old = growth("old", [0, 100, 1_000, 10_000], |old| (old, 10));
    let open = growth("open", [1, 10, 100, 1_000], |open| (0, open));
    let curves = [old, open, forgotten(), while_others_wait()].concat();
    let drawing = include_str!("growth.in.svg").replace("<!-- curves -->", &curves);
    fs::create_dir_all(Path::new(svg).parent().context("no file name")?)?;
    fs::write(svg, drawing)?;
    println!("\nDrawn to {svg}");
    planning()?;
    side_by_side();
    footprint()
}

fn end_benchmarks(gitlab: &Gitlab) {
    for benchmark in gitlab.benchmarks() {
        if !benchmark.has_ended() {
            gitlab.benchmark_ends(benchmark.id, "success");
        }
    }
}

/// So many benchmarks, one after the other, in so much time. As many merge requests were merged, a third with the label
/// still on.
fn history(gitlab: &Gitlab, count: usize, time: Duration) {
    if count == 0 {
        return;
    }
    let first = ready(gitlab, 1).remove(0);
    let first_iid = first.iid();
    run(gitlab, &format!("trigger --mr {first_iid}"));
    first.merge();
    // As if its outcome had been posted.
    let mut world = gitlab.world();
    world.merge_requests.values_mut().for_each(|mr| {
        if mr.iid == first_iid {
            mr.reactions.clear()
        }
    });
    drop(world);
    let record = gitlab.benchmarks().pop().expect("one is started");
    gitlab.benchmark_ends(record.id, "success");
    let record = record.variables;
    for number in 2..=count {
        let mr = gitlab.mr("old").labelled();
        let iid = mr.iid().to_string();
        let variable = |(key, value)| match key {
            "BENCH_MR_IID" => (key, &*iid),
            _ => (key, value),
        };
        let record = record.iter().map(|(key, value)| variable((key, value)));
        let record: Vec<_> = record.collect();
        let id = gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &record);
        gitlab.benchmark_ends(id, "success");
        gitlab.later(time / count as u32);
        if number % 3 != 0 {
            mr.unlabelled();
        }
        mr.merge();
    }
}

/// Wall time; user and system time of the process and those that it started; requests.
type Measured = (Duration, Duration, usize);

fn measure(gitlab: &Gitlab, delay: Duration, mut command: Command) -> Measured {
    gitlab.delay(delay);
    gitlab.clear_requests();
    let (cpu, started) = (cpu_of_children(), Instant::now());
    let output = command.output().expect("the program is there");
    let (wall, cpu) = (started.elapsed(), cpu_of_children() - cpu);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {complaint}");
    gitlab.delay(Duration::ZERO);
    (wall, cpu, gitlab.requests().len())
}

fn run(gitlab: &Gitlab, arguments: &str) -> Measured {
    measure(gitlab, Duration::ZERO, program(PROGRAM, gitlab, arguments))
}

/// Requests and round trips.
fn run_delayed(gitlab: &Gitlab, arguments: &str, delay: Duration) -> (usize, f64) {
    let (wall, _, requests) = measure(gitlab, delay, program(PROGRAM, gitlab, arguments));
    (requests, wall.as_secs_f64() / delay.as_secs_f64())
}

fn middle_of_three<T: PartialOrd + Copy>(measure: impl Fn() -> T) -> T {
    let mut all = [measure(), measure(), measure()];
    all.sort_by(|a, b| a.partial_cmp(b).expect("times can be compared"));
    all[1]
}

fn scenes() {
    println!("\nScenes, every answer after {DELAY:?}, the middle one of three runs\n");
    println!("{:36}requests  round trips  at most", "");
    let scene = |name: &str, command: &str, most: f64, world: fn(&Gitlab)| {
        let (requests, trips) = middle_of_three(|| {
            let gitlab = gitlab();
            world(&gitlab);
            run_delayed(&gitlab, command, DELAY)
        });
        let reason = if trips > most { "  MISSED" } else { "" };
        println!("{name:36}{requests:8}{trips:13.2}{most:9}{reason}");
    };
    let unlabelled = |gitlab: &Gitlab| drop(gitlab.mr("faster").passed());
    let twenty = |gitlab: &Gitlab| {
        ready(gitlab, 20);
        see(gitlab);
    };
    let one_in_flight = |gitlab: &Gitlab| {
        ready(gitlab, 21);
        run(gitlab, "scan");
    };
    let (five, trigger) = ("scan --max-in-flight 5", "trigger --mr 1");
    scene("scan, nothing labelled", "scan", 3.0, unlabelled);
    scene("scan, 20 ready, starting one", "scan", 10.0, twenty);
    scene("scan, 20 ready, starting five", five, 11.0, twenty);
    scene("scan, 20 ready, one in flight", "scan", 6.0, one_in_flight);
    scene("reconcile, six ended", "reconcile", 10.0, six_ended);
    scene("trigger, ready, unlabelled", trigger, 9.0, unlabelled);
}

/// An earlier run has seen all that wait.
fn see(gitlab: &Gitlab) {
    run(gitlab, "scan --max-in-flight 0");
}

fn six_ended(gitlab: &Gitlab) {
    ready(gitlab, 6);
    run(gitlab, "scan --max-in-flight 6");
    end_benchmarks(gitlab);
}

/// What it costs a scan to keep 👀 on those that wait: one request, beside others, and one for each that is new.
fn announcing() {
    println!("\nScan, {WAITING} ready, one in flight, every answer after {LONG_DELAY:?}\n");
    println!("{:36}requests  round trips", "");
    let scene = |name: &str, first: &str, scan: &str| {
        let measure = || {
            let gitlab = gitlab();
            ready(&gitlab, WAITING + 1);
            run(&gitlab, first);
            run_delayed(&gitlab, scan, LONG_DELAY)
        };
        // Others who keep this machine busy only make a run longer.
        let all = [measure(), measure(), measure()];
        let trips = all.iter().map(|measured| measured.1);
        let (requests, trips) = (all[0].0, trips.fold(f64::INFINITY, f64::min));
        println!("{name:36}{requests:8}{trips:13.2}");
        (requests, trips.round())
    };
    let silent = "scan --announce none";
    let none = scene("none are announced", silent, silent);
    let seen = scene("all seen", "scan", "scan");
    let new = scene("all newly seen", silent, "scan");
    assert_eq!(seen, (none.0 + 1, none.1), "all seen");
    assert_eq!(new.0, seen.0 + WAITING, "all newly seen");
}

/// What labels that are older than 3,000 benchmarks in 100 days cost a scan. Gives the curves.
fn forgotten() -> String {
    println!(
        "\nForgotten: requests of a scan while so many labels are older than 3,000 benchmarks in 100 days"
    );
    println!("One is in flight, and no place is free.\n");
    let [none, one, five, twenty] = FORGOTTEN;
    println!("{:44}{none:6}{one:6}{five:6}{twenty:6}", "");
    let scene = |name: &str, head: &str, has_notes: bool, is_served: bool| {
        let requests = scans_with_forgotten(head, has_notes, is_served);
        let [none, one, five, twenty] = requests;
        println!("{name:44}{none:6}{one:6}{five:6}{twenty:6}");
        let mut points = String::new();
        for (count, requests) in FORGOTTEN.into_iter().zip(requests) {
            let each = if is_served {
                MOST_UNPOSTED
            } else {
                MOST_FORGOTTEN
            };
            let most = none + count * each;
            let found = format!("{name}, {count} labels: {requests} requests");
            assert!(requests <= most, "{found}, at most {most} are right");
            points += &below(80.0 + 13.0 * count as f64, requests as f64);
        }
        let class = if is_served { "unposted" } else { "forgotten" };
        curve(&format!("{class} requests"), &points)
    };
    [
        scene("its pipeline failed", "failed", false, false),
        scene("its pipeline failed, people wrote", "failed", true, false),
        scene("its pipeline passed", "success", false, false),
        scene("its pipeline passed, people wrote", "success", true, false),
        scene("its benchmark ended", "success", true, true),
        scene(
            "its benchmark ended, a later commit failed",
            "failed",
            true,
            true,
        ),
    ]
    .concat()
}

/// The requests of scans with so many labels as [`FORGOTTEN`] says.
fn scans_with_forgotten(head: &str, has_notes: bool, is_served: bool) -> [usize; 4] {
    let gitlab = gitlab();
    let mrs = ready(&gitlab, FORGOTTEN[3]);
    if is_served {
        run(&gitlab, &format!("scan --max-in-flight {}", mrs.len()));
        end_benchmarks(&gitlab);
    }
    for mr in &mrs {
        if has_notes {
            mr.comment("linus", "Is it any faster?");
        }
        if head != "success" {
            mr.push().pipeline(head);
        }
    }
    history(&gitlab, 3_000, 100 * DAY);
    let in_flight = ready(&gitlab, 1).remove(0).iid();
    run(&gitlab, &format!("trigger --mr {in_flight}"));
    let benchmarks = gitlab.benchmarks().len();
    // Were its record not found, another benchmark would start.
    let places = if is_served { 50 } else { 1 };
    let scan = format!("scan --max-in-flight {places}");
    // Only a scan that sees them for the first time announces them.
    run(&gitlab, &scan);
    let mut left = &mrs[..];
    let mut requests = [0; 4];
    for (count, found) in FORGOTTEN.into_iter().zip(&mut requests).rev() {
        let (off, on) = left.split_at(left.len() - count);
        off.iter().for_each(|mr| drop(mr.unlabelled()));
        left = on;
        *found = run(&gitlab, &scan).2;
        assert_eq!(gitlab.benchmarks().len(), benchmarks, "none is started");
        if count == 1 && is_served {
            run(&gitlab, "reconcile");
            assert!(!left[0].is_labelled(), "its record is found");
        }
    }
    requests
}

/// A reconcile that finishes six, while so many others wait for their turn. Gives its curves.
fn while_others_wait() -> String {
    println!("\nReconcile, six ended, every answer after {LONG_DELAY:?}\n");
    println!("{:>8}    requests  round trips  at most", "waiting");
    let [mut by_requests, mut by_trips] = [String::new(), String::new()];
    let mut alone = None;
    for (place, waiting) in [0, 20, 1_000].into_iter().enumerate() {
        let measure = || {
            let gitlab = gitlab();
            six_ended(&gitlab);
            ready(&gitlab, waiting);
            see(&gitlab);
            run_delayed(&gitlab, "reconcile", LONG_DELAY)
        };
        let (requests, mut trips) = measure();
        for _ in 1..5 {
            if trips > MOST_TRIPS_SIX_ENDED {
                trips = trips.min(measure().1);
            }
        }
        println!("{waiting:8}{requests:12}{trips:13.2}{MOST_TRIPS_SIX_ENDED:9}");
        assert_eq!(requests, *alone.get_or_insert(requests), "{waiting} wait");
        assert!(
            trips <= MOST_TRIPS_SIX_ENDED,
            "{waiting} wait: {trips:.2} round trips"
        );
        let x = 560.0 + 100.0 * place as f64;
        by_requests += &below(x, requests as f64);
        by_trips += &below(x, trips);
    }
    curve("waiting requests", &by_requests) + &curve("waiting round-trips", &by_trips)
}

fn curve(class: &str, points: &str) -> String {
    format!("<polyline class='{class}' points='{points}'/>")
}

/// A point in one of the plots below the growth curves.
fn below(x: f64, value: f64) -> String {
    format!("{x:.1},{:.1} ", BELOW.0 - BELOW.1 * value)
}

/// `world` says how many are old, and how many are open. Gives the curves of the scans, in the axes of `growth.in.svg`.
fn growth(what: &str, counts: [usize; 4], world: fn(usize) -> (usize, usize)) -> String {
    println!("\n{what:>8}    scan: requests  round trips    reconcile: requests  round trips");
    let [mut by_requests, mut by_trips] = [String::new(), String::new()];
    for count in counts {
        let gitlab = gitlab();
        let (old, open) = world(count);
        history(&gitlab, old, Duration::ZERO);
        gitlab.later(MONTH);
        let next = ready(&gitlab, open).remove(open - 1);
        see(&gitlab);
        let (requests, trips) = run_delayed(&gitlab, "scan", DELAY);
        assert_eq!(gitlab.benchmarks().len(), old + 1, "one is started");
        print!("{count:8}{requests:18}{trips:13.2}");
        // Zero has the place of a tenth.
        let x = 180.0 + 100.0 * (count as f64).max(0.1).log10();
        let point = |value: f64| format!("{x:.1},{:.1} ", 400.0 - 90.0 * value.log10());
        by_requests += &point(requests as f64);
        by_trips += &point(trips);
        end_benchmarks(&gitlab);
        let (requests, trips) = run_delayed(&gitlab, "reconcile", DELAY);
        assert!(!next.is_labelled(), "it is finished");
        println!("{requests:23}{trips:13.2}");
    }
    let curve = |kind, points| curve(&format!("{what} {kind}"), points);
    curve("requests", &by_requests) + &curve("round-trips", &by_trips)
}

/// Every second merge request is ready; the others have two records, of an earlier request and of this one.
fn planning() -> Result<()> {
    let (mut snapshot, rules) = small_snapshot()?;
    let mr = snapshot.merge_requests[&Iid(1)].clone();
    let threads = snapshot.threads[&Iid(1)].clone();
    let record = snapshot.records.remove(0);
    for number in 1..=10_000_u64 {
        let (iid, request) = (Iid(number), RequestId(20_000 + number));
        let (mut mr, mut record) = (mr.clone(), record.clone());
        mr.iid = iid;
        mr.requests.first_mut().context("it is labelled")?.id = request;
        record.pipeline = PipelineId(50_000 + number);
        record.task.mr = Iid(number.next_multiple_of(2));
        record.task.request = request;
        if number % 4 == 0 {
            record.status = Status::from("running".to_owned());
        }
        snapshot.merge_requests.insert(iid, mr);
        snapshot.threads.insert(iid, threads.clone());
        snapshot.records.push(record);
    }
    println!("\n`plan` alone, 10,000 merge requests and 10,000 records\n");
    println!("{:12}    time   queued  waiting  in flight  repairs", "");
    let time = |name: &str, plan: for<'a> fn(&'a Snapshot, &Rules) -> Plan<'a>| {
        plan(&snapshot, &rules); // The first time is slower.
        let started = Instant::now();
        let plan = plan(&snapshot, &rules);
        let took = started.elapsed();
        let (queued, waiting) = (plan.queue.len(), plan.waiting.len());
        let (in_flight, repairs) = (plan.in_flight.len(), plan.repairs.len());
        println!("{name:12}{took:>8.1?}{queued:9}{waiting:9}{in_flight:11}{repairs:9}");
    };
    time("scan", plan::scan);
    time("reconcile", plan::reconcile);
    Ok(())
}

/// One merge request whose benchmark has ended, as a run reads it.
fn small_snapshot() -> Result<(Snapshot, Rules)> {
    let gitlab = gitlab();
    ready(&gitlab, 1);
    run(&gitlab, "scan");
    end_benchmarks(&gitlab);
    let projects = "--project=acme/engine --benchmark-project=acme/benchmarks";
    let words = format!("bench-bot scan --gitlab-url={} {projects}", gitlab.url());
    let cli = Cli::try_parse_from(words.split(' '))?;
    let Subcommand::Scan { settings, .. } = cli.command else {
        unreachable!("it says scan")
    };
    let environment = Environment {
        token: Some(BOT_TOKEN.to_owned().into()),
        benchmark_token: None,
        server_url: None,
        ca_file: None,
        is_job: false,
        job_project: None,
    };
    let config = settings.resolve(&environment)?;
    let connected = bench_bot::gitlab::Gitlab::connect(&config.connection, &[])?;
    let (labels, rules) = (config.labels, config.rules);
    let lookback = rules.timeout * 2;
    let snapshot = survey(
        &connected,
        &labels,
        rules.timeout,
        lookback,
        Scope::One(Iid(1)),
    );
    Ok((snapshot?, rules))
}

fn side_by_side() {
    println!("\nThe same scan, 20 ready, starting one, every answer after {SHORT_DELAY:?}\n");
    println!("{:24}wall time  CPU time  requests", "");
    let contest = |name: &str, path: &str, arguments: &str| {
        let (wall, cpu, requests) = middle_of_three(|| {
            let gitlab = gitlab();
            let oldest = ready(&gitlab, 20).remove(19);
            let command = program(path, &gitlab, arguments);
            let measured = measure(&gitlab, SHORT_DELAY, command);
            let benchmark = gitlab.benchmarks().remove(0);
            assert_eq!(benchmark.variable("BENCH_SHA"), Some(&*oldest.sha()));
            assert!(oldest.notes()[0].body.contains(&benchmark.url));
            end_benchmarks(&gitlab);
            run(&gitlab, "reconcile");
            assert!(!oldest.is_labelled(), "it is taken for bench-bot's work");
            measured
        });
        let (wall, cpu) = (wall.as_secs_f64(), cpu.as_millis());
        println!("{name:24}{wall:7.2} s{cpu:7} ms{requests:10}");
    };
    // The scripts announce nothing either.
    contest("bench-bot", PROGRAM, "scan --announce none");
    let python = env::var("PYTHON").unwrap_or("python3".to_owned());
    // A shim that looks for the interpreter is none of python-gitlab's time.
    let probe = "import sys, gitlab; print(sys.executable)";
    match said(&python, &["-c", probe]) {
        Some(python) => contest("python-gitlab", &python, "benches/scan.py"),
        None => println!("scan.py is left out: {python} has no python-gitlab"),
    }
    match said("curl", &["--version"]).and(said("jq", &["--version"])) {
        Some(_) => contest("curl and jq", "bash", "benches/scan.sh"),
        None => println!("scan.sh is left out: curl or jq is not there"),
    }
}

fn said(path: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(path).args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

fn footprint() -> Result<()> {
    let size = fs::metadata(PROGRAM)?.len();
    let (start, ..) = middle_of_three(|| run(&gitlab(), "--version"));
    println!("\nFootprint\n");
    println!("size of the binary                {:>7} kB", size / 1_024);
    println!("bench-bot --version               {start:>10.1?}");
    Ok(())
}
