//! Nonblocking connections.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendFlags, SocketFlags, SocketType, connect, getpeername, getsockname, send, socket_with,
    sockopt,
};

/// Begins to connect to an address. The socket becomes writable when the outcome is known
/// ([`connection_outcome`]).
///
/// # Errors
/// The immediate errors of socket(2) and connect(2).
pub fn begin_to_connect(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, SocketType::STREAM, flags, None)?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// The outcome of an attempt to connect, once its socket is writable.
///
/// # Errors
/// Why the connection failed. A socket that is connected to itself also counts as failed: the kernel can
/// choose the very port on which nothing listens.
pub fn connection_outcome(socket: impl AsFd) -> io::Result<()> {
    early_outcome(socket).unwrap_or_else(|| Err(Errno::NOTCONN.into()))
}

/// The same, without waiting: `None` while it is not known. On the machine itself it usually is known at once.
pub fn early_outcome(socket: impl AsFd) -> Option<io::Result<()>> {
    let outcome = sockopt::socket_error(&socket).and_then(|outcome| outcome).and_then(|()| {
        let peer = getpeername(&socket)?;
        let is_own = Some(getsockname(&socket)?) == peer;
        if is_own { Err(Errno::CONNREFUSED) } else { Ok(()) }
    });
    match outcome {
        Err(Errno::NOTCONN) => None,
        known => Some(known.map_err(io::Error::from)),
    }
}

/// Sends as much as there is room for.
///
/// # Errors
/// `WouldBlock` if there is no room; the errors of send(2).
pub fn send_without_waiting(socket: impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    Ok(send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rustix::event::{PollFd, PollFlags, poll};

    use super::*;

    fn outcome(address: SocketAddr) -> io::Result<()> {
        let socket = begin_to_connect(address)?;
        poll(&mut [PollFd::new(&socket, PollFlags::OUT)], None)?;
        connection_outcome(&socket)
    }

    #[test]
    fn connecting_to_a_listener_succeeds() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        outcome(address).unwrap();
        drop(listener);
        assert_eq!(outcome(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_socket_that_has_connected_to_itself_does_not_count() {
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let socket =
            socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        rustix::net::bind(&socket, &any).unwrap();
        connect(&socket, &getsockname(&socket).unwrap()).unwrap();
        assert_eq!(connection_outcome(&socket).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
