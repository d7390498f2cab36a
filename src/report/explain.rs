//! The words of `status N`: whether each condition holds, and who can change that.

use super::layout::clock;
use super::{Explained, ExplainedRequest, Report, Status};
use crate::plan::{self, Condition, ConditionName as Name, Unvouched, WaitReason};
use crate::record::Record;
use crate::snapshot::{MergeRequest, Request};

/// A condition in words.
pub struct Sentence {
    pub name: &'static str,
    pub holds: Option<bool>,
    /// Whether it holds, in words.
    pub detail: String,
    /// The pipeline or benchmark in question.
    pub link: Option<String>,
    /// Who can change it, if it does not hold.
    pub hint: Option<String>,
}

/// One list for each request.
pub fn sentences(report: &Report, explained: &Explained) -> Vec<Vec<Sentence>> {
    let Some(mr) = explained.mr else {
        return Vec::new();
    };
    let requests = explained.requests.iter();
    let sentences = requests.map(|of| {
        let about = About {
            report,
            explained,
            of,
            mr,
            record: of
                .request
                .and_then(|request| plan::record_of(report.snapshot, mr, request)),
        };
        let conditions = of.conditions.iter();
        conditions
            .map(|condition| about.sentence(condition))
            .collect()
    });
    sentences.collect()
}

/// Who can change that the request of this label waits.
pub fn who_can_help(
    report: &Report,
    status: &Status,
    mr: &MergeRequest,
    label: Option<&str>,
) -> String {
    let mut explained = Explained::of(report.plan, mr, report.snapshot, status.rules);
    let asked = |request: &Request| Some(request.label.as_str()) == label;
    explained.requests.retain(|of| of.request.is_none_or(asked));
    let mut sentences = sentences(report, &explained).into_iter().flatten();
    let hint = sentences.find_map(|sentence| sentence.hint);
    hint.unwrap_or_default()
}

struct About<'a> {
    report: &'a Report<'a>,
    explained: &'a Explained<'a>,
    of: &'a ExplainedRequest<'a>,
    mr: &'a MergeRequest,
    record: Option<&'a Record>,
}

