//! Files that our user can't write, and sockets that can't be created.
//!
//! Logs and sockets are opened after the switch to `user=` of `[supervisord]`, and never as the user of a
//! program.

use std::io;
use std::path::{Path, PathBuf};

use super::{Advice, SectionProcesses, with_options};
use crate::config::Reading;
use crate::config::SectionReader;
use crate::config::absolute;
use crate::config::options::SectionKind;
use crate::model::{Address, DaemonSettings, LogTarget, Settings, User};
use crate::python::quote;

/// The user that writes all of them.
#[derive(Clone, Copy)]
struct SharedWriter<'s>(Option<&'s User>);

/// We create nothing below these, and they contain no regular files.
const STREAMS: [&str; 2] = ["/dev", "/proc"];

pub(super) fn lint(reading: &mut Reading<'_>, settings: &Settings, programs: &[SectionProcesses<'_, '_>]) {
    let writer = SharedWriter(settings.daemon.user.as_deref());
    let has_auto_logs = programs.iter().flat_map(|program| program.processes).any(|process| {
        [&process.stdout, &process.stderr].into_iter().any(|stream| stream.target == LogTarget::Auto)
    });
    if let Some(section) = reading.document.section("supervisord") {
        with_options(reading, section, SectionKind::Supervisord, |options| {
            writer.daemon(options, &settings.daemon, has_auto_logs);
        });
    }
    for program in programs {
        with_options(reading, program.section, program.kind(), |options| writer.program(options, program));
    }
    for server in &settings.servers {
        let (Some(section), Address::Unix { path, .. }) =
            (reading.document.section(&server.section), &server.address)
        else {
            continue;
        };
        with_options(reading, section, SectionKind::UnixHttpServer, |options| {
            writer.socket(options, "file", path);
        });
    }
}

impl SharedWriter<'_> {
    fn daemon(self, options: &mut SectionReader<'_, '_>, daemon: &DaemonSettings, has_auto_logs: bool) {
        if let Some(path) = &daemon.log_file {
            self.file(options, "logfile", path);
        }
        self.file(options, "pidfile", &daemon.pid_file);
        let folder = &daemon.child_log_dir;
        if has_auto_logs && let Err(why) = self.may_write(options, folder) {
            let text =
                format!("cannot make AUTO logs in childlogdir {}: {}", shown(folder), self.explain(&why));
            Advice::new(text).report(options, "childlogdir");
        }
    }

    /// Reports only the first file of its processes that can't be written: the others fail in the same way.
    fn program(self, options: &mut SectionReader<'_, '_>, program: &SectionProcesses<'_, '_>) {
        for option in ["stdout_logfile", "stderr_logfile"] {
            let targets = program.processes.iter().map(|process| match option {
                "stdout_logfile" => &process.stdout.target,
                _ => &process.stderr.target,
            });
            let mut files = targets.filter_map(|target| match target {
                LogTarget::File(path) => Some(path),
                LogTarget::None | LogTarget::Auto => None,
            });
            files.find(|path| self.file(options, option, path));
        }
        let socket = program.processes.iter().find_map(|process| process.socket.as_ref());
        if let Some(Address::Unix { path, .. }) = socket.map(|socket| &socket.address) {
            self.socket(options, "socket", path);
        }
    }

    /// Whether there was a finding about a file that is written.
    fn file(self, options: &mut SectionReader<'_, '_>, option: &str, path: &Path) -> bool {
        let path = absolute(path, options.machine());
        if STREAMS.iter().any(|folder| path.starts_with(Path::new(folder))) {
            return false;
        }
        let (section, file) = (&options.section.name, shown(&path));
        let text = if options.machine().is_dir(&path) {
            Some(format!("{option} {file} of [{section}] is a directory"))
        } else if options.machine().exists(&path) {
            let why = self.may_write(options, &path).err();
            why.map(|why| format!("cannot write {option} {file} of [{section}]: {}", self.explain(&why)))
        } else {
            self.missing(options, option, &path)
        };
        text.map(|text| Advice::new(text).report(options, option)).is_some()
    }

    /// A socket is created under a temporary name first, so its folder must be writable in any case.
    fn socket(self, options: &mut SectionReader<'_, '_>, option: &str, path: &Path) {
        let text = if options.machine().is_dir(path) {
            Some(format!("{option} {} of [{}] is a directory", shown(path), options.section.name))
        } else {
            self.missing(options, option, path)
        };
        if let Some(text) = text {
            Advice::new(text).report(options, option);
        }
    }

    /// Why a missing file can't be created.
    fn missing(self, options: &SectionReader<'_, '_>, option: &str, path: &Path) -> Option<String> {
        let folder = path.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        let why = if options.machine().is_dir(&folder) {
            self.explain(&self.may_write(options, &folder).err()?)
        } else {
            "it does not exist".to_owned()
        };
        let (section, folder) = (&options.section.name, shown(&folder));
        Some(format!("cannot make {option} {} of [{section}] in {folder}: {why}", shown(path)))
    }

    fn may_write(self, options: &SectionReader<'_, '_>, path: &Path) -> io::Result<()> {
        options.machine().may_write(path, self.0)
    }

    fn explain(self, why: &io::Error) -> String {
        match (why.kind(), self.0) {
            (io::ErrorKind::ReadOnlyFilesystem, _) => "the file system is read-only".to_owned(),
            (io::ErrorKind::PermissionDenied, Some(user)) => {
                format!("user {} may not write there", quote(&user.name))
            }
            (io::ErrorKind::PermissionDenied, None) => "we may not write there".to_owned(),
            _ => why.to_string(),
        }
    }
}

