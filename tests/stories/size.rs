//! Strangers' texts may be as long and as many as GitLab lets them be: how much memory a run holds does not hang on it.

use in_memory_gitlab::{Gitlab, Mr, filler};

use crate::bot::{bot, run};

/// The longest note that GitLab takes, in characters.
const LONGEST: usize = 1_000_000;
/// In kB. A run needs half of that anyway.
const MAX_MEMORY: u64 = 40_000;

/// Runs it, and expects it to succeed with that much.
#[track_caller]
fn runs_within_bounds(gitlab: &Gitlab, arguments: &str) {
    let (ran, peak) = bot(gitlab, arguments).starts().ends_with_peak();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        (1..MAX_MEMORY).contains(&peak),
        "{arguments}: {peak} kB at most"
    );
}

fn is_finished(mr: &Mr) -> bool {
    mr.page().contains("Benchmark finished") && !mr.is_labelled()
}

/// Before the scan and between scan and reconcile so many notes are written, and everybody is served.
fn serves_all(notes: usize, character: char) {
    let gitlab = Gitlab::start();
    let text = filler(character, LONGEST);
    let mr = gitlab.mr("much-discussed").passed();
    (0..notes).for_each(|_| drop(mr.comment("linus", &text)));
    mr.labelled();
    let next = gitlab.mr("next").passed().labelled();
    runs_within_bounds(&gitlab, "scan --max-in-flight 2");
    let of_bot = mr.discussions().pop().expect("the bot's comes last");
    for benchmark in gitlab.benchmarks() {
        gitlab.benchmark_ends(benchmark.id, "success");
    }
    for _ in 0..notes {
        mr.reply("linus", &of_bot.id, &text);
    }
    runs_within_bounds(&gitlab, "reconcile");
    assert!(is_finished(&mr) && is_finished(&next), "{}", mr.page());
}

#[test]
fn thirty_notes_of_a_megabyte_each_are_read_and_not_kept() {
    serves_all(30, 'x');
}

#[test]
fn nor_are_those_that_are_several_megabytes_each_in_json() {
    serves_all(3, '\u{1}');
    serves_all(3, '\u{1f680}');
}

#[test]
fn nor_are_descriptions() {
    let gitlab = Gitlab::start();
    let described = |_| {
        let mr = gitlab.mr("told").passed();
        mr.described(&filler('x', LONGEST)).labelled()
    };
    let mrs: Vec<Mr> = (0..20).map(described).collect();
    runs_within_bounds(&gitlab, "scan --max-in-flight 20");
    assert!(mrs.iter().all(|mr| mr.page().contains("Benchmark started")));
}

#[test]
fn the_log_has_the_beginning_of_what_is_long() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("much-discussed").passed();
    mr.comment("linus", &filler('x', LONGEST));
    mr.labelled();
    let ran = run(&gitlab, "scan -vv");
    let longest = ran.stderr.lines().map(str::len).max();
    assert!((16_000..18_000).contains(&longest.unwrap_or_default()));
    let discussions = ran.stderr.lines().find(|line| line.contains("xxxx"));
    let bytes = discussions.and_then(|line| line.rsplit_once("… ("));
    let (bytes, _) = bytes
        .and_then(|(_, bytes)| bytes.split_once(" bytes)"))
        .expect("it says how many");
    assert!(bytes.parse::<usize>().expect("a number") > LONGEST);
}
