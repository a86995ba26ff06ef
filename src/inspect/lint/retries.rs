//! `startretries` values that are meant as "forever": Supervisor has no keyword for that, and -1 does the
//! opposite.

use super::{Advice, SectionProcesses, with_options};
use crate::config::Reading;
use crate::model::StartRetries;

/// This many waits, each a second longer than the previous one, take years.
const ENDLESS: i64 = 10_000;

/// Checks only values in files, once for each section.
pub(super) fn lint(reading: &mut Reading<'_>, programs: &[SectionProcesses<'_, '_>]) {
    for program in programs {
        let Some(StartRetries::Times(times)) = program.processes.first().map(|it| it.start_retries) else {
            continue;
        };
        let effect = match times {
            ..=-1 => "allows no retry: a program whose first start fails is FATAL at once",
            ENDLESS.. => "means for ever",
            _ => continue,
        };
        let text = format!("startretries={times} of [{}] {effect}", program.section.name);
        with_options(reading, program.section, program.kind(), |options| {
            let advice = Advice::new(text);
            Advice { suggestion: Some("forever".to_owned()), ..advice }.report(options, "startretries");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::warnings_in;

    #[test]
    fn numbers_that_mean_forever_are_reported() {
        let with = |value: &str| warnings_in(&format!("[program:a]\ncommand=a\nstartretries={value}\n"));
        let no_retry = "allows no retry: a program whose first start fails is FATAL at once";
        for (value, effect) in [("-1", no_retry), ("2000000000", "means for ever")] {
            assert_eq!(with(value), [format!("4: startretries={value} of [program:a] {effect}")]);
        }
        for value in ["0", "3", "1000", "forever", " Forever "] {
            assert_eq!(with(value), Vec::<String>::new(), "{value}");
        }
    }
}
