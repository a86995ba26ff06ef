//! What users copy: images, manifests, and the page about migration from other supervisors.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use sv::cli::{self, Action};
use sv::config::{Language, sample};

mod support;
use support::container::{Container, HEAD, SLEEPER, docker, image, static_busybox};
use support::{Sandbox, binary, have, static_binary};

/// What the image of the top Dockerfile may have beside the binary: links and folders.
const BESIDE_BYTES_MAX: u64 = 16 * 1024;

const MANIFESTS: [&str; 2] = ["examples/kubernetes/web.yaml", "examples/kubernetes/sidecar.yaml"];
const COMPOSE: &str = "docker/recipes/compose.yaml";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("cannot read '{path}': {error}"))
}

/// A folder with these files; it stays for the time of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sv-recipe-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_image_is_little_more_than_the_binary() {
    let Some(sv) = static_binary() else {
        have("a static binary of these sources (make static)", false);
        return;
    };
    if !have("docker", docker(&["info"]).success()) {
        return;
    }
    let folder = Folder::new("scratch");
    fs::copy(&sv, folder.0.join("sv")).unwrap();
    let recipe = root().join("docker/prebuilt.Dockerfile");
    let built = docker(&["build", "-q", "-f", recipe.to_str().unwrap(), folder.path()]);
    assert!(built.success(), "{}", built.stderr);
    let id = built.stdout.trim();
    let size: u64 = docker(&["inspect", "-f", "{{.Size}}", id]).stdout.trim().parse().unwrap();
    docker(&["rmi", id]);
    let of_binary = fs::metadata(&sv).unwrap().len();
    assert!(size <= of_binary + BESIDE_BYTES_MAX, "{size} bytes, the binary {of_binary}");
    // The one that compiles ends in the same image.
    let last_stage = |path| read(path).split("FROM scratch").last().unwrap().replace("--from=build /", "");
    assert_eq!(last_stage("Dockerfile"), last_stage("docker/prebuilt.Dockerfile"));
}

/// The image is what `make image` packs for the other architecture; its PID 1 is qemu, which runs the binary.
#[test]
#[ignore = "takes a binary of another architecture: make test-arch"]
fn an_image_for_another_architecture_supervises() {
    let arch = std::env::var("SV_TEST_ARCH").unwrap();
    let (platform, name) = match arch.as_str() {
        "x86_64" => ("linux/amd64", "amd64"),
        "aarch64" => ("linux/arm64", "arm64"),
        "armv7" => ("linux/arm/v7", "arm"),
        other => (&*format!("linux/{other}"), other),
    };
    let (qemu, busybox) = (PathBuf::from(std::env::var_os("SV_TEST_QEMU").unwrap()), static_busybox());
    if !have("docker", docker(&["info"]).success()) || !have("a static busybox", busybox.is_some()) {
        return;
    }
    let base = format!("sv-test-arch-{}", std::process::id());
    let mut make = Command::new("make");
    make.current_dir(root()).args(["-s", "image", "PREBUILT=1"]);
    let built = make.args([format!("PLATFORM={platform}"), format!("IMAGE={base}")]).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let of_image = docker(&["inspect", "-f", "{{.Os}} {{.Architecture}} {{.Config.Entrypoint}}", &base]);
    assert_eq!(of_image.stdout.trim(), format!("linux {name} [/sv]"));

    let folder = Folder::new("arch");
    fs::copy(qemu, folder.0.join("qemu")).unwrap();
    fs::copy(busybox.unwrap(), folder.0.join("busybox")).unwrap();
    let config = HEAD.replace("/var/log/supervisord.log", "/dev/null") + SLEEPER;
    let config = config.replace("/bin/sleep", "/busybox sleep");
    fs::write(folder.0.join("supervisord.conf"), config).unwrap();
    let recipe = format!(
        "FROM {base}\nCOPY qemu busybox /\nCOPY supervisord.conf /etc/\nENTRYPOINT [\"/qemu\", \"/sv\"]\n"
    );
    fs::write(folder.0.join("Dockerfile"), recipe).unwrap();
    let upon = docker(&["build", "-q", "--platform", platform, folder.path()]);
    assert!(upon.success(), "{}", upon.stderr);
    let image = upon.stdout.trim();
    let version = docker(&["run", "--rm", "--network", "none", "--platform", platform, image, "--version"]);
    let container = Container::of_image(image, &["--platform", platform, "--tmpfs", "/run"], &[]);
    container.start();
    container.wait_log("success: sleeper entered RUNNING state");
    let status = container.wait("an answer", || {
        let answer = container.exec(&["/qemu", "/sv", "status"]);
        answer.success().then_some(answer.stdout)
    });
    assert!(docker(&["stop", "-t", "60", &container.name]).success());
    let (code, logs) = (container.inspect("{{.State.ExitCode}}"), container.logs());
    drop(container);
    docker(&["rmi", &base]);
    assert!(version.stdout.starts_with(&format!("sv {} ", env!("CARGO_PKG_VERSION"))), "{}", version.stderr);
    assert!(status.starts_with("sleeper                          RUNNING   pid "), "{status}");
    assert_eq!(code, "0", "{logs}");
    assert!(logs.contains("stopped: sleeper (terminated by SIGTERM)"), "{logs}");
}

