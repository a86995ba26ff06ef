//! Requests of clients: requests to commands, replies to responses.
//!
//! A pending command is identified by a ticket of the core. A multicall ([`crate::rpc::Multicall`]) sends one
//! command after the other, and one per turn. So does a page. Monitoring (`monitoring.rs`) sends none.

use super::Shell;
use super::long_reply::{LongReply, xml};
use super::refusals::RequestRefusal;
use super::tails::process_log;
use crate::api::{ApiCall, is_api};
use crate::http::{Request, Response};
use crate::metrics::{MetricsFormat, MonitoringPath};
use crate::model::{
    Fault, FaultCode, LogLevel, LogOf, Mono, Namespace, Principal, Reply, SupervisorState, Ticket,
};
use crate::rpc::{self, Asked, Multicall};
use crate::xmlrpc::{DecodeError, Value, decode_call};

/// A request that has not been started yet, since its reply may be long.
#[derive(Debug)]
pub(super) enum Pending {
    Call(Asked),
    Page(Request),
    Metrics(MetricsFormat),
    Api(Box<ApiCall>),
}

impl Pending {
    /// The approximate memory that it uses.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Self::Call(Asked::Many(calls)) => calls.held_bytes(),
            Self::Call(_) | Self::Metrics(_) | Self::Api(_) => 0,
            Self::Page(request) => request.body.capacity(),
        }
    }
}

/// The default namespace of clients.
const USUAL_NAMESPACE: &str = "supervisor";

impl Shell {
    /// When a client has to have made progress.
    pub(super) fn client_deadline(&self) -> Mono {
        self.now.mono.after(self.settings.daemon.client_timeout)
    }

    /// Answers an admitted request, or starts to.
    pub(super) fn handle_request(&mut self, token: u64, request: Request) {
        self.trace_request(token, &request);
        if self.front.server_of(token).is_none() {
            return self.respond_with_refusal(token, RequestRefusal::unauthorized());
        }
        if let Some(path) = MonitoringPath::of(&request.path) {
            return self.monitoring_request(token, &request, path);
        }
        // As Supervisor does; a POST of the API needs no body.
        if request.method == "POST" && !request.has_body() && !is_api(&request.path) {
            return self.respond(token, Response::error(411).closing());
        }
        match request.path.as_str() {
            path if path.starts_with("/RPC2") => self.call(token, &request),
            path if path.starts_with("/logtail") => {
                self.ask_for_log(token, &request, process_log(&request.path))
            }
            path if path.starts_with("/mainlogtail") => {
                self.ask_for_log(token, &request, Some(LogOf::Supervisor))
            }
            path if is_api(path) => self.api_request(token, &request),
            _ => self.front.clients.line_up(token, Pending::Page(request), self.client_deadline()),
        }
    }

    /// Starts a request that has waited in line.
    pub(super) fn take_up(&mut self, token: u64, pending: Pending) {
        match pending {
            Pending::Call(asked) => self.begin_call(token, Ok(asked)),
            Pending::Page(request) => self.page_request(token, &request),
            Pending::Metrics(format) => self.begin_metrics(token, format),
            Pending::Api(call) => self.begin_api_call(token, call),
        }
    }

    fn call(&mut self, token: u64, request: &Request) {
        if request.method != "POST" {
            return self.respond(token, Response::error(400));
        }
        let call = match decode_call(&request.body) {
            Ok(call) => call,
            Err(error) => {
                let kind =
                    if error == DecodeError::NoMethodName { "no method name" } else { "unmarshallable" };
                self.log(LogLevel::Error, &format!("XML-RPC request data is invalid: {kind} ({error})"));
                return self.respond(token, Response::error(400));
            }
        };
        self.trace_call(token, &call.method);
        match rpc::ask(&call.method, &call.params, &self.namespaces(token)) {
            Ok(asked) if may_be_long(&asked) => {
                self.front.clients.line_up(token, Pending::Call(asked), self.client_deadline());
            }
            asked => self.begin_call(token, asked),
        }
    }

    fn begin_call(&mut self, token: u64, asked: Result<Asked, Fault>) {
        match asked {
            Ok(Asked::Many(calls)) => {
                if let Some(client) = self.front.clients.get_mut(token) {
                    client.calls = Some(calls);
                    self.front.clients.enqueue(token);
                }
            }
            asked => {
                if let Some(outcome) = self.settle_or_ask(token, asked) {
                    self.take_outcome(token, outcome);
                }
            }
        }
    }

    /// The result of a call, if it is known without the core. Otherwise the core is asked, and answers by
    /// [`Shell::answer`], now or later.
    fn settle_or_ask(&mut self, token: u64, asked: Result<Asked, Fault>) -> Option<Result<Value, Fault>> {
        let principal = self.front.clients.principal(token)?;
        let asked = match asked {
            // The core's commands are checked on their way to it.
            Ok(Asked::Command(_)) | Err(_) => asked,
            Ok(asked) => self.permit(&principal, asked.permission()).map(|()| asked),
        };
        match asked {
            Ok(Asked::AnswerUnlessStopping(_) | Asked::Cache(_))
                if self.core.state() != SupervisorState::Running =>
            {
                Some(Err(Fault::bare(FaultCode::ShutdownState)))
            }
            Ok(Asked::Answer(value) | Asked::AnswerUnlessStopping(value)) => Some(Ok(value)),
            Ok(Asked::Cache(call)) => Some(self.front.cache.answer(call)),
            Ok(Asked::Command(command)) => {
                let ticket = self.front.tickets.give(token);
                self.command(token, ticket, principal, command);
                None
            }
            // Never nested: `Multicall::next` rejects it.
            Ok(Asked::Many(_)) => Some(Err(Fault::bare(FaultCode::IncorrectParameters))),
            Err(fault) => Some(Err(fault)),
        }
    }

