//! Who there is beside the cast of the in-memory GitLab.

use in_memory_gitlab::{ADA, BENCH_BOT, LINUS, LabelOwner, People, Role};

const GEARS: u64 = 10;

/// `acme/gears`, another source project.
pub fn add_gears(gitlab: &People) {
    let mut world = gitlab.world();
    let gears = world.add_project(GEARS, "acme/gears");
    gears.members.extend([
        (ADA, Role::Maintainer),
        (LINUS, Role::Developer),
        (BENCH_BOT, Role::Developer),
    ]);
    world.add_label(LabelOwner::Project(GEARS), "benchmarking");
}
