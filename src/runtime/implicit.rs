//! The control socket without a server section.
//!
//! As `sv`, and as PID 1 by any name, a supervisor always has one: the user of `docker exec CONTAINER sv
//! status` may not be the author of the configuration. If a unix server is configured, that one is used;
//! `control_socket` in `[supervisord]` sets another path, or disables it.
//!
//! COMPAT: as `supervisord` below another init only configured servers are opened, as in Supervisor. As PID 1
//! the name makes no difference: there is no other supervisor in the container.

use std::path::{Path, PathBuf};

use super::Launch;
use super::servers::{self, Opened};
use crate::config::Machine;
use crate::control_socket::{self, RUNTIME_DIR_VARIABLE};
use crate::host::Host;
use crate::model::{Address, ControlSocket, Pid, ServerSpec, Settings};
use crate::sys::names::HostNames;
use crate::sys::process::is_pid_1;

/// The default mode of sockets.
const MODE: u32 = 0o700;

/// The wanted socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WantedSocket {
    None,
    /// At the first location that allows it.
    Anywhere,
    At(PathBuf),
}

impl WantedSocket {
    /// Whether the configuration names it.
    pub(super) fn is_explicit(&self) -> bool {
        matches!(self, Self::At(_))
    }

    /// Whether an open server is the wanted one.
    pub(super) fn is_met_by(&self, open: &ServerSpec) -> bool {
        match self {
            Self::None => false,
            Self::Anywhere => control_socket::is_default(&open.address),
            Self::At(wanted) => matches!(&open.address, Address::Unix { path, .. } if path == wanted),
        }
    }
}

/// The wanted socket besides the configured servers that are open.
pub(super) fn wanted<'a>(
    launch: &Launch,
    settings: &Settings,
    mut configured: impl Iterator<Item = &'a ServerSpec>,
) -> WantedSocket {
    match &settings.daemon.control_socket {
        ControlSocket::Off => WantedSocket::None,
        ControlSocket::At(path) => WantedSocket::At(path.clone()),
        ControlSocket::Auto if !launch.foreground && !is_pid_1() => WantedSocket::None,
        ControlSocket::Auto if configured.any(|server| server.address.is_unix()) => WantedSocket::None,
        ControlSocket::Auto => WantedSocket::Anywhere,
    }
}

/// The supervisor whose socket would be at the same place, since it runs the same configuration.
pub(super) fn running_supervisor(wish: &WantedSocket, config_file: &Path, host: &Host) -> Option<Pid> {
    if *wish != WantedSocket::Anywhere {
        return None;
    }
    control_socket::running_supervisor(config_file, runtime_dir(host))
}

fn runtime_dir(host: &Host) -> Option<&Path> {
    let variable = host.environment().iter().find(|(name, _)| name == RUNTIME_DIR_VARIABLE);
    variable.map(|(_, value)| Path::new(value))
}

/// Opens it. The error is one line.
pub(super) fn open(
    wish: &WantedSocket,
    config_file: &Path,
    host: &Host,
    names: &mut HostNames,
) -> Result<Option<Opened>, String> {
    match wish {
        WantedSocket::None => Ok(None),
        WantedSocket::At(path) => {
            let spec = ServerSpec::implicit(Address::Unix { path: path.clone(), mode: MODE, owner: None });
            servers::open(&spec, names, |_| ()).map(Some).map_err(|refusal| refusal.text(true))
        }
        WantedSocket::Anywhere => control_socket::open(config_file, is_pid_1(), runtime_dir(host))
            .map(|(address, listener)| Some(Opened { spec: ServerSpec::implicit(address), listener }))
            .map_err(|refusals| format!("cannot make a control socket: {}", refusals.join("; "))),
    }
}
