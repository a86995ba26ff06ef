//! Tests of a connection from the view of its owner.

use super::*;

const DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// Feeds the pieces, answers every request as soon as it is complete, and returns the requests.
fn converse(pieces: &[&[u8]]) -> Result<Vec<Request>, Rejection> {
    let (mut connection, mut requests) = (Connection::new(), Vec::new());
    for piece in pieces {
        connection.feed(piece);
        while let Some(request) = connection.next_request()? {
            requests.push(request);
            let _ = connection.respond(&Response::ok("text/plain", "x"), DATE);
        }
    }
    Ok(requests)
}

fn one(bytes: &[u8]) -> Result<Request, Rejection> {
    converse(&[bytes]).map(|mut requests| requests.remove(0))
}

/// A connection that was fed these bytes and asked for a request.
fn after(bytes: &str) -> Connection {
    let mut connection = Connection::new();
    connection.feed(bytes.as_bytes());
    let _ = connection.next_request();
    connection
}

#[test]
fn requests_are_the_same_however_they_are_split() {
    let script = "\r\nPOST /RPC2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello\
        GET /logtail/w\u{e4}b HTTP/1.1\r\nHost: \r\n\r\n\r\n\
        POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: t\r\n\r\n\
        GET / HTTP/1.0\nConnection: keep-alive\n\n\
        HEAD /last?q=%20 HTTP/1.1\r\nConnection: close\r\n\r\nignored";
    let whole = converse(&[script.as_bytes()]).unwrap();
    let result: Vec<_> =
        whole.iter().map(|r| (r.method.as_str(), r.path.as_str(), r.body.as_slice())).collect();
    let expected: [(&str, &str, &[u8]); 5] = [
        ("POST", "/RPC2", b"hello"),
        ("GET", "/logtail/w\u{e4}b", b""),
        ("POST", "/RPC2", b"abcde"),
        ("GET", "/", b""),
        ("HEAD", "/last", b""),
    ];
    assert_eq!(result, expected);
    for split in 0..=script.len() {
        let (front, back) = script.as_bytes().split_at(split);
        assert_eq!(converse(&[front, back]).as_ref(), Ok(&whole), "at {split}");
    }
    let bytes: Vec<&[u8]> = script.as_bytes().chunks(1).collect();
    assert_eq!(converse(&bytes), Ok(whole));
}

#[test]
fn invalid_requests_are_rejected() {
    let post = |fields: &str| format!("POST /RPC2 HTTP/1.1\r\n{fields}\r\n\r\nhello");
    let long_line = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(REQUEST_HEAD_BYTES_MAX));
    let many_fields = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(HEADERS_MAX + 1));
    let chunk = format!(
        "{}\r\n\r\n{:x}\r\n{}",
        "Transfer-Encoding: chunked",
        BODY_BYTES_MAX + 1,
        "x".repeat(BODY_BYTES_MAX + 1)
    );
    let too_long = format!("Content-Length: {}", BODY_BYTES_MAX + 1);
    for (request, rejection) in [
        ("hello\r\n".to_owned(), Rejection::Malformed),
        ("GET /\r\n".to_owned(), Rejection::Malformed),
        ("GET / HTTP/2.0\r\n".to_owned(), Rejection::Malformed),
        ("GET  / HTTP/1.1\r\n".to_owned(), Rejection::Malformed),
        ("\x16\x03\x01\x02\x00\x01\x00".to_owned(), Rejection::Malformed),
        ("\rGET / HTTP/1.1\r\n".to_owned(), Rejection::Malformed),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), Rejection::Malformed),
        ("GET / HTTP/1.1\r\nX : y\r\n\r\n".to_owned(), Rejection::Malformed),
        ("GET / HTTP/1.1\r\nX: y\r\n folded\r\n\r\n".to_owned(), Rejection::Malformed),
        (post("Content-Length: "), Rejection::Malformed),
        (post("Content-Length: five"), Rejection::Malformed),
        (post("Content-Length: +5"), Rejection::Malformed),
        (post("Content-Length: -5"), Rejection::Malformed),
        (post("Content-Length: 5, 5"), Rejection::Malformed),
        (post("Content-Length: 5\r\nContent-Length: 5"), Rejection::Malformed),
        (post("Content-Length: 5\r\nTransfer-Encoding: chunked"), Rejection::Malformed),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), Rejection::Malformed),
        (post("Transfer-Encoding: chunked"), Rejection::Malformed),
        (post("Transfer-Encoding: gzip, chunked"), Rejection::UnknownCoding),
        (post("Transfer-Encoding: chunked").replace("1.1", "1.0"), Rejection::Malformed),
        (post(&too_long), Rejection::BodyTooLarge),
        (post("Content-Length: 99999999999999999999999"), Rejection::BodyTooLarge),
        (post(&chunk), Rejection::BodyTooLarge),
        (long_line, Rejection::HeadTooLarge),
        (many_fields, Rejection::HeadTooLarge),
    ] {
        let mut connection = Connection::new();
        connection.feed(request.as_bytes());
        let shown = &request[..request.len().min(80)];
        assert_eq!(connection.next_request(), Err(rejection), "{shown}");
        assert!(connection.is_closing() && !connection.wants_input(), "{shown}");
    }
    for request in [b"GET /\xe9 HTTP/1.1\r\n\r\n".as_slice(), b"GET / HTTP/1.1\r\nX: \xe9\r\n\r\n"] {
        assert_eq!(one(request), Err(Rejection::Malformed));
    }
}

