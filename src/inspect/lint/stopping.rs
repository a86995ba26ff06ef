//! More patience than there is: whoever runs the container, or our own `shutdown_timeout`, kills before
//! a program's own time is over.

use std::collections::HashMap;

use super::{Advice, SectionProcesses, stop_chains, with_options};
use crate::config::Reading;
use crate::config::options::SectionKind;
use crate::model::Settings;
use crate::model::graph::Graph;

/// What there is to stop in.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) secs: i64,
    /// Behind the number, for messages.
    pub(super) told: &'static str,
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
            bound.secs, bound.told
        );
        tell(reading, program, text);
        is_beyond = true;
    }
    if !is_beyond {
        stop_chains::lint(reading, (programs, graph), &set, bound);
    }
}

/// Says something of a program's `stopwaitsecs`.
pub(super) fn tell(reading: &mut Reading<'_>, program: &SectionProcesses<'_, '_>, text: String) {
    with_options(reading, program.section, program.kind(), |options| {
        Advice::new(text).tell(options, "stopwaitsecs");
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
