//! Tests of every method of the table, with valid and invalid parameters.

use std::collections::BTreeMap;
use std::time::Duration;

use super::signature::Kind;
use super::*;
use crate::model::{
    AutoRestart, BatchLimits, BulkRow, Channel, ConfigInfo, ExitStatus, ListenerState, LogLevel, LogOf,
    LogRange, LogTarget, Namespace, Namespec, ProcessInfo, ProcessSpec, ProcessState, Reply, RpcInterface,
    Signal, StreamSpec, SupervisorState, UpdateRow, Updated, Wait,
};
use crate::xmlrpc::decode_response;

fn range(offset: i64, length: i64) -> LogRange {
    LogRange::Range { offset, length }
}

fn tail(offset: i64, length: i64) -> LogRange {
    LogRange::Tail { offset, length }
}

fn log_of(channel: Channel, range: LogRange) -> Command {
    Command::ReadLog(LogOf::Process(Namespec::split("g:a"), channel), range)
}

fn ask_supervisor(method: &str, params: &[Value]) -> Result<Asked, Fault> {
    ask(method, params, &[Namespace::of_supervisor("supervisor")])
}

fn fault(code: FaultCode) -> Result<Asked, Fault> {
    Err(Fault::bare(code))
}

/// The text of the fault of a call.
fn refusal(method: &str, params: &[Value]) -> String {
    ask_supervisor(method, params).unwrap_err().to_string()
}

/// The documentation has one row for each method: `| `supervisor.getState` | read |`.
#[test]
fn every_method_has_the_role_that_is_documented() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/roles.md");
    let page = std::fs::read_to_string(page).unwrap();
    let documented: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .filter(|(method, _)| method.contains('.') && !method.contains('/'))
        .collect();
    let namespaces = [
        Namespace::of_supervisor("supervisor"),
        Namespace { name: "cache".to_owned(), interface: RpcInterface::Cache },
        Namespace { name: "laforge".to_owned(), interface: RpcInterface::LaForge },
        Namespace { name: "twiddler".to_owned(), interface: RpcInterface::Twiddler },
    ];
    let catalogue = Catalogue::new(&namespaces);
    let methods = catalogue.list();
    let methods: Vec<&str> = methods.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for method in &methods {
        let params = catalogue.find(method).unwrap().params.iter().filter(|param| !param.optional);
        let params: Vec<Value> = params
            .map(|param| match param.kind {
                Kind::Int => 0.into(),
                Kind::Array => Value::Array(Vec::new()),
                Kind::Boolean => true.into(),
                Kind::String | Kind::Struct if param.doc.starts_with("A method") => {
                    "system.listMethods".into()
                }
                Kind::String | Kind::Struct => "TERM".into(),
            })
            .collect();
        let permission = ask(method, &params, &namespaces).unwrap().permission();
        assert_eq!(documented.get(method), Some(&permission.role.name()), "{method} in docs/roles.md");
        assert_eq!(
            permission.is_log,
            ["read", "tail"].iter().any(|it| method.contains(&format!(".{it}"))),
            "{method}"
        );
    }
    assert_eq!(methods.len(), documented.len(), "docs/roles.md has methods that do not exist");
}

