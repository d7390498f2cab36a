//! A push between any two requests of a scan.

use in_memory_gitlab::{Gitlab, Mr, Request};

use super::{any, before};
use crate::bot::run;

/// A merge request is pushed to right before each request of a scan in turn; the next scan comes when its pipeline
/// has passed. `check` gets the commit that was labelled.
fn pushed_to_between_any_two_requests(
    labelled: fn(&Gitlab) -> Mr,
    pipelines: &[&'static str],
    check: impl Fn(&Gitlab, &Mr, &str),
) {
    let quiet = Gitlab::start();
    labelled(&quiet);
    run(&quiet, "scan");
    let requests = quiet.requests().len();
    assert!(requests >= 10, "{requests}");
    let each = (0..requests).flat_map(|nth| pipelines.iter().map(move |&status| (nth, status)));
    for (nth, status) in each {
        let gitlab = Gitlab::start();
        let mr = labelled(&gitlab);
        let commit = mr.sha();
        before(&gitlab, nth, any, move |people| {
            people.existing_mr("acme/engine", 1).push().pipeline(status);
        });
        run(&gitlab, "scan");
        gitlab.no_faults();
        mr.passed();
        run(&gitlab, "scan --max-in-flight 9");
        check(&gitlab, &mr, &commit);
    }
}

#[test]
fn a_push_between_any_two_requests_of_a_scan_mixes_up_no_commits() {
    let labelled = |gitlab: &Gitlab| gitlab.mr("speed-up").passed().labelled();
    pushed_to_between_any_two_requests(labelled, &["success", "running"], |gitlab, mr, _| {
        let [benchmark] = &gitlab.benchmarks()[..] else {
            panic!("{:?}", gitlab.benchmarks())
        };
        let pipeline = benchmark.variable("BENCH_PIPELINE_ID").expect("a record");
        let pipeline = gitlab.pipeline(pipeline.parse().expect("a number"));
        assert_eq!(benchmark.variable("BENCH_SHA"), Some(pipeline.sha.as_str()));
        assert_eq!(pipeline.status, "success");
        let [note] = &mr.notes()[..] else {
            panic!("{}", mr.page())
        };
        assert!(note.body.contains(&pipeline.sha[..8]), "{}", note.body);
    });
}

#[test]
fn nor_does_a_push_to_a_fork_get_an_unseen_commit_benchmarked() {
    let labelled = |gitlab: &Gitlab| gitlab.fork_mr("speed-up").passed().labelled();
    pushed_to_between_any_two_requests(labelled, &["success"], |gitlab, _, commit| {
        let benchmarks = gitlab.benchmarks();
        assert!(benchmarks.len() <= 1);
        let shas = benchmarks
            .iter()
            .map(|benchmark| benchmark.variable("BENCH_SHA"));
        assert!(shas.eq(benchmarks.iter().map(|_| Some(commit))));
    });
}

#[test]
fn a_scan_overtaken_by_a_push_does_not_say_that_the_limit_is_reached() {
    let gitlab = Gitlab::start();
    gitlab.mr("speed-up").passed().labelled();
    let looks = |request: &Request| request.path.ends_with("/merge_requests/1");
    before(&gitlab, 1, looks, |people| {
        people.existing_mr("acme/engine", 1).push();
    });
    let report = run(&gitlab, "scan").stdout;
    assert!(report.contains("In flight: 0 of 1"), "{report}");
    assert!(
        !report.contains("as many are in flight as may be"),
        "{report}"
    );
}
