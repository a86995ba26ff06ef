//! Real programs under the real binary, from outside: what children get, what becomes of them, and
//! what the log says of it.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, test_kill_process};
use support::wire::anonymous_kib;
use support::{Sandbox, TIMEOUT};

fn is_alive(pid: Pid) -> bool {
    let text = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap_or_default();
    test_kill_process(pid).is_ok() && !text.contains("State:\tZ")
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

#[test]
fn children_get_their_environment_directory_umask_and_nothing_else() {
    let sandbox = Sandbox::with_programs(
        "[group:g]\nprograms=probe\n\
         [program:probe]\ncommand=sh %(here)s/probe.sh\nautorestart=false\nstartsecs=0\n\
         directory=/usr\numask=027\nenvironment=GREETING=\"a b\",PERCENT=\"100%%\"\n\
         stdout_logfile=%(here)s/probe.out\n",
    )
    .env("INHERITED", "50% %(x)s");
    sandbox.write(
        "probe.sh",
        "env; echo umask=$(umask); echo cwd=$(pwd); echo parent=$PPID\n\
         grep -E 'SigIgn|SigBlk' /proc/self/status; echo fds=$(ls /proc/self/fd | tr '\\n' ' ')\n\
         ps -o pgid= -p $$ | grep -q \" *$$\" && echo leader=yes; echo done\n",
    );
    let mut sandbox = sandbox.start();
    sandbox.wait_file("probe.out", "done\n");
    let out = sandbox.file("probe.out");
    let has = |line: &str| assert!(out.lines().any(|it| it == line), "no {line:?} in\n{out}");
    has("SUPERVISOR_ENABLED=1");
    has("SUPERVISOR_PROCESS_NAME=probe");
    has("SUPERVISOR_GROUP_NAME=g");
    has(&format!("SUPERVISOR_SERVER_URL=unix://{}", sandbox.path("supervisor.sock").display()));
    has("GREETING=a b");
    has("PERCENT=100%");
    has("INHERITED=50% %(x)s");
    has("umask=0027");
    has("cwd=/usr");
    has(&format!("parent={}", sandbox.supervisor_pid().as_raw_nonzero()));
    has("SigIgn:\t0000000000000000");
    has("SigBlk:\t0000000000000000");
    // The fourth is the one that `ls` lists by.
    has("fds=0 1 2 3");
}

#[test]
fn a_program_runs_as_its_user_with_that_users_groups() {
    if !support::have("root", is_root()) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:who]\ncommand=sh -c 'id -u; id -g; id -G; echo done'\nautorestart=false\nstartsecs=0\n\
         user=www-data\nstdout_logfile=%(here)s/who.out\n",
    )
    .start();
    sandbox.wait_file("who.out", "done\n");
    assert_eq!(sandbox.file("who.out"), "33\n33\n33\ndone\n");
}

