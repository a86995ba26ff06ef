//! The stylesheet of the pages, their icon and their scripts. They are part of the binary, so path traversal is impossible.

use super::pages;
use crate::http::{Request, Response, http_date, http_date_secs};

const STYLE: &str = include_str!("supervisor.css");
const ICON: &str = include_str!("icon.svg");

/// Modules without a build step, as they are in the source.
const SCRIPTS: [(&str, &str); 6] = [
    ("js/api.js", include_str!("js/api.js")),
    ("js/graph.js", include_str!("js/graph.js")),
    ("js/log.js", include_str!("js/log.js")),
    ("js/process.js", include_str!("js/process.js")),
    ("js/status.js", include_str!("js/status.js")),
    ("js/view.js", include_str!("js/view.js")),
];

/// COMPAT: Supervisor serves every file in its folder, including its templates and pictures.
fn file(path: &str) -> Option<(&'static str, &'static str)> {
    match path {
        "stylesheets/supervisor.css" => Some(("text/css", STYLE)),
        "images/icon.svg" => Some(("image/svg+xml", ICON)),
        _ => SCRIPTS.iter().find(|(name, _)| *name == path).map(|(_, text)| ("text/javascript", *text)),
    }
}

/// A file, or status 304 for a client whose copy is newer than `changed`.
pub(super) fn answer(path: &str, request: &Request, changed: i64) -> Response {
    if request.method == "POST" {
        return Response::error(400);
    }
    let (content_type, text) = match file(path) {
        Some(found) => found,
        // Links are relative: from here they would point to wrong addresses.
        None if path.contains('/') => return Response::error(404),
        None => return pages::not_found(),
    };
    let response = Response::ok(content_type, text)
        .header("Last-Modified", &http_date(changed))
        // Otherwise browsers may use an old file for a while after an upgrade.
        .header("Cache-Control", "no-cache")
        .header("X-Content-Type-Options", "nosniff");
    let since = request.header("if-modified-since").and_then(http_date_secs);
    if since.is_some_and(|since| changed <= since) { response.not_modified() } else { response }
}
