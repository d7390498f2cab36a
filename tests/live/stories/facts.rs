//! What bench-bot takes for granted of GitLab's answers, asked one by one.

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};

use crate::live::{LABEL, Live};
use crate::setup::makefile;

struct Fact {
    what: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
    status: u16,
    says: String,
}

fn get(what: &'static str, path: String, status: u16, says: &str) -> Fact {
    fact(what, Method::GET, path, None, status, says)
}

fn post(what: &'static str, path: String, body: Value, status: u16, says: &str) -> Fact {
    fact(what, Method::POST, path, Some(body), status, says)
}

fn fact(
    what: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
    status: u16,
    says: &str,
) -> Fact {
    let says = says.to_owned();
    Fact {
        what,
        method,
        path,
        body,
        status,
        says,
    }
}

pub fn tell(live: &Live) -> Result<()> {
    let sha = live.push(&live.source, "facts", &makefile(100, ""))?;
    let mr = live.open(&live.source, "facts", sha, &[])?;
    let of_mr = |rest: &str| live.mr_path(&mr, rest);
    let requests = format!("/projects/{}/merge_requests", live.source.id);
    let list = |query: &str| format!("{requests}?{query}");
    let create = format!("/projects/{}/pipeline", live.benchmarks.id);
    let twice = json!([{ "key": "A", "value": "1" }, { "key": "A", "value": "2" }]);
    let missing = "0".repeat(40);

    let mut facts = vec![
        get(
            "a filter by a label that is not there",
            list("labels=no-such-label"),
            200,
            "[]",
        ),
        get(
            "a state that is none",
            list("state=wrong"),
            400,
            "state does not have a valid value",
        ),
        get(
            "a merge request that is not there",
            format!("{requests}/999999"),
            404,
            "404 Not found",
        ),
        get(
            "a pipeline that is not there",
            format!("{}/1", live.pipelines()),
            404,
            "404 Not found",
        ),
        get(
            "a discussion that is not there",
            of_mr(&format!("/discussions/{missing}")),
            404,
            "404 Discussion Not Found",
        ),
        get(
            "a label that is not there",
            format!("/projects/{}/labels/no-such-label", live.source.id),
            404,
            "404 Label Not Found",
        ),
        post(
            "a pipeline without a ref",
            create.clone(),
            json!({}),
            400,
            "ref is missing",
        ),
        post(
            "a pipeline of a ref that is not there",
            create.clone(),
            json!({ "ref": "no-such-branch" }),
            400,
            "Reference not found",
        ),
        post(
            "a variable given twice",
            create,
            json!({ "ref": "main", "variables": twice }),
            400,
            "Duplicate variable name",
        ),
        fact(
            "taking off a label that is not on",
            Method::PUT,
            of_mr(""),
            Some(json!({ "remove_labels": LABEL })),
            200,
            "\"labels\":[]",
        ),
        get(
            "no label event for that",
            of_mr("/resource_label_events"),
            200,
            "[]",
        ),
        post(
            "a reaction",
            of_mr("/award_emoji"),
            json!({ "name": "eyes" }),
            201,
            "eyes",
        ),
        post(
            "the same once more",
            of_mr("/award_emoji"),
            json!({ "name": "eyes" }),
            404,
            "has already been taken",
        ),
        get(
            "the list by one's own reaction",
            list("my_reaction_emoji=eyes"),
            200,
            &format!("\"iid\":{}", mr.iid),
        ),
        post(
            "a note of commands only",
            of_mr("/notes"),
            json!({ "body": "/todo" }),
            202,
            "commands_changes",
        ),
    ];
    let done = live
        .person
        .list(&format!("{}?source=api&status=success", live.pipelines()))?;
    if let Some(done) = done.first() {
        let cancel = format!("{}/{}/cancel", live.pipelines(), done["id"]);
        facts.push(post(
            "cancelling what has ended",
            cancel,
            json!({}),
            200,
            "\"status\":\"success\"",
        ));
    }
    for fact in facts {
        let answer = live
            .person
            .ask(fact.method, &fact.path, fact.body.as_ref())?;
        live.seen.expect(
            format_args!("{}: {} with `{}`", fact.what, fact.status, fact.says),
            answer.status == fact.status && answer.body.contains(&fact.says),
            format_args!("{}: {}", answer.status, answer.body),
        );
    }

    let own = live.person.list(&of_mr("/award_emoji"))?;
    let id = &own.first().context("the reaction is not in the list")?["id"];
    let answer = live
        .person
        .ask(Method::DELETE, &of_mr(&format!("/award_emoji/{id}")), None)?;
    live.seen.expect(
        "taking back a reaction: 204",
        answer.status == 204,
        answer.status,
    );
    let whole = live.mr(&mr)?;
    let fields = [
        "head_pipeline",
        "diff_refs",
        "detailed_merge_status",
        "source_project_id",
    ];
    for field in fields {
        live.seen.expect(
            format_args!("a merge request to have `{field}`"),
            whole.get(field).is_some(),
            &whole,
        );
    }
    Ok(())
}
