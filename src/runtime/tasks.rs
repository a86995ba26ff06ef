//! Running tasks: commands for a supervised process, with its user, environment, directory and umask.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::Shell;
use super::children::not_spawned;
use super::effects::{make_runtime_folders, not_found};
use super::task_runner::not_run;
use super::task_table::{EndedTask, QueuedTask};
use crate::config::resolve_command;
use crate::model::{ChildId, ExitStatus, LogTarget, Pid, ProcessId, ProcessSpec, User};
use crate::output::Wanted;
use crate::python::quote;
use crate::supervise::{Input, NotSpawned, Task, TaskEnd};
use crate::sys::attributes::Attributes;
use crate::sys::descriptors::{ChildStdin, Descriptors, Terminal};
use crate::sys::program::Program;
use crate::sys::spawn::spawn;
use crate::sys::spawn_failures::ChildNotes;

impl Shell {
    /// Starts a task, or queues it. Returns the end of one that can't be started.
    pub(super) fn run_task(&mut self, child: ChildId, task: Task) -> Option<Input> {
        if !self.runner.tasks.may_start(child) {
            return self.runner.queue(child, QueuedTask::Command(task));
        }
        self.start_task(child, &task).err().map(|failure| not_run(child, failure))
    }

    /// Starts queued tasks, as many as this turn allows.
    pub(super) fn start_queued_tasks(&mut self) {
        while let Some((child, task)) = self.runner.tasks.dequeue(&mut self.runner.budget) {
            let outcome = match task {
                QueuedTask::Command(task) => {
                    self.start_task(child, &task).err().map(|failure| not_run(child, failure))
                }
                QueuedTask::FileCheck { path, timeout } => self.look_for_file(child, &path, timeout),
            };
            outcome.into_iter().for_each(|input| self.feed(input));
        }
    }

    /// A task was reaped: its output is read before its end is reported.
    pub(super) fn task_ended(&mut self, child: ChildId, pid: Pid, status: ExitStatus) {
        self.with_output(|output, context| output.drain_dead(child, context));
        let end = match self.children.notes.take(pid, status) {
            Some(failure) => TaskEnd::NotRun(not_spawned(failure.to_string(), &failure.error)),
            None => TaskEnd::Exited(status),
        };
        let watch = (&self.poller, &mut self.sources);
        // The end of a task that a restart has abandoned is not reported.
        if let Some(EndedTask { end, output }) = self.runner.tasks.end(child, end, &mut self.buffer, watch) {
            let input = self.runner.outcome(child, end, output);
            self.feed(input);
        }
    }

    fn start_task(&mut self, child: ChildId, task: &Task) -> Result<(), NotSpawned> {
        let spec = self.core.spec(task.process).ok_or_else(|| "there is no such process".to_owned())?;
        let user = spec.user.as_ref().map(|user| self.host.user_now(user));
        let program = self.task_program(spec, task, user)?;
        let started = match child {
            ChildId::Hook(_) => self.start_hook(child, task.process, &program),
            ChildId::Probe(_) | ChildId::Exec(_) | ChildId::Process(_) => {
                start_captured(&program, &self.children.notes)
            }
        };
        let (pid, captured) = started.map_err(|error| cannot_run(&task.command, &error))?;
        self.children.add_task(pid, child);
        self.runner.tasks.add(child, pid, self.now.mono, task.timeout, captured);
        Ok(())
    }

    /// Starts a hook, whose output goes to that of its process.
    fn start_hook(
        &mut self,
        child: ChildId,
        process: ProcessId,
        program: &PreparedTask,
    ) -> io::Result<(Pid, Option<OwnedFd>)> {
        self.measure_names();
        let Some(spec) = self.core.spec(process) else { return Err(io::ErrorKind::NotFound.into()) };
        let targets = self.core.log_targets(process).unwrap_or([LogTarget::None, LogTarget::None]);
        // Errors of folders and logs are reported when the program starts.
        let _ = make_runtime_folders(spec);
        let outlets = self.output.open(spec, (Wanted::Logs, false), targets)?;
        let pipes = if spec.inherits_stdio {
            Descriptors::ours(Terminal::Background)
        } else {
            Descriptors::piped(ChildStdin::Empty, spec.redirect_stderr)
        };
        let (pid, ends) =
            match pipes.and_then(|pipes| spawn(&program.0, &program.1, pipes, &self.children.notes)) {
                Ok(started) => started,
                Err(error) => {
                    self.output.close(outlets);
                    return Err(error);
                }
            };
        let (outlets, pipes) = ((outlets, self.settings.daemon.strip_ansi), [ends.stdout, ends.stderr]);
        let reports = self.output.add((child, process, pid), spec, pipes, outlets, &self.poller);
        self.handle_reports(reports);
        Ok((pid, None))
    }

    fn task_program(
        &self,
        spec: &ProcessSpec,
        task: &Task,
        user: Option<Arc<User>>,
    ) -> Result<PreparedTask, NotSpawned> {
        let command = &task.command;
        let executable = resolve_command(command, &spec.environment, &self.host).map_err(not_found)?;
        let mut own = self.own_variables(spec);
        let of_task = task.environment.iter();
        own.extend(of_task.map(|(name, value)| (OsStr::new(name).into(), Some(OsStr::new(value).into()))));
        let nul_byte = |_| format!("cannot run {}: it contains a NUL byte", quote(command));
        let program = self.program_with(&executable, &own).map_err(nul_byte)?;
        let attributes = Attributes::new(spec.directory.as_deref(), spec.umask, user).map_err(nul_byte)?;
        Ok((program, attributes.with_limits(spec.limits.as_deref())))
    }
}

/// The program to execute, and the attributes of its child.
type PreparedTask = (Program, Attributes);

/// Starts a program with captured output.
fn start_captured(
    (program, attributes): &PreparedTask,
    notes: &ChildNotes,
) -> io::Result<(Pid, Option<OwnedFd>)> {
    let (pid, ends) = spawn(program, attributes, Descriptors::piped(ChildStdin::Empty, true)?, notes)?;
    Ok((pid, ends.stdout))
}

fn cannot_run(command: &str, error: &io::Error) -> NotSpawned {
    not_spawned(format!("cannot run {}: {error}", quote(command)), error)
}
