//! Proof on a real GitLab: two throwaway projects, the program as its users run it, and what a real
//! runner makes of it. `BENCH_BOT_LIVE_URL=in-memory` is the same against an in-memory GitLab.
//!
//! It needs BENCH_BOT_LIVE_URL, BENCH_BOT_LIVE_TOKEN and BENCH_BOT_LIVE_GROUP; docs/set-up.md tells
//! more. A difference does not stop it: all of them are told at the end.

mod api;
mod bot;
mod live;
mod made;
mod observations;
mod settings;
mod setup;
mod stories;

use std::sync::atomic::Ordering;

use api::{Api, INTERRUPTED};
use made::Made;
use observations::Observations;

#[test]
#[ignore = "needs a GitLab"]
fn it_works_on_a_real_gitlab() {
    // Dropped last: the projects have to go first.
    let (settings, in_memory) = settings::settings().unwrap_or_else(|error| panic!("{error:#}"));
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
    let seen = Observations::default();
    let person = Api::new(&settings.url, &settings.token).expect("an HTTP client");
    let group = setup::group(&settings, &person).unwrap_or_else(|error| panic!("{error:#}"));
    let made = Made::nothing_yet(&person, settings.pause, group);

    match setup::set_up(&settings, &seen, &person, &made) {
        Ok(live) => stories::tell_all(&live),
        Err(error) => seen.note("the projects to be set up", format_args!("{error:#}")),
    }

    seen.step("everything is deleted again");
    for complaint in made.delete() {
        seen.note("nothing to be left", complaint);
    }
    if let Some(server) = &in_memory {
        let world = server.gitlab.world();
        let paths = world
            .projects
            .values()
            .map(|project| project.path_with_namespace.as_str());
        let left: Vec<&str> = paths
            .filter(|path| path.contains("bench-bot-live"))
            .collect();
        assert_eq!(left, [""; 0]);
    }
    let summary = seen.summary();
    assert!(summary.is_empty(), "not as expected:\n\n{summary}");
}