/// What is run in an image of the recipes: a program of the base's own libc, or a script for its shell.
struct App {
    base: &'static str,
    /// The compiler, or else it is a script.
    compiler: Option<&'static str>,
}

const APPS: [App; 3] = [
    App { base: "debian", compiler: None },
    App { base: "distroless", compiler: Some("cc") },
    App { base: "alpine", compiler: Some("musl-gcc") },
];

const SCRIPT: &str = "#!/bin/sh\ndpkg --version >/dev/null && echo at work\nexec sleep 100000\n";
const SOURCE: &str =
    "#include <unistd.h>\nint main(void) { write(1, \"at work\\n\", 8); for (;;) pause(); }\n";

/// An image that was made here; it goes when this goes.
struct Image(String);

impl Image {
    /// Upon what tests/setup/bases.sh has made in the place of the base that is written down.
    fn of_recipe(app: &App) -> Option<Self> {
        let sv = image()?;
        let bases = std::env::var_os("SV_BASES").map_or_else(|| root().join("target/bases"), PathBuf::from);
        let archive = bases.join(format!("{}.tar", app.base));
        if !have(&format!("the base {}", archive.display()), archive.exists()) {
            return None;
        }
        // By names, so that it stays when an image upon it goes.
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let run = format!("{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        let base = Self(format!("sv-test-base-{}-{run}", app.base));
        let imported = docker(&["import", archive.to_str().unwrap(), &base.0]);
        assert!(imported.success(), "{}", imported.stderr);
        let folder = Folder::new(&format!("{}-{run}", app.base));
        fs::create_dir(folder.0.join("app")).unwrap();
        app.make(&folder.0.join("app/web"));
        fs::write(folder.0.join("supervisord.conf"), read("docker/recipes/supervisord.conf")).unwrap();
        let recipe = root().join(format!("docker/recipes/{}.Dockerfile", app.base));
        let (sv, below) = (format!("SV={sv}"), format!("BASE={}", base.0));
        let tag = format!("sv-test-recipe-{}-{run}", app.base);
        // Without the cache: its layers may be those of another run that removes them right now.
        let options = ["build", "-q", "--no-cache", "--force-rm", "-t", &tag, "-f", recipe.to_str().unwrap()];
        let bases = ["--build-arg", &sv, "--build-arg", &below, folder.path()];
        let built = docker(&[&options[..], &bases].concat());
        assert!(built.success(), "{}: {}{}", app.base, built.stdout, built.stderr);
        Some(Self(tag))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["rmi", &self.0]);
    }
}

