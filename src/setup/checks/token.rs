//! The checks of a token: its user, its scopes and its expiry.

use chrono::NaiveDate;

use super::super::findings::{Findings, TokenFindings};
use super::Check;
use crate::gitlab::answer::User;
use crate::gitlab::{AccessProblem, Error};

/// In days. A token that expires sooner gets a warning.
const SOON: i64 = 14;

/// The only scope of a fine-grained token, which has permissions in place of scopes.
const GRANULAR: &str = "granular";

impl TokenFindings {
    /// Whether this is a fine-grained token: what it may do can be found out only by trying.
    pub fn fine_grained(&self) -> bool {
        match &self.details {
            Ok(details) => details.scopes.iter().any(|scope| scope == GRANULAR),
            Err(error) => error.fine_grained(),
        }
    }

    /// The token's user, if the token may read projects. The checks of projects depend on it.
    pub fn reader(&self) -> Option<&User> {
        let reads = |scope: &String| matches!(scope.as_str(), "api" | "read_api" | GRANULAR);
        let blind = matches!(&self.details, Ok(details) if !details.scopes.iter().any(reads));
        self.user.as_ref().ok().filter(|_| !blind)
    }
}

const SIGNED_IN: &str = "signed in as the bot, under Edit profile > Access tokens";

/// Whether GitLab refuses the token or its account.
pub fn refused(error: &Error) -> bool {
    matches!(error.access_problem(), AccessProblem::TokenRefused(_))
}

pub fn checks(
    findings: &Findings,
    identity: &TokenFindings,
    names: [&'static str; 3],
) -> Vec<Check> {
    let [name, scopes, expiry] = names;
    let variable = identity.variable;
    // This does not link to a page of tokens: people who follow the link would see their own tokens.
    let make = format!(
        "create a token for the bot with the scope api, and set {variable} to it: {SIGNED_IN}, or for a service account in \
         its group, under Settings > Service accounts"
    );
    let user = match &identity.user {
        Ok(user) => user,
        Err(_) if !identity.given => {
            return vec![Check::fails(name, format!("{variable} is not set"), make)];
        }
        Err(error) if refused(error) => {
            let detail = format!("GitLab refuses the token in {variable} ({})", error.message);
            let way = match error.access_problem() {
                AccessProblem::TokenRefused(Some(way)) => way.to_owned(),
                _ => make,
            };
            return vec![Check::fails(name, detail, way)];
        }
        Err(error) => return vec![Check::unread(name, error)],
    };
    let mut checks = vec![Check::holds(
        name,
        format!("{variable} is a token of {}", user.username),
    )];
    checks.push(match &identity.details {
        _ if identity.fine_grained() => Check::needed(
            scopes,
            "what a fine-grained token may do can be found out only by trying",
            findings.rehearse(),
        ),
        Ok(details) => {
            let given = details.scopes.join(", ");
            match details.scopes.iter().any(|scope| scope == "api") {
                true => Check::holds(scopes, given),
                false => Check::fails(
                    scopes,
                    format!("{given}; to write, the token needs api"),
                    make,
                ),
            }
        }
        Err(error) if error.refused().is_some_and(|status| status == 400) => Check::needed(
            scopes,
            "GitLab does not show what this kind of token may do",
            format!(
                "use a personal, project or group access token\n{}",
                findings.rehearse()
            ),
        ),
        Err(error) => Check::unread(scopes, error),
    });
    let Ok(details) = &identity.details else {
        checks.push(Check::unknown(
            expiry,
            "GitLab does not show when the token expires",
        ));
        return checks;
    };
    let date = details.expires_at.as_deref();
    checks.push(match date.map(|date| (date, date.parse::<NaiveDate>())) {
        None => Check::holds(expiry, "never"),
        Some((date, Err(_))) => Check::unknown(
            expiry,
            format!("on {date}, which is not a known form of date"),
        ),
        Some((_, Ok(date))) => {
            let days = (date - findings.now.date_naive()).num_days();
            let detail = format!(
                "on {date}, in {days} day{}",
                if days == 1 { "" } else { "s" }
            );
            match days {
                SOON.. => Check::holds(expiry, detail),
                _ => Check::warning(expiry, detail, rotate(identity, user)),
            }
        }
    });
    checks
}

fn rotate(identity: &TokenFindings, user: &User) -> String {
    let variable = identity.variable;
    let place = match ["project_", "group_"]
        .iter()
        .any(|kind| user.username.starts_with(kind))
    {
        true => "under Settings > Access tokens of its project or group".to_owned(),
        false => {
            format!(
                "{SIGNED_IN}, or with the token itself: POST /personal_access_tokens/self/rotate"
            )
        }
    };
    format!(
        "rotate it, so that the user stays the same, and set {variable} to the new token: {place}"
    )
}
