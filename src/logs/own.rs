//! The format of the supervisor's own lines among those of programs.

use sv_lines::{LABEL_WIDTH_MAX, quoted};

use super::moment::rfc3339;
use super::shape::Shaper;
use crate::model::{LogFormat, LogLevel, Wall};

/// The label of our own lines with `log_format=prefix`.
pub const OWN_LABEL: &str = "sv";

/// The same format as the default of programs, so that one parser can read everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OwnForm {
    /// Supervisor's format.
    #[default]
    Plain,
    /// `sv     | INFO spawned: …`
    Prefix {
        /// The width of the column of names.
        width: usize,
        /// Whether lines begin with a timestamp.
        timestamp: bool,
    },
    /// A JSON object per line.
    Json {
        /// The supervisor's identifier, as the name of the program.
        identifier: String,
        /// Our pid.
        pid: i32,
    },
}

impl OwnForm {
    /// The format for programs that have this one.
    #[must_use]
    pub fn beside(format: LogFormat, timestamp: bool, identifier: &str, pid: i32) -> Self {
        match format {
            LogFormat::Raw => Self::Plain,
            LogFormat::Prefix => Self::Prefix { width: OWN_LABEL.len(), timestamp },
            LogFormat::Json => Self::Json { identifier: identifier.to_owned(), pid },
        }
    }

    /// Sets the width of the column of names.
    pub fn set_width(&mut self, column: usize) {
        if let Self::Prefix { width, .. } = self {
            *width = column.clamp(OWN_LABEL.len(), LABEL_WIDTH_MAX);
        }
    }

    /// A message in this format, with line endings; `None` for Supervisor's format.
    #[must_use]
    pub fn line(&self, when: Wall, level: LogLevel, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Plain => None,
            Self::Prefix { width, timestamp } => {
                let mut line = Vec::new();
                let message = format!("{} {text}\n", level.tag());
                let mut shaper = Shaper::prefix(OWN_LABEL, *width, None, *timestamp);
                let mut buffer = Vec::new();
                shaper
                    .feed(message.as_bytes(), when, &mut buffer, &mut |bytes| line.extend_from_slice(bytes));
                Some(line)
            }
            Self::Json { identifier, pid } => {
                Some(activity_object(&rfc3339(when), identifier, *pid, level.tag(), text).into_bytes())
            }
        }
    }
}

/// A line of the supervisor itself among those of its programs.
fn activity_object(time: &str, identifier: &str, pid: i32, level: &str, message: &str) -> String {
    let [time, identifier, level, message] = [time, identifier, level, message].map(quoted);
    format!(
        "{{\"time\":{time},\"program\":{identifier},\"level\":{level},\"pid\":{pid},\"message\":{message}}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHEN: Wall = Wall { unix_ms: 1_795_191_096_042, utc_offset_secs: 0 };

    fn line(form: &OwnForm, text: &str) -> Option<String> {
        form.line(WHEN, LogLevel::Info, text).map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn our_lines_have_the_form_of_the_programs_lines() {
        let form = |format, timestamp| OwnForm::beside(format, timestamp, "supervisor", 1);
        assert_eq!(line(&form(LogFormat::Raw, true), "x"), None);
        let mut prefix = form(LogFormat::Prefix, false);
        assert_eq!(line(&prefix, "x").as_deref(), Some("sv | INFO x\n"));
        prefix.set_width(6);
        assert_eq!(line(&prefix, "x\ny").as_deref(), Some("sv     | INFO x\nsv     | y\n"));
        prefix.set_width(0);
        assert_eq!(line(&prefix, "x").as_deref(), Some("sv | INFO x\n"));
        let timed = form(LogFormat::Prefix, true);
        assert_eq!(line(&timed, "x").as_deref(), Some("2026-11-20T16:11:36.042Z sv | INFO x\n"));
        let json = line(&form(LogFormat::Json, true), "x \"y\"").unwrap();
        assert!(
            json.starts_with("{\"time\":\"2026-11-20T16:11:36.042Z\",\"program\":\"supervisor\""),
            "{json}"
        );
        assert!(json.ends_with("\"level\":\"INFO\",\"pid\":1,\"message\":\"x \\\"y\\\"\"}\n"), "{json}");
    }
}
