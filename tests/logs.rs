//! What programs say and where it goes, from outside: files, terminals, pipes, syslog, clients.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use support::wire::{Peer, anonymous_kib};
use support::{Sandbox, have};
use sv::logs::AnsiStripper;
use sv::xmlrpc::Value;

/// Whether we may mount folders of our own over those of the machine.
fn may_mount() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).stderr(Stdio::null());
    have("root with mounts", command.status().is_ok_and(|status| status.success()))
}

/// A sandbox whose `[supervisord]` section has more lines.
fn sandbox(daemon: &str, programs: &str) -> Sandbox {
    let sandbox = Sandbox::with_programs(programs);
    sandbox.replace("supervisord.conf", "[supervisord]\n", &format!("[supervisord]\n{daemon}\n"));
    sandbox
}

/// The supervisor as a shell starts it that was given `script`, `"$@"` being its command line.
fn under_shell(sandbox: &Sandbox, wrapper: &[&str], script: &str) -> Command {
    let words: Vec<&str> = [wrapper, &["sh", "-c", script, "sh"]].concat();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(support::binary()).args(["run", "-c"]).arg(sandbox.config());
    sandbox.marked(command)
}

/// The files of a rotated log, the oldest first.
fn rotated(path: &Path) -> Vec<PathBuf> {
    let name = |n: u32| PathBuf::from(format!("{}.{n}", path.display()));
    let mut files: Vec<PathBuf> = (1..).map(name).take_while(|path| path.exists()).collect();
    files.insert(0, path.to_owned());
    files.reverse();
    files
}

fn together(files: &[PathBuf]) -> Vec<u8> {
    files.iter().flat_map(|path| fs::read(path).unwrap_or_default()).collect()
}

// Files.

/// Bytes of all kinds: lines of many lengths, colours, line ends of both kinds, no text at all.
fn torture(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let mut all = Vec::new();
    while all.len() < bytes {
        match next() % 8 {
            0 => all.extend_from_slice(b"\x1b[31m"),
            1 => all.extend_from_slice(b"\r\n"),
            2 => all.extend((0..next() % 300).map(|_| 0x80_u8)),
            3 => all.extend_from_slice("\u{e4}\u{1f600}".as_bytes()),
            4 => all.extend_from_slice(b"\x1b[1;1H\x1b"),
            _ => all.extend((0..next() % 200).map(|n| b'a' + (n % 26) as u8)),
        }
        all.extend_from_slice(b"\n");
    }
    all
}

/// Writes `data` in pieces of many sizes.
const WRITER: &str = "dd if=data bs=1 count=2000; dd if=data bs=977 skip=2000 count=100 iflag=skip_bytes; \
    dd if=data bs=8191 skip=99700 count=100 iflag=skip_bytes; \
    dd if=data bs=130000 skip=918800 iflag=skip_bytes";

#[test]
fn every_byte_is_in_the_files_once_through_a_hundred_rotations_and_reopenings() {
    for strips in [false, true] {
        let mut sandbox = sandbox(
            &format!("strip_ansi={strips}"),
            &format!(
                "[program:writer]\ncommand=sh -c '({WRITER}) 2>/dev/null'\nautostart=false\nstartsecs=0\n\
                 autorestart=false\nstdout_logfile=%(here)s/t.log\nstdout_logfile_maxbytes=10KB\n\
                 stdout_logfile_backups=1000\n"
            ),
        );
        let data = torture(8_000_000);
        fs::write(sandbox.path("data"), &data).unwrap();
        sandbox = sandbox.start();
        assert!(sandbox.ctl(&["start", "writer"]).success);
        for _ in 0..5 {
            sandbox.signal(Signal::USR2);
        }
        sandbox.wait_log("exited: writer");
        let files = rotated(&sandbox.path("t.log"));
        let (kept, mut expected) = (together(&files), data);
        if strips {
            let mut stripper = AnsiStripper::default();
            expected = [stripper.strip(&expected), stripper.finish().to_vec()].concat();
        }
        assert!(files.len() > 100, "{} files", files.len());
        assert!(kept == expected, "{} bytes are kept of {}", kept.len(), expected.len());
    }
}

/// Each line is written when the one before has arrived, so that each is read alone.
const SLOW_WRITER: &str = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i of a log; \
    until tail -qn1 t.log t.log.1 2>/dev/null | grep -q \"^line $i of\"; do :; done; done";

#[test]
fn rotated_files_are_those_of_the_reference_byte_for_byte() {
    let Some(reference) = support::peers::reference() else { return };
    for (bytes_max, backups) in [(100, 20), (100, 2), (1, 3)] {
        let run = |supervisor: Option<PathBuf>| {
            let mut sandbox = Sandbox::with_programs(&format!(
                "[program:writer]\ncommand=sh -c '{SLOW_WRITER}'\nstartsecs=0\nautorestart=false\ndirectory=%(here)s\n\
                 stdout_logfile=%(here)s/t.log\nstdout_logfile_maxbytes={bytes_max}\nstdout_logfile_backups={backups}\n",
            ));
            if let Some(program) = supervisor {
                sandbox = sandbox.run_by(&program, "supervisord", &["-n"]);
            }
            sandbox.spawn();
            sandbox.wait_log("exited: writer");
            let files = rotated(&sandbox.path("t.log"));
            files.iter().map(|path| fs::read_to_string(path).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(
            run(None),
            run(Some(reference.join("supervisord"))),
            "{bytes_max} bytes, {backups} backups"
        );
    }
}

#[test]
fn a_removed_or_truncated_log_is_continued() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'while :; do echo line; sleep 0.02; done'\nstdout_logfile=%(here)s/t.log\n",
    )
    .start();
    sandbox.wait_file("t.log", "line\n");
    fs::remove_file(sandbox.path("t.log")).unwrap();
    sandbox.wait_file("t.log", "line\n");
    // As logrotate's copytruncate does.
    File::options().write(true).open(sandbox.path("t.log")).unwrap().set_len(0).unwrap();
    sandbox
        .wait("lines from the beginning on", |it| it.file("t.log").starts_with("line\nline\n").then_some(()));
}

