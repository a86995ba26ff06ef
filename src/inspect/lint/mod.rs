//! Likely mistakes that are legal: only `sv check` reports them.
//!
//! A lint reports what is certain to fail, or not to do what its author meant, with the settings that were
//! read and the current machine; anything that may be intended is not reported. All lints are warnings, at
//! the place of the option that they are about.
//!
//! * `programs`: commands that can't be run, missing folders, users that we can't switch to;
//! * `shell`: commands written for a shell, and those that daemonize;
//! * `logs`: one file with two writers;
//! * `files`: logs, pid files and sockets that we can't create;
//! * `stopping`: stops that take longer than the grace period of a container; `stop_chains`: those that follow each other;
//! * `priorities`: priorities that contradict dependencies;
//! * `lifecycle`: options of readiness, health, restarts and schedules that have no effect, and the effect of the
//!   others;
//! * `limits`: limits and privileges that we have no right to set;
//! * `repeated`: options that a file sets twice;
//! * `retries`: numbers of retries that mean forever;
//! * `servers`: servers open to anyone, and options about access that have no effect;
//! * `sections`: sections that lack their counterpart, or that nothing reads.

mod files;
mod lifecycle;
mod limits;
mod logs;
mod priorities;
mod programs;
mod repeated;
mod retries;
mod sections;
mod servers;
mod shell;
mod stop_chains;
mod stop_time;
mod stopping;

use std::collections::HashMap;
use std::sync::Arc;

use super::findings::Examination;
use crate::config::SectionReader;
use crate::config::document::Section;
use crate::config::expand::Names;
use crate::config::options::SectionKind;
use crate::config::{Reading, Remark};
use crate::model::graph::Graph;
use crate::model::{GroupSpec, ProcessSpec, Settings};

/// Runs all lints.
pub(super) fn lint(reading: &mut Reading<'_>, settings: &Settings, examination: Examination) {
    let programs = programs(reading, &settings.groups);
    programs::lint(reading, settings, &programs);
    shell::lint(reading, &programs);
    retries::lint(reading, &programs);
    logs::lint(reading, settings, &programs);
    files::lint(reading, settings, &programs);
    let specs: Vec<&ProcessSpec> =
        programs.iter().flat_map(|program| program.processes).map(|process| &**process).collect();
    let (graph, _) = Graph::of(&specs);
    stopping::lint(reading, settings, (&programs, &graph), examination.grace_secs);
    priorities::lint(reading, &programs, &graph);
    lifecycle::lint(reading, &programs, examination.now);
    limits::lint(reading, settings, &programs);
    servers::lint(reading, settings);
    sections::lint(reading, settings);
    repeated::lint(reading);
}

/// A section with the processes that it defines in one group.
struct SectionProcesses<'s, 'a> {
    section: &'a Section,
    group: &'s GroupSpec,
    processes: &'s [Arc<ProcessSpec>],
}

impl SectionProcesses<'_, '_> {
    fn kind(&self) -> SectionKind {
        SectionKind::of(&self.section.name).map_or(SectionKind::Program, |(kind, _)| kind)
    }
}

/// All sections with processes, by group.
fn programs<'s, 'a>(reading: &Reading<'a>, groups: &'s [GroupSpec]) -> Vec<SectionProcesses<'s, 'a>> {
    let mut by_group: HashMap<&str, Vec<_>> = HashMap::new();
    for birth in reading.section_counts() {
        by_group.entry(&birth.group).or_default().push(birth);
    }
    let mut found = Vec::new();
    for group in groups {
        let mut rest = group.processes.as_slice();
        for birth in by_group.get(group.name.as_str()).into_iter().flatten() {
            let (processes, others) = rest.split_at(birth.count.min(rest.len()));
            found.push(SectionProcesses { section: birth.section, group, processes });
            rest = others;
        }
    }
    found
}

/// Calls a function with the options of one section.
fn with_options<T>(
    reading: &mut Reading<'_>,
    section: &Section,
    kind: SectionKind,
    look: impl FnOnce(&mut SectionReader<'_, '_>) -> T,
) -> Option<T> {
    let section = reading.document.section(&section.name)?;
    Some(look(&mut SectionReader::new(reading, section, kind, &Names::default())))
}

/// A remark on an option; if the value is secret, only the message is shown.
struct Advice {
    text: String,
    part: Option<String>,
    suggestion: Option<String>,
}

impl Advice {
    fn new(text: String) -> Self {
        Self { text, part: None, suggestion: None }
    }

    fn about(self, part: &str) -> Self {
        Self { part: Some(part.to_owned()), ..self }
    }

    fn report(self, options: &mut SectionReader<'_, '_>, option: &str) {
        let Self { text, part, suggestion } = self;
        let section = &options.section.name;
        let text = if options.is_hidden(option) {
            format!("{option} of [{section}] is a mistake; it comes from a file and is not shown")
        } else {
            text
        };
        let remark = Remark::warning(options.spot(option), text);
        options.reading.remark(Remark { part, suggestion, ..remark });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::findings::{Examination, Finding, Severity, check};
    use crate::config::fake::{Fake, MAIN};

    /// The section that a server requires.
    pub(super) const INTERFACE: &str = "[rpcinterface:supervisor]\n\
        supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";

    /// A machine with a few programs.
    pub(super) fn machine(text: &str) -> Fake {
        let programs = ["a", "b", "sh", "nginx", "sshd", "cron", "redis-server"];
        let machine = Fake::main(text).variable("PATH", "/bin");
        programs.into_iter().fold(machine, |machine, name| machine.program(&format!("/bin/{name}")))
    }

    /// `line: warning`, one per line.
    pub(super) fn warnings_on(machine: &Fake) -> Vec<String> {
        let examination = Examination { grace_secs: Some(10), ..Examination::default() };
        let report = check(Path::new(MAIN), &[], &[], machine, examination);
        let line = |finding: Finding| {
            assert_ne!(finding.severity, Severity::Error, "{finding:?}");
            format!("{}: {}", finding.line.unwrap_or_default(), finding.message)
        };
        let mut findings = report.findings;
        findings.sort_by_key(|finding| finding.line);
        findings.into_iter().map(line).collect()
    }

    /// The warnings about a text after `[supervisord]`, which is the first line.
    pub(super) fn warnings_in(text: &str) -> Vec<String> {
        warnings_on(&machine(&format!("[supervisord]\n{text}")))
    }

    #[test]
    fn sound_configurations_have_no_findings() {
        let text = "[program:a]\ncommand=a\n[program:b]\ncommand=b %(process_num)d\nnumprocs=3\n\
            process_name=%(process_num)d\n[group:g]\nprograms=a,b\n[group:h]\nprograms=a\n\
            [inet_http_server]\nport=127.0.0.1:9001\n[unix_http_server]\nfile=/tmp/s\n";
        assert_eq!(warnings_in(&format!("{text}{INTERFACE}")), Vec::<String>::new());
    }

    #[test]
    fn programs_find_their_processes() {
        let text = "[program:a]\ncommand=a\n[program:b]\ncommand=nope%(process_num)d\nnumprocs=2\n\
            process_name=%(process_num)d\n[group:g]\nprograms=a,b\n[group:h]\nprograms=b,a\n";
        assert_eq!(
            warnings_in(text),
            ["5: can't find command 'nope0' of [program:b]", "5: can't find command 'nope1' of [program:b]"]
        );
    }
}
