//! `[group:x]`, and the implicit groups of programs and listener pools.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::{Environment, GroupKind, GroupSpec, LogLevel, Name, ProcessSpec};

use super::depend::{DependentSections, check_dependencies};
use super::dependent_startup;
use super::document::Section;
use super::expand::Names;
use super::fastcgi::SocketSections;
use super::listener::pool;
use super::options::{SectionKind, nearest};
use super::program::processes;
use super::reader::SectionReader;
use super::reading::{ProgramSection, Reading, Remark};
use super::values;
use crate::python::quote;

/// Reads all groups, by ascending priority, then name.
///
/// `environment` is what every child gets; `names` already contains it.
pub(super) fn groups(
    reading: &mut Reading<'_>,
    names: &Names<'_>,
    environment: &Environment,
) -> Vec<GroupSpec> {
    let environment = &Arc::new(environment.clone());
    let listeners = listeners(reading, names);
    let programs = programs(reading, &[SectionKind::Program, SectionKind::FcgiProgram], names);
    let mut maker = Maker {
        found: HashMap::with_capacity(programs.len()),
        programs,
        reading,
        names,
        environment,
        in_groups: HashSet::new(),
        sockets: SocketSections::default(),
        waiting: DependentSections::new(),
        disabled: Vec::new(),
    };
    maker.make_named_groups();
    maker.make_lone_programs();
    maker.make_pools(&listeners);
    let Maker { found, waiting, disabled, .. } = maker;
    let mut found: Vec<_> = found.into_values().map(|(_, group)| group).collect();
    found.sort_unstable_by(|left, right| (left.priority, &left.name).cmp(&(right.priority, &right.name)));
    check_dependencies(reading, names, &found, &waiting, &disabled);
    found
}

/// The sections of one kind that have a valid name, with that name.
fn named<'a>(reading: &mut Reading<'a>, kind: SectionKind) -> Vec<(&'a Section, &'a str)> {
    let mut found = Vec::new();
    for (section, name) in reading.sections_of(kind) {
        match values::name(name) {
            Ok(name) => found.push((section, name)),
            Err(message) => reading.section_error(section, message),
        }
    }
    found
}

/// The sections of these kinds, ordered by kind.
fn programs<'a>(
    reading: &mut Reading<'a>,
    kinds: &[SectionKind],
    names: &Names<'_>,
) -> Vec<ProgramSection<'a>> {
    let mut found = Vec::new();
    for &kind in kinds {
        for (section, name) in named(reading, kind) {
            let is_enabled = SectionReader::new(reading, section, kind, names).boolean("enabled");
            found.push(ProgramSection { kind, section, name, is_enabled });
        }
    }
    found
}

/// The listeners that are enabled. That of supervisord-dependent-startup is built in, so it is no process.
fn listeners<'a>(reading: &mut Reading<'a>, names: &Names<'_>) -> Vec<ProgramSection<'a>> {
    let mut found = programs(reading, &[SectionKind::EventListener], names);
    found.retain(|listener| {
        let ProgramSection { section, kind, is_enabled, .. } = *listener;
        if !is_enabled || !dependent_startup::is_listener(&SectionReader::new(reading, section, kind, names))
        {
            return is_enabled;
        }
        reading.has_dependent_startup = true;
        let text = format!("[{}] is built in: programs wait for each other without it", section.name);
        reading.remark(Remark::new(LogLevel::Info, text));
        false
    });
    found
}