    /// The namespaces in which a client finds the supervisor's methods.
    ///
    /// COMPAT: as `sv`, and on a socket without a section, the usual name is always among them; Supervisor
    /// has none without an `[rpcinterface:x]` section.
    fn namespaces(&self, token: u64) -> Vec<Namespace> {
        let mut namespaces = self.settings.namespaces.clone();
        let server = self.front.server_of(token);
        let has_usual = self.launch.foreground || server.is_some_and(|server| server.is_implicit);
        if has_usual && !namespaces.iter().any(|it| it.name == USUAL_NAMESPACE) {
            namespaces.push(Namespace::of_supervisor(USUAL_NAMESPACE));
        }
        namespaces
    }

    /// Continues with the request of a client, until the core has to answer or the time for clients is over.
    pub(super) fn continue_answering(&mut self, token: u64, until: Mono) {
        self.encode_reply(token, until);
        self.make_calls(token, until);
    }

    /// Encodes the reply to a client, which is sent once it is complete.
    fn encode_reply(&mut self, token: u64, until: Mono) {
        while let Some(reply) = self.front.clients.get_mut(token).and_then(|client| client.reply.as_mut()) {
            if reply.encode_slice(&mut self.front.usage, self.now.mono) {
                return self.send_reply(token);
            }
            if self.is_over(until) {
                return self.front.clients.enqueue(token);
            }
        }
    }

    fn send_reply(&mut self, token: u64) {
        if let Some(reply) = self.front.clients.get_mut(token).and_then(|client| client.reply.take()) {
            self.respond(token, reply.finish());
        }
    }

    /// Makes the next calls of a multicall, up to one that the core has to answer, or until the time for
    /// clients is over; after the last one the results are sent.
    fn make_calls(&mut self, token: u64, until: Mono) {
        if self
            .front
            .clients
            .get(token)
            .is_none_or(|client| client.calls.is_none() || client.ticket.is_some())
        {
            return;
        }
        let namespaces = self.namespaces(token);
        while let Some(client) = self.front.clients.get_mut(token) {
            let Some(calls) = client.calls.as_mut().filter(|_| client.ticket.is_none()) else { return };
            if calls.encode_slice() {
                let Some(asked) = calls.next(&namespaces) else {
                    let body = client.calls.take().map(Multicall::into_body).unwrap_or_default();
                    return self.respond(token, xml(body));
                };
                let Some(outcome) = self.settle_or_ask(token, asked) else { return };
                self.take_outcome(token, outcome);
            }
            if self.is_over(until) {
                return self.front.clients.enqueue(token);
            }
        }
    }

    /// Takes the result of a call: one of several, or the answer.
    fn take_outcome(&mut self, token: u64, outcome: Result<Value, Fault>) {
        let Some(client) = self.front.clients.get_mut(token) else { return };
        if let Some(calls) = &mut client.calls {
            return calls.answered(outcome);
        }
        self.begin_reply(token, LongReply::Xml(rpc::body(outcome)));
    }

    /// Encodes the first slice of a reply, and sends it if that is all.
    pub(super) fn begin_reply(&mut self, token: u64, mut reply: LongReply) {
        let Some(client) = self.front.clients.get_mut(token) else { return };
        let is_complete = reply.encode_slice(&mut self.front.usage, self.now.mono);
        client.reply = Some(reply);
        if is_complete {
            self.send_reply(token);
        } else {
            self.front.clients.enqueue(token);
        }
    }

    /// The answer to a command, if its client is still connected.
    pub(super) fn answer(&mut self, ticket: Ticket, result: Result<Reply, Fault>) {
        let Some(token) = self.front.tickets.take(ticket) else { return };
        let grant =
            self.front.clients.get(token).and_then(|client| client.principal.as_ref()).map(Principal::grant);
        let may_see_output = grant.is_none_or(|grant| grant.includes_logs());
        let result = if may_see_output { result } else { result.map(Reply::without_output) };
        let mut awaited = None;
        if let Some(client) = self.front.clients.get_mut(token) {
            client.ticket = None;
            client.last_used = self.now.mono;
            awaited = client.awaits.take();
        }
        if let Some(stream) = awaited {
            self.begin_awaited(token, stream, result);
        } else {
            let newest = self.core.newest_event();
            if let Err(result) = self.front.page_requests.answered(token, result, newest) {
                self.take_outcome(token, result.map(rpc::answer));
            }
        }
        self.front.clients.enqueue(token);
    }
}

/// Whether the reply may be so long that the request waits in line.
fn may_be_long(asked: &Asked) -> bool {
    match asked {
        Asked::Many(_) | Asked::Cache(_) => true,
        Asked::Command(command) => command.has_long_reply(),
        Asked::Answer(_) | Asked::AnswerUnlessStopping(_) => false,
    }
}
