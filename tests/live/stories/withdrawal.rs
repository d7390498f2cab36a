use anyhow::Result;

use crate::live::Live;
use crate::setup::makefile;

/// A branch whose benchmark does not end by itself while anybody looks.
pub const SLOW: &str = "slow";

pub fn tell(live: &Live) -> Result<()> {
    let mr = live.ready(SLOW, &makefile(90, "\t@sleep 1800\n"))?;
    live.put_label_on(&mr)?;
    live.bench_bot("scan", 0)?;
    let benchmark = live.benchmark_of(&mr)?;
    live.becomes(benchmark, &["running"])?;
    live.take_label_off(&mr)?;
    live.bench_bot("reconcile", 0)?;
    live.becomes(benchmark, &["canceled"])?;
    live.bench_bot("reconcile", 0)?;
    let notes = live.is_over(&mr)?;
    live.says(&notes, &["withdrawn"]);
    live.stays_over(&mr)
}
