//! Discussions and notes.

use crate::client::{Client, client};
use in_memory_gitlab::*;
use serde_json::{Value, json};

const ONE: &str = "/projects/7/merge_requests/1";
const DISCUSSIONS: &str = "/projects/7/merge_requests/1/discussions";
const NOTES: &str = "/projects/7/merge_requests/1/notes";

fn open(gitlab: &Gitlab, body: &str) -> Value {
    let reply = client(gitlab).post(DISCUSSIONS, json!({ "body": body }));
    assert_eq!(reply.status, 201, "{}", reply.body);
    reply.json()
}

fn path_of(discussion: &Value) -> String {
    format!("{DISCUSSIONS}/{}", discussion["id"].as_str().unwrap())
}

#[test]
fn a_discussion_with_replies() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster").push();
    let discussion = open(&gitlab, "Started.<!-- x -->\r\nMore \n\n");
    assert_eq!(discussion["id"].as_str().unwrap().len(), 40);
    let note = &discussion["notes"][0];
    assert_eq!(
        (&note["body"], &note["type"]),
        (&json!("Started.<!-- x -->\nMore"), &json!("DiscussionNote"))
    );
    assert_eq!(
        (&note["noteable_id"], &note["noteable_iid"]),
        (&json!(501), &json!(1))
    );
    assert_eq!(
        (&note["resolvable"], &note["resolved"]),
        (&json!(true), &json!(false))
    );

    let reply = client(&gitlab).post(
        &format!("{}/notes", path_of(&discussion)),
        json!({ "body": "Ended." }),
    );
    assert_eq!(
        (reply.status, &reply.json()["body"]),
        (201, &json!("Ended."))
    );
    let all = client(&gitlab).get(DISCUSSIONS);
    assert_eq!(
        all.column("individual_note"),
        [true, false],
        "the push has left a system note"
    );
    assert_eq!(all.json()[0]["notes"][0]["system"], true);
    assert_eq!(
        client(&gitlab).get(&path_of(&discussion)).json(),
        all.json()[1]
    );
    let system = all.json()[0].clone();
    let refused = client(&gitlab).post(
        &format!("{}/notes", path_of(&system)),
        json!({ "body": "x" }),
    );
    assert_eq!(
        refused.json()["message"],
        "400 Bad request - Replies to system notes are not allowed."
    );
    let missing = client(&gitlab).post(&format!("{DISCUSSIONS}/123/notes"), json!({ "body": "x" }));
    assert_eq!(
        missing.json(),
        json!({ "message": "404 Discussion Not Found" })
    );
    assert_eq!(
        client(&gitlab)
            .get("/projects/7/merge_requests/2/discussions")
            .json(),
        json!({ "message": "404 MergeRequest Not Found" })
    );
    assert_eq!(Client::anonymous(&gitlab).get(DISCUSSIONS).status, 401);
}

