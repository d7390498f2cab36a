//! What a run came to: its report, what went wrong, and the exit status.

use crate::cli::WrongSetting;
use crate::gitlab::ConnectError;

#[derive(Debug)]
pub struct RunOutcome {
    /// For standard output; in colour where it is for people.
    pub report: String,
    /// For standard error, each in a sentence.
    pub warnings: Vec<String>,
    pub errors: Vec<String>,
    pub exit: Exit,
}

/// The exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// Everything else was still carried out.
    Failed = 1,
    Unusable = 2,
    /// `trigger --wait`: the benchmark did not succeed.
    Unsuccessful = 3,
}

impl RunOutcome {
    pub fn done(report: String) -> Self {
        Self {
            report,
            warnings: Vec::new(),
            errors: Vec::new(),
            exit: Exit::Done,
        }
    }

    /// An error that kept all of it from being done.
    pub fn of_error(error: &anyhow::Error) -> Self {
        let setting = error.is::<WrongSetting>()
            || matches!(error.downcast_ref(), Some(ConnectError::Setting(_)));
        Self {
            report: String::new(),
            warnings: Vec::new(),
            errors: vec![format!("{error:#}")],
            exit: if setting {
                Exit::Unusable
            } else {
                Exit::Failed
            },
        }
    }
}