#[test]
fn two_programs_with_one_log_lose_nothing_when_it_rotates() {
    let writer = |name: &str| {
        format!(
            "[program:{name}]\ncommand=sh -c 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo {name} $i; done'\n\
             startsecs=0\nautorestart=false\nstdout_logfile=%(here)s/t.log\nstdout_logfile_maxbytes=500\n\
             stdout_logfile_backups=100\n"
        )
    };
    let mut sandbox = Sandbox::with_programs(&(writer("one") + &writer("two"))).start();
    sandbox.wait_log("exited: one");
    sandbox.wait_log("exited: two");
    let text = String::from_utf8(together(&rotated(&sandbox.path("t.log")))).unwrap();
    for name in ["one", "two"] {
        let lines = text.lines().filter(|line| line.starts_with(name)).count();
        assert_eq!(lines, 300, "of {name}");
    }
}

#[test]
fn reopening_is_for_programs_that_run() {
    let mut sandbox = Sandbox::with_programs(
        "[program:runs]\ncommand=cat\nstdout_logfile=%(here)s/runs.log\n\
         [program:rests]\ncommand=cat\nautostart=false\nstdout_logfile=%(here)s/rests.log\n",
    )
    .start();
    sandbox.wait_state("runs", "RUNNING");
    fs::rename(sandbox.path("runs.log"), sandbox.path("moved")).unwrap();
    sandbox.signal(Signal::USR2);
    sandbox.wait("the log", |it| it.path("runs.log").exists().then_some(()));
    assert!(!sandbox.path("rests.log").exists());
}

#[test]
fn a_group_that_is_added_again_gets_new_auto_logs() {
    let mut sandbox = Sandbox::with_programs("[program:cat]\ncommand=cat\n").start();
    sandbox.wait_state("cat", "RUNNING");
    let logs = |sandbox: &Sandbox| {
        let names = fs::read_dir(sandbox.dir()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("cat-stdout---")).count()
    };
    assert_eq!(logs(&sandbox), 1);
    for words in [["stop", "cat"], ["remove", "cat"], ["add", "cat"]] {
        assert!(sandbox.ctl(&words).success, "{words:?}");
    }
    assert_eq!(logs(&sandbox), 2, "the old one stays");
    sandbox.signal(Signal::HUP);
    sandbox.wait("one to be left", |it| (logs(it) == 1).then_some(()));
}

#[test]
fn files_that_can_not_be_cleaned_up_are_reported() {
    let mut sandbox = Sandbox::with_programs("[program:cat]\ncommand=cat\n");
    let stuck = "cat-stdout---supervisor-abcdefgh.log";
    // A folder can't be removed as a file, not even by root.
    fs::create_dir(sandbox.path(stuck)).unwrap();
    sandbox = sandbox.start();
    sandbox.wait_log(&format!("WARN Failed to clean up '{}'", sandbox.path(stuck).display()));
}

/// Runs a supervisor with a tmpfs of one mebibyte at `disk`, in a mount namespace of its own.
fn with_small_disk(sandbox: &mut Sandbox) -> Option<PathBuf> {
    if !may_mount() {
        return None;
    }
    fs::create_dir(sandbox.path("disk")).unwrap();
    let script = "mount -t tmpfs -o size=1m tmpfs disk && exec \"$@\"";
    let command = under_shell(sandbox, &["unshare", "--mount"], script);
    sandbox.spawn_as(command);
    sandbox.wait_ready();
    let pid = sandbox.supervisor_pid().as_raw_nonzero();
    Some(PathBuf::from(format!("/proc/{pid}/root{}", sandbox.path("disk").display())))
}

#[test]
fn a_full_disk_is_reported_once_and_logging_resumes_when_there_is_room() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'i=0; while :; do i=$((i+1)); echo $i >>count; \
         echo line $i; sleep 0.002; done'\nautostart=false\ndirectory=%(here)s\nstdout_logfile=%(here)s/disk/t.log\n",
    );
    let Some(disk) = with_small_disk(&mut sandbox) else { return };
    // All but a page is taken.
    let taken = disk.join("taken");
    fs::write(&taken, vec![0; 255 * 4096]).unwrap();
    assert!(sandbox.ctl(&["start", "talker"]).success);
    sandbox.wait_log("WARN cannot write to log '");
    // A number that is followed by a line ending is complete.
    let number = |it: &Sandbox| it.file("count").matches('\n').count();
    let before = number(&sandbox);
    sandbox.wait("the child to continue", |it| (number(it) > before + 100).then_some(()));
    fs::remove_file(&taken).unwrap();
    sandbox.wait_log("can be written to again, ");
    let stopped = sandbox.ctl(&["stop", "talker"]);
    assert!(stopped.success);
    let (written, kept) = (number(&sandbox), fs::read(disk.join("t.log")).unwrap());
    let log = sandbox.log();
    assert_eq!(log.matches("cannot write to log").count(), 1, "{log}");
    let lost = log.split("written to again, ").nth(1).unwrap().split(' ').next().unwrap();
    let all: usize = (1..=written).map(|i| format!("line {i}\n").len()).sum();
    // The last line may have been begun and not written when the signal came.
    let last = format!("line {written}\n").len();
    let sum = kept.len() + lost.parse::<usize>().unwrap();
    assert!(sum == all || sum == all - last, "{} kept and {lost} lost of {all}", kept.len());
}

