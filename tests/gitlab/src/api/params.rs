use super::Answer;
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value};

/// What an endpoint takes, by query or in the body.
#[derive(Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    kind: Kind,
    required: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    /// From 1.
    Positive,
    Boolean,
    Time,
    /// Of these words.
    OneOf(&'static str),
    /// Separated by commas, or a JSON array.
    List,
    Objects,
}

impl Param {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            required: false,
        }
    }

    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

pub const fn text(name: &'static str) -> Param {
    Param::new(name, Kind::Text)
}

pub const fn integer(name: &'static str) -> Param {
    Param::new(name, Kind::Integer)
}

pub const fn boolean(name: &'static str) -> Param {
    Param::new(name, Kind::Boolean)
}

pub const fn time(name: &'static str) -> Param {
    Param::new(name, Kind::Time)
}

pub const fn one_of(name: &'static str, words: &'static str) -> Param {
    Param::new(name, Kind::OneOf(words))
}

pub const fn list(name: &'static str) -> Param {
    Param::new(name, Kind::List)
}

pub const fn objects(name: &'static str) -> Param {
    Param::new(name, Kind::Objects)
}

pub const SORT: Param = one_of("sort", "asc desc");
pub const PAGING: [Param; 2] = [integer("page"), Param::new("per_page", Kind::Positive)];

/// The parameters of one request, all of them declared and checked.
pub struct Params(Map<String, Value>);

impl Params {
    pub fn check(given: Map<String, Value>, declared: &[Param]) -> Result<Self, Answer> {
        let missing: Vec<String> = declared
            .iter()
            .filter(|param| param.required && !given.contains_key(param.name))
            .map(|param| format!("{} is missing", param.name))
            .collect();
        if !missing.is_empty() {
            return Err(Answer::error(&missing.join(", ")));
        }
        for param in declared {
            let value = given.get(param.name).unwrap_or(&Value::Null);
            if let Some(fault) = param.kind.fault_of(value) {
                return Err(Answer::error(&format!("{} {fault}", param.name)));
            }
        }
        Ok(Self(
            given
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .collect(),
        ))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(scalar)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(as_boolean)
    }

    pub fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        as_time(&self.text(name)?)
    }

    /// Does it lie between `<name>_after` and `<name>_before`?
    pub fn within(&self, name: &str, time: DateTime<Utc>) -> bool {
        let after = self.time(&format!("{name}_after"));
        let before = self.time(&format!("{name}_before"));
        after.is_none_or(|after| time >= after) && before.is_none_or(|before| time <= before)
    }

    /// Is there no such filter, or does it let `actual` through?
    pub fn let_through(&self, name: &str, actual: &str) -> bool {
        self.text(name).is_none_or(|wanted| wanted == actual)
    }

    /// `sort`, where the newest come first by default.
    pub fn sorted<T>(&self, mut ascending: Vec<T>) -> Vec<T> {
        if self.text("sort").as_deref() != Some("asc") {
            ascending.reverse();
        }
        ascending
    }

    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        let items = match self.0.get(name)? {
            Value::Array(items) => items.iter().filter_map(scalar).collect(),
            value => scalar(value)?
                .split(',')
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        };
        Some(
            items
                .iter()
                .map(|item| item.trim().to_owned())
                .filter(|item| !item.is_empty())
                .collect(),
        )
    }

    pub fn objects(&self, name: &str) -> Vec<&Map<String, Value>> {
        let items = self.0.get(name).and_then(Value::as_array);
        items
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .collect()
    }

    /// Those that a link to another page repeats.
    pub fn but_for_paging(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0
            .iter()
            .filter(|(name, _)| !PAGING.iter().any(|param| param.name == *name))
    }
}

impl Kind {
    fn fault_of(self, value: &Value) -> Option<&'static str> {
        const INVALID: Option<&str> = Some("is invalid");
        if value.is_null() {
            return None;
        }
        let text = scalar(value);
        let number = text.as_ref().and_then(|text| text.parse::<i64>().ok());
        match self {
            Self::Text if text.is_none() => INVALID,
            Self::Integer | Self::Positive if number.is_none() => INVALID,
            Self::Positive if number < Some(1) => Some("does not have a valid value"),
            Self::Boolean if as_boolean(value).is_none() => INVALID,
            Self::Time if text.as_deref().and_then(as_time).is_none() => INVALID,
            Self::OneOf(words) if !words.split(' ').any(|word| Some(word) == text.as_deref()) => {
                Some("does not have a valid value")
            }
            Self::List if text.is_none() && !value.is_array() => INVALID,
            Self::Objects => match value.as_array() {
                Some(items) if items.iter().all(Value::is_object) => None,
                _ => INVALID,
            },
            _ => None,
        }
    }
}

pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn as_boolean(value: &Value) -> Option<bool> {
    match scalar(value)?.as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn as_time(text: &str) -> Option<DateTime<Utc>> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Some(date.and_hms_opt(0, 0, 0)?.and_utc());
    }
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

/// `a=1&b[]=2&b[]=3`, of a query or a form.
pub fn decode_form(form: &str) -> Map<String, Value> {
    let mut params = Map::new();
    for (name, value) in form_urlencoded::parse(form.as_bytes()) {
        let value = Value::String(value.into_owned());
        match name.strip_suffix("[]") {
            None => {
                params.insert(name.into_owned(), value);
            }
            Some(name) => match params
                .entry(name)
                .or_insert_with(|| Value::Array(Vec::new()))
            {
                Value::Array(items) => items.push(value),
                other => *other = value,
            },
        }
    }
    params
}
