//! What was otherwise than expected, and what is told meanwhile.

use std::cell::RefCell;
use std::fmt::{Display, Write as _};
use std::io::{Write as _, stderr};

/// Told at once: the test harness keeps what is printed in the usual way until the end.
pub fn say(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}

#[derive(Default)]
pub struct Observations {
    step: RefCell<String>,
    list: RefCell<Vec<Observation>>,
}

struct Observation {
    step: String,
    expected: String,
    seen: String,
}

impl Observations {
    /// What follows belongs to this step.
    pub fn step(&self, step: &str) {
        say(format_args!("• {step}"));
        step.clone_into(&mut self.step.borrow_mut());
    }

    /// `expected` has to hold; if not, it is noted with what was `seen`, and things go on.
    pub fn expect(&self, expected: impl Display, holds: bool, seen: impl Display) {
        if !holds {
            self.note(expected, seen);
        }
    }

    pub fn note(&self, expected: impl Display, seen: impl Display) {
        let observation = Observation {
            step: self.step.borrow().clone(),
            expected: expected.to_string(),
            seen: seen.to_string(),
        };
        say(format_args!("  ✗ {}", observation.text("    ")));
        self.list.borrow_mut().push(observation);
    }

    /// All of them; empty if everything was as expected.
    pub fn summary(&self) -> String {
        let mut summary = String::new();
        for (number, observation) in self.list.borrow().iter().enumerate() {
            let text = observation.text("   ");
            let _ = writeln!(summary, "{}. {}: {text}", number + 1, observation.step);
        }
        summary
    }
}

impl Observation {
    fn text(&self, margin: &str) -> String {
        let seen = self.seen.trim().replace('\n', &format!("\n{margin}      "));
        format!("expected {}\n{margin}seen: {seen}", self.expected)
    }
}
