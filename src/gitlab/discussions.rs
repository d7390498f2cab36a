//! Reads discussions from the response as it arrives. Other people may write any number of notes of any length. Nothing
//! depends on their text, so it is dropped before the next note is read.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::answer::{Discussion, Note};

/// Reads a page of discussions, and keeps the text only of this user's notes.
pub fn with_texts_of(username: &str) -> Rows<OneDiscussion<'_>> {
    Rows(OneDiscussion(username))
}

/// Reads a list whose rows are each read by this seed.
#[derive(Clone, Copy)]
pub struct Rows<S>(S);

#[derive(Clone, Copy)]
pub struct OneDiscussion<'a>(&'a str);

#[derive(Clone, Copy)]
struct OneNote<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for OneDiscussion<'_> {
    type Value = Discussion;

    fn deserialize<D: Deserializer<'de>>(self, discussion: D) -> Result<Discussion, D::Error> {
        discussion.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneDiscussion<'_> {
    type Value = Discussion;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a discussion")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Discussion, A::Error> {
        let (mut id, mut notes) = (None, None);
        while let Some(field) = fields.next_key::<String>()? {
            match &*field {
                "id" => id = Some(fields.next_value()?),
                "notes" => notes = Some(fields.next_value_seed(Rows(OneNote(self.0)))?),
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Discussion {
            id: id.ok_or_else(|| Error::missing_field("id"))?,
            notes: notes.ok_or_else(|| Error::missing_field("notes"))?,
        })
    }
}

impl<'de> DeserializeSeed<'de> for OneNote<'_> {
    type Value = Note;

    fn deserialize<D: Deserializer<'de>>(self, note: D) -> Result<Note, D::Error> {
        let mut note = Note::deserialize(note)?;
        if note
            .author
            .as_ref()
            .is_some_and(|author| author.username != self.0)
        {
            note.body = String::new();
        }
        Ok(note)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for Rows<S> {
    type Value = Vec<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, list: D) -> Result<Self::Value, D::Error> {
        list.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for Rows<S> {
    type Value = Vec<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = list.next_element_seed(self.0)? {
            rows.push(row);
        }
        Ok(rows)
    }
}
