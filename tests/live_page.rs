//! The live pages in a real browser, on the JSON API of the real binary.

#![allow(clippy::unwrap_used, reason = "all of this file is a test, its helpers included")]

mod support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};
use support::browser::{self, Browser};
use support::wire::{Peer, resident_kib};
use support::{HEAD, Sandbox, free_port, have};
use sv::xmlrpc::Value;

const CAT: &str = "command=/bin/cat\nstartsecs=0\n";

/// A browser and a supervisor with these programs and its pages at this address; `None` without a browser.
fn visit(programs: &str) -> Option<(Browser, Sandbox, String)> {
    let program = browser::program();
    if !have("chromium", program.is_some()) {
        return None;
    }
    let port = free_port();
    let server = format!("[inet_http_server]\nport=127.0.0.1:{port}\n");
    let sandbox = Sandbox::new(&format!("{HEAD}{server}{programs}")).start();
    let mut browser = Browser::start(&program?, &sandbox.path("browser"));
    browser.record_violations();
    Some((browser, sandbox, format!("http://127.0.0.1:{port}/")))
}

/// The row of a process, by its full name.
fn row(name: &str) -> String {
    format!("[...document.querySelectorAll('.section .row')].find(node => node.row.name === {name:?})")
}

/// Rows out of sight are not rendered, so this is not their `innerText`.
fn wait_cell(browser: &mut Browser, name: &str, cell: &str, text: &str) {
    browser.wait_for(&format!("{}?.querySelector('.{cell}')?.textContent", row(name)), text);
}

/// Presses the button of an action in the row of a process.
fn press(browser: &mut Browser, name: &str, action: &str) {
    let button = format!("{}?.querySelector('[data-action={action}]:enabled:not([hidden])')", row(name));
    browser.wait_for(&format!("{button} && ({button}.click(), true)"), "true");
}

/// Presses the button with this label, of those that are visible.
fn press_label(browser: &mut Browser, within: &str, label: &str) {
    let button = format!(
        "[...document.querySelectorAll('{within} button:enabled')].find(it => it.innerText === {label:?} && it.checkVisibility())"
    );
    browser.wait_for(&format!("{button} && ({button}.click(), true)"), "true");
}

/// Writes to the standard input of a program, which repeats it.
fn send(sandbox: &Sandbox, name: &str, text: &str) {
    let params = [Value::from(name), Value::from(text)];
    assert_eq!(Peer::unix(sandbox).call("supervisor.sendProcessStdin", &params), Ok(Value::from(true)));
}

fn no_violations(browser: &mut Browser) {
    assert_eq!(browser.value("violations.join()").as_deref(), Some(""));
}

#[test]
fn rows_change_when_processes_do() {
    let Some((mut browser, mut sandbox, url)) = visit(&format!("[program:cat]\n{CAT}")) else { return };
    sandbox.wait_state("cat", "RUNNING");
    browser.open(&url);
    wait_cell(&mut browser, "cat", "status", "running");
    // It would be gone after a reload.
    browser.value("globalThis.isSamePage = true");
    kill_process(sandbox.pid("cat").unwrap(), Signal::KILL).unwrap();
    wait_cell(&mut browser, "cat", "end", "SIGKILL");
    wait_cell(&mut browser, "cat", "restarts", "1");
    wait_cell(&mut browser, "cat", "status", "running");
    assert!(sandbox.ctl(&["stop", "cat"]).success);
    wait_cell(&mut browser, "cat", "status", "stopped");
    browser.wait_for("document.title.split('\u{2013} ')[1]", "0 running, 0 in trouble");
    // A program that is added appears, and one that is removed goes.
    let added = sandbox.file("supervisord.conf").replace("[program:cat]", "[program:dog]");
    sandbox.write("supervisord.conf", &added);
    assert!(sandbox.ctl(&["update"]).success);
    wait_cell(&mut browser, "dog", "status", "running");
    browser.wait_for(&format!("{} === undefined", row("cat")), "true");
    browser.wait_for("globalThis.isSamePage", "true");
    no_violations(&mut browser);
}

#[test]
fn health_and_memory_are_shown() {
    let checked = |name, check| {
        format!(
            "[program:{name}]\n{CAT}health=exec:/bin/{check}\nhealth_interval=0.1\nhealth_retries=1\non_unhealthy=ignore\n"
        )
    };
    let programs = format!("{}{}[program:plain]\n{CAT}", checked("well", "true"), checked("ill", "false"));
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("plain", "RUNNING");
    browser.open(&url);
    wait_cell(&mut browser, "well", "status", "healthy");
    wait_cell(&mut browser, "ill", "status", "unhealthy");
    wait_cell(&mut browser, "plain", "status", "running");
    let heading = |name| format!("{}?.closest('.section').dataset.heading", row(name));
    browser.wait_for(&heading("ill"), "trouble");
    browser.wait_for(&heading("well"), "programs");
    browser.wait_for(
        &format!("{}.querySelector('.detail').textContent.startsWith('exit status 1; pid ')", row("ill")),
        "true",
    );
    let memory = format!("{}?.querySelector('.memory')?.textContent", row("plain"));
    browser.wait_for(&format!("/^\\d+(\\.\\d)? [KM]iB$/.test({memory})"), "true");
    let shown = browser.value(&memory).unwrap();
    let (number, unit) = shown.split_once(' ').unwrap();
    let shown_kib = number.parse::<f64>().unwrap() * if unit == "MiB" { 1024.0 } else { 1.0 };
    let resident_kib = resident_kib(sandbox.pid("plain").unwrap()) as f64;
    assert!((0.5..2.0).contains(&(shown_kib / resident_kib)), "{shown}, and it is {resident_kib} KiB");
    assert!(sandbox.ctl(&["stop", "plain"]).success);
    browser.wait_for(&memory, "");
    browser.open(&format!("{url}process.html?processname=well"));
    let memory = "/^Memory: \\d+(\\.\\d)? [KM]iB$/m.test(document.querySelector('.why')?.innerText)";
    browser.wait_for(memory, "true");
    assert!(sandbox.ctl(&["stop", "well"]).success);
    browser.wait_for(memory, "false");
    no_violations(&mut browser);
}