#[test]
fn every_method_means_its_command() {
    let name = || Value::from("g:web");
    let spec = || Namespec::split("g:web");
    let group = || "g:web".to_owned();
    let usr1 = || Ok(Signal::USR1);
    let remote =
        |kind: &str, data: &str| Command::SendRemoteEvent { kind: kind.to_owned(), data: data.to_owned() };
    for (method, params, command) in [
        ("getIdentification", vec![], Command::GetIdentification),
        ("getState", vec![], Command::GetState),
        ("getPID", vec![], Command::GetPid),
        ("getProcessInfo", vec![name()], Command::GetProcessInfo(spec())),
        ("getAllProcessInfo", vec![], Command::GetAllProcessInfo),
        ("readLog", vec![0.into(), "10".into()], Command::ReadLog(LogOf::Supervisor, range(0, 10))),
        ("readMainLog", vec![(-5).into(), 0.into()], Command::ReadLog(LogOf::Supervisor, range(-5, 0))),
        ("clearLog", vec![], Command::ClearLog),
        ("readProcessLog", vec!["g:a".into(), 0.into(), 0.into()], log_of(Channel::Stdout, range(0, 0))),
        (
            "readProcessStdoutLog",
            vec!["g:a".into(), 0.into(), 0.into()],
            log_of(Channel::Stdout, range(0, 0)),
        ),
        (
            "readProcessStderrLog",
            vec!["g:a".into(), 0.into(), 0.into()],
            log_of(Channel::Stderr, range(0, 0)),
        ),
        ("tailProcessLog", vec!["g:a".into(), 1.into(), 2.into()], log_of(Channel::Stdout, tail(1, 2))),
        ("tailProcessStdoutLog", vec!["g:a".into(), 1.into(), 2.into()], log_of(Channel::Stdout, tail(1, 2))),
        ("tailProcessStderrLog", vec!["g:a".into(), 1.into(), 2.into()], log_of(Channel::Stderr, tail(1, 2))),
        ("clearProcessLog", vec!["a".into()], Command::ClearProcessLogs(Namespec::split("a"))),
        ("clearProcessLogs", vec!["a".into()], Command::ClearProcessLogs(Namespec::split("a"))),
        ("clearAllProcessLogs", vec![], Command::ClearAllProcessLogs),
        ("reloadConfig", vec![], Command::ReloadConfig),
        ("addProcessGroup", vec!["g".into()], Command::AddProcessGroup("g".to_owned())),
        ("removeProcessGroup", vec!["g".into()], Command::RemoveProcessGroup("g".to_owned())),
        ("getAllConfigInfo", vec![], Command::GetAllConfigInfo),
        ("startProcess", vec![name()], Command::StartProcess(spec(), Wait::Yes)),
        ("startProcess", vec![name(), false.into()], Command::StartProcess(spec(), Wait::No)),
        ("startProcessGroup", vec![name()], Command::StartProcessGroup(group(), Wait::Yes)),
        ("startProcessGroup", vec![name(), 0.into()], Command::StartProcessGroup(group(), Wait::No)),
        ("startAllProcesses", vec![], Command::StartAllProcesses(Wait::Yes)),
        ("startAllProcesses", vec![false.into()], Command::StartAllProcesses(Wait::No)),
        ("stopProcess", vec![name()], Command::StopProcess(spec(), Wait::Yes)),
        ("stopProcess", vec![name(), false.into()], Command::StopProcess(spec(), Wait::No)),
        ("stopProcessGroup", vec![name(), true.into()], Command::StopProcessGroup(group(), Wait::Yes)),
        ("stopProcessGroup", vec![name(), false.into()], Command::StopProcessGroup(group(), Wait::No)),
        ("stopAllProcesses", vec![1.into()], Command::StopAllProcesses(Wait::Yes)),
        ("stopAllProcesses", vec![false.into()], Command::StopAllProcesses(Wait::No)),
        ("signalProcess", vec![name(), "USR1".into()], Command::SignalProcess(spec(), usr1())),
        ("signalProcessGroup", vec![name(), "10".into()], Command::SignalProcessGroup(group(), usr1())),
        ("signalAllProcesses", vec![10.into()], Command::SignalAllProcesses(usr1())),
        (
            "sendProcessStdin",
            vec![name(), "w\u{f6}rt".into()],
            Command::SendStdin(spec(), "w\u{f6}rt".to_owned()),
        ),
        ("sendRemoteCommEvent", vec!["t".into(), "d".into()], remote("t", "d")),
        ("sendRemoteCommEvent", vec![5.into(), true.into()], remote("5", "True")),
        ("sendRemoteCommEvent", vec![Value::Double(1.0), false.into()], remote("1.0", "False")),
        ("shutdown", vec![], Command::Shutdown),
        ("restart", vec![], Command::Restart),
    ] {
        let asked = ask_supervisor(&format!("supervisor.{method}"), &params);
        assert_eq!(asked, Ok(Asked::Command(command)), "{method}");
    }
    let asked = ask_supervisor("sv.updateProcessGroup", &["g".into()]);
    assert_eq!(asked, Ok(Asked::Command(Command::UpdateProcessGroup("g".to_owned()))));
    for (numbers, size, timeout_ms) in
        [(&[2][..], 2, None), (&[-1], 1, None), (&[1, 1500], 1, Some(1500)), (&[1, -1], 1, Some(0))]
    {
        let numbers = numbers.iter().map(|number| Value::Int(*number));
        let params: Vec<_> = std::iter::once(name()).chain(numbers).collect();
        let asked = ask_supervisor("sv.restartRolling", &params);
        let limits = BatchLimits { size, timeout: timeout_ms.map(Duration::from_millis) };
        assert_eq!(asked, Ok(Asked::Command(Command::RestartRolling(spec(), limits))));
    }
    let asked = ask_supervisor("sv.getAllProcessInfo", &[]);
    assert_eq!(asked, Ok(Asked::Command(Command::GetAllProcessDetails)));
    for (method, text) in [("getAPIVersion", "3.0"), ("getVersion", "3.0"), ("getSupervisorVersion", "4.3.0")]
    {
        let asked = ask_supervisor(&format!("supervisor.{method}"), &[]);
        assert_eq!(asked, Ok(Asked::AnswerUnlessStopping(text.into())), "{method}");
    }
}

