use super::{Time, World};
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub struct Commit {
    pub sha: String,
    pub parents: Vec<String>,
    pub title: String,
    pub author: String,
    pub created_at: Time,
    /// The projects in whose repository it is: a merge request brings a fork's commit into its
    /// target project.
    pub projects: BTreeSet<u64>,
}

impl World {
    pub fn add_commit(&mut self, project_id: u64, title: &str, parents: Vec<String>) -> String {
        let sha = hex40("commit", self.ids.commit.next());
        self.add_commit_as(&sha, project_id, title, parents);
        sha
    }

    /// The commit `sha`, which a repository may have already.
    pub fn add_commit_as(&mut self, sha: &str, project_id: u64, title: &str, parents: Vec<String>) {
        let commit = self
            .commits
            .entry(sha.to_owned())
            .or_insert_with(|| Commit {
                sha: sha.to_owned(),
                parents,
                title: title.to_owned(),
                author: "Ada Lovelace".to_owned(),
                created_at: self.clock.now(),
                projects: BTreeSet::new(),
            });
        commit.projects.insert(project_id);
    }
}

/// 40 hex digits that look random, and are the same in every run.
pub(super) fn hex40(kind: &str, number: u64) -> String {
    let mut state = kind.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    state ^= number;
    // SplitMix64
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    format!("{:016x}{:016x}{:08x}", next(), next(), next() >> 32)
}
