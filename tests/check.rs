//! `sv check` and `sv config` from outside: what they report about real files, and their exit status.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Sandbox, have};

/// What `sv` printed, and its exit code.
#[derive(Debug)]
struct SvOutput {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn reported(command: &mut Command) -> SvOutput {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    SvOutput { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// `sv` with some words, in the folder of the configuration.
fn sv(sandbox: &Sandbox, words: &[&str]) -> SvOutput {
    reported(sandbox.program("sv").args(words))
}

/// What `sv check` reports about a text on a machine that it is not for; the folder's name is left out of it.
fn checked(text: &str, words: &[&str]) -> SvOutput {
    let sandbox = Sandbox::new(text);
    let reported = sv(&sandbox, &[&["check", "supervisord.conf", "--image=no"], words].concat());
    SvOutput { stdout: reported.stdout.replace(&format!("{}/", sandbox.dir().display()), ""), ..reported }
}

#[track_caller]
fn assert_reported(reported: &SvOutput, code: i32, lines: &[&str]) {
    assert_eq!(reported.code, Some(code), "{reported:?}");
    assert_eq!(reported.stdout.lines().collect::<Vec<_>>(), lines, "{}", reported.stdout);
}

/// The value at a path of members.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const GOOD: &str = "[supervisord]\n[program:a]\ncommand=/bin/cat\n[program:b]\ncommand=/bin/cat\nnumprocs=2\n\
    process_name=%(process_num)d\n";

#[test]
fn no_findings_exit_with_0() {
    assert_reported(&checked(GOOD, &[]), 0, &["no errors, 3 processes in 2 groups"]);
    let sandbox = Sandbox::new(GOOD);
    for words in [&["check"][..], &["check", "-c", "supervisord.conf"], &["-c", "supervisord.conf", "check"]]
    {
        assert_eq!(sv(&sandbox, words).code, Some(0), "{words:?}");
    }
}

#[test]
fn warnings_are_status_1_and_with_strict_status_2() {
    let text = "[supervisord]\n[program:x]\ncommand=/bin/cat\nautorestrat=1\n";
    assert_reported(
        &checked(text, &[]),
        1,
        &[
            "supervisord.conf:4: warning: unknown option 'autorestrat' in [program:x], did you mean 'autorestart'?",
            "    4 | autorestrat=1",
            "      | ^^^^^^^^^^^",
            "no errors, 1 warning, 1 process in 1 group",
        ],
    );
    assert_reported(
        &checked(text, &["--strict"]),
        2,
        &[
            "supervisord.conf:4: error: unknown option 'autorestrat' (in [program:x]), did you mean 'autorestart'?",
            "    4 | autorestrat=1",
            "      | ^^^^^^^^^^^",
            "1 error",
        ],
    );
}

#[test]
fn the_main_command_is_checked_with_the_file() {
    let sandbox = Sandbox::new("[supervisord]\nsignal_USR1=forward:main\n");
    let alone = sv(&sandbox, &["check", "supervisord.conf"]);
    assert!(alone.code == Some(2) && alone.stdout.contains("there is no group called 'main'"), "{alone:?}");
    let words = ["check", "supervisord.conf", "--image=no", "--"];
    let beside = |command: &[&str]| sv(&sandbox, &[&words, command].concat());
    assert_reported(&beside(&["/bin/cat", "-"]), 0, &["no errors, 1 process in 1 group"]);
    assert_reported(
        &beside(&["/bin/no-such-thing"]),
        0,
        &[
            "here: can't find command '/bin/no-such-thing' of [program:main]",
            "no errors, 1 note about this machine, 1 process in 1 group",
        ],
    );
    let shown = sv(&sandbox, &["config", "--changed", "supervisord.conf", "--", "/bin/cat", "100%"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let main = shown.stdout.split_once("[program:main]\n").unwrap().1;
    assert!(main.starts_with("command=/bin/cat 100%%") && main.contains("; --\n"), "{main}");
}

#[test]
fn files_that_can_not_be_made_are_reported() {
    let text = "[supervisord]\nlogfile=NAME\n[program:a]\ncommand=/bin/cat\nstdout_logfile=%(here)s\n\
        [unix_http_server]\nfile=%(here)s/nodir/s.sock\n";
    let reported = checked(&text.replace("NAME", "%(here)s"), &[]);
    let warned = |what: &str| reported.stdout.lines().filter(|line| line.contains(what)).count();
    // Of a folder that is missing the image may know more.
    assert_eq!((reported.code, warned("here: cannot make file '")), (Some(1), 1), "{reported:?}");
    assert_eq!(warned("' of [supervisord] is a directory"), 1, "{reported:?}");
    assert_eq!(warned("' of [program:a] is a directory"), 1, "{reported:?}");
    assert_eq!(warned("' of [unix_http_server] in '"), 1, "{reported:?}");
}

#[test]
fn all_errors_are_reported_at_once_and_before_the_warnings() {
    let text = "[supervisord]\nloglevel=debgu\nidentifier=%(ENV_SV_NO_SUCH)s\nfoo=1\n[program:web]\n\
        command=/bin/cat\nautostart=ture  ; on\nstopsignal=SIGTRM\n[group:g]\nprograms=web,\n   wbe\n\
        [inet_http_server]\n";
    let reported = checked(text, &[]);
    let expected = [
        "supervisord.conf:2: error: bad logging level name 'debgu' (in [supervisord]), did you mean 'debug'?",
        "    2 | loglevel=debgu",
        "      |          ^^^^^",
        "supervisord.conf:7: error: not a valid boolean value: 'ture' (in [program:web]), did you mean 'true'?",
        "    7 | autostart=ture  ; on",
        "      |           ^^^^",
        "supervisord.conf:8: error: value 'SIGTRM' is not a valid signal name (in [program:web]), did you mean 'TERM'?",
        "    8 | stopsignal=SIGTRM",
        "      |            ^^^^^^",
        "supervisord.conf:11: error: [group:g] names unknown program or fcgi-program wbe, did you mean 'web'?",
        "   11 |    wbe",
        "      |    ^^^",
        "supervisord.conf:12: error: section [inet_http_server] has no port value",
        "   12 | [inet_http_server]",
        "      | ^^^^^^^^^^^^^^^^^^",
        "supervisord.conf:3: warning: the environment variable SV_NO_SUCH is not set here: set it where this is to \
         run, or write what to take instead: %(ENV_SV_NO_SUCH:-...)s (in [supervisord])",
        "    3 | identifier=%(ENV_SV_NO_SUCH)s",
        "      |            ^^^^^^^^^^^^^^^^^",
        "supervisord.conf:4: warning: unknown option 'foo' in [supervisord]",
        "    4 | foo=1",
        "      | ^^^",
        "5 errors, 2 warnings",
    ];
    let lines: Vec<_> = reported.stdout.lines().collect();
    assert_eq!((reported.code, lines), (Some(2), expected.to_vec()));
}

#[test]
fn lines_that_can_not_be_parsed_are_reported_one_by_one() {
    assert_reported(
        &checked("[supervisord]\nfoo\n\u{feff}\tüb \x1b[2J\n", &[]),
        2,
        &[
            "supervisord.conf:2: error: this is neither a [section] nor an option (key=value)",
            "    2 | foo",
            "      | ^^^",
            "supervisord.conf:3: error: this is neither a [section] nor an option (key=value)",
            "    3 | \u{feff}    üb \u{fffd}[2J",
            "      | ^^^^^^^^^^^",
            "2 errors",
        ],
    );
    assert_reported(
        &checked("foo=1\n", &[]),
        2,
        &[
            "supervisord.conf:1: error: an option stands before the first [section]",
            "    1 | foo=1",
            "      | ^^^^^",
            "1 error",
        ],
    );
    let sandbox = Sandbox::new("");
    let missing = sv(&sandbox, &["check", "nope.conf"]);
    let remedy = "check the path, or let `sv init` write a first configuration";
    let expected = format!("error: could not find config file nope.conf: {remedy}");
    assert_reported(&missing, 2, &[&expected, "1 error"]);
    let empty = sv(&sandbox, &["check"]);
    assert!(empty.stdout.contains(".ini file does not include supervisord section"), "{empty:?}");
}

#[test]
fn variables_are_shown_as_lines() {
    let sandbox = Sandbox::new(GOOD)
        .env("SV_PROGRAM_B_NUMPROCS", "x")
        .env("SV_PROGRAM_B_NUMPROX", "geheim")
        .env("SV_UNIX_HTTP_SERVER_FILE", "/tmp/s")
        .env("SV_UNIX_HTTP_SERVER_PASSWORD", "geheim");
    let reported = sv(&sandbox, &["check", "supervisord.conf"]);
    for expected in [
        "SV_PROGRAM_B_NUMPROCS: error: not a valid integer: 'x' (in [program:b])\n      | SV_PROGRAM_B_NUMPROCS=x\n      |                       ^\n",
        "warning: environment variable SV_PROGRAM_B_NUMPROX sets nothing: it names no option, \
         did you mean 'SV_PROGRAM_B_NUMPROCS'?\n      | SV_PROGRAM_B_NUMPROX\n",
        "incomplete authentication",
    ] {
        assert!(reported.stdout.contains(expected), "{expected}: {}", reported.stdout);
    }
    assert!(!reported.stdout.contains("geheim"), "{}", reported.stdout);
}

#[test]
fn likely_mistakes_are_reported() {
    let head = "[supervisord]\n[program:x]\n";
    for (lines, expected) in [
        ("command=/bin/cat | /bin/cat", "passes '|' to its program"),
        ("command=/bin/echo $HOME", "did you mean '%(ENV_HOME)s'?"),
        ("command=/bin/cat\nstopwaitsecs=11", "more than the 10 seconds"),
        ("command=/bin/cat\nenvironment=A=1,A=2", "sets 'A' twice"),
        ("command=/bin/cat\nstdout_logfile=/tmp/l\nstderr_logfile=/tmp/l", "set redirect_stderr=true"),
        ("command=/bin/cat\n[inet_http_server]\nport=*:9001", "whoever reaches *:9001 can run programs"),
        (
            "command=/bin/cat\nstdout_logfile=/tmp/l\n[program:y]\ncommand=/bin/cat\nstdout_logfile=/tmp/l",
            "[program:y] writes '/tmp/l', as [program:x] does",
        ),
    ] {
        let reported = checked(&format!("{head}{lines}\n"), &["--grace", "10"]);
        assert_eq!(reported.code, Some(1), "{lines}: {reported:?}");
        assert!(reported.stdout.contains(expected), "{expected}: {}", reported.stdout);
        assert!(reported.stdout.contains("no errors, 1 warning, "), "{}", reported.stdout);
    }
    let with_timeout = checked(&format!("{head}command=/bin/cat\nstopwaitsecs=30\n"), &["--grace", "30"]);
    assert_eq!(with_timeout.code, Some(0), "{with_timeout:?}");
}

/// Of these the version is in the path, and PostgreSQL's user may not be there.
fn stand_in_for_versions(sandbox: Sandbox) -> Sandbox {
    let bin = sandbox.path("pg");
    std::fs::create_dir(&bin).unwrap();
    for name in ["postgres", "initdb", "psql"] {
        std::os::unix::fs::symlink("/bin/true", bin.join(name)).unwrap();
    }
    sandbox.env("PG_BIN", &bin.display().to_string()).env("DB_USER", "root").env("PHP_FPM", "/bin/true")
}

/// Each is an error with its place: nothing starts with them.
#[test]
fn dependencies_that_can_not_hold_are_errors_with_their_places() {
    let text = "[supervisord]\n[program:a]\ncommand=/bin/cat\ndepends_on=b\n[program:b]\ncommand=/bin/cat\n\
        restart_with=c, job=ready\n[program:c]\ncommand=/bin/cat\ndepends_on=\n  a,\n  jbo\n\
        [program:job]\ntype=oneshot\ncommand=/bin/cat\n[program:web]\ncommand=/bin/cat\n\
        ready=https://localhost/x\ndepends_on=a=healthy, b=done\n[program-default]\nautorestart=true\n";
    assert_reported(
        &checked(text, &[]),
        2,
        &[
            "supervisord.conf:4: error: programs wait for each other: a (supervisord.conf:4) -> b (supervisord.conf:7) -> c \
             (supervisord.conf:10) -> a (in [program:a])",
            "    4 | depends_on=b",
            "      |            ^",
            "supervisord.conf:7: error: job is a oneshot, which is done and never ready (in [program:b])",
            "    7 | restart_with=c, job=ready",
            "      |                 ^^^",
            "supervisord.conf:12: error: there is no program jbo (in [program:c]), did you mean 'job'?",
            "   12 |   jbo",
            "      |   ^^^",
            "supervisord.conf:18: error: not a valid check: 'https://localhost/x': https can never be checked: sv has no \
             TLS; check a port with tcp:, or run a client with exec: (in [program:web]), did you mean 'http://localhost/x'?",
            "   18 | ready=https://localhost/x",
            "      |       ^^^^^^^^^^^^^^^^^^^",
            "supervisord.conf:19: error: a has no health check, so it is never healthy (in [program:web])",
            "   19 | depends_on=a=healthy, b=done",
            "      |            ^",
            "supervisord.conf:19: error: b is restarted whenever it exits, so it is never done (in [program:web])",
            "   19 | depends_on=a=healthy, b=done",
            "      |                       ^",
            "6 errors",
        ],
    );
}

/// Dependencies that may not mean what was intended, and the effect of a restart policy and a schedule.
#[test]
fn the_effects_of_dependencies_and_schedules_are_reported() {
    let text = "[supervisord]\n[program:web]\ncommand=/bin/cat\npriority=1\ndepends_on=db\nstopwaitsecs=6\n\
        [program:db]\ncommand=/bin/cat\nstopwaitsecs=5\nrestart_delay=1\nrestart_delay_max=4\n\
        restart_limit=3/60\n[program:report]\ncommand=/bin/true\nschedule=30 2 29 2 *\nschedule_timezone=UTC\n";
    let reported = checked(text, &["--grace", "10"]);
    let lines: Vec<_> = reported.stdout.lines().collect();
    let expected = [
        "supervisord.conf:4: warning: priority=1 of [program:web] has no effect: web depends on db, whose priority is 999, \
         so it starts after db and stops before it",
        "    4 | priority=1",
        "      |          ^",
        "supervisord.conf:9: warning: web, db stop one after the other, as one depends on the next, which may take 6 + 5 = \
         11 seconds: more than the 10 that a container is given to stop (--grace) (in [program:db])",
        "    9 | stopwaitsecs=5",
        "      |              ^",
        "supervisord.conf:10: note: [program:db] restarts after 1, 2, 4 seconds, each up to 10% more or less; gives up after \
         3 ends in 60 seconds",
        "   10 | restart_delay=1",
        "      |               ^",
    ];
    assert_eq!(lines[..expected.len()], expected, "{}", reported.stdout);
    let [runs, line, _, summary] = lines[expected.len()..] else { panic!("{}", reported.stdout) };
    // A leap day is one in four years: the three are known apart from the year.
    let runs =
        runs.strip_prefix("supervisord.conf:15: note: [program:report] next runs: ").expect("the runs");
    let runs: Vec<_> = runs.split(", ").map(|run| run.split_once('-').unwrap()).collect();
    let years: Vec<u32> = runs.iter().map(|(year, _)| year.parse().unwrap()).collect();
    assert!(runs.iter().all(|(_, rest)| *rest == "02-29 02:30:00 UTC"), "{runs:?}");
    assert_eq!(years.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>(), [4, 4], "{runs:?}");
    assert_eq!(line, "   15 | schedule=30 2 29 2 *");
    assert_eq!((reported.code, summary), (Some(1), "no errors, 2 warnings, 3 processes in 3 groups"));
}

#[test]
fn examples_and_the_sample_are_clean() {
    let sandbox = Sandbox::new("");
    let sample = sv(&sandbox, &["sample"]).stdout;
    assert_eq!(checked(&sample, &[]).code, Some(0), "{:?}", checked(&sample, &[]));
    // The listener has a program whose command is not there.
    let examples: [(&str, &[&str]); 13] = [
        ("quickstart", &[]),
        ("job", &[]),
        ("schedules", &[]),
        ("noisy-neighbour", &[]),
        ("monitoring", &["/usr/bin/python3"]),
        ("nginx-redis", &["/usr/sbin/nginx", "/usr/bin/redis-server"]),
        ("nginx-php", &["/usr/sbin/nginx", "/usr/bin/php-cgi"]),
        ("nginx-php-fpm", &["/usr/sbin/nginx", "/usr/bin/php"]),
        ("node-nginx", &["/usr/sbin/nginx", "/usr/bin/node"]),
        ("php-worker", &["/usr/bin/redis-server", "/usr/bin/php"]),
        ("sshd", &["/usr/sbin/sshd"]),
        ("celery", &["/usr/bin/redis-server", "/usr/bin/celery", "/usr/bin/gunicorn"]),
        ("web-postgres", &["/usr/bin/gunicorn"]),
    ];
    for (name, programs) in examples {
        if !programs.iter().all(|path| have(path, Path::new(path).exists())) {
            continue;
        }
        let sandbox = Sandbox::from_example(name);
        let sandbox = stand_in_for_versions(sandbox);
        std::fs::create_dir_all(sandbox.path("run")).unwrap();
        let grace = if name == "celery" { "30" } else { "10" };
        for file in ["supervisord.conf", "supervisord.toml"] {
            let reported = sv(&sandbox, &["check", "--strict", "--grace", grace, file]);
            assert_eq!(reported.code, Some(0), "{name}: {reported:?}");
        }
    }
}

#[test]
fn findings_are_reported_to_machines() {
    let reported =
        checked("[supervisord]\n[program:é]\ncommand=/bin/cat é\nautostart= é ture\nfoo=1\n", &["--json"]);
    let report = json(&reported.stdout);
    assert_eq!((reported.code, &report["exit"]), (Some(2), &Value::from(2)));
    assert_eq!((&report["errors"], &report["warnings"]), (&Value::from(1), &Value::from(1)));
    assert_eq!((&report["processes"], &report["groups"]), (&Value::Null, &Value::Null));
    let error = &report["findings"][0];
    for (member, expected) in [
        ("severity", "error"),
        ("message", "not a valid boolean value: 'é ture'"),
        ("file", "supervisord.conf"),
        ("section", "program:é"),
        ("option", "autostart"),
        ("value", "é ture"),
    ] {
        assert_eq!(error[member], expected, "{error}");
    }
    assert_eq!((&error["line"], &error["column"]), (&Value::from(4), &Value::from(12)));
    assert_eq!(error["variable"], Value::Null);
    assert_eq!(report["findings"][1]["line"], 5);
    let clean = json(&checked(GOOD, &["--json"]).stdout);
    assert_eq!((&clean["processes"], &clean["groups"], &clean["exit"]), (&3.into(), &2.into(), &0.into()));
    assert_eq!(json(&checked("x", &["--json"]).stdout)["findings"][0]["line"], 1);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let text = "[supervisord]\nloglevel=x\n";
    assert!(!checked(text, &[]).stdout.contains('\x1b'));
    if !have("script", Path::new("/usr/bin/script").exists()) {
        return;
    }
    let sandbox = Sandbox::new(text);
    let on_terminal = |no_color: &str| {
        let line = format!("{} check supervisord.conf", sandbox.path("bin/sv").display());
        sandbox.program("sv"); // Makes the link.
        let mut script = sandbox.marked(Command::new("/usr/bin/script"));
        reported(script.args(["-qec", &line, "/dev/null"]).env("NO_COLOR", no_color).env("TERM", "xterm"))
            .stdout
    };
    assert!(on_terminal("").contains("\x1b[1;31merror:\x1b[0m"), "{:?}", on_terminal(""));
    assert!(!on_terminal("1").contains('\x1b'), "{:?}", on_terminal("1"));
}

const ALL_ORIGINS: &str = "[supervisord]\nidentifier=%(ENV_SV_TEST_NAME)s\n[program-default]\nstartsecs=3\n\
    [program:web]\ncommand=/bin/cat\n  -n %(process_num)d\nnumprocs=1\n";

#[test]
fn values_are_shown_with_their_origins() {
    let sandbox = Sandbox::new(ALL_ORIGINS).env("SV_PROGRAM_WEB_PRIORITY", "7").env("SV_TEST_NAME", "me");
    let reported = sv(&sandbox, &["config", "supervisord.conf", "-e", "debug", "--strict"]);
    assert_eq!(reported.code, Some(0), "{reported:?}");
    let squeezed: Vec<_> = reported.stdout.lines().map(|line| line.replace("  ", "")).collect();
    for expected in [
        "loglevel=debug; --loglevel",
        "strict=true ; --strict",
        "identifier=%(ENV_SV_TEST_NAME)s; supervisord.conf:2",
        "priority=7 ; SV_PROGRAM_WEB_PRIORITY",
        "startsecs=3; [program-default] supervisord.conf:4",
        "command=/bin/cat; supervisord.conf:6",
        "-n %(process_num)d",
        ";stopsignal=TERM ; default",
        ";directory=; not set",
    ] {
        let same = |line: &String| line.replace(' ', "") == expected.replace(' ', "");
        assert!(squeezed.iter().any(same), "{expected}: {}", reported.stdout);
    }
    let expanded = sv(&sandbox, &["config", "supervisord.conf", "--expand", "--changed"]).stdout;
    assert!(expanded.contains("identifier=me ") && expanded.contains("-n %(process_num)d"), "{expanded}");
    assert!(!expanded.contains("default\n"), "{expanded}");
}

#[test]
fn values_are_reported_to_machines() {
    let sandbox = Sandbox::new(ALL_ORIGINS).env("SV_PROGRAM_WEB_PRIORITY", "7");
    let sandbox = sandbox.env("SV_TEST_NAME", "me");
    let sections = json(&sv(&sandbox, &["config", "--json", "-c", "supervisord.conf", "-e", "debug"]).stdout);
    let origin = |section: &str, option: &str| sections["sections"][section][option]["origin"].clone();
    for (section, option, kind, member, value) in [
        ("supervisord", "identifier", "file", "line", Value::from(2)),
        ("supervisord", "loglevel", "flag", "flag", "--loglevel".into()),
        ("supervisord", "minfds", "default", "file", Value::Null),
        ("program:web", "priority", "variable", "variable", "SV_PROGRAM_WEB_PRIORITY".into()),
        ("program:web", "startsecs", "file", "section", "program-default".into()),
    ] {
        let origin = origin(section, option);
        assert_eq!((&origin["kind"], &origin[member]), (&kind.into(), &value), "{option}");
    }
    assert_eq!(sections["sections"]["program:web"]["umask"]["value"], Value::Null);
    assert_eq!(sections["sections"]["program:web"]["priority"]["value"], "7");
}

/// What is shown is a configuration, and it means the same.
#[test]
fn shown_values_read_as_the_same_configuration() {
    let text = "[supervisord]\nenvironment=A=\"1 %%\"\n[program:web]\ncommand=/bin/cat\n  -n\n\n  -e\n\
        environment=B=\"x\",\n  C=\"y\"\nnumprocs=2\nprocess_name=%(process_num)d\n[group:g]\nprograms=web\n\
        [rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n";
    let sandbox = Sandbox::new(text);
    let first = sv(&sandbox, &["config", "supervisord.conf"]).stdout;
    sandbox.write("again.conf", &first);
    assert_eq!(sv(&sandbox, &["check", "again.conf"]).code, Some(0));
    assert_eq!(all_values(&sandbox, "again.conf"), all_values(&sandbox, "supervisord.conf"));
}

#[test]
fn secrets_never_show() {
    let text = "[supervisord]\n[unix_http_server]\nfile=/tmp/s\nusername=u\npassword={SHA}82ab876d1387bfafe46cc1c8a2ef074eae50cb1d\n\
        [inet_http_server]\nport=127.0.0.1:1\nusername=u\npassword=geheim1\n[program:x]\ncommand=/bin/cat\n\
        [supervisorctl]\npassword=geheim2\n";
    let sandbox = Sandbox::new(text)
        .env("SV_INET_HTTP_SERVER_B_PORT", "127.0.0.1:2")
        .env("SV_INET_HTTP_SERVER_B_USERNAME", "u")
        .env("SV_INET_HTTP_SERVER_B_PASSWORD", "geheim3")
        .env("SV_PROGRAM_X_ENVIRONMENT_FILE", "secret");
    sandbox.write("secret", "A=\"geheim4\"\n");
    for words in
        [&["config"][..], &["config", "--json"], &["config", "--expand"], &["check"], &["check", "--json"]]
    {
        let reported = sv(&sandbox, words);
        assert_eq!(reported.code, Some(0), "{reported:?}");
        for secret in ["geheim", "82ab"] {
            assert!(!reported.stdout.contains(secret), "{words:?}: {}", reported.stdout);
        }
    }
    sandbox.write("secret", "A=geheim4 \"x");
    sandbox.write(
        "supervisord.conf",
        "[supervisord]\n[inet_http_server]\nport=1\npasswrod=geheim5\npassword={SHA}geheim6\nusername=u\n\
         [program:x]\ncommand=/bin/cat\n[program:y]\ncommand=/bin/cat\nenvironment=DB_PASSWORD=\"geheim7\n",
    );
    for words in [&["check"][..], &["check", "--json"], &["config"]] {
        let reported = sv(&sandbox, words);
        assert_eq!(reported.code, Some(2), "{reported:?}");
        assert!(!format!("{reported:?}").contains("geheim"), "{words:?}: {reported:?}");
    }
}

#[test]
fn errors_are_reported_instead_of_values() {
    let sandbox = Sandbox::new("[supervisord]\nminfds=few\n");
    let reported = sv(&sandbox, &["config", "supervisord.conf"]);
    assert_eq!((reported.code, reported.stdout.as_str()), (Some(2), ""));
    assert!(
        reported.stderr.starts_with("supervisord.conf:2: error: not a valid integer: 'few'"),
        "{reported:?}"
    );
    let flag = sv(&sandbox, &["config", "supervisord.conf", "-a", "9", "-e", "loud"]);
    assert!(flag.stderr.contains("error: invalid value for --loglevel 'loud'"), "{flag:?}");
}

#[test]
fn strict_is_a_flag_of_run_too() {
    let sandbox = Sandbox::new("[supervisord]\nfoo=1\n");
    let reported = sv(&sandbox, &["run", "--strict", "-c", "supervisord.conf"]);
    assert_eq!(reported.code, Some(2), "{reported:?}");
    assert!(reported.stderr.contains("Error: unknown option 'foo' in section 'supervisord'"), "{reported:?}");
}

/// What a machine lacks that the configuration is not for is not an error of the configuration.
#[test]
fn items_missing_on_this_machine_are_notes_and_in_the_image_errors() {
    let head = "[supervisord]\n[program:x]\n";
    for (lines, message, in_the_image) in [
        ("command=/no/such -x", "can't find command '/no/such' of [program:x]", ""),
        ("command=/etc/passwd", "command at '/etc/passwd' is not executable of [program:x]", ""),
        (
            "command=/bin/cat\nuser=no-such-user",
            "user 'no-such-user' does not exist (in [program:x])",
            "Invalid user name no-such-user (in [program:x])",
        ),
        ("command=/bin/cat\ndirectory=/no/such", "directory '/no/such' of [program:x] does not exist", ""),
        (
            "command=/bin/cat\nstdout_logfile=/no/such/x.log",
            "the folder of '/no/such/x.log' does not exist (in [program:x])",
            "The directory named as part of the path /no/such/x.log does not exist (in [program:x])",
        ),
    ] {
        // A likely mistake in addition to it is still reported.
        let text = format!("{head}{lines}\nautorestrat=1\n");
        let reported = checked(&text, &[]);
        assert_eq!(reported.code, Some(1), "{lines}: {reported:?}");
        assert!(reported.stdout.contains(&format!(": here: {message}\n")), "{message}: {}", reported.stdout);
        assert!(reported.stdout.contains("unknown option 'autorestrat'"), "{}", reported.stdout);
        let summary = "no errors, 1 warning, 1 note about this machine, 1 process in 1 group\n";
        assert!(reported.stdout.ends_with(summary), "{}", reported.stdout);
        // PID 1 makes folders, but not with `strict`.
        let is_made = lines.contains("_logfile=");
        if is_made {
            let reported = checked(&text, &["--image"]);
            assert_eq!(reported.code, Some(1), "{lines}: {reported:?}");
            let note = "the folder of '/no/such/x.log' does not exist; as PID 1 sv makes it";
            assert!(reported.stdout.contains(&format!(": here: {note}")), "{}", reported.stdout);
        }
        let reported = checked(&text, if is_made { &["--image", "--strict"] } else { &["--image"] });
        let message = if in_the_image.is_empty() { message } else { in_the_image };
        assert_eq!(reported.code, Some(2), "{lines}: {reported:?}");
        assert!(reported.stdout.contains(&format!(": error: {message}\n")), "{message}: {}", reported.stdout);
    }
    let report = json(&checked(&format!("{head}command=/no/such\n"), &["--json"]).stdout);
    assert_eq!((&report["findings"][0]["severity"], &report["notes"]), (&"here".into(), &1.into()));
}

#[test]
fn an_unset_variable_is_a_warning_and_the_rest_is_checked() {
    let text = "[supervisord]\nloglevel=%(ENV_SV_TEST_LEVEL)s\n[program:x]\ncommand=/bin/cat %(ENV_SV_TEST_A)s\n\
        numprocs=%(ENV_SV_TEST_N:-2)s\nprocess_name=%(process_num)d\nuser=no-such-user\n[program:y]\n\
        command=/bin/cat %(ENV_SV_TEST_B:?say which)s | cat\n";
    let reported = checked(text, &[]);
    assert_eq!(reported.code, Some(1), "{reported:?}");
    for line in [
        "supervisord.conf:2: warning: the environment variable SV_TEST_LEVEL is not set here: set it where this is \
         to run, or write what to take instead: %(ENV_SV_TEST_LEVEL:-...)s (in [supervisord])",
        "supervisord.conf:4: warning: the environment variable SV_TEST_A is not set here: ",
        "supervisord.conf:9: warning: the environment variable SV_TEST_B is not set here: ",
        "supervisord.conf:9: warning: command of [program:y] passes '|' to its program",
        "supervisord.conf:7: here: user 'no-such-user' does not exist",
        "no errors, 4 warnings, 1 note about this machine, 3 processes in 2 groups",
    ] {
        assert!(reported.stdout.lines().any(|it| it.starts_with(line)), "{line}: {}", reported.stdout);
    }
    assert_eq!(checked(text, &["--image"]).code, Some(2));
}

#[test]
fn a_part_of_a_configuration_is_checked_as_such() {
    let part = "[program:x]\ncommand=/bin/cat | cat\n[group:g]\nprograms=x,of-another-file\n";
    let reported = checked(part, &[]);
    assert_eq!(reported.code, Some(1), "{reported:?}");
    let lines: Vec<_> = reported.stdout.lines().filter(|line| line.starts_with("supervisord.conf")).collect();
    assert_eq!(
        lines,
        [
            "supervisord.conf:2: warning: command of [program:x] passes '|' to its program: there is no shell, put \
             one in front: sh -c '...'",
            "supervisord.conf: note: this is a part of a configuration: it has no [supervisord], and all else is \
             checked",
        ]
    );
    assert_eq!(checked("[program:x]\ncommand=/bin/cat\n", &[]).code, Some(0));
    assert_eq!(checked("[program:x]\ncommand=/bin/cat\nautostart=maybe\n", &[]).code, Some(2));
    // Without a program it is not a part of a configuration, and is not run either.
    assert_eq!(checked("[supervisorctl]\n", &[]).code, Some(2));
    let sandbox = Sandbox::new(part);
    assert_eq!(sv(&sandbox, &["run", "-c", "supervisord.conf"]).code, Some(2));
    let shown = sv(&sandbox, &["config", "--changed", "supervisord.conf"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.starts_with("; The file is a part of a configuration: it has no [supervisord].\n"));
    assert!(shown.stdout.contains("[supervisord]\n"), "{}", shown.stdout);
}

#[test]
fn stop_timeouts_are_checked_against_a_short_grace_period() {
    let text = "[supervisord]\n[program:x]\ncommand=/bin/cat\nstopwaitsecs=600\n";
    let warned = |words: &[&str]| {
        let sandbox = Sandbox::new(text);
        let mut command = sandbox.program("sv");
        command.args(["check", "supervisord.conf"]).args(words);
        command.env_remove("container").env_remove("KUBERNETES_SERVICE_HOST");
        reported(&mut command).stdout.contains("more than the 10 seconds that a container is given")
    };
    let is_container = ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists());
    assert_eq!(warned(&["--image=no"]), is_container);
    assert!(warned(&["--image=no", "--grace", "10"]) && warned(&["--image"]));
}

/// The settings of a configuration, as JSON without where they come from.
fn all_values(sandbox: &Sandbox, file: &str) -> Vec<(String, Value)> {
    let reported = sv(sandbox, &["config", "--json", "--expand", file]);
    let reported = json(&reported.stdout);
    let Value::Object(sections) = &reported["sections"] else { panic!("{reported}") };
    let options = sections.iter().flat_map(|(section, options)| {
        let options = options.as_object().unwrap().iter();
        options.map(move |(name, option)| (format!("{section}.{name}"), option["value"].clone()))
    });
    options.collect()
}

/// Whatever is shown can be run, and means the same.
#[test]
fn shown_values_are_a_valid_configuration() {
    let toml = "[program.x]\ncommand = \"sh -c 'echo a ; exec cat # b'\"\nenvironment = { A = \" b ; c \", D = \"1\\t2\" }\n\
        [supervisord]\nenvironment = { P = \" spaced \" }\n";
    for (name, text) in [
        ("empty", "[supervisord]\n".to_owned()),
        ("program", "[supervisord]\n[program:x]\ncommand=/bin/cat %% \\\n  -n\n".to_owned()),
        (
            "secrets",
            "[supervisord]\n[unix_http_server]\nfile=%(here)s/s\nusername=u\npassword=secret\n\
             [inet_http_server:my-x]\nport=127.0.0.1:1\nusername=u\npassword=geheim\n[supervisorctl]\npassword=x\n"
                .to_owned(),
        ),
        ("toml", toml.to_owned()),
        ("fragment", "[program:x]\ncommand=/bin/cat\n".to_owned()),
    ] {
        let sandbox = Sandbox::new("")
            .env("SV_UNIX_HTTP_SERVER_PASSWORD", "secret")
            .env("SV_INET_HTTP_SERVER_MY_X_PASSWORD", "geheim")
            .env("SV_SUPERVISORCTL_PASSWORD", "x");
        let file = if name == "toml" { "a.toml" } else { "a.conf" };
        sandbox.write(file, &text);
        for changed in [&[][..], &["--changed"]] {
            let shown = sv(&sandbox, &[&["config", file], changed].concat());
            assert_eq!(shown.code, Some(0), "{name}: {shown:?}");
            sandbox.write("again.conf", &shown.stdout);
            let checked = sv(&sandbox, &["check", "--image=no", "again.conf"]);
            assert!(checked.code.is_some_and(|code| code < 2), "{name}: {checked:?}\n{}", shown.stdout);
            if changed.is_empty() {
                assert_eq!(all_values(&sandbox, "again.conf"), all_values(&sandbox, file), "{name}");
            }
        }
    }
    // The folder of an included file is another one.
    let sandbox = Sandbox::new("[supervisord]\n[include]\nfiles=d/*.ini\n[group:empty]\nprograms=\n");
    std::fs::create_dir(sandbox.path("d")).unwrap();
    sandbox.write("d/x.ini", "[program:x]\ncommand=%(here)s/run\n");
    for words in [&["config", "supervisord.conf"][..], &["config", "supervisord.conf", "--changed"]] {
        sandbox.write("again.conf", &sv(&sandbox, words).stdout);
        let mut values = all_values(&sandbox, "supervisord.conf");
        values.retain(|(name, _)| !name.starts_with("include."));
        assert_eq!(all_values(&sandbox, "again.conf"), values);
    }
    // Without its variable the password is asked for, and the server does not open without one.
    let sandbox =
        Sandbox::new("[supervisord]\n[unix_http_server]\nfile=%(here)s/s\nusername=u\npassword=x\n");
    sandbox.write("again.conf", &sv(&sandbox, &["config", "--changed", "supervisord.conf"]).stdout);
    let run = sv(&sandbox, &["run", "-c", "again.conf"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("needs the variable SV_UNIX_HTTP_SERVER_PASSWORD: password of "), "{run:?}");
}

/// Mistakes of public configurations, and what is reported about them.
#[test]
fn common_slips_are_explained() {
    let program = |lines: &str| format!("[supervisord]\n[program:x]\ncommand=/bin/cat\n{lines}\n");
    for (text, expected) in [
        (program("user='root'"), "Invalid user name 'root' (in [program:x]), did you mean 'root'?"),
        (program("stdout_logfile=\"/dev/stdout\""), "did you mean '/dev/stdout'?"),
        (program("environment=A=\"1\" B=\"2\""), "did you mean 'A=...,B=...'?"),
        (program("environment=P=\"$PATH:/x\""), "did you mean '%(ENV_PATH)s'?"),
        (program("environment=FORMAT=\"%(asctime)s\""), "did you mean '%%(asctime)'?"),
        (program("dependent_startup=true"), "it needs the listener supervisord_dependent_startup"),
        (program("on_exit=shutdown"), "set on_fatal=shutdown too"),
        (
            "[supervisord]\ncommand=/bin/cat\n".to_owned(),
            "unknown option 'command' in [supervisord]: it is an option of [program:x]",
        ),
        (
            "[supervisord]\n[include]\nfiles=a.conf,b.conf\n".to_owned(),
            "a.conf,b.conf\": patterns are separated by spaces, not by commas",
        ),
        (
            "[supervisord]\n[program:x]\ncommand=bash -c \"sleep 1 ; exec cat\"\n".to_owned(),
            "ends before ' ;', which begins a comment after a space: what is left is 'bash -c \"sleep 1'",
        ),
        (
            "[supervisord]\n[program:x]\ncommand=sh -c 'true && cat'\n".to_owned(),
            "sh of [program:x] stays beside 'cat', and passes no signal on to it",
        ),
        ("[supervisord]\n[program:x]\ncommand=A=1 cat\n".to_owned(), "write environment=A=\"1\""),
        (
            "[supervisord]\n[program:x]\ncommand=/bin/cat \\\n  -n\n".to_owned(),
            "has a backslash at the end of a line",
        ),
        (
            "[supervisord]\n[program:x]\ncommand=service nginx start\n".to_owned(),
            "run \"nginx -g 'daemon off;'\" instead",
        ),
        (
            "[supervisord]\n[supervisorctl]\nserverurl=unix:///tmp/s\n".to_owned(),
            "names a server that is not there",
        ),
    ] {
        let reported = checked(&text, &[]);
        assert!(reported.stdout.contains(expected), "{text}: {}", reported.stdout);
        assert!(reported.code.is_some_and(|code| code > 0), "{text}: {reported:?}");
    }
}
