//! How many lines the activity log gets about requests that are refused: a client can repeat them without end.

use std::time::Duration;

use crate::model::Mono;

/// Lines in a [`REFUSAL_WINDOW`]; what is refused beyond that is counted.
const REFUSAL_LINES_MAX: u32 = 10;

/// The time in which lines are counted. It begins with the first of them.
const REFUSAL_WINDOW: Duration = Duration::from_secs(10);

/// The lines of the current window.
#[derive(Debug, Default)]
pub(super) struct RefusalLog {
    began: Option<Mono>,
    lines: u32,
    omitted: u64,
}

impl RefusalLog {
    /// The line about a refusal, if there is room for it. It says how many were omitted before.
    pub(super) fn line(&mut self, now: Mono, text: &str) -> Option<String> {
        if self.began.is_none_or(|began| began.after(REFUSAL_WINDOW) <= now) {
            (self.began, self.lines) = (Some(now), 0);
        }
        if self.lines == REFUSAL_LINES_MAX {
            self.omitted = self.omitted.saturating_add(1);
            return None;
        }
        self.lines += 1;
        Some(match std::mem::take(&mut self.omitted) {
            0 => format!("refused {text}"),
            omitted => format!("refused {text} ({omitted} more refusals before it were not logged)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_beyond_the_bound_are_counted() {
        let (mut log, start) = (RefusalLog::default(), Mono::default().after(REFUSAL_WINDOW));
        let lines =
            |log: &mut RefusalLog, now| (0..13).filter_map(|_| log.line(now, "x")).collect::<Vec<_>>();
        assert_eq!(lines(&mut log, start), ["refused x"; 10]);
        assert_eq!(log.line(start, "x"), None);
        let later = lines(&mut log, start.after(REFUSAL_WINDOW));
        assert_eq!(later[0], "refused x (4 more refusals before it were not logged)");
        assert_eq!(later[1..], ["refused x"; 9]);
    }
}
