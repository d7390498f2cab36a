//! Reads from GitLab what a run needs to decide. A list is complete or an error. If a single merge request or pipeline
//! cannot be read, that is recorded, and the others go on. Something counts as gone only if GitLab itself says so and no
//! list of the same run shows it.

mod links;
mod lists;
mod merge_request;
mod milestones;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

pub use self::links::{LinkTarget, find_unlinked, follow};
pub use self::merge_request::{
    Newest, newest_request, read_again, removed_by, stands_for, threads,
};
use crate::gitlab::answer::Pipeline;
use crate::gitlab::{Error, Gitlab, Listing, Mark, both, by_id, parallel_map};
use crate::id::{Iid, PipelineId};
use crate::note::{self, OpeningNote, Thread};
use crate::snapshot::{About, MergeRequest, Snapshot, Trouble};

/// What a run needs to read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scope {
    /// The open labelled merge requests. `marked`: also which of them have the bot's 👀; `threads`: also the discussions
    /// of those that are not served yet.
    Queue { marked: bool, threads: bool },
    /// What may need repair, and not the queue: records in flight, those that ended within this time, and merge requests
    /// where the bot has unfinished work.
    Records { ended_within: TimeDelta },
    /// One merge request, labelled or not.
    One(Iid),
    /// One merge request, and its records that are in flight or ended within this time.
    Ending { iid: Iid, ended_within: TimeDelta },
    /// The open labelled merge requests, and the milestones of what is in flight or ended within this time. `of`: also
    /// this merge request, labelled or not.
    Status {
        since: TimeDelta,
        of: Option<Iid>,
        /// Whether to read the replies that tell the verdicts.
        verdicts: bool,
    },
}

impl Scope {
    /// The lists that can be fetched before anything else is known.
    pub fn listings<'a>(self, labels: &'a [String]) -> Vec<Listing<'a>> {
        match self {
            Scope::Queue { .. } | Scope::Status { .. } => {
                let marked = matches!(self, Scope::Queue { marked: true, .. });
                let labelled = labels.iter().map(|label| Listing::Labelled(label));
                let marked = marked.then_some(Listing::Marked(Mark::Seen));
                labelled.chain(marked).collect()
            }
            // Where a request waits, 👀 alone is no reason to look.
            Scope::Records { .. } => {
                vec![Listing::Marked(Mark::Begun), Listing::SeenWithout(labels)]
            }
            Scope::One(_) | Scope::Ending { .. } => Vec::new(),
        }
    }

    /// How recently a benchmark must have ended to be read even if its label is off.
    fn ended_within(self) -> Option<TimeDelta> {
        match self {
            Scope::Records { ended_within } | Scope::Ending { ended_within, .. } => {
                Some(ended_within)
            }
            Scope::Status { since, .. } => Some(since),
            Scope::Queue { .. } | Scope::One(_) => None,
        }
    }

    /// Whether it reads merge requests that may be started.
    fn is_of_queue(self) -> bool {
        !matches!(self, Scope::Records { .. } | Scope::Ending { .. })
    }
}

struct Survey<'a> {
    gitlab: &'a Gitlab,
    scope: Scope,
    /// A benchmark that is in flight for longer may be stuck.
    timeout: TimeDelta,
    snapshot: Snapshot,
    /// Merge requests that certainly exist, with their labels.
    listed: BTreeMap<Iid, Vec<String>>,
    /// Merge requests with a discussion that led to a pipeline.
    followed: BTreeSet<Iid>,
    /// The bot's pipelines.
    pipelines: BTreeMap<PipelineId, Pipeline>,
    /// From when on that list is complete. `None` if it is complete in any case.
    pipelines_since: Option<DateTime<Utc>>,
    /// Those whose variables were requested.
    looked_at: BTreeSet<PipelineId>,
}

