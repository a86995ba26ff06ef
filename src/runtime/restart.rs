//! Restarting in the same process: everything is stopped, and new settings take effect.

use std::collections::BTreeMap;

use super::activity::Activity;
use super::effects::inherited_variables;
use super::notices::log_notices;
use super::pidfile::write_pid_file;
use super::servers::open;
use super::{Shell, implicit};
use crate::config;
use crate::host::Host;
use crate::model::{GroupSpec, LogLevel, Settings};
use crate::output::clean_auto_logs;
use crate::rpc::Cache;
use crate::supervise::{Identity, Input, ReadFor, group_of_program};
use crate::sys::process::own_pid;

impl Shell {
    /// Reads the configuration again, and returns the groups that the core needs. The error has one line for each
    /// problem.
    ///
    /// New settings are kept for a restart, if their sockets can be opened. Of `[supervisord]` a reread applies
    /// `loglevel`, and `environment` as a part of the groups.
    /// COMPAT: Supervisor applies some more to what is spawned later, and the level only to the output of
    /// children.
    pub(super) fn read_settings_for(&mut self, purpose: &ReadFor) -> Result<Vec<GroupSpec>, String> {
        // Users may have been added since.
        self.host = Host::look_as_supervisor();
        match purpose {
            ReadFor::Scale { program, processes, present, .. } => {
                let mut wanted = present.clone();
                wanted.insert(program.clone(), *processes);
                let readings = [self.read_settings(present)?.groups, self.read_settings(&wanted)?.groups];
                group_of_program(program, readings)
            }
            ReadFor::Diff(_) => Ok(self.read_settings(&BTreeMap::new())?.groups),
            ReadFor::Restart(_) => {
                let settings = self.read_settings(&BTreeMap::new())?;
                self.try_sockets(settings.groups.iter().flat_map(GroupSpec::sockets))?;
                self.next_settings = Some(settings);
                Ok(Vec::new())
            }
            ReadFor::Reread(_) | ReadFor::Update { .. } => {
                let settings = self.read_settings(&BTreeMap::new())?;
                self.log_messages(settings.notices);
                self.activity.set_level(settings.daemon.log_level);
                self.feed(Input::LogLevel { level: settings.daemon.log_level });
                Ok(settings.groups)
            }
        }
    }

    /// With other numbers of processes for some programs.
    fn read_settings(&self, numprocs: &BTreeMap<String, u32>) -> Result<Settings, String> {
        let (overrides, command) = (&self.launch.overrides, &self.launch.command);
        config::load_scaled(&self.config_file, overrides, command, numprocs, &self.host)
            .map_err(|errors| errors.to_string())
    }

    /// Nothing in here ends the supervisor: resources that are no longer available are reported and skipped.
    pub(super) fn restart_in_place(&mut self) {
        let Some(settings) = self.next_settings.take() else { return };
        self.end_followers();
        self.output.forget_all();
        self.replace_activity_log(&settings);
        self.replace_servers(&settings);
        self.settings = settings;
        self.inherited = inherited_variables(&self.settings);
        self.front.cache = Cache::default();
        if let Err(error) = self.signals.deliver(self.settings.daemon.rules.signals.keys().copied()) {
            self.log(LogLevel::Critical, &error.to_string());
        }
        for text in clean_auto_logs(&self.settings.daemon) {
            self.log(LogLevel::Warn, &text);
        }
        let groups = std::mem::take(&mut self.settings.groups);
        let identity = Identity { identifier: self.settings.daemon.identifier.clone(), pid: own_pid() };
        self.children.forget_groups();
        self.resources.forget_processes();
        self.abandon_tasks();
        self.core = self.core.succeed(identity, groups).under(self.settings.daemon.rules.clone());
        self.remember_own_log();
        self.measure_names();
        log_notices(self);
        self.pid_file = None;
        write_pid_file(self);
        self.prepare_cgroups();
        self.feed(Input::LogLevel { level: self.activity.level() });
        self.feed(Input::Begin);
    }

    fn replace_activity_log(&mut self, settings: &Settings) {
        self.activity.flush(self.output.destinations());
        let echo = self.launch.is_in_foreground(settings) && !settings.daemon.silent;
        match Activity::open(&settings.daemon, echo, &self.clock, self.output.destinations()) {
            Ok(activity) => std::mem::replace(&mut self.activity, activity).close(self.output.destinations()),
            Err(text) => self.log(LogLevel::Critical, &format!("{text}; the old one stays in use")),
        }
    }

    /// An unchanged server keeps its socket and its clients.
    fn replace_servers(&mut self, settings: &Settings) {
        let wanted: Vec<_> = settings.servers.iter().chain(&settings.probe_servers).collect();
        self.front.servers.retain(|spec| spec.is_implicit || wanted.contains(&spec), &mut self.sources);
        // Restores the socket files of servers that remain.
        self.restore_socket_files(true);
        for spec in wanted {
            if self.front.servers.specs().any(|open| open == spec) {
                continue;
            }
            match open(spec, &mut self.host_names, |_| ()) {
                Ok(opened) => self.front.servers.add(opened, &self.poller, &mut self.sources),
                Err(refusal) => self.log(LogLevel::Critical, &refusal.text(self.launch.foreground)),
            }
        }
        self.replace_implicit_server(settings);
        self.drop_streams_of_closed_servers();
    }

    /// The socket without a section is kept while it is wanted.
    fn replace_implicit_server(&mut self, settings: &Settings) {
        let configured = self.front.servers.specs().filter(|spec| !spec.is_implicit);
        let wish = implicit::wanted(&self.launch, settings, configured);
        self.front.servers.retain(|spec| !spec.is_implicit || wish.is_met_by(spec), &mut self.sources);
        if self.front.servers.specs().any(|spec| spec.is_implicit) {
            return;
        }
        match implicit::open(&wish, &self.config_file, &self.host, &mut self.host_names) {
            Ok(Some(opened)) => self.front.servers.add(opened, &self.poller, &mut self.sources),
            Ok(None) => {}
            Err(text) => self.log(LogLevel::Warn, &text),
        }
    }
}