#[test]
fn a_rejection_has_its_status_and_ends_the_connection() {
    for (rejection, line) in [
        (Rejection::Malformed, "HTTP/1.1 400 Bad Request"),
        (Rejection::BodyTooLarge, "HTTP/1.1 413 Content Too Large"),
        (Rejection::HeadTooLarge, "HTTP/1.1 431 Request Header Fields Too Large"),
        (Rejection::UnknownCoding, "HTTP/1.1 501 Not Implemented"),
    ] {
        let mut connection = after("nonsense\r\n");
        let answer =
            String::from_utf8(connection.respond(&Response::error(rejection.status()), DATE)).unwrap();
        assert!(answer.starts_with(line) && answer.contains("\r\nConnection: close\r\n"), "{answer}");
    }
}

#[test]
fn a_bound_reached_exactly_is_kept() {
    let body = "x".repeat(BODY_BYTES_MAX);
    let request =
        one(format!("POST / HTTP/1.1\r\nContent-Length: {BODY_BYTES_MAX}\r\n\r\n{body}").as_bytes());
    assert_eq!(request.map(|request| request.body.len()), Ok(BODY_BYTES_MAX));
    let fields = "X: y\r\n".repeat(HEADERS_MAX);
    assert!(one(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes()).is_ok());
    let blank_lines = "\r\n".repeat(REQUEST_HEAD_BYTES_MAX);
    assert!(one(format!("{blank_lines}GET / HTTP/1.1\r\n\r\n").as_bytes()).is_ok());
}

