//! What the environment and files of variables make of a configuration, seen from outside: options that
//! `SV_` variables set, secrets that they name, stand-ins for variables that are missing, `env_file`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod support;

use std::fs;

use rustix::process::Signal;
use support::{HEAD, Sandbox};

/// Writes down the environment that it was given, and stays.
const TELLER: &str = "command=/bin/sh -c 'env > env.%(process_num)d; exec sleep 1000'\n\
    process_name=%(program_name)s_%(process_num)d\ndirectory=%(here)s\nstdout_logfile=NONE\n";

#[test]
fn variables_set_options_and_are_no_affair_of_the_children() {
    let programs = format!("[program:my-web]\n{TELLER}[program:off]\ncommand=/bin/cat\n");
    let mut sandbox = Sandbox::with_programs(&programs)
        .env("SV_SUPERVISORD_IDENTIFIER", "from-outside")
        .env("SV_PROGRAM_MY_WEB_NUMPROCS", "2")
        .env("SV_PROGRAM_OFF_ENABLED", "false")
        .env("SV_PROGRAM_ADDED_COMMAND", "/bin/cat")
        .env("OTHERS", "50%")
        .start();
    for name in ["my-web:my-web_0", "my-web:my-web_1", "added"] {
        sandbox.wait_state(name, "RUNNING");
    }
    assert!(!sandbox.ctl(&["status"]).stdout.contains("off"), "{}", sandbox.story());
    sandbox.wait_file("env.1", "OTHERS=50%");
    let environment = sandbox.file("env.1");
    assert!(!environment.contains("SV_PROGRAM") && !environment.contains("SV_SUPERVISORD"), "{environment}");
}

#[test]
fn a_variable_moves_the_server_and_the_client_follows() {
    let config = HEAD.replace("[supervisorctl]\nserverurl=unix://%(here)s/supervisor.sock\n", "");
    let sandbox = Sandbox::new(&config);
    let moved = sandbox.path("moved.sock");
    let sandbox = sandbox.env("SV_UNIX_HTTP_SERVER_FILE", moved.to_str().unwrap()).start();
    assert!(moved.exists() && !sandbox.path("supervisor.sock").exists());
    assert!(sandbox.ctl(&["pid"]).success);
}

#[test]
fn a_secret_from_a_file_works_and_shows_nowhere() {
    let mut sandbox = Sandbox::with_programs("[program:a]\ncommand=/bin/cat\n");
    sandbox.write("password", "geheim%1\n");
    let password = sandbox.path("password").to_str().unwrap().to_owned();
    sandbox = sandbox
        .env("SV_UNIX_HTTP_SERVER_USERNAME", "me")
        .env("SV_UNIX_HTTP_SERVER_PASSWORD_FILE", &password)
        .env("SV_SUPERVISORD_LOGLEVEL", "blather");
    sandbox.spawn();
    sandbox.wait_log("RUNNING state");
    let refused = sandbox.ctl(&["status"]);
    assert!(refused.stderr.contains("a user name and a password"), "{refused:?}");
    let asked = sandbox.ctl(&["-u", "me", "-p", "geheim%1", "status"]);
    assert!(asked.stdout.contains("RUNNING"), "{asked:?}");
    let reported = format!("{}{}", sandbox.log(), sandbox.terminal());
    assert!(!reported.contains("geheim"), "{reported}");
}

#[test]
fn a_bad_variable_is_reported_by_its_name() {
    let mut sandbox = Sandbox::with_programs("[program:a]\ncommand=/bin/cat\n")
        .env("SV_PROGRAM_A_NUMPROCS", "many")
        .env("SV_SUPERVISORD_LOGLEVEL", "loud");
    let output = sandbox.run_to_end();
    let reported = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{reported}");
    for part in [
        "not a valid integer: 'many' in section 'program:a' (variable: SV_PROGRAM_A_NUMPROCS, option: numprocs)",
        "bad logging level name 'loud' in section 'supervisord' (variable: SV_SUPERVISORD_LOGLEVEL, option: loglevel)",
    ] {
        assert!(reported.contains(part), "{part} in {reported}");
    }
}