#[test]
fn failures_between_fork_and_exec_are_reported_on_standard_error() {
    let sandbox = Sandbox::with_programs(
        "[program:nodir]\ncommand=/bin/cat\ndirectory=/nonexistent\nstderr_logfile=%(here)s/nodir.err\n\
         startretries=0\n\
         [program:noexec]\ncommand=%(here)s/noexec\nstderr_logfile=%(here)s/noexec.err\nstartretries=0\n",
    );
    sandbox.write("noexec", "no interpreter line\n");
    fs::set_permissions(sandbox.path("noexec"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut sandbox = sandbox.start();
    sandbox.wait_state("nodir", "FATAL");
    sandbox.wait_state("noexec", "FATAL");
    let last = "supervisor: child process was not spawned\n";
    assert_eq!(
        sandbox.file("nodir.err"),
        format!("supervisor: couldn't chdir to /nonexistent: ENOENT\n{last}")
    );
    let command = sandbox.path("noexec");
    assert_eq!(
        sandbox.file("noexec.err"),
        format!("supervisor: couldn't exec {}: ENOEXEC\n{last}", command.display())
    );
    sandbox.wait_log("exited: nodir (exit status 127; not expected)");
}

#[test]
fn commands_that_can_not_be_run_are_fatal_and_others_continue() {
    let mut sandbox = Sandbox::with_programs(
        "[program:missing]\ncommand=/no/such/program\nstartretries=0\n\
         [program:folder]\ncommand=/usr\nstartretries=0\n\
         [program:plain]\ncommand=/etc/passwd\nstartretries=0\n\
         [program:unquoted]\ncommand=echo \"\nstartretries=0\n\
         [program:empty]\ncommand=\nstartretries=0\n\
         [program:fine]\ncommand=/bin/cat\n",
    )
    .start();
    sandbox.wait_state("fine", "RUNNING");
    for (name, text) in [
        ("missing", "can't find command '/no/such/program'"),
        ("folder", "command at '/usr' is a directory"),
        ("plain", "command at '/etc/passwd' is not executable"),
        ("unquoted", "can't parse command 'echo \"': No closing quotation"),
        ("empty", "command is empty"),
    ] {
        sandbox.wait_state(name, "FATAL");
        let line = sandbox.ctl(&["status", name]).stdout;
        assert!(line.trim_end().ends_with(text), "{line}");
        sandbox.wait_log(&format!("spawnerr: {text}"));
    }
    let started = |name: &str| {
        let mut client = sandbox.program("supervisorctl");
        let output = client.args(["-c", "supervisord.conf", "start", name]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(started("missing"), "missing: ERROR (no such file)\n");
    assert_eq!(started("plain"), "plain: ERROR (file is not executable)\n");
}

#[test]
fn a_killed_program_is_restarted_with_another_pid() {
    let mut sandbox = Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\n").start();
    sandbox.wait_state("cat", "RUNNING");
    let before = sandbox.pid("cat").unwrap();
    kill_process(before, Signal::KILL).unwrap();
    sandbox.wait_log("exited: cat (terminated by SIGKILL; not expected)");
    let after = sandbox.wait("another pid", |sandbox| sandbox.pid("cat").filter(|pid| *pid != before));
    assert!(is_alive(after) && !is_alive(before));
}

#[test]
fn the_last_output_of_an_exited_child_is_kept() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'seq 1 20000; echo last >&2; exit 3'\nautorestart=false\nstartsecs=0\n\
         exitcodes=3\nstdout_logfile=%(here)s/talker.out\nstderr_logfile=%(here)s/talker.err\n",
    )
    .start();
    sandbox.wait_log("exited: talker (exit status 3; expected)");
    let expected: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
    assert!(sandbox.file("talker.out") == expected, "bytes are missing");
    assert_eq!(sandbox.file("talker.err"), "last\n");
}

#[test]
fn standard_error_can_share_the_pipe_of_standard_output() {
    let mut sandbox = Sandbox::with_programs(
        "[program:both]\ncommand=sh -c 'echo out; echo err >&2; echo out'\nautorestart=false\nstartsecs=0\n\
         redirect_stderr=true\nstdout_logfile=%(here)s/both.out\n",
    )
    .start();
    sandbox.wait_log("exited: both");
    assert_eq!(sandbox.file("both.out"), "out\nerr\nout\n");
}

#[test]
fn log_files_rotate_and_no_line_is_lost() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'for i in $(seq 1 40); do seq 1 100; sleep 0.01; done'\n\
         autorestart=false\nstartsecs=0\nstdout_logfile=%(here)s/t.log\nstdout_logfile_maxbytes=1000\n\
         stdout_logfile_backups=100\n",
    )
    .start();
    sandbox.wait_log("exited: talker");
    let files = fs::read_dir(sandbox.dir()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> =
        files.map(|name| name.into_string().unwrap()).filter(|name| name.starts_with("t.log")).collect();
    assert!(names.len() > 3, "{names:?}");
    let lines: usize = names.iter().map(|name| sandbox.file(name).lines().count()).sum();
    assert_eq!(lines, 4000);
}

#[test]
fn auto_logs_are_made_private_reported_and_removed_by_the_next_start() {
    let sandbox = Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\nautostart=false\n");
    sandbox.write("cat-stdout---supervisor-oldoldol.log", "of an earlier run");
    sandbox.write("cat-stdout---other-oldoldol.log", "of somebody else");
    let sandbox = sandbox.start();
    assert!(!sandbox.path("cat-stdout---supervisor-oldoldol.log").exists());
    assert!(sandbox.path("cat-stdout---other-oldoldol.log").exists());
    let names = fs::read_dir(sandbox.dir()).unwrap().map(|entry| entry.unwrap().path());
    let made: Vec<_> = names.filter(|path| path.to_string_lossy().contains("---supervisor-")).collect();
    assert_eq!(made.len(), 2, "one for each stream: {made:?}");
    for path in made {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_stop_reaches_the_process_group_when_it_shall_and_only_then() {
    let script = "sh -c 'sleep 1000 & echo $! > %(here)s/%(program_name)s.pid; wait'";
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:alone]\ncommand={script}\n[program:group]\ncommand={script}\nstopasgroup=true\n"
    ))
    .start();
    let mut grandchildren = Vec::new();
    for name in ["alone", "group"] {
        sandbox.wait_file(&format!("{name}.pid"), "\n");
        let pid: i32 = sandbox.file(&format!("{name}.pid")).trim().parse().unwrap();
        grandchildren.push(Pid::from_raw(pid).unwrap());
        assert_eq!(sandbox.ctl(&["stop", name]).stdout, format!("{name}: stopped\n"));
    }
    sandbox.wait("the grandchild of the group to end", |_| (!is_alive(grandchildren[1])).then_some(()));
    assert!(is_alive(grandchildren[0]), "only the child itself is stopped by default");
}

