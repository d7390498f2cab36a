//! That something is not there is GitLab's to say, and nobody else's.

use bench_bot::gitlab::{Error, ErrorKind};
use bench_bot::id::{Iid, PipelineId};
use mockito::{Mock, ServerGuard};

use crate::{VARIABLES, answer, create, gitlab, variables};

/// What stands between the bot and GitLab can say no in its place.
const OF_OTHERS: [(usize, &str); 7] = [
    (404, "default backend - 404"),
    (404, "<html><h1>404 Not Found</h1></html>"),
    (404, ""),
    (404, r#"{"error":"404 Not Found"}"#),
    (404, r#"["message"]"#),
    (403, "<html><h1>Forbidden</h1></html>"),
    (403, "{}"),
];

const GITLABS: [(usize, &str); 4] = [
    (404, r#"{"message":"404 Not found"}"#),
    (404, r#"{"message":"404 Project Not Found"}"#),
    (403, r#"{"message":"403 Forbidden"}"#),
    (
        403,
        r#"{"error":"insufficient_scope","error_description":"No","scope":"api"}"#,
    ),
];

fn refusing(
    server: &mut ServerGuard,
    method: &str,
    path: &str,
    (status, body): (usize, &str),
) -> Mock {
    let mock = server.mock(method, &*format!("/api/v4{path}"));
    mock.match_query(mockito::Matcher::Any)
        .with_status(status)
        .with_body(body)
}

#[test]
fn a_refusal_that_is_not_gitlabs_proves_nothing_and_is_asked_again() {
    for refusal in OF_OTHERS {
        let (mut server, gitlab) = gitlab(1);
        let mock = refusing(&mut server, "GET", VARIABLES, refusal)
            .expect(2)
            .create();
        let error = variables(&gitlab).expect_err("it is refused");
        let proves = (error.not_found(), error.forbidden(), error.refused());
        assert_eq!(proves, (false, false, None), "{refusal:?}");
        assert!(
            matches!(error.kind, ErrorKind::NotGitlab(status) if usize::from(status.as_u16()) == refusal.0)
        );
        assert!(
            error.message.ends_with(", but not from GitLab itself"),
            "{error}"
        );
        mock.assert();
    }
}

#[test]
fn a_refusal_of_gitlabs_is_one() {
    for refusal in GITLABS {
        let (mut server, gitlab) = gitlab(1);
        let mock = refusing(&mut server, "GET", VARIABLES, refusal)
            .expect(1)
            .create();
        let error = variables(&gitlab).expect_err("it is refused");
        assert_eq!(
            (error.not_found(), error.forbidden()),
            (refusal.0 == 404, refusal.0 == 403)
        );
        mock.assert();
    }
}

#[test]
fn a_proxy_that_reloads_is_waited_for() {
    let (mut server, gitlab) = gitlab(1);
    let reloading = refusing(&mut server, "GET", VARIABLES, OF_OTHERS[0])
        .expect(1)
        .create();
    answer(&mut server, VARIABLES, "[]").create();
    variables(&gitlab).expect("an empty list");
    reloading.assert();
}

/// Nor does it prove that nothing was created.
#[test]
fn a_creation_that_others_refuse_is_not_repeated_nor_taken_for_refused() {
    for refusal in OF_OTHERS {
        let (mut server, gitlab) = gitlab(3);
        let mock = refusing(&mut server, "POST", "/projects/8/pipeline", refusal)
            .expect(1)
            .create();
        let error = create(&gitlab);
        assert!(matches!(error.kind, ErrorKind::NotGitlab(_)), "{error}");
        mock.assert();
    }
}

#[test]
fn what_is_deleted_already_needs_gitlabs_word_for_it() {
    let note = "/projects/7/merge_requests/1/notes/5";
    let deleted = |refusal| {
        let (mut server, gitlab) = gitlab(0);
        refusing(&mut server, "DELETE", note, refusal).create();
        gitlab.source.delete_note(Iid(1), bench_bot::id::NoteId(5))
    };
    deleted(GITLABS[0]).expect("it is gone");
    deleted(OF_OTHERS[0]).expect_err("a proxy does not know");
    deleted(GITLABS[2]).expect_err("it may not be deleted");
}

/// A pipeline that GitLab tells little of is unknown, not unread.
#[test]
fn what_is_missing_of_a_pipeline_is_told_as_missing() {
    let (mut server, gitlab) = gitlab(0);
    answer(&mut server, "/projects/8/pipelines/9", r#"{"id":9}"#).create();
    let pipeline = gitlab
        .benchmark
        .pipeline(PipelineId(9))
        .expect("a pipeline");
    assert!(pipeline.status.is_none() && pipeline.source.is_none() && !pipeline.ended());
}

#[test]
fn the_list_of_pipelines_keeps_what_does_not_tell_its_source() {
    let (mut server, gitlab) = gitlab(0);
    let rows =
        r#"[{"id":3,"source":"api"},{"id":2},{"id":1,"source":"web"},{"id":3,"source":"api"}]"#;
    answer(&mut server, "/projects/8/pipelines", rows)
        .with_header("x-next-page", "")
        .create();
    let listed = gitlab.benchmark.newest().expect("a list");
    assert_eq!(
        listed
            .iter()
            .map(|pipeline| pipeline.id.0)
            .collect::<Vec<_>>(),
        [2, 3]
    );
}

/// GitLab finds a label by its id first: a name that begins with digits can hit another.
#[test]
fn whether_there_is_a_label_by_that_very_name() {
    let found = |one: (usize, &str), listed: &str| -> Result<bool, Error> {
        let (mut server, gitlab) = gitlab(0);
        refusing(&mut server, "GET", "/projects/7/labels/12bench", one).create();
        let list = answer(&mut server, "/projects/7/labels", listed);
        list.with_header("x-next-page", "").create();
        gitlab.source.has_label("12bench")
    };
    let (gone, other) = (GITLABS[0], (200, r#"{"id":12,"name":"another"}"#));
    let there = r#"[{"id":1,"name":"12bench-full"},{"id":2,"name":"12bench"}]"#;
    let similar = r#"[{"id":1,"name":"12bench-full"},{"id":2,"name":"12BENCH"}]"#;
    assert!(found((200, r#"{"id":2,"name":"12bench"}"#), "[]").expect("it is there"));
    assert!(found(other, there).expect("it is listed"));
    assert!(found(gone, there).expect("it is listed"));
    assert!(!found(other, similar).expect("another is there"));
    assert!(!found(gone, "[]").expect("there is none"));
    found(gone, "<html>").expect_err("no list tells");
}
