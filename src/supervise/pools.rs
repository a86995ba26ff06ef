//! Delivery of events: pools queue them and send them to their listeners one at a time.
//!
//! Events that occur while an input is handled are collected in order and passed to the pools at the
//! input's end; then every listener that runs and is ready gets the oldest event of its pool.
//! An event that no pool subscribes to is not created.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::groups::Group;
use super::processes::Processes;
use super::stdin::StdinError;
use super::{Effect, Effects, Supervisor, Turn};
use crate::events::{Delivery, Discarded, Event, Heard, OutputKind, Pool, RefusalNews};
use crate::model::{
    Channel, EventType, EventTypes, GroupKind, ListenerState, LogLevel, Mono, Pid, ProcessId, ProcessState,
};

impl Effects {
    /// Records an event that listeners may have subscribed to.
    pub(super) fn announce(&mut self, event: EventType, make: impl FnOnce() -> Event) {
        if self.asked_for.cover(event) {
            self.news.push(make());
        }
    }
}

impl Group {
    /// Changes the kind of a group. A group that remains a pool keeps its queued events.
    pub(super) fn take_kind(&mut self, kind: GroupKind) {
        self.kind = kind;
        match (kind, &mut self.pool) {
            (GroupKind::EventListener(spec), Some(pool)) => pool.configure(spec),
            (GroupKind::EventListener(spec), none) => *none = Some(Box::new(Pool::new(&self.name, spec))),
            (GroupKind::Program | GroupKind::FastCgi | GroupKind::Group, pool) => *pool = None,
        }
    }
}

impl Supervisor {
    /// Whether any pool takes events of this type.
    #[must_use]
    pub fn asks_for(&self, event: EventType) -> bool {
        self.asked_for.cover(event)
    }

    /// Whether the standard output of a process carries the listener protocol.
    #[must_use]
    pub fn is_listener(&self, process: ProcessId) -> bool {
        self.groups_with_pools().any(|group| group.members.contains(&process))
    }

    /// The protocol state of each listener that was started.
    pub(super) fn listener_states(&self) -> BTreeMap<ProcessId, ListenerState> {
        let pools = self.groups_with_pools().filter_map(|group| group.pool.as_deref());
        let mut states = BTreeMap::new();
        for (process, state) in pools.flat_map(Pool::states) {
            states.insert(process, state);
        }
        states
    }

    fn groups_with_pools(&self) -> impl Iterator<Item = &Group> {
        self.pools.iter().filter_map(|index| self.groups.get(*index))
    }

    /// Must be called whenever pools or their subscriptions change.
    pub(super) fn ask_again(&mut self, out: &mut Effects) {
        let has_pool = |(index, group): (usize, &Group)| group.pool.is_some().then_some(index);
        self.pools = self.groups.iter().enumerate().filter_map(has_pool).collect();
        let pools = self.groups_with_pools().filter_map(|group| group.pool.as_ref());
        self.asked_for = pools.fold(EventTypes::default(), |all, pool| all.or(pool.events()));
        out.asked_for = self.asked_for;
    }

    /// Announces an active group, with its pool if it has one. At start-up each group is announced to its own pool
    /// and to those of the groups before it.
    pub(super) fn publish_group_added(&mut self, index: usize, out: &mut Effects) {
        self.publish_news(out);
        if let Some(group) = self.groups.get(index)
            && self.asks_for(EventType::ProcessGroupAdded)
        {
            let event = Event::GroupAdded(group.name.to_string());
            self.publish(event, index + 1);
        }
    }

    /// At the end of every input: passes all events to pools, and sends one to each listener that can take one.
    pub(super) fn deliver_events(&mut self, turn: &Turn, out: &mut Effects) {
        let nobody_asks = self.asked_for == EventTypes::default();
        if nobody_asks && self.ticks.deadline().is_none() {
            return;
        }
        out.news.extend(self.ticks.pass(turn.now, self.asked_for));
        self.publish_news(out);
        for &index in &self.pools {
            let Some(pool) = self.groups.get_mut(index).and_then(|group| group.pool.as_mut()) else {
                continue;
            };
            if let Some(discarded) = pool.pass(turn.now.mono) {
                self.counters.events_dropped += discarded.count;
                log_discarded(pool.name(), discarded, out);
            }
        }
        self.dispatch(out);
    }