#[test]
fn orphans_are_adopted_and_reaped() {
    let sandbox = Sandbox::with_programs(
        "[program:parent]\ncommand=sh %(here)s/parent.sh\nstartsecs=0\nautorestart=false\n",
    );
    sandbox
        .write("parent.sh", "cd \"$(dirname \"$0\")\"; sh -c 'echo $$ > orphan.pid; sleep 0.3' & exit 0\n");
    let mut sandbox = sandbox.start();
    sandbox.wait_file("orphan.pid", "\n");
    let pid = sandbox.file("orphan.pid").trim().to_owned();
    sandbox.wait_log(&format!("reaped unknown pid {pid} (exit status 0)"));
}

#[test]
fn a_child_killed_by_a_real_time_signal_is_decoded() {
    let mut sandbox =
        Sandbox::with_programs("[program:rt]\ncommand=sh -c 'kill -40 $$; sleep 9'\nstartretries=0\n")
            .start();
    sandbox.wait_log("exited: rt (terminated by signal 40; not expected)");
}

#[test]
fn shutdown_is_in_order_and_ends_with_the_last_child() {
    let mut sandbox = Sandbox::with_programs(
        "[program:db]\ncommand=/bin/cat\npriority=1\n[program:app]\ncommand=/bin/cat\npriority=2\n\
         [program:web]\ncommand=/bin/cat\npriority=3\n",
    )
    .start();
    for name in ["db", "app", "web"] {
        sandbox.wait_state(name, "RUNNING");
    }
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    let log = sandbox.log();
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text:?} in\n{log}"));
    assert!(at("received SIGTERM indicating exit request") < at("waiting for"));
    assert!(at("stopped: web") < at("stopped: app") && at("stopped: app") < at("stopped: db"));
    for left in ["supervisor.sock", "supervisord.pid"] {
        assert!(!sandbox.path(left).exists(), "{left} is left behind");
    }
}

#[test]
fn a_second_term_speeds_up_the_shutdown() {
    let mut sandbox = Sandbox::with_programs(
        "[program:deaf]\ncommand=sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'\n\
         stopwaitsecs=3600\nstdout_logfile=%(here)s/deaf.out\n",
    )
    .start();
    sandbox.wait_file("deaf.out", "ready\n");
    sandbox.signal(Signal::TERM);
    sandbox.wait_log("waiting for deaf to die");
    // It counts once a second has passed since the first.
    sandbox.wait("the end of what was asked to stop", |sandbox| {
        sandbox.signal(Signal::TERM);
        sandbox.log().contains("stopped: deaf (terminated by SIGKILL)").then_some(())
    });
    assert_eq!(sandbox.wait_exit().code(), Some(0));
}

#[test]
fn hup_reads_the_configuration_again_in_the_same_process() {
    let mut sandbox = Sandbox::with_programs("[program:old]\ncommand=/bin/cat\n").start();
    sandbox.wait_state("old", "RUNNING");
    let pid = sandbox.ctl(&["pid"]).stdout;
    sandbox.replace("supervisord.conf", "[program:old]", "[program:new]");
    sandbox.signal(Signal::HUP);
    sandbox.wait_state("new", "RUNNING");
    assert_eq!(sandbox.state("old"), None);
    assert_eq!(sandbox.ctl(&["pid"]).stdout, pid);
    sandbox.wait_log("received SIGHUP indicating restart request");
}

#[test]
fn hup_with_a_broken_configuration_leaves_everything_running() {
    let mut sandbox = Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\n").start();
    sandbox.wait_state("cat", "RUNNING");
    let pid = sandbox.pid("cat");
    sandbox.replace("supervisord.conf", "command=/bin/cat", "command=/bin/cat\nautostart=perhaps");
    sandbox.signal(Signal::HUP);
    sandbox.wait_log("restart refused: the configuration has errors, nothing changes");
    assert!(sandbox.log().contains("not a valid boolean value: 'perhaps'"), "{}", sandbox.log());
    assert_eq!(sandbox.pid("cat"), pid);
    let answer = sandbox.ctl(&["reload"]);
    assert!(!answer.success && answer.stderr.contains("perhaps"), "{answer:?}");
    assert_eq!(sandbox.pid("cat"), pid);
}

#[test]
fn usr2_reopens_all_logs() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'while :; do echo line; sleep 0.05; done'\nstdout_logfile=%(here)s/t.log\n",
    )
    .start();
    sandbox.wait_file("t.log", "line\n");
    for name in ["t.log", "supervisord.log"] {
        fs::rename(sandbox.path(name), sandbox.path(&format!("{name}.moved"))).unwrap();
    }
    sandbox.signal(Signal::USR2);
    sandbox.wait_file("t.log", "line\n");
    sandbox.wait("the moved log to tell why", |sandbox| {
        sandbox
            .file("supervisord.log.moved")
            .contains("received SIGUSR2 indicating log reopen request")
            .then_some(())
    });
    assert_eq!(sandbox.ctl(&["stop", "talker"]).stdout, "talker: stopped\n");
    sandbox.wait_file("supervisord.log", "stopped: talker");
}

