//! The folders of `examples/` do what their READMEs say: real programs, the real binary.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::fs::DirEntry;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

mod support;
use support::{Sandbox, descendants, free_port, free_ports, have};

#[test]
fn nginx_serves_a_page_and_redis_restarts_after_kill_9() {
    let installed = |path: &str| Path::new(path).exists();
    if !have("nginx", installed("/usr/sbin/nginx")) || !have("redis", installed("/usr/bin/redis-server")) {
        return;
    }
    let sandbox = Sandbox::from_example("nginx-redis");
    let port = free_port();
    sandbox.replace("nginx.conf", "127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    let mut sandbox = sandbox.start();
    sandbox.wait_state("nginx", "RUNNING");
    sandbox.wait_state("redis", "RUNNING");

    let page = sandbox.wait("nginx to serve its page", |_| fetch(port));
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("nginx at work"), "{page}");
    sandbox.wait_file("run/nginx-access.log", "\"GET / HTTP/1.1\" 200");
    assert_eq!(ask_redis(&sandbox).as_deref(), Some("+PONG\r\n"));

    let first = sandbox.pid("redis").unwrap();
    kill_process(first, Signal::KILL).unwrap();
    let second =
        sandbox.wait("redis to have another pid", |sandbox| sandbox.pid("redis").filter(|pid| *pid != first));
    sandbox
        .wait("redis to answer again", |sandbox| ask_redis(sandbox).filter(|answer| answer == "+PONG\r\n"));
    sandbox.wait_log("exited: redis (terminated by SIGKILL; not expected)");
    sandbox.wait_log(&format!("spawned: 'redis' with pid {second}"));
    assert!(fetch(port).is_some(), "nginx has to be untouched");

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    // nginx started last, so it stops first, and by its own signal: QUIT ends it with status 0.
    assert_in_order(&sandbox.log(), &["stopped: nginx (exit status 0)", "stopped: redis (exit status 0)"]);
    assert!(fetch(port).is_none(), "nothing may listen any more");
}

#[test]
fn nginx_gets_its_page_from_php_while_one_of_two_is_killed() {
    let installed = |path: &str| Path::new(path).exists();
    if !have("nginx", installed("/usr/sbin/nginx")) || !have("php-cgi", installed("/usr/bin/php-cgi")) {
        return;
    }
    let sandbox = Sandbox::from_example("nginx-php");
    let port = free_port();
    sandbox.replace("nginx.conf", "127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    let mut sandbox = sandbox.start();
    for name in ["php:php_0", "php:php_1", "nginx"] {
        sandbox.wait_state(name, "RUNNING");
    }
    for name in ["php_0", "php_1"] {
        sandbox.wait(&format!("{name} to make the page"), |sandbox| {
            let page = fetch(port)?;
            assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}\n{}", sandbox.file("run/nginx-error.log"));
            page.contains(&format!("PHP at work: {name}, pid")).then_some(())
        });
    }

    // More than once: on a busy machine a process may still accept a connection after it was sent SIGKILL, and
    // nginx has to ask again.
    let mut second = sandbox.pid("php:php_0").unwrap();
    for _ in 0..3 {
        let first = second;
        kill_process(first, Signal::KILL).unwrap();
        second = sandbox.wait("php_0 to have another pid, and a page at any time", |sandbox| {
            let page = fetch(port).unwrap_or_default();
            let errors = sandbox.file("run/nginx-error.log");
            assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}\n{errors}\n{}", sandbox.story());
            sandbox.pid("php:php_0").filter(|pid| *pid != first)
        });
    }
    sandbox.wait("the new one to make the page", |_| {
        fetch(port)?.contains(&format!("php_0, pid {}", second.as_raw_nonzero())).then_some(())
    });
    assert!(!sandbox.log().contains("Closing socket"), "{}", sandbox.log());

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    assert_in_order(&sandbox.log(), &["stopped: nginx (exit status 0)", "Closing socket unix://"]);
    assert!(!sandbox.path("run/php.sock").exists());
}

