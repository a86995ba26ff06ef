//! How a scenario performs effects, as the shell would.

use super::*;

impl Scenario {
    pub(super) fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Log { level: LogLevel::Debug | LogLevel::Blather, .. } if !self.verbose => None,
            Effect::Log { level, text } => {
                self.log.push(format!("{} {text}", level.tag()));
                None
            }
            Effect::RunTask { child, task } => {
                match child {
                    ChildId::Hook(hook) => self.begin_hook(hook, task),
                    ChildId::Probe(probe) => {
                        self.log.push(format!("!run {child:?} {}", task.command));
                        self.probes.push(probe);
                    }
                    ChildId::Exec(_) | ChildId::Process(_) => panic!("{child:?}"),
                }
                None
            }
            Effect::Probe { probe, target, .. } => {
                self.log.push(format!("!probe {target}"));
                self.probes.push(probe);
                None
            }
            // The shell may answer at once; here a test decides when.
            Effect::CheckFile { probe, .. } => {
                self.probes.push(probe);
                None
            }
            Effect::CancelTask { child } => {
                self.probes.retain(|probe| child != ChildId::Probe(*probe));
                self.hooks.retain(|(hook, ..)| child != ChildId::Hook(*hook));
                self.log.push(format!("!cancel {child:?}"));
                None
            }
            Effect::Spawn { process } => {
                let spec = self.supervisor.spec(process).unwrap();
                let name = (spec.group.clone(), spec.name.clone());
                self.log.push(format!("!spawn {}", name.1));
                let of_it = self.hooks.iter().filter(|(_, whose, _)| *whose == process);
                let mut in_its_way = of_it.filter(|(.., hook)| hook != "on_failure");
                assert!(in_its_way.next().is_none(), "{name:?} starts while a hook runs: {:?}", self.hooks);
                self.pids += 1;
                while self.pids_in_use.values().any(|pid| pid.0 == self.pids) {
                    self.pids += 1;
                }
                let error = self.spawn_errors.pop_front();
                let outcome = match error {
                    _ if self.is_short => {
                        Err(NotSpawned::for_shortage(format!("too many open files to spawn '{}'", name.1)))
                    }
                    Some(text) => Err(NotSpawned::from(text.to_owned())),
                    None => Ok(SpawnedProcess { pid: Pid(self.pids), is_in_cgroup: self.enters_cgroups }),
                };
                if outcome.is_ok() {
                    assert!(!self.alive.values().any(|other| *other == name), "two of {name:?}");
                    self.alive.insert(process, name);
                    self.pids_in_use.insert(process, Pid(self.pids));
                }
                let at = Now { mono: self.now.mono.after(self.spawn_takes), ..self.now };
                Some(Input::Spawned { process, at, outcome })
            }
            Effect::Check { process } => {
                let name = self.supervisor.spec(process).map(|spec| spec.name.as_str());
                let has_fault = self.check_fault_of.is_none_or(|of| name == Some(of));
                let fault = self.check_fault.clone().filter(|_| has_fault);
                Some(Input::Checked { process, outcome: fault.map_or(Ok(()), Err) })
            }
            Effect::Kill { process, signal, target, .. } => {
                let whole = match target {
                    KillTarget::Process => "",
                    KillTarget::Group => " group",
                    KillTarget::Cgroup => " cgroup",
                    KillTarget::Tree => " tree",
                };
                let name = &self.supervisor.spec(process).unwrap().name;
                self.log.push(format!("!kill {name} {signal}{whole}"));
                let outcome = self.send_error.clone().map_or(Ok(()), Err);
                if matches!(outcome, Err(SendError::Failed(_))) {
                    self.unknown.insert(process);
                }
                Some(Input::Sent { process, signal, outcome })
            }
            Effect::FindMembers { groups } => {
                self.looks += 1;
                let found = groups.iter().map(|group| (group.process, self.members.clone()));
                Some(Input::MembersFound(found.collect()))
            }
            Effect::KillMembers { group: LeaderlessGroup { process, leader, target }, signal } => {
                let name = &self.supervisor.spec(process).unwrap().name;
                let place = if target == KillTarget::Cgroup { "the cgroup of " } else { "" };
                self.log.push(format!("!kill {name} {signal} members of {place}{leader}"));
                None
            }
            Effect::ForgetMembers { .. } => None,
            Effect::LookForOrphans { process, leader, .. } => {
                Some(Input::OrphansFound { process, leader, orphans: self.orphans.clone() })
            }
            Effect::Reply { ticket, result } => {
                let lines = match result {
                    Ok(Reply::Bulk(rows)) => {
                        let row = |row: &BulkRow| match &row.outcome {
                            Ok(()) => format!("{}:ok", row.name),
                            Err(fault) => format!("{}:{fault}", row.name),
                        };
                        rows.iter().map(row).collect::<Vec<_>>().join(",")
                    }
                    Ok(Reply::Updated(rows)) => {
                        let row = |UpdateRow { name, group, outcome }: &UpdateRow| {
                            let name = name.clone().unwrap_or_else(|| format!("{group}:*"));
                            match outcome {
                                Ok(updated) => format!("{name}:{}", updated.name()),
                                Err(fault) => format!("{name}:{fault}"),
                            }
                        };
                        rows.iter().map(row).collect::<Vec<_>>().join(",")
                    }
                    Ok(Reply::Done) => "done".to_owned(),
                    Ok(Reply::Differences(groups)) => differences_text(&groups),
                    Ok(other) => format!("{other:?}"),
                    Err(fault) => fault.to_string(),
                };
                self.log.push(format!("!reply {} {lines}", ticket.0));
                None
            }
            Effect::ReadSettings { purpose } => {
                let groups = || match &purpose {
                    ReadFor::Scale { program, processes, present, .. } => {
                        Ok(self.scaled_readings(program, *processes, present))
                    }
                    _ => Ok(self.next_groups.clone()),
                };
                let outcome = self.broken_settings.map_or_else(groups, |text| Err(text.to_owned()));
                Some(Input::SettingsRead { purpose, outcome })
            }
            Effect::ReadLog { ticket, of, .. } => {
                Some(Input::LogRead { ticket, outcome: Ok(Reply::Text(format!("{of:?}"))) })
            }
            Effect::ClearLog { ticket } => Some(Input::LogRead { ticket, outcome: Ok(Reply::Done) }),
            Effect::ClearLogs { process } => {
                Some(Input::LogsCleared { process, cleared: self.send_error.is_none() })
            }
            Effect::WriteStdin { process, text } => {
                let name = &self.supervisor.spec(process).unwrap().name;
                self.log.push(format!("!write {name} {text}"));
                let outcome = self.send_error.as_ref().map_or(Ok(()), |error| match error {
                    SendError::Gone(_) => Err(StdinError::Closed),
                    SendError::Failed(_) => Err(StdinError::Full),
                });
                Some(Input::StdinTaken { process, outcome })
            }
            Effect::SendEvent { process, serial, bytes } => {
                let name = &self.supervisor.spec(process).unwrap().name;
                let text = String::from_utf8(bytes).unwrap();
                self.log.push(format!(
                    "!event {name} {}",
                    text.strip_prefix("ver:3.0 server:supervisor ").unwrap()
                ));
                Some(Input::EventSent { process, serial, outcome: self.event_error.map_or(Ok(()), Err) })
            }
            Effect::MakeAutoLogs { process } => {
                let path = |channel: &str| Some(PathBuf::from(format!("/auto/{}-{channel}", process.0)));
                Some(Input::AutoLogsMade { process, stdout: path("out"), stderr: path("err") })
            }
            Effect::ApplyLimits { process, pid, options } => {
                let name = &self.supervisor.spec(process).unwrap().name;
                let options: Vec<_> = options.iter().map(|option| option.name()).collect();
                self.log.push(format!("!apply {} to {name} ({pid})", options.join(", ")));
                None
            }
            Effect::MeasureMemory { process, pid } => {
                Some(Input::MemoryMeasured { process, pid, bytes: self.memory_bytes })
            }
            Effect::ApplyLogLimits { process } => {
                let spec = self.supervisor.spec(process).unwrap();
                self.log.push(format!("!limits {} {}", spec.name, spec.stdout.bytes_max));
                None
            }
            Effect::TrySockets { ticket, group, sockets } => {
                let urls: Vec<_> = sockets.iter().map(|socket| socket.url()).collect();
                self.log.push(format!("!try {}", urls.join(" ")));
                let outcome = self.socket_error.map_or(Ok(()), |text| Err(text.to_owned()));
                Some(Input::SocketsTried { ticket, group, outcome })
            }
            Effect::Print { channel, bytes } => {
                let text = String::from_utf8(bytes).unwrap();
                self.log.push(format!("!print to {}: {text}", channel.name()));
                None
            }
            Effect::Forget { process } => {
                // As in Supervisor, a group with a process whose state is unknown can be removed.
                if self.unknown.contains(&process) {
                    self.alive.remove(&process);
                    self.pids_in_use.remove(&process);
                }
                None
            }
            Effect::ReopenLogs => {
                self.log.push("!reopen".to_owned());
                None
            }
            Effect::AllStopped(then) => {
                self.log.push(match then {
                    AfterStop::End(ending) if ending.is_ordered() => "!stopped End".to_owned(),
                    AfterStop::End(ending) => format!("!stopped {}: {ending}", ending.status()),
                    AfterStop::Restart => "!stopped Restart".to_owned(),
                });
                None
            }
        }
    }
}

