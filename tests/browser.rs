//! The web pages in a real browser that runs no scripts: links are pressed, and what the browser reports about where a
//! request comes from decides whether anything is done.

#![allow(clippy::unwrap_used, reason = "all of this file is a test, its helpers included")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;

use support::browser::{self, Browser};
use support::{HEAD, Sandbox, free_port, have};
use sv::xmlrpc::encode_call;

const PROGRAMS: &str = "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n\
    [program:w\u{f6}rk<b>&\"\u{1f512}]\ncommand=/bin/cat\nstartsecs=0\n";

/// A browser and a supervisor with its pages at this address; `None` without a browser.
fn visit() -> Option<(Browser, Sandbox, String)> {
    let program = browser::program();
    if !have("chromium", program.is_some()) {
        return None;
    }
    let port = free_port();
    let config = format!("{HEAD}[inet_http_server]\nport=127.0.0.1:{port}\n{PROGRAMS}");
    let mut sandbox = Sandbox::new(&config).start();
    sandbox.wait_state("cat", "RUNNING");
    let mut browser = Browser::start(&program?, &sandbox.path("browser"));
    browser.disable_scripts();
    Some((browser, sandbox, format!("http://127.0.0.1:{port}/")))
}

const MESSAGE: &str = "document.querySelector('.status_msg')?.innerText";

/// The row of a process.
fn row(name: &str) -> String {
    format!("[...document.querySelectorAll('tbody tr')].find(row => row.children[2].innerText == {name:?})")
}

/// Presses on a link in the row of a process.
fn press(browser: &mut Browser, name: &str, label: &str) {
    let link = format!("{}?.querySelector('[name=\"{label}\"]')", row(name));
    browser.wait_for(&format!("{link} && ({link}.click(), true)"), "true");
}

fn is_in_state(browser: &mut Browser, name: &str, state: &str) {
    browser.wait_for(&format!("{}?.children[0].innerText", row(name)), state);
}

#[test]
fn links_work_in_a_browser() {
    let Some((mut browser, mut sandbox, url)) = visit() else { return };
    browser.open(&url);
    is_in_state(&mut browser, "cat", "running");
    // The policy of the page lets its own style through.
    let weight = "getComputedStyle(document.querySelector('.statusrunning')).fontWeight";
    browser.wait_for(weight, "600");
    for name in ["cat", "w\u{f6}rk<b>&\"\u{1f512}"] {
        let before = sandbox.pid(name);
        press(&mut browser, name, "Restart");
        browser.wait_for(MESSAGE, &format!("Process {name} restarted"));
        is_in_state(&mut browser, name, "running");
        assert_ne!(sandbox.pid(name), before, "{name}");
        press(&mut browser, name, "Stop");
        browser.wait_for(MESSAGE, &format!("Process {name} stopped"));
        is_in_state(&mut browser, name, "stopped");
        press(&mut browser, name, "Start");
        browser.wait_for(MESSAGE, &format!("Process {name} started"));
        press(&mut browser, name, "Clear Log");
        browser.wait_for(MESSAGE, &format!("Log for {name} cleared"));
    }
    // What stops everything is asked for twice.
    let before = sandbox.pid("cat");
    browser.click("#buttons li:nth-child(3) a");
    browser.wait_for("document.querySelector('h1')?.innerText", "Stop All");
    browser.click(".action-button a");
    is_in_state(&mut browser, "cat", "running");
    assert_eq!(sandbox.pid("cat"), before);
    browser.click("#buttons li:nth-child(3) a");
    browser.click("button");
    is_in_state(&mut browser, "cat", "stopped");
    sandbox.wait_state("cat", "STOPPED");
    // An address that was typed is meant as well.
    browser.open(&format!("{url}index.html?processname=cat&action=start"));
    browser.wait_for(MESSAGE, "Process cat started");
}

#[test]
fn a_log_is_shown_as_it_is_in_a_browser() {
    let Some((mut browser, mut sandbox, url)) = visit() else { return };
    let text = "<b>&amp; h\u{e9}llo \u{1f512}";
    let program =
        format!("{PROGRAMS}[program:says]\ncommand=/bin/echo '{text}'\nstartsecs=0\nautorestart=false\n");
    let config = sandbox.file("supervisord.conf").replace(PROGRAMS, &program);
    sandbox.write("supervisord.conf", &config);
    assert!(sandbox.ctl(&["update"]).success);
    sandbox.wait_state("says", "EXITED");
    browser.open(&format!("{url}tail.html?processname=says"));
    browser.wait_for("document.querySelector('pre')?.innerText.trim()", text);
    browser.click("#buttons a");
    browser.wait_for("document.querySelector('pre')?.innerText.trim()", text);
    browser.click("#buttons li:last-child a");
    browser.wait_for("document.querySelector('h1')?.innerText", "Supervisor Status");
}

