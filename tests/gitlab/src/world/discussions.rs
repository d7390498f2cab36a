use super::commits::hex40;
use super::quick_actions::{self, QuickAction};
use super::{Done, LabelChange, MergeRequest, Refusal, Role, Time, World};

const NOTE_LIMIT: usize = 1_000_000;

#[derive(Clone, Debug)]
pub struct Discussion {
    pub id: String,
    /// A single comment, until somebody replies to it.
    pub individual_note: bool,
    pub notes: Vec<Note>,
}

#[derive(Clone, Debug)]
pub struct Note {
    pub id: u64,
    pub author_id: u64,
    pub body: String,
    pub created_at: Time,
    pub updated_at: Time,
    /// Written by GitLab in the name of the author.
    pub system: bool,
    pub resolved: Option<(Time, u64)>,
}

impl Discussion {
    pub fn is_resolvable(&self) -> bool {
        !self.individual_note
    }

    pub fn is_resolved(&self) -> bool {
        self.is_resolvable() && self.notes.iter().all(|note| note.resolved.is_some())
    }
}

/// What became of the text of a note.
#[derive(Clone, Debug)]
pub enum Posted {
    Note {
        discussion_id: String,
        note_id: u64,
        actions: Vec<QuickAction>,
    },
    /// Nothing but commands: they were carried out, and nothing was saved.
    OnlyActions(Vec<QuickAction>),
}

impl MergeRequest {
    pub fn discussion(&self, id: &str) -> Option<&Discussion> {
        self.discussions
            .iter()
            .find(|discussion| discussion.id == id)
    }

    fn discussion_mut(&mut self, id: &str) -> Option<&mut Discussion> {
        self.discussions
            .iter_mut()
            .find(|discussion| discussion.id == id)
    }

    /// A note with the discussion that it is in.
    pub fn note(&self, id: u64) -> Option<(&Discussion, &Note)> {
        let found =
            |discussion: &'_ Discussion| discussion.notes.iter().position(|note| note.id == id);
        let discussion = self
            .discussions
            .iter()
            .find(|discussion| found(discussion).is_some())?;
        Some((discussion, &discussion.notes[found(discussion)?]))
    }

    fn note_mut(&mut self, id: u64) -> Option<&mut Note> {
        self.discussions
            .iter_mut()
            .flat_map(|discussion| &mut discussion.notes)
            .find(|note| note.id == id)
    }

    pub fn has_unresolved_discussions(&self) -> bool {
        self.discussions
            .iter()
            .any(|discussion| discussion.is_resolvable() && !discussion.is_resolved())
    }
}

impl World {
    pub(super) fn check_may_write(&self, user: u64, mr_id: u64) -> Done {
        let mr = &self.merge_requests[&mr_id];
        let project = &self.projects[&mr.project_id];
        if project.takes_notes_from(user) && !self.is_locked_out(user, mr) {
            Ok(())
        } else {
            Err(Refusal::Forbidden)
        }
    }

    /// A locked discussion is for members, and an author who is none may not even edit.
    fn is_locked_out(&self, user: u64, mr: &MergeRequest) -> bool {
        mr.discussion_locked && self.projects[&mr.project_id].role(Some(user)).is_none()
    }

    /// Of new notes; edits and system notes are never too many.
    fn check_room(&self, mr_id: u64) -> Done {
        let discussions = &self.merge_requests[&mr_id].discussions;
        let notes: usize = discussions
            .iter()
            .map(|discussion| discussion.notes.len())
            .sum();
        if notes < self.most_notes {
            return Ok(());
        }
        Err(invalid_note("base", "Maximum number of comments exceeded"))
    }

    pub fn open_discussion(
        &mut self,
        user: u64,
        mr_id: u64,
        body: &str,
        individual: bool,
    ) -> Done<Posted> {
        self.check_may_write(user, mr_id)?;
        let (text, actions) = parse(body)?;
        if !text.is_empty() {
            self.check_room(mr_id)?;
        }
        self.carry_out(user, mr_id, &actions);
        if text.is_empty() {
            return Ok(Posted::OnlyActions(actions));
        }
        let note = self.new_note(user, text);
        let note_id = note.id;
        let discussion_id = self.add_discussion(mr_id, note, individual);
        Ok(Posted::Note {
            discussion_id,
            note_id,
            actions,
        })
    }

    pub fn reply(&mut self, user: u64, mr_id: u64, thread: &str, body: &str) -> Done<Posted> {
        let discussion = self.merge_requests[&mr_id].discussion(thread);
        let discussion = discussion.ok_or_else(|| Refusal::not_found("Discussion"))?;
        let of_system = discussion.notes.iter().any(|note| note.system);
        let resolved = discussion.is_resolved();
        self.check_may_write(user, mr_id)?;
        if of_system {
            return Err(Refusal::bad_request(
                "Replies to system notes are not allowed.",
            ));
        }
        let (text, actions) = parse(body)?;
        if !text.is_empty() {
            self.check_room(mr_id)?;
        }
        self.carry_out(user, mr_id, &actions);
        if text.is_empty() {
            return Ok(Posted::OnlyActions(actions));
        }
        let mut note = self.new_note(user, text);
        note.resolved = resolved.then_some((note.created_at, user));
        let note_id = note.id;
        if let Some(discussion) = self.mr_mut(mr_id).discussion_mut(thread) {
            discussion.individual_note = false;
            discussion.notes.push(note);
        }
        self.touch(mr_id);
        Ok(Posted::Note {
            discussion_id: thread.to_owned(),
            note_id,
            actions,
        })
    }