#[test]
fn other_signals_do_not_end_it() {
    let sandbox = Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\n").start();
    for signal in [Signal::USR1, Signal::ALARM, Signal::PIPE, Signal::VTALARM, Signal::XCPU, Signal::IO] {
        sandbox.signal(signal);
    }
    assert!(sandbox.ctl(&["pid"]).success, "{}", sandbox.story());
}

#[test]
fn output_to_dev_stdout_is_ours_also_with_the_default_rotation() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'echo hello from a child; echo problem >&2; cat'\n\
         stdout_logfile=/dev/stdout\nstderr_logfile=/dev/stderr\n",
    )
    .start();
    sandbox.wait_terminal("hello from a child\n");
    sandbox.wait_terminal("problem\n");
    sandbox.wait_state("talker", "RUNNING");
}

#[test]
fn the_log_is_written_once_when_it_is_standard_output() {
    let mut sandbox = Sandbox::new(&support::HEAD.replace("%(here)s/supervisord.log", "/dev/stdout"));
    let mut sandbox = {
        sandbox.spawn();
        sandbox
    };
    sandbox.wait_ready();
    sandbox.wait_terminal("supervisord started with pid");
    assert_eq!(sandbox.terminal().matches("supervisord started with pid").count(), 1);
}

/// All errors in one file are reported together, each with its file and line.
#[test]
fn a_broken_configuration_reports_all_its_errors_and_exits_2() {
    let mut sandbox = Sandbox::with_programs(
        "[program:one]\ncommand=/bin/cat\nautostart=perhaps\n\
         [program:two]\ncommand=/bin/cat\nstopsignal=NOPE\n[program:three]\nnumprocs=2\n",
    );
    let output = sandbox.run_to_end();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    let file = sandbox.config().display().to_string();
    for (option, value, section) in [
        ("autostart", "perhaps", "program:one"),
        ("stopsignal", "NOPE", "program:two"),
        ("", "", "program:three"),
    ] {
        let named = |line: &&str| {
            [option, value, section, &file, "line"].iter().all(|word| line.contains(word))
                && line.starts_with("Error: ")
        };
        assert!(text.lines().any(|line| named(&line)), "nothing about {section}: {text}");
    }
}

#[test]
fn a_missing_configuration_is_an_error() {
    let mut sandbox = Sandbox::new("");
    fs::remove_file(sandbox.config()).unwrap();
    let output = sandbox.run_to_end();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with(&format!("Error: could not find config file {}", sandbox.config().display())),
        "{text}"
    );
}

