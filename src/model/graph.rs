//! The graph of dependencies between processes: names resolved, cycles found, ranks computed.
//!
//! Processes that are waited for under one name and condition form a [`Prerequisite`]: a program with a thousand
//! processes that depends on another with a thousand has one prerequisite, not a million edges. So everything here is
//! linear in the size of the configuration.
//!
//! Nodes are positions in the list of processes that the graph is made of.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Condition, Dependency, Namespec, ProcessSpec, ProcessState, ProgramType};

/// Processes that are waited for together, and the condition that each of them has to hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prerequisite {
    /// The name in the configuration.
    pub name: String,
    /// What is waited for.
    pub condition: Condition,
    /// The nodes that have to hold it.
    pub members: Vec<usize>,
    /// The nodes that wait for it.
    pub dependents: Vec<usize>,
}

/// One thing that a node waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Position in [`Graph::prerequisites`].
    pub prerequisite: usize,
    /// Position in the dependencies of the process.
    pub entry: usize,
    /// As in [`super::Dependency`].
    pub is_optional: bool,
    /// It is an entry of `restart_with`.
    pub is_binding: bool,
}

/// Who waits for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    prerequisites: Vec<Prerequisite>,
    /// Of each node; empty if no process depends on anything.
    needs: Vec<Vec<Need>>,
    /// The prerequisites that each node is a member of.
    memberships: Vec<Vec<usize>>,
}

/// A name that no process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// The process that names it.
    pub node: usize,
    /// Position in its dependencies.
    pub entry: usize,
}

/// The dependencies between the active processes, for clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessGraph {
    /// By group name and process name.
    pub nodes: Vec<ProcessNode>,
    /// By the process that depends on others.
    pub edges: Vec<ProcessEdge>,
    /// Whether there are more edges.
    pub is_truncated: bool,
}

/// A process of a [`ProcessGraph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessNode {
    /// Its group.
    pub group: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: ProcessState,
}

/// A process depends on another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEdge {
    /// The position of the process that depends.
    pub from: usize,
    /// The position of the one that it depends on.
    pub to: usize,
    /// What it waits for.
    pub condition: Condition,
    /// As in [`super::Dependency`].
    pub is_optional: bool,
    /// It is an entry of `restart_with`.
    pub is_binding: bool,
    /// Whether the condition holds.
    pub holds: bool,
}

/// A step of a cycle: this node waits for the next one because of this entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The process that waits.
    pub node: usize,
    /// Position in its dependencies.
    pub entry: usize,
}

/// Processes by the names that an entry can use.
#[derive(Default)]
struct NodeNames<'s> {
    programs: HashMap<&'s str, Vec<usize>>,
    groups: HashMap<&'s str, Vec<usize>>,
    processes: HashMap<(&'s str, &'s str), usize>,
}