/// `lookback`: how far back the list of the bot's pipelines has to reach.
pub fn survey(
    gitlab: &Gitlab,
    labels: &[String],
    timeout: TimeDelta,
    lookback: TimeDelta,
    scope: Scope,
) -> Result<Snapshot, Error> {
    let mut survey = Survey {
        gitlab,
        scope,
        timeout,
        snapshot: Snapshot {
            now: gitlab.now(),
            source: gitlab.source.project().id,
            labels: labels.to_vec(),
            bot: gitlab.source.bot().to_owned(),
            merge_requests: BTreeMap::new(),
            gone: BTreeSet::new(),
            unread: BTreeSet::new(),
            records: Vec::new(),
            unreadable: Vec::new(),
            threads: BTreeMap::new(),
            uncertain: BTreeSet::new(),
            lost: BTreeSet::new(),
            begun: None,
            seen: None,
            milestones: BTreeMap::new(),
            requested_by: BTreeMap::new(),
            run_times: Vec::new(),
            missing_labels: Vec::new(),
            unknown_labels: Vec::new(),
            troubles: Vec::new(),
        },
        listed: BTreeMap::new(),
        followed: BTreeSet::new(),
        pipelines: BTreeMap::new(),
        pipelines_since: None,
        looked_at: BTreeSet::new(),
    };
    let since = gitlab.now() - lookback;
    let (merge_requests, (pipelines, missing)) = both(
        || survey.first_merge_requests(since),
        || both(|| survey.own_pipelines(since), || survey.unseen_labels()),
    );
    let first = merge_requests?;
    survey.listed = first.listed;
    (survey.snapshot.begun, survey.snapshot.seen) = (first.begun, first.seen);
    survey.add(first.fetched);
    let (pipelines, variables) = pipelines?;
    survey.pipelines_since = (pipelines.len() >= records::WHOLE_PAGE).then_some(since);
    survey.pipelines = pipelines
        .into_iter()
        .map(|pipeline| (pipeline.id, pipeline))
        .collect();
    survey.add_records(variables);
    survey.find_records();
    survey.read_concerned();
    survey.follow_links();
    survey.read_concerned();
    survey.add_triggered();
    let mut snapshot = survey.snapshot;
    snapshot.run_times = milestones::run_times(&survey.pipelines, &snapshot.records);
    snapshot.records.sort_by_key(|record| record.pipeline);
    for (label, found) in missing {
        match found {
            Ok(true) => {}
            Ok(false) => snapshot.missing_labels.push(label),
            Err(error) => {
                snapshot.troubles.push(Trouble {
                    about: About::Label,
                    text: format!("cannot read whether there is a label {label}: {error}"),
                });
                snapshot.unknown_labels.push(label);
            }
        }
    }
    if let Scope::Status { since, of, .. } = scope {
        milestones::add(&mut snapshot, gitlab, Some(gitlab.now() - since), of);
    }
    Ok(snapshot)
}

/// Something that was read of one merge request. `None`: GitLab says that it does not exist.
enum Fetched {
    MergeRequest(Iid, Result<Option<Box<MergeRequest>>, Error>),
    Threads(Iid, Result<Vec<Thread>, Error>),
}

