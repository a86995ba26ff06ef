//! The options of programs, one row each.

use super::DefaultValue::{Is, Required, Unset};
use super::OnUpdate::{InPlace, Restart};
use super::Per::{Process, Program};
use super::TakesEffect::{Processes, Update};
use super::fields::{beside, row};
use super::lifecycle::LIFECYCLE;
use super::limits::LIMITS;
use super::text::OwnField;
use super::{Field, FieldBinding, Lands, OnUpdate, OptionDoc, OptionList, ValueType};
use crate::model::{HIDDEN, OnEnd, OptionDifference, ProcessSpec};

/// All options of a program, in the order of the sample.
pub const PROGRAM: OptionList = OptionList::with_those_of_programs(&[]);

pub(super) const PARTS: &[&[OptionDoc]] = &[BASIC, LIFECYCLE, LIMITS];

const ON_END: &[&str] = &["ignore", "shutdown"];

/// Supervisor's options, and those that `sv` adds to them.
const BASIC: &[OptionDoc] = &[
    row(
        "command",
        own!(Command, command),
        Required("/bin/cat"),
        (Process, Restart),
        "/bin/false",
        "program and arguments; PATH is searched, no shell is used",
    ),
    row(
        "process_name",
        own!(Text, name),
        Is("%(program_name)s"),
        (Process, Restart),
        "other",
        "name; needs %(process_num) if numprocs is above 1",
    ),
    beside("numprocs", ValueType::Integer, Is("1"), Processes, "processes to run"),
    beside("numprocs_start", ValueType::Integer, Is("0"), Processes, "process_num of the first"),
    row(
        "directory",
        own!(Path, directory),
        Unset("/tmp"),
        (Process, Restart),
        "/srv",
        "working directory; default: ours",
    ),
    row(
        "umask",
        Lands::Octal(field!(umask)),
        Unset("022"),
        (Program, Restart),
        "077",
        "file mode mask; default: ours",
    ),
    row(
        "priority",
        Lands::Integer(field!(priority)),
        Is("999"),
        (Program, InPlace),
        "1",
        "lower ones start first and stop last",
    ),
    row(
        "autostart",
        Lands::Boolean(field!(autostart)),
        Is("true"),
        (Program, InPlace),
        "false",
        "start with the supervisor",
    ),
    row(
        "startsecs",
        Lands::Integer(field!(start_secs)),
        Is("1"),
        (Program, InPlace),
        "9",
        "seconds it must stay up to count as running",
    ),
    row(
        "startretries",
        Lands::Retries(field!(start_retries)),
        Is("3"),
        (Program, InPlace),
        "forever",
        "failed starts after the first before giving up, or forever",
    ),
    row(
        "autorestart",
        Lands::AutoRestart(field!(autorestart)),
        Is("unexpected"),
        (Program, InPlace),
        "false",
        "restart after an exit: true, false or unexpected",
    ),
    row(
        "exitcodes",
        Lands::ExitCodes(field!(exit_codes)),
        Is("0"),
        (Program, InPlace),
        "0,2",
        "exit codes that are expected",
    ),
    row(
        "stopsignal",
        Lands::Signal(field!(stop_signal)),
        Is("TERM"),
        (Program, InPlace),
        "INT",
        "signal that requests its stop",
    ),
    row(
        "stopwaitsecs",
        Lands::Integer(field!(stop_wait_secs)),
        Is("10"),
        (Program, InPlace),
        "9",
        "seconds until it is killed",
    ),
    row(
        "stopasgroup",
        Lands::Boolean(field!(stop_as_group)),
        Is("false"),
        (Program, InPlace),
        "true",
        "send the stop signal to its whole process group",
    ),
    row(
        "killasgroup",
        own!(Boolean, kill_as_group),
        Unset("false"),
        (Program, InPlace),
        "true",
        "send SIGKILL to the whole group; default: as stopasgroup",
    ),
    row(
        "kill_tree",
        Lands::Boolean(field!(kill_tree)),
        Is("false"),
        (Program, InPlace),
        "true",
        "when it has ended, end everything it has started, in any session",
    )
    .since("0.1.0"),
    row(
        "on_exit",
        Lands::Word(ON_END, word!(on_exit: OnEnd::Ignore, OnEnd::Shutdown)),
        Is("ignore"),
        (Program, InPlace),
        "shutdown",
        "shutdown: shut down when it exits, with its status",
    )
    .since("0.1.0"),
    row(
        "on_fatal",
        Lands::Word(ON_END, word!(on_fatal: OnEnd::Ignore, OnEnd::Shutdown)),
        Is("ignore"),
        (Program, InPlace),
        "shutdown",
        "shutdown: shut down when it is FATAL",
    )
    .since("0.1.0"),
    row(
        "user",
        Lands::User(field!(user)),
        Unset("root"),
        (Program, Restart),
        "www",
        "user to run as, or user:group; default: ours",
    ),
    beside(
        "set_user_environment",
        ValueType::Boolean,
        Is("false"),
        Update(Restart),
        "set HOME, USER and LOGNAME of its user",
    )
    .since("0.1.0"),
    row(
        "redirect_stderr",
        Lands::Boolean(field!(redirect_stderr)),
        Is("false"),
        (Program, Restart),
        "true",
        "write stderr to the log of stdout",
    ),
    row(
        "stdout_logfile",
        own!(LogFile, stdout.target),
        Is("AUTO"),
        (Process, Restart),
        "NONE",
        "path, AUTO (a generated name) or NONE",
    ),
    row(
        "stdout_logfile_maxbytes",
        Lands::Size(field!(stdout.bytes_max)),
        Is("50MB"),
        (Process, InPlace),
        "9",
        "size at which it is rotated; 0: never",
    ),
    row(
        "stdout_logfile_backups",
        Lands::Integer(field!(stdout.backups)),
        Is("10"),
        (Process, InPlace),
        "9",
        "rotated files to keep; 0: none",
    ),
    row(
        "stdout_capture_maxbytes",
        Lands::Size(field!(stdout.capture_bytes_max)),
        Is("0"),
        (Program, Restart),
        "9",
        "bytes to keep in capture mode; 0: off",
    ),
    row(
        "stdout_events_enabled",
        Lands::Boolean(field!(stdout.events_enabled)),
        Is("false"),
        (Program, Restart),
        "true",
        "send its output to listeners as events",
    ),
    row(
        "stdout_syslog",
        own!(Boolean, stdout.syslog),
        Is("false"),
        (Process, Restart),
        "true",
        "send its output to syslog",
    ),
    row(
        "stderr_logfile",
        own!(LogFile, stderr.target),
        Is("AUTO"),
        (Process, Restart),
        "NONE",
        "path, AUTO (a generated name) or NONE",
    ),
    row(
        "stderr_logfile_maxbytes",
        Lands::Size(field!(stderr.bytes_max)),
        Is("50MB"),
        (Process, InPlace),
        "9",
        "size at which it is rotated; 0: never",
    ),
    row(
        "stderr_logfile_backups",
        Lands::Integer(field!(stderr.backups)),
        Is("10"),
        (Process, InPlace),
        "9",
        "rotated files to keep; 0: none",
    ),
    row(
        "stderr_capture_maxbytes",
        Lands::Size(field!(stderr.capture_bytes_max)),
        Is("0"),
        (Program, Restart),
        "9",
        "bytes to keep in capture mode; 0: off",
    ),
    row(
        "stderr_events_enabled",
        Lands::Boolean(field!(stderr.events_enabled)),
        Is("false"),
        (Program, Restart),
        "true",
        "send its output to listeners as events",
    ),
    row(
        "stderr_syslog",
        own!(Boolean, stderr.syslog),
        Is("false"),
        (Process, Restart),
        "true",
        "send its output to syslog",
    ),
    row(
        "log_format",
        own!(LogFormat, log_form.format),
        Unset("raw"),
        (Program, InPlace),
        "prefix",
        "raw, prefix or json; default: that of [supervisord]",
    )
    .since("0.1.0"),
    row(
        "log_timestamp",
        own!(Boolean, log_form.timestamp),
        Unset("true"),
        (Program, InPlace),
        "true",
        "default: that of [supervisord]",
    )
    .since("0.1.0"),
    row(
        "log_ring_bytes",
        own!(Size, log_form.ring_bytes),
        Unset("64KB"),
        (Program, InPlace),
        "9",
        "default: that of [supervisord]",
    )
    .since("0.1.0"),
    row(
        "environment",
        own!(Pairs, environment),
        Is(""),
        (Process, Restart),
        "A=\"1\"",
        "variables for the program: A=\"1\",B=\"2\"",
    ),
    beside(
        "env_file",
        ValueType::Files,
        Unset("-/run/web.env"),
        Update(Restart),
        "files of variables for the program; -: optional",
    )
    .since("0.1.0"),
    row(
        "serverurl",
        own!(Url, server_url),
        Is("AUTO"),
        (Program, Restart),
        "unix:///run/sv.sock",
        "value of SUPERVISOR_SERVER_URL",
    ),
    beside("enabled", ValueType::Boolean, Is("true"), Processes, "false: ignore the section").since("0.1.0"),
];

