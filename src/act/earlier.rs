//! Benchmarks that an earlier run has started for a request, though the survey did not find them.

use super::start::Start;
use super::{Actor, BenchmarkPipeline};
use crate::gitlab::{Error, ErrorKind};
use crate::id::{Iid, NoteId};
use crate::note::{OpeningNote, Thread};
use crate::record::Record;
use crate::snapshot::Request;
use crate::survey::{self, LinkTarget};

impl Actor<'_> {
    /// One of the discussions may link to a pipeline that no list shows yet. `None` if that pipeline has ended or is gone.
    pub(super) fn linked_by(
        &self,
        threads: &[Thread],
        mr: Iid,
        request: &Request,
    ) -> Option<Start> {
        let mut openings = threads
            .iter()
            .filter_map(|thread| thread.opened_for(request.id, &request.label));
        openings.find_map(|opening| self.linked(mr, opening))
    }

    fn linked(&self, mr: Iid, opening: &OpeningNote) -> Option<Start> {
        let pipeline = opening.linked?;
        let unclear = |message| {
            Start::Failed(Error {
                kind: ErrorKind::Unclear,
                request: format!("pipeline {pipeline}"),
                message,
            })
        };
        match survey::follow(self.gitlab, opening, pipeline) {
            Ok(LinkTarget::Inactive) => None,
            Ok(LinkTarget::Foreign(why)) => Some(unclear(why)),
            Ok(LinkTarget::Benchmark(..)) => Some(unclear(format!(
                "already serves !{mr}, though no list shows it yet: the next run looks again"
            ))),
            Err(error) => Some(Start::not_begun(error)),
        }
    }

    /// Adds the link, which leads the next run to the benchmark.
    pub(super) fn link_to(&self, record: &Record, opening: NoteId) -> Start {
        let mr = record.task.mr;
        self.mark(mr);
        let text = self.started(record);
        let linked = self.gitlab.source.edit_note(mr, opening, &text);
        Start::Found(BenchmarkPipeline::from(record), linked.map(drop))
    }
}
