use anyhow::{Result, bail};
use serde_json::Value;

use crate::live::{LABEL, Live, Mr, rows};
use crate::made::Project;
use crate::setup::makefile;

const BRANCH: &str = "simd";

pub fn tell(live: &Live) -> Result<()> {
    let fork = live
        .made
        .fork(&live.source, &format!("{}-fork", live.name))?;
    is_there(live, &fork)?;
    let sha = live.push(&fork, BRANCH, &makefile(70, ""))?;
    // Chosen in the form in which it is opened, before GitLab has looked at the commits.
    let mr = live.open(&fork, BRANCH, sha, &[LABEL])?;
    live.seen.expect(
        "the label to be on from the start",
        live.is_labelled(&mr)?,
        "it is off",
    );
    live.passes(&mr)?;
    label_came_first(live, &mr)?;
    starts(live, &mr)?;
    let benchmark = live.benchmark_of(&mr)?;
    live.becomes(benchmark, &["success"])?;
    live.bench_bot("reconcile", 0)?;
    let notes = live.is_over(&mr)?;
    live.says(&notes, &["success"]);
    live.stays_over(&mr)
}

fn is_there(live: &Live, fork: &Project) -> Result<()> {
    live.wait("the fork to be made", || {
        let now = live.person.get(&format!("/projects/{}", fork.id))?;
        match now["import_status"].as_str() {
            Some("finished" | "none") => Ok(Some(())),
            Some("failed") => bail!("the fork cannot be made: {}", now["import_error"]),
            _ => Ok(None),
        }
    })
}

/// GitLab writes the label's event before it makes the first version, in the background.
fn label_came_first(live: &Live, mr: &Mr) -> Result<()> {
    let events = live
        .person
        .list(&live.mr_path(mr, "/resource_label_events"))?;
    let versions = live.person.list(&live.mr_path(mr, "/versions"))?;
    let is_one = events.len() == 1 && versions.len() == 1;
    live.seen.expect(
        "one label event and one version",
        is_one,
        format_args!("{events:?} {versions:?}"),
    );
    let at = |rows: &[Value]| {
        let text = rows.first()?["created_at"].as_str()?.to_owned();
        chrono::DateTime::parse_from_rfc3339(&text).ok()
    };
    let (event, version) = (at(&events), at(&versions));
    live.seen.expect(
        "the label event to come before the first version",
        event.is_some() && event <= version,
        format_args!("{event:?} and {version:?}"),
    );
    Ok(())
}

/// Its author has set the label, so it is served; a bot that has set it itself waits for a person.
fn starts(live: &Live, mr: &Mr) -> Result<()> {
    let report = live.report("scan", 0)?;
    let is_started = !rows(&report, "actions", mr).is_empty();
    live.seen.expect(
        "a fork's merge request to start if a person has labelled it, and only then",
        is_started == live.bot_is_apart,
        &report,
    );
    if !is_started {
        live.bench_bot(&format!("trigger --mr {} --force", mr.iid), 0)?;
    }
    Ok(())
}
