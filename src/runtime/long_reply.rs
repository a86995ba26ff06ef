//! Replies that are encoded in slices, within the time for clients of each turn.

use super::metrics_reply::MetricsReply;
use super::usage::{ResourcesReply, UsageCache};
use crate::api::ListReply;
use crate::http::Response;
use crate::model::Mono;
use crate::xmlrpc::Encoder;

/// A reply that is being encoded.
#[derive(Debug)]
pub(super) enum LongReply {
    Xml(Encoder),
    List(ListReply),
    Metrics(Box<MetricsReply>),
    Resources(ResourcesReply),
}

impl LongReply {
    /// Encodes a slice. True once everything is encoded.
    pub(super) fn encode_slice(&mut self, usage: &mut UsageCache, now: Mono) -> bool {
        match self {
            Self::Xml(reply) => reply.encode_slice(),
            Self::List(reply) => reply.encode_slice(),
            Self::Metrics(reply) => reply.encode_slice(usage, now),
            Self::Resources(reply) => reply.encode_slice(usage, now),
        }
    }

    /// The approximate memory that it uses.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Xml(reply) => reply.held_bytes(),
            Self::List(reply) => reply.held_bytes(),
            Self::Metrics(reply) => reply.held_bytes(),
            Self::Resources(reply) => reply.held_bytes(),
        }
    }

    pub(super) fn finish(self) -> Response {
        match self {
            Self::Xml(reply) => xml(reply.finish()),
            Self::List(reply) => reply.finish(),
            Self::Metrics(reply) => reply.finish(),
            Self::Resources(reply) => reply.finish(),
        }
    }
}

/// A response to a call by XML-RPC.
pub(super) fn xml(body: Vec<u8>) -> Response {
    Response::ok("text/xml", body)
}