#[test]
fn descriptors_that_run_out_are_reported_and_nothing_is_lost() {
    let programs: String = (0..20)
        .map(|n| format!("[program:p{n}]\ncommand=sh -c 'echo {n}; exec cat'\nstdout_logfile=%(here)s/{n}.log\nstderr_logfile=NONE\nstartretries=1\n"))
        .collect();
    let mut sandbox = Sandbox::with_programs(&programs);
    let command = under_shell(&sandbox, &["prlimit", "--nofile=40"], "exec \"$@\"");
    sandbox.spawn_as(command);
    sandbox.wait_log("spawnerr: too many open files to spawn 'p");
    sandbox.wait_state("p0", "RUNNING");
    assert_eq!(sandbox.file("0.log"), "0\n");
}

/// Lets the supervisor open no descriptor from this number on.
fn limit_descriptors(sandbox: &Sandbox, current: u64) {
    let limits = Rlimit { current: Some(current), ..getrlimit(Resource::Nofile) };
    prlimit(Some(sandbox.supervisor_pid()), Resource::Nofile, limits).unwrap();
}

#[test]
fn descriptors_that_run_out_in_the_middle_of_a_rotation_cost_no_byte_and_no_backup() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.005; done'\n\
         stdout_logfile=%(here)s/t.log\nstdout_logfile_maxbytes=300\nstdout_logfile_backups=3\n",
    )
    .start();
    let backup = |it: &Sandbox, n: u32| it.file(&format!("t.log.{n}"));
    sandbox.wait("three backups", |it| it.path("t.log.3").exists().then_some(()));
    limit_descriptors(&sandbox, 3);
    sandbox.wait_log("WARN cannot rotate log '");
    let kept = [1, 2].map(|n| backup(&sandbox, n));
    // Several rotations fail, and what is asked for by signal too.
    sandbox.wait("a log that is too long", |it| (it.file("t.log").len() > 1500).then_some(()));
    sandbox.signal(Signal::USR2);
    sandbox.wait_log("WARN cannot reopen log '");
    sandbox.wait("a longer one", |it| (it.file("t.log").len() > 3000).then_some(()));
    assert_eq!([1, 2].map(|n| backup(&sandbox, n)), kept, "backups stay where they are");
    let log = sandbox.log();
    assert_eq!(log.matches("cannot rotate log").count(), 1, "{log}");
    limit_descriptors(&sandbox, 1024);
    sandbox.wait("a rotation", |it| (it.file("t.log").len() < 3000).then_some(()));
    assert!(sandbox.ctl(&["stop", "talker"]).success);
    let text = String::from_utf8(together(&rotated(&sandbox.path("t.log")))).unwrap();
    let numbers: Vec<u32> = text
        .lines()
        .map(|line| {
            line.strip_prefix("line ").unwrap_or_else(|| panic!("{line:?} in {text}")).parse().unwrap()
        })
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{text}");
}

// Places with a reader.

#[test]
fn a_fifo_without_reader_is_reported_once_and_used_as_soon_as_it_has_one() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'i=0; while :; do i=$((i+1)); echo $i | tee count; sleep 0.01; done'\n\
         directory=%(here)s\nstdout_logfile=%(here)s/fifo\n",
    );
    assert!(Command::new("mkfifo").arg(sandbox.path("fifo")).status().unwrap().success());
    sandbox = sandbox.start();
    sandbox.wait_log("WARN cannot write to log '");
    let number = |it: &Sandbox| it.file("count").trim().parse::<u32>().unwrap_or(0);
    let before = number(&sandbox);
    sandbox.wait("the child to continue", |it| (number(it) > before + 20).then_some(()));
    let mut fifo = File::open(sandbox.path("fifo")).unwrap();
    let mut text = [0; 20];
    fifo.read_exact(&mut text).unwrap();
    assert!(text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'\n'), "{text:?}");
    sandbox.wait_log("can be written to again, ");
    drop(fifo);
    sandbox.wait("the loss of its reader to be told", |it| {
        (it.log().matches("WARN cannot write to log '").count() == 2).then_some(())
    });
    sandbox.wait_state("talker", "RUNNING");
}

#[test]
fn a_fifo_in_the_place_of_another_is_written_to_once_logs_are_reopened() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'while :; do echo line; sleep 0.01; done'\nstdout_logfile=%(here)s/fifo\n",
    );
    let make = |sandbox: &Sandbox| {
        _ = fs::remove_file(sandbox.path("fifo"));
        assert!(Command::new("mkfifo").arg(sandbox.path("fifo")).status().unwrap().success());
    };
    make(&sandbox);
    let (path, mut text) = (sandbox.path("fifo"), [0; 5]);
    let opened = std::thread::spawn(move || File::open(path).unwrap());
    sandbox = sandbox.start();
    let mut first = opened.join().unwrap();
    first.read_exact(&mut text).unwrap();
    make(&sandbox);
    let path = sandbox.path("fifo");
    let opened = std::thread::spawn(move || File::open(path).unwrap());
    // The reader is there when opening it to write does not fail.
    let opens =
        |it: &Sandbox| rustix::fs::open(it.path("fifo"), OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
    let held = sandbox.wait("a reader", |it| opens(it).ok());
    let mut second = opened.join().unwrap();
    sandbox.signal(Signal::USR2);
    second.read_exact(&mut text).unwrap();
    assert_eq!(&text, b"line\n");
    drop((first, held));
}