#[test]
fn every_method_counts_its_parameters() {
    for (method, least, most) in [
        ("supervisor.getAPIVersion", 0, 0),
        ("supervisor.getVersion", 0, 0),
        ("supervisor.getSupervisorVersion", 0, 0),
        ("supervisor.getIdentification", 0, 0),
        ("supervisor.getState", 0, 0),
        ("supervisor.getPID", 0, 0),
        ("supervisor.getProcessInfo", 1, 1),
        ("supervisor.getAllProcessInfo", 0, 0),
        ("supervisor.startProcess", 1, 2),
        ("supervisor.startProcessGroup", 1, 2),
        ("supervisor.startAllProcesses", 0, 1),
        ("supervisor.stopProcess", 1, 2),
        ("supervisor.stopProcessGroup", 1, 2),
        ("supervisor.stopAllProcesses", 0, 1),
        ("supervisor.signalProcess", 2, 2),
        ("supervisor.signalProcessGroup", 2, 2),
        ("supervisor.signalAllProcesses", 1, 1),
        ("supervisor.readLog", 2, 2),
        ("supervisor.clearLog", 0, 0),
        ("supervisor.readProcessStdoutLog", 3, 3),
        ("supervisor.tailProcessStderrLog", 3, 3),
        ("supervisor.clearProcessLogs", 1, 1),
        ("supervisor.clearAllProcessLogs", 0, 0),
        ("supervisor.reloadConfig", 0, 0),
        ("supervisor.addProcessGroup", 1, 1),
        ("supervisor.removeProcessGroup", 1, 1),
        ("supervisor.getAllConfigInfo", 0, 0),
        ("supervisor.sendProcessStdin", 2, 2),
        ("supervisor.sendRemoteCommEvent", 2, 2),
        ("supervisor.shutdown", 0, 0),
        ("supervisor.restart", 0, 0),
        ("sv.getAllProcessInfo", 0, 0),
        ("sv.getVersion", 0, 0),
        ("sv.restartRolling", 2, 3),
        ("sv.updateProcessGroup", 1, 1),
        ("system.listMethods", 0, 0),
        ("system.methodHelp", 1, 1),
        ("system.methodSignature", 1, 1),
        ("system.multicall", 1, 1),
    ] {
        for count in 0..=3 {
            let asked = ask_supervisor(method, &vec!["supervisor.getPID".into(); count]);
            let is_refused = asked == fault(FaultCode::IncorrectParameters);
            assert_eq!(is_refused, !(least..=most).contains(&count), "{method} with {count}");
        }
    }
}

#[test]
fn parameters_of_another_type_are_refused() {
    let number = || Value::from(5);
    for (method, params, text) in [
        ("supervisor.getProcessInfo", vec![number()], "INCORRECT_PARAMETERS: name must be a string"),
        (
            "supervisor.startProcess",
            vec![Value::Array(vec![])],
            "INCORRECT_PARAMETERS: name must be a string",
        ),
        ("supervisor.stopProcessGroup", vec![number()], "INCORRECT_PARAMETERS: name must be a string"),
        (
            "supervisor.signalProcess",
            vec![number(), "HUP".into()],
            "INCORRECT_PARAMETERS: name must be a string",
        ),
        (
            "supervisor.signalProcess",
            vec!["a".into(), true.into()],
            "INCORRECT_PARAMETERS: signal must be a string",
        ),
        (
            "supervisor.signalAllProcesses",
            vec![Value::Double(1.0)],
            "INCORRECT_PARAMETERS: signal must be a string",
        ),
        (
            "supervisor.sendProcessStdin",
            vec!["a".into(), number()],
            "INCORRECT_PARAMETERS: chars must be a string",
        ),
        (
            "supervisor.sendRemoteCommEvent",
            vec!["a".into(), Value::Array(vec![])],
            "INCORRECT_PARAMETERS: data must be a string",
        ),
        ("system.methodHelp", vec![number()], "INCORRECT_PARAMETERS: name must be a string"),
    ] {
        assert_eq!(refusal(method, &params), text, "{method}");
    }
}

