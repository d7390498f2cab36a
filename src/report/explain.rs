//! The words of `status N`: for each condition how it stands, and who can change it.

use super::{Explained, ExplainedRequest, Report, Status};
use crate::plan::{self, Condition, ConditionName as Name, Unvouched, Verdict};
use crate::record::Record;
use crate::snapshot::{MergeRequest, Request};

/// A condition, told of one merge request.
pub struct Sentence {
    pub name: &'static str,
    pub holds: Option<bool>,
    /// How it stands.
    pub detail: String,
    /// What it is about.
    pub link: Option<String>,
    /// Who can change it, where it does not hold.
    pub hint: Option<String>,
}

/// A list for each request.
pub fn sentences(report: &Report, status: &Status, explained: &Explained) -> Vec<Vec<Sentence>> {
    let Some(mr) = explained.mr else {
        return Vec::new();
    };
    let requests = explained.requests.iter();
    let sentences = requests.map(|of| {
        let about = About {
            report,
            status,
            explained,
            of,
            mr,
            record: of
                .request
                .and_then(|request| plan::record_of(status.snapshot, mr, request)),
        };
        let conditions = of.conditions.iter();
        conditions
            .map(|condition| about.sentence(condition))
            .collect()
    });
    sentences.collect()
}

/// Why a request for that label waits, and who can change it.
pub fn why_it_waits(
    report: &Report,
    status: &Status,
    mr: &MergeRequest,
    label: Option<&str>,
) -> (String, String) {
    let mut explained = Explained::of(report.plan, mr, status.snapshot, status.rules);
    let asked = |request: &Request| Some(request.label.as_str()) == label;
    explained.requests.retain(|of| of.request.is_none_or(asked));
    let sentences = sentences(report, status, &explained).into_iter().flatten();
    let first = sentences
        .filter_map(|sentence| Some((sentence.detail, sentence.hint?)))
        .next();
    first.unwrap_or_default()
}

struct About<'a> {
    report: &'a Report<'a>,
    status: &'a Status<'a>,
    explained: &'a Explained<'a>,
    of: &'a ExplainedRequest<'a>,
    mr: &'a MergeRequest,
    record: Option<&'a Record>,
}

