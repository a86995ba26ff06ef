//! `sv` as PID 1 of a real kernel, in virtual machines. Each test boots one, and runs a file of `tests/vm/suites` in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::collections::BTreeSet;
use std::fs;

use support::vm::{EndedMachine, run_runtimes, run_suite};

/// The machine ends because the driver asks for it, with this exit status of PID 1.
#[track_caller]
fn passes(suite: &str, exit_status: i32) {
    let Some(machine) = run_suite(suite) else { return };
    assert_eq!(machine.exit_status, Some(exit_status), "{}", machine.console);
}

#[test]
fn pid1() {
    passes("pid1", 0);
}

/// A program ends it, and the kernel reports the exit status of that program.
#[test]
fn limits() {
    passes("limits", 7);
}

#[test]
fn oom() {
    passes("oom", 0);
}

#[test]
fn exhaustion() {
    passes("exhaustion", 0);
}

#[test]
fn no_proc() {
    passes("no_proc", 0);
}

#[test]
fn no_dev() {
    passes("no_dev", 0);
}

#[test]
fn read_only() {
    passes("read_only", 0);
}

#[test]
fn ctrl_alt_del() {
    let Some(machine) = run_suite("ctrl_alt_del") else { return };
    assert_eq!(machine.exit_status, Some(0), "{}", machine.console);
    let rest = in_order(
        &machine,
        &[
            "received SIGINT",
            "stopped: prio30 (",
            "stopped: prio20 (",
            "stopped: prio10 (",
            "stopped: driver (",
            "the orphan has got TERM",
        ],
    );
    // The kernel does not wait for what is still in the buffer of the console.
    for text in ["sv ends with status 0: ", "Attempted to kill init!"] {
        assert!(rest.contains(text), "no {text:?} in {rest}");
    }
}

#[test]
fn second_term() {
    let Some(machine) = run_suite("second_term") else { return };
    assert_eq!(machine.exit_status, Some(0), "{}", machine.console);
    in_order(&machine, &["waiting for driver, stubborn to die", "stopped: stubborn (terminated by SIGKILL)"]);
}

/// Asserts that the console has these texts, one after the other. Returns what follows the last one.
#[track_caller]
fn in_order<'m>(machine: &'m EndedMachine, texts: &[&str]) -> &'m str {
    let mut rest = machine.console.as_str();
    for text in texts {
        let Some((_, after)) = rest.split_once(text) else {
            panic!("no {text:?} where it is expected in {}", machine.console);
        };
        rest = after;
    }
    rest
}

/// `make vm-runtimes` runs it.
#[test]
#[ignore = "takes several minutes, and a root file system with podman"]
fn runtimes() {
    run_runtimes();
}

#[test]
fn every_suite_has_a_test() {
    let suites = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vm/suites")).unwrap();
    let names: BTreeSet<String> =
        suites.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let this = include_str!("vm.rs");
    for name in names {
        assert!(this.contains(&format!("\nfn {name}()")), "no test {name} in tests/vm.rs");
    }
}

#[test]
fn cgroups() {
    passes("cgroups", 0);
}

#[test]
fn cgroup_ends() {
    passes("cgroup_ends", 0);
}

#[test]
fn cgroups_read_only() {
    passes("cgroups_read_only", 0);
}
