//! All streams that are read, by the token under which each is watched: of live processes, and of dead ones whose
//! pipes others hold open.

use std::collections::BTreeSet;

use super::destinations::Destinations;
use super::held::HeldStreams;
use super::stream::Stream;
use crate::model::{Channel, ChildId, Mono, ProcessId, SortedMap};
use crate::sys::poller::Poller;

/// All streams.
#[derive(Debug)]
pub(super) struct Streams {
    by_token: SortedMap<u64, Box<Stream>>,
    live: SortedMap<(ChildId, Channel), u64>,
    pub(super) held: HeldStreams,
    /// Whether any stream is not watched.
    has_unwatched: bool,
    /// When unfinished lines are looked at, by the tokens of their streams.
    unfinished: BTreeSet<(Mono, u64)>,
}

impl Streams {
    /// None yet; the bound of held streams follows from how many files may be open.
    pub(super) fn new(open_files_max: u64) -> Self {
        Self {
            by_token: SortedMap::default(),
            live: SortedMap::default(),
            held: HeldStreams::new(open_files_max),
            has_unwatched: false,
            unfinished: BTreeSet::new(),
        }
    }

    /// Begins to read a stream of a live child.
    pub(super) fn add(&mut self, mut stream: Stream, destinations: &Destinations, poller: &Poller) {
        stream.watch(destinations, poller);
        self.has_unwatched |= !stream.is_watched();
        self.live.insert((stream.child, stream.channel), stream.token);
        self.by_token.insert(stream.token, Box::new(stream));
    }

    pub(super) fn get(&self, token: u64) -> Option<&Stream> {
        self.by_token.get(&token).map(|stream| &**stream)
    }

    pub(super) fn get_mut(&mut self, token: u64) -> Option<&mut Stream> {
        self.by_token.get_mut(&token).map(|stream| &mut **stream)
    }

    /// The open streams of a child that was not reaped yet.
    pub(super) fn live(&self, child: ChildId) -> Vec<u64> {
        let keys = [Channel::Stdout, Channel::Stderr].map(|channel| (child, channel));
        keys.iter().filter_map(|key| self.live.get(key).copied()).collect()
    }

    /// The open streams of hooks that were not reaped yet.
    pub(super) fn live_hooks(&self) -> Vec<u64> {
        let hooks = self.live.iter().filter(|((child, _), _)| matches!(child, ChildId::Hook(_)));
        hooks.map(|(_, token)| *token).collect()
    }

    /// The child of a stream is dead; the stream is read until others close it.
    pub(super) fn hold(&mut self, token: u64, now: Mono) {
        let Some(stream) = self.by_token.get_mut(&token) else { return };
        stream.is_held = true;
        self.live.remove(&(stream.child, stream.channel));
        self.held.add(token, stream.process, now);
    }

    pub(super) fn remove(&mut self, token: u64) -> Option<Box<Stream>> {
        let stream = self.by_token.remove(&token)?;
        if stream.is_held {
            self.held.remove(token);
        } else {
            self.live.remove(&(stream.child, stream.channel));
        }
        Some(stream)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.by_token.values_mut().map(|stream| &mut **stream)
    }

    /// Those that go to the logs of one process: also of its earlier runs and its hooks.
    pub(super) fn of_mut(&mut self, process: ProcessId) -> impl Iterator<Item = &mut Stream> {
        self.all_mut().filter(move |stream| stream.process == process)
    }

    /// Watches those whose outlets have room, and only those.
    pub(super) fn watch(&mut self, destinations: &Destinations, poller: &Poller) {
        // Usually true: no walk over all streams.
        if !self.has_unwatched && !destinations.is_any_full() {
            return;
        }
        let mut has_unwatched = false;
        for stream in self.by_token.values_mut() {
            stream.watch(destinations, poller);
            has_unwatched |= !stream.is_watched();
        }
        self.has_unwatched = has_unwatched;
    }

    /// The unfinished line of a stream is looked at then.
    pub(super) fn await_line_end(&mut self, token: u64, at: Mono) {
        self.unfinished.insert((at, token));
    }

    /// When the next unfinished line is looked at.
    pub(super) fn next_line_end(&self) -> Option<Mono> {
        self.unfinished.first().map(|(at, _)| *at)
    }

    /// The stream of the next unfinished line that is due.
    pub(super) fn take_unfinished(&mut self, now: Mono) -> Option<u64> {
        let next = *self.unfinished.first().filter(|(at, _)| *at <= now)?;
        self.unfinished.remove(&next);
        Some(next.1)
    }
}
