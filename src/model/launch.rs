//! What a client needs to run a command as a program's own: `sv exec`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{LimitsSpec, User};

/// What a program is started with, secrets included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchContext {
    /// Its process as `group:name`.
    pub full_name: String,
    /// Its variables, without those of the notify protocol, which are for one run.
    pub environment: Vec<(String, String)>,
    /// The names of variables that are not UTF-8, which JSON can't represent.
    pub omitted: Vec<String>,
    /// `directory`, or that of the supervisor; `None` if it is unknown.
    #[serde(with = "path_text")]
    pub directory: Option<PathBuf>,
    /// `umask`
    pub umask: Option<u32>,
    /// `user`, or that of the supervisor.
    pub user: User,
    /// Limits, priorities and privileges.
    pub limits: Option<LimitsSpec>,
    /// The folder of the cgroup that its process is in, if it has one of its own.
    #[serde(with = "path_text")]
    pub cgroup: Option<PathBuf>,
    /// The boot, the root directory and the namespaces of the supervisor. A client with other ones is not where the
    /// program runs.
    pub isolation: Vec<String>,
}

/// A path as a text, or as an array of its bytes if it is not UTF-8.
mod path_text {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, OsStrExt, OsString, OsStringExt, PathBuf, Serialize};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum PathForm {
        Text(String),
        Bytes(Vec<u8>),
    }

    pub(super) fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        let form = path.as_ref().map(|path| match path.to_str() {
            Some(text) => PathForm::Text(text.to_owned()),
            None => PathForm::Bytes(path.as_os_str().as_bytes().to_vec()),
        });
        form.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<PathForm>::deserialize(deserializer)?.map(|form| match form {
            PathForm::Text(text) => text.into(),
            PathForm::Bytes(bytes) => OsString::from_vec(bytes).into(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_utf8_is_passed_on() {
        for (path, expected) in [(&b"/srv/\xc3\xbc"[..], "\"/srv/\u{fc}\""), (&b"/\xff"[..], "[47,255]")] {
            let context = LaunchContext {
                full_name: "web".to_owned(),
                environment: Vec::new(),
                omitted: Vec::new(),
                directory: Some(OsString::from_vec(path.to_vec()).into()),
                umask: None,
                user: User {
                    name: "app".to_owned(),
                    uid: 7,
                    gid: 7,
                    groups: Vec::new(),
                    has_own_group: false,
                },
                limits: None,
                cgroup: None,
                isolation: Vec::new(),
            };
            let text = serde_json::to_string(&context).unwrap();
            assert!(text.contains(&format!("\"directory\":{expected}")), "{text}");
            assert_eq!(serde_json::from_str::<LaunchContext>(&text).unwrap(), context);
        }
    }
}