struct Maker<'m, 'a> {
    reading: &'m mut Reading<'a>,
    names: &'m Names<'m>,
    environment: &'m Arc<Environment>,
    /// The programs that a group can name.
    programs: Vec<ProgramSection<'a>>,
    /// Indexes of programs that have no group of their own.
    in_groups: HashSet<usize>,
    sockets: SocketSections,
    /// The sections of processes that depend on others.
    waiting: DependentSections<'a>,
    /// Programs that are not enabled.
    disabled: Vec<&'a str>,
    found: HashMap<Name, (&'a Section, GroupSpec)>,
}

impl<'a> Maker<'_, 'a> {
    fn make_named_groups(&mut self) {
        let mut by_name = HashMap::new();
        for (index, program) in self.programs.iter().enumerate() {
            if !program.is_enabled {
                self.disabled.push(program.name);
            }
            by_name.entry((program.kind, program.name)).or_insert(index);
        }
        for (section, name) in named(self.reading, SectionKind::Group) {
            let mut options = SectionReader::new(self.reading, section, SectionKind::Group, self.names);
            let priority = options.integer("priority");
            let members = options.items("programs", values::list);
            let group = Name::from(name);
            let mut seen = HashSet::new();
            let mut processes = Vec::new();
            for member in members.iter().map(String::as_str) {
                let index_of = |kind| by_name.get(&(kind, member)).copied();
                let found = [SectionKind::Program, SectionKind::FcgiProgram].map(index_of);
                if !seen.insert(member) {
                    self.member_error(section, format!("[{}] names {member} twice", section.name));
                } else if let Some(index) = self.member(section, member, found) {
                    self.in_groups.insert(index);
                    if self.programs[index].is_enabled {
                        processes.extend(self.processes(index, &group));
                    }
                }
            }
            self.add(section, GroupSpec { name: group, priority, kind: GroupKind::Group, processes });
        }
    }

    fn make_lone_programs(&mut self) {
        let is_lone = |index: &usize| !self.in_groups.contains(index) && self.programs[*index].is_enabled;
        let lone: Vec<_> = (0..self.programs.len()).filter(is_lone).collect();
        for index in lone {
            let ProgramSection { kind, section, name, .. } = self.programs[index];
            let mut options = SectionReader::new(self.reading, section, kind, self.names);
            let priority = options.integer("priority");
            let name = Name::from(name);
            let processes = self.processes(index, &name);
            let is_fastcgi = kind == SectionKind::FcgiProgram;
            let kind = if is_fastcgi { GroupKind::FastCgi } else { GroupKind::Program };
            self.add(section, GroupSpec { name, priority, kind, processes });
        }
    }

