//! Processes: their state, their configuration and their history.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::error::ApiError;
use super::facts::ServerFacts;
use super::list::{ListReply, NoHead, encode};
use super::query::Query;
use super::{json, utc};
use crate::http::Response;
use crate::model::{
    Command, ConfigInfo, Dependency, ExitStatus, Fault, FaultCode, HIDDEN, HealthInfo, HealthStatus,
    Namespec, ProcessDetails, ProcessInfo, ProcessSpec, ProcessState, ProgramType, Reply, RunCounters,
    StartRetries, Transition, WrittenAt,
};

/// Which processes are listed: those that match everything that is given. By a name there is one at most, which is
/// looked up.
#[derive(Debug, Default)]
pub(super) struct ProcessFilter {
    name: Option<Namespec>,
    group: Option<String>,
    states: Option<Vec<ProcessState>>,
}

impl ProcessFilter {
    pub(super) fn of(query: &Query) -> Result<Self, ApiError> {
        let states = query.text("state").map(|words| words.split(',').map(state).collect()).transpose()?;
        Ok(Self {
            name: query.text("name").map(Namespec::split),
            group: query.text("group").map(str::to_owned),
            states,
        })
    }

    /// The command that lists at least those that match.
    pub(super) fn command(&self) -> Command {
        self.name.clone().map_or(Command::GetAllProcessDetails, Command::GetProcessDetails)
    }

    /// Those that its command has found.
    pub(super) fn found(outcome: Result<Reply, Fault>) -> Result<Vec<ProcessInfo>, Fault> {
        match outcome {
            Ok(Reply::AllDetails(infos)) => Ok(infos),
            Ok(Reply::Details(details)) => Ok(vec![details.info]),
            // A filter that nothing matches.
            Err(fault) if fault.code == FaultCode::BadName => Ok(Vec::new()),
            Ok(_) => Err(Fault::bare(FaultCode::Failed)),
            Err(fault) => Err(fault),
        }
    }

    fn matches(&self, info: &ProcessInfo) -> bool {
        self.group.as_ref().is_none_or(|group| *group == info.group)
            && self.states.as_ref().is_none_or(|states| states.contains(&info.state))
    }
}

fn state(word: &str) -> Result<ProcessState, ApiError> {
    let all = ProcessState::ALL.into_iter();
    let mut named = all.filter(|state| state.name().eq_ignore_ascii_case(word));
    named.next().ok_or_else(|| ApiError::bad_request(&format!("there is no state '{word}'")))
}

#[derive(Serialize)]
struct ProcessesHead {
    now_at: String,
    newest_event: u64,
    summary: SummaryView,
}

#[derive(Serialize)]
struct SummaryView {
    total: usize,
    by_state: BTreeMap<&'static str, usize>,
    unhealthy: usize,
}

/// All processes that a filter matches, with a summary of them.
pub(super) fn list(mut infos: Vec<ProcessInfo>, filter: &ProcessFilter, facts: &ServerFacts) -> ListReply {
    infos.retain(|info| filter.matches(info));
    let mut summary = SummaryView { total: infos.len(), by_state: BTreeMap::new(), unhealthy: 0 };
    for info in &infos {
        *summary.by_state.entry(info.state.name()).or_default() += 1;
        summary.unhealthy += usize::from(is_unhealthy(info));
    }
    let ServerFacts { now, newest_event, .. } = facts;
    let head = ProcessesHead { now_at: utc(now.unix_ms), newest_event: *newest_event, summary };
    ListReply::new(&head).list("processes", infos, |info, out| encode(&ProcessView::of(info), out))
}

fn is_unhealthy(info: &ProcessInfo) -> bool {
    info.health.as_ref().is_some_and(|health| health.status == HealthStatus::Unhealthy)
}

#[derive(Serialize)]
struct DetailsView<'a> {
    now_at: String,
    newest_event: u64,
    process: ProcessView<'a>,
    config: ConfigView<'a>,
    history: Vec<TransitionView<'a>>,
}

/// One process with its configuration and its history.
pub(super) fn details(details: &ProcessDetails, facts: &ServerFacts) -> Response {
    let view = DetailsView {
        now_at: utc(facts.now.unix_ms),
        newest_event: facts.newest_event,
        process: ProcessView::of(&details.info),
        config: ConfigView::of(&details.spec),
        history: details.history.iter().map(TransitionView::of).collect(),
    };
    json(200, &view)
}

