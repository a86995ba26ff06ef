//! `sv`: a process supervisor and container init that takes the place of Supervisor.
//!
//! All code lives in this library; `main.rs` only matches on an action. The layers, from the
//! shared words up to the shell that owns every file descriptor, are told in ARCHITECTURE.md and
//! held by `tests/tidy.rs`:
//!
//! * layer 0: [`model`]
//! * layer 1, pure or without policy: [`config`], [`supervise`], [`logs`], [`http`], [`xmlrpc`], [`sys`]
//! * layer 2: [`rpc`], [`cli`]
//! * layer 3: [`runtime`] (the supervisor), [`ctl`] (the client), [`pidproxy`]

pub mod cli;
pub mod config;
pub mod ctl;
pub mod http;
pub mod model;
pub mod pidproxy;
pub mod xmlrpc;
