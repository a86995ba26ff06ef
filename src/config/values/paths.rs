//! Paths: expansion of `~`, and checks for existence.

use std::path::{Component, Path, PathBuf};

use super::super::machine::Machine;

/// The path of a file that may not exist yet, in a directory that must.
pub(crate) fn in_existing(
    text: &str,
    machine: &dyn Machine,
    is_dir: impl FnOnce(&Path) -> bool,
) -> Result<PathBuf, String> {
    match parent_of(text, machine) {
        Some(parent) if !is_dir(&parent) => {
            Err(format!("The directory named as part of the path {text} does not exist"))
        }
        _ => Ok(with_home(text, machine)),
    }
}

/// The directory part of a path, if it has one.
pub(crate) fn parent_of(text: &str, machine: &dyn Machine) -> Option<PathBuf> {
    let path = with_home(text, machine);
    let parent = if text.ends_with('/') { Some(path.as_path()) } else { path.parent() };
    parent.filter(|parent| *parent != Path::new("")).map(Path::to_owned)
}

/// The path of a directory that must exist.
pub(crate) fn existing_directory(text: &str, machine: &dyn Machine) -> Result<PathBuf, String> {
    let path = with_home(text, machine);
    let exists = !text.is_empty() && machine.is_dir(&path);
    if exists { Ok(path) } else { Err(format!("{text} is not an existing directory")) }
}

/// [`absolute`], after expanding `~`.
pub(crate) fn normal_path(text: &str, machine: &dyn Machine) -> PathBuf {
    absolute(&with_home(text, machine), machine)
}

/// Makes a path absolute and removes `.` and `..`; links are not followed.
pub(crate) fn absolute(path: &Path, machine: &dyn Machine) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in machine.current_dir().join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = normal.pop(),
            component => normal.push(component),
        }
    }
    normal
}

/// Expands `~` and `~user` to the home directory; returns the text unchanged if there is none.
fn with_home(text: &str, machine: &dyn Machine) -> PathBuf {
    let Some(rest) = text.strip_prefix('~') else { return text.into() };
    let (user, below) = rest.split_once('/').unwrap_or((rest, ""));
    match machine.home_dir(Some(user).filter(|user| !user.is_empty())) {
        Some(home) if below.is_empty() => home,
        Some(home) => home.join(below.trim_start_matches('/')),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fake::Fake;
    use super::*;

    #[test]
    fn parents_must_exist() {
        let machine = Fake::new();
        let existing_parent = |text| in_existing(text, &machine, |folder| machine.is_dir(folder));
        for (text, expected) in [
            ("app.log", "app.log"),
            ("/var/log/app.log", "/var/log/app.log"),
            ("/app.log", "/app.log"),
            ("~/app.log", "/home/www/app.log"),
            ("~www/app.log", "/home/www/app.log"),
            ("~nobody", "~nobody"),
            ("", ""),
        ] {
            assert_eq!(existing_parent(text), Ok(expected.into()), "{text}");
        }
        for text in ["/nowhere/app.log", "sub/app.log", "~nobody/x", "/nowhere/"] {
            let expected = format!("The directory named as part of the path {text} does not exist");
            assert_eq!(existing_parent(text), Err(expected));
        }
    }

    #[test]
    fn directories_must_exist() {
        let machine = Fake::new();
        assert_eq!(existing_directory("~", &machine), Ok("/home/www".into()));
        for text in ["/nowhere", ""] {
            assert_eq!(
                existing_directory(text, &machine),
                Err(format!("{text} is not an existing directory"))
            );
        }
    }

    #[test]
    fn normal_paths_are_absolute() {
        let machine = Fake::new();
        for (text, expected) in [
            ("x.pid", "/srv/x.pid"),
            ("./a/../b", "/srv/b"),
            ("/a//b/./c/..", "/a/b"),
            ("../../..", "/"),
            ("~/x", "/home/www/x"),
            ("", "/srv"),
        ] {
            assert_eq!(normal_path(text, &machine), PathBuf::from(expected), "{text}");
        }
    }
}
