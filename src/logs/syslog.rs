//! Messages for the machine's syslog, in the format in which syslog(3) sends them to `/dev/log`.

use std::fmt::Write;

use super::moment::rfc3164;
use crate::model::{LogLevel, Wall};

/// The maximum length of a line in a message; a longer line is split into several. By default rsyslog
/// truncates messages longer than 8,096 bytes, including the header.
pub const SYSLOG_TEXT_BYTES_MAX: usize = 7 * 1024;

/// LOG_USER, the default facility of programs.
const FACILITY_USER: u8 = 1;

/// The severity of a level, in syslog's numbers.
#[must_use]
pub fn severity(level: LogLevel) -> u8 {
    match level {
        LogLevel::Critical => 2,
        LogLevel::Error => 3,
        LogLevel::Warn => 4,
        LogLevel::Info => 6,
        LogLevel::Debug | LogLevel::Trace | LogLevel::Blather => 7,
    }
}

/// `<14>Nov 20 16:11:36 supervisord: web hello`; the parts of the text are separated by spaces, which also
/// replace NUL bytes: one would end the message on a stream socket, and the rest could pass for a message of
/// another program.
#[must_use]
pub fn syslog_message(severity: u8, when: Wall, ident: &str, text: &[&[u8]]) -> Vec<u8> {
    let mut head = format!("<{}>", FACILITY_USER << 3 | severity);
    // Writing to a String can't fail.
    let _ = rfc3164(&mut head, when).and_then(|()| write!(head, " {ident}: "));
    let mut message = head.into_bytes();
    message.extend(text.join(&b' ').iter().map(|&byte| if byte == 0 { b' ' } else { byte }));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_c_library() {
        let when = Wall { unix_ms: 1_795_191_096_042, utc_offset_secs: 3600 };
        for (level, parts, expected) in [
            (LogLevel::Info, &[&b"web"[..], b"hello"][..], "<14>Nov 20 17:11:36 sv: web hello"),
            (LogLevel::Critical, &[b"x"], "<10>Nov 20 17:11:36 sv: x"),
            (LogLevel::Info, &[b"web", b"a\0<8>b"], "<14>Nov 20 17:11:36 sv: web a <8>b"),
            (LogLevel::Blather, &[b"web", b""], "<15>Nov 20 17:11:36 sv: web "),
        ] {
            assert_eq!(syslog_message(severity(level), when, "sv", parts), expected.as_bytes());
        }
    }
}
