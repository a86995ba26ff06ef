//! Tasks: children that run in addition to supervised processes. Probes, hooks, and commands that clients
//! execute.
//!
//! Each leads a process group of its own, which is killed as a whole at its deadline. A hook's output goes to
//! the log of its process (`crate::output`); of the others the last bytes are captured here. Descendants that
//! outlive a task can't keep its pipe open: the captured output is closed when the task is reaped.
//!
//! Most probes are over soon and have written little, which their pipe holds until then. So captured output is watched
//! only of tasks that run for longer.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use super::{Source, Sources};
use crate::model::{ChildId, Mono, Pid, Signal, TaskId};
use crate::supervise::{Task, TaskEnd};
use crate::sys::groups::signal_with_leader;
use crate::sys::output::read_ready;
use crate::sys::poller::{Interest, Poller};

/// The maximum number of running probes; further ones are queued, so that a hundred checks neither fork at
/// the same moment nor use all descriptors.
const PROBES_MAX: usize = 64;

/// The maximum number of running hooks. They may take long, and a start waits for some of them.
const HOOKS_MAX: usize = 256;

/// The maximum number of running commands of clients.
const EXECS_MAX: usize = 64;

/// The maximum number of queued tasks of all kinds. A process has at most a few at a time.
const QUEUED_MAX: usize = 16_384;

/// The maximum number of bytes kept of a task's output, the last ones.
const CAPTURED_BYTES_MAX: usize = 4096;

/// The maximum number of bytes read of the captured output of a task that has exited. A pipe holds no more
/// unless it was enlarged.
const DRAINED_BYTES_MAX: usize = 64 * 1024;

/// How long a task may wait with a full pipe until its output is read before its end.
const WATCHED_AFTER: Duration = Duration::from_millis(50);

/// The maximum number of probes and queued tasks that are started in one turn. Many of them are over at once, so
/// the bounds of what runs do not bound a turn.
const STARTS_PER_TURN: usize = 64;

/// How many more probes and queued tasks may be started in this turn.
#[derive(Debug)]
pub(super) struct StartBudget(usize);

impl StartBudget {
    pub(super) fn of_turn() -> Self {
        Self(STARTS_PER_TURN)
    }

    /// False if nothing is left.
    pub(super) fn take(&mut self) -> bool {
        let rest = self.0.checked_sub(1);
        self.0 = rest.unwrap_or(0);
        rest.is_some()
    }

    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        self.0
    }
}

/// A task that waits until another one of its kind has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum QueuedTask {
    Command(Task),
    /// A check that needs a child to look for a file.
    FileCheck {
        path: PathBuf,
        timeout: Duration,
    },
}

/// The maximum number of running tasks of this kind.
fn most_running(child: ChildId) -> usize {
    match child {
        ChildId::Probe(_) => PROBES_MAX,
        ChildId::Hook(_) => HOOKS_MAX,
        ChildId::Exec(_) => EXECS_MAX,
        // Not a task, so this is never used.
        ChildId::Process(_) => 0,
    }
}

/// The last bytes of the output of a task.
#[derive(Debug)]
struct CapturedOutput {
    pipe: OwnedFd,
    /// Set once it is watched.
    token: Option<u64>,
    tail: Vec<u8>,
    /// All writers have closed it.
    ended: bool,
}

impl CapturedOutput {
    fn watch(&mut self, child: ChildId, (poller, sources): (&Poller, &mut Sources)) {
        let token = sources.add(Source::Task(child));
        // A pipe that can't be watched is read when the task has exited.
        let _ = poller.add(&self.pipe, token, Interest { read: true, write: false });
        self.token = Some(token);
    }

    fn unwatch(&self, poller: &Poller) {
        if self.token.is_some() {
            poller.remove(self.pipe.as_fd());
        }
    }

    /// Reads once; returns the number of bytes, or `None` if there is nothing now or nothing more.
    fn read(&mut self, buffer: &mut [u8], poller: &Poller) -> Option<usize> {
        if self.ended {
            return None;
        }
        match read_ready(&self.pipe, buffer) {
            Ok(None) => None,
            Ok(Some(0)) | Err(_) => {
                // Otherwise the hang-up would be reported continuously.
                self.unwatch(poller);
                self.ended = true;
                None
            }
            Ok(Some(count)) => {
                self.keep(&buffer[..count]);
                Some(count)
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(CAPTURED_BYTES_MAX)..];
        let surplus = (self.tail.len() + bytes.len()).saturating_sub(CAPTURED_BYTES_MAX);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(bytes);
    }
}

/// Why the group of a task was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KillReason {
    Timeout,
    Cancelled,
}

