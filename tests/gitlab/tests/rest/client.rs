//! A client that sees the bare answer.

use in_memory_gitlab::{BOT_TOKEN, Gitlab};
use serde_json::Value;
use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

pub struct Client {
    host: String,
    prefix: String,
    header: Option<String>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }

    /// One field of each row.
    pub fn column(&self, field: &str) -> Vec<Value> {
        let json = self.json();
        let rows = json.as_array().unwrap_or_else(|| panic!("no list: {json}"));
        rows.iter().map(|row| row[field].clone()).collect()
    }
}

/// The bot's.
pub fn client(gitlab: &Gitlab) -> Client {
    Client::anonymous(gitlab).with_token(BOT_TOKEN)
}

impl Client {
    pub fn anonymous(gitlab: &Gitlab) -> Self {
        let address = gitlab.url().strip_prefix("http://").expect("plain HTTP");
        let (host, path) = address.split_once('/').unwrap_or((address, ""));
        let path = if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        };
        Self {
            host: host.to_owned(),
            prefix: format!("{path}/api/v4"),
            header: None,
        }
    }

    pub fn with_token(self, token: &str) -> Self {
        self.with_header(&format!("PRIVATE-TOKEN: {token}"))
    }

    pub fn with_header(mut self, header: &str) -> Self {
        self.header = Some(format!("{header}\r\n"));
        self
    }

    pub fn outside_the_api(mut self) -> Self {
        self.prefix = String::new();
        self
    }

    pub fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, "")
    }

    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.ask("POST", path, &body.to_string())
    }

    pub fn put(&self, path: &str, body: Value) -> Reply {
        self.ask("PUT", path, &body.to_string())
    }

    pub fn delete(&self, path: &str) -> Reply {
        self.ask("DELETE", path, "")
    }

    pub fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        self.try_ask(method, path, body).expect("an answer")
    }

    /// Fails if the connection is closed without an answer, or none comes in time.
    pub fn try_ask(&self, method: &str, path: &str, body: &str) -> Result<Reply> {
        let mut stream = TcpStream::connect(&self.host)?;
        stream.set_read_timeout(Some(Duration::from_millis(300)))?;
        let (host, prefix, length) = (&self.host, &self.prefix, body.len());
        let header = self.header.as_deref().unwrap_or_default();
        let kind = if body.starts_with('{') {
            "json"
        } else {
            "x-www-form-urlencoded"
        };
        write!(
            stream,
            "{method} {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\
             Content-Type: application/{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.ok_or(std::io::ErrorKind::InvalidData)?;
        Ok(Reply {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }
}