#[test]
fn unknown_sections_and_options_are_reported_in_one_line_each() {
    let mut sandbox =
        Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\nautorestrat=true\n[nonsense]\nx=y\n")
            .start();
    sandbox.wait_state("cat", "RUNNING");
    let log = sandbox.log();
    let about = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!((about("'autorestrat'"), about("nonsense")), (1, 1), "{log}");
    assert!(log.contains("did you mean 'autorestart'?"), "{log}");
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_refused() {
    let sandbox = Sandbox::with_programs("");
    drop(UnixListener::bind(sandbox.path("supervisor.sock")).unwrap());
    let mut sandbox = sandbox.start();
    sandbox.wait_terminal("Unlinking stale socket");
    let mode = fs::metadata(sandbox.path("supervisor.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    let second = std::process::Command::new(support::binary())
        .args(["run", "-c"])
        .arg(sandbox.config())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(2));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(
        text.starts_with("Error: cannot listen on '") && text.contains("another program listens there"),
        "{text}"
    );
    assert!(sandbox.ctl(&["pid"]).success, "the first continues");
}

#[test]
fn malformed_partial_and_missing_requests_do_not_disturb_others() {
    let mut sandbox = Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\n").start();
    let connect = || UnixStream::connect(sandbox.path("supervisor.sock")).unwrap();
    let mut silent = connect();
    let mut half = connect();
    half.write_all(b"POST /RPC2 HTTP/1.1\r\nContent-Length: 100\r\n\r\n<?xml").unwrap();
    let mut rubbish = connect();
    rubbish.write_all(&[0xff; 10_000]).unwrap();
    let mut answer = String::new();
    rubbish.set_read_timeout(Some(TIMEOUT)).unwrap();
    rubbish.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let mut large = connect();
    large.write_all(b"POST /RPC2 HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    large.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    sandbox.wait_state("cat", "RUNNING");
    silent.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    silent.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
}

/// A reader of our standard output that stops reading holds up the child that talks, not us.
#[test]
fn a_slow_reader_of_our_output_delays_no_other() {
    let mut sandbox = Sandbox::with_programs(
        "[program:flood]\ncommand=yes\nstdout_logfile=/dev/stdout\n[program:cat]\ncommand=/bin/cat\n",
    );
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nsilent=true\n");
    let (read, write) = std::io::pipe().unwrap();
    let mut command = sandbox.marked(std::process::Command::new(support::binary()));
    command.args(["run", "-c"]).arg(sandbox.config()).stdout(write);
    let mut supervisor = command.spawn().unwrap();
    drop(command);
    sandbox.wait("an answer", |sandbox| sandbox.ctl(&["pid"]).success.then_some(()));
    sandbox.wait_state("cat", "RUNNING");
    assert_eq!(sandbox.ctl(&["restart", "cat"]).stdout, "cat: stopped\ncat: started\n");
    let kept = anonymous_kib(Pid::from_child(&supervisor));
    assert!(kept < 8 * 1024, "{kept} KiB are kept for a reader that does not read");
    // The reader reads again, and what it gets is whole.
    let mut text = [0; 100_000];
    (&read).read_exact(&mut text).unwrap();
    assert!(text.chunks(2).all(|line| line == b"y\n"));
    assert_eq!(sandbox.ctl(&["shutdown"]).stdout, "Shut down\n");
    drop(read);
    assert_eq!(supervisor.wait().unwrap().code(), Some(0));
}

#[test]
fn a_log_on_a_full_disk_is_reported_once_and_the_child_runs_on() {
    let sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'while :; do echo line; sleep 0.02; done'\nstdout_logfile=%(here)s/full\n\
         stdout_logfile_maxbytes=0\n",
    );
    // Every write to this device is answered as a full disk answers it.
    std::os::unix::fs::symlink("/dev/full", sandbox.path("full")).unwrap();
    let mut sandbox = sandbox.start();
    sandbox.wait_state("talker", "RUNNING");
}

#[test]
fn supervisord_becomes_a_daemon_by_default() {
    use std::os::unix::process::CommandExt;
    let mut sandbox = Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\n");
    let mut command = std::process::Command::new(support::binary());
    command.arg0("supervisord").arg("-c").arg(sandbox.config()).current_dir(sandbox.dir());
    assert!(command.status().unwrap().success());
    sandbox.wait_state("cat", "RUNNING");
    let pid: i32 = sandbox.file("supervisord.pid").trim().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap().to_owned();
    assert_eq!(session, pid.to_string(), "a session of its own");
    assert_eq!(fs::read_link(format!("/proc/{pid}/fd/1")).unwrap(), std::path::Path::new("/dev/null"));
    assert_eq!(sandbox.ctl(&["shutdown"]).stdout, "Shut down\n");
    sandbox.wait("the daemon to end", |sandbox| (!sandbox.path("supervisord.pid").exists()).then_some(()));
}

#[test]
fn at_debug_level_the_log_shows_output_of_children() {
    let sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'printf \"out\\033[1m\\n\"; printf \"\\210\\n\" >&2'\nautorestart=false\nstartsecs=0\n",
    );
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nloglevel=debug\n");
    let mut sandbox = sandbox.start();
    sandbox.wait_log("received SIGCHLD");
    let log = sandbox.log();
    for text in [
        // Control sequences for the terminal of a reader of the log are shown, not interpreted.
        "DEBG 'talker' stdout output:\nout\\x1b[1m\n",
        "DEBG 'talker' stderr output:\nUndecodable: b'\\x88\\n'\n",
        "DEBG received SIGCHLD indicating a child quit\n",
        "closed, stopped monitoring",
    ] {
        assert!(log.contains(text), "no {text:?} in\n{log}");
    }
}

#[test]
fn a_user_that_we_may_not_switch_to_is_reported_on_standard_error() {
    if !support::have("root", is_root()) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:other]\ncommand=/bin/cat\nuser=www-data\nstderr_logfile=%(here)s/other.err\nstartretries=0\n",
    );
    // As a user who is not root, and can't become another user.
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nuser=nobody\n");
    fs::set_permissions(sandbox.dir(), fs::Permissions::from_mode(0o777)).unwrap();
    sandbox.spawn();
    sandbox.wait_file("other.err", "not spawned");
    assert_eq!(
        sandbox.file("other.err"),
        "supervisor: couldn't setuid to 33: Can't drop privilege as nonroot user\n\
         supervisor: child process was not spawned\n"
    );
}

fn limit(supervisor: Pid, resource: Resource, count: u64) {
    let maximum = getrlimit(resource).maximum;
    let current = Some(maximum.map_or(count, |maximum| maximum.min(count)));
    let set = prlimit(Some(supervisor), resource, Rlimit { current, maximum });
    assert!(set.is_ok(), "{set:?}");
}

/// While it is short of something a program waits and never fails; then it runs, and each is logged once.
fn assert_shortage_is_waited_out(sandbox: &mut Sandbox, name: &str, text: &str, end: impl FnOnce()) {
    let starts = "starts are retried until the shortage is over";
    sandbox.wait_log(&format!("WARN spawnerr: {text}; {starts}\n"));
    // The second attempt is a second after the first, the third two seconds later.
    let since = Instant::now();
    sandbox.wait(&format!("{name} to be tried again"), |sandbox| {
        let status = sandbox.ctl(&["status", name]).stdout;
        assert!(!status.contains("FATAL"), "{}", sandbox.story());
        let waits = status.contains(" BACKOFF ") && status.contains(text);
        (waits && since.elapsed() > Duration::from_secs(4)).then_some(())
    });
    end();
    sandbox.wait_state(name, "RUNNING");
    sandbox.wait_log(" failed meanwhile\n");
    let log = sandbox.log();
    assert_eq!(log.matches("spawnerr").count(), 1, "{log}");
    assert_eq!(log.matches("the shortage is over, ").count(), 1, "{log}");
    assert!(!log.contains("gave up"), "{log}");
}

