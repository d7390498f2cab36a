//! Proof that the server is taken for GitLab by a client that was not written for it.

use in_memory_gitlab::{BOT_TOKEN, ExternalUrl, Gitlab};
use std::process::Command;

#[test]
#[ignore = "needs python-gitlab; .ci/run installs it"]
fn python_gitlab_takes_it_for_the_real_one() {
    // python-gitlab follows the links to further pages, so they must lead here.
    let gitlab = Gitlab::builder()
        .external_url(ExternalUrl::Loopback)
        .start();
    let mr = gitlab.mr("faster").passed().labelled().label("other");
    for number in 2..=5 {
        gitlab.mr(&format!("branch-{number}")).labelled();
    }
    gitlab.mr("unlabelled").passed();

    let status = Command::new("python3")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/python_gitlab.py"
        ))
        .env("GITLAB_URL", gitlab.url())
        .env("GITLAB_TOKEN", BOT_TOKEN)
        .status()
        .expect("python3 can be run");
    assert!(status.success());

    assert_eq!(mr.labels(), ["other"]);
    let pipelines = gitlab.benchmarks();
    assert_eq!(pipelines.len(), 1);
    assert_eq!(pipelines[0].variable("BENCH_SHA"), Some(mr.sha().as_str()));
    assert_eq!(pipelines[0].job_sees()["BENCH_BRANCH"], "a$b");
    assert_eq!(pipelines[0].status, "canceled");
    let discussions = mr.discussions();
    assert_eq!(discussions.len(), 1);
    assert!(discussions[0].is_resolved());
    assert_eq!(
        mr.notes()[0].body,
        format!("Benchmark started: {}", pipelines[0].url)
    );
}
