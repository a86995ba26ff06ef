//! What is there to be copied from: images, manifests, and the page for those who come from elsewhere.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sv::cli::{self, Action};
use sv::config::{Language, sample};

mod support;
use support::container::{Container, docker, image};
use support::{Sandbox, binary, have, static_binary};

/// What the image of the top Dockerfile may come to: it holds nothing but the binary.
const IMAGE_BYTES_MAX: u64 = 3 * 1024 * 1024;

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
fn the_image_is_the_binary_and_below_3_mb() {
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
    assert!(size < IMAGE_BYTES_MAX, "{size} bytes");
    // The one that compiles ends in the same image.
    let last_stage = |path| read(path).split("FROM scratch").last().unwrap().replace("--from=build /", "");
    assert_eq!(last_stage("Dockerfile"), last_stage("docker/prebuilt.Dockerfile"));
}

/// The bases can't be pulled everywhere: the image of the container tests takes their place, and all else
/// is as it is written.
#[test]
fn the_recipes_build_check_their_configuration_and_become_healthy() {
    let Some(image) = image() else { return };
    let folder = Folder::new("web");
    // A copy of what is there already is an empty layer, of which the builder loses track (moby 37965).
    fs::write(folder.0.join("Dockerfile"), format!("FROM {image}\nRUN [\"/bin/rm\", \"/sv\"]\n")).unwrap();
    let base = docker(&["build", "-q", "--no-cache", folder.path()]);
    assert!(base.success(), "{}", base.stderr);
    let base = base.stdout.trim();
    // Removing what is built upon it would remove it too, if nobody held it.
    let _holder = Container::of_image(base, &[], &[]);
    fs::create_dir(folder.0.join("app")).unwrap();
    fs::write(folder.0.join("app/web"), "#!/bin/sh\necho at work\nexec sleep 100000\n").unwrap();
    fs::set_permissions(folder.0.join("app/web"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.0.join("supervisord.conf"), read("docker/recipes/supervisord.conf")).unwrap();
    for name in ["debian", "alpine", "distroless"] {
        let recipe = root().join(format!("docker/recipes/{name}.Dockerfile"));
        let (sv, below) = (format!("SV={image}"), format!("BASE={base}"));
        let recipe = recipe.to_str().unwrap();
        // Without the cache: its layers may be those of another run that removes them right now.
        let options = ["build", "-q", "--no-cache", "--force-rm", "-f", recipe];
        let bases = ["--build-arg", &sv, "--build-arg", &below, folder.path()];
        let built = docker(&[&options[..], &bases].concat());
        assert!(built.success(), "{name}: {}{}", built.stdout, built.stderr);
        let container = Container::of_image(built.stdout.trim(), &["--health-interval", "1s"], &[]);
        container.start();
        container.wait_log("at work\n");
        container.wait("Docker to find it healthy", || {
            (container.inspect("{{.State.Health.Status}}") == "healthy").then_some(())
        });
    }
}

/// The documents of YAML files, held to the schema of the API; `None` where Python can't read them.
fn documents(paths: &[&str]) -> Option<Vec<Value>> {
    let ready = |python: &str| {
        let asked = Command::new(python).args(["-c", "import jsonschema, yaml"]).output();
        asked.is_ok_and(|output| output.status.success())
    };
    let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| ready(python));
    if !have("python3 with yaml and jsonschema", python.is_some()) {
        return None;
    }
    let script = root().join("tests/kubernetes/to_json.py");
    let paths = paths.iter().map(|path| root().join(path));
    let output = Command::new(python?).arg(script).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
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

fn row(option: &str) -> String {
    format!("\n| `{option}` | ")
}

/// Sections that Supervisor does not have, or in which it has no options of its own.
fn is_ours(kind: &str) -> bool {
    matches!(kind, "program-default" | "ctlplugin")
}

/// The name of an option of Supervisor's in a line of the sample.
fn option_of(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once('=')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c));
    (is_name && !rest.contains("sv only") && name != "event_length").then_some(name)
}

/// Links in what is read most lead somewhere.
#[test]
fn the_readme_links_to_files_that_are_there() {
    let readme = read("README.md");
    let anchor = |heading: &str| format!("#{}", heading.to_lowercase().replace(' ', "-"));
    let anchors: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    for link in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let is_there = || match link.strip_prefix('#') {
            Some(_) => anchors.iter().any(|anchor| anchor == link),
            None => Path::new(&root()).join(link).exists(),
        };
        assert!(link.contains("://") || is_there(), "{link}");
    }
}