impl App {
    fn make(&self, path: &Path) {
        let Some(compiler) = self.compiler else {
            fs::write(path, SCRIPT).unwrap();
            return fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let source = path.with_extension("c");
        fs::write(&source, SOURCE).unwrap();
        let compiled = Command::new(compiler).arg("-o").arg(path).arg(&source).status();
        assert!(compiled.is_ok_and(|status| status.success()), "{compiler}");
    }
}

#[test]
fn the_recipes_build_check_their_configuration_and_become_healthy() {
    for app in APPS {
        let compiler = app.compiler.unwrap_or("cc");
        if !have(compiler, Command::new(compiler).arg("--version").output().is_ok()) {
            return;
        }
        let Some(image) = Image::of_recipe(&app) else { return };
        let container = Container::of_image(&image.0, &["--health-interval", "1s"], &[]);
        container.start();
        container.wait_log("at work\n");
        container.wait("Docker to find it healthy", || {
            (container.inspect("{{.State.Health.Status}}") == "healthy").then_some(())
        });
        assert!(docker(&["stop", "-t", "60", &container.name]).success());
        assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
    }
}

/// Programs as Debian's own package has them, in conf.d, without [supervisord].
const DEBIAN_PROGRAMS: &str = "[program:web]\ncommand=/app/web\nuser=www-data\nautorestart=true\n\
    stderr_logfile=/var/log/web.err.log\nstdout_logfile=/var/log/web.out.log\n";

#[test]
fn an_image_with_debians_supervisor_runs_with_two_lines_more() {
    let Some(sv) = image() else { return };
    let bases = std::env::var_os("SV_BASES").map_or_else(|| root().join("target/bases"), PathBuf::from);
    let archives = ["debian.tar", "supervisor.tar"].map(|name| bases.join(name));
    if !archives.iter().all(|path| have(&format!("the base {}", path.display()), path.exists())) {
        return;
    }
    let run = format!("sv-test-{}", std::process::id());
    let debian = Image(format!("{run}-debian"));
    assert!(docker(&["import", archives[0].to_str().unwrap(), &debian.0]).success());
    let folder = Folder::new("drop-in");
    fs::copy(&archives[1], folder.0.join("supervisor.tar")).unwrap();
    APPS[0].make(&folder.0.join("web"));
    fs::write(folder.0.join("web.conf"), DEBIAN_PROGRAMS).unwrap();
    let dockerfile = format!(
        "FROM {}\nADD supervisor.tar /\nCOPY web.conf /etc/supervisor/conf.d/web.conf\nCOPY web /app/web\n\
         CMD [\"/usr/bin/supervisord\", \"-n\", \"-c\", \"/etc/supervisor/supervisord.conf\"]\n",
        debian.0
    );
    fs::write(folder.0.join("Dockerfile"), dockerfile).unwrap();
    let build = |tag: &str, options: &[&str], context: &str| {
        let line = [&["build", "-q", "--no-cache", "--force-rm", "-t", tag], options, &[context]].concat();
        let built = docker(&line);
        assert!(built.success(), "{}{}", built.stdout, built.stderr);
        Image(tag.to_owned())
    };
    let yours = build(&format!("{run}-yours"), &[], folder.path());
    let recipes = root().join("docker/recipes");
    let recipe = recipes.join("drop-in.Dockerfile");
    let (sv, base) = (format!("SV={sv}"), format!("BASE={}", yours.0));
    let options = ["-f", recipe.to_str().unwrap(), "--build-arg", &sv, "--build-arg", &base];
    let ours = build(&format!("{run}-ours"), &options, recipes.to_str().unwrap());

    let container = Container::of_image(&ours.0, &[], &[]);
    container.start();
    container.wait("web to be RUNNING", || {
        container
            .exec(&["/sv", "status"])
            .stdout
            .starts_with("web                              RUNNING   pid ")
            .then_some(())
    });
    assert_eq!(container.exec(&["cat", "/var/log/web.out.log"]).stdout, "at work\n");
    let check = container.exec(&["/sv", "check", "--strict"]);
    assert_eq!(check.code, Some(0), "{}{}", check.stdout, check.stderr);
    assert!(docker(&["stop", "-t", "60", &container.name]).success());
    assert_eq!(container.inspect("{{.State.ExitCode}}"), "0", "{}", container.logs());
}

/// A project of the compose file, with the images of this run; it goes when this goes.
struct Project {
    name: String,
    tool: &'static [&'static str],
    override_file: PathBuf,
}

