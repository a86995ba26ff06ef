//! Dependencies between programs: unknown names, conditions that can never hold, and cycles are errors.

use std::collections::HashMap;

use super::document::Section;
use super::expand::Names;
use super::options::{SectionKind, nearest};
use super::reader::SectionReader;
use super::reading::Reading;
use super::values::in_parentheses;
use crate::model::graph::{CycleText, Graph, Prerequisite, Unknown};
use crate::model::{AutoRestart, Condition, Dependency, GroupSpec, Name, Namespec, ProcessSpec, ProgramType};

/// The sections of the processes that depend on others, by group and name.
pub(super) type DependentSections<'a> = HashMap<(Name, Name), (SectionKind, &'a Section)>;

/// Programs that are not enabled.
type DisabledPrograms<'a> = Vec<&'a str>;

/// Reports all errors in the dependencies of these groups.
pub(super) fn check_dependencies<'a>(
    reading: &mut Reading<'a>,
    names: &Names<'_>,
    groups: &[GroupSpec],
    waiting: &DependentSections<'a>,
    disabled: &DisabledPrograms<'a>,
) {
    if waiting.is_empty() {
        return;
    }
    let specs: Vec<&ProcessSpec> =
        groups.iter().flat_map(|group| &group.processes).map(|process| &**process).collect();
    let (graph, unknown) = Graph::of(&specs);
    let mut check = Check { reading, names, specs: &specs, waiting, disabled };
    unknown.into_iter().for_each(|unknown| check.unknown(unknown));
    check.impossible(&graph);
    if let Some(cycle) = graph.cycle()
        && let Some(first) = cycle.first()
    {
        let text = CycleText { specs: &specs, cycle: &cycle }.to_string();
        check.error(first.node, first.entry, text, None);
    }
}

struct Check<'c, 'a> {
    reading: &'c mut Reading<'a>,
    names: &'c Names<'c>,
    specs: &'c [&'c ProcessSpec],
    waiting: &'c DependentSections<'a>,
    disabled: &'c DisabledPrograms<'a>,
}

impl Check<'_, '_> {
    fn unknown(&mut self, Unknown { node, entry }: Unknown) {
        let Some((dependency, _)) = self.specs[node].dependencies().nth(entry) else { return };
        let name = dependency.name.as_str();
        if self.reading.is_fragment || dependency.is_optional && self.disabled.contains(&name) {
            return;
        }
        if self.disabled.contains(&name) {
            let text = format!("{name} is not enabled, so it can't be waited for");
            return self.error(node, entry, text, None);
        }
        let is_group = self.specs.iter().any(|spec| spec.group == name);
        let programs = self.specs.iter().map(|spec| spec.program.as_str());
        let near = nearest(programs, name).filter(|near| *near != name);
        let suggestion = match in_parentheses(name) {
            Some(meant) => Some(meant),
            None if is_group => Some(format!("{name}:*")),
            None => near.map(str::to_owned),
        };
        self.error(node, entry, format!("there is no program {name}"), suggestion);
    }

    /// Reports conditions that a process can never satisfy.
    fn impossible(&mut self, graph: &Graph) {
        let why = |prerequisite: &Prerequisite| {
            let mut members = prerequisite.members.iter();
            members.find_map(|member| never_holds(self.specs[*member], prerequisite.condition))
        };
        let impossible: Vec<_> = graph.prerequisites().iter().map(why).collect();
        if impossible.iter().all(Option::is_none) {
            return;
        }
        for node in 0..self.specs.len() {
            for need in graph.needs(node) {
                if let Some(why) = &impossible[need.prerequisite] {
                    self.error(node, need.entry, why.clone(), None);
                }
            }
        }
    }

    fn error(&mut self, node: usize, entry: usize, message: String, suggestion: Option<String>) {
        let spec = self.specs[node];
        let Some((kind, section)) = self.waiting.get(&(spec.group.clone(), spec.name.clone())) else {
            return;
        };
        let Some((Dependency { name, .. }, is_binding)) = spec.dependencies().nth(entry) else { return };
        let option = if is_binding { "restart_with" } else { "depends_on" };
        let mut options = SectionReader::new(self.reading, section, *kind, self.names);
        options.error_about(option, message, Some(name.clone()), suggestion);
    }
}

