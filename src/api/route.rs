//! What the paths of the API stand for.

use super::action::ProcessAction;
use crate::model::{Channel, LogOf, Namespec};

/// What a path stands for. Names are percent-decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The supervisor itself.
    Server,
    Processes,
    Process(String),
    /// What its program is started with.
    Launch(String),
    Act(ProcessAction, String),
    Log(LogOf),
    /// Events and the logs of a process in one stream.
    Follow(String),
    Events,
    Configuration,
    Graph,
    Diff,
    Resources,
    /// The description of the API.
    Document,
    Reread,
    Update,
    /// The number of processes of a program.
    Scale(String),
    Shutdown,
    Restart,
}

impl Route {
    /// The one with the path of these segments, of which the first is what precedes the first slash.
    pub(super) fn of(segments: &[String]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["", "api", "v1", rest @ ..] = segments.as_slice() else { return None };
        // A slash at the end makes no difference.
        Some(match rest.strip_suffix(&[""]).unwrap_or(rest) {
            [] => Self::Server,
            ["processes"] => Self::Processes,
            ["processes", "", ..] => return None,
            ["processes", name] => Self::Process((*name).to_owned()),
            ["processes", name, "logs", "stdout"] => Self::process_log(name, Channel::Stdout),
            ["processes", name, "logs", "stderr"] => Self::process_log(name, Channel::Stderr),
            ["processes", name, "follow"] => Self::Follow((*name).to_owned()),
            ["processes", name, "launch"] => Self::Launch((*name).to_owned()),
            ["processes", name, action] => Self::Act(ProcessAction::named(action)?, (*name).to_owned()),
            ["config"] => Self::Configuration,
            ["graph"] => Self::Graph,
            ["diff"] => Self::Diff,
            ["programs", name, "scale"] if !name.is_empty() => Self::Scale((*name).to_owned()),
            ["resources"] => Self::Resources,
            ["openapi.json"] => Self::Document,
            ["reread"] => Self::Reread,
            ["update"] => Self::Update,
            ["shutdown"] => Self::Shutdown,
            ["restart"] => Self::Restart,
            ["log"] => Self::Log(LogOf::Supervisor),
            ["events"] => Self::Events,
            _ => return None,
        })
    }

    fn process_log(name: &str, channel: Channel) -> Self {
        Self::Log(LogOf::Process(Namespec::split(name), channel))
    }

    /// The methods that it has.
    pub(super) fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Server
            | Self::Processes
            | Self::Process(_)
            | Self::Launch(_)
            | Self::Log(_)
            | Self::Follow(_)
            | Self::Events
            | Self::Configuration
            | Self::Graph
            | Self::Diff
            | Self::Document
            | Self::Resources => &["GET", "HEAD"],
            Self::Act(..) | Self::Reread | Self::Update | Self::Scale(_) | Self::Shutdown | Self::Restart => {
                &["POST"]
            }
        }
    }

    /// The parameters that it has.
    pub(super) fn parameters(&self) -> &'static [&'static str] {
        match self {
            Self::Processes => &["name", "group", "state"],
            Self::Log(_) => &["offset", "length", "bytes", "follow"],
            Self::Follow(_) => &["after", "stdout", "stderr", "bytes"],
            Self::Events => &["after", "limit", "follow"],
            Self::Act(ProcessAction::Signal, _) => &["wait", "signal"],
            Self::Act(..) => &["wait"],
            Self::Resources => &["name"],
            Self::Update => &["group"],
            Self::Scale(_) => &["processes"],
            Self::Server
            | Self::Process(_)
            | Self::Launch(_)
            | Self::Configuration
            | Self::Graph
            | Self::Diff
            | Self::Document
            | Self::Reread
            | Self::Shutdown
            | Self::Restart => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Connection;

    fn route_of(path: &str) -> Option<Route> {
        let mut connection = Connection::new();
        connection.feed(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
        Route::of(&connection.next_request().unwrap().unwrap().segments())
    }

    /// Every variant has a number, and so a path below.
    fn number(route: &Route) -> usize {
        match route {
            Route::Server => 0,
            Route::Processes => 1,
            Route::Process(_) => 2,
            Route::Act(..) => 3,
            Route::Log(_) => 4,
            Route::Events => 5,
            Route::Configuration => 6,
            Route::Graph => 7,
            Route::Resources => 8,
            Route::Document => 9,
            Route::Reread => 10,
            Route::Update => 11,
            Route::Shutdown => 12,
            Route::Restart => 13,
            Route::Diff => 14,
            Route::Scale(_) => 15,
            Route::Launch(_) => 16,
            Route::Follow(_) => 17,
        }
    }

    #[test]
    fn the_description_has_every_path_with_its_methods_and_parameters() {
        let document: serde_json::Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        let mut described = std::collections::BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let route = route_of(&format!("/api/v1{}", path.replace("{name}", "x"))).unwrap();
            described.insert(number(&route));
            let method = route.methods()[0].to_lowercase();
            let parameters = item[&method]["parameters"].as_array().cloned().unwrap_or_default();
            let resolved = |parameter: &serde_json::Value| match parameter["$ref"].as_str() {
                Some(pointer) => document.pointer(&pointer[1..]).unwrap()["name"].clone(),
                None => parameter["name"].clone(),
            };
            let names: Vec<_> = parameters.iter().map(resolved).collect();
            let mut names: Vec<_> = names.iter().map(|name| name.as_str().unwrap()).collect();
            names.sort_unstable();
            let mut expected = route.parameters().to_vec();
            expected.sort_unstable();
            assert_eq!(names, expected, "{path}");
        }
        assert!((0..=17).eq(described), "a path is missing");
    }

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
            ("/api/v1/processes/g%3Aweb", process("g:web")),
            // An encoded slash is part of the name, and is decoded once.
            ("/api/v1/processes/a%2Fb", process("a/b")),
            ("/api/v1/processes/a%252Fb", process("a%2Fb")),
            ("/api/v1/processes/a%3Fb%23c", process("a?b#c")),
            ("/api/v1/processes/web%2Fstart", process("web/start")),
            ("/api/v1%2Fprocesses", None),
            ("/api/v1/processes/g:web/logs/stderr", Some(Route::process_log("g:web", Channel::Stderr))),
            ("/api/v1/log", Some(Route::Log(LogOf::Supervisor))),
            ("/api/v1/events", Some(Route::Events)),
            ("/api/v1/processes/web/logs", None),
            ("/api/v1/processes/web/logs/stdin", None),
            ("/api/v1/processes//", None),
            ("/api/v1//processes", None),
            ("/api/v1x", None),
            ("/api/v1/processes/web/nope", None),
            ("/api/v1/processes/*/start", Some(Route::Act(ProcessAction::Start, "*".to_owned()))),
            ("/api/v1/processes/a/clear_logs", Some(Route::Act(ProcessAction::ClearLogs, "a".to_owned()))),
            ("/api/v1/processes//start", None),
            ("/api/v1/programs/web/scale", Some(Route::Scale("web".to_owned()))),
            ("/api/v1/programs//scale", None),
            ("/api/v1/programs/web", None),
            ("/api/v2/processes", None),
            ("/api", None),
            ("/API/v1", None),
        ] {
            assert_eq!(route_of(path), route, "{path}");
        }
    }
}