#[test]
fn titles_have_the_identifier_and_the_host() {
    let programs = format!("[program:cat]\n{CAT}[supervisord]\nidentifier=shop\n");
    let Some((mut browser, _sandbox, url)) = visit(&programs) else { return };
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let place = format!("shop @ {}", host.trim());
    browser.open(&url);
    browser.wait_for("document.title", &format!("{place} \u{2013} 1 running, 0 in trouble"));
    browser.wait_for("document.querySelector('h1').innerText", "shop");
    browser.open(&format!("{url}process.html?processname=cat"));
    browser.wait_for("document.title", &format!("cat \u{2013} RUNNING \u{2013} {place}"));
    browser.wait_for("document.querySelector('header > div > p').innerText", &place);
}

#[test]
fn buttons_act_and_failures_are_reported() {
    let programs = format!("[program:cat]\n{CAT}[program:broken]\ncommand=/nonexistent\nautostart=false\n");
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("cat", "RUNNING");
    let first = sandbox.pid("cat");
    browser.open(&url);
    press(&mut browser, "cat", "restart");
    sandbox.wait("a restart", |sandbox| sandbox.pid("cat").filter(|pid| Some(*pid) != first));
    press(&mut browser, "cat", "stop");
    wait_cell(&mut browser, "cat", "status", "stopped");
    sandbox.wait_state("cat", "STOPPED");
    press(&mut browser, "cat", "start");
    sandbox.wait_state("cat", "RUNNING");
    wait_cell(&mut browser, "cat", "status", "running");
    press(&mut browser, "broken", "start");
    browser
        .wait_for("document.querySelector('[role=alert]')?.innerText.startsWith('Start broken: ')", "true");
    browser.click("[role=alert] button");
    browser.wait_for("document.querySelector('[role=alert]')", "null");
    no_violations(&mut browser);
}

#[test]
fn why_a_start_has_failed_is_shown_once() {
    let programs = format!("[program:lost]\n{CAT}directory=/nonexistent\nstartsecs=1\nstartretries=0\n");
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("lost", "FATAL");
    browser.open(&url);
    let expected = "cannot apply directory: No such file or directory";
    wait_cell(&mut browser, "lost", "detail", expected);
    browser.open(&format!("{url}process.html?processname=lost"));
    browser.wait_for("document.querySelectorAll('.why li').length > 1", "true");
    let why = browser.value("document.querySelector('.why').innerText").unwrap();
    assert_eq!(why.matches(expected).count(), 1, "{why}");
    no_violations(&mut browser);
}

#[test]
fn what_hurts_is_confirmed() {
    let programs =
        format!("[program:cat]\n{CAT}[program:web]\n{CAT}numprocs=2\nprocess_name=web_%(process_num)s\n");
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("web:web_1", "RUNNING");
    browser.open(&url);
    let group = "[...document.querySelectorAll('.heading')].find(it => it.innerText.startsWith('web'))";
    let stop = format!("{group}?.querySelector('[aria-label=\"Stop group web\"]')");
    browser.wait_for(&format!("{stop} && ({stop}.click(), true)"), "true");
    browser.wait_for("document.querySelector('dialog p').innerText", "This stops 2 processes of the group.");
    // The harmless answer has the focus.
    browser.wait_for("document.activeElement.innerText", "Cancel");
    browser.key("Enter");
    browser.wait_for("document.querySelector('dialog')", "null");
    assert_eq!(sandbox.state("web:web_1").as_deref(), Some("RUNNING"));
    browser.wait_for(&format!("{stop} && ({stop}.click(), true)"), "true");
    press_label(&mut browser, "dialog", "Stop");
    sandbox.wait_state("web:web_0", "STOPPED");
    sandbox.wait_state("web:web_1", "STOPPED");
    assert_eq!(sandbox.state("cat").as_deref(), Some("RUNNING"));
    browser.click("summary");
    press_label(&mut browser, ".menu", "Stop all\u{2026}");
    press_label(&mut browser, "dialog", "Stop all");
    sandbox.wait_state("cat", "STOPPED");
    browser.click("summary");
    press_label(&mut browser, ".menu", "Shut down\u{2026}");
    press_label(&mut browser, "dialog", "Shut down");
    assert!(sandbox.wait_exit().success());
    browser.wait_for(
        "document.querySelector('.notice').innerText.startsWith('Connection to the supervisor lost')",
        "true",
    );
    browser.wait_for("document.querySelector('.section button').matches(':disabled')", "true");
}

#[test]
fn a_page_recovers_when_the_supervisor_is_back() {
    let Some((mut browser, mut sandbox, url)) = visit(&format!("[program:cat]\n{CAT}")) else { return };
    browser.open(&url);
    wait_cell(&mut browser, "cat", "status", "running");
    browser.value("globalThis.isSamePage = true");
    sandbox.signal(Signal::TERM);
    sandbox.wait_exit();
    browser.wait_for("document.body.classList.contains('offline')", "true");
    let config = sandbox.file("supervisord.conf").replace("[program:cat]", "[program:dog]");
    sandbox.write("supervisord.conf", &config);
    sandbox.spawn();
    wait_cell(&mut browser, "dog", "status", "running");
    browser.wait_for("document.body.classList.contains('offline')", "false");
    browser.wait_for("globalThis.isSamePage", "true");
}

