//! Which processes the names of an action mean.

use super::answers::{self, ProcessRow};
use super::exit;
use super::session::Session;
use super::wildcard;
use crate::model::Namespec;

/// The positions of the named processes, each once; of all without names. A name that means none is reported on standard error, and sets the exit
/// code.
pub(super) fn named(session: &mut Session, rows: &[ProcessRow], names: &[&str]) -> Vec<usize> {
    if names.is_empty() {
        return (0..rows.len()).collect();
    }
    let mut chosen = Vec::new();
    for name in wildcard::expand(names, rows) {
        let spec = Namespec::split(&name);
        let is_meant = |row: &ProcessRow| name == "all" || row.is_meant_by(&spec);
        let found: Vec<usize> = (0..rows.len()).filter(|at| is_meant(&rows[*at])).collect();
        if found.is_empty() && name != "all" {
            let suggestion = session.suggestion(&name);
            session.warn(answers::unknown(&spec, &suggestion));
            session.fail(exit::GENERIC);
        }
        chosen.extend(found.into_iter().filter(|at| !chosen.contains(at)).collect::<Vec<_>>());
    }
    chosen
}
