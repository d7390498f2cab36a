//! Pages of lists.

use crate::client::{Reply, client};
use in_memory_gitlab::Gitlab;
use serde_json::{Value, json};

fn headers(reply: &Reply) -> [&str; 6] {
    [
        "x-page",
        "x-per-page",
        "x-next-page",
        "x-prev-page",
        "x-total",
        "x-total-pages",
    ]
    .map(|name| reply.header(name).unwrap_or("none"))
}

#[test]
fn offset_pages_with_headers() {
    let gitlab = Gitlab::start();
    for number in 0..5 {
        gitlab.mr(&format!("branch-{number}"));
    }
    let page = |number: u32| {
        client(&gitlab).get(&format!(
            "/projects/acme%2Fengine/merge_requests?state=opened&per_page=2&page={number}"
        ))
    };
    let first = page(1);
    assert_eq!(first.column("iid"), [5, 4]);
    assert_eq!(headers(&first), ["1", "2", "2", "", "5", "3"]);
    let base = "https://gitlab.example.com/api/v4/projects/7/merge_requests?state=opened";
    let link = |page: u32, rel: &str| format!("<{base}&page={page}&per_page=2>; rel=\"{rel}\"");
    assert_eq!(
        first.header("link").unwrap(),
        [link(2, "next"), link(1, "first"), link(3, "last")].join(", ")
    );
    let last = page(3);
    assert_eq!(last.column("iid"), [1]);
    assert_eq!(headers(&last), ["3", "2", "", "2", "5", "3"]);
    assert_eq!(page(4).json(), json!([]));
}

#[test]
fn twenty_at_first_and_a_hundred_at_most() {
    let gitlab = Gitlab::start();
    for _ in 0..101 {
        gitlab.pipeline_by("bench-bot", "acme/benchmarks", "api", &[]);
    }
    let lengths = |query: &str| {
        client(&gitlab)
            .get(&format!("/projects/8/pipelines{query}"))
            .column("id")
            .len()
    };
    assert_eq!(lengths(""), 20);
    assert_eq!(lengths("?per_page=1000"), 100);
    assert_eq!(lengths("?per_page=1000&page=2"), 1);
}

#[test]
fn a_long_list_does_not_tell_its_total() {
    let gitlab = Gitlab::start();
    for number in 0..3 {
        gitlab.mr(&format!("branch-{number}"));
    }
    gitlab.world().totals_up_to = 2;
    let reply = client(&gitlab).get("/projects/7/merge_requests?per_page=1");
    assert_eq!(headers(&reply), ["1", "1", "2", "", "none", "none"]);
    assert!(!reply.header("link").unwrap().contains("last"));
}

#[test]
fn unreadable_rows_make_pages_short_or_empty() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled().relabel();
    mr.comment("ada", "Nice.");
    gitlab.short_pages(1);
    let events = |page: u32, per_page: u32| {
        let query = format!("page={page}&per_page={per_page}");
        client(&gitlab).get(&format!(
            "/projects/7/merge_requests/1/resource_label_events?{query}"
        ))
    };
    assert_eq!(events(1, 20).column("id"), [101, 102, 103]);
    assert_eq!(events(1, 4).column("id"), [101, 102]);
    assert_eq!(events(1, 1).json(), Value::Array(vec![]));
    assert_eq!(events(1, 1).header("x-next-page"), Some("2"));
    assert_eq!(events(2, 1).column("id"), [101]);
    let discussions =
        client(&gitlab).get("/projects/7/merge_requests/1/discussions?per_page=1&page=2");
    assert_eq!(discussions.column("individual_note"), [false]);
    assert_eq!(discussions.header("x-next-page"), Some(""));
}

#[test]
fn a_page_link_repeats_array_parameters() {
    let gitlab = Gitlab::start();
    let (first, _) = (gitlab.mr("one"), gitlab.mr("two"));
    let reply =
        client(&gitlab).get("/projects/7/merge_requests?iids[]=1&iids[]=2&per_page=1&sort=asc");
    assert_eq!(reply.column("iid"), [first.iid()]);
    assert!(
        reply
            .header("link")
            .unwrap()
            .contains("iids%5B%5D=1&iids%5B%5D=2&sort=asc&page=2")
    );
}