impl Survey<'_> {
    /// The bot's pipelines, and the variables of those that matter in any case.
    fn own_pipelines(
        &self,
        since: DateTime<Utc>,
    ) -> Result<(Vec<Pipeline>, Vec<records::Read>), Error> {
        let benchmark = &self.gitlab.benchmark;
        let recent = self.recent();
        let changed = recent.filter(|_| !matches!(self.scope, Scope::Ending { .. }));
        let (created, changed) = both(
            || benchmark.created_since(since),
            || changed.map(|recent| benchmark.changed_since(recent)),
        );
        let changed = changed.transpose()?.unwrap_or_default();
        let pipelines = by_id([created?, changed].concat());
        let matters = |pipeline: &&Pipeline| {
            !pipeline.ended()
                || recent.is_some_and(|recent| pipeline.updated_at.is_none_or(|at| at >= recent))
        };
        let variables = self.variables(pipelines.iter().filter(matters).cloned().collect());
        Ok((pipelines, variables))
    }

    fn recent(&self) -> Option<DateTime<Utc>> {
        let ended_within = self.scope.ended_within()?;
        Some(self.snapshot.now - ended_within)
    }

    fn read(&self, merge_requests: &BTreeSet<Iid>, threads: &BTreeSet<Iid>) -> Vec<Fetched> {
        let source = &self.gitlab.source;
        let now = self.snapshot.now;
        let fetched = merge_requests
            .iter()
            .map(|iid| (*iid, true))
            .chain(threads.iter().map(|iid| (*iid, false)));
        parallel_map(fetched.collect(), |(iid, whole)| match whole {
            true => {
                let labels = &self.snapshot.labels;
                let read = merge_request::read(source, labels, iid, now, self.scope.is_of_queue());
                Fetched::MergeRequest(iid, read.map(|mr| mr.map(Box::new)))
            }
            false => Fetched::Threads(iid, merge_request::threads(source, iid)),
        })
    }

    fn add(&mut self, fetched: Vec<Fetched>) {
        let is_mr = |piece: &Fetched| matches!(piece, Fetched::MergeRequest(..));
        let (merge_requests, threads): (Vec<_>, Vec<_>) = fetched.into_iter().partition(is_mr);
        for piece in merge_requests.into_iter().chain(threads) {
            match piece {
                Fetched::MergeRequest(iid, Ok(Some(mr))) => {
                    self.snapshot.merge_requests.insert(iid, *mr);
                }
                Fetched::MergeRequest(iid, Ok(None)) => match self.is_gone(iid) {
                    Ok(()) => drop(self.snapshot.gone.insert(iid)),
                    Err(why) => self.could_not_be_read(iid, &why),
                },
                Fetched::MergeRequest(iid, Err(error)) => {
                    self.could_not_be_read(iid, &error.to_string());
                }
                Fetched::Threads(iid, Ok(threads)) => {
                    self.snapshot.threads.insert(iid, threads);
                }
                Fetched::Threads(iid, Err(error))
                    if error.not_found()
                        && (self.snapshot.gone.contains(&iid) || self.is_gone(iid).is_ok()) =>
                {
                    self.snapshot.gone.insert(iid);
                }
                Fetched::Threads(iid, Err(error)) => {
                    let text = format!("!{iid}: cannot read its discussions: {error}");
                    self.trouble(About::MergeRequest(iid), text);
                }
            }
        }
    }

    fn could_not_be_read(&mut self, iid: Iid, why: &str) {
        self.snapshot.unread.insert(iid);
        let text = format!("cannot read !{iid}: {why}");
        self.trouble(About::MergeRequest(iid), text);
    }

    fn trouble(&mut self, about: About, text: String) {
        self.snapshot.troubles.push(Trouble { about, text });
    }

    /// GitLab has said that the merge request does not exist. A list has to confirm that.
    fn is_gone(&self, iid: Iid) -> Result<(), String> {
        let there = match self.listed.contains_key(&iid) {
            true => true,
            false => {
                let listed = self.gitlab.source.list(Listing::One(iid));
                let listed = listed.map_err(|error| error.to_string())?;
                !listed.is_empty()
            }
        };
        match there {
            true => Err("GitLab says that it does not exist, but lists it".to_owned()),
            false => Ok(()),
        }
    }

    /// Reads the merge requests and discussions that may need a write because of a record.
    fn read_concerned(&mut self) {
        let concerned = match self.scope {
            Scope::Queue { .. } | Scope::Status { .. } => return,
            Scope::Records { .. } | Scope::One(_) | Scope::Ending { .. } => self.concerned(),
        };
        let snapshot = &self.snapshot;
        let missing: BTreeSet<Iid> = concerned
            .iter()
            .copied()
            .filter(|iid| !snapshot.merge_requests.contains_key(iid))
            .collect();
        let threads = concerned
            .into_iter()
            .filter(|iid| !snapshot.threads.contains_key(iid))
            .collect();
        let fetched = self.read(&missing, &threads);
        self.add(fetched);
    }

    /// Adds which commit was triggered, which the opening note says if the triggered run could not start it.
    fn add_triggered(&mut self) {
        let Snapshot {
            merge_requests,
            threads,
            ..
        } = &mut self.snapshot;
        for mr in merge_requests.values_mut() {
            let threads = threads.get(&mr.iid).map_or(&[][..], Vec::as_slice);
            for request in &mut mr.requests {
                let mut triggered = threads.iter().filter_map(|thread| {
                    let opening = thread.opened_for(request.id, &request.label)?;
                    opening.sha.clone().zip(opening.triggered)
                });
                request.triggered = triggered.next();
            }
        }
    }

    fn concerned(&self) -> BTreeSet<Iid> {
        let snapshot = &self.snapshot;
        let recent = self.recent();
        let only = match self.scope {
            Scope::One(iid) | Scope::Ending { iid, .. } => Some(iid),
            _ => None,
        };
        let asks = snapshot.own_records().filter(|record| {
            !record.status.ended()
                || snapshot.request_of(record).is_some()
                || recent.is_some_and(|recent| record.updated_at >= recent)
        });
        let of_records = asks.map(|record| record.task.mr);
        let of_begun = snapshot.begun.iter().flatten().filter(|iid| {
            let labels = self.listed.get(iid).map_or(&[][..], Vec::as_slice);
            let threads = snapshot.threads.get(iid).map_or(&[][..], Vec::as_slice);
            let label_is_off = |opening: &OpeningNote| {
                opening
                    .label
                    .as_ref()
                    .is_some_and(|label| !labels.contains(label))
            };
            let mut unfinished: Vec<&OpeningNote> = note::unfinished(threads).collect();
            let all = unfinished.len();
            let off = unfinished.iter().any(|opening| label_is_off(opening));
            // Of two notes about one label, the first belongs to a request that went away.
            unfinished.sort_by_key(|opening| &opening.label);
            unfinished.dedup_by_key(|opening| &opening.label);
            all == 0 || off || unfinished.len() < all
        });
        let unread = |iid: &Iid| snapshot.gone.contains(iid) || snapshot.unread.contains(iid);
        of_records
            .chain(of_begun.copied())
            .chain(self.followed.iter().copied())
            .filter(|iid| !unread(iid) && only.is_none_or(|only| *iid == only))
            .collect()
    }
}
