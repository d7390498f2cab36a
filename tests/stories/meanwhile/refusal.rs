//! A pipeline that GitLab does not start, and what of it is said where.

use std::collections::BTreeSet;
use std::time::Duration;

use in_memory_gitlab::{BENCH_BOT, BENCHMARKS, Fault, Gitlab, Project, Role};

use serde_json::json;

use super::takes_label_off;
use crate::bot::{bot, json, run};

#[test]
fn of_a_limit_that_passes_there_is_no_word_on_the_merge_request() {
    let gitlab = Gitlab::start();
    gitlab.configure("acme/benchmarks", |project| {
        project.pipelines_per_minute = Some(1)
    });
    let mrs = ["first", "second", "third"].map(|branch| gitlab.mr(branch).passed().labelled());
    let ran = bot(&gitlab, "scan --max-in-flight 9").exits(1);
    assert!(
        ran.stdout
            .contains("Too many pipelines created in the last minute"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("the next run tries again"),
        "{}",
        ran.stdout
    );
    assert!(mrs[0].page().contains("Benchmark started"));
    assert!(!mrs[1].page().contains("Too many"), "{}", mrs[1].page());
    let creations = || {
        gitlab
            .writes()
            .iter()
            .filter(|write| write.path.ends_with("/pipeline"))
            .count()
    };
    assert_eq!(creations(), 2, "the third would fare no better");
    for waiting in [1, 0] {
        gitlab.later(Duration::from_secs(61));
        bot(&gitlab, "scan --max-in-flight 9").exits(waiting);
    }
    for mr in mrs {
        assert_eq!(mr.notes().len(), 1, "{}", mr.page());
        assert!(mr.page().contains("Benchmark started"), "{}", mr.page());
    }
}

type Breaks = fn(&mut Project);

#[test]
fn a_refusal_is_told_in_one_line_that_changes_with_the_reason() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    let whole = gitlab.world().projects[&BENCHMARKS].clone();
    let reasons: [(&str, &str, Breaks); 8] = [
        (
            "scan",
            "You do not have sufficient permission to run a pipeline on 'main'",
            |project| {
                project.protected_branches.insert("main".to_owned(), None);
            },
        ),
        ("scan", "403 Forbidden", |project| {
            project.members.insert(BENCH_BOT, Role::Reporter);
        }),
        ("scan --ref nightly", "Reference not found", |_| {}),
        ("scan", "Ref is ambiguous", |project| {
            project.tags.insert("main".to_owned(), "0".repeat(40));
        }),
        ("scan", "Missing CI config file", |project| {
            project.files.clear()
        }),
        (
            "scan",
            "jobs:benchmark config should be a hash",
            |project| {
                project.yaml_error = Some("jobs:benchmark config\nshould be a hash".to_owned());
            },
        ),
        (
            "scan",
            "The rules configuration prevented any jobs from being added",
            |project| {
                project.job_names.clear();
            },
        ),
        (
            "scan",
            "Pipeline filtered out by workflow rules.",
            |project| {
                project.workflow_rules_filter = true;
            },
        ),
    ];
    for (command, words, breaks) in reasons {
        gitlab.configure("acme/benchmarks", |project| {
            *project = whole.clone();
            breaks(project);
        });
        bot(&gitlab, command).exits(1);
        let note = mr.notes().remove(0).body;
        let line = note.lines().next().expect("it has lines");
        assert!(
            line.starts_with("**Benchmark not started**: ") && line.contains(words),
            "{note}"
        );
        gitlab.clear_requests();
        bot(&gitlab, command).exits(1);
        let edits = gitlab
            .writes()
            .into_iter()
            .filter(|write| write.method == "PUT");
        assert_eq!(edits.count(), 0, "the same words are not written again");
    }
    gitlab.configure("acme/benchmarks", |project| *project = whole);
    run(&gitlab, "scan");
    let [note] = &mr.notes()[..] else {
        panic!("{}", mr.page())
    };
    let benchmark = &gitlab.benchmarks()[0];
    assert!(
        note.body.contains("Benchmark started") && note.body.contains(&benchmark.url),
        "{}",
        note.body
    );
    assert_eq!(
        benchmark.variable("BENCH_DISCUSSION_ID"),
        Some(mr.discussions()[0].id.as_str())
    );
}

#[test]
fn the_discussion_of_a_refused_request_ends_with_its_label() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = true
    });
    bot(&gitlab, "scan").exits(1);
    let page = mr.page();
    assert!(
        page.contains(
            "Later runs try again, and a Maintainer of the benchmark project may know more"
        ),
        "{page}"
    );
    let marks: BTreeSet<String> = mr.reactions().into_iter().map(|(name, _)| name).collect();
    let both = ["eyes", "hourglass_flowing_sand"].map(str::to_owned);
    assert_eq!(marks, BTreeSet::from(both));
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
    mr.unlabelled();
    let report = json(&gitlab, "reconcile");
    assert_eq!(report["actions"][0]["action"], "close");
    let page = mr.page();
    assert!(
        page.contains("the label `benchmarking` was taken off before its turn"),
        "{page}"
    );
    assert!(mr.discussions()[0].is_resolved(), "{page}");
    assert_eq!(mr.reactions(), []);
    assert_eq!(json(&gitlab, "reconcile")["actions"], json!([]));
}

/// Of two about the one label that is on, the first is of a request that went away.
#[test]
fn while_a_request_made_anew_is_refused_as_well_the_first_ends() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = true
    });
    bot(&gitlab, "scan").exits(1);
    mr.relabel();
    bot(&gitlab, "scan").exits(1);
    let report = json(&gitlab, "reconcile");
    assert_eq!(report["actions"][0]["action"], "close");
    let resolved = mr.discussions();
    let resolved: Vec<bool> = resolved.iter().map(|found| found.is_resolved()).collect();
    assert_eq!(resolved, [true, false], "{}", mr.page());
    assert!(mr.is_labelled());
}

/// What says that it has ended stays so: nobody looks at it any more.
#[test]
fn one_that_is_reopened_with_its_label_on_gets_a_discussion_of_its_own() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = true
    });
    bot(&gitlab, "scan").exits(1);
    mr.close();
    gitlab.fault(|request| takes_label_off(request).then(Fault::forbidden));
    bot(&gitlab, "reconcile").exits(1);
    gitlab.no_faults();
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = false
    });
    mr.reopen();
    run(&gitlab, "scan");
    let discussions = mr.discussions();
    assert_eq!(discussions.len(), 2, "{}", mr.page());
    assert!(discussions[0].is_resolved() && !discussions[1].is_resolved());
    assert!(mr.page().contains("Benchmark started"), "{}", mr.page());
}

#[test]
fn each_request_made_anew_after_a_refusal_has_its_own_discussion_and_the_others_end() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = true
    });
    for _ in 0..3 {
        bot(&gitlab, "scan").exits(1);
        mr.relabel();
    }
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = false
    });
    run(&gitlab, "scan");
    run(&gitlab, "reconcile");
    let page = mr.page();
    let discussions = mr.discussions();
    assert_eq!(discussions.len(), 4, "{page}");
    for discussion in &discussions[..3] {
        assert!(discussion.is_resolved(), "{page}");
    }
    assert!(!discussions[3].is_resolved(), "{page}");
    assert!(page.contains("Benchmark started"), "{page}");
    let gone = "the label `benchmarking` was taken off before its turn";
    assert_eq!(page.matches(gone).count(), 3, "{page}");
}
