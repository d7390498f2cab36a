//! Who vouches for the commits of a fork: whoever may set labels and has seen them, or has written them.

use in_memory_gitlab::{ENGINE, Gitlab, Mr, People, Role};
use serde_json::json;

use super::{before, lists, reason};
use crate::bot::{bot, json, run};

/// Mallory belongs to the team, but works in her fork.
fn with_mallory() -> Gitlab {
    let gitlab = Gitlab::start();
    gitlab.role("mallory", "acme/engine", Role::Developer);
    gitlab
}

/// Opened by her with the label chosen in the form; GitLab has made its first version meanwhile.
fn labelled_in_the_form(gitlab: &Gitlab) -> Mr {
    let mr = gitlab.fork_mr_labelled("speed-up", "mallory");
    gitlab.run_background_jobs();
    assert!(mr.is_labelled());
    mr
}

/// It waits for that reason: told in this sentence by every command, and nothing is started.
#[track_caller]
fn assert_waits(gitlab: &Gitlab, mr: &Mr, word: &str, in_short: &str, sentence: &str) {
    let iid = mr.iid();
    let made = gitlab.benchmarks().len();
    assert_eq!(reason(&json(gitlab, "scan"), mr), word);
    let table = run(gitlab, "scan").stdout;
    assert!(table.contains(in_short), "{table}");
    let explained = json(gitlab, &format!("status --mr {iid}"));
    let conditions = explained["conditions"].as_array().expect("a list");
    let vouched = conditions
        .iter()
        .find(|condition| condition["name"] == "as-labelled");
    let vouched = vouched.expect("it is from a fork");
    assert_eq!(vouched["ok"], false);
    assert_eq!(vouched["detail"], sentence);
    assert_eq!(
        vouched["hint"],
        "A Developer of acme/engine has to look at the commits, take the label off and add it again."
    );
    let refused = bot(gitlab, &format!("trigger --mr {iid}")).exits(1);
    assert!(
        refused
            .complaint()
            .starts_with(&format!("error: !{iid}: {sentence}")),
        "{}",
        refused.stderr
    );
    assert_eq!(gitlab.benchmarks().len(), made, "nothing was started");
    assert!(mr.discussions().is_empty(), "{}", mr.page());
}

const PUSHED_TO: (&str, &str, &str) = (
    "changed-since-request",
    "fork: pushed since labelled",
    "somebody pushed to its fork after the label was added",
);
const BY_NOBODY: (&str, &str, &str) = (
    "unvouched",
    "fork: unknown who labelled",
    "GitLab does not say who added the label, so nobody vouches for the commit of its fork",
);
const BY_BOT: (&str, &str, &str) = (
    "unvouched",
    "fork: labelled by the bot",
    "the bot itself added the label, so nobody vouches for the commit of its fork",
);
const BEFORE_COMMITS: (&str, &str, &str) = (
    "unvouched",
    "fork: labelled too early",
    "somebody other than its author added the label before GitLab knew the commits of its fork",
);

#[track_caller]
fn assert_waits_until_relabelled(gitlab: &Gitlab, mr: &Mr, why: (&str, &str, &str)) {
    assert_waits(gitlab, mr, why.0, why.1, why.2);
    mr.unlabel_by("linus", "benchmarking")
        .label_by("linus", "benchmarking");
    run(gitlab, "scan");
    let benchmarks = gitlab.benchmarks();
    assert_eq!(benchmarks.len(), 1);
    assert_eq!(benchmarks[0].variable("BENCH_SHA"), Some(mr.sha().as_str()));
}

#[test]
fn an_author_who_chooses_the_label_in_the_form_is_served() {
    let gitlab = with_mallory();
    let mr = labelled_in_the_form(&gitlab).passed();
    run(&gitlab, "scan");
    let [benchmark] = &gitlab.benchmarks()[..] else {
        panic!("{}", mr.page())
    };
    assert_eq!(benchmark.variable("BENCH_SHA"), Some(mr.sha().as_str()));
    gitlab.benchmark_ends(benchmark.id, "success");
    run(&gitlab, "reconcile");
    assert!(!mr.is_labelled());
}

#[test]
fn while_gitlab_has_not_made_its_first_version_it_waits_for_a_commit() {
    let gitlab = with_mallory();
    let mr = gitlab.fork_mr_labelled("speed-up", "mallory");
    assert_eq!(reason(&json(&gitlab, "scan"), &mr), "no-pipeline");
    let refused = bot(&gitlab, "trigger --mr 1").exits(1);
    assert!(refused.complaint().contains("commit"), "{}", refused.stderr);
    gitlab.run_background_jobs();
    mr.passed();
    run(&gitlab, "scan");
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn what_its_author_pushes_after_that_version_is_not() {
    let gitlab = with_mallory();
    let mr = labelled_in_the_form(&gitlab).passed().push().passed();
    assert_waits_until_relabelled(&gitlab, &mr, PUSHED_TO);
}

#[test]
fn nor_is_what_is_pushed_while_it_is_being_started() {
    let gitlab = with_mallory();
    let mr = labelled_in_the_form(&gitlab).passed();
    let seen = mr.sha();
    before(
        &gitlab,
        0,
        |request| request.is_write(),
        |people| {
            people.existing_mr("acme/engine", 1).push().passed();
        },
    );
    run(&gitlab, "scan");
    gitlab.no_faults();
    run(&gitlab, "scan");
    for benchmark in gitlab.benchmarks() {
        assert_eq!(benchmark.variable("BENCH_SHA"), Some(seen.as_str()));
    }
    // Whether it was read before or after that.
    let waits = match gitlab.benchmarks().is_empty() {
        true => "changed-since-request",
        false => "in-flight",
    };
    assert_eq!(reason(&json(&gitlab, "scan"), &mr), waits);
}

#[test]
fn an_outsider_who_chooses_the_label_gets_none() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr_labelled("speed-up", "mallory");
    gitlab.run_background_jobs();
    mr.passed();
    assert!(!mr.is_labelled(), "GitLab drops it");
    run(&gitlab, "scan");
    assert!(gitlab.benchmarks().is_empty());
}

