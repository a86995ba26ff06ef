//! Tests of the state in which a program starts, read from the child itself or from /proc, for both kinds of
//! fork.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use rustix::fs::{OFlags, fcntl_setfl};

use super::super::descriptors::ChildStdin;
use super::super::program::InheritedVariables;
use super::super::spawn_failures::Step;
use super::*;
use crate::model::ExitStatus;

/// A directory makes the child a copy of us.
fn copied() -> Attributes {
    Attributes::new(Some(Path::new("/")), None, None).unwrap()
}

/// It shares our memory.
fn shared() -> Attributes {
    Attributes::default()
}

fn program(argv: &[&str]) -> Program {
    Program::new(Path::new(argv[0]), argv, std::env::vars()).unwrap()
}

/// A child that was started, with the pipe for its notes.
struct Child {
    pid: Pid,
    ends: ParentEnds,
    notes: ChildNotes,
}

impl Child {
    fn start(argv: &[&str], attributes: &Attributes) -> Self {
        Self::start_with(&program(argv), attributes, Descriptors::piped(ChildStdin::Pipe, false).unwrap())
    }

    fn start_with(program: &Program, attributes: &Attributes, descriptors: Descriptors) -> Self {
        let notes = ChildNotes::new().unwrap();
        let (pid, ends) = spawn(program, attributes, descriptors, &notes).unwrap();
        Self { pid, ends, notes }
    }

    fn wait(&self) -> i32 {
        match waitpid(nix::unistd::Pid::from_raw(self.pid.0), None).unwrap() {
            WaitStatus::Exited(_, code) => code,
            other => panic!("{other:?}"),
        }
    }

    /// What is in a pipe once the child has ended. A child of another test holds the other end until it has executed
    /// its program, so the end of the pipe is waited for.
    fn text(end: &mut Option<OwnedFd>) -> String {
        let mut text = String::new();
        let end = end.take().unwrap();
        fcntl_setfl(&end, OFlags::empty()).unwrap();
        File::from(end).read_to_string(&mut text).unwrap();
        text
    }

    /// Exit code, standard output, standard error.
    fn output(mut self) -> (i32, String, String) {
        self.end()
    }

    fn end(&mut self) -> (i32, String, String) {
        let code = self.wait();
        (code, Self::text(&mut self.ends.stdout), Self::text(&mut self.ends.stderr))
    }

    /// The step that has failed, and its errno.
    fn failure(&mut self, code: i32) -> Option<(Step, Option<i32>)> {
        let failure = self.notes.take(self.pid, ExitStatus::Exited(u8::try_from(code).unwrap()))?;
        Some((failure.step, failure.error.raw_os_error()))
    }
}

fn shell(script: &str, attributes: &Attributes) -> (i32, String, String) {
    Child::start(&["/bin/sh", "-c", script], attributes).output()
}

#[test]
fn signals_are_neither_blocked_nor_ignored() {
    // Rust's runtime ignores SIGPIPE in this very process.
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    assert_ne!(u64::from_str_radix(ignored, 16).unwrap() & 1 << (libc::SIGPIPE - 1), 0);
    for attributes in [copied(), shared()] {
        let script = ["/bin/grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status"];
        let (code, stdout, _) = Child::start(&script, &attributes).output();
        let none = "0000000000000000";
        assert_eq!((code, stdout), (0, format!("SigBlk:\t{none}\nSigIgn:\t{none}\n")));
    }
    let after = fs::read_to_string("/proc/self/status").unwrap();
    assert!(after.contains(&format!("SigIgn:\t{ignored}\n")), "ours are as they were: {after}");
}

#[test]
fn umask_and_directory_are_set_in_the_child_alone() {
    let directory = std::env::current_dir().unwrap();
    let attributes = Attributes::new(Some(Path::new("/proc")), Some(0o137), None).unwrap();
    assert_eq!(shell("umask; pwd", &attributes), (0, "0137\n/proc\n".to_owned(), String::new()));
    let attributes = Attributes::new(None, Some(0o137), None).unwrap();
    assert!(attributes.allow_shared_memory());
    assert_eq!(shell("umask", &attributes).1, "0137\n");
    assert_eq!(std::env::current_dir().unwrap(), directory);
    assert_ne!(shell("umask", &shared()).1, "0137\n");
}

