//! What people do to a merge request.

use crate::page;
use crate::people::People;
use crate::world::{
    ADA, Discussion, LabelAction, LabelChange, MergeRequest, Note, Posted, Refusal, Role, World,
};
use std::fmt;

pub(crate) const LABEL: &str = "benchmarking";

/// A merge request, by its number: what it is asked for is always up to date.
#[derive(Clone)]
pub struct Mr {
    people: People,
    id: u64,
}

impl fmt::Debug for Mr {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Mr({})", self.id)
    }
}

impl Mr {
    pub(crate) fn new(people: People, id: u64) -> Self {
        Self { people, id }
    }

    pub(crate) fn act(&self, verb: impl FnOnce(&mut World, u64)) -> Self {
        assert!(self.exists(), "the merge request has been deleted");
        self.people.act(|world| verb(world, self.id));
        self.clone()
    }

    fn arrange(&self, change: impl FnOnce(&mut MergeRequest)) -> Self {
        self.act(|world, id| change(world.mr_mut(id)))
    }

    pub(crate) fn look<T>(&self, view: impl FnOnce(&World, &MergeRequest) -> T) -> T {
        let world = self.people.world();
        let mr = world
            .merge_requests
            .get(&self.id)
            .expect("the merge request is there");
        view(&world, mr)
    }

    pub fn exists(&self) -> bool {
        self.people.world().merge_requests.contains_key(&self.id)
    }

    // Its labels.

    pub fn labelled(&self) -> Self {
        self.label(LABEL)
    }

    pub fn unlabelled(&self) -> Self {
        self.unlabel(LABEL)
    }

    pub fn label(&self, title: &str) -> Self {
        self.label_by("ada", title)
    }

    pub fn label_by(&self, user: &str, title: &str) -> Self {
        self.change_labels(user, LabelChange::adding(vec![title.to_owned()]))
    }

    pub fn unlabel(&self, title: &str) -> Self {
        self.unlabel_by("ada", title)
    }

    pub fn unlabel_by(&self, user: &str, title: &str) -> Self {
        self.change_labels(user, LabelChange::removing(vec![title.to_owned()]))
    }

    /// Off and on again.
    pub fn relabel(&self) -> Self {
        self.unlabelled().labelled()
    }

    fn change_labels(&self, username: &str, change: LabelChange) -> Self {
        let user = self.people.user_id(username);
        self.act(|world, id| {
            let project = &world.projects[&world.merge_requests[&id].project_id];
            assert!(
                project.is_at_least(Role::Developer, Some(user)),
                "{username} may not set labels"
            );
            world.change_labels(user, id, &change);
        })
    }

    // Its text and state.

    pub fn titled(&self, title: &str) -> Self {
        self.arrange(|mr| mr.title = title.to_owned())
    }

    pub fn described(&self, description: &str) -> Self {
        self.arrange(|mr| mr.description = Some(description.to_owned()))
    }

    pub fn draft(&self) -> Self {
        self.arrange(|mr| mr.title = format!("Draft: {}", mr.title))
    }

    pub fn lock_discussion(&self) -> Self {
        self.arrange(|mr| mr.discussion_locked = true)
    }

    /// A new commit, without a pipeline.
    pub fn push(&self) -> Self {
        self.act(World::push)
    }

    pub fn force_push_to(&self, sha: &str) -> Self {
        self.act(|world, id| world.force_push(id, sha))
    }

    pub fn retarget(&self, branch: &str) -> Self {
        self.act(|world, id| world.retarget(id, branch))
    }

    pub fn merge(&self) -> Self {
        self.act(|world, id| world.merge(id, ADA))
    }

    pub fn close(&self) -> Self {
        self.act(|world, id| world.close(id, ADA))
    }

    pub fn reopen(&self) -> Self {
        self.act(World::reopen)
    }

    pub fn delete(&self) -> Self {
        self.act(|world, id| drop(world.merge_requests.remove(&id)))
    }

    // What people write.

    /// Opens a discussion, and gives its id.
    pub fn comment(&self, user: &str, body: &str) -> String {
        let user = self.people.user_id(user);
        match allowed(
            self.people
                .act(|world| world.open_discussion(user, self.id, body, false)),
        ) {
            Posted::Note { discussion_id, .. } => discussion_id,
            Posted::OnlyActions(_) => panic!("nothing but commands: {body}"),
        }
    }