impl<'s> NodeNames<'s> {
    fn of(specs: &[&'s ProcessSpec]) -> Self {
        let mut names = Self::default();
        let mut entries = specs.iter().flat_map(|spec| spec.dependencies());
        let has_groups = entries.any(|(dependency, _)| dependency.name.contains(':'));
        for (node, spec) in specs.iter().enumerate() {
            names.programs.entry(&spec.program).or_default().push(node);
            if has_groups {
                names.groups.entry(&spec.group).or_default().push(node);
                names.processes.insert((&spec.group, &spec.name), node);
            }
        }
        names
    }

    /// The nodes of a name, and the condition that the name itself asks for.
    fn resolve(&self, name: &str) -> Option<(Vec<usize>, Option<Condition>)> {
        let Some((before, after)) = name.split_once(':') else {
            return Some((self.programs.get(name)?.clone(), None));
        };
        if after == "*" {
            return Some((self.groups.get(before)?.clone(), None));
        }
        if let Some(node) = self.processes.get(&(before, after)) {
            return Some((vec![*node], None));
        }
        Some((
            self.programs.get(before)?.clone(),
            Some(Condition::from_state_word(&after.to_ascii_lowercase())?),
        ))
    }
}

/// The prerequisites of the entries so far: each spelling is looked up once, and two may mean the same.
#[derive(Default)]
struct KnownEntries<'s> {
    by_spelling: HashMap<(&'s str, Option<Condition>), Option<usize>>,
    by_meaning: HashMap<(&'s str, Condition), usize>,
}

impl Graph {
    /// The graph of these processes. Entries whose names no process has are returned beside it and wait for
    /// nothing.
    #[must_use]
    pub fn of(specs: &[&ProcessSpec]) -> (Self, Vec<Unknown>) {
        if specs.iter().all(|spec| spec.is_independent()) {
            return (Self::default(), Vec::new());
        }
        let names = NodeNames::of(specs);
        let mut graph = Self {
            prerequisites: Vec::new(),
            needs: vec![Vec::new(); specs.len()],
            memberships: vec![Vec::new(); specs.len()],
        };
        let mut known = KnownEntries::default();
        let mut unknown = Vec::new();
        for (node, spec) in specs.iter().enumerate() {
            for (entry, (dependency, is_binding)) in spec.dependencies().enumerate() {
                let Some(prerequisite) = graph.prerequisite_of(dependency, specs, &names, &mut known) else {
                    unknown.push(Unknown { node, entry });
                    continue;
                };
                let is_optional = dependency.is_optional;
                graph.add_need(node, Need { prerequisite, entry, is_optional, is_binding });
            }
        }
        (graph, unknown)
    }

    /// `None` for a name that no process has.
    fn prerequisite_of<'s>(
        &mut self,
        dependency: &'s Dependency,
        specs: &[&ProcessSpec],
        names: &NodeNames<'_>,
        known: &mut KnownEntries<'s>,
    ) -> Option<usize> {
        let (name, condition) = (dependency.name.as_str(), dependency.condition);
        *known.by_spelling.entry((name, condition)).or_insert_with(|| {
            let (members, asked_by_name) = names.resolve(name)?;
            let condition = condition.or(asked_by_name);
            let condition = condition.unwrap_or_else(|| default_condition(specs, &members));
            let known = known.by_meaning.entry((name, condition));
            Some(*known.or_insert_with(|| self.add_prerequisite(name, condition, members)))
        })
    }

    fn add_prerequisite(&mut self, name: &str, condition: Condition, members: Vec<usize>) -> usize {
        let index = self.prerequisites.len();
        for member in &members {
            self.memberships[*member].push(index);
        }
        self.prerequisites.push(Prerequisite {
            name: name.to_owned(),
            condition,
            members,
            dependents: Vec::new(),
        });
        index
    }

    fn add_need(&mut self, node: usize, need: Need) {
        self.needs[node].push(need);
        let dependents = &mut self.prerequisites[need.prerequisite].dependents;
        if dependents.last() != Some(&node) {
            dependents.push(node);
        }
    }

    /// Whether no process waits for another.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.prerequisites.is_empty()
    }

    /// All prerequisites.
    #[must_use]
    pub fn prerequisites(&self) -> &[Prerequisite] {
        &self.prerequisites
    }

    /// What a node waits for, in the order of its configuration.
    #[must_use]
    pub fn needs(&self, node: usize) -> &[Need] {
        self.needs.get(node).map_or(&[], Vec::as_slice)
    }

    /// The prerequisites that a node is a member of.
    #[must_use]
    pub fn memberships(&self, node: usize) -> &[usize] {
        self.memberships.get(node).map_or(&[], Vec::as_slice)
    }

    /// Raises the rank of each node to the highest of those that it depends on, so that stopping by descending
    /// rank never stops a dependency before its dependents. A node without dependencies keeps its rank.
    pub fn raise_ranks(&self, ranks: &mut [i64]) {
        // The members of a prerequisite are finished before the first of its dependents, so one look is enough.
        let mut highest: Vec<Option<i64>> = vec![None; self.prerequisites.len()];
        for node in self.dependencies_first() {
            for Need { prerequisite, .. } in &self.needs[node] {
                let members = self.prerequisites[*prerequisite].members.iter();
                let highest = highest[*prerequisite]
                    .get_or_insert_with(|| members.map(|member| ranks[*member]).max().unwrap_or(i64::MIN));
                ranks[node] = ranks[node].max(*highest);
            }
        }
    }

