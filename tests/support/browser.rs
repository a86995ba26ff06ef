//! A headless browser, controlled through a pair of pipes.
//!
//! It is Chromium, and the language of the pipes is its DevTools protocol: JSON, each message ended by a
//! zero byte. No driver is needed and no package: https://chromedevtools.github.io/devtools-protocol.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::TIMEOUT;

/// The names that it goes by.
const PROGRAMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Where it is, if it is installed.
pub fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    PROGRAMS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.exists())
}

const OVERFLOWING: &str = "(() => {
    const scrolls = it => ['auto', 'scroll'].includes(getComputedStyle(it).overflowX);
    const isAbove = (it, fits) => it !== null && (fits(it) || isAbove(it.parentElement, fits));
    // What only screen readers find.
    const isUnseen = it => isAbove(it, above => getComputedStyle(above).clipPath === 'inset(50%)');
    const isCut = it => getComputedStyle(it).textOverflow === 'ellipsis' && it.title !== '';
    const isBeyond = it => {
        const {left, right} = it.getBoundingClientRect();
        return left < -0.5 || right > innerWidth + 0.5;
    };
    return [document.documentElement, ...document.querySelectorAll('body, body *')]
        .filter(it => it.checkVisibility() && !isUnseen(it))
        .filter(it => (it.clientWidth > 0 && it.scrollWidth > it.clientWidth && !isAbove(it, scrolls) && !isCut(it))
            || (isBeyond(it) && !isAbove(it.parentElement, scrolls)))
        .map(it => it.outerHTML.slice(0, 200)).join('; ');
})()";

/// A window of a browser, with one page.
#[derive(Debug)]
pub struct Window(String);

/// A browser and one of its pages, which the calls are about.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    replies: Receiver<Value>,
    session: Option<String>,
    asked: u64,
    /// Of the window, once it is resized.
    size: (u32, u32),
}

impl Browser {
    /// Starts it with an empty page. Its data and its temporary files are in this folder.
    pub fn start(program: &Path, folder: &Path) -> Self {
        let temporary = folder.join("tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        // It reads from descriptor 3 and writes to descriptor 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"])
            .arg(program)
            .args(["--headless", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--no-first-run", "about:blank"])
            // What the owner of a domain does who wants a browser to use a server on this machine.
            .arg("--host-resolver-rules=MAP rebound.example 127.0.0.1")
            .arg(format!("--user-data-dir={}", folder.display()))
            .env("TMPDIR", &temporary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (commands, replies) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(replies).split(0).map_while(Result::ok) {
                let message: Value = serde_json::from_slice(&message).unwrap();
                // The rest are events, which are ignored.
                if message["id"].is_u64() && sender.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser =
            Self { child, commands, replies: receiver, session: None, asked: 0, size: (1280, 800) };
        browser.open_window();
        browser
    }

    /// Opens another window with an empty page. The calls are about it from here on.
    pub fn open_window(&mut self) -> Window {
        self.session = None;
        let page = self.call("Target.createTarget", json!({"url": "about:blank", "newWindow": true}));
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let session = self.call("Target.attachToTarget", attach);
        let window = Window(session["sessionId"].as_str().unwrap().to_owned());
        self.turn_to(&window);
        window
    }

    /// The calls are about this page from here on.
    pub fn turn_to(&mut self, window: &Window) {
        self.session = Some(window.0.clone());
    }

    /// Opens an address as if it had been typed.
    pub fn open(&mut self, url: &str) {
        let outcome = self.call("Page.navigate", json!({"url": url, "transitionType": "typed"}));
        assert_eq!(outcome["errorText"], Value::Null, "{url}");
    }

    /// From here on the scripts of pages don't run. What tests evaluate still does.
    pub fn disable_scripts(&mut self) {
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": true}));
    }

    /// Has each page that is opened from here on record violations of its Content-Security-Policy.
    pub fn record_violations(&mut self) {
        let source = "globalThis.violations = []; document.addEventListener('securitypolicyviolation', \
                      event => violations.push(`${event.violatedDirective} ${event.blockedURI}`))";
        self.run_first(source);
    }

    /// Runs a script before those of each page that is opened from here on.
    pub fn run_first(&mut self, source: &str) {
        self.call("Page.enable", json!({}));
        self.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": source}));
    }

    /// Gives the window this size in pixels, and the person this preference of colors.
    pub fn resize(&mut self, width: u32, height: u32, scheme: &str) {
        self.size = (width, height);
        self.set_size(width, height);
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    fn set_size(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Saves a picture of the whole page as a PNG file, as in a window that is as high as the page: one that is not does not
    /// render all of it.
    pub fn picture(&mut self, path: &Path) {
        let (width, height) = self.size;
        let whole = self.value("document.documentElement.scrollHeight").unwrap().parse().unwrap();
        self.set_size(width, height.max(whole));
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
        self.capture(path);
        self.set_size(width, height);
    }

    /// Saves a picture of what is in the window as a PNG file.
    pub fn capture(&mut self, path: &Path) {
        let picture = self.call("Page.captureScreenshot", json!({}));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// The beginnings of visible elements whose content is wider than they are, or that are beyond the window. What scrolls
    /// may be wider, and so may what is cut with an ellipsis and has the whole text as its title.
    pub fn overflowing(&mut self) -> String {
        self.value(OVERFLOWING).expect("a page")
    }

    /// Seconds of processor time that the page has used, which don't depend on what else the machine does.
    pub fn busy_secs(&mut self) -> f64 {
        self.call("Performance.enable", json!({"timeDomain": "threadTicks"}));
        let all = self.call("Performance.getMetrics", json!({}));
        let metric = all["metrics"].as_array().unwrap().iter().find(|it| it["name"] == "TaskDuration");
        metric.unwrap()["value"].as_f64().unwrap()
    }

    /// Presses a key, by its name in the DOM.
    pub fn key(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            key if key.chars().count() == 1 => key,
            _ => "",
        };
        // What the browser itself does about a key, such as closing a dialog, it does by its code.
        let code = if key == "Escape" { 27 } else { 0 };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { text } else { "" };
            let event = json!({"type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code});
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Presses on the first element that fits.
    pub fn click(&mut self, selector: &str) {
        self.wait_for(
            &format!(
                "document.querySelector({selector:?}) && (document.querySelector({selector:?}).click(), true)"
            ),
            "true",
        );
    }

    /// Waits until an expression has this value, as text.
    pub fn wait_for(&mut self, expression: &str, value: &str) {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let found = self.value(expression);
            if found.as_deref() == Some(value) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "waited in vain for {value:?}: {expression} is {found:?} in {:?}",
                self.value("document.documentElement.outerHTML")
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What an expression comes to, as text; `None` between two pages and where there is nothing.
    pub fn value(&mut self, expression: &str) -> Option<String> {
        let expression = format!("(async () => String(await ({expression})))()");
        let ask = json!({"expression": expression, "awaitPromise": true});
        self.call("Runtime.evaluate", ask)["result"]["value"].as_str().map(str::to_owned)
    }

    /// What a call comes to; nothing if the page was left in the meantime.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        let mut message = json!({"id": self.asked, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let reply = self.replies.recv_timeout(TIMEOUT).unwrap();
            if reply["id"] == self.asked {
                return reply["result"].clone();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
