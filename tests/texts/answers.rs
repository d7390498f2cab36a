//! Any answer of a server is read or refused.

use bench_bot::gitlab::answer::{Job, LabelEvent, MergeRequest, Note, Pipeline, Status, Version};
use proptest::prelude::*;

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(
        text in "(\\{|\\[|\"|[a-z_]|:|,|\\]|\\}|[0-9]|null|-){0,40}",
        field in prop::sample::select(vec!["id", "iid", "status", "created_at", "labels", "head_pipeline", "user"]),
    ) {
        for answer in [text.clone(), format!("{{\"{field}\":{text}}}"), format!("[{{\"{field}\":\"{text}\"}}]")] {
            let _ = serde_json::from_str::<MergeRequest>(&answer);
            let _ = serde_json::from_str::<Vec<Pipeline>>(&answer);
            let _ = serde_json::from_str::<Vec<LabelEvent>>(&answer);
            let _ = serde_json::from_str::<Vec<Note>>(&answer);
        }
    }
}

/// What nothing needs may be missing or null.
#[test]
fn a_field_that_nothing_needs_keeps_nothing_from_being_read() {
    let pipeline = r#"{"id":9}"#;
    let pipeline: Pipeline = serde_json::from_str(pipeline).expect("a pipeline");
    assert_eq!(pipeline.status(), Status::Alive("unknown".to_owned()));
    assert!(!pipeline.ended(), "what is not told has not ended");
    let nulls = r#"{"id":9,"status":null,"source":null,"created_at":null,"updated_at":null,"started_at":null}"#;
    serde_json::from_str::<Pipeline>(nulls).expect("a pipeline");
    let version = r#"{"id":1,"head_commit_sha":null,"created_at":"2026-01-05T09:00:00Z"}"#;
    serde_json::from_str::<Version>(version).expect("a version");
    let event =
        r#"{"id":1,"created_at":"2026-01-05T09:00:00Z","action":"add","user":null,"label":null}"#;
    serde_json::from_str::<LabelEvent>(event).expect("an event");
    let job = r#"{"id":1,"name":"benchmark","status":"failed","web_url":""}"#;
    let job: Job = serde_json::from_str(job).expect("a job");
    assert!(job.fails_pipeline());
    let mr = r#"{"iid":1,"state":"opened","created_at":"2026-01-05T09:00:00Z","web_url":"","source_branch":"a",
        "target_branch":"main","target_project_id":7,"labels":[],"sha":null,"diff_refs":{"base_sha":null},
        "head_pipeline":{"id":5,"project_id":7,"sha":"a","ref":"a","status":"success","web_url":"",
        "created_at":"2026-01-05T09:00:00Z","updated_at":null,"started_at":null}}"#;
    serde_json::from_str::<MergeRequest>(mr).expect("a merge request");
}