impl About<'_> {
    fn sentence(&self, condition: &Condition) -> Sentence {
        let failing = condition.holds == Some(false) || condition.reason.is_some();
        let pipeline = self.mr.pipeline.as_ref().map(|pipeline| &pipeline.web_url);
        Sentence {
            name: name(condition.name),
            holds: condition.holds,
            detail: match failing {
                true => self.failing(condition),
                false => self.holding(condition),
            },
            link: match condition.name {
                Name::Unserved => self.record.map(|record| record.web_url.clone()),
                Name::Pipeline => pipeline.cloned(),
                _ => None,
            },
            hint: failing.then(|| self.hint(condition)),
        }
    }

    fn holding(&self, condition: &Condition) -> String {
        match condition.name {
            Name::Open => "it is open".to_owned(),
            Name::Labelled => {
                let label = self.label();
                match self.of.request.and_then(|request| request.at) {
                    Some(at) => format!(
                        "it has had the label {label} since {}",
                        at.format("%-d %b %Y, %H:%M UTC")
                    ),
                    None => format!("it has the label {label}"),
                }
            }
            Name::Unserved => "there is no benchmark for it yet".to_owned(),
            Name::AsLabelled => {
                "whoever added the label vouches for the commit of its fork".to_owned()
            }
            Name::Pipeline => "it has a pipeline".to_owned(),
            Name::PipelineOfHead => "the pipeline is for its head".to_owned(),
            Name::PipelineEnded => "the pipeline has ended".to_owned(),
            Name::PipelinePassed => "the pipeline has passed".to_owned(),
            Name::Turn if condition.holds.is_some() => {
                format!("it is its turn: {}", self.place())
            }
            Name::Turn => "it is its turn".to_owned(),
        }
    }

    fn place(&self) -> String {
        let explained = self.explained;
        format!(
            "place {} of {} in the queue, {} of {} in flight",
            self.of.place.map_or(0, |place| place + 1),
            explained.queued,
            explained.taken,
            self.report.max_in_flight
        )
    }

    /// The label in question.
    fn label(&self) -> String {
        match self.of.request {
            Some(request) => request.label.clone(),
            None => self.report.labels.join(" or "),
        }
    }

    fn is_past_cancelling(&self) -> bool {
        let snapshot = self.report.snapshot;
        self.record
            .is_some_and(|record| plan::is_past_cancelling(snapshot, record))
    }

    /// Whether it was merged or closed before its benchmark started.
    fn is_to_be_closed(&self) -> bool {
        let left = matches!(self.mr.state.as_str(), "merged" | "closed");
        left && self.of.request.is_some() && self.record.is_none()
    }

    fn is_canceling(&self) -> bool {
        self.record
            .is_some_and(|record| record.status.word() == "canceling")
    }

    fn failing(&self, condition: &Condition) -> String {
        let (mr, record) = (self.mr, self.record);
        let status = mr
            .pipeline
            .as_ref()
            .map_or("?", |pipeline| pipeline.status.word());
        match (condition.name, condition.reason) {
            (Name::Open, _) => format!("it is {}", mr.state),
            (Name::Labelled, Some(WaitReason::Unexplained)) => format!(
                "it has the label {}, but GitLab does not yet show who added it",
                self.mr.unexplained.join(" and ")
            ),
            (Name::Labelled, _) => format!("it does not have the label {}", self.label()),
            (Name::Unserved, Some(WaitReason::Finished)) => {
                let outcome = record.map_or("?", |record| record.status.word());
                format!("its benchmark has already ended: {outcome}")
            }
            (Name::Unserved, Some(WaitReason::Stuck)) => {
                "its benchmark has been in flight for too long".to_owned()
            }
            (Name::Unserved, Some(WaitReason::Superseded)) => {
                "its benchmark is of an older commit".to_owned()
            }
            (Name::Unserved, Some(WaitReason::InFlight)) => {
                let word = record.map_or("?", |record| record.status.word());
                format!("its benchmark is already in flight: {word}")
            }
            (Name::Unserved, _) => {
                "a pipeline that may be its benchmark could not be read".to_owned()
            }
            (Name::AsLabelled, Some(WaitReason::Unvouched(why))) => unvouched(why).to_owned(),
            (Name::AsLabelled, _) => {
                "somebody pushed to its fork after the label was added".to_owned()
            }
            (Name::Pipeline, _) if mr.head.is_none() => "it has no commit yet".to_owned(),
            (Name::Pipeline, _) => "it has no pipeline".to_owned(),
            (Name::PipelineOfHead, _) if mr.pipeline.as_ref().is_some_and(|of| of.is_of_train) => {
                "its pipeline belongs to a merge train, and the head itself has none".to_owned()
            }
            (Name::PipelineOfHead, _) => {
                let of = mr
                    .pipeline
                    .as_ref()
                    .map_or("?", |pipeline| pipeline.sha.short());
                let head = mr.head.as_ref().map_or("?", |head| head.short());
                format!("the pipeline is for commit {of}, but the head is {head}")
            }
            (Name::PipelineEnded, _) => format!("the pipeline has not ended: {status}"),
            (Name::PipelinePassed, _) => format!("the pipeline has not passed: {status}"),
            (Name::Turn, _) => format!("it is not its turn yet: {}", self.place()),
        }
    }

    /// A benchmark that is in flight although its label is off.
    fn served_without_label(&self) -> Option<&Record> {
        let mut records = self.report.snapshot.own_records();
        records.find(|record| record.task.mr == self.mr.iid && !record.status.ended())
    }

    /// What happens to that benchmark.
    fn without_label(&self, record: &Record) -> &'static str {
        let snapshot = self.report.snapshot;
        if plan::was_retried(snapshot, record) {
            "Somebody retried the benchmark after its outcome was posted, and bench-bot leaves the retry alone. If it ends with \
             another outcome, the next reconcile says so in the reply."
        } else if plan::is_past_cancelling(snapshot, record) {
            "Somebody has to cancel or delete its pipeline, since bench-bot could not."
        } else if plan::is_outcome_posted(snapshot, record) {
            "Its pipeline is being cancelled. Reconcile updates the reply when it has ended."
        } else {
            "Its label is off: if somebody took it off, the next reconcile says so and cancels the benchmark."
        }
    }

    fn hint(&self, condition: &Condition) -> String {
        let (mr, source) = (self.mr, &self.report.source.path_with_namespace);
        let status = mr
            .pipeline
            .as_ref()
            .map_or("?", |pipeline| pipeline.status.word());
        match (condition.name, condition.reason) {
            (Name::Open, _) if self.is_to_be_closed() => {
                "The next reconcile takes the label off: only open merge requests are benchmarked."
                    .to_owned()
            }
            (Name::Open, _) if mr.state == "closed" => {
                "Somebody has to reopen it: only open merge requests are benchmarked.".to_owned()
            }
            (Name::Open, _) => "Nothing: only open merge requests are benchmarked.".to_owned(),
            (Name::Labelled, Some(WaitReason::Unexplained)) => {
                "Nobody: the next run looks again. If nothing has changed after an hour, take the label off and add it again."
                    .to_owned()
            }
            (Name::Labelled, _) => match self.served_without_label() {
                Some(record) => self.without_label(record).to_owned(),
                None => {
                    format!("To request a benchmark, a Developer of {source} has to add the label.")
                }
            },
            (Name::Unserved, Some(WaitReason::Finished)) => {
                "The next reconcile posts the outcome and takes the label off. For another benchmark, add the label \
                 again after that."
                    .to_owned()
            }
            (Name::Unserved, Some(WaitReason::Stuck)) if self.is_past_cancelling() => {
                "Somebody has to cancel or delete its pipeline, since bench-bot could not. It does not hold up the queue, and \
                 the next reconcile takes the label off."
                    .to_owned()
            }
            (Name::Unserved, Some(WaitReason::Stuck)) if self.is_canceling() => {
                "The next reconcile says that it took too long and takes the label off.".to_owned()
            }
            (Name::Unserved, Some(WaitReason::Stuck)) => {
                "The next reconcile cancels it, says so and takes the label off.".to_owned()
            }
            (Name::Unserved, Some(WaitReason::Superseded)) => {
                "The next reconcile cancels it, says so and takes the label off (--on-push cancel). To benchmark the new commit, \
                 add the label again after that."
                    .to_owned()
            }
            (Name::Unserved, Some(WaitReason::InFlight))
                if self.record.is_some_and(|record| record.status.word() == "manual") =>
            {
                "It waits for a manual job: somebody has to start or cancel that. Otherwise, reconcile posts the results \
                 that there are after --timeout, and takes the label off."
                    .to_owned()
            }
            (Name::Unserved, Some(WaitReason::InFlight)) => {
                "When it has ended, the next reconcile posts the outcome and takes the label off.".to_owned()
            }
            (Name::Unserved, _) => {
                "Whoever runs bench-bot has to fix what could not be read, which the error names. Until then, \
                 nothing is started that might be a second benchmark."
                    .to_owned()
            }
            (Name::AsLabelled, _) => format!(
                "A Developer of {source} has to look at the commits, take the label off and add it again."
            ),
            (Name::Pipeline, _) if mr.head.is_none() => "Its author has to push a commit.".to_owned(),
            (Name::Pipeline | Name::PipelineOfHead, _) => {
                "Somebody who may push to the branch has to start a pipeline for its head: with a push, or with Run pipeline \
                 in the merge request's Pipelines tab."
                    .to_owned()
            }
            (Name::PipelineEnded, _) if status == "manual" => {
                "Somebody who may push to the branch has to start the manual jobs for which the pipeline waits.".to_owned()
            }
            (Name::PipelineEnded, _) => "It joins the queue as soon as its pipeline has passed.".to_owned(),
            (Name::PipelinePassed, _) => {
                "Its author, or somebody else who may push to the branch, has to retry the pipeline or push a fix."
                    .to_owned()
            }
            (Name::Turn, _) if self.report.max_in_flight == 0 => {
                "Whoever runs bench-bot has to raise --max-in-flight: while it is 0, nothing is started.".to_owned()
            }
            (Name::Turn, _) => format!(
                "It starts when those before it have ended{}. {} starts it at once, and a larger --max-in-flight lets more \
                 benchmarks run at the same time.",
                match self.of.expected_at {
                    Some(at) => format!(", at about {}", clock(self.report.now, at)),
                    None => String::new(),
                },
                self.report.given_flags.command(&format!("trigger {}", mr.iid))
            ),
        }
    }
}

