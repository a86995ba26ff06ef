//! Stores the options of a program in its specification, as the rows of the table say.

use std::path::PathBuf;

use crate::model::options::{BadValue, Field, FieldBinding, Lands, OptionDoc, PROGRAM, Per};
use crate::model::{CapabilityNames, LimitOption, LimitsSpec, ProcessSpec, Schedule};
use crate::python::quote;

use super::ini::trim;
use super::reader::SectionReader;
use super::values;

/// Reads the options that are the same for all processes of a program, and returns the rows of those that are
/// read for each process.
///
/// Fields whose option is not set keep the default of the table.
pub(super) fn bind_program(
    options: &mut SectionReader<'_, '_>,
    spec: &mut ProcessSpec,
) -> Vec<&'static OptionDoc> {
    let mut of_process = Vec::new();
    for option in PROGRAM.iter() {
        let Some(binding) = option.binding else { continue };
        match (options.is_set(option.name), binding.per) {
            (false, _) => {}
            (true, Per::Program) => land(options, option.name, binding, spec),
            (true, Per::Process) => of_process.push(option),
        }
    }
    of_process
}

/// Reads the options that are set for each process.
pub(super) fn bind_process(
    options: &mut SectionReader<'_, '_>,
    of_process: &[&'static OptionDoc],
    spec: &mut ProcessSpec,
) {
    for option in of_process {
        if let Some(binding) = option.binding {
            land(options, option.name, binding, spec);
        }
    }
}

/// If the option is not set or invalid, the field keeps its value.
fn land(options: &mut SectionReader<'_, '_>, name: &str, binding: FieldBinding, spec: &mut ProcessSpec) {
    if options.is_hidden(name) {
        spec.lifecycle.secret_options.add(name);
    }
    match binding.field_ref {
        Lands::Boolean(field) => put(spec, field, options.value(name, values::boolean)),
        Lands::Integer(field) => put(spec, field, options.value(name, values::integer)),
        Lands::Size(field) => put(spec, field, options.value(name, values::size)),
        Lands::Octal(field) => put(spec, field, options.value(name, values::octal).map(Some)),
        Lands::Retries(field) => put(spec, field, options.value(name, values::start_retries)),
        Lands::AutoRestart(field) => put(spec, field, options.value(name, values::auto_restart)),
        Lands::ExitCodes(field) => put(spec, field, options.value(name, values::exit_codes).map(Into::into)),
        Lands::Signal(field) => put(spec, field, options.value(name, values::signal)),
        Lands::User(field) => put(spec, field, options.user(name).map(Some)),
        Lands::Word(words, field) => put(spec, field, options.value(name, |text| values::word(words, text))),
        Lands::Seconds(least, field) => {
            put(spec, field, options.value(name, |text| values::seconds(text, least)));
        }
        Lands::Count(field) => put(spec, field, options.value(name, values::count)),
        Lands::Percent(field) => put(spec, field, options.value(name, values::percent)),
        Lands::RestartLimit(field) => put(spec, field, options.value(name, values::restart_limit)),
        Lands::Command(field) => put(spec, field, options.value(name, command)),
        Lands::Paths(field) => put(spec, field, items(options, name, values::list, absolute_path)),
        Lands::Dependencies(field) => {
            let place = options.written_at(name);
            put(spec, field, items(options, name, values::list, |item| values::dependency(item, &place)));
        }
        Lands::Ready(field) => put(spec, field, items(options, name, lines, values::ready_check)),
        Lands::Health(field) => put(spec, field, one(options, name, values::health_check)),
        Lands::Schedule(field) => {
            put(spec, field, one(options, name, schedule));
            if let Some(schedule) = &mut spec.lifecycle.schedule {
                schedule.zone = values::local_zone(options.machine());
            }
        }
        Lands::Zone(field) => {
            let machine = options.machine();
            put(spec, field, options.value(name, |text| values::zone(text, machine)));
        }
        Lands::Limit(option) => limit(options, name, option, spec),
        Lands::Own(..) => {}
    }
}

/// Sets an attribute; what is set to its default is unset.
fn limit(options: &mut SectionReader<'_, '_>, name: &str, option: LimitOption, spec: &mut ProcessSpec) {
    let mut limits = spec.limits.take().unwrap_or_default();
    if option == LimitOption::Capabilities {
        limits.capabilities = Some(CapabilityNames::default());
        for item in options.items(name, values::list) {
            if let Err(bad) = values::limit(&mut limits, option, &item) {
                options.error_in_part(name, bad, Some(item));
            }
        }
    } else if let Some(text) = options.text(name)
        && let Err(bad) = values::limit(&mut limits, option, &text)
    {
        options.error_in_part(name, bad, None);
    }
    spec.limits = Some(limits).filter(|limits| **limits != LimitsSpec::default());
}

/// Reads a single value; an error may carry a suggestion.
fn one<T>(
    options: &mut SectionReader<'_, '_>,
    name: &str,
    convert: impl Fn(&str) -> Result<T, BadValue>,
) -> Option<T> {
    let text = options.text(name)?;
    convert(&text).map_err(|bad| options.error_in_part(name, bad, None)).ok()
}

/// The items of a list; each invalid item is an error.
fn items<T>(
    options: &mut SectionReader<'_, '_>,
    name: &str,
    split: impl Fn(&str) -> Vec<&str>,
    convert: impl Fn(&str) -> Result<T, BadValue>,
) -> Option<Vec<T>> {
    let items = options.items(name, split);
    let count = items.len();
    let mut found = Vec::with_capacity(count);
    for item in items {
        match convert(&item) {
            Ok(value) => found.push(value),
            Err(bad) => options.error_in_part(name, bad, Some(item)),
        }
    }
    (found.len() == count).then_some(found)
}

fn lines(text: &str) -> Vec<&str> {
    text.split('\n').map(trim).filter(|line| !line.is_empty()).collect()
}

fn command(text: &str) -> Result<String, String> {
    values::command(text).map(|()| text.to_owned())
}

fn absolute_path(text: &str) -> Result<PathBuf, BadValue> {
    let wrong = || BadValue::new(format!("the path has to be absolute: {}", quote(text)));
    text.starts_with('/').then(|| text.into()).ok_or_else(wrong)
}

fn schedule(text: &str) -> Result<(Schedule, String), BadValue> {
    let with_text = |bad: BadValue| BadValue {
        message: format!("not a valid schedule: {}: {}", quote(text), bad.message),
        ..bad
    };
    Schedule::parse(text).map(|schedule| (schedule, trim(text).to_owned())).map_err(with_text)
}

fn put<T>(spec: &mut ProcessSpec, field: Field<T>, value: Option<T>) {
    if let Some(value) = value {
        field.set(spec, value);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fake::{errors_in, load_text, load_toml, notices_in};
    use super::*;
    use crate::model::{Condition, HealthCheck, Overlap, Probe, ProgramType, ReadyCheck};

    const HEAD: &str = "[supervisord]\n[program:zdb]\ncommand=a\nnumprocs=2\nprocess_name=%(process_num)d\n\
        [program:zcache]\ncommand=a\n[program:x]\ncommand=a\n";

    fn one(lines: &str) -> ProcessSpec {
        let settings = load_text(&format!("{HEAD}{lines}")).unwrap();
        (*settings.groups[0].processes[0]).clone()
    }

    #[test]
    fn everything_is_off_unless_it_is_set() {
        let spec = one("");
        assert_eq!((spec.program_type, spec.start_timeout()), (ProgramType::Daemon, None));
        assert!(
            spec.lifecycle.readiness.is_none()
                && spec.lifecycle.health.is_none()
                && spec.lifecycle.schedule.is_none()
        );
        assert!(
            spec.lifecycle.restart_policy.is_none()
                && spec.lifecycle.hooks.is_none()
                && spec.lifecycle.depends_on.is_empty()
        );
    }

    #[test]
    fn options_of_a_part_are_put_into_it() {
        let spec = one("ready=tcp:80\n  log:^ready\nready_interval=0.25\nready_timeout=0");
        let ready = spec.lifecycle.readiness.as_ref().unwrap();
        let probe = ReadyCheck::Probe(Probe::Tcp { host: "127.0.0.1".to_owned(), port: 80 });
        assert_eq!(ready.checks, [probe, ReadyCheck::Log("^ready".to_owned())]);
        assert_eq!((ready.interval, spec.start_timeout()), (Duration::from_millis(250), None));
        assert_eq!(one("ready=notify").start_timeout(), Some(Duration::from_secs(60)));
        assert_eq!(one("type=oneshot").start_timeout(), None);
        assert_eq!(one("type=oneshot\nready_timeout=5").start_timeout(), Some(Duration::from_secs(5)));
        let health = one("health=notify\nhealth_retries=1").lifecycle.health.clone().unwrap();
        assert_eq!((health.check, health.retries, health.successes), (HealthCheck::Notify, 1, 1));
        let policy = one("restart_jitter=25%\nrestart_limit=3/9").lifecycle.restart_policy.clone().unwrap();
        assert_eq!((policy.jitter_percent, policy.limit.unwrap().ends), (25, 3));
        let hooks = one("pre_start=mkdir -p /run/x\nhook_timeout=3").lifecycle.hooks.clone().unwrap();
        assert_eq!((hooks.pre_start.as_deref(), hooks.timeout.as_secs()), (Some("mkdir -p /run/x"), 3));
        let schedule = one("schedule=@daily\nschedule_overlap=queue\nschedule_catch_up=yes")
            .lifecycle
            .schedule
            .clone()
            .unwrap();
        assert_eq!((schedule.text.as_str(), schedule.overlap), ("@daily", Overlap::Queue));
    }

    #[test]
    fn processes_of_a_program_differ() {
        let lines = "numprocs=2\nprocess_name=%(process_num)d\nready=tcp:808%(process_num)d\n\
            depends_on=zdb:%(process_num)d=started";
        let settings = load_text(&format!("{HEAD}{lines}")).unwrap();
        let shown: Vec<_> = settings.groups[0]
            .processes
            .iter()
            .map(|spec| {
                (
                    spec.lifecycle.readiness.as_ref().unwrap().checks[0].to_string(),
                    spec.lifecycle.depends_on[0].name.clone(),
                )
            })
            .collect();
        let expected = ["0", "1"].map(|n| (format!("tcp:127.0.0.1:808{n}"), format!("zdb:{n}")));
        assert_eq!(shown, expected);
    }

    #[test]
    fn dependencies_know_their_condition_and_their_place() {
        let spec = one("depends_on=zdb, zcache=started?");
        let [db, cache] = spec.lifecycle.depends_on.as_slice() else {
            panic!("{:?}", spec.lifecycle.depends_on)
        };
        assert_eq!((db.name.as_str(), db.condition, db.is_optional), ("zdb", None, false));
        assert_eq!((cache.condition, cache.is_optional), (Some(Condition::Started), true));
        assert_eq!(cache.place.to_string(), "/etc/x.conf:10");
    }

    #[test]
    fn arrays_and_numbers_are_taken_in_toml() {
        let text = "[supervisord]\n[program.zdb]\ncommand = \"a\"\n[program.zcache]\ncommand = \"a\"\n\
            [program.x]\ncommand = \"a\"\nready = [\"notify\", \"exec:a 'b c'\"]\n\
            depends_on = [\"zdb\", \"zcache=started\"]\nrestart_delay = 0.25\nrestart_jitter = 5\n\
            pre_start = [\"mkdir\", \"a b\"]\nruntime_directory = [\"/run/a\", \"/run/b\"]\n";
        let spec = (*load_toml(text).unwrap().groups[0].processes[0]).clone();
        let ini = one(
            "ready=notify\n exec:a 'b c'\ndepends_on=zdb,zcache=started\nrestart_delay=.25\nrestart_jitter=5%\n\
             pre_start=mkdir 'a b'\nruntime_directory=/run/a,/run/b",
        );
        assert_eq!(spec, ini);
    }

    #[test]
    fn all_errors_are_reported_with_their_place() {
        let lines = "ready=tcp:80\n https://x/\n fd:1\ndepends_on=a b,c=helthy\nhealth_interval=0\n\
            schedule=0 0 * * * *\nschedule_timezone=Mars\nrestart_jitter=200%\nruntime_directory=run\n\
            type=one-shot\npre_start='a\nready_timeout=5s\n";
        let place = |option: &str| format!("option: {option})");
        let found = errors_in(&format!("{HEAD}{lines}"));
        let expected = [
            ("type", "'one-shot' is neither daemon nor oneshot (did you mean 'oneshot'?)"),
            (
                "depends_on",
                "not a valid dependency: 'a b': entries are separated by commas (did you mean 'a,b'?)",
            ),
            (
                "depends_on",
                "not a condition: 'helthy': it is started, ready, healthy or done (did you mean 'healthy'?)",
            ),
            ("ready", "not a valid check: 'https://x/': https can never be checked"),
            ("ready", "not a valid check: 'fd:1': the descriptor is a number from 3 to 1023"),
            ("ready_timeout", "not a valid number of seconds: '5s' (did you mean '5'?)"),
            ("health_interval", "0 is below lower bound (0.01)"),
            ("restart_jitter", "not a percentage from 0% to 100%: '200%'"),
            ("pre_start", "No closing quotation"),
            ("runtime_directory", "the path has to be absolute: 'run'"),
            ("schedule", "not a valid schedule: '0 0 * * * *': it has six fields"),
            ("schedule_timezone", "time zone 'Mars' does not exist here"),
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (error, (option, start)) in found.iter().zip(expected) {
            assert!(error.starts_with(start) && error.contains("file: '/etc/x.conf', line: "), "{error}");
            assert!(error.ends_with(&place(option)), "{error}");
        }
        let job = errors_in(&format!("{HEAD}type=oneshot\nready=notify"));
        assert!(job[0].starts_with("a oneshot is up when it is done"), "{job:?}");
    }

    #[test]
    fn a_lone_percent_sign_is_not_a_name() {
        assert_eq!(
            one("restart_jitter=%(ENV_J:-7)s%%").lifecycle.restart_policy.clone().unwrap().jitter_percent,
            7
        );
        assert_eq!(notices_in(&format!("{HEAD}restart_jitter=10%")), Vec::<String>::new());
    }
}
