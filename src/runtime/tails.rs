//! Requests of clients that follow a log as it is: `/logtail/NAME/CHANNEL` and `/mainlogtail`.
//!
//! A reply ends with its log: when the group of the process is removed, with a restart, and when the
//! supervisor exits. It is sent by [`super::streams`], and its content comes from [`crate::output`].

use super::Shell;
use super::door::forbidden;
use super::streams::{Absence, AwaitedStream};
use crate::http::{Request, Response, http_date};
use crate::logs::{AWAIT_QUERY, FOLLOWED_BYTES_FIRST, FollowFrom};
use crate::model::{Channel, Command, Fault, FaultCode, LogOf, Namespec, Reply};
use crate::output::{Follower, StreamId};

/// The process and the stream in the path of a request: `/logtail/NAME`, `/logtail/NAME/stderr`. As in
/// Supervisor, the first segment may be longer than the word.
pub(super) fn process_log(path: &str) -> Option<LogOf> {
    let (_, named) = path.strip_prefix('/')?.split_once('/')?;
    let (name, channel) = named.split_once('/').unwrap_or((named, "stdout"));
    let channel = [Channel::Stdout, Channel::Stderr].into_iter().find(|it| it.name() == channel)?;
    Some(LogOf::Process(Namespec::split(name), channel))
}

impl Shell {
    /// Asks the core for the log that a client wants to follow.
    pub(super) fn ask_for_log(&mut self, token: u64, request: &Request, log: Option<LogOf>) {
        if request.method != "GET" {
            return self.respond(token, Response::error(400));
        }
        let Some(log) = log else { return self.respond(token, Response::error(404)) };
        let absence = match request.query.as_deref() {
            Some(AWAIT_QUERY) => Absence::Awaited,
            _ => Absence::Refused,
        };
        self.ask_for_stream(token, AwaitedStream::Tail(absence), Command::FollowLog(log));
    }

    /// Begins to stream the requested log to a client.
    pub(super) fn follow(&mut self, token: u64, found: Result<Reply, Fault>, absence: Absence) {
        let reply = match found {
            Ok(reply) => reply,
            Err(fault) if fault.code == FaultCode::Forbidden => {
                return self.respond(token, forbidden(&fault));
            }
            Err(_) => return self.respond(token, Response::error(404)),
        };
        // Supervisor sends this header, which is for nginx, only with the logs of processes.
        let is_of_process = matches!(reply, Reply::Log(Some(_)));
        let fields: &[_] = if is_of_process { &[("X-Accel-Buffering", "no")] } else { &[] };
        match self.follower(reply, FollowFrom::Last(FOLLOWED_BYTES_FIRST), absence) {
            Some(follower) => self.begin_following(token, follower, fields),
            None => self.respond(token, Response::error(404)),
        }
    }

    /// A follower of the log that the core has found.
    pub(super) fn follower(&mut self, found: Reply, from: FollowFrom, absence: Absence) -> Option<Follower> {
        match found {
            Reply::Log(None) => {
                self.flush_activity();
                self.output.follower_of_own_log(self.settings.daemon.log_file.clone(), from)
            }
            Reply::Log(Some((process, channel))) => {
                let path = self.log_path(process, channel);
                let id = StreamId { process, channel };
                match absence {
                    Absence::Refused => self.output.follower(id, path, from),
                    Absence::Awaited => self.output.follower_awaiting(id, path, from),
                }
            }
            _ => None,
        }
    }

    fn begin_following(&mut self, token: u64, follower: Follower, fields: &[(&'static str, &str)]) {
        let written = follower.modified_secs().unwrap_or_else(|| self.now.wall.unix_secs());
        let mut head = Response::new(200)
            .header("Content-Type", "text/plain;charset=utf-8")
            .header("Last-Modified", &http_date(written));
        for (name, value) in fields {
            head = head.header(name, value);
        }
        self.output.follow(token, follower);
        self.begin_stream(token, &head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_a_process_and_a_stream() {
        for (path, expected) in [
            ("/logtail/web", Some(("web", Channel::Stdout))),
            ("/logtail/web/stdout", Some(("web", Channel::Stdout))),
            ("/logtail/g:web/stderr", Some(("g:web", Channel::Stderr))),
            ("/logtailfoo/web", Some(("web", Channel::Stdout))),
            ("/logtail/", Some(("", Channel::Stdout))),
            ("/logtail", None),
            ("/logtail/web/", None),
            ("/logtail/web/foo", None),
            ("/logtail/web/stdout/", None),
        ] {
            let expected = expected.map(|(name, channel)| LogOf::Process(Namespec::split(name), channel));
            assert_eq!(process_log(path), expected, "{path}");
        }
    }
}
