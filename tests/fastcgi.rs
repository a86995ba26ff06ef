//! FastCGI programs: a socket that the supervisor makes and its children accept from. Debian's php-cgi is the
//! program and libfcgi's cgi-fcgi the client; where any program does that accepts from its standard input, it is Perl.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use support::{Sandbox, free_port, have};

/// Sends its process id to every client.
const REPORT: &str = "$SIG{PIPE} = 'IGNORE'; use Socket; open(my $s, '+<&=0') or die; \
    while (accept(my $c, $s)) { syswrite($c, \"$$ $ENV{SUPERVISOR_PROCESS_NAME}\\n\"); close($c) }\n";

const PHP: &str = "[fcgi-program:php]\ncommand=/usr/bin/php-cgi\nnumprocs=2\n\
    process_name=%(program_name)s_%(process_num)d\n";

/// A section with Perl for a program; `lines` begin with its socket.
fn teller(name: &str, lines: &str) -> String {
    format!("[fcgi-program:{name}]\ncommand=/usr/bin/perl %(here)s/tell.pl\n{lines}\n")
}

fn sandbox(programs: &str) -> Sandbox {
    let sandbox = Sandbox::with_programs(programs);
    sandbox.write("tell.pl", REPORT);
    sandbox.write("index.php", "<?php echo getmypid(), ' ', getenv('SUPERVISOR_PROCESS_NAME'), \"\\n\";");
    sandbox
}

fn have_php() -> bool {
    let installed = |path: &str| Path::new(path).exists();
    have("php-cgi", installed("/usr/bin/php-cgi")) && have("cgi-fcgi", installed("/usr/bin/cgi-fcgi"))
}

/// Requests a page from PHP; `None` while it is not running.
fn fetch(sandbox: &Sandbox, address: &str) -> Option<String> {
    let output = Command::new("timeout")
        .args(["10", "/usr/bin/cgi-fcgi", "-bind", "-connect", address])
        .env("REQUEST_METHOD", "GET")
        .env("REDIRECT_STATUS", "200")
        .env("SCRIPT_FILENAME", sandbox.path("index.php"))
        .output()
        .unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains("Content-type: text/html").then(|| body.trim_end().to_owned())
}

/// Connects to a [`teller`]; `None` while it is not running.
fn ask(path: &Path) -> Option<String> {
    let mut reported = String::new();
    UnixStream::connect(path).ok()?.read_to_string(&mut reported).ok()?;
    Some(reported.trim_end().to_owned())
}

fn ask_port(port: u16) -> Option<String> {
    let mut reported = String::new();
    TcpStream::connect(("127.0.0.1", port)).ok()?.read_to_string(&mut reported).ok()?;
    Some(reported.trim_end().to_owned())
}

fn times(log: &str, text: &str) -> usize {
    log.matches(text).count()
}

fn stdin_of(pid: Pid) -> String {
    fs::read_link(format!("/proc/{}/fd/0", pid.as_raw_nonzero())).unwrap().display().to_string()
}

#[test]
fn both_processes_of_a_program_answer_on_one_unix_socket() {
    if !have_php() {
        return;
    }
    let mut sandbox = sandbox(&format!("{PHP}socket=unix://%(here)s/%(program_name)s.sock\n")).start();
    let names = ["php:php_0", "php:php_1"];
    names.iter().for_each(|name| sandbox.wait_state(name, "RUNNING"));
    let socket = sandbox.path("php.sock");
    let pids = names.map(|name| sandbox.pid(name).unwrap());

    let mut heard = BTreeSet::new();
    sandbox.wait("both to have answered", |sandbox| {
        heard.insert(fetch(sandbox, &socket.display().to_string())?);
        (heard.len() == 2).then_some(())
    });
    let expected = (0..2).map(|nth| format!("{} php_{nth}", pids[nth].as_raw_nonzero()));
    assert_eq!(heard, expected.collect());
    assert_eq!(stdin_of(pids[0]), stdin_of(pids[1]), "it is the same open socket");
    assert!(stdin_of(pids[0]).starts_with("socket:["));

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let (log, url) = (sandbox.log(), format!("unix://{}", socket.display()));
    assert_eq!(times(&log, &format!("INFO Creating socket {url}\n")), 1, "{log}");
    assert_eq!(times(&log, &format!("INFO Closing socket {url}\n")), 1, "{log}");
    assert!(!socket.exists(), "nothing is left behind");
}