#[test]
fn an_empty_body_is_a_body() {
    let request = one(b"POST /RPC2 HTTP/1.1\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!((request.method.as_str(), request.body.len()), ("POST", 0));
}

#[test]
fn long_targets_may_hold_any_text() {
    for length in 1..80 {
        let name = "\u{6f22}".repeat(length);
        let request = one(format!("GET /logtail/{name} HTTP/1.1\r\nHost:\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(request.path, format!("/logtail/{name}"));
        assert_eq!(request.header("HOST"), Some(""));
    }
}

#[test]
fn the_client_decides_whether_the_connection_is_kept() {
    for (version, connection, goes_on) in [
        ("1.1", "", true),
        ("1.1", "Connection: close", false),
        ("1.1", "connection: Foo, CLOSE", false),
        ("1.1", "Connection: keep-alive", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive", true),
        ("1.0", "Connection: keep-alive, close", false),
    ] {
        let connection = if connection.is_empty() { String::new() } else { format!("{connection}\r\n") };
        let mut client = after(&format!("GET / HTTP/{version}\r\n{connection}\r\n"));
        let answer = String::from_utf8(client.respond(&Response::new(200), DATE)).unwrap();
        assert_eq!(client.is_closing(), !goes_on, "{version} {connection}");
        assert_eq!(answer.contains("Connection: close"), !goes_on, "{version} {connection}");
        assert_eq!(answer.contains("Connection: Keep-Alive"), goes_on && version == "1.0");
    }
    let mut client = after("GET / HTTP/1.1\r\n\r\n");
    let _ = client.respond(&Response::error(401).closing(), DATE);
    assert!(client.is_closing());
}

#[test]
fn the_next_request_waits_for_the_answer_to_the_first() {
    let mut client = Connection::new();
    client.feed(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    assert_eq!(client.next_request().unwrap().unwrap().path, "/1");
    assert_eq!(client.next_request(), Ok(None));
    assert!(client.wants_input());
    client.feed(&[b'\n'; PIPELINED_BYTES_MAX]);
    assert!(!client.wants_input());
    let _ = client.respond(&Response::new(200), DATE);
    assert_eq!(client.next_request().unwrap().unwrap().path, "/2");
}

#[test]
fn a_head_is_answered_without_a_body() {
    let mut client = after("HEAD / HTTP/1.1\r\n\r\n");
    let answer = String::from_utf8(client.respond(&Response::ok("text/plain", "hello"), DATE)).unwrap();
    assert!(answer.contains("Content-Length: 5\r\n") && answer.ends_with("\r\n\r\n"));
}

#[test]
fn expect_continue_is_answered_once() {
    let expecting = "POST / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
    for (sent, interim) in [
        (expecting.to_owned(), Some(b"HTTP/1.1 100 Continue\r\n\r\n".as_slice())),
        (format!("{expecting}hi"), None),
        (expecting.replace("1.1", "1.0"), None),
        (expecting.replace("Expect", "X"), None),
        (expecting[..30].to_owned(), None),
    ] {
        let mut client = after(&sent);
        assert_eq!(client.take_interim(), interim, "{sent}");
        assert_eq!(client.take_interim(), None, "{sent}");
    }
}

#[test]
fn the_owner_can_detect_slow_clients() {
    for (sent, is_idle, mid_request) in [
        ("", true, false),
        ("\r\n", true, false),
        ("G", false, true),
        ("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n", false, true),
        ("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", false, false),
        ("nonsense\r\n", false, false),
    ] {
        let client = after(sent);
        assert_eq!((client.is_idle(), client.mid_request()), (is_idle, mid_request), "{sent:?}");
    }
}

#[test]
fn a_stream_is_chunked_or_raw_and_the_last_response() {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    for (version, framing, piece, last) in [
        ("1.1", "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", "5\r\nhello\r\n", "0\r\n\r\n"),
        ("1.0", "Connection: close\r\n\r\n", "hello", ""),
    ] {
        let mut client = after(&format!("GET /x HTTP/{version}\r\n\r\nGET /y HTTP/1.1\r\n\r\n"));
        let head = text(client.begin_stream(&Response::new(200), DATE));
        assert!(head.starts_with(&format!("HTTP/{version} 200 OK\r\n")) && head.ends_with(framing), "{head}");
        // Its input is ignored, except to notice that it is gone.
        client.feed(&[b'x'; PIPELINED_BYTES_MAX]);
        assert!(client.is_streaming() && client.wants_input() && !client.mid_request());
        assert_eq!(client.next_request(), Ok(None));
        assert_eq!(
            (text(client.piece(b"hello")), text(client.piece(b""))),
            (piece.to_owned(), String::new())
        );
        assert_eq!(client.end_stream(), last.as_bytes());
        assert!(client.is_closing() && !client.is_streaming());
    }
}