/// Has the pages find a silence of a quarter of a second as long as one of 45 seconds, and give up requests after half of one.
const IMPATIENT: &str = "const wait = globalThis.setTimeout;
    globalThis.setTimeout = (act, ms, ...more) => wait(act, ms === 45_000 ? 250 : ms, ...more);
    const timeout = AbortSignal.timeout;
    AbortSignal.timeout = ms => timeout.call(AbortSignal, Math.min(ms, 500));";

#[test]
fn a_server_that_has_become_silent_is_noticed() {
    let Some((mut browser, mut sandbox, url)) = visit(&format!("[program:cat]\n{CAT}")) else { return };
    sandbox.wait_state("cat", "RUNNING");
    browser.run_first(IMPATIENT);
    for page in ["", "process.html?processname=cat"] {
        browser.open(&format!("{url}{page}"));
        browser.wait_for(
            "document.body.className.includes('live') && !document.querySelector('.offline')",
            "true",
        );
        sandbox.signal(Signal::STOP);
        browser.wait_for("document.body.classList.contains('offline')", "true");
        browser.wait_for(
            "document.querySelector('.notice').innerText.startsWith('Connection to the supervisor lost')",
            "true",
        );
        sandbox.signal(Signal::CONT);
        browser.wait_for("document.body.classList.contains('offline')", "false");
    }
    no_violations(&mut browser);
}

#[test]
fn events_that_a_stream_does_not_bring_are_found() {
    let Some((mut browser, mut sandbox, url)) = visit(&format!("[program:cat]\n{CAT}")) else { return };
    sandbox.wait_state("cat", "RUNNING");
    browser.run_first(IMPATIENT);
    // As by a proxy that has lost the connection to the server, and not the one to the browser.
    browser.run_first(
        "globalThis.EventSource = class extends EventSource {
            addEventListener(kind, act) { super.addEventListener(kind, event => globalThis.isDeaf || act(event)); }
        };",
    );
    browser.open(&url);
    wait_cell(&mut browser, "cat", "status", "running");
    browser.wait_for("globalThis.isDeaf = true", "true");
    assert!(sandbox.ctl(&["stop", "cat"]).success);
    wait_cell(&mut browser, "cat", "status", "stopped");
}

#[test]
fn a_change_that_could_not_be_fetched_is_fetched_later() {
    let programs = format!("[program:cat]\n{CAT}[program:dog]\n{CAT}");
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("dog", "RUNNING");
    browser.run_first(
        "const ask = globalThis.fetch; globalThis.failures = 0; globalThis.failed = 0;
        globalThis.fetch = (...request) => failures-- > 0 ? (failed += 1, Promise.reject(new TypeError())) : ask(...request);",
    );
    for (page, state) in [
        ("", format!("{}?.querySelector('.status')?.textContent", row("cat"))),
        ("process.html?processname=cat", "document.querySelector('h1 .state')?.innerText".to_owned()),
    ] {
        browser.open(&format!("{url}{page}"));
        browser.wait_for(&state, "running");
        browser.wait_for("document.querySelector('.offline')", "null");
        browser.wait_for("failures = 2", "2");
        assert!(sandbox.ctl(&["stop", "cat"]).success);
        browser.wait_for("failed", "2");
        browser.wait_for(&state, "stopped");
        assert!(sandbox.ctl(&["start", "cat"]).success);
        browser.wait_for(&state, "running");
    }
}

#[test]
fn a_page_whose_stream_is_refused_says_so_and_reads_the_logs() {
    let program = "[program:cat]\ncommand=/bin/sh -c 'echo begun; exec cat'\nstartsecs=0\n";
    let Some((mut browser, mut sandbox, url)) = visit(program) else { return };
    sandbox.wait_state("cat", "RUNNING");
    browser.run_first(
        "const faster = globalThis.setTimeout;
        globalThis.setTimeout = (act, ms, ...more) => faster(act, ms === 5_000 ? 100 : ms, ...more);
        globalThis.EventSource = class extends EventSource {
            constructor(url) { super(globalThis.isAllowed ? url : `${url}&refused=1`); }
        };",
    );
    browser.open(&format!("{url}process.html?processname=cat"));
    let status = "document.querySelector('.log .count')?.innerText";
    browser.wait_for(status, "not live: read every few seconds");
    browser.wait_for(FIRST_LINES, "begun");
    send(&sandbox, "cat", "more\n");
    browser.wait_for(FIRST_LINES, "begun|more");
    assert!(sandbox.ctl(&["stop", "cat"]).success);
    browser.wait_for("document.querySelector('h1 .state').innerText", "stopped");
    assert!(sandbox.ctl(&["start", "cat"]).success);
    sandbox.wait_state("cat", "RUNNING");
    browser.wait_for("globalThis.isAllowed = true", "true");
    browser.wait_for(status, "live");
    send(&sandbox, "cat", "last\n");
    browser.wait_for(&format!("{FIRST_LINES}.endsWith('more|begun|last')"), "true");
    no_violations(&mut browser);
}

#[test]
fn filters_order_and_keys_find_a_process() {
    let programs = format!(
        "[program:a]\n{CAT}[program:b]\n{CAT}autostart=false\n\
         [program:z]\ncommand=/bin/false\nstartsecs=0\nautorestart=false\n"
    );
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("z", "EXITED");
    browser.open(&url);
    let names = "[...document.querySelectorAll('.section .row')].map(node => node.row.name).join()";
    // An unexpected end is trouble, and comes first.
    browser.wait_for(names, "z,a,b");
    browser
        .wait_for("document.querySelector('[data-heading=trouble] .title').innerText", "Needs attention 1");
    browser.key("/");
    browser.key("b");
    browser.wait_for(names, "b");
    browser.key("Escape");
    browser.wait_for(names, "z,a,b");
    browser.click("[data-state=RUNNING]");
    browser.wait_for(names, "a");
    browser.wait_for("location.hash", "#state=RUNNING");
    // The filter outlives a reload.
    browser.value("globalThis.isOldPage = true");
    browser.value("location.reload()");
    browser.wait_for(&format!("globalThis.isOldPage ? '' : {names}"), "a");
    browser.key("Escape");
    browser.wait_for(names, "z,a,b");
    browser.key("j");
    browser.key("j");
    browser.key("t");
    sandbox.wait_state("a", "STOPPED");
    wait_cell(&mut browser, "a", "status", "stopped");
    browser.wait_for(&format!("{}?.getAttribute('aria-busy')", row("a")), "false");
    browser.key("s");
    sandbox.wait_state("a", "RUNNING");
    browser.key("?");
    browser.wait_for("document.querySelector('dialog h2').innerText", "Keyboard");
    browser.key("Escape");
    browser.wait_for("document.querySelector('dialog')", "null");
    browser.key("Enter");
    browser.wait_for("location.pathname + location.search", "/process.html?processname=a");
    no_violations(&mut browser);
}