    /// All nodes, each after everything that it depends on; none if no process depends on anything. Those of a cycle,
    /// which the configuration refuses, are in any order.
    #[must_use]
    pub fn dependencies_first(&self) -> Vec<usize> {
        let mut walk = Walk::of(self);
        (0..self.needs.len()).for_each(|node| drop(walk.visit(node)));
        walk.finished
    }

    /// A cycle, if there is any: each edge leads to the node of the next, and the last to the first.
    #[must_use]
    pub fn cycle(&self) -> Option<Vec<Edge>> {
        let mut walk = Walk::of(self);
        (0..self.needs.len()).find_map(|node| walk.visit(node))
    }
}

/// Depth first, without recursion: a chain may be as long as there are processes.
struct Walk<'g> {
    graph: &'g Graph,
    state: Vec<VisitState>,
    /// Prerequisites all of whose members were visited: their members need no second look.
    done_prerequisites: Vec<bool>,
    finished: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum VisitState {
    Not,
    OnPath,
    Done,
}

/// A node on the path with the need and the member of its prerequisite that are next.
struct PathStep {
    node: usize,
    need: usize,
    member: usize,
}

impl<'g> Walk<'g> {
    fn of(graph: &'g Graph) -> Self {
        let state = vec![VisitState::Not; graph.needs.len()];
        let done_prerequisites = vec![false; graph.prerequisites.len()];
        Self { graph, state, done_prerequisites, finished: Vec::new() }
    }

    /// Visits all that a node depends on, then the node. Returns a cycle if it meets one.
    fn visit(&mut self, start: usize) -> Option<Vec<Edge>> {
        if self.state[start] != VisitState::Not {
            return None;
        }
        let mut path = vec![PathStep { node: start, need: 0, member: 0 }];
        self.state[start] = VisitState::OnPath;
        let mut cycle = None;
        while let Some(step) = path.last_mut() {
            let Some(need) = self.graph.needs(step.node).get(step.need) else {
                self.state[step.node] = VisitState::Done;
                self.finished.push(step.node);
                path.pop();
                continue;
            };
            let members = &self.graph.prerequisites[need.prerequisite].members;
            let next = members.get(step.member).filter(|_| !self.done_prerequisites[need.prerequisite]);
            let Some(&next) = next else {
                self.done_prerequisites[need.prerequisite] = true;
                (step.need, step.member) = (step.need + 1, 0);
                continue;
            };
            step.member += 1;
            match self.state[next] {
                VisitState::Done => {}
                VisitState::OnPath => cycle = cycle.or_else(|| Some(self.edges(&path, next))),
                VisitState::Not => {
                    self.state[next] = VisitState::OnPath;
                    path.push(PathStep { node: next, need: 0, member: 0 });
                }
            }
        }
        cycle
    }

    fn edges(&self, path: &[PathStep], first: usize) -> Vec<Edge> {
        let cycle = path.iter().skip_while(|step| step.node != first);
        let edge =
            |step: &PathStep| Edge { node: step.node, entry: self.graph.needs(step.node)[step.need].entry };
        cycle.map(edge).collect()
    }
}

fn default_condition(specs: &[&ProcessSpec], members: &[usize]) -> Condition {
    if members.iter().all(|member| specs[*member].program_type == ProgramType::Oneshot) {
        Condition::Done
    } else {
        Condition::Ready
    }
}

/// A cycle in words, each edge with the place of its entry.
pub struct CycleText<'s> {
    /// The processes of the graph.
    pub specs: &'s [&'s ProcessSpec],
    /// As [`Graph::cycle`] returns it.
    pub cycle: &'s [Edge],
}

