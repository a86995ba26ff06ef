//! The event loop: one turn after the other, until the supervisor exits.

use std::time::Duration;

use super::effects::no_exec;
use super::fastcgi::SharedSockets;
use super::self_reports::SelfReports;
use super::{Shell, Source};
use crate::model::{
    ChildId, ExitStatus, LimitOption, LogLevel, Mono, Pid, ProcessId, Signal, SupervisorState,
};
use crate::output::Outputs;
use crate::supervise::{AfterStop, Ending, Input};
use crate::sys::poller::Ready;
use crate::sys::process::{Reaped, is_pid_1, reap, reap_child, signal_everybody};

/// The maximum number of children reaped in one turn, so that a flood of orphans leaves time for clients.
const CHILDREN_REAPED_PER_TURN: usize = 256;

/// The time that slow readers of our output get at exit.
const READER_TIMEOUT: Duration = Duration::from_secs(1);

/// The time that other processes get at exit to finish writing to the pipes of exited programs.
const LAST_OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long all held streams must be silent before we exit, unless all are closed.
const QUIET: Duration = Duration::from_millis(100);

/// The time between SIGTERM to orphans and the SIGKILL that the kernel sends when PID 1 exits.
const ORPHANS_TIMEOUT: Duration = Duration::from_secs(1);

/// The pause after a failed wait, which limits how often it is logged.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(100);

impl Shell {
    /// Returns when everything has stopped, with the reason.
    pub(super) fn live(&mut self) -> Ending {
        self.begin();
        let ending = loop {
            self.flush();
            if self.all_stopped.is_some() {
                self.answer_to_the_end();
            }
            if self.all_stopped == Some(AfterStop::Restart) {
                // A signal that requests termination overrides a restart until the last moment.
                self.take_signals();
            }
            match self.all_stopped.take() {
                Some(AfterStop::End(ending)) => break ending,
                Some(AfterStop::Restart) => {
                    self.restart_in_place();
                    continue;
                }
                None => {}
            }
            self.stop_watching_files_at_the_end();
            self.resources.trees.signal_pending(&self.children);
            let ready = self.wait(self.timeout());
            self.turn(&ready);
        };
        self.end();
        ending
    }

