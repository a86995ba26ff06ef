//! Sockets of FastCGI programs, which are the standard input of their processes.
//!
//! A socket is open while a process that names it lives: created before the first of them is spawned, shared
//! by URL with all others, closed when the last one is reaped or could not be started. So no connection is
//! lost when one process exits while there is another: it waits in the socket. All sockets are tried before
//! anything is started.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::AsFd;
use std::sync::Arc;

use super::Shell;
use super::children::not_spawned;
use crate::model::{Address, LogLevel, ProcessId, SocketSpec};
use crate::supervise::NotSpawned;
use crate::sys::descriptors::ChildStdin;
use crate::sys::names::HostNames;
use crate::sys::sockets::{ListenError, ListeningSocket};
use crate::sys::users::{own_id, own_name};

#[derive(Debug)]
struct Shared {
    spec: Arc<SocketSpec>,
    listener: ListeningSocket,
    holders: usize,
}

/// The open sockets and their holders.
#[derive(Debug, Default)]
pub(super) struct SharedSockets {
    by_url: HashMap<String, Shared>,
    held: BTreeMap<ProcessId, Arc<SocketSpec>>,
}

impl SharedSockets {
    /// The standard input of a process.
    pub(super) fn stdin(&self, process: ProcessId) -> ChildStdin<'_> {
        let socket = self.held.get(&process).and_then(|held| self.by_url.get(&held.url()));
        socket.map_or(ChildStdin::Pipe, |shared| ChildStdin::Socket(shared.listener.as_fd()))
    }

    /// The URL of the socket that the process was the last to hold, which is closed now.
    fn release(&mut self, process: ProcessId) -> Option<String> {
        let url = self.held.remove(&process)?.url();
        let shared = self.by_url.get_mut(&url)?;
        shared.holders -= 1;
        (shared.holders == 0).then(|| self.by_url.remove(&url))?;
        Some(url)
    }
}

/// Listens for the children of a program.
///
/// COMPAT: Supervisor removes whatever is at the path of a unix socket, even a live socket or a file, and
/// makes the new one visible before it has its owner and mode.
fn open(spec: &SocketSpec, names: &mut HostNames) -> Result<ListeningSocket, ListenError> {
    let listener = match &spec.address {
        Address::Unix { path, mode, owner } => {
            let owner = owner.filter(|owner| spec.owner_asked_for || owner.uid != own_id());
            ListeningSocket::unix(path, *mode, owner, || ())
        }
        Address::Inet { host, port } => ListeningSocket::inet(host, *port, names),
        Address::Abstract { name } => ListeningSocket::abstract_name(name),
    };
    listener.and_then(|listener| Ok(listener.for_children(spec.backlog)?))
}

fn refusal(spec: &SocketSpec, error: &ListenError) -> String {
    format!("Could not create FastCGI socket {}: {} in [{}] socket", spec.url(), cause(error), spec.section)
}

fn cause(error: &ListenError) -> String {
    match error {
        ListenError::InUse => "somebody listens there already".to_owned(),
        ListenError::NotASocket => "there is a file that is no socket".to_owned(),
        ListenError::Owner(uid, gid) => {
            let gid = gid.map_or_else(|| "-1".to_owned(), |gid| gid.to_string());
            let name = own_name();
            format!("Could not change ownership of socket file: {name} may not give it to ({uid}, {gid})")
        }
        ListenError::System(error) => error.to_string(),
    }
}

/// Opens and closes each of these sockets once, except those that conflict with one of `ours`, which may be
/// the same or be closed by then. The error has one line for each that can't be opened.
pub(super) fn try_sockets<'a>(
    sockets: impl Iterator<Item = &'a Arc<SocketSpec>>,
    ours: &[&Address],
    names: &mut HostNames,
) -> Result<(), String> {
    let others = sockets.filter(|spec| !ours.iter().any(|our| conflict(our, &spec.address)));
    let mut each = BTreeMap::new();
    for spec in others {
        each.insert(spec.url(), spec);
    }
    let tried = each.into_values().map(|spec| open(spec, names).map_err(|error| refusal(spec, &error)));
    let errors: Vec<_> = tried.filter_map(Result::err).collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
}

/// Whether two sockets conflict.
fn conflict(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Unix { path, .. }, Address::Unix { path: other, .. }) => path == other,
        (Address::Inet { port, .. }, Address::Inet { port: other, .. }) => port == other,
        (Address::Abstract { name }, Address::Abstract { name: other }) => name == other,
        (Address::Unix { .. } | Address::Inet { .. } | Address::Abstract { .. }, _) => false,
    }
}

impl Shell {
    /// Tries sockets that are not needed yet, while others of ours are open.
    pub(super) fn try_sockets<'a>(
        &mut self,
        sockets: impl Iterator<Item = &'a Arc<SocketSpec>>,
    ) -> Result<(), String> {
        let servers = self.settings.servers.iter().map(|server| &server.address);
        let shared = self.sockets.by_url.values().map(|shared| &shared.spec.address);
        let ours: Vec<_> = servers.chain(shared).collect();
        try_sockets(sockets, &ours, &mut self.host_names)
    }

    /// Makes a process hold its socket before it is spawned; the socket is created if it does not exist yet.
    pub(super) fn hold_socket(&mut self, process: ProcessId) -> Result<(), NotSpawned> {
        let spec = self.core.spec(process).and_then(|spec| spec.socket.clone());
        let held = self.sockets.held.get(&process);
        // It may still hold the socket of its previous run.
        if held == spec.as_ref() {
            return Ok(());
        }
        self.release_socket(process);
        let Some(spec) = spec else { return Ok(()) };
        self.forget_removed_holders();
        let url = spec.url();
        if !self.sockets.by_url.contains_key(&url) {
            self.log(LogLevel::Info, &format!("Creating socket {url}"));
            let listener = open(&spec, &mut self.host_names).map_err(|error| {
                let text = refusal(&spec, &error);
                match error {
                    ListenError::System(error) => not_spawned(text, &error),
                    ListenError::InUse | ListenError::NotASocket | ListenError::Owner(..) => text.into(),
                }
            })?;
            let shared = Shared { spec: Arc::clone(&spec), listener, holders: 0 };
            self.sockets.by_url.insert(url.clone(), shared);
        }
        if let Some(shared) = self.sockets.by_url.get_mut(&url) {
            shared.holders += 1;
        }
        self.sockets.held.insert(process, spec);
        Ok(())
    }

    /// An update removes a process and starts its successor within one input; the successor must not inherit
    /// the socket, since it may require a different mode.
    fn forget_removed_holders(&mut self) {
        let is_removed = |process: &ProcessId| self.core.spec(*process).is_none();
        let removed: Vec<_> = self.sockets.held.keys().copied().filter(is_removed).collect();
        for process in removed {
            self.release_socket(process);
        }
    }

    /// Releases the socket of a process that is gone or was not started.
    pub(super) fn release_socket(&mut self, process: ProcessId) {
        if let Some(url) = self.sockets.release(process) {
            self.log(LogLevel::Info, &format!("Closing socket {url}"));
        }
    }
}
