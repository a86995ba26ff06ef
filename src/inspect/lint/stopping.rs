//! Stop timeouts beyond the limit: the container runtime, or our own `shutdown_timeout`, kills before a
//! program's own timeout has passed.

use std::collections::HashMap;

use super::stop_time::{Bound, StopTime, report};
use super::{SectionProcesses, stop_chains};
use crate::config::Reading;
use crate::model::Settings;
use crate::model::graph::Graph;

/// Checks only values in files: every program has the default, and most stop at once.
pub(super) fn lint(
    reading: &mut Reading<'_>,
    settings: &Settings,
    (programs, graph): (&[SectionProcesses<'_, '_>], &Graph),
    grace_secs: Option<i64>,
) {
    let Some(bound) = Bound::of(reading, settings, grace_secs) else { return };
    let set: HashMap<usize, StopTime> = programs
        .iter()
        .enumerate()
        .filter_map(|(index, program)| Some((index, StopTime::of(reading, program)?)))
        .collect();
    let mut is_beyond = false;
    for (index, program) in programs.iter().enumerate() {
        let time = set.get(&index);
        if let Some((text, option)) = time.and_then(|time| time.excess(&program.section.name, bound)) {
            report(reading, program, option, text);
            is_beyond = true;
        }
    }
    if !is_beyond {
        stop_chains::lint(reading, (programs, graph), &set, bound);
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

    #[test]
    fn post_stop_follows_with_its_own_time() {
        let check = |lines: &str| warnings_in(&format!("[program:p]\ncommand=a\n{lines}\npost_stop=b\n"));
        let limit = "that a container is given to stop (--grace)";
        assert_eq!(
            check("stopwaitsecs=6\nhook_timeout=4.5"),
            [format!(
                "5: the stop of [program:p] with its post_stop may take 6 + 5 = 11 seconds (stopwaitsecs, hook_timeout): \
                 more than the 10 {limit}"
            )]
        );
        assert_eq!(
            check("hook_timeout=11"),
            [format!(
                "4: post_stop of [program:p] with hook_timeout=11 may take more than the 10 seconds {limit}"
            )]
        );
        let none: [String; 0] = [];
        for lines in ["stopwaitsecs=6\nhook_timeout=4", "stopwaitsecs=6", "hook_timeout=10"] {
            assert_eq!(check(lines), none, "{lines}");
        }
        let other_hook = "[program:p]\ncommand=a\nstopwaitsecs=10\nhook_timeout=9\npre_stop=b\n";
        assert_eq!(warnings_in(other_hook), none, "pre_stop runs within stopwaitsecs");
    }
}
