//! What the paths of the API stand for.

/// What a path stands for. Names are percent-decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The supervisor itself.
    Server,
    Processes,
    Process(String),
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
            _ => return None,
        })
    }

    /// The methods that it has.
    pub(super) fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Server | Self::Processes | Self::Process(_) => &["GET", "HEAD"],
        }
    }

    /// The parameters that it has.
    pub(super) fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Processes => &["name", "group", "state"],
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