fn shown(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};

    use super::super::tests::{INTERFACE, machine, warnings_on};

    fn warnings(lines: &str) -> Vec<String> {
        let machine = machine(&format!("[supervisord]\n{lines}{INTERFACE}"))
            .refusing("/home/www", PermissionDenied)
            .refusing("/var/log", ReadOnlyFilesystem)
            .file("/tmp/old.log", "")
            .refusing("/tmp/old.log", PermissionDenied);
        warnings_on(&machine)
    }

    #[test]
    fn files_that_can_not_be_written_are_reported() {
        for (lines, expected) in [
            (
                "logfile=/home/www/s.log\n",
                "2: cannot make logfile '/home/www/s.log' of [supervisord] in '/home/www': we may not write there",
            ),
            (
                "pidfile=/var/log/s.pid\n",
                "2: cannot make pidfile '/var/log/s.pid' of [supervisord] in '/var/log': the file system is read-only",
            ),
            ("pidfile=/tmp\n", "2: pidfile '/tmp' of [supervisord] is a directory"),
            (
                "user=www\n[program:a]\ncommand=a\nstdout_logfile=/tmp/old.log\n",
                "5: cannot write stdout_logfile '/tmp/old.log' of [program:a]: user 'www' may not write there",
            ),
            (
                "childlogdir=/home/www\n[program:a]\ncommand=a\n",
                "2: cannot make AUTO logs in childlogdir '/home/www': we may not write there",
            ),
            (
                "[program:a]\ncommand=a\nnumprocs=3\nprocess_name=%(process_num)d\n\
                 stderr_logfile=/home/www/%(process_num)d.log\n",
                "6: cannot make stderr_logfile '/home/www/0.log' of [program:a] in '/home/www': we may not write there",
            ),
        ] {
            assert_eq!(warnings(lines), [expected], "{lines}");
        }
    }

    #[test]
    fn sockets_need_a_writable_folder() {
        for (lines, expected) in [
            (
                "[unix_http_server]\nfile=/home/www/s\n",
                "3: cannot make file '/home/www/s' of [unix_http_server] in '/home/www': we may not write there",
            ),
            (
                "[unix_http_server]\nfile=/nodir/s\n",
                "3: cannot make file '/nodir/s' of [unix_http_server] in '/nodir': it does not exist",
            ),
            (
                "[fcgi-program:a]\ncommand=a\nsocket=unix:///tmp\n",
                "4: socket '/tmp' of [fcgi-program:a] is a directory",
            ),
        ] {
            assert_eq!(warnings(lines), [expected], "{lines}");
        }
    }

    #[test]
    fn writable_files_are_not_reported() {
        let lines = "logfile=/tmp/s.log\npidfile=/dev/null\nchildlogdir=/home/www\n[program:a]\ncommand=a\n\
            stdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n\
            [unix_http_server]\nfile=/tmp/s\n";
        assert_eq!(warnings(lines), Vec::<String>::new());
    }
}
