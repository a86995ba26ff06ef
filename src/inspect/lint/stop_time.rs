//! How long a program may take to stop, by its own options and by the limit.

use super::{Advice, SectionProcesses, with_options};
use crate::config::options::SectionKind;
use crate::config::{Reading, SectionReader};
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
    pub(super) fn of(
        reading: &mut Reading<'_>,
        settings: &Settings,
        grace_secs: Option<i64>,
    ) -> Option<Self> {
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
    pub(super) fn of(reading: &mut Reading<'_>, program: &SectionProcesses<'_, '_>) -> Option<Self> {
        let process = program.processes.first()?;
        let is_set = |options: &mut SectionReader<'_, '_>| {
            (options.is_set("stopwaitsecs"), options.is_set("hook_timeout"))
        };
        let (sets_wait, sets_timeout) = with_options(reading, program.section, program.kind(), is_set)?;
        let post_stop =
            process.lifecycle.hooks.as_ref().filter(|hooks| sets_timeout && hooks.post_stop.is_some());
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
    pub(super) fn excess(self, section: &str, bound: Bound) -> Option<(String, &'static str)> {
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