#[test]
fn unknown_methods_stay_unknown() {
    for method in [
        "",
        ".",
        "getPID",
        ".getPID",
        "supervisor",
        "supervisor.",
        "supervisor.getpid",
        "supervisor.getPID.",
        "supervisor.getPID.x",
        "supervisor..getPID",
        "supervisor._update",
        "supervisor.__class__",
        "supervisor.listMethods",
        "system.getPID",
        "other.getPID",
        " supervisor.getPID",
    ] {
        assert_eq!(ask_supervisor(method, &[]), fault(FaultCode::UnknownMethod), "{method}");
    }
    assert_eq!(refusal("x", &[]), "UNKNOWN_METHOD");
}

#[test]
fn methods_live_in_the_configured_namespaces() {
    let two = ["main", "other"].map(Namespace::of_supervisor);
    for (method, namespaces, is_known) in [
        ("main.getPID", two.as_slice(), true),
        ("other.getPID", &two, true),
        ("supervisor.getPID", &two, false),
        ("supervisor.getPID", &[], false),
        ("system.listMethods", &[], true),
        ("system.getPID", &[Namespace::of_supervisor("system")], false),
        ("sv.updateProcessGroup", &two, true),
        ("sv.updateProcessGroup", &[], false),
        ("sv.getPID", &two, false),
        ("sv.getPID", &[Namespace::of_supervisor("sv")], true),
    ] {
        assert_eq!(ask(method, &[], namespaces) != fault(FaultCode::UnknownMethod), is_known, "{method}");
    }
}

#[test]
fn wait_accepts_what_python_considers_true() {
    for (value, waits) in [
        (true.into(), Wait::Yes),
        (false.into(), Wait::No),
        (1.into(), Wait::Yes),
        (0.into(), Wait::No),
        ("".into(), Wait::No),
        ("false".into(), Wait::Yes),
        (Value::Double(0.0), Wait::No),
        (Value::Array(vec![]), Wait::No),
        (Value::Struct(vec![]), Wait::No),
    ] {
        let asked = ask_supervisor("supervisor.stopAllProcesses", &[value]);
        assert_eq!(asked, Ok(Asked::Command(Command::StopAllProcesses(waits))));
    }
}

#[test]
fn signals_that_do_not_exist_are_passed_on_as_given() {
    let refused = |text: &str| Err(text.to_owned());
    for (value, request) in [
        (Value::from("HUP"), Ok(Signal::HUP)),
        ("sighup".into(), Ok(Signal::HUP)),
        (" 15 ".into(), Ok(Signal::TERM)),
        (0.into(), Ok(Signal(0))),
        (Value::Base64(b"INT".to_vec()), Ok(Signal::INT)),
        ("FOO".into(), refused("FOO")),
        (" 99 ".into(), refused(" 99 ")),
        ("".into(), refused("")),
        ("99999999999999999999".into(), refused("99999999999999999999")),
        (99.into(), refused("99")),
        ((-1).into(), refused("-1")),
    ] {
        let asked = ask_supervisor("supervisor.signalAllProcesses", &[value]);
        assert_eq!(asked, Ok(Asked::Command(Command::SignalAllProcesses(request))));
    }
}

#[test]
fn methods_describe_themselves() {
    let about = |method: &str, of: &str| match ask_supervisor(method, &[of.into()]) {
        Ok(Asked::Answer(value)) => value,
        other => panic!("{other:?}"),
    };
    for (method, signature) in [
        ("supervisor.getVersion", vec!["string"]),
        ("supervisor.getState", vec!["struct"]),
        ("supervisor.getPID", vec!["int"]),
        ("supervisor.getAllProcessInfo", vec!["array"]),
        ("supervisor.startProcess", vec!["boolean", "string", "boolean"]),
        ("supervisor.stopAllProcesses", vec!["array", "boolean"]),
        ("supervisor.signalProcessGroup", vec!["array", "string", "string"]),
        ("system.methodSignature", vec!["array", "string"]),
    ] {
        let expected = Value::Array(signature.into_iter().map(Value::from).collect());
        assert_eq!(about("system.methodSignature", method), expected, "{method}");
    }
    let help = "Sends a signal to all processes.\n\n\
        @param string signal The signal's name, with or without SIG, or its number\n\
        @return array result For each process a struct of name, group, status and description\n";
    assert_eq!(about("system.methodHelp", "supervisor.signalAllProcesses"), help.into());
    for method in ["system.methodHelp", "system.methodSignature"] {
        assert_eq!(refusal(method, &["supervisor.x".into()]), "SIGNATURE_UNSUPPORTED");
    }
}