#[test]
fn child_leads_a_group_of_its_own() {
    for attributes in [copied(), shared()] {
        let child = Child::start(&["/bin/sh", "-c", "cat /proc/self/stat"], &attributes);
        let pid = child.pid.to_string();
        let (_, stat, _) = child.output();
        assert_eq!(stat.rsplit(") ").next().unwrap().split(' ').nth(2), Some(pid.as_str()), "{stat}");
    }
}

#[test]
fn child_has_the_descriptors_of_the_list_and_none_of_ours() {
    let folder = crate::sys::scratch::Folder::new("spawn-descriptors");
    let names = ["a", "b"].map(|name| folder.join(name));
    names.iter().for_each(|path| fs::write(path, path.file_name().unwrap().as_encoded_bytes()).unwrap());
    for attributes in [copied(), shared()] {
        let [a, b, ours] = [&names[0], &names[1], &names[0]].map(|path| File::open(path).unwrap());
        // Each takes the number of the other: a naive assignment would close the second source.
        let (for_a, for_b) = (b.as_raw_fd(), a.as_raw_fd());
        let descriptors = Descriptors::piped(ChildStdin::Empty, false).unwrap();
        let descriptors = descriptors.with(a.into(), for_a).with(b.into(), for_b);
        let script = format!(
            "cat /proc/self/fd/{for_a} /proc/self/fd/{for_b} - && ! [ -e /proc/self/fd/{} ]",
            ours.as_raw_fd()
        );
        let argv = ["/bin/sh", "-c", &script];
        let child = Child::start_with(&program(&argv), &attributes, descriptors);
        assert_eq!(child.output(), (0, "ab".to_owned(), String::new()));
    }
}

/// A child that shares our memory copies our table of descriptors up to the highest that it needs, so what we keep has to
/// have higher numbers.
#[test]
fn what_is_kept_leaves_the_low_numbers_to_the_next_child() {
    let child = Child::start(&["/bin/true"], &shared());
    let ends = [&child.ends.stdin, &child.ends.stdout, &child.ends.stderr];
    let numbers = ends.map(|end| end.as_ref().unwrap().as_raw_fd());
    assert!(numbers.iter().all(|number| *number >= 64), "{numbers:?}");
    let others = Descriptors::piped(ChildStdin::Pipe, false).unwrap();
    assert!(others.child.iter().all(|(fd, _)| !numbers.contains(&fd.as_raw_fd())));
    drop(child.output());
}

#[test]
fn failed_step_is_reported_with_its_errno() {
    let nowhere = || Attributes::new(Some(Path::new("/nonexistent/folder")), None, None).unwrap();
    let not_there = ["/nonexistent/program", "x"];
    for (argv, attributes, step, text) in [
        (&not_there[..], shared(), Step::Exec, "supervisor: couldn't exec /nonexistent/program: ENOENT\n"),
        (&not_there[..], copied(), Step::Exec, "supervisor: couldn't exec /nonexistent/program: ENOENT\n"),
        (
            &["/bin/true"][..],
            nowhere(),
            Step::Directory,
            "supervisor: couldn't chdir to /nonexistent/folder: ENOENT\n",
        ),
    ] {
        let mut child = Child::start(argv, &attributes);
        let (code, _, stderr) = child.end();
        assert_eq!((code, stderr), (127, format!("{text}supervisor: child process was not spawned\n")));
        assert_eq!(child.failure(code), Some((step, Some(libc::ENOENT))));
    }
    let mut child = Child::start(&["/bin/sh", "-c", "exit 127"], &shared());
    let (code, ..) = child.end();
    assert_eq!((code, child.failure(code)), (127, None), "a program's own 127 is no failed step");
}

