//! Suggestions for unknown names.

use super::answers::ProcessRow;
use crate::config::nearest;
use crate::model::Namespec;

/// All processes of a group of this name; else the process of this name in another group; else the most
/// similar name.
pub(super) fn process(name: &str, rows: &[ProcessRow]) -> Option<String> {
    let spec = Namespec::split(name);
    let is_bare = !name.contains(':');
    if is_bare && rows.iter().any(|row| row.group == name) {
        return Some(format!("{name}:*"));
    }
    if let Some(row) = rows.iter().find(|row| is_bare && row.name == name) {
        return Some(row.namespec());
    }
    let names: Vec<String> = match spec.process {
        Some(_) => rows.iter().map(ProcessRow::namespec).chain(groups(rows)).collect(),
        None => groups(rows).collect(),
    };
    nearest(names.iter().map(String::as_str), name).map(str::to_owned)
}

/// The group with the most similar name.
pub(super) fn group<'g>(name: &str, groups: impl Iterator<Item = &'g str>) -> Option<String> {
    nearest(groups, name).map(str::to_owned)
}

fn groups(rows: &[ProcessRow]) -> impl Iterator<Item = String> + '_ {
    rows.iter().map(|row| format!("{}:*", row.group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_suggested_before_a_process_before_a_similar_name() {
        let row = |(group, name): (&str, &str)| ProcessRow::named(group, name);
        let rows = [("nginx", "nginx"), ("worker", "worker_00"), ("worker", "worker_01")].map(row);
        for (name, meant) in [
            ("worker", Some("worker:*")),
            ("worker_01", Some("worker:worker_01")),
            ("nginxx", Some("nginx")),
            ("worker:worker_1", Some("worker:worker_01")),
            ("wroker:*", Some("worker:*")),
            ("redis", None),
        ] {
            assert_eq!(process(name, &rows).as_deref(), meant, "{name}");
        }
        assert_eq!(group("ngnix", ["web", "nginx"].into_iter()).as_deref(), Some("nginx"));
    }
}