#[test]
fn the_logs_of_a_process_are_followed_and_searched() {
    let programs = "[program:says]\nstartsecs=0\n\
         command=/bin/sh -c 'printf \"one <b>two</b> \\033[31mred\\033[0m \"; exec cat'\n\
         [program:both]\nstartsecs=0\n\
         command=/bin/sh -c 'echo out; echo error >&2; exec cat'\ndepends_on=says\n";
    let Some((mut browser, mut sandbox, url)) = visit(programs) else { return };
    sandbox.wait_state("both", "RUNNING");
    browser.open(&format!("{url}process.html?processname=says"));
    let lines = FIRST_LINES;
    browser.wait_for("document.querySelector('.log .count').innerText", "live");
    assert!(temporary_files(&sandbox) > 0, "the browser keeps its files elsewhere");
    send(&sandbox, "says", "\u{202e}x\nhalf");
    browser.wait_for(lines, "one <b>two</b> red \u{fffd}x|half");
    send(&sandbox, "says", " a line\none more\n");
    browser.wait_for(lines, "one <b>two</b> red \u{fffd}x|half a line|one more");
    browser.wait_for("document.querySelectorAll('.lines b').length", "0");
    browser.key("/");
    for key in ["o", "n", "e"] {
        browser.key(key);
    }
    browser.wait_for("document.querySelector('.find .count').innerText", "2 of 2");
    browser.wait_for("CSS.highlights.get('hits').size", "2");
    browser.key("Enter");
    browser.wait_for("document.querySelector('.find .count').innerText", "1 of 2");
    browser.key("Escape");
    browser.key("p");
    send(&sandbox, "says", "later\n");
    browser.wait_for("document.querySelector('.log .count').innerText", "paused, 1 new");
    browser.key("p");
    browser.wait_for(&format!("{lines}.endsWith('|later')"), "true");
    // A long line does no harm, and the number of lines is bounded.
    let long = "x".repeat(1_000_000);
    send(&sandbox, "says", &format!("{long}\n{}", "l\n".repeat(6_000)));
    browser.wait_for("document.querySelectorAll('.lines')[0].childElementCount", "5000");
    no_violations(&mut browser);
    browser.open(&format!("{url}process.html?processname=both"));
    browser.wait_for("document.querySelectorAll('.lines')[0]?.innerText", "out");
    browser.wait_for("document.querySelectorAll('.lines')[1]?.innerText", "error");
    no_violations(&mut browser);
}

/// Folders that Chromium does not remove when it is killed.
fn temporary_files(sandbox: &Sandbox) -> usize {
    let entries = fs::read_dir(sandbox.path("browser/tmp")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("hromium")).count()
}

const FIRST_LINES: &str =
    "[...document.querySelectorAll('.lines')[0].children].map(line => line.textContent).join('|')";

/// Writes what it reads, with line breaks where that has tildes and carriage returns where it has at signs.
const PROGRESS: &str =
    "[program:bar]\ncommand=/usr/bin/perl -pe 'BEGIN { $| = 1 } chomp; tr/~@/\\n\\r/'\nstartsecs=0\n";

#[test]
fn a_progress_bar_does_not_stop_at_the_bound_of_a_line() {
    let Some((mut browser, mut sandbox, url)) = visit(PROGRESS) else { return };
    sandbox.wait_state("bar", "RUNNING");
    browser.open(&format!("{url}process.html?processname=bar"));
    browser.wait_for("document.querySelector('.log .count').innerText", "live");
    for part in 0..20 {
        let steps: String = (0..100).map(|step| format!("@{} of 2000 blocks", part * 100 + step)).collect();
        send(&sandbox, "bar", &format!("{steps}\n"));
    }
    browser.wait_for(FIRST_LINES, "1999 of 2000 blocks");
    // The end of a line in two pieces, a line that begins again after that bound, and an empty one.
    send(&sandbox, "bar", "@\n");
    send(&sandbox, "bar", &format!("~{}@\n", "x".repeat(5_000)));
    send(&sandbox, "bar", "short@~~last~\n");
    browser.wait_for(FIRST_LINES, "1999 of 2000 blocks|short||last");
    no_violations(&mut browser);
}

#[test]
fn a_search_keeps_up_with_a_log_that_does_not_pause() {
    let busy = "[program:busy]\nstartsecs=0\n\
        command=/usr/bin/perl -e '$| = 1; while (1) { print \"line $n of many\\n\"; $n++; select(undef, undef, undef, 0.02) }'\n";
    let Some((mut browser, mut sandbox, url)) = visit(&format!("{busy}[program:says]\n{CAT}")) else {
        return;
    };
    sandbox.wait_state("busy", "RUNNING");
    browser.open(&format!("{url}process.html?processname=busy"));
    browser.wait_for("document.querySelector('.log .count').innerText", "live");
    browser.key("/");
    for key in ["m", "a", "n", "y"] {
        browser.key(key);
    }
    // The number of hits grows while lines come.
    let hits = "Number(document.querySelector('.find .count').innerText.split(' of ')[1])";
    browser.wait_for(&format!("(globalThis.first ??= {hits}) > 0"), "true");
    browser.wait_for(&format!("{hits} > first + 10"), "true");
    // Hits beyond the bound are not collected.
    browser.open(&format!("{url}process.html?processname=says"));
    browser.wait_for("document.querySelector('.log .count').innerText", "live");
    send(&sandbox, "says", &format!("{}\n", "ab ".repeat(1_000)).repeat(100));
    browser.wait_for("document.querySelectorAll('.lines')[0].childElementCount", "100");
    browser.key("/");
    browser.key("a");
    browser.wait_for("document.querySelector('.find .count').innerText.endsWith('+')", "true");
    browser.wait_for("CSS.highlights.get('hits').size < 1100", "true");
    no_violations(&mut browser);
}

