//! What people see of a request before its benchmark starts.

use std::time::Duration;

use in_memory_gitlab::{Fault, Gitlab, LabelOwner, Mr};
use serde_json::json;

use crate::bot::{Bot, bot, json, run, writes};

const MINUTE: Duration = Duration::from_secs(60);
const TELL: &str = "scan --announce discussion";

/// The names of the bot's reactions.
fn reactions(mr: &Mr) -> Vec<String> {
    let mut names: Vec<String> = mr
        .reactions()
        .into_iter()
        .filter(|(_, by)| by == "bench-bot")
        .map(|(name, _)| name)
        .collect();
    names.sort();
    names
}

/// What the only discussion says to people.
fn said(mr: &Mr) -> String {
    let [note] = &mr.notes()[..] else {
        panic!("{}", mr.page())
    };
    let (text, _) = note.body.split_once("\n\n<!--").expect("a marker");
    text.to_owned()
}

#[test]
fn whoever_labels_is_seen_at_the_first_scan_and_once() {
    let gitlab = Gitlab::start();
    let failing = gitlab.mr("failing").pipeline("failed").labelled();
    let running = gitlab.mr("running").running().labelled();
    let first = gitlab.mr("first").passed().labelled();
    let second = gitlab.mr("second").passed().labelled();
    let report = json(&gitlab, "scan");
    let told: Vec<_> = report["actions"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    let told = told.iter().map(|action| (&action["action"], &action["mr"]));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (&json!("start"), &json!(first.iid())),
            (&json!("announce"), &json!(failing.iid())),
            (&json!("announce"), &json!(running.iid())),
            (&json!("announce"), &json!(second.iid())),
        ]
    );
    for mr in [&failing, &running, &second] {
        assert_eq!(reactions(mr), ["eyes"], "{}", mr.page());
        assert!(mr.notes().is_empty());
    }
    assert_eq!(reactions(&first), ["eyes", "hourglass_flowing_sand"]);
    gitlab.clear_requests();
    for command in ["scan", "reconcile", "scan"] {
        run(&gitlab, command);
    }
    assert_eq!(writes(&gitlab), [""; 0]);
}

#[test]
fn the_reaction_comes_off_with_the_label_however_that_goes() {
    type Leave = fn(&Gitlab, &Mr);
    let ways: [(&str, Leave); 5] = [
        ("unlabelled", |_, mr| drop(mr.unlabelled())),
        ("merged", |_, mr| drop(mr.merge())),
        ("closed", |_, mr| drop(mr.close())),
        ("label deleted", |gitlab, _| {
            gitlab.delete_label("benchmarking")
        }),
        ("benchmarked", |gitlab, mr| {
            mr.passed();
            run(gitlab, "scan");
            gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
        }),
    ];
    for (way, leave) in ways {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").pipeline("failed").labelled();
        run(&gitlab, "scan");
        assert_eq!(reactions(&mr), ["eyes"], "{way}");
        leave(&gitlab, &mr);
        gitlab.later(3 * 24 * 60 * MINUTE);
        let missing = way == "label deleted";
        bot(&gitlab, "reconcile").exits(i32::from(missing));
        assert_eq!(reactions(&mr), [""; 0], "{way}: {}", mr.page());
        assert!(!mr.is_labelled(), "{way}");
        gitlab.clear_requests();
        bot(&gitlab, "reconcile").exits(i32::from(missing));
        assert_eq!(writes(&gitlab), [""; 0], "{way}");
    }
}

#[test]
fn one_that_cannot_be_set_is_no_error_and_another_persons_is_left() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").pipeline("failed").labelled();
    mr.react("linus", "eyes");
    gitlab.fault(|request| {
        request
            .path
            .ends_with("/award_emoji")
            .then(Fault::forbidden)
    });
    let ran = run(&gitlab, "scan");
    assert!(
        ran.stderr
            .contains("warning: !1: cannot announce the benchmark"),
        "{}",
        ran.stderr
    );
    gitlab.no_faults();
    run(&gitlab, "scan");
    assert_eq!(reactions(&mr), ["eyes"]);
    mr.unlabelled();
    run(&gitlab, "reconcile");
    assert_eq!(mr.reactions(), [("eyes".to_owned(), "linus".to_owned())]);
}

#[test]
fn with_none_nothing_is_said_before_it_starts() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").running().labelled();
    run(&gitlab, "scan --announce none");
    assert_eq!(writes(&gitlab), [""; 0]);
    mr.passed();
    run(&gitlab, "scan --announce none");
    assert_eq!(reactions(&mr), ["hourglass_flowing_sand"]);
}

/// Each takes off what it has set, and leaves what the other has set.
#[test]
fn another_installations_reaction_stays() {
    let gitlab = Gitlab::start();
    gitlab.world().add_label(LabelOwner::Project(7), "full");
    let other = |command: &str| -> Bot { bot(&gitlab, &format!("{command} --label full")) };
    let mr = gitlab
        .mr("speed-up")
        .pipeline("failed")
        .labelled()
        .label("full");
    run(&gitlab, "scan");
    other("scan").succeeds();
    mr.unlabelled();
    run(&gitlab, "reconcile");
    gitlab.later(20 * MINUTE);
    other("scan").succeeds();
    assert_eq!(reactions(&mr), ["eyes"]);
    for _ in 0..3 {
        gitlab.clear_requests();
        run(&gitlab, "reconcile");
        other("reconcile").succeeds();
        other("scan").succeeds();
        assert_eq!(writes(&gitlab), [""; 0]);
    }
    mr.unlabel("full");
    other("reconcile").succeeds();
    assert_eq!(reactions(&mr), [""; 0]);
}

