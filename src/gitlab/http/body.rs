//! Reads the body of a response as it arrives, and keeps no more in memory than the longest text that matters.

use std::fmt;
use std::io::{self, Read};

/// Bytes of one JSON string. A longer one is read as null: none of the bot's notes is that long.
pub const LONGEST_TEXT: usize = 64 << 10;
/// Bytes of the body that are logged.
const LOGGED: usize = 16 << 10;
const AT_A_TIME: usize = 16 << 10;

pub struct Body<R> {
    answer: R,
    /// How many more bytes are allowed.
    left: u64,
    longest_text: usize,
    received: u64,
    beginning: Vec<u8>,
    /// Received but not passed on yet.
    pending: Vec<u8>,
    /// Where in `pending` an unfinished string begins.
    text: Option<usize>,
    is_escaped: bool,
    is_too_long: bool,
}

/// The body is larger than allowed.
#[derive(Debug, thiserror::Error)]
#[error("it is too large")]
pub struct TooLarge;

impl<R: Read> Body<R> {
    pub fn new(answer: R, most: u64, longest_text: usize) -> Self {
        Self {
            answer,
            left: most,
            longest_text,
            received: 0,
            beginning: Vec::new(),
            pending: Vec::new(),
            text: None,
            is_escaped: false,
            is_too_long: false,
        }
    }

    pub fn received(&self) -> u64 {
        self.received
    }

    /// Returns `false` at the end of the body.
    fn receive(&mut self) -> io::Result<bool> {
        let mut bytes = [0; AT_A_TIME];
        let count = self.answer.read(&mut bytes)?;
        let bytes = &bytes[..count];
        self.received += count as u64;
        self.left = match self.left.checked_sub(count as u64) {
            Some(left) => left,
            None => return Err(io::Error::other(TooLarge)),
        };
        let logged = LOGGED - self.beginning.len();
        self.beginning.extend(bytes.iter().take(logged));
        bytes.iter().for_each(|byte| self.take(*byte));
        Ok(count > 0)
    }

    fn take(&mut self, byte: u8) {
        if !self.is_too_long {
            self.pending.push(byte);
        }
        let Some(begun) = self.text else {
            self.text = (byte == b'"').then(|| self.pending.len() - 1);
            return;
        };
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => {
                if std::mem::take(&mut self.is_too_long) {
                    self.pending.extend(b"null");
                }
                self.text = None;
            }
            _ => {}
        }
        if self.text.is_some() && self.pending.len() - begun > self.longest_text {
            self.pending.truncate(begun);
            self.is_too_long = true;
        }
    }
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let ready = self.text.unwrap_or(self.pending.len());
            let count = ready.min(buffer.len());
            if count > 0 {
                buffer[..count].copy_from_slice(&self.pending[..count]);
                self.pending.drain(..count);
                self.text = self.text.map(|begun| begun - count);
                return Ok(count);
            }
            if !self.receive()? {
                return Ok(0);
            }
        }
    }
}

/// For the log.
impl<R> fmt::Display for Body<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.beginning))?;
        match self.received > self.beginning.len() as u64 {
            true => write!(f, "… ({} bytes)", self.received),
            false => Ok(()),
        }
    }
}
