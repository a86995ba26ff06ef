//! What the paths of the API stand for.

use crate::model::{Channel, LogOf, Namespec};

/// What a path stands for. Names are percent-decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The supervisor itself.
    Server,
    Processes,
    Process(String),
    Log(LogOf),
    Events,
}

impl Route {
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix("/api/v1")?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').collect();
        Some(match segments[..] {
            [""] => Self::Server,
            ["", "processes"] => Self::Processes,
            ["", "processes", name] if !name.is_empty() => Self::Process(name.to_owned()),
            ["", "processes", name, "logs", "stdout"] => Self::process_log(name, Channel::Stdout),
            ["", "processes", name, "logs", "stderr"] => Self::process_log(name, Channel::Stderr),
            ["", "log"] => Self::Log(LogOf::Supervisor),
            ["", "events"] => Self::Events,
            _ => return None,
        })
    }

    fn process_log(name: &str, channel: Channel) -> Self {
        Self::Log(LogOf::Process(Namespec::split(name), channel))
    }

    /// The methods that it has.
    pub(super) fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Server | Self::Processes | Self::Process(_) | Self::Log(_) | Self::Events => {
                &["GET", "HEAD"]
            }
        }
    }

    /// The parameters that it has.
    pub(super) fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Processes => &["name", "group", "state"],
            Self::Log(_) => &["offset", "length", "bytes", "follow"],
            Self::Events => &["after", "limit", "follow"],
            Self::Server | Self::Process(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_a_meaning_or_none() {
        let process = |name: &str| Some(Route::Process(name.to_owned()));
        for (path, route) in [
            ("/api/v1", Some(Route::Server)),
            ("/api/v1/", Some(Route::Server)),
            ("/api/v1/processes", Some(Route::Processes)),
            ("/api/v1/processes/", Some(Route::Processes)),
            ("/api/v1/processes/web", process("web")),
            ("/api/v1/processes/g:web", process("g:web")),
            ("/api/v1/processes/g:web/logs/stderr", Some(Route::process_log("g:web", Channel::Stderr))),
            ("/api/v1/log", Some(Route::Log(LogOf::Supervisor))),
            ("/api/v1/events", Some(Route::Events)),
            ("/api/v1/processes/web/logs", None),
            ("/api/v1/processes/web/logs/stdin", None),
            ("/api/v1/processes//", None),
            ("/api/v1//processes", None),
            ("/api/v1x", None),
            ("/api/v1/processes/web/nope", None),
            ("/api/v2/processes", None),
            ("/api", None),
            ("/API/v1", None),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
