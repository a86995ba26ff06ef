//! Host names to listen on, resolved without blocking once we supervise.
//!
//! The C library asks name servers and waits for them, for many seconds if none answers. At the start there
//! is nothing else to do. Later a name keeps the meaning that it had then, or that of /etc/hosts, which
//! contains a container's own names.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};
use std::path::PathBuf;

use super::files::open_to_read;
use super::startup::while_waiting;

/// The maximum size of the file that is read.
const HOSTS_BYTES_MAX: u64 = 1024 * 1024;

/// The resolved names.
#[derive(Debug)]
pub struct HostNames {
    hosts: PathBuf,
    /// Whether waiting for name servers is allowed.
    may_wait: bool,
    /// The answers of the C library.
    remembered: BTreeMap<String, Vec<IpAddr>>,
}

impl HostNames {
    /// Resolves with the C library, and remembers its answers.
    #[must_use]
    pub fn at_the_start() -> Self {
        Self { hosts: "/etc/hosts".into(), may_wait: true, remembered: BTreeMap::new() }
    }

    /// Does not wait for name servers from now on.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self { may_wait: false, ..self }
    }

    /// The addresses of a name, or of a literal address.
    ///
    /// # Errors
    /// The error of the C library; later, that the name is unknown here.
    pub fn addresses(&mut self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        if !self.may_wait {
            return self.known(host);
        }
        let found = while_waiting(|| (host, 0).to_socket_addrs());
        let found = found.map(|found| found.map(|address| address.ip()).collect());
        let found: Vec<_> = found.or_else(|error| without_hosts(host).ok_or(error))?;
        self.remembered.insert(host.to_owned(), found.clone());
        Ok(found)
    }

    /// The file first, as it may have changed.
    fn known(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = listed(&self.hosts_text(), host);
        let remembered = || self.remembered.get(host).cloned();
        let found = Some(found).filter(|found| !found.is_empty()).or_else(remembered);
        found.or_else(|| without_hosts(host)).ok_or_else(|| {
            let why = format!(
                "'{host}' is not in {}, and name servers are asked at the start only",
                self.hosts.display()
            );
            io::Error::new(io::ErrorKind::NotFound, why)
        })
    }

    /// Empty if it can't be read.
    fn hosts_text(&self) -> String {
        let mut bytes = Vec::new();
        let file = open_to_read(&self.hosts);
        let _ = file.and_then(|file| file.take(HOSTS_BYTES_MAX).read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The addresses of a name in a text like /etc/hosts, case-insensitive.
fn listed(text: &str, host: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let address = words.next().and_then(|word| word.parse().ok());
        if words.any(|name| name.eq_ignore_ascii_case(host)) {
            found.extend(address.filter(|address| !found.contains(address)));
        }
    }
    found
}

/// An image FROM scratch has no such file unless it is run by Docker.
fn without_hosts(host: &str) -> Option<Vec<IpAddr>> {
    (host == "localhost").then(|| vec![Ipv4Addr::LOCALHOST.into()])
}

#[cfg(test)]
mod tests {
    use super::super::scratch::Folder;
    use super::*;

    fn reported(names: &mut HostNames, host: &str) -> String {
        match names.addresses(host) {
            Ok(found) => found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_file_of_hosts_is_read() {
        let text = "127.0.0.1\tlocalhost\n::1 localhost ip6-localhost\n10.0.0.2 Web web.local # db\n10.0.0.2 web\n\
            nonsense db\n# 10.0.0.9 db\n10.0.0.3 web\n";
        let shown = |host| listed(text, host).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown("localhost"), ["127.0.0.1", "::1"]);
        assert_eq!(shown("web"), ["10.0.0.2", "10.0.0.3"]);
        assert_eq!(shown("WEB.local"), ["10.0.0.2"]);
        assert_eq!(shown("db"), Vec::<String>::new());
        assert_eq!(shown("10.0.0.2"), Vec::<String>::new());
    }

    #[test]
    fn later_only_the_file_and_remembered_names_are_used() {
        let folder = Folder::new("names");
        let hosts = folder.join("hosts");
        std::fs::write(&hosts, "10.0.0.2 web\n").unwrap();
        let remembered =
            BTreeMap::from([("web".to_owned(), vec![]), ("db".to_owned(), vec![[10, 0, 0, 9].into()])]);
        let mut names = HostNames { hosts: hosts.clone(), may_wait: false, remembered };
        for (host, expected) in [
            ("web", "10.0.0.2"),
            ("db", "10.0.0.9"),
            ("localhost", "127.0.0.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("::1", "::1"),
        ] {
            assert_eq!(reported(&mut names, host), expected);
        }
        let unknown =
            format!("'other' is not in {}, and name servers are asked at the start only", hosts.display());
        assert_eq!(reported(&mut names, "other"), unknown);
        std::fs::remove_file(&hosts).unwrap();
        assert_eq!(reported(&mut names, "web"), "");
    }

    #[test]
    fn names_resolved_at_the_start_are_remembered() {
        let mut names = HostNames::at_the_start();
        let found = reported(&mut names, "localhost");
        assert!(found.contains("127.0.0.1"), "{found}");
        assert_eq!(names.remembered.keys().collect::<Vec<_>>(), ["localhost"]);
        assert!(!names.without_waiting().may_wait);
    }
}
