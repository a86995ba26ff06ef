//! Programs that are RUNNING when they are ready, and jobs that are done, from outside.

#![allow(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use support::{Sandbox, free_port};

/// A program that lives and is ready by these lines.
fn ready(name: &str, lines: &str) -> String {
    format!("[program:{name}]\ncommand=sleep 1000\n{lines}\n")
}

fn wait_description(sandbox: &mut Sandbox, name: &str, text: &str) {
    sandbox
        .wait(&format!("{name}: {text}"), |it| it.ctl(&["status", name]).stdout.contains(text).then_some(()));
}

#[test]
fn a_program_runs_once_its_port_is_open() {
    let port = free_port();
    let programs = ready("web", &format!("ready=tcp:127.0.0.1:{port}\nready_interval=0.1"));
    let mut sandbox = Sandbox::with_programs(&programs).start();
    wait_description(
        &mut sandbox,
        "web",
        &format!("not ready yet: tcp:127.0.0.1:{port}: connection refused"),
    );
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    sandbox.wait_state("web", "RUNNING");
    sandbox.wait_log("success: web entered RUNNING state, it is ready");
    drop(listener);
}

#[test]
fn a_program_runs_once_all_of_its_checks_hold() {
    let programs =
        ready("web", "ready=unix:%(here)s/web.sock\n  file:%(here)s/web.ready\nready_interval=0.1");
    let mut sandbox = Sandbox::with_programs(&programs).start();
    wait_description(&mut sandbox, "web", "web.sock: no such file or directory");
    let _listener = UnixListener::bind(sandbox.path("web.sock")).unwrap();
    wait_description(&mut sandbox, "web", "web.ready: no such file or directory");
    sandbox.write("web.ready", "");
    sandbox.wait_state("web", "RUNNING");
}

#[test]
fn an_http_server_is_ready_with_a_status_below_400() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let programs = ready("web", &format!("ready=http://127.0.0.1:{port}/health?full\nready_interval=0.1"));
    let mut sandbox = Sandbox::with_programs(&programs).start();
    let answer = |status: &str| {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let count = stream.read(&mut request).unwrap();
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..count]).into_owned()
    };
    let request = answer("503 Service Unavailable");
    assert!(request.starts_with("GET /health?full HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("Host: 127.0.0.1:{port}\r\n")), "{request}");
    wait_description(&mut sandbox, "web", "status 503 Service Unavailable");
    answer("204 No Content");
    sandbox.wait_state("web", "RUNNING");
}

#[test]
fn a_real_http_server_is_found_ready() {
    if !support::have("python3", std::path::Path::new("/usr/bin/python3").exists()) {
        return;
    }
    let port = free_port();
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:web]\ncommand=python3 -m http.server --bind 127.0.0.1 {port}\nready=http://127.0.0.1:{port}/\n"
    ))
    .start();
    sandbox.wait_state("web", "RUNNING");
}

#[test]
fn a_command_runs_as_its_program_does_and_its_status_decides() {
    let programs = ready(
        "web",
        "directory=%(here)s\nenvironment=FLAG=\"flag\"\nready_interval=0.1\n\
         ready=exec:sh -c 'test -e \"$FLAG\" || { echo no $FLAG here; exit 3; }'",
    );
    let mut sandbox = Sandbox::with_programs(&programs).start();
    wait_description(&mut sandbox, "web", "exit status 3: no flag here");
    sandbox.write("flag", "");
    sandbox.wait_state("web", "RUNNING");
}

#[test]
fn a_start_that_takes_too_long_fails_with_the_reason() {
    let port = free_port();
    let lines = format!("ready=tcp:127.0.0.1:{port}\nready_timeout=1\nstartretries=0");
    let mut sandbox = Sandbox::with_programs(&ready("web", &lines)).start();
    sandbox.wait_state("web", "FATAL");
    wait_description(&mut sandbox, "web", "not ready after 1 second: connection refused");
    sandbox.wait_log("web is not ready after 1 second: connection refused; stopping it");
}

#[test]
fn a_server_that_never_answers_delays_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut programs: String = (0..100)
        .map(|number| ready(&format!("slow{number}"), &format!("ready=http://127.0.0.1:{port}/")))
        .collect();
    programs += &ready("quick", &format!("ready=tcp:127.0.0.1:{port}"));
    programs += &ready("files", "ready=file:%(here)s/supervisord.log");
    let mut sandbox = Sandbox::with_programs(&programs).start();
    sandbox.wait_state("files", "RUNNING");
    sandbox.wait_state("quick", "RUNNING");
    wait_description(&mut sandbox, "slow0", "no answer after 5 seconds");
    let answer = sandbox.ctl(&["stop", "slow0"]);
    assert!(answer.stdout.contains("slow0: stopped"), "{}", answer.stdout);
}

