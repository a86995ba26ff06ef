//! `[supervisord]`: the supervisor itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{ControlSocket, DaemonSettings, Environment, LogLevel, Rules};

use super::document::Section;
use super::env_file::env_files;
use super::expand::{NameValue, Names};
use super::ini::{is_space, trim};
use super::log_form::log_defaults;
use super::options::SectionKind;
use super::pairs::overlaid;
use super::reader::{Override, SectionReader};
use super::reading::Reading;
use super::values;
use crate::python::quote;

/// Reads the section, with the command line overriding it. Its options can use the environment and `here`.
pub(super) fn daemon<'a>(
    reading: &mut Reading<'a>,
    section: &'a Section,
    names: &Names<'_>,
    overrides: &[Override],
) -> DaemonSettings {
    let environment = environment(reading, section, names);
    let mut options =
        SectionReader::new(reading, section, SectionKind::Supervisord, names).overridden(overrides);
    let machine = options.machine();
    let directory = |text: &str| values::existing_directory(text, machine);
    let (strict, user) = (options.boolean("strict"), options.user("user"));
    options.reading.makes_folders = !strict;
    options.reading.own_user.clone_from(&user);
    DaemonSettings {
        log_to_syslog: options.text("logfile").is_some_and(|text| text == SYSLOG),
        log_file: log_file(&mut options),
        log_bytes_max: options.size("logfile_maxbytes"),
        log_backups: options.integer("logfile_backups"),
        log_level: options.value("loglevel", values::log_level).unwrap_or(LogLevel::Info),
        pid_file: path(&mut options, "pidfile"),
        pid_file_asked_for: options.is_set("pidfile"),
        umask: options.value("umask", values::octal),
        foreground: options.boolean("nodaemon"),
        silent: options.boolean("silent"),
        fds_min: at_least_zero(options.integer("minfds")),
        processes_min: at_least_zero(options.integer("minprocs")),
        fds_asked_for: options.is_set("minfds"),
        processes_asked_for: options.is_set("minprocs"),
        keep_auto_logs: options.boolean("nocleanup"),
        child_log_dir: child_log_dir(&mut options),
        user,
        directory: options.value("directory", directory),
        strip_ansi: options.boolean("strip_ansi"),
        log_defaults: log_defaults(&mut options),
        control_socket: control_socket(&mut options),
        client_timeout: client_timeout(&mut options),
        identifier: options.value("identifier", identifier).unwrap_or_default(),
        strict,
        rules: rules(&mut options),
        environment,
    }
}

/// The `signal_*` options are read later, when the groups are known.
fn rules(options: &mut SectionReader<'_, '_>) -> Rules {
    Rules {
        on_idle: options.value("on_idle", values::on_idle).unwrap_or_default(),
        shutdown_timeout_secs: options.value("shutdown_timeout", |text| match values::integer(text)? {
            secs @ ..1 => Err(format!("not a number of seconds above 0: '{secs}'")),
            secs => Ok(secs.unsigned_abs()),
        }),
        signals: BTreeMap::new(),
    }
}

/// `environment=` overrides `env_file=`; both can use `host_node_name` in addition to the names of the other
/// options.
pub(crate) fn environment<'a>(
    reading: &mut Reading<'a>,
    section: &'a Section,
    names: &Names<'_>,
) -> Environment {
    let names = Names::over(names).with("host_node_name", NameValue::Text(reading.host_node_name));
    let mut options = SectionReader::new(reading, section, SectionKind::Supervisord, &names);
    let from_files = env_files(&mut options);
    overlaid(from_files, options.pairs("environment"))
}

/// The shortest `client_timeout`.
const CLIENT_TIMEOUT_MIN: Duration = Duration::from_secs(1);

/// The value of `logfile` that means syslog.
const SYSLOG: &str = "syslog";

