//! `[eventlistener:x]`: which events its pool subscribes to, in addition to the options of a program.

use std::path::Path;
use std::sync::Arc;

use crate::model::{
    EventLength, EventType, EventTypes, GroupKind, GroupSpec, LogLevel, Name, PoolSpec, ProcessSpec,
    ResultHandler, StandIn,
};

use super::command::resolve;
use super::expand::Names;
use super::options::SectionKind;
use super::print_listeners;
use super::reader::SectionReader;
use super::reading::{ProgramSection, Reading, Remark};
use super::values;
use crate::python::quote;

/// The default priority of pools: they start first, so that they miss no events, and stop last. Their
/// processes have the default priority of all processes.
const PRIORITY: i64 = -1;

/// The result handler that Supervisor includes.
const DEFAULT_HANDLER: &str = "supervisor.dispatchers:default_handler";

/// The pool that a section defines.
pub(super) fn pool<'a>(
    reading: &mut Reading<'a>,
    (listener, name): (&ProgramSection<'a>, Name),
    names: &Names<'_>,
    mut processes: Vec<Arc<ProcessSpec>>,
) -> GroupSpec {
    let mut options = SectionReader::new(reading, listener.section, SectionKind::EventListener, names);
    let priority = if options.is_set("priority") { options.integer("priority") } else { PRIORITY };
    refuse_redirection(&mut options);
    let command = processes.first().map_or("", |process| &process.command);
    let pool = PoolSpec {
        events: events(&mut options),
        buffer_size: buffer_size(&mut options),
        length: options.value("event_length", length).unwrap_or_default(),
        handler: handler(&mut options, command),
    };
    let stand_in = processes.first().and_then(|first| stand_in(&mut options, pool, first));
    for process in &mut processes {
        let process = Arc::make_mut(process);
        process.stand_in = stand_in;
        keep_protocol_on_stdout(process);
    }
    GroupSpec { name, priority, kind: GroupKind::EventListener(pool), processes }
}

fn events(options: &mut SectionReader<'_, '_>) -> EventTypes {
    let section = &options.section.name;
    let missing = format!("[{section}] section requires an \"events\" line");
    if !options.is_set("events") {
        options.section_error(missing);
        return EventTypes::default();
    }
    let text = options.text("events").unwrap_or_default();
    let names = values::list(&text);
    if names.is_empty() {
        options.error("events", missing);
    }
    let mut known = |name: &str| {
        let found = EventType::named(name);
        if found.is_none() {
            let name = name.to_uppercase();
            options.error("events", format!("Unknown event type {name} in [{section}] events"));
        }
        found
    };
    names.into_iter().filter_map(&mut known).collect()
}

fn buffer_size(options: &mut SectionReader<'_, '_>) -> usize {
    let section = &options.section.name;
    let size = options.value("buffer_size", |text| {
        let number = values::integer(text)?;
        let size = usize::try_from(number).ok().filter(|&size| size > 0);
        size.ok_or_else(|| format!("[{section}] section sets invalid buffer_size ({number})"))
    });
    size.unwrap_or_default()
}

fn length(text: &str) -> Result<EventLength, String> {
    match text.to_ascii_lowercase().as_str() {
        "characters" => Ok(EventLength::Characters),
        "bytes" => Ok(EventLength::Bytes),
        _ => Err(format!("event_length is either characters or bytes, not {}", quote(text))),
    }
}

fn refuse_redirection(options: &mut SectionReader<'_, '_>) {
    let section = &options.section.name;
    if options.boolean("redirect_stderr") {
        let message = format!(
            "[{section}] section sets redirect_stderr=true but this is not allowed because it will interfere \
             with the eventlistener protocol"
        );
        options.error("redirect_stderr", message);
    }
}

/// COMPAT: Supervisor imports any handler; here the handlers of known packages are built in. Another handler
/// is ignored with a warning, and any answer is accepted.
fn handler(options: &mut SectionReader<'_, '_>, command: &str) -> ResultHandler {
    let section = &options.section.name;
    let name = options.is_set("result_handler").then(|| options.text("result_handler")).flatten();
    let package = match name.as_deref() {
        Some(name) => print_listeners::with_handler(name),
        // Such a listener sends answers that only its own handler accepts.
        None => print_listeners::run_by(command),
    };
    match (package, name.as_deref()) {
        (Some(package), _) => ResultHandler::Print(package),
        (None, None | Some(DEFAULT_HANDLER)) => ResultHandler::Default,
        (None, Some(foreign)) => {
            options.reading.warn(format!(
                "result_handler of [{section}] is left out: {foreign} is Python code, which can't be run here; \
                 any answer of its listeners is taken for a good one"
            ));
            ResultHandler::Foreign
        }
    }
}