#[test]
fn a_program_answers_on_a_port_until_it_is_stopped() {
    if !have_php() {
        return;
    }
    let port = free_port();
    let mut sandbox = sandbox(&format!("{PHP}socket=tcp://LocalHost:{port}\n")).start();
    for _ in 0..2 {
        sandbox.wait_state("php:php_0", "RUNNING");
        sandbox.wait_state("php:php_1", "RUNNING");
        let answer = fetch(&sandbox, &format!("127.0.0.1:{port}"));
        assert!(answer.is_some_and(|reported| reported.contains(" php_")), "{}", sandbox.story());
        sandbox.ctl(&["stop", "php:*"]);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
        // With connections of the last time still in TIME_WAIT.
        sandbox.ctl(&["start", "php:*"]);
    }
    let log = sandbox.log();
    assert_eq!(times(&log, &format!("Creating socket tcp://localhost:{port}\n")), 3, "{log}");
    assert_eq!(times(&log, &format!("Closing socket tcp://localhost:{port}\n")), 2, "{log}");
}

#[test]
fn any_program_that_accepts_from_its_standard_input_is_served() {
    let mut sandbox = sandbox(&teller("t", "socket=unix://%(here)s/t.sock\nsocket_backlog=1")).start();
    sandbox.wait_state("t", "RUNNING");
    let pid = sandbox.pid("t").unwrap();
    let reported = ask(&sandbox.path("t.sock"));
    assert_eq!(reported, Some(format!("{} t", pid.as_raw_nonzero())));
    // What says so to a child is blocking, and the only thing it has been given beside its output.
    let flags = fs::read_to_string(format!("/proc/{}/fdinfo/0", pid.as_raw_nonzero())).unwrap();
    let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
    assert_eq!(u32::from_str_radix(flags, 8).unwrap() & rustix::fs::OFlags::NONBLOCK.bits(), 0, "{flags}");
}

#[test]
fn a_socket_has_the_mode_and_the_owner_that_are_asked_for() {
    let is_root = rustix::process::getuid().is_root();
    let mut programs = teller("open", "socket=unix://%(here)s/open.sock\nsocket_mode=0666")
        + &teller("closed", "socket=unix://%(here)s/closed.sock");
    if have("root", is_root) {
        programs += &teller("given", "socket=unix://%(here)s/given.sock\nsocket_owner=nobody:www-data");
        programs += &teller("own", "socket=unix://%(here)s/own.sock\nuser=www-data\nstdout_logfile=NONE");
    }
    let mut sandbox = sandbox(&programs).start();
    let mut check = |name: &str, mode: u32, owner: (u32, u32)| {
        sandbox.wait_state(name, "RUNNING");
        let found = fs::metadata(sandbox.path(&format!("{name}.sock"))).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!((found.mode() & 0o777, (found.uid(), found.gid())), (mode, owner), "{name}");
    };
    let ours = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    check("open", 0o666, ours);
    check("closed", 0o700, ours);
    if is_root {
        check("given", 0o700, (65_534, 33));
        check("own", 0o700, (33, 33));
    }
}

#[test]
fn a_killed_process_restarts_while_the_socket_stays_open() {
    let two = "numprocs=2\nprocess_name=%(program_name)s_%(process_num)d\n";
    let mut sandbox = sandbox(
        &(teller("one", "socket=unix://%(here)s/one.sock")
            + &teller("two", &format!("socket=unix://%(here)s/two.sock\n{two}"))),
    )
    .start();
    for (name, socket) in [("one", "one.sock"), ("two:two_0", "two.sock")] {
        sandbox.wait_state(name, "RUNNING");
        let (path, first) = (sandbox.path(socket), sandbox.pid(name).unwrap());
        let inode = fs::metadata(&path).unwrap().ino();
        kill_process(first, Signal::KILL).unwrap();
        sandbox.wait("another pid, and no connection lost meanwhile", |sandbox| {
            assert!(UnixStream::connect(&path).is_ok(), "{}", sandbox.story());
            sandbox.pid(name).filter(|pid| *pid != first)
        });
        assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "it is the same socket");
        sandbox.wait(&format!("{name} to answer"), |_| ask(&path));
    }
    assert_eq!(times(&sandbox.log(), "Closing socket"), 0, "{}", sandbox.log());
    assert_eq!(sandbox.ctl(&["restart", "two:two_0"]).stdout, "two:two_0: stopped\ntwo:two_0: started\n");
    assert_eq!(times(&sandbox.log(), "Closing socket"), 0, "the other one holds it");
}

