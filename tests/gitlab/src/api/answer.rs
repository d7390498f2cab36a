use crate::world::Refusal;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
}

#[derive(Debug)]
pub enum Body {
    Empty,
    Json(Value),
    Text(String),
}

impl Answer {
    fn new(status: u16, body: Body) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    pub fn json(status: u16, body: Value) -> Self {
        Self::new(status, Body::Json(body))
    }

    pub fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub fn created(body: Value) -> Self {
        Self::json(201, body)
    }

    pub fn no_content() -> Self {
        Self::new(204, Body::Empty)
    }

    pub fn text(status: u16, body: String) -> Self {
        Self::new(status, Body::Text(body))
    }

    pub fn message(status: u16, message: &str) -> Self {
        Self::json(status, json!({ "message": message }))
    }

    /// What is found wrong before the endpoint itself is reached.
    pub fn error(error: &str) -> Self {
        Self::json(400, json!({ "error": error }))
    }

    pub fn no_route() -> Self {
        Self::json(404, json!({ "error": "404 Not Found" }))
    }

    pub fn unauthorized() -> Self {
        Refusal::Unauthorized.into()
    }

    pub fn forbidden() -> Self {
        Refusal::Forbidden.into()
    }

    pub fn not_found(thing: &str) -> Self {
        Refusal::not_found(thing).into()
    }

    pub fn no_record() -> Self {
        Refusal::NoRecord.into()
    }

    /// Takes a field out of every object, at any depth.
    pub fn without(mut self, field: &str) -> Self {
        if let Body::Json(json) = &mut self.body {
            take_out(json, field);
        }
        self
    }

    /// The fields of its objects, at any depth.
    pub fn fields(&self) -> BTreeSet<String> {
        let mut fields = BTreeSet::new();
        if let Body::Json(json) = &self.body {
            collect_fields(json, &mut fields);
        }
        fields
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unauthorized => Self::message(401, "401 Unauthorized"),
            Refusal::Forbidden => Self::message(403, "403 Forbidden"),
            Refusal::ForbiddenAs(reason) => {
                Self::message(403, &format!("403 Forbidden - {reason}"))
            }
            Refusal::NotFound(thing) => Self::message(404, &format!("404 {thing} Not Found")),
            Refusal::NoRecord => Self::message(404, "404 Not found"),
            Refusal::BadRequest(reason) => {
                Self::message(400, &format!("400 Bad request - {reason}"))
            }
            Refusal::Plain(reason) => Self::message(400, &reason),
            Refusal::Conflict(reason) => Self::json(409, json!({ "message": [reason] })),
            Refusal::ServerError => Self::message(500, "500 Internal Server Error"),
            Refusal::Invalid(faults) => {
                let faults: Map<String, Value> = faults
                    .into_iter()
                    .map(|(field, fault)| (field, json!([fault])))
                    .collect();
                Self::json(400, json!({ "message": faults }))
            }
        }
    }
}

fn collect_fields(json: &Value, fields: &mut BTreeSet<String>) {
    match json {
        Value::Array(rows) => rows.iter().for_each(|row| collect_fields(row, fields)),
        Value::Object(object) => {
            for (field, value) in object {
                fields.insert(field.clone());
                collect_fields(value, fields);
            }
        }
        _ => {}
    }
}

fn take_out(json: &mut Value, field: &str) {
    match json {
        Value::Object(object) => {
            object.remove(field);
            object.values_mut().for_each(|value| take_out(value, field));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| take_out(item, field)),
        _ => {}
    }
}
