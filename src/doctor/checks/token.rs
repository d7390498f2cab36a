//! The checks of a token: whose it is, what it may do, how long.

use super::super::findings::{Findings, Identity};
use super::{Check, REHEARSE};
use crate::gitlab::Error;
use crate::gitlab::answer::User;

/// Days; a token that ends sooner is warned of.
const SOON: i64 = 14;

impl Identity {
    /// The user, where the token may read projects: what follows depends on it.
    pub fn reader(&self) -> Option<&User> {
        let reads = |scope: &String| matches!(scope.as_str(), "api" | "read_api");
        let blind = matches!(&self.details, Ok(details) if !details.scopes.iter().any(reads));
        self.user.as_ref().ok().filter(|_| !blind)
    }
}

/// Whether GitLab says that the token is not good.
pub fn refused(error: &Error) -> bool {
    matches!(status(error), Some(401 | 403))
}

fn status(error: &Error) -> Option<u16> {
    error.refused().map(|status| status.as_u16())
}

pub fn checks(findings: &Findings, identity: &Identity, names: [&'static str; 3]) -> Vec<Check> {
    let [name, scopes, expiry] = names;
    let (url, variable) = (&findings.url, identity.variable);
    let make = format!(
        "sign in as the bot, make one with the scope api, and set {variable} to it: \
         {url}/-/user_settings/personal_access_tokens?name=bench-bot&scopes=api"
    );
    let user = match &identity.user {
        Ok(user) => user,
        Err(_) if !identity.given => {
            return vec![Check::fails(name, format!("{variable} is not set"), make)];
        }
        Err(error) if refused(error) => {
            let detail = format!("GitLab refuses the one in {variable} ({})", error.message);
            return vec![Check::fails(name, detail, make)];
        }
        Err(error) => return vec![Check::unread(name, error)],
    };
    let mut checks = vec![Check::holds(
        name,
        format!("{variable} is {}'s", user.username),
    )];
    let details = match &identity.details {
        Ok(details) => details,
        Err(error) => {
            checks.push(match status(error) {
                Some(400) => Check::needed(
                    scopes,
                    "this kind of token does not tell what it may do",
                    format!("use a personal, project or group access token\n{REHEARSE}"),
                ),
                _ => Check::unread(scopes, error),
            });
            return checks;
        }
    };
    let given = details.scopes.join(", ");
    checks.push(match details.scopes.iter().any(|scope| scope == "api") {
        true => Check::holds(scopes, given),
        false => Check::fails(scopes, format!("{given}; writing needs api"), make),
    });
    checks.push(match details.expires_at {
        None => Check::holds(expiry, "never"),
        Some(date) => {
            let days = (date - findings.now.date_naive()).num_days();
            let detail = format!(
                "on {date}, in {days} day{}",
                if days == 1 { "" } else { "s" }
            );
            match days {
                SOON.. => Check::holds(expiry, detail),
                _ => Check::warning(expiry, detail, rotate(findings, identity, user)),
            }
        }
    });
    checks
}

fn rotate(findings: &Findings, identity: &Identity, user: &User) -> String {
    let variable = identity.variable;
    let page = match ["project_", "group_"]
        .iter()
        .any(|kind| user.username.starts_with(kind))
    {
        true => "Settings > Access tokens, of the project or group where it was made".to_owned(),
        false => format!("{}/-/user_settings/personal_access_tokens", findings.url),
    };
    format!("rotate it, so that the user stays the same, and set {variable} anew: {page}")
}
