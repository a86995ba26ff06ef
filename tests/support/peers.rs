//! What tests that compare us with the reference share: who runs what, and the masks.
//!
//! What may differ is masked: uptimes and the process ids beside them, and the sentences of the help,
//! which are our own. Its usage forms are Supervisor's. Errors that show a Python exception end where
//! Python's file names begin, and those about a configuration before our mention of the file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use std::os::unix::process::CommandExt;

/// Programs of many tempers. The short-lived one outlives its spawn, for the reference may see an exit
/// before it has answered who asked for the start; and its `startsecs` is longer than the second in which
/// the reference may overlook that exit.
pub const PROGRAMS: &str = "
[program:cat]
command=/bin/cat
startsecs=0
[program:many]
command=/bin/cat
process_name=%(program_name)s_%(process_num)02d
numprocs=2
startsecs=0
[program:one]
command=/bin/cat
autostart=false
startsecs=0
[program:a-name-that-is-longer-than-thirty]
command=/bin/cat
autostart=false
startsecs=0
[group:pair]
programs=one,a-name-that-is-longer-than-thirty
priority=5
[program:off]
command=/bin/cat
autostart=false
startsecs=0
[program:short-lived]
command=/bin/sh -c 'sleep 0.1; exit 3'
startretries=0
startsecs=2
[program:missing]
command=/there/is/no/such/file
autostart=false
[program:unreadable]
command=/tmp
autostart=false
";

/// The folder with the reference's programs; without it a test is skipped, but not in CI.
pub fn reference() -> Option<PathBuf> {
    let folder = super::reference_bin();
    super::have("the reference", folder.is_some());
    folder
}

/// A client of either kind. Both have the reference's name, which is in their messages.
pub fn client(program: &Path, reference: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg0(reference.join("supervisorctl")).env_remove("SUPERVISOR_SERVER_URL");
    command
}

/// Both streams and the exit code, with what may differ on one server taken out.
pub fn masked(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().map(masked_line).collect::<String>();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    format!("{out}--- stderr\n{err}--- exit {:?}\n", output.status.code())
}

/// The same with what differs from server to server taken out as well: process ids, dates, the folder.
pub fn masked_across(output: &Output, folder: &Path) -> String {
    let text = masked(output).replace(&folder.display().to_string(), "<folder>");
    text.lines().map(|line| format!("{}\n", without_date(without_pid(line)))).collect()
}

fn masked_line(line: &str) -> String {
    let line = if line.contains(", uptime ") { before(line, "pid ") } else { line };
    let end = match line.split_once(' ') {
        Some(("error:", _)) => ": file: ",
        Some(("Error:", _)) => " (file: ",
        _ => "\t",
    };
    let line = before(line, end);
    let line = if line.starts_with("Note: ") { "Note: " } else { line };
    format!("{line}\n")
}

/// A line that is only a process id. `None` is shown as 0.
fn without_pid(line: &str) -> &str {
    if line != "0" && !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) {
        "<pid>"
    } else {
        line
    }
}

/// `Nov 20 04:11 PM` at the end of a line.
fn without_date(line: &str) -> String {
    const DATE: &str = "Aaa 00 00:00 AM";
    let at = line.len().saturating_sub(DATE.len());
    let is_date = line.get(at..).is_some_and(|end| {
        end.len() == DATE.len()
            && end.bytes().zip(DATE.bytes()).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                b'A' => byte.is_ascii_uppercase(),
                b'a' => byte.is_ascii_lowercase(),
                other => byte == other,
            })
    });
    if is_date { format!("{}<date>", &line[..at]) } else { line.to_owned() }
}

/// The lines in an order that does not depend on which came first. Nor does the exit code: of several
/// failures it is that of the last.
pub fn sorted(text: &str) -> Vec<&str> {
    let failures = text.lines().filter(|line| line.contains(": ERROR (")).count();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.retain(|line| failures < 2 || !line.starts_with("--- exit "));
    lines.sort_unstable();
    lines
}

fn before<'t>(line: &'t str, mark: &str) -> &'t str {
    line.split_once(mark).map_or(line, |(before, _)| before)
}
