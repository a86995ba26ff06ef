//! Output from pipe to log and from log to client, with real pipes and files and without a child or a clock.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_setfl};

use super::*;
use crate::events::OutputKind;
use crate::logs::FollowFrom;
use crate::model::{LogLevel, StreamSpec};
use crate::sys::scratch::Folder;

/// Far longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(20);

struct Fixture {
    output: Outputs,
    poller: Poller,
    buffer: Vec<u8>,
    secs: u64,
}

fn pipe() -> (OwnedFd, File) {
    let (read, write) = rustix::pipe::pipe().unwrap();
    fcntl_setfl(&read, OFlags::NONBLOCK).unwrap();
    (read, File::from(write))
}

fn fifo(folder: &Folder, name: &str) -> (PathBuf, File) {
    let path = folder.join(name);
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let reader = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
    (path, File::from(reader))
}

/// A process that logs its standard output to this path.
fn spec(path: &Path) -> ProcessSpec {
    let stdout = StreamSpec { target: LogTarget::File(path.into()), ..StreamSpec::default() };
    ProcessSpec { name: "web".into(), group: "web".into(), stdout, ..ProcessSpec::default() }
}

impl Fixture {
    fn new() -> Self {
        let output = Outputs::with(Destinations::for_tests(), 1024);
        let mut fixture = Self { output, poller: Poller::new().unwrap(), buffer: vec![0; 4096], secs: 0 };
        fixture.pass(1);
        fixture
    }

    /// Seconds pass, and a turn begins.
    fn pass(&mut self, secs: u64) {
        self.secs += secs;
        self.output.begin_turn(Now { mono: Mono(Duration::from_secs(self.secs)), ..Now::default() });
    }

    fn with<R>(&mut self, act: impl FnOnce(&mut Outputs, &mut ReadContext<'_>) -> R) -> R {
        let context = &mut ReadContext { poller: &self.poller, buffer: &mut self.buffer, echoes: false };
        act(&mut self.output, context)
    }

    /// A process begins to run. Returns the end of its standard output that it writes to.
    fn start(&mut self, process: u64, spec: &ProcessSpec, wanted: Wanted) -> File {
        let targets = [spec.stdout.target.clone(), LogTarget::None];
        let outlets = self.output.open(spec, (wanted, false), targets).unwrap();
        let (read, write) = pipe();
        let id = ProcessId(process);
        let whose = (ChildId::Process(id), id, Pid(1000 + process as i32));
        let added = self.output.add(whose, spec, [Some(read), None], (outlets, false), &self.poller);
        assert_eq!(added, []);
        write
    }

    /// Handles all that is ready now, until nothing is.
    fn turn(&mut self) -> Vec<Report> {
        let mut reports = Vec::new();
        loop {
            self.output.watch(&self.poller);
            let ready: Vec<_> = self.poller.wait(Some(Duration::ZERO)).unwrap().collect();
            if ready.is_empty() {
                return reports;
            }
            for it in ready {
                reports.extend(self.with(|output, context| output.ready(it.token, context)));
            }
        }
    }

    fn end(&mut self, process: u64) -> Vec<Report> {
        self.with(|output, context| output.drain_dead(ChildId::Process(ProcessId(process)), context))
    }

    /// All that there is for a client that follows a log.
    fn read(&mut self, client: u64) -> String {
        let mut text = Vec::new();
        while let Some(FollowedPart { piece: FollowedPiece::Bytes(count), .. }) =
            self.output.next_piece(client, &mut self.buffer)
        {
            text.extend_from_slice(&self.buffer[..count]);
        }
        String::from_utf8(text).unwrap()
    }
}

fn text_of(reports: &[Report]) -> Vec<&str> {
    fn text(report: &Report) -> Option<&str> {
        if let Report::Log { text, .. } = report { Some(text) } else { None }
    }
    reports.iter().filter_map(text).collect()
}

#[test]
fn last_output_of_a_dead_child_is_read_before_its_end() {
    let folder = Folder::new("output-last");
    let path = folder.join("x.log");
    let mut fixture = Fixture::new();
    let mut spec = spec(&path);
    spec.stdout.events_enabled = true;
    let mut stdout = fixture.start(1, &spec, Wanted::Output);
    // More than one chunk, and no line end.
    let last = "x".repeat(10_000) + "\nlast words";
    stdout.write_all(last.as_bytes()).unwrap();
    drop(stdout);
    let reports = fixture.end(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), last);
    let mut data = Vec::new();
    for report in reports {
        let Report::Event { process, pid, channel, kind, data: piece } = report else { panic!("{report:?}") };
        assert_eq!(
            (process, pid, channel, kind),
            (ProcessId(1), Pid(1001), Channel::Stdout, OutputKind::Log)
        );
        data.extend(piece);
    }
    assert_eq!(String::from_utf8(data).unwrap(), last);
    assert!(!fixture.output.has_held());
}

