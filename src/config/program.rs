//! `[program:x]` and similar sections: one section makes one or more processes.

use std::ops::Range;
use std::sync::Arc;

use crate::model::{AutoRestart, Environment, LimitOption, LogTarget, Name, ProcessSpec, ProgramType, User};

use super::binding::{bind_process, bind_program};
use super::dependent_startup;
use super::env_file::env_files;
use super::expand::{NameValue, Names};
use super::fastcgi;
use super::ini::trim;
use super::log_form::log_form;
use super::options::OptionDoc;
use super::pairs::overlaid;
use super::reader::SectionReader;
use super::reading::{ProgramSection, Reading};
use super::stream::{STDERR, STDOUT, stream};
use super::values;

/// The maximum number of processes of one section.
pub const PROCESSES_MAX: i64 = 10_000;

/// What the processes of a program have in common.
struct Prototype {
    spec: ProcessSpec,
    /// Options that are set and may differ from process to process.
    of_process: Vec<&'static OptionDoc>,
}

/// Reads the processes of a program, ordered by number.
///
/// `environment` is what every child gets; `names` already contains it.
pub(super) fn processes<'a>(
    reading: &mut Reading<'a>,
    program: &ProgramSection<'a>,
    group: &Name,
    names: &Names<'_>,
    environment: &Arc<Environment>,
) -> Vec<Arc<ProcessSpec>> {
    let socket = fastcgi::socket(reading, program, names);
    let names = Names::over(names)
        .with("program_name", NameValue::Text(program.name))
        .with("group_name", NameValue::Text(group))
        .with("host_node_name", NameValue::Text(reading.host_node_name));
    let mut options = SectionReader::new(reading, program.section, program.kind, &names);
    let (spec, of_process) = prototype(&mut options, group);
    let prototype =
        Prototype { spec: ProcessSpec { socket, program: group.or_other(program.name), ..spec }, of_process };
    let mut found = Vec::new();
    let numbers = numbers(&mut options);
    let numprocs = NameValue::Number(numbers.end - numbers.start);
    let errors_before = options.reading.error_count();
    for number in numbers {
        let numbered =
            Names::over(&names).with("process_num", NameValue::Number(number)).with("numprocs", numprocs);
        let process = process(&mut options.under(&numbered), &numbered, &prototype, environment);
        found.push(Arc::new(process));
        if options.reading.error_count() > errors_before {
            break; // The other processes would only repeat the errors.
        }
    }
    reading.made(program.section, group, found.len());
    found
}

/// The common part of all processes, whose options can't use `process_num`, and the options that are read for
/// each process.
fn prototype(options: &mut SectionReader<'_, '_>, group: &Name) -> (ProcessSpec, Vec<&'static OptionDoc>) {
    let defined_at = options.section_written_at();
    let mut spec = ProcessSpec { group: group.clone(), defined_at, ..ProcessSpec::default() };
    let of_process = bind_program(options, &mut spec);
    spec.kill_as_group = kill_as_group(options, spec.stop_as_group);
    spec.log_form = log_form(options);
    spec.server_url = server_url(options);
    (spec, of_process)
}

/// Reads the options of one process; `names` contains its number.
fn process(
    options: &mut SectionReader<'_, '_>,
    names: &Names<'_>,
    prototype: &Prototype,
    environment: &Arc<Environment>,
) -> ProcessSpec {
    let from_files = env_files(options);
    let of_user = user_environment(options, prototype.spec.user.clone());
    let own_environment = overlaid(overlaid(of_user, from_files), options.pairs("environment"));
    let names = Names::over(names).with_variables(&own_environment);
    let mut options = options.under(&names);
    let mut spec = prototype.spec.clone();
    spec.name = options
        .value("process_name", |text| values::name(text).map(|text| spec.program.or_other(text)))
        .unwrap_or_default();
    spec.directory = options.text("directory").map(|text| text.as_ref().into());
    spec.command = command(&mut options);
    bind_process(&mut options, &prototype.of_process, &mut spec);
    dependent_startup::apply(&mut options, &mut spec);
    refuse_ready_job(&mut options, &spec);
    refuse_limit_of_tree(&mut options, &spec);
    make_job_of_schedule(&mut spec);
    stream(&mut options, &STDOUT, &mut spec.stdout);
    stderr(&mut options, &mut spec);
    spec.environment = shared(environment, own_environment);
    spec
}

/// A oneshot completes, but never becomes ready.
fn refuse_ready_job(options: &mut SectionReader<'_, '_>, spec: &ProcessSpec) {
    if spec.program_type == ProgramType::Oneshot && spec.lifecycle.readiness.is_some() {
        let message =
            "a oneshot is up when it is done, so it can not have ready; ready_timeout limits its time";
        options.error("ready", message.to_owned());
    }
}

