//! The socket of an `[fcgi-program:x]`.
//!
//! COMPAT: several sections may name one socket, which their processes then share; they have to agree on its
//! mode, owner and backlog. In Supervisor the section that starts last wins.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{Address, ProcessSpec, SocketOwner, SocketSpec};

use super::expand::{NameValue, Names};
use super::ini::is_space;
use super::machine::Machine;
use super::options::SectionKind;
use super::reader::SectionReader;
use super::reading::{ProgramSection, Reading};
use super::values;

/// The default permissions of a unix socket.
const MODE: u32 = 0o700;

/// The owner of a socket, and whether `socket_owner` was set.
struct Ownership {
    owner: Option<SocketOwner>,
    asked_for: bool,
}

/// Reads the socket of a program; `None` if it is not a FastCGI program or if there are errors.
///
/// `names` contains the environment that every child gets.
pub(super) fn socket<'a>(
    reading: &mut Reading<'a>,
    program: &ProgramSection<'a>,
    names: &Names<'_>,
) -> Option<Arc<SocketSpec>> {
    if program.kind != SectionKind::FcgiProgram {
        return None;
    }
    let mut options = SectionReader::new(reading, program.section, program.kind, names);
    let backlog = options.value("socket_backlog", backlog);
    let ownership = ownership(&mut options);
    let mode = options.value("socket_mode", |text| {
        values::octal(text).map_err(|_| format!("Invalid socket_mode value {text}"))
    });
    let with_name = Names::over(names).with("program_name", NameValue::Text(program.name));
    let address = address(&mut options.under(&with_name), mode, ownership.owner)?;
    let section = program.section.name.clone();
    Some(Arc::new(SocketSpec { section, address, owner_asked_for: ownership.asked_for, backlog: backlog? }))
}

fn backlog(text: &str) -> Result<u16, String> {
    let number = values::integer(text)?;
    let backlog = u16::try_from(number).ok().filter(|&backlog| backlog > 0);
    backlog.ok_or_else(|| format!("Invalid socket_backlog value {number}"))
}

/// The configured owner, or else the user of the program.
fn ownership(options: &mut SectionReader<'_, '_>) -> Ownership {
    let machine = options.machine();
    let asked_for = options.is_set("socket_owner");
    let owner = options.value("socket_owner", |text| {
        values::owner(text, machine).ok_or_else(|| format!("Invalid socket_owner value {text}"))
    });
    let user = if asked_for { None } else { options.user("user") };
    let default = user.map(|user| SocketOwner { uid: user.uid, gid: Some(user.gid) });
    Ownership { owner: owner.or(default), asked_for }
}

fn address(
    options: &mut SectionReader<'_, '_>,
    mode: Option<u32>,
    owner: Option<SocketOwner>,
) -> Option<Address> {
    let section = &options.section.name;
    if !options.is_set("socket") {
        options.section_error(format!("[{section}] section requires a \"socket\" line"));
        return None;
    }
    let text = options.text("socket")?;
    let path = text.strip_prefix(UNIX);
    let address = match path {
        Some(path) => unix(path, options.machine()).map(|path| {
            let mode = mode.unwrap_or(MODE);
            Address::Unix { path, mode, owner }
        }),
        None => tcp(&text),
    };
    let of_files = ["socket_owner", "socket_mode"].into_iter().find(|option| options.is_set(option));
    match (address, of_files.filter(|_| path.is_none())) {
        (Ok(address), None) => return Some(address),
        (_, Some(option)) => options.error(option, format!("{OF_FILES} in [{section}] socket")),
        (Err(_), None) if text.is_empty() => {
            options.error("socket", format!("[{section}] section requires a \"socket\" line"));
        }
        (Err(why), None) => options.error("socket", format!("{why} in [{section}] socket")),
    }
    None
}

const OF_FILES: &str = "socket_owner and socket_mode params should only be used with a Unix domain socket";

const UNIX: &str = "unix://";

/// `/path`, which must be absolute.
fn unix(path: &str, machine: &dyn Machine) -> Result<PathBuf, String> {
    if !path.starts_with('/') {
        return Err(format!("Unix socket path {path} is not an absolute path"));
    }
    Ok(values::absolute(Path::new(path), machine))
}

/// `tcp://host:port`
fn tcp(text: &str) -> Result<Address, String> {
    let is_host = |host: &str| !host.is_empty() && !host.contains(is_space);
    let is_number = |port: &str| !port.is_empty() && port.chars().all(|c| values::decimal_digit(c).is_some());
    let parts = text.strip_prefix("tcp://").and_then(|rest| rest.split_once(':'));
    let (host, port) = parts
        .filter(|(host, port)| is_host(host) && is_number(port))
        .ok_or_else(|| format!("Bad socket format {text}"))?;
    Ok(Address::Inet { host: host.to_lowercase(), port: values::port_number(port)? })
}

/// Detects sections that name one socket with different settings.
#[derive(Default)]
pub(super) struct SocketSections(HashMap<String, Arc<SocketSpec>>);

