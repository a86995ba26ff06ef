//! Any bytes from a client, and from a server: however they are split, they are the same requests and the
//! same reply, and what was read can be written and read again.
//!
//! The first byte says how long the pieces are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sv::http::client::{BadResponse, ResponseHead, ResponseParser, encode_request};
use sv::http::{BODY_BYTES_MAX, Connection, REQUEST_HEAD_BYTES_MAX, Rejection, Request, Response};

const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// What a client keeps of a reply here; small, so that it is come by.
const REPLY_BYTES_MAX: usize = 1024;

fuzz_target!(|bytes: &[u8]| {
    let Some((&piece, bytes)) = bytes.split_first() else { return };
    let piece = usize::from(piece).max(1);
    let (whole, rejection) = requests(bytes, bytes.len());
    for request in &whole {
        check_bounds(request);
        check_written(request);
    }
    assert_eq!(requests(bytes, piece), (whole, rejection), "pieces of {piece}");
    assert_eq!(reply(bytes, piece), reply(bytes, bytes.len()), "pieces of {piece}");
});

/// The requests in these bytes, each answered as soon as it is there, and what is wrong with the rest.
fn requests(bytes: &[u8], piece: usize) -> (Vec<Request>, Option<Rejection>) {
    let (mut connection, mut requests) = (Connection::new(), Vec::new());
    for part in bytes.chunks(piece.max(1)) {
        connection.feed(part);
        loop {
            match connection.next_request() {
                Ok(Some(request)) => {
                    assert!(!connection.mid_request() && !connection.is_idle(), "it is owed an answer");
                    check_answer(&mut connection, &request);
                    requests.push(request);
                }
                Ok(None) => break,
                Err(rejection) => {
                    assert!(connection.is_closing() && !connection.wants_input());
                    check_reply(&connection.respond(&Response::error(rejection.status()).closing(), DATE));
                    return (requests, Some(rejection));
                }
            }
        }
    }
    (requests, None)
}

/// What is kept of a request is no more than its bounds say.
fn check_bounds(request: &Request) {
    assert!(request.body.len() <= BODY_BYTES_MAX);
    assert!(request.method.len() + request.target.len() <= REQUEST_HEAD_BYTES_MAX);
}

/// An answer ends the connection exactly if it says so.
fn check_answer(connection: &mut Connection, request: &Request) {
    let answer = connection.respond(&Response::ok("text/plain", "hello"), DATE);
    assert_eq!(connection.is_closing(), !request.keep_alive);
    if request.method != "HEAD" {
        let parser = check_reply(&answer);
        assert_eq!(parser.is_reusable(), request.keep_alive);
    }
}

/// Whatever we answer is a reply.
fn check_reply(bytes: &[u8]) -> ResponseParser {
    let mut parser = ResponseParser::new(REPLY_BYTES_MAX);
    assert_eq!(parser.feed(bytes), Ok(()));
    assert!(parser.is_complete());
    parser
}

/// What our client would send for it is read as the same.
fn check_written(request: &Request) {
    let Request { method, target, body, .. } = request;
    let bytes = encode_request(method, target, "localhost", Some(("me", "secret")), None, body);
    let (again, rejection) = requests(&bytes, bytes.len());
    assert_eq!(rejection, None);
    let [again] = again.as_slice() else { panic!("{} requests", again.len()) };
    assert_eq!((&again.method, &again.path, &again.body), (method, &request.path, body));
    assert_eq!(again.query.is_some(), request.query.is_some());
}

/// A reply as far as it is complete, or the error; input after its head belongs to no one then.
type Reply = Result<(Option<ResponseHead>, Vec<u8>, bool, Result<(), BadResponse>), BadResponse>;

fn reply(bytes: &[u8], piece: usize) -> Reply {
    let mut parser = ResponseParser::new(REPLY_BYTES_MAX);
    for part in bytes.chunks(piece.max(1)) {
        parser.feed(part)?;
    }
    let is_reusable = parser.is_reusable();
    let end = parser.end_of_input();
    let head = parser.head().cloned();
    let body = parser.take_body();
    assert!(body.len() <= REPLY_BYTES_MAX);
    Ok((head, body, is_reusable, end))
}