    /// The next time at which a pool has something to do without input.
    pub(super) fn pools_deadline(&self) -> Option<Mono> {
        if self.asked_for == EventTypes::default() {
            return None;
        }
        self.groups_with_pools().filter_map(|group| group.pool.as_ref()?.deadline()).min()
    }

    /// Passes the events so far to the pools.
    pub(super) fn publish_news(&mut self, out: &mut Effects) {
        for event in std::mem::take(&mut out.news) {
            self.publish(event, self.groups.len());
        }
    }

    /// Passes an event to the pools among the first `groups` groups. It gets its serial when a pool accepts it.
    fn publish(&mut self, event: Event, groups: usize) {
        let (kind, event) = (event.event_type(), Arc::new(event));
        let mut is_taken = false;
        for &index in self.pools.iter().take_while(|index| **index < groups) {
            let Some(pool) = self.groups.get_mut(index).and_then(|group| group.pool.as_mut()) else {
                continue;
            };
            if !pool.asks_for(kind) {
                continue;
            }
            is_taken = true;
            pool.accept(self.next_event, Arc::clone(&event));
        }
        self.next_event += u64::from(is_taken);
    }

    /// Sends the oldest events of a pool to its ready listeners, in order.
    fn dispatch(&mut self, out: &mut Effects) {
        let (processes, server) = (&self.processes, &self.identity.identifier);
        for &index in &self.pools {
            let Some(group) = self.groups.get_mut(index) else { continue };
            let Some(pool) = group.pool.as_mut().filter(|pool| pool.waiting() > 0) else { continue };
            for &process in group.members.iter().filter(|id| is_running(processes, **id)) {
                if let Some((serial, bytes)) = pool.send(process, server) {
                    out.push(Effect::SendEvent { process, serial, bytes });
                }
            }
        }
    }

    /// The outcome of `SendEvent`. An event that could not be delivered goes to another listener; the failed
    /// listener gets no more events, as they could not be delivered either.
    pub(super) fn event_sent(
        &mut self,
        process: ProcessId,
        serial: u64,
        outcome: Result<(), StdinError>,
        out: &mut Effects,
    ) {
        let name = self.name_of(process);
        let failed = match outcome {
            Ok(()) => return out.debug(|| format!("event {serial} sent to listener {name}")),
            Err(StdinError::Closed) => (
                LogLevel::Debug,
                format!(
                    "epipe occurred while sending event {serial} to listener {name}, listener state unchanged"
                ),
            ),
            Err(StdinError::Full) => (
                LogLevel::Warn,
                format!("{name}: does not read the events that it is sent and will no longer receive any"),
            ),
        };
        out.log(failed.0, failed.1);
        if let Some(pool) = self.pool_of(process)
            && let Some(delivery) = pool.stop_listening(process)
        {
            put_back(pool, delivery, out);
        }
    }

    /// A process was started; if it is a listener, its protocol state begins.
    pub(super) fn listener_began(&mut self, process: ProcessId) {
        let is_its = |group: &Group| group.members.contains(&process);
        if let Some(pool) = self.find_pool(is_its) {
            pool.begin(process);
        }
    }

    /// A process was reaped; if it was a listener, its event goes to another one. Its end has been announced before.
    pub(super) fn listener_ended(&mut self, process: ProcessId, out: &mut Effects) {
        self.publish_news(out);
        if let Some(pool) = self.pool_of(process)
            && let Some(delivery) = pool.end(process)
        {
            put_back(pool, delivery, out);
        }
    }

    /// A listener has written to its standard output.
    pub(super) fn listener_said(&mut self, process: ProcessId, bytes: &[u8], turn: &Turn, out: &mut Effects) {
        let name = self.name_of(process);
        let Some(pool) = self.pool_of(process) else { return };
        for heard in pool.hear(process, bytes) {
            if let Heard::Rejected(_) = heard {
                log_refusal(pool, turn, &name, out);
            }
            log_heard(&name, &heard, out);
            match heard {
                Heard::Rejected(delivery) | Heard::BadResult(_, delivery) => put_back(pool, delivery, out),
                Heard::Processed(delivery) => {
                    log_end_of_refusals(pool, out);
                    if let Some((channel, bytes)) = pool.print(&delivery.event, turn.now.wall) {
                        out.push(Effect::Print { channel, bytes });
                    }
                }
                Heard::Ready | Heard::Violated(_) => {}
            }
        }
    }