/// nginx is RUNNING only when a page can be had: the first request is answered.
#[test]
fn nginx_starts_when_php_fpm_reports_ready() {
    let Some(fpm) = found_in("/usr/sbin", "php-fpm") else {
        have("php-fpm", false);
        return;
    };
    let installed = |path: &str| Path::new(path).exists();
    if !have("nginx", installed("/usr/sbin/nginx")) || !have("php-cli", installed("/usr/bin/php")) {
        return;
    }
    let sandbox = Sandbox::from_example("nginx-php-fpm").env("PHP_FPM", &fpm.display().to_string());
    sandbox.replace("supervisord.conf", "*/5 * * * *", "@every 1s");
    let port = free_port();
    for file in ["nginx.conf", "supervisord.conf"] {
        sandbox.replace(file, "127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    }
    let mut sandbox = sandbox.start();
    sandbox.wait_state("nginx", "RUNNING");
    let page = fetch(port).unwrap_or_default();
    let errors = sandbox.file("run/nginx-error.log");
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}\n{errors}\n{}", sandbox.story());
    assert!(page.contains("PHP at work: fpm-fcgi, pid"), "{page}");
    assert_in_order(
        &sandbox.log(),
        &[
            "nginx: waiting for php-fpm (ready)",
            "spawned: 'php-fpm'",
            "success: php-fpm entered RUNNING",
            "spawned: 'nginx'",
            "success: nginx entered RUNNING",
        ],
    );
    // Its socket is made in a folder that a fresh machine lacks.
    assert!(sandbox.path("run/php/fpm.sock").exists());

    sandbox.wait_file("run/cleanup.log", "removed 0 files\n");
    std::fs::create_dir(sandbox.path("run/cache")).unwrap();
    let old = std::fs::File::create(sandbox.path("run/cache/old")).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(100_000)).unwrap();
    sandbox.wait_file("run/cleanup.log", "removed 1 files\n");

    // A worker that is killed is replaced by its master, and php-fpm itself stays.
    // Of a page in chunks.
    let worker = |page: &str| page.rsplit("pid ").next()?.split_whitespace().next()?.parse::<i32>().ok();
    let (master, killed) = (sandbox.pid("php-fpm").unwrap(), worker(&page).unwrap());
    kill_process(Pid::from_raw(killed).unwrap(), Signal::KILL).unwrap();
    sandbox.wait("a page by another worker", |_| {
        let page = fetch(port).filter(|page| page.starts_with("HTTP/1.1 200 OK"))?;
        worker(&page).filter(|pid| *pid != killed)
    });
    assert_eq!(sandbox.pid("php-fpm"), Some(master));

    for name in ["php-fpm", "nginx"] {
        assert_workers_end_with_their_master(&mut sandbox, name);
        sandbox.wait("a page again", |_| fetch(port).filter(|page| page.starts_with("HTTP/1.1 200 OK")));
    }

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    assert_in_order(&sandbox.log(), &["stopped: nginx (exit status 0)", "stopped: php-fpm (exit status 0)"]);
}

/// A sandbox of the example with PostgreSQL, and its port, if everything for it is there.
fn web_with_postgres() -> Option<(Sandbox, u16)> {
    let version = found_in("/usr/lib/postgresql", "");
    let bin = version.map(|version| version.join("bin")).filter(|bin| bin.join("postgres").exists());
    let has_client = Path::new("/usr/lib/python3/dist-packages/psycopg2").exists();
    let has_all = have("PostgreSQL", bin.is_some())
        && have("python3-psycopg2", has_client)
        && have("gunicorn", Path::new("/usr/bin/gunicorn").exists());
    let bin = bin.filter(|_| has_all)?;
    let mut sandbox = Sandbox::from_example("web-postgres").env("PG_BIN", &bin.display().to_string());
    if !rustix::process::geteuid().is_root() {
        let name = Command::new("id").arg("-un").output().unwrap().stdout;
        sandbox = sandbox.env("DB_USER", String::from_utf8_lossy(&name).trim());
    }
    let port = free_port();
    sandbox.replace("supervisord.conf", "127.0.0.1:8000", &format!("127.0.0.1:{port}"));
    Some((sandbox, port))
}