#[derive(Debug)]
struct RunningTask {
    pid: Pid,
    /// `None` for a hook.
    captured: Option<CapturedOutput>,
    deadline: Option<Mono>,
    /// When there is something to do about it next.
    due: Option<Mono>,
    killed: Option<KillReason>,
}

/// A task that has exited.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EndedTask {
    pub(super) end: TaskEnd,
    pub(super) output: Vec<u8>,
}

/// The result of cancelling a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// It was killed, and its end is reported when it is reaped.
    Killed,
    /// It was removed from the queue.
    Dequeued,
    /// It has already ended.
    Unknown,
}

/// All tasks, running and queued.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    /// Boxed, as a tree keeps the space of its entries when it is empty.
    running: BTreeMap<ChildId, Box<RunningTask>>,
    /// Running tasks by the time at which there is something to do about them.
    due: BTreeSet<(Mono, ChildId)>,
    /// By kind, the oldest first, as ids count up.
    queued: BTreeMap<ChildId, Box<QueuedTask>>,
}

impl Tasks {
    /// Whether another task of this kind may run now.
    fn has_room(&self, child: ChildId) -> bool {
        let is_of_kind = |other: &&ChildId| std::mem::discriminant(*other) == std::mem::discriminant(&child);
        self.running.keys().filter(is_of_kind).count() < most_running(child)
    }

    /// Whether a new task may run now, instead of after those of its kind that are queued.
    pub(super) fn may_start(&self, child: ChildId) -> bool {
        let is_first = match child {
            ChildId::Probe(_) => self.oldest(ChildId::Probe).is_none(),
            ChildId::Hook(_) => self.oldest(ChildId::Hook).is_none(),
            ChildId::Exec(_) => self.oldest(ChildId::Exec).is_none(),
            ChildId::Process(_) => false,
        };
        is_first && self.has_room(child)
    }

    /// Queues a task; returns it if the queue is full.
    pub(super) fn queue(&mut self, child: ChildId, task: QueuedTask) -> Result<(), QueuedTask> {
        if self.queued.len() >= QUEUED_MAX {
            return Err(task);
        }
        self.queued.insert(child, Box::new(task));
        Ok(())
    }

    /// The oldest queued task of a kind.
    fn oldest(&self, kind: fn(TaskId) -> ChildId) -> Option<ChildId> {
        Some(*self.queued.range(kind(TaskId(0))..=kind(TaskId(u64::MAX))).next()?.0)
    }

    /// The oldest queued task of a kind that has room. The cost does not depend on the length of the queue.
    fn next_startable(&self) -> Option<ChildId> {
        let kinds: [fn(TaskId) -> ChildId; 3] = [ChildId::Hook, ChildId::Exec, ChildId::Probe];
        let oldest = kinds.into_iter().filter_map(|kind| self.oldest(kind));
        oldest.into_iter().find(|child| self.has_room(*child))
    }

    pub(super) fn has_startable(&self) -> bool {
        self.next_startable().is_some()
    }

    /// Takes a queued task that may be started in this turn.
    pub(super) fn dequeue(&mut self, budget: &mut StartBudget) -> Option<(ChildId, QueuedTask)> {
        let next = self.next_startable().filter(|_| budget.take())?;
        Some((next, *self.queued.remove(&next)?))
    }

    /// Adds a task that was started now; its output is captured if there is a pipe.
    pub(super) fn add(
        &mut self,
        child: ChildId,
        pid: Pid,
        now: Mono,
        timeout: Option<Duration>,
        pipe: Option<OwnedFd>,
    ) {
        let captured = pipe.map(|pipe| CapturedOutput { pipe, token: None, tail: Vec::new(), ended: false });
        let watched_at = captured.as_ref().map(|_| now.after(WATCHED_AFTER));
        let deadline = timeout.map(|timeout| now.after(timeout));
        let due = watched_at.into_iter().chain(deadline).min();
        self.due.extend(due.map(|at| (at, child)));
        let running = RunningTask { pid, captured, deadline, due, killed: None };
        self.running.insert(child, Box::new(running));
    }

