//! What faces clients: servers, connections, and what is kept for their requests.

use super::Tickets;
use super::clients::{Client, Clients};
use super::page_requests::PageRequests;
use super::refusals::RefusalLog;
use super::servers::Servers;
use super::streams::ClientStreams;
use super::trace::Traces;
use super::usage::UsageCache;
use crate::model::{Mono, ServerSpec};
use crate::rpc::Cache;

/// All of it.
#[derive(Debug)]
pub(super) struct FrontEnd {
    pub(super) servers: Servers,
    pub(super) clients: Clients,
    pub(super) page_requests: PageRequests,
    pub(super) streams: ClientStreams,
    pub(super) tickets: Tickets,
    pub(super) traces: Traces,
    pub(super) refusals: RefusalLog,
    pub(super) usage: UsageCache,
    /// The values that clients store by the methods of `supervisor_cache`.
    pub(super) cache: Cache,
}

impl FrontEnd {
    pub(super) fn new(servers: Servers, open_files_max: u64) -> Self {
        Self {
            servers,
            clients: Clients::new(open_files_max),
            page_requests: PageRequests::default(),
            streams: ClientStreams::default(),
            tickets: Tickets::default(),
            traces: Traces::default(),
            refusals: RefusalLog::default(),
            usage: UsageCache::default(),
            cache: Cache::default(),
        }
    }

    pub(super) fn deadline(&self) -> Option<Mono> {
        let deadlines = [
            self.clients.deadline(),
            self.servers.deadline(),
            self.streams.deadline(),
            self.page_requests.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Whether there is something to do without waiting.
    pub(super) fn has_work(&self) -> bool {
        self.clients.has_work() || self.streams.is_due()
    }

    /// The server of a connection, unless it was removed.
    pub(super) fn server_of(&self, token: u64) -> Option<&ServerSpec> {
        self.servers.spec(self.clients.get(token)?.server)
    }

    /// Ends the stream of a client.
    pub(super) fn end_stream(&mut self, token: u64) {
        self.clients.end_stream(token);
        self.streams.remove(token);
    }

    /// Followers of events whose server is gone.
    pub(super) fn streams_without_server(&self) -> Vec<u64> {
        let mut streams = self.clients.event_streams();
        streams.retain(|token| self.server_of(*token).is_none());
        streams
    }

    /// Forgets a connection.
    pub(super) fn remove(&mut self, token: u64) -> Option<Box<Client>> {
        self.traces.remove(token);
        self.streams.remove(token);
        let client = self.clients.remove(token)?;
        self.servers.descriptor_is_free();
        Some(client)
    }
}