impl Project {
    /// The images, and what else is different in a test.
    fn new(name: &str, web: &str, folder: &Folder, variables: &str) -> Option<Self> {
        let tools: [&'static [&'static str]; 2] = [&["docker", "compose"], &["docker-compose"]];
        let is_there = |tool: &&&[&str]| {
            let mut command = Command::new(tool[0]);
            command.args(&tool[1..]).arg("version").output().is_ok_and(|output| output.status.success())
        };
        let tool = tools.iter().find(is_there);
        if !have("docker-compose", tool.is_some()) {
            return None;
        }
        let override_file = folder.0.join(format!("{name}.yaml"));
        let report = image()?;
        let text = format!(
            "services:\n  web:\n    image: {web}\n    network_mode: none\n    environment: {{{variables}}}\n    \
             healthcheck: {{interval: 1s, start_period: 0s}}\n  \
             report:\n    image: {report}\n    network_mode: none\n    \
             command: [\"--\", \"echo\", \"all is well\"]\n"
        );
        fs::write(&override_file, text).unwrap();
        let name = format!("svtest{name}{}", std::process::id());
        Some(Self { name, tool: tool?, override_file })
    }

    fn compose(&self, words: &[&str]) -> (bool, String) {
        let mut command = Command::new(self.tool[0]);
        command.args(&self.tool[1..]).args(["-p", &self.name, "-f"]).arg(root().join(COMPOSE));
        let output = command.arg("-f").arg(&self.override_file).args(words).output().unwrap();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        (output.status.success(), text.concat())
    }

    /// The ids of those that there are, also when they have ended.
    fn containers(&self, service: &str) -> String {
        let filters = [("project", self.name.as_str()), ("service", service)];
        let filters = filters.map(|(what, name)| format!("label=com.docker.compose.{what}={name}"));
        docker(&["ps", "-a", "-q", "-f", &filters[0], "-f", &filters[1]]).stdout
    }

    fn inspect(&self, service: &str, what: &str) -> String {
        docker(&["inspect", "-f", what, self.containers(service).trim()]).stdout.trim().to_owned()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.compose(&["down", "-t", "1"]);
    }
}

#[test]
fn a_service_of_the_compose_file_waits_until_the_other_is_healthy() {
    let Some(image) = Image::of_recipe(&APPS[0]) else { return };
    let folder = Folder::new("compose");
    let Some(project) = Project::new("well", &image.0, &folder, "") else { return };
    let (done, said) = project.compose(&["up", "-d"]);
    assert!(done, "{said}");
    assert_eq!(project.inspect("web", "{{.State.Health.Status}}"), "healthy", "{said}");
    assert_eq!(project.inspect("web", "{{.HostConfig.ReadonlyRootfs}} {{.Config.User}}"), "true 1000:1000");
    let started = |service| project.inspect(service, "{{.State.StartedAt}}");
    let checked = project.inspect("web", "{{(index .State.Health.Log 0).End}}");
    assert!(started("web") < started("report") && !checked.is_empty());
    let (done, status) = project.compose(&["exec", "-T", "web", "/sv", "status"]);
    assert!(done && status.starts_with("web                              RUNNING   pid "), "{status}");
    let (_, logs) = project.compose(&["logs", "--no-color"]);
    assert!(logs.contains("all is well") && logs.contains("at work"), "{logs}");
    let (done, said) = project.compose(&["stop"]);
    assert!(done && project.inspect("web", "{{.State.ExitCode}}") == "0", "{said}");
    let (done, said) = project.compose(&["down"]);
    assert!(done && project.containers("web").is_empty(), "{said}");

    // One that is not well is waited for in vain.
    let command = "SV_PROGRAM_WEB_COMMAND: /nope";
    let Some(project) = Project::new("ill", &image.0, &folder, command) else { return };
    let (done, said) = project.compose(&["up", "-d"]);
    assert!(!done && project.inspect("web", "{{.State.Health.Status}}") == "unhealthy", "{said}");
    assert_ne!(project.inspect("report", "{{.State.Status}}"), "exited", "{said}");
}

