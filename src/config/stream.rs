//! `stdout_*` and `stderr_*`: the destination of a program's output.

use std::path::PathBuf;

use crate::model::{LogTarget, StreamSpec};

use super::reader::SectionReader;

/// The options of one stream.
pub(super) struct StreamOptions {
    log_file: &'static str,
    syslog: &'static str,
}

/// `stdout_*`
pub(super) const STDOUT: StreamOptions =
    StreamOptions { log_file: "stdout_logfile", syslog: "stdout_syslog" };

/// `stderr_*`
pub(super) const STDERR: StreamOptions =
    StreamOptions { log_file: "stderr_logfile", syslog: "stderr_syslog" };

/// `*_logfile`
enum LogFileOption {
    None,
    Auto,
    Syslog,
    Path(PathBuf),
}

/// Sets what depends on more than one option. The other fields of the stream are set already.
pub(super) fn stream(options: &mut SectionReader<'_, '_>, keys: &StreamOptions, spec: &mut StreamSpec) {
    let log_file = log_file(options, keys.log_file).unwrap_or(LogFileOption::None);
    spec.syslog = options.boolean(keys.syslog) || matches!(log_file, LogFileOption::Syslog);
    warn(options, keys, spec, &log_file);
    spec.target = log_file.target();
}

fn log_file(options: &mut SectionReader<'_, '_>, option: &str) -> Option<LogFileOption> {
    let text = options.text(option)?;
    let found = match LogFileOption::word(&text) {
        Some(log_file) => Ok(log_file),
        None => options.reading.in_log_folder(&text).map(LogFileOption::Path),
    };
    options.checked(option, found)
}

impl LogFileOption {
    /// The keywords, in any case.
    fn word(text: &str) -> Option<Self> {
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        if is("") || is("none") || is("off") {
            Some(Self::None)
        } else if is("auto") {
            Some(Self::Auto)
        } else {
            is("syslog").then_some(Self::Syslog)
        }
    }

    fn target(self) -> LogTarget {
        match self {
            Self::None | Self::Syslog => LogTarget::None,
            Self::Auto => LogTarget::Auto,
            Self::Path(path) => LogTarget::File(path.into()),
        }
    }
}

fn warn(
    options: &mut SectionReader<'_, '_>,
    keys: &StreamOptions,
    spec: &StreamSpec,
    log_file: &LogFileOption,
) {
    let StreamOptions { log_file: log_file_key, syslog, .. } = keys;
    let section = &options.section.name;
    if matches!(log_file, LogFileOption::Syslog) {
        let text = format!(
            "For [{section}], {log_file_key}=syslog but this is deprecated and will be removed.  \
             Use {syslog}=true to enable syslog instead."
        );
        options.warn(log_file_key, text);
    }
    if matches!(log_file, LogFileOption::Auto) && spec.bytes_max == 0 {
        let text = format!(
            "For [{section}], AUTO logging used for {log_file_key} without rollover, set maxbytes > 0 to \
             avoid filling up filesystem unintentionally"
        );
        options.warn(log_file_key, text);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::fake::{errors_in, load_text, notices_in};
    use super::*;

    fn streams(lines: &str) -> (StreamSpec, StreamSpec) {
        let text = format!("[supervisord]\n[program:x]\ncommand=a\n{lines}");
        let process = load_text(&text).unwrap().groups.remove(0).processes.remove(0);
        (process.stdout.clone(), process.stderr.clone())
    }

    #[test]
    fn targets() {
        let file = |path: &str| LogTarget::File(Path::new(path).into());
        for (value, expected) in [
            ("auto", LogTarget::Auto),
            ("NONE", LogTarget::None),
            ("Off", LogTarget::None),
            ("", LogTarget::None),
            ("SysLog", LogTarget::None),
            ("/tmp/%(program_name)s.log", file("/tmp/x.log")),
            ("~/x", file("/home/www/x")),
            ("x.log", file("x.log")),
            ("/tmp/50%%", file("/tmp/50%")),
            ("/tmp/50%%%%", file("/tmp/50%")),
            ("/tmp/50%%%%%(program_name)s", file("/tmp/50%x")),
            ("/tmp/%%(program_name)s", file("/tmp/x")),
            ("/tmp/%%%%(program_name)s", file("/tmp/%(program_name)s")),
        ] {
            assert_eq!(streams(&format!("stdout_logfile={value}")).0.target, expected, "{value}");
            assert_eq!(streams(&format!("stderr_logfile={value}")).1.target, expected, "{value}");
        }
    }

    #[test]
    fn both_streams_have_all_options() {
        let auto = StreamSpec {
            target: LogTarget::Auto,
            bytes_max: 50 << 20,
            backups: 10,
            capture_bytes_max: 0,
            events_enabled: false,
            syslog: false,
        };
        assert_eq!(streams(""), (auto.clone(), auto.clone()));
        let set = StreamSpec {
            target: LogTarget::None,
            bytes_max: 1024,
            backups: 3,
            capture_bytes_max: 5,
            events_enabled: true,
            syslog: true,
        };
        let lines = "K_logfile=off\nK_logfile_maxbytes=1KB\nK_logfile_backups=3\nK_capture_maxbytes=5\n\
            K_events_enabled=true\nK_syslog=true";
        assert_eq!(streams(&lines.replace("K_", "stdout_")), (set.clone(), auto.clone()));
        assert_eq!(streams(&lines.replace("K_", "stderr_")), (auto, set));
    }

    #[test]
    fn discouraged_settings_are_reported_once() {
        let program = "[supervisord]\n[program:x]\ncommand=a\nnumprocs=3\nprocess_name=%(process_num)d\n";
        assert_eq!(
            notices_in(&format!("{program}stdout_logfile=syslog")),
            ["For [program:x], stdout_logfile=syslog but this is deprecated and will be removed.  Use \
             stdout_syslog=true to enable syslog instead.",]
        );
        let expected = "For [program:x], AUTO logging used for stdout_logfile without rollover, set maxbytes \
            > 0 to avoid filling up filesystem unintentionally";
        assert_eq!(notices_in(&format!("{program}stdout_logfile_maxbytes=0")), [expected]);
    }

    #[test]
    fn directories_of_logs_must_exist() {
        assert_eq!(
            errors_in("[supervisord]\n[program:x]\ncommand=a\nstdout_logfile=/nodir/x"),
            ["The directory named as part of the path /nodir/x does not exist in section 'program:x' \
             (file: '/etc/x.conf', line: 4, option: stdout_logfile)",]
        );
    }
}
