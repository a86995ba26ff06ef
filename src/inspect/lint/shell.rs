//! Commands that were written for a shell, and those that daemonize.

use super::{Advice, SectionProcesses, with_options};
use crate::config::Reading;
use crate::config::SectionReader;
use crate::config::{DaemonizesWhen, daemonizes_when, foreground_form};
use crate::model::ProcessSpec;
use crate::python::quote;
use crate::python::{SplitError, split_command};

pub(super) fn lint(reading: &mut Reading<'_>, programs: &[SectionProcesses<'_, '_>]) {
    for program in programs {
        with_options(reading, program.section, program.kind(), |options| {
            if let Some(text) = options.own_text("command") {
                if cut_off(options, text) {
                    return;
                }
                backslashes(options, text);
                assignment(options, text);
                shell_words(options, text);
            }
            for process in program.processes {
                background(options, &process.command);
                shell_that_stays(options, process);
            }
        });
    }
}

/// Whether a comment has cut off a part of the command: a quotation is left open, or the comment looks like
/// the rest of a command.
fn cut_off(options: &mut SectionReader<'_, '_>, text: &str) -> bool {
    let place = options.spot("command").place;
    let comments: Vec<&str> = options.reading.document.comments_of(place).collect();
    let is_open = split_command(text) == Err(SplitError::NoClosingQuotation);
    let Some(comment) = comments.into_iter().find(|comment| is_open || reads_like_a_command(comment, text))
    else {
        return false;
    };
    let sign = &comment[..1];
    let text = format!(
        "command of [{}] ends before {}, which begins a comment after a space: what is left is {}. Write it \
         without the space",
        options.section.name,
        quote(&format!(" {sign}")),
        quote(text)
    );
    Advice::new(text).about(comment).report(options, "command");
    true
}

/// Words that may begin a shell command but no sentence.
const SHELL_WORDS: [&str; 12] =
    ["exec", "sleep", "while", "do", "done", "wait", "cd", "then", "fi", "echo", "exit", "export"];

fn reads_like_a_command(comment: &str, kept: &str) -> bool {
    let rest = comment[1..].trim();
    let first = rest.split_whitespace().next().unwrap_or_default();
    let closes = (rest.ends_with('"') || rest.ends_with('\'')) && rest.matches(['"', '\'']).count() % 2 == 1;
    let ends_a_word = rest.starts_with('"') || rest.starts_with('\'');
    let is_one = SHELL_WORDS.contains(&first) || first.starts_with('/') || rest.contains("&&");
    closes || ends_a_word || is_one && !kept.is_empty()
}

fn backslashes(options: &mut SectionReader<'_, '_>, text: &str) {
    if text.lines().rev().skip(1).any(|line| line.ends_with('\\')) {
        let text = format!(
            "command of [{}] has a backslash at the end of a line: it becomes a part of an argument. A line that is \
             indented continues the one before as it is",
            options.section.name
        );
        Advice::new(text).about("\\").report(options, "command");
    }
}

/// `A=1 cmd`
fn assignment(options: &mut SectionReader<'_, '_>, text: &str) {
    let Some((name, value)) = text.split_whitespace().next().and_then(|word| word.split_once('=')) else {
        return;
    };
    let is_name = |name: &str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(is_part)
    };
    if is_name(name) {
        let text = format!(
            "command of [{}] begins with a variable, and there is no shell that sets it: write \
             environment={name}=\"{}\"",
            options.section.name,
            value.trim_matches(['"', '\''])
        );
        Advice::new(text).about(&format!("{name}={value}")).report(options, "command");
    }
}

/// Shells that keep running during the last command of a list. With a single command most replace themselves
/// by it.
const LIST_SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "zsh", "ksh"];