#[test]
fn descriptors_that_we_were_given_are_written_to_whatever_they_are() {
    let program =
        "[program:x]\ncommand=echo hello\nstartsecs=0\nautorestart=false\nstdout_logfile=/dev/fd/7\n";
    for (redirection, expected) in [
        ("7>out", "hello\n"),
        ("7<>out", "hello\nbehind a line that is longer\n"),
        ("7>>out", "in front of\nbehind a line that is longer\nhello\n"),
        ("7>/dev/null", "in front of\nbehind a line that is longer\n"),
    ] {
        let mut sandbox = Sandbox::with_programs(program);
        sandbox.write("out", "in front of\nbehind a line that is longer\n");
        let command = under_shell(&sandbox, &[], &format!("exec \"$@\" {redirection}"));
        sandbox.spawn_as(command);
        sandbox.wait_log("exited: x");
        // It is written from where the position is, and nothing is truncated by us.
        let text = sandbox.file("out");
        let expected =
            if redirection == "7<>out" { "hello\nnt of\nbehind a line that is longer\n" } else { expected };
        assert_eq!(text, expected, "{redirection}");
    }
    let mut sandbox = Sandbox::with_programs(program);
    let command = under_shell(&sandbox, &[], "{ \"$@\" 7>&1 >/dev/null; } | cat >out");
    sandbox.spawn_as(command);
    sandbox.wait_file("out", "hello\n");

    let mut sandbox = Sandbox::with_programs(&program.replace("fd/7", "fd/99")).start();
    sandbox.wait_log("spawnerr: unknown error making dispatchers for 'x': EBADF");
}

#[test]
fn a_socket_for_standard_output_is_written_to_like_any_other() {
    let mut sandbox = Sandbox::with_programs(
        "[program:x]\ncommand=echo hello\nstartsecs=0\nautorestart=false\nstdout_logfile=/dev/stdout\n",
    );
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut command = Command::new(support::binary());
    command.args(["run", "-c"]).arg(sandbox.config());
    let mut command = sandbox.marked(command);
    let mut child = command.stdin(Stdio::null()).stdout(std::os::fd::OwnedFd::from(theirs)).spawn().unwrap();
    drop(command);
    sandbox.wait_log("exited: x");
    assert!(sandbox.ctl(&["shutdown"]).success);
    child.wait().unwrap();
    let mut text = String::new();
    (&ours).read_to_string(&mut text).unwrap();
    assert!(text.contains("\nhello\n"), "{text}");
}

#[test]
fn lines_of_two_programs_on_one_output_stay_apart() {
    let talker = |name: &str| {
        format!(
            "[program:{name}]\ncommand=sh -c 'while :; do printf {name}; sleep 0.003; echo {name}; done'\n\
             stdout_logfile=/dev/stdout\n"
        )
    };
    let mut sandbox = sandbox("silent=true", &(talker("aaa") + &talker("bbb"))).start();
    sandbox.wait("many lines", |it| (it.terminal().lines().count() > 300).then_some(()));
    let text = sandbox.terminal();
    let complete = &text[..=text.rfind('\n').unwrap()];
    for line in complete.lines() {
        assert!(["aaaaaa", "bbbbbb"].contains(&line), "{line:?} in\n{complete}");
    }
}

#[test]
fn the_last_output_is_logged_even_without_a_line_ending() {
    let mut sandbox = sandbox(
        "silent=true",
        "[program:x]\ncommand=printf 'one\\ntwo'\nstartsecs=0\nautorestart=false\nstdout_logfile=/dev/stdout\n",
    )
    .start();
    sandbox.wait_log("exited: x");
    sandbox.wait("the last word", |it| (it.terminal() == "one\ntwo").then_some(()));
}

#[test]
fn a_pipe_for_the_main_log_is_never_rotated() {
    let sandbox = Sandbox::new(&support::HEAD.replace(
        "logfile=%(here)s/supervisord.log",
        "logfile=/dev/stderr\nlogfile_maxbytes=1\nloglevel=debug",
    ));
    let mut sandbox = sandbox.start();
    assert!(sandbox.ctl(&["maintail"]).stdout.contains("supervisord started with pid "));
    sandbox.wait_terminal("supervisord started with pid ");
    sandbox.signal(Signal::USR2);
    sandbox.wait_terminal("supervisord logreopen");
}

#[test]
fn the_main_log_is_appended_to_and_has_the_mode_of_the_umask() {
    let mut sandbox = Sandbox::with_programs("");
    let command = under_shell(&sandbox, &[], "umask 027; exec \"$@\"");
    sandbox.spawn_as(command);
    sandbox.wait_log("supervisord started with pid ");
    let mode = fs::metadata(sandbox.path("supervisord.log")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o640);
    sandbox.signal(Signal::TERM);
    sandbox.wait_exit();
    sandbox.spawn();
    sandbox.wait("the second start behind the first", |it| {
        (it.log().matches("supervisord started with pid ").count() == 2).then_some(())
    });
}

#[test]
fn levels_decide_what_is_written_and_messages_of_several_lines_stay_so() {
    let program = "[program:x]\ncommand=printf 'one\\ntwo\\n'\nstartsecs=0\nautorestart=false\n";
    for (level, there, not_there) in [
        (
            "blather",
            &["TRAC XML-RPC method called: supervisor.getPID()", "DEBG 'x' stdout output:\none\ntwo\n"][..],
            "BLAT",
        ),
        ("debug", &["DEBG 'x' stdout output:\none\ntwo\n", "INFO exited: x"], " TRAC "),
        ("info", &["INFO exited: x"], " DEBG "),
    ] {
        let mut sandbox = sandbox(&format!("loglevel={level}"), program).start();
        sandbox.wait_log("exited: x");
        for text in there {
            sandbox.wait_log(text);
        }
        assert!(!sandbox.log().contains(not_there), "{not_there} at {level}");
    }
    let mut quiet = sandbox("loglevel=warn", program).start();
    quiet.signal(Signal::TERM);
    quiet.wait_exit();
    assert!(!quiet.log().contains(" INFO ") && quiet.log().contains(" WARN "), "{}", quiet.log());
}

