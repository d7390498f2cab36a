/// A line of a note that is a command to GitLab rather than text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuickAction {
    pub name: String,
    pub arguments: String,
}

const NAMES: &str = "\
    approve assign assign_reviewer award clear_milestone close copy_metadata done draft due \
    estimate label labels lock merge milestone ready reassign rebase relabel reopen \
    request_review spend subscribe target_branch title todo unapprove unlabel unlock";

impl QuickAction {
    fn parse(line: &str) -> Option<Self> {
        let (name, arguments) = line
            .strip_prefix('/')?
            .split_once(' ')
            .unwrap_or((&line[1..], ""));
        let name = name.trim_end().to_lowercase();
        NAMES.split(' ').any(|known| known == name).then(|| Self {
            name,
            arguments: arguments.trim().to_owned(),
        })
    }

    /// `~bug ~"needs work"` → the titles.
    pub fn labels(&self) -> Vec<String> {
        self.arguments
            .split('~')
            .map(|title| title.trim().trim_matches('"').to_owned())
            .filter(|t| !t.is_empty())
            .collect()
    }

    pub fn summary(&self) -> String {
        match self.name.as_str() {
            "close" => "Closed this merge request.".to_owned(),
            "label" | "labels" => format!("Added {} label(s).", self.arguments),
            "unlabel" => format!("Removed {} label(s).", self.arguments),
            name => format!("Applied {name}."),
        }
    }
}

/// The text without its commands, and these. Code blocks, quotes (`>>>`) and HTML blocks are only
/// text; HTML comments are not safe, as GitLab has spared them only in late versions.
pub fn extract(body: &str) -> (String, Vec<QuickAction>) {
    let lines: Vec<&str> = body.lines().collect();
    let mut text = Vec::new();
    let mut actions = Vec::new();
    let mut closing: Option<&str> = None;
    for (number, &line) in lines.iter().enumerate() {
        if let Some(end) = closing {
            if line.trim_start().starts_with(end) {
                closing = None;
            }
        } else {
            let opened = ["```", "~~~", ">>>", "<"]
                .into_iter()
                .find(|mark| line.starts_with(mark));
            let end = opened.map(|mark| if mark == "<" { "</" } else { mark });
            // What is never closed is no block.
            closing = end.filter(|end| {
                lines[number + 1..]
                    .iter()
                    .any(|later| later.trim_start().starts_with(end))
            });
            if let Some(action) = QuickAction::parse(line) {
                actions.push(action);
                continue;
            }
        }
        text.push(line);
    }
    (text.join("\n"), actions)
}
