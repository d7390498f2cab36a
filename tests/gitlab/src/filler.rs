//! Long texts, which are made only while they are answered: so a test can have gigabytes of them.

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// No character of anybody's: it stands around what is to be filled in.
const AROUND: char = '\u{10FFFF}';
const AT_A_TIME: u64 = 64 << 10;

/// Stands for a text of so many such characters, in a note or wherever else people write.
pub fn filler(character: char, count: usize) -> String {
    format!("{AROUND}{count}:{character}{AROUND}")
}

/// A body with its fillers filled in.
pub struct Filled(VecDeque<Piece>);

/// A text, and how many times it stands there.
struct Piece(Bytes, u64);

impl Filled {
    /// `None` where there is nothing to fill in.
    pub fn new(json: &str) -> Option<Self> {
        let parts = json.split(AROUND).enumerate();
        let piece = |(index, part): (usize, &str)| match index % 2 {
            0 => vec![Piece(part.to_owned().into(), 1)],
            _ => many(part).unwrap_or_default(),
        };
        json.contains(AROUND)
            .then(|| Self(parts.flat_map(piece).collect()))
    }
}

/// As [`filler`] says it, the character as JSON has it.
fn many(filler: &str) -> Option<Vec<Piece>> {
    let (count, character) = filler.split_once(':')?;
    let count: u64 = count.parse().ok()?;
    let piece = |times: u64| Bytes::from(character.repeat(times as usize));
    Some(vec![
        Piece(piece(AT_A_TIME), count / AT_A_TIME),
        Piece(piece(count % AT_A_TIME), 1),
    ])
}

impl HttpBody for Filled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        while let Some(Piece(text, times)) = self.0.front_mut() {
            if *times > 0 && !text.is_empty() {
                *times -= 1;
                return Poll::Ready(Some(Ok(Frame::data(text.clone()))));
            }
            self.0.pop_front();
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        let size = |Piece(text, times): &Piece| text.len() as u64 * times;
        SizeHint::with_exact(self.0.iter().map(size).sum())
    }
}
