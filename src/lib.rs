//! `sv`: a process supervisor and container init that takes the place of Supervisor.
//!
//! All code lives in this library; `main.rs` only matches on an action. The layers, from the
//! shared words up to the shell that owns every file descriptor, are described in ARCHITECTURE.md and
//! checked by `tests/tidy.rs`:
//!
//! * layer 0: [`model`], [`python`]
//! * layer 1, pure or without policy: [`launch`], [`events`], [`logs`], [`http`], [`notify`],
//!   [`xmlrpc`], [`sys`]
//! * layer 2: [`config`], [`supervise`], [`control_socket`], [`rpc`], [`web`], [`api`], [`metrics`],
//!   [`output`]
//! * layer 3: [`host`], [`cli`]
//! * layer 4: [`runtime`] (the supervisor), [`ctl`] (the client), [`inspect`], [`pidproxy`],
//!   [`print_listener`], [`init`] (of one command), [`scaffold`] (`sv init`)

pub mod api;
pub mod cli;
pub mod config;
pub mod control_socket;
pub mod ctl;
pub mod events;
pub mod host;
pub mod http;
pub mod init;
pub mod inspect;
pub mod launch;
pub mod logs;
pub mod metrics;
pub mod model;
pub mod notify;
pub mod output;
pub mod pidproxy;
pub mod print_listener;
pub mod python;
pub mod rpc;
pub mod runtime;
pub mod scaffold;
pub mod supervise;
pub mod sys;
pub mod web;
pub mod xmlrpc;