#[test]
fn a_log_on_standard_error_is_shown_and_an_empty_one_has_no_box() {
    let Some((mut browser, mut sandbox, url)) = visit() else { return };
    let program = format!(
        "{PROGRAMS}[program:errs]\ncommand=/bin/sh -c 'echo oh no >&2'\nstartsecs=0\nautorestart=false\n"
    );
    let config = sandbox.file("supervisord.conf").replace(PROGRAMS, &program);
    sandbox.write("supervisord.conf", &config);
    assert!(sandbox.ctl(&["update"]).success);
    sandbox.wait_state("errs", "EXITED");
    browser.open(&format!("{url}tail.html?processname=errs"));
    browser.wait_for("document.querySelectorAll('pre')[1]?.innerText.trim()", "oh no");
    browser.wait_for("document.querySelectorAll('pre')[0].offsetHeight", "0");
    browser.open(&format!("{url}?message=ERROR:%20Process%20x:%20spawn%20error"));
    let color = "getComputedStyle(document.querySelector('.status_msg')).color";
    browser.wait_for(color, "rgb(179, 22, 27)");
}

#[test]
fn a_name_that_others_can_own_leads_to_no_page() {
    let Some((mut browser, sandbox, url)) = visit() else { return };
    let (rebound, before) = (url.replace("127.0.0.1", "rebound.example"), sandbox.pid("cat"));
    for target in ["", "tail.html?processname=cat", "index.html?action=stopall", "logtail/cat"] {
        browser.open(&format!("{rebound}{target}"));
        browser.wait_for("document.querySelector('h1')?.innerText", "403 Forbidden");
    }
    // To the browser this is a call of a page to its own site.
    let call = String::from_utf8(encode_call("supervisor.stopProcess", &["cat".into()])).unwrap();
    let fetch = format!("fetch('RPC2', {{method: 'POST', body: {call:?}}}).then(answer => answer.status)");
    browser.wait_for(&fetch, "403");
    assert_eq!(sandbox.pid("cat"), before);
    browser.open(&url.replace("127.0.0.1", "localhost"));
    browser.wait_for("document.querySelector('h1')?.innerText", "Supervisor Status");
}

/// The address of a page with this text, on a server of its own.
fn elsewhere(html: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A browser may open a connection in advance and say nothing.
            if stream.read(&mut [0; 8192]).is_ok_and(|count| count > 0) {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    html.len()
                );
                _ = stream.write_all((head + &html).as_bytes());
            }
        }
    });
    format!("http://localhost:{port}/")
}

#[test]
fn a_browser_does_nothing_for_pages_of_other_sites() {
    let Some((mut browser, mut sandbox, url)) = visit() else { return };
    let before = sandbox.pid("cat");
    let call = String::from_utf8(encode_call("supervisor.stopProcess", &["cat".into()])).unwrap();
    let page = elsewhere(format!(
        "<a href='{url}index.html?processname=cat&action=stop'>a picture of a cat</a>\
         <img src='{url}index.html?processname=cat&action=stop'>"
    ));
    browser.open(&page);
    // What a script can send without being asked for leave, and whose answer it does not get to see.
    let fetch = format!(
        "fetch('{url}RPC2', {{method: 'POST', mode: 'no-cors', body: {call:?}}}).then(answer => answer.type)"
    );
    browser.wait_for(&fetch, "opaque");
    sandbox.wait_log("refused a call");
    browser.click("a");
    browser.wait_for("document.querySelector('h1')?.innerText", "403 Forbidden");
    assert_eq!(sandbox.pid("cat"), before);
    // A press on our own button stops it.
    browser.click("button");
    browser.wait_for(MESSAGE, "Process cat stopped");
    sandbox.wait_state("cat", "STOPPED");
}

#[test]
fn the_page_of_a_process_needs_no_scripts() {
    let Some((mut browser, _sandbox, url)) = visit() else { return };
    browser.open(&format!("{url}tail.html?processname=cat"));
    browser.click("#buttons a[href^=process]");
    browser.wait_for("document.querySelector('h1')?.innerText", "cat");
    browser.wait_for("document.querySelector('.statusrunning')?.innerText", "running");
    browser.wait_for("document.querySelector('dd')?.innerText", "/bin/cat");
    browser.wait_for(
        "document.querySelector('tbody tr:last-child td:nth-child(2)')?.innerText",
        "STOPPED \u{2192} STARTING",
    );
    browser.click("#buttons li:last-child a");
    browser.wait_for("document.querySelector('h1')?.innerText", "Supervisor Status");
}

#[test]
fn pages_without_scripts_fit_every_screen() {
    let Some((mut browser, _sandbox, url)) = visit() else { return };
    for (name, page) in [
        ("plain-list", ""),
        ("plain-process", "process.html?processname=cat"),
        ("plain-log", "tail.html?processname=cat"),
    ] {
        browser.open(&format!("{url}{page}"));
        browser.wait_for("document.readyState + (document.querySelector('h1') !== null)", "completetrue");
        for width in [1280, 768, 390] {
            for scheme in ["light", "dark"] {
                browser.resize(width, 800, scheme);
                browser.wait_for("innerWidth", &width.to_string());
                assert_eq!(browser.overflowing(), "", "{name} with {width} pixels");
                let file = format!("pages/{name}-{width}-{scheme}.png");
                browser.capture(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(file));
            }
        }
    }
}