    /// Gives the id of the note.
    pub fn reply(&self, user: &str, discussion_id: &str, body: &str) -> u64 {
        let user = self.people.user_id(user);
        match allowed(
            self.people
                .act(|world| world.reply(user, self.id, discussion_id, body)),
        ) {
            Posted::Note { note_id, .. } => note_id,
            Posted::OnlyActions(_) => panic!("nothing but commands: {body}"),
        }
    }

    /// Opens a resolved discussion again.
    pub fn unresolve(&self, user: &str, discussion_id: &str) {
        let user = self.people.user_id(user);
        allowed(
            self.people
                .act(|world| world.resolve_discussion(user, self.id, discussion_id, false)),
        );
    }

    pub fn react(&self, user: &str, name: &str) {
        let user = self.people.user_id(user);
        allowed(self.people.act(|world| world.react(user, self.id, name)));
    }

    pub fn delete_note(&self, note_id: u64) {
        let author = self.look(|_, mr| mr.note(note_id).expect("the note is there").1.author_id);
        allowed(
            self.people
                .act(|world| world.delete_note(author, self.id, note_id)),
        );
    }

    pub fn delete_discussion(&self, discussion_id: &str) {
        let discussion = self.look(|_, mr| mr.discussion(discussion_id).cloned());
        for note in discussion.expect("the discussion is there").notes {
            self.delete_note(note.id);
        }
    }

    // What there is to see.

    pub fn iid(&self) -> u64 {
        self.look(|_, mr| mr.iid)
    }

    pub fn sha(&self) -> String {
        self.look(|_, mr| head(mr))
    }

    pub fn url(&self) -> String {
        self.look(World::merge_request_url)
    }

    pub fn title(&self) -> String {
        self.look(|_, mr| mr.title.clone())
    }

    /// Sorted.
    pub fn labels(&self) -> Vec<String> {
        self.look(|world, mr| world.titles(&mr.labels))
    }

    pub fn is_labelled(&self) -> bool {
        self.labels().iter().any(|title| title == LABEL)
    }

    /// The newest addition of the label `benchmarking`.
    pub fn label_event_id(&self) -> u64 {
        let event_id = self.look(|world, mr| {
            let adds = mr
                .label_events
                .iter()
                .rev()
                .filter(|event| event.action == LabelAction::Add);
            let is_label = |id| {
                world
                    .labels
                    .get(&id)
                    .is_some_and(|label| label.title == LABEL)
            };
            adds.filter(|event| is_label(event.label_id))
                .map(|event| event.id)
                .next()
        });
        event_id.expect("the label has been put on")
    }

    /// Those of people: GitLab's own are left out.
    pub fn discussions(&self) -> Vec<Discussion> {
        let is_of_people =
            |discussion: &&Discussion| discussion.notes.iter().all(|note| !note.system);
        self.look(|_, mr| {
            mr.discussions
                .iter()
                .filter(is_of_people)
                .cloned()
                .collect()
        })
    }

    /// Those of people, in the order of their discussions.
    pub fn notes(&self) -> Vec<Note> {
        self.discussions()
            .into_iter()
            .flat_map(|discussion| discussion.notes)
            .collect()
    }

    /// Each emoji and the username of whoever put it there, the oldest first.
    pub fn reactions(&self) -> Vec<(String, String)> {
        self.look(|world, mr| {
            let by = |user| world.user(user).username;
            mr.reactions
                .iter()
                .map(|reaction| (reaction.name.clone(), by(reaction.user_id)))
                .collect()
        })
    }

    /// What a person sees on its page.
    pub fn page(&self) -> String {
        self.look(page::merge_request)
    }
}

pub(crate) fn head(mr: &MergeRequest) -> String {
    mr.sha().expect("the merge request has a commit").to_owned()
}

pub(crate) fn allowed<T>(result: Result<T, Refusal>) -> T {
    result.unwrap_or_else(|refusal| panic!("GitLab refuses: {refusal:?}"))
}
