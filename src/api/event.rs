//! The event log: as a list, and as server-sent events.

use std::borrow::Cow;

use serde::Serialize;

use super::list::{ListReply, encode};
use super::process::EndView;
use super::stream::frame;
use super::utc;
use crate::model::{EventLogPart, LoggedEvent, LoggedEventKind, Namespec};

#[derive(Serialize)]
struct EventsHead {
    newest: u64,
    missed: bool,
}

/// An entry of the event log. Its kind decides what follows after `kind`.
#[derive(Serialize)]
#[serde(untagged)]
enum EventView<'a> {
    Process {
        serial: u64,
        at: String,
        kind: &'static str,
        group: &'a str,
        name: &'a str,
        full_name: String,
        from: &'static str,
        to: &'static str,
        pid: Option<i32>,
        end: Option<EndView>,
        reason: Cow<'a, str>,
    },
    Health {
        serial: u64,
        at: String,
        kind: &'static str,
        group: &'a str,
        name: &'a str,
        full_name: String,
        status: &'static str,
        failure: Option<&'a str>,
    },
    Group {
        serial: u64,
        at: String,
        kind: &'static str,
        group: &'a str,
        change: &'static str,
    },
    Server {
        serial: u64,
        at: String,
        kind: &'static str,
        state: &'static str,
    },
}

impl<'a> EventView<'a> {
    fn of(event: &'a LoggedEvent) -> Self {
        let (serial, at, kind) = (event.serial, utc(event.at.unix_ms), kind(event));
        match &event.kind {
            LoggedEventKind::Process { group, name, transition } => Self::Process {
                serial,
                at,
                kind,
                group,
                name,
                full_name: Namespec::join(group, name),
                from: transition.from.name(),
                to: transition.to.name(),
                pid: transition.pid.map(|pid| pid.0),
                end: transition.exit.map(|exit| EndView::of(exit, None)),
                reason: transition.reason.text(),
            },
            LoggedEventKind::Health { group, name, status, failure } => Self::Health {
                serial,
                at,
                kind,
                group,
                name,
                full_name: Namespec::join(group, name),
                status: status.name(),
                failure: failure.as_deref(),
            },
            LoggedEventKind::GroupAdded(group) => Self::Group { serial, at, kind, group, change: "added" },
            LoggedEventKind::GroupRemoved(group) => {
                Self::Group { serial, at, kind, group, change: "removed" }
            }
            LoggedEventKind::GroupUpdated(group) => {
                Self::Group { serial, at, kind, group, change: "updated" }
            }
            LoggedEventKind::Supervisor(state) => Self::Server { serial, at, kind, state: state.name() },
        }
    }
}

fn kind(event: &LoggedEvent) -> &'static str {
    match event.kind {
        LoggedEventKind::Process { .. } => "process",
        LoggedEventKind::Health { .. } => "health",
        LoggedEventKind::GroupAdded(_)
        | LoggedEventKind::GroupRemoved(_)
        | LoggedEventKind::GroupUpdated(_) => "group",
        LoggedEventKind::Supervisor(_) => "supervisor",
    }
}

/// The entries after a serial; `missed` is whether there were others in between.
pub(super) fn list(part: EventLogPart, missed: bool) -> ListReply {
    let EventLogPart { events, newest, .. } = part;
    ListReply::new(&EventsHead { newest, missed })
        .list("events", events, |event, out| encode(&EventView::of(event), out))
}

#[derive(Serialize)]
struct GapView {
    after: u64,
    oldest: u64,
}

/// The entries after a serial as server-sent events. The first says if there were others in between.
#[must_use]
pub fn event_frames(part: &EventLogPart, after: u64, has_gap: bool) -> String {
    let mut frames = String::new();
    if let Some(first) = part.events.first().filter(|_| has_gap) {
        frame(&mut frames, None, Some("gap"), &GapView { after, oldest: first.serial });
    }
    for event in &part.events {
        frame(&mut frames, Some(event.serial), Some(kind(event)), &EventView::of(event));
    }
    frames
}