#[test]
fn somebody_else_who_labels_before_there_is_a_commit_vouches_for_none() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr_labelled("speed-up", "mallory");
    mr.label_by("linus", "benchmarking");
    gitlab.run_background_jobs();
    mr.passed();
    assert_waits_until_relabelled(&gitlab, &mr, BEFORE_COMMITS);
}

#[test]
fn the_bot_vouches_for_nothing() {
    let by_bot: [fn(&Gitlab) -> Mr; 2] = [
        |gitlab| {
            let mr = gitlab.fork_mr("speed-up").passed();
            mr.label_by("bench-bot", "benchmarking")
        },
        |gitlab| {
            let mr = gitlab.fork_mr_labelled("speed-up", "mallory");
            mr.label_by("bench-bot", "benchmarking");
            gitlab.run_background_jobs();
            mr.passed()
        },
    ];
    for labelled in by_bot {
        let gitlab = Gitlab::start();
        let mr = labelled(&gitlab);
        assert_waits_until_relabelled(&gitlab, &mr, BY_BOT);
    }
}

#[test]
fn nor_does_an_account_that_is_no_more() {
    // Newer servers pass its events on to the ghost; older ones answer null.
    for is_null in [false, true] {
        let gitlab = Gitlab::start();
        let mr = gitlab.fork_mr("speed-up").passed().labelled();
        gitlab.delete_user("ada");
        if is_null {
            let mut world = gitlab.world();
            let events = world.merge_requests.values_mut();
            let events = events.flat_map(|mr| &mut mr.label_events);
            events.for_each(|event| event.user_id = None);
        }
        assert_waits_until_relabelled(&gitlab, &mr, BY_NOBODY);
    }
}

#[test]
fn nor_an_author_whose_account_is_no_more() {
    let gitlab = with_mallory();
    let mr = labelled_in_the_form(&gitlab).passed();
    gitlab.delete_user("mallory");
    assert_waits_until_relabelled(&gitlab, &mr, BY_NOBODY);
}

#[test]
fn a_label_without_any_event_is_nobodys() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed().labelled();
    // As an import leaves it.
    gitlab
        .world()
        .merge_requests
        .values_mut()
        .for_each(|mr| mr.label_events.clear());
    gitlab.later(super::HOUR);
    assert_waits_until_relabelled(&gitlab, &mr, BY_NOBODY);
}

#[test]
fn where_events_are_hidden_nobody_is_known_to_vouch() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed().labelled();
    gitlab.later(super::HOUR);
    gitlab.fault(|request| {
        let events = request.path.ends_with("/resource_label_events");
        events.then(|| lists(&json!([])))
    });
    assert_waits(&gitlab, &mr, BY_NOBODY.0, BY_NOBODY.1, BY_NOBODY.2);
}

#[test]
fn a_version_without_a_commit_neither_counts_nor_keeps_the_others_from_being_read() {
    // GitLab answers null where the commits of a version are gone.
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed().labelled();
    let next = gitlab.mr("next").passed().labelled();
    let null = |request: &in_memory_gitlab::Request, people: &People| {
        if !request.path.ends_with("/versions") {
            return None;
        }
        let world = people.world();
        let mr = world.find_merge_request(ENGINE, 1).expect("it is there");
        let versions: Vec<_> = mr
            .versions
            .iter()
            .map(|version| {
                json!({ "id": version.id, "head_commit_sha": null, "created_at": version.created_at.to_rfc3339() })
            })
            .collect();
        Some(lists(&json!(versions)))
    };
    let people = People::clone(&gitlab);
    gitlab.fault(move |request| null(request, &people));
    let report = json(&gitlab, "scan");
    assert_eq!(reason(&report, &mr), "changed-since-request");
    assert!(next.page().contains("Benchmark started"), "{}", next.page());
    assert_eq!(gitlab.benchmarks().len(), 1);
}

#[test]
fn a_person_may_trigger_what_nobody_vouches_for_by_force() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("speed-up").passed();
    mr.label_by("bench-bot", "benchmarking");
    bot(&gitlab, "trigger --mr 1").exits(1);
    run(&gitlab, "trigger --mr 1 --force");
    assert_eq!(gitlab.benchmarks().len(), 1);
}
