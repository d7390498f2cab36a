//! Adds labels to merge requests and takes them off.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use log::warn;

use super::Actor;
use crate::gitlab::answer::{self, LabelEvent};
use crate::gitlab::{Error, both};
use crate::id::{Iid, RequestId};
use crate::note::Verdict;
use crate::snapshot::{MergeRequest, Request};
use crate::survey::{self, Newest};

/// GitLab writes a label's event after the label itself, so `trigger` asks for the event up to this many times.
const ASKS_FOR_EVENT: usize = 4;
const EVENT_PAUSE: Duration = Duration::from_millis(250);

impl Actor<'_> {
    pub(super) fn take_label_off(
        &self,
        mr: Iid,
        request: &Request,
        at_rest: bool,
    ) -> anyhow::Result<()> {
        let source = &self.gitlab.source;
        let label = request.label.as_str();
        let removed = source.remove_label(mr, label);
        self.check_labels(removed, label, false)?;
        let (events, ()) = both(
            || source.label_events(mr),
            || {
                if at_rest {
                    self.unmark(mr, None);
                }
            },
        );
        let events = events?;
        let by = survey::removed_by(&events, label).flatten();
        let by_bot = by.is_some_and(|user| user.username == source.bot());
        if by_bot && newest_addition(&events, label) != request.id {
            warn!(
                "!{mr} was labelled again just as the label came off: bench-bot puts the label back"
            );
            self.put_label_on(mr, label)?;
        }
        Ok(())
    }

    /// Sets the label of this verdict, and takes off those of others. A label that does not exist, or that GitLab refuses to
    /// set, is only a warning: it must not keep the request open.
    pub(super) fn set_verdict_label(
        &self,
        mr: Iid,
        verdict: Option<Verdict>,
    ) -> anyhow::Result<()> {
        let source = &self.gitlab.source;
        let is_wanted = |(of, _): &&(Verdict, String)| Some(*of) == verdict;
        let names = |labels: Vec<&(Verdict, String)>| {
            let names = labels.into_iter().map(|(_, name)| name.clone());
            names.collect::<Vec<String>>()
        };
        let (wanted, others) = self.verdict_labels.iter().partition(is_wanted);
        let (mut wanted, others) = (names(wanted), names(others));
        // GitLab would make a label that is not there.
        if let Some(name) = wanted.first()
            && !source.has_label(name)?
        {
            warn!("!{mr}: there is no label {name}, so its verdict has none: see --verdict-label");
            wanted.clear();
        }
        if wanted.is_empty() && others.is_empty() {
            return Ok(());
        }
        match source.change_labels(mr, &wanted, &others) {
            Ok(now) if wanted.iter().all(|name| now.labels.contains(name)) => Ok(()),
            Ok(_) => {
                warn!("!{mr}: GitLab left the label {} off", wanted.join(", "));
                Ok(())
            }
            Err(error) if error.forbids() => {
                warn!("!{mr}: cannot set the label of its verdict: {error}");
                Ok(())
            }
            Err(error) => Err(error).context("cannot set the label of its verdict"),
        }
    }

    /// Takes off the labels that tell an earlier benchmark's verdict.
    pub(super) fn remove_verdict_labels(&self, mr: &MergeRequest) {
        let names = self.verdict_labels.iter().map(|(_, name)| name.clone());
        let stale: Vec<String> = names.filter(|name| mr.labels.contains(name)).collect();
        if !stale.is_empty()
            && let Err(error) = self.gitlab.source.change_labels(mr.iid, &[], &stale)
        {
            warn!(
                "!{}: cannot take off the label of an earlier verdict: {error}",
                mr.iid
            );
        }
    }

    /// Adds the label, and returns the request that this makes.
    pub(super) fn put_label_on(&self, mr: Iid, label: &str) -> anyhow::Result<Request> {
        let source = &self.gitlab.source;
        let added = source.add_label(mr, label);
        self.check_labels(added, label, true)?;
        for _ in 0..ASKS_FOR_EVENT {
            match survey::newest_request(&source.label_events(mr)?, label) {
                Newest::Request(request) => return Ok(request),
                Newest::NotYet | Newest::NoEvent => self.gitlab.pause(EVENT_PAUSE),
            }
        }
        bail!(
            "the label {label} is on, but GitLab does not yet show who added it: run trigger again"
        )
    }

    /// GitLab can answer with success and leave the labels as they are.
    fn check_labels(
        &self,
        changed: Result<answer::MergeRequest, Error>,
        label: &str,
        wanted: bool,
    ) -> anyhow::Result<()> {
        let state = if wanted { "off" } else { "on" };
        let hint = || {
            format!(
                "the label {label} is still {state}; the bot needs the role Developer in the project"
            )
        };
        let labels = changed.with_context(hint)?.labels;
        ensure!(
            labels.iter().any(|name| name == label) == wanted,
            "GitLab left the label {label} {state}: is it locked or archived?"
        );
        Ok(())
    }
}

fn newest_addition(events: &[LabelEvent], label: &str) -> RequestId {
    let named = |event: &&LabelEvent| {
        let found = event.label.as_ref();
        event.action == "add" && found.is_some_and(|found| found.name == label)
    };
    let newest = events.iter().filter(named).map(|event| event.id).max();
    newest.unwrap_or(RequestId::NONE)
}