/// The documents of YAML files, those for Kubernetes held to the schemas of its API; `None` without them.
fn documents(paths: &[&str]) -> Option<Vec<Value>> {
    let paths: Vec<_> = paths.iter().map(|path| root().join(path)).collect();
    let output = read_documents(&paths)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn read_documents(paths: &[PathBuf]) -> Option<Output> {
    let folder = std::env::var_os("SV_KUBERNETES_BIN");
    let folder = folder.map_or_else(|| root().join("target/kubernetes/bin"), PathBuf::from);
    if !have("kubernetes-validate", folder.join("kubernetes-validate").exists()) {
        return None;
    }
    let script = root().join("tests/kubernetes/to_json.py");
    Some(Command::new(folder.join("python")).arg(script).args(paths).output().unwrap())
}

#[test]
fn the_pod_of_the_page_on_containers_is_valid() {
    let page = read("docs/containers.md");
    let pod = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = Folder::new("page");
    let path = folder.0.join("pod.yaml");
    fs::write(&path, pod).unwrap();
    // `restartPolicyRules` came with 1.34.
    let Some(output) = read_documents(&["--youngest".into(), path]) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_manifest_that_the_api_would_not_take_is_refused() {
    let folder = Folder::new("manifest");
    for (right, wrong, reported) in [
        ("readinessProbe:", "readynessProbe:", "readynessProbe"),
        ("periodSeconds: 5", "periodSeconds: often", "often"),
        ("  containers:", "  tins:", "containers"),
        ("kind: Pod", "kind: Pot", "pot-v1"),
    ] {
        let manifest = read("examples/kubernetes/sidecar.yaml");
        assert!(manifest.contains(right), "{right}");
        let path = folder.0.join("manifest.yaml");
        fs::write(&path, manifest.replacen(right, wrong, 1)).unwrap();
        let Some(output) = read_documents(&[path]) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(reported), "{wrong}: {said}");
    }
}

/// The pod of a document, with the labels that it has.
fn pod(document: &Value) -> Option<&Value> {
    match document["kind"].as_str()? {
        "Pod" => Some(&document["spec"]),
        "Deployment" => {
            let labels = &document["spec"]["template"]["metadata"]["labels"];
            assert_eq!(&document["spec"]["selector"]["matchLabels"], labels);
            Some(&document["spec"]["template"]["spec"])
        }
        _ => None,
    }
}

fn items(value: &Value) -> Vec<&Value> {
    value.as_array().map(|items| items.iter().collect()).unwrap_or_default()
}

/// Every command line in a document: those of containers, probes and hooks.
fn commands<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    if let Some(command) = value.get("command").or_else(|| value.get("test")) {
        found.push(command);
    }
    let inner = value.as_array().into_iter().flatten();
    for inner in inner.chain(value.as_object().into_iter().flat_map(|fields| fields.values())) {
        commands(inner, found);
    }
}

#[test]
fn the_manifests_are_valid_and_as_restricted_as_pods_can_be() {
    let Some(documents) = documents(&MANIFESTS) else { return };
    let pods: Vec<&Value> = documents.iter().filter_map(pod).collect();
    assert_eq!(pods.len(), 2);
    for pod in pods {
        let context = &pod["securityContext"];
        assert_eq!(context["runAsNonRoot"], true);
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
        let volumes: Vec<&Value> = items(&pod["volumes"]).into_iter().map(|volume| &volume["name"]).collect();
        for container in items(&pod["containers"]) {
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{container}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{container}");
            assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]), "{container}");
            for mount in items(&container["volumeMounts"]) {
                assert!(volumes.contains(&&mount["name"]), "{mount}");
            }
        }
    }
    assert!(documents.iter().filter_map(pod).any(|pod| pod["shareProcessNamespace"] == true));
}

#[test]
fn every_command_of_a_manifest_is_one_that_sv_knows() {
    let paths = [&MANIFESTS[..], &[COMPOSE]].concat();
    let Some(documents) = documents(&paths) else { return };
    let mut found = Vec::new();
    documents.iter().for_each(|document| commands(document, &mut found));
    assert!(found.len() >= 8, "{found:?}");
    for command in found {
        let words: Vec<&str> = items(command).iter().filter_map(|word| word.as_str()).collect();
        let words: Vec<&str> = words.into_iter().skip_while(|word| *word == "CMD").collect();
        assert_eq!(words[0], "/sv", "{command}");
        let parsed = cli::parse(words.iter().map(OsString::from).collect(), words.len() == 1);
        assert!(matches!(parsed, Action::Run(_) | Action::Client(_)), "{command}: {parsed:?}");
    }
}

