//! What clients read: rings, and the logs that they follow.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::Outputs;
use super::followers::{FollowedPart, Follower};
use super::ids::{OWN_LOG, StreamId};
use super::paths::resolve_links;
use crate::logs::{FollowFrom, PathTarget, Ring};
use crate::model::ProcessId;
use crate::sys::files::empty_file;

impl Outputs {
    /// The last output of a stream that cannot be read back from where it goes.
    #[must_use]
    pub fn ring(&self, id: StreamId) -> Option<&Ring> {
        self.records.ring(id)
    }

    /// Keeps this many bytes of our own log in memory from now on; 0 keeps none.
    pub fn limit_own_ring(&mut self, bytes: usize) {
        self.records.limit_ring(OWN_LOG, bytes);
    }

    /// Lines of our own log were written, to the file at this path if there is one.
    pub fn own_log_written(&mut self, lines: &[u8], path: Option<&Path>) {
        self.records.push_to_ring(OWN_LOG, lines);
        self.followers.ring_changed(OWN_LOG);
        path.into_iter().for_each(|path| self.followers.written(path));
    }

    /// Our own log was emptied.
    pub fn own_log_cleared(&mut self) {
        self.records.clear_rings(OWN_LOG.process);
        self.followers.reopened();
    }

    /// Empties the logs of a process: its rings, the files that its streams write to, and those at these paths.
    ///
    /// # Errors
    /// The error of truncating a file.
    pub fn clear_logs(&mut self, process: ProcessId, paths: &[PathBuf]) -> io::Result<()> {
        self.records.clear_rings(process);
        self.followers.rings_changed(process);
        for stream in self.streams.of_mut(process) {
            stream.outlet.sink().clear(&mut self.destinations)?;
        }
        for path in paths.iter().filter(|path| path.is_file()) {
            empty_file(path)?;
            self.followers.written(path);
        }
        Ok(())
    }

    /// The processes are gone. Their rings are freed when no client follows them any more.
    pub fn forget(&mut self, process: ProcessId) {
        self.forgotten.push(process);
    }

    /// All processes are gone.
    pub fn forget_all(&mut self) {
        self.forgotten.extend(self.records.processes());
    }

    /// Frees the rings of processes that are gone and that no client follows.
    pub fn free_rings(&mut self) {
        let Self { forgotten, records, followers, unopened, .. } = self;
        for process in &*forgotten {
            unopened.remove(process);
            for id in StreamId::both(*process) {
                records.remove_counters(id);
            }
        }
        forgotten.retain(|&process| {
            let ids = StreamId::both(process);
            let is_followed = ids.iter().any(|id| followers.follows(*id));
            if !is_followed {
                ids.into_iter().for_each(|id| records.remove_ring(id));
            }
            is_followed
        });
    }

    /// A follower of a stream: of its ring, or else of the file at its path; `None` if there is neither.
    ///
    /// COMPAT: Supervisor cannot follow a log that is not a regular file.
    #[must_use]
    pub fn follower(&self, id: StreamId, path: Option<PathBuf>, from: FollowFrom) -> Option<Follower> {
        if let Some(follower) = Follower::of_ring(id, &self.records, from) {
            return Some(follower);
        }
        let path = path?;
        match resolve_links(&path) {
            PathTarget::Path => Follower::open(id, path, from).ok(),
            // What is written there is not announced under this path.
            PathTarget::Descriptor(_) => None,
        }
    }

    /// The same, of a log that may not exist before the first run of its program: then it is waited for. `None` if there
    /// will be none, or none that can be followed.
    #[must_use]
    pub fn follower_awaiting(
        &self,
        id: StreamId,
        path: Option<PathBuf>,
        from: FollowFrom,
    ) -> Option<Follower> {
        let path = path?;
        if let Some(follower) = self.follower(id, Some(path.clone()), from) {
            return Some(follower);
        }
        match resolve_links(&path) {
            // Only the ring is announced.
            PathTarget::Descriptor(_) => Some(Follower::awaiting(id, None)),
            PathTarget::Path => (!path.exists()).then(|| Follower::awaiting(id, Some(path))),
        }
    }

    /// A follower of our own log, as [`Outputs::follower`].
    #[must_use]
    pub fn follower_of_own_log(&self, path: Option<PathBuf>, from: FollowFrom) -> Option<Follower> {
        let of_ring = Follower::of_ring(OWN_LOG, &self.records, from);
        of_ring.or_else(|| Follower::open(OWN_LOG, path?, from).ok())
    }

    /// A client begins to follow a log, beside others that it follows.
    pub fn follow(&mut self, client: u64, follower: Follower) {
        self.followers.add(client, follower);
    }

    /// A client follows nothing any more; it need not have followed anything.
    pub fn unfollow(&mut self, client: u64) {
        self.followers.remove(client);
    }

    /// What comes next for a client; `None` if there is nothing now.
    pub fn next_piece(&mut self, client: u64, buffer: &mut [u8]) -> Option<FollowedPart> {
        self.followers.next(client, buffer, &self.records)
    }

    /// Whether a client follows a log.
    #[must_use]
    pub fn is_followed_by(&self, client: u64) -> bool {
        self.followers.contains(client)
    }

    /// Whether any client follows a log.
    #[must_use]
    pub fn has_followers(&self) -> bool {
        !self.followers.is_empty()
    }

    /// Whether there may be something for a client.
    #[must_use]
    pub fn has_due_followers(&self) -> bool {
        self.followers.is_due()
    }

    /// The clients for which there may be something.
    pub fn take_due_followers(&mut self) -> BTreeSet<u64> {
        self.followers.take_due()
    }

    /// Followers of logs that are over end with what is in them. Our own log belongs to no process.
    pub fn end_followers(&mut self, is_over: impl Fn(Option<ProcessId>) -> bool) {
        self.followers.end_where(is_over);
    }
}