#[test]
fn a_missing_variable_has_a_stand_in_or_a_message() {
    let programs = "[program:a]\ncommand=/bin/sh -c 'echo %(ENV_SV_NO:-8080)s > port; exec sleep 1000'\ndirectory=%(here)s\n";
    let mut sandbox = Sandbox::with_programs(programs).start();
    sandbox.wait_file("port", "8080\n");
    let mut needy = Sandbox::with_programs("[program:a]\ncommand=x %(ENV_SV_NO:?set it to the port)s\n");
    let output = needy.run_to_end();
    let reported = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{reported}");
    assert!(
        reported.contains("needs the variable SV_NO: set it to the port in section 'program:a'"),
        "{reported}"
    );
}

#[test]
fn variables_from_files_reach_the_children_and_follow_a_restart() {
    let programs = format!("[program:a]\n{TELLER}env_file=a.env\nenvironment=OWN=\"1\"\n");
    let config = HEAD.replace("[supervisord]\n", "[supervisord]\nenv_file=all.env,-none.env\n");
    let mut sandbox = Sandbox::new(&format!("{config}{programs}"));
    sandbox.write("all.env", "ALL=all\nBOTH=all\n");
    sandbox.write("a.env", "# of a\nexport BOTH='a b' # mine\nOWN=2\nPERCENT=100%\n");
    sandbox = sandbox.start();
    sandbox.wait_file("env.0", "PERCENT=100%\n");
    let environment = sandbox.file("env.0");
    for line in ["ALL=all\n", "BOTH=a b\n", "OWN=1\n"] {
        assert!(environment.contains(line), "{line} in {environment}");
    }
    sandbox.write("a.env", "PERCENT=50%\n");
    assert!(sandbox.ctl(&["reread"]).stdout.contains("a: changed"));
    fs::remove_file(sandbox.path("env.0")).unwrap();
    sandbox.signal(Signal::HUP);
    sandbox.wait("the new environment", |sandbox| {
        fs::read_to_string(sandbox.path("env.0"))
            .is_ok_and(|text| text.contains("PERCENT=50%\n"))
            .then_some(())
    });
    sandbox.write("a.env", "PERCENT=50%\nbroken\n");
    let refused = sandbox.ctl(&["reread"]);
    assert!(refused.stderr.contains("line 2: it is no NAME=value"), "{refused:?}");
}

#[test]
fn program_default_applies_to_programs_without_own_settings() {
    let sandbox = Sandbox::with_programs(
        "[program-default]\nautostart=false\nstopsignal=QUIT\n\
         [program:a]\ncommand=/bin/cat\n[program:b]\ncommand=/bin/cat\nautostart=true\n",
    );
    let mut sandbox = sandbox.env("SV_PROGRAM_DEFAULT_STARTSECS", "0").start();
    sandbox.wait_state("b", "RUNNING");
    assert_eq!(sandbox.state("a").as_deref(), Some("STOPPED"));
}

#[test]
fn strict_makes_errors_of_slips() {
    let programs = "[program:a]\ncommand=/bin/cat\nautorestrat=true\n";
    let mut lenient = Sandbox::with_programs(programs).start();
    lenient.wait_log("unknown option 'autorestrat' in [program:a]");
    lenient.wait_log("did you mean 'autorestart'?");
    let mut strict = Sandbox::with_programs(programs).env("SV_SUPERVISORD_STRICT", "true");
    let output = strict.run_to_end();
    let reported = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{reported}");
    let expected =
        "Error: unknown option 'autorestrat' (did you mean 'autorestart'?) in section 'program:a' (file: ";
    assert!(reported.contains(expected), "{reported}");
}