#[test]
fn at_trace_level_requests_and_calls_are_reported() {
    let mut sandbox = sandbox("loglevel=trace", "").start();
    assert!(!sandbox.ctl(&["start", "nope"]).success);
    let mut peer = Peer::unix(&sandbox);
    let calls = Value::Array(vec![Value::members([("methodName", "supervisor.getState".into())])]);
    assert!(peer.call("system.multicall", &[calls]).is_ok());
    peer.send("GET /mainlogtail HTTP/1.1\r\n\r\n");
    for text in [
        "TRAC XML-RPC method called: system.multicall()\n",
        "TRAC XML-RPC method system.multicall() returned successfully\n",
        "] \"GET /mainlogtail HTTP/1.1\" 200 ",
        "TRAC XML-RPC method called: supervisor.startProcess()\n",
        "TRAC XML-RPC method supervisor.startProcess() returned fault: [10] BAD_NAME: nope\n",
        "TRAC XML-RPC method supervisor.getPID() returned successfully\n",
        "] \"POST /RPC2 HTTP/1.1\" 200 ",
        "TRAC localhost:0 - - [",
    ] {
        sandbox.wait_log(text);
    }
}

// Forms.

#[test]
fn lines_follow_the_names_of_their_programs() {
    let mut sandbox = sandbox(
        "silent=true\nlog_format=prefix",
        "[program:web]\ncommand=sh -c 'echo one; echo two >&2; printf three'\nstartsecs=0\nautorestart=false\n\
         stdout_logfile=/dev/stdout\nstderr_logfile=/dev/stderr\n\
         [program:worker]\nprocess_name=%(process_num)d\nnumprocs=2\ncommand=echo work\nstartsecs=0\n\
         autorestart=false\nstdout_logfile=/dev/stdout\n\
         [program:raw]\ncommand=echo as it is\nlog_format=raw\nstartsecs=0\nautorestart=false\nstdout_logfile=/dev/stdout\n",
    )
    .start();
    for line in [
        "web      | one\n",
        "web      | two\n",
        "web      | three\n",
        "worker:0 | work\n",
        "worker:1 | work\n",
        "as it is\n",
    ] {
        sandbox
            .wait("a line", |it| format!("\n{}", it.terminal()).contains(&format!("\n{line}")).then_some(()));
    }
}

#[test]
fn the_form_of_lines_changes_without_a_restart() {
    let mut sandbox = sandbox(
        "silent=true",
        "[program:web]\ncommand=sh -c 'while :; do echo tick; sleep 0.02; done'\nstdout_logfile=/dev/stdout\nlog_ring_bytes=0\n",
    )
    .start();
    sandbox.wait_terminal("tick\ntick\n");
    sandbox.wait_state("web", "RUNNING");
    let pid = sandbox.pid("web");
    sandbox.replace("supervisord.conf", "log_ring_bytes=0", "log_ring_bytes=5\nlog_format=prefix");
    assert!(sandbox.ctl(&["update"]).success);
    sandbox.wait_terminal("\nweb | tick\n");
    assert_eq!(sandbox.pid("web"), pid);
    sandbox
        .wait("a tick to be remembered", |it| (it.ctl(&["tail", "web"]).stdout == "tick\n\n").then_some(()));
}

/// The terminal of `script`, which is one.
fn on_a_terminal(daemon: &str, variables: &[(&str, &str)]) -> Option<String> {
    let there = Command::new("script").arg("--version").output().is_ok();
    if !have("script", there) {
        return None;
    }
    let mut sandbox = sandbox(
        &format!("silent=true\n{daemon}"),
        "[program:web]\ncommand=echo hello\nstartsecs=0\nautorestart=false\nstdout_logfile=/dev/stdout\n",
    );
    let run = format!("{} run -c {}", support::binary().display(), sandbox.config().display());
    let mut command = Command::new("script");
    command.args(["-qec", &run, "/dev/null"]).env_remove("NO_COLOR").envs(variables.iter().copied());
    let mut command = sandbox.marked(command);
    command.stdin(Stdio::null());
    sandbox.spawn_as(command);
    sandbox.wait_terminal("hello");
    Some(sandbox.terminal())
}

#[test]
fn names_are_coloured_on_terminals_alone_and_never_with_no_color() {
    let Some(text) = on_a_terminal("log_format=prefix", &[]) else { return };
    assert!(text.contains("\x1b[") && text.contains("mweb \x1b[0m| hello\r\n"), "{text:?}");
    let text = on_a_terminal("log_format=prefix", &[("NO_COLOR", "1")]).unwrap();
    assert!(!text.contains('\x1b') && text.contains("web | hello\r\n"), "{text:?}");
    let text = on_a_terminal("", &[]).unwrap();
    assert_eq!(text, "hello\r\n");
}

#[test]
fn lines_become_json_objects_and_objects_are_kept() {
    let mut sandbox = sandbox(
        "log_format=json",
        "[program:web]\ncommand=sh -c 'echo \"a \\\\\\\\ b\"; echo \"{\\\"level\\\": 1.0, \\\"pid\\\": null}\" >&2; exec cat'\n\
         stdout_logfile=/dev/stdout\nstderr_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\n\
         [program:file]\ncommand=echo kept\nstartsecs=0\nautorestart=false\nlog_timestamp=false\nstdout_logfile=%(here)s/f.log\n",
    )
    .start();
    sandbox.wait_log("exited: file");
    sandbox.wait_terminal("\"level\": 1.0");
    sandbox.wait_terminal("\"message\":\"a ");
    let objects: Vec<serde_json::Value> = sandbox
        .terminal()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}")))
        .collect();
    let find = |what: &dyn Fn(&serde_json::Value) -> bool| {
        objects.iter().find(|object| what(object)).unwrap_or_else(|| panic!("not in {objects:#?}"))
    };
    let line = find(&|object| object["stream"] == "stdout");
    assert_eq!(
        (&line["program"], &line["group"], &line["message"]),
        (&"web".into(), &"web".into(), &r"a \ b".into())
    );
    assert!(
        line["pid"].as_i64() > Some(1) && line["time"].as_str().is_some_and(|time| time.len() >= 24),
        "{line}"
    );
    let merged = find(&|object| object["stream"] == "stderr");
    assert_eq!(
        (&merged["level"], &merged["pid"], merged.get("message")),
        (&1.0.into(), &serde_json::Value::Null, None)
    );
    // What the supervisor itself says there is of the same kind; its own file stays as it was.
    let own = find(&|object| object["level"] == "INFO" && object["program"] == "supervisor");
    assert!(own["message"].is_string() && own["time"].is_string());
    assert!(sandbox.log().contains(" INFO exited: file (exit status 0; expected)\n"));
    let kept: serde_json::Value = serde_json::from_str(&sandbox.file("f.log")).unwrap();
    assert_eq!((&kept["message"], kept.get("time")), (&"kept".into(), None));
}

