//! How large is what has to be installed?

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Run, attempt};
use crate::Outcome;
use crate::peers::{Kind, Peer};
use crate::table::Table;

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let mut table = Table::new("size", "files on disk, shared libraries apart".to_owned(), &["KiB", "files"]);
    // The same file, another command line.
    for peer in run.peers.iter().filter(|peer| peer.kind != Kind::SvCommand) {
        if let Some((bytes, files)) = attempt("size", peer.kind.name(), || weigh(peer)) {
            table.row(peer.kind.name(), vec![Some(bytes / 1024.0), Some(files)]);
        }
    }
    if run.peers.iter().any(|peer| peer.kind == Kind::Supervisord) {
        table.note(
            "supervisord: its package and the interpreter's binary, without Python's library".to_owned(),
        );
    }
    Ok(table)
}

fn weigh(peer: &Peer) -> Outcome<(f64, f64)> {
    let mut sum = (0.0, 0.0);
    for program in &peer.programs {
        add(program, &mut sum)?;
    }
    if peer.kind == Kind::Supervisord {
        let script = fs::read_to_string(&peer.programs[0])?;
        let interpreter =
            script.lines().next().and_then(|line| line.strip_prefix("#!")).ok_or("no interpreter")?;
        let question = "import supervisor; print(supervisor.__path__[0])";
        let answer = Command::new(interpreter).args(["-c", question]).output()?;
        add(&fs::canonicalize(interpreter)?, &mut sum)?;
        add(Path::new(String::from_utf8_lossy(&answer.stdout).trim()), &mut sum)?;
    }
    Ok(sum)
}

fn add(path: &Path, sum: &mut (f64, f64)) -> Outcome<()> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            add(&entry?.path(), sum)?;
        }
        return Ok(());
    }
    sum.0 += metadata.len() as f64;
    sum.1 += 1.0;
    Ok(())
}
