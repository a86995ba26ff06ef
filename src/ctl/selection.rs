//! Which processes the names of an action mean.

use super::answers::{self, ProcessRow};
use super::exit;
use super::session::Session;
use super::wildcard;
use crate::model::Namespec;

/// The selected processes.
pub(super) struct Selected {
    /// Their positions among all, each once.
    pub(super) positions: Vec<usize>,
    /// Whether every name means one.
    pub(super) is_complete: bool,
}

/// The named processes, or all without names. A name that means none is reported on standard error, and sets the exit
/// code.
pub(super) fn named(session: &mut Session, rows: &[ProcessRow], names: &[&str]) -> Selected {
    let mut unknown = Vec::new();
    let positions = select(rows, names, |name| unknown.push(name));
    for name in &unknown {
        let suggestion = session.suggestion(name);
        session.warn(answers::unknown(&Namespec::split(name), &suggestion));
        session.fail(exit::GENERIC);
    }
    Selected { positions, is_complete: unknown.is_empty() }
}

/// The positions of the named processes that exist, or of all without names.
pub(super) fn existing(rows: &[ProcessRow], names: &[&str]) -> Vec<usize> {
    select(rows, names, drop)
}

fn select(rows: &[ProcessRow], names: &[&str], mut report: impl FnMut(String)) -> Vec<usize> {
    if names.is_empty() {
        return (0..rows.len()).collect();
    }
    let mut chosen = Vec::new();
    for name in wildcard::expand(names, rows) {
        let spec = Namespec::split(&name);
        let is_meant = |row: &ProcessRow| name == "all" || row.is_meant_by(&spec);
        let found: Vec<usize> = (0..rows.len()).filter(|at| is_meant(&rows[*at])).collect();
        if found.is_empty() && name != "all" {
            report(name);
        }
        chosen.extend(found.into_iter().filter(|at| !chosen.contains(at)).collect::<Vec<_>>());
    }
    chosen
}