/// The file of the activity log. `NONE` and `AUTO` are file names here, as they are for Supervisor.
fn log_file(options: &mut SectionReader<'_, '_>) -> Option<PathBuf> {
    options.text("logfile").filter(|text| text != SYSLOG)?;
    Some(path(options, "logfile"))
}

fn child_log_dir(options: &mut SectionReader<'_, '_>) -> PathBuf {
    let machine = options.machine();
    let text = options.text("childlogdir").filter(|text| !text.is_empty());
    let has_folder =
        text.is_some_and(|text| options.reading.has_folder(&values::normal_path(&text, machine)));
    let directory = |text: &str| {
        let existing = values::existing_directory(text, machine);
        existing.or_else(|why| if has_folder { Ok(values::normal_path(text, machine)) } else { Err(why) })
    };
    options.value("childlogdir", directory).unwrap_or_else(|| machine.temp_dir())
}

fn path(options: &mut SectionReader<'_, '_>, option: &str) -> PathBuf {
    let machine = options.machine();
    let folder = options.text(option).and_then(|text| values::parent_of(&text, machine));
    let has_folder = folder.is_none_or(|folder| options.reading.has_folder(&folder));
    let convert = |text: &str| {
        values::in_existing(text, machine, |_| has_folder).map(|_| values::normal_path(text, machine))
    };
    options.value(option, convert).unwrap_or_default()
}