pub fn unvouched(why: Unvouched) -> &'static str {
    match why {
        Unvouched::ByBot => {
            "the bot itself added the label, so nobody vouches for the commit of its fork"
        }
        Unvouched::ByNobody => {
            "GitLab does not say who added the label, so nobody vouches for the commit of its fork"
        }
        Unvouched::BeforeCommits => {
            "somebody other than its author added the label before GitLab knew the commits of its fork"
        }
    }
}

/// Its word in the JSON report.
fn name(name: Name) -> &'static str {
    match name {
        Name::Open => "open",
        Name::Labelled => "labelled",
        Name::Unserved => "unserved",
        Name::AsLabelled => "as-labelled",
        Name::Pipeline => "pipeline",
        Name::PipelineOfHead => "pipeline-of-head",
        Name::PipelineEnded => "pipeline-ended",
        Name::PipelinePassed => "pipeline-passed",
        Name::Turn => "turn",
    }
}

/// What happens or has to happen next. If a benchmark exists, or the merge request is not open, nothing else matters.
pub fn next(sentences: &[Sentence]) -> Vec<&str> {
    let hint = |of: Name| {
        let found = sentences.iter().find(|sentence| sentence.name == name(of));
        found.and_then(|sentence| sentence.hint.as_deref())
    };
    if let Some(hint) = hint(Name::Unserved).or(hint(Name::Open)) {
        return vec![hint];
    }
    let hints = sentences
        .iter()
        .filter_map(|sentence| sentence.hint.as_deref());
    match hints.collect::<Vec<_>>() {
        none if none.is_empty() => vec!["The next scan starts it."],
        hints => hints,
    }
}
