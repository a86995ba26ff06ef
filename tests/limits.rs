//! Limits, priorities and privileges of programs, as the kernel shows them for real processes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::getuid;
use support::container::{Container, HEAD as CONTAINER_HEAD};
use support::{HEAD, Sandbox, binary, have};

/// Writes what it has: limits, priorities, CPUs, ids and privileges, in one line each.
const REPORT: &str = r#"
echo "nofile $(ulimit -Sn):$(ulimit -Hn) core $(ulimit -Sc) stack $(ulimit -Ss)"
echo "nice $(nice) ionice $(ionice -p $$) oom $(cat /proc/self/oom_score_adj)"
sed -n 's/^\(Cpus_allowed_list\|NoNewPrivs\|Cap[A-Z][a-z]*\|Uid\|Gid\|Groups\):[[:space:]]*/\1 /p' /proc/self/status
echo "umask $(umask) in $PWD home $HOME"
"#;

fn is_root() -> bool {
    have("root", getuid().is_root())
}

/// A program that reports and stays.
fn reporter(name: &str, options: &str) -> String {
    format!(
        "[program:{name}]\ncommand=sh -c 'sh report.sh; echo done; exec sleep 1000'\nstartsecs=0\n\
         stdout_logfile=%(here)s/{name}.out\nredirect_stderr=true\n{options}\n"
    )
}

fn sandbox(programs: &str) -> Sandbox {
    let sandbox = Sandbox::with_programs(programs);
    sandbox.write("report.sh", REPORT);
    sandbox
}

/// The report of a program, once it is complete.
#[track_caller]
fn report(sandbox: &mut Sandbox, name: &str) -> String {
    let file = format!("{name}.out");
    sandbox.wait(&format!("the report of {name}"), |sandbox| {
        let text = sandbox.file(&file);
        text.contains("done\n").then_some(text)
    })
}

/// The value of a line of a report.
fn value<'r>(report: &'r str, name: &str) -> &'r str {
    let line = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {report}")).trim()
}

/// The set of capabilities in each of the five sets, in hexadecimal digits.
fn capabilities(report: &str) -> Vec<u64> {
    let sets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
    sets.into_iter().map(|set| u64::from_str_radix(value(report, set), 16).unwrap()).collect()
}

const NET_BIND_SERVICE: u64 = 1 << 10;
const KILL: u64 = 1 << 5;

#[test]
fn limits_and_priorities_are_those_of_the_program_its_hooks_and_its_checks() {
    if !is_root() {
        return;
    }
    let options = "rlimit_nofile=123:456\nrlimit_core=0\nrlimit_stack=1MB:unlimited\nnice=7\nionice=idle\n\
        oom_score_adj=321\ncpu_affinity=0\nuser=nobody\numask=027\ndirectory=%(here)s\n\
        pre_start=sh -c 'sh report.sh > hook'\nhealth=exec:sh -c 'sh report.sh > check && mv check checked'\n";
    let sandbox = sandbox(&format!("{}{}", reporter("web", options), reporter("plain", "")));
    std::os::unix::fs::chown(sandbox.dir(), Some(65534), None).unwrap();
    let mut sandbox = sandbox.start();
    let expected = [
        "nofile 123:456 core 0 stack 1024\n",
        "nice 7 ionice idle oom 321\n",
        "Cpus_allowed_list 0\n",
        "umask 0027 in ",
        "NoNewPrivs 0\n",
    ];
    let own = report(&mut sandbox, "web");
    sandbox.wait("a health check", |sandbox| sandbox.path("checked").exists().then_some(()));
    for found in [own, sandbox.file("hook"), sandbox.file("checked")] {
        for line in expected {
            assert!(found.contains(line), "no {line:?} in {found}");
        }
        assert_eq!(value(&found, "Uid").split_whitespace().next(), Some("65534"));
        assert_eq!(capabilities(&found)[1..3], [0, 0]);
    }
    // Another program has what we have.
    let plain = report(&mut sandbox, "plain");
    let ours = fs::read_to_string(format!("/proc/{}/oom_score_adj", sandbox.supervisor_pid())).unwrap();
    assert!(plain.contains("nice 0 ") && plain.contains(&format!("oom {ours}")), "{plain}");
    assert!(!plain.contains("nofile 123") && value(&plain, "Uid").starts_with('0'), "{plain}");
}

