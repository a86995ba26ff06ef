//! Which process depends on which.

use serde::Serialize;

use super::json;
use crate::http::Response;
use crate::model::Namespec;
use crate::model::graph::ProcessGraph;

#[derive(Serialize)]
struct GraphView<'a> {
    nodes: Vec<NodeView<'a>>,
    edges: Vec<EdgeView<'a>>,
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

pub(super) fn graph(graph: &ProcessGraph) -> Response {
    let full_names: Vec<_> = graph.nodes.iter().map(|node| Namespec::join(&node.group, &node.name)).collect();
    let nodes = graph.nodes.iter().zip(&full_names).map(|(node, full_name)| NodeView {
        full_name,
        group: &node.group,
        name: &node.name,
        state: node.state.name(),
    });
    let edges = graph.edges.iter().filter_map(|edge| {
        Some(EdgeView {
            from: full_names.get(edge.from)?,
            to: full_names.get(edge.to)?,
            condition: edge.condition.to_string(),
            optional: edge.is_optional,
            kind: if edge.is_binding { "restart_with" } else { "depends_on" },
            holds: edge.holds,
        })
    });
    let view = GraphView { nodes: nodes.collect(), edges: edges.collect(), truncated: graph.is_truncated };
    json(200, &view)
}
