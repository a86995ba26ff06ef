//! More patience than there is: whoever runs the container, or our own `shutdown_timeout`, kills before
//! a program's own time is over.

use super::{Advice, SectionProcesses, with_options};
use crate::config::Reading;
use crate::config::options::SectionKind;
use crate::model::Settings;

/// What there is to stop in.
#[derive(Clone, Copy)]
struct Bound {
    secs: i64,
    /// Behind the number, for messages.
    told: &'static str,
}

impl Bound {
    /// The lesser of both, or the one that is known; a `shutdown_timeout` that is not the lesser is reported.
    fn of(reading: &mut Reading<'_>, settings: &Settings, grace_secs: Option<i64>) -> Option<Self> {
        let grace = grace_secs.map(|secs| Self { secs, told: "that a container is given to stop (--grace)" });
        let timeout = settings.daemon.rules.shutdown_timeout_secs;
        let Some(secs) = timeout.map(|secs| i64::try_from(secs).unwrap_or(i64::MAX)) else { return grace };
        let Some(grace) = grace.filter(|grace| secs > grace.secs) else {
            return Some(Self { secs, told: "after which shutdown_timeout kills what is left" });
        };
        if let Some(section) = reading.document.section("supervisord") {
            let text =
                format!("shutdown_timeout={secs} is more than the {} seconds {}", grace.secs, grace.told);
            with_options(reading, section, SectionKind::Supervisord, |options| {
                Advice::new(text).tell(options, "shutdown_timeout");
            });
        }
        Some(grace)
    }
}

/// Only what was written counts: everybody has the default, and most programs stop at once.
pub(super) fn lint(
    reading: &mut Reading<'_>,
    settings: &Settings,
    programs: &[SectionProcesses<'_, '_>],
    grace_secs: Option<i64>,
) {
    let Some(bound) = Bound::of(reading, settings, grace_secs) else { return };
    let set: Vec<_> = programs.iter().filter_map(|program| wait_secs(reading, program)).collect();
    for wait in set.iter().filter(|wait| wait.secs > bound.secs) {
        let Bound { secs, told } = bound;
        let section = &wait.program.section.name;
        let text =
            format!("stopwaitsecs={} of [{section}] is more than the {secs} seconds {told}", wait.secs);
        wait.tell(reading, text);
    }
    if set.iter().all(|wait| wait.secs <= bound.secs) {
        lint_sum(reading, set, bound);
    }
}

/// A program that says itself how long it may take.
struct OwnStopTimeout<'p, 's, 'a> {
    program: &'p SectionProcesses<'s, 'a>,
    secs: i64,
}

impl OwnStopTimeout<'_, '_, '_> {
    fn tell(&self, reading: &mut Reading<'_>, text: String) {
        let SectionProcesses { section, .. } = self.program;
        with_options(reading, section, self.program.kind(), |options| {
            Advice::new(text).tell(options, "stopwaitsecs");
        });
    }
}

fn wait_secs<'p, 's, 'a>(
    reading: &mut Reading<'_>,
    program: &'p SectionProcesses<'s, 'a>,
) -> Option<OwnStopTimeout<'p, 's, 'a>> {
    let is_set =
        with_options(reading, program.section, program.kind(), |options| options.is_set("stopwaitsecs"));
    let process = program.processes.first().filter(|_| is_set == Some(true))?;
    Some(OwnStopTimeout { program, secs: process.stop_wait_secs })
}

/// Groups of one priority stop side by side, one priority after the other.
fn lint_sum(reading: &mut Reading<'_>, mut set: Vec<OwnStopTimeout<'_, '_, '_>>, bound: Bound) {
    set.sort_by_key(|wait| (std::cmp::Reverse(wait.program.group.priority), std::cmp::Reverse(wait.secs)));
    set.dedup_by_key(|wait| wait.program.group.priority);
    let sum = set.iter().fold(0, |sum: i64, wait| sum.saturating_add(wait.secs.max(0)));
    if let Some(last) = set.last().filter(|_| sum > bound.secs) {
        let each: Vec<_> = set.iter().map(|wait| wait.secs.to_string()).collect();
        let text = format!(
            "priorities stop one after the other, which may take {} = {sum} seconds: more than the {} {}",
            each.join(" + "),
            bound.secs,
            bound.told
        );
        last.tell(reading, text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::warnings_in;

    fn warnings(programs: &[(&str, &str)]) -> Vec<String> {
        let section = |(nth, (priority, secs)): (usize, &(&str, &str))| {
            format!("[program:p{nth}]\ncommand=a\n{priority}\n{secs}\n")
        };
        warnings_in(&programs.iter().enumerate().map(section).collect::<String>())
    }

    #[test]
    fn patience_beyond_the_bound_of_a_shutdown_is_told() {
        let none: [String; 0] = [];
        let program = "[program:p]\ncommand=a\nstopwaitsecs=";
        let with = |timeout: &str, wait: &str| {
            warnings_in(&format!("{program}{wait}\n[supervisord]\nshutdown_timeout={timeout}\n"))
        };
        assert_eq!(with("8", "8"), none);
        assert_eq!(
            with("8", "9"),
            [
                "4: stopwaitsecs=9 of [program:p] is more than the 8 seconds after which shutdown_timeout kills what is left"
            ]
        );
        assert_eq!(
            with("11", "9"),
            [
                "6: shutdown_timeout=11 is more than the 10 seconds that a container is given to stop (--grace)"
            ]
        );
    }

    #[test]
    fn patience_beyond_the_grace_period_is_told() {
        let none: [String; 0] = [];
        assert_eq!(warnings(&[("priority=1", "stopwaitsecs=10"), ("priority=2", "")]), none);
        assert_eq!(warnings(&[("priority=1", "stopwaitsecs=10"), ("priority=1", "stopwaitsecs=9")]), none);
        assert_eq!(warnings(&[("priority=1", "stopwaitsecs=6"), ("priority=2", "stopwaitsecs=4")]), none);
        assert_eq!(
            warnings(&[("", "stopwaitsecs=11")]),
            [
                "5: stopwaitsecs=11 of [program:p0] is more than the 10 seconds that a container is given to stop (--grace)"
            ]
        );
        assert_eq!(
            warnings(&[("priority=1", "stopwaitsecs=6"), ("priority=2", "stopwaitsecs=5")]),
            [
                "5: priorities stop one after the other, which may take 5 + 6 = 11 seconds: more than the 10 that a \
              container is given to stop (--grace)"
            ]
        );
    }
}