fn at_least_zero(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// `auto`, `none` or a path.
pub(super) fn control_socket(options: &mut SectionReader<'_, '_>) -> ControlSocket {
    let machine = options.machine();
    let convert = |text: &str| {
        Ok(match trim(text) {
            "auto" => ControlSocket::Auto,
            "none" => ControlSocket::Off,
            path => ControlSocket::At(values::normal_path(path, machine)),
        })
    };
    options.value("control_socket", convert).unwrap_or_default()
}

fn client_timeout(options: &mut SectionReader<'_, '_>) -> Duration {
    options.value("client_timeout", |text| values::seconds(text, CLIENT_TIMEOUT_MIN)).unwrap_or_default()
}

/// COMPAT: Supervisor accepts spaces too, and then sends event headers that no listener can parse.
fn identifier(text: &str) -> Result<String, String> {
    if text.contains(is_space) {
        return Err(format!("an identifier can not hold spaces: {}", quote(text)));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::fake::{Fake, MAIN, errors_in, load_text, notices_in};
    use super::super::load;
    use super::*;
    use crate::model::{LogDefaults, LogFormat, OnIdle};

    #[test]
    fn everything_has_a_default() {
        let expected = DaemonSettings {
            log_file: Some("/srv/supervisord.log".into()),
            log_to_syslog: false,
            log_bytes_max: 50 << 20,
            log_backups: 10,
            log_level: LogLevel::Info,
            pid_file: "/srv/supervisord.pid".into(),
            pid_file_asked_for: false,
            umask: None,
            foreground: false,
            silent: false,
            fds_min: 1024,
            processes_min: 200,
            fds_asked_for: false,
            processes_asked_for: false,
            keep_auto_logs: false,
            child_log_dir: "/tmp".into(),
            user: None,
            directory: None,
            strip_ansi: false,
            log_defaults: LogDefaults::default(),
            strict: false,
            control_socket: ControlSocket::Auto,
            client_timeout: Duration::from_secs(60),
            identifier: "supervisor".to_owned(),
            rules: Rules::default(),
            environment: Environment::new(),
        };
        assert_eq!(load_text("[supervisord]").unwrap().daemon, expected);
    }

    #[test]
    fn everything_can_be_set() {
        let text = "[supervisord]\nlogfile=~/x.log\nlogfile_maxbytes=0\nlogfile_backups=0\nloglevel=BLATHER\n\
            pidfile=/tmp/x.pid\numask=002\nnodaemon=true\nsilent=on\nminfds=-5\nminprocs=7\nnocleanup=1\n\
            childlogdir=/var/log\nuser=33\ndirectory=~\nstrip_ansi=yes\nlog_format=JSON\n\
            log_timestamp=no\nlog_ring_bytes=1MB\nstrict=on\ncontrol_socket=%(here)s/c.sock\nclient_timeout=2.5\non_idle=exit\nshutdown_timeout=25\nidentifier=me%(here)s\n\
            environment=HOST=\"%(host_node_name)s\"";
        let daemon = load_text(text).unwrap().daemon;
        let user = daemon.user.clone();
        let expected = DaemonSettings {
            log_file: Some("/home/www/x.log".into()),
            log_to_syslog: false,
            log_bytes_max: 0,
            log_backups: 0,
            log_level: LogLevel::Blather,
            pid_file: "/tmp/x.pid".into(),
            pid_file_asked_for: true,
            umask: Some(0o2),
            foreground: true,
            silent: true,
            fds_min: 0,
            processes_min: 7,
            fds_asked_for: true,
            processes_asked_for: true,
            keep_auto_logs: true,
            child_log_dir: "/var/log".into(),
            user,
            directory: Some("/home/www".into()),
            strip_ansi: true,
            log_defaults: LogDefaults {
                format: LogFormat::Json,
                timestamp: Some(false),
                ring_bytes: 1 << 20,
            },
            strict: true,
            control_socket: ControlSocket::At("/etc/c.sock".into()),
            client_timeout: Duration::from_millis(2500),
            identifier: "me/etc".to_owned(),
            rules: Rules { on_idle: OnIdle::Exit, shutdown_timeout_secs: Some(25), signals: BTreeMap::new() },
            environment: vec![("HOST".to_owned(), "node1".to_owned())],
        };
        assert_eq!(daemon, expected);
        assert_eq!(daemon.user.as_ref().map(|user| user.name.as_str()), Some("www"));
    }

    #[test]
    fn bad_values_are_reported() {
        for (line, message) in [
            ("logfile=/nodir/x", "The directory named as part of the path /nodir/x does not exist"),
            ("logfile_maxbytes=x", "not a valid size: 'x'"),
            ("loglevel=warning", "bad logging level name 'warning' (did you mean 'warn'?)"),
            ("pidfile=sub/x", "The directory named as part of the path sub/x does not exist"),
            ("umask=9", "9 can not be converted to an octal type"),
            ("directory=/nodir", "/nodir is not an existing directory"),
            ("childlogdir=/nodir", "/nodir is not an existing directory"),
            ("user=nope", "Invalid user name nope"),
            ("minfds=x", "not a valid integer: 'x'"),
            ("on_idle=exist", "'exist' is neither wait nor exit (did you mean 'exit'?)"),
            ("shutdown_timeout=0", "not a number of seconds above 0: '0'"),
            ("client_timeout=0.5", "0.5 is below lower bound (1)"),
            ("nodaemon=", "not a valid boolean value: ''"),
            ("log_format=xml", "bad log format 'xml': it is raw, prefix or json"),
            ("log_ring_bytes=17MB", "17825792 is above upper bound (16777216)"),
            ("log_ring_bytes=-1", "-1 is below lower bound (0)"),
            ("identifier=a b", "an identifier can not hold spaces: 'a b'"),
            ("environment=A", "Unexpected end of key/value pairs in value 'A'"),
            (
                "identifier=%(host_node_name)s",
                "Format string '%(host_node_name)s' for 'supervisord.identifier' contains names \
                 ('host_node_name') which cannot be expanded. Available names: here and 0 ENV_ names",
            ),
        ] {
            let option = line.split('=').next().unwrap();
            let place = format!("in section 'supervisord' (file: '/etc/x.conf', line: 2, option: {option})");
            assert_eq!(errors_in(&format!("[supervisord]\n{line}")), [format!("{message} {place}")]);
        }
    }

    #[test]
    fn the_environment_is_visible_to_the_other_sections() {
        let alone = errors_in("[supervisord]\nenvironment=A=\"1\",B=\"%(ENV_A)s\"");
        assert!(alone[0].contains("for 'environment' contains names ('ENV_A')"), "{alone:?}");
        let beside = errors_in("[supervisord]\nenvironment=A=\"1\"\nidentifier=%(ENV_A)s");
        assert!(beside[0].contains("for 'supervisord.identifier' contains names ('ENV_A')"), "{beside:?}");
        let here = load_text("[supervisord]\nenvironment=A=\"%(here)s\"").unwrap().daemon.environment;
        assert_eq!(here, [("A".to_owned(), "/etc".to_owned())]);
    }

    #[test]
    fn its_environment_is_written_for_two_expansions_or_for_one() {
        for (value, expected) in [
            ("50%%", "50%"),
            ("50%%%%", "50%"),
            ("%(host_node_name)s", "node1"),
            ("%%(host_node_name)s", "node1"),
            ("%%%%(host_node_name)s", "%(host_node_name)s"),
        ] {
            let text = format!("[supervisord]\nenvironment=A=\"{value}\"");
            let environment = load_text(&text).unwrap().daemon.environment;
            assert_eq!(environment, [("A".to_owned(), expected.to_owned())], "{value}");
        }
    }

    #[test]
    fn no_variable_sets_an_option() {
        let mut machine = Fake::main("[supervisord]");
        for option in SectionKind::Supervisord.options().iter() {
            for prefix in ["", "SUPERVISOR_", "SUPERVISORD_"] {
                machine = machine.variable(&format!("{prefix}{}", option.name.to_uppercase()), "1");
            }
        }
        let daemon = load(Path::new(MAIN), &[], &machine).unwrap().daemon;
        assert_eq!(daemon, load_text("[supervisord]").unwrap().daemon);
    }

    #[test]
    fn profiling_is_taken_and_ignored() {
        assert_eq!(notices_in("[supervisord]\nprofile_options=cumulative,calls"), Vec::<String>::new());
    }

    #[test]
    fn the_command_line_wins() {
        let machine = Fake::main("[supervisord]\nloglevel=debug\nuser=nope\numask=077\nidentifier=file");
        let overrides = |user: &str, umask: &str| {
            [
                ("loglevel", "warn", "-e"),
                ("user", user, "-u"),
                ("umask", umask, "--umask"),
                ("nodaemon", "true", "-n"),
            ]
            .map(|(option, value, spelled)| Override {
                option,
                value: value.to_owned(),
                spelled: spelled.to_owned(),
            })
        };
        let daemon = load(Path::new(MAIN), &overrides("www", "27"), &machine).unwrap().daemon;
        assert_eq!((daemon.log_level, daemon.umask, daemon.foreground), (LogLevel::Warn, Some(0o27), true));
        assert_eq!((daemon.user.map(|user| user.uid), daemon.identifier.as_str()), (Some(33), "file"));
        let errors = load(Path::new(MAIN), &overrides("99", "99"), &machine).unwrap_err();
        let expected = "invalid value for -u '99': Invalid user id 99\n\
             invalid value for --umask '99': 99 can not be converted to an octal type";
        assert_eq!(errors.to_string(), expected);
    }

    #[test]
    fn log_file_keywords_are_names_except_syslog() {
        let log_file =
            |value: &str| load_text(&format!("[supervisord]\nlogfile={value}")).unwrap().daemon.log_file;
        for (value, expected) in [
            ("NONE", Some("/srv/NONE")),
            ("AUTO", Some("/srv/AUTO")),
            ("Syslog", Some("/srv/Syslog")),
            ("syslog", None),
        ] {
            assert_eq!(log_file(value), expected.map(PathBuf::from), "{value}");
        }
        assert_eq!(notices_in("[supervisord]\nlogfile=syslog"), Vec::<String>::new());
    }
}