#[test]
fn a_full_process_table_is_waited_out() {
    if !support::have("root", is_root()) {
        return;
    }
    let mut sandbox = Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\nstartretries=0\n");
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nminprocs=0\n");
    fs::set_permissions(sandbox.dir(), fs::Permissions::from_mode(0o777)).unwrap();
    // A user of the test's own, who may have two processes: the supervisor and one that is in the way.
    let uid = (100_000 + std::process::id()).to_string();
    let as_user = |program: &Path, arguments: &[&str]| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid", &uid, "--clear-groups"]).arg(program).args(arguments);
        command
    };
    let mut other = sandbox.marked(as_user(Path::new("sleep"), &["100000"])).spawn().unwrap();
    let other_status = format!("/proc/{}/status", other.id());
    sandbox.wait("the other process to have its user", |_| {
        fs::read_to_string(&other_status).unwrap().contains(&format!("Uid:\t{uid}")).then_some(())
    });
    let mut limited = sandbox.marked(as_user(Path::new("prlimit"), &["--nproc=2:"]));
    limited.arg(support::binary()).args(["run", "-c"]).arg(sandbox.config());
    sandbox.spawn_as(limited);
    let text = "Too many processes in process table to spawn 'cat'";
    assert_shortage_is_waited_out(&mut sandbox, "cat", text, || {
        other.kill().unwrap();
        other.wait().unwrap();
    });
}

/// Its user has as many processes as it may when the child becomes that user, which execve(2) refuses.
#[test]
fn a_child_that_may_not_execute_for_want_of_processes_waits() {
    if !support::have("root", is_root()) {
        return;
    }
    let mut sandbox = Sandbox::with_programs(
        "[program:cat]\ncommand=/bin/cat\nuser=nobody\nstartretries=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n",
    );
    let mut other = sandbox
        .marked(std::process::Command::new("setpriv"))
        .args(["--reuid", "nobody", "--clear-groups", "sleep", "100000"])
        .spawn()
        .unwrap();
    let mut limited = sandbox.marked(std::process::Command::new("prlimit"));
    limited.arg("--nproc=0:").arg(support::binary()).args(["run", "-c"]).arg(sandbox.config());
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nminprocs=0\n");
    sandbox.spawn_as(limited);
    let supervisor = sandbox.supervisor_pid();
    assert_shortage_is_waited_out(&mut sandbox, "cat", "couldn't exec 'cat': EAGAIN", || {
        limit(supervisor, Resource::Nproc, 1 << 15);
    });
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_shortage_of_descriptors_is_waited_out() {
    let mut sandbox = Sandbox::with_programs("[program:cat]\ncommand=/bin/cat\nstartretries=0\n").start();
    sandbox.wait_state("cat", "RUNNING");
    let supervisor = sandbox.supervisor_pid();
    let (child, fds) = (sandbox.pid("cat").unwrap(), format!("/proc/{}/fd", supervisor.as_raw_nonzero()));
    let open = fs::read_dir(fds).unwrap().count() as u64;
    // The dead child leaves three, of which one is for a client. Clients that have just left may be among those that are
    // open still; with as many as three more there is not enough for three pipes.
    limit(supervisor, Resource::Nofile, open - 2);
    kill_process(child, Signal::KILL).unwrap();
    assert_shortage_is_waited_out(&mut sandbox, "cat", "too many open files to spawn 'cat'", || {
        limit(supervisor, Resource::Nofile, 1024);
    });
}

#[test]
fn log_lines_are_in_the_time_zone_that_tz_names() {
    let mut sandbox = Sandbox::with_programs("").env("TZ", "XYZ-5:45").start();
    sandbox.wait_log("supervisord started");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // Five hours and three quarters east of UTC.
    let (hour, minute) = ((now + 20_700) / 3600 % 24, (now + 20_700) / 60 % 60);
    let line = sandbox.log();
    let reported: Vec<u64> = line[11..16].split(':').map(|part| part.parse().unwrap()).collect();
    let minutes_ago = (hour * 60 + minute + 1440 - (reported[0] * 60 + reported[1])) % 1440;
    assert!(minutes_ago <= 2, "{line}");
}

/// The reader of our standard output goes away while output is waiting for it.
#[test]
fn a_reader_that_goes_away_costs_nothing() {
    let mut sandbox = Sandbox::with_programs("[program:flood]\ncommand=yes\nstdout_logfile=/dev/stdout\n");
    let (read, write) = std::io::pipe().unwrap();
    let mut command = sandbox.marked(std::process::Command::new(support::binary()));
    command.args(["run", "-c"]).arg(sandbox.config()).stdout(write);
    let mut supervisor = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    drop(command);
    sandbox.wait("an answer", |sandbox| sandbox.ctl(&["pid"]).success.then_some(()));
    sandbox.wait_state("flood", "RUNNING");
    drop(read);
    assert_eq!(sandbox.ctl(&["stop", "flood"]).stdout, "flood: stopped\n");
    assert_eq!(sandbox.ctl(&["shutdown"]).stdout, "Shut down\n");
    assert_eq!(supervisor.wait().unwrap().code(), Some(0));
}

#[test]
fn colours_are_stripped_when_asked_for() {
    let sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=printf '\\033[31mred\\033[0m\\n'\nautorestart=false\nstartsecs=0\n\
         stdout_logfile=%(here)s/t.log\n",
    );
    sandbox.replace("supervisord.conf", "[supervisord]\n", "[supervisord]\nstrip_ansi=true\n");
    let mut sandbox = sandbox.start();
    sandbox.wait_log("exited: talker");
    assert_eq!(sandbox.file("t.log"), "red\n");
}