#[test]
fn methods_are_listed_in_order_with_their_older_names() {
    let listed = |namespaces: &[Namespace]| match ask("system.listMethods", &[], namespaces) {
        Ok(Asked::Answer(Value::Array(names))) => names,
        other => panic!("{other:?}"),
    };
    let text = |names: Vec<Value>| -> Vec<String> {
        names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let system = ["system.listMethods", "system.methodHelp", "system.methodSignature", "system.multicall"];
    assert_eq!(text(listed(&[])), system);
    assert_eq!(text(listed(&[Namespace::of_supervisor("system")])), system);
    let names = text(listed(&[Namespace::of_supervisor("supervisor")]));
    assert!(names.is_sorted());
    assert_eq!((names.len(), names[0].as_str()), (45, "supervisor.addProcessGroup"));
    assert!(names.iter().any(|name| name == "supervisor.getVersion"));
}

fn info() -> ProcessInfo {
    ProcessInfo {
        name: "web".to_owned(),
        group: "g".to_owned(),
        description: "pid 7, uptime 0:00:01".to_owned(),
        start: 100,
        stop: 50,
        now: 101,
        state: ProcessState::Running,
        spawn_error: String::new(),
        step_failure: None,
        hint: None,
        since_ms: None,
        next_start_ms: None,
        counters: crate::model::RunCounters::default(),
        waiting_for: Vec::new(),
        needed_by: Vec::new(),
        reported_status: None,
        check_output: String::new(),
        is_about_check: false,
        health: None,
        exit_status: 0,
        last_exit: None,
        ended_as_expected: false,
        stdout_log_file: "/o".to_owned(),
        stderr_log_file: "/e".to_owned(),
        pid: 7,
        listener: None,
    }
}

#[test]
fn replies_have_the_shapes_that_clients_know() {
    let described = Value::members([
        ("name", "web".into()),
        ("group", "g".into()),
        ("start", 100.into()),
        ("stop", 50.into()),
        ("now", 101.into()),
        ("state", 20.into()),
        ("statename", "RUNNING".into()),
        ("spawnerr", "".into()),
        ("exitstatus", 0.into()),
        ("logfile", "/o".into()),
        ("stdout_logfile", "/o".into()),
        ("stderr_logfile", "/e".into()),
        ("pid", 7.into()),
        ("description", "pid 7, uptime 0:00:01".into()),
    ]);
    let row = |outcome| BulkRow { name: "web".to_owned(), group: "g".to_owned(), outcome };
    let described_row = |status: i32, description: &str| {
        let (name, group) = (("name", "web".into()), ("group", "g".into()));
        Value::members([name, group, ("status", status.into()), ("description", description.into())])
    };
    let rows = vec![row(Ok(())), row(Err(Fault::about(FaultCode::BadSignal, "FOO")))];
    let update = |outcome| UpdateRow { name: Some("web".to_owned()), group: "g".to_owned(), outcome };
    let updates = [Updated::Unchanged, Updated::Applied, Updated::Replaced, Updated::Added, Updated::Removed];
    let words = ["unchanged", "applied", "replaced", "added", "removed"];
    for (reply, expected) in [
        (
            Reply::Updated(updates.map(|it| update(Ok(it))).into()),
            Value::Array(words.map(|word| described_row(80, word)).into()),
        ),
        (
            Reply::Updated(vec![update(Err(Fault::about(FaultCode::Failed, "why")))]),
            Value::Array(vec![described_row(30, "FAILED: why")]),
        ),
        (Reply::Done, true.into()),
        (Reply::Text("supervisor".to_owned()), "supervisor".into()),
        (
            Reply::State(SupervisorState::Running),
            Value::members([("statecode", 1.into()), ("statename", "RUNNING".into())]),
        ),
        (Reply::Pid(1), 1.into()),
        (Reply::Info(Box::new(info())), described.clone()),
        (Reply::AllInfo(vec![info()]), Value::Array(vec![described])),
        (Reply::Bulk(vec![]), Value::Array(vec![])),
        (
            Reply::Bulk(rows),
            Value::Array(vec![described_row(80, "OK"), described_row(11, "BAD_SIGNAL: FOO")]),
        ),
    ] {
        assert_eq!(answer(reply), expected);
    }
}

#[test]
fn only_our_own_method_returns_the_last_exit() {
    let described = |last_exit, ended_as_expected| {
        let info = || ProcessInfo { last_exit, ended_as_expected, ..info() };
        let foreign = answer(Reply::Info(Box::new(info())));
        let Value::Array(rows) = answer(Reply::AllDetails(vec![info()])) else { panic!() };
        let (Value::Struct(foreign), Value::Struct(own)) = (foreign, &rows[0]) else { panic!() };
        assert_eq!(own[..foreign.len()], foreign);
        own[foreign.len()..].iter().map(|(name, value)| (name.to_string(), value.clone())).collect::<Vec<_>>()
    };
    let expected = |is: bool| ("ended_as_expected".to_owned(), Value::from(is));
    let killed = ExitStatus::Signaled { signal: Signal::KILL, core_dumped: false };
    let status = ("last_exit_status".to_owned(), Value::from(3));
    let signal = ("last_term_signal".to_owned(), Value::from("SIGKILL"));
    assert_eq!(described(None, false), [expected(false)]);
    assert_eq!(described(Some(ExitStatus::Exited(3)), true), [status, expected(true)]);
    assert_eq!(described(Some(killed), false), [signal, expected(false)]);
    let listener = ProcessInfo { listener: Some(ListenerState::Unknown), ..info() };
    let Value::Array(rows) = answer(Reply::AllDetails(vec![listener])) else { panic!() };
    assert_eq!(rows[0].get("listenerstate"), Some(&"UNKNOWN".into()));
}

#[test]
fn bodies_are_replies_or_faults() {
    assert_eq!(decode_response(&body(Ok(1.into())).finish()), Ok(Ok(1.into())));
    let refused = Err(Fault::about(FaultCode::BadName, "nope"));
    assert_eq!(decode_response(&body(refused).finish()), Ok(Err((10, "BAD_NAME: nope".to_owned()))));
}

#[test]
fn faults_have_supervisors_codes_and_names() {
    for (code, number, name) in [
        (FaultCode::UnknownMethod, 1, "UNKNOWN_METHOD"),
        (FaultCode::IncorrectParameters, 2, "INCORRECT_PARAMETERS"),
        (FaultCode::BadArguments, 3, "BAD_ARGUMENTS"),
        (FaultCode::SignatureUnsupported, 4, "SIGNATURE_UNSUPPORTED"),
        (FaultCode::ShutdownState, 6, "SHUTDOWN_STATE"),
        (FaultCode::BadName, 10, "BAD_NAME"),
        (FaultCode::BadSignal, 11, "BAD_SIGNAL"),
        (FaultCode::NoFile, 20, "NO_FILE"),
        (FaultCode::NotExecutable, 21, "NOT_EXECUTABLE"),
        (FaultCode::Failed, 30, "FAILED"),
        (FaultCode::AbnormalTermination, 40, "ABNORMAL_TERMINATION"),
        (FaultCode::SpawnError, 50, "SPAWN_ERROR"),
        (FaultCode::AlreadyStarted, 60, "ALREADY_STARTED"),
        (FaultCode::NotRunning, 70, "NOT_RUNNING"),
        (FaultCode::AlreadyAdded, 90, "ALREADY_ADDED"),
        (FaultCode::StillRunning, 91, "STILL_RUNNING"),
        (FaultCode::CantReread, 92, "CANT_REREAD"),
    ] {
        let described = |detail: Option<&str>| {
            let fault = Fault { code, detail: detail.map(str::to_owned) };
            decode_response(&body(Err(fault)).finish()).unwrap().unwrap_err()
        };
        assert_eq!(described(None), (number, name.to_owned()));
        assert_eq!(described(Some("x")), (number, format!("{name}: x")));
    }
}

#[test]
fn changes_are_nested_once_more_than_they_need_be() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let reply = Reply::Changes { added: names(&["a", "b"]), changed: names(&[]), removed: names(&["c"]) };
    let texts = |names: &[&str]| Value::Array(names.iter().map(|&name| name.into()).collect());
    let inner = Value::Array(vec![texts(&["a", "b"]), texts(&[]), texts(&["c"])]);
    assert_eq!(answer(reply), Value::Array(vec![inner]));
}

