//! The lists of requests: whose they are, when it is their turn, and how they ended.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::drawing::told;
use super::{ago, lasting, link, moment, mr_link, sign, text, typical};
use crate::gitlab::answer::User;
use crate::id::{Iid, Sha};
use crate::note::Verdict;
use crate::plan::{InFlight, Order, Place, WaitReason, Waiting};
use crate::record::Record;
use crate::report::layout::clock;
use crate::report::text::{title_of, why};
use crate::report::{Report, Status, explain};
use crate::snapshot::{MergeRequest, Request};

struct Section {
    id: &'static str,
    title: &'static str,
    count: String,
    /// What applies to all of them.
    remark: String,
    groups: Vec<Group>,
}

#[derive(Default)]
struct Group {
    /// What they have in common, and who can change it.
    reason: Option<(String, String)>,
    rows: Vec<Row>,
}

/// A request, in two lines.
struct Row {
    /// `None` for a request of another project, which has its own numbers.
    iid: Option<Iid>,
    place: Markup,
    mr: Markup,
    /// Its state, and when that changed or will change.
    state: Markup,
    when: Markup,
    more: Vec<Markup>,
}

pub fn lists(report: &Report, status: &Status) -> Markup {
    let mut sections = [
        in_flight(report),
        queue(report),
        waiting(report, status),
        ended(report, status),
    ];
    // A link to a merge request leads to its present state, not to an earlier one.
    let mut seen = BTreeSet::new();
    let groups = sections.iter_mut().flat_map(|section| &mut section.groups);
    for row in groups.flat_map(|group| &mut group.rows) {
        row.iid = row.iid.filter(|iid| seen.insert(*iid));
    }
    html! {
        nav {
            @for section in &sections {
                a href={ "#" (section.id) } { (section.title) " " strong { (section.count) } }
            }
            (typical(status))
        }
        @for section in &sections { (drawn(section)) }
    }
}

fn drawn(section: &Section) -> Markup {
    html! {
        section id=(section.id) class=[section.groups.is_empty().then_some("empty")] {
            h2 { (section.title) " " span.count { (section.count) (section.remark) } }
            @for group in &section.groups {
                @if let Some((reason, hint)) = &group.reason {
                    p.reason { strong { (reason) } " " (group.rows.len()) " · " (text(hint)) }
                }
                ul.requests { @for row in &group.rows { (request(row)) } }
            }
        }
    }
}

fn request(row: &Row) -> Markup {
    let id = row.iid.map(|iid| format!("mr-{iid}"));
    html! {
        li id=[&id] {
            @match &id {
                Some(id) => a.place href={ "#" (id) } { (row.place) },
                None => span.place { (row.place) },
            }
            div.mr { (row.mr) }
            div.state { (row.state) }
            div.when { (row.when) }
            div.more { @for part in &row.more { span { (part) } } }
        }
    }
}

/// What a row says about a request, whichever list it is in.
struct Subject<'a> {
    author: Option<&'a User>,
    title: &'a str,
    branch: &'a str,
    sha: Option<&'a Sha>,
    label: &'a str,
    by: Option<&'a User>,
    at: Option<DateTime<Utc>>,
}

