//! What is written is read back the same, and what strangers or a broken server write does no harm.

use bench_bot::gitlab::answer::{
    self, Discussion, LabelEvent, MergeRequest, Note, Outcome, Pipeline, User, Variable,
};
use bench_bot::id::{DiscussionId, Iid, NoteId, PipelineId, ProjectId, RequestId, Sha, UserId};
use bench_bot::note::{self, Details, End};
use bench_bot::record::{Record, Task};
use chrono::DateTime;
use proptest::prelude::*;

const BOT: UserId = UserId(20);

prop_compose! {
    fn any_task()(
        mr in 1..u64::MAX,
        request in any::<u64>(),
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

/// Among it what GitLab and the runner expand.
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
        "\n",
    ]);
    prop_oneof![
        ".*",
        prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
    ]
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

fn note(id: u64, author: u64, body: String) -> Note {
    Note {
        id: NoteId(id),
        body,
        author: Some(User {
            id: UserId(author),
            username: String::new(),
        }),
        system: false,
        resolved: false,
    }
}

fn discussion(notes: Vec<Note>) -> Discussion {
    Discussion {
        id: DiscussionId("d".repeat(40)),
        notes,
    }
}

proptest! {
    #[test]
    fn a_record_reads_back_as_it_was_written(task in any_task()) {
        prop_assert_eq!(Task::read(&task.variables()), Ok(Some(task)));
    }

    #[test]
    fn a_job_sees_a_branch_literally(task in any_task()) {
        let variables: Vec<_> = task.variables().iter()
            .map(|variable| in_memory_gitlab::Variable::new(&variable.key, &variable.value))
            .collect();
        let job = [("CI", "true"), ("CI_JOB_TOKEN", "secret"), ("a", "b")];
        let seen = in_memory_gitlab::job_sees(&variables, &job);
        prop_assert_eq!(&seen["BENCH_BRANCH"], &task.branch);
        prop_assert_eq!(&seen["BENCH_TARGET_BRANCH"], &task.target_branch);
    }

    #[test]
    fn any_variables_are_a_record_or_none_or_malformed(
        variables in prop::collection::vec(("(BENCH_[A-Z_]{2,8}|BENCH_MR_IID|BENCH_SHA|X)", ".*"), 0..8),
    ) {
        let variables: Vec<Variable> =
            variables.into_iter().map(|(key, value)| Variable { key, value }).collect();
        let is_record = variables.iter().any(|variable| variable.key == "BENCH_MR_IID");
        prop_assert_eq!(matches!(Task::read(&variables), Ok(None)), !is_record);
    }

    #[test]
    fn a_note_tells_its_request_whatever_the_branch_is_called(task in any_task()) {
        let request = task.request;
        let record = record(task);
        let started = note::started(&record.task, record.pipeline, &record.web_url);
        let outcome = note::outcome(&record, End::TimedOut, "benchmarking", &Details::default());
        let thread = note::read(&discussion(vec![note(1, 20, started), note(2, 20, outcome)]), BOT);
        let first = thread.first.expect("the first note is found");
        prop_assert_eq!((first.request, first.linked), (request, Some(record.pipeline)));
        prop_assert_eq!(thread.outcomes.len(), 1);
        prop_assert_eq!((thread.outcomes[0].request, thread.outcomes[0].cancels), (request, true));
    }

    #[test]
    fn nobody_elses_note_is_the_bots(task in any_task(), author in 21..99u64) {
        let body = note::refused(&task, "whatever");
        let mut by_gitlab = note(2, 20, body.clone());
        by_gitlab.system = true;
        let thread = note::read(&discussion(vec![note(1, author, body), by_gitlab]), BOT);
        prop_assert!(thread.first.is_none());
    }

    #[test]
    fn any_text_in_a_note_is_one_line_that_acts_as_nothing(task in any_task(), reason in any_text()) {
        let body = note::refused(&task, &reason);
        let lines: Vec<&str> = body.lines().collect();
        prop_assert_eq!(lines.len(), 3, "text, nothing, marker: {:?}", lines);
        prop_assert!(lines[0].starts_with("**Benchmark not started**"));
        prop_assert!(lines[2].starts_with("<!-- bench-bot ") && lines[2].ends_with(" -->"));
    }

    #[test]
    fn any_note_is_read_without_harm(body in any_text(), id in any::<u64>()) {
        let marked = format!("x\n<!-- bench-bot {body} -->");
        for body in [body, marked] {
            note::read(&discussion(vec![note(id, 20, body)]), BOT);
        }
    }

    #[test]
    fn any_answer_is_read_or_refused(
        text in "(\\{|\\[|\"|[a-z_]|:|,|\\]|\\}|[0-9]|null|-){0,40}",
        field in prop::sample::select(vec!["id", "iid", "status", "created_at", "labels", "head_pipeline", "user"]),
    ) {
        for answer in [text.clone(), format!("{{\"{field}\":{text}}}"), format!("[{{\"{field}\":\"{text}\"}}]")] {
            let _ = serde_json::from_str::<MergeRequest>(&answer);
            let _ = serde_json::from_str::<Vec<Pipeline>>(&answer);
            let _ = serde_json::from_str::<Vec<LabelEvent>>(&answer);
            let _ = serde_json::from_str::<Vec<Discussion>>(&answer);
        }
    }
}
