//! The lists that a run begins with: of merge requests and of labels.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Fetched, Scope, Survey};
use crate::gitlab::{Error, Listed, Listing, parallel_map};
use crate::id::Iid;

/// A label is taken off a merge request that was merged or closed up to this long ago, even if runs are rare.
const LEFT_LABELLED: TimeDelta = TimeDelta::days(7);

/// The listed merge requests with their labels, those with 👀, and what was read of them.
type FirstRead = (
    BTreeMap<Iid, Vec<String>>,
    Option<BTreeSet<Iid>>,
    Vec<Fetched>,
);

impl Survey<'_> {
    pub(super) fn first_merge_requests(&self, since: DateTime<Utc>) -> Result<FirstRead, Error> {
        let labels = &self.snapshot.labels;
        let is_observer = self.gitlab.is_observer;
        let lists = match self.scope {
            // GitLab lists by the token's user's reactions, and an observer is not the bot, so the queue has to do.
            Scope::Records { .. } if is_observer => {
                parallel_map(Scope::Queue.listings(labels), |listing| {
                    self.gitlab.source.list(listing)
                })
            }
            scope => self.gitlab.list_all(&scope.listings(labels)),
        };
        let mut rows: Vec<Listed> = lists.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
        let mut iids: BTreeSet<Iid> = rows.iter().map(|row| row.iid).collect();
        let (mut threads, mut marked) = (BTreeSet::new(), None);
        match self.scope {
            Scope::Queue => {}
            Scope::Status { of, .. } => iids.extend(of),
            Scope::One(iid) | Scope::Ending { iid, .. } => drop(iids.insert(iid)),
            Scope::Records { .. } => {
                marked = (!is_observer).then_some(iids);
                rows.extend(self.left_labelled(since)?);
                threads = rows.iter().map(|row| row.iid).collect();
                let waits = |row: &&Listed| {
                    row.state == "opened" && labels.iter().any(|label| row.labels.contains(label))
                };
                let away = rows.iter().filter(|row| is_observer || !waits(row));
                iids = away.map(|row| row.iid).collect();
            }
        }
        let fetched = self.read(&iids, &threads);
        let listed = rows.into_iter().map(|row| (row.iid, row.labels));
        Ok((listed.collect(), marked, fetched))
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
            Scope::Queue | Scope::Status { .. } => {
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