/// Compares one field.
type IsSame = fn(&ProcessSpec, &ProcessSpec) -> bool;

/// Fields that no option of a program sets: a change of them replaces the process.
const OTHERS: [(&str, IsSame); 4] = [
    ("group", |old, new| old.group == new.group),
    ("stdio", |old, new| old.inherits_stdio == new.inherits_stdio),
    ("result_handler", |old, new| old.stand_in == new.stand_in),
    ("socket", |old, new| old.socket == new.socket),
];

/// The options whose values differ between two specifications of one process, and what `update` does about
/// each.
pub fn differences(old: &ProcessSpec, new: &ProcessSpec) -> impl Iterator<Item = (&'static str, OnUpdate)> {
    let options = differing(old, new).map(|(name, binding)| (name, binding.update));
    options.chain(differing_others(old, new))
}

/// The same with the old and the new values. Those that come from files of secrets are left out.
pub fn differing_values(old: &ProcessSpec, new: &ProcessSpec) -> Vec<OptionDifference> {
    let options = differing(old, new).map(|(name, binding)| {
        let (mut old_text, mut new_text) = binding.field_ref.texts(old, new);
        for (spec, text) in [(old, &mut old_text), (new, &mut new_text)] {
            if spec.lifecycle.secret_options.has(name) {
                *text = text.take().map(|_| HIDDEN.to_owned());
            }
        }
        OptionDifference { name: name.to_owned(), update: binding.update, old: old_text, new: new_text }
    });
    let others = differing_others(old, new).map(|(name, update)| OptionDifference {
        name: name.to_owned(),
        update,
        old: None,
        new: None,
    });
    options.chain(others).collect()
}

fn differing(old: &ProcessSpec, new: &ProcessSpec) -> impl Iterator<Item = (&'static str, FieldBinding)> {
    let bindings = PROGRAM.iter().filter_map(|option| Some((option.name, option.binding?)));
    bindings.filter(|(_, binding)| !binding.field_ref.is_same(old, new))
}

fn differing_others(old: &ProcessSpec, new: &ProcessSpec) -> impl Iterator<Item = (&'static str, OnUpdate)> {
    OTHERS.iter().filter(|(_, is_same)| !is_same(old, new)).map(|(name, _)| (*name, OnUpdate::Restart))
}
