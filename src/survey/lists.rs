//! The lists that a run begins with: of merge requests and of labels.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Fetched, Scope, Survey};
use crate::gitlab::{Error, Listed, Listing, parallel_map};
use crate::id::Iid;

/// A label is taken off a merge request that was merged or closed up to this long ago, even if runs are rare.
const LEFT_LABELLED: TimeDelta = TimeDelta::days(7);

/// What the lists show, and what was read because of that.
pub(super) struct First {
    pub listed: BTreeMap<Iid, Vec<String>>,
    pub begun: Option<BTreeSet<Iid>>,
    pub seen: Option<BTreeSet<Iid>>,
    pub fetched: Vec<Fetched>,
}

impl Survey<'_> {
    pub(super) fn first_merge_requests(&self, since: DateTime<Utc>) -> Result<First, Error> {
        let labels = &self.snapshot.labels;
        let is_observer = self.gitlab.is_observer;
        let mut lists = match self.scope {
            // GitLab lists by the token's user's reactions, and an observer is not the bot, so the queue has to do.
            Scope::Records { .. } if is_observer => {
                let labelled = labels.iter().map(|label| Listing::Labelled(label));
                parallel_map(labelled.collect(), |listing| {
                    self.gitlab.source.list(listing)
                })
            }
            scope => self.gitlab.list_all(&scope.listings(labels)),
        };
        let lists_seen = match self.scope {
            Scope::Queue { marked, .. } => marked,
            Scope::Records { .. } => !is_observer,
            _ => false,
        };
        let seen = lists_seen.then(|| lists.pop()).flatten().transpose()?;
        let iids_of = |rows: &[Listed]| rows.iter().map(|row| row.iid).collect::<BTreeSet<_>>();
        let mut rows: Vec<Listed> = lists.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let mut first = First {
            listed: BTreeMap::new(),
            begun: None,
            seen: seen.as_deref().map(iids_of).filter(|_| !is_observer),
            fetched: Vec::new(),
        };
        let (mut iids, mut threads) = (iids_of(&rows), BTreeSet::new());
        match self.scope {
            Scope::Queue { .. } => {}
            Scope::Status { of, .. } => iids.extend(of),
            Scope::One(iid) | Scope::Ending { iid, .. } => drop(iids.insert(iid)),
            Scope::Records { .. } => {
                first.begun = (!is_observer).then_some(iids);
                let waits = |row: &Listed| {
                    row.state == "opened" && labels.iter().any(|label| row.labels.contains(label))
                };
                rows.extend(seen.unwrap_or_default());
                rows.extend(self.left_labelled(since)?);
                threads = iids_of(&rows);
                let away = rows.iter().filter(|row| is_observer || !waits(row));
                iids = away.map(|row| row.iid).collect();
            }
        }
        first.fetched = self.read(&iids, &threads);
        first.listed = rows.into_iter().map(|row| (row.iid, row.labels)).collect();
        Ok(first)
    }

    /// Lists merge requests that were merged or closed with a label on.
    fn left_labelled(&self, since: DateTime<Utc>) -> Result<Vec<Listed>, Error> {
        let since = since.min(self.snapshot.now - LEFT_LABELLED);
        let listings = self.snapshot.labels.iter().flat_map(|label| {
            ["merged", "closed"].map(|state| Listing::LabelledIn {
                label,
                state,
                since,
            })
        });
        let lists = parallel_map(listings.collect(), |listing| {
            self.gitlab.source.list(listing)
        });
        Ok(lists.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Looks up whether the labels exist that no list of this run shows on any merge request.
    pub(super) fn unseen_labels(&self) -> Vec<(String, Result<bool, Error>)> {
        let source = &self.gitlab.source;
        let all = &self.snapshot.labels;
        let labels = match self.scope {
            Scope::Queue { .. } | Scope::Status { .. } => {
                let lists = self.gitlab.list_all(&self.scope.listings(all));
                let labels = all.iter().zip(lists);
                let unused = labels.filter(|(_, list)| list.as_ref().is_ok_and(Vec::is_empty));
                unused.map(|(label, _)| label.clone()).collect()
            }
            Scope::Records { .. } => all.clone(),
            // The label that `trigger` may add.
            Scope::One(_) => all.first().cloned().into_iter().collect(),
            Scope::Ending { .. } => Vec::new(),
        };
        parallel_map(labels, |label| {
            let found = source.has_label(&label);
            (label, found)
        })
    }
}
