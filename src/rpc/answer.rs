//! Replies and faults as clients know them.

use crate::model::{BulkRow, Fault, ProcessInfo, Reply, SUCCESS, SupervisorState};
use crate::xmlrpc::{self, Value};

/// The result of a call.
#[must_use]
pub fn answer(reply: &Reply) -> Value {
    match reply {
        Reply::Done => true.into(),
        Reply::Text(text) => text.as_str().into(),
        Reply::State(state) => supervisor_state(*state),
        Reply::Pid(pid) => (*pid).into(),
        Reply::Info(info) => process_info(info),
        Reply::AllInfo(infos) => Value::Array(infos.iter().map(process_info).collect()),
        Reply::Bulk(rows) => Value::Array(rows.iter().map(bulk_row).collect()),
    }
}

/// The body of the HTTP reply, whatever the outcome. A fault has the status 200 too.
#[must_use]
pub fn body(result: &Result<Reply, Fault>) -> Vec<u8> {
    match result {
        Ok(reply) => xmlrpc::encode_response(&answer(reply)),
        Err(fault) => fault_body(fault),
    }
}

/// The body of the HTTP reply to a call that was refused.
#[must_use]
pub fn fault_body(fault: &Fault) -> Vec<u8> {
    xmlrpc::encode_fault(fault.code as i32, &fault.to_string())
}

fn supervisor_state(state: SupervisorState) -> Value {
    Value::members([("statecode", state.code().into()), ("statename", state.name().into())])
}

fn process_info(info: &ProcessInfo) -> Value {
    let text = |text: &String| Value::from(text.as_str());
    Value::members([
        ("name", text(&info.name)),
        ("group", text(&info.group)),
        ("start", info.start.into()),
        ("stop", info.stop.into()),
        ("now", info.now.into()),
        ("state", info.state.code().into()),
        ("statename", info.state.name().into()),
        ("spawnerr", text(&info.spawn_error)),
        ("exitstatus", info.exit_status.into()),
        // Before stderr had a log of its own this was the only one.
        ("logfile", text(&info.stdout_log_file)),
        ("stdout_logfile", text(&info.stdout_log_file)),
        ("stderr_logfile", text(&info.stderr_log_file)),
        ("pid", info.pid.into()),
        ("description", text(&info.description)),
    ])
}

fn bulk_row(row: &BulkRow) -> Value {
    let (status, description) = match &row.outcome {
        Ok(()) => (SUCCESS, "OK".to_owned()),
        Err(fault) => (fault.code as i32, fault.to_string()),
    };
    Value::members([
        ("name", row.name.as_str().into()),
        ("group", row.group.as_str().into()),
        ("status", status.into()),
        ("description", description.into()),
    ])
}
