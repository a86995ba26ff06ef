//! `sv` as the client of a sandbox's supervisor.

use std::fs::File;
use std::process::{Child, Command, Output};

use rustix::process::{Pid, Signal, kill_process};

use super::{Sandbox, binary};

/// `sv WORDS` for the server of the sandbox.
pub fn sv(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = sandbox.marked(Command::new(binary()));
    command.arg("-c").arg(sandbox.config()).args(words);
    command
}

/// Standard output, standard error and the exit code.
pub fn reported(output: &Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

/// Runs `sv WORDS` to its end.
pub fn run(sandbox: &Sandbox, words: &[&str]) -> (String, String, Option<i32>) {
    reported(&sv(sandbox, words).output().unwrap())
}

/// What only an exit code says.
pub fn silent(code: i32) -> (String, String, Option<i32>) {
    (String::new(), String::new(), Some(code))
}

/// A client that runs in the background, with its output in `out` and `out.err`.
pub fn spawn(sandbox: &Sandbox, words: &[&str], out: &str) -> Child {
    let file = |name: &str| File::create(sandbox.path(name)).unwrap();
    let mut command = sv(sandbox, words);
    command.stdout(file(out)).stderr(file(&format!("{out}.err"))).spawn().unwrap()
}

/// Waits for the end of a client, whose exit code it is.
pub fn exit_code(sandbox: &mut Sandbox, child: &mut Child) -> Option<i32> {
    sandbox.wait("the client to end", |_| child.try_wait().unwrap()).code()
}

/// Sends SIGINT.
pub fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}
