//! Requests for web pages and of the JSON API, which send commands to the core, one after the other.

use std::collections::BTreeMap;
use std::env;

use super::Shell;
use super::long_reply::LongReply;
use super::questions::Pending;
use super::streams::AwaitedStream;
use super::usage::ResourcesReply;
use crate::api::{self, ApiAnswer, ApiCall, ApiOutcome, ServerFacts};
use crate::config::Machine;
use crate::http::Request;
use crate::launch;
use crate::model::{
    Channel, Command, Fault, Grant, LaunchContext, LogOf, Mono, Namespec, Principal, ProcessSpec, Reply,
    Ticket, User,
};
use crate::sys::isolation::own_isolation;
use crate::sys::users::own_user;
use crate::web::{self, Answer, PageRequest};

/// The requests of connected clients that wait for an answer of the core.
#[derive(Debug, Default)]
pub(super) struct PageRequests {
    /// Boxed, as a tree keeps the space of its entries when it is empty.
    by_client: BTreeMap<u64, Box<Waiting>>,
}

/// A request that takes several commands.
#[derive(Debug)]
enum Visit {
    Page(PageRequest),
    Api(Box<ApiCall>),
}

impl Visit {
    fn next(&mut self) -> Option<Command> {
        match self {
            Self::Page(page) => page.next(),
            Self::Api(call) => call.next(),
        }
    }

    fn answered(&mut self, outcome: Result<Reply, Fault>) {
        match self {
            Self::Page(page) => page.answered(outcome),
            Self::Api(call) => call.answered(outcome),
        }
    }
}

#[derive(Debug)]
struct Waiting {
    visit: Visit,
    /// The sender.
    principal: Principal,
    /// The ticket of its pending command.
    ticket: Option<Ticket>,
    /// When its client is answered even if it is not complete.
    answer_by: Option<Mono>,
    /// The newest event when its last command was answered: up to there what the client gets is current.
    newest_event: Option<u64>,
}

impl PageRequests {
    /// Passes the result of its command to a page request. A result that belongs to none is returned.
    pub(super) fn answered(
        &mut self,
        client: u64,
        outcome: Result<Reply, Fault>,
        newest_event: u64,
    ) -> Result<(), Result<Reply, Fault>> {
        let Some(waiting) = self.by_client.get_mut(&client) else { return Err(outcome) };
        waiting.ticket = None;
        waiting.newest_event = Some(newest_event);
        waiting.visit.answered(outcome);
        Ok(())
    }

    /// When the next client has waited long enough.
    pub(super) fn deadline(&self) -> Option<Mono> {
        self.by_client.values().filter_map(|waiting| waiting.answer_by).min()
    }
}

impl Shell {
    /// A client has gone, or is refused an answer. What it has asked for on a page or by the API is done all the same; a
    /// command of XML-RPC is cancelled.
    pub(super) fn abandon_request(&mut self, token: u64, ticket: Option<Ticket>) {
        let is_visit = self.front.page_requests.by_client.remove(&token).is_some();
        let given = ticket.filter(|ticket| self.front.tickets.take(*ticket).is_some());
        self.front.clients.cancelled.extend(given.filter(|_| !is_visit));
    }

    /// Answers a request for a page, or starts to.
    pub(super) fn page_request(&mut self, token: u64, request: &Request) {
        match web::ask(request, self.began.unix_secs()) {
            Answer::Now(response) => self.respond(token, response),
            Answer::Later(page) => self.begin_visit(token, Visit::Page(page)),
        }
    }

    /// Answers a request of the API, starts to, or has it wait in line.
    pub(super) fn api_request(&mut self, token: u64, request: &Request) {
        match api::ask(request) {
            ApiAnswer::Now(response) => self.respond(token, response),
            ApiAnswer::Later(call) if call.has_long_reply() => {
                self.front.clients.line_up(token, Pending::Api(call), self.client_deadline());
            }
            ApiAnswer::Later(call) => self.begin_api_call(token, call),
            ApiAnswer::FollowLog(log, from) => self.ask_to_follow_log(token, log, from),
            ApiAnswer::FollowEvents(after) => self.ask_to_follow_events(token, after),
            ApiAnswer::FollowProcess(name, after, from) => {
                let command = Command::FollowLog(LogOf::Process(name, Channel::Stdout));
                self.ask_for_stream(token, AwaitedStream::Process(after, from), command);
            }
        }
    }

    pub(super) fn begin_api_call(&mut self, token: u64, call: Box<ApiCall>) {
        self.begin_visit(token, Visit::Api(call));
    }

    fn begin_visit(&mut self, token: u64, visit: Visit) {
        let Some(principal) = self.front.clients.principal(token) else { return };
        let answer_by = match &visit {
            Visit::Page(_) => None,
            Visit::Api(call) => call.wait().map(|wait| self.now.mono.after(wait)),
        };
        let waiting = Waiting { visit, principal, ticket: None, answer_by, newest_event: None };
        self.front.page_requests.by_client.insert(token, Box::new(waiting));
        self.continue_page_request(token);
    }

