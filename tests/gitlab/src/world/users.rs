use super::{Time, World};
use chrono::NaiveDate;
use std::collections::BTreeSet;

/// Access levels, with GitLab's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    Guest = 10,
    Planner = 15,
    Reporter = 20,
    Developer = 30,
    Maintainer = 40,
    Owner = 50,
}

#[derive(Clone, Debug)]
pub struct User {
    pub id: u64,
    pub username: String,
    pub name: String,
    /// `active`, `blocked` …
    pub state: String,
    pub password_expired: bool,
    pub bot: bool,
}

impl User {
    pub fn new(id: u64, username: &str, name: &str) -> Self {
        Self {
            id,
            username: username.to_owned(),
            name: name.to_owned(),
            state: "active".to_owned(),
            password_expired: false,
            bot: false,
        }
    }

    /// Why GitLab lets none of the user's tokens do anything.
    pub fn denial(&self) -> Option<&'static str> {
        match self.state.as_str() {
            "blocked" => Some("Your account has been blocked."),
            "deactivated" => Some(
                "Your account has been deactivated by your administrator. Please log back in from a \
                 web browser to reactivate your account at https://gitlab.example.com",
            ),
            "blocked_pending_approval" => {
                Some("Your account is pending approval from your administrator and hence blocked.")
            }
            _ if self.password_expired => Some(
                "Your password expired. Please access GitLab from a web browser to update your \
                 password.",
            ),
            _ => None,
        }
    }

    /// To whom everything of a deleted user passes.
    fn ghost() -> Self {
        Self::new(2, "ghost", "Ghost User")
    }
}

/// A personal access token.
#[derive(Clone, Debug)]
pub struct Token {
    pub id: u64,
    pub secret: String,
    pub user_id: u64,
    pub name: String,
    pub scopes: Vec<String>,
    /// Of a fine-grained one, whose scope is `granular`.
    pub permissions: BTreeSet<String>,
    pub created_at: Time,
    pub expires_at: Option<NaiveDate>,
    pub revoked: bool,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    Unknown,
    Expired,
    Revoked,
}

impl World {
    pub fn user(&self, id: u64) -> User {
        self.users.get(&id).cloned().unwrap_or_else(User::ghost)
    }

    pub fn user_named(&self, username: &str) -> Option<&User> {
        self.users.values().find(|user| user.username == username)
    }

    /// Everything that the user has done passes to the ghost.
    pub fn delete_user(&mut self, id: u64) {
        self.users.remove(&id);
        self.tokens.retain(|token| token.user_id != id);
        for project in self.projects.values_mut() {
            project.members.remove(&id);
        }
    }

    /// For whatever is to change about it.
    pub fn token_mut(&mut self, secret: &str) -> &mut Token {
        let found = self.tokens.iter_mut().find(|token| token.secret == secret);
        found.unwrap_or_else(|| panic!("there is no such token"))
    }

    pub fn token(&self, secret: &str) -> Result<&Token, TokenFault> {
        let token = self
            .tokens
            .iter()
            .find(|token| token.secret == secret)
            .ok_or(TokenFault::Unknown)?;
        if token.revoked {
            Err(TokenFault::Revoked)
        } else if self.has_expired(token) {
            Err(TokenFault::Expired)
        } else {
            Ok(token)
        }
    }

    /// A token ends at midnight, UTC, of its date.
    fn has_expired(&self, token: &Token) -> bool {
        token
            .expires_at
            .is_some_and(|date| date <= self.now().date_naive())
    }

    /// Makes a token of `user_id`, or replaces the one with the same secret.
    pub fn add_token(&mut self, secret: &str, user_id: u64, scopes: &[&str]) -> &mut Token {
        self.tokens.retain(|token| token.secret != secret);
        let created_at = self.now();
        self.tokens.push(Token {
            id: self.ids.token.next(),
            secret: secret.to_owned(),
            user_id,
            name: "bench-bot".to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            permissions: BTreeSet::new(),
            created_at,
            expires_at: Some(created_at.date_naive() + chrono::Days::new(300)),
            revoked: false,
        });
        self.tokens.last_mut().expect("it has just been pushed")
    }
}