#[test]
fn a_body_is_needed_and_not_too_long() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    let error = |body: Value| client(&gitlab).post(DISCUSSIONS, body).json();
    assert_eq!(error(json!({})), json!({ "error": "body is missing" }));
    let blank = json!({ "message": r#"400 Bad request - Note {:note=>["can't be blank"]}"# });
    assert_eq!(error(json!({ "body": " \n" })), blank);
    let long = error(json!({ "body": "x".repeat(1_000_001) }));
    assert!(
        long["message"]
            .as_str()
            .unwrap()
            .contains("is too long (maximum is 1000000 characters)")
    );
}

#[test]
fn resolving() {
    let gitlab = Gitlab::start();
    let mr = gitlab.fork_mr("faster");
    gitlab.configure("acme/engine", |project| {
        project.only_allow_merge_if_all_discussions_are_resolved = true
    });
    let discussion = open(&gitlab, "Started.");
    let blocked = |mr: Value| {
        (
            mr["blocking_discussions_resolved"].clone(),
            mr["detailed_merge_status"].clone(),
        )
    };
    let expected = (json!(false), json!("discussions_not_resolved"));
    assert_eq!(blocked(client(&gitlab).get(ONE).json()), expected);

    let resolve = |token| {
        let client = Client::anonymous(&gitlab).with_token(token);
        client.put(&path_of(&discussion), json!({ "resolved": true }))
    };
    gitlab.role("linus", "acme/engine", Role::Reporter);
    assert_eq!(resolve(LINUS_TOKEN).status, 403);
    let resolved = resolve(MALLORY_TOKEN);
    assert_eq!(
        (
            resolved.status,
            &resolved.json()["notes"][0]["resolved_by"]["username"]
        ),
        (200, &json!("mallory"))
    );
    assert_eq!(
        resolve(BOT_TOKEN).json()["notes"][0]["resolved_by"]["username"],
        "mallory"
    );
    mr.reply("ada", discussion["id"].as_str().unwrap(), "Thanks.");
    assert!(
        mr.discussions()[0].is_resolved(),
        "a reply is born resolved"
    );
    assert_eq!(
        blocked(client(&gitlab).get(ONE).json()),
        (json!(true), json!("mergeable"))
    );
    assert!(mr.page().contains("[resolved]"));
    let note = format!(
        "{}/notes/{}",
        path_of(&discussion),
        discussion["notes"][0]["id"]
    );
    assert_eq!(
        client(&gitlab)
            .put(&note, json!({ "resolved": false }))
            .json()["resolved"],
        false
    );
    let both = client(&gitlab).put(&note, json!({ "resolved": false, "body": "x" }));
    assert_eq!(
        both.json(),
        json!({ "error": "body, resolved are mutually exclusive" })
    );
    assert_eq!(client(&gitlab).put(&note, json!({})).status, 400);
}

#[test]
fn a_single_comment_becomes_a_thread() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    let comment = client(&gitlab).post(NOTES, json!({ "body": "Hello" }));
    let json = comment.json();
    assert_eq!(
        (comment.status, &json["type"], json.get("resolved")),
        (201, &Value::Null, None)
    );
    let discussion = client(&gitlab).get(DISCUSSIONS).json()[0].clone();
    assert_eq!(
        client(&gitlab)
            .put(&path_of(&discussion), json!({ "resolved": true }))
            .status,
        403
    );
    client(&gitlab).post(
        &format!("{}/notes", path_of(&discussion)),
        json!({ "body": "Yes?" }),
    );
    let thread = client(&gitlab).get(&path_of(&discussion)).json();
    assert_eq!(
        (
            &thread["individual_note"],
            &thread["notes"][0]["resolvable"]
        ),
        (&json!(false), &json!(true))
    );
}

#[test]
fn notes_newest_first() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").push();
    mr.comment("ada", "one");
    mr.comment("linus", "two");
    let ids = |query: &str| client(&gitlab).get(&format!("{NOTES}{query}")).column("id");
    assert_eq!(ids(""), [303, 302, 301]);
    assert_eq!(ids("?sort=asc&activity_filter=only_comments"), [302, 303]);
    assert_eq!(ids("?activity_filter=only_activity"), [301]);
    client(&gitlab).get(&format!("{NOTES}/302"));
    let ada = Client::anonymous(&gitlab).with_token(ADA_TOKEN);
    ada.put(&format!("{NOTES}/302"), json!({ "body": "one, better" }));
    assert_eq!(ids("?order_by=updated_at"), [302, 303, 301]);
    assert_eq!(
        client(&gitlab).get(&format!("{NOTES}/9")).json(),
        json!({ "message": "404 Not found" })
    );
}

#[test]
fn only_its_author_or_a_maintainer_edits_a_note() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    mr.comment("linus", "Mine");
    let edit = |token| {
        let client = Client::anonymous(&gitlab).with_token(token);
        client
            .put(&format!("{NOTES}/301"), json!({ "body": "Edited" }))
            .status
    };
    assert_eq!(
        [edit(BOT_TOKEN), edit(LINUS_TOKEN), edit(ADA_TOKEN)],
        [403, 200, 200]
    );
    assert_eq!(client(&gitlab).delete(&format!("{NOTES}/301")).status, 403);
    let own = Client::anonymous(&gitlab).with_token(LINUS_TOKEN);
    let deleted = own.delete(&format!("{NOTES}/301"));
    assert_eq!((deleted.status, deleted.body.as_str()), (204, ""));
    assert!(
        mr.discussions().is_empty(),
        "a discussion goes with its last note"
    );
}

#[test]
fn a_locked_discussion_is_for_members() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    let say = |token| {
        let client = Client::anonymous(&gitlab).with_token(token);
        client.post(DISCUSSIONS, json!({ "body": "Hello" })).status
    };
    assert_eq!(say(MALLORY_TOKEN), 201);
    mr.lock_discussion();
    assert_eq!([say(MALLORY_TOKEN), say(BOT_TOKEN)], [403, 201]);
    assert_eq!(client(&gitlab).get(ONE).json()["discussion_locked"], true);
    gitlab.configure("acme/engine", |project| project.archived = true);
    assert_eq!(say(BOT_TOKEN), 403);
}

