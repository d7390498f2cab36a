//! What is written is read back the same, and what strangers or a broken server write does no harm.

mod answers;
mod notes;
mod records;
mod wording;

use bench_bot::gitlab::answer::{self, Discussion, Note, Outcome, User};
use bench_bot::id::{DiscussionId, Iid, NoteId, PipelineId, ProjectId, RequestId, Sha, UserId};
use bench_bot::record::{Record, Task};
use chrono::DateTime;
use proptest::prelude::*;

const BOT: &str = "bench-bot";
const BENCHMARKS: ProjectId = ProjectId(8);

prop_compose! {
    fn any_task()(
        mr in 1..u64::MAX,
        request in any::<u64>(),
        label in any_text().prop_filter("GitLab takes no label without a name", |label| !label.is_empty()),
        texts in prop::collection::vec(any_text(), 5),
        hashes in prop::collection::vec("[0-9a-f]{40}", 3),
        base in any::<bool>(),
        pipeline in proptest::option::of(any::<u64>()),
        started in proptest::option::of(0..4_000_000_000_000i64),
        project in any::<u64>(),
    ) -> Task {
        Task {
            mr: Iid(mr),
            mr_url: texts[0].clone(),
            label,
            request: RequestId(request),
            discussion: DiscussionId(hashes[0].clone()),
            branch: texts[1].clone(),
            sha: Sha(hashes[1].clone()),
            target_branch: texts[2].clone(),
            base: base.then(|| Sha(hashes[2].clone())),
            pipeline: pipeline.map(PipelineId),
            pipeline_started_at: started.and_then(DateTime::from_timestamp_millis),
            project: ProjectId(project),
            project_path: texts[3].clone(),
            project_url: texts[4].clone(),
        }
    }
}

/// Among it what GitLab and the runner expand, and what acts in Markdown.
fn any_text() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "$",
        "%",
        "{",
        "}",
        "CI",
        "CI_JOB_TOKEN",
        "_",
        "a",
        "1",
        "é",
        "`",
        "-->",
        "<!-- bench-bot ",
        "\n",
        "/close",
        "@all",
        " is to be cancelled",
    ]);
    prop_oneof![
        ".*",
        prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
    ]
}

fn task(label: &str, branch: &str) -> Task {
    Task {
        mr: Iid(1),
        mr_url: "https://gitlab.example.com/acme/engine/-/merge_requests/1".to_owned(),
        label: label.to_owned(),
        request: RequestId(101),
        discussion: DiscussionId("d".repeat(40)),
        branch: branch.to_owned(),
        sha: Sha("a1b2c3d4".repeat(5)),
        target_branch: "main".to_owned(),
        base: Some(Sha("b".repeat(40))),
        pipeline: Some(PipelineId(500)),
        pipeline_started_at: DateTime::from_timestamp(1_767_614_400, 0),
        project: ProjectId(7),
        project_path: "acme/engine".to_owned(),
        project_url: "https://gitlab.example.com/acme/engine".to_owned(),
    }
}

fn record(task: Task) -> Record {
    Record {
        pipeline: PipelineId(1001),
        web_url: "https://gitlab.example.com/acme/benchmarks/-/pipelines/1001".to_owned(),
        status: answer::Status::Ended(Outcome::Success),
        created_at: DateTime::UNIX_EPOCH,
        updated_at: DateTime::UNIX_EPOCH,
        task,
    }
}

fn note_by(author: Option<&str>, id: u64, body: String) -> Note {
    Note {
        id: NoteId(id),
        body,
        created_at: DateTime::from_timestamp(1_767_614_400, 0),
        author: author.map(|username| User {
            id: UserId(20),
            username: username.to_owned(),
            bot: None,
        }),
        system: false,
        resolved: false,
    }
}

/// Of the bot's notes, numbered from 1.
fn discussion(bodies: impl IntoIterator<Item = String>) -> Discussion {
    let notes = bodies.into_iter().zip(1..);
    Discussion {
        id: DiscussionId("d".repeat(40)),
        notes: notes
            .map(|(body, id)| note_by(Some(BOT), id, body))
            .collect(),
    }
}
