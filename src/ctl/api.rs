//! The JSON API of the server.

use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::failure::CallError;
use crate::http::client::ResponseParser;
use crate::http::percent_encode;

/// The path of a process.
pub(super) fn process_path(namespec: &str) -> String {
    format!("/api/v1/processes/{}", percent_encode(namespec))
}

/// The document in a reply.
pub(super) fn document<T: DeserializeOwned>(mut reply: ResponseParser) -> Result<T, CallError> {
    let body = reply.take_body();
    let (status, reason) = reply.head().map_or((200, ""), |head| (head.status, head.reason.as_str()));
    if status == 200 {
        return serde_json::from_slice(&body).map_err(|error| CallError::InvalidReply(error.to_string()));
    }
    let reason = reason.to_owned();
    match (status, serde_json::from_slice::<Json>(&body)) {
        (401, _) => Err(CallError::Refused(status, reason)),
        (_, Ok(document)) if document["error"].is_object() => Err(rejection(&document["error"])),
        (404, _) => Err(CallError::NoApi),
        _ => Err(CallError::Refused(status, reason)),
    }
}

fn rejection(error: &Json) -> CallError {
    let text = error["message"].as_str().unwrap_or_default().to_owned();
    match error["code"].as_i64() {
        Some(code) => CallError::Fault(code, text),
        None => CallError::Rejected(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_api_are_faults_or_texts() {
        let error = |status: &str, body: &str| {
            let mut reply = ResponseParser::new(1024);
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
            reply.feed(format!("{head}{body}").as_bytes()).unwrap();
            document::<Json>(reply).unwrap_err().plain()
        };
        let bad_name = "{\"error\":{\"code\":10,\"name\":\"BAD_NAME\",\"message\":\"BAD_NAME: x\"}}";
        assert_eq!(error("404 Not Found", bad_name), "there is no process or group 'x'");
        let forbidden = "{\"error\":{\"code\":null,\"name\":\"FORBIDDEN\",\"message\":\"role read\"}}";
        assert_eq!(error("403 Forbidden", forbidden), "role read");
        assert!(error("404 Not Found", "<html>").starts_with("the server has no JSON API"));
        assert!(error("500 Internal Server Error", "").contains("500 Internal Server Error"));
    }
}
