//! AUTO logs: files in `childlogdir` that we name, created when a program is first started and removed by the next
//! start of the supervisor.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use super::warning::Warning;
use crate::model::{DaemonSettings, LogTarget, ProcessSpec};
use crate::python::quote;
use crate::sys::files;
use crate::sys::process::own_pid;

/// Letters in the part of an AUTO log's name that makes it unique.
const UNIQUE_LETTERS: usize = 8;

/// Names tried before creating an AUTO log fails.
const AUTO_TRIES: u32 = 100;

/// Creates the AUTO logs of a process, for standard output and standard error, and returns their paths. The warning
/// is about those that cannot be created; only the last output of such a stream is kept, in memory.
pub fn make_auto_logs(
    daemon: &DaemonSettings,
    spec: &ProcessSpec,
) -> ([Option<PathBuf>; 2], Option<Warning>) {
    let mut failed: Option<(String, io::Error)> = None;
    let made = [(&spec.stdout, "stdout"), (&spec.stderr, "stderr")].map(|(stream, channel)| {
        if stream.target != LogTarget::Auto {
            return None;
        }
        let made = make_auto_log(daemon, &spec.name, channel);
        made.map_err(|error| {
            let before = failed.take().map_or_else(String::new, |(options, _)| options + " and ");
            failed = Some((format!("{before}{channel}_logfile"), error));
        })
        .ok()
    });
    // One line for both: usually neither can be created.
    (made, failed.map(|(options, error)| cannot_make(daemon, spec, &options, &error)))
}

fn cannot_make(daemon: &DaemonSettings, spec: &ProcessSpec, options: &str, error: &io::Error) -> Warning {
    let (name, folder) = (quote(&spec.name), daemon.child_log_dir.display());
    let kept = match spec.log_form.ring_bytes {
        0 => "its output is not logged",
        _ => "its last output is kept in memory",
    };
    let text = format!(
        "cannot make AUTO logs of {name} in '{folder}': {error}; {kept} (set {options}, or childlogdir in \
         [supervisord])"
    );
    Warning { text }
}

/// `web-stdout---supervisor-x7k2m9q_.log`
fn make_auto_log(daemon: &DaemonSettings, process: &str, channel: &str) -> io::Result<PathBuf> {
    let mut seed =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    seed ^= u64::from(own_pid().unsigned_abs()) << 32;
    for _ in 0..AUTO_TRIES {
        let name = format!("{process}-{channel}---{}-{}.log", daemon.identifier, unique(&mut seed));
        let path = daemon.child_log_dir.join(name);
        match files::create_new(&path, AUTO_MODE) {
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Only the supervisor reads and writes them.
const AUTO_MODE: u32 = 0o600;

/// Unique, not secret: the file is created with O_EXCL. Each name is one step of splitmix64.
fn unique(seed: &mut u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits ^= bits >> 27;
    (0..UNIQUE_LETTERS)
        .map(|_| {
            let letter = LETTERS[(bits % 32) as usize];
            bits /= 32;
            char::from(letter)
        })
        .collect()
}

/// Removes the AUTO logs that an earlier run with this identifier has left. Returns what went wrong, in Supervisor's
/// words.
#[must_use]
pub fn clean_auto_logs(daemon: &DaemonSettings) -> Vec<String> {
    if daemon.keep_auto_logs {
        return Vec::new();
    }
    let Ok(entries) = fs::read_dir(&daemon.child_log_dir) else {
        return vec!["Could not clear childlog dir".to_owned()];
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut old: Vec<_> = names.filter(|name| is_auto_log(name, &daemon.identifier)).collect();
    old.sort_unstable();
    old.iter()
        .map(|name| daemon.child_log_dir.join(name))
        .filter(|path| fs::remove_file(path).is_err())
        .map(|path| format!("Failed to clean up {}", quote(&path.display().to_string())))
        .collect()
}

/// Exactly our own pattern, and the `.N` of its backups.
///
/// COMPAT: Supervisor uses the identifier as a regular expression and does not check what follows it.
fn is_auto_log(name: &str, identifier: &str) -> bool {
    let Some((process_and_channel, rest)) = name.split_once(&format!("---{identifier}-")) else {
        return false;
    };
    let of_a_stream = ["-stdout", "-stderr"].iter().any(|end| process_and_channel.ends_with(end));
    let Some((unique, backup)) = rest.split_once(".log") else { return false };
    let is_unique = unique.len() == UNIQUE_LETTERS
        && unique.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_backup = backup.is_empty()
        || backup
            .strip_prefix('.')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()));
    of_a_stream && is_unique && is_backup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_auto_logs_of_this_identifier_are_removed() {
        for (name, removed) in [
            ("web-stdout---supervisor-abc12_z9.log", true),
            ("web-stderr---supervisor-abcdefgh.log.3", true),
            ("a---b-stdout---supervisor-abcdefgh.log", true),
            ("web-stdout---other-abcdefgh.log", false),
            ("web-stdout---supervisor-abcdefgh.log.bak", false),
            ("web-stdout---supervisor-abcdefgh.log.", false),
            ("web-stdout---supervisor-abc.log", false),
            ("web---supervisor-abcdefgh.log", false),
            ("precious.log", false),
        ] {
            assert_eq!(is_auto_log(name, "supervisor"), removed, "{name}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut seed = 7;
        let names: std::collections::BTreeSet<_> = (0..1000).map(|_| unique(&mut seed)).collect();
        assert!(names.len() > 990);
        assert!(names.iter().all(|name| is_auto_log(&format!("x-stdout---s-{name}.log"), "s")));
    }
}
