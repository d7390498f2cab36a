//! From a failure to the few steps that it takes.

use std::collections::BTreeMap;

use super::steps::{Step, plan};
use super::{Broken, simulate};

/// Which steps are taken, and which of them undisturbed.
#[derive(Clone)]
pub struct Kept(BTreeMap<usize, Calm>);

#[derive(Clone, Copy, PartialEq)]
enum Calm {
    Yes,
    No,
}

impl Kept {
    pub fn all(steps: usize) -> Self {
        Self((0..steps).map(|index| (index, Calm::No)).collect())
    }

    /// As [`shrunk`] tells it.
    pub fn chosen(list: &str) -> Self {
        let step = |word: &str| match word.strip_suffix('~') {
            Some(index) => Some((index.parse().ok()?, Calm::Yes)),
            None => Some((word.parse().ok()?, Calm::No)),
        };
        Self(list.split(',').filter_map(step).collect())
    }

    pub fn of(&self, plan: Vec<Step>) -> Vec<(usize, Step)> {
        let steps = plan.into_iter().enumerate();
        let kept = steps.filter_map(|(index, step)| match self.0.get(&index)? {
            Calm::Yes => Some((index, step.calm())),
            Calm::No => Some((index, step)),
        });
        kept.collect()
    }

    fn without(&self, indexes: &[usize]) -> Self {
        let mut fewer = self.clone();
        fewer.0.retain(|index, _| !indexes.contains(index));
        fewer
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let steps = self.0.iter().map(|(index, calm)| match calm {
            Calm::Yes => format!("{index}~"),
            Calm::No => index.to_string(),
        });
        f.write_str(&steps.collect::<Vec<_>>().join(","))
    }
}

impl Broken {
    /// Whatever the numbers.
    pub fn kind(&self) -> String {
        let letters = self.what.chars().filter(|c| !c.is_ascii_digit());
        letters.take(40).collect()
    }
}

/// Drops as many steps as may be while it still fails alike, and tells the line that replays what is left.
pub fn shrunk(seed: u64, mut kept: Kept, mut broken: Broken) -> String {
    let mut fails = |fewer: Kept, kept: &mut Kept| {
        if let Err(still) = simulate(seed, &fewer)
            && still.kind() == broken.kind()
        {
            (*kept, broken) = (fewer, still);
        }
    };
    for size in [32, 8, 2, 1, 1] {
        let all: Vec<usize> = kept.0.keys().copied().collect();
        for some in all.chunks(size).rev() {
            fails(kept.without(some), &mut kept);
        }
    }
    for (index, step) in kept.of(plan(seed)) {
        if step.is_disturbed() {
            let mut calmer = kept.clone();
            calmer.0.insert(index, Calm::Yes);
            fails(calmer, &mut kept);
        }
    }
    let steps = kept.of(plan(seed)).into_iter();
    let steps: Vec<String> = steps
        .map(|(index, step)| format!("  {index}: {step:?}"))
        .collect();
    format!(
        "seed {seed}, {}: {}\n{}\nSEED={seed} KEEP={kept} cargo test --test reliability -- --ignored whatever_happens_for_long",
        broken.at,
        broken.what,
        steps.join("\n")
    )
}
