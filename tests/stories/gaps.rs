//! Fields that GitLab leaves out, or null, although nothing needs them: all goes on as if they were there.

use in_memory_gitlab::{Fault, Gitlab, Mr, Request};
use serde_json::{Value, json};

use crate::bot::{bot, in_flight, json, run};

type Such = fn(&Request) -> bool;

fn is_of_mrs(request: &Request) -> bool {
    request.path.contains("/merge_requests")
}

fn is_of_pipelines(request: &Request) -> bool {
    request.path.contains("/pipelines") || request.path.contains("/pipeline")
}

fn any(_: &Request) -> bool {
    true
}

/// Each with the answers that lack it.
const UNNEEDED: [(&str, Such); 19] = [
    ("updated_at", is_of_mrs),
    ("updated_at", is_of_pipelines),
    ("updated_at", any),
    ("started_at", any),
    ("finished_at", any),
    ("user_notes_count", any),
    ("allow_failure", any),
    ("failure_reason", any),
    ("artifacts_file", any),
    ("diff_refs", any),
    ("bot", any),
    ("resolved", any),
    ("system", any),
    ("detailed_status", any),
    ("title", any),
    ("prepared_at", any),
    ("developers_can_merge", any),
    ("coverage", any),
    ("duration", any),
];

/// From the label to the outcome, with whatever is left out of the answers.
fn served(gitlab: &Gitlab, mr: &Mr, story: &str) {
    for _ in 0..2 {
        let report = json(gitlab, "scan");
        let started = report["in_flight"][0]["mr"].clone();
        assert!(started == 1 || report["actions"][0]["outcome"] == "done");
    }
    let [benchmark] = &gitlab.benchmarks()[..] else {
        panic!("{story}: {}", mr.page())
    };
    assert_eq!(benchmark.variable("BENCH_SHA"), Some(mr.sha().as_str()));
    gitlab.benchmark_runs(benchmark.id);
    run(gitlab, "status");
    run(gitlab, "status --mr 1");
    gitlab.benchmark_ends(benchmark.id, "success");
    run(gitlab, "reconcile --results-job benchmark");
    assert!(!mr.is_labelled(), "{story}");
    assert_eq!(mr.notes().len(), 2, "{story}: {}", mr.page());
    assert_eq!(json(gitlab, "reconcile")["actions"], json!([]), "{story}");
}

#[test]
fn a_field_that_is_missing_keeps_nothing_from_being_served() {
    for (field, such) in UNNEEDED {
        let gitlab = Gitlab::start();
        let mr = gitlab.mr("speed-up").passed().labelled();
        gitlab.fault(move |request| such(request).then_some(Fault::Without(field)));
        served(&gitlab, &mr, field);
    }
}

/// The author of a merge request matters only where they labelled their own fork before it had a version.
#[test]
fn nor_does_an_author_of_whom_nothing_is_known() {
    let reads_mr = |request: &Request| {
        let (_, last) = request.path.rsplit_once('/').unwrap_or_default();
        request.method == "GET" && request.path.contains("/merge_requests/") && last == "1"
    };
    let opens: [fn(&Gitlab) -> Mr; 2] = [
        |gitlab| gitlab.mr("speed-up").passed().labelled(),
        |gitlab| gitlab.fork_mr("speed-up").passed().labelled(),
    ];
    for open in opens {
        let gitlab = Gitlab::start();
        let mr = open(&gitlab);
        gitlab.fault(move |request| reads_mr(request).then_some(Fault::Without("author")));
        served(&gitlab, &mr, "author");
    }
}

#[test]
fn a_benchmark_of_which_the_list_says_too_little_is_not_started_again() {
    for field in ["status", "source", "created_at"] {
        let gitlab = Gitlab::start();
        let (mr, benchmark) = in_flight(&gitlab);
        let lists = |request: &Request| request.path == "/projects/8/pipelines";
        gitlab.fault(move |request| lists(request).then_some(Fault::Without(field)));
        gitlab.clear_requests();
        for command in ["scan", "scan --max-in-flight 9", "reconcile"] {
            bot(&gitlab, command).runs();
        }
        assert_eq!(gitlab.benchmarks().len(), 1, "{field}");
        assert_eq!(gitlab.pipeline(benchmark).status, "running", "{field}");
        assert!(mr.is_labelled());
        gitlab.no_faults();
        gitlab.benchmark_ends(benchmark, "success");
        run(&gitlab, "reconcile");
        assert!(!mr.is_labelled());
    }
}

#[test]
fn a_variable_without_a_value_is_no_reason_to_pass_over_the_record() {
    // GitLab masks what it does not show.
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    let people = in_memory_gitlab::People::clone(&gitlab);
    gitlab.fault(move |request| {
        if !request.path.ends_with("/variables") {
            return None;
        }
        let variables = people.pipeline(benchmark).variables.into_iter();
        let rows = variables.map(|(key, value)| json!({ "key": key, "value": value }));
        let more = json!({ "key": "SECRET", "value": null });
        Some(Fault::Answer {
            status: 200,
            headers: vec![("x-next-page".to_owned(), String::new())],
            body: Value::Array(rows.chain([more]).collect()).to_string(),
        })
    });
    assert_eq!(json(&gitlab, "scan")["in_flight"][0]["mr"], mr.iid());
    gitlab.benchmark_ends(benchmark, "success");
    run(&gitlab, "reconcile");
    assert!(!mr.is_labelled());
}

#[test]
fn a_record_whose_values_are_withheld_may_be_of_anything() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.fault(|request| {
        let masked = r#"[{"key":"BENCH_MR_IID","value":null}]"#;
        let reads = request.path.ends_with("/variables");
        reads.then(|| Fault::answer(200, "application/json", masked))
    });
    for command in ["scan", "reconcile"] {
        let ran = bot(&gitlab, command).exits(1);
        let said = "may be a benchmark, but GitLab does not show one of its variables";
        assert!(ran.complaint().contains(said), "{}", ran.stderr);
    }
    assert_eq!(gitlab.benchmarks().len(), 1, "{}", mr.page());
}
