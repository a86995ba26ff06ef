//! The client compared with the reference's: our `supervisorctl` and Supervisor's own print the same lines
//! and exit with the same codes when they ask the same supervisord.
//!
//! The reference is looked for in the folder that `SV_REFERENCE_BIN` names, else in
//! `target/reference/bin`. Without it nothing is compared, except that CI insists on it.
//!
//! What may differ is masked: see `support::peers`.

#![allow(clippy::unwrap_used, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use support::peers::{PROGRAMS, client, masked, sorted};

/// The deadline of each wait.
const DEADLINE: Duration = Duration::from_secs(30);

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A supervisord of the reference in a folder of its own, and both clients.
struct Reference {
    bin: PathBuf,
    folder: PathBuf,
    daemon: Child,
}

impl Reference {
    /// Starts it; `None` when there is no reference.
    fn start(programs: &str) -> Option<Self> {
        Self::start_with("", programs)
    }

    /// The same with more options for its socket.
    fn start_with(socket_options: &str, programs: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let bin = support::peers::reference()?;
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("sv-ctl-{}-{nth}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("supervisord.conf"), config(socket_options, programs)).unwrap();
        let daemon = Command::new(bin.join("supervisord"))
            .args(["-n", "-s", "-c"])
            .arg(folder.join("supervisord.conf"))
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let reference = Self { bin, folder, daemon };
        wait_until("supervisord listens", || UnixStream::connect(reference.folder.join("s.sock")).is_ok());
        Some(reference)
    }

    fn configure(&self, programs: &str) {
        fs::write(self.folder.join("supervisord.conf"), config("", programs)).unwrap();
    }

    /// Runs a client with input; both have the reference's name, which is in their messages.
    fn client(&self, program: &Path, words: &[&str], input: &str) -> Output {
        let mut child = client(program, &self.bin)
            .args(words)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A client that reads no input may be gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn theirs(&self, words: &[&str], input: &str) -> String {
        masked(&self.client(&self.bin.join("supervisorctl"), words, input))
    }

    fn ours(&self, words: &[&str], input: &str) -> String {
        masked(&self.client(Path::new(env!("CARGO_BIN_EXE_sv")), words, input))
    }

    /// Brings about a state, by our client because it is the faster one.
    fn prepare(&self, line: &str) {
        for line in line.split(';').filter(|line| !line.is_empty()) {
            self.ours(&line.split_whitespace().collect::<Vec<_>>(), "");
        }
    }

    fn wait_for(&self, state: &str, name: &str) {
        wait_until(name, || self.ours(&["status", name], "").contains(state));
    }

    /// Compares one command line, bringing about the same state for both.
    fn compare(&self, preparation: &str, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.prepare(preparation);
        let theirs = self.theirs(&words, "");
        self.prepare(preparation);
        let ours = self.ours(&words, "");
        // Bulk results are printed in the order in which they finished, which is arbitrary.
        let is_ordered = words.first() == Some(&"status") || !words.contains(&"all");
        if is_ordered {
            assert_eq!(ours, theirs, "{line}");
        } else {
            assert_eq!(sorted(&ours), sorted(&theirs), "{line}");
        }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        support::kill_with_descendants(&mut self.daemon);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn config(socket_options: &str, programs: &str) -> String {
    format!(
        "[unix_http_server]\nfile=%(here)s/s.sock\n{socket_options}\n\
         [supervisord]\nlogfile=%(here)s/s.log\npidfile=%(here)s/s.pid\nchildlogdir=%(here)s\n\
         [rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://%(here)s/s.sock\n\
         {programs}"
    )
}

const LOGGERS: &str = "
[program:talker]
command=/bin/sh -c 'echo hello; echo oops >&2'
startsecs=0
autorestart=false
[program:mute]
command=/bin/cat
startsecs=0
stdout_logfile=NONE
";

#[test]
fn questions_are_answered_alike() {
    let Some(reference) = Reference::start(&format!("{PROGRAMS}{LOGGERS}")) else { return };
    reference.wait_for("FATAL", "short-lived");
    reference.wait_for("EXITED", "talker");
    for line in [
        "status",
        "status all",
        "status cat",
        "status cat many:* cat pair:* many:many_01",
        "status nope cat nope:* many: many:nope",
        "status nope all",
        "pid",
        "pid cat off many:many_00",
        "pid cat nope",
        "pid off nope off",
        "pid all",
        "version",
        "version x",
        "avail",
        "avail x",
        "reread",
        "reread x",
        "tail talker",
        "tail talker stderr",
        "tail -3 talker",
        "tail -3 talker STDERR",
        "tail -0 talker",
        "tail talker x stderr",
        "tail",
        "tail -3",
        "tail -x talker",
        "tail - talker",
        "tail talker foo",
        "tail a b c d",
        "tail nope",
        "tail mute",
        "maintail -20",
        "maintail -x",
        "maintail x",
        "maintail a b",
        "fg",
        "fg a b",
        "fg nope",
        "fg off",
        "open foo",
        "open",
        "open ftp://x",
        "help",
        "help help",
        "help status",
        "help foo",
        "help status foo",
        "?",
        "?stop",
        "foo bar",
        "!ls",
        "status;pid",
        "tail-3 talker",
        "EOF",
        "EOF quit",
        "quit",
        "quit now",
        "exit",
        "exit 1",
        "status Cat",
        "status cat,off",
        "status many:",
        "status :cat",
        "status cat:cat:cat",
        "STATUS",
        "stat",
        "pid many:*",
        "pid all cat",
        "pid cat all",
        "tail all",
        "tail many",
        "tail many:*",
        "tail cat -100",
        "tail cat stderr stdout",
        "tail -1.5 cat",
        "tail -f",
        "tail -f cat nope",
        "maintail 100",
        "maintail stderr",
        "maintail -f x",
        "fg many:*",
        "fg all",
        "help all",
        "help -h",
        "help ?",
        "help EOF",
        "help help",
        "help exit",
        "avail cat",
        "reread all",
        "open unix:///x y",
        "shutdown now",
        "reload now",
    ] {
        reference.compare("", line);
    }
}

/// Each word is what a shell of the system would make of it, quotes and all.
#[test]
fn arbitrary_arguments_are_handled_alike() {
    let Some(reference) = Reference::start(PROGRAMS) else { return };
    reference.wait_for("FATAL", "short-lived");
    for words in [
        &["status", "cat off"][..],
        &["status cat"],
        &["status", ""],
        &["status", "\"cat\""],
        &["status", "'cat'"],
        &["status; pid"],
        &["status\npid"],
        &["status", "cat\n"],
        &["status", "w\u{f6}rk"],
        &["start", ""],
        &["stop", " "],
        &["start", "cat nope"],
        &["signal", "CONT cat"],
        &["pid", "cat\toff"],
        &["tail", "-5 cat"],
        &["help", "start stop"],
        &["update", ""],
        &["add", ""],
        &["remove", ""],
        &["open", ""],
        &["version", ""],
        &["# comment"],
        &["!status"],
        &["--", "status", "cat"],
        &["--", "-c", "status"],
        &["status", "--", "cat"],
        &["-i", "version", "extra"],
        &["-u", "", "status"],
        &["-p", "x", "version"],
        &["-r"],
        &["--server=foo", "status"],
        &["--interactive"],
    ] {
        assert_eq!(reference.ours(words, ""), reference.theirs(words, ""), "{words:?}");
    }
}

#[test]
fn actions_match_the_reference() {
    let Some(reference) = Reference::start(PROGRAMS) else { return };
    reference.wait_for("FATAL", "short-lived");
    for (preparation, line) in [
        ("", "start"),
        ("stop cat", "start cat"),
        ("start cat", "start cat"),
        ("stop cat", "start nope cat off:nope"),
        ("start cat", "start nope:* cat"),
        ("stop many:*", "start many:*"),
        ("stop many:many_00;start many:many_01", "start many:*"),
        ("stop pair:*", "start pair:one pair:nope"),
        ("", "start missing"),
        ("", "start unreadable"),
        ("", "start short-lived"),
        ("stop all", "start off short-lived"),
        ("stop all", "start all"),
        ("start cat", "start all nope"),
        ("", "stop"),
        ("start cat", "stop cat"),
        ("stop cat", "stop cat"),
        ("start cat", "stop nope cat nope:*"),
        ("stop many:many_01;start many:many_00", "stop many:*"),
        ("stop all;start cat", "stop all"),
        ("", "restart"),
        ("start cat", "restart cat"),
        ("stop off", "restart off"),
        ("start cat", "restart nope cat"),
        ("", "restart nope:*"),
        ("", "signal"),
        ("", "signal HUP"),
        ("start cat", "signal CONT cat"),
        ("start cat", "signal 0 cat"),
        ("start cat", "signal BOGUS cat"),
        ("stop off", "signal CONT off"),
        ("", "signal CONT nope nope:*"),
        ("start many:*", "signal CONT many:*"),
        ("start many:*", "signal BOGUS many:*"),
        ("stop all;start cat", "signal CONT all"),
        ("", "clear"),
        ("", "clear cat nope"),
        ("", "clear all"),
        ("", "add"),
        ("", "add cat nope"),
        ("", "add all"),
        ("", "add cat cat"),
        ("", "add many:*"),
        ("", "remove"),
        ("", "remove all"),
        ("", "remove many:*"),
        ("start cat", "remove cat nope"),
        ("start cat", "remove cat cat"),
        ("stop off", "start off off"),
        ("start off", "stop off off"),
        ("stop many:*", "start many:many_00 many:*"),
        ("stop cat", "start cat:*"),
        ("start cat", "stop cat:* cat"),
        ("start many:many_00;stop off", "restart many:many_00 off"),
        ("start cat", "signal -1 cat"),
        ("start cat", "signal hup"),
        ("start cat", "signal cat CONT"),
        ("start cat", "signal CONT cat cat"),
        ("start many:*", "signal CONT many:"),
        ("stop off", "signal TERM off"),
        ("stop off", "signal SIGIOT off"),
        ("", "clear cat cat"),
        ("stop off;add off", "remove off"),
    ] {
        reference.compare(preparation, line);
    }
}

#[test]
fn changes_of_the_configuration_match_the_reference() {
    const BEFORE: &str = "[program:gone]\ncommand=/bin/cat\nstartsecs=0\n\
        [program:changed]\ncommand=/bin/cat\nstartsecs=0\n[program:same]\ncommand=/bin/cat\nstartsecs=0\n";
    const AFTER: &str = "[program:new]\ncommand=/bin/cat\nstartsecs=0\n\
        [program:changed]\ncommand=/bin/cat -u\nstartsecs=0\n[program:same]\ncommand=/bin/cat\nstartsecs=0\n";
    let Some(reference) = Reference::start(BEFORE) else { return };
    let compare = |programs: &str, line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let run = |client: &dyn Fn(&[&str], &str) -> String| {
            reference.configure(BEFORE);
            reference.prepare("update");
            reference.configure(programs);
            client(&words, "")
        };
        let theirs = run(&|words, input| reference.theirs(words, input));
        assert_eq!(run(&|words, input| reference.ours(words, input)), theirs, "{line}");
    };
    compare(AFTER, "reread");
    compare(AFTER, "update");
    compare(AFTER, "update all nope");
    compare(AFTER, "update new");
    compare(AFTER, "add new");
    compare(AFTER, "update gone nope");
    compare(BEFORE, "update");
    compare("[program:x]\ncommand=%(nope)s\n", "reread");
    compare("[program:x]\n", "update");
}

#[test]
fn the_shell_is_alike() {
    let Some(reference) = Reference::start(PROGRAMS) else { return };
    reference.wait_for("FATAL", "short-lived");
    for input in [
        "",
        "quit\n",
        "status cat\n\n   \nfoo\npid off\nhelp\n?tail\nexit\nstatus\n",
        "shutdown\nn\nreload\n\nshutdown x\n",
        "open unix://s.sock\nopen foo\nopen http://127.0.0.1:1\nversion\n",
        "stop cat\nstart cat",
        "help\nhelp nope\n?\nhelp help\nEOF",
        "start \"cat\"\nstart 'cat'\nstatus \"cat off\"\nexit",
        "status cat;status off\n  status   cat  \n\tpid\t cat\nstatus cat # x\n",
        "start\nstop\nrestart\nsignal\nclear\ntail\nfg\nmaintail x\nadd\nremove\nupdate nope\npid nope\n\
         avail x\nreread x\nversion x\nopen\nhelp x\nshutdown x\nreload x\nnope\n!x\nquit x",
        "open /x\nopen unix:///nope\nstatus\nopen unix://s.sock\nversion",
    ] {
        let theirs = reference.theirs(&[], input);
        assert_eq!(reference.ours(&[], input), theirs, "{input:?}");
        assert_eq!(reference.ours(&["-i"], input), theirs, "{input:?}");
    }
    for words in [&["-i", "status", "cat"][..], &["-i", "shutdown"], &["-i", "reload"]] {
        assert_eq!(reference.ours(words, "n\n"), reference.theirs(words, "n\n"), "{words:?}");
    }
}

#[test]
fn misuse_and_missing_answers_match_the_reference() {
    let Some(reference) = Reference::start("") else { return };
    fs::write(reference.folder.join("other.conf"), "[supervisord]\n").unwrap();
    for line in [
        "status",
        "-Z",
        "--nope",
        "--version",
        "-s foo",
        "-c",
        "-s foo status",
        "-i --interactive status",
        "--interactive=x",
        "-c nope.conf status",
        "-c other.conf status",
        "-s unix:///there/is/no.sock status",
        "-s unix:///there/is/no.sock pid",
        "-s unix:///there/is/no.sock version",
        "-s unix:///there/is/no.sock start x",
        "-s unix:///there/is/no.sock shutdown",
        "-s unix:///there/is/no.sock open unix:///nor/here",
        "-s http://127.0.0.1:1 status",
        "-s http://127.0.0.1:1 start",
        "-s http://127.0.0.1:1 shutdown",
        "-s ftp://x status",
        "-s ftp://x version",
        "-s http://127.0.0.1:x status",
        "-s unix://s.sock status",
        "-s unix://s.sock -u me version",
    ] {
        reference.compare("", line);
    }
}

#[test]
fn authentication_is_alike() {
    let Some(reference) = Reference::start_with("username=me\npassword=se:cret", PROGRAMS) else { return };
    for line in ["status", "shutdown", "-u me version", "-u me -p wrong version", "-u me -p se:cret version"]
    {
        reference.compare("", line);
    }
}

#[test]
fn a_supervisor_that_shuts_down_matches_the_reference() {
    const STUBBORN: &str = "[program:stubborn]\n\
        command=/bin/sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'\nstopwaitsecs=60\n\
        killasgroup=true\nstopasgroup=true\n";
    let Some(reference) = Reference::start(STUBBORN) else { return };
    wait_until("the trap is set", || reference.ours(&["tail", "stubborn"], "").starts_with("ready"));
    assert_eq!(reference.ours(&["shutdown"], ""), "Shut down\n--- stderr\n--- exit Some(0)\n");
    wait_until("it shuts down", || reference.ours(&["status"], "").contains("SHUTDOWN_STATE"));
    for line in [
        "status",
        "start stubborn",
        "pid",
        "avail",
        "reread",
        "update",
        "add stubborn",
        "remove stubborn",
        "shutdown",
        "reload",
    ] {
        reference.compare("", line);
    }
}

#[test]
fn shutdown_and_reload_are_alike() {
    for line in ["shutdown", "reload"] {
        let run = |is_ours: bool| {
            let reference = Reference::start("")?;
            Some(if is_ours { reference.ours(&[line], "") } else { reference.theirs(&[line], "") })
        };
        assert_eq!(run(true), run(false), "{line}");
    }
}