    fn make_pools(&mut self, listeners: &[ProgramSection<'a>]) {
        for listener in listeners {
            let name = Name::from(listener.name);
            let processes = processes(self.reading, listener, &name, self.names, self.environment);
            self.note_dependents(listener.kind, listener.section, &processes);
            let pool = pool(self.reading, (listener, name), self.names, processes);
            self.add(listener.section, pool);
        }
    }

    /// The program that a group names, if the name is unambiguous.
    fn member(&mut self, section: &'a Section, name: &str, found: [Option<usize>; 2]) -> Option<usize> {
        let group = &section.name;
        let message = match found {
            [Some(index), None] | [None, Some(index)] => return Some(index),
            [None, None] if self.reading.is_fragment => return None,
            [None, None] => format!("[{group}] names unknown program or fcgi-program {name}"),
            [Some(_), Some(_)] => {
                format!("[{group}] name {name} is ambiguous (exists as program and fcgi-program)")
            }
        };
        let near = nearest(self.programs.iter().map(|program| program.name), name);
        let suggestion = near.filter(|near| *near != name).map(str::to_owned);
        SectionReader::new(self.reading, section, SectionKind::Group, self.names).error_about(
            "programs",
            message,
            Some(name.to_owned()),
            suggestion,
        );
        None
    }

    fn member_error(&mut self, section: &'a Section, message: String) {
        SectionReader::new(self.reading, section, SectionKind::Group, self.names).error("programs", message);
    }

    fn processes(&mut self, index: usize, group: &Name) -> Vec<Arc<ProcessSpec>> {
        let program = &self.programs[index];
        let processes = processes(self.reading, program, group, self.names, self.environment);
        if let Err(message) = self.sockets.claim(&processes) {
            SectionReader::new(self.reading, program.section, program.kind, self.names)
                .error("socket", message);
        }
        let (kind, section) = (program.kind, program.section);
        self.note_dependents(kind, section, &processes);
        processes
    }

    fn note_dependents(&mut self, kind: SectionKind, section: &'a Section, processes: &[Arc<ProcessSpec>]) {
        for process in processes.iter().filter(|process| !process.is_independent()) {
            self.waiting.insert((process.group.clone(), process.name.clone()), (kind, section));
        }
    }

    /// COMPAT: Supervisor accepts two groups or processes of one name and runs the first.
    fn add(&mut self, section: &'a Section, group: GroupSpec) {
        if let Some(twice) = first_repeated(&group.processes) {
            let (group, process) = (quote(&group.name), quote(twice));
            let message = format!("two processes of group {group} are called {process}");
            self.reading.section_error(section, message);
        }
        if let Some((first, _)) = self.found.get(&group.name) {
            let (name, first, place) = (quote(&group.name), &first.name, self.reading.describe(first.place));
            let message = format!("two groups are called {name}: the other is [{first}] ({place})");
            self.reading.section_error(section, message);
        }
        self.found.entry(group.name.clone()).or_insert((section, group));
    }
}

/// A name that two processes have. The empty name stands for an invalid name that was reported already.
fn first_repeated(processes: &[Arc<ProcessSpec>]) -> Option<&str> {
    if processes.len() < 2 {
        return None;
    }
    let mut seen = HashSet::new();
    let mut names = processes.iter().map(|process| process.name.as_str()).filter(|name| !name.is_empty());
    names.find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{errors_in, load_text};
    use super::*;

    /// `group(priority): process process;` for each group.
    fn summary(text: &str) -> String {
        let group = |group: GroupSpec| {
            let names: String = group.processes.iter().map(|process| format!(" {}", process.name)).collect();
            format!("{}({}):{names};", group.name, group.priority)
        };
        load_text(&format!("[supervisord]\n{text}")).unwrap().groups.into_iter().map(group).collect()
    }

    #[test]
    fn programs_make_groups_of_their_own_or_join_one() {
        let programs = "[program:a]\ncommand=a\n[program:b]\ncommand=b\npriority=1\n[program:C]\ncommand=c\n";
        for (text, expected) in [
            ("", "b(1): b;C(999): C;a(999): a;"),
            ("[group:g]\nprograms=b, a\npriority=5", "g(5): b a;C(999): C;"),
            (
                "[group:g]\nprograms=a\n[group:f]\nprograms=a,C\n[group:e]",
                "b(1): b;e(999):;f(999): a C;g(999): a;",
            ),
            ("[group:a]\nprograms=a,b,C", "a(999): a b C;"),
            ("[program: d ]\ncommand=d\n[group:g]\nprograms=d,b,a,C", "g(999): d b a C;"),
            (
                "[program:a]\nnumprocs=2\nprocess_name=%(process_num)d\n[program:b]\nnumprocs=0",
                "b(1):;C(999): C;a(999): 0 1;",
            ),
        ] {
            assert_eq!(summary(&format!("{programs}{text}")), expected, "{text}");
        }
        let group =
            load_text("[supervisord]\n[group:g]\nprograms=a\n[program:a]\ncommand=%(group_name)s").unwrap();
        assert_eq!(
            (group.groups[0].kind, group.groups[0].processes[0].command.as_str()),
            (GroupKind::Group, "g")
        );
        assert_eq!(group.groups[0].processes[0].group, "g");
    }

    #[test]
    fn disabled_programs_are_left_out() {
        let text = "[program:a]\ncommand=a\nenabled=false\n[program:b]\ncommand=b\n[program:c]\nenabled=no\n\
            [fcgi-program:f]\nenabled=0\n[eventlistener:e]\nenabled=off\n[group:g]\nprograms=b,c,f";
        assert_eq!(summary(text), "g(999): b;");
        let found = errors_in("[supervisord]\n[program:a]\ncommand=a\nenabled=perhaps");
        assert!(found[0].starts_with("not a valid boolean value: 'perhaps'"), "{found:?}");
    }

    #[test]
    fn conflicting_and_unknown_sections_are_errors() {
        let programs = "[supervisord]\n[program:a]\ncommand=a\n[program:b]\ncommand=b\n";
        for (text, section, message) in [
            ("[group:g]\nprograms=nope", "group:g", "[group:g] names unknown program or fcgi-program nope"),
            ("[group:g]\nprograms=a,nope", "group:g", "[group:g] names unknown program or fcgi-program nope"),
            ("[group:g]\nprograms=a,", "group:g", "[group:g] names unknown program or fcgi-program "),
            ("[group:g]\nprograms=a,b,a", "group:g", "[group:g] names a twice"),
            (
                "[group:b]\nprograms=a",
                "program:b",
                "two groups are called 'b': the other is [group:b] (/etc/x.conf:6)",
            ),
            (
                "[program: a]\ncommand=a",
                "program: a",
                "two groups are called 'a': the other is [program:a] (/etc/x.conf:2)",
            ),
            (
                "[program:c]\ncommand=c\nnumprocs=2\nprocess_name=%(process_num).0s",
                "program:c",
                "Invalid name: it is empty",
            ),
            ("[program:]\ncommand=c", "program:", "Invalid name: it is empty"),
            ("[group:x y]", "group:x y", "Invalid name: 'x y' because of character: ' '"),
        ] {
            let found = errors_in(&format!("{programs}{text}"));
            let start = format!("{message} in section '{section}' (file: '/etc/x.conf', line: ");
            assert!(found.len() == 1 && found[0].starts_with(&start), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_name_of_two_kinds_is_ambiguous() {
        let found = errors_in(
            "[supervisord]\n[program:a]\ncommand=a\n[fcgi-program:a]\ncommand=a\nsocket=tcp://a:1\n\
             [group:g]\nprograms=a",
        );
        let ambiguous = "[group:g] name a is ambiguous (exists as program and fcgi-program) in section 'group:g' \
            (file: '/etc/x.conf', line: 8, option: programs)";
        let twice = "two groups are called 'a': the other is [program:a] (/etc/x.conf:2) in section \
            'fcgi-program:a' (file: '/etc/x.conf', line: 4)";
        assert_eq!(found, [ambiguous, twice]);
    }

    #[test]
    fn a_program_of_a_group_runs_in_two() {
        let programs = "[program:a]\ncommand=a\n[group:g]\nprograms=a\n[group:h]\nprograms=a";
        assert_eq!(summary(programs), "g(999): a;h(999): a;");
    }

    #[test]
    fn groups_see_the_environment_and_here_alone() {
        let text = "[supervisord]\nenvironment=P=\"7\",N=\"a\"\n[program:a]\ncommand=a\n\
            [group:g]\npriority=%(ENV_P)s\nprograms=%(ENV_N)s";
        assert_eq!(load_text(text).unwrap().groups[0].priority, 7);
        let (program, group) = ("program:a]\ncommand=a", "group:g]");
        for (section, name) in [(program, "program_name"), (program, "group_name"), (group, "group_name")] {
            let found = errors_in(&format!("[supervisord]\n[{section}\npriority=%({name})s"));
            let expected =
                format!("contains names ('{name}') which cannot be expanded. Available names: here and");
            assert!(found[0].contains(&expected), "{found:?}");
        }
    }

    #[test]
    fn listeners_can_not_join_a_group() {
        let listener = "[supervisord]\n[eventlistener:e]\ncommand=a\nevents=TICK\n";
        let found = errors_in(&format!("{listener}[group:g]\nprograms=e"));
        assert!(found[0].starts_with("[group:g] names unknown program or fcgi-program e"), "{found:?}");
        let found = errors_in(&format!("{listener}[program:e]\ncommand=a"));
        assert!(found[0].starts_with("two groups are called 'e': the other is [program:e]"), "{found:?}");
    }
}