    /// Whether this is a running listener that still has queued or unanswered events.
    pub(super) fn is_owed_events(&self, process: ProcessId) -> bool {
        let mut pools = self.groups_with_pools().filter_map(|group| group.pool.as_ref());
        is_running(&self.processes, process) && pools.any(|pool| pool.is_owed(process))
    }

    /// A process has written something that listeners have subscribed to.
    pub(super) fn wrote(
        &self,
        process: ProcessId,
        pid: Pid,
        (channel, kind): (Channel, OutputKind),
        data: Vec<u8>,
        out: &mut Effects,
    ) {
        let Some(process) = self.process(process) else { return };
        let event = || Event::Output { names: process.names(), pid: pid.0, channel, kind, data };
        out.announce(kind.event_type(channel), event);
    }

    fn pool_of(&mut self, process: ProcessId) -> Option<&mut Pool> {
        self.find_pool(|group| group.pool.as_ref().is_some_and(|pool| pool.has(process)))
    }

    fn find_pool(&mut self, is_it: impl Fn(&Group) -> bool) -> Option<&mut Pool> {
        let index = self.pools.iter().find(|index| self.groups.get(**index).is_some_and(&is_it)).copied()?;
        self.groups.get_mut(index)?.pool.as_deref_mut()
    }

    fn name_of(&self, process: ProcessId) -> String {
        self.spec(process).map_or_else(String::new, |spec| spec.name.to_string())
    }
}

fn is_running(processes: &Processes, id: ProcessId) -> bool {
    processes.get(id).is_some_and(|process| process.state() == ProcessState::Running)
}

/// COMPAT: Supervisor puts it into every pool that has a process of the same priority.
fn put_back(pool: &mut Pool, delivery: Delivery, out: &mut Effects) {
    out.debug(|| {
        format!(
            "rebuffering event {} for pool {} (buf size={}, max={})",
            delivery.serial,
            pool.name(),
            pool.waiting(),
            pool.buffer_size()
        )
    });
    pool.put_back(delivery);
}

/// COMPAT: Supervisor logs a line for each event. Here there is one line a second.
fn log_discarded(pool: &str, discarded: Discarded, out: &mut Effects) {
    let Discarded { count, serial } = discarded;
    let more = if count > 1 { format!(" and {} more", count - 1) } else { String::new() };
    out.log(LogLevel::Error, format!("pool {pool} event buffer overflowed, discarding event {serial}{more}"));
}

/// COMPAT: Supervisor logs a line for each refusal, and sends the event again at once.
fn log_refusal(pool: &mut Pool, turn: &Turn, listener: &str, out: &mut Effects) {
    match pool.refused(turn.now.mono) {
        Some(RefusalNews::First) => out.log(LogLevel::Warn, format!("{listener}: event was rejected")),
        Some(RefusalNews::LongestPause { refusals, pause }) => {
            let (pool, secs) = (pool.name(), pause.as_secs());
            let count = format!("{refusals} events were rejected in a row");
            out.log(LogLevel::Warn, format!("pool {pool}: {count}, the next is sent in {secs} seconds"));
        }
        None => {}
    }
}

fn log_end_of_refusals(pool: &mut Pool, out: &mut Effects) {
    let refusals = pool.processed();
    if refusals > 1 {
        let text = format!("an event was processed after {refusals} were rejected in a row");
        out.log(LogLevel::Info, format!("pool {}: {text}", pool.name()));
    }
}

fn log_heard(name: &str, heard: &Heard, out: &mut Effects) {
    use ListenerState::{Acknowledged, Busy, Ready, Unknown};
    let (from, to) = match heard {
        Heard::Ready => (Acknowledged, Ready),
        Heard::Processed(_) => {
            out.debug(|| format!("{name}: event was processed"));
            (Busy, Acknowledged)
        }
        Heard::Rejected(_) => (Busy, Acknowledged),
        Heard::BadResult(line, _) => {
            out.log(LogLevel::Warn, format!("{name}: bad result line: '{line}'"));
            (Busy, Unknown)
        }
        Heard::Violated(from) => (*from, Unknown),
    };
    out.debug(|| format!("{name}: {} -> {}", from.name(), to.name()));
    if to == Unknown {
        out.log(
            LogLevel::Warn,
            format!(
                "{name}: has entered the UNKNOWN state and will no longer receive events, this usually \
                 indicates the process violated the eventlistener protocol"
            ),
        );
    }
}
