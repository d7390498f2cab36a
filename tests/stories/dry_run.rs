//! Every read, no write, and the same report.

use in_memory_gitlab::Gitlab;

use crate::bot::{json, run};

#[test]
fn nothing_is_written_and_what_would_be_done_is_told() {
    let gitlab = Gitlab::start();
    gitlab.mr("first").passed().labelled();
    gitlab.mr("second").passed().labelled();
    let planned = |command: &str, action: &str, mr: u64| {
        gitlab.clear_requests();
        let report = json(&gitlab, command);
        let actions = report["actions"].as_array().expect("a list");
        assert_eq!(report["dry_run"], true);
        assert_eq!(actions.len(), 1, "{report}");
        assert_eq!(actions[0]["action"], action);
        assert_eq!(actions[0]["mr"], mr);
        assert_eq!(actions[0]["outcome"], "planned");
        assert!(gitlab.writes().is_empty());
    };
    planned("scan --dry-run --announce none", "start", 1);
    planned("trigger --mr 2 --dry-run", "start", 2);
    run(&gitlab, "scan");
    gitlab.benchmark_ends(gitlab.benchmarks()[0].id, "success");
    planned("reconcile --dry-run", "finish", 1);
}