#[test]
fn a_program_has_its_socket_in_a_group_too() {
    let mut sandbox = sandbox(
        &(teller("f", "socket=unix://%(here)s/f.sock")
            + "[program:cat]\ncommand=/bin/cat\n[group:g]\nprograms=f,cat\n"),
    )
    .start();
    sandbox.wait_state("g:f", "RUNNING");
    sandbox.wait_state("g:cat", "RUNNING");
    assert!(stdin_of(sandbox.pid("g:cat").unwrap()).starts_with("pipe:["));
    let path = sandbox.path("f.sock");
    assert!(ask(&path).unwrap().ends_with(" f"));
    sandbox.ctl(&["stop", "g:*"]);
    assert!(!path.exists());
    sandbox.ctl(&["start", "g:*"]);
    assert!(ask(&path).unwrap().ends_with(" f"));
}

#[test]
fn sections_that_name_one_socket_share_it() {
    let mut sandbox = sandbox(
        &["a", "b"].map(|name| teller(name, "socket=unix://%(here)s/s.sock\nautostart=false")).concat(),
    )
    .start();
    let path = sandbox.path("s.sock");
    for (action, name, is_there) in
        [("start", "a", true), ("start", "b", true), ("stop", "a", true), ("stop", "b", false)]
    {
        assert!(sandbox.ctl(&[action, name]).success, "{}", sandbox.story());
        assert_eq!(path.exists(), is_there, "{action} {name}");
        assert_eq!(ask(&path).is_some(), is_there, "{action} {name}");
    }
    sandbox.wait_log("Closing socket unix://");
    assert_eq!(times(&sandbox.log(), "Creating socket"), 1, "{}", sandbox.log());
}

#[test]
fn a_socket_that_cannot_be_opened_is_reported_with_status_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (socket, cause) in [
        (format!("tcp://127.0.0.1:{port}"), "somebody listens there already"),
        ("unix://HERE/live.sock".to_owned(), "somebody listens there already"),
        ("unix://HERE/precious".to_owned(), "there is a file that is no socket"),
        ("unix://HERE/nodir/f.sock".to_owned(), "No such file or directory"),
    ] {
        let mut sandbox = sandbox(&teller("f", &format!("socket={}", socket.replace("HERE", "%(here)s"))));
        let live = UnixListener::bind(sandbox.path("live.sock")).unwrap();
        sandbox.write("precious", "data");
        let output = sandbox.run_to_end();
        let reported = String::from_utf8_lossy(&output.stdout).into_owned();
        let url = socket.replace("HERE", &sandbox.dir().display().to_string());
        let expected = format!("Error: Could not create FastCGI socket {url}: {cause}");
        assert!(
            reported.contains(&expected) && reported.contains(" in [fcgi-program:f] socket\n"),
            "{reported}"
        );
        assert_eq!(output.status.code(), Some(2), "{reported}");
        assert!(!sandbox.path("supervisor.sock").exists(), "nothing of ours is left behind");
        assert_eq!(sandbox.file("precious"), "data");
        assert!(UnixStream::connect(sandbox.path("live.sock")).is_ok(), "nothing of others is taken away");
        drop(live);
    }
}

#[test]
fn a_start_without_a_socket_is_a_spawn_error() {
    let mut sandbox = sandbox(
        &(teller("f", "socket=unix://%(here)s/f.sock\nautostart=false\nstartretries=0")
            + "[fcgi-program:missing]\ncommand=/no/such/program\nsocket=unix://%(here)s/m.sock\nstartretries=1\n"),
    )
    .start();
    let path = sandbox.path("f.sock");
    let foreign = UnixListener::bind(&path).unwrap();
    assert_eq!(sandbox.ctl(&["start", "f"]).stdout, "f: ERROR (spawn error)\n");
    let url = format!("unix://{}", path.display());
    sandbox.wait_log(&format!(
        "spawnerr: Could not create FastCGI socket {url}: somebody listens there already in [fcgi-program:f] socket"
    ));
    sandbox.wait_state("f", "FATAL");
    // A stale socket does not prevent a start.
    drop(foreign);
    assert_eq!(sandbox.ctl(&["start", "f"]).stdout, "f: started\n");
    assert!(ask(&path).is_some());

    sandbox.wait_state("missing", "FATAL");
    let (log, url) = (sandbox.log(), format!("unix://{}", sandbox.path("m.sock").display()));
    for text in ["Creating", "Closing"] {
        assert_eq!(times(&log, &format!("{text} socket {url}\n")), 2, "once for each try: {log}");
    }
    assert!(!sandbox.path("m.sock").exists());
}

