//! Paths: `~`, and what has to exist.

use std::path::{Component, Path, PathBuf};

use super::super::surroundings::Surroundings;

/// The path of a file that may not exist yet in a directory that must.
pub(crate) fn in_existing(
    text: &str,
    around: &dyn Surroundings,
    is_dir: impl FnOnce(&Path) -> bool,
) -> Result<PathBuf, String> {
    match parent_of(text, around) {
        Some(parent) if !is_dir(&parent) => {
            Err(format!("The directory named as part of the path {text} does not exist"))
        }
        _ => Ok(with_home(text, around)),
    }
}

/// The directory that a path names as a part of it, if it does.
pub(crate) fn parent_of(text: &str, around: &dyn Surroundings) -> Option<PathBuf> {
    let path = with_home(text, around);
    let parent = if text.ends_with('/') { Some(path.as_path()) } else { path.parent() };
    parent.filter(|parent| *parent != Path::new("")).map(Path::to_owned)
}

/// The path of a directory that must exist.
pub(crate) fn existing_directory(text: &str, around: &dyn Surroundings) -> Result<PathBuf, String> {
    let path = with_home(text, around);
    let exists = !text.is_empty() && around.is_dir(&path);
    if exists { Ok(path) } else { Err(format!("{text} is not an existing directory")) }
}

/// [`absolute`], after `~` has been put in.
pub(crate) fn normal_path(text: &str, around: &dyn Surroundings) -> PathBuf {
    absolute(&with_home(text, around), around)
}

/// Absolute and without `.` and `..`; links are not followed.
pub(crate) fn absolute(path: &Path, around: &dyn Surroundings) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in around.current_dir().join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = normal.pop(),
            component => normal.push(component),
        }
    }
    normal
}

/// Puts in the home directory for `~` and `~user`; leaves the text as it is when there is none.
fn with_home(text: &str, around: &dyn Surroundings) -> PathBuf {
    let Some(rest) = text.strip_prefix('~') else { return text.into() };
    let (user, below) = rest.split_once('/').unwrap_or((rest, ""));
    match around.home_dir(Some(user).filter(|user| !user.is_empty())) {
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
        let around = Fake::new();
        let existing_parent = |text| in_existing(text, &around, |folder| around.is_dir(folder));
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
        let around = Fake::new();
        assert_eq!(existing_directory("~", &around), Ok("/home/www".into()));
        for text in ["/nowhere", ""] {
            assert_eq!(
                existing_directory(text, &around),
                Err(format!("{text} is not an existing directory"))
            );
        }
    }

    #[test]
    fn normal_paths_are_absolute() {
        let around = Fake::new();
        for (text, expected) in [
            ("x.pid", "/srv/x.pid"),
            ("./a/../b", "/srv/b"),
            ("/a//b/./c/..", "/a/b"),
            ("../../..", "/"),
            ("~/x", "/home/www/x"),
            ("", "/srv"),
        ] {
            assert_eq!(normal_path(text, &around), PathBuf::from(expected), "{text}");
        }
    }
}
