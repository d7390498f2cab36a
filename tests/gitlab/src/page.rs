//! What a person sees in the browser, as text.

use crate::world::{Discussion, MergeRequest, Note, Pipeline, Time, World};
use std::fmt::Write;

/// The page at a path such as `/acme/engine/-/merge_requests/1`.
pub fn at(world: &World, path: &str) -> Option<String> {
    let (project, thing) = path.strip_prefix('/')?.split_once("/-/")?;
    let project = world.find_project(project)?;
    let (kind, number) = thing.split_once('/')?;
    let number = number.parse().ok()?;
    match kind {
        "merge_requests" => Some(merge_request(
            world,
            world.find_merge_request(project.id, number)?,
        )),
        "pipelines" => Some(pipeline(world, world.pipelines.get(&number)?)),
        _ => None,
    }
}

pub fn merge_request(world: &World, mr: &MergeRequest) -> String {
    let state = if mr.state == "opened" {
        "open"
    } else {
        &mr.state
    };
    let labels = world.titles(&mr.labels).join(", ");
    let head = mr.sha().and_then(|sha| sha.get(..8)).unwrap_or("none");
    let mut page = format!(
        "!{} {} ({state})\n{} → {}\nlabels: {}\nhead: {head}\n",
        mr.iid,
        mr.title,
        mr.source_branch,
        mr.target_branch,
        if labels.is_empty() { "none" } else { &labels },
    );
    for reaction in &mr.reactions {
        let by = world.user(reaction.user_id).name;
        let _ = writeln!(page, ":{}: {by}", reaction.name);
    }
    for discussion in &mr.discussions {
        page.push('\n');
        page.push_str(&discussion_text(world, discussion));
    }
    page
}

fn discussion_text(world: &World, discussion: &Discussion) -> String {
    let mut text = String::new();
    for (number, note) in discussion.notes.iter().enumerate() {
        let author = world.user(note.author_id).name;
        let at = short(note.created_at);
        if note.system {
            let entry = note.body.lines().next().unwrap_or_default();
            return format!("· {author} {entry} ({at})\n");
        }
        let margin = if number == 0 { "" } else { "  " };
        let mark = if number == 0 && discussion.is_resolved() {
            " [resolved]"
        } else {
            ""
        };
        text.push_str(&format!("{margin}{author} ({at}){mark}\n"));
        text.push_str(&note_text(note, margin));
    }
    text
}

fn note_text(note: &Note, margin: &str) -> String {
    let shown = without_comments(&note.body);
    shown
        .trim()
        .lines()
        .map(|line| format!("{margin}  {line}").trim_end().to_owned() + "\n")
        .collect()
}

/// Markdown as it is rendered does not show HTML comments.
fn without_comments(body: &str) -> String {
    let mut shown = String::new();
    let mut rest = body;
    while let Some((before, after)) = rest.split_once("<!--") {
        shown.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    shown + rest
}

fn short(time: Time) -> String {
    time.format("%b %-d, %H:%M").to_string()
}

pub fn pipeline(world: &World, pipeline: &Pipeline) -> String {
    let by = pipeline
        .user_id
        .map_or("nobody".to_owned(), |id| world.user(id).name);
    let mut page = format!(
        "Pipeline #{} ({})\n{} of {} at {}\nby {by}, {}\n",
        pipeline.id,
        pipeline.status,
        pipeline.source,
        pipeline.reference,
        pipeline.sha.get(..8).unwrap_or_default(),
        short(pipeline.created_at),
    );
    for variable in &pipeline.variables {
        let _ = writeln!(page, "{}={}", variable.key, variable.value);
    }
    page
}
