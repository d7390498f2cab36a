//! The link straight to one file among the results.

use in_memory_gitlab::{Fault, Gitlab};

use crate::bot::{bot, in_flight};
use crate::outcome::told;

/// The reply's end, and what was said on standard error, where the job has left one file and another is asked for.
fn link(left: &str, asked: &str, fault: Option<Fault>) -> (String, String) {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_leaves(benchmark, "benchmark", left, "<p>2x");
    gitlab.benchmark_ends(benchmark, "success");
    gitlab.fault(move |request| fault.clone().filter(|_| request.path.ends_with(".html")));
    let ran = bot(&gitlab, "reconcile --results-job benchmark --results-file")
        .arg(asked)
        .succeeds();
    assert!(!mr.is_labelled());
    let jobs = "https://gitlab.example.com/acme/benchmarks/-/jobs/";
    let told = told(&mr).replace(jobs, "jobs:");
    let (_, link) = told.split_once("Results: ").expect("there are results");
    let (link, _) = link
        .rsplit_once(". To benchmark it again")
        .expect("how to go on");
    (link.to_owned(), ran.stderr)
}

const ALL: &str = "[artifacts of `benchmark`](jobs:2002/artifacts/browse)";

#[test]
fn the_reply_links_straight_to_the_file() {
    for (path, encoded) in [
        ("index.html", "index.html"),
        ("report/index.html", "report/index.html"),
        (
            "a b/#1 (new)/what?.html",
            "a%20b/%231%20%28new%29/what%3F.html",
        ),
        ("größer/50%.html", "gr%C3%B6%C3%9Fer/50%25.html"),
        ("a[1]&amp;<b>.html", "a%5B1%5D%26amp%3B%3Cb%3E.html"),
    ] {
        let (link, said) = link(path, path, None);
        assert_eq!(
            link,
            format!("[`{path}`](jobs:2002/artifacts/file/{encoded})")
        );
        assert_eq!(said, "");
    }
}

#[test]
fn a_file_that_is_missing_or_cannot_be_read_is_no_broken_link() {
    let (link_of_missing, said) = link("other.html", "report/index.html", None);
    assert_eq!(link_of_missing, ALL);
    assert!(
        said.contains("left no file report/index.html, so the reply links to all artifacts: see --results-file"),
        "{said}"
    );
    let forbidden = Fault::answer(403, "application/json", r#"{"message":"403 Forbidden"}"#);
    for fault in [Fault::server_error(), Fault::Reset, forbidden] {
        let (link, said) = link("index.html", "index.html", Some(fault));
        assert_eq!(link, ALL);
        assert!(said.contains("cannot read index.html of "), "{said}");
    }
}

#[test]
fn without_artifacts_there_is_nothing_to_link_to() {
    let gitlab = Gitlab::start();
    let (mr, benchmark) = in_flight(&gitlab);
    gitlab.benchmark_ends(benchmark, "success");
    let settings = "reconcile --results-job benchmark --results-file index.html";
    let ran = bot(&gitlab, settings).succeeds();
    assert_eq!(ran.stderr, "");
    assert!(told(&mr).ends_with(
        "ended with success. To benchmark it again, add the label `benchmarking` again."
    ));
    let requests = gitlab.requests();
    assert!(
        !requests
            .iter()
            .any(|request| request.path.contains("index.html"))
    );
}

#[test]
fn a_path_that_gitlab_would_refuse_is_refused_first() {
    let gitlab = Gitlab::start();
    for path in ["/index.html", "report/", "../index.html", "a//b", "./a"] {
        let ran = bot(&gitlab, "reconcile --results-job benchmark --results-file")
            .arg(path)
            .exits(2);
        assert!(
            ran.complaint()
                .contains("write the path of a file among the artifacts"),
            "{path}"
        );
    }
    assert!(gitlab.requests().is_empty());
}