#[test]
fn an_author_is_locked_out_of_a_locked_discussion() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    mr.comment("mallory", "Mine");
    mr.comment("bench-bot", "Mine");
    mr.lock_discussion();
    let edit = |token, note: u64| {
        let client = Client::anonymous(&gitlab).with_token(token);
        let path = format!("{NOTES}/{note}");
        client.put(&path, json!({ "body": "Edited" })).status
    };
    assert_eq!([edit(MALLORY_TOKEN, 301), edit(BOT_TOKEN, 302)], [403, 200]);
    assert_eq!(edit(ADA_TOKEN, 301), 200);
}

#[test]
fn a_discussion_that_is_gone() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster");
    let discussion = open(&gitlab, "Started.");
    mr.delete_discussion(discussion["id"].as_str().unwrap());
    let resolved = client(&gitlab).put(&path_of(&discussion), json!({ "resolved": true }));
    assert_eq!(
        (resolved.status, resolved.json()),
        (500, json!({ "message": "500 Internal Server Error" }))
    );
    let gone = json!({ "message": "404 Discussion Not Found" });
    assert_eq!(client(&gitlab).get(&path_of(&discussion)).json(), gone);
}

#[test]
fn so_many_comments_and_no_more() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled().push();
    let discussion = open(&gitlab, "Started.");
    gitlab.world().most_notes = 2;
    let full = "400 Bad request - Note {:base=>[\"Maximum number of comments exceeded\"]}";
    let replies = format!("{}/notes", path_of(&discussion));
    for path in [DISCUSSIONS, NOTES, &replies] {
        let refused = client(&gitlab).post(path, json!({ "body": "x\n/unlabel ~benchmarking" }));
        assert_eq!(
            (refused.status, refused.json()),
            (400, json!({ "message": full }))
        );
    }
    assert!(mr.is_labelled());
    let edit = client(&gitlab).put(&format!("{NOTES}/302"), json!({ "body": "Ended." }));
    assert_eq!((edit.status, &edit.json()["body"]), (200, &json!("Ended.")));
    mr.push();
    assert_eq!(client(&gitlab).get(DISCUSSIONS).column("id").len(), 3);
}

#[test]
fn quick_actions_act() {
    let gitlab = Gitlab::start();
    let mr = gitlab.mr("faster").labelled();
    let mixed = client(&gitlab).post(
        NOTES,
        json!({ "body": "Done.\n/unlabel ~benchmarking\n/label ~\"a b\" ~c\nBye." }),
    );
    assert_eq!(
        (mixed.status, &mixed.json()["body"]),
        (201, &json!("Done.\nBye."))
    );
    assert_eq!(mr.labels(), ["a b", "c"]);
    let only = client(&gitlab).post(DISCUSSIONS, json!({ "body": "/close\n" }));
    assert_eq!((only.status, only.json().get("id")), (202, None));
    assert_eq!(
        only.json()["summary"],
        json!(["Closed this merge request."])
    );
    assert!(mr.page().starts_with("!1 faster (closed)"));

    let note = client(&gitlab).get(NOTES).json()[0]["id"].clone();
    assert_eq!(
        client(&gitlab)
            .put(&format!("{NOTES}/{note}"), json!({ "body": "/APPROVE" }))
            .status,
        200
    );
    assert_eq!(
        client(&gitlab).get(NOTES).json(),
        json!([]),
        "a note of nothing but commands is deleted"
    );
}

#[test]
fn what_is_no_quick_action() {
    let gitlab = Gitlab::start();
    gitlab.mr("faster");
    for body in [
        "/unknown command",
        " /close",
        "`/close`",
        "```\n/close\n```\n",
        ">>>\n/close\n>>>",
        "<pre>\n/close\n</pre>",
        "see /close",
        "/closed",
    ] {
        assert_eq!(
            open(&gitlab, body)["notes"][0]["body"],
            body.trim_end(),
            "{body}"
        );
    }
    let open_block = client(&gitlab).post(DISCUSSIONS, json!({ "body": "```\n/close" }));
    assert_eq!(
        open_block.json()["notes"][0]["body"],
        "```",
        "a block that is never closed protects nothing"
    );
}
