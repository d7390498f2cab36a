//! What a person sees: in the browser, and as text.

use std::fmt::Write;

use pulldown_cmark::{Event, Options, Parser, html::push_html};

use crate::world::{Discussion, MergeRequest, Note, Pipeline, Time, World};

enum Thing<'a> {
    MergeRequest(&'a MergeRequest),
    Pipeline(&'a Pipeline),
}

/// What is at a path such as `/acme/engine/-/merge_requests/1`.
fn find<'a>(world: &'a World, path: &str) -> Option<Thing<'a>> {
    let (project, thing) = path.strip_prefix('/')?.split_once("/-/")?;
    let project = world.find_project(project)?;
    let (kind, number) = thing.split_once('/')?;
    let number = number.parse().ok()?;
    match kind {
        "merge_requests" => {
            let mr = world.find_merge_request(project.id, number);
            mr.map(Thing::MergeRequest)
        }
        "pipelines" => world.pipelines.get(&number).map(Thing::Pipeline),
        _ => None,
    }
}

pub fn at(world: &World, path: &str) -> Option<String> {
    Some(match find(world, path)? {
        Thing::MergeRequest(mr) => merge_request(world, mr),
        Thing::Pipeline(found) => pipeline(world, found),
    })
}

/// The same for a browser, with notes as they are rendered; and at `/` all merge requests.
pub fn html(world: &World, path: &str) -> Option<String> {
    let body = match find(world, path) {
        None if matches!(path, "" | "/") => list(world),
        None => return None,
        Some(Thing::Pipeline(found)) => format!("<pre>{}</pre>", escaped(&pipeline(world, found))),
        Some(Thing::MergeRequest(mr)) => {
            let mut page = format!("<pre>{}</pre>\n", escaped(&heading(world, mr)));
            for discussion in &mr.discussions {
                page += &rendered(world, discussion);
            }
            page
        }
    };
    Some(format!(
        "<!DOCTYPE html><meta charset=\"utf-8\"><title>In-memory GitLab</title>\
         <style>body {{ max-width: 50rem; margin: 2rem auto; font-family: sans-serif }}\
         article {{ border: 1px solid #ccc; margin: .5rem 0; padding: 0 1rem }}\
         article + article {{ margin-left: 2rem }} section {{ margin: 1rem 0 }}</style>\n{body}"
    ))
}

fn list(world: &World) -> String {
    let rows = world.merge_requests.values().map(|mr| {
        let labels = world.titles(&mr.labels).join(", ");
        let text = format!("!{} {} ({}) {labels}", mr.iid, mr.title, mr.state);
        let url = format!(
            "{}/-/merge_requests/{}",
            world.project_url(mr.project_id),
            mr.iid
        );
        format!("<li><a href=\"{}\">{}</a>", escaped(&url), escaped(&text))
    });
    format!("<ul>{}</ul>", rows.collect::<String>())
}

fn rendered(world: &World, discussion: &Discussion) -> String {
    let notes = discussion.notes.iter().map(|note| {
        let author = escaped(&world.user(note.author_id).name);
        let at = short(note.created_at);
        let mut body = String::new();
        push_html(
            &mut body,
            Parser::new_ext(&note.body, Options::ENABLE_TABLES),
        );
        format!("<article><p><b>{author}</b> {at}</p>{body}</article>\n")
    });
    let state = match discussion.is_resolved() {
        true => "<p>Resolved:</p>",
        false => "",
    };
    format!("<section>{state}{}</section>\n", notes.collect::<String>())
}

fn escaped(text: &str) -> String {
    let mut html = String::new();
    push_html(&mut html, std::iter::once(Event::Text(text.into())));
    html.replace('"', "&quot;")
}

pub fn merge_request(world: &World, mr: &MergeRequest) -> String {
    let mut page = heading(world, mr);
    for discussion in &mr.discussions {
        page.push('\n');
        page.push_str(&discussion_text(world, discussion));
    }
    page
}

fn heading(world: &World, mr: &MergeRequest) -> String {
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