/// The built-in listener that may run instead of the command. If it runs with the current configuration, a
/// line is logged.
fn stand_in(options: &mut SectionReader<'_, '_>, pool: PoolSpec, first: &ProcessSpec) -> Option<StandIn> {
    let ResultHandler::Print(package) = pool.handler else { return None };
    let stand_in = Some(StandIn { package, length: pool.length });
    let with_it = ProcessSpec { stand_in, ..first.clone() };
    let machine = options.reading.machine;
    if resolve(&with_it, machine).is_ok_and(|found| found.file == Path::new(print_listeners::OURSELVES)) {
        let (section, script) = (&options.section.name, print_listeners::script(package));
        let text = format!("[{section}] is built in: what {script} does needs no Python here");
        options.reading.remark(Remark::new(LogLevel::Info, text));
    }
    stand_in
}

/// A listener's standard output is its half of the protocol: it is logged unchanged, and the output options
/// of programs do not apply. `stdout_events_enabled` keeps its value because clients can see it; protocol
/// output makes no events.
fn keep_protocol_on_stdout(process: &mut ProcessSpec) {
    process.stdout.capture_bytes_max = 0;
    process.stdout.syslog = false;
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, MAIN, errors_in, load_text, notices_in};
    use super::super::load;
    use super::*;
    use crate::model::PrintHandler;

    const HEAD: &str = "[supervisord]\n[eventlistener:e]\ncommand=a\n";

    fn group(lines: &str) -> GroupSpec {
        load_text(&format!("{HEAD}{lines}")).unwrap().groups.remove(0)
    }

    fn spec(lines: &str) -> PoolSpec {
        match group(&format!("events=TICK_5\n{lines}")).kind {
            GroupKind::EventListener(pool) => pool,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn event_types_are_case_insensitive_and_may_repeat() {
        let pool = |events: &str| match group(&format!("events={events}")).kind {
            GroupKind::EventListener(pool) => pool.events,
            other => panic!("{other:?}"),
        };
        let expected: EventTypes = [EventType::Tick5, EventType::ProcessState].into_iter().collect();
        for events in ["TICK_5,PROCESS_STATE", "process_state , Tick_5", "TICK_5,TICK_5,PROCESS_STATE"] {
            assert_eq!(pool(events), expected, "{events}");
        }
        assert!(pool("EVENT").cover(EventType::RemoteCommunication));
    }

    #[test]
    fn a_pool_has_a_buffer_and_a_way_to_count() {
        let default = spec("");
        assert_eq!((default.buffer_size, default.length), (10, EventLength::Characters));
        assert_eq!(spec("buffer_size=500").buffer_size, 500);
        assert_eq!(spec("event_length=Bytes").length, EventLength::Bytes);
        assert_eq!(spec("event_length=characters").length, EventLength::Characters);
    }

    #[test]
    fn a_pool_starts_before_all_others() {
        let priorities = |lines: &str| {
            let group = group(&format!("events=EVENT\n{lines}"));
            (group.priority, group.processes[0].priority)
        };
        assert_eq!(priorities(""), (-1, 999));
        assert_eq!(priorities("priority=7"), (7, 7));
        let names = |text: &str| -> Vec<String> {
            load_text(text).unwrap().groups.into_iter().map(|group| group.name.to_string()).collect()
        };
        assert_eq!(names(&format!("{HEAD}events=EVENT\n[program:a]\ncommand=a\npriority=0")), ["e", "a"]);
    }

    #[test]
    fn a_section_is_a_pool_of_as_many_listeners_as_it_asks_for() {
        let group = group("events=EVENT\nnumprocs=3\nprocess_name=%(program_name)s-%(process_num)d");
        let shown: Vec<_> = group.processes.iter().map(|it| format!("{}:{}", it.group, it.name)).collect();
        assert_eq!(shown, ["e:e-0", "e:e-1", "e:e-2"]);
    }

    #[test]
    fn errors_in_a_pool_are_reported_with_their_line() {
        let redirected = "[eventlistener:e] section sets redirect_stderr=true but this is not allowed because \
            it will interfere with the eventlistener protocol";
        for (lines, message) in [
            ("events=", "[eventlistener:e] section requires an \"events\" line"),
            ("events=TICK_5,foo", "Unknown event type FOO in [eventlistener:e] events"),
            ("events=TICK_5,", "Unknown event type  in [eventlistener:e] events"),
            ("buffer_size=0\nevents=TICK", "[eventlistener:e] section sets invalid buffer_size (0)"),
            ("buffer_size=-1\nevents=TICK", "[eventlistener:e] section sets invalid buffer_size (-1)"),
            ("buffer_size=x\nevents=TICK", "not a valid integer: 'x'"),
            ("redirect_stderr=true\nevents=TICK", redirected),
            ("event_length=x\nevents=TICK", "event_length is either characters or bytes, not 'x'"),
        ] {
            let option = lines.split('=').next().unwrap();
            let place =
                format!("in section 'eventlistener:e' (file: '/etc/x.conf', line: 4, option: {option})");
            assert_eq!(errors_in(&format!("{HEAD}{lines}")), [format!("{message} {place}")], "{lines}");
        }
        let missing = "[eventlistener:e] section requires an \"events\" line in section 'eventlistener:e' \
            (file: '/etc/x.conf', line: 2)";
        assert_eq!(errors_in(HEAD), [missing]);
    }

    #[test]
    fn options_of_a_pool_see_the_environment_and_here_alone() {
        let text = "[supervisord]\nenvironment=E=\"TICK\"\n[eventlistener:e]\ncommand=a\n\
            events=%(ENV_E)s_5\nbuffer_size=1%(ENV_E)s";
        assert!(errors_in(text)[0].starts_with("not a valid integer: '1TICK'"), "expanded");
        for option in ["events", "buffer_size", "result_handler", "event_length", "priority"] {
            let found = errors_in(&format!("{HEAD}{option}=%(program_name)s"));
            let expected =
                "contains names ('program_name') which cannot be expanded. Available names: here and";
            assert!(found.iter().any(|error| error.contains(expected)), "{option}: {found:?}");
        }
    }

    #[test]
    fn an_unknown_handler_is_reported_and_ignored() {
        let handler = |name: &str| notices_in(&format!("{HEAD}events=TICK\nresult_handler={name}"));
        assert_eq!(handler("supervisor.dispatchers:default_handler"), [""; 0]);
        let expected = "result_handler of [eventlistener:e] is left out: foo:bar is Python code, which can't be \
            run here; any answer of its listeners is taken for a good one";
        assert_eq!(handler("foo:bar"), [expected]);
        let handled_by = |name: &str| spec(&format!("result_handler={name}")).handler;
        for (name, package) in [
            ("supervisor_stdout:event_handler", PrintHandler::Stdout),
            ("supervisor_stdlog:log_handler", PrintHandler::Stdlog),
            ("supervisor_console.events:event_handler", PrintHandler::Console),
        ] {
            assert_eq!(handled_by(name), ResultHandler::Print(package));
        }
        assert_eq!(spec("result_handler=foo:bar").handler, ResultHandler::Foreign);
    }

    const STDOUT: &str = "supervisor_stdout:event_handler";

    /// What is executed for a listener, and what is logged about it.
    fn executed(machine: Fake, command: &str, lines: &str) -> (String, Vec<String>) {
        let text =
            format!("[supervisord]\n[eventlistener:e]\ncommand={command}\nevents=PROCESS_LOG\n{lines}");
        let machine = machine.file(MAIN, &text);
        let settings = load(Path::new(MAIN), &[], &machine).unwrap();
        let executed = match resolve(&settings.groups[0].processes[0], &machine) {
            Ok(found) => format!("{} {}", found.file.display(), found.argv.join(" ")),
            Err(fault) => fault.detail.unwrap_or_default(),
        };
        (executed, settings.notices.into_iter().map(|notice| notice.text).collect())
    }

    #[test]
    fn the_listener_of_a_known_package_is_built_in() {
        let machine = || Fake::new().variable("PATH", "/bin");
        let handler = format!("result_handler={STDOUT}");
        let built_in =
            |script: &str| format!("[eventlistener:e] is built in: what {script} does needs no Python here");
        let ours = "/proc/self/exe supervisor_stdout";
        for (command, lines, expected, script) in [
            ("supervisor_stdout", handler.as_str(), ours, "supervisor_stdout"),
            ("/usr/bin/python -m supervisor_stdout", &handler, ours, "supervisor_stdout"),
            ("/opt/venv/bin/listener", &handler, ours, "supervisor_stdout"),
            // Without its handler the package rejects every event.
            ("supervisor_stdout", "", ours, "supervisor_stdout"),
            (
                "supervisor_stdout",
                "event_length=bytes",
                "/proc/self/exe supervisor_stdout bytes",
                "supervisor_stdout",
            ),
            ("supervisor-stdlog", "", "/proc/self/exe supervisor-stdlog", "supervisor-stdlog"),
        ] {
            let (executed, notices) = executed(machine(), command, lines);
            assert_eq!((executed.as_str(), notices), (expected, vec![built_in(script)]), "{command} {lines}");
        }
        let python = "#!/usr/bin/python\nfrom supervisor_stdout import main";
        let installed = machine().program("/bin/supervisor_stdout").file("/bin/supervisor_stdout", python);
        assert_eq!(executed(installed, "supervisor_stdout", &handler).0, ours);
        let another = machine().program("/bin/supervisor_stdout");
        let kept = ("/bin/supervisor_stdout supervisor_stdout".to_owned(), vec![]);
        assert_eq!(executed(another, "supervisor_stdout", &handler), kept);
        let own = machine().program("/bin/listener");
        assert_eq!(executed(own, "listener", &handler), ("/bin/listener listener".to_owned(), vec![]));
        let missing = ("can't find command 'listener'".to_owned(), vec![]);
        assert_eq!(executed(machine(), "listener", ""), missing);
    }

    #[test]
    fn standard_output_of_a_listener_is_its_protocol() {
        let lines = "events=TICK\nK_capture_maxbytes=5\nK_events_enabled=true\nK_syslog=true";
        let stdout = group(&lines.replace("K_", "stdout_")).processes.remove(0).stdout.clone();
        assert_eq!((stdout.capture_bytes_max, stdout.events_enabled, stdout.syslog), (0, true, false));
        let stderr = group(&lines.replace("K_", "stderr_")).processes.remove(0).stderr.clone();
        assert_eq!((stderr.capture_bytes_max, stderr.events_enabled, stderr.syslog), (5, true, true));
    }
}