/// A process.
#[derive(Serialize)]
struct ProcessView<'a> {
    full_name: String,
    group: &'a str,
    name: &'a str,
    state: &'static str,
    description: Cow<'a, str>,
    pid: Option<i32>,
    since_at: Option<String>,
    started_at: Option<String>,
    ended_at: Option<String>,
    uptime_secs: Option<i64>,
    next_start_at: Option<String>,
    spawn_error: Option<&'a str>,
    failed_step: Option<&'a str>,
    hint: Option<&'a str>,
    waiting_for: &'a [String],
    needed_by: &'a [String],
    status: Option<&'a str>,
    health: Option<HealthView>,
    check_output: Option<&'a str>,
    last_end: Option<EndView>,
    counters: RunCounters,
    listener_state: Option<&'static str>,
    logs: LogsView<'a>,
}

#[derive(Serialize)]
struct HealthView {
    status: &'static str,
    failure: Option<String>,
}

/// Every configured process.
pub(super) fn configuration(infos: Vec<ConfigInfo>) -> ListReply {
    ListReply::new(&NoHead {}).list(
        "processes",
        infos,
        |ConfigInfo { group_priority, in_use, process }, out| {
            let view = ConfiguredView {
                full_name: Namespec::join(&process.group, &process.name),
                group: &process.group,
                name: &process.name,
                in_use: *in_use,
                group_priority: *group_priority,
                config: ConfigView::of(process),
            };
            encode(&view, out);
        },
    )
}

#[derive(Serialize)]
struct ConfiguredView<'a> {
    full_name: String,
    group: &'a str,
    name: &'a str,
    in_use: bool,
    group_priority: i64,
    config: ConfigView<'a>,
}

/// How a process has ended: by an exit or a signal, or in a way that has no name.
#[derive(Serialize)]
pub(super) struct EndView {
    exit_code: Option<u8>,
    signal: Option<String>,
    /// The kernel killed it, as memory was short.
    out_of_memory: bool,
    /// Left out of a transition, whose state says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<bool>,
}

/// The paths of its logs.
#[derive(Serialize)]
struct LogsView<'a> {
    stdout: Option<&'a str>,
    stderr: Option<&'a str>,
}

impl<'a> ProcessView<'a> {
    fn of(info: &'a ProcessInfo) -> Self {
        let pid = Some(info.pid).filter(|pid| *pid != 0);
        let time =
            |secs: i64| Some(secs).filter(|secs| *secs != 0).map(|secs| utc(secs.saturating_mul(1000)));
        Self {
            full_name: Namespec::join(&info.group, &info.name),
            group: &info.group,
            name: &info.name,
            state: info.state.name(),
            description: info.shown_description(),
            pid,
            since_at: info.since_ms.map(utc),
            started_at: time(info.start),
            ended_at: time(info.stop),
            // A clock that was set back makes it zero rather than negative.
            uptime_secs: pid.filter(|_| info.start != 0).map(|_| (info.now - info.start).max(0)),
            next_start_at: info.next_start_ms.map(utc),
            spawn_error: some_text(info.shown_spawn_error()),
            failed_step: info.step_failure.as_deref(),
            hint: info.hint.as_deref(),
            waiting_for: &info.waiting_for,
            needed_by: &info.needed_by,
            status: info.reported_status.as_deref(),
            health: info.shown_health().map(HealthView::of),
            check_output: some_text(&info.check_output),
            last_end: info.last_exit.map(|exit| EndView::of(exit, Some(info.ended_as_expected))),
            counters: info.counters,
            listener_state: info.listener.map(|state| state.name()),
            logs: LogsView {
                stdout: some_text(&info.stdout_log_file),
                stderr: some_text(&info.stderr_log_file),
            },
        }
    }
}

