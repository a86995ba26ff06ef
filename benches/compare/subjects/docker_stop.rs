//! How long does `docker stop` take if the program exits at once?

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use super::boot::repeat;
use super::{Run, SLEEPER, TIMEOUT, attempt, millis};
use crate::Outcome;
use crate::peers::{Kind, Peer, Service};
use crate::table::Table;

/// Where /usr is merged, these lead there; with /usr of this machine all of its programs run.
const LINKS: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

pub(crate) fn measure(run: &Run<'_>) -> Outcome<Table> {
    let rounds = run.arguments.rounds(15);
    let mut table = Table::new(
        "docker-stop",
        format!("`docker stop` of a container with one `sleep`, median of up to {rounds}"),
        &["ms"],
    );
    let Ok(image) = Image::make(&run.folder()?) else {
        table.note("skipped: docker does not answer".to_owned());
        return Ok(table);
    };
    let floor = || {
        let dir = run.folder()?;
        image.stop(&dir, &[], &SLEEPER.map(str::to_owned), "0")
    };
    if let Some(took) = attempt("docker-stop", "floor", || repeat(rounds, floor)) {
        table.row("floor: killed at once", vec![took]);
    }
    // Participants that do not stop their programs on TERM are excluded.
    for peer in run
        .peers
        .iter()
        .filter(|peer| !matches!(peer.kind, Kind::Runit | Kind::S6 | Kind::Dinit | Kind::Nitro))
    {
        let took = attempt("docker-stop", peer.kind.name(), || repeat(rounds, || one(run, peer, &image)));
        if let Some(took) = took {
            table.row(peer.kind.name(), vec![took]);
        }
    }
    Ok(table)
}

fn one(run: &Run<'_>, peer: &Peer, image: &Image) -> Outcome<f64> {
    let dir = run.folder()?;
    let words = peer.command(&dir, &Service::many(1, &SLEEPER, 0))?;
    image.stop(&dir, &folders(peer), &words, "60")
}

/// The folder of its programs with everything they need: for supervisord the environment and its Python.
fn folders(peer: &Peer) -> Vec<PathBuf> {
    let pythons =
        peer.programs.iter().filter_map(|program| program.with_file_name("python3").canonicalize().ok());
    let programs = peer.programs.iter().cloned().chain(pythons);
    programs.filter_map(|program| Some(program.parent()?.parent()?.to_owned())).collect()
}

/// An image without programs; it goes when this goes.
struct Image(String);

impl Image {
    fn make(dir: &Path) -> Outcome<Self> {
        let root = dir.join("root");
        fs::create_dir_all(root.join("usr"))?;
        LINKS.iter().try_for_each(|link| symlink(format!("usr/{link}"), root.join(link)))?;
        let archive = dir.join("root.tar");
        let packed = Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status()?;
        if !packed.success() {
            return Err("tar failed".into());
        }
        docker(&["import", &archive.display().to_string()]).map(Self)
    }

    /// Starts these words with these folders of the machine, and gives the milliseconds that stopping it takes.
    fn stop(&self, dir: &Path, folders: &[PathBuf], words: &[String], timeout: &str) -> Outcome<f64> {
        let mut line: Vec<String> =
            ["run", "-d", "--network", "none", "-v", "/usr:/usr:ro"].map(str::to_owned).into();
        // What is in /usr is there already.
        let folders =
            folders.iter().filter(|folder| !folder.starts_with("/usr") && folder.parent().is_some());
        let mut volumes: Vec<String> =
            folders.map(|folder| format!("{0}:{0}:ro", folder.display())).collect();
        volumes.push(format!("{0}:{0}", dir.display()));
        volumes.sort();
        volumes.dedup();
        line.extend(volumes.into_iter().flat_map(|volume| ["-v".to_owned(), volume]));
        line.push(self.0.clone());
        let line: Vec<&str> = line.iter().chain(words).map(String::as_str).collect();
        let container = Container(docker(&line)?);
        container.wait_for(SLEEPER[0])?;
        let began = Instant::now();
        docker(&["stop", "-t", timeout, &container.0])?;
        Ok(millis(began.elapsed()))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        _ = docker(&["rmi", &self.0]);
    }
}

struct Container(String);

impl Container {
    fn wait_for(&self, program: &str) -> Outcome<()> {
        let deadline = Instant::now() + TIMEOUT;
        // An init's own command line has the program's name too, but not as its first word.
        while !docker(&["top", &self.0, "-o", "pid,comm"])?.lines().any(|line| line.ends_with(program)) {
            if Instant::now() > deadline {
                return Err(format!("it does not run: {}", docker(&["logs", &self.0])?).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        _ = docker(&["rm", "-f", &self.0]);
    }
}

/// What it prints.
fn docker(words: &[&str]) -> Outcome<String> {
    let output = Command::new("docker").args(words).stdin(Stdio::null()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
