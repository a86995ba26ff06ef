//! What is logged at each start of how clients reach us, and who else can.

use super::Shell;
use crate::model::{Address, LogLevel, ServerSpec};

/// Logs the notices of the configuration, then the addresses of the servers.
pub(super) fn log_notices(shell: &mut Shell) {
    let notices = std::mem::take(&mut shell.settings.notices);
    shell.log_messages(notices);
    let specs: Vec<_> = shell.settings.servers.clone();
    for server in specs {
        for namespace in shell.settings.namespaces.clone() {
            shell.log(LogLevel::Info, &format!("RPC interface '{}' initialized", namespace.name));
        }
        // COMPAT: as `sv`, metrics without access control are not worth a line.
        let is_open = server.access.role.exposes().is_some() || !shell.launch.foreground;
        if server.credentials.is_some() || !is_open {
            continue;
        }
        let section = &server.section;
        if !shell.launch.foreground || !server.address.is_local() {
            let text = format!("Server '{section}' running without any HTTP authentication checking");
            shell.log(LogLevel::Critical, &text);
        } else if let Some(clients) = local_clients(&server) {
            let text = format!("[{section}] asks for no password: {clients}");
            shell.log(LogLevel::Warn, &text);
        }
    }
    let implicit = shell.front.servers.specs().find(|spec| spec.is_implicit).map(|spec| spec.address.url());
    if let Some(url) = implicit {
        shell.log(LogLevel::Debug, &format!("clients reach us at {url} (control_socket)"));
    }
}

/// Which local users can use a server without a password, besides its owner, and a remedy.
fn local_clients(server: &ServerSpec) -> Option<String> {
    let can = server.access.role.exposes()?;
    match &server.address {
        Address::Unix { mode, .. } if mode & 0o077 == 0 => None,
        Address::Unix { path, .. } => Some(format!(
            "every user who may open '{}' {can} here; set username and password, or chmod=0700",
            path.display()
        )),
        Address::Inet { .. } | Address::Abstract { .. } => {
            Some(format!("every local user {can} here; set username and password, or use [unix_http_server]"))
        }
    }
}