#[test]
fn a_restart_is_rejected_if_a_new_socket_can_not_be_opened() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let own = free_port();
    let old =
        teller("f", "socket=unix://%(here)s/f.sock") + &teller("t", &format!("socket=tcp://127.0.0.1:{own}"));
    let mut sandbox = sandbox(&old).start();
    sandbox.wait_state("f", "RUNNING");
    sandbox.wait_state("t", "RUNNING");
    let first = sandbox.pid("f").unwrap();
    let text = sandbox.file("supervisord.conf");
    sandbox.write(
        "supervisord.conf",
        &format!("{text}{}", teller("g", &format!("socket=tcp://127.0.0.1:{port}"))),
    );
    sandbox.signal(Signal::HUP);
    sandbox.wait_log("restart refused");
    let expected = format!(
        "ERRO Could not create FastCGI socket tcp://127.0.0.1:{port}: somebody listens there already"
    );
    assert!(sandbox.log().contains(&expected), "{}", sandbox.log());
    assert_eq!(sandbox.pid("f"), Some(first), "nothing changes");

    // A group that is added is refused as well, and can be had once its socket can.
    assert!(sandbox.ctl(&["reread"]).stdout.contains("g: available"));
    let refused = sandbox.ctl(&["add", "g"]);
    let reported = refused.stdout + &refused.stderr;
    assert!(
        reported.contains("error: Could not create FastCGI socket") && refused.code != Some(0),
        "{reported}"
    );
    drop(taken);
    assert_eq!(sandbox.ctl(&["add", "g"]).stdout, "g: added process group\n");
    sandbox.wait(&format!("port {port} to answer"), |_| ask_port(port));

    // Nothing of our own is in the way of a restart.
    sandbox.signal(Signal::HUP);
    sandbox.wait("f to have another pid", |sandbox| sandbox.pid("f").filter(|pid| *pid != first));
    for port in [own, port] {
        sandbox.wait(&format!("port {port} to answer"), |_| ask_port(port));
    }
}

/// The name does not exist, but no name server is asked for it: that could take long.
#[test]
fn a_new_name_is_only_looked_up_in_etc_hosts() {
    let own = free_port();
    let mut sandbox = sandbox(&teller("f", &format!("socket=tcp://localhost:{own}"))).start();
    sandbox.wait_state("f", "RUNNING");
    let text = sandbox.file("supervisord.conf");
    let later = teller("g", &format!("socket=tcp://sv-test.invalid:{}", free_port()));
    sandbox.write("supervisord.conf", &format!("{text}{later}"));
    sandbox.ctl(&["reread"]);
    let reported = sandbox.ctl(&["add", "g"]);
    let expected = "'sv-test.invalid' is not in /etc/hosts, and name servers are asked at the start only";
    assert!((reported.stdout.clone() + &reported.stderr).contains(expected), "{reported:?}");
    // The name that was resolved at the start is still known when the socket is created again.
    for (action, answer) in [("stop", "f: stopped\n"), ("start", "f: started\n")] {
        assert_eq!(sandbox.ctl(&[action, "f"]).stdout, answer);
    }
    assert!(ask_port(own).is_some());
}

#[test]
fn a_socket_of_another_mode_is_a_change() {
    let mut sandbox = sandbox(&teller("f", "socket=unix://%(here)s/f.sock\nsocket_mode=0700")).start();
    sandbox.wait_state("f", "RUNNING");
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "No config updates to processes\n");
    sandbox.replace("supervisord.conf", "socket_mode=0700", "socket_mode=0770");
    assert_eq!(sandbox.ctl(&["reread"]).stdout, "f: changed\n");
    assert!(sandbox.ctl(&["update"]).success);
    sandbox.wait_state("f", "RUNNING");
    assert_eq!(fs::metadata(sandbox.path("f.sock")).unwrap().mode() & 0o777, 0o770);
}

#[test]
fn ours_refuses_a_fastcgi_program_without_a_socket_in_a_group_too() {
    if support::reference_under_test().is_some() {
        return;
    }
    for group in ["", "[group:g]\nprograms=f\n"] {
        let mut sandbox = Sandbox::with_programs(&format!("[fcgi-program:f]\ncommand=/bin/cat\n{group}"));
        let output = sandbox.run_to_end();
        let reported = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(2), "{reported}");
        assert!(reported.contains("[fcgi-program:f] section requires a \"socket\" line"), "{reported}");
    }
}