impl About<'_> {
    fn sentence(&self, condition: &Condition) -> Sentence {
        let failing = condition.holds == Some(false) || condition.verdict.is_some();
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
                let at = self.of.request.and_then(|request| request.at);
                let since = at.map(|at| at.format(" since %-d %b %Y, %H:%M UTC").to_string());
                format!(
                    "it bears the label {}{}",
                    self.label(),
                    since.unwrap_or_default()
                )
            }
            Name::Unserved => "no benchmark serves its request yet".to_owned(),
            Name::AsLabelled => {
                "whoever put the label on vouches for the commit of its fork".to_owned()
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

    /// The one in question.
    fn label(&self) -> String {
        match self.of.request {
            Some(request) => request.label.clone(),
            None => self.report.labels.join(" or "),
        }
    }

    fn is_past_cancelling(&self) -> bool {
        let snapshot = self.status.snapshot;
        self.record
            .is_some_and(|record| plan::is_past_cancelling(snapshot, record))
    }

    /// It was merged or closed before its turn.
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
        match (condition.name, condition.verdict) {
            (Name::Open, _) => format!("it is {}", mr.state),
            (Name::Labelled, Some(Verdict::Unexplained)) => format!(
                "it bears the label {}, but GitLab does not show yet who put it there",
                self.mr.unexplained.join(" and ")
            ),
            (Name::Labelled, _) => format!("it does not bear the label {}", self.label()),
            (Name::Unserved, Some(Verdict::Finished)) => {
                let outcome = record.map_or("?", |record| record.status.word());
                format!("its benchmark has ended already: {outcome}")
            }
            (Name::Unserved, Some(Verdict::Stuck)) => {
                "its benchmark has been in flight for too long".to_owned()
            }
            (Name::Unserved, Some(Verdict::InFlight)) => {
                let word = record.map_or("?", |record| record.status.word());
                format!("its benchmark is in flight already: {word}")
            }
            (Name::Unserved, _) => {
                "a pipeline that may be its benchmark could not be read".to_owned()
            }
            (Name::AsLabelled, Some(Verdict::Unvouched(why))) => unvouched(why).to_owned(),
            (Name::AsLabelled, _) => "its fork was pushed to since the label came".to_owned(),
            (Name::Pipeline, _) if mr.head.is_none() => "it has no commit yet".to_owned(),
            (Name::Pipeline, _) => "it has no pipeline".to_owned(),
            (Name::PipelineOfHead, _) if mr.pipeline.as_ref().is_some_and(|of| of.is_of_train) => {
                "its pipeline is a merge train's, and the head itself has none".to_owned()
            }
            (Name::PipelineOfHead, _) => {
                let of = mr
                    .pipeline
                    .as_ref()
                    .map_or("?", |pipeline| pipeline.sha.short());
                let head = mr.head.as_ref().map_or("?", |head| head.short());
                format!("the pipeline is for commit {of}, the head is {head}")
            }
            (Name::PipelineEnded, _) => format!("the pipeline has not ended: {status}"),
            (Name::PipelinePassed, _) => format!("the pipeline has not passed: {status}"),
            (Name::Turn, _) => format!("it is not its turn yet: {}", self.place()),
        }
    }

    /// One that is in flight, though no label asks for it any more.
    fn served_without_label(&self) -> Option<&Record> {
        let mut records = self.status.snapshot.own_records();
        records.find(|record| record.task.mr == self.mr.iid && !record.status.ended())
    }

    /// What becomes of that.
    fn without_label(&self, record: &Record) -> &'static str {
        let snapshot = self.status.snapshot;
        if plan::was_retried(snapshot, record) {
            "Somebody retried the benchmark after its outcome was posted: it is theirs to end. If it ends otherwise than was \
             posted, the next reconcile says so in the reply."
        } else if plan::is_past_cancelling(snapshot, record) {
            "A person has to cancel or delete its pipeline, which bench-bot could not."
        } else if plan::is_outcome_posted(snapshot, record) {
            "Its pipeline is to be cancelled: reconcile says so in the reply when it has ended."
        } else {
            "The label has gone: if it was taken off, the next reconcile says so and cancels the benchmark in flight."
        }
    }

    fn hint(&self, condition: &Condition) -> String {
        let (mr, source) = (self.mr, &self.report.source.path_with_namespace);
        let status = mr
            .pipeline
            .as_ref()
            .map_or("?", |pipeline| pipeline.status.word());
        match (condition.name, condition.verdict) {
            (Name::Open, _) if self.is_to_be_closed() => {
                "The next reconcile takes the label off: only an open merge request is benchmarked."
                    .to_owned()
            }
            (Name::Open, _) if mr.state == "closed" => {
                "Whoever may change it has to reopen it: only an open one is benchmarked.".to_owned()
            }
            (Name::Open, _) => "Nothing: only an open merge request is benchmarked.".to_owned(),
            (Name::Labelled, Some(Verdict::Unexplained)) => {
                "Nobody: the next run looks again. If this stays so for an hour, take the label off and put it on again."
                    .to_owned()
            }
            (Name::Labelled, _) => match self.served_without_label() {
                Some(record) => self.without_label(record).to_owned(),
                None => {
                    format!("To ask for a benchmark, a Developer of {source} has to put the label on.")
                }
            },
            (Name::Unserved, Some(Verdict::Finished)) => {
                "The next reconcile tells the outcome and takes the label off. For another benchmark, put it on \
                 again then."
                    .to_owned()
            }
            (Name::Unserved, Some(Verdict::Stuck)) if self.is_past_cancelling() => {
                "A person has to cancel or delete its pipeline, which bench-bot could not. It does not hold up the others, and \
                 the next reconcile takes the label off."
                    .to_owned()
            }
            (Name::Unserved, Some(Verdict::Stuck)) if self.is_canceling() => {
                "The next reconcile says that it took too long and takes the label off.".to_owned()
            }
            (Name::Unserved, Some(Verdict::Stuck)) => {
                "The next reconcile cancels it, says so and takes the label off.".to_owned()
            }
            (Name::Unserved, Some(Verdict::InFlight))
                if self.record.is_some_and(|record| record.status.word() == "manual") =>
            {
                "It waits for a manual job: somebody has to start or cancel that. Otherwise reconcile posts after --timeout \
                 what there is, and takes the label off."
                    .to_owned()
            }
            (Name::Unserved, Some(Verdict::InFlight)) => {
                "When it has ended, the next reconcile tells the outcome and takes the label off.".to_owned()
            }
            (Name::Unserved, _) => {
                "Whoever runs bench-bot has to see to what it may not read, which the error names: until then \
                 nothing is started that might be a second benchmark."
                    .to_owned()
            }
            (Name::AsLabelled, _) => format!(
                "A Developer of {source} has to look at the commits, take the label off and put it on again."
            ),
            (Name::Pipeline, _) if mr.head.is_none() => "Its author has to push a commit.".to_owned(),
            (Name::Pipeline | Name::PipelineOfHead, _) => {
                "Whoever may push to the branch has to get a pipeline for its head: by a push, or by Run pipeline \
                 in the merge request's tab Pipelines."
                    .to_owned()
            }
            (Name::PipelineEnded, _) if status == "manual" => {
                "Whoever may push to the branch has to start the manual jobs that the pipeline waits for.".to_owned()
            }
            (Name::PipelineEnded, _) => "It is queued as soon as its pipeline has passed.".to_owned(),
            (Name::PipelinePassed, _) => {
                "Its author, or whoever else may push to the branch, has to retry the pipeline or push a fix."
                    .to_owned()
            }
            (Name::Turn, _) if self.report.max_in_flight == 0 => {
                "Whoever runs bench-bot has to raise --max-in-flight: while it is 0, nothing starts.".to_owned()
            }
            (Name::Turn, _) => format!(
                "It starts when those before it have ended. `bench-bot trigger {}` starts it at once; a \
                 larger --max-in-flight lets more run side by side.",
                mr.iid
            ),
        }
    }
}

pub fn unvouched(why: Unvouched) -> &'static str {
    match why {
        Unvouched::ByBot => {
            "the bot itself put the label on, so nobody vouches for the commit of its fork"
        }
        Unvouched::ByNobody => {
            "GitLab does not say who put the label on, so nobody vouches for the commit of its fork"
        }
        Unvouched::BeforeCommits => {
            "the label came before GitLab knew the commits of its fork, from somebody else than its author"
        }
    }
}

/// The word for it in the JSON report.
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

/// What the sentences come to: what happens next, or has to. What is served, or not open, depends on nothing else.
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