#[test]
fn many_windows_of_one_browser_are_live() {
    let Some((mut browser, mut sandbox, url)) = visit(&format!("[program:says]\n{CAT}")) else { return };
    sandbox.wait_state("says", "RUNNING");
    // A browser has six connections to a server, and a page that is to be seen holds one of them.
    let windows: Vec<_> = (0..5).map(|_| browser.open_window()).collect();
    for window in &windows {
        browser.turn_to(window);
        browser.open(&format!("{url}process.html?processname=says"));
    }
    for window in &windows {
        browser.turn_to(window);
        browser.wait_for("document.querySelector('.log .count')?.innerText", "live");
        browser.wait_for("document.hidden", "false");
    }
    send(&sandbox, "says", "to all\n");
    assert!(sandbox.ctl(&["stop", "says"]).success);
    for window in &windows {
        browser.turn_to(window);
        browser.wait_for(FIRST_LINES, "to all");
        browser.wait_for("document.querySelector('h1 .state').innerText", "stopped");
    }
}

/// Counts the streams that a page has opened and not closed.
const COUNT_STREAMS: &str = "globalThis.streams = 0;
    globalThis.EventSource = class extends EventSource {
        constructor(...words) { super(...words); streams += 1; }
        close() { streams -= this.readyState === 2 ? 0 : 1; super.close(); }
    };";

#[test]
fn a_page_in_the_background_has_no_stream() {
    let Some((mut browser, mut sandbox, url)) = visit(&format!("[program:says]\n{CAT}")) else { return };
    sandbox.wait_state("says", "RUNNING");
    browser.run_first(&format!(
        "{COUNT_STREAMS} globalThis.isHidden = true;
         Object.defineProperty(Document.prototype, 'hidden', {{get: () => isHidden}});"
    ));
    let turn = |is_hidden: bool| {
        format!("(isHidden = {is_hidden}, document.dispatchEvent(new Event('visibilitychange')))")
    };
    for page in ["", "process.html?processname=says"] {
        browser.open(&format!("{url}{page}"));
        browser.wait_for("document.body?.classList.contains('live') && document.readyState", "complete");
        browser.wait_for("new Promise(done => setTimeout(() => done(streams), 500))", "0");
        browser.value(&turn(false));
        browser.wait_for("streams", "1");
        // It is given up after a while.
        browser.value(&turn(true));
        browser.wait_for("streams", "0");
        browser.value(&turn(false));
        browser.wait_for("streams", "1");
    }
}

#[test]
fn a_log_that_continues_after_its_end_is_shown_once() {
    let says = format!("[program:says]\n{CAT}stdout_logfile=%(here)s/says.log\n");
    let Some((mut browser, mut sandbox, url)) = visit(&says) else { return };
    sandbox.wait_state("says", "RUNNING");
    browser.open(&format!("{url}process.html?processname=says"));
    browser.wait_for("document.querySelector('.log .count').innerText", "live");
    send(&sandbox, "says", "before\n");
    browser.wait_for(FIRST_LINES, "before");
    browser.value("globalThis.isSamePage = true");
    // Logs end with a restart in the same process.
    let first = sandbox.pid("says").unwrap();
    assert!(sandbox.ctl(&["reload"]).success);
    sandbox.wait("another process", |sandbox| sandbox.pid("says").filter(|pid| *pid != first));
    send(&sandbox, "says", "after\n");
    browser.wait_for(&format!("{FIRST_LINES}.endsWith('after')"), "true");
    browser.wait_for(FIRST_LINES, "before|after");
    // And with the supervisor.
    sandbox.signal(Signal::TERM);
    sandbox.wait_exit();
    browser.wait_for("document.body.classList.contains('offline')", "true");
    sandbox.spawn();
    sandbox.wait_state("says", "RUNNING");
    send(&sandbox, "says", "again\n");
    browser.wait_for(&format!("{FIRST_LINES}.endsWith('again')"), "true");
    browser.wait_for(&format!("{FIRST_LINES} + isSamePage"), "before|after|againtrue");
}

#[test]
fn a_page_asks_no_more_often_than_it_can_show() {
    let programs = format!("[program:says]\n{CAT}[program:other]\n{CAT}");
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("says", "RUNNING");
    browser.run_first("performance.setResourceTimingBufferSize(10000)");
    let requests =
        "performance.getEntriesByType('resource').filter(it => it.name.includes('/processes')).length";
    for (page, least_ms) in [("", 100), ("process.html?processname=says", 250)] {
        browser.open(&format!("{url}{page}"));
        browser.wait_for("document.querySelector('.state')?.innerText", "running");
        browser.value(&format!("globalThis.begun = [performance.now(), {requests}]"));
        for _ in 0..40 {
            assert!(sandbox.ctl(&["restart", "says"]).success);
        }
        let rate = format!("({requests} - begun[1]) / ((performance.now() - begun[0]) / {least_ms} + 2)");
        let rate: f64 = browser.value(&rate).unwrap().parse().unwrap();
        assert!(rate > 0.0 && rate <= 1.0, "{page}: {rate} requests in {least_ms} ms");
    }
}

