//! Replies and faults in the form that clients expect.

use crate::model::{
    AutoRestart, BulkRow, ConfigInfo, ExitStatus, Fault, LogTarget, ProcessInfo, Reply, SUCCESS, StreamSpec,
    SupervisorState, UpdateRow,
};
use crate::xmlrpc::{Encoder, Value};

/// The result of a call.
#[must_use]
pub fn answer(reply: Reply) -> Value {
    match reply {
        // No method requests a log to follow, or what only the JSON API has.
        Reply::Done | Reply::Log(_) | Reply::Events(_) | Reply::Graph(_) | Reply::Differences(_) => {
            true.into()
        }
        Reply::Text(text) => text.into(),
        Reply::Names(names) => Value::Array(names.into_iter().map(Value::from).collect()),
        Reply::State(state) => supervisor_state(state),
        Reply::Pid(pid) => pid.into(),
        Reply::Info(info) => process_info(&info),
        Reply::AllInfo(infos) => Value::Array(infos.iter().map(process_info).collect()),
        Reply::Details(details) => process_details(&details.info),
        Reply::AllDetails(infos) => Value::Array(infos.iter().map(process_details).collect()),
        Reply::Changes { added, changed, removed } => changes([&added, &changed, &removed]),
        Reply::Tail { text, offset, overflow } => {
            Value::Array(vec![text.into(), i64::try_from(offset).unwrap_or(i64::MAX).into(), overflow.into()])
        }
        Reply::AllConfig(infos) => Value::Array(infos.iter().map(config_info).collect()),
        Reply::Bulk(rows) => Value::Array(rows.iter().map(bulk_row).collect()),
        Reply::Updated(rows) => Value::Array(rows.iter().map(update_row).collect()),
    }
}

/// The body of the HTTP reply for any result. A fault has status 200 too.
#[must_use]
pub fn body(outcome: Result<Value, Fault>) -> Encoder {
    match outcome {
        Ok(value) => Encoder::response(value),
        Err(fault) => Encoder::fault(fault.code.number(), &fault.to_string()),
    }
}

fn supervisor_state(state: SupervisorState) -> Value {
    Value::members([("statecode", state.code().into()), ("statename", state.name().into())])
}

fn process_info(info: &ProcessInfo) -> Value {
    members(process_members(info))
}

/// The fields of Supervisor, and the last exit: members without a value are omitted.
fn process_details(info: &ProcessInfo) -> Value {
    let mut details = process_members(info);
    if let Some(error) = details.iter_mut().find(|(name, _)| *name == "spawnerr") {
        error.1 = info.shown_spawn_error().into();
    }
    match info.last_exit {
        Some(ExitStatus::Exited(code)) => details.push(("last_exit_status", i32::from(code).into())),
        Some(status) => {
            let signal = status.signal().map(|signal| ("last_term_signal", signal.to_string().into()));
            details.extend(signal);
        }
        None => {}
    }
    details.extend(info.shown_hint().map(|hint| ("hint", hint.into())));
    for (member, names) in [("waiting_for", &info.waiting_for), ("needed_by", &info.needed_by)] {
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(|name| Value::from(name.as_str())).collect();
            details.push((member, names.into()));
        }
    }
    if let Some(status) = &info.reported_status {
        details.push(("status", status.as_str().into()));
    }
    if let Some(health) = info.shown_health() {
        details.push(("health", health.status.name().into()));
        details.extend(health.failure.map(|failure| ("health_failure", failure.into())));
    }
    if !info.check_output.is_empty() {
        details.push(("check_output", info.check_output.as_str().into()));
    }
    details.push(("ended_as_expected", info.ended_as_expected.into()));
    details.extend(info.listener.map(|state| ("listenerstate", state.name().into())));
    members(details)
}

