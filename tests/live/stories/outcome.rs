use anyhow::Result;
use serde_json::{Value, json};

use crate::live::{Live, Mr, rows, value_of};
use crate::setup::makefile;

pub fn tell(live: &Live) -> Result<()> {
    let mr = live.ready("faster", &makefile(80, ""))?;
    live.put_label_on(&mr)?;
    looks_first(live, &mr)?;
    let benchmark = starts(live, &mr)?;
    is_told_of(live, &mr, "in_flight")?;
    let ended = live.becomes(benchmark, &["success"])?;
    live.bench_bot("reconcile", 0)?;
    let notes = live.is_over(&mr)?;
    let url = ended["web_url"].as_str().unwrap_or_default();
    live.says(&notes, &["success", url, &mr.sha[..8], "/artifacts/"]);
    has_results(live, benchmark)?;
    keeps_their_order(live)?;
    live.stays_over(&mr)?;
    is_told_of(live, &mr, "ended")
}

fn looks_first(live: &Live, mr: &Mr) -> Result<()> {
    let report = live.report("scan --dry-run", 0)?;
    let queued = rows(&report, "queue", mr);
    live.seen
        .expect("a dry run to queue it", queued.len() == 1, &report);
    let planned = rows(&report, "actions", mr);
    let is_planned = planned.iter().any(|action| action["outcome"] == "planned");
    live.seen
        .expect("a dry run to plan its start", is_planned, &report);
    let (discussions, benchmarks) = (live.discussions(mr)?, live.benchmarks_of(mr)?);
    let is_untouched = discussions.is_empty() && benchmarks.is_empty();
    live.seen.expect(
        "a dry run to write nothing",
        is_untouched,
        format_args!("{discussions:?} {benchmarks:?}"),
    );
    Ok(())
}

fn starts(live: &Live, mr: &Mr) -> Result<u64> {
    let report = live.report("scan", 0)?;
    let started = rows(&report, "actions", mr);
    let is_done = started
        .iter()
        .any(|action| action["action"] == "start" && action["outcome"] == "done");
    live.seen.expect("scan to start it", is_done, &report);
    let benchmark = live.benchmark_of(mr)?;
    let pipeline = live
        .person
        .get(&format!("{}/{benchmark}", live.pipelines()))?;
    let by = &pipeline["user"]["id"];
    live.seen.expect(
        "the bot to have made the pipeline",
        *by == live.bot.id,
        &pipeline["user"],
    );
    let notes = live.one_discussion(mr)?;
    live.says(
        &notes,
        &[
            pipeline["web_url"].as_str().unwrap_or_default(),
            &mr.sha[..8],
        ],
    );
    let variables = live
        .person
        .get(&format!("{}/{benchmark}/variables", live.pipelines()))?;
    for (key, value) in [
        ("BENCH_BRANCH", "faster".to_owned()),
        ("BENCH_MR_URL", mr.url.clone()),
        (
            "BENCH_MR_REF",
            format!("refs/merge-requests/{}/head", mr.iid),
        ),
        ("BENCH_PROJECT_PATH", live.source.path.clone()),
        ("BENCH_PROJECT_URL", live.source.url.clone()),
        ("BENCH_TARGET_BRANCH", "main".to_owned()),
    ] {
        let is = value_of(&variables, key);
        live.seen
            .expect(format_args!("{key} to be {value}"), is == value, is);
    }
    Ok(benchmark)
}

fn is_told_of(live: &Live, mr: &Mr, list: &str) -> Result<()> {
    let report = live.report("status", 0)?;
    live.seen.expect(
        format_args!("status to list it under {list}"),
        rows(&report, list, mr).len() == 1,
        &report,
    );
    let explained = live.report(&format!("status --mr {}", mr.iid), 0)?;
    let conditions = explained["conditions"].as_array().map_or(0, Vec::len);
    live.seen
        .expect("status --mr to give conditions", conditions > 0, &explained);
    let text = live.bench_bot("status", 0)?;
    live.seen.expect(
        "status to speak of it",
        text.stdout.contains(&format!("!{}", mr.iid)),
        text.all(),
    );
    Ok(())
}

/// What the template's job leaves can be read as the bot reads it.
fn has_results(live: &Live, benchmark: u64) -> Result<()> {
    let job = live.job(benchmark)?;
    let id = &job["id"];
    let path = format!(
        "/projects/{}/jobs/{id}/artifacts/bench-summary.md",
        live.benchmarks.id
    );
    let summary = live.person.text(&path)?;
    live.seen.expect(
        "a summary of the figures",
        !summary.trim().is_empty(),
        &summary,
    );
    live.seen.expect(
        "the job to be the bot's",
        job["user"]["id"] == live.bot.id,
        &job["user"],
    );
    Ok(())
}

/// The request about the resource group in docs/set-up.md, which the first benchmark has made.
fn keeps_their_order(live: &Live) -> Result<()> {
    let path = format!("/projects/{}/resource_groups/benchmark", live.benchmarks.id);
    let group: Value = live
        .person
        .put(&path, &json!({ "process_mode": "oldest_first" }))?;
    let mode = &group["process_mode"];
    live.seen.expect(
        "the resource group to serve the oldest first",
        mode == "oldest_first",
        &group,
    );
    Ok(())
}