fn a_call(method: &str, params: Vec<Value>) -> Value {
    Value::members([("methodName", method.into()), ("params", Value::Array(params))])
}

fn multicall(calls: Vec<Value>) -> Multicall {
    match ask_supervisor("system.multicall", &[Value::Array(calls)]) {
        Ok(Asked::Many(calls)) => calls,
        other => panic!("{other:?}"),
    }
}

fn results(calls: Multicall) -> Value {
    decode_response(&calls.into_body()).unwrap().unwrap()
}

#[test]
fn calls_of_a_multicall_are_made_one_by_one() {
    let about = |text: &str| Err(Fault::about(FaultCode::IncorrectParameters, text));
    let name = |value: Value| Value::members([("methodName", value)]);
    let table = [
        (a_call("supervisor.getPID", vec![]), Ok(Asked::Command(Command::GetPid))),
        (name("supervisor.getPID".into()), Ok(Asked::Command(Command::GetPid))),
        (a_call("supervisor.getVersion", vec![]), Ok(Asked::AnswerUnlessStopping("3.0".into()))),
        (a_call("supervisor.getPID", vec![1.into()]), fault(FaultCode::IncorrectParameters)),
        (a_call("supervisor.nope", vec![]), fault(FaultCode::UnknownMethod)),
        (
            a_call("system.multicall", vec![Value::Array(vec![])]),
            about("Recursive system.multicall forbidden"),
        ),
        (Value::Struct(vec![]), about("No methodName")),
        (name(5.into()), about("methodName must be a string")),
        (
            Value::members([("methodName", "supervisor.getPID".into()), ("params", "x".into())]),
            about("params must be an array"),
        ),
    ];
    let mut calls = multicall(table.iter().map(|(call, _)| call.clone()).collect());
    let namespaces = [Namespace::of_supervisor("supervisor")];
    for (call, expected) in table {
        assert_eq!(calls.next(&namespaces), Some(expected), "{call:?}");
        calls.answered(Ok(7.into()));
    }
    assert_eq!(calls.next(&namespaces), None);
    assert_eq!(results(calls), Value::Array(vec![7.into(); 9]));
}

