//! Two projects, as docs/set-up.md says to set them up.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::json;

use crate::api::{Api, Branch, encoded};
use crate::live::{LABEL, Live, User};
use crate::made::{Group, Made};
use crate::observations::{Observations, say};
use crate::settings::Settings;

const OWNER: u64 = 50;

/// The template's files. The CI file is among them.
const TEMPLATE: [(&str, &str); 5] = [
    (
        CI_FILE,
        include_str!("../../templates/benchmark-project/.gitlab-ci.yml"),
    ),
    (
        "measure.sh",
        include_str!("../../templates/benchmark-project/measure.sh"),
    ),
    (
        "rounds.py",
        include_str!("../../templates/benchmark-project/rounds.py"),
    ),
    (
        "judge.py",
        include_str!("../../templates/benchmark-project/judge.py"),
    ),
    (
        "requirements.txt",
        include_str!("../../templates/benchmark-project/requirements.txt"),
    ),
];
const CI_FILE: &str = ".gitlab-ci.yml";
const SOURCE_CI: &str = "test:\n  script:\n    - echo all is well\n";

/// What `make bench` prints.
pub fn makefile(parse: u32, before: &str) -> String {
    format!("bench:\n{before}\t@echo parse {parse}\n\t@echo lex 40\n")
}

/// A CI file for a runner that takes only jobs with its tags.
fn tagged(ci: &str, settings: &Settings) -> String {
    match settings.tags.as_slice() {
        [] => ci.to_owned(),
        tags => format!("default:\n  tags: [{}]\n\n{ci}", tags.join(", ")),
    }
}

/// Everything up to a doctor that is content.
pub fn set_up<'a>(
    settings: &'a Settings,
    seen: &'a Observations,
    person: &Api,
    made: &'a Made,
) -> Result<Live<'a>> {
    seen.step("two projects");
    let version = person.get("/version")?;
    let me = User::of(person)?;
    say(format_args!(
        "  GitLab {} at {}, as {}",
        version["version"], settings.url, me.username
    ));
    let name = format!("bench-bot-live-{:08x}", unique());
    let source = made.project(&format!("{name}-engine"))?;
    let benchmarks = made.project(&format!("{name}-benchmarks"))?;

    let (bot_token, bot_is_apart) = bot(settings, made, &name)?;
    let bot = User::of(&Api::new(&settings.url, &bot_token)?)?;
    say(format_args!("  the bot is {}", bot.username));
    let live = Live {
        settings,
        seen,
        made,
        name,
        person: person.clone(),
        bot_token,
        bot_is_apart: bot_is_apart && bot.id != me.id,
        bot,
        source,
        benchmarks,
    };
    is_let_in(&live)?;
    fill(&live)?;
    settings_of_projects(&live)?;
    doctor(&live)?;
    Ok(live)
}

/// Where all is made. Only an owner may delete projects again.
pub fn group(settings: &Settings, person: &Api) -> Result<Group> {
    let me = User::of(person)?;
    let address = format!("/groups/{}", encoded(&settings.group));
    let group = person.get(&address)?;
    let path = group["full_path"].as_str().unwrap_or(&settings.group);
    let role = person.get(&format!("{address}/members/all/{}", me.id));
    let level = role.ok().and_then(|member| member["access_level"].as_u64());
    ensure!(
        level >= Some(OWNER),
        "{} has to be an owner of {path}, for only owners may delete what this makes",
        me.username
    );
    Ok(Group {
        id: group["id"].as_u64().context("a group has an id")?,
        path: path.to_owned(),
    })
}