#[test]
fn a_pipe_that_others_hold_open_is_read_until_they_close_it() {
    let folder = Folder::new("output-held");
    let path = folder.join("x.log");
    let mut fixture = Fixture::new();
    let mut stdout = fixture.start(1, &spec(&path), Wanted::Output);
    stdout.write_all(b"before\n").unwrap();
    assert_eq!(fixture.end(1), []);
    assert!(fixture.output.has_held());
    // The process runs again, and both runs write to one log.
    let mut next = fixture.start(1, &spec(&path), Wanted::Output);
    stdout.write_all(b"after\n").unwrap();
    assert_eq!(fixture.turn(), []);
    next.write_all(b"next\n").unwrap();
    assert_eq!(fixture.turn(), []);
    assert_eq!(fs::read_to_string(&path).unwrap(), "before\nafter\nnext\n");
    fixture.pass(1);
    let reports = fixture.output.wake();
    assert_eq!(
        text_of(&reports),
        ["'web' (pid 1001) ended, but other processes hold its output open; it is read until they close it"]
    );
    drop(stdout);
    fixture.turn();
    assert!(!fixture.output.has_held() && fixture.output.deadline().is_none());
}

#[test]
fn the_oldest_held_pipe_is_closed_when_there_are_too_many() {
    let folder = Folder::new("output-surplus");
    let mut fixture = Fixture::new();
    fixture.output.streams = Streams::new(8);
    let spec = spec(&folder.join("x.log"));
    let mut held: Vec<File> = (1..=3).map(|process| fixture.start(process, &spec, Wanted::Output)).collect();
    let reports: Vec<_> = (1..=3).flat_map(|process| fixture.end(process)).collect();
    let warnings = text_of(&reports);
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("stdout of 'web' (pid 1001) is closed"),
        "{warnings:?}"
    );
    let error = held[0].write_all(b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(held[1].write_all(b"x").is_ok() && held[2].write_all(b"x").is_ok());
}

#[test]
fn output_left_by_a_dead_listener_only_goes_to_its_log() {
    let folder = Folder::new("output-listener");
    let path = folder.join("x.log");
    let mut fixture = Fixture::new();
    let mut stdout = fixture.start(1, &spec(&path), Wanted::Conversation);
    stdout.write_all(b"READY\n").unwrap();
    let said = Report::ListenerOutput { process: ProcessId(1), bytes: b"READY\n".to_vec() };
    assert_eq!(fixture.turn(), [said]);
    fixture.end(1);
    stdout.write_all(b"READY\n").unwrap();
    assert_eq!(fixture.turn(), []);
    assert_eq!(fs::read_to_string(&path).unwrap(), "READY\nREADY\n");
}

#[test]
fn a_child_is_not_read_while_the_reader_of_its_log_is_slow() {
    let folder = Folder::new("output-slow");
    let (path, mut reader) = fifo(&folder, "fifo");
    let mut fixture = Fixture::new();
    let mut stdout = fixture.start(1, &spec(&path), Wanted::Output);
    fcntl_setfl(&stdout, OFlags::NONBLOCK).unwrap();
    let line = "x".repeat(999) + "\n";
    let mut written = 0;
    // The pipes and the buffer between them fill.
    while stdout.write_all(line.as_bytes()).is_ok() || !fixture.output.destinations.is_any_full() {
        written += 1;
        fixture.turn();
        assert!(written < 100_000, "there is no bound");
    }
    let mut text = Vec::new();
    let (mut chunk, started) = (vec![0; 4096], std::time::Instant::now());
    // What could not be written whole was written in part.
    while text.len() < written * line.len() && started.elapsed() < DEADLINE {
        text.extend(reader.read(&mut chunk).map(|count| chunk[..count].to_vec()).unwrap_or_default());
        assert_eq!(fixture.turn(), []);
    }
    assert!(text.len() >= written * line.len(), "{} of {written} lines", text.len());
    assert!(text.iter().filter(|byte| **byte == b'\n').count() >= written - 1);
    assert!(!fixture.output.has_pending());
}

