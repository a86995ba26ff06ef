//! What is run around a program and on a schedule, with real commands.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::Sandbox;

#[test]
fn runtime_directories_are_made_before_each_start() {
    let mut sandbox = Sandbox::with_programs(
        "[program:web]\ncommand=sh -c 'touch %(here)s/run/web/pid; echo up >> %(here)s/out; sleep 1000'\n\
         runtime_directory=%(here)s/run/web,%(here)s/run/other\n\
         [program:bad]\ncommand=sleep 1000\nstartretries=0\nruntime_directory=/proc/none\n",
    )
    .start();
    sandbox.wait_file("out", "up\n");
    let mode = |name: &str| fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!([mode("run/web"), mode("run/other")], [0o755, 0o755]);
    sandbox.wait_state("bad", "FATAL");
    sandbox.wait_log("spawnerr: cannot make '/proc/none' (runtime_directory): No such file or directory");
    fs::remove_dir_all(sandbox.path("run")).unwrap();
    sandbox.ctl(&["restart", "web"]);
    sandbox.wait_file("out", "up\nup\n");
    assert!(sandbox.path("run/web/pid").exists());
}
