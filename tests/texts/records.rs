//! The variables of a benchmark pipeline.

use bench_bot::gitlab::answer::Variable;
use bench_bot::record::Task;
use proptest::prelude::*;

use crate::{any_task, task};

fn variables(task: &Task, change: impl Fn(&mut Variable) -> bool) -> Vec<Variable> {
    let mut variables = task.variables();
    variables.retain_mut(change);
    variables
}

fn without(task: &Task, key: &str) -> Vec<Variable> {
    variables(task, |variable| variable.key != key)
}

/// GitLab can keep a value to itself, which then comes as null or not at all.
fn withheld(task: &Task, key: &str) -> Vec<Variable> {
    let found = serde_json::from_str::<Variable>(&format!(r#"{{"key":"{key}","value":null}}"#));
    assert_eq!(found.expect("a variable").value, "");
    variables(task, |variable| {
        if variable.key == key {
            variable.value.clear();
        }
        true
    })
}

proptest! {
    #[test]
    fn a_record_reads_back_as_it_was_written(task in any_task()) {
        prop_assert_eq!(Task::read(&task.variables(), "another"), Ok(Some(task)));
    }

    #[test]
    fn a_record_that_names_no_label_belongs_to_the_first(task in any_task()) {
        let first = Task { label: "first".to_owned(), ..task.clone() };
        prop_assert_eq!(Task::read(&without(&task, "BENCH_LABEL"), "first"), Ok(Some(first.clone())));
        prop_assert_eq!(Task::read(&withheld(&task, "BENCH_LABEL"), "first"), Ok(Some(first)));
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
        prop_assert_eq!(&seen["BENCH_LABEL"], &task.label);
    }

    #[test]
    fn any_variables_are_a_record_or_none_or_malformed(
        variables in prop::collection::vec(("(BENCH_[A-Z_]{2,8}|BENCH_MR_IID|BENCH_SHA|X)", ".*"), 0..8),
    ) {
        let variables: Vec<Variable> =
            variables.into_iter().map(|(key, value)| Variable { key, value }).collect();
        let is_record = variables.iter().any(|variable| variable.key == "BENCH_MR_IID");
        prop_assert_eq!(matches!(Task::read(&variables, "first"), Ok(None)), !is_record);
    }

    /// Whose value is not shown may be a record; what never was one is not.
    #[test]
    fn a_value_that_is_withheld_is_not_absent(task in any_task()) {
        for key in ["BENCH_MR_IID", "BENCH_REQUEST_ID", "BENCH_DISCUSSION_ID", "BENCH_SHA", "BENCH_PROJECT_ID"] {
            let is_withheld = |variables: &[Variable]| {
                Task::read(variables, "first").map_err(|malformed| malformed.is_withheld)
            };
            prop_assert_eq!(is_withheld(&withheld(&task, key)), Err(true), "{}", key);
            let absent = is_withheld(&without(&task, key));
            let expected = if key == "BENCH_MR_IID" { Ok(None) } else { Err(false) };
            prop_assert_eq!(absent, expected, "{}", key);
        }
        for key in ["BENCH_PIPELINE_ID", "BENCH_PIPELINE_STARTED_AT", "BENCH_BASE_SHA"] {
            prop_assert!(matches!(Task::read(&withheld(&task, key), "first"), Ok(Some(_))), "{}", key);
        }
    }
}

#[test]
fn what_no_benchmark_of_ours_can_say_is_malformed() {
    let task = task("benchmarking", "topic");
    for (key, value) in [
        ("BENCH_MR_IID", "one"),
        ("BENCH_REQUEST_ID", "-1"),
        ("BENCH_SHA", "../../7"),
        ("BENCH_DISCUSSION_ID", "a/b"),
        ("BENCH_BASE_SHA", "main"),
        ("BENCH_PIPELINE_STARTED_AT", "yesterday"),
    ] {
        let changed = variables(&task, |variable| {
            if variable.key == key {
                variable.value = value.to_owned();
            }
            true
        });
        let error = Task::read(&changed, "first").expect_err(key);
        assert_eq!(error.to_string(), format!("{key} is {value:?}"));
        assert!(!error.is_withheld, "{key}");
    }
}

#[test]
fn what_reads_like_a_variable_stays_as_it_is() {
    for (name, value) in [
        ("50%", "50%"),
        ("%CI%", "%${}CI%"),
        ("%_a1%b", "%${}_a1%b"),
        ("a%CI%CI%", "a%${}CI%${}CI%"),
        ("%1%", "%1%"),
        ("%%", "%%"),
        ("%a-b%", "%a-b%"),
        ("$CI", "$$CI"),
        ("${CI}", "$${CI}"),
        ("$$", "$$$$"),
    ] {
        let task = Task {
            branch: name.to_owned(),
            ..task("benchmarking", "topic")
        };
        let variables = task.variables();
        let branch = variables.iter().find(|found| found.key == "BENCH_BRANCH");
        assert_eq!(branch.expect("it is there").value, value);
        let given: Vec<_> = variables
            .iter()
            .map(|variable| in_memory_gitlab::Variable::new(&variable.key, &variable.value))
            .collect();
        let seen = in_memory_gitlab::job_sees(&given, &[("CI", "true"), ("_a1", "b")]);
        assert_eq!(seen["BENCH_BRANCH"], name);
        assert_eq!(Task::read(&variables, "another"), Ok(Some(task)), "{name}");
    }
}
