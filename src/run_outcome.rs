//! The outcome of a run: its report, warnings, errors and exit status.

use crate::cli::WrongSetting;
use crate::gitlab::ConnectError;

#[derive(Debug)]
pub struct RunOutcome {
    /// For standard output, with colours if it is for people.
    pub report: String,
    /// For standard error, one sentence each.
    pub warnings: Vec<String>,
    pub errors: Vec<String>,
    pub exit: Exit,
}

/// The exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done = 0,
    /// Something failed; everything else was still carried out.
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

    /// For an error that kept the whole run from being done.
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
