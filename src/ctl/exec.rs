//! `sv exec`: a command in the place of a program, with its user, environment, directory and limits.
//!
//! The client joins the cgroup of the program, if it may, and becomes the command, so the terminal, signals and the exit
//! status are the command's. The supervisor only says what the program is started with. That has a meaning only where the
//! supervisor runs: in its namespaces.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::api::process_path;
use super::failure::{CallError, Failure, Outcome};
use super::screen::harmless;
use super::session::Session;
use super::words::refuse;
use crate::launch::search_path;
use crate::model::LaunchContext;
use crate::python::split_command;
use crate::sys::attributes::Attributes;
use crate::sys::cgroup::join;
use crate::sys::isolation::{is_complete, own_isolation};
use crate::sys::program::Program;
use crate::sys::spawn::become_program;
use crate::sys::spawn_failures::Step;
use crate::sys::users;

/// Exit codes of our own, as with env(1), timeout(1) and `docker run`.
const FAILED: u8 = 125;
const NOT_EXECUTABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// `exec NAME [--] [COMMAND [ARGUMENT]...]`: returns only after an error.
pub(super) fn exec(session: &mut Session, arg: &str) -> Outcome {
    let words = split_command(arg).unwrap_or_default();
    let Some((name, command)) = words.split_first().filter(|(name, _)| !name.starts_with('-')) else {
        refuse(session, "exec", "Error: exec requires a process name");
        session.fail(FAILED);
        return Ok(());
    };
    if session.is_shell() {
        session.warn(format_args!(
            "error: the client becomes the command: run 'sv exec {name}' outside of this shell"
        ));
        session.fail(FAILED);
        return Ok(());
    }
    let command = command.strip_prefix(&["--".to_owned()]).unwrap_or(command);
    let shell = ["sh".to_owned()];
    let command = if command.is_empty() { &shell } else { command };
    let target = format!("{}/launch", process_path(name));
    let context = match session.get(&target, "what a program is started with") {
        Ok(document) => {
            serde_json::from_value(document).map_err(|error| CallError::InvalidReply(error.to_string()))
        }
        Err(error @ CallError::Refused(401, _)) => return Err(error.into()),
        Err(error) => Err(error),
    };
    let outcome = context.map_err(Failure::from).and_then(|context| run(session, &context, command));
    if let Err(failure) = outcome {
        let text = match failure {
            Failure::Call(error) => session.plain_for_process(name, &error),
            other => other.to_string(),
        };
        session.warn(format_args!("error: {text}"));
        session.fail(FAILED);
    }
    Ok(())
}

/// Returns only after an error, which is reported.
fn run(session: &mut Session, context: &LaunchContext, command: &[String]) -> Outcome {
    if let Some(why) = obstacle(context, &own_isolation(), users::own_id()) {
        session.warn(format_args!(
            "error: cannot run a command in the place of {}: {why}",
            harmless(&context.full_name)
        ));
        session.fail(FAILED);
        return Ok(());
    }
    for name in &context.omitted {
        session
            .warn(format_args!("note: the variable {} is left out: its value is not UTF-8", harmless(name)));
    }
    if let Some(why) = join_cgroup(context) {
        session.warn(format_args!(
            "note: the command runs outside of the cgroup of {}: {why}",
            harmless(&context.full_name)
        ));
    }
    let LaunchContext { environment, directory, umask, user, limits, .. } = context;
    let invalid = |_| std::io::Error::from(std::io::ErrorKind::InvalidInput);
    let mut files = files(&command[0], environment).into_iter();
    let first = files.next().unwrap_or_default();
    let variables = environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let program = Program::new(&first, command, variables).and_then(|program| program.or_else(files));
    let program = program.map_err(invalid)?;
    let attributes = Attributes::new(directory.as_deref(), *umask, Some(Arc::new(user.clone())));
    let attributes = attributes.map_err(invalid)?.with_limits(limits.as_ref());
    session.flush();
    let failure = become_program(&program, &attributes);
    let (text, code) = match (failure.step, failure.error.kind()) {
        (Step::Exec, std::io::ErrorKind::NotFound) => {
            (format!("cannot find command '{}'", harmless(&command[0])), NOT_FOUND)
        }
        (Step::Exec, _) => {
            (format!("cannot run '{}': {}", harmless(&command[0]), failure.error), NOT_EXECUTABLE)
        }
        _ => (failure.to_string(), FAILED),
    };
    session.warn(format_args!("error: {text}"));
    session.fail(code);
    Ok(())
}