fn members(members: Vec<(&'static str, Value)>) -> Value {
    Value::Struct(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

fn process_members(info: &ProcessInfo) -> Vec<(&'static str, Value)> {
    let text = |text: &String| Value::from(text.as_str());
    vec![
        ("name", text(&info.name)),
        ("group", text(&info.group)),
        ("start", info.start.into()),
        ("stop", info.stop.into()),
        ("now", info.now.into()),
        ("state", info.state.code().into()),
        ("statename", info.state.name().into()),
        ("spawnerr", text(&info.spawn_error)),
        ("exitstatus", info.exit_status.into()),
        // The name from before stderr had a log of its own.
        ("logfile", text(&info.stdout_log_file)),
        ("stdout_logfile", text(&info.stdout_log_file)),
        ("stderr_logfile", text(&info.stderr_log_file)),
        ("pid", info.pid.into()),
        ("description", info.shown_description().as_ref().into()),
    ]
}

/// Nested once more than necessary: clients rely on it.
fn changes(names: [&Vec<String>; 3]) -> Value {
    let texts = |names: &Vec<String>| Value::Array(names.iter().map(|name| name.as_str().into()).collect());
    Value::Array(vec![Value::Array(names.map(texts).into())])
}

fn config_info(info: &ConfigInfo) -> Value {
    let ConfigInfo { group_priority, in_use, process } = info;
    let or_none = |text: Option<String>| Value::from(text.unwrap_or_else(|| "none".to_owned()));
    let directory = process.directory.as_ref().map(|path| path.display().to_string());
    let uid = process.user.as_ref().map_or_else(|| "none".into(), |user| i64::from(user.uid).into());
    let mut members = vec![
        ("name", process.name.as_str().into()),
        ("group", process.group.as_str().into()),
        ("inuse", (*in_use).into()),
        ("group_prio", (*group_priority).into()),
        ("process_prio", process.priority.into()),
        ("command", process.command.as_str().into()),
        ("directory", or_none(directory)),
        ("uid", uid),
        ("autostart", process.autostart.into()),
        ("autorestart", auto_restart(process.autorestart)),
        ("startsecs", process.start_secs.into()),
        ("startretries", process.start_retries.number().into()),
        ("exitcodes", Value::Array(process.exit_codes.iter().map(|&code| code.into()).collect())),
        ("stopsignal", process.stop_signal.0.into()),
        ("stopwaitsecs", process.stop_wait_secs.into()),
        ("killasgroup", process.kill_as_group.into()),
        ("redirect_stderr", process.redirect_stderr.into()),
        ("serverurl", or_none(process.server_url.as_deref().map(str::to_owned))),
    ];
    members.extend(stream_info(STDOUT_MEMBERS, &process.stdout));
    members.extend(stream_info(STDERR_MEMBERS, &process.stderr));
    self::members(members)
}

const STDOUT_MEMBERS: [&str; 6] = [
    "stdout_logfile",
    "stdout_logfile_maxbytes",
    "stdout_logfile_backups",
    "stdout_capture_maxbytes",
    "stdout_events_enabled",
    "stdout_syslog",
];

const STDERR_MEMBERS: [&str; 6] = [
    "stderr_logfile",
    "stderr_logfile_maxbytes",
    "stderr_logfile_backups",
    "stderr_capture_maxbytes",
    "stderr_events_enabled",
    "stderr_syslog",
];

fn stream_info(names: [&'static str; 6], stream: &StreamSpec) -> impl Iterator<Item = (&'static str, Value)> {
    let log_file = match &stream.target {
        LogTarget::None => "none".to_owned(),
        LogTarget::Auto => "auto".to_owned(),
        LogTarget::File(path) => path.display().to_string(),
    };
    let values: [Value; 6] = [
        log_file.into(),
        stream.bytes_max.into(),
        stream.backups.into(),
        stream.capture_bytes_max.into(),
        stream.events_enabled.into(),
        stream.syslog.into(),
    ];
    names.into_iter().zip(values)
}

fn auto_restart(policy: AutoRestart) -> Value {
    match policy {
        AutoRestart::Never => false.into(),
        AutoRestart::Always => true.into(),
        AutoRestart::Unexpected => "unexpected".into(),
    }
}

fn bulk_row(BulkRow { name, group, outcome }: &BulkRow) -> Value {
    status_row(name, group, outcome.as_ref().map(|()| "OK"))
}

/// A bulk row with the performed action instead of `OK`.
fn update_row(UpdateRow { name, group, outcome }: &UpdateRow) -> Value {
    let name = name.as_deref().unwrap_or_default();
    status_row(name, group, outcome.as_ref().map(|updated| updated.name()))
}

fn status_row(name: &str, group: &str, outcome: Result<&str, &Fault>) -> Value {
    let (status, description) = match outcome {
        Ok(done) => (SUCCESS, done.to_owned()),
        Err(fault) => (fault.code.number(), fault.to_string()),
    };
    Value::members([
        ("name", name.into()),
        ("group", group.into()),
        ("status", status.into()),
        ("description", description.into()),
    ])
}