// What is remembered.

#[test]
fn output_on_standard_output_can_still_be_read() {
    let mut sandbox = sandbox(
        "log_ring_bytes=10",
        "[program:web]\ncommand=sh -c 'echo 0123456789abc; echo err >&2'\nstartsecs=0\nautorestart=false\n\
         stdout_logfile=/dev/stdout\nstderr_logfile=/dev/stderr\nlog_format=json\n\
         [program:silent]\ncommand=cat\nstdout_logfile=/dev/stdout\n\
         [program:none]\ncommand=cat\nlog_ring_bytes=0\nstdout_logfile=/dev/stdout\n\
         [program:nowhere]\ncommand=cat\nstdout_logfile=NONE\n",
    )
    .start();
    sandbox.wait_log("exited: web");
    // Its last output, although it has exited, and unformatted.
    assert_eq!(sandbox.ctl(&["tail", "web"]).stdout, "456789abc\n\n");
    assert_eq!(sandbox.ctl(&["tail", "-3", "web"]).stdout, "bc\n\n");
    assert_eq!(sandbox.ctl(&["tail", "web", "stderr"]).stdout, "err\n\n");
    assert_eq!(sandbox.ctl(&["tail", "silent"]).stdout, "\n");
    assert!(sandbox.ctl(&["tail", "none"]).stdout.contains("ERROR"));
    assert_eq!(sandbox.ctl(&["tail", "nowhere"]).stdout, "nowhere: ERROR (no log file)\n");
    assert_eq!(sandbox.ctl(&["clear", "web"]).stdout, "web: cleared\n");
    assert_eq!(sandbox.ctl(&["tail", "web"]).stdout, "\n");
    assert!(sandbox.ctl(&["start", "web"]).success);
    sandbox.wait("new words", |it| it.ctl(&["tail", "web"]).stdout.contains("abc").then_some(()));
}

// Syslog.

/// A /dev of its own with a syslog daemon that writes to `messages`, then the supervisor.
const WITH_SYSLOGD: &str = "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && \
    mknod -m 666 /dev/urandom c 1 9 && ln -s /proc/self/fd /dev/fd && ln -s fd/1 /dev/stdout && \
    : >messages && { busybox syslogd -n -S -O messages & } && until [ -S /dev/log ]; do sleep 0.01; done; exec \"$@\"";

const SYSLOG_PROGRAMS: &str = "[program:web]\ncommand=sh -c 'echo one; printf \"two\\\\nthree\"; exec sleep 0.1'\n\
    startsecs=0\nautorestart=false\nstdout_syslog=true\nstdout_logfile=%(here)s/t.log\n";

fn have_syslogd() -> bool {
    may_mount() && have("busybox", Command::new("busybox").output().is_ok())
}

#[test]
fn lines_go_to_syslog_and_to_the_log_as_well() {
    if !have_syslogd() {
        return;
    }
    let mut sandbox = Sandbox::with_programs(SYSLOG_PROGRAMS);
    let command = under_shell(&sandbox, &["unshare", "--mount"], WITH_SYSLOGD);
    sandbox.spawn_as(command);
    sandbox.wait_log("exited: web");
    for line in [" sv: web one\n", " sv: web two\n", " sv: web three\n"] {
        sandbox.wait_file("messages", line);
    }
    assert_eq!(sandbox.file("t.log"), "one\ntwo\nthree");
    assert_eq!(sandbox.ctl(&["tail", "web"]).stdout, "one\ntwo\nthree\n");
}

#[test]
fn the_main_log_can_go_to_syslog() {
    if !have_syslogd() {
        return;
    }
    let mut sandbox =
        Sandbox::new(&support::HEAD.replace("logfile=%(here)s/supervisord.log", "logfile=syslog"));
    let script = WITH_SYSLOGD.replace("syslogd -n -S", "syslogd -n");
    let command = under_shell(&sandbox, &["unshare", "--mount"], &script);
    sandbox.spawn_as(command);
    sandbox.wait("the start in syslog", |it| {
        let messages = it.file("messages");
        let line = messages.lines().find(|line| line.contains("supervisord started with pid "))?;
        assert!(line.contains(" user.info sv: 20") && line.contains(" INFO supervisord started"), "{line}");
        Some(())
    });
    // What can't be read back is remembered.
    assert!(sandbox.ctl(&["maintail"]).stdout.contains("supervisord started with pid "));
    assert_eq!(Peer::unix(&sandbox).send("GET /mainlogtail HTTP/1.1\r\n\r\n").head()[0], "HTTP/1.1 200 OK");
}

