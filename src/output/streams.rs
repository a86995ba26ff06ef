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
    /// The tokens of those of live children, sorted by child and channel.
    live: Vec<u64>,
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
            live: Vec::new(),
            held: HeldStreams::new(open_files_max),
            has_unwatched: false,
            unfinished: BTreeSet::new(),
        }
    }

    /// Begins to read a stream of a live child.
    pub(super) fn add(&mut self, mut stream: Stream, destinations: &Destinations, poller: &Poller) {
        stream.watch(destinations, poller);
        self.has_unwatched |= !stream.is_watched();
        let (token, at) = (stream.token, self.live_position(stream.child, stream.channel));
        self.by_token.insert(token, Box::new(stream));
        self.live.insert(at, token);
    }

    pub(super) fn get(&self, token: u64) -> Option<&Stream> {
        self.by_token.get(&token).map(|stream| &**stream)
    }

    pub(super) fn get_mut(&mut self, token: u64) -> Option<&mut Stream> {
        self.by_token.get_mut(&token).map(|stream| &mut **stream)
    }

    /// The open streams of a child that was not reaped yet.
    pub(super) fn live(&self, child: ChildId) -> Vec<u64> {
        let tokens = self.live.iter().skip(self.live_position(child, Channel::Stdout));
        tokens.copied().take_while(|token| self.get(*token).is_some_and(|it| it.child == child)).collect()
    }

    /// How many streams of live children come before this one by child and channel.
    fn live_position(&self, child: ChildId, channel: Channel) -> usize {
        let is_before = |stream: &Stream| (stream.child, stream.channel) < (child, channel);
        self.live.partition_point(|token| self.get(*token).is_some_and(is_before))
    }

    /// The child of a stream is dead, or the stream is removed.
    fn remove_live(&mut self, token: u64, child: ChildId, channel: Channel) {
        let at = self.live_position(child, channel);
        // The first one from there, unless a child has two streams of one channel.
        if let Some(after) = self.live[at..].iter().position(|it| *it == token) {
            self.live.remove(at + after);
        }
    }

    /// The open streams of hooks that were not reaped yet.
    pub(super) fn live_hooks(&self) -> Vec<u64> {
        let is_of_hook = |stream: &Stream| matches!(stream.child, ChildId::Hook(_));
        self.live.iter().copied().filter(|token| self.get(*token).is_some_and(is_of_hook)).collect()
    }

    /// The child of a stream is dead; the stream is read until others close it.
    pub(super) fn hold(&mut self, token: u64, now: Mono) {
        let Some(stream) = self.get_mut(token) else { return };
        stream.is_held = true;
        let &mut Stream { child, channel, process, .. } = stream;
        self.remove_live(token, child, channel);
        self.held.add(token, process, now);
    }

    pub(super) fn remove(&mut self, token: u64) -> Option<Box<Stream>> {
        let &Stream { child, channel, is_held, .. } = self.get(token)?;
        if is_held {
            self.held.remove(token);
        } else {
            self.remove_live(token, child, channel);
        }
        self.by_token.remove(&token)
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
