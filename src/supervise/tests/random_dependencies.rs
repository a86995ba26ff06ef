//! Random graphs of dependencies and random inputs: a process that waits is started or fails,
//! nothing stops before its dependents, the counts stay correct, and every shutdown ends.

use super::super::conditions::Gate;
use super::super::process::State;
use super::random::Random;
use super::*;

const PROGRAMS: u64 = 7;

/// Three programs in four are alone, the others in a group. Each depends on some of those before it.
fn graph(random: &mut Random) -> Vec<GroupSpec> {
    let mut specs: Vec<ProcessSpec> = (0..PROGRAMS).map(|number| program(number, random)).collect();
    // This may name conditions that a configuration would reject: they never hold.
    specs.retain(|_| !random.one_in(12));
    let (grouped, alone_ones): (Vec<_>, Vec<_>) = specs.into_iter().partition(|_| random.one_in(4));
    let mut groups: Vec<_> = alone_ones.into_iter().map(|it| alone(it.priority, it)).collect();
    groups.push(group("g", grouped));
    groups
}

fn name(number: u64) -> String {
    format!("p{number}")
}

fn program(number: u64, random: &mut Random) -> ProcessSpec {
    let (mut depends_on, mut restart_with) = (Vec::new(), Vec::new());
    for other in 0..number {
        if !random.one_in(3) {
            continue;
        }
        let conditions =
            [None, None, Some(Condition::Started), Some(Condition::Done), Some(Condition::Healthy)];
        let condition = random.of(&conditions).unwrap();
        let dependency = Dependency {
            name: name(other),
            condition,
            is_optional: random.one_in(4),
            place: WrittenAt::default(),
        };
        if random.one_in(4) { restart_with.push(dependency) } else { depends_on.push(dependency) }
    }
    let check = HealthCheck::Probe(Probe::Unix("/socket".into()));
    let health = HealthSpec { retries: 1, interval: Duration::from_secs(1), ..HealthSpec::new(check) };
    let spec = ProcessSpec {
        lifecycle: LifecycleSpec {
            depends_on,
            restart_with,
            health: random.one_in(3).then(|| Box::new(health)),
            ..LifecycleSpec::default()
        }
        .into(),
        priority: random.below(3) as i64,
        autostart: !random.one_in(4),
        autorestart: random.of(&[AutoRestart::Never, AutoRestart::Unexpected, AutoRestart::Always]).unwrap(),
        start_secs: random.below(2) as i64,
        start_retries: StartRetries::Times(random.below(2) as i64),
        ..spec(&name(number))
    };
    let hooks = random.one_in(3).then(|| hooks::with_hooks(|_| ()).lifecycle.hooks.clone()).flatten();
    spec.with_lifecycle(|it| it.hooks = hooks)
}

fn random_input(scenario: &mut Scenario, random: &mut Random) {
    let any = name(random.below(PROGRAMS));
    let process = scenario.supervisor.processes.iter().find(|it| it.spec.name == any);
    let full_name = process.map(|it| it.full_name());
    match random.below(25) {
        20..=23 => {
            let Some(probe) = random.of(&scenario.probes) else { return };
            scenario.probes.retain(|it| *it != probe);
            let refused = || Err(ProbeFailure::of_program("connection refused"));
            let outcome = if random.one_in(3) { refused() } else { Ok(()) };
            scenario.input(Input::Probed { probe, outcome });
        }
        0 => scenario.ask(Command::StartAllProcesses(Wait::Yes)),
        1 => scenario.ask(Command::StopAllProcesses(Wait::Yes)),
        2 | 3 => full_name.into_iter().for_each(|name| scenario.start(&name, Wait::Yes)),
        4 | 5 => full_name.into_iter().for_each(|name| scenario.stop(&name, Wait::Yes)),
        6 | 7 => scenario.pass(random.below(2_500) as f64 / 1000.0),
        8 => scenario.spawn_errors.extend(random.one_in(2).then_some("no")),
        24 => {
            let limits = BatchLimits { size: 1, timeout: None };
            scenario.ask(Command::RestartRolling(Namespec::split("g:*"), limits));
        }
        9 if random.one_in(2) => {
            scenario.next_groups = graph(random);
            scenario.ask(Command::ReloadConfig);
        }
        9 | 10 => {
            let groups: Vec<_> =
                scenario.supervisor.configured.iter().map(|it| it.name.to_string()).collect();
            if let Some(name) = random.of(&groups) {
                let commands = [
                    Command::UpdateProcessGroup(name.clone()),
                    Command::UpdateProcessGroup(name.clone()),
                    Command::AddProcessGroup(name.clone()),
                    Command::RemoveProcessGroup(name),
                ];
                scenario.ask(random.of(&commands).unwrap());
            }
        }
        16..=19 if !scenario.hooks.is_empty() => {
            let code = u8::from(random.one_in(3));
            scenario.end_hook(TaskEnd::Exited(ExitStatus::Exited(code)));
        }
        _ => {
            let alive: Vec<_> = scenario.alive.keys().copied().collect();
            if let Some(process) = random.of(&alive) {
                let status = [ExitStatus::Exited(0), ExitStatus::Exited(1), KILLED][random.below(3) as usize];
                scenario.end_id(process, status);
            }
        }
    }
}