#[test]
fn results_of_a_multicall_are_bare_and_faults_are_structs() {
    let mut calls = multicall(vec![a_call("supervisor.getPID", vec![]); 2]);
    calls.next(&[]);
    calls.answered(Ok("text".into()));
    calls.next(&[]);
    calls.answered(Err(Fault::about(FaultCode::BadName, "nope")));
    let refused = Value::members([("faultCode", 10.into()), ("faultString", "BAD_NAME: nope".into())]);
    assert_eq!(results(calls), Value::Array(vec!["text".into(), refused]));
}

#[test]
fn an_invalid_list_of_calls_is_rejected_before_any_is_made() {
    let well = || a_call("supervisor.getPID", vec![]);
    for calls in ["x".into(), 5.into(), well(), Value::Array(vec![well(), "x".into()])] {
        let text = "INCORRECT_PARAMETERS: calls must be an array of structs";
        assert_eq!(refusal("system.multicall", &[calls]), text);
    }
    assert!(ask_supervisor("system.multicall", &[Value::Array(vec![well(); CALLS_MAX])]).is_ok());
    let text = "INCORRECT_PARAMETERS: 4097 calls are more than 4096";
    assert_eq!(refusal("system.multicall", &[Value::Array(vec![well(); CALLS_MAX + 1])]), text);
}

#[test]
fn a_multicall_stops_when_its_results_are_too_large() {
    let mut calls = multicall(vec![a_call("supervisor.getPID", vec![]); 3]);
    let namespaces = [Namespace::of_supervisor("supervisor")];
    assert!(calls.next(&namespaces).unwrap().is_ok());
    // Escaping makes it five times as large.
    calls.answered(Ok("&".repeat(RESULTS_BYTES_MAX / 5).into()));
    assert_eq!(calls.next(&namespaces).unwrap().unwrap_err().code, FaultCode::Failed);
}

#[test]
fn offsets_are_whatever_python_makes_a_number_of() {
    for (value, offset) in [
        (5.into(), Some(5)),
        ("5".into(), Some(5)),
        (" -5\n".into(), Some(-5)),
        ("+5".into(), Some(5)),
        (Value::Double(5.9), Some(5)),
        (Value::Double(-5.9), Some(-5)),
        (true.into(), Some(1)),
        (Value::Double(f64::NAN), None),
        ("5.0".into(), None),
        ("".into(), None),
        (Value::Array(vec![]), None),
    ] {
        let asked = ask_supervisor("supervisor.readLog", &[value.clone(), 0.into()]);
        let expected = match offset {
            Some(offset) => Ok(Asked::Command(Command::ReadLog(LogOf::Supervisor, range(offset, 0)))),
            None => Err(Fault::about(FaultCode::IncorrectParameters, "offset must be an int")),
        };
        assert_eq!(asked, expected, "{value:?}");
    }
}

