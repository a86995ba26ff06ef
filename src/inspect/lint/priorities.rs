//! Priorities that contradict dependencies, which take precedence.
//!
//! Priorities order groups, and processes within one group. A program that depends on one of a later priority
//! still starts after it, and its group is raised to that priority in a shutdown.

use super::{Advice, SectionProcesses, with_options};
use crate::config::Reading;
use crate::config::document::Section;
use crate::config::options::SectionKind;
use crate::model::graph::Graph;
use crate::model::{Namespec, ProcessSpec};

/// A process with the priorities that order it.
struct Node<'p, 's, 'a> {
    program: &'p SectionProcesses<'s, 'a>,
    spec: &'s ProcessSpec,
}

impl Node<'_, '_, '_> {
    /// Its name as `depends_on` spells it.
    fn shown(&self) -> String {
        Namespec::join(&self.spec.group, &self.spec.name)
    }
}

/// Checks each program by its first process, as all have the same priority. Only priorities in files count. The
/// nodes of the graph are the processes of the programs.
pub(super) fn lint<'a>(reading: &mut Reading<'a>, programs: &[SectionProcesses<'_, 'a>], graph: &Graph) {
    if graph.is_empty() {
        return;
    }
    let nodes: Vec<_> = programs
        .iter()
        .flat_map(|program| program.processes.iter().map(move |spec| Node { program, spec }))
        .collect();
    let mut first = 0;
    for program in programs.iter().filter(|program| !program.processes.is_empty()) {
        let prerequisites = graph.needs(first).iter().map(|need| &graph.prerequisites()[need.prerequisite]);
        let mut others = prerequisites.flat_map(|it| &it.members).map(|member| &nodes[*member]);
        let contradiction = others.find_map(|other| Contradiction::of(reading, &nodes[first], other));
        if let Some(contradiction) = contradiction {
            contradiction.report(reading);
        }
        first += program.processes.len();
    }
}

/// A priority that has no effect because of a dependency.
struct Contradiction<'a> {
    section: &'a Section,
    kind: SectionKind,
    text: String,
}

impl<'a> Contradiction<'a> {
    fn of(reading: &mut Reading<'a>, node: &Node<'_, '_, 'a>, other: &Node<'_, '_, 'a>) -> Option<Self> {
        let is_one_group = node.spec.group == other.spec.group;
        let priority =
            |it: &Node<'_, '_, '_>| if is_one_group { it.spec.priority } else { it.program.group.priority };
        let (own, others) = (priority(node), priority(other));
        if own >= others {
            return None;
        }
        let of_group = if is_one_group { None } else { group_section(reading, &node.spec.group) };
        let (kind, section) = match of_group {
            Some(section) => (SectionKind::Group, section),
            None => (node.program.kind(), node.program.section),
        };
        let is_written = with_options(reading, section, kind, |options| options.is_set("priority"));
        let (name, other_name) = (node.shown(), other.shown());
        let scope = if of_group.is_some() { format!(" on {name}") } else { String::new() };
        let text = format!(
            "priority={own} of [{}] has no effect{scope}: {name} depends on {other_name}, whose priority is {others}, so \
             it starts after {other_name} and stops before it",
            section.name
        );
        is_written.filter(|is_written| *is_written).map(|_| Self { section, kind, text })
    }

    fn report(self, reading: &mut Reading<'_>) {
        with_options(reading, self.section, self.kind, |options| {
            Advice::new(self.text).report(options, "priority");
        });
    }
}

/// The section of a group, if it has one.
fn group_section<'a>(reading: &Reading<'a>, name: &str) -> Option<&'a Section> {
    let groups = reading.sections_of(SectionKind::Group).into_iter();
    groups.filter(|(_, instance)| instance.trim() == name).map(|(section, _)| section).next()
}

#[cfg(test)]
mod tests {
    use super::super::tests::warnings_in;

    fn programs(web: &str, db: &str) -> Vec<String> {
        warnings_in(&format!("[program:web]\ncommand=a\ndepends_on=db\n{web}[program:db]\ncommand=b\n{db}"))
    }

    #[test]
    fn a_priority_before_that_of_a_dependency_has_no_effect() {
        let expected = |priorities: [i32; 2]| {
            let [own, others] = priorities;
            [format!(
                "5: priority={own} of [program:web] has no effect: web depends on db, whose priority is {others}, so it \
                 starts after db and stops before it"
            )]
        };
        assert_eq!(programs("priority=10\n", "priority=20\n"), expected([10, 20]));
        assert_eq!(programs("priority=10\n", ""), expected([10, 999]));
        for (web, db) in [("priority=20\n", "priority=10\n"), ("priority=20\n", "priority=20\n"), ("", "")] {
            assert_eq!(programs(web, db), [] as [&str; 0], "{web} {db}");
        }
    }

    #[test]
    fn it_is_reported_once_for_all_processes_of_a_program() {
        let numprocs = "numprocs=3\nprocess_name=%(process_num)d\n";
        let warnings = programs(&format!("priority=10\n{numprocs}"), "");
        assert_eq!(
            warnings,
            [
                "5: priority=10 of [program:web] has no effect: web:0 depends on db, whose priority is 999, so it starts \
              after db and stops before it"
            ]
        );
        assert_eq!(programs("", "priority=1000\n"), [] as [&str; 0], "nobody wrote that of web");
    }

    #[test]
    fn of_two_groups_their_priorities_count_and_in_one_those_of_the_programs() {
        let text = |web: &str, db: &str, groups: &str| {
            warnings_in(&format!(
                "[program:web]\ncommand=a\ndepends_on=db\n{web}\n[program:db]\ncommand=b\n{db}\n{groups}"
            ))
        };
        let one = "[group:g]\nprograms=web,db\npriority=1\n";
        assert_eq!(
            text("priority=1", "priority=2", one),
            [
                "5: priority=1 of [program:web] has no effect: g:web depends on g:db, whose priority is 2, so it starts \
              after g:db and stops before it"
            ]
        );
        let two = "[group:f]\nprograms=web\npriority=1\n[group:g]\nprograms=db\npriority=2\n";
        assert_eq!(
            text("priority=9", "priority=2", two),
            [
                "11: priority=1 of [group:f] has no effect on f:web: f:web depends on g:db, whose priority is 2, so it \
              starts after g:db and stops before it"
            ]
        );
        let sorted = "[group:f]\nprograms=web\npriority=2\n[group:g]\nprograms=db\npriority=1\n";
        assert_eq!(text("priority=1", "priority=9", sorted), [] as [&str; 0]);
    }
}