    /// Sends the next command of a page request; after the last one the client is answered.
    pub(super) fn continue_page_request(&mut self, token: u64) {
        let waiting =
            self.front.page_requests.by_client.get_mut(&token).filter(|waiting| waiting.ticket.is_none());
        let Some(waiting) = waiting else { return };
        if let Some(command) = waiting.visit.next() {
            let ticket = self.front.tickets.give(token);
            waiting.ticket = Some(ticket);
            let principal = waiting.principal.clone();
            self.command(token, ticket, principal, command);
            return self.answer_if_overdue(token);
        }
        let removed = self.front.page_requests.by_client.remove(&token);
        let Some(waiting) = removed else { return };
        let Waiting { visit, principal, newest_event, .. } = *waiting;
        let grant = principal.grant();
        match visit {
            Visit::Page(page) => {
                self.front.usage.forget_stale(self.now.mono);
                let usage = page.measured_pid().and_then(|pid| self.front.usage.usage(pid, self.now.mono));
                self.respond(token, page.into_response(self.now.wall, grant, usage));
            }
            Visit::Api(call) => match call.outcome(&self.facts(grant, newest_event)) {
                ApiOutcome::Response(response) => self.respond(token, response),
                ApiOutcome::Launch(spec) => {
                    let context = self.launch_context(&spec);
                    self.respond(token, api::launch(&context));
                }
                ApiOutcome::List(reply) => self.begin_reply(token, LongReply::List(reply)),
                ApiOutcome::Measure(processes) => {
                    self.front.usage.forget_stale(self.now.mono);
                    let reply = ResourcesReply::new(processes, self.now.wall);
                    self.begin_reply(token, LongReply::Resources(reply));
                }
            },
        }
    }

    /// What a client needs to run a command as a program's own.
    fn launch_context(&mut self, spec: &ProcessSpec) -> LaunchContext {
        let full_name = Namespec::join(&spec.group, &spec.name);
        let process = self.core.find_process(&Namespec::split(&full_name));
        let cgroup =
            process.and_then(|process| self.resources.cgroups.of(process)).map(|it| it.path().to_path_buf());
        let user = spec.user.as_ref().map(|user| User::clone(&self.host.user_now(user)));
        let (mut environment, mut omitted) = (Vec::new(), Vec::new());
        let ours: Vec<_> = env::vars_os().collect();
        let inherited = launch::inherited_variables(&ours, &self.settings.variables);
        for (name, value) in launch::child_environment(inherited, self.own_variables(spec)) {
            match (name.to_str(), value.to_str()) {
                (Some(name), Some(value)) => environment.push((name.to_owned(), value.to_owned())),
                _ => omitted.push(name.to_string_lossy().into_owned()),
            }
        }
        LaunchContext {
            full_name,
            environment,
            omitted,
            directory: spec.directory.clone().or_else(|| std::env::current_dir().ok()),
            umask: spec.umask,
            user: user.unwrap_or_else(own_user),
            limits: spec.limits.as_deref().cloned(),
            cgroup,
            isolation: own_isolation(),
        }
    }

    /// Answers the clients that have waited long enough.
    pub(super) fn answer_overdue_visits(&mut self) {
        if self.front.page_requests.deadline().is_some_and(|at| at <= self.now.mono) {
            let tokens: Vec<u64> = self.front.page_requests.by_client.keys().copied().collect();
            tokens.into_iter().for_each(|token| self.answer_if_overdue(token));
        }
    }

    /// Answers a client that has waited long enough for its command, which continues.
    fn answer_if_overdue(&mut self, token: u64) {
        let is_over = |waiting: &Waiting| waiting.answer_by.is_some_and(|at| at <= self.now.mono);
        let waiting = self.front.page_requests.by_client.get(&token).map(Box::as_ref);
        let waiting = waiting.filter(|waiting| is_over(waiting));
        let Some(Waiting { visit: Visit::Api(call), ticket: Some(ticket), .. }) = waiting else { return };
        let (response, ticket) = (call.unfinished_response(), *ticket);
        self.abandon_request(token, Some(ticket));
        if let Some(client) = self.front.clients.get_mut(token) {
            client.ticket = None;
        }
        self.respond(token, response);
        self.front.clients.enqueue(token);
    }

    fn facts(&self, grant: Grant, newest_event: Option<u64>) -> ServerFacts {
        ServerFacts {
            grant,
            now: self.now.wall,
            newest_event: newest_event.unwrap_or_else(|| self.core.newest_event()),
            identifier: self.settings.daemon.identifier.clone(),
            host: self.host.host_node_name(),
            pid: std::process::id(),
            state: self.core.state(),
            began: self.began,
        }
    }
}
