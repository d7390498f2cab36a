//! What `doctor` says in a job of the project that runs bench-bot.

use in_memory_gitlab::{Gitlab, Project, Role};
use serde_json::Value;

use crate::bot::{Bot, bot};

/// `acme/automation`, woken five minutes after its schedule.
struct Automation {
    gitlab: Gitlab,
    id: u64,
}

impl Automation {
    fn new() -> Self {
        let gitlab = Gitlab::start();
        let id = gitlab.automate();
        let minutes = |minutes: u64| gitlab.later(std::time::Duration::from_secs(60 * minutes));
        gitlab.pipeline_by("bench-bot", "acme/automation", "schedule", &[]);
        minutes(5);
        gitlab.pipeline_by("bench-bot", "acme/automation", "pipeline", &[]);
        minutes(2);
        gitlab.pipeline_by("ada", "acme/automation", "push", &[]);
        Self { gitlab, id }
    }

    fn doctor(&self) -> Bot {
        bot(&self.gitlab, "doctor --format json").env("CI_PROJECT_ID", &self.id.to_string())
    }

    /// What is not as it should be.
    fn amiss(&self) -> Vec<Value> {
        let mut checks = checks(self.doctor());
        checks.retain(|check| check["hint"].is_string());
        checks
    }
}

fn checks(bot: Bot) -> Vec<Value> {
    let report = bot.runs().json();
    report["checks"].as_array().expect("a list").clone()
}

#[test]
fn all_is_well_and_the_last_runs_are_told() {
    let automation = Automation::new();
    let page = include_str!("../../docs/settings.md");
    let told: Vec<String> = checks(automation.doctor())
        .iter()
        .filter_map(|check| Some((check["name"].as_str()?, check["detail"].as_str()?)))
        .filter(|(name, _)| name.starts_with("automation"))
        .map(|(name, detail)| {
            assert!(page.contains(&format!("`{name}`")), "{name}");
            format!("{name}: {detail}")
        })
        .collect();
    assert_eq!(
        told[..2],
        [
            "automation-variables: nobody may set them in acme/automation",
            "automation-job-tokens: the job token of acme/benchmarks does not reach acme/automation",
        ]
    );
    let ran = regex::Regex::new(
        "^automation-runs: acme/automation ran 2m [0-9]s ago woken by another project's pipeline, \
         7m [0-9]s ago by its schedule$",
    )
    .expect("it is one");
    assert!(ran.is_match(&told[2]), "{told:?}");
    assert_eq!(automation.amiss(), Vec::<Value>::new());
}

#[test]
fn each_way_to_the_bots_token_is_one_check() {
    type Change = fn(&mut Project);
    let table: [(Change, &str, &str); 5] = [
        (
            |project| project.ci_pipeline_variables_minimum_override_role = "maintainer".to_owned(),
            "automation-variables",
            "No one allowed",
        ),
        (
            |project| project.restrict_user_defined_variables = false,
            "automation-variables",
            "No one allowed",
        ),
        (
            |project| project.limits_job_tokens = false,
            "automation-job-tokens",
            "limit it to the allowlist",
        ),
        (
            |project| project.job_token_allowlist.extend([8]),
            "automation-job-tokens",
            "remove acme/benchmarks from the allowlist",
        ),
        (
            |project| project.job_token_groups.extend([3]),
            "automation-job-tokens",
            "replace the group acme",
        ),
    ];
    for (change, name, hint) in table {
        let automation = Automation::new();
        automation.gitlab.configure("acme/automation", change);
        let amiss = automation.amiss();
        let [check] = &amiss[..] else {
            panic!("{name}: {amiss:?}");
        };
        assert_eq!(
            (&check["name"], &check["ok"]),
            (&name.into(), &false.into())
        );
        assert!(check["hint"].to_string().contains(hint), "{check}");
        automation.doctor().exits(1);
    }
}

#[test]
fn what_the_bot_may_not_see_there_is_unknown_and_stops_nothing() {
    for (role, unknown) in [
        (None, vec!["automation-variables"]),
        (
            Some(Role::Developer),
            vec!["automation-variables", "automation-job-tokens"],
        ),
    ] {
        let automation = Automation::new();
        automation.gitlab.role("bench-bot", "acme/automation", role);
        let amiss = automation.amiss();
        let names: Vec<&str> = amiss
            .iter()
            .filter_map(|check| check["name"].as_str())
            .collect();
        assert_eq!(names, unknown);
        assert!(amiss.iter().all(|check| check["ok"].is_null()), "{amiss:?}");
        automation.doctor().succeeds();
    }
}

#[test]
fn at_a_desk_nothing_is_asked_of_it() {
    let automation = Automation::new();
    let checks = checks(bot(&automation.gitlab, "doctor --format json"));
    let named = |check: &Value| check["name"].to_string().contains("automation");
    assert!(!checks.iter().any(named), "{checks:?}");
}