/// Asserts that waiting processes have something to wait for, and deferred stops have dependents that are going down.
fn check_nobody_is_forgotten(scenario: &Scenario) {
    let supervisor = &scenario.supervisor;
    supervisor.assert_conditions_are_in_step();
    supervisor.check_operations();
    if !supervisor.allows_starts() || supervisor.has_pending_starts() {
        return;
    }
    for process in supervisor.processes.iter() {
        let gate = supervisor.conditions.gate(process.id);
        match process.state {
            State::Waiting { .. } => {
                let waits = gate == Gate::Closed || process.has_open_post_stop();
                assert!(waits, "{} waits for nothing: {gate:?}", process.spec.name);
            }
            State::Fatal if process.has_failed_dependency => {
                assert_ne!(
                    gate,
                    Gate::Open,
                    "{} is not started: {}",
                    process.spec.name,
                    scenario.log.join("\n")
                );
            }
            _ => {}
        }
    }
    for id in supervisor.deferred_stops.keys() {
        assert!(supervisor.conditions.has_dependents_going_down(*id), "a stop waits for nothing");
    }
}

fn check_seed(seed: u64) {
    let mut random = Random::new(seed);
    let mut scenario = Scenario::of(graph(&mut random));
    scenario.round_trips = Some(0);
    let mut scenario = scenario.begin();
    check_nobody_is_forgotten(&scenario);
    for _ in 0..60 {
        random_input(&mut scenario, &mut random);
        check_nobody_is_forgotten(&scenario);
    }
    scenario.signal(Signal::TERM);
    let mut turns = 0;
    while scenario.supervisor.state() == SupervisorState::Shutdown
        && !scenario.log.iter().any(|it| it == "!stopped End")
    {
        let stopping = |id: &&ProcessId| {
            scenario.supervisor.process(**id).is_some_and(|it| it.state() == ProcessState::Stopping)
        };
        let next = scenario.alive.keys().find(stopping).copied();
        match next {
            Some(next) => scenario.end_id(next, ExitStatus::Exited(0)),
            None if !scenario.hooks.is_empty() => scenario.end_hook(TaskEnd::Exited(ExitStatus::Exited(0))),
            None => panic!("seed {seed}: nothing stops\n{}", scenario.log.join("\n")),
        }
        scenario.supervisor.assert_conditions_are_in_step();
        turns += 1;
        assert!(turns < 100, "seed {seed}: the shutdown does not end");
    }
    assert!(scenario.alive.is_empty(), "seed {seed}");
    assert_eq!(scenario.supervisor.check_operations(), 0, "seed {seed}: an operation is left open");
    let replies = scenario.log.iter().filter(|line| line.starts_with("!reply")).count() as u64;
    assert_eq!(replies, scenario.tickets, "seed {seed}: every question is answered once");
}

#[test]
fn random_graphs_start_and_stop_in_order() {
    let mut seeds = Random::new(0x9e37_79b9_7f4a_7c15);
    for _ in 0..400 {
        check_seed(seeds.below(u64::MAX));
    }
}