/// A shell that receives the signals meant for its last command.
fn shell_that_stays(options: &mut SectionReader<'_, '_>, process: &ProcessSpec) {
    let words = split_command(&process.command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else { return };
    let flag = arguments
        .iter()
        .position(|word| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c'));
    let Some(script) = flag.and_then(|flag| arguments.get(flag + 1)) else { return };
    let Some((_, last)) = script.rsplit_once("&&") else { return };
    let last = last.trim();
    let name = base_name(program);
    let is_simple =
        !last.is_empty() && !last.contains(['|', '&', ';', '(', '{', '\n']) && !last.starts_with("exec ");
    if LIST_SHELLS.contains(&name) && is_simple && !process.stop_as_group {
        let text = format!(
            "{name} of [{}] stays beside {}, and passes no signal on to it: write {}, or set stopasgroup=true",
            options.section.name,
            quote(last),
            quote(&format!("exec {last}"))
        );
        Advice::new(text).about(last).report(options, "command");
    }
}

/// Words that mean something to a shell and nothing to a program.
const OPERATORS: [&str; 13] = ["|", "||", "&&", "&", ";", "<", "<<", ">", ">>", "2>", "2>>", "2>&1", "&>"];

/// Programs that accept such words.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "awk", "expr"];

/// Checks only unquoted words, in the text as written: the value of a variable is not the author's mistake,
/// and must not be shown.
fn shell_words(options: &mut SectionReader<'_, '_>, text: &str) {
    let Ok(words) = split_command(text) else { return };
    let program = words.first().map(|word| base_name(word)).unwrap_or_default();
    if SHELLS.contains(&program) {
        return;
    }
    let section = options.section.name.clone();
    let bare = text.split_ascii_whitespace().filter(|word| words.iter().any(|known| known == word));
    let bare: Vec<_> = bare.collect();
    if let Some(word) = bare.iter().find(|word| OPERATORS.contains(word)) {
        let text = format!(
            "command of [{section}] passes {} to its program: there is no shell, put one in front: sh -c '...'",
            quote(word)
        );
        Advice::new(text).about(word).report(options, "command");
    }
    if let Some((word, name)) = bare.iter().find_map(|word| shell_variable(word)) {
        let text = format!(
            "command of [{section}] passes {} as it is: there is no shell that replaces it",
            quote(word)
        );
        let suggestion = Some(format!("%(ENV_{name})s"));
        Advice { suggestion, ..Advice::new(text).about(word) }.report(options, "command");
    }
}

/// `$PORT` or `${PORT}` and the name; only upper case, as programs have syntax of their own.
pub(super) fn shell_variable(word: &str) -> Option<(&str, &str)> {
    let start = word.find('$')?;
    let after = &word[start + 1..];
    let name = after.strip_prefix('{').unwrap_or(after);
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let length = name.find(|c| !is_part(c)).unwrap_or(name.len());
    let name = Some(&name[..length]).filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))?;
    let is_braced = after.starts_with('{');
    let end = start + 1 + length + if is_braced { 2 } else { 0 };
    // A letter follows, or a brace is not closed: it is not a variable after all.
    if is_braced && word.as_bytes().get(end - 1) != Some(&b'}') {
        return None;
    }
    word.get(start..end).map(|word| (word, name))
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The directories of init scripts.
const INIT_FOLDERS: [&str; 3] = ["/etc/init.d/", "/etc/rc.d/", "/etc/rc.d/init.d/"];

/// The service that a command starts by an init script: `service nginx start`, `/etc/init.d/cron start`.
fn service_started<'w>(program: &'w str, arguments: &'w [String]) -> Option<&'w str> {
    let (service, verb) = match (base_name(program), arguments) {
        ("service" | "invoke-rc.d" | "rc-service", [service, verb, ..]) => (service.as_str(), verb),
        ("systemctl", [verb, service, ..]) => (service.trim_end_matches(".service"), verb),
        (script, [verb, ..]) if INIT_FOLDERS.iter().any(|folder| program.starts_with(folder)) => {
            (script, verb)
        }
        _ => return None,
    };
    matches!(verb.as_str(), "start" | "restart" | "reload" | "force-reload").then_some(service)
}

/// The same for a shell that runs a script by its path.
fn script_of(words: &[String]) -> (&str, &[String]) {
    match words {
        [shell, script, rest @ ..] if SHELLS.contains(&base_name(shell)) && script.starts_with('/') => {
            (script, rest)
        }
        [program, rest @ ..] => (program, rest),
        [] => ("", &[]),
    }
}

fn background(options: &mut SectionReader<'_, '_>, command: &str) {
    let words = split_command(command).unwrap_or_default();
    let (program, arguments) = script_of(&words);
    let section = &options.section.name;
    if let Some(service) = service_started(program, arguments) {
        let instead = match foreground_form(service) {
            // A program of another package may have the same name.
            Some(command) => {
                format!("run {} instead", quote(command.split("; BusyBox").next().unwrap_or(command)))
            }
            None => format!("run {}'s own program in the foreground instead", service),
        };
        let text = format!(
            "command of [{section}] has an init script start {service} in the background and end, and then it \
             counts as ended: {instead}"
        );
        return Advice::new(text).report(options, "command");
    }
    if INIT_FOLDERS.iter().any(|folder| program.starts_with(folder)) {
        return;
    }
    let Some((name, background)) = daemonizes_when(base_name(program)) else { return };
    let text = match background {
        DaemonizesWhen::Unless(foreground) if !foreground.iter().any(|option| has(arguments, option)) => {
            let option = foreground.first().copied().unwrap_or_default();
            format!("{name} of [{section}] goes into the background without {}", quote(option))
        }
        DaemonizesWhen::With(flags) => match flags.iter().find(|flag| has(arguments, flag)) {
            Some(flag) => format!("{name} of [{section}] goes into the background with {}", quote(flag)),
            None => return,
        },
        DaemonizesWhen::Unless(_) | DaemonizesWhen::Unknown => return,
    };
    Advice::new(format!("{text}: it counts as ended then")).report(options, "command");
}

/// Whether an option is among the arguments: `-f` also as part of `-fL`, `--a b` as two words.
fn has(arguments: &[String], option: &str) -> bool {
    if let Some((first, second)) = option.split_once(' ') {
        return arguments.windows(2).any(|pair| pair[0] == first && pair[1] == second);
    }
    let letter = option.strip_prefix('-').filter(|letter| letter.len() == 1);
    arguments.iter().any(|argument| {
        let letters = argument.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        argument == option
            || argument.starts_with(&format!("{option}="))
            || letter.zip(letters).is_some_and(|(letter, letters)| {
                letters.chars().all(char::is_alphabetic) && letters.contains(letter)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::warnings_in;
    use super::*;

    #[test]
    fn shell_syntax_without_a_shell_is_reported() {
        for (command, expected) in [
            ("a | b", Some("|")),
            ("a > /tmp/x 2>&1", Some(">")),
            ("a &&\n  b", Some("&&")),
            ("a &", Some("&")),
            ("a --port=$PORT", Some("$PORT")),
            ("a ${HOME}/x", Some("${HOME}")),
            ("sh -c 'a | b $X'", None),
            ("/bin/sh -c \"a && exec b\"", None),
            ("a '|' \"&\"", None),
            ("a '$HOME'", None),
            ("a x|y a>b $request $1 $", None),
        ] {
            let found = warnings_in(&format!("[program:x]\ncommand={command}\n"));
            assert_eq!(found.len(), usize::from(expected.is_some()), "{command}: {found:?}");
            if let Some(word) = expected {
                assert!(found[0].starts_with("3: command of [program:x] passes "), "{found:?}");
                assert!(found[0].contains(&quote(word)), "{found:?}");
            }
        }
    }

    /// The warnings about a command, without their line.
    fn warnings(lines: &str) -> Vec<String> {
        let found = warnings_in(&format!("[program:x]\ncommand={lines}\n"));
        let is_about_shells = |it: &String| !it.contains("can't find command");
        let without_line = |it: String| it.split_once(": ").unwrap().1.to_owned();
        found.into_iter().filter(is_about_shells).map(without_line).collect()
    }

    #[test]
    fn a_semicolon_that_cuts_off_a_command_is_reported() {
        for (command, left) in [
            ("bash -c \"sleep 1 ; x\"", "'bash -c \"sleep 1'"),
            ("sh -c 'a && b # c'", "\"sh -c 'a && b\""),
            ("sh -c 'while :\n  do a ; done'", "\"sh -c 'while :\\\\ndo a\""),
            ("a ; exec b", "'a'"),
            ("a ; /bin/b", "'a'"),
            ("nginx -g 'daemon off ;'", "\"nginx -g 'daemon off\""),
        ] {
            let found = warnings(command);
            let sign = if command.contains(" #") { "' #'" } else { "' ;'" };
            let expected = format!(
                "command of [program:x] ends before {sign}, which begins a comment after a space: what is left is \
                 {}. Write it without the space",
                left.replace("\\\\", "\\")
            );
            assert!(found.contains(&expected), "{command}: {found:?}, not {expected}");
        }
        for command in ["a ; the program", "a ; don't start by hand", "a # runs \"b\"", "a;b"] {
            assert_eq!(warnings(command), [""; 0], "{command}");
        }
    }

    #[test]
    fn shell_syntax_is_reported_with_a_remedy() {
        for (lines, expected) in [
            ("a \\\n  -b", "command of [program:x] has a backslash at the end of a line: "),
            (
                "A=1 a",
                "command of [program:x] begins with a variable, and there is no shell that sets it: write environment=A=\"1\"",
            ),
            (
                "sh -c 'x && a -b'",
                "sh of [program:x] stays beside 'a -b', and passes no signal on to it: write 'exec a -b', or set stopasgroup=true",
            ),
        ] {
            let found = warnings(lines);
            assert_eq!(found.len(), 1, "{lines}: {found:?}");
            assert!(found[0].starts_with(expected), "{lines}: {found:?}");
        }
        for lines in [
            "a\n  -b",
            "a A=1",
            "sh -c 'x && exec a'",
            "sh -c 'x && a'\nstopasgroup=true",
            "sh -c 'a'",
            "sh -c 'a && b | c'",
        ] {
            assert_eq!(warnings(lines), [""; 0], "{lines}");
        }
    }

    #[test]
    fn init_scripts_are_known_by_name_and_by_path() {
        let instead = |service: &str, instead: &str| {
            format!(
                "command of [program:x] has an init script start {service} in the background and end, and then it \
                 counts as ended: run {instead} instead"
            )
        };
        for (command, expected) in [
            ("service nginx start", Some(instead("nginx", "\"nginx -g 'daemon off;'\""))),
            ("/usr/sbin/service cron restart", Some(instead("cron", "'cron -f'"))),
            ("/etc/init.d/cron start", Some(instead("cron", "'cron -f'"))),
            ("sh /etc/init.d/ssh start", Some(instead("ssh", "'/usr/sbin/sshd -D'"))),
            ("/etc/init.d/php8.2-fpm start", Some(instead("php8.2-fpm", "'php-fpm -F'"))),
            ("systemctl start own.service", Some(instead("own", "own's own program in the foreground"))),
            ("service nginx status", None),
            ("/etc/init.d/cron status", None),
        ] {
            assert_eq!(warnings(command), Vec::from_iter(expected), "{command}");
        }
    }

    #[test]
    fn variables_of_shells_end_where_they_end() {
        for (word, expected) in [
            ("$PORT", Some(("$PORT", "PORT"))),
            ("--x=$A_1/y", Some(("$A_1", "A_1"))),
            ("${HOME}/x", Some(("${HOME}", "HOME"))),
            ("${HOME", None),
            ("${HOME:-x}", None),
            ("$1", None),
            ("$host", None),
            ("$", None),
            ("é$", None),
        ] {
            assert_eq!(shell_variable(word), expected, "{word}");
        }
    }

    #[test]
    fn programs_that_daemonize_are_reported() {
        for (command, expected) in [
            ("/bin/sshd", Some("sshd of [program:x] goes into the background without '-D'")),
            ("sshd -De", None),
            ("sshd -o Debug", Some("sshd of [program:x] goes into the background without '-D'")),
            ("cron", Some("cron of [program:x] goes into the background without '-f'")),
            ("cron -f", None),
            (
                "redis-server --daemonize yes",
                Some("redis-server of [program:x] goes into the background with"),
            ),
            ("redis-server --daemonize no", None),
            ("nginx", None),
        ] {
            let found = warnings_in(&format!("[program:x]\ncommand={command}\n"));
            assert_eq!(found.len(), usize::from(expected.is_some()), "{command}: {found:?}");
            assert!(expected.is_none_or(|text| found[0].contains(text)), "{found:?}");
        }
    }
}