#[test]
fn capabilities_are_in_every_set_of_any_user() {
    if !is_root() {
        return;
    }
    let mut sandbox = sandbox(
        &[
            reporter("web", "user=nobody\ncapabilities=CAP_NET_BIND_SERVICE,kill"),
            reporter("none", "user=nobody\ncapabilities="),
            reporter("root", "capabilities=CAP_NET_BIND_SERVICE\nno_new_privileges=true"),
            reporter("plain", "user=nobody"),
        ]
        .concat(),
    )
    .start();
    let kept = NET_BIND_SERVICE | KILL;
    assert_eq!(capabilities(&report(&mut sandbox, "web")), [kept; 5]);
    assert_eq!(capabilities(&report(&mut sandbox, "none")), [0; 5]);
    let root = report(&mut sandbox, "root");
    assert_eq!((capabilities(&root), value(&root, "NoNewPrivs")), (vec![NET_BIND_SERVICE; 5], "1"));
    let plain = report(&mut sandbox, "plain");
    assert_eq!((capabilities(&plain)[1], value(&plain, "NoNewPrivs")), (0, "0"));
    assert_ne!(capabilities(&plain)[3], 0, "the bounding set is left alone");
    let ours = fs::read_to_string(format!("/proc/{}/status", sandbox.supervisor_pid())).unwrap();
    assert!(!ours.contains("CapEff:\t0000000000000000"), "{ours}");
}

#[test]
fn a_user_binds_a_privileged_port_with_the_capability_alone() {
    const BIND: &str = "use IO::Socket::INET; $| = 1;\n\
        my $bound = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 80, Listen => 1);\n\
        print $bound ? 'bound' : \"$!\", \"\\n\"; sleep 1000;\n";
    let is_possible = || Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|it| it.success());
    if !is_root() || !have("unshare -n", is_possible()) {
        return;
    }
    let program = |name: &str, options: &str| {
        format!(
            "[program:{name}]\ncommand=perl bind.pl\nuser=nobody\nstartsecs=0\n\
             stdout_logfile=%(here)s/{name}.out\n{options}\n"
        )
    };
    let sandbox = Sandbox::with_programs(
        &[
            program("plain", ""),
            // The other one must not hold the port.
            program("web", "capabilities=CAP_NET_BIND_SERVICE\nno_new_privileges=true\nautostart=false"),
        ]
        .concat(),
    );
    sandbox.write("bind.pl", BIND);
    let words = ["-n", binary().to_str().unwrap(), "run"].map(str::to_owned);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let mut sandbox = sandbox.run_by(Path::new("unshare"), "unshare", &words).start();
    sandbox.wait_file("plain.out", "Permission denied\n");
    assert_eq!(sandbox.ctl(&["start", "web"]).stdout, "web: started\n");
    sandbox.wait_file("web.out", "bound\n");
}

#[test]
fn a_group_of_the_user_replaces_its_primary_one() {
    if !is_root() {
        return;
    }
    let mut sandbox = sandbox(
        &[
            reporter("named", "user=nobody:adm\nset_user_environment=true\nruntime_directory=%(here)s/run"),
            reporter("numbers", "user=12345:54321"),
            reporter("root", "user=root:12"),
        ]
        .concat(),
    )
    .start();
    let ids = |report: &str| ["Uid", "Gid", "Groups"].map(|name| value(report, name).replace('\t', " "));
    let adm = fs::read_to_string("/etc/group").unwrap();
    let adm = adm.lines().find_map(|line| line.strip_prefix("adm:x:")?.split(':').next()).unwrap();
    let named = report(&mut sandbox, "named");
    let four = |id: &str| [id; 4].join(" ");
    assert_eq!(ids(&named), [four("65534"), four(adm), adm.to_owned()]);
    assert!(named.contains("home /nonexistent\n"), "{named}");
    let folder = fs::metadata(sandbox.path("run")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::gid(&folder).to_string(), adm);
    assert_eq!(
        ids(&report(&mut sandbox, "numbers")),
        [four("12345"), four("54321"), "54321".to_owned()],
        "no entries are needed"
    );
    let root = ids(&report(&mut sandbox, "root"));
    assert_eq!((root[0].as_str(), root[1].as_str()), (four("0").as_str(), four("12").as_str()));
}

