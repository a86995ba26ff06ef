//! Any graph of dependencies and anything that happens to its processes: whoever waits is started or has failed,
//! nothing stops before its dependents, what is counted is in step, and every shutdown ends.

use super::super::conditions::Gate;
use super::super::process::State;
use super::random::Random;
use super::*;

const PROGRAMS: u64 = 7;

/// Three programs in four are alone, the others in a group. Each depends on some of those before it.
fn graph(random: &mut Random) -> Vec<GroupSpec> {
    let mut specs: Vec<ProcessSpec> = (0..PROGRAMS).map(|number| program(number, random)).collect();
    // Chance may ask for conditions that a configuration could not ask for: they just never hold.
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
    ProcessSpec {
        depends_on,
        restart_with,
        health: random.one_in(3).then(|| Box::new(health)),
        priority: random.below(3) as i64,
        autostart: !random.one_in(4),
        autorestart: random.of(&[AutoRestart::Never, AutoRestart::Unexpected, AutoRestart::Always]).unwrap(),
        start_secs: random.below(2) as i64,
        start_retries: StartRetries::Times(random.below(2) as i64),
        hooks: random.one_in(3).then(|| hooks::hooked(|_| ()).hooks).flatten(),
        ..spec(&name(number))
    }
}

fn happen(story: &mut Story, random: &mut Random) {
    let any = name(random.below(PROGRAMS));
    let process = story.supervisor.processes.iter().find(|it| it.spec.name == any);
    let full_name = process.map(|it| it.full_name());
    match random.below(25) {
        20..=23 => {
            let Some(probe) = random.of(&story.probes) else { return };
            story.probes.retain(|it| *it != probe);
            let refused = || Err(ProbeFailure::of_program("connection refused"));
            let outcome = if random.one_in(3) { refused() } else { Ok(()) };
            story.input(Input::Probed { probe, outcome });
        }
        0 => story.ask(Command::StartAllProcesses(Wait::Yes)),
        1 => story.ask(Command::StopAllProcesses(Wait::Yes)),
        2 | 3 => full_name.into_iter().for_each(|name| story.start(&name, Wait::Yes)),
        4 | 5 => full_name.into_iter().for_each(|name| story.stop(&name, Wait::Yes)),
        6 | 7 => story.pass(random.below(2_500) as f64 / 1000.0),
        8 => story.spawn_errors.extend(random.one_in(2).then_some("no")),
        24 => {
            let limits = BatchLimits { size: 1, timeout: None };
            story.ask(Command::RestartRolling(Namespec::split("g:*"), limits));
        }
        9 if random.one_in(2) => {
            story.next_groups = graph(random);
            story.ask(Command::ReloadConfig);
        }
        9 | 10 => {
            let groups: Vec<_> = story.supervisor.configured.iter().map(|it| it.name.clone()).collect();
            if let Some(name) = random.of(&groups) {
                let commands = [
                    Command::UpdateProcessGroup(name.clone()),
                    Command::UpdateProcessGroup(name.clone()),
                    Command::AddProcessGroup(name.clone()),
                    Command::RemoveProcessGroup(name),
                ];
                story.ask(random.of(&commands).unwrap());
            }
        }
        16..=19 if !story.hooks.is_empty() => {
            let code = u8::from(random.one_in(3));
            story.hook_ends(TaskEnd::Exited(ExitStatus::Exited(code)));
        }
        _ => {
            let alive: Vec<_> = story.alive.keys().copied().collect();
            if let Some(process) = random.of(&alive) {
                let status = [ExitStatus::Exited(0), ExitStatus::Exited(1), KILLED][random.below(3) as usize];
                story.end(process, status);
            }
        }
    }
}

/// Those that wait have something to wait for, and stops that wait have dependents that are going down.
fn check_nobody_is_forgotten(story: &Story) {
    let supervisor = &story.supervisor;
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
                    story.told.join("\n")
                );
            }
            _ => {}
        }
    }
    for id in supervisor.deferred_stops.keys() {
        assert!(supervisor.conditions.has_dependents_going_down(*id), "a stop waits for nothing");
    }
}

fn live(seed: u64) {
    let mut random = Random::new(seed);
    let mut story = Story::of(graph(&mut random));
    story.round_trips = Some(0);
    let mut story = story.begun();
    check_nobody_is_forgotten(&story);
    for _ in 0..60 {
        happen(&mut story, &mut random);
        check_nobody_is_forgotten(&story);
    }
    story.signal(Signal::TERM);
    let mut turns = 0;
    while story.supervisor.state() == SupervisorState::Shutdown
        && !story.told.iter().any(|it| it == "!stopped End")
    {
        let stopping = |id: &&ProcessId| {
            story.supervisor.process(**id).is_some_and(|it| it.state() == ProcessState::Stopping)
        };
        let next = story.alive.keys().find(stopping).copied();
        match next {
            Some(next) => story.end(next, ExitStatus::Exited(0)),
            None if !story.hooks.is_empty() => story.hook_ends(TaskEnd::Exited(ExitStatus::Exited(0))),
            None => panic!("seed {seed}: nothing stops\n{}", story.told.join("\n")),
        }
        story.supervisor.assert_conditions_are_in_step();
        turns += 1;
        assert!(turns < 100, "seed {seed}: the shutdown does not end");
    }
    assert!(story.alive.is_empty(), "seed {seed}");
    assert_eq!(story.supervisor.check_operations(), 0, "seed {seed}: an operation is left open");
    let replies = story.told.iter().filter(|line| line.starts_with("!reply")).count() as u64;
    assert_eq!(replies, story.tickets, "seed {seed}: every question is answered once");
}

#[test]
fn any_graph_starts_and_stops_in_order_whatever_happens() {
    let mut seeds = Random::new(0x9e37_79b9_7f4a_7c15);
    for _ in 0..400 {
        live(seeds.below(u64::MAX));
    }
}