#[test]
fn a_discussion_says_why_it_waits_until_it_starts() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").pipeline("failed").labelled();
    run(&gitlab, TELL);
    assert_eq!(
        said(&mr),
        "**Benchmark requested** for `speed-up`. It waits, since the pipeline of the merge request did not pass. Somebody who \
         may push to the branch has to retry it or push a fix. To cancel it, take the label `benchmarking` off."
    );
    mr.push();
    mr.running();
    run(&gitlab, TELL);
    assert!(
        said(&mr)
            .contains("joins the queue as soon as the pipeline of the merge request has passed")
    );
    gitlab.clear_requests();
    gitlab.later(MINUTE);
    run(&gitlab, TELL);
    assert_eq!(writes(&gitlab), [""; 0], "nothing has changed");
    mr.passed();
    run(&gitlab, &format!("{TELL} --max-in-flight 0"));
    assert!(said(&mr).contains("bench-bot is paused"), "{}", said(&mr));
    run(&gitlab, TELL);
    assert!(said(&mr).contains("**Benchmark started**"));
    assert_eq!(mr.discussions().len(), 1);
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    run(&gitlab, "reconcile");
    assert!(mr.notes()[1].body.contains("**Benchmark finished**"));
    assert_eq!((mr.notes().len(), reactions(&mr)), (2, Vec::new()));
}

#[test]
fn its_place_is_told_and_about_when_it_starts() {
    let gitlab = Gitlab::start();
    for number in 0..3 {
        let mr = gitlab.mr(&format!("earlier-{number}")).passed().labelled();
        run(&gitlab, "scan");
        gitlab.later(30 * MINUTE);
        gitlab.benchmark_ends(gitlab.benchmarks()[number].id, "success");
        run(&gitlab, "reconcile");
        assert!(mr.page().contains("**Benchmark finished**"));
    }
    let mrs = ["first", "second", "third"].map(|branch| {
        gitlab.later(MINUTE);
        gitlab.mr(branch).passed().labelled()
    });
    run(&gitlab, TELL);
    assert!(said(&mrs[0]).contains("**Benchmark started**"));
    let told = [&mrs[1], &mrs[2]].map(said);
    assert!(
        told[0].contains("It is next in the queue, and expected to start at about 1"),
        "{told:?}"
    );
    assert!(
        told[1].contains("It is number 2 in the queue, and expected to start at about 1"),
        "{told:?}"
    );
    gitlab.clear_requests();
    gitlab.later(5 * MINUTE);
    run(&gitlab, TELL);
    assert_eq!(writes(&gitlab), [""; 0], "places, not minutes");
    gitlab.benchmark_ends(gitlab.benchmarks()[3].id, "success");
    run(&gitlab, "reconcile");
    run(&gitlab, TELL);
    assert!(said(&mrs[1]).contains("**Benchmark started**"));
    assert!(said(&mrs[2]).contains("It is next in the queue"));
}

#[test]
fn a_discussion_of_one_that_goes_away_is_closed() {
    for leave in [Mr::unlabelled as fn(&Mr) -> Mr, Mr::close, Mr::merge] {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").running().labelled();
        run(&gitlab, TELL);
        leave(&mr);
        run(&gitlab, "reconcile");
        assert!(
            said(&mr).contains("**Benchmark not started**"),
            "{}",
            mr.page()
        );
        assert!(mr.discussions()[0].is_resolved());
        assert_eq!((reactions(&mr), mr.is_labelled()), (Vec::new(), false));
    }
}

#[test]
fn a_refusal_is_not_written_over_and_a_note_that_is_refused_is_no_error() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("speed-up").passed().labelled();
    gitlab.configure("acme/benchmarks", |project| {
        project.workflow_rules_filter = true
    });
    bot(&gitlab, TELL).exits(1);
    let refused = said(&mr);
    assert!(refused.contains("GitLab refused the pipeline"), "{refused}");
    run(&gitlab, &format!("{TELL} --max-in-flight 0"));
    assert_eq!(said(&mr), refused);
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("locked").running().labelled();
    gitlab.world().most_notes = 0;
    let ran = run(&gitlab, TELL);
    assert!(
        ran.stderr.contains("cannot announce the benchmark"),
        "{}",
        ran.stderr
    );
    assert!(mr.notes().is_empty());
}

/// What a person has triggered outlives the announcement.
#[test]
fn a_triggered_commit_is_still_meant_after_an_edit() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("theirs").passed();
    let limit = |limit| {
        gitlab.configure("acme/benchmarks", |project| {
            project.pipelines_per_minute = limit;
        });
    };
    limit(Some(0));
    bot(&gitlab, "trigger --mr 1").exits(1);
    run(&gitlab, &format!("{TELL} --max-in-flight 0"));
    assert!(said(&mr).contains("paused"), "{}", said(&mr));
    limit(None);
    run(&gitlab, TELL);
    assert!(said(&mr).contains("**Benchmark started**"), "{}", said(&mr));
}