/// The same without the capabilities for resources and priorities.
fn without_capabilities(sandbox: Sandbox) -> Sandbox {
    let set = "--bounding-set=-sys_resource,-sys_nice,-sys_admin,-setpcap";
    run_with_bounding_set(sandbox, set)
}

fn run_with_bounding_set(sandbox: Sandbox, set: &str) -> Sandbox {
    let binary = binary();
    let words = ["--inh-caps=-all", set, binary.to_str().unwrap(), "run"];
    sandbox.run_by(Path::new("setpriv"), "setpriv", &words)
}

#[test]
fn what_cannot_be_applied_fails_the_start_and_is_named() {
    if !is_root() {
        return;
    }
    const CASES: [(&str, &str, &str, &str); 6] = [
        ("rlimit_nofile", "unlimited", "Operation not permitted (it needs CAP_SYS_RESOURCE)", "EPERM"),
        ("nice", "-5", "Permission denied (it needs CAP_SYS_NICE)", "EACCES"),
        ("ionice", "realtime:0", "Operation not permitted (it needs CAP_SYS_NICE)", "EPERM"),
        ("oom_score_adj", "-900", "Permission denied (it needs CAP_SYS_RESOURCE)", "EACCES"),
        ("cpu_affinity", "1023", "Invalid argument", "EINVAL"),
        ("capabilities", "CAP_CHOWN", "Operation not permitted (it needs CAP_SETPCAP)", "EPERM"),
    ];
    let programs: String = CASES
        .iter()
        .map(|(option, value, ..)| {
            reporter(option, &format!("{option}={value}\nstartretries=0\nstartsecs=1\nuser=nobody"))
        })
        .collect();
    let hook = "startretries=0\npre_start=true\noom_score_adj=-900";
    // Without startsecs it is RUNNING before its child fails.
    let at_once = reporter("at_once", "nice=-5\nstartretries=1\nautorestart=unexpected\nuser=nobody");
    let hook = reporter("hook", hook);
    let mut sandbox = without_capabilities(sandbox(&format!("{programs}{hook}{at_once}"))).start();
    for (option, _, reason, errno) in CASES {
        sandbox.wait_state(option, "FATAL");
        let status = sandbox.ctl(&["status", option]).stdout;
        let expected = format!("cannot apply {option}: {reason}");
        assert!(status.trim_end().ends_with(&format!("FATAL     {expected}")), "{status}");
        assert!(sandbox.log().contains(&format!("INFO spawnerr: {expected}\n")), "{}", sandbox.log());
        let written = sandbox.file(&format!("{option}.out"));
        let line = format!("supervisor: couldn't apply {option}: {errno}\n");
        assert_eq!(written, format!("{line}supervisor: child process was not spawned\n"));
        assert!(sandbox.ctl(&["start", option]).stderr.contains(&expected));
    }
    sandbox.wait_state("at_once", "FATAL");
    assert_eq!(sandbox.log().matches("INFO spawned: 'at_once'").count(), 2, "{}", sandbox.log());
    let status = sandbox.ctl(&["status", "at_once"]).stdout;
    assert!(status.contains("cannot apply nice: Permission denied"), "{status}");
    sandbox.wait_state("hook", "FATAL");
    let status = sandbox.ctl(&["status", "hook"]).stdout;
    assert!(status.contains("pre_start failed: cannot apply oom_score_adj: "), "{status}");
}

