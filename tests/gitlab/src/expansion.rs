//! What a job sees of its variables: GitLab expands references when it makes the job, the runner
//! once more.

use crate::world::Variable;
use std::collections::BTreeMap;

type Values = BTreeMap<String, String>;

/// The environment of a job with these pipeline variables, which override `job` (`CI_JOB_TOKEN` and
/// its like). A variable of type `file` is the path of a file.
pub fn job_sees(pipeline: &[Variable], job: &[(&str, &str)]) -> Values {
    let mut values: Values = job
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut left_to_runner: Vec<&str> = Vec::new();
    for Variable {
        key,
        value,
        variable_type,
    } in pipeline
    {
        if variable_type == "file" {
            left_to_runner.push(key);
            values.insert(key.clone(), format!("/builds/.tmp/{key}"));
        } else {
            values.insert(key.clone(), value.clone());
        }
    }
    let mut made = Values::new();
    for key in values.keys() {
        expand_in_gitlab(key, &values, &left_to_runner, &mut made);
    }
    made.iter()
        .map(|(key, value)| (key.clone(), expand_in_runner(value, &made)))
        .collect()
}

/// A variable that refers to itself, perhaps over others.
pub(crate) fn circular_reference(variables: &[Variable]) -> Option<&str> {
    let references = |key: &str| {
        let variable = variables.iter().find(|variable| variable.key == key);
        variable
            .map(|variable| references_in(&variable.value))
            .unwrap_or_default()
    };
    variables
        .iter()
        .map(|variable| variable.key.as_str())
        .find(|key| {
            let (mut seen, mut ahead) = (Vec::new(), references(key));
            while let Some(next) = ahead.pop() {
                if next == *key {
                    return true;
                }
                if !seen.contains(&next) {
                    ahead.extend(references(&next));
                    seen.push(next);
                }
            }
            false
        })
}

fn references_in(value: &str) -> Vec<String> {
    let mut names = Vec::new();
    replace_references(value, |name| {
        names.push(name.to_owned());
        None
    });
    names
}

/// First step: `$NAME`, `${NAME}` and `%NAME%` give way to what is known, after that was itself
/// expanded.
fn expand_in_gitlab(
    key: &str,
    values: &Values,
    left_to_runner: &[&str],
    made: &mut Values,
) -> Option<String> {
    if let Some(value) = made.get(key) {
        return Some(value.clone());
    }
    let value = values.get(key)?;
    // Stands in while references are followed, so that a cycle ends.
    made.insert(key.to_owned(), value.clone());
    let expanded = replace_references(value, |name| match left_to_runner.contains(&name) {
        true => None,
        false => expand_in_gitlab(name, values, left_to_runner, made),
    });
    made.insert(key.to_owned(), expanded.clone());
    Some(expanded)
}

fn replace_references(value: &str, mut known: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find(['$', '%']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (length, name) = reference_at(rest);
        match name.and_then(&mut known) {
            Some(replacement) => out.push_str(&replacement),
            None => out.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    out + rest
}

/// How much of `text`, which starts with `$` or `%`, belongs together, and the name in it.
fn reference_at(text: &str) -> (usize, Option<&str>) {
    if text.starts_with("$$") || text.starts_with("%%") {
        return (2, None);
    }
    let (open, close) = match text {
        _ if text.starts_with("${") => ("${", "}"),
        _ if text.starts_with('%') => ("%", "%"),
        _ => ("$", ""),
    };
    let inner = &text[open.len()..];
    let length = inner
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(inner.len());
    let is_name = length > 0 && !inner.starts_with(|c: char| c.is_ascii_digit());
    if is_name && inner[length..].starts_with(close) {
        (open.len() + length + close.len(), Some(&inner[..length]))
    } else {
        (1, None)
    }
}

/// Second step: Go's `os.Expand`, with the runner's `$$` for a dollar sign.
fn expand_in_runner(value: &str, values: &Values) -> String {
    let mut out = String::new();
    let mut rest = value;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = shell_name(after);
        match name {
            "" if length == 0 => out.push('$'),
            "$" => out.push('$'),
            name => out.push_str(values.get(name).map_or("", String::as_str)),
        }
        rest = &after[length..];
    }
    out + rest
}

/// The name after a dollar sign and how many characters belong to it; none for bad syntax, which is
/// eaten.
fn shell_name(after: &str) -> (&str, usize) {
    let is_special = |c: char| "*#$@!?-0123456789".contains(c);
    if let Some(inner) = after.strip_prefix('{') {
        return match inner.find('}') {
            Some(end) => (&inner[..end], end + 2),
            None => ("", 1),
        };
    }
    if after.starts_with(is_special) {
        return (&after[..1], 1);
    }
    let length = after
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(after.len());
    (&after[..length], length)
}