impl Scenario {
    /// The group of a program as it is configured, or as `next_groups` says, with its present and with another number of
    /// processes.
    fn scaled_readings(
        &self,
        program: &str,
        processes: u32,
        numbers: &BTreeMap<String, u32>,
    ) -> Vec<GroupSpec> {
        let is_of_program = |it: &&Arc<ProcessSpec>| it.program == program;
        let mut groups = self.next_groups.iter().chain(&self.supervisor.configured);
        let present = groups.find(|group| group.processes.iter().any(|it| is_of_program(&it)));
        let Some(present) = present.cloned() else { return Vec::new() };
        let first = present.processes.iter().find(is_of_program).unwrap().clone();
        let others = present.processes.iter().filter(|it| it.program != program).cloned();
        let with = |number: u32| {
            let scaled = (0..number).map(|at| {
                let name = format!("{program}_{at}");
                let known = present.processes.iter().find(|it| it.name == name).cloned();
                known.unwrap_or_else(|| {
                    ProcessSpec { name: name.as_str().into(), ..ProcessSpec::clone(&first) }.into()
                })
            });
            GroupSpec { processes: others.clone().chain(scaled).collect(), ..present.clone() }
        };
        vec![numbers.get(program).map_or_else(|| present.clone(), |number| with(*number)), with(processes)]
    }
}

fn differences_text(groups: &[GroupDifference]) -> String {
    let process = |it: &ProcessDifference| {
        let options = it.options.iter().map(|it| format!("{}:{}", it.name, it.update.name()));
        let options = options.collect::<Vec<_>>().join(",");
        format!("{} {} {} ({options})", it.name, it.change.name(), it.action.name())
    };
    let group = |it: &GroupDifference| {
        let processes: Vec<_> = it.processes.iter().map(process).collect();
        format!("{} {}: {}", it.group, it.change.name(), processes.join("; "))
    };
    groups.iter().map(group).collect::<Vec<_>>().join(" | ")
}