#[test]
fn the_reference_sends_the_same_to_syslog() {
    let Some(reference) = support::peers::reference() else { return };
    if !have_syslogd() {
        return;
    }
    let messages = |supervisord: &Path| {
        let mut sandbox = Sandbox::with_programs(SYSLOG_PROGRAMS);
        let script = WITH_SYSLOGD.replace("syslogd -n -S", "syslogd -n");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script, "sh"]).arg(supervisord);
        let mut command = sandbox.marked(command);
        command.args(["-n", "-c"]).arg(sandbox.config());
        sandbox.spawn_as(command);
        sandbox.wait_log("exited: web");
        sandbox.wait_file("messages", "web three\n");
        // Behind the time and the name of the machine.
        let behind = |line: &str| line.splitn(5, ' ').nth(4).unwrap().to_owned();
        sandbox.file("messages").lines().filter(|line| line.contains(" web ")).map(behind).collect::<Vec<_>>()
    };
    let folder = Sandbox::with_programs("");
    let link = folder.path("supervisord");
    std::os::unix::fs::symlink(support::binary(), &link).unwrap();
    assert_eq!(messages(&link), messages(&reference.join("supervisord")));
}

/// A daemon in wide use, with the one kind of socket or the other; it is started again when it ends.
const WITH_SYSLOG_NG: &str = "mount -t tmpfs tmpfs /dev && mknod -m 666 /dev/null c 1 3 && \
    mknod -m 666 /dev/urandom c 1 9 && ln -s /proc/self/fd /dev/fd && ln -s fd/1 /dev/stdout && \
    { until [ -e stop ]; do syslog-ng -F --no-caps -f $PWD/ng.conf -R $PWD/ng.persist -c $PWD/ng.ctl -p $PWD/ng.pid; done & } && \
    until [ -S /dev/log ]; do sleep 0.01; done; exec \"$@\"";

const SYSLOG_NG: &str = "@version: current\noptions { flush-lines(1); };\nsource s { KIND(\"/dev/log\"); };\n\
    destination d { file(\"FOLDER/messages\" template(\"$FACILITY.$LEVEL $PROGRAM: $MESSAGE\\n\")); };\n\
    log { source(s); destination(d); };\n";

#[test]
fn syslog_ng_understands_datagrams_and_streams_and_may_be_restarted() {
    let there = Command::new("syslog-ng").arg("--version").output().is_ok_and(|it| it.status.success());
    if !may_mount() || !have("syslog-ng", there) {
        return;
    }
    for kind in ["unix-dgram", "unix-stream"] {
        let mut sandbox = Sandbox::with_programs(
            "[program:web]\ncommand=sh -c 'printf %%020000d 0 | tr 0 x; echo; i=0; \
             while :; do i=$((i+1)); echo line $i of it; sleep 0.01; done'\n\
             stdout_syslog=true\nstdout_logfile=NONE\n",
        );
        let folder = sandbox.dir().display().to_string();
        sandbox.write("ng.conf", &SYSLOG_NG.replace("KIND", kind).replace("FOLDER", &folder));
        let command = under_shell(&sandbox, &["unshare", "--mount"], WITH_SYSLOG_NG);
        sandbox.spawn_as(command);
        sandbox.wait_file("messages", "user.info sv: web line 5 of it\n");
        let messages = sandbox.file("messages");
        let long: Vec<_> = messages.lines().filter(|line| line.ends_with("xxx")).collect();
        let count = long.iter().map(|line| line.matches('x').count()).sum::<usize>();
        // rsyslog would cut what is longer.
        assert!(long.iter().all(|line| line.len() < 8000));
        assert!(long.len() > 1 && count == 20_000, "{kind}: {count} in {} messages {messages}", long.len());

        let pid = || sandbox.file("ng.pid").trim().parse().ok().and_then(Pid::from_raw);
        let first = pid().unwrap();
        kill_process(first, Signal::KILL).unwrap();
        let before = sandbox.file("messages").lines().count();
        sandbox.wait("messages from another one", |it| {
            let second = it.file("ng.pid").trim().parse().ok().and_then(Pid::from_raw);
            (second != Some(first) && it.file("messages").lines().count() > before + 20).then_some(())
        });
        let whole = |line: &str| line.starts_with("user.info sv: web line ") && line.ends_with(" of it");
        let messages = sandbox.file("messages");
        let last = messages.lines().skip(before + 1).find(|line| !whole(line));
        assert_eq!(last, None, "{kind}");
        let log = sandbox.log();
        let (gone, back) =
            (log.matches("cannot write to syslog").count(), log.matches("be written to again").count());
        assert!(gone == back && gone <= 1, "{kind}: {log}");
        sandbox.write("stop", "");
    }
}

#[test]
fn without_a_syslog_nothing_blocks_and_one_line_reports_it() {
    if !may_mount() {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:flood]\ncommand=sh -c 'yes | head -c 2000000; echo done >&2; exec cat'\nstdout_logfile=NONE\n\
         stdout_syslog=true\nstderr_logfile=%(here)s/e.log\n",
    );
    // Whatever the machine has there.
    let script = WITH_SYSLOGD.replace(
        "{ busybox syslogd -n -S -O messages & } && until [ -S /dev/log ]; do sleep 0.01; done; ",
        "",
    );
    let command = under_shell(&sandbox, &["unshare", "--mount"], &script);
    sandbox.spawn_as(command);
    sandbox.wait_file("e.log", "done\n");
    sandbox.wait_log("WARN cannot write to syslog '/dev/log': ");
    assert_eq!(sandbox.log().matches("/dev/log").count(), 1);
    assert!(sandbox.ctl(&["tail", "-4", "flood"]).stdout.starts_with("y\ny\n"), "it is remembered");
}

/// Fills what is remembered of it, and stays.
const FILLER: &str = "dd if=/dev/zero bs=65536 count=4 2>/dev/null | tr \"\\000\" x; echo; exec sleep 1000";