#[test]
fn a_request_without_an_answer_ends() {
    let Some((mut browser, mut sandbox, url)) = visit(&format!("[program:cat]\n{CAT}")) else { return };
    sandbox.wait_state("cat", "RUNNING");
    browser.open(&format!("{url}process.html?processname=cat"));
    browser.wait_for("document.querySelector('.log .count').innerText", "live");
    sandbox.signal(Signal::STOP);
    press_label(&mut browser, ".tools", "Clear logs");
    press_label(&mut browser, "dialog", "Clear");
    browser.wait_for(
        "document.querySelector('[role=alert] p')?.innerText",
        "Clear logs cat: The supervisor does not answer",
    );
    sandbox.signal(Signal::CONT);
    press_label(&mut browser, ".tools", "Stop");
    sandbox.wait_state("cat", "STOPPED");
}

#[test]
fn what_the_role_does_not_include_is_not_offered() {
    if !have("chromium", browser::program().is_some()) {
        return;
    }
    let port = free_port();
    let server = format!("[inet_http_server]\nport=127.0.0.1:{port}\nrole=read\nread_logs=false\n");
    let group = format!("[program:web]\n{CAT}numprocs=2\nprocess_name=web_%(process_num)s\n");
    let mut sandbox = Sandbox::new(&format!("{HEAD}{server}[program:cat]\n{CAT}{group}")).start();
    sandbox.wait_state("web:web_1", "RUNNING");
    let mut browser = Browser::start(&browser::program().unwrap(), &sandbox.path("browser"));
    browser.record_violations();
    let url = format!("http://127.0.0.1:{port}/");
    let offered =
        "[...document.querySelectorAll('button, summary, .actions a')].filter(it => it.checkVisibility())
        .map(it => it.innerText).filter(it => !/^\\d|^\\?$/.test(it)).join()";
    browser.open(&url);
    wait_cell(&mut browser, "cat", "status", "running");
    browser.wait_for(offered, "");
    // Nor by its key.
    browser.key("j");
    browser.key("t");
    browser.open(&format!("{url}process.html?processname=cat"));
    browser.wait_for("document.querySelector('h1 .state')?.innerText", "running");
    browser.wait_for(offered, "");
    browser.wait_for("document.querySelector('#logs').checkVisibility()", "false");
    browser.key("t");
    // It is live all the same.
    let first = sandbox.pid("cat").unwrap();
    kill_process(first, Signal::KILL).unwrap();
    sandbox.wait("another process", |sandbox| sandbox.pid("cat").filter(|pid| *pid != first));
    browser.wait_for("document.querySelector('.why').innerText.includes('automatic ones: 1')", "true");
    browser.wait_for("document.querySelectorAll('[role=alert]').length", "0");
    no_violations(&mut browser);
    // With another role, after a restart, it is offered.
    sandbox.replace("supervisord.conf", "role=read\nread_logs=false", "role=operate");
    assert!(sandbox.ctl(&["reload"]).success);
    browser.wait_for("document.querySelector('#logs').checkVisibility()", "true");
    browser.wait_for(offered, "Restart,Stop,Clear logs,\u{2191},\u{2193},Pause,Wrap");
}

#[test]
fn the_page_of_a_process_shows_why_it_is_in_its_state() {
    let programs = format!("[program:db]\n{CAT}[program:web]\n{CAT}depends_on=db\n");
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("web", "RUNNING");
    browser.open(&format!("{url}process.html?processname=web"));
    browser.wait_for("document.querySelector('.why li')?.innerText.startsWith('RUNNING since ')", "true");
    browser.wait_for("document.querySelector('dd')?.innerText", "/bin/cat");
    assert!(sandbox.ctl(&["stop", "web"]).success);
    browser.wait_for("document.querySelector('.why li')?.innerText.startsWith('STOPPED since ')", "true");
    let change = "document.querySelector('.history tbody td:nth-child(2)').innerText";
    browser.wait_for(change, "STOPPING \u{2192} STOPPED");
    press_label(&mut browser, ".tools", "Start");
    sandbox.wait_state("web", "RUNNING");
    browser.wait_for("document.querySelector('h1 .state').innerText", "running");
    no_violations(&mut browser);
}

#[test]
fn names_are_text_whatever_is_in_them() {
    let name = "w\u{f6}rk<b>&\"\u{202e}'\u{1f512}";
    let Some((mut browser, mut sandbox, url)) = visit(&format!("[program:{name}]\n{CAT}")) else { return };
    sandbox.wait_state(name, "RUNNING");
    browser.open(&url);
    let shown = name.replace('\u{202e}', "\u{fffd}");
    wait_cell(&mut browser, name, "name", &shown);
    press(&mut browser, name, "stop");
    sandbox.wait_state(name, "STOPPED");
    wait_cell(&mut browser, name, "status", "stopped");
    let link = format!("{}?.querySelector('.name a')", row(name));
    browser.wait_for(&format!("{link} && ({link}.click(), true)"), "true");
    browser.wait_for("document.querySelector('h1 bdi')?.innerText", &shown);
    browser.wait_for("document.querySelectorAll('h1 b, .name b').length", "0");
    no_violations(&mut browser);
}