#[test]
fn update_applies_changes_and_only_those() {
    let mut sandbox = Sandbox::with_programs(
        "[program:same]\ncommand=/bin/cat\n[program:other]\ncommand=/bin/cat\n[program:gone]\ncommand=/bin/cat\n",
    )
    .start();
    for name in ["same", "other", "gone"] {
        sandbox.wait_state(name, "RUNNING");
    }
    let (same, other) = (sandbox.pid("same"), sandbox.pid("other"));
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "No config updates to processes\n");
    sandbox.replace("supervisord.conf", "[program:gone]", "[program:new]");
    sandbox.replace("supervisord.conf", "[program:other]\n", "[program:other]\nenvironment=N=7\n");
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "gone: disappeared\nnew: available\nother: changed\n");
    assert!(
        sandbox
            .ctl(&["avail"])
            .stdout
            .contains("new                              avail     auto      999:999")
    );
    let done = "gone: stopped\ngone: removed process group\nother: stopped\nother: updated process group\n\
                new: added process group\n";
    assert_eq!(sandbox.ctl(&["update"]).stdout, done);
    sandbox.wait_state("new", "RUNNING");
    sandbox.wait_state("other", "RUNNING");
    assert_eq!(sandbox.pid("same"), same);
    assert_ne!(sandbox.pid("other"), other);
    assert_eq!(sandbox.ctl(&["status", "gone"]).stdout, "gone: ERROR (no such process)\n");
    sandbox.replace("supervisord.conf", "environment=N=7", "startretries=many");
    let broken = sandbox.ctl(&["reread"]);
    assert!(
        broken.stderr.starts_with("error: cannot read the configuration: ")
            && broken.stderr.contains("'many'"),
        "{broken:?}"
    );
}

#[test]
fn pools_of_listeners_run_start_first_stop_last_and_are_groups() {
    let mut sandbox = Sandbox::with_programs(
        "[program:early]\ncommand=/bin/cat\npriority=0\n[program:late]\ncommand=/bin/cat\n\
         [eventlistener:pool]\ncommand=sh -c 'echo READY; exec sleep 1000'\nevents=TICK_5,PROCESS_STATE\nnumprocs=2\n\
         process_name=%(program_name)s_%(process_num)d\nstdout_logfile=%(here)s/%(process_num)d.out\n",
    )
    .start();
    for name in ["pool:pool_0", "pool:pool_1", "early", "late"] {
        sandbox.wait_state(name, "RUNNING");
    }
    let log = sandbox.log();
    let started =
        ["pool_0", "pool_1", "early", "late"].map(|name| log.find(&format!("spawned: '{name}'")).unwrap());
    assert!(started.is_sorted(), "{log}");
    sandbox.wait_file("1.out", "READY\n");

    assert_eq!(sandbox.ctl(&["stop", "pool:*"]).code, Some(0));
    assert_eq!(sandbox.state("pool:pool_0").as_deref(), Some("STOPPED"));
    sandbox.ctl(&["start", "pool:*"]);
    sandbox.replace("supervisord.conf", "TICK_5,", "tick_5,tick_60,");
    assert_eq!(sandbox.ctl(&["update"]).stdout, "pool: stopped\npool: updated process group\n");
    sandbox.replace(
        "supervisord.conf",
        "tick_5,tick_60,PROCESS_STATE",
        "PROCESS_STATE,TICK_60,TICK_5,TICK_5",
    );
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "No config updates to processes\n", "it asks for the same");

    sandbox.wait_state("pool:pool_1", "RUNNING");
    let before = sandbox.log().len();
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    let log = sandbox.log().split_off(before);
    let at = |name: &str| log.find(&format!("stopped: {name} ")).unwrap();
    assert!(at("late") < at("early") && at("early") < at("pool_0").min(at("pool_1")), "{log}");
}