/// The limit is the mark of the tree.
fn refuse_limit_of_tree(options: &mut SectionReader<'_, '_>, spec: &ProcessSpec) {
    let limits = spec.limits.as_deref();
    if spec.kill_tree && limits.is_some_and(|it| it.resource(LimitOption::RlimitLocks).is_some()) {
        options.error("rlimit_locks", "Cannot set kill_tree=true and rlimit_locks".to_owned());
    }
}

/// A scheduled program does not start with the supervisor. Its run is started at once and is over when it exits: a
/// failed run is repeated by the schedule.
fn make_job_of_schedule(spec: &mut ProcessSpec) {
    if spec.lifecycle.schedule.is_some() {
        (spec.autostart, spec.start_secs, spec.autorestart) = (false, 0, AutoRestart::Never);
    }
}

/// A thousand programs without an environment of their own share one.
fn shared(environment: &Arc<Environment>, own: Environment) -> Arc<Environment> {
    if own.is_empty() {
        return Arc::clone(environment);
    }
    Arc::new(overlaid(Environment::clone(environment), own))
}

/// The variables that a login would set; the program's own environment overrides them.
fn user_environment(options: &mut SectionReader<'_, '_>, user: Option<Arc<User>>) -> Environment {
    if !options.boolean("set_user_environment") {
        return Environment::new();
    }
    let machine = options.machine();
    let who_starts_us = || machine.user_by_id(machine.effective_user()).map(Arc::new);
    let ours = || options.reading.own_user.clone().or_else(who_starts_us);
    let Some(user) = user.or_else(ours) else { return Environment::new() };
    let home = machine.home_dir(Some(&user.name)).map(|home| ("HOME", home.display().to_string()));
    let names = [("USER", user.name.clone()), ("LOGNAME", user.name.clone())];
    home.into_iter().chain(names).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn command(options: &mut SectionReader<'_, '_>) -> String {
    if !options.is_set("command") {
        let message = format!("program section {} does not specify a command", options.section.name);
        options.section_error(message);
    }
    options.text("command").unwrap_or_default().into_owned()
}

/// Standard error. It has no log of its own if it is redirected.
fn stderr(options: &mut SectionReader<'_, '_>, spec: &mut ProcessSpec) {
    stream(options, &STDERR, &mut spec.stderr);
    if !spec.redirect_stderr {
        return;
    }
    if matches!(spec.stderr.target, LogTarget::File(_)) {
        let section = &options.section.name;
        let text = format!(
            "For [{section}], redirect_stderr=true but stderr_logfile has also been set to a filename, \
             the filename has been ignored"
        );
        options.warn("stderr_logfile", text);
    }
    spec.stderr.target = LogTarget::None;
}

fn kill_as_group(options: &mut SectionReader<'_, '_>, stop_as_group: bool) -> bool {
    let kill_as_group = options.value("killasgroup", values::boolean).unwrap_or(stop_as_group);
    if stop_as_group && !kill_as_group {
        options.error("killasgroup", "Cannot set stopasgroup=true and killasgroup=false".to_owned());
    }
    kill_as_group
}

/// `None` means AUTO; an empty text stays empty.
fn server_url(options: &mut SectionReader<'_, '_>) -> Option<Box<str>> {
    let text = options.text("serverurl")?;
    if trim(&text).eq_ignore_ascii_case("auto") { None } else { Some(text.into()) }
}

/// The `process_num`s; empty if `numprocs` is zero or less, which Supervisor accepts too.
fn numbers(options: &mut SectionReader<'_, '_>) -> Range<i64> {
    let count = options.value("numprocs", |text| match values::integer(text)? {
        count @ ..=PROCESSES_MAX => Ok(count.max(0)),
        count => Err(format!("{count} is above upper bound ({PROCESSES_MAX})")),
    });
    let (count, start) = (count.unwrap_or(1), options.integer("numprocs_start"));
    if count > 1 && !options.raw("process_name").is_some_and(|name| name.contains("%(process_num)")) {
        let message = "%(process_num) must be present within process_name when numprocs > 1".to_owned();
        options.error(if options.is_set("process_name") { "process_name" } else { "numprocs" }, message);
        return start..start.saturating_add(1);
    }
    start..start.saturating_add(count)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{errors_in, load_text, notices_in};
    use super::*;
    use crate::model::options::{PROGRAM, Per};
    use crate::model::{OnEnd, Signal, StreamSpec};

    const HEAD: &str = "[supervisord]\nenvironment=G=\"g\",H=\"h\"\n[program:x]\n";

    fn all(lines: &str) -> Vec<ProcessSpec> {
        let group = load_text(&format!("{HEAD}{lines}")).unwrap().groups.remove(0);
        group.processes.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    fn one(line: &str) -> ProcessSpec {
        all(&format!("command=a\n{line}")).remove(0)
    }

    #[test]
    fn everything_but_the_command_has_a_default() {
        let process = one("");
        let expected = ProcessSpec {
            name: "x".into(),
            group: "x".into(),
            program: "x".into(),
            command: "a".to_owned(),
            stdout: StreamSpec { target: LogTarget::Auto, ..StreamSpec::default() },
            stderr: StreamSpec { target: LogTarget::Auto, ..StreamSpec::default() },
            environment: Arc::new(vec![("G".to_owned(), "g".to_owned()), ("H".to_owned(), "h".to_owned())]),
            ..ProcessSpec::default()
        };
        assert_eq!(process, expected);
    }

    #[test]
    fn values_take_their_types() {
        assert_eq!(one("umask=0027").umask, Some(0o27));
        assert_eq!((one("on_exit=shutdown").on_exit, one("").on_exit), (OnEnd::Shutdown, OnEnd::Ignore));
        assert_eq!((one("on_fatal=shutdown").on_fatal, one("").on_fatal), (OnEnd::Shutdown, OnEnd::Ignore));
        assert_eq!(one("priority=-5").priority, -5);
        assert_eq!(one("autorestart=TRUE").autorestart, AutoRestart::Always);
        assert_eq!(*one("exitcodes=0, 2").exit_codes, [0, 2]);
        assert_eq!(one("stopsignal=sigusr1").stop_signal, Signal::USR1);
        assert_eq!(one("user=www").user.map(|user| user.groups.clone()), Some(vec![33, 100]));
        assert_eq!(one("directory=/nodir/%(process_num)d").directory, Some("/nodir/0".into()));
        assert_eq!(one("directory=~/x").directory, Some("~/x".into()));
        assert_eq!(one("startsecs= 1_0").start_secs, 10);
        assert_eq!(one("startsecs=-1\nstopwaitsecs=-2\nstartretries=-3").start_secs, -1);
        for (line, expected) in
            [("", (false, false)), ("stopasgroup=1", (true, true)), ("killasgroup=1", (false, true))]
        {
            let process = one(line);
            assert_eq!((process.stop_as_group, process.kill_as_group), expected, "{line}");
        }
        for (line, expected) in
            [("", None), ("serverurl= Auto", None), ("serverurl=", Some("")), ("serverurl=u", Some("u"))]
        {
            assert_eq!(one(line).server_url.as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn commands_are_expanded_and_stay_whole() {
        for (command, expected) in [
            ("%(program_name)s %(group_name)s %(host_node_name)s %(here)s", "x x node1 /etc"),
            ("%(process_num)02d/%(numprocs)d %(ENV_G)s %(ENV_H)s %(ENV_OWN)s", "00/1 g own 0"),
            ("date +%%s", "date +%s"),
            ("", ""),
            ("'open", "'open"),
        ] {
            let process = one(&format!("environment=H=\"own\",OWN=\"%(process_num)d\"\ncommand={command}"));
            assert_eq!(process.command, expected);
            let environment: Vec<_> =
                process.environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(environment, [("G", "g"), ("H", "own"), ("OWN", "0")]);
        }
    }

    /// These options can use other names.
    const OWN_SCOPE: [&str; 3] = ["env_file", "set_user_environment", "enabled"];

    /// Options that are read once per program can't use the number of a process.
    #[test]
    fn options_see_the_names_of_their_scope() {
        for option in PROGRAM.iter().filter(|option| option.per() == Per::Program).map(|option| option.name) {
            if OWN_SCOPE.contains(&option) {
                continue;
            }
            for name in ["process_num", "numprocs", "ENV_OWN"] {
                let found =
                    errors_in(&format!("{HEAD}command=a\nenvironment=OWN=\"1\"\n{option}=%({name})s"));
                let expected = format!("contains names ('{name}') which cannot be expanded");
                assert!(found.iter().any(|error| error.contains(&expected)), "{option} {name}: {found:?}");
            }
        }
        for option in ["stdout", "stderr"].map(|stream| format!("{stream}_logfile_maxbytes")) {
            let lines = format!("environment=OWN=\"5\"\n{option}=%(ENV_OWN)s%(process_num)d%(numprocs)d");
            let process = one(&lines);
            assert!([process.stdout.bytes_max, process.stderr.bytes_max].contains(&501), "{option}");
        }
        let named = "%(program_name)s%(group_name)s%(host_node_name)s%(ENV_G)s%(here)s";
        assert_eq!(one(&format!("serverurl={named}")).server_url.as_deref(), Some("xxnode1g/etc"));
    }

    #[test]
    fn an_environment_is_expanded_before_it_is_split() {
        let text =
            "[supervisord]\nenvironment=G=\"1,B='2 3',\"\n[program:x]\ncommand=a\nenvironment=A=%(ENV_G)s";
        let environment = load_text(text).unwrap().groups.remove(0).processes.remove(0).environment.clone();
        let shown: Vec<_> = environment.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(shown, ["G=1,B='2 3',", "A=1", "B=2 3"]);
    }

    #[test]
    fn numprocs_makes_processes() {
        let names = |lines: &str| all(lines).into_iter().map(|process| process.name).collect::<Vec<_>>();
        let template = "command=a\nprocess_name=%(program_name)s_%(process_num)02d\n";
        assert_eq!(names(&format!("{template}numprocs=3\nnumprocs_start=9")), ["x_09", "x_10", "x_11"]);
        assert_eq!(names(&format!("{template}numprocs=2\nnumprocs_start=-1")), ["x_-1", "x_00"]);
        assert_eq!(names(&format!("{template}numprocs=0")), Vec::<String>::new());
        assert_eq!(names("numprocs=-3"), Vec::<String>::new());
        assert_eq!(names(&format!("{template}numprocs=10000")).len(), 10_000);
    }

    #[test]
    fn redirected_stderr_has_no_log() {
        let process = one("redirect_stderr=true");
        assert_eq!((process.stdout.target, process.stderr.target), (LogTarget::Auto, LogTarget::None));
        let lines = "command=a\nredirect_stderr=true\nstderr_logfile=/tmp/x";
        let expected = "For [program:x], redirect_stderr=true but stderr_logfile has also been set to a \
            filename, the filename has been ignored";
        assert_eq!(notices_in(&format!("{HEAD}{lines}")), [expected]);
    }

    #[test]
    fn errors_are_reported_with_their_line() {
        let available = "Available names: group_name, here, host_node_name, program_name and 2 ENV_ names";
        for (line, message) in [
            ("autostart=maybe", "not a valid boolean value: 'maybe'"),
            ("autorestart=Maybe", "invalid 'autorestart' value 'maybe'"),
            ("startsecs=1.5", "not a valid integer: '1.5'"),
            ("stopsignal=FOO", "value 'FOO' is not a valid signal name"),
            ("on_exit=shutdwon", "'shutdwon' is neither ignore nor shutdown (did you mean 'shutdown'?)"),
            ("on_fatal=", "'' is neither ignore nor shutdown"),
            ("exitcodes=1,", "not a valid list of exit codes: '1,' (did you mean '1'?)"),
            ("user=nope", "Invalid user name nope"),
            ("umask=99", "99 can not be converted to an octal type"),
            (
                "process_name=50%",
                "Format string '50%' for 'process_name' is badly formatted: incomplete format",
            ),
            (
                "environment=50%",
                "Format string '50%' for 'environment' is badly formatted: incomplete format",
            ),
            ("process_name=a:b", "Invalid name: 'a:b' because of character: ':'"),
            ("process_name=a%(program_name)2s", "Invalid name: 'a x' because of character: ' '"),
            ("numprocs=2", "%(process_num) must be present within process_name when numprocs > 1"),
            ("numprocs=10001", "10001 is above upper bound (10000)"),
            ("environment=A=\"x", "No closing quotation"),
            (
                "directory=50%",
                "Format string '50%' for 'program:x.directory' is badly formatted: incomplete format",
            ),
            (
                "umask=%(process_num)d",
                &format!(
                    "Format string '%(process_num)d' for 'program:x.umask' contains names ('process_num') \
                     which cannot be expanded. {available}"
                ),
            ),
        ] {
            let option = line.split('=').next().unwrap();
            let place = format!("in section 'program:x' (file: '/etc/x.conf', line: 5, option: {option})");
            let found = errors_in(&format!("{HEAD}command=a\n{line}"));
            assert_eq!(found, [format!("{message} {place}")]);
        }
        let group = errors_in(&format!("{HEAD}command=a\nstopasgroup=1\nkillasgroup=0"));
        assert!(
            group[0].starts_with("Cannot set stopasgroup=true and killasgroup=false in section 'program:x'")
        );
        let tree = errors_in(&format!("{HEAD}command=a\nkill_tree=1\nrlimit_locks=7"));
        let place = "in section 'program:x' (file: '/etc/x.conf', line: 6, option: rlimit_locks)";
        assert_eq!(tree, [format!("Cannot set kill_tree=true and rlimit_locks {place}")]);
        for line in ["kill_tree=0\nrlimit_locks=7", "kill_tree=1\nrlimit_core=7"] {
            one(line);
        }
        let command = errors_in(HEAD);
        let expected = "program section program:x does not specify a command in section 'program:x' \
            (file: '/etc/x.conf', line: 3)";
        assert_eq!(command, [expected]);
    }
}