/// The child reports them in Supervisor's words, and clients of Supervisor see nothing else.
#[test]
fn a_user_and_a_directory_that_cannot_be_applied_are_named() {
    if !is_root() {
        return;
    }
    let cases = [
        (
            "user",
            "user=www-data",
            "cannot apply user: Operation not permitted (it needs root, with CAP_SETUID and CAP_SETGID)",
            "couldn't setuid to 33: ",
        ),
        (
            "directory",
            "directory=/nonexistent",
            "cannot apply directory: No such file or directory",
            "couldn't chdir to /nonexistent: ENOENT",
        ),
    ];
    let programs: String = cases
        .iter()
        .map(|(name, option, ..)| reporter(name, &format!("{option}\nstartsecs=1\nstartretries=0")))
        .collect();
    let at_once = reporter("at_once", "user=www-data\nautorestart=false");
    let sandbox = sandbox(&format!("{programs}{at_once}"));
    let mut sandbox = run_with_bounding_set(sandbox, "--bounding-set=-setuid,-setgid").start();
    for (name, _, expected, written) in cases {
        sandbox.wait_state(name, "FATAL");
        let supervisors = "FATAL     Exited too quickly (process log may have details)";
        let status = sandbox.ctl(&["status", name]).stdout;
        assert!(status.ends_with(&format!("{supervisors}; {expected}\n")), "{status}");
        let why = sandbox.ctl(&["why", name]).stdout;
        assert!(why.contains(&format!("\nspawn error:  {expected}\n")) && !why.contains("\nhint: "), "{why}");
        assert!(why.contains("exit status 127, ") && !why.contains("not found)"), "{why}");
        let json = sandbox.ctl(&["status", "--json", name]).stdout;
        assert!(json.contains(&format!("\"spawn_error\":\"{expected}\"")), "{json}");
        assert!(json.contains("\"hint\":null,"), "{json}");
        assert!(sandbox.log().contains(&format!("INFO spawnerr: {expected}\n")), "{}", sandbox.log());
        assert!(sandbox.file(&format!("{name}.out")).contains(&format!("supervisor: {written}")));
        let mut supervisorctl = Command::new(binary());
        supervisorctl.arg0("supervisorctl").arg("-c").arg(sandbox.path("supervisord.conf"));
        let output = supervisorctl.args(["status", name]).output().unwrap();
        let status = String::from_utf8(output.stdout).unwrap();
        assert!(status.ends_with(&format!("{supervisors}\n")), "{status}");
    }
    sandbox.wait_state("at_once", "EXITED");
    let status = sandbox.ctl(&["status", "at_once"]).stdout;
    assert!(status.contains("; cannot apply user: "), "{status}");
}

/// All of them start in one turn, and most have ended when the first is reaped.
#[test]
fn programs_that_fail_at_the_same_time_keep_their_reasons() {
    const EACH: usize = 40;
    let cases = [
        (
            "directory",
            "/bin/true\ndirectory=/nonexistent",
            "cannot apply directory: No such file or directory",
        ),
        ("format", "%(here)s/not-a-program", "cannot execute its program: Exec format error"),
        ("missing", "sh -c 'exit 127'", "Exited too quickly"),
    ];
    let programs: String = cases
        .iter()
        .map(|(name, command, _)| {
            format!(
                "[program:{name}]\nprocess_name=%(process_num)d\nnumprocs={EACH}\ncommand={command}\n\
                 startretries=0\nstdout_logfile=NONE\nstderr_logfile=NONE\n"
            )
        })
        .collect();
    let sandbox = sandbox(&programs);
    sandbox.write("not-a-program", "\u{7f}ELF");
    fs::set_permissions(sandbox.path("not-a-program"), Permissions::from_mode(0o755)).unwrap();
    let mut sandbox = sandbox.start();
    for (name, _, expected) in cases {
        let all = format!("{name}:*");
        sandbox.wait(&format!("{name} to have failed for its reason"), |sandbox| {
            let json = sandbox.ctl(&["status", "--json", &all]).stdout;
            (json.matches(&format!("\"spawn_error\":\"{expected}")).count() == EACH).then_some(())
        });
    }
}

/// A line of /proc/PID/limits, with soft and hard limit.
fn open_files(pid: i32) -> [String; 2] {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap().to_owned();
    let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
    [words[3].clone(), words[4].clone()]
}

/// The nice value of a process.
fn nice(pid: i32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().to_owned()
}

