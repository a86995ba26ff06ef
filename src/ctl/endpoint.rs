//! The address of a server, by its URL, and connections to it.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::control_socket;
use crate::python::quote;

/// The time limit for connecting to one address. A unix socket answers at once, unless the server's accept
/// queue is full.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// An address that can be connected to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `unix://PATH`; a relative path starts from the current directory.
    Unix(PathBuf),
    /// `unix://@NAME`, in the abstract namespace.
    Abstract(String),
    /// `http://HOST[:PORT]`, ignoring the path.
    Inet {
        /// Without the brackets of an IPv6 address.
        host: String,
        port: u16,
    },
}

/// An error in a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoEndpoint {
    /// An unknown protocol.
    Protocol(String),
    /// An invalid port.
    Port(String),
}

impl NoEndpoint {
    /// For people, with a remedy.
    pub(super) fn plain(&self) -> String {
        match self {
            Self::Protocol(url) => {
                format!("cannot use the address '{url}': it has to begin with unix:// or http://")
            }
            Self::Port(port) => format!("cannot use '{port}' as a port: it has to be a number up to 65535"),
        }
    }
}

impl fmt::Display for NoEndpoint {
    /// Supervisor's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(url) => write!(f, "Unknown protocol for serverurl {url}"),
            Self::Port(port) => write!(f, "Port could not be cast to integer value as {}", quote(port)),
        }
    }
}

impl Endpoint {
    /// Parses a URL. The scheme must be in lower case: Supervisor accepts no other.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(url: &str) -> Result<Self, NoEndpoint> {
        if let Some(path) = url.strip_prefix("unix://") {
            return Ok(match path.strip_prefix('@') {
                Some(name) => Self::Abstract(name.to_owned()),
                None => Self::Unix(path.into()),
            });
        }
        let Some(rest) = url.strip_prefix("http://") else {
            return Err(NoEndpoint::Protocol(url.to_owned()));
        };
        let place = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        // A user name in a URL is ignored: -u and the configuration have it.
        let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
        let (host, port) = split_port(place);
        let host = if host.is_empty() { "localhost" } else { host };
        let port = match port {
            "" => 80,
            port => port.parse().map_err(|_| NoEndpoint::Port(port.to_owned()))?,
        };
        Ok(Self::Inet { host: host.to_lowercase(), port })
    }

    /// The `Host` header of a request.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Unix(_) | Self::Abstract(_) => "localhost".to_owned(),
            Self::Inet { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Inet { host, port } => format!("{host}:{port}"),
        }
    }

    /// Opens a connection, trying every address of a host name, each for at most this long.
    ///
    /// # Errors
    /// Why the last attempt failed.
    pub(super) fn connect(&self, at_most: Option<Duration>) -> io::Result<EndpointStream> {
        let timeout = at_most.map_or(CONNECT_TIMEOUT, |limit| limit.min(CONNECT_TIMEOUT));
        match self {
            Self::Unix(path) => {
                let stream = connect_unix(&SocketAddrUnix::new(path)?, timeout)?;
                if control_socket::is_default_path(path) {
                    control_socket::check_supervisor(&stream)?;
                }
                Ok(EndpointStream::Unix(stream))
            }
            // Any user may listen at such a name.
            Self::Abstract(name) => {
                let stream = connect_unix(&SocketAddrUnix::new_abstract_name(name.as_bytes())?, timeout)?;
                control_socket::check_supervisor(&stream)?;
                Ok(EndpointStream::Unix(stream))
            }
            Self::Inet { host, port } => connect_any((host.as_str(), *port).to_socket_addrs()?, timeout),
        }
    }
}

/// `host:port`, `host`, `[::1]:port`, `[::1]`
fn split_port(place: &str) -> (&str, &str) {
    match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').unwrap_or("")),
        None => place.split_once(':').unwrap_or((place, "")),
    }
}

/// The standard library has no timeout for this.
fn connect_unix(address: &SocketAddrUnix, timeout: Duration) -> io::Result<UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, Some(timeout))?;
    connect(&socket, address)?;
    set_socket_timeout(&socket, Timeout::Send, None)?;
    Ok(socket.into())
}