#[test]
fn a_status_that_a_program_reports_is_text_whatever_is_in_it() {
    let program = "[program:says]\nready=notify\n\
        command=/bin/sh -c 'echo $NOTIFY_SOCKET > %(here)s/socket; exec cat'\n";
    let Some((mut browser, mut sandbox, url)) = visit(program) else { return };
    sandbox.wait_file("socket", "\n");
    let socket = UnixDatagram::unbound().unwrap();
    socket.connect(sandbox.file("socket").trim()).unwrap();
    let hostile = "<img src=x onerror=\"globalThis.harm = 1\"><b>&amp;\u{1b}[31m\u{7}\u{9b}\u{202e}a\u{2066}b\u{200f}c\u{61c}d\u{200e}e";
    let shown = "<img src=x onerror=\"globalThis.harm = 1\"><b>&amp; [31m  \u{fffd}a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e";
    socket.send(format!("READY=1\nSTATUS={hostile}").as_bytes()).unwrap();
    sandbox.wait_state("says", "RUNNING");
    for (page, place) in
        [("", ".section .row .detail"), ("process.html?processname=says", ".why li:nth-child(2)")]
    {
        browser.open(&format!("{url}{page}"));
        let text = format!("document.querySelector('{place}')?.textContent.split('; pid ')[0]");
        browser.wait_for(&text, shown);
        browser.wait_for("document.querySelectorAll('main :is(img, .detail b, .why b)').length", "0");
        browser.wait_for("typeof globalThis.harm", "undefined");
        no_violations(&mut browser);
    }
}

#[test]
fn names_are_one_segment_of_an_address_whatever_is_in_them() {
    let names = ["a%2Fb", "q?x=y&z", "h#i", "p+q", "..", "\\;"];
    let programs: String = names.iter().map(|name| format!("[program:{name}]\n{CAT}")).collect();
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    for name in names {
        sandbox.wait_state(name, "RUNNING");
        browser.open(&url);
        let link = format!("{}?.querySelector('.name a')", row(name));
        browser.wait_for(&format!("{link} && ({link}.click(), true)"), "true");
        browser.wait_for("document.querySelector('h1 bdi')?.innerText", name);
        browser.wait_for("document.querySelector('.log .count').innerText", "live");
        send(&sandbox, name, "hello\n");
        browser.wait_for(FIRST_LINES, "hello");
        press_label(&mut browser, ".tools", "Stop");
        sandbox.wait_state(name, "STOPPED");
        browser.wait_for("document.querySelector('h1 .state').innerText", "stopped");
        no_violations(&mut browser);
    }
}

#[test]
fn of_a_thousand_rows_only_those_that_change_are_touched() {
    let group = |name: &str, count| {
        format!("[program:{name}]\n{CAT}autostart=false\nnumprocs={count}\nprocess_name=p%(process_num)04d\n")
    };
    let programs = group("many", 800) + &group("some", 200);
    let Some((mut browser, sandbox, url)) = visit(&programs) else { return };
    browser.resize(1280, 800, "light");
    // Its scripts run in the process of this address.
    browser.open(&format!("{url}images/icon.svg"));
    browser.wait_for("document.readyState", "complete");
    let mut before = browser.busy_secs();
    let mut is_quick = |browser: &mut Browser, what: &str| {
        let now = browser.busy_secs();
        // Several times what it takes, and far below what it would take if each row had to do with all others.
        assert!(now - before < 2.0, "{what} takes {} s", now - before);
        before = now;
    };
    browser.open(&url);
    let rows = "document.querySelectorAll('.section .row')";
    browser.wait_for(&format!("{rows}.length"), "1000");
    is_quick(&mut browser, "loading");
    let rendered = format!(
        "[...{rows}].filter(it => it.firstChild.checkVisibility({{contentVisibilityAuto: true}})).length"
    );
    let rendered: u32 = browser.value(&rendered).unwrap().parse().unwrap();
    assert!((10..100).contains(&rendered), "{rendered} rows are rendered");
    browser.value(
        "(globalThis.touched = new Set(), globalThis.moves = 0, new MutationObserver(changes => {
             for (const {target, addedNodes, removedNodes} of changes) {
                 const row = (target.closest ? target : target.parentElement).closest('.section .row');
                 if (row) touched.add(row.row.name);
                 moves += [...addedNodes, ...removedNodes].filter(it => it.row).length;
             }
         }).observe(document.querySelector('.list'),
             {subtree: true, childList: true, characterData: true, attributes: true}))",
    );
    assert!(sandbox.ctl(&["start", "many:p0500"]).success);
    wait_cell(&mut browser, "many:p0500", "status", "running");
    browser.wait_for("[...touched].join()", "many:p0500");
    is_quick(&mut browser, "one change");
    // Many at once.
    assert!(sandbox.ctl(&["start", "some:*"]).success);
    browser.wait_for("document.querySelector('[data-state=RUNNING] b').innerText", "201");
    browser.wait_for(
        "touched.size + [...touched].filter(it => !/^some:|^many:p0500$/.test(it)).join() + moves",
        "2010",
    );
    is_quick(&mut browser, "200 changes");
    browser.key("/");
    for key in "p0999".chars() {
        browser.key(&key.to_string());
    }
    browser.wait_for(&format!("{rows}.length"), "0");
    browser.key("Escape");
    browser.wait_for(&format!("{rows}.length"), "1000");
    browser.key("/");
    for key in "p0799".chars() {
        browser.key(&key.to_string());
    }
    browser.wait_for(&format!("{rows}.length"), "1");
    // At most each row goes, comes back and goes.
    browser.wait_for("moves <= 3000", "true");
    is_quick(&mut browser, "filtering");
}

/// axe-core, as a package for Python brings it.
fn axe() -> Option<PathBuf> {
    let folder = std::env::var_os("SV_AXE").map_or_else(|| PathBuf::from("target/axe"), PathBuf::from);
    let path = folder.join("axe_playwright_python/axe.min.js");
    have("axe-core", path.exists()).then_some(path)
}

fn axe_finds_nothing(browser: &mut Browser, axe: &Path) {
    let source = fs::read_to_string(axe).unwrap();
    browser.value(&format!("(() => {{ {source} }})()"));
    let findings = "axe.run().then(({violations}) => violations.map(({id, nodes}) => `${id}: ${nodes[0].html}`).join('; '))";
    assert_eq!(browser.value(findings).as_deref(), Some(""));
}