fn status_line(pid: i32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

#[test]
fn update_changes_the_running_process_group_where_the_kernel_can() {
    if !is_root() {
        return;
    }
    let with = |options: &str| {
        format!(
            "{HEAD}[program:web]\ncommand=sh -c 'sleep 1000 & echo $! > member; wait'\nstartsecs=0\n\
             stopasgroup=true\n{options}\n"
        )
    };
    let mut sandbox = Sandbox::new(&with("")).start();
    let member =
        sandbox.wait("the member of the group", |sandbox| sandbox.file("member").trim().parse().ok());
    let leader = sandbox.pid("web").unwrap().as_raw_nonzero().get();
    let before = open_files(leader);
    let options = "rlimit_nofile=100:200\nnice=3\nionice=best-effort:7\noom_score_adj=777\ncpu_affinity=0";
    sandbox.write("supervisord.conf", &with(options));
    let answer = sandbox.ctl(&["update"]);
    assert_eq!(answer.stdout, "web: applied without a restart\nweb: updated process group\n");
    sandbox.wait_log("updated: 'web' in place (rlimit_nofile, nice, ionice, oom_score_adj, cpu_affinity)");
    for pid in [leader, member] {
        assert_eq!((open_files(pid), nice(pid).as_str()), (["100", "200"].map(str::to_owned), "3"));
        assert_eq!(fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap(), "777\n");
        assert_eq!(status_line(pid, "Cpus_allowed_list"), "0");
        let io = Command::new("ionice").args(["-p", &pid.to_string()]).output().unwrap();
        assert_eq!(String::from_utf8(io.stdout).unwrap().trim(), "best-effort: prio 7");
    }
    assert!(!sandbox.log().contains("cannot apply"), "{}", sandbox.log());
    // What is no longer set is as it was.
    sandbox.write("supervisord.conf", &with("rlimit_nofile=100:200"));
    assert!(sandbox.ctl(&["update"]).success);
    let supervisor = sandbox.supervisor_pid().as_raw_nonzero().get();
    assert_eq!((nice(leader), nice(member)), (nice(supervisor), nice(supervisor)));
    assert_eq!(status_line(leader, "Cpus_allowed_list"), status_line(supervisor, "Cpus_allowed_list"));
    assert_eq!(sandbox.pid("web").map(|pid| pid.as_raw_nonzero().get()), Some(leader));
    assert_ne!(before, open_files(leader));
    // The others need another process.
    for (options, cause) in [
        ("no_new_privileges=true", "rlimit_nofile, no_new_privileges"),
        ("no_new_privileges=true\ncapabilities=", "capabilities"),
        ("no_new_privileges=true\ncapabilities=\nuser=root:adm", "user"),
    ] {
        sandbox.write("supervisord.conf", &with(options));
        assert_eq!(sandbox.ctl(&["update"]).stdout, "web: stopped\nweb: updated process group\n");
        let last = cause.rsplit(", ").next().unwrap();
        sandbox.wait_log(&format!("INFO updating: 'web' is replaced ({last})"));
    }
}

#[test]
fn an_update_that_cannot_be_applied_is_a_warning_and_kept_for_the_next_start() {
    if !is_root() {
        return;
    }
    let with = |options: &str| format!("{HEAD}[program:web]\ncommand=sleep 1000\nstartsecs=1\n{options}\n");
    let mut sandbox = without_capabilities(Sandbox::new(&with(""))).start();
    sandbox.wait_state("web", "RUNNING");
    let pid = sandbox.pid("web");
    sandbox.write("supervisord.conf", &with("nice=-7\nstartretries=0"));
    let answer = sandbox.ctl(&["update"]);
    assert_eq!(answer.stdout, "web: applied without a restart\nweb: updated process group\n");
    sandbox.wait_log(
        "WARN cannot apply nice to 'web': Permission denied (os error 13); its next start applies it",
    );
    assert_eq!(sandbox.pid("web"), pid);
    assert!(sandbox.ctl(&["restart", "web"]).stdout.contains("web: stopped\n"));
    sandbox.wait_state("web", "FATAL");
    assert!(sandbox.ctl(&["status", "web"]).stdout.contains("cannot apply nice: Permission denied"));
}

/// The others need no /proc.
#[test]
fn without_proc_the_oom_score_alone_is_refused() {
    const HIDE: &str = "mount -t tmpfs none /proc && exec \"$0\" \"$@\"";
    let can_mount = || Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/proc"]).status();
    if !is_root() || !have("unshare -m", can_mount().is_ok_and(|it| it.success())) {
        return;
    }
    let program = |name: &str, options: &str| {
        format!("[program:{name}]\ncommand=sleep 1000\nstartretries=0\nstartsecs=1\n{options}\n")
    };
    let others =
        "rlimit_nofile=64:64\nnice=1\nionice=idle\ncpu_affinity=0\ncapabilities=\nno_new_privileges=true";
    let sandbox = Sandbox::with_programs(&(program("oom", "oom_score_adj=500") + &program("web", others)));
    let binary = binary();
    let words = ["-m", "sh", "-c", HIDE, binary.to_str().unwrap(), "run"];
    let mut sandbox = sandbox.run_by(Path::new("unshare"), "unshare", &words).start();
    sandbox.wait_state("oom", "FATAL");
    let status = sandbox.ctl(&["status", "oom"]).stdout;
    assert!(status.ends_with("cannot apply oom_score_adj: No such file or directory\n"), "{status}");
    sandbox.wait_state("web", "RUNNING");
    let config = sandbox.file("supervisord.conf").replace("nice=1\n", "nice=2\noom_score_adj=500\n");
    sandbox.write("supervisord.conf", &config);
    assert!(sandbox.ctl(&["update", "web"]).success);
    sandbox.wait_log("WARN cannot apply oom_score_adj to 'web': No such file or directory (os error 2)");
    let pid = sandbox.pid("web").unwrap().as_raw_nonzero().get();
    assert_eq!((nice(pid).as_str(), open_files(pid)[1].as_str()), ("2", "64"));
}

#[test]
fn a_program_whose_descendants_use_too_much_memory_is_restarted() {
    // The memory is that of a child.
    let hog = "sh -c 'perl -e \"\\$x = q(a) x 100_000_000; sleep 1000\" & wait'";
    let mut sandbox = Sandbox::with_programs(&format!(
        "[program:hog]\ncommand={hog}\nstartsecs=0\nstopasgroup=true\nmemory_limit=50MB\nmemory_interval=1\n\
         [program:web]\ncommand=sleep 1000\nstartsecs=0\nmemory_limit=50MB\nmemory_interval=1\n"
    ))
    .start();
    sandbox.wait_log(" MB of memory in use, memory_limit is 50 MB; restarting it");
    sandbox.wait("another run", |sandbox| {
        (sandbox.log().matches("INFO spawned: 'hog'").count() > 1).then_some(())
    });
    assert_eq!(sandbox.log().matches("INFO spawned: 'web'").count(), 1);
}

/// It is in a session of its own, and adopted by the supervisor.
#[test]
fn a_program_whose_daemon_uses_too_much_memory_is_restarted() {
    const DAEMON: &str = "use POSIX; fork and exit; POSIX::setsid(); fork and exit; \
        $x = q(a) x 60_000_000; sleep 20";
    for options in ["", "kill_tree=true\n"] {
        let sandbox = Sandbox::with_programs(&format!(
            "[program:leader]\ncommand=sh -c 'perl daemon.pl; exec sleep 1000'\nstartsecs=0\n\
             directory=%(here)s\nmemory_limit=30MB\nmemory_interval=1\n{options}\
             [program:other]\ncommand=sleep 1000\nstartsecs=0\nmemory_limit=30MB\nmemory_interval=1\n"
        ));
        sandbox.write("daemon.pl", DAEMON);
        let mut sandbox = sandbox.start();
        sandbox.wait_log("leader: ");
        sandbox.wait_log(" MB of memory in use, memory_limit is 30 MB; restarting it");
        sandbox.wait("another run", |sandbox| {
            (sandbox.log().matches("INFO spawned: 'leader'").count() > 1).then_some(())
        });
        assert_eq!(sandbox.log().matches("INFO spawned: 'other'").count(), 1);
    }
}

/// A read-only root, another user, no capabilities at all.
#[test]
fn a_restricted_container_applies_what_needs_no_privilege() {
    let config =
        CONTAINER_HEAD.replace("/var/log/supervisord.log", "/run/supervisord.log").replace("user=root\n", "");
    let program = "[program:web]\ncommand=/bin/sh -c 'grep -E \"open files\" /proc/self/limits; \
        grep -E \"^(NoNewPrivs|CapBnd)\" /proc/self/status; \
        read -r stat < /proc/self/stat; set -- $stat; echo nice ${19}; cat /proc/self/oom_score_adj; exec sleep 100000'\n\
        stdout_logfile=/dev/stdout\nrlimit_nofile=64:128\nnice=9\noom_score_adj=555\nno_new_privileges=true\n\
        capabilities=\n";
    let options = [
        "--read-only",
        "--user",
        "1000620000:0",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--tmpfs",
        "/run:mode=1777",
    ];
    let Some(container) = Container::configured(&options, &[], &format!("{config}{program}")) else { return };
    container.start();
    container.wait_log("555\n");
    let logs = container.logs();
    for text in ["64                   128", "NoNewPrivs:\t1", "CapBnd:\t0000000000000000", "nice 9\n"] {
        assert!(logs.contains(text), "no {text:?} in {logs}");
    }
}
