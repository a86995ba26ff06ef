//! The style of the pages and their icon. They are part of the program, so there is no folder to
//! escape from.

use super::pages;
use crate::http::{Request, Response, http_date, http_date_secs};

const STYLE: &str = include_str!("supervisor.css");
const ICON: &str = include_str!("icon.svg");

/// COMPAT: Supervisor serves whatever lies in its folder, its templates and pictures too.
fn file(path: &str) -> Option<(&'static str, &'static str)> {
    match path {
        "stylesheets/supervisor.css" => Some(("text/css", STYLE)),
        "images/icon.svg" => Some(("image/svg+xml", ICON)),
        _ => None,
    }
}

/// A file, or 304 for a client that has it from a time after `changed`.
pub(super) fn answer(path: &str, request: &Request, changed: i64) -> Response {
    if request.method == "POST" {
        return Response::error(400);
    }
    let (content_type, text) = match file(path) {
        Some(found) => found,
        // Addresses are relative: from here neither the style nor the way back would be found.
        None if path.contains('/') => return Response::error(404),
        None => return pages::not_found(),
    };
    let response = Response::ok(content_type, text).header("Last-Modified", &http_date(changed));
    let since = request.header("if-modified-since").and_then(http_date_secs);
    if since.is_some_and(|since| changed <= since) { response.not_modified() } else { response }
}
