//! Clients that follow a log: endless answers to `/logtail/NAME/CHANNEL` and `/mainlogtail`.
//!
//! An answer ends when its log does: when the group of the process is removed, with a restart, and when the
//! supervisor ends. What is sent comes from [`crate::output`].

use super::Shell;
use super::clients::WORK_PER_TURN;
use crate::http::{Request, Response, http_date};
use crate::logs::{TRUNCATED, missed};
use crate::model::{Channel, Namespec};
use crate::output::{FollowedPiece, Follower, StreamId};

/// The process and the stream that the path of a request names: `/logtail/NAME`, `/logtail/NAME/stderr`.
/// As with Supervisor, the first segment may continue after the word.
fn named(path: &str) -> Option<(Namespec, Channel)> {
    let (_, named) = path.strip_prefix('/')?.split_once('/')?;
    let (name, channel) = named.split_once('/').unwrap_or((named, "stdout"));
    let channel = [Channel::Stdout, Channel::Stderr].into_iter().find(|it| it.name() == channel)?;
    Some((Namespec::split(name), channel))
}

impl Shell {
    /// Begins to answer a client that follows the log of a process.
    pub(super) fn follow_process(&mut self, token: u64, request: &Request) {
        let opened = named(&request.path).and_then(|(name, channel)| {
            let process = self.core.find_process(&name)?;
            self.output.follower(StreamId { process, channel }, self.log_path(process, channel))
        });
        // Supervisor sends this header, which is for nginx, with the logs of processes only.
        let unbuffered = |response: Response| response.header("X-Accel-Buffering", "no");
        self.begin_following(token, request, opened, unbuffered);
    }

    /// Begins to answer a client that follows our own log.
    pub(super) fn follow_own_log(&mut self, token: u64, request: &Request) {
        self.flush_activity();
        let opened = self.output.follower_of_own_log(self.settings.daemon.log_file.clone());
        self.begin_following(token, request, opened, |response| response);
    }

    fn begin_following(
        &mut self,
        token: u64,
        request: &Request,
        opened: Option<Follower>,
        with_headers: impl Fn(Response) -> Response,
    ) {
        if request.method != "GET" {
            return self.respond(token, Response::error(400));
        }
        let Some(follower) = opened else { return self.respond(token, Response::error(404)) };
        let written = follower.modified_secs().unwrap_or_else(|| self.now.wall.unix_secs());
        let head = Response::new(200)
            .header("Content-Type", "text/plain;charset=utf-8")
            .header("Last-Modified", &http_date(written));
        self.output.follow(token, follower);
        self.begin_stream(token, &with_headers(head));
    }

    /// Sends a client what comes next of the log that it follows. False if there is nothing now.
    pub(super) fn add_piece(&mut self, token: u64) -> bool {
        match self.output.next_piece(token, &mut self.buffer) {
            None => return false,
            Some(FollowedPiece::Bytes(count)) => self.clients.stream(token, &self.buffer[..count]),
            Some(FollowedPiece::Truncated) => self.clients.stream(token, TRUNCATED),
            Some(FollowedPiece::Missed(bytes)) => self.clients.stream(token, missed(bytes).as_bytes()),
            Some(FollowedPiece::End) => {
                self.clients.end_stream(token);
                self.output.unfollow(token);
            }
        }
        true
    }

    /// Serves the clients for which something was written in this turn.
    pub(super) fn serve_followers(&mut self) {
        if !self.output.has_followers() {
            return;
        }
        let core = &self.core;
        self.output.end_followers(|process| process.is_some_and(|process| core.spec(process).is_none()));
        let until = self.clock.now().mono.after(WORK_PER_TURN);
        for token in self.output.take_due_followers() {
            // The next turn continues with the others.
            if self.is_over(until) {
                self.output.put_off(token);
                continue;
            }
            self.output.begin_serving(token);
            self.serve(token);
        }
    }

    /// Nothing more is written: sends the rest to the clients that take it at once.
    pub(super) fn end_followers(&mut self) {
        self.output.end_followers(|_| true);
        while self.output.has_due_followers() {
            self.serve_followers();
        }
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
            let expected = expected.map(|(name, channel)| (Namespec::split(name), channel));
            assert_eq!(named(path), expected, "{path}");
        }
    }
}
