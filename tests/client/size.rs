//! What is too large, too long or too many is not held, and an error where it was needed.

use std::io::Write;

use bench_bot::gitlab::ErrorKind;
use bench_bot::id::Iid;
use mockito::{Matcher, Mock};

use crate::{
    ARTIFACT, MERGE_REQUESTS, VARIABLES, answer, artifact, get, gitlab, listed, variables,
};

const DISCUSSIONS: &str = "/projects/7/merge_requests/1/discussions";

/// The discussion that opens with a note of this user's, whose text is written so in JSON, and goes on with one of the bot's.
fn discussions(username: &str, text: &str) -> String {
    let note = |id: u64, username: &str, text: &str| {
        format!(
            r#"{{"id":{id},"body":"{text}","author":{{"id":20,"username":"{username}"}},"resolved":true,"note":"\\"}}"#
        )
    };
    let notes = [note(1, username, text), note(2, "bench-bot", "Short.")].join(",");
    format!(r#"[{{"individual_note":false,"notes":[{notes}],"id":"d\"1"}}]"#)
}

#[test]
fn of_notes_only_the_bots_own_text_is_kept_and_none_that_is_longer_than_it_writes() {
    // A text as JSON has it, and as it is.
    for (written, meant) in [
        ("x", "x"),
        ("\\\"", "\""),
        ("\\\\", "\\"),
        ("\\ud83d\\ude80", "🚀"),
        ("🚀", "🚀"),
        ("null", "null"),
        ("", ""),
    ] {
        for (times, is_short) in [(1, true), (5_000, true), (80_000, false)] {
            for (username, is_own) in [("bench-bot", true), ("linus", false)] {
                let (mut server, gitlab) = gitlab(0);
                let page = discussions(username, &written.repeat(times));
                let page = answer(&mut server, DISCUSSIONS, &page);
                page.with_header("x-next-page", "").create();
                let found = gitlab.source.discussions(Iid(1)).expect("one page");
                let [discussion] = &found[..] else {
                    panic!("{found:?}")
                };
                assert_eq!(discussion.id.0, "d\"1");
                let text = match is_own && is_short {
                    true => meant.repeat(times),
                    false => String::new(),
                };
                let [first, own] = &discussion.notes[..] else {
                    panic!("{discussion:?}")
                };
                assert_eq!(first.body, text, "{username}: {written} {times} times");
                assert!(first.resolved && own.resolved);
                assert_eq!((own.id.0, &*own.body), (2, "Short."));
            }
        }
    }
}

#[test]
fn where_nobody_is_named_the_text_may_be_the_bots() {
    let (mut server, gitlab) = gitlab(0);
    let page = r#"[{"id":"d","notes":[{"id":1,"body":"Mine?","author":null}]}]"#;
    let page = answer(&mut server, DISCUSSIONS, page);
    page.with_header("x-next-page", "").create();
    let found = gitlab.source.discussions(Iid(1)).expect("one page");
    assert_eq!(found[0].notes[0].body, "Mine?");
}

#[test]
fn a_long_text_where_it_is_needed_is_an_error() {
    let (mut server, gitlab) = gitlab(0);
    let branch = "x".repeat(1_000_000);
    let mr = format!(r#"{{"iid":1,"state":"{branch}"}}"#);
    answer(&mut server, "/projects/7/merge_requests/1", &mr).create();
    let error = gitlab.source.merge_request(Iid(1)).expect_err("no state");
    assert!(
        error
            .message
            .starts_with("answered, but unreadable: invalid type: null"),
        "{error}"
    );
    assert!(error.message.len() < 400, "{}", error.message.len());
}

#[test]
fn nor_is_an_error_longer_that_quotes_what_is_wrong() {
    let (mut server, gitlab) = gitlab(0);
    let text = format!(r#"{{"iid":"{}"}}"#, "x".repeat(10_000));
    answer(&mut server, "/projects/7/merge_requests/1", &text).create();
    let error = gitlab.source.merge_request(Iid(1)).expect_err("no number");
    assert!(error.message.len() < 400, "{}", error.message.len());
}

/// Writes that as often as there is somebody to take it.
fn endless(text: &'static [u8]) -> impl Fn(&mut dyn Write) -> std::io::Result<()> + Send + Sync {
    move |body| {
        body.write_all(b"[")?;
        loop {
            body.write_all(&text.repeat(10_000))?;
        }
    }
}

#[test]
fn an_answer_that_does_not_end_is_given_up_and_not_asked_for_again() {
    let (mut server, gitlab) = gitlab(3);
    let mock = get(&mut server, VARIABLES)
        .with_chunked_body(endless(&[b' '; 100]))
        .expect(1)
        .create();
    let error = variables(&gitlab).expect_err("it has no end");
    assert_eq!(error.kind, ErrorKind::Unclear);
    assert_eq!(
        error.message,
        "answered, but unreadable: it is larger than 2 MB"
    );
    mock.assert();
}

#[test]
fn so_is_a_list_that_is_too_large_as_a_whole() {
    let (mut server, gitlab) = gitlab(3);
    let megabyte = format!("[{}]", " ".repeat((1 << 20) - 2));
    let next = [(1, "2"), (2, "3"), (3, "")];
    let pages = next.map(|(page, next)| {
        get(&mut server, MERGE_REQUESTS)
            .match_query(Matcher::UrlEncoded("page".to_owned(), page.to_string()))
            .with_body(&megabyte)
            .with_header("x-next-page", next)
            .expect(1)
            .create()
    });
    let error = listed(&gitlab).expect_err("it is too large");
    assert_eq!(
        error.message,
        "answered, but unreadable: it is larger than 2 MB"
    );
    pages.iter().for_each(Mock::assert);
}

#[test]
fn and_one_that_does_not_end() {
    let (mut server, gitlab) = gitlab(3);
    let next = |request: &mockito::Request| {
        let (_, page) = request
            .path_and_query()
            .rsplit_once("&page=")
            .expect("a page");
        (page.parse::<u64>().expect("a number") + 1).to_string()
    };
    get(&mut server, MERGE_REQUESTS)
        .match_query(Matcher::Any)
        .with_body("[]")
        .with_header_from_request("x-next-page", next)
        .expect(200)
        .create();
    let error = listed(&gitlab).expect_err("it has no end");
    assert_eq!(
        error.message,
        "answered, but unreadable: it is larger than 200 pages"
    );
}

#[test]
fn of_a_refusal_only_the_beginning_is_read() {
    for status in [403, 404, 502] {
        let (mut server, gitlab) = gitlab(0);
        get(&mut server, VARIABLES)
            .with_status(status)
            .with_chunked_body(endless(b"<p>Sorry!</p>"))
            .create();
        let error = variables(&gitlab).expect_err("it is refused");
        assert!(error.message.starts_with(&status.to_string()), "{error}");
        assert!(error.message.len() < 400, "{error}");
    }
}

#[test]
fn of_a_large_file_only_the_beginning_is_read() {
    let (mut server, gitlab) = gitlab(0);
    let megabytes = |body: &mut dyn std::io::Write| {
        // The other end stops listening: that is its way of saying that it has enough.
        (0..64).try_for_each(|_| body.write_all(&[b'x'; 1 << 20]))
    };
    get(&mut server, ARTIFACT)
        .with_chunked_body(megabytes)
        .create();
    assert_eq!(
        artifact(&gitlab, 4096).expect("a beginning"),
        vec![b'x'; 4096]
    );
    answer(&mut server, ARTIFACT, "short").create();
    assert_eq!(artifact(&gitlab, 4096).expect("all of it"), b"short");
}
