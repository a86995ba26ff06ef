//! `sv graph`: what depends on what, as text, for Graphviz or for Mermaid.
//!
//! With `--json` it prints the object of the JSON API's `/api/v1/graph`.

use serde_json::Value as Json;

use super::failure::Outcome;
use super::screen::shown;
use super::session::Session;
use super::words::{ActionOptions, refuse};

/// The blanks before what continues a line on a terminal.
const INDENT: usize = 4;

/// The output formats, of which at most one can be given.
const FORMS: [(&str, &str); 3] = [("--dot", ""), ("--mermaid", ""), ("--json", "")];

const OPTIONS: ActionOptions = ActionOptions { action: "graph", flags: &FORMS, valued: &[] };

/// `graph [--dot|--mermaid|--json]`
pub(super) fn graph(session: &mut Session, arg: &str) -> Outcome {
    let Some(words) = OPTIONS.parse(session, arg) else { return Ok(()) };
    if !words.names.is_empty() {
        refuse(session, "graph", "Error: graph accepts no names");
        return Ok(());
    }
    let form = match FORMS
        .map(|(form, _)| form)
        .into_iter()
        .filter(|form| words.has(form))
        .collect::<Vec<_>>()[..]
    {
        [] => None,
        [form] => Some(form),
        [form, other, ..] => {
            refuse(session, "graph", &format!("Error: {form} can't be combined with {other}"));
            return Ok(());
        }
    };
    let document = session.get("/api/v1/graph", "the dependencies")?;
    let graph = DependencyGraph::of(&document);
    match form {
        Some("--dot") => session.print(&dot(&graph)),
        Some("--mermaid") => session.print(&mermaid(&graph)),
        Some(_) => session.say(document),
        None => plain(&graph).lines().for_each(|line| session.say_wrapped(line, INDENT)),
    }
    Ok(())
}

/// A dependency.
struct DependencyEdge {
    /// The positions of the nodes.
    from: usize,
    to: usize,
    /// `ready`, `ready, optional`
    condition: String,
    is_binding: bool,
    holds: bool,
}

struct DependencyGraph {
    /// Names and states.
    nodes: Vec<(String, String)>,
    edges: Vec<DependencyEdge>,
}

impl DependencyGraph {
    fn of(document: &Json) -> Self {
        let nodes: Vec<_> = document["nodes"].as_array().into_iter().flatten().collect();
        let position = |name: &Json| nodes.iter().position(|node| node["full_name"] == *name);
        let edges = document["edges"].as_array().into_iter().flatten().filter_map(|edge| {
            let optional = if edge["optional"] == true { ", optional" } else { "" };
            Some(DependencyEdge {
                from: position(&edge["from"])?,
                to: position(&edge["to"])?,
                condition: format!("{}{optional}", shown(&edge["condition"])),
                is_binding: edge["kind"] == "restart_with",
                holds: edge["holds"] == true,
            })
        });
        let edges = edges.collect();
        Self {
            nodes: nodes.iter().map(|node| (shown(&node["full_name"]), shown(&node["state"]))).collect(),
            edges,
        }
    }
}

/// Each process with what it depends on.
fn plain(graph: &DependencyGraph) -> String {
    let mut text = String::new();
    for (at, (name, state)) in graph.nodes.iter().enumerate() {
        text.push_str(&format!("{name}  {state}\n"));
        for edge in graph.edges.iter().filter(|edge| edge.from == at) {
            let how = if edge.is_binding { "restarts with" } else { "depends on" };
            let holds = if edge.holds { "" } else { ": not yet" };
            text.push_str(&format!("  {how} {} ({}){holds}\n", graph.nodes[edge.to].0, edge.condition));
        }
    }
    text
}

/// In the language of Graphviz: dashed for `restart_with`, grey for what does not hold.
fn dot(graph: &DependencyGraph) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let mut text = "digraph supervisor {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for (at, (name, state)) in graph.nodes.iter().enumerate() {
        let label = quoted(&format!("{name}\n{state}")).replace('\n', "\\n");
        text.push_str(&format!("  n{at} [label={label}];\n"));
    }
    for edge in &graph.edges {
        let style = if edge.is_binding { ", style=dashed" } else { "" };
        let color = if edge.holds { "" } else { ", color=gray" };
        let label = quoted(&edge.condition);
        text.push_str(&format!("  n{} -> n{} [label={label}{style}{color}];\n", edge.from, edge.to));
    }
    text + "}\n"
}

/// In the language of Mermaid: dotted for `restart_with`. Names are labels, in which everything but letters, digits and
/// a few signs is written as an entity.
fn mermaid(graph: &DependencyGraph) -> String {
    let label = |text: &str| -> String {
        let is_plain = |c: char| c.is_alphanumeric() || " _-.,:/".contains(c);
        text.chars().map(|c| if is_plain(c) { c.to_string() } else { format!("#{};", c as u32) }).collect()
    };
    let mut text = "flowchart LR\n".to_owned();
    for (at, (name, state)) in graph.nodes.iter().enumerate() {
        text.push_str(&format!("  n{at}[\"{}<br/>{}\"]\n", label(name), label(state)));
    }
    for edge in &graph.edges {
        let arrow = if edge.is_binding { "-.->" } else { "-->" };
        let condition = label(&edge.condition);
        text.push_str(&format!("  n{} {arrow}|\"{condition}\"| n{}\n", edge.from, edge.to));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_data_in_every_language() {
        let node = |name: &str| json!({"full_name": name, "state": "RUNNING"});
        let edge = |kind: &str, optional: bool| {
            json!({"from": "w<eb>\"\\", "to": "g:d\u{202e}b", "condition": "ready", "optional": optional,
                "kind": kind, "holds": !optional})
        };
        let graph = DependencyGraph::of(&json!({
            "nodes": [node("w<eb>\"\\"), node("g:d\u{202e}b")],
            "edges": [edge("depends_on", true), edge("restart_with", false), {"from": "x", "to": "y"}],
        }));
        let expected = "w<eb>\"\\  RUNNING\n  depends on g:d\\u{202e}b (ready, optional): not yet\n  \
            restarts with g:d\\u{202e}b (ready)\ng:d\\u{202e}b  RUNNING\n";
        assert_eq!(plain(&graph), expected);
        let expected = r#"digraph supervisor {
  rankdir=LR;
  node [shape=box];
  n0 [label="w<eb>\"\\\nRUNNING"];
  n1 [label="g:d\\u{202e}b\nRUNNING"];
  n0 -> n1 [label="ready, optional", color=gray];
  n0 -> n1 [label="ready", style=dashed];
}
"#;
        assert_eq!(dot(&graph), expected);
        let expected = "flowchart LR\n  n0[\"w#60;eb#62;#34;#92;<br/>RUNNING\"]\n  \
            n1[\"g:d#92;u#123;202e#125;b<br/>RUNNING\"]\n  n0 -->|\"ready, optional\"| n1\n  n0 -.->|\"ready\"| n1\n";
        assert_eq!(mermaid(&graph), expected);
    }
}
