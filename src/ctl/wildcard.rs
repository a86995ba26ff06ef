//! Expands names with `*`, `?` and `[...]` to the names of existing processes.
//!
//! A pattern without a colon matches process names in any group; one with a colon has a part for each, and
//! `GROUP*:*` means whole groups. The name of an existing process means that process, even if it looks like a
//! pattern; a pattern without a match is kept, and is then reported as unknown.

use glob::Pattern;

use super::answers::ProcessRow;
use crate::model::Namespec;

/// Whether a name could be a pattern: only then the processes have to be requested.
pub(super) fn may_be_pattern(name: &str) -> bool {
    let spec = Namespec::split(name);
    let is_wild = |part: &str| part.contains(['*', '?', '[']);
    is_wild(&spec.group) || spec.process.is_some_and(|process| is_wild(&process))
}

/// The expanded names, in the order of the rows for each pattern.
///
/// COMPAT: the reference takes a pattern for the name of a process that doesn't exist.
pub(super) fn expand<'r>(
    names: &[&str],
    rows: impl IntoIterator<Item = &'r ProcessRow, IntoIter: Clone>,
) -> Vec<String> {
    let rows = rows.into_iter();
    names.iter().flat_map(|name| meant(name, rows.clone())).collect()
}

fn meant<'r>(name: &str, rows: impl Iterator<Item = &'r ProcessRow> + Clone) -> Vec<String> {
    let (itself, spec) = (vec![name.to_owned()], Namespec::split(name));
    if !may_be_pattern(name) || rows.clone().any(|row| row.is_meant_by(&spec)) {
        return itself;
    }
    let mut found: Vec<String> = Vec::new();
    for row in rows {
        found.extend(matched_name(row, name).filter(|fit| !found.contains(fit)));
    }
    if found.is_empty() { itself } else { found }
}

/// The name of a row if it matches the pattern.
fn matched_name(row: &ProcessRow, pattern: &str) -> Option<String> {
    let fits = |pattern: &str, text: &str| Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(text));
    match pattern.split_once(':') {
        None => fits(pattern, &row.name).then(|| row.namespec()),
        Some((group, "" | "*")) => fits(group, &row.group).then(|| format!("{}:*", row.group)),
        Some((group, process)) => {
            (fits(group, &row.group) && fits(process, &row.name)).then(|| row.namespec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_expand_to_existing_names() {
        let row = |(group, name): (&str, &str)| ProcessRow::named(group, name);
        let rows = [("web_a", "web_a"), ("web_b", "web_b"), ("work", "w_0"), ("work", "w_1"), ("x*", "x*")];
        let rows = rows.map(row);
        for (names, expected) in [
            (&["web_*"][..], &["web_a", "web_b"][..]),
            (&["web_?", "w_*"], &["web_a", "web_b", "work:w_0", "work:w_1"]),
            (&["web_[!a]"], &["web_b"]),
            (&["wor*:*"], &["work:*"]),
            (&["w*:"], &["web_a:*", "web_b:*", "work:*"]),
            (&["work:w_[01]"], &["work:w_0", "work:w_1"]),
            (&["*:w_1"], &["work:w_1"]),
            // An existing name is taken literally.
            (&["x*"], &["x*"]),
            (&["work:*", "all", "web_a"], &["work:*", "all", "web_a"]),
            // What matches nothing, or is not a pattern, is kept and reported later.
            (&["y*", "y*:*", "web_[", "a***"], &["y*", "y*:*", "web_[", "a***"]),
        ] {
            assert_eq!(expand(names, &rows), expected, "{names:?}");
        }
        assert!(!may_be_pattern("work:*") && !may_be_pattern("work:") && may_be_pattern("wor*:*"));
    }
}
