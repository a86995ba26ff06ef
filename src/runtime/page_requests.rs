//! Requests for web pages that send commands to the core, one after the other.

use std::collections::BTreeMap;

use super::Shell;
use super::clients::CLIENTS_MAX;
use crate::http::Request;
use crate::model::{Fault, Principal, Reply, Ticket};
use crate::web::{self, Answer, PageRequest};

/// The requests that wait for an answer of the core, by ticket.
///
/// They don't belong to connections: a restart continues if its client disconnects, since a page that is
/// closed or reloaded while a process is stopping must not leave it stopped.
#[derive(Debug, Default)]
pub(super) struct PageRequests {
    by_client: BTreeMap<u64, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    page_request: PageRequest,
    /// The sender.
    principal: Principal,
    /// The ticket of its pending command.
    ticket: Option<Ticket>,
}

impl PageRequests {
    /// Passes the result of its command to a page request. A result that belongs to none is returned.
    pub(super) fn answered(
        &mut self,
        client: u64,
        outcome: Result<Reply, Fault>,
    ) -> Result<(), Result<Reply, Fault>> {
        let Some(waiting) = self.by_client.get_mut(&client) else { return Err(outcome) };
        waiting.ticket = None;
        waiting.page_request.answered(outcome);
        Ok(())
    }

    /// The client has disconnected. Returns whether its request continues.
    pub(super) fn leave(&mut self, client: u64) -> bool {
        let room = self.by_client.len() <= CLIENTS_MAX;
        let continues =
            self.by_client.get(&client).is_some_and(|it| room && it.page_request.outlives_its_client());
        if !continues {
            self.by_client.remove(&client);
        }
        continues
    }
}

impl Shell {
    /// Answers a request for a page, or starts to.
    pub(super) fn page_request(&mut self, token: u64, request: &Request) {
        match web::ask(request, self.began.unix_secs()) {
            Answer::Now(response) => self.respond(token, response),
            Answer::Later(page_request) => {
                let Some(principal) = self.clients.principal(token) else { return };
                self.page_requests.by_client.insert(token, Waiting { page_request, principal, ticket: None });
                self.continue_page_request(token);
            }
        }
    }

    /// Sends the next command of a page request; after the last one the client is answered, if it is still
    /// connected.
    pub(super) fn continue_page_request(&mut self, token: u64) {
        let waiting = self.page_requests.by_client.get_mut(&token).filter(|waiting| waiting.ticket.is_none());
        let Some(waiting) = waiting else { return };
        if let Some(command) = waiting.page_request.next() {
            let ticket = self.tickets.give(token);
            waiting.ticket = Some(ticket);
            let principal = waiting.principal.clone();
            return self.command(token, ticket, principal, command);
        }
        if let Some(Waiting { page_request, .. }) = self.page_requests.by_client.remove(&token) {
            self.respond(token, page_request.into_response(self.now.wall));
        }
    }
}
