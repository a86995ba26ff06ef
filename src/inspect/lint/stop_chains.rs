//! Stops that follow one another: their total time against the time limit.
//!
//! Groups of one priority stop in parallel, one priority after the other. Within a priority dependents stop
//! before their prerequisites, and a group is raised to the priority of the groups that it depends on.

use std::collections::{BTreeMap, HashMap};

use super::SectionProcesses;
use super::stop_time::{Bound, StopTime, report};
use crate::config::Reading;
use crate::model::graph::Graph;
use crate::model::{ProcessSpec, ProgramType, counted};

/// The processes of all programs, and the order of their stops.
struct StopGraph<'s, 'g> {
    specs: Vec<&'s ProcessSpec>,
    /// The index of each process's program.
    program_of: Vec<usize>,
    graph: &'g Graph,
    /// The priority with which each process stops.
    ranks: Vec<i64>,
    /// The configured seconds of each process.
    secs: Vec<i64>,
}

/// The longest total time of a process and those that stop after it at the same priority.
#[derive(Clone, Copy)]
struct Chain {
    secs: i64,
    /// The next process in the chain.
    next: Option<usize>,
}

/// `set` are the programs with a stop timeout of their own, by index. The nodes of the graph are the
/// processes of the programs.
pub(super) fn lint(
    reading: &mut Reading<'_>,
    (programs, graph): (&[SectionProcesses<'_, '_>], &Graph),
    set: &HashMap<usize, StopTime>,
    bound: Bound,
) {
    let stops = StopGraph::of(programs, graph, set);
    let chains = stops.chains();
    let mut longest: BTreeMap<i64, usize> = BTreeMap::new();
    for (node, chain) in chains.iter().enumerate() {
        let first = longest.entry(stops.ranks[node]).or_insert(node);
        if chain.secs > chains[*first].secs {
            *first = node;
        }
    }
    let follow = |first: usize| std::iter::successors(Some(first), |node| chains[*node].next);
    let level = |first: usize| follow(first).filter(|node| stops.secs[*node] > 0).collect::<Vec<_>>();
    let levels: Vec<_> =
        longest.values().rev().map(|first| level(*first)).filter(|it| !it.is_empty()).collect();
    let order = levels.concat();
    let sum = order.iter().fold(0, |sum: i64, node| sum.saturating_add(stops.secs[*node]));
    let Some(last) = order.last().filter(|_| sum > bound.secs) else { return };
    let each: Vec<_> = order.iter().map(|node| stops.secs[*node].to_string()).collect();
    let names: Vec<_> = order.iter().map(|node| stops.specs[*node].program.as_str()).collect();
    let time = |node: &usize| set.get(&stops.program_of[*node]);
    let has_post_stop = order.iter().filter_map(time).any(|time| time.post_stop_secs > 0);
    let has_chain = levels.iter().any(|level| level.len() > 1);
    let who = match (has_chain, levels.len()) {
        (false, _) => "priorities stop one after the other".to_owned(),
        (true, 1) => format!("{} stop one after the other, as one depends on the next", names.join(", ")),
        (true, _) => format!("{} stop one after the other, by priority and by dependency", names.join(", ")),
    };
    let text = format!(
        "{who}, which may take {} = {}{}: more than the {} {}",
        each.join(" + "),
        counted(sum, "second", "seconds"),
        if has_post_stop { " with post_stop" } else { "" },
        bound.secs,
        bound.limit
    );
    let last = stops.program_of[*last];
    let option = set.get(&last).map_or("stopwaitsecs", |time| time.option());
    report(reading, &programs[last], option, text);
}

impl<'s, 'g> StopGraph<'s, 'g> {
    fn of(programs: &[SectionProcesses<'s, '_>], graph: &'g Graph, set: &HashMap<usize, StopTime>) -> Self {
        let mut specs: Vec<&'s ProcessSpec> = Vec::new();
        let (mut program_of, mut ranks, mut secs) = (Vec::new(), Vec::new(), Vec::new());
        for (index, program) in programs.iter().enumerate() {
            for spec in program.processes {
                specs.push(spec);
                program_of.push(index);
                ranks.push(program.group.priority);
                // A completed oneshot has nothing to stop, and while it runs its dependents do not run.
                let is_job = spec.program_type == ProgramType::Oneshot;
                secs.push(set.get(&index).filter(|_| !is_job).map_or(0, |time| time.secs()));
            }
        }
        graph.raise_ranks(&mut ranks);
        Self { specs, program_of, graph, ranks, secs }
    }