#[test]
fn an_unfinished_line_waits_a_second_for_its_end_where_others_write() {
    let folder = Folder::new("output-unfinished");
    let (path, mut reader) = fifo(&folder, "fifo");
    let mut fixture = Fixture::new();
    let mut one = fixture.start(1, &spec(&path), Wanted::Output);
    let mut other = fixture.start(2, &spec(&path), Wanted::Output);
    let mut seen = |expected: &str| {
        let mut text = [0; 100];
        let count = reader.read(&mut text).unwrap_or(0);
        assert_eq!(std::str::from_utf8(&text[..count]).unwrap(), expected);
    };
    one.write_all(b"no end").unwrap();
    fixture.turn();
    other.write_all(b"whole\n").unwrap();
    fixture.turn();
    seen("whole\n");
    assert_eq!(fixture.output.deadline(), Some(Mono(Duration::from_secs(2))));
    fixture.pass(1);
    fixture.output.wake();
    seen("no end");
    other.write_all(b"whole\n").unwrap();
    fixture.turn();
    seen("\nwhole\n");
}

#[test]
fn a_follower_reads_a_log_through_its_rotation() {
    let folder = Folder::new("output-follow");
    let path = folder.join("x.log");
    let mut fixture = Fixture::new();
    let mut spec = spec(&path);
    (spec.stdout.bytes_max, spec.stdout.backups) = (8, 2);
    let mut stdout = fixture.start(1, &spec, Wanted::Output);
    let id = StreamId { process: ProcessId(1), channel: Channel::Stdout };
    let follower = fixture.output.follower(id, Some(path.clone()), FollowFrom::Last(1024)).unwrap();
    fixture.output.follow(7, follower);
    for (line, files) in [("one\n", 1), ("two..\n", 2), ("three\n", 2), ("4\n", 3)] {
        stdout.write_all(line.as_bytes()).unwrap();
        fixture.turn();
        assert_eq!(fixture.output.take_due_followers(), [7].into());
        assert_eq!(
            (fixture.read(7).as_str(), fs::read_dir(path.parent().unwrap()).unwrap().count()),
            (line, files)
        );
    }
    assert!(!fixture.output.has_due_followers());
}

#[test]
fn the_ring_of_a_process_is_freed_when_no_client_follows_it() {
    let folder = Folder::new("output-ring");
    let (path, _reader) = fifo(&folder, "fifo");
    let mut fixture = Fixture::new();
    let mut spec = spec(&path);
    spec.log_form.ring_bytes = 100;
    let mut stdout = fixture.start(1, &spec, Wanted::Output);
    stdout.write_all(b"one\n").unwrap();
    fixture.turn();
    let id = StreamId { process: ProcessId(1), channel: Channel::Stdout };
    let follower = fixture.output.follower(id, None, FollowFrom::Last(1024)).unwrap();
    fixture.output.follow(7, follower);
    fixture.output.forget(ProcessId(1));
    fixture.output.free_rings();
    assert_eq!(fixture.read(7), "one\n");
    fixture.output.unfollow(7);
    fixture.output.free_rings();
    assert!(fixture.output.ring(id).is_none());
}

#[test]
fn a_log_that_cannot_be_opened_is_reported_once_and_opened_later() {
    let folder = Folder::new("output-unopened");
    let path = folder.join("sub/x.log");
    let mut fixture = Fixture::new();
    let mut spec = spec(&path);
    spec.log_form.ring_bytes = 100;
    let id = StreamId { process: ProcessId(1), channel: Channel::Stdout };
    let targets = || [spec.stdout.target.clone(), LogTarget::None];
    let mut stdouts = Vec::new();
    for expected in [1, 0] {
        let outlets = fixture.output.open(&spec, (Wanted::Output, false), targets()).unwrap();
        let (read, write) = pipe();
        let whose = (ChildId::Process(id.process), id.process, Pid(1));
        let reports = fixture.output.add(whose, &spec, [Some(read), None], (outlets, false), &fixture.poller);
        assert_eq!(reports.len(), expected, "{reports:?}");
        stdouts.push(write);
        if expected == 1 {
            drop(stdouts.pop());
            fixture.end(1);
        }
    }
    stdouts[0].write_all(b"kept\n").unwrap();
    fixture.turn();
    assert_eq!(fixture.output.ring(id).unwrap().size(), 5);
    fs::create_dir(folder.join("sub")).unwrap();
    fixture.pass(1);
    stdouts[0].write_all(b"logged\n").unwrap();
    let reports = fixture.turn();
    assert!(text_of(&reports)[0].ends_with("is open now, 5 bytes were not written to it"), "{reports:?}");
    assert!(matches!(reports[0], Report::Log { level: LogLevel::Warn, .. }));
    assert_eq!(fs::read_to_string(&path).unwrap(), "logged\n");
    assert!(fixture.output.ring(id).is_none(), "the log can be read back");
}
