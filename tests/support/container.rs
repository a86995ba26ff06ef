//! The static binary in containers of an image FROM scratch, with busybox applets as programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{TIMEOUT, have, static_binary};

/// The sections that the configurations of containers start with.
pub const HEAD: &str = "\
[supervisord]
logfile=/var/log/supervisord.log
pidfile=/run/supervisord.pid
user=root

[unix_http_server]
file=/run/supervisor.sock

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix:///run/supervisor.sock

";

/// A program that does nothing, for long.
pub const SLEEPER: &str = "[program:sleeper]\ncommand=/bin/sleep 100000\nstartsecs=0\n";

/// A container of the test image; it goes when this goes.
pub struct Container {
    pub name: String,
    /// Of its own, if it has one: goes with it.
    image: Option<String>,
}

impl Container {
    /// Starts bare `sv` as PID 1 with this as its /etc/supervisord.conf. `None`: this machine cannot, skip.
    pub fn pid1(config: &str) -> Option<Self> {
        let container = Self::create(&[], &[])?;
        container.copy_in("/etc/supervisord.conf", config);
        container.start();
        Some(container)
    }

    pub fn create(options: &[&str], arguments: &[&str]) -> Option<Self> {
        Some(Self::create_from(IMAGE.as_deref()?, options, arguments))
    }

    /// The same from an image that holds this as /etc/supervisord.conf: nothing can be copied into what is
    /// read-only.
    pub fn configured(options: &[&str], arguments: &[&str], config: &str) -> Option<Self> {
        let mould = Self::create(&[], &[])?;
        mould.copy_in("/etc/supervisord.conf", config);
        let committed = docker(&["commit", &mould.name]);
        assert!(committed.success(), "{}", committed.stderr);
        let image = committed.stdout.trim().to_owned();
        Some(Self::of_image(&image, options, arguments))
    }

    /// A container of an image of its own.
    pub fn of_image(image: &str, options: &[&str], arguments: &[&str]) -> Self {
        let mut container = Self::create_from(image, options, arguments);
        container.image = Some(image.to_owned());
        container
    }

    fn create_from(image: &str, options: &[&str], arguments: &[&str]) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let name = format!("sv-test-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        let container = Container { name, image: None };
        // No network: a container starts the sooner for it.
        let line =
            [&["create", "--name", &container.name, "--network", "none"], options, &[image], arguments]
                .concat();
        let created = docker(&line);
        assert!(created.success(), "{}", created.stderr);
        container
    }

    pub fn start(&self) {
        let started = docker(&["start", &self.name]);
        assert!(started.success(), "{}", started.stderr);
    }

    /// Copies a file in. Not a bind mount, so that the engine may be on another machine.
    pub fn copy_in(&self, path: &str, text: &str) {
        let file = std::env::temp_dir().join(format!("{}.copy", self.name));
        fs::write(&file, text).unwrap();
        let copied = docker(&["cp", file.to_str().unwrap(), &format!("{}:{path}", self.name)]);
        fs::remove_file(&file).unwrap();
        assert!(copied.success(), "{}", copied.stderr);
    }

    /// What a file holds, also when the container has ended.
    pub fn copy_out(&self, path: &str) -> String {
        let file = std::env::temp_dir().join(format!("{}.copied", self.name));
        let copied = docker(&["cp", &format!("{}:{path}", self.name), file.to_str().unwrap()]);
        assert!(copied.success(), "{}", copied.stderr);
        let text = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        text
    }

    pub fn exec(&self, line: &[&str]) -> Answer {
        docker(&[&["exec", self.name.as_str()], line].concat())
    }

    pub fn signal(&self, name: &str) {
        assert!(docker(&["kill", "-s", name, &self.name]).success());
    }

    pub fn inspect(&self, what: &str) -> String {
        docker(&["inspect", "-f", what, &self.name]).stdout.trim().to_owned()
    }

    /// All that the container wrote to its terminal.
    pub fn logs(&self) -> String {
        let logs = docker(&["logs", &self.name]);
        logs.stdout + &logs.stderr
    }

    pub fn zombies(&self) -> usize {
        let script = "cat /proc/[0-9]*/status 2>/dev/null | grep -c '^State:.Z'";
        self.exec(&["sh", "-c", script]).stdout.trim().parse().unwrap()
    }

    pub fn wait_ready(&self) {
        self.wait("an answer", || self.exec(&["/sv", "pid"]).success().then_some(()));
    }

    pub fn wait_log(&self, text: &str) {
        self.wait(&format!("{text:?} in the log"), || self.logs().contains(text).then_some(()));
    }

    pub fn wait_exit(&self) {
        self.wait("the container to end", || (self.inspect("{{.State.Status}}") == "exited").then_some(()));
    }

    pub fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + TIMEOUT;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < deadline, "waited in vain for {what}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        docker(&["rm", "-f", &self.name]);
        if let Some(image) = &self.image {
            docker(&["rmi", image]);
        }
    }
}

pub struct Answer {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

pub fn docker(arguments: &[&str]) -> Answer {
    let Ok(Output { status, stdout, stderr }) = Command::new("docker").args(arguments).output() else {
        return Answer { code: None, stdout: String::new(), stderr: "there is no docker".to_owned() };
    };
    Answer {
        code: status.code(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// The test image, built once for all tests of this run; `None` when something for it is missing.
static IMAGE: LazyLock<Option<String>> = LazyLock::new(|| {
    let (sv, busybox) = (static_binary(), static_busybox());
    let there = have("docker", docker(&["info"]).success())
        && have("a static binary of these sources (make static)", sv.is_some())
        && have("a static busybox", busybox.is_some());
    if there { Some(build(&sv?, &busybox?)) } else { None }
});

/// The same for images that are built upon it.
pub fn image() -> Option<&'static str> {
    IMAGE.as_deref()
}

/// Its tags are the process ids of the runs that made them.
const REPOSITORY: &str = "sv-test-pid1";

fn build(sv: &PathBuf, busybox: &PathBuf) -> String {
    let context = std::env::temp_dir().join(format!("sv-image-{}", std::process::id()));
    fs::create_dir_all(&context).unwrap();
    fs::copy(sv, context.join("sv")).unwrap();
    fs::copy(busybox, context.join("busybox")).unwrap();
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/pid1.Dockerfile");
    forget_images_of_ended_runs();
    // The run's own, for another run on this machine may test another binary at the same time.
    let tag = format!("{REPOSITORY}:{}", std::process::id());
    let built = docker(&["build", "-q", "-t", &tag, "-f", recipe, context.to_str().unwrap()]);
    fs::remove_dir_all(&context).unwrap();
    assert!(built.success(), "{}", built.stderr);
    tag
}

/// Nothing runs at the end of all tests, so each run removes what earlier ones left.
fn forget_images_of_ended_runs() {
    let tags = docker(&["images", "--format", "{{.Tag}}", REPOSITORY]).stdout;
    for tag in tags.lines().filter(|tag| !Path::new("/proc").join(tag).exists()) {
        docker(&["rmi", &format!("{REPOSITORY}:{tag}")]);
    }
}

pub fn static_busybox() -> Option<PathBuf> {
    let paths = ["/usr/bin/busybox", "/bin/busybox"].map(PathBuf::from);
    let busybox = paths.into_iter().find(|path| path.exists())?;
    // ldd fails for what is not dynamically linked.
    let dynamic = Command::new("ldd").arg(&busybox).output().is_ok_and(|output| output.status.success());
    (!dynamic).then_some(busybox)
}
