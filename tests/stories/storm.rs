//! Many refused at once: nobody is told by the dozen, nobody is held up who need not be, and all start once it is mended.

use std::collections::BTreeSet;
use std::time::Duration;

use in_memory_gitlab::{BENCH_BOT, BENCHMARKS, Gitlab, Mr, Project, Role};

use crate::bot::{Ran, bot, run};

const SCHEDULE: Duration = Duration::from_secs(5 * 60);
/// A dozen is a storm.
const A_FEW: usize = 6;

fn waiting(gitlab: &Gitlab, count: usize) -> Vec<Mr> {
    let branch = |number| format!("refused-{number}");
    (0..count)
        .map(|number| gitlab.mr(&branch(number)).passed().labelled())
        .collect()
}

/// How many pipelines were asked for.
fn asked(gitlab: &Gitlab) -> usize {
    let writes = gitlab.writes().into_iter();
    writes
        .filter(|write| write.path.ends_with("/pipeline"))
        .count()
}

/// On how many merge requests there is a word of the bot's.
fn told(mrs: &[Mr]) -> usize {
    mrs.iter().filter(|mr| !mr.notes().is_empty()).count()
}

/// The merge requests of what was started, in that order.
fn started(gitlab: &Gitlab) -> Vec<u64> {
    let benchmarks = gitlab.benchmarks();
    let started = benchmarks.iter().map(|benchmark| {
        let iid = benchmark.variable("BENCH_MR_IID").expect("a record");
        iid.parse().expect("a number")
    });
    started.collect()
}

/// All that are in flight end, and their outcome is posted.
fn finish(gitlab: &Gitlab) {
    for benchmark in gitlab.benchmarks() {
        if !benchmark.has_ended() {
            gitlab.benchmark_ends(benchmark.id, "success");
        }
    }
    run(gitlab, "reconcile");
}

/// One run of the schedule.
fn scan(gitlab: &Gitlab, in_flight: usize) -> Ran {
    gitlab.later(SCHEDULE);
    gitlab.clear_requests();
    bot(gitlab, &format!("scan --max-in-flight {in_flight}")).runs()
}

type Breaks = fn(&mut Project);

const WRONG_SETTINGS: [(&str, Breaks); 9] = [
    (
        "Insufficient permissions to set pipeline variables",
        |project| {
            project.ci_pipeline_variables_minimum_override_role = "no_one_allowed".to_owned();
        },
    ),
    ("Reference not found", |project| {
        project.default_branch = Some("trunk".to_owned());
    }),
    (
        "sufficient permission to run a pipeline on 'main'",
        |project| {
            project.protected_branches.insert("main".to_owned(), None);
        },
    ),
    ("Ref is ambiguous", |project| {
        project.tags.insert("main".to_owned(), "0".repeat(40));
    }),
    ("Missing CI config file", |project| project.files.clear()),
    ("jobs:benchmark config should be a hash", |project| {
        project.yaml_error = Some("jobs:benchmark config should be a hash".to_owned());
    }),
    ("403 Forbidden", |project| project.jobs_enabled = false),
    ("403 Forbidden", |project| {
        project.members.insert(BENCH_BOT, Role::Reporter);
    }),
    ("403 Forbidden", |project| project.archived = true),
];

#[test]
fn one_wrong_setting_is_found_out_by_one_request_a_run_and_told_once() {
    for (index, (words, breaks)) in WRONG_SETTINGS.into_iter().enumerate() {
        // Many for the first; of the others a few tell as much.
        let count = if index == 0 { 40 } else { 7 };
        for in_flight in [1, 5] {
            let gitlab = Gitlab::start();
            let mrs = waiting(&gitlab, count);
            let whole = gitlab.world().projects[&BENCHMARKS].clone();
            gitlab.configure("acme/benchmarks", breaks);
            for first in [true, false] {
                let ran = scan(&gitlab, in_flight);
                let story = format!("{words}, {in_flight}, {first}: {}", ran.stderr);
                assert_eq!(ran.code, 1, "{story}");
                assert!(asked(&gitlab) <= 1, "{story}");
                assert!(told(&mrs) <= in_flight, "{story}");
                let refused = mrs.iter().filter(|mr| mr.page().contains("not started"));
                assert!(refused.count() <= 1, "{story}");
                let said = ran.stderr.lines();
                let said = said.filter(|line| line.contains(words)).count();
                assert_eq!((said, ran.stderr.lines().count()), (1, 1), "{story}");
                if !first {
                    let others = gitlab.writes().into_iter();
                    let others = others.filter(|write| !write.path.ends_with("/pipeline"));
                    assert_eq!(others.count(), 0, "{story}: {:?}", gitlab.writes());
                }
            }
            gitlab.configure("acme/benchmarks", |project| *project = whole);
            assert_eq!(scan(&gitlab, 40).code, 0);
            finish(&gitlab);
            let order: Vec<u64> = (1..).take(count).collect();
            assert_eq!(started(&gitlab), order, "{words}");
            for mr in &mrs {
                assert_eq!((mr.discussions().len(), mr.is_labelled()), (1, false));
            }
        }
    }
}

