//! The default world: who there is, and which projects they work on.

use super::{CI_FILE, Clock, Group, LabelOwner, Role, User, Visibility, World};
use std::collections::{BTreeMap, BTreeSet};

pub const ROOT: u64 = 1;
pub const ADA: u64 = 11;
pub const LINUS: u64 = 12;
pub const MALLORY: u64 = 13;
pub const BENCH_BOT: u64 = 20;

/// `acme`, which Ada owns.
pub const ACME: u64 = 3;

/// `acme/engine`, the source project.
pub const ENGINE: u64 = 7;
/// `acme/benchmarks`, the benchmark project.
pub const BENCHMARKS: u64 = 8;
/// `mallory/engine`, a fork of the source project.
pub const FORK: u64 = 9;

pub const BOT_TOKEN: &str = "glpat-bench-bot-0123456789";
pub const ADA_TOKEN: &str = "glpat-ada-0123456789";
pub const LINUS_TOKEN: &str = "glpat-linus-0123456789";
pub const MALLORY_TOKEN: &str = "glpat-mallory-0123456789";
/// The bot's, with the scope `read_api`.
pub const READ_ONLY_TOKEN: &str = "glpat-read-only-0123456789";
pub const EXPIRED_TOKEN: &str = "glpat-expired-0123456789";
pub const REVOKED_TOKEN: &str = "glpat-revoked-0123456789";

impl World {
    pub fn with_cast(clock: Clock) -> Self {
        let mut world = Self::empty(clock);
        for (id, username, name) in [
            (ROOT, "root", "Administrator"),
            (ADA, "ada", "Ada Lovelace"),
            (LINUS, "linus", "Linus Torvalds"),
            (MALLORY, "mallory", "Mallory"),
            (BENCH_BOT, "bench-bot", "Benchmarking bot"),
        ] {
            world.users.insert(id, User::new(id, username, name));
        }
        // A service account.
        if let Some(bot) = world.users.get_mut(&BENCH_BOT) {
            bot.bot = true;
        }
        world.add_tokens();
        let acme = Group {
            id: ACME,
            path: "acme".to_owned(),
            members: BTreeMap::from([(ADA, Role::Owner)]),
            tokens: BTreeSet::new(),
        };
        world.groups.insert(ACME, acme);

        let engine = world.add_project(ENGINE, "acme/engine");
        engine.members.extend([
            (ADA, Role::Maintainer),
            (LINUS, Role::Developer),
            (BENCH_BOT, Role::Developer),
        ]);
        world.add_label(LabelOwner::Project(ENGINE), "benchmarking");

        let benchmarks = world.add_project(BENCHMARKS, "acme/benchmarks");
        benchmarks.visibility = Visibility::Private;
        benchmarks
            .members
            .extend([(ADA, Role::Maintainer), (BENCH_BOT, Role::Maintainer)]);
        benchmarks.auto_cancel_pending_pipelines = false;
        benchmarks.job_names = vec!["benchmark".to_owned()];
        benchmarks.files.insert(
            CI_FILE.to_owned(),
            "benchmark:\n  script: ./benchmark\n  resource_group: benchmark\n".to_owned(),
        );

        let fork = world.add_project(FORK, "mallory/engine");
        fork.forked_from = Some(ENGINE);
        fork.members.insert(MALLORY, Role::Owner);
        world
    }

    fn add_tokens(&mut self) {
        for (secret, user) in [
            (BOT_TOKEN, BENCH_BOT),
            (ADA_TOKEN, ADA),
            (LINUS_TOKEN, LINUS),
            (MALLORY_TOKEN, MALLORY),
        ] {
            self.add_token(secret, user, &["api"]);
        }
        self.add_token(READ_ONLY_TOKEN, BENCH_BOT, &["read_api"]);
        self.add_token(REVOKED_TOKEN, BENCH_BOT, &["api"]).revoked = true;
        let yesterday = self.now().date_naive().pred_opt();
        self.add_token(EXPIRED_TOKEN, BENCH_BOT, &["api"])
            .expires_at = yesterday;
    }
}