#[test]
fn rings_are_freed_with_their_process_even_while_something_is_due() {
    let programs: String = (0..5)
        .map(|n| {
            format!("[program:p{n}]\ncommand=sh -c '{FILLER}'\nstartsecs=0\nstdout_logfile=/dev/stdout\nenvironment=A=\"0\"\n")
        })
        .collect();
    // A tick is due all the time, so the supervisor is never idle.
    let listener = "[eventlistener:ticks]\ncommand=cat\nevents=TICK_5\n";
    let mut sandbox = sandbox("log_ring_bytes=256KB", &format!("{programs}{listener}")).start();
    let supervisor = sandbox.supervisor_pid();
    let settle = |sandbox: &mut Sandbox| {
        sandbox.wait("all rings to be full", |it| {
            let answer = Peer::unix(it).call("supervisor.getAllProcessInfo", &[]).ok()?;
            let Value::Array(all) = answer else { return None };
            let is_full = |n: usize| {
                let tail = it.ctl(&["tail", "-262144", &format!("p{n}")]).stdout;
                tail.len() >= 200_000
            };
            (all.len() == 6 && (0..5).all(is_full)).then_some(())
        });
        anonymous_kib(supervisor)
    };
    let first = settle(&mut sandbox);
    for round in 0..12 {
        if round % 2 == 0 {
            let (old, new) = (format!("A=\"{round}\""), format!("A=\"{}\"", round + 2));
            sandbox.replace("supervisord.conf", &old, &new);
            assert!(sandbox.ctl(&["update"]).success);
        } else {
            let starts = sandbox.log().matches("supervisord started with pid").count();
            sandbox.signal(Signal::HUP);
            sandbox.wait("a restart", |it| {
                (it.log().matches("supervisord started with pid").count() > starts).then_some(())
            });
            sandbox.wait_ready();
        }
        settle(&mut sandbox);
    }
    let last = settle(&mut sandbox);
    // Five rings of 256 KiB in each of twelve rounds would be 15 MiB.
    assert!(last < first + 5 * 1024, "{first} KiB have become {last} KiB");
}

// Halves of lines.

#[test]
fn half_a_line_passes_at_once_where_one_stream_writes_and_after_a_second_where_several_do() {
    let asks = "command=sh -c 'printf \"name? \"; read -r name; echo \"hello $name\"; exec sleep 1000'\nstartsecs=0\n";
    let alone = format!("[program:alone]\n{asks}stdout_logfile=/dev/stdout\n");
    let mut one = sandbox("silent=true", &alone).start();
    one.wait_terminal("name? ");
    let mut peer = Peer::unix(&one);
    peer.call("supervisor.sendProcessStdin", &["alone".into(), "you\n".into()]).unwrap();
    one.wait_terminal("name? hello you\n");

    let other = "[program:other]\ncommand=sh -c 'until [ -e go ]; do sleep 0.02; done; echo other; exec sleep 1000'\n\
                 directory=%(here)s\nstdout_logfile=/dev/stdout\nstartsecs=0\n";
    let mut two = sandbox("silent=true", &format!("{alone}{other}")).start();
    two.wait_terminal("name? ");
    // A line of another does not continue it, and the rest stands in a line of its own.
    two.write("go", "");
    two.wait_terminal("name? \nother\n");
    let mut peer = Peer::unix(&two);
    peer.call("supervisor.sendProcessStdin", &["alone".into(), "you\n".into()]).unwrap();
    two.wait_terminal("\nother\nhello you\n");
}

#[test]
fn a_line_that_ends_soon_is_not_split() {
    let writes = |name: &str| {
        format!(
            "[program:{name}]\ncommand=sh -c 'i=0; while [ $i -lt 50 ]; do i=$((i+1)); printf {name}; sleep 0.01; \
             echo \" $i\"; done; exec sleep 1000'\nstdout_logfile=/dev/stdout\nstartsecs=0\n"
        )
    };
    let mut sandbox = sandbox("silent=true", &(writes("one") + &writes("two"))).start();
    for name in ["one", "two"] {
        sandbox.wait_terminal(&format!("{name} 50\n"));
    }
    let text = sandbox.terminal();
    for name in ["one", "two"] {
        for n in 1..=50 {
            assert!(format!("\n{text}").contains(&format!("\n{name} {n}\n")), "{name} {n} in {text}");
        }
    }
}

// Logs that can't be opened.

#[test]
fn a_program_whose_log_can_not_be_opened_runs_with_a_ring() {
    let sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done'\n\
         stdout_logfile=%(here)s/t.log\nstderr_logfile=NONE\nstartsecs=0\n",
    );
    fs::create_dir(sandbox.path("t.log")).unwrap();
    let mut sandbox = sandbox.start();
    sandbox.wait_state("talker", "RUNNING");
    let warning =
        format!("WARN cannot open log '{}' of 'talker': Is a directory", sandbox.path("t.log").display());
    sandbox.wait_log(&warning);
    sandbox.wait("its output", |it| it.ctl(&["tail", "talker"]).stdout.contains("line 3\n").then_some(()));
    // Each start is not another loss.
    assert!(sandbox.ctl(&["restart", "talker"]).success);
    sandbox.wait("its output", |it| it.ctl(&["tail", "talker"]).stdout.contains("line 3\n").then_some(()));
    assert_eq!(sandbox.log().matches(&warning).count(), 1, "{}", sandbox.log());
    // The log is used as soon as it can be.
    fs::remove_dir(sandbox.path("t.log")).unwrap();
    sandbox.wait_log("is open now, ");
    sandbox.wait_file("t.log", "\nline ");
    let tail = sandbox.ctl(&["tail", "-20", "talker"]).stdout;
    assert!(sandbox.file("t.log").contains(tail.trim()), "{tail}");
}

#[test]
fn with_strict_a_log_that_can_not_be_opened_is_a_failure() {
    let sandbox = sandbox(
        "strict=true",
        "[program:talker]\ncommand=cat\nstdout_logfile=%(here)s/t.log\nstartretries=0\n",
    );
    fs::create_dir(sandbox.path("t.log")).unwrap();
    let mut sandbox = sandbox.start();
    sandbox.wait_state("talker", "FATAL");
    sandbox.wait_log("spawnerr: unknown error making dispatchers for 'talker': EISDIR");
}