impl Subject<'_> {
    fn more(&self, report: &Report) -> Vec<Markup> {
        let label = report.shows_labels().then_some(self.label);
        let labelled = html! {
            @if let Some(label) = label { "labelled " (text(label)) } @else { "labelled" }
            @if let Some(by) = self.by { " by " (text(&by.username)) }
            @if let Some(at) = self.at { " " (ago(report, at)) }
        };
        let is_labelled = label.is_some() || self.by.is_some() || self.at.is_some();
        [
            self.author
                .map(|author| html! { "by " (text(&author.username)) }),
            is_labelled.then_some(labelled),
            (self.title != self.branch).then(|| text(self.branch)),
            self.sha.map(|sha| html! { code { (sha.short()) } }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn of_record(
    report: &Report,
    record: &Record,
    place: Markup,
    (state, when): (Markup, Markup),
) -> Row {
    let (snapshot, task) = (report.snapshot, &record.task);
    let iid = (task.project == report.source.id).then_some(task.mr);
    let mr = iid.and_then(|iid| snapshot.merge_requests.get(&iid));
    let title = title_of(record, report);
    let milestones = snapshot.milestones.get(&record.pipeline);
    let subject = Subject {
        author: mr.and_then(|mr| mr.author.as_ref()),
        title,
        branch: &task.branch,
        sha: Some(&task.sha),
        label: &task.label,
        by: snapshot.requested_by.get(&record.pipeline),
        at: milestones.and_then(|milestones| milestones.requested_at),
    };
    Row {
        iid,
        place,
        mr: html! { (mr_link(report, record)) " " (text(title)) },
        state: link(&record.web_url, state),
        when,
        more: subject.more(report),
    }
}

fn of_mr(
    report: &Report,
    mr: &MergeRequest,
    (label, request): (&str, Option<&Request>),
    place: Markup,
    (state, when): (Markup, Markup),
) -> Row {
    let subject = Subject {
        author: mr.author.as_ref(),
        title: mr.title(),
        branch: &mr.branch,
        sha: mr.head.as_ref(),
        label,
        by: request.and_then(|request| request.by.as_ref()),
        at: request.and_then(|request| request.at),
    };
    let number = link(&mr.web_url, html! { "!" (mr.iid) });
    Row {
        iid: Some(mr.iid),
        place,
        mr: html! { (number) " " (text(mr.title())) },
        state,
        when,
        more: subject.more(report),
    }
}

/// A section with a single group, which needs no heading.
fn section(
    (id, title): (&'static str, &'static str),
    (count, remark): (String, String),
    rows: Vec<Row>,
) -> Section {
    let group = Group { reason: None, rows };
    let groups = Some(group).filter(|group| !group.rows.is_empty());
    Section {
        id,
        title,
        count,
        remark,
        groups: groups.into_iter().collect(),
    }
}

fn in_flight(report: &Report) -> Section {
    let plan = report.plan;
    let mut found: Vec<&InFlight> = plan.in_flight.iter().collect();
    found.sort_by_key(|found| Reverse((found.record.created_at, found.record.pipeline)));
    let rows = found.into_iter().map(|found| {
        let record = found.record;
        let milestones = report.snapshot.milestones.get(&record.pipeline);
        let started_at = milestones.and_then(|milestones| milestones.started_at);
        let since = started_at.unwrap_or(record.created_at);
        let word = record.status.word();
        let state = html! { (text(word)) " " (moment(since, lasting(report.now - since))) };
        let when = match found.place {
            Place::Taken => html! {},
            Place::Blocked => html! { "blocked: it holds up nobody" },
            Place::Overdue => html! { "overdue: it holds up nobody" },
        };
        of_record(report, record, html! { "now" }, (state, when))
    });
    let count = format!("{} of {}", plan.taken(), report.max_in_flight);
    let remark = match (plan.unknown, report.max_in_flight) {
        (0, 0) => ", paused: nothing is started".to_owned(),
        (0, _) => String::new(),
        (unknown, _) => format!(", {unknown} of them unknown"),
    };
    let head = ("in-flight", "In flight");
    section(head, (count, remark), rows.collect())
}

fn queue(report: &Report) -> Section {
    let rows = report.plan.queue.iter().enumerate().map(|(index, queued)| {
        let told = match queued.expected_at {
            _ if index < report.plan.free => (html! { "goes next" }, html! {}),
            Some(at) => (
                moment(at, about(at - report.now)),
                html! { "about " (clock(report.now, at)) },
            ),
            None => (html! { "ready" }, html! {}),
        };
        let passed = queued.pipeline.finished_at;
        let passed = html! { "passed" @if let Some(at) = passed { " " (ago(report, at)) } };
        let place = html! { (index + 1) };
        let request = (queued.request.label.as_str(), Some(queued.request));
        let mut row = of_mr(report, queued.mr, request, place, told);
        row.more.push(link(&queued.pipeline.web_url, passed));
        row.more
            .extend(queued.again.then(|| html! { "not for the first time" }));
        row
    });
    let order = match report.order {
        Order::Pipeline => ", oldest pipeline first",
        Order::Request => ", oldest label first",
    };
    let count = report.plan.queue.len().to_string();
    section(
        ("queue", "Queue"),
        (count, order.to_owned()),
        rows.collect(),
    )
}

/// To the nearest five minutes, since it is an estimate.
fn about(time: TimeDelta) -> String {
    match (time.num_seconds() + 150) / 300 * 5 {
        ..=0 => "soon".to_owned(),
        minutes => format!("in about {}", lasting(TimeDelta::minutes(minutes))),
    }
}

fn waiting(report: &Report, status: &Status) -> Section {
    let all = report.plan.waiting.iter();
    // Those in flight have a list of their own.
    let mut all: Vec<&Waiting> = all
        .filter(|waiting| waiting.reason != WaitReason::InFlight)
        .collect();
    all.sort_by_key(|waiting| Reverse((waiting.requested_at(), waiting.iid)));
    let mut groups: Vec<Group> = Vec::new();
    for waiting in &all {
        let (reason, row) = waits(report, status, waiting);
        let same = |group: &&mut Group| group.reason.as_ref() == Some(&reason);
        match groups.iter_mut().find(same) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                reason: Some(reason),
                rows: vec![row],
            }),
        }
    }
    Section {
        id: "waiting",
        title: "Waiting",
        count: all.len().to_string(),
        remark: String::new(),
        groups,
    }
}