fn connect_any(addresses: impl Iterator<Item = SocketAddr>, timeout: Duration) -> io::Result<EndpointStream> {
    let mut problem = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                // A call is one small write and a wait for its answer.
                stream.set_nodelay(true)?;
                return Ok(EndpointStream::Tcp(stream));
            }
            Err(error) => problem = error,
        }
    }
    Err(problem)
}

/// An open connection of either kind.
#[derive(Debug)]
pub(super) enum EndpointStream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl EndpointStream {
    /// Sets the timeout of reads and writes; then they fail with `WouldBlock`.
    ///
    /// # Errors
    /// The error of setsockopt(2).
    pub(super) fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Unix(stream) => {
                stream.set_read_timeout(timeout).and_then(|()| stream.set_write_timeout(timeout))
            }
            Self::Tcp(stream) => {
                stream.set_read_timeout(timeout).and_then(|()| stream.set_write_timeout(timeout))
            }
        }
    }

    /// Whether it is open with nothing to read: otherwise the server closed it, or sent unexpected data.
    pub(super) fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let read = match self {
            Self::Unix(stream) => stream.set_nonblocking(true).and_then(|()| (&mut &*stream).read(&mut byte)),
            Self::Tcp(stream) => stream.set_nonblocking(true).and_then(|()| (&mut &*stream).read(&mut byte)),
        };
        let is_blocking = match self {
            Self::Unix(stream) => stream.set_nonblocking(false),
            Self::Tcp(stream) => stream.set_nonblocking(false),
        };
        is_blocking.is_ok() && read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsFd for EndpointStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(stream) => stream.as_fd(),
            Self::Tcp(stream) => stream.as_fd(),
        }
    }
}

impl Read for EndpointStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for EndpointStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_endpoints() {
        let inet = |host: &str, port| Ok(Endpoint::Inet { host: host.to_owned(), port });
        let unix = |path: &str| Ok(Endpoint::Unix(path.into()));
        for (url, expected) in [
            ("unix:///run/s.sock", unix("/run/s.sock")),
            ("unix://s.sock", unix("s.sock")),
            ("unix://@sv-0/1/a.sock", Ok(Endpoint::Abstract("sv-0/1/a.sock".to_owned()))),
            ("http://localhost:9001", inet("localhost", 9001)),
            ("http://Host", inet("host", 80)),
            ("http://u:p@h:1/RPC2?x", inet("h", 1)),
            ("http://:9001", inet("localhost", 9001)),
            ("http://[::1]:9001/", inet("::1", 9001)),
            ("http://[::1]", inet("::1", 80)),
            ("http://h:x", Err(NoEndpoint::Port("x".to_owned()))),
            ("https://h", Err(NoEndpoint::Protocol("https://h".to_owned()))),
            ("UNIX:///x", Err(NoEndpoint::Protocol("UNIX:///x".to_owned()))),
        ] {
            assert_eq!(Endpoint::parse(url), expected, "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_reported_in_supervisors_and_in_plain_words() {
        for (url, supervisors, plain) in [
            ("http://h:x", "Port could not be cast to integer value as 'x'", "cannot use 'x' as a port: "),
            ("https://h", "Unknown protocol for serverurl https://h", "cannot use the address 'https://h': "),
        ] {
            let error = Endpoint::parse(url).unwrap_err();
            assert_eq!(error.to_string(), supervisors);
            assert!(error.plain().starts_with(plain), "{}", error.plain());
        }
    }

    #[test]
    fn the_host_field_has_a_port_and_brackets() {
        for (url, host) in
            [("unix:///x", "localhost"), ("http://h", "h:80"), ("http://[::1]:9001", "[::1]:9001")]
        {
            assert_eq!(Endpoint::parse(url).unwrap().host(), host);
        }
    }

    #[test]
    fn a_connection_is_quiet_until_the_server_sends_or_closes() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let ours = EndpointStream::Unix(ours);
        assert!(ours.is_quiet());
        theirs.write_all(b"x").unwrap();
        assert!(!ours.is_quiet());
        assert!(ours.is_quiet());
        drop(theirs);
        assert!(!ours.is_quiet());
    }
}