/// Sizes of windows that people have.
const SCREENS: [(&str, u32, u32); 3] = [("desktop", 1280, 800), ("tablet", 768, 1024), ("phone", 390, 844)];

/// Where the pictures are, so that people can look at them.
fn picture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pages/{name}.png"))
}

/// The first log shows its end.
const LOG_END: &str =
    "(it => it.scrollHeight - it.scrollTop - it.clientHeight < 2)(document.querySelector('.lines'))";

/// The same of the menu and the help, which cover the page.
fn covers_fit(browser: &mut Browser, axe: Option<&Path>, name: &str) {
    for (what, open, close) in [("menu", "summary", "summary"), ("help", ".help", "dialog button")] {
        let is_there = format!("document.querySelector('{open}') !== null");
        if browser.value(&is_there).as_deref() != Some("true") {
            continue;
        }
        browser.click(open);
        assert_eq!(browser.overflowing(), "", "{what} of {name}");
        if let Some(axe) = axe {
            axe_finds_nothing(browser, axe);
        }
        browser.picture(&picture(&format!("{name}-{what}")));
        browser.click(close);
        // A dialog that is closed takes keys and presses until it is removed.
        browser.wait_for("document.querySelector('dialog')", "null");
    }
}

#[test]
fn pages_fit_every_screen_and_are_accessible() {
    let long = format!("{}_without_an_end", "a_name".repeat(12));
    let programs = format!(
        "[program:db]\n{CAT}health=exec:/bin/true\nhealth_interval=0.1\n\
         [program:web]\n{CAT}depends_on=db\nnumprocs=3\nprocess_name=a_web_server_with_a_long_name_%(process_num)s\n\
         [program:broken]\ncommand=/nonexistent/with/a/long/path/that/does/not/fit\nstartretries=0\n\
         [program:once]\ncommand=/bin/false\nstartsecs=0\nautorestart=false\n\
         [program:{long}]\nstartsecs=0\n\
         command=/bin/sh -c 'seq -f \"GET /orders/%%g 200 with a query that is wider than a phone\" 40; echo {} >&2; exec cat'\n\
         depends_on=web\n",
        "x".repeat(300)
    );
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    let axe = axe();
    sandbox.wait_state("broken", "FATAL");
    sandbox.wait_state(&long, "RUNNING");
    let pages = [
        ("list", String::new()),
        ("process", "process.html?processname=web:a_web_server_with_a_long_name_1".to_owned()),
        ("broken", "process.html?processname=broken".to_owned()),
        ("long", format!("process.html?processname={long}")),
    ];
    for (name, address) in pages {
        browser.open(&format!("{url}{address}"));
        browser.wait_for("document.querySelector('.live .content, .live .cards') !== null", "true");
        browser.wait_for("document.querySelectorAll('.section .memory:not(:empty)').length === 5 || document.querySelector('dd') !== null", "true");
        if name == "long" {
            browser.wait_for("document.querySelectorAll('.log')[1].innerText.endsWith('xxx')", "true");
        }
        for (screen, width, height) in SCREENS {
            for scheme in ["light", "dark"] {
                browser.resize(width, height, scheme);
                browser.wait_for("innerWidth", &width.to_string());
                assert_eq!(browser.overflowing(), "", "{name} on a {screen}");
                if name == "long" {
                    // A log that is followed stays at its end when the window changes.
                    browser.wait_for(LOG_END, "true");
                }
                if let Some(axe) = &axe {
                    axe_finds_nothing(&mut browser, axe);
                }
                browser.picture(&picture(&format!("{name}-{screen}-{scheme}")));
                covers_fit(&mut browser, axe.as_deref(), &format!("{name}-{screen}-{scheme}"));
            }
        }
        if name == "long" {
            press_label(&mut browser, "#logs", "Wrap");
            browser.wait_for("document.querySelector('.wrap') !== null", "true");
            browser.wait_for(LOG_END, "true");
            // The graph, which is wider than a phone, shows the process itself.
            browser.open(&format!("{url}{address}"));
            browser.wait_for(
                "document.querySelector('.graph .current')?.getBoundingClientRect().right < innerWidth",
                "true",
            );
        }
        no_violations(&mut browser);
        // Names in the graph are cut to fit their boxes.
        let right = |part| format!("it.querySelector('{part}').getBoundingClientRect().right");
        let cut = format!(
            "[...document.querySelectorAll('.graph a')].filter(it => {} > {})",
            right(".name"),
            right("rect")
        );
        browser.wait_for(&format!("{cut}.length"), "0");
        // Nothing is loaded from elsewhere.
        let resources = "performance.getEntriesByType('resource').map(({name}) => name)";
        browser.wait_for(
            &format!(
                "{resources}.some(it => it.endsWith('.css')) && {resources}.some(it => it.endsWith('.js'))"
            ),
            "true",
        );
        browser.wait_for(
            &format!("{resources}.filter(it => new URL(it).origin !== location.origin).join()"),
            "",
        );
    }
}

#[test]
fn the_page_of_a_process_shows_what_it_depends_on() {
    let programs = format!(
        "[program:db]\n{CAT}[program:web]\n{CAT}depends_on=db\n\
         [program:late]\n{CAT}depends_on=web, off\n[program:off]\n{CAT}autostart=false\n"
    );
    let Some((mut browser, mut sandbox, url)) = visit(&programs) else { return };
    sandbox.wait_state("web", "RUNNING");
    browser.open(&format!("{url}process.html?processname=web"));
    let nodes =
        "[...document.querySelectorAll('.graph a')].map(node => node.getAttribute('aria-label')).join('; ')";
    browser.wait_for(&format!("{nodes}.startsWith('db, running; web, running; late, ')"), "true");
    // It is live.
    assert!(sandbox.ctl(&["stop", "web"]).success);
    browser.wait_for(&format!("{nodes}.startsWith('db, running; web, stopped; late, ')"), "true");
    no_violations(&mut browser);
}
