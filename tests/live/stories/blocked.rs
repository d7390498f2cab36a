use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::live::{Live, Mr, rows};
use crate::setup::{change_template, makefile};

/// A benchmark in flight for longer has its outcome.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Under `rules`, a manual job keeps its pipeline from ending.
const GATE: &str = "\npublish:\n  rules:\n    - if: $BENCH_SHA\n      when: manual\n  script:\n    - echo published\n";

pub fn tell(live: &Live) -> Result<()> {
    let mr = live.ready("gate", &makefile(95, ""))?;
    change_template(live, |ci| format!("{ci}{GATE}"))?;
    live.put_label_on(&mr)?;
    let scanned = live.bench_bot("scan", 0);
    let benchmark = live.benchmark_of(&mr)?;
    let blocked = live.wait("all but the manual job to end", || {
        let job = live.job(benchmark)?;
        Ok((job["status"] == "success").then_some(()))
    });
    let blocked = blocked.and_then(|()| live.becomes(benchmark, &["manual"]));
    change_template(live, str::to_owned)?;
    scanned?;
    blocked?;
    waits(live, &mr)?;
    takes_no_place(live)?;

    thread::sleep(2 * TIMEOUT);
    live.bench_bot(&format!("reconcile --timeout {}s", TIMEOUT.as_secs()), 0)?;
    let notes = live.is_over(&mr)?;
    live.says(&notes, &["blocked", "/artifacts/"]);
    live.becomes(benchmark, &["canceled"])?;
    // What was to be cancelled has been by now, and is told as that.
    live.bench_bot("reconcile", 0)?;
    live.one_discussion(&mr)?;
    live.stays_over(&mr)
}

/// The next in the queue would start, though there is one place.
fn takes_no_place(live: &Live) -> Result<()> {
    let next = live.ready("next", &makefile(85, ""))?;
    live.put_label_on(&next)?;
    let report = live.report("scan --max-in-flight 1 --dry-run", 0);
    live.take_label_off(&next)?;
    let report = report?;
    let is_planned = !rows(&report, "actions", &next).is_empty();
    live.seen.expect(
        "a benchmark in `manual` to take no place",
        is_planned,
        &report,
    );
    Ok(())
}

fn waits(live: &Live, mr: &Mr) -> Result<()> {
    live.bench_bot("reconcile", 0)?;
    live.seen.expect(
        "the label to stay on while it waits",
        live.is_labelled(mr)?,
        "it is off",
    );
    let report = live.report("status", 0)?;
    let waits = rows(&report, "in_flight", mr);
    let is_told = waits.iter().any(|row| row["status"] == "manual");
    live.seen
        .expect("status to tell that it is in `manual`", is_told, &report);
    Ok(())
}
