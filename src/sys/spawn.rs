//! Spawning a program, the parent side. `clone` has the kinds of fork; the child side until exec is in
//! `child`.

use std::io;

use nix::errno::Errno;

use super::attributes::Attributes;
use super::descriptors::{ChildDescriptors, Descriptors, Membership, ParentEnds};
use super::exec_error::ReportExecError;
use super::program::Program;
use super::spawn_failures::{ChildNotes, SpawnFailure};
use super::{child, clone, kernel_signals};
use crate::model::Pid;

/// Starts the program as leader of a process group of its own, with default signal dispositions. A step that
/// fails in the child is in `notes` when the child is reaped, and on its standard error; its exit status is 127, as in
/// Supervisor.
///
/// # Errors
/// The error of fork(2): EAGAIN, ENOMEM; EMFILE if a descriptor can't be copied.
pub fn spawn(
    program: &Program,
    attributes: &Attributes,
    descriptors: Descriptors,
    notes: &ChildNotes,
) -> io::Result<(Pid, ParentEnds)> {
    if let Some(user) = &attributes.user {
        descriptors.give_to(user);
    }
    let (parent, descriptors) = descriptors.assign(notes.write_end())?;
    // A signal that reaches the child before it has reset our handlers would be reported to us.
    let before = kernel_signals::block(kernel_signals::ALL)?;
    let run = || child::run(program, attributes, &descriptors);
    let forked = start(attributes.allow_shared_memory().then_some(&descriptors), &run);
    kernel_signals::block(before)?;
    Ok((forked?, parent))
}

/// With `descriptors`, the child may share our memory, and needs none of our descriptors but these.
fn start(descriptors: Option<&ChildDescriptors>, run: &dyn Fn()) -> io::Result<Pid> {
    if let Some(descriptors) = descriptors {
        match clone::within_our_memory(descriptors, run) {
            // A sandbox that only allows fork(2).
            Err(error) if is_refusal(&error) => {}
            started => return started,
        }
    }
    let pid = clone::with_copied_memory(run)?;
    clone::make_group_leader(pid);
    Ok(pid)
}

fn is_refusal(error: &io::Error) -> bool {
    let refusals = [Errno::EPERM, Errno::ENOSYS, Errno::EINVAL];
    error.raw_os_error().is_some_and(|raw| refusals.contains(&Errno::from_raw(raw)))
}

/// Starts the program with our own standard descriptors and all other inherited ones, with default signal
/// dispositions. For callers that block all signals ([`super::sigwait`]).
///
/// # Errors
/// The error of fork(2): EAGAIN, ENOMEM.
pub fn spawn_in_place(
    program: &Program,
    membership: Membership,
    report: &ReportExecError<'_>,
) -> io::Result<Pid> {
    clone::with_copied_memory(&|| child::run_in_place(program, membership, report))
}

/// Becomes the program, in our own place: our process id, process group and standard descriptors are the program's.
/// Returns only on failure, after which attributes may have been applied.
#[must_use]
pub fn become_program(program: &Program, attributes: &Attributes) -> SpawnFailure {
    let (step, errno) = child::become_in_place(program, attributes);
    SpawnFailure { step, error: errno.into() }
}

#[cfg(test)]
mod tests;
