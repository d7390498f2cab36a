use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// A request to the API, as the log keeps it.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub method: String,
    /// Decoded, without `/api/v4`.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Null where there is none.
    pub body: Value,
    /// Whose token it bore.
    pub user: Option<String>,
    /// What the client got: nothing, if the connection was closed.
    pub status: Option<u16>,
    /// The fields of the objects in the answer, at any depth.
    pub fields: BTreeSet<String>,
}

impl Request {
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for (number, (name, value)) in self.query.iter().enumerate() {
            write!(f, "{}{name}={value}", if number == 0 { '?' } else { '&' })?;
        }
        if self.body.is_null() {
            Ok(())
        } else {
            write!(f, " {}", self.body)
        }
    }
}