#[test]
fn a_page_and_a_worker_start_after_the_migration_of_their_database() {
    let Some((sandbox, port)) = web_with_postgres() else { return };
    let mut sandbox = sandbox.start();
    let added = |port| fetch_path(port, "/2/3").filter(|page| page.ends_with("\r\n\r\n5\n"));
    for name in ["worker", "web"] {
        sandbox.wait_state(name, "RUNNING");
    }
    assert!(added(port).is_some(), "{}", sandbox.story());
    let log = sandbox.log();
    for name in ["web", "worker"] {
        assert_in_order(
            &log,
            &[
                "spawned: 'cluster'",
                "exited: cluster (exit status 0; expected)",
                "spawned: 'db'",
                "success: db entered RUNNING",
                "spawned: 'migrate'",
                "exited: migrate (exit status 0; expected)",
                &format!("spawned: '{name}'"),
                &format!("success: {name} entered RUNNING"),
            ],
        );
    }

    let [page, first] = ["web", "worker"].map(|name| sandbox.pid(name).unwrap());
    assert_eq!(sandbox.ctl(&["restart", "db"]).stdout, "db: stopped\ndb: started\n");
    sandbox.wait("the worker to be another one", |sandbox| sandbox.pid("worker").filter(|pid| *pid != first));
    sandbox.wait("it to do a job", |_| added(port));
    assert_eq!(sandbox.pid("web"), Some(page), "only the worker is bound to the database");

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let log = sandbox.log();
    let (_, shutdown) = log.split_once("received SIGTERM").expect("the shutdown's line");
    for name in ["web", "worker"] {
        assert_in_order(shutdown, &[&format!("stopped: {name} "), "stopped: db (exit status 0)"]);
    }

    // The database is there, and its tables too.
    let mut sandbox = sandbox.start();
    sandbox.wait_state("web", "RUNNING");
    sandbox.wait("a job to be done by a worker of the second run", |_| added(port));
}