    /// The longest chain of each process within its priority.
    fn chains(&self) -> Vec<Chain> {
        let mut chains: Vec<_> = self.secs.iter().map(|secs| Chain { secs: *secs, next: None }).collect();
        // For each prerequisite, its member of the highest rank with the longest chain.
        let mut longest: Vec<Option<usize>> = vec![None; self.graph.prerequisites().len()];
        for node in self.graph.dependencies_first() {
            for need in self.graph.needs(node) {
                let members = &self.graph.prerequisites()[need.prerequisite].members;
                let next = longest[need.prerequisite]
                    .or_else(|| members.iter().copied().max_by_key(|it| (self.ranks[*it], chains[*it].secs)));
                longest[need.prerequisite] = next;
                let Some(next) = next.filter(|next| self.ranks[*next] == self.ranks[node]) else { continue };
                let secs = self.secs[node].saturating_add(chains[next].secs);
                if chains[node].next.is_none() || secs > chains[node].secs {
                    chains[node] = Chain { secs, next: Some(next) };
                }
            }
        }
        chains
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::warnings_in;

    const BOUND: &str = "more than the 10 that a container is given to stop (--grace)";

    /// Sections `name: options`, each of three lines including the options.
    fn warnings(programs: &[(&str, &str)]) -> Vec<String> {
        let section = |(name, lines): &(&str, &str)| format!("[program:{name}]\ncommand=a\n{lines}\n");
        warnings_in(&programs.iter().map(section).collect::<String>())
    }

    #[test]
    fn a_chain_of_dependents_takes_the_sum_of_their_times() {
        let chain = |db: &str| {
            warnings(&[
                ("web", "depends_on=app\nstopwaitsecs=4"),
                ("app", "depends_on=db\nstopwaitsecs=3"),
                ("db", db),
            ])
        };
        assert_eq!(
            chain("stopwaitsecs=5"),
            [format!(
                "12: web, app, db stop one after the other, as one depends on the next, which may take 4 + 3 + 5 = 12 \
                 seconds: {BOUND}"
            )]
        );
        assert_eq!(chain("stopwaitsecs=3"), [] as [&str; 0]);
        assert_eq!(chain(""), [] as [&str; 0], "only what was written counts");
        assert_eq!(
            chain("hook_timeout=4\npost_stop=b"),
            [format!(
                "12: web, app, db stop one after the other, as one depends on the next, which may take 4 + 3 + 4 = 11 \
                 seconds with post_stop: {BOUND}"
            )]
        );
    }

    #[test]
    fn side_by_side_the_longest_counts() {
        let beside = |x: &str, other: &str| {
            let depends = format!("{other}\nstopwaitsecs=6");
            warnings(&[("x", x), ("y", "stopwaitsecs=6"), ("z", &depends)])
        };
        assert_eq!(beside("stopwaitsecs=9", ""), [] as [&str; 0]);
        assert_eq!(
            beside("stopwaitsecs=9", "depends_on=x, y"),
            [format!(
                "4: z, x stop one after the other, as one depends on the next, which may take 6 + 9 = 15 seconds: \
                 {BOUND}"
            )]
        );
    }

    #[test]
    fn a_priority_that_a_dependency_raises_is_not_one_of_its_own() {
        let programs = [
            ("web", "depends_on=db\npriority=20\nstopwaitsecs=4"),
            ("db", "priority=10\nstopwaitsecs=4"),
            ("log", "priority=10\nstopwaitsecs=6"),
        ];
        assert_eq!(warnings(&programs), [] as [&str; 0], "4 and then 6");
        let raised = [
            ("web", "depends_on=db\nstopwaitsecs=4"),
            ("db", "stopwaitsecs=4"),
            ("log", "priority=10\nstopwaitsecs=3"),
        ];
        assert_eq!(
            warnings(&raised),
            [format!(
                "12: web, db, log stop one after the other, by priority and by dependency, which may take 4 + 4 + 3 = 11 \
                 seconds: {BOUND}"
            )]
        );
    }

    #[test]
    fn a_job_that_is_done_takes_no_time() {
        let programs = [
            ("web", "depends_on=job\nstopwaitsecs=5"),
            ("job", "type=oneshot\ndepends_on=db\nstopwaitsecs=9"),
            ("db", "stopwaitsecs=5"),
        ];
        assert_eq!(warnings(&programs), [] as [&str; 0]);
    }
}