/// A mounted file system whose server never says a word, as that of a network that is down.
struct SilentMount(Child);

impl SilentMount {
    /// `None` where nothing can be mounted, which it prints. Also where CI is set: no package brings the right to mount.
    fn on(folder: &Path) -> Option<Self> {
        std::fs::create_dir(folder).unwrap();
        let script = format!(
            "exec 3<>/dev/fuse\nmount -i -t fuse none {0} -o fd=3,rootmode=40000,user_id=0,group_id=0 || exit\n\
            echo mounted\nread -r end\numount -l {0}\n",
            folder.display()
        );
        let mut shell = Command::new("sh");
        let shell = shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut mount = Self(shell.stderr(Stdio::null()).spawn().unwrap());
        let mut said = String::new();
        BufReader::new(mount.0.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let is_mounted = said == "mounted\n";
        if !is_mounted {
            _ = writeln!(std::io::stderr(), "skipped: nothing can be mounted here");
        }
        is_mounted.then_some(mount)
    }
}

impl Drop for SilentMount {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

#[test]
fn a_file_system_that_never_answers_holds_up_nobody() {
    let sandbox = Sandbox::with_programs(
        &(ready("lost", "ready=file:%(here)s/net/ready\nready_timeout=0")
            + &ready("files", "ready=file:%(here)s/here")),
    );
    let Some(mount) = SilentMount::on(&sandbox.path("net")) else { return };
    // Gone before the folder, also after a failure.
    let mut test = (mount, sandbox.start());
    let sandbox = &mut test.1;
    wait_description(sandbox, "lost", "no answer yet");
    sandbox.write("here", "");
    sandbox.wait_state("files", "RUNNING");
    wait_description(sandbox, "lost", "the file system gave no answer for 5 seconds");
    let answer = sandbox.ctl(&["stop", "lost"]);
    assert!(answer.stdout.contains("lost: stopped"), "{}", answer.stdout);
}

/// A child has to look for each, and there may be 64 of them.
#[test]
fn checks_of_files_are_queued_for_a_child() {
    let lost = "ready=file:%(here)s/net/ready\nready_timeout=0";
    let sandbox = Sandbox::with_programs(
        &(ready("lost", &format!("{lost}\nnumprocs=64\nprocess_name=%(process_num)02d\npriority=1"))
            + &ready("late", lost)),
    );
    let Some(mount) = SilentMount::on(&sandbox.path("net")) else { return };
    let mut test = (mount, sandbox.start());
    let sandbox = &mut test.1;
    wait_description(sandbox, "late", "no answer yet");
    sandbox.ctl(&["stop", "lost:*"]);
    wait_description(sandbox, "late", "the file system gave no answer for 5 seconds");
}

#[test]
fn dependents_start_when_the_program_is_ready() {
    let port = free_port();
    let mut sandbox = Sandbox::with_programs(
        &(ready("db", &format!("ready=tcp:127.0.0.1:{port}\nready_interval=0.1"))
            + "[program:web]\ncommand=sleep 1000\ndepends_on=db\nstartsecs=0\n"),
    )
    .start();
    wait_description(&mut sandbox, "db", "not ready yet");
    assert!(sandbox.pid("web").is_none());
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    sandbox.wait_state("web", "RUNNING");
}

#[test]
fn a_migration_runs_to_its_end_before_the_program_that_depends_on_it() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=sh -c 'cat %(here)s/schema > %(here)s/seen; exec sleep 1000'\ndepends_on=migrate\n\
         startsecs=0\n\
         [program:migrate]\ncommand=sh -c 'until test -e %(here)s/go; do sleep 0.05; done; echo v2 > %(here)s/schema'\n\
         type=oneshot\n",
    )
    .start();
    sandbox.wait_state("migrate", "STARTING");
    wait_description(&mut sandbox, "web", "waiting for migrate (done)");
    sandbox.write("go", "");
    sandbox.wait_state("web", "RUNNING");
    sandbox.wait_state("migrate", "EXITED");
    sandbox.wait_file("seen", "v2");
}

#[test]
fn a_migration_that_fails_for_good_keeps_its_dependents_from_starting() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=sleep 1000\ndepends_on=migrate\n\
         [program:migrate]\ncommand=sh -c 'exit 4'\ntype=oneshot\nstartretries=0\n",
    )
    .start();
    sandbox.wait_state("web", "FATAL");
    wait_description(&mut sandbox, "web", "migrate is FATAL: exit status 4");
}
