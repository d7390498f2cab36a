use super::{Done, Refusal, Role, Time, User, World};
use chrono::NaiveDate;
use std::collections::{BTreeMap, BTreeSet};

/// A group; those above and below it do not count.
#[derive(Clone, Debug)]
pub struct Group {
    pub id: u64,
    pub path: String,
    /// Members of the projects that are made in it, too.
    pub members: BTreeMap<u64, Role>,
    /// Access tokens by id, each of which has a user of its own.
    pub tokens: BTreeSet<u64>,
}

/// An access token that is asked for.
pub struct NewToken<'a> {
    pub name: &'a str,
    pub scopes: &'a [&'a str],
    pub role: Role,
    pub expires_at: Option<NaiveDate>,
}

impl World {
    pub fn find_group(&self, id_or_path: &str) -> Option<&Group> {
        let id = id_or_path.parse().ok();
        let mut groups = self.groups.values();
        groups.find(|group| Some(group.id) == id || group.path == id_or_path)
    }

    /// A group's token: the id of the token, whose user becomes a member of all that is in the
    /// group.
    pub fn add_group_token(&mut self, user: u64, group_id: u64, new: &NewToken) -> Done<u64> {
        let group = &self.groups[&group_id];
        if group.members.get(&user) < Some(&Role::Owner) || self.user(user).bot {
            let fault = "User does not have permission to create group access token";
            return Err(Refusal::bad_request(fault));
        }
        let bot_id = self.users.keys().max().map_or(1, |last| last + 1);
        let username = format!("group_{group_id}_bot_{bot_id:08x}");
        let mut bot = User::new(bot_id, &username, new.name);
        bot.bot = true;
        self.users.insert(bot_id, bot);
        let secret = format!("glpat-group-{group_id}-{bot_id:016x}");
        let token = self.add_token(&secret, bot_id, new.scopes);
        token.name = new.name.to_owned();
        token.expires_at = new.expires_at.or(token.expires_at);
        let token_id = token.id;
        let path = self.groups[&group_id].path.clone();
        if let Some(group) = self.groups.get_mut(&group_id) {
            group.tokens.insert(token_id);
            group.members.insert(bot_id, new.role);
        }
        for project in self.projects.values_mut() {
            if project.namespace() == path {
                project.members.insert(bot_id, new.role);
            }
        }
        Ok(token_id)
    }

    /// Its user goes with it.
    pub fn revoke_group_token(&mut self, user: u64, group_id: u64, token_id: u64) -> Done {
        let group = &self.groups[&group_id];
        if !group.tokens.contains(&token_id) {
            return Err(Refusal::not_found("group Access Token"));
        }
        if group.members.get(&user) < Some(&Role::Owner) {
            return Err(Refusal::bad_request("not allowed"));
        }
        let token = self.tokens.iter_mut().find(|token| token.id == token_id);
        let bot = token.map(|token| {
            token.revoked = true;
            token.user_id
        });
        if let Some(bot) = bot {
            let projects = self
                .projects
                .values_mut()
                .map(|project| &mut project.members);
            let groups = self.groups.values_mut().map(|group| &mut group.members);
            projects.chain(groups).for_each(|members| {
                members.remove(&bot);
            });
        }
        Ok(())
    }

    /// When groups came to be, as far as anybody asks.
    pub fn group_created_at(&self) -> Time {
        self.now() - chrono::TimeDelta::days(365)
    }
}
