use super::{Done, Refusal, Time, World};

/// An emoji that somebody has put on a merge request.
#[derive(Clone, Debug)]
pub struct Reaction {
    pub id: u64,
    pub name: String,
    pub user_id: u64,
    pub created_at: Time,
}

impl World {
    /// Nobody is notified, and the merge request does not count as updated.
    pub fn react(&mut self, user: u64, mr_id: u64, name: &str) -> Done<Reaction> {
        let refused = |reason: &str| Refusal::not_found(&format!("Award Emoji{reason}"));
        self.check_may_write(user, mr_id).map_err(|_| refused(""))?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
        let name = match name {
            "+1" => "thumbsup",
            "-1" => "thumbsdown",
            name => name,
        };
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(refused(" Name is not a valid emoji name"));
        }
        let reactions = &self.merge_requests[&mr_id].reactions;
        if reactions
            .iter()
            .any(|other| other.user_id == user && other.name == name)
        {
            return Err(refused(" Name has already been taken"));
        }
        let reaction = Reaction {
            id: self.ids.reaction.next(),
            name: name.to_owned(),
            user_id: user,
            created_at: self.now(),
        };
        self.mr_mut(mr_id).reactions.push(reaction.clone());
        Ok(reaction)
    }

    pub fn take_reaction_back(&mut self, user: u64, mr_id: u64, id: u64) -> Done {
        let reactions = &self.merge_requests[&mr_id].reactions;
        let position = reactions
            .iter()
            .position(|reaction| reaction.id == id)
            .ok_or(Refusal::NoRecord)?;
        if reactions[position].user_id != user {
            return Err(Refusal::Unauthorized);
        }
        // Where none may be put on none is taken off, which GitLab does not tell.
        if self.check_may_write(user, mr_id).is_ok() {
            self.mr_mut(mr_id).reactions.remove(position);
        }
        Ok(())
    }
}