impl SocketSections {
    /// Records the socket of a program. The error names the section that disagrees.
    pub(super) fn claim(&mut self, processes: &[Arc<ProcessSpec>]) -> Result<(), String> {
        let Some(socket) = processes.iter().find_map(|process| process.socket.as_ref()) else {
            return Ok(());
        };
        let first = self.0.entry(socket.url()).or_insert_with(|| Arc::clone(socket));
        if (&first.address, first.backlog) == (&socket.address, socket.backlog) {
            return Ok(());
        }
        let (url, section) = (socket.url(), &first.section);
        Err(format!("socket {url} is also that of [{section}], with another mode, owner or backlog"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN, errors_in, load_text, notices_in};
    use super::super::load;
    use super::*;
    use crate::model::{GroupKind, ProcessSpec, Settings};

    const HEAD: &str = "[supervisord]\nenvironment=S=\"sock\"\n[fcgi-program:f]\ncommand=a\n";

    fn processes(settings: &Settings) -> impl Iterator<Item = &ProcessSpec> {
        settings.groups.iter().flat_map(|group| group.processes.iter().map(|process| &**process))
    }

    fn socket(lines: &str) -> SocketSpec {
        let settings = load_text(&format!("{HEAD}{lines}")).unwrap();
        SocketSpec::clone(processes(&settings).next().unwrap().socket.as_ref().unwrap())
    }

    #[test]
    fn sockets_are_a_path_or_a_port() {
        let unix = |path: &str| Address::Unix { path: path.into(), mode: 0o700, owner: None };
        let tcp = |host: &str, port| Address::Inet { host: host.to_owned(), port };
        for (value, address, url) in [
            ("unix:///run/f.sock", unix("/run/f.sock"), "unix:///run/f.sock"),
            ("unix:////run/./x/../f.sock", unix("/run/f.sock"), "unix:///run/f.sock"),
            ("unix://%(here)s/%(program_name)s.%(ENV_S)s", unix("/etc/f.sock"), "unix:///etc/f.sock"),
            ("tcp://LocalHost:9000", tcp("localhost", 9000), "tcp://localhost:9000"),
            ("tcp://a:٩٠", tcp("a", 90), "tcp://a:90"),
            ("tcp://0.0.0.0:0080", tcp("0.0.0.0", 80), "tcp://0.0.0.0:80"),
        ] {
            let spec = socket(&format!("socket={value}"));
            assert_eq!((spec.address.clone(), spec.url().as_str()), (address, url), "{value}");
            assert_eq!((spec.section.as_str(), spec.backlog), ("fcgi-program:f", 4096), "{value}");
        }
    }

    #[test]
    fn a_unix_socket_gets_the_given_owner() {
        for (lines, expected_owner, expected_mode, asked_for) in [
            ("", None, 0o700, false),
            ("user=www", Some((33, Some(33))), 0o700, false),
            ("user=www\nsocket_owner=root", Some((0, None)), 0o700, true),
            ("socket_owner=www:adm\nsocket_mode=0660", Some((33, Some(4))), 0o660, true),
            ("socket_owner=%(ENV_U)s\nsocket_mode=0%(ENV_M)s", Some((33, None)), 0o666, true),
        ] {
            let text = format!("{HEAD}socket=unix:///s\n{lines}");
            let machine = Fake::main(&text).variable("U", "www").variable("M", "666");
            let settings = load(Path::new(MAIN), &[], &machine).unwrap();
            let spec = processes(&settings).next().unwrap().socket.clone().unwrap();
            let Address::Unix { mode, owner, .. } = &spec.address else { panic!("{spec:?}") };
            let owner = owner.map(|owner| (owner.uid, owner.gid));
            assert_eq!((owner, *mode), (expected_owner, expected_mode), "{lines}");
            assert_eq!(spec.owner_asked_for, asked_for, "{lines}");
        }
        assert_eq!(socket("socket=tcp://a:1\nsocket_backlog=65535").backlog, 65_535);
    }

    #[test]
    fn errors_in_a_socket_are_reported_with_their_line() {
        let of_files = "socket_owner and socket_mode params should only be used with a Unix domain socket in \
            [fcgi-program:f] socket";
        for (lines, message) in [
            ("socket=", "[fcgi-program:f] section requires a \"socket\" line"),
            ("socket=foo", "Bad socket format foo in [fcgi-program:f] socket"),
            ("socket=tcp://a b:1", "Bad socket format tcp://a b:1 in [fcgi-program:f] socket"),
            ("socket=tcp://:1", "Bad socket format tcp://:1 in [fcgi-program:f] socket"),
            ("socket=tcp://a:", "Bad socket format tcp://a: in [fcgi-program:f] socket"),
            ("socket=tcp://a:+1", "Bad socket format tcp://a:+1 in [fcgi-program:f] socket"),
            ("socket=tcp://[::1]:1", "Bad socket format tcp://[::1]:1 in [fcgi-program:f] socket"),
            ("socket=tcp://a:0", "0 is below lower bound (1) in [fcgi-program:f] socket"),
            ("socket=tcp://a:70000", "70000 is above upper bound (65535) in [fcgi-program:f] socket"),
            (
                "socket=unix://run/f",
                "Unix socket path run/f is not an absolute path in [fcgi-program:f] socket",
            ),
            ("socket=unix://~/f", "Unix socket path ~/f is not an absolute path in [fcgi-program:f] socket"),
            ("socket_owner=www\nsocket=tcp://a:1", of_files),
            ("socket_mode=0700\nsocket=foo", of_files),
            ("socket_owner=nope\nsocket=unix:///s", "Invalid socket_owner value nope"),
            ("socket_owner=www:nope\nsocket=unix:///s", "Invalid socket_owner value www:nope"),
            ("socket_mode=rw\nsocket=unix:///s", "Invalid socket_mode value rw"),
            ("socket_backlog=0\nsocket=unix:///s", "Invalid socket_backlog value 0"),
            ("socket_backlog=65536\nsocket=unix:///s", "Invalid socket_backlog value 65536"),
            ("socket_backlog=-1\nsocket=unix:///s", "Invalid socket_backlog value -1"),
            ("socket_backlog=x\nsocket=unix:///s", "not a valid integer: 'x'"),
        ] {
            let option = lines.split('=').next().unwrap();
            let place =
                format!("in section 'fcgi-program:f' (file: '/etc/x.conf', line: 5, option: {option})");
            assert_eq!(errors_in(&format!("{HEAD}{lines}")), [format!("{message} {place}")], "{lines}");
        }
        let missing = "[fcgi-program:f] section requires a \"socket\" line in section 'fcgi-program:f' \
            (file: '/etc/x.conf', line: 3)";
        assert_eq!(errors_in(HEAD), [missing]);
    }

    #[test]
    fn only_the_socket_sees_the_name_of_its_program() {
        for (option, name) in [
            ("socket", "process_num"),
            ("socket", "group_name"),
            ("socket_owner", "program_name"),
            ("socket_mode", "program_name"),
            ("socket_backlog", "program_name"),
        ] {
            let found = errors_in(&format!("{HEAD}{option}=%({name})s"));
            let expected = format!("contains names ('{name}') which cannot be expanded");
            assert!(found.iter().any(|error| error.contains(&expected)), "{option} {name}: {found:?}");
        }
    }

    #[test]
    fn a_fastcgi_program_has_all_options_of_a_program() {
        let text = format!(
            "{HEAD}socket=tcp://a:1\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)d\npriority=7\n\
             stopsignal=QUIT\nstdout_logfile=NONE\n"
        );
        let settings = load_text(&text).unwrap();
        assert_eq!(notices_in(&text), Vec::<String>::new());
        let group = &settings.groups[0];
        assert_eq!((group.kind, group.priority, group.name.as_str()), (GroupKind::FastCgi, 7, "f"));
        let names: Vec<_> = processes(&settings).map(|process| process.name.as_str()).collect();
        assert_eq!(names, ["f_0", "f_1"]);
        assert_eq!(group.sockets().count(), 1, "one for both");
    }

    #[test]
    fn a_fastcgi_program_has_its_socket_in_a_group_too() {
        let text =
            format!("{HEAD}socket=tcp://a:1\n[program:p]\ncommand=b\n[group:g]\nprograms=p,f\npriority=3");
        let settings = load_text(&text).unwrap();
        let [group] = settings.groups.as_slice() else { panic!("{settings:?}") };
        assert_eq!((group.kind, group.name.as_str()), (GroupKind::Group, "g"));
        let shown: Vec<_> = processes(&settings)
            .map(|process| (process.name.as_str(), process.socket.as_ref().map(|socket| socket.url())))
            .collect();
        assert_eq!(shown, [("p", None), ("f", Some("tcp://a:1".to_owned()))]);
        let bad = format!("{HEAD}[group:g]\nprograms=f");
        assert_eq!(errors_in(&bad).len(), 1, "the socket is validated there as well");
    }

    #[test]
    fn sections_that_share_a_socket_agree_on_it() {
        let two = |lines: &str| format!("{HEAD}socket=unix:///s\n[fcgi-program:g]\ncommand=a\n{lines}");
        assert_eq!(errors_in(&two("socket=unix:///s")), Vec::<String>::new());
        for lines in ["socket_mode=0777", "socket_owner=www", "socket_backlog=1", "user=www"] {
            let found = errors_in(&two(&format!("socket=unix:///s\n{lines}")));
            let expected = "socket unix:///s is also that of [fcgi-program:f], with another mode, owner or \
                backlog in section 'fcgi-program:g' (file: '/etc/x.conf', line: 8, option: socket)";
            assert_eq!(found, [expected], "{lines}");
        }
    }

    #[test]
    fn every_difference_between_sockets_is_one() {
        let lines = |more: &str| socket(&format!("socket=unix:///s\n{more}"));
        for more in ["socket_mode=0777", "socket_owner=www", "socket_backlog=1"] {
            assert_ne!(lines(""), lines(more), "{more}");
        }
        assert_eq!(lines(""), lines("socket_mode=700"));
    }
}