fn waits(report: &Report, status: &Status, waiting: &Waiting) -> ((String, String), Row) {
    let reason = capitalized(&why(waiting.reason, waiting.mr));
    let Some(mr) = waiting.mr else {
        let row = Row {
            iid: Some(waiting.iid),
            place: html! { "–" },
            mr: html! { "!" (waiting.iid) },
            state: html! {},
            when: html! {},
            more: Vec::new(),
        };
        return ((reason, String::new()), row);
    };
    let hint = explain::who_can_help(report, status, mr, waiting.label);
    let mut requests = mr.requests.iter();
    let label = waiting.label.unwrap_or_default();
    let request = requests.find(|request| request.label == label);
    let state = html! {
        @if let Some(pipeline) = &mr.pipeline {
            (link(&pipeline.web_url, html! { "pipeline " (pipeline.id) }))
        } @else { "no pipeline" }
    };
    (
        (reason, hint),
        of_mr(
            report,
            mr,
            (label, request),
            html! { "–" },
            (state, html! {}),
        ),
    )
}

fn ended(report: &Report, status: &Status) -> Section {
    let rows = status.ended.iter().map(|(record, milestones)| {
        let (word, reply) = (record.status.word(), report.reply(record));
        let verdict = reply.and_then(|reply| reply.verdict).map(Verdict::word);
        let state = html! {
            @if let Some(verdict) = verdict { span.(verdict) { (verdict) } ", " }
            span.(word) title=(told(milestones)) { (word) }
        };
        let when = html! {
            @if let Some(at) = milestones.ended_at { (ago(report, at)) }
            @if let Some(ran) = milestones.ran() { ", ran " (lasting(ran)) }
        };
        let place = html! { span.(word) { (sign(word)) } };
        let mut row = of_record(report, record, place, (state, when));
        if let Some(summary) = reply.and_then(|reply| reply.summary.as_ref()) {
            row.more.insert(0, html! { strong { (text(summary)) } });
        }
        row
    });
    let remark = format!(" in the last {}", lasting(status.since));
    let count = status.ended.len().to_string();
    section(("ended", "Ended"), (count, remark), rows.collect())
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars.as_str().chars()).collect()
}
