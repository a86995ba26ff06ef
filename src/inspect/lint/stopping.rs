//! Stop timeouts beyond the limit: the container runtime, or our own `shutdown_timeout`, kills before a
//! program's own timeout has passed.

use std::collections::HashMap;

use super::{Advice, SectionProcesses, stop_chains, with_options};
use crate::config::options::SectionKind;
use crate::config::{Reading, SectionReader};
use crate::model::graph::Graph;
use crate::model::{Settings, counted};

/// The time limit for stopping.
#[derive(Clone, Copy)]
pub(super) struct Bound {
    pub(super) secs: i64,
    /// The text after the number in messages.
    pub(super) limit: &'static str,
}

impl Bound {
    /// `10 seconds that a container is given to stop (--grace)`
    fn text(self) -> String {
        format!("{} {}", counted(self.secs, "second", "seconds"), self.limit)
    }

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
            let text = format!("shutdown_timeout={secs} is more than the {}", grace.text());
            with_options(reading, section, SectionKind::Supervisord, |options| {
                Advice::new(text).report(options, "shutdown_timeout");
            });
        }
        Some(grace)
    }
}

/// The seconds that a program sets itself for its stop.
#[derive(Clone, Copy)]
pub(super) struct StopTime {
    /// `stopwaitsecs`, which includes `pre_stop`.
    wait_secs: i64,
    /// `hook_timeout` of a `post_stop`, which follows.
    pub(super) post_stop_secs: i64,
}

impl StopTime {
    /// `None` if the program sets neither.
    fn of(reading: &mut Reading<'_>, program: &SectionProcesses<'_, '_>) -> Option<Self> {
        let process = program.processes.first()?;
        let is_set = |options: &mut SectionReader<'_, '_>| {
            (options.is_set("stopwaitsecs"), options.is_set("hook_timeout"))
        };
        let (sets_wait, sets_timeout) = with_options(reading, program.section, program.kind(), is_set)?;
        let post_stop = process.hooks.as_ref().filter(|hooks| sets_timeout && hooks.post_stop.is_some());
        let post_stop_secs = post_stop.map(|hooks| hooks.timeout.as_secs_f64().ceil() as i64);
        (sets_wait || post_stop_secs.is_some()).then(|| Self {
            wait_secs: if sets_wait { process.stop_wait_secs.max(0) } else { 0 },
            post_stop_secs: post_stop_secs.unwrap_or(0),
        })
    }

    pub(super) fn secs(self) -> i64 {
        self.wait_secs.saturating_add(self.post_stop_secs)
    }

    /// Why it is beyond the limit, and the option to change.
    fn excess(self, section: &str, bound: Bound) -> Option<(String, &'static str)> {
        let Self { wait_secs, post_stop_secs } = self;
        let Bound { secs, limit } = bound;
        let bound = bound.text();
        if wait_secs > secs {
            let text = format!("stopwaitsecs={wait_secs} of [{section}] is more than the {bound}");
            return Some((text, "stopwaitsecs"));
        }
        if self.secs() <= secs {
            return None;
        }
        let text = if wait_secs == 0 {
            format!(
                "post_stop of [{section}] with hook_timeout={post_stop_secs} may take more than the {bound}"
            )
        } else {
            format!(
                "the stop of [{section}] with its post_stop may take {wait_secs} + {post_stop_secs} = {} seconds \
                 (stopwaitsecs, hook_timeout): more than the {secs} {limit}",
                self.secs()
            )
        };
        Some((text, "hook_timeout"))
    }

    /// The option to which a finding about several programs belongs.
    pub(super) fn option(self) -> &'static str {
        if self.wait_secs > 0 { "stopwaitsecs" } else { "hook_timeout" }
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

/// Reports a finding about the time for which a program may stop.
pub(super) fn report(
    reading: &mut Reading<'_>,
    program: &SectionProcesses<'_, '_>,
    option: &str,
    text: String,
) {
    with_options(reading, program.section, program.kind(), |options| {
        Advice::new(text).report(options, option);
    });
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
