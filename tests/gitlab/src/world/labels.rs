use super::{Role, Time, World};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelOwner {
    Project(u64),
    Group(String),
}

#[derive(Clone, Debug)]
pub struct Label {
    pub id: u64,
    pub owner: LabelOwner,
    pub title: String,
    pub color: String,
    pub description: Option<String>,
    /// Cannot be taken off a merged merge request.
    pub lock_on_merge: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelAction {
    Add,
    Remove,
}

/// One label put on or taken off, for ever: the label itself may be renamed or deleted later.
#[derive(Clone, Debug)]
pub struct LabelEvent {
    pub id: u64,
    pub user_id: Option<u64>,
    pub created_at: Time,
    pub label_id: u64,
    pub action: LabelAction,
}

#[derive(Clone, Debug, Default)]
pub struct LabelChange {
    /// Replaces all labels.
    pub set: Option<Vec<String>>,
    pub add: Vec<String>,
    pub remove: Vec<String>,
}

impl LabelChange {
    pub fn adding(titles: Vec<String>) -> Self {
        Self {
            add: titles,
            ..Self::default()
        }
    }

    pub fn removing(titles: Vec<String>) -> Self {
        Self {
            remove: titles,
            ..Self::default()
        }
    }
}

impl World {
    /// The labels of a project and of the groups above it, the project's own first.
    pub fn labels_of(&self, project_id: u64) -> Vec<&Label> {
        let namespace = self.projects[&project_id].namespace();
        let own = self
            .labels
            .values()
            .filter(|label| label.owner == LabelOwner::Project(project_id));
        let inherited = self.labels.values().filter(|label| match &label.owner {
            LabelOwner::Group(group) => is_in(namespace, group),
            LabelOwner::Project(_) => false,
        });
        own.chain(inherited).collect()
    }

    pub fn label_titled(&self, project_id: u64, title: &str) -> Option<&Label> {
        self.labels_of(project_id)
            .into_iter()
            .find(|label| label.title == title)
    }

    pub fn add_label(&mut self, owner: LabelOwner, title: &str) -> &mut Label {
        let id = self.ids.label.next();
        let label = Label {
            id,
            owner,
            title: title.to_owned(),
            color: "#6699cc".to_owned(),
            description: None,
            lock_on_merge: false,
        };
        self.labels.entry(id).insert_entry(label).into_mut()
    }

    /// Whether events of the label are shown to the user. A group is open to whoever sees a project
    /// in it.
    pub fn shows_label_to(&self, user: Option<u64>, label: &Label) -> bool {
        let mut projects = self.projects.values();
        projects.any(|project| {
            project.is_visible_to(user)
                && match &label.owner {
                    LabelOwner::Project(id) => project.id == *id,
                    LabelOwner::Group(group) => is_in(project.namespace(), group),
                }
        })
    }

    /// A project has left the groups whose labels its merge requests bear: it gets labels of these
    /// titles for its own, where it does not inherit them again. The events stay with the old ones.
    pub(super) fn transfer_labels(&mut self, project_id: u64) {
        let present: Vec<u64> = self
            .labels_of(project_id)
            .iter()
            .map(|label| label.id)
            .collect();
        let mrs = self.merge_requests.values();
        let mrs: Vec<(u64, Vec<u64>)> = mrs
            .filter(|mr| mr.project_id == project_id)
            .map(|mr| (mr.id, mr.labels.clone()))
            .collect();
        for (mr_id, mut labels) in mrs {
            for label in labels.iter_mut().filter(|label| !present.contains(label)) {
                let title = self.labels[label].title.clone();
                *label = self.find_or_add_label(project_id, &title);
            }
            self.mr_mut(mr_id).labels = labels;
        }
    }

    /// Makes a project's label one of its group: with a new id, which the events learn as well.
    pub fn promote_label(&mut self, id: u64, group: &str) {
        let Some(old) = self.labels.remove(&id) else {
            return;
        };
        let new = self.ids.label.next();
        let owner = LabelOwner::Group(group.to_owned());
        self.labels.insert(
            new,
            Label {
                id: new,
                owner,
                ..old
            },
        );
        for mr in self.merge_requests.values_mut() {
            let events = mr.label_events.iter_mut();
            let in_events = events.map(|event| &mut event.label_id);
            let borne = mr.labels.iter_mut().chain(in_events);
            borne
                .filter(|label| **label == id)
                .for_each(|label| *label = new);
        }
    }

    /// Takes the label off everything without an event; older events keep its id.
    pub fn delete_label(&mut self, id: u64) {
        self.labels.remove(&id);
        for mr in self.merge_requests.values_mut() {
            mr.labels.retain(|&label| label != id);
        }
    }

    /// Titles, sorted.
    pub fn titles(&self, labels: &[u64]) -> Vec<String> {
        let mut titles: Vec<_> = labels
            .iter()
            .map(|id| self.labels[id].title.clone())
            .collect();
        titles.sort();
        titles
    }

    /// Without the role for it nothing happens, and nobody is told.
    pub fn change_labels(&mut self, user: u64, mr_id: u64, change: &LabelChange) {
        let mr = &self.merge_requests[&mr_id];
        let (project_id, merged, before) = (mr.project_id, mr.state == "merged", mr.labels.clone());
        if !self.projects[&project_id].is_at_least(Role::Developer, Some(user)) {
            return;
        }
        let mut after = before.clone();
        if let Some(titles) = &change.set {
            after = titles
                .iter()
                .map(|title| self.find_or_add_label(project_id, title))
                .collect();
        }
        for title in &change.add {
            if let Some((scope, _)) = title.rsplit_once("::") {
                after.retain(|id| {
                    self.labels[id]
                        .title
                        .rsplit_once("::")
                        .is_none_or(|(other, _)| other != scope)
                });
            }
            after.push(self.find_or_add_label(project_id, title));
        }
        after.retain(|id| !change.remove.contains(&self.labels[id].title));
        if merged {
            after.extend(before.iter().filter(|id| self.labels[id].lock_on_merge));
        }
        after.sort_unstable();
        after.dedup();

        let added = after
            .iter()
            .filter(|id| !before.contains(id))
            .map(|&id| (id, LabelAction::Add));
        let removed = before
            .iter()
            .filter(|id| !after.contains(id))
            .map(|&id| (id, LabelAction::Remove));
        for (label_id, action) in added.chain(removed) {
            self.record_label_event(user, mr_id, label_id, action);
        }
        self.mr_mut(mr_id).labels = after;
    }

    fn find_or_add_label(&mut self, project_id: u64, title: &str) -> u64 {
        match self.label_titled(project_id, title) {
            Some(label) => label.id,
            None => self.add_label(LabelOwner::Project(project_id), title).id,
        }
    }

    fn record_label_event(&mut self, user: u64, mr_id: u64, label_id: u64, action: LabelAction) {
        let id = if self.late_events {
            0
        } else {
            self.ids.label_event.next()
        };
        let event = LabelEvent {
            id,
            user_id: Some(user),
            created_at: self.now(),
            label_id,
            action,
        };
        self.touch(mr_id);
        let mr = self.mr_mut(mr_id);
        if id == 0 {
            mr.late_label_events.push(event);
        } else {
            mr.label_events.push(event);
        }
    }

    pub(super) fn write_label_events(&mut self) {
        for mr in self.merge_requests.values_mut() {
            for mut event in mr.late_label_events.drain(..) {
                event.id = self.ids.label_event.next();
                mr.label_events.push(event);
            }
        }
    }
}

fn is_in(namespace: &str, group: &str) -> bool {
    namespace
        .strip_prefix(group)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
