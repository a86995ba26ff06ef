//! `[group:x]`, and the groups that programs make on their own.

use std::collections::{HashMap, HashSet};

use crate::model::{Environment, GroupKind, GroupSpec, ProcessSpec};

use super::document::Section;
use super::expand::Names;
use super::options::{SectionKind, nearest};
use super::program::{Program, processes};
use super::reader::SectionReader;
use super::reading::Reading;
use super::values;
use crate::python::quote;

/// Reads all groups, by ascending priority, then name.
///
/// `environment` is what every child gets; `names` already hold it.
pub(super) fn groups(
    reading: &mut Reading<'_>,
    names: &Names<'_>,
    environment: &Environment,
) -> Vec<GroupSpec> {
    let mut maker = Maker {
        programs: programs(reading),
        left_out: left_out(reading),
        reading,
        names,
        environment,
        in_groups: HashSet::new(),
        found: HashMap::new(),
    };
    maker.make_named_groups();
    maker.make_lone_programs();
    let mut found: Vec<_> = maker.found.into_values().map(|(_, group)| group).collect();
    found.sort_by(|left, right| (left.priority, &left.name).cmp(&(right.priority, &right.name)));
    found
}

/// The sections of one kind that have a valid name, with it.
fn named<'a>(reading: &mut Reading<'a>, kind: SectionKind) -> Vec<(&'a Section, &'a str)> {
    let mut found = Vec::new();
    for section in reading.document.sections() {
        let Some((_, name)) = SectionKind::of(&section.name).filter(|&(known, _)| known == kind) else {
            continue;
        };
        match values::name(name) {
            Ok(name) => found.push((section, name)),
            Err(message) => reading.section_error(section, message),
        }
    }
    found
}

fn programs<'a>(reading: &mut Reading<'a>) -> Vec<Program<'a>> {
    let sections = named(reading, SectionKind::Program);
    sections.into_iter().map(|(section, name)| Program { section, name }).collect()
}

/// Warns of the sections that are not run yet; returns the names of those that a group may name.
fn left_out<'a>(reading: &mut Reading<'a>) -> HashSet<&'a str> {
    let fcgi_programs = named(reading, SectionKind::FcgiProgram);
    let listeners = named(reading, SectionKind::EventListener);
    for (section, _) in fcgi_programs.iter().chain(&listeners) {
        let place = reading.told(section.place);
        reading.warn(format!("[{}] ({place}) is not supported yet and is left out", section.name));
    }
    fcgi_programs.into_iter().map(|(_, name)| name).collect()
}

struct Maker<'m, 'a> {
    reading: &'m mut Reading<'a>,
    names: &'m Names<'m>,
    environment: &'m Environment,
    programs: Vec<Program<'a>>,
    /// FastCGI programs.
    left_out: HashSet<&'a str>,
    /// Indexes of programs that make no group of their own.
    in_groups: HashSet<usize>,
    found: HashMap<String, (&'a Section, GroupSpec)>,
}

impl<'a> Maker<'_, 'a> {
    fn make_named_groups(&mut self) {
        let mut by_name = HashMap::new();
        for (index, program) in self.programs.iter().enumerate() {
            by_name.entry(program.name).or_insert(index);
        }
        for (section, name) in named(self.reading, SectionKind::Group) {
            let mut options = SectionReader::new(self.reading, section, SectionKind::Group, self.names);
            let priority = options.integer("priority");
            let members = options.text("programs").unwrap_or_default();
            let mut processes = Vec::new();
            for member in values::list(&members) {
                if let Some(index) = self.member(section, member, by_name.get(member).copied()) {
                    self.in_groups.insert(index);
                    processes.extend(self.processes(index, name));
                }
            }
            let name = name.to_owned();
            self.add(section, GroupSpec { name, priority, kind: GroupKind::Group, processes });
        }
    }

    fn make_lone_programs(&mut self) {
        let lone: Vec<_> = (0..self.programs.len()).filter(|index| !self.in_groups.contains(index)).collect();
        for index in lone {
            let Program { section, name } = self.programs[index];
            let mut options = SectionReader::new(self.reading, section, SectionKind::Program, self.names);
            let priority = options.integer("priority");
            let processes = self.processes(index, name);
            let name = name.to_owned();
            self.add(section, GroupSpec { name, priority, kind: GroupKind::Program, processes });
        }
    }