#[test]
fn a_migration_that_fails_keeps_the_page_down_until_it_succeeds() {
    let Some((sandbox, port)) = web_with_postgres() else { return };
    let good = sandbox.file("migration.sql");
    sandbox.write("migration.sql", "SELECT 1 / 0;\n");
    let mut sandbox = sandbox.start();
    for name in ["worker", "web"] {
        sandbox.wait_state(name, "FATAL");
    }
    let status = sandbox.ctl(&["status", "web"]).stdout;
    assert!(status.contains("migrate is FATAL"), "{status}");
    sandbox.wait_terminal("division by zero");

    sandbox.write("migration.sql", &good);
    sandbox.ctl(&["start", "migrate"]);
    for name in ["worker", "web"] {
        sandbox.wait_state(name, "RUNNING");
    }
    assert!(fetch_path(port, "/4/5").unwrap().ends_with("\r\n\r\n9\n"));
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

/// By its cgroup where there are controllers, else by `memory_limit`.
#[test]
fn a_noisy_neighbour_is_held_and_leaves_nothing() {
    let sandbox = Sandbox::from_example("noisy-neighbour");
    let port = free_port();
    sandbox.replace("supervisord.conf", "page.sh 8000", &format!("page.sh {port}"));
    let mut sandbox = sandbox.start();
    sandbox.wait_state("page", "RUNNING");
    let page = sandbox.pid("page").unwrap();
    sandbox.wait("the page", |_| fetch(port));
    sandbox.wait("the report to be ended", |sandbox| {
        let log = sandbox.log();
        let is_ended = log.contains("memory_limit is 64 MB; restarting it")
            || log.contains("exited: report (terminated by SIGKILL, out of memory");
        is_ended.then_some(())
    });
    sandbox.wait("the report to run again", |sandbox| {
        (sandbox.log().matches("spawned: 'report'").count() > 1).then_some(())
    });
    assert!(fetch(port).unwrap().contains("This page answers"));
    assert!(sandbox.ctl(&["stop", "report"]).success);
    let supervisor = sandbox.supervisor_pid().as_raw_nonzero().get().cast_unsigned();
    sandbox.wait("nothing of the report to be left", |_| {
        (descendants(supervisor) == [page.as_raw_nonzero().get().cast_unsigned()]).then_some(())
    });
    assert_eq!(sandbox.pid("page"), Some(page));
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

#[test]
fn jobs_run_on_their_schedules_without_cron() {
    let sandbox = Sandbox::from_example("schedules");
    sandbox.replace("supervisord.conf", "@every 30s", "@every 1s");
    let mut sandbox = sandbox.start();
    sandbox.wait_state("service", "RUNNING");
    let runs =
        |sandbox: &Sandbox, name: &str| sandbox.terminal().matches(&format!("| {name} ran as ")).count();
    sandbox.wait("sync to run twice", |sandbox| (runs(sandbox, "sync") >= 2).then_some(()));
    for name in ["report", "cleanup"] {
        let status = sandbox.ctl(&["status", name]).stdout;
        assert!(status.contains("next run "), "{status}");
    }

    // A failure ends the run and not the schedule.
    sandbox.write("run/fail", "");
    sandbox.wait_log("exited: sync (exit status 1; not expected)");
    std::fs::remove_file(sandbox.path("run/fail")).unwrap();
    let before = runs(&sandbox, "sync");
    sandbox.wait("sync to run again", |sandbox| (runs(sandbox, "sync") > before + 1).then_some(()));
    assert!(!sandbox.log().contains("sync entered FATAL"), "{}", sandbox.log());

    assert_eq!(runs(&sandbox, "cleanup"), 0);
    assert_eq!(sandbox.ctl(&["start", "cleanup"]).stdout, "cleanup: started\n");
    sandbox
        .wait("cleanup to run when it is asked to", |sandbox| (runs(sandbox, "cleanup") == 1).then_some(()));
    sandbox.ctl(&["stop", "cleanup"]);
    sandbox.wait_log("cleanup: schedule paused");
    assert!(!sandbox.ctl(&["status", "cleanup"]).stdout.contains("next run"));

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

#[test]
fn celery_works_while_a_worker_is_restarted_and_redis_leaves_last() {
    let installed = |module: &str| Path::new("/usr/lib/python3/dist-packages").join(module).exists();
    let gunicorn = Path::new("/usr/bin/gunicorn").exists();
    if !have("celery", installed("celery") && installed("redis"))
        || !have("flask", installed("flask"))
        || !have("gunicorn", gunicorn)
    {
        return;
    }
    let sandbox = Sandbox::from_example("celery");
    let port = free_port();
    sandbox.replace("supervisord.conf", "127.0.0.1:8000", &format!("127.0.0.1:{port}"));
    let mut sandbox = sandbox.start();
    for name in ["redis", "worker:worker_0", "worker:worker_1", "beat", "web"] {
        sandbox.wait_state(name, "RUNNING");
    }
    for name in ["worker_0", "worker_1"] {
        assert_in_order(
            &sandbox.log(),
            &[
                "success: redis entered RUNNING",
                &format!("spawned: '{name}'"),
                &format!("success: {name} entered RUNNING"),
                "spawned: 'web'",
            ],
        );
    }
    let added = |_: &mut Sandbox| fetch_path(port, "/2/3").filter(|page| page.ends_with("\r\n\r\n5\n"));
    sandbox.wait("a worker to add two numbers", added);
    sandbox.wait_terminal("beat            | ");
    sandbox.wait_terminal("Scheduler: Sending due task tick");

    assert_eq!(
        sandbox.ctl(&["restart", "worker:worker_0"]).stdout,
        "worker:worker_0: stopped\nworker:worker_0: started\n"
    );
    sandbox.wait_terminal("worker:worker_0 | worker: Warm shutdown (MainProcess)");
    sandbox.wait("a worker to add them again", added);
    for name in ["worker:worker_0", "web"] {
        assert_workers_end_with_their_master(&mut sandbox, name);
        sandbox.wait_state(name, "RUNNING");
    }
    sandbox.wait("the next ones to add them", added);

    // The workers reconnect to the next redis.
    for name in ["redis", "worker:worker_1"] {
        let first = sandbox.pid(name).unwrap();
        kill_process(first, Signal::KILL).unwrap();
        sandbox.wait(&format!("{name} to have another pid"), |sandbox| {
            sandbox.pid(name).filter(|pid| *pid != first)
        });
        sandbox.wait_state(name, "RUNNING");
        sandbox.wait(&format!("a worker to add numbers after {name} was killed"), added);
    }

    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let log = sandbox.log();
    let (_, shutdown) = log.split_once("received SIGTERM").expect("the shutdown's line");
    for name in ["worker_0", "worker_1"] {
        assert_in_order(
            shutdown,
            &["stopped: web (exit status 0)", &format!("stopped: {name} "), "stopped: redis "],
        );
    }
}

/// A sandbox of the queue workers, if everything for it is there.
fn php_worker() -> Option<Sandbox> {
    let installed = |path: &str| Path::new(path).exists();
    let has_all =
        have("php-cli", installed("/usr/bin/php")) && have("redis", installed("/usr/bin/redis-server"));
    has_all.then(|| Sandbox::from_example("php-worker"))
}

const WORKERS: [&str; 2] = ["worker:worker_0", "worker:worker_1"];

#[test]
fn queue_workers_finish_their_jobs_and_none_is_lost_by_a_kill() {
    let Some(sandbox) = php_worker() else { return };
    let mut sandbox = sandbox.start();
    for name in WORKERS {
        sandbox.wait_state(name, "RUNNING");
    }
    let jobs = |sandbox: &Sandbox, job: &str| redis(sandbox, &["LPUSH", "jobs", job]);
    let done = |sandbox: &Sandbox, result: &str| {
        redis(sandbox, &["LPOS", "done", result]).starts_with(|c: char| c.is_ascii_digit()).then_some(())
    };
    jobs(&sandbox, "2+3");
    sandbox.wait("a job to be done", |sandbox| done(sandbox, "2+3: 5"));

    // `artisan queue:restart`
    let before = WORKERS.map(|name| sandbox.pid(name).unwrap());
    redis(&sandbox, &["SET", "restart", "now"]);
    for (name, first) in WORKERS.iter().zip(before) {
        sandbox.wait("another worker", |sandbox| sandbox.pid(name).filter(|pid| *pid != first));
        sandbox.wait_state(name, "RUNNING");
    }
    for name in ["worker_0", "worker_1"] {
        sandbox.wait_log(&format!("exited: {name} (exit status 0; expected)"));
    }

    // A job of one second survives a kill of its worker: the next of that name does it.
    jobs(&sandbox, "1");
    sandbox.wait_terminal("| begins 1\n");
    let name = WORKERS.into_iter().find(|name| sandbox.terminal().contains(&format!("{name} | begins 1\n")));
    let first = sandbox.pid(name.unwrap()).unwrap();
    kill_process(first, Signal::KILL).unwrap();
    sandbox.wait("the job to be done by another worker", |sandbox| done(sandbox, "1: waited"));
    assert_ne!(sandbox.pid(name.unwrap()), Some(first));
    assert_eq!(sandbox.terminal().matches("| begins 1\n").count(), 2, "{}", sandbox.story());

    // A stop lets it be finished.
    jobs(&sandbox, "2");
    sandbox.wait_terminal("| begins 2\n");
    sandbox.ctl(&["stop", "worker:*"]);
    assert!(done(&sandbox, "2: waited").is_some(), "{}", sandbox.story());
    for name in ["worker_0", "worker_1"] {
        assert!(sandbox.log().contains(&format!("stopped: {name} (exit status 0)")), "{}", sandbox.log());
    }
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

#[test]
fn queue_workers_are_replaced_after_their_time() {
    let Some(sandbox) = php_worker() else { return };
    let mut sandbox = sandbox.env("MAX_SECONDS", "2").start();
    for name in ["worker_0", "worker_1"] {
        let ended = format!("exited: {name} (exit status 0; expected)");
        sandbox
            .wait("two to have ended", |sandbox| (sandbox.log().matches(&ended).count() >= 2).then_some(()));
    }
    assert!(!sandbox.log().contains("FATAL") && !sandbox.log().contains("too quickly"), "{}", sandbox.log());
}

/// An answer of redis, without the form of its protocol: for texts and numbers.
fn redis(sandbox: &Sandbox, words: &[&str]) -> String {
    let socket = sandbox.path("run/redis.sock");
    let output = Command::new("/usr/bin/redis-cli").arg("-s").arg(socket).args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn node_answers_behind_nginx_while_one_of_two_is_killed() {
    let installed = |path: &str| Path::new(path).exists();
    if !have("nginx", installed("/usr/sbin/nginx")) || !have("nodejs", installed("/usr/bin/node")) {
        return;
    }
    let sandbox = Sandbox::from_example("node-nginx");
    let port = free_port();
    for file in ["nginx.conf", "supervisord.conf"] {
        sandbox.replace(file, "127.0.0.1:8080", &format!("127.0.0.1:{port}"));
    }
    let mut sandbox = sandbox.start();
    sandbox.wait_state("nginx", "RUNNING");
    let page = |sandbox: &Sandbox| {
        let page = fetch(port).unwrap_or_default();
        assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}\n{}", sandbox.story());
        page
    };
    for name in ["app_0", "app_1"] {
        sandbox.wait(&format!("{name} to answer"), |sandbox| {
            page(sandbox).contains(&format!("node at work: {name}, pid")).then_some(())
        });
    }
    let first = sandbox.pid("app:app_0").unwrap();
    kill_process(first, Signal::KILL).unwrap();
    let second = sandbox.wait("app_0 to have another pid, and a page at any time", |sandbox| {
        page(sandbox);
        sandbox.pid("app:app_0").filter(|pid| *pid != first)
    });
    let answer = format!("app_0, pid {}\n", second.as_raw_nonzero());
    sandbox.wait("the new one to answer", |sandbox| page(sandbox).contains(&answer).then_some(()));

    let restarted = sandbox.ctl(&["restart", "--rolling", "app:*"]);
    assert!(restarted.success, "{restarted:?}");
    page(&sandbox);
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    for name in ["app_0", "app_1"] {
        assert_in_order(
            &sandbox.log(),
            &["stopped: nginx (exit status 0)", &format!("stopped: {name} (exit status 0)")],
        );
    }
}

#[test]
fn a_user_logs_in_by_a_key_and_asks_for_the_status_beside_the_application() {
    let installed = |path: &str| Path::new(path).exists();
    if !have("openssh-server", installed("/usr/sbin/sshd")) || !have("ssh", installed("/usr/bin/ssh")) {
        return;
    }
    let [ssh, http] = free_ports();
    let mut sandbox = Sandbox::from_example("sshd");
    if !rustix::process::geteuid().is_root() {
        sandbox = sandbox.env("SSHD_DIRECTORY", "%(here)s/run/sshd");
    }
    sandbox.replace("sshd_config", "2222", &ssh.to_string());
    sandbox.replace("supervisord.conf", "127.0.0.1:2222", &format!("127.0.0.1:{ssh}"));
    sandbox.replace("supervisord.conf", "127.0.0.1 8000", &format!("127.0.0.1 {http}"));
    sandbox.replace("supervisord.conf", "127.0.0.1:8000", &format!("127.0.0.1:{http}"));
    // Anyone may write to /tmp.
    sandbox.replace("sshd_config", "StrictModes yes", "StrictModes no");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(sandbox.path("run/authorized_keys.private"))
        .status();
    assert!(made.unwrap().success());
    std::fs::rename(sandbox.path("run/authorized_keys.private.pub"), sandbox.path("run/authorized_keys"))
        .unwrap();
    let mut sandbox = sandbox.start();
    for name in ["sshd", "app"] {
        sandbox.wait_state(name, "RUNNING");
    }
    assert_in_order(&sandbox.log(), &["exited: host-key (exit status 0; expected)", "spawned: 'sshd'"]);
    assert!(fetch(http).is_some_and(|page| page.starts_with("HTTP/1.0 200 OK")), "{}", sandbox.story());
    let login = |sandbox: &Sandbox| {
        let remote = format!("{} -c {} status", support::binary().display(), sandbox.config().display());
        let known = format!("UserKnownHostsFile={}", sandbox.path("run/known_hosts").display());
        let output = Command::new("/usr/bin/ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=accept-new",
                "-o",
                &known,
            ])
            .args(["-p", &ssh.to_string(), "-i"])
            .arg(sandbox.path("run/authorized_keys.private"))
            .args(["127.0.0.1", &remote])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (said, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, error) = login(&sandbox);
    assert!(
        status.contains("\nsshd                             RUNNING"),
        "{status}{error}\n{}",
        sandbox.story()
    );

    let first = sandbox.pid("sshd").unwrap();
    kill_process(first, Signal::KILL).unwrap();
    sandbox.wait("sshd to have another pid", |sandbox| sandbox.pid("sshd").filter(|pid| *pid != first));
    sandbox.wait_state("sshd", "RUNNING");
    // The host has the same key, or else the client would refuse to connect.
    let (status, error) = login(&sandbox);
    assert!(
        status.contains("\napp  ") || status.starts_with("app  "),
        "{status}{error}\n{}",
        sandbox.story()
    );
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
}

#[test]
fn the_listener_reports_unexpected_exits() {
    let mut sandbox = Sandbox::from_example("listener").start();
    sandbox.wait_file(
        "run/alerts",
        "PROCESS_STATE_FATAL processname:missing groupname:missing from_state:BACKOFF",
    );
    sandbox.wait_file(
        "run/alerts",
        "PROCESS_STATE_EXITED processname:moody groupname:moody from_state:RUNNING expected:0",
    );
    sandbox.wait_log("exited: moody (exit status 0; expected)");
    sandbox.signal(Signal::TERM);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let alerts = std::fs::read_to_string(sandbox.path("run/alerts")).unwrap();
    assert!(!alerts.contains("expected:1"), "{alerts}");
}

#[test]
fn the_job_ends_with_the_status_of_the_part_that_failed() {
    for (part, status, reason) in [
        ("none", 0, "no program is left, all ended as expected"),
        ("1", 3, "no program is left, and part:part_1 failed: exit status 3"),
    ] {
        let mut sandbox = Sandbox::from_example("job").env("FAIL", part);
        let reported = sandbox.run_to_end();
        let text = String::from_utf8_lossy(&reported.stdout).into_owned();
        assert_eq!(reported.status.code(), Some(status), "{text}");
        for line in ["part:part_0 | part 0 of 3 is done\n", "part:part_2 | part 2 of 3 is done\n", reason] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }
}

#[test]
fn the_quickstart_runs_crashes_recovers_and_stops_in_order() {
    let sandbox = Sandbox::from_example("quickstart");
    sandbox.replace("supervisord.conf", "FLAKY_SECONDS=\"8\"", "FLAKY_SECONDS=\"6\"");
    let mut sandbox = sandbox.start();
    for name in ["chatty", "flaky", "stubborn"] {
        sandbox.wait_state(name, "RUNNING");
    }
    sandbox.wait_file("run/chatty.log", "program=chatty");
    sandbox.wait_terminal("flaky: up with pid");

    sandbox.wait_log("exited: flaky (exit status 3; not expected)");
    sandbox.wait_log("exited: flaky (terminated by SIGSEGV; not expected)");
    sandbox.wait_terminal("flaky: the disk is on fire");

    let began = Instant::now();
    let answer = sandbox.ctl(&["stop", "stubborn"]);
    assert_eq!(answer.stdout, "stubborn: stopped\n");
    assert!(
        began.elapsed() >= Duration::from_millis(1900),
        "stubborn has two seconds: {:?}",
        began.elapsed()
    );
    sandbox.wait_terminal("stubborn: ignoring TERM");
    sandbox.wait_log("stopped: stubborn (terminated by SIGKILL)");
    assert_eq!(sandbox.ctl(&["start", "stubborn"]).stdout, "stubborn: started\n");

    // A fresh one, so that it does not fall over by itself during the two seconds that stubborn takes.
    assert_eq!(sandbox.ctl(&["restart", "flaky"]).stdout, "flaky: stopped\nflaky: started\n");
    sandbox.signal(Signal::INT);
    assert_eq!(sandbox.wait_exit().code(), Some(0), "{}", sandbox.story());
    let log = sandbox.log();
    let (_, shutdown) =
        log.split_once("waiting for chatty, flaky, stubborn to die").expect("the shutdown's line");
    assert_in_order(
        shutdown,
        &[
            "killing 'stubborn'",
            "stopped: stubborn (terminated by SIGKILL)",
            "stopped: flaky (terminated by SIGTERM)",
            "stopped: chatty (exit status 0)",
        ],
    );
}

/// Kills the main process of a program alone.
#[track_caller]
fn assert_workers_end_with_their_master(sandbox: &mut Sandbox, name: &str) {
    let master = sandbox.pid(name).unwrap();
    let workers: Vec<Pid> = sandbox.wait("its workers", |_| {
        let workers = descendants(master.as_raw_nonzero().get().cast_unsigned());
        let workers = workers.into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed()));
        Some(workers.collect::<Vec<_>>()).filter(|workers| !workers.is_empty())
    });
    kill_process(master, Signal::KILL).unwrap();
    sandbox.wait(&format!("another {name}"), |sandbox| sandbox.pid(name).filter(|pid| *pid != master));
    for worker in workers {
        sandbox.wait(&format!("the end of a worker of {name}"), |_| test_kill_process(worker).err());
    }
}

/// Whatever stands in a folder under a name that starts like this.
fn found_in(folder: &str, start: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_it = |entry: &DirEntry| entry.file_name().to_string_lossy().starts_with(start);
    entries.filter(is_it).map(|entry| entry.path()).max()
}

#[track_caller]
fn assert_in_order(text: &str, needles: &[&str]) {
    let mut rest = text;
    for needle in needles {
        let Some((_, after)) = rest.split_once(needle) else {
            panic!("{needle:?} is missing, or out of order, in\n{text}");
        };
        rest = after;
    }
}

fn fetch(port: u16) -> Option<String> {
    fetch_path(port, "/")
}

fn fetch_path(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

fn ask_redis(sandbox: &Sandbox) -> Option<String> {
    let mut stream = std::os::unix::net::UnixStream::connect(sandbox.path("run/redis.sock")).ok()?;
    stream.write_all(b"PING\r\n").ok()?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