    /// The running probes, which end more often than other children.
    pub(super) fn probes(&self) -> Vec<(ChildId, Pid)> {
        let probes = self.running.range(ChildId::Probe(TaskId(0))..=ChildId::Probe(TaskId(u64::MAX)));
        probes.map(|(child, task)| (*child, task.pid)).collect()
    }

    /// Reads captured output of a task.
    pub(super) fn read(&mut self, child: ChildId, buffer: &mut [u8], poller: &Poller) {
        let running = self.running.get_mut(&child);
        if let Some(captured) = running.and_then(|task| task.captured.as_mut()) {
            captured.read(buffer, poller);
        }
    }

    /// Removes a reaped task. `None` if it is unknown.
    pub(super) fn end(
        &mut self,
        child: ChildId,
        end: TaskEnd,
        buffer: &mut [u8],
        (poller, sources): (&Poller, &mut Sources),
    ) -> Option<EndedTask> {
        let RunningTask { captured, due, killed, .. } = *self.running.remove(&child)?;
        due.map(|at| self.due.remove(&(at, child)));
        let end = match killed {
            Some(KillReason::Timeout) => TaskEnd::TimedOut,
            Some(KillReason::Cancelled) => TaskEnd::Cancelled,
            None => end,
        };
        let Some(mut captured) = captured else { return Some(EndedTask { end, output: Vec::new() }) };
        let mut drained = 0;
        while drained < DRAINED_BYTES_MAX
            && let Some(count) = captured.read(buffer, poller)
        {
            drained += count;
        }
        if !captured.ended {
            captured.unwatch(poller);
        }
        captured.token.into_iter().for_each(|token| sources.remove(token));
        Some(EndedTask { end, output: captured.tail })
    }

    /// Kills the group of a task, or removes it from the queue.
    pub(super) fn cancel(&mut self, child: ChildId) -> Cancelled {
        if let Some(task) = self.running.get_mut(&child) {
            task.kill(KillReason::Cancelled);
            return Cancelled::Killed;
        }
        match self.queued.remove(&child) {
            Some(_) => Cancelled::Dequeued,
            None => Cancelled::Unknown,
        }
    }

    /// Kills all groups and forgets all tasks, whose ends are no longer relevant.
    pub(super) fn abandon(&mut self, sources: &mut Sources) {
        self.queued.clear();
        self.due.clear();
        for mut task in std::mem::take(&mut self.running).into_values() {
            task.kill(KillReason::Cancelled);
            // Closing the pipe also ends watching it.
            let token = task.captured.and_then(|captured| captured.token);
            token.into_iter().for_each(|token| sources.remove(token));
        }
    }