#[test]
fn configurations_have_all_fields_of_supervisor() {
    let stream = |target| StreamSpec {
        target,
        bytes_max: 50,
        backups: 10,
        capture_bytes_max: 7,
        events_enabled: true,
        syslog: false,
    };
    let process = ProcessSpec {
        name: "web".into(),
        group: "g".into(),
        program: "web".into(),
        command: "/bin/web".to_owned(),
        priority: 5,
        autorestart: AutoRestart::Never,
        exit_codes: [0, 2].into(),
        stop_wait_secs: i64::MAX,
        stop_as_group: true,
        kill_as_group: true,
        stdout: stream(LogTarget::Auto),
        stderr: stream(LogTarget::None),
        ..ProcessSpec::default()
    };
    for (autorestart, described) in [
        (AutoRestart::Never, Value::from(false)),
        (AutoRestart::Always, true.into()),
        (AutoRestart::Unexpected, "unexpected".into()),
    ] {
        let process = ProcessSpec { autorestart, ..process.clone() };
        let info = ConfigInfo { group_priority: 9, in_use: true, process };
        let Value::Array(rows) = answer(Reply::AllConfig(vec![info])) else { panic!("no array") };
        assert_eq!(rows[0].get("autorestart"), Some(&described));
        for (member, value) in [
            ("group_prio", Value::from(9)),
            ("process_prio", 5.into()),
            ("inuse", true.into()),
            ("directory", "none".into()),
            ("uid", "none".into()),
            ("exitcodes", Value::Array(vec![0.into(), 2.into()])),
            ("stopsignal", 15.into()),
            ("killasgroup", true.into()),
            ("stdout_logfile", "auto".into()),
            ("stderr_logfile", "none".into()),
            ("stderr_capture_maxbytes", 7.into()),
            ("stdout_events_enabled", true.into()),
            ("stdout_syslog", false.into()),
            ("serverurl", "none".into()),
        ] {
            assert_eq!(rows[0].get(member), Some(&value), "{member}");
        }
        for member in ["stopasgroup", "environment", "umask", "numprocs"] {
            assert_eq!(rows[0].get(member), None, "{member}");
        }
        assert!(decode_response(&body(Ok(rows[0].clone())).finish()).is_ok());
    }
}

/// The namespaces of small packages, with the names in their documentation.
fn packages() -> [Namespace; 3] {
    [("cache", RpcInterface::Cache), ("laforge", RpcInterface::LaForge), ("twiddler", RpcInterface::Twiddler)]
        .map(|(name, interface)| Namespace { name: name.to_owned(), interface })
}

#[test]
fn packages_that_add_an_interface_have_their_methods() {
    let asked = |method: &str, params: &[Value]| ask(method, params, &packages());
    let command = |command| Ok(Asked::Command(command));
    let constant = |text: &str| Ok(Asked::AnswerUnlessStopping(text.into()));
    assert_eq!(asked("cache.getAPIVersion", &[]), constant("0.2"));
    assert_eq!(asked("laforge.getAPIVersion", &[]), constant("0.1"));
    assert_eq!(asked("laforge.getMrLaForgeVersion", &[]), constant("0.9"));
    assert_eq!(asked("twiddler.getAPIVersion", &[]), constant("1.0"));
    let store = CacheCall::Store("k".to_owned(), "v".into());
    assert_eq!(asked("cache.store", &["k".into(), "v".into()]), Ok(Asked::Cache(store)));
    let refused = Fault::about(FaultCode::BadName, "Cache key must be a non-empty string");
    for key in [Value::from(""), 5.into()] {
        assert_eq!(asked("cache.fetch", &[key]), Err(refused.clone()));
    }
    let signal = Command::SignalProcess(Namespec::split("g:*"), Ok(Signal::HUP));
    assert_eq!(asked("laforge.killProcess", &["g:*".into(), "hup".into()]), command(signal));
    let signal = Command::SignalProcessGroup("g".to_owned(), Ok(Signal::HUP));
    assert_eq!(asked("laforge.killProcessGroup", &["g".into(), "1".into()]), command(signal));
    assert_eq!(asked("twiddler.getGroupNames", &[]), command(Command::GetGroupNames));
    for (level, expected) in [
        (None, LogLevel::Info),
        (Some(Value::from("warn")), LogLevel::Warn),
        (Some("ERRO".into()), LogLevel::Error),
        (Some(50.into()), LogLevel::Critical),
    ] {
        let params: Vec<Value> = [Value::from("text")].into_iter().chain(level).collect();
        assert_eq!(asked("twiddler.log", &params), command(Command::WriteLog(expected, "text".to_owned())));
    }
    for level in [Value::from("critical"), 7.into()] {
        assert_eq!(asked("twiddler.log", &["x".into(), level]), fault(FaultCode::IncorrectParameters));
    }
    for method in ["cache.getPID", "twiddler.addProgramToGroup", "supervisor.getPID", "sv.updateProcessGroup"]
    {
        assert_eq!(asked(method, &[]), fault(FaultCode::UnknownMethod), "{method}");
    }
}