#[test]
fn logs_can_be_read_and_cleared() {
    let mut sandbox = Sandbox::with_programs(
        "[program:talker]\ncommand=sh -c 'seq 1 1000; printf \"\\303\\244\\377\\001.\"; exec cat'\n\
         stdout_logfile=%(here)s/t.log\nstderr_logfile=NONE\n\
         [program:ended]\ncommand=echo words\nstartsecs=0\nautorestart=false\nstdout_logfile=%(here)s/e.log\n",
    )
    .start();
    sandbox.wait_log("exited: ended");
    sandbox.wait("the last byte", |it| fs::read(it.path("t.log")).ok()?.ends_with(b".").then_some(()));
    // What can't be in an answer is shown as such, and never breaks it.
    assert_eq!(
        sandbox.ctl(&["tail", "-9", "talker"]).stdout,
        "1000\n\u{e4}\u{fffd}\u{fffd}.\n".replace("1000", "000")
    );
    assert_eq!(sandbox.ctl(&["tail", "ended"]).stdout, "words\n\n");
    assert_eq!(sandbox.ctl(&["tail", "talker", "stderr"]).stdout, "talker: ERROR (no log file)\n");
    assert!(sandbox.ctl(&["maintail"]).stdout.contains("exited: ended"));
    assert_eq!(sandbox.ctl(&["clear", "talker", "ended"]).stdout, "talker: cleared\nended: cleared\n");
    assert_eq!((sandbox.file("t.log").as_str(), sandbox.file("e.log").as_str()), ("", ""));
    assert_eq!(sandbox.ctl(&["clear", "nope"]).stdout, "nope: ERROR (no such process)\n");
}

const FORKS_TWICE: &str = "exit 0 if fork; POSIX::setsid(); exit 0 if fork; sleep 100000";

/// The pid that a hint names.
fn background_pid(text: &str) -> Option<Pid> {
    let (_, rest) = text.split_once("it went into the background as pid ")?;
    Pid::from_raw(rest.split_once(';')?.0.parse().ok()?)
}

#[test]
fn a_program_that_daemonizes_is_distinguished_from_one_that_fails() {
    let sandbox = Sandbox::with_programs(&format!(
        "[program:daemon]\ncommand=/usr/bin/perl -MPOSIX -e '{FORKS_TWICE}'\nstartretries=0\n\
         [program:fails]\ncommand=sh -c 'sleep 100000 & exit 1'\nstartretries=0\n"
    ));
    let mut sandbox = sandbox.start();
    sandbox.wait_log("WARN daemon went into the background as pid ");
    sandbox.wait_state("daemon", "FATAL");
    let words = "Exited too quickly (process log may have details)";
    let pid = sandbox.wait("the pid of the second child", |sandbox| {
        let status = sandbox.ctl(&["status", "daemon"]).stdout;
        assert!(status.contains(&format!("{words}; it went into the background as pid ")), "{status}");
        assert!(status.ends_with("; run it in the foreground\n"), "{status}");
        background_pid(&status).filter(|pid| is_alive(*pid))
    });
    let json = sandbox.ctl(&["status", "--json", "daemon"]).stdout;
    assert_eq!(background_pid(&json), Some(pid), "{json}");
    // In Supervisor's words there is no more than Supervisor says.
    let mut client = sandbox.program("supervisorctl");
    let status = client.arg("-c").arg(sandbox.config()).args(["status", "daemon"]).output().unwrap();
    assert!(String::from_utf8_lossy(&status.stdout).ends_with(&format!("{words}\n")), "{status:?}");
    sandbox.wait_state("fails", "FATAL");
    assert!(sandbox.ctl(&["status", "fails"]).stdout.ends_with(&format!("{words}\n")));
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn nginx_in_the_background_gets_a_hint_how_to_stay() {
    if !support::have("nginx", Path::new("/usr/sbin/nginx").exists()) {
        return;
    }
    let sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=/usr/sbin/nginx -e stderr -p %(here)s/ -c %(here)s/nginx.conf\nstartretries=1\n",
    );
    let port = support::free_port();
    sandbox.write(
        "nginx.conf",
        &format!(
            "pid nginx.pid;\nevents {{}}\nhttp {{ access_log off; server {{ listen 127.0.0.1:{port}; }} }}\n"
        ),
    );
    let mut sandbox = sandbox.start();
    let status = sandbox.wait("a hint", |sandbox| {
        let status = sandbox.ctl(&["status", "web"]).stdout;
        status.ends_with("; run it in the foreground (nginx -g 'daemon off;')\n").then_some(status)
    });
    let master = sandbox.file("nginx.pid");
    assert_eq!(
        background_pid(&status).map(|pid| pid.as_raw_nonzero().to_string()).as_deref(),
        Some(master.trim())
    );
    // It tries for its port for longer than `startsecs`, so it is started again without end.
    sandbox.wait_log("exited: web (exit status 1; not expected)");
    assert_eq!(sandbox.log().matches("web went into the background").count(), 1, "{}", sandbox.log());
}