/// So many are refused at the head of the queue, by that variable, and one behind them is good.
fn refused_at_the_head(by: &'static str, in_flight: usize, count: usize) {
    let story = format!("{count} by {by}, {in_flight} at once");
    let gitlab = Gitlab::start();
    let label = |number: usize| match by {
        "BENCH_LABEL" => "refused",
        _ if number.is_multiple_of(2) => "benchmarking",
        _ => "refused",
    };
    gitlab.world().add_label(
        in_memory_gitlab::LabelOwner::Project(in_memory_gitlab::ENGINE),
        "refused",
    );
    let refused: Vec<Mr> = (0..count)
        .map(|number| {
            let mr = gitlab.mr(&format!("refused-{number}")).passed();
            mr.label(label(number))
        })
        .collect();
    let good = gitlab.mr("good").passed().labelled();
    gitlab.refuse("acme/benchmarks", move |variables| {
        let refuses = |key: &str, value: &str| key == by && value.starts_with("refused");
        let refused = variables
            .iter()
            .any(|variable| refuses(&variable.key, &variable.value));
        refused.then(|| "Pipeline filtered out by workflow rules.".to_owned())
    });
    let scan = || {
        gitlab.later(SCHEDULE);
        gitlab.clear_requests();
        let command = "scan --label benchmarking --label refused";
        let before = told(&refused);
        bot(&gitlab, &format!("{command} --max-in-flight {in_flight}")).runs();
        assert!(asked(&gitlab) <= A_FEW + 1, "{story}: {}", asked(&gitlab));
        assert!(told(&refused) <= before + A_FEW, "{story}");
    };
    let runs = count.div_ceil(A_FEW) + 1;
    let served = (1..=runs).find(|_| {
        scan();
        !gitlab.benchmarks().is_empty()
    });
    assert!(served.is_some(), "{story}: not in {runs} runs");
    assert_eq!(started(&gitlab), [good.iid()], "{story}");
    let reconcile = "reconcile --label benchmarking --label refused";
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    run(&gitlab, reconcile);
    assert!(!good.is_labelled());

    // Whoever comes now is not held up at all.
    let next = gitlab.mr("next").passed().labelled();
    scan();
    assert_eq!(started(&gitlab).last(), Some(&next.iid()), "{story}");
    gitlab.benchmark_ends(gitlab.benchmarks()[1].id, "success");
    run(&gitlab, reconcile);

    // Those refused are asked for again in time, each of them.
    let mut retried = BTreeSet::new();
    for _ in 0..count * 2 {
        scan();
        let writes = gitlab.writes().into_iter();
        let asked = writes.filter(|write| write.path.ends_with("/pipeline"));
        retried.extend(asked.map(|write| {
            let variables = write.body["variables"].as_array().expect("a list").clone();
            let mut variables = variables.into_iter();
            let branch = variables.find(|variable| variable["key"] == "BENCH_BRANCH");
            branch.expect("a record")["value"].to_string()
        }));
        if retried.len() == count {
            break;
        }
    }
    assert_eq!(retried.len(), count, "{story}");
    let edits = gitlab
        .writes()
        .into_iter()
        .filter(|write| write.method == "PUT");
    assert_eq!(edits.count(), 0, "the same words are not written again");

    gitlab.configure("acme/benchmarks", |project| project.refuses = None);
    for _ in 0..count {
        gitlab.later(SCHEDULE);
        run(
            &gitlab,
            "scan --label benchmarking --label refused --max-in-flight 9",
        );
        for benchmark in gitlab.benchmarks() {
            if !benchmark.has_ended() {
                gitlab.benchmark_ends(benchmark.id, "success");
            }
        }
        run(&gitlab, reconcile);
        if gitlab.benchmarks().len() == count + 2 {
            break;
        }
    }
    assert_eq!(gitlab.benchmarks().len(), count + 2, "{story}");
    for mr in refused {
        assert_eq!(mr.labels(), [""; 0], "{story}");
        assert_eq!(mr.discussions().len(), 1, "{story}: {}", mr.page());
        assert_eq!(mr.notes().len(), 2, "{story}: {}", mr.page());
    }
}

#[test]
fn a_few_refused_at_the_head_of_the_queue_hold_up_nobody() {
    refused_at_the_head("BENCH_LABEL", 1, 5);
    refused_at_the_head("BENCH_BRANCH", 3, 5);
}

#[test]
fn nor_do_a_dozen() {
    refused_at_the_head("BENCH_BRANCH", 1, 12);
    refused_at_the_head("BENCH_LABEL", 5, 12);
}

#[test]
fn nor_do_forty() {
    refused_at_the_head("BENCH_BRANCH", 5, 40);
}

#[test]
fn of_too_many_in_a_minute_there_is_no_word_on_any_merge_request() {
    let gitlab = Gitlab::start();
    let mrs = waiting(&gitlab, 12);
    gitlab.configure("acme/benchmarks", |project| {
        project.pipelines_per_minute = Some(2);
    });
    for run in 0..3 {
        let ran = scan(&gitlab, 12);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert_eq!(asked(&gitlab), 3, "two go, and one finds out");
        assert_eq!(gitlab.benchmarks().len(), 2 * (run + 1));
    }
    for mr in &mrs {
        let page = mr.page();
        assert!(!page.contains("Too many"), "{page}");
        assert!(!page.contains("not started"), "{page}");
    }
}