impl fmt::Display for CycleText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |edge: &Edge| {
            let spec = self.specs[edge.node];
            Namespec::join(&spec.group, &spec.name)
        };
        f.write_str("programs wait for each other: ")?;
        for edge in self.cycle {
            let dependency = self.specs[edge.node].dependencies().nth(edge.entry);
            let place = dependency.map(|(it, _)| it.place.to_string()).unwrap_or_default();
            write!(f, "{} ({place}) -> ", name(edge))?;
        }
        f.write_str(&self.cycle.first().map(name).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Name, WrittenAt};

    fn spec(name: &str, depends_on: &[&str]) -> ProcessSpec {
        let dependency = |text: &&str| Dependency {
            name: (*text).to_owned(),
            condition: None,
            is_optional: false,
            place: WrittenAt { source: format!("x.conf:{name}").into(), line: 0 },
        };
        let depends_on = depends_on.iter().map(dependency).collect();
        let [name, group, program] = [name; 3].map(Name::from);
        ProcessSpec { name, group, program, ..ProcessSpec::default() }
            .with_lifecycle(|it| it.depends_on = depends_on)
    }

    fn graph(specs: &[ProcessSpec]) -> (Graph, Vec<Unknown>) {
        Graph::of(&specs.iter().collect::<Vec<_>>())
    }

    #[test]
    fn names_are_programs_groups_processes_and_states() {
        let in_group = ProcessSpec { group: "g".into(), program: "p".into(), ..spec("p_0", &[]) };
        let job = ProcessSpec { program_type: ProgramType::Oneshot, ..spec("job", &[]) };
        for (name, expected) in [
            ("p", Some((0, Condition::Ready))),
            ("g:*", Some((0, Condition::Ready))),
            ("g:p_0", Some((0, Condition::Ready))),
            ("p:exited", Some((0, Condition::Done))),
            ("job", Some((1, Condition::Done))),
            ("job:RUNNING", Some((1, Condition::Ready))),
            ("p_0", None),
            ("g", None),
            ("g:nope", None),
            ("p:nope", None),
        ] {
            let (graph, unknown) = graph(&[in_group.clone(), job.clone(), spec("web", &[name])]);
            let found = graph.prerequisites().first().map(|it| (it.members[0], it.condition));
            assert_eq!(found, expected, "{name}");
            assert_eq!(unknown.is_empty(), expected.is_some(), "{name}");
        }
    }

    #[test]
    fn a_cycle_is_shown_whole_with_the_place_of_each_edge() {
        let specs = [spec("x", &["a"]), spec("a", &["b"]), spec("b", &["c"]), spec("c", &["a"])];
        let (graph, _) = graph(&specs);
        let cycle = graph.cycle().unwrap();
        let specs: Vec<_> = specs.iter().collect();
        assert_eq!(
            CycleText { specs: &specs, cycle: &cycle }.to_string(),
            "programs wait for each other: a (x.conf:a) -> b (x.conf:b) -> c (x.conf:c) -> a"
        );
    }

    #[test]
    fn a_shared_dependency_is_not_a_cycle() {
        let (graph, _) =
            graph(&[spec("d", &["b", "c"]), spec("b", &["a"]), spec("c", &["a", "b"]), spec("a", &[])]);
        assert_eq!(graph.cycle(), None);
        let (itself, _) = super::tests::graph(&[spec("a", &["a"])]);
        assert_eq!(itself.cycle(), Some(vec![Edge { node: 0, entry: 0 }]));
    }

    #[test]
    fn a_rank_is_raised_to_that_of_what_is_depended_on() {
        let (graph, _) =
            graph(&[spec("web", &["app"]), spec("app", &["db"]), spec("db", &[]), spec("x", &[])]);
        let mut ranks = [1, 5, 900, 3];
        graph.raise_ranks(&mut ranks);
        assert_eq!(ranks, [900, 900, 900, 3]);
    }

    #[test]
    fn a_chain_and_a_mesh_of_thousands_need_no_deep_stack_and_few_edges() {
        let names: Vec<String> = (0..5_000).map(|number| format!("p{number}")).collect();
        let chain: Vec<_> = (0..names.len())
            .map(|number| {
                spec(
                    &names[number],
                    &names[number + 1..].iter().take(1).map(String::as_str).collect::<Vec<_>>(),
                )
            })
            .collect();
        assert_eq!(graph(&chain).0.cycle(), None);
        let of = |program: &str, number: usize, depends_on: &[&str]| ProcessSpec {
            program: program.into(),
            group: program.into(),
            ..spec(&format!("{program}_{number}"), depends_on)
        };
        let mesh: Vec<_> = (0..2_000)
            .map(|number| of("a", number, &["b"]))
            .chain((0..2_000).map(|number| of("b", number, &[])))
            .collect();
        let (mesh, _) = graph(&mesh);
        assert_eq!((mesh.prerequisites().len(), mesh.prerequisites()[0].dependents.len()), (1, 2_000));
        assert_eq!(mesh.cycle(), None);
    }
}