    /// A text of commands only deletes the note.
    pub fn edit_note(&mut self, user: u64, mr_id: u64, note_id: u64, body: &str) -> Done {
        self.check_owns_note(user, mr_id, note_id)?;
        let (text, actions) = parse(body)?;
        self.carry_out(user, mr_id, &actions);
        let now = self.now();
        if text.is_empty() {
            self.remove_note(mr_id, note_id);
        } else if let Some(note) = self.mr_mut(mr_id).note_mut(note_id) {
            note.body = text;
            note.updated_at = now;
        }
        self.touch(mr_id);
        Ok(())
    }

    pub fn delete_note(&mut self, user: u64, mr_id: u64, note_id: u64) -> Done {
        self.check_owns_note(user, mr_id, note_id)?;
        self.remove_note(mr_id, note_id);
        Ok(())
    }

    fn check_owns_note(&self, user: u64, mr_id: u64, note_id: u64) -> Done {
        let mr = &self.merge_requests[&mr_id];
        let (_, note) = mr.note(note_id).ok_or(Refusal::NoRecord)?;
        let project = &self.projects[&mr.project_id];
        let allowed = note.author_id == user || project.is_at_least(Role::Maintainer, Some(user));
        if note.system || project.is_read_only() || !allowed || self.is_locked_out(user, mr) {
            Err(Refusal::Forbidden)
        } else {
            Ok(())
        }
    }

    fn remove_note(&mut self, mr_id: u64, note_id: u64) {
        let mr = self.mr_mut(mr_id);
        for discussion in &mut mr.discussions {
            discussion.notes.retain(|note| note.id != note_id);
        }
        mr.discussions
            .retain(|discussion| !discussion.notes.is_empty());
    }

    pub fn resolve_discussion(&mut self, user: u64, mr_id: u64, id: &str, resolved: bool) -> Done {
        let discussion = self.merge_requests[&mr_id].discussion(id);
        // GitLab asks the discussion about rights without having looked whether there is one.
        let discussion = discussion.ok_or(Refusal::ServerError)?;
        let mut notes = discussion.notes.clone().into_iter();
        notes.try_for_each(|note| self.resolve_note(user, mr_id, note.id, resolved))
    }

    pub fn resolve_note(&mut self, user: u64, mr_id: u64, note_id: u64, resolved: bool) -> Done {
        let mr = &self.merge_requests[&mr_id];
        let (discussion, _) = mr.note(note_id).ok_or(Refusal::NoRecord)?;
        let project = &self.projects[&mr.project_id];
        let allowed = project.is_developed_by(Some(user)) || mr.author_id == user;
        let locked_out = self.is_locked_out(user, mr);
        if project.is_read_only() || locked_out || !allowed || !discussion.is_resolvable() {
            return Err(Refusal::Forbidden);
        }
        let now = self.now();
        if let Some(note) = self.mr_mut(mr_id).note_mut(note_id) {
            note.resolved = note.resolved.or(Some((now, user))).filter(|_| resolved);
        }
        Ok(())
    }

    pub fn add_system_note(&mut self, mr_id: u64, user: u64, body: &str) {
        let mut note = self.new_note(user, body.to_owned());
        note.system = true;
        self.add_discussion(mr_id, note, true);
    }

    fn add_discussion(&mut self, mr_id: u64, note: Note, individual: bool) -> String {
        let id = hex40("discussion", note.id);
        let discussion = Discussion {
            id: id.clone(),
            individual_note: individual,
            notes: vec![note],
        };
        self.mr_mut(mr_id).discussions.push(discussion);
        self.touch(mr_id);
        id
    }

    fn new_note(&mut self, user: u64, body: String) -> Note {
        let now = self.now();
        let id = self.ids.note.next();
        Note {
            id,
            author_id: user,
            body,
            created_at: now,
            updated_at: now,
            system: false,
            resolved: None,
        }
    }

    /// The commands of a note, with its author's rights.
    fn carry_out(&mut self, user: u64, mr_id: u64, actions: &[QuickAction]) {
        for action in actions {
            let labels = match action.name.as_str() {
                "label" | "labels" => LabelChange::adding(action.labels()),
                "unlabel" => LabelChange::removing(action.labels()),
                _ => LabelChange::default(),
            };
            self.change_labels(user, mr_id, &labels);
            if action.name == "close" && self.may_update(mr_id, user) {
                self.close(mr_id, user);
            }
        }
    }
}

/// The text of a note, and the commands in it.
fn parse(body: &str) -> Done<(String, Vec<QuickAction>)> {
    let (text, actions) = quick_actions::extract(&body.replace('\r', ""));
    let text = text.trim_end().to_owned();
    if text.is_empty() && actions.is_empty() {
        return Err(invalid_note("note", "can't be blank"));
    }
    if text.chars().count() > NOTE_LIMIT {
        return Err(invalid_note(
            "note",
            "is too long (maximum is 1000000 characters)",
        ));
    }
    Ok((text, actions))
}

/// As Ruby prints it.
fn invalid_note(field: &str, fault: &str) -> Refusal {
    Refusal::bad_request(&format!(r#"Note {{:{field}=>["{fault}"]}}"#))
}