    /// Signals that arrived during start-up come first: after a termination request nothing is started.
    fn begin(&mut self) {
        self.feed(Input::LogLevel { level: self.activity.level() });
        self.take_signals();
        if self.core.state() == SupervisorState::Running {
            self.prepare_cgroups();
            self.feed(Input::Begin);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        if self.runner.has_startable()
            || self.children.more_to_reap
            || self.resources.has_measurements()
            || self.front.has_work()
            || self.output.has_due_followers()
        {
            return Some(Duration::ZERO);
        }
        let now = self.clock.now().mono;
        self.deadline().map(|at| at.since(now))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> Vec<Ready> {
        let ready = self.poller.wait(timeout).map(Iterator::collect);
        match ready {
            Ok(ready) => ready,
            Err(error) => {
                self.log(LogLevel::Critical, &format!("cannot wait for events: {error}"));
                // Not a wait for a condition: it keeps a broken kernel interface from making PID 1 a busy
                // loop.
                std::thread::sleep(PAUSE_AFTER_FAILURE);
                Vec::new()
            }
        }
    }

    /// Handles signals, dead children, output, and what is due. Clients are served after that, in `flush`.
    fn turn(&mut self, ready: &[Ready]) {
        self.now = self.clock.now();
        self.runner.begin_turn();
        self.resources.begin_turn(self.now.mono, &mut self.buffer);
        self.output.begin_turn(self.now);
        let sources: Vec<_> = ready.iter().filter_map(|it| Some((self.sources.get(it.token)?, it))).collect();
        if self.children.more_to_reap || sources.iter().any(|(source, _)| *source == Source::Signals) {
            self.take_signals();
        }
        for (source, it) in &sources {
            match source {
                Source::Task(child) => self.runner.tasks.read(*child, &mut self.buffer, &self.poller),
                Source::Stdin(process) => self.stdin_is_ready(*process),
                Source::SelfReport(process) => self.take_self_reports(*process),
                Source::MainProcess(process) => self.main_process_ended(*process),
                Source::ChildNotes => self.look_at_entries(),
                Source::Output => self.with_output(|output, context| output.ready(it.token, context)),
                Source::Signals
                | Source::Server(_)
                | Source::SocketFiles
                | Source::Probe(_)
                | Source::Client => {}
            }
        }
        for (source, _) in &sources {
            if let Source::Probe(probe) = source {
                self.probe_is_ready(*probe);
            }
        }
        self.end_overdue_probes();
        self.start_queued_tasks();
        self.start_queued_probes();
        if self.core.deadline().is_some_and(|at| at <= self.now.mono) {
            self.feed(Input::TimePassed);
        }
        self.continue_measuring();
        for (source, it) in &sources {
            match source {
                Source::Client => self.client_is_ready(it.token, it.readable),
                Source::Server(index) => self.server_is_ready(*index),
                Source::SocketFiles => self.socket_files_changed(),
                Source::Signals
                | Source::Task(_)
                | Source::Probe(_)
                | Source::Stdin(_)
                | Source::SelfReport(_)
                | Source::MainProcess(_)
                | Source::ChildNotes
                | Source::Output => {}
            }
        }
        self.runner.tasks.wake(self.now.mono, (&self.poller, &mut self.sources));
        self.with_output(|output, _| output.wake());
        self.close_overdue_clients();
        self.keep_streams_alive();
        self.answer_overdue_visits();
        self.front.servers.wake(self.now.mono, &self.poller);
        if self.front.servers.take_check_due(self.now.mono) {
            self.restore_socket_files(false);
        }
    }

    /// Sends pending data, and derives from the buffers what to wait for.
    fn flush(&mut self) {
        // Clients see all automatic starts as started.
        if !self.core.has_pending_starts() {
            self.serve_clients();
        }
        let warning = self.output.take_syslog_warning();
        self.handle_reports(warning);
        self.flush_activity();
        self.serve_streams();
        self.output.free_rings();
        // Clients whose log has ended may have sent another request.
        self.flush_activity();
        self.output.watch(&self.poller);
    }

    /// Pipelined requests of clients are answered before a restart. Their commands are refused by now, so
    /// this terminates.
    fn answer_to_the_end(&mut self) {
        while self.front.clients.has_work() {
            self.serve_clients();
        }
    }

    /// The end of a child is reported after its last output, as in Supervisor.
    fn take_signals(&mut self) {
        let (deaths, others): (Vec<_>, Vec<_>) =
            self.signals.pending().partition(|signal| *signal == Signal::CHLD);
        others.into_iter().for_each(|signal| self.signal(signal));
        self.stop_watching_files_at_the_end();
        self.reap_children();
        deaths.into_iter().for_each(|signal| self.signal(signal));
    }

    /// As soon as a shutdown has begun: the kernel frees the watches while programs end, and we need not wait for it.
    fn stop_watching_files_at_the_end(&mut self) {
        if self.core.state() == SupervisorState::Shutdown {
            self.front.servers.stop_watching_files(&self.poller);
        }
    }

    /// One SIGCHLD may stand for several children, and all must be reaped.
    fn reap_children(&mut self) {
        // They name processes that are not reaped yet.
        self.resources.trees.signal_pending(&self.children);
        self.children.more_to_reap = true;
        // To find one of many children the kernel looks at each, and probes are the last.
        for (probe, pid) in self.runner.tasks.probes() {
            if let Some(status) = reap_child(pid) {
                self.children.take_pid(pid);
                self.task_ended(probe, pid, status);
            }
        }
        let mut has_orphan = false;
        for _ in 0..CHILDREN_REAPED_PER_TURN {
            let Reaped::Child(pid, status) = reap() else {
                self.children.more_to_reap = false;
                break;
            };
            match self.children.take_pid(pid) {
                Some(ChildId::Process(process)) => self.child_ended(process, pid, status),
                Some(task) => self.task_ended(task, pid, status),
                None if self.limit_writer_ended(pid, status) => {}
                None => {
                    has_orphan = true;
                    self.feed(Input::OrphanEnded { pid, status });
                }
            }
        }
        if has_orphan {
            let children = &self.children;
            self.resources.cgroups.remove_empty(|process| children.is_live(process));
        }
    }

    /// A shared socket is kept until it is clear that the process is not restarted at once.
    fn child_ended(&mut self, process: ProcessId, pid: Pid, status: ExitStatus) {
        if self.main_process_continues(process, pid, status) {
            return;
        }
        self.drain_dead(process);
        self.end_self_reports(process);
        let has_oom_kill = self.leave_cgroup(process, status);
        let limits = self.core.spec(process).and_then(|spec| spec.limits.as_deref());
        let has_process_limit = || limits.is_some_and(|it| it.resource(LimitOption::RlimitNproc).is_some());
        let failure = self
            .children
            .notes
            .take(pid, status)
            .map(|failure| if has_process_limit() { failure.with_process_limit() } else { failure });
        let input = match failure {
            Some(failure) if failure.is_of_limit() => {
                Input::NotExecuted { process, status, failure: failure.to_string().into() }
            }
            Some(failure) if failure.is_shortage() => {
                let name = self.core.spec(process).map_or("", |spec| &spec.name);
                Input::NotExecuted { process, status, failure: no_exec(name, &failure.error) }
            }
            // Supervisor takes the end of the child for that of the program.
            failed => {
                if let Some(failure) = failed {
                    let failure = failure.to_string();
                    if self.launch.foreground {
                        self.log(LogLevel::Info, &format!("spawnerr: {failure}"));
                    }
                    self.feed(Input::StepFailed { process, failure });
                }
                Input::Ended { process, status, has_oom_kill }
            }
        };
        self.feed(input);
        self.front.servers.descriptor_is_free();
        if !self.children.is_live(process) {
            self.release_socket(process);
        }
    }

    /// Everything supervised has stopped; other processes and readers get some time.
    fn end(&mut self) {
        self.end_streams(self.clock.now().mono.after(LAST_OUTPUT_TIMEOUT));
        self.abandon_tasks();
        // Clients are no longer served, and descriptors that are not handled must not wake us.
        self.drop_clients();
        self.front.servers.close();
        self.finish_held(self.clock.now().mono.after(LAST_OUTPUT_TIMEOUT));
        if is_pid_1() {
            self.sweep_orphans();
        }
        self.resources.cgroups.end();
        self.with_output(Outputs::close_held);
        self.let_readers_finish();
    }

    /// Removes the files that live as long as we do. Control sockets are closed by then.
    pub(super) fn remove_files(&mut self) {
        self.sockets = SharedSockets::default();
        self.children.self_reports = SelfReports::default();
        self.pid_file = None;
    }

    /// COMPAT: Supervisor leaves adopted processes to the kernel's SIGKILL.
    fn sweep_orphans(&mut self) {
        let until = self.clock.now().mono.after(ORPHANS_TIMEOUT);
        let mut asked = false;
        // The deadline also holds if orphans exit one after the other without a pause.
        while !until.since(self.clock.now().mono).is_zero() {
            match reap() {
                Reaped::NoChildren => return,
                Reaped::Child(..) => {}
                Reaped::NoneEnded if !asked => {
                    signal_everybody(Signal::TERM);
                    asked = true;
                }
                Reaped::NoneEnded => {
                    let left = until.since(self.clock.now().mono);
                    self.take_last_output(left);
                }
            }
        }
    }

    fn let_readers_finish(&mut self) {
        let until = self.clock.now().mono.after(READER_TIMEOUT);
        loop {
            self.activity.flush(self.output.destinations());
            let left = until.since(self.clock.now().mono);
            if !self.output.has_pending() || left.is_zero() {
                return;
            }
            self.take_last_output(left);
        }
    }

    /// Everything supervised has stopped: reads what other processes still write, until they have closed the
    /// pipes or are silent for a while, up to the deadline.
    fn finish_held(&mut self, until: Mono) {
        while self.output.has_held() {
            let left = until.since(self.clock.now().mono).min(QUIET);
            if left.is_zero() || !self.take_last_output(left) {
                return;
            }
        }
    }

    /// Waits once for orphans, remaining output and readers of our output, the only remaining sources. False
    /// if nothing happened.
    fn take_last_output(&mut self, timeout: Duration) -> bool {
        self.flush_activity();
        self.output.watch(&self.poller);
        let ready = self.wait(Some(timeout));
        self.now = self.clock.now();
        self.output.begin_turn(self.now);
        for it in &ready {
            match self.sources.get(it.token) {
                Some(Source::Output) => self.with_output(|output, context| output.ready(it.token, context)),
                Some(Source::Signals) => self.signals.pending().for_each(drop),
                Some(Source::ChildNotes) => self.children.notes.receive(),
                // All of them are closed, which removes them from the poller.
                Some(
                    Source::Server(_)
                    | Source::SocketFiles
                    | Source::Client
                    | Source::Stdin(_)
                    | Source::SelfReport(_)
                    | Source::MainProcess(_)
                    | Source::Task(_)
                    | Source::Probe(_),
                )
                | None => {}
            }
        }
        !ready.is_empty()
    }
}
