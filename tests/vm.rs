//! `sv` as PID 1 of a real kernel, in virtual machines. Each test boots one, and runs a file of `tests/vm/suites` in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use support::vm::run_suite;

#[test]
fn pid1() {
    let Some(machine) = run_suite("pid1") else { return };
    assert_eq!(machine.exit_status, Some(0));
}