/// Before the user changes. Returns why we are not in the cgroup of the program, if it has one or should have.
fn join_cgroup(context: &LaunchContext) -> Option<String> {
    if let Some(cgroup) = &context.cgroup {
        return join(cgroup, "0").err().map(|error| error.to_string());
    }
    let has_limits = context.limits.as_ref().is_some_and(|limits| limits.cgroup.limits().next().is_some());
    has_limits.then(|| "it has none at present".to_owned())
}

/// Why this is not the place or not the user to run it.
fn obstacle(context: &LaunchContext, own: &[String], uid: u32) -> Option<String> {
    let theirs = &context.isolation;
    if !is_complete(own) || !is_complete(theirs) {
        return Some("its namespaces cannot be compared with ours without /proc".to_owned());
    }
    let differing: Vec<&str> = theirs
        .iter()
        .filter(|one| !own.contains(one))
        .map(|one| {
            one.split([':', ' ']).take(if one.starts_with("namespace") { 2 } else { 1 }).last().unwrap_or(one)
        })
        .collect();
    if !differing.is_empty() {
        return Some(format!(
            "the supervisor runs elsewhere (other {}). Run 'sv exec' where it runs, as with docker exec or kubectl exec",
            differing.join(", ")
        ));
    }
    let user = &context.user;
    (uid != 0 && uid != user.uid).then(|| {
        format!("it runs as {} (uid {}): only root and that user may", harmless(&user.name), user.uid)
    })
}

/// Where a command may be, in the order of the program's PATH.
fn files(command: &str, environment: &[(String, String)]) -> Vec<PathBuf> {
    if command.contains('/') {
        return vec![command.into()];
    }
    search_path(environment, &[]).split(':').map(|folder| Path::new(folder).join(command)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::User;

    #[test]
    fn a_command_runs_only_where_its_program_does_and_as_one_who_may() {
        let user = User { name: "app".to_owned(), uid: 7, gid: 7, groups: vec![7], has_own_group: false };
        let own = own_isolation();
        let context = LaunchContext {
            full_name: "web".to_owned(),
            environment: Vec::new(),
            omitted: Vec::new(),
            directory: None,
            umask: None,
            user,
            limits: None,
            cgroup: None,
            isolation: own.clone(),
        };
        assert_eq!(obstacle(&context, &own, 0), None);
        assert_eq!(obstacle(&context, &own, 7), None);
        let why = "it runs as app (uid 7): only root and that user may";
        assert_eq!(obstacle(&context, &own, 8).as_deref(), Some(why));
        let mut other = own.clone();
        other[0] = "boot 1".to_owned();
        other[2] = "namespace mnt:[1]".to_owned();
        let why = obstacle(&context, &other, 0).unwrap();
        assert!(why.contains("elsewhere (other boot, mnt)."), "{why}");
        assert!(obstacle(&context, &own[1..], 0).unwrap().contains("without /proc"));
    }

    #[test]
    fn commands_are_searched_for_in_the_path_of_the_program() {
        let path = |path: &str| vec![("PATH".to_owned(), path.to_owned())];
        assert_eq!(files("ls", &path("/a:/b")), [PathBuf::from("/a/ls"), "/b/ls".into()]);
        assert_eq!(files("./ls", &path("/a")), [PathBuf::from("./ls")]);
        assert_eq!(files("ls", &[]).len(), 3);
    }
}
