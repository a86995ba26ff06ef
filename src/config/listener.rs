//! What an `[eventlistener:x]` says beyond what a program does: which events its pool is to be told of.

use std::sync::Arc;

use crate::model::{
    EventLength, EventType, EventTypes, GroupKind, GroupSpec, PoolSpec, ProcessSpec, ResultHandler,
};

use super::expand::Names;
use super::options::SectionKind;
use super::program::Program;
use super::reader::SectionReader;
use super::reading::Reading;
use super::values;
use crate::python::quote;

/// Where pools stand in the order of groups unless they ask for another place: they start first, so
/// that they miss nothing, and stop last. Their processes have the default of all others.
const PRIORITY: i64 = -1;

/// The judge of a listener's answers that Supervisor brings.
const DEFAULT_HANDLER: &str = "supervisor.dispatchers:default_handler";

/// The one of the package `supervisor-stdout`, which many images use.
const STDOUT_HANDLER: &str = "supervisor_stdout:event_handler";

/// The pool that a section makes of its processes.
pub(super) fn pool<'a>(
    reading: &mut Reading<'a>,
    listener: &Program<'a>,
    names: &Names<'_>,
    mut processes: Vec<Arc<ProcessSpec>>,
) -> GroupSpec {
    let mut options = SectionReader::new(reading, listener.section, SectionKind::EventListener, names);
    let priority = if options.is_set("priority") { options.integer("priority") } else { PRIORITY };
    refuse_redirection(&mut options);
    let pool = PoolSpec {
        events: events(&mut options),
        buffer_size: buffer_size(&mut options),
        length: options.value("event_length", length).unwrap_or_default(),
        handler: handler(&mut options),
    };
    for process in &mut processes {
        keep_protocol_on_stdout(Arc::make_mut(process));
    }
    GroupSpec { name: listener.name.to_owned(), priority, kind: GroupKind::EventListener(pool), processes }
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

/// COMPAT: Supervisor imports any handler; here a foreign one is told of, and any answer will do.
fn handler(options: &mut SectionReader<'_, '_>) -> ResultHandler {
    let section = &options.section.name;
    match options.text("result_handler").as_deref() {
        None | Some(DEFAULT_HANDLER) => ResultHandler::Default,
        Some(STDOUT_HANDLER) => ResultHandler::Stdout,
        Some(foreign) => {
            options.reading.warn(format!(
                "result_handler of [{section}] is left out: {foreign} is Python code, which can't be run here; \
                 any answer of its listeners is taken for a good one"
            ));
            ResultHandler::Foreign
        }
    }
}

/// A listener's standard output is its half of the conversation: it is logged as it comes, and none of
/// what can be done to the output of programs is done to it.
fn keep_protocol_on_stdout(process: &mut ProcessSpec) {
    process.stdout.capture_bytes_max = 0;
    process.stdout.events_enabled = false;
    process.stdout.syslog = false;
}

#[cfg(test)]
mod tests {
    use super::super::fake::{errors_in, load_text, notices_in};
    use super::*;

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
    fn a_pool_asks_for_events_in_any_case_and_as_often_as_it_likes() {
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
            load_text(text).unwrap().groups.into_iter().map(|group| group.name).collect()
        };
        assert_eq!(names(&format!("{HEAD}events=EVENT\n[program:a]\ncommand=a\npriority=0")), ["e", "a"]);
    }

    #[test]
    fn a_section_is_a_pool_of_as_many_listeners_as_it_asks_for() {
        let group = group("events=EVENT\nnumprocs=3\nprocess_name=%(program_name)s-%(process_num)d");
        let told: Vec<_> = group.processes.iter().map(|it| format!("{}:{}", it.group, it.name)).collect();
        assert_eq!(told, ["e:e-0", "e:e-1", "e:e-2"]);
    }

    #[test]
    fn what_is_wrong_with_a_pool_is_told_with_its_line() {
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
    fn a_handler_of_its_own_is_told_of_and_left_out() {
        let handler = |name: &str| notices_in(&format!("{HEAD}events=TICK\nresult_handler={name}"));
        assert_eq!(handler("supervisor.dispatchers:default_handler"), [""; 0]);
        let expected = "result_handler of [eventlistener:e] is left out: foo:bar is Python code, which can't be \
            run here; any answer of its listeners is taken for a good one";
        assert_eq!(handler("foo:bar"), [expected]);
        assert_eq!(handler("supervisor_stdout:event_handler"), [""; 0]);
        assert_eq!(spec("result_handler=supervisor_stdout:event_handler").handler, ResultHandler::Stdout);
        assert_eq!(spec("result_handler=foo:bar").handler, ResultHandler::Foreign);
    }

    #[test]
    fn standard_output_of_a_listener_is_its_protocol() {
        let lines = "events=TICK\nK_capture_maxbytes=5\nK_events_enabled=true\nK_syslog=true";
        let stdout = group(&lines.replace("K_", "stdout_")).processes.remove(0).stdout.clone();
        assert_eq!((stdout.capture_bytes_max, stdout.events_enabled, stdout.syslog), (0, false, false));
        let stderr = group(&lines.replace("K_", "stderr_")).processes.remove(0).stderr.clone();
        assert_eq!((stderr.capture_bytes_max, stderr.events_enabled, stderr.syslog), (5, true, true));
    }
}