    /// Watches the output of tasks that have run for a while, and kills the groups of those whose deadline has passed.
    pub(super) fn wake(&mut self, now: Mono, (poller, sources): (&Poller, &mut Sources)) {
        while let Some(&(at, child)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, child));
            let Some(task) = self.running.get_mut(&child) else { continue };
            if task.deadline.is_some_and(|deadline| deadline <= now) {
                task.due = None;
                task.kill(KillReason::Timeout);
                continue;
            }
            if let Some(captured) = &mut task.captured {
                captured.watch(child, (poller, sources));
            }
            task.due = task.deadline;
            self.due.extend(task.due.map(|at| (at, child)));
        }
    }

    /// When [`Tasks::wake`] is due.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl RunningTask {
    /// It was not reaped yet, so its pid is still valid. The first reason counts.
    fn kill(&mut self, reason: KillReason) {
        self.killed.get_or_insert(reason);
        // If it can't be killed, there is nothing else to try.
        let _ = signal_with_leader(self.pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;
    use crate::model::{ExitStatus, ProcessId, TaskId};
    use crate::sys::attributes::Attributes;
    use crate::sys::descriptors::{ChildStdin, Descriptors};
    use crate::sys::groups::members_of;
    use crate::sys::program::Program;
    use crate::sys::spawn::spawn;
    use crate::sys::spawn_failures::ChildNotes;

    const START: Mono = Mono(Duration::ZERO);

    const TIMEOUT: Duration = Duration::from_secs(5);

    /// A table with a poller.
    struct Fixture {
        tasks: Tasks,
        poller: Poller,
        sources: Sources,
        notes: ChildNotes,
        buffer: Vec<u8>,
    }

    impl Fixture {
        fn new() -> Self {
            let (tasks, sources) = (Tasks::default(), Sources::default());
            let notes = ChildNotes::new().unwrap();
            Self { tasks, poller: Poller::new().unwrap(), sources, notes, buffer: vec![0; 64 * 1024] }
        }

        /// Starts a script with captured output.
        fn start(&mut self, child: ChildId, script: &str, timeout: Option<Duration>) -> Pid {
            let program =
                Program::new(Path::new("/bin/sh"), &["sh", "-c", script], std::env::vars()).unwrap();
            let (pid, ends) = spawn(
                &program,
                &Attributes::default(),
                Descriptors::piped(ChildStdin::Empty, true).unwrap(),
                &self.notes,
            )
            .unwrap();
            self.tasks.add(child, pid, START, timeout, ends.stdout);
            pid
        }

        /// Reads until the output ends with this text.
        fn read_until(&mut self, child: ChildId, last: &str) {
            while !self.tasks.running[&child].captured.as_ref().unwrap().tail.ends_with(last.as_bytes()) {
                assert_eq!(self.poller.wait(Some(Duration::from_secs(20))).unwrap().count(), 1);
                self.tasks.read(child, &mut self.buffer, &self.poller);
            }
        }

        fn wake(&mut self, after: Duration) {
            self.tasks.wake(START.after(after), (&self.poller, &mut self.sources));
        }

        fn reap(&mut self, child: ChildId, pid: Pid) -> EndedTask {
            let status = match waitpid(nix::unistd::Pid::from_raw(pid.0), None).unwrap() {
                WaitStatus::Exited(_, code) => ExitStatus::Exited(u8::try_from(code).unwrap()),
                WaitStatus::Signaled(_, signal, core_dumped) => {
                    ExitStatus::Signaled { signal: Signal(signal as i32), core_dumped }
                }
                other => panic!("{other:?}"),
            };
            let watch = (&self.poller, &mut self.sources);
            self.tasks.end(child, TaskEnd::Exited(status), &mut self.buffer, watch).unwrap()
        }
    }

    fn task() -> QueuedTask {
        let (process, command) = (ProcessId(1), "true".into());
        QueuedTask::Command(Task { process, command, environment: Vec::new(), timeout: None })
    }

    #[test]
    fn last_output_is_read_before_the_end_and_only_its_last_bytes_are_kept() {
        let mut fixture = Fixture::new();
        let child = ChildId::Probe(TaskId(1));
        // Nothing is read before the end: the pipe holds all of it.
        let pid = fixture.start(child, "head -c 10000 /dev/zero; echo refused >&2; exit 3", None);
        let ended = fixture.reap(child, pid);
        assert_eq!(ended.end, TaskEnd::Exited(ExitStatus::Exited(3)));
        assert_eq!(ended.output.len(), CAPTURED_BYTES_MAX);
        assert!(ended.output.ends_with(b"\0refused\n"));
        assert!(fixture.sources.by_token.is_empty());
    }

    #[test]
    fn output_is_watched_only_of_a_task_that_runs_for_a_while() {
        let mut fixture = Fixture::new();
        let (brief, long) = (ChildId::Probe(TaskId(1)), ChildId::Probe(TaskId(2)));
        let pid = fixture.start(brief, "echo brief", Some(TIMEOUT));
        assert_eq!(fixture.reap(brief, pid).output, b"brief\n");
        assert_eq!((fixture.tasks.deadline(), fixture.sources.last), (None, 0));
        // More than its pipe holds.
        let pid = fixture.start(long, "head -c 300000 /dev/zero; echo long", Some(TIMEOUT));
        assert_eq!(fixture.tasks.deadline(), Some(START.after(WATCHED_AFTER)));
        fixture.wake(WATCHED_AFTER);
        fixture.read_until(long, "long\n");
        assert!(fixture.reap(long, pid).output.ends_with(b"\0long\n"));
        assert!(fixture.sources.by_token.is_empty());
    }

    #[test]
    fn overdue_task_is_killed_with_its_group() {
        let mut fixture = Fixture::new();
        let child = ChildId::Hook(TaskId(1));
        let pid = fixture.start(child, "sleep 1000 & echo started; wait", Some(TIMEOUT));
        fixture.wake(WATCHED_AFTER);
        fixture.read_until(child, "started\n");
        assert_eq!(fixture.tasks.deadline(), Some(START.after(TIMEOUT)));
        fixture.wake(TIMEOUT - Duration::from_secs(1));
        assert_eq!(fixture.tasks.running[&child].killed, None);
        fixture.wake(TIMEOUT);
        assert_eq!(fixture.tasks.deadline(), None);
        let ended = fixture.reap(child, pid);
        assert_eq!((ended.end, ended.output), (TaskEnd::TimedOut, b"started\n".to_vec()));
        while members_of(&[pid]) != Some(Vec::new()) {
            std::thread::yield_now();
        }
    }

    #[test]
    fn cancelled_task_is_killed_or_dropped_from_the_queue() {
        let mut fixture = Fixture::new();
        let (runs, waits) = (ChildId::Exec(TaskId(1)), ChildId::Exec(TaskId(2)));
        let pid = fixture.start(runs, "exec sleep 1000", Some(TIMEOUT));
        fixture.tasks.queue(waits, task()).unwrap();
        assert_eq!(fixture.tasks.cancel(waits), Cancelled::Dequeued);
        assert_eq!(fixture.tasks.cancel(waits), Cancelled::Unknown);
        assert_eq!(fixture.tasks.cancel(runs), Cancelled::Killed);
        assert_eq!(fixture.reap(runs, pid).end, TaskEnd::Cancelled);
        assert_eq!((fixture.tasks.cancel(runs), fixture.tasks.deadline()), (Cancelled::Unknown, None));
    }

    #[test]
    fn each_kind_of_task_has_its_own_bound_and_the_queue_has_one() {
        let mut fixture = Fixture::new();
        let pid = fixture.start(ChildId::Probe(TaskId(0)), "exec sleep 1000", None);
        for number in 1..PROBES_MAX as u64 {
            assert!(fixture.tasks.has_room(ChildId::Probe(TaskId(number))));
            let running = RunningTask { pid, captured: None, deadline: None, due: None, killed: None };
            fixture.tasks.running.insert(ChildId::Probe(TaskId(number)), Box::new(running));
        }
        let (probe, hook) = (ChildId::Probe(TaskId(1000)), ChildId::Hook(TaskId(1001)));
        assert!(!fixture.tasks.has_room(probe) && fixture.tasks.has_room(hook));
        fixture.tasks.queue(probe, task()).unwrap();
        fixture.tasks.queue(hook, task()).unwrap();
        assert!(!fixture.tasks.may_start(ChildId::Hook(TaskId(1002))), "after the queued one");
        // Queued tasks of one kind don't block other kinds.
        let budget = &mut StartBudget::of_turn();
        assert_eq!(fixture.tasks.dequeue(budget).map(|(child, _)| child), Some(hook));
        assert_eq!(fixture.tasks.dequeue(budget), None);
        assert!(fixture.tasks.may_start(hook) && !fixture.tasks.has_startable());
        for number in 1..QUEUED_MAX as u64 {
            fixture.tasks.queue(ChildId::Probe(TaskId(2000 + number)), task()).unwrap();
        }
        assert_eq!(fixture.tasks.queue(probe, task()), Err(task()));
        fixture.tasks.abandon(&mut fixture.sources);
        assert!(!fixture.tasks.has_startable());
        waitpid(nix::unistd::Pid::from_raw(pid.0), None).unwrap();
    }

    #[test]
    fn a_turn_starts_a_bounded_number_of_queued_tasks_the_oldest_first() {
        let mut tasks = Tasks::default();
        for number in (0..STARTS_PER_TURN as u64 + 10).rev() {
            tasks.queue(ChildId::Hook(TaskId(number)), task()).unwrap();
        }
        let mut started = Vec::new();
        for left in [10, 0] {
            let mut budget = StartBudget::of_turn();
            started.extend(std::iter::from_fn(|| tasks.dequeue(&mut budget)).map(|(child, _)| child));
            assert_eq!((tasks.queued.len(), tasks.has_startable()), (left, left > 0));
        }
        let ids = (0..STARTS_PER_TURN as u64 + 10).map(|number| ChildId::Hook(TaskId(number)));
        assert_eq!(started, ids.collect::<Vec<_>>());
    }
}
