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
    if names.is_empty() {
        return Selected { positions: (0..rows.len()).collect(), is_complete: true };
    }
    let (mut chosen, mut is_complete) = (Vec::new(), true);
    for name in wildcard::expand(names, rows) {
        let spec = Namespec::split(&name);
        let is_meant = |row: &ProcessRow| name == "all" || row.is_meant_by(&spec);
        let found: Vec<usize> = (0..rows.len()).filter(|at| is_meant(&rows[*at])).collect();
        if found.is_empty() && name != "all" {
            let suggestion = session.suggestion(&name);
            session.warn(answers::unknown(&spec, &suggestion));
            session.fail(exit::GENERIC);
            is_complete = false;
        }
        chosen.extend(found.into_iter().filter(|at| !chosen.contains(at)).collect::<Vec<_>>());
    }
    Selected { positions: chosen, is_complete }
}