/// The program may have been given the number that the pipe for notes has in us.
#[test]
fn a_note_is_left_whatever_number_is_assigned_and_the_program_has_no_pipe_for_it() {
    for attributes in [copied(), shared()] {
        for (argv, expected) in [
            (&["/nonexistent/program"][..], Some((Step::Exec, Some(libc::ENOENT)))),
            (&["/bin/sh", "-c", "ls /proc/self/fd"][..], None),
        ] {
            let notes = ChildNotes::new().unwrap();
            let number = notes.write_end().as_raw_fd();
            let file = File::open("/dev/zero").unwrap();
            let descriptors = Descriptors::piped(ChildStdin::Empty, false).unwrap().with(file.into(), number);
            let (pid, ends) = spawn(&program(argv), &attributes, descriptors, &notes).unwrap();
            let mut child = Child { pid, ends, notes };
            let (code, stdout, _) = child.end();
            assert_eq!(child.failure(code), expected);
            if expected.is_none() {
                let others = shell("ls /proc/self/fd", &attributes).1;
                let mut open: BTreeSet<_> = stdout.lines().collect();
                assert!(open.remove(number.to_string().as_str()), "{number} of {open:?}");
                assert_eq!(open.len(), others.lines().count(), "{open:?} {others}");
            }
        }
    }
}

#[test]
fn children_that_fail_at_the_same_time_keep_their_reasons() {
    let mut notes = ChildNotes::new().unwrap();
    let nowhere = Attributes::new(Some(Path::new("/nonexistent/folder")), None, None).unwrap();
    let mut started = Vec::new();
    for number in 0..64 {
        let (argv, attributes, reason) = match number % 4 {
            0 => (&["/nonexistent/program"][..], &shared(), Some((Step::Exec, libc::ENOENT))),
            1 => (&["/bin/true"][..], &nowhere, Some((Step::Directory, libc::ENOENT))),
            2 => (&["/etc/passwd"][..], &copied(), Some((Step::Exec, libc::EACCES))),
            _ => (&["/bin/sh", "-c", "exit 127"][..], &shared(), None),
        };
        let descriptors = Descriptors::piped(ChildStdin::Empty, false).unwrap();
        let (pid, _ends) = spawn(&program(argv), attributes, descriptors, &notes).unwrap();
        started.push((pid, reason));
    }
    // All have ended before the first is asked about.
    for (pid, _) in &started {
        waitpid(nix::unistd::Pid::from_raw(pid.0), None).unwrap();
    }
    for (pid, reason) in started.into_iter().rev() {
        let failure = notes.take(pid, ExitStatus::Exited(127));
        let failure = failure.map(|it| (it.step, it.error.raw_os_error().unwrap()));
        assert_eq!(failure, reason, "{pid:?}");
    }
}

#[test]
fn the_environment_may_have_the_pid_of_the_program() {
    for attributes in [copied(), shared()] {
        let argv = ["/bin/sh", "-c", "echo $$ $OWN_PID; env | grep -c ^OWN_PID="];
        let program = program(&argv).with_own_pid(c"OWN_PID");
        let descriptors = Descriptors::piped(ChildStdin::Pipe, false).unwrap();
        let child = Child::start_with(&program, &attributes, descriptors);
        let pid = child.pid;
        let (code, output, _) = child.output();
        assert_eq!((code, output), (0, format!("{pid} {pid}\n1\n")));
    }
}

#[test]
fn inherited_variables_are_added_except_some() {
    let variables = [("A", "1"), ("OWN", "inherited"), ("B", "nul\0")];
    let all = variables.map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
    let inherited = Arc::new(InheritedVariables::new(all));
    let argv = ["/usr/bin/env"];
    let program = Program::new(Path::new(argv[0]), &argv, [("OWN", "own")]).unwrap();
    let program = program.inheriting(&inherited, |name| name == "OWN");
    drop(inherited);
    let descriptors = Descriptors::piped(ChildStdin::Pipe, false).unwrap();
    let child = Child::start_with(&program, &shared(), descriptors);
    assert_eq!(child.output(), (0, "A=1\nOWN=own\n".to_owned(), String::new()));
}
