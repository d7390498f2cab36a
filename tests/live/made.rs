//! What is made on the server, and its deletion whatever happens.

use std::cell::{Cell, RefCell};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, encoded};
use crate::observations::say;

/// Projects are deleted in the background.
const DELETION: Duration = Duration::from_secs(90);

#[derive(Clone, Debug)]
pub struct Project {
    pub id: u64,
    pub path: String,
    pub url: String,
}

pub struct Group {
    pub id: u64,
    pub path: String,
}

pub struct Made {
    api: Api,
    pause: Duration,
    pub group: Group,
    /// By path, from before they are asked for: an answer may get lost.
    projects: RefCell<Vec<String>>,
    token: Cell<Option<u64>>,
}

impl Made {
    pub fn nothing_yet(api: &Api, pause: Duration, group: Group) -> Self {
        Self {
            api: api.clone(),
            pause,
            group,
            projects: RefCell::default(),
            token: Cell::default(),
        }
    }

    /// A private, empty project in the group.
    pub fn project(&self, name: &str) -> Result<Project> {
        let body = json!({
            "name": name,
            "path": name,
            "namespace_id": self.group.id,
            "visibility": "private",
        });
        self.make("/projects", name, &body)
    }

    /// Also in the group: a user who is a bot has no namespace of its own.
    pub fn fork(&self, of: &Project, name: &str) -> Result<Project> {
        let body = json!({ "namespace_path": self.group.path, "name": name, "path": name });
        self.make(&format!("/projects/{}/fork", of.id), name, &body)
    }

    fn make(&self, how: &str, name: &str, body: &Value) -> Result<Project> {
        let path = format!("{}/{name}", self.group.path);
        self.projects.borrow_mut().push(path);
        let project = self.api.post(how, body)?;
        let text = |field: &str| project[field].as_str().unwrap_or_default().to_owned();
        let url = text("web_url");
        say(format_args!("  made {url}"));
        Ok(Project {
            id: project["id"].as_u64().context("a project has an id")?,
            path: text("path_with_namespace"),
            url,
        })
    }

    /// A token of the group, with a user of its own who is Maintainer, for today; or why there is
    /// none.
    pub fn group_token(&self, name: &str) -> Result<String> {
        let tomorrow = chrono::Utc::now().date_naive() + chrono::Days::new(1);
        let body = json!({
            "name": name,
            "scopes": ["api"],
            "access_level": 40,
            "expires_at": tomorrow.to_string(),
        });
        let token = self.api.post(&self.tokens(), &body)?;
        let id = token["id"].as_u64().context("a token has an id")?;
        self.token.set(Some(id));
        let secret = token["token"]
            .as_str()
            .context("a new token is shown once")?;
        Ok(secret.to_owned())
    }

    fn tokens(&self) -> String {
        format!("/groups/{}/access_tokens", self.group.id)
    }

    /// Takes everything away; what stays is told.
    pub fn delete(&self) -> Vec<String> {
        let mut stays = Vec::new();
        // Forks first: the latest of them.
        let projects = self.projects.take();
        for path in projects.iter().rev() {
            if let Err(error) = self.delete_project(path) {
                stays.push(format!("{path} stays: {error:#}"));
            }
        }
        if let Some(token) = self.token.take()
            && let Err(error) = self.delete_token(token)
        {
            stays.push(format!("the group's access token {token} stays: {error:#}"));
        }
        stays
    }

    fn delete_token(&self, id: u64) -> Result<()> {
        let path = format!("{}/{id}", self.tokens());
        let answer = self.api.ask(Method::DELETE, &path, None)?;
        match answer.status {
            204 | 404 => Ok(()),
            status => bail!("DELETE is answered with {status}: {}", answer.body),
        }
    }

    /// Where the server puts it off, a second request asks for it at once: with the name that the
    /// project has got by then.
    fn delete_project(&self, path: &str) -> Result<()> {
        let found = self
            .api
            .ask(Method::GET, &format!("/projects/{}", encoded(path)), None)?;
        let Some(id) = found.json()["id"].as_u64() else {
            ensure!(
                found.status == 404,
                "GET is answered with {}: {}",
                found.status,
                found.body
            );
            return Ok(());
        };
        let address = format!("/projects/{id}");
        let answer = self.api.ask(Method::DELETE, &address, None)?;
        if !matches!(answer.status, 202 | 404) {
            bail!("DELETE is answered with {}: {}", answer.status, answer.body);
        }
        let begun = Instant::now();
        let mut asked = false;
        while begun.elapsed() < DELETION {
            let answer = self.api.ask(Method::GET, &address, None)?;
            if answer.status == 404 {
                say(format_args!("  deleted {path}"));
                return Ok(());
            }
            let now = answer.json();
            let is_put_off = ["marked_for_deletion_on", "marked_for_deletion_at"];
            if !asked && is_put_off.iter().any(|field| now[field].is_string()) {
                asked = true;
                let path = now["path_with_namespace"].as_str().unwrap_or_default();
                let at_once = format!(
                    "{address}?permanently_remove=true&full_path={}",
                    encoded(path)
                );
                let answer = self.api.ask(Method::DELETE, &at_once, None)?;
                if !matches!(answer.status, 202 | 404) {
                    bail!(
                        "it is only marked for deletion, as the server wants it: {}",
                        answer.body
                    );
                }
            }
            thread::sleep(self.pause);
        }
        bail!("it is not deleted after {} seconds", DELETION.as_secs())
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for complaint in self.delete() {
            say(complaint);
        }
    }
}