fn never_holds(spec: &ProcessSpec, condition: Condition) -> Option<String> {
    let name = || Namespec::join(&spec.group, &spec.name);
    let is_oneshot = spec.program_type == ProgramType::Oneshot;
    match condition {
        Condition::Ready | Condition::Healthy if is_oneshot => {
            Some(format!("{} is a oneshot, which is done and never {condition}", name()))
        }
        Condition::Healthy if spec.lifecycle.health.is_none() => {
            Some(format!("{} has no health check, so it is never healthy", name()))
        }
        Condition::Done | Condition::Exited if !is_oneshot && spec.autorestart == AutoRestart::Always => {
            Some(format!("{} is restarted whenever it exits, so it is never done", name()))
        }
        Condition::Started | Condition::Ready | Condition::Healthy | Condition::Done | Condition::Exited => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{errors_in, load_text};

    fn errors(text: &str) -> Vec<String> {
        errors_in(&format!("[supervisord]\n{text}"))
    }

    #[test]
    fn unknown_names_are_errors_with_a_suggestion() {
        let text = "[program:web]\ncommand=a\ndepends_on=dbb, g, db(ready)\nrestart_with=nothing:x\n\
            [program:db]\ncommand=a\n[program:p]\ncommand=a\n[group:g]\nprograms=p\n";
        assert_eq!(
            errors(text),
            [
                "there is no program dbb (did you mean 'db'?) in section 'program:web' (file: '/etc/x.conf', \
                 line: 4, option: depends_on)",
                "there is no program g (did you mean 'g:*'?) in section 'program:web' (file: '/etc/x.conf', \
                 line: 4, option: depends_on)",
                "there is no program db(ready) (did you mean 'db=ready'?) in section 'program:web' (file: \
                 '/etc/x.conf', line: 4, option: depends_on)",
                "there is no program nothing:x in section 'program:web' (file: '/etc/x.conf', line: 5, option: \
                 restart_with)",
            ]
        );
    }

    #[test]
    fn disabled_programs_can_only_be_optional_dependencies() {
        let text = |entry: &str| {
            format!("[program:web]\ncommand=a\ndepends_on={entry}\n[program:db]\ncommand=a\nenabled=false\n")
        };
        assert_eq!(errors(&text("db?")), [] as [&str; 0]);
        assert!(errors(&text("db"))[0].starts_with("db is not enabled, so it can't be waited for"));
    }

    #[test]
    fn a_cycle_is_shown_with_the_place_of_each_edge() {
        let text = "[program:a]\ncommand=x\ndepends_on=b\n[program:b]\ncommand=x\nrestart_with=c\n\
            [program:c]\ncommand=x\ndepends_on=a\n";
        let found = errors(text);
        assert_eq!(found.len(), 1);
        let expected = "programs wait for each other: a (/etc/x.conf:4) -> b (/etc/x.conf:7) -> c \
            (/etc/x.conf:10) -> a in section 'program:a'";
        assert!(found[0].starts_with(expected), "{found:?}");
    }

    #[test]
    fn conditions_that_never_hold_are_errors() {
        for (entry, options, expected) in [
            ("db=done", "autorestart=true", Some("db is restarted whenever it exits, so it is never done")),
            ("db=done", "autorestart=false", None),
            ("db=ready", "type=oneshot", Some("db is a oneshot, which is done and never ready")),
            ("db", "type=oneshot", None),
            ("db=healthy", "", Some("db has no health check, so it is never healthy")),
            ("db=healthy", "health=tcp:80", None),
        ] {
            let text =
                format!("[program:web]\ncommand=a\ndepends_on={entry}\n[program:db]\ncommand=a\n{options}\n");
            let found = errors(&text);
            assert_eq!(found.len(), usize::from(expected.is_some()), "{entry} {options} {found:?}");
            assert!(expected.is_none_or(|expected| found[0].starts_with(expected)), "{found:?}");
        }
    }

    #[test]
    fn programs_of_any_kind_wait_for_each_other() {
        let text = "[supervisord]\n[eventlistener:l]\ncommand=a\nevents=TICK_5\ndepends_on=db\n\
            [program:db]\ncommand=a\n[fcgi-program:f]\ncommand=a\nsocket=tcp://localhost:1\ndepends_on=l:l=started\n";
        assert!(load_text(text).is_ok());
    }
}