/// A number that nobody else has just now.
fn unique() -> u32 {
    let now = chrono::Utc::now().timestamp_micros();
    let mixed = now.unsigned_abs() ^ u64::from(std::process::id()).rotate_left(40);
    // The upper half of a product depends on all bits.
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// The token of a user of its own, if there can be one, and whether it is.
fn bot(settings: &Settings, made: &Made, name: &str) -> Result<(String, bool)> {
    if let Some(token) = &settings.bot_token {
        return Ok((token.clone(), true));
    }
    match made.group_token(name) {
        Ok(token) => Ok((token, true)),
        Err(refusal) => {
            say(format_args!(
                "  the group can have no access token: {refusal:#}"
            ));
            Ok((settings.token.clone(), false))
        }
    }
}

/// Memberships are worked out in the background.
fn is_let_in(live: &Live) -> Result<()> {
    let bot = Api::new(&live.settings.url, &live.bot_token)?;
    live.wait("the bot to see both projects", || {
        for project in [&live.source, &live.benchmarks] {
            let member = format!("/projects/{}/members/all/{}", project.id, live.bot.id);
            let answer = bot.ask(Method::GET, &member, None)?;
            if answer.status != 200 {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
}

fn fill(live: &Live) -> Result<()> {
    live.seen.step("a benchmark, and something to be measured");
    let ci = tagged(SOURCE_CI, live.settings);
    let makefile = makefile(100, "");
    let main = Branch {
        name: "main",
        from: None,
    };
    let files = [
        ("create", CI_FILE, ci.as_str()),
        ("create", "Makefile", &makefile),
    ];
    live.person.commit(live.source.id, &main, &files)?;
    let ci = tagged(TEMPLATE[0].1, live.settings);
    let files = TEMPLATE.map(|(path, content)| match path {
        CI_FILE => ("create", path, ci.as_str()),
        path => ("create", path, content),
    });
    live.person.commit(live.benchmarks.id, &main, &files)?;
    for project in [&live.source, &live.benchmarks] {
        let now = live.person.get(&format!("/projects/{}", project.id))?;
        let branch = &now["default_branch"];
        live.seen
            .expect("`main` to be the default branch", branch == "main", branch);
    }
    Ok(())
}

/// What is measured by what: the template, changed.
pub fn change_template(live: &Live, change: impl FnOnce(&str) -> String) -> Result<()> {
    let ci = tagged(&change(TEMPLATE[0].1), live.settings);
    let main = Branch {
        name: "main",
        from: None,
    };
    live.person
        .commit(live.benchmarks.id, &main, &[("update", CI_FILE, &ci)])?;
    Ok(())
}

pub fn let_set_variables(live: &Live, least: &str) -> Result<()> {
    let body = json!({ "ci_pipeline_variables_minimum_override_role": least });
    live.person
        .put(&format!("/projects/{}", live.benchmarks.id), &body)?;
    Ok(())
}

fn settings_of_projects(live: &Live) -> Result<()> {
    live.seen.step("the projects' settings");
    let_set_variables(live, "maintainer")?;
    let allowlist = format!("/projects/{}/job_token_scope/allowlist", live.source.id);
    live.person.post(
        &allowlist,
        &json!({ "target_project_id": live.benchmarks.id }),
    )?;
    Ok(())
}

fn doctor(live: &Live) -> Result<()> {
    live.seen.step("bench-bot doctor");
    let missing = live.report("doctor", 1)?;
    let label = missing["checks"].as_array().into_iter().flatten();
    let label = label.filter(|check| check["name"] == "label" && check["ok"] == false);
    live.seen
        .expect("doctor to miss the label", label.count() == 1, &missing);
    live.bench_bot("doctor --fix", 0)?;
    let made = live
        .person
        .get(&format!("/projects/{}/labels/{LABEL}", live.source.id))?;
    live.seen.expect(
        "doctor --fix to make the label",
        made["name"] == LABEL,
        &made,
    );
    let report = live.report("doctor --rehearse", 0)?;
    let checks = report["checks"].as_array().into_iter().flatten();
    for check in checks.filter(|check| check["ok"] == false) {
        live.seen.note("doctor to be content", check);
    }
    Ok(())
}
