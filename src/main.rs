//! The binary: all of it is in the library.
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sv::cli::Action;
use sv::config::Surroundings;
use sv::model::{User, UserId};

struct Here(Vec<(String, String)>);

impl Surroundings for Here {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }
    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }
    fn glob(&self, _: &str) -> Vec<PathBuf> {
        Vec::new()
    }
    fn environment(&self) -> &[(String, String)] {
        &self.0
    }
    fn current_dir(&self) -> PathBuf {
        std::env::current_dir().unwrap_or_default()
    }
    fn temp_dir(&self) -> PathBuf {
        std::env::temp_dir()
    }
    fn home_dir(&self, _: Option<&str>) -> Option<PathBuf> {
        None
    }
    fn host_node_name(&self) -> String {
        String::new()
    }
    fn user_by_name(&self, _: &str) -> Option<User> {
        None
    }
    fn user_by_id(&self, _: UserId) -> Option<User> {
        None
    }
    fn group_id(&self, _: &str) -> Option<UserId> {
        None
    }
    fn group_exists(&self, _: UserId) -> bool {
        false
    }
}

fn main() -> ExitCode {
    let around = Here(std::env::vars().collect());
    match sv::cli::parse(std::env::args_os().collect(), std::process::id() == 1) {
        Action::Print { text, code, to_stderr: true } => {
            eprint!("{text}");
            code.into()
        }
        Action::Print { text, code, .. } => {
            print!("{text}");
            code.into()
        }
        Action::Client(options) => sv::ctl::run(&options, &around).into(),
        Action::Pidproxy { pid_file, command } => sv::pidproxy::run(&pid_file, &command).into(),
        Action::Run(_) | Action::Sample => ExitCode::FAILURE,
    }
}
