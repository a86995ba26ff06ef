//! Which process depends on which.

use serde::Serialize;

use super::list::{ListReply, encode};
use crate::model::Namespec;
use crate::model::graph::ProcessGraph;

#[derive(Serialize)]
struct GraphHead {
    truncated: bool,
}

#[derive(Serialize)]
struct NodeView<'a> {
    full_name: &'a str,
    group: &'a str,
    name: &'a str,
    state: &'static str,
}

#[derive(Serialize)]
struct EdgeView<'a> {
    from: &'a str,
    to: &'a str,
    condition: String,
    optional: bool,
    kind: &'static str,
    holds: bool,
}

pub(super) fn graph(graph: ProcessGraph) -> ListReply {
    let ProcessGraph { nodes, mut edges, is_truncated } = graph;
    let full_names: Vec<_> = nodes.iter().map(|node| Namespec::join(&node.group, &node.name)).collect();
    edges.retain(|edge| edge.from.max(edge.to) < full_names.len());
    ListReply::new(&GraphHead { truncated: is_truncated })
        .list("nodes", nodes, |node, out| {
            let view = NodeView {
                full_name: &Namespec::join(&node.group, &node.name),
                group: &node.group,
                name: &node.name,
                state: node.state.name(),
            };
            encode(&view, out);
        })
        .list("edges", edges, move |edge, out| {
            let name_of = |at: usize| full_names.get(at).map_or("", String::as_str);
            let view = EdgeView {
                from: name_of(edge.from),
                to: name_of(edge.to),
                condition: edge.condition.to_string(),
                optional: edge.is_optional,
                kind: if edge.is_binding { "restart_with" } else { "depends_on" },
                holds: edge.holds,
            };
            encode(&view, out);
        })
}