fn some_text(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl HealthView {
    fn of(health: HealthInfo) -> Self {
        Self { status: health.status.name(), failure: health.failure }
    }
}

impl EndView {
    pub(super) fn of(exit: ExitStatus, expected: Option<bool>) -> Self {
        let exit_code = match exit {
            ExitStatus::Exited(code) => Some(code),
            ExitStatus::Signaled { .. } | ExitStatus::OomKilled | ExitStatus::Unknown(_) => None,
        };
        let signal = exit.signal().map(|signal| signal.to_string());
        Self { exit_code, signal, out_of_memory: exit == ExitStatus::OomKilled, expected }
    }
}

/// A change of its state.
#[derive(Serialize)]
struct TransitionView<'a> {
    serial: u64,
    at: String,
    from: &'static str,
    to: &'static str,
    pid: Option<i32>,
    end: Option<EndView>,
    reason: Cow<'a, str>,
}

impl<'a> TransitionView<'a> {
    fn of(transition: &'a Transition) -> Self {
        Self {
            serial: transition.serial,
            at: utc(transition.at.unix_ms),
            from: transition.from.name(),
            to: transition.to.name(),
            pid: transition.pid.map(|pid| pid.0),
            end: transition.exit.map(|exit| EndView::of(exit, None)),
            reason: transition.reason.text(),
        }
    }
}

/// The configuration of a process, by the names of its options. Texts from files of secrets are not shown.
#[derive(Serialize)]
pub(super) struct ConfigView<'a> {
    command: &'a str,
    directory: Option<String>,
    user: Option<&'a str>,
    r#type: &'static str,
    autostart: bool,
    /// `true`, `false` or `unexpected`.
    autorestart: &'static str,
    priority: i64,
    startsecs: i64,
    /// Null is `forever`.
    startretries: Option<i64>,
    exitcodes: &'a [i32],
    stopsignal: String,
    stopwaitsecs: i64,
    depends_on: Vec<DependencyView<'a>>,
    restart_with: Vec<DependencyView<'a>>,
    ready: Vec<String>,
    health: Option<String>,
    schedule: Option<&'a str>,
    defined_at: Option<PlaceView<'a>>,
}

#[derive(Serialize)]
struct DependencyView<'a> {
    on: &'a str,
    /// Null is the default: `done` for a oneshot, otherwise `ready`.
    condition: Option<String>,
    optional: bool,
}

#[derive(Serialize)]
struct PlaceView<'a> {
    file: &'a str,
    line: usize,
}

impl<'a> ConfigView<'a> {
    pub(super) fn of(spec: &'a ProcessSpec) -> Self {
        let is_hidden = |option| spec.lifecycle.secret_options.has(option);
        let shown = |option, text: String| if is_hidden(option) { HIDDEN.to_owned() } else { text };
        let directory = spec.directory.as_ref();
        let ready = spec.lifecycle.readiness.iter().flat_map(|it| &it.checks);
        Self {
            command: if is_hidden("command") { HIDDEN } else { &spec.command },
            directory: directory.map(|path| shown("directory", path.display().to_string())),
            user: spec.user.as_ref().map(|user| user.name.as_str()),
            r#type: match spec.program_type {
                ProgramType::Daemon => "daemon",
                ProgramType::Oneshot => "oneshot",
            },
            autostart: spec.autostart,
            autorestart: spec.autorestart.name(),
            priority: spec.priority,
            startsecs: spec.start_secs,
            startretries: match spec.start_retries {
                StartRetries::Times(times) => Some(times),
                StartRetries::Forever => None,
            },
            exitcodes: &spec.exit_codes,
            stopsignal: spec.stop_signal.bare_name(),
            stopwaitsecs: spec.stop_wait_secs,
            depends_on: spec.lifecycle.depends_on.iter().map(DependencyView::of).collect(),
            restart_with: spec.lifecycle.restart_with.iter().map(DependencyView::of).collect(),
            ready: ready.map(|check| shown("ready", check.to_string())).collect(),
            health: spec.lifecycle.health.as_ref().map(|health| shown("health", health.check.to_string())),
            schedule: spec.lifecycle.schedule.as_ref().map(|schedule| schedule.text.as_str()),
            defined_at: PlaceView::of(&spec.defined_at),
        }
    }
}

impl<'a> DependencyView<'a> {
    fn of(dependency: &'a Dependency) -> Self {
        let condition = dependency.condition.map(|condition| condition.to_string());
        Self { on: &dependency.name, condition, optional: dependency.is_optional }
    }
}

impl<'a> PlaceView<'a> {
    /// `None` for what no file defines.
    fn of(place: &'a WrittenAt) -> Option<Self> {
        (place.line > 0).then_some(Self { file: &place.source, line: place.line })
    }
}
