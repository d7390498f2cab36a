//! What is asked of merge requests: lists, the bot's mark, discussions.

use bench_bot::gitlab::{Listing, Mark};
use bench_bot::id::{DiscussionId, Iid};
use chrono::DateTime;
use mockito::{Matcher, Mock, ServerGuard};

use crate::{MERGE_REQUESTS, answer, get, gitlab, list};

fn pairs(query: &[(&str, &str)]) -> Matcher {
    let pair =
        |(name, value): &(&str, &str)| Matcher::UrlEncoded((*name).to_owned(), (*value).to_owned());
    Matcher::AllOf(query.iter().map(pair).collect())
}

#[test]
fn what_each_list_asks_for() {
    let labels = ["a", "b"].map(str::to_owned);
    let label = "benchmarking::full";
    let since = DateTime::from_timestamp(1_767_614_400, 0).expect("a time");
    let rows = r#"[{"iid":5,"state":"merged","labels":["benchmarking::full"]},
        {"iid":2,"state":"opened","labels":["benchmarking::full","x"]},
        {"iid":7,"state":"opened","labels":["benchmarking"]},
        {"iid":2,"state":"opened","labels":["benchmarking::full","x"]}]"#;
    for (listing, query, listed) in [
        (
            Listing::Labelled(label),
            vec![("labels", label), ("state", "opened")],
            vec![2, 5],
        ),
        (
            Listing::LabelledIn {
                label,
                state: "closed",
                since,
            },
            vec![
                ("labels", label),
                ("state", "closed"),
                ("updated_after", "2026-01-05T12:00:00.000Z"),
            ],
            vec![2, 5],
        ),
        (
            Listing::Marked(Mark::Begun),
            vec![("my_reaction_emoji", "hourglass_flowing_sand")],
            vec![2, 5, 7],
        ),
        (
            Listing::SeenWithout(&labels),
            vec![("my_reaction_emoji", "eyes"), ("not[labels]", "a,b")],
            vec![2, 5, 7],
        ),
        (Listing::One(Iid(5)), vec![("iids[]", "5")], vec![2, 5, 7]),
    ] {
        let (mut server, gitlab) = gitlab(0);
        let query = [
            query,
            vec![
                ("order_by", "created_at"),
                ("sort", "asc"),
                ("per_page", "100"),
            ],
        ]
        .concat();
        let mock = get(&mut server, MERGE_REQUESTS)
            .match_query(pairs(&query))
            .with_header("x-next-page", "")
            .with_body(rows);
        let mock = mock.create();
        assert_eq!(
            list(&gitlab, listing).expect("a list"),
            listed,
            "{listing:?}"
        );
        mock.assert();
    }
}

const AWARDS: &str = "/projects/7/merge_requests/1/award_emoji";

fn marking(server: &mut ServerGuard, status: usize, body: &str) -> Mock {
    let mock = server.mock("POST", &*format!("/api/v4{AWARDS}"));
    let named = Matcher::Json(serde_json::json!({ "name": "hourglass_flowing_sand" }));
    mock.match_body(named).with_status(status).with_body(body)
}

#[test]
fn a_mark_that_is_there_already_is_set() {
    let taken = r#"{"message":"404 Award Emoji Name has already been taken Not Found"}"#;
    let refused = r#"{"message":"404 Award Emoji Not Found"}"#;
    let set = r#"{"id":1,"name":"hourglass_flowing_sand","user":null}"#;
    for (status, body, is_set) in [
        (201, set, true),
        (404, taken, true),
        (404, refused, false),
        (403, refused, false),
    ] {
        let (mut server, gitlab) = gitlab(0);
        let mock = marking(&mut server, status, body).expect(1).create();
        assert_eq!(
            gitlab.source.mark(Iid(1), Mark::Begun).is_ok(),
            is_set,
            "{status} {body}"
        );
        mock.assert();
    }
}

/// Twice set is set: so it may be repeated, unlike other creations.
#[test]
fn setting_the_mark_is_repeated() {
    let (mut server, gitlab) = gitlab(1);
    let failing = marking(&mut server, 500, "").expect(1).create();
    let taken = r#"{"message":"404 Award Emoji Name has already been taken Not Found"}"#;
    marking(&mut server, 404, taken).create();
    gitlab.source.mark(Iid(1), Mark::Begun).expect("it is set");
    failing.assert();
}

#[test]
fn only_the_bots_own_mark_is_taken_off() {
    let reactions = r#"[{"id":1,"name":"eyes","user":{"id":30,"username":"dana"}},
        {"id":2,"name":"thumbsup","user":{"id":20,"username":"bench-bot"}},
        {"id":3,"name":"eyes","user":{"id":20,"username":"bench-bot"}},
        {"id":4,"name":"eyes","user":null}]"#;
    for (status, body, is_off) in [
        (204, "", true),
        (404, r#"{"message":"404 Not found"}"#, true),
        (401, r#"{"message":"401 Unauthorized"}"#, false),
    ] {
        let (mut server, gitlab) = gitlab(0);
        answer(&mut server, AWARDS, reactions)
            .with_header("x-next-page", "")
            .create();
        let own = server.mock("DELETE", &*format!("/api/v4{AWARDS}/3"));
        let own = own.with_status(status).with_body(body).expect(1).create();
        assert_eq!(
            gitlab.source.unmark(Iid(1), None).is_ok(),
            is_off,
            "{status}"
        );
        own.assert();
    }
}

#[test]
fn where_there_is_no_mark_nothing_is_taken_off() {
    let (mut server, gitlab) = gitlab(0);
    answer(&mut server, AWARDS, "[]")
        .with_header("x-next-page", "")
        .create();
    let deletions = server.mock("DELETE", Matcher::Any).expect(0).create();
    gitlab.source.unmark(Iid(1), None).expect("there is none");
    deletions.assert();
}

/// GitLab answers 500 where the discussion is gone, and so it does where the server fails: it is looked up.
#[test]
fn resolving_what_is_gone_is_no_error() {
    let id = "d".repeat(40);
    let path = format!("/projects/7/merge_requests/1/discussions/{id}");
    let there = format!(r#"{{"id":"{id}","notes":[]}}"#);
    let gone = r#"{"message":"404 Discussion Not Found"}"#;
    let forbidden = r#"{"message":"403 Forbidden"}"#;
    for (case, (put, put_body), (get, get_body), looks, is_done) in [
        ("resolved", (200, &*there), (200, &*there), 0, true),
        (
            "gone, as GitLab says it",
            (500, r#"{"message":"500 Internal Server Error"}"#),
            (404, gone),
            1,
            true,
        ),
        ("gone, in plain words", (404, gone), (404, gone), 1, true),
        (
            "said to be gone, but there",
            (404, gone),
            (200, &*there),
            1,
            false,
        ),
        (
            "there, the server fails",
            (500, ""),
            (200, &*there),
            1,
            false,
        ),
        (
            "a proxy says that it is gone",
            (500, ""),
            (404, "default backend - 404"),
            1,
            false,
        ),
        (
            "may not be resolved",
            (403, forbidden),
            (404, gone),
            0,
            false,
        ),
    ] {
        let (mut server, gitlab) = gitlab(0);
        let resolving = server.mock("PUT", &*format!("/api/v4{path}"));
        resolving.with_status(put).with_body(put_body).create();
        let look = answer(&mut server, &path, get_body)
            .with_status(get)
            .expect(looks)
            .create();
        let resolved = gitlab.source.resolve(Iid(1), &DiscussionId(id.clone()));
        assert_eq!(resolved.is_ok(), is_done, "{case}");
        look.assert();
    }
}