    /// The program that a group names, if it names one that is run.
    fn member(&mut self, section: &'a Section, name: &str, program: Option<usize>) -> Option<usize> {
        let group = &section.name;
        let message = match (program, self.left_out.contains(name)) {
            (Some(index), false) => return Some(index),
            (None, true) => {
                let text = format!(
                    "[{group}] names fcgi-program {name}, which is not supported yet and is left out"
                );
                self.reading.warn(text);
                return None;
            }
            (None, false) => format!("[{group}] names unknown program or fcgi-program {name}"),
            (Some(_), true) => {
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

    fn processes(&mut self, program: usize, group: &str) -> Vec<ProcessSpec> {
        processes(self.reading, &self.programs[program], group, self.names, self.environment)
    }

    /// COMPAT: Supervisor takes two groups or processes of one name and runs the first.
    fn add(&mut self, section: &'a Section, group: GroupSpec) {
        if let Some(twice) = first_repeated(&group.processes) {
            let (group, process) = (quote(&group.name), quote(twice));
            let message = format!("two processes of group {group} are called {process}");
            self.reading.section_error(section, message);
        }
        if let Some((first, _)) = self.found.get(&group.name) {
            let (name, first, place) = (quote(&group.name), &first.name, self.reading.told(first.place));
            let message = format!("two groups are called {name}: the other is [{first}] ({place})");
            self.reading.section_error(section, message);
        }
        self.found.entry(group.name.clone()).or_insert((section, group));
    }
}

/// A name that two processes have; the empty one stands in for a name that was told to be bad.
fn first_repeated(processes: &[ProcessSpec]) -> Option<&str> {
    let mut seen = HashSet::new();
    let mut names = processes.iter().map(|process| process.name.as_str()).filter(|name| !name.is_empty());
    names.find(|name| !seen.insert(*name))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{errors_in, load_text, notices_in};
    use super::*;

    /// `group(priority): process process;` for each group.
    fn told(text: &str) -> String {
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
            assert_eq!(told(&format!("{programs}{text}")), expected, "{text}");
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
    fn clashes_and_strangers_are_errors() {
        let programs = "[supervisord]\n[program:a]\ncommand=a\n[program:b]\ncommand=b\n";
        for (text, section, message) in [
            ("[group:g]\nprograms=nope", "group:g", "[group:g] names unknown program or fcgi-program nope"),
            ("[group:g]\nprograms=a,nope", "group:g", "[group:g] names unknown program or fcgi-program nope"),
            ("[group:g]\nprograms=a,", "group:g", "[group:g] names unknown program or fcgi-program "),
            ("[group:g]\nprograms=a,b,a", "group:g", "two processes of group 'g' are called 'a'"),
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
            (
                "[group:g]\nprograms=a\n[fcgi-program:a]",
                "group:g",
                "[group:g] name a is ambiguous (exists as program and fcgi-program)",
            ),
        ] {
            let found = errors_in(&format!("{programs}{text}"));
            let start = format!("{message} in section '{section}' (file: '/etc/x.conf', line: ");
            assert!(found.len() == 1 && found[0].starts_with(&start), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_program_of_a_group_runs_in_two() {
        let programs = "[program:a]\ncommand=a\n[group:g]\nprograms=a\n[group:h]\nprograms=a";
        assert_eq!(told(programs), "g(999): a;h(999): a;");
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
    fn what_is_not_run_yet_is_left_out() {
        let text = "[supervisord]\n[fcgi-program:f]\nsocket=tcp://a:1\n[eventlistener:e]\nfoo=1\n\
            [group:g]\nprograms=f,a\n[program:a]\ncommand=a";
        assert_eq!(told(&text[14..]), "g(999): a;");
        let found = errors_in("[supervisord]\n[eventlistener:e]\n[group:g]\nprograms=e");
        assert!(found[0].starts_with("[group:g] names unknown program or fcgi-program e"), "{found:?}");
        assert_eq!(
            notices_in(text),
            [
                "[fcgi-program:f] (/etc/x.conf:2) is not supported yet and is left out",
                "[eventlistener:e] (/etc/x.conf:4) is not supported yet and is left out",
                "[group:g] names fcgi-program f, which is not supported yet and is left out",
            ]
        );
    }
}
