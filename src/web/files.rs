//! The stylesheet of the pages and their icon. They are part of the binary, so path traversal is impossible.

use super::pages;
use crate::http::{Request, Response, http_date, http_date_secs};

const STYLE: &str = include_str!("supervisor.css");
const ICON: &str = include_str!("icon.svg");

/// COMPAT: Supervisor serves every file in its folder, including its templates and pictures.
fn file(path: &str) -> Option<(&'static str, &'static str)> {
    match path {
        "stylesheets/supervisor.css" => Some(("text/css", STYLE)),
        "images/icon.svg" => Some(("image/svg+xml", ICON)),
        _ => None,
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
    let response = Response::ok(content_type, text).header("Last-Modified", &http_date(changed));
    let since = request.header("if-modified-since").and_then(http_date_secs);
    if since.is_some_and(|since| changed <= since) { response.not_modified() } else { response }
}
