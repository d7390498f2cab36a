//! GitLab's REST API, as a person's script uses it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::blocking::Client;
use reqwest::{Certificate, Method};
use serde_json::{Value, json};

const TRIES: u32 = 4;

/// Ctrl-C was pressed: nothing more is begun, but what was made is deleted.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

#[derive(Clone)]
pub struct Api {
    client: Client,
    base: String,
    token: String,
}

pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
}

impl Api {
    pub fn new(url: &str, token: &str) -> Result<Self> {
        // Fails only where a provider is installed already, which is then as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder().timeout(Duration::from_secs(60));
        if let Some(file) = std::env::var_os("CI_SERVER_TLS_CA_FILE") {
            let pem = std::fs::read(file).context("CI_SERVER_TLS_CA_FILE")?;
            client = client.tls_certs_merge(Certificate::from_pem_bundle(&pem)?);
        }
        let client = client.build()?;
        Ok(Self {
            client,
            base: format!("{url}/api/v4"),
            token: token.to_owned(),
        })
    }

    /// The answer, whatever it is. Reads are tried again where that may help.
    pub fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut tries = 0;
        loop {
            tries += 1;
            let answer = self.ask_once(method.clone(), path, body);
            let passes = match &answer {
                Ok(answer) => matches!(answer.status, 429 | 500..),
                Err(_) => true,
            };
            if !passes || method != Method::GET || tries == TRIES {
                return answer;
            }
            thread::sleep(Duration::from_secs(2).saturating_mul(tries * tries));
        }
    }

    fn ask_once(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let url = format!("{}{path}", self.base);
        let request = self.client.request(method.clone(), url);
        let request = request.header("PRIVATE-TOKEN", &self.token);
        let request = body
            .into_iter()
            .fold(request, |request, body| request.json(body));
        let answer = request.send().with_context(|| format!("{method} {path}"))?;
        Ok(Answer {
            status: answer.status().as_u16(),
            body: answer.text().with_context(|| format!("{method} {path}"))?,
        })
    }

    fn expect(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        status: u16,
    ) -> Result<Answer> {
        ensure!(!INTERRUPTED.load(Ordering::Relaxed), "interrupted");
        let answer = self.ask(method.clone(), path, body)?;
        if answer.status != status {
            let start: String = answer.body.chars().take(500).collect();
            bail!(
                "{method} {path} is answered with {} instead of {status}: {start}",
                answer.status
            );
        }
        Ok(answer)
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        Ok(self.expect(Method::GET, path, None, 200)?.json())
    }

    pub fn text(&self, path: &str) -> Result<String> {
        Ok(self.expect(Method::GET, path, None, 200)?.body)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.expect(Method::POST, path, Some(body), 201)?.json())
    }

    pub fn put(&self, path: &str, body: &Value) -> Result<Value> {
        Ok(self.expect(Method::PUT, path, Some(body), 200)?.json())
    }

    /// All rows of a list.
    pub fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut rows = Vec::new();
        for page in 1.. {
            let path = format!("{path}{mark}per_page=100&page={page}");
            match self.get(&path)? {
                Value::Array(some) if !some.is_empty() => rows.extend(some),
                _ => break,
            }
        }
        Ok(rows)
    }

    /// A commit of whole files: `create` or `update`, path and content of each.
    pub fn commit(
        &self,
        project: u64,
        branch: &Branch,
        files: &[(&str, &str, &str)],
    ) -> Result<String> {
        let actions: Vec<Value> = files
            .iter()
            .map(|(action, path, content)| json!({ "action": action, "file_path": path, "content": content }))
            .collect();
        let mut body = json!({
            "branch": branch.name,
            "commit_message": format!("Work on {}", branch.name),
            "actions": actions,
        });
        if let Some(start) = branch.from {
            body["start_branch"] = json!(start);
        }
        let commit = self.post(&format!("/projects/{project}/repository/commits"), &body)?;
        let sha = commit["id"].as_str().context("a commit has an id")?;
        Ok(sha.to_owned())
    }
}

/// One that is there, or a new one from another.
pub struct Branch<'a> {
    pub name: &'a str,
    pub from: Option<&'a str>,
}

/// For one segment of a path, or a value in a query.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
