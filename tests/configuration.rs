//! What a configuration and a command line make of the running supervisor, under Supervisor's own
//! names for it: where it looks, what it refuses and in which words, and what children see of it.
//!
//! `SV_TEST_REFERENCE` runs the same against Supervisor; the tests named `ours_…` show deliberate
//! differences and are skipped then.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::wire::Peer;
use support::{HEAD, Sandbox, TIMEOUT, have, reference_under_test};

/// What a program printed, and its exit code.
#[derive(Debug)]
struct SvOutput {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn reported(command: &mut Command) -> SvOutput {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    SvOutput { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// The uid of the user nobody.
const NOBODY: u32 = 65534;

/// A sandbox that all users may write to.
fn open_to_all(config: &str) -> Sandbox {
    let sandbox = Sandbox::new(config);
    fs::set_permissions(sandbox.dir(), fs::Permissions::from_mode(0o777)).unwrap();
    sandbox
}

/// A supervisord that the user nobody starts, from a copy, as the folder of the build need not be open to all users.
fn for_nobody(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.program("supervisord");
    if reference_under_test().is_none() {
        let copy = sandbox.path("supervisord");
        // Written by a separate process: a parallel test may fork while the file is open for writing.
        assert!(Command::new("cp").arg(support::binary()).arg(&copy).status().unwrap().success());
        let mut of_copy = Command::new(copy);
        of_copy.current_dir(sandbox.dir()).env("SV_TEST_SANDBOX", sandbox.dir()).stdin(Stdio::null());
        command = of_copy;
    }
    command.uid(NOBODY);
    command
}

/// `HEAD` with more options for `[supervisord]`.
fn head_with(options: &str) -> String {
    HEAD.replace("[supervisord]\n", &format!("[supervisord]\n{options}"))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `Error: T` and the hint, and exit status 2.
fn assert_refused(reported: &SvOutput, text: &str) {
    assert_eq!(reported.code, Some(2), "{reported:?}");
    let (first, rest) =
        reported.stderr.split_once("\nFor help, use ").unwrap_or_else(|| panic!("{reported:?}"));
    assert!(first.lines().any(|line| line.starts_with(&format!("Error: {text}"))), "{text}: {reported:?}");
    assert!(rest.ends_with("supervisord -h\n"), "{reported:?}");
}

#[test]
fn misuse_is_reported_in_two_lines_and_ends_with_status_2() {
    let sandbox = Sandbox::with_programs("");
    sandbox.write("plain.conf", "[supervisord]\n");
    fs::create_dir(sandbox.path("folder")).unwrap();
    let (missing, folder) = (sandbox.path("nope.conf"), sandbox.path("folder"));
    for (words, text) in [
        (vec!["-Z"], "option -Z not recognized".to_owned()),
        (vec!["--foo"], "option --foo not recognized".to_owned()),
        (vec!["-c"], "option -c requires argument".to_owned()),
        (vec!["--log", "x"], "option --log not a unique prefix".to_owned()),
        (vec!["-n", "-n"], "conflicting command line option '-n'".to_owned()),
        (vec!["foo"], "positional arguments are not supported: ['foo']".to_owned()),
        (vec!["-c", missing.to_str().unwrap()], format!("could not find config file {}", missing.display())),
        (vec!["-c", folder.to_str().unwrap()], format!("could not read config file {}", folder.display())),
        (vec!["-c", "plain.conf", "-m", "99"], "invalid value for -m '99': 99 can not be".to_owned()),
        (vec!["-c", "plain.conf", "-d", "/nodir"], "invalid value for -d '/nodir': /nodir is not".to_owned()),
        (vec!["-c", "plain.conf", "-q", "/nodir"], "invalid value for -q '/nodir': /nodir is not".to_owned()),
        (vec!["-c", "plain.conf", "-l", "/nodir/x"], "invalid value for -l '/nodir/x': The dir".to_owned()),
        (vec!["-c", "plain.conf", "-j", "/nodir/x"], "invalid value for -j '/nodir/x': The dir".to_owned()),
        (vec!["-c", "plain.conf", "-e", "loud"], "invalid value for -e 'loud': bad logging".to_owned()),
        (vec!["-c", "plain.conf", "-y", "5k"], "invalid value for -y '5k': ".to_owned()),
        (vec!["-c", "plain.conf", "-z", "x"], "invalid value for -z 'x': ".to_owned()),
        (vec!["-c", "plain.conf", "-a", "x"], "invalid value for -a 'x': ".to_owned()),
        (vec!["-c", "plain.conf", "--minprocs=x"], "invalid value for --minprocs 'x': ".to_owned()),
    ] {
        let reported = reported(sandbox.program("supervisord").args(&words));
        assert_refused(&reported, &text);
        assert_eq!((reported.stderr.lines().count(), reported.stdout.as_str()), (2, ""), "{words:?}");
    }
}

#[test]
fn broken_lines_are_reported_with_status_2() {
    let sandbox = Sandbox::new("");
    for (config, text) in [
        ("", ".ini file does not include supervisord section"),
        ("[supervisord]\nfoo\nx=1\nbar\n", "Source contains parsing errors: "),
        ("x=1\n", "File contains no section headers."),
        ("[supervisord]\n[include]\n", ".ini file has [include] section, but no files setting"),
        ("[supervisord]\n[group:g]\nprograms=nope\n", "[group:g] names unknown program or fcgi-program nope"),
    ] {
        sandbox.write("supervisord.conf", config);
        let reported = reported(sandbox.program("supervisord").arg("-c").arg(sandbox.config()));
        assert_refused(&reported, text);
    }
    sandbox.write("supervisord.conf", "[supervisord]\nfoo\nx=1\nbar\n");
    let reported = reported(sandbox.program("supervisord").arg("-c").arg(sandbox.config()));
    assert!(reported.stderr.contains("\n\t[line  2]: 'foo\\n'\n\t[line  4]: 'bar\\n'\n"), "{reported:?}");
}

#[test]
fn sockets_and_pools_that_can_not_be_are_reported_with_status_2() {
    let sandbox = Sandbox::new("");
    let of_files = "socket_owner and socket_mode params should only be used with a Unix domain socket in \
        [fcgi-program:x] socket";
    let redirected = "[eventlistener:x] section sets redirect_stderr=true but this is not allowed because it will \
        interfere with the eventlistener protocol";
    for (kind, lines, text) in [
        ("fcgi-program", "", "[fcgi-program:x] section requires a \"socket\" line"),
        ("fcgi-program", "socket=", "[fcgi-program:x] section requires a \"socket\" line"),
        ("fcgi-program", "socket=tcp://a:0", "0 is below lower bound (1) in [fcgi-program:x] socket"),
        (
            "fcgi-program",
            "socket=tcp://a:70000",
            "70000 is above upper bound (65535) in [fcgi-program:x] socket",
        ),
        ("fcgi-program", "socket=tcp://a:1\nsocket_mode=0700", of_files),
        ("fcgi-program", "socket=foo\nsocket_owner=root", of_files),
        ("fcgi-program", "socket=tcp://a:1\nsocket_backlog=0", "Invalid socket_backlog value 0"),
        ("fcgi-program", "socket=unix:///x\nsocket_owner=n0body", "Invalid socket_owner value n0body"),
        ("fcgi-program", "socket=unix:///x\nsocket_mode=rw", "Invalid socket_mode value rw"),
        ("eventlistener", "", "[eventlistener:x] section requires an \"events\" line"),
        ("eventlistener", "events=", "[eventlistener:x] section requires an \"events\" line"),
        ("eventlistener", "events=TICK_5,foo", "Unknown event type FOO in [eventlistener:x] events"),
        ("eventlistener", "events=TICK,", "Unknown event type  in [eventlistener:x] events"),
        (
            "eventlistener",
            "buffer_size=0\nevents=TICK",
            "[eventlistener:x] section sets invalid buffer_size (0)",
        ),
        ("eventlistener", "events=TICK\nredirect_stderr=true", redirected),
    ] {
        sandbox.write("supervisord.conf", &format!("[supervisord]\n[{kind}:x]\ncommand=/bin/cat\n{lines}\n"));
        let reported = reported(sandbox.program("supervisord").arg("-c").arg(sandbox.config()));
        assert_refused(&reported, text);
    }
}

#[test]
fn a_file_that_may_not_be_read_is_reported() {
    if !have("root", is_root()) {
        return;
    }
    let sandbox = Sandbox::with_programs("");
    fs::set_permissions(sandbox.config(), fs::Permissions::from_mode(0o600)).unwrap();
    let reported = reported(for_nobody(&sandbox).arg("-c").arg(sandbox.config()));
    assert_refused(&reported, &format!("could not read config file {}", sandbox.config().display()));
}

#[test]
fn help_and_version_need_no_configuration() {
    let sandbox = Sandbox::new("broken");
    for word in ["-h", "--help", "-?"] {
        let reported = reported(sandbox.program("supervisord").args(["-c", "nope", word]));
        assert_eq!((reported.code, reported.stderr.as_str()), (Some(0), ""), "{word}");
        for part in ["supervisord -- run a set of applications", "-l/--logfile FILENAME -- use FILENAME as"] {
            assert!(reported.stdout.contains(part), "{word}: {reported:?}");
        }
    }
    for word in ["-v", "--version", "--vers"] {
        let reported = reported(sandbox.program("supervisord").arg(word));
        assert_eq!(
            (reported.code, reported.stdout.as_str(), reported.stderr.as_str()),
            (Some(0), "4.3.0\n", "")
        );
    }
}

#[test]
fn the_first_configuration_on_the_way_is_read() {
    if reference_under_test().is_some() {
        return; // It is installed elsewhere, and so looks elsewhere.
    }
    let sandbox = Sandbox::new("");
    for folder in ["etc", "here/etc"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
    }
    let places =
        ["etc/supervisord.conf", "supervisord.conf", "here/supervisord.conf", "here/etc/supervisord.conf"];
    for place in places {
        sandbox.write(place, &format!("[supervisord]\nloglevel={place}\n"));
    }
    let run = || reported(sandbox.program("supervisord").current_dir(sandbox.path("here")));
    for place in places {
        assert_refused_somewhere(&run(), &format!("bad logging level name '{place}'"));
        fs::remove_file(sandbox.path(place)).unwrap();
    }
    if !Path::new("/etc/supervisord.conf").exists() && !Path::new("/etc/supervisor").exists() {
        let dir = sandbox.dir().display();
        let paths = |ending| {
            format!(
                "{dir}/etc/supervisord.{ending}, {dir}/supervisord.{ending}, {dir}/here/supervisord.{ending}, \
                 {dir}/here/etc/supervisord.{ending}, /etc/supervisord.{ending}, \
                 /etc/supervisor/supervisord.{ending}"
            )
        };
        let text = format!(
            "No config file found at default paths ({}, {}); use the -c option to specify a config file at a \
             different path",
            paths("conf"),
            paths("toml")
        );
        assert_refused_somewhere(&run(), &text);
    }
}

/// Refused, with a warning before it perhaps.
fn assert_refused_somewhere(reported: &SvOutput, text: &str) {
    assert!(
        reported.code == Some(2) && reported.stderr.contains(&format!("Error: {text}")),
        "{text}: {reported:?}"
    );
}

#[test]
fn root_is_warned_of_a_search() {
    let sandbox = Sandbox::new("[supervisord]\nloglevel=loud\n");
    let is_warned =
        |command: &mut Command| reported(command).stderr.contains("upervisord is running as root and");
    assert!(!is_warned(sandbox.program("supervisord").arg("-c").arg(sandbox.config())));
    assert_eq!(is_warned(&mut sandbox.program("supervisord")), is_root());
    if is_root() {
        assert!(!is_warned(&mut for_nobody(&sandbox)));
    }
}

#[test]
fn the_command_line_beats_the_file_and_stays_so_over_a_restart() {
    let programs = "[program:cat]\ncommand=/bin/cat\n";
    let mut sandbox =
        Sandbox::new(&format!("{}{programs}", head_with("identifier=file\nloglevel=critical\n")));
    fs::create_dir(sandbox.path("logs")).unwrap();
    let mut command = sandbox.program("supervisord");
    command.args(["-n", "-c"]).arg(sandbox.config()).args(["-i", "argv", "-e", "info", "-q", "logs"]);
    command.args(["-l", "argv.log", "-j", "argv.pid", "-s"]);
    sandbox.spawn_as(command);
    sandbox.wait_ready();
    sandbox.wait_file("argv.log", "success: cat entered RUNNING state");
    let auto_logs = |sandbox: &Sandbox| {
        let names = fs::read_dir(sandbox.path("logs")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains("---argv-")).count()
    };
    assert_eq!(auto_logs(&sandbox), 2);
    let pid = format!("{}\n", sandbox.supervisor_pid().as_raw_nonzero());
    assert_eq!(sandbox.file("argv.pid"), pid);
    sandbox.replace("supervisord.conf", "identifier=file", "identifier=another");
    sandbox.signal(Signal::HUP);
    sandbox.wait("a second start", |sandbox| {
        let log = sandbox.file("argv.log");
        (log.matches("success: cat entered RUNNING state").count() == 2).then_some(())
    });
    assert_eq!(auto_logs(&sandbox), 2);
    assert_eq!((sandbox.file("argv.pid"), sandbox.terminal()), (pid, String::new()));
    assert!(!sandbox.path("supervisord.log").exists() && !sandbox.path("supervisord.pid").exists());
}

#[test]
fn log_and_pid_file_are_in_the_current_directory_by_default() {
    let mut sandbox = Sandbox::new("[supervisord]\nidentifier=x\n");
    fs::create_dir(sandbox.path("here")).unwrap();
    sandbox.write("here/supervisord.pid", "of an earlier run");
    let mut command = sandbox.program("supervisord");
    command.args(["-n", "-c"]).arg(sandbox.config()).current_dir(sandbox.path("here"));
    sandbox.spawn_as(command);
    let pid = sandbox.supervisor_pid().as_raw_nonzero();
    sandbox.wait_file("here/supervisord.log", &format!("INFO supervisord started with pid {pid}\n"));
    assert_eq!(sandbox.file("here/supervisord.pid"), format!("{pid}\n"));
    sandbox.wait_terminal(&format!("INFO supervisord started with pid {pid}\n"));
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    assert!(!sandbox.path("here/supervisord.pid").exists());
}

#[test]
fn silence_is_for_the_terminal_alone() {
    for (options, words) in
        [("silent=true\n", &["-n"][..]), ("", &["-ns"]), ("nodaemon=true\n", &["--silent"])]
    {
        let mut sandbox = Sandbox::new(&head_with(options));
        let mut command = sandbox.program("supervisord");
        command.args(words).arg("-c").arg(sandbox.config());
        sandbox.spawn_as(command);
        sandbox.wait_file("supervisord.log", "supervisord started with pid");
        sandbox.signal(Signal::TERM);
        assert_eq!(sandbox.wait_exit().code(), Some(0));
        assert_eq!(sandbox.terminal(), "", "{words:?}");
    }
}

#[test]
fn a_pid_file_that_can_not_be_written_is_reported_and_left_alone() {
    let mut sandbox = Sandbox::new(&HEAD.replace("supervisord.pid", "folder"));
    fs::create_dir(sandbox.path("folder")).unwrap();
    sandbox.spawn();
    let reported = match reference_under_test() {
        Some(_) => "CRIT could not write pidfile ",
        None => "WARN cannot write the pid file ",
    };
    sandbox.wait_log(reported);
    sandbox.wait_ready();
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0));
    assert!(sandbox.path("folder").is_dir());
}

#[test]
fn ours_reports_a_log_that_can_not_be_opened_and_exits_2() {
    if reference_under_test().is_some() {
        return;
    }
    let sandbox = Sandbox::new(&HEAD.replace("supervisord.log", "folder"));
    fs::create_dir(sandbox.path("folder")).unwrap();
    let reported = reported(sandbox.program("supervisord").args(["-n", "-c"]).arg(sandbox.config()));
    assert_refused(&reported, "cannot open the log file");
}

#[test]
fn stored_messages_are_logged_most_severe_first_and_servers_are_reported() {
    if !have("root", is_root()) {
        return;
    }
    let mut sandbox = Sandbox::new(&format!(
        "{HEAD}[include]\nfiles=%(here)s/x.ini nope\n[inet_http_server:two]\nport=127.0.0.1:{}\n\
         [program:cat]\ncommand=/bin/cat\nstdout_logfile_maxbytes=0\n",
        free_port()
    ));
    sandbox.write("x.ini", "");
    let mut command = sandbox.program("supervisord");
    command.args(["-n", "-c"]).arg(sandbox.config());
    sandbox.spawn_as(command);
    sandbox.wait_ready();
    sandbox.wait_log("supervisord started with pid");
    let log = sandbox.log();
    let mut from = 0;
    for text in [
        "CRIT Supervisor is running as root.  Privileges were not dropped because no user is specified in the \
         config file.  If you intend to run as root, you can set user=root in the config file to avoid this \
         message.\n",
        "/nope\"\n",
        "INFO Included extra file ",
        "INFO RPC interface 'supervisor' initialized\n",
        "CRIT Server 'inet_http_server:two' running without any HTTP authentication checking\n",
        "INFO RPC interface 'supervisor' initialized\n",
        "CRIT Server 'unix_http_server' running without any HTTP authentication checking\n",
        "INFO supervisord started with pid ",
    ] {
        let at = log[from..].find(text).unwrap_or_else(|| panic!("no {text:?} behind {from} in\n{log}"));
        from += at + text.len();
    }
    assert!(log.contains("WARN No file matches via include \""), "{log}");
    assert!(log.contains("WARN For [program:cat], AUTO logging used for stdout_logfile without rollover"));
}

#[test]
fn under_our_own_name_nothing_is_critical_about_root_and_its_private_socket() {
    if reference_under_test().is_some() {
        return;
    }
    let mut sandbox = Sandbox::with_programs("").start();
    sandbox.wait_log("supervisord started with pid");
    assert!(!sandbox.log().contains("CRIT"), "{}", sandbox.log());
    let open = HEAD.replace("supervisor.sock\n\n[rpc", "supervisor.sock\nchmod=0777\n\n[rpc");
    let mut sandbox = Sandbox::new(&open).start();
    sandbox.wait_log("WARN [unix_http_server] asks for no password: every user who may open '");
    let loopback = format!("{HEAD}[inet_http_server]\nport=127.0.0.1:{}\n", free_port());
    let mut sandbox = Sandbox::new(&loopback).start();
    sandbox.wait_log(
        "WARN [inet_http_server] asks for no password: every local user can run programs here; set",
    );
    assert!(!sandbox.log().contains("CRIT"), "{}", sandbox.log());
}

#[test]
fn under_our_own_name_a_missing_section_has_its_remedy() {
    if reference_under_test().is_some() {
        return;
    }
    let sandbox = Sandbox::new("[program:web]\ncommand=/bin/cat\n");
    let reported = reported(sandbox.program("sv").args(["run", "-c"]).arg(sandbox.config()));
    assert_eq!(reported.code, Some(2), "{reported:?}");
    assert!(reported.stderr.contains("'): add [supervisord], which may be empty\n"), "{reported:?}");
}

#[test]
fn ours_does_not_warn_of_root_as_pid_1() {
    if reference_under_test().is_some() || !have("root", is_root()) {
        return;
    }
    let probe = Command::new("unshare").args(["--pid", "--fork", "true"]).status();
    if !have("unshare", probe.is_ok_and(|status| status.success())) {
        return;
    }
    let mut sandbox = Sandbox::with_programs("");
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child"]).arg(support::binary()).arg("-c").arg(sandbox.config());
    command.env("SV_TEST_SANDBOX", sandbox.dir()).current_dir(sandbox.dir());
    sandbox.spawn_as(command);
    sandbox.wait_log("supervisord started with pid 1\n");
    assert!(!sandbox.log().contains("running as root"), "{}", sandbox.log());
}

/// A program that writes down what it has inherited.
const PROBE: &str = "[program:probe]\ncommand=sh -c 'umask > %(here)s/out; pwd >> %(here)s/out; ulimit -n >> \
    %(here)s/out; echo done >> %(here)s/out'\nstartsecs=0\nautorestart=false\n";

/// What the probe wrote of its umask and its directory, under a starter whose mask is 077.
fn probed(options: &str, words: &[&str]) -> (String, String, String) {
    let mut sandbox = Sandbox::new(&format!("{}{PROBE}", head_with(options)));
    fs::create_dir(sandbox.path("d")).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(sandbox.program("supervisord").get_program());
    command.args(words).arg("-c").arg(sandbox.config());
    command.env("SV_TEST_SANDBOX", sandbox.dir()).current_dir(sandbox.dir());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut supervisor = command.spawn().unwrap();
    sandbox.wait_file("out", "done\n");
    sandbox.wait_ready();
    let out = sandbox.file("out");
    let log = sandbox.log();
    assert_eq!(sandbox.ctl(&["shutdown"]).stdout, "Shut down\n");
    assert_eq!(supervisor.wait().unwrap().code(), Some(0));
    let mut lines = out.lines().map(|line| line.replace(&sandbox.dir().display().to_string(), "DIR"));
    (lines.next().unwrap(), lines.next().unwrap(), log.replace(&sandbox.dir().display().to_string(), "DIR"))
}

#[test]
fn a_daemon_takes_its_umask_and_its_directory() {
    let (umask, directory, log) = probed("", &[]);
    assert_eq!((umask.as_str(), directory.as_str()), ("0022", "DIR"));
    assert!(log.contains("INFO daemonizing the supervisord process\n"), "{log}");
    let (umask, directory, log) = probed("umask=027\ndirectory=%(here)s/d\n", &[]);
    assert_eq!((umask.as_str(), directory.as_str()), ("0027", "DIR/d"));
    assert!(log.contains("INFO set current directory: 'DIR/d'\n"), "{log}");
}

#[test]
fn the_foreground_keeps_its_directory_and_its_umask() {
    let (umask, directory, log) = probed("directory=%(here)s/d\n", &["-n"]);
    assert_eq!((umask.as_str(), directory.as_str()), ("0077", "DIR"));
    assert!(!log.contains("current directory"), "{log}");
}

#[test]
fn ours_takes_a_umask_in_the_foreground_too() {
    if reference_under_test().is_none() {
        assert_eq!(probed("umask=027\n", &["-n"]).0, "0027");
    }
}

#[test]
fn a_daemon_that_can_not_enter_its_directory_continues() {
    if !have("root", is_root()) {
        return;
    }
    let mut sandbox = open_to_all(&head_with("user=nobody\ndirectory=%(here)s/d\n"));
    fs::create_dir(sandbox.path("d")).unwrap();
    fs::set_permissions(sandbox.path("d"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(reported(sandbox.program("supervisord").arg("-c").arg(sandbox.config())).code, Some(0));
    sandbox.wait_log(&format!("CRIT can't chdir into '{}': ", sandbox.path("d").display()));
    sandbox.wait_ready();
    assert_eq!(sandbox.ctl(&["shutdown"]).stdout, "Shut down\n");
}

#[test]
fn ours_finds_a_relative_configuration_again_after_changing_its_directory() {
    if reference_under_test().is_some() {
        return;
    }
    let mut sandbox = Sandbox::new(&head_with("directory=/\n"));
    assert_eq!(reported(sandbox.program("supervisord").args(["-c", "supervisord.conf"])).code, Some(0));
    sandbox.wait_ready();
    let pid: i32 = sandbox.file("supervisord.pid").trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
    sandbox.wait("a second start", |sandbox| {
        (sandbox.log().matches("supervisord started with pid").count() == 2).then_some(())
    });
    assert_eq!(sandbox.ctl(&["shutdown"]).stdout, "Shut down\n");
}

#[test]
fn failures_before_the_fork_are_reported_by_the_starter() {
    let sandbox = Sandbox::new(&HEAD.replace("supervisor.sock\n\n[rpc", "nodir/supervisor.sock\n\n[rpc"));
    let reported = reported(sandbox.program("supervisord").arg("-c").arg(sandbox.config()));
    assert_refused(&reported, "Cannot open an HTTP server: socket.error reported errno.ENOENT (2)");
    assert!(!sandbox.path("supervisord.pid").exists());
}

#[test]
fn includes_are_globbed_as_python_does_it_and_reported_in_order() {
    let mut sandbox = Sandbox::new(&format!(
        "{}[include]\nfiles = d/*.ini d/?x.conf\n  d/[ab].cfg e/**/deep.ini d/1.ini none/*.ini \
         h/.i*.ini h/[.]i*.ini h/[a*.ini h/f*/x.ini\n",
        head_with("identifier=main\n")
    ));
    for folder in ["d", "e/f/g", "d/folder.ini", "h/f", "h/f-g"] {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
    }
    for (name, text) in [
        ("d/2.ini", "[supervisord]\nidentifier=two\n[include]\nfiles=/nonexistent\n"),
        ("d/1.ini", "[supervisord]\nidentifier=one\n"),
        ("d/.hidden.ini", "broken"),
        ("d/1x.conf", ""),
        ("d/11x.conf", "broken"),
        ("d/b.cfg", ""),
        ("d/a.cfg", ""),
        ("d/c.cfg", "broken"),
        ("e/f/deep.ini", ""),
        ("e/f/g/deep.ini", "broken"),
        ("e/deep.ini", "broken"),
        ("h/.i.ini", ""),
        ("h/[ab.ini", ""),
        ("h/f/x.ini", ""),
        ("h/f-g/x.ini", ""),
    ] {
        sandbox.write(name, text);
    }
    sandbox.spawn();
    sandbox.wait_ready();
    let log = sandbox.log().replace(&sandbox.dir().display().to_string(), "DIR");
    let included: Vec<_> = log
        .lines()
        .filter_map(|line| {
            line.split_once("INFO Included extra file \"DIR/")?.1.strip_suffix("\" during parsing")
        })
        .filter(|name| *name != "d/folder.ini")
        .collect();
    assert_eq!(
        included,
        [
            "d/1.ini",
            "d/2.ini",
            "d/1x.conf",
            "d/a.cfg",
            "d/b.cfg",
            "e/f/deep.ini",
            "d/1.ini",
            "h/.i.ini",
            "h/[ab.ini",
            "h/f-g/x.ini",
            "h/f/x.ini",
        ],
        "{log}"
    );
    assert!(log.contains("WARN No file matches via include \"DIR/none/*.ini\"\n"), "{log}");
    assert!(log.contains("WARN No file matches via include \"DIR/h/[.]i*.ini\"\n"), "{log}");
    if reference_under_test().is_none() {
        assert!(log.contains("WARN could not read included file \"DIR/d/folder.ini\": "), "{log}");
    }
}

#[test]
fn an_included_file_that_is_broken_is_named() {
    let sandbox = Sandbox::with_programs("[include]\nfiles=x.ini\n");
    sandbox.write("x.ini", "nothing\n");
    let reported = reported(sandbox.program("supervisord").arg("-c").arg(sandbox.config()));
    assert_refused(&reported, "File contains no section headers.");
    assert!(
        reported.stderr.contains(&format!("file: '{}'", sandbox.path("x.ini").display())),
        "{reported:?}"
    );
}

#[test]
fn children_see_the_configured_environment_and_we_do_not() {
    let mut sandbox = Sandbox::new(&format!(
        "{}[program:probe]\ncommand=sh -c \"env > %(here)s/out; echo %(ENV_ADDED)s %(ENV_OWN)s >> %(here)s/out; \
         echo done >> %(here)s/out\"\nstartsecs=0\nautorestart=false\n\
         environment=OWN=\"own\",BOTH=\"program\",SUPERVISOR_PROCESS_NAME=\"renamed\"\n",
        head_with("environment=ADDED=\"by file\",BOTH=\"file\",KEPT=\"changed\",SUPERVISOR_GROUP_NAME=\"regrouped\"\n")
    ))
    .env("KEPT", "outside")
    .env("UNTOUCHED", "as it was")
    .start();
    sandbox.wait_file("out", "done\n");
    let out = sandbox.file("out");
    for line in [
        "by file own",
        "ADDED=by file",
        "OWN=own",
        "BOTH=program",
        "KEPT=changed",
        "UNTOUCHED=as it was",
        "SUPERVISOR_PROCESS_NAME=renamed",
        "SUPERVISOR_GROUP_NAME=regrouped",
        "SUPERVISOR_ENABLED=1",
    ] {
        assert!(out.lines().any(|it| it == line), "no {line:?} in\n{out}");
    }
    assert!(!out.contains("SUPERVISOR_USERNAME") && !out.contains("SUPERVISOR_PASSWORD"), "{out}");
    let ours = fs::read(format!("/proc/{}/environ", sandbox.supervisor_pid().as_raw_nonzero())).unwrap();
    let ours = String::from_utf8_lossy(&ours);
    assert!(ours.contains("KEPT=outside\0") && !ours.contains("ADDED="), "{ours}");
}

#[test]
fn ours_forgets_a_variable_that_is_gone_from_the_file() {
    if reference_under_test().is_some() {
        return;
    }
    let text = format!(
        "{}[program:cat]\ncommand=/bin/cat %(ENV_ADDED)s\nautostart=false\n",
        head_with("environment=ADDED=\"-\"\n")
    );
    let mut sandbox = Sandbox::new(&text).start();
    sandbox.replace("supervisord.conf", "environment=", ";");
    sandbox.signal(Signal::HUP);
    sandbox.wait_log("contains names ('ENV_ADDED') which cannot be expanded");
}

#[test]
fn the_url_that_children_get_is_that_of_a_server_of_ours() {
    let port = free_port();
    let unix = "[unix_http_server]\nfile=%(here)s/s.sock\n";
    let inet = format!("[inet_http_server]\nport=*:{port}\n");
    for (servers, own, expected) in [
        (format!("{unix}{inet}"), "", "unix://DIR/s.sock".to_owned()),
        (inet.clone(), "", format!("http://localhost:{port}")),
        (inet.clone(), "serverurl= Auto\n", format!("http://localhost:{port}")),
        (inet, "serverurl=http://elsewhere\n", "http://elsewhere".to_owned()),
    ] {
        let mut sandbox = Sandbox::new(&format!(
            "[supervisord]\n{servers}[program:probe]\ncommand=sh -c 'echo \"<$SUPERVISOR_SERVER_URL>\" > %(here)s/out'\n\
             startsecs=0\nautorestart=false\n{own}"
        ));
        sandbox.spawn();
        sandbox.wait_file(
            "out",
            &format!("<{}>\n", expected.replace("DIR", &sandbox.dir().display().to_string())),
        );
    }
}

#[test]
fn ours_hides_the_url_of_an_outer_supervisor() {
    if reference_under_test().is_some() {
        return;
    }
    for own in ["", "serverurl=\n"] {
        let mut sandbox = Sandbox::new(&format!(
            "[supervisord]\n[program:probe]\ncommand=sh -c 'echo \"<${{SUPERVISOR_SERVER_URL-none}}>\" > %(here)s/out'\n\
             startsecs=0\nautorestart=false\n{own}"
        ))
        .env("SUPERVISOR_SERVER_URL", "unix:///outer");
        sandbox.spawn();
        sandbox.wait_file("out", "<none>\n");
    }
}

#[test]
fn a_command_is_looked_up_in_its_own_path_and_the_first_hit_is_it() {
    let probe = |name: &str, rest: &str| {
        format!("[program:{name}]\ncommand=tool\nstartsecs=0\nstartretries=0\nautorestart=false\n{rest}")
    };
    let sandbox = Sandbox::new(&format!(
        "{HEAD}{}{}{}",
        probe("own", "environment=PATH=\"%(here)s/one:%(ENV_PATH)s\"\nstdout_logfile=%(here)s/own.out\n"),
        probe("hit", "environment=PATH=\"%(here)s/bad:%(here)s/one\"\n"),
        probe("inherited", "stdout_logfile=%(here)s/inherited.out\n"),
    ));
    for folder in ["one", "bad", "two"] {
        fs::create_dir(sandbox.path(folder)).unwrap();
        let tool = format!("{folder}/tool");
        sandbox.write(&tool, &format!("#!/bin/sh\necho {folder} $PATH\n"));
        let mode = if folder == "bad" { 0o644 } else { 0o755 };
        fs::set_permissions(sandbox.path(&tool), fs::Permissions::from_mode(mode)).unwrap();
    }
    let path = format!("{}:{}", sandbox.path("two").display(), std::env::var("PATH").unwrap());
    let mut sandbox = sandbox.env("PATH", &path).start();
    sandbox.wait_file("own.out", &format!("one {}/one:", sandbox.dir().display()));
    sandbox.wait_file("inherited.out", &format!("two {}/two:", sandbox.dir().display()));
    let bad = sandbox.path("bad/tool");
    sandbox.wait_log(&format!("spawnerr: command at '{}' is not executable", bad.display()));
}

#[test]
fn a_relative_command_is_checked_here_and_run_in_its_directory() {
    let sandbox = Sandbox::with_programs(
        "[program:x]\ncommand=./tool\ndirectory=%(here)s/d\nstartsecs=0\nautorestart=false\n\
         stdout_logfile=%(here)s/x.out\n",
    );
    fs::create_dir(sandbox.path("d")).unwrap();
    for (tool, text) in [("tool", "here"), ("d/tool", "there")] {
        sandbox.write(tool, &format!("#!/bin/sh\necho {text}\n"));
        fs::set_permissions(sandbox.path(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut sandbox = sandbox.start();
    sandbox.wait_file("x.out", "there\n");
    fs::remove_file(sandbox.path("tool")).unwrap();
    let started =
        sandbox.program("supervisorctl").args(["-c", "supervisord.conf", "start", "x"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&started.stdout), "x: ERROR (no such file)\n");
}

#[test]
fn processes_of_groups_and_of_many_are_named_by_their_group() {
    let mut sandbox = Sandbox::with_programs(
        "[program:cat]\ncommand=/bin/cat\n[program:many]\ncommand=/bin/cat\nnumprocs=2\n\
         process_name=%(program_name)s_%(process_num)02d\n[program:a]\ncommand=/bin/cat\n[program:b]\n\
         command=/bin/cat\n[group:z]\nprograms=b,a\n[program:none]\ncommand=/bin/cat\nnumprocs=0\n",
    )
    .start();
    for name in ["cat", "many:many_00", "many:many_01", "z:a", "z:b"] {
        sandbox.wait_state(name, "RUNNING");
    }
    let status = sandbox.ctl(&["status"]).stdout;
    let names: Vec<_> = status.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["cat", "many:many_00", "many:many_01", "z:a", "z:b"]);
    assert!(sandbox.ctl(&["status", "cat:cat"]).stdout.starts_with("cat "));
    let meant = "many: ERROR (no such process, did you mean 'many:*'?)\n";
    assert_eq!(sandbox.ctl(&["status", "many"]).stdout, meant);
    assert_eq!(sandbox.ctl(&["status", "many:more*"]).stdout, "many:more*: ERROR (no such process)\n");
}

/// A request with these credentials, and the status it gets.
fn status_of(mut stream: impl Read + Write, credentials: &str) -> String {
    let body = "<?xml version='1.0'?><methodCall><methodName>supervisor.getPID</methodName></methodCall>";
    write!(stream, "POST /RPC2 HTTP/1.0\r\n{credentials}Content-Length: {}\r\n\r\n{body}", body.len())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_whitespace().nth(1).unwrap().to_owned()
}

/// `me:secret` and `me:wrong`.
const RIGHT: &str = "Authorization: Basic bWU6c2VjcmV0\r\n";
const WRONG: &str = "Authorization: Basic bWU6d3Jvbmc=\r\n";

/// `secret`, and its SHA-1.
const PASSWORDS: [&str; 2] = ["secret", "{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4"];

#[test]
fn servers_require_name_and_password() {
    for password in PASSWORDS {
        let port = free_port();
        let credentials = format!("username=me\npassword={password}\n");
        let mut sandbox = Sandbox::new(&format!(
            "{}[inet_http_server]\nport=127.0.0.1:{port}\n{credentials}",
            HEAD.replace("supervisor.sock\n\n[rpc", &format!("supervisor.sock\n{credentials}\n[rpc"))
                .replace("[supervisorctl]\n", "[supervisorctl]\nusername=me\npassword=secret\n")
        ))
        .start();
        sandbox.wait_log("supervisord started with pid");
        let unix = || {
            let stream = UnixStream::connect(sandbox.path("supervisor.sock")).unwrap();
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            stream
        };
        let inet = || {
            let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.set_read_timeout(Some(TIMEOUT)).unwrap();
            stream
        };
        for (header, status) in [("", "401"), (WRONG, "401"), (RIGHT, "200")] {
            assert_eq!(status_of(unix(), header), status, "{password} {header}");
            assert_eq!(status_of(inet(), header), status, "{password} {header}");
        }
        assert!(!sandbox.log().contains("without any HTTP authentication"), "{}", sandbox.log());
    }
}

#[test]
fn a_port_without_a_host_is_open_on_all_addresses() {
    for form in ["", ":", "*:"] {
        let port = free_port();
        let mut sandbox = Sandbox::new(&format!("{HEAD}[inet_http_server]\nport={form}{port}\n")).start();
        sandbox.wait_log("supervisord started with pid");
        for address in ["127.0.0.1", "127.0.0.2"] {
            let stream = TcpStream::connect((address, port)).unwrap();
            assert_eq!(status_of(stream, ""), "200", "{form}{port} on {address}");
        }
    }
}

#[test]
fn a_port_open_to_all_without_a_password_is_reported() {
    let port = free_port();
    let config = format!("{HEAD}[inet_http_server]\nport={port}\n");
    let reported = format!(
        "whoever reaches *:{port} can run programs here; set username and password, or listen on 127.0.0.1 only ("
    );
    let mut sandbox = Sandbox::new(&config).start();
    sandbox.wait_log("supervisord started with pid");
    let log = sandbox.log();
    let line = log.lines().find(|line| line.contains(&reported)).unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(" WARN [inet_http_server] asks for no password"), "{line}");
    assert!(log.contains("CRIT Server 'inet_http_server' running without any HTTP authentication"), "{log}");
    let strict = Sandbox::new(&config.replace("[supervisord]\n", "[supervisord]\nstrict=true\n"));
    let refused = self::reported(strict.program("supervisord").args(["-n", "-c"]).arg(strict.config()));
    assert_refused(&refused, "[inet_http_server] asks for no password");
}

#[test]
fn a_name_is_listened_on_by_ipv4() {
    let port = free_port();
    let mut sandbox = Sandbox::new(&format!("{HEAD}[inet_http_server]\nport=LocalHost:{port}\n")).start();
    sandbox.wait_log("supervisord started with pid");
    assert_eq!(status_of(TcpStream::connect(("127.0.0.1", port)).unwrap(), ""), "200");
}

#[test]
fn a_socket_has_the_mode_and_the_owner_that_are_asked_for() {
    if !have("root", is_root()) {
        return;
    }
    let options = "supervisor.sock\nchmod=0770\nchown=nobody:33\n\n[rpc";
    let sandbox = Sandbox::new(&HEAD.replace("supervisor.sock\n\n[rpc", options)).start();
    let found = fs::metadata(sandbox.path("supervisor.sock")).unwrap();
    assert_eq!((found.permissions().mode() & 0o777, found.uid(), found.gid()), (0o770, NOBODY, 33));
}

#[test]
fn an_owner_that_can_not_be_given_is_reported() {
    if !have("root", is_root()) {
        return;
    }
    let head =
        head_with("user=nobody\n").replace("supervisor.sock\n\n[rpc", "supervisor.sock\nchown=root\n\n[rpc");
    let sandbox = open_to_all(&head);
    let reported = reported(sandbox.program("supervisord").args(["-n", "-c"]).arg(sandbox.config()));
    let socket = sandbox.path("supervisor.sock");
    assert_refused(
        &reported,
        &format!(
            "Not permitted to chown {} to uid/gid (0, -1); adjust \"sockchown\" value in config file or on \
             command line to values that the current user (nobody) can successfully chown",
            socket.display()
        ),
    );
    assert!(reference_under_test().is_some() || !socket.exists(), "nothing is left behind");
}

#[test]
fn servers_that_can_not_listen_are_reported_with_status_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let long = "x".repeat(120);
    for (server, text) in [
        (
            format!("[inet_http_server]\nport=127.0.0.1:{port}"),
            "Another program is already listening on a port that one of our HTTP servers is configured to use.  \
             Shut this program down first before starting supervisord.",
        ),
        (
            format!("[inet_http_server]\nport=192.0.2.1:{port}"),
            "Cannot open an HTTP server: socket.error reported errno.EADDRNOTAVAIL (99)",
        ),
        (
            "[inet_http_server]\nport=[2001:db8::1]:9001".to_owned(),
            "Cannot open an HTTP server: socket.error reported ",
        ),
        (
            format!("[unix_http_server]\nfile=%(here)s/{long}"),
            "Cannot open an HTTP server: socket.error reported AF_UNIX path too long",
        ),
        (
            "[unix_http_server]\nfile=%(here)s/nodir/s.sock".to_owned(),
            "Cannot open an HTTP server: socket.error reported errno.ENOENT (2)",
        ),
    ] {
        let sandbox = Sandbox::new(&format!("[supervisord]\n{server}\n"));
        let reported =
            reported(sandbox.program("supervisord").args(["-n", "-s", "-c"]).arg(sandbox.config()));
        assert_refused(&reported, text);
    }
}

#[test]
fn as_sv_a_server_that_can_not_listen_is_reported_in_plain_words() {
    if reference_under_test().is_some() {
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let long = "x".repeat(120);
    for (server, text) in [
        (
            format!("[inet_http_server]\nport=127.0.0.1:{port}"),
            "': another program listens there; stop it or choose another address",
        ),
        (
            format!("[unix_http_server]\nfile=%(here)s/{long}"),
            "': the path is too long for a unix socket; choose a shorter one",
        ),
        (
            "[unix_http_server]\nfile=%(here)s/supervisord.conf".to_owned(),
            "': there is a file that is not a socket; remove it or choose another path",
        ),
        (
            "[unix_http_server]\nfile=%(here)s/nodir/s.sock".to_owned(),
            "/nodir/s.sock': No such file or directory",
        ),
    ] {
        let sandbox = Sandbox::new(&format!("[supervisord]\n{server}\n"));
        let reported = reported(sandbox.program("sv").args(["run", "-c"]).arg(sandbox.config()));
        assert_eq!(reported.code, Some(2), "{reported:?}");
        assert!(reported.stderr.starts_with("Error: cannot listen on '"), "{reported:?}");
        assert!(reported.stderr.contains(text) && !reported.stderr.contains("socket.error"), "{reported:?}");
    }
}

#[test]
fn it_switches_user_before_it_creates_anything() {
    if !have("root", is_root()) {
        return;
    }
    for (options, words) in [("user=nobody\n", &[][..]), ("user=root\n", &["-u", "65534"])] {
        let mut sandbox = open_to_all(&head_with(options));
        let mut command = sandbox.program("supervisord");
        command.args(["-n", "-c"]).arg(sandbox.config()).args(words);
        sandbox.spawn_as(command);
        sandbox.wait_ready();
        sandbox.wait_log("INFO Set uid to user 65534 succeeded\n");
        for name in ["supervisord.log", "supervisord.pid", "supervisor.sock"] {
            assert_eq!(fs::metadata(sandbox.path(name)).unwrap().uid(), NOBODY, "{name}");
        }
        assert!(!sandbox.log().contains("running as root"), "{}", sandbox.log());
    }
}

#[test]
fn a_restart_does_not_repeat_privileged_steps() {
    if reference_under_test().is_some() || !have("root", is_root()) {
        return;
    }
    let mut sandbox = open_to_all(&head_with("user=nobody\n"));
    let mut command = sandbox.program("supervisord");
    command.arg("-c").arg(sandbox.config());
    assert!(command.status().unwrap().success());
    sandbox.wait_log("supervisord started with pid");
    let pid = sandbox.file("supervisord.pid");
    assert_eq!(sandbox.ctl(&["reload"]).stdout, "Restarted supervisord\n");
    sandbox.wait("a second start", |sandbox| {
        (sandbox.log().matches("supervisord started with pid").count() == 2).then_some(())
    });
    assert_eq!(sandbox.file("supervisord.pid"), pid);
    for text in ["Set uid to user 65534", "daemonizing the supervisord process"] {
        assert_eq!(sandbox.log().matches(text).count(), 1, "{}", sandbox.log());
    }
    assert_eq!(fs::metadata(sandbox.path("supervisord.pid")).unwrap().uid(), NOBODY);
    assert_eq!(sandbox.ctl(&["shutdown"]).stdout, "Shut down\n");
    sandbox.wait("the daemon to end", |sandbox| (!sandbox.path("supervisord.pid").exists()).then_some(()));
}

#[test]
fn switching_to_another_user_needs_root() {
    if !have("root", is_root()) {
        return;
    }
    let sandbox = open_to_all(&head_with("user=root\n"));
    let reported = reported(for_nobody(&sandbox).args(["-n", "-c"]).arg(sandbox.config()));
    assert_refused(&reported, "Can't drop privilege as nonroot user");
    assert!(!sandbox.path("supervisord.log").exists());
}

/// A supervisord below limits of the test's own.
fn limited(sandbox: &Sandbox, limits: &[&str]) -> Command {
    let mut command = Command::new("prlimit");
    command.args(limits).arg(sandbox.program("supervisord").get_program()).args(["-n", "-c"]);
    command.arg(sandbox.config()).env("SV_TEST_SANDBOX", sandbox.dir()).current_dir(sandbox.dir());
    command.stdin(Stdio::null());
    command
}

#[test]
fn limits_are_raised_reported_and_inherited() {
    let mut sandbox = Sandbox::new(&format!("{}{PROBE}", head_with("minfds=600\n")));
    let command = limited(&sandbox, &["--nofile=200:1000"]);
    sandbox.spawn_as(command);
    sandbox.wait_log("INFO Increased RLIMIT_NOFILE limit to 600\n");
    sandbox.wait_file("out", "\n600\ndone\n");
    sandbox.signal(Signal::HUP);
    sandbox.wait("a second start", |sandbox| {
        (sandbox.log().matches("supervisord started with pid").count() == 2).then_some(())
    });
    assert_eq!(sandbox.log().matches("Increased RLIMIT_NOFILE").count(), 1);
}

#[test]
fn ours_refuses_a_limit_that_was_asked_for_and_does_without_a_default() {
    if reference_under_test().is_some() || !have("root", is_root()) {
        return;
    }
    let sandbox = open_to_all(&head_with("user=nobody\n"));
    for (words, text) in [
        (
            ["-a", "5000"],
            "The minimum number of file descriptors required to run this process is 5000 as per the \"minfds\" \
             command-line argument or config file setting. The current environment will only allow you to open 300 \
             file descriptors.  Either raise the number of usable file descriptors in your environment",
        ),
        (
            ["--minprocs", "6000"],
            "The minimum number of available processes required to run this program is 6000 as per the \"minprocs\" \
             command-line argument or config file setting. The current environment will only allow you to open 400 \
             processes.  Either raise the number of usable processes in your environment",
        ),
    ] {
        let reported = reported(limited(&sandbox, &["--nofile=200:300", "--nproc=350:400"]).args(words));
        assert_refused(&reported, text);
    }
    let mut sandbox = open_to_all(&head_with("user=nobody\nminprocs=10\nloglevel=debug\n"));
    let command = limited(&sandbox, &["--nofile=200:300", "--nproc=350:400"]);
    sandbox.spawn_as(command);
    sandbox.wait_log("DEBG RLIMIT_NOFILE is 300, which is less than the default minfds of 1024\n");
    sandbox.wait_ready();
}

#[test]
fn auto_logs_go_to_the_temporary_folder_and_stay_with_nocleanup() {
    let config = HEAD.replace("childlogdir=%(here)s\n", "nocleanup=true\n");
    let mut sandbox = Sandbox::new(&format!("{config}[program:cat]\ncommand=/bin/cat\n"));
    fs::create_dir(sandbox.path("temp")).unwrap();
    sandbox.write("temp/cat-stdout---supervisor-oldoldol.log", "of an earlier run");
    let temp = sandbox.path("temp").display().to_string();
    sandbox = sandbox.env("TMPDIR", &temp).start();
    sandbox.wait_state("cat", "RUNNING");
    let names = fs::read_dir(sandbox.path("temp")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    let count = |start: &str| names.iter().filter(|name| name.starts_with(start)).count();
    let counts = (count("cat-stdout---supervisor-"), count("cat-stderr---supervisor-"));
    assert_eq!(counts, (2, 1), "the old one and two new ones: {names:?}");
    assert!(sandbox.path("temp/cat-stdout---supervisor-oldoldol.log").exists());
}

#[test]
fn the_sample_is_printed_whatever_is_asked() {
    let sandbox = Sandbox::new("");
    for words in [&[][..], &["-h"], &["foo", "--bar"]] {
        let reported = reported(sandbox.program("echo_supervisord_conf").args(words));
        assert_eq!((reported.code, reported.stderr.as_str()), (Some(0), ""), "{words:?}");
        assert!(reported.stdout.lines().next().unwrap().contains("Sample supervisor config file"));
        for line in ["[unix_http_server]", "[supervisord]", "[rpcinterface:supervisor]", "[supervisorctl]"] {
            assert!(reported.stdout.lines().any(|it| it == line), "{line}");
        }
    }
}

#[test]
fn pidproxy_is_silent_about_a_command_that_ends() {
    let sandbox = Sandbox::new("");
    let reported = |words: &[&str]| reported(sandbox.program("pidproxy").args(words));
    let echo = reported(&["/nonexistent", "/bin/echo", "1", "2"]);
    assert_eq!((echo.code, echo.stdout.as_str(), echo.stderr.as_str()), (Some(0), "1 2\n", ""));
    let usage = reported(&["/nonexistent"]);
    assert_eq!((usage.code, usage.stderr.as_str()), (Some(1), ""));
    assert!(usage.stdout.contains("pidproxy"), "{usage:?}");
}

#[test]
fn ours_passes_the_exit_status_on_at_once() {
    if reference_under_test().is_some() {
        return;
    }
    let sandbox = Sandbox::new("");
    for (script, code) in [("exit 3", 3), ("kill -9 $$", 137)] {
        let reported = reported(sandbox.program("pidproxy").args(["/nonexistent", "/bin/sh", "-c", script]));
        assert_eq!(reported.code, Some(code), "{script}");
    }
    // No search in PATH: this is a file of the current directory that is not there.
    let reported = reported(sandbox.program("pidproxy").args(["/nonexistent", "sh", "-c", "exit 3"]));
    assert_eq!(reported.code, Some(127));
}

#[test]
fn a_relative_command_of_pidproxy_keeps_its_name() {
    let sandbox = Sandbox::new("");
    std::os::unix::fs::symlink("/bin/sh", sandbox.path("shell")).unwrap();
    let reported = reported(sandbox.program("pidproxy").args(["/nonexistent", "shell", "-c", "echo $0"]));
    assert_eq!(reported.stdout, "shell\n");
}

/// A proxy for a process that records its signals, with a command that stays.
const DAEMON: &str = "#!/bin/sh\ncd \"$(dirname \"$0\")\"\n\
    for s in HUP USR1 USR2 TERM INT QUIT; do trap \"echo $s >> got\" $s; done\n\
    echo $$ > daemon.pid\nwhile [ ! -e end ]; do sleep 0.02; done\n";

#[test]
fn pidproxy_passes_signals_on_and_leaves_after_those_that_end() {
    let mut sandbox = Sandbox::new("");
    sandbox.write("daemon", DAEMON);
    for (passed_on, last) in [(&["HUP", "USR1", "USR2"][..], "TERM"), (&[], "INT"), (&[], "QUIT")] {
        let mut daemon = Command::new("setsid");
        daemon.arg("sh").arg(sandbox.path("daemon")).env("SV_TEST_SANDBOX", sandbox.dir());
        daemon.current_dir(sandbox.dir()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut daemon = daemon.spawn().unwrap();
        sandbox.wait_file("daemon.pid", "\n");
        let mut proxy = sandbox.program("pidproxy");
        proxy
            .args(["daemon.pid", "/bin/sh", "-c", "echo up; exec sleep 1000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut proxy = proxy.spawn().unwrap();
        let mut up = [0; 3];
        proxy.stdout.take().unwrap().read_exact(&mut up).unwrap();
        let pid = Pid::from_child(&proxy);
        for name in passed_on.iter().chain([&last, &"USR1"]) {
            let signal = match *name {
                "HUP" => Signal::HUP,
                "USR1" => Signal::USR1,
                "USR2" => Signal::USR2,
                "INT" => Signal::INT,
                "QUIT" => Signal::QUIT,
                _ => Signal::TERM,
            };
            // The process continues, so signals after a termination request are forwarded, too.
            kill_process(pid, signal).unwrap();
            sandbox.wait_file("got", &format!("{name}\n"));
            sandbox.write("got", "");
        }
        assert_eq!(proxy.try_wait().unwrap(), None, "{last}");
        sandbox.write("end", "");
        daemon.wait().unwrap();
        assert_eq!(proxy.wait().unwrap().code(), Some(0), "{last}");
        for file in ["end", "daemon.pid"] {
            fs::remove_file(sandbox.path(file)).unwrap();
        }
    }
}

/// Ends slowly, and reports if another one runs at the same time.
const SLOW_DAEMON: &str = "if ! mkdir alone; then echo beside another >> beside; fi\n\
    trap 'sleep 0.3; rmdir alone; exit 0' TERM\necho $$ > slow.pid\nwhile :; do sleep 0.02; done\n";

#[test]
fn a_restart_through_pidproxy_waits_for_the_process_of_the_pid_file() {
    let mut sandbox = Sandbox::with_programs(
        "[program:slow]\ncommand=%(here)s/bin/pidproxy slow.pid /bin/sh -c 'setsid sh slow & exec sleep 1000'\n\
         directory=%(here)s\nstartsecs=0\n",
    );
    sandbox.write("slow", SLOW_DAEMON);
    drop(sandbox.program("pidproxy"));
    sandbox = sandbox.start();
    let mut last = String::new();
    for _ in 0..4 {
        last = sandbox.wait("another process in the pid file", |sandbox| {
            Some(sandbox.file("slow.pid")).filter(|pid| pid.ends_with('\n') && *pid != last)
        });
        let answer = sandbox.ctl(&["restart", "slow"]);
        assert_eq!(answer.stdout, "slow: stopped\nslow: started\n", "{}", sandbox.story());
    }
    assert_eq!(sandbox.file("beside"), "");
}

#[test]
fn pidproxy_reports_a_pid_file_that_it_can_not_read_and_stays() {
    let mut sandbox = Sandbox::new("");
    let mut command = sandbox.program("pidproxy");
    command.args(["nope.pid", "/bin/sh", "-c", "echo up; exec sleep 1000"]);
    sandbox.spawn_as(command);
    sandbox.wait_terminal("up\n");
    sandbox.signal(Signal::TERM);
    sandbox.wait_terminal("Can't read child pidfile nope.pid!\n");
    sandbox.signal(Signal::HUP);
    sandbox.wait("the second complaint", |sandbox| {
        (sandbox.terminal().matches("Can't read child pidfile nope.pid!").count() == 2).then_some(())
    });
}

#[test]
fn a_start_is_tried_forever_when_asked() {
    let programs = "[program:web]\ncommand=sh -c 'exit 1'\nstartretries=0\n";
    let mut sandbox = Sandbox::with_programs(programs).env("SV_PROGRAM_WEB_STARTRETRIES", "forever").start();
    // With 0 it would be FATAL at its first end.
    sandbox.wait("a second attempt", |sandbox| {
        (sandbox.log().matches("exited: web (exit status 1; not expected)").count() >= 2).then_some(())
    });
    assert!(!sandbox.log().contains("FATAL"), "{}", sandbox.log());
    let reported = Peer::unix(&sandbox).call("supervisor.getAllConfigInfo", &[]).unwrap();
    let retries = reported.as_array().unwrap()[0].get("startretries").cloned();
    assert_eq!(retries, Some(2_147_483_647.into()));
}
