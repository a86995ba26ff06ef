//! Stop timeouts beyond the limit: the container runtime, or our own `shutdown_timeout`, kills before a
//! program's own timeout has passed.

use std::collections::HashMap;

use super::{Advice, SectionProcesses, stop_chains, with_options};
use crate::config::Reading;
use crate::config::options::SectionKind;
use crate::model::Settings;
use crate::model::graph::Graph;

/// The time limit for stopping.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) secs: i64,
    /// The text after the number in messages.
    pub(super) limit: &'static str,
}

impl Bound {
    /// The smaller of both, or the known one; a `shutdown_timeout` that has no effect is reported.
    fn of(reading: &mut Reading<'_>, settings: &Settings, grace_secs: Option<i64>) -> Option<Self> {
        let grace =
            grace_secs.map(|secs| Self { secs, limit: "that a container is given to stop (--grace)" });
        let timeout = settings.daemon.rules.shutdown_timeout_secs;
        let Some(secs) = timeout.map(|secs| i64::try_from(secs).unwrap_or(i64::MAX)) else { return grace };
        let Some(grace) = grace.filter(|grace| secs > grace.secs) else {
            return Some(Self { secs, limit: "after which shutdown_timeout kills what is left" });
        };
        if let Some(section) = reading.document.section("supervisord") {
            let text =
                format!("shutdown_timeout={secs} is more than the {} seconds {}", grace.secs, grace.limit);
            with_options(reading, section, SectionKind::Supervisord, |options| {
                Advice::new(text).report(options, "shutdown_timeout");
            });
        }
        Some(grace)
    }
}

/// Checks only values in files: every program has the default, and most stop at once.
pub(super) fn lint(
    reading: &mut Reading<'_>,
    settings: &Settings,
    (programs, graph): (&[SectionProcesses<'_, '_>], &Graph),
    grace_secs: Option<i64>,
) {
    let Some(bound) = Bound::of(reading, settings, grace_secs) else { return };
    let set: HashMap<usize, i64> = programs
        .iter()
        .enumerate()
        .filter_map(|(index, program)| Some((index, wait_secs(reading, program)?)))
        .collect();
    let mut is_beyond = false;
    for (index, program) in programs.iter().enumerate() {
        let Some(&secs) = set.get(&index).filter(|secs| **secs > bound.secs) else { continue };
        let section = &program.section.name;
        let text = format!(
            "stopwaitsecs={secs} of [{section}] is more than the {} seconds {}",
            bound.secs, bound.limit
        );
        report(reading, program, text);
        is_beyond = true;
    }
    if !is_beyond {
        stop_chains::lint(reading, (programs, graph), &set, bound);
    }
}

/// Reports a finding about a program's `stopwaitsecs`.
pub(super) fn report(reading: &mut Reading<'_>, program: &SectionProcesses<'_, '_>, text: String) {
    with_options(reading, program.section, program.kind(), |options| {
        Advice::new(text).report(options, "stopwaitsecs");
    });
}

/// `stopwaitsecs`, if the program sets it itself.
fn wait_secs(reading: &mut Reading<'_>, program: &SectionProcesses<'_, '_>) -> Option<i64> {
    let is_set =
        with_options(reading, program.section, program.kind(), |options| options.is_set("stopwaitsecs"));
    program.processes.first().filter(|_| is_set == Some(true)).map(|process| process.stop_wait_secs)
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
    fn stop_times_beyond_the_shutdown_timeout_are_reported() {
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
    fn stop_times_beyond_the_grace_period_are_reported() {
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