#[test]
fn the_configuration_in_a_manifest_is_sound_within_the_pods_grace() {
    let Some(documents) = documents(&MANIFESTS[..1]) else { return };
    let map = documents.iter().find(|document| document["kind"] == "ConfigMap").unwrap();
    let config = map["data"]["supervisord.conf"].as_str().unwrap();
    // Its programs are in an image that is not here.
    let config = config.replace("/app/web", "/bin/sleep 1").replace("/app/worker", "/bin/sleep 2");
    let grace = documents.iter().find_map(pod).unwrap()["terminationGracePeriodSeconds"].to_string();
    let sandbox = Sandbox::new(&config.replace("/run/", "%(here)s/"));
    let mut check = sandbox.marked(Command::new(binary()));
    let output =
        check.arg("check").arg(sandbox.config()).args(["--strict", "--grace", &grace]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_option_of_supervisors_is_in_the_page_on_migration() {
    let page = read("docs/migration.md");
    let mut section = String::new();
    let (mut options, mut missing) = (0, Vec::new());
    for line in sample(Language::Ini).lines() {
        let line = line.trim_start_matches(';').trim();
        if let Some(header) = line.strip_prefix('[') {
            let kind = header.split([']', ':']).next().unwrap();
            section = page.split(&format!("#### [{kind}]\n")).nth(1).unwrap_or_default().to_owned();
            section.truncate(section.find("\n## ").unwrap_or(section.len()));
            section.truncate(section.find("\n#### ").unwrap_or(section.len()));
            if section.is_empty() && !is_ours(kind) {
                missing.push(format!("[{kind}]"));
            }
        } else if let Some(name) = option_of(line).filter(|_| !section.is_empty()) {
            options += 1;
            let is_program = section.contains("All of a program's") && page.contains(&row(name));
            if !section.contains(&row(name)) && !is_program {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty() && options > 70, "{options} options, not told of: {missing:?}");
}

/// Their options are those of their help, so that none of a later version is missed.
#[test]
fn every_option_of_tini_and_dumb_init_is_in_the_page_on_migration() {
    let page = read("docs/migration.md");
    let page = page.split("## From tini and dumb-init").nth(1).unwrap();
    for (name, hidden) in [("tini", ""), ("dumb-init", "DUMB_INIT_SETSID DUMB_INIT_DEBUG")] {
        let help = Command::new(name).arg("-h").output();
        if !have(name, help.is_ok()) {
            continue;
        }
        let help = help.unwrap();
        let help = String::from_utf8([help.stdout, help.stderr].concat()).unwrap();
        // Lines that begin with an option or a variable, with all that they have of them.
        let lines =
            help.lines().map(str::trim).filter(|line| line.starts_with('-') || line.starts_with("TINI_"));
        let words = lines.flat_map(|line| line.split("  ").next().unwrap_or_default().split([' ', ',', ':']));
        let options: Vec<&str> = words
            .filter(|word| word.starts_with('-') || word.starts_with("TINI_"))
            .chain(hidden.split_whitespace())
            .collect();
        assert!(options.len() >= 10, "{options:?}");
        let row = |option: &&str| {
            let of_it = |line: &&str| line.starts_with(&format!("| {name} ")) || line.contains("TINI_");
            page.lines().filter(of_it).any(|line| {
                line.split('`').skip(1).step_by(2).any(|code| code.split([' ', '=']).next() == Some(*option))
            })
        };
        let missing: Vec<&&str> = options.iter().filter(|option| !row(option)).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

fn row(option: &str) -> String {
    format!("\n| `{option}` | ")
}

/// Sections that Supervisor does not have, or in which it has no options of its own.
fn is_ours(kind: &str) -> bool {
    matches!(kind, "program-default" | "probe_http_server" | "ctlplugin")
}

/// The name of an option of Supervisor's in a line of the sample.
fn option_of(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once('=')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    (is_name && !rest.contains("sv only")).then_some(name)
}
