//! Commands that were written for a shell, and those that go into the background.

use super::super::reader::SectionReader;
use super::super::reading::Reading;
use super::super::words::split_command;
use super::{Advice, Program, with_options};
use crate::python::quote;

pub(super) fn lint(reading: &mut Reading<'_>, programs: &[Program<'_, '_>]) {
    for program in programs {
        with_options(reading, program.section, program.kind(), |options| {
            if let Some(text) = options.own_text("command") {
                shell_words(options, text);
            }
            for process in program.processes {
                background(options, &process.command);
            }
        });
    }
}

/// Words that mean something to a shell and nothing to a program.
const OPERATORS: [&str; 13] = ["|", "||", "&&", "&", ";", "<", "<<", ">", ">>", "2>", "2>>", "2>&1", "&>"];

/// They are at home with such words.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "awk", "expr"];

/// Only words without quotes around them, in the text as it was written: what a variable holds is
/// nobody's mistake, and does not show.
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
        Advice::new(text).about(word).tell(options, "command");
    }
    if let Some((word, name)) = bare.iter().find_map(|word| shell_variable(word)) {
        let text = format!(
            "command of [{section}] passes {} as it is: there is no shell that replaces it",
            quote(word)
        );
        let suggestion = Some(format!("%(ENV_{name})s"));
        Advice { suggestion, ..Advice::new(text).about(word) }.tell(options, "command");
    }
}

/// `$PORT` or `${PORT}` and the name; only in capitals, as programs have signs of their own.
fn shell_variable(word: &str) -> Option<(&str, &str)> {
    let start = word.find('$')?;
    let behind = &word[start + 1..];
    let name = behind.strip_prefix('{').unwrap_or(behind);
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let length = name.find(|c| !is_part(c)).unwrap_or(name.len());
    let name = Some(&name[..length]).filter(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))?;
    let is_braced = behind.starts_with('{');
    let end = start + 1 + length + if is_braced { 2 } else { 0 };
    // A letter behind it, or a brace that does not close: not what it looked like.
    if is_braced && word.as_bytes().get(end - 1) != Some(&b'}') {
        return None;
    }
    word.get(start..end).map(|word| (word, name))
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// When a program leaves its starter.
enum Background {
    /// Always, but for these options.
    Unless(&'static [&'static str]),
    /// With one of these options.
    With(&'static [&'static str]),
}

/// Only those of which the command line alone is proof: nginx, php-fpm and redis may be told in
/// files of their own.
const BACKGROUND: [(&str, Background); 12] = [
    ("apache2", Background::Unless(&["FOREGROUND", "-DFOREGROUND", "-DNO_DETACH", "-X"])),
    ("apachectl", Background::Unless(&["FOREGROUND", "-DFOREGROUND"])),
    ("apache2ctl", Background::Unless(&["FOREGROUND", "-DFOREGROUND"])),
    ("cron", Background::Unless(&["-f"])),
    ("gunicorn", Background::With(&["--daemon", "-D"])),
    ("haproxy", Background::With(&["-D"])),
    ("memcached", Background::With(&["-d", "--daemon"])),
    ("php-fpm", Background::With(&["-D", "--daemonize"])),
    ("redis-server", Background::With(&["--daemonize yes"])),
    ("service", Background::Unless(&["status", "stop"])),
    ("sshd", Background::Unless(&["-D", "-d", "-i"])),
    ("uwsgi", Background::With(&["--daemonize", "-d"])),
];

fn background(options: &mut SectionReader<'_, '_>, command: &str) {
    let words = split_command(command).unwrap_or_default();
    let Some((program, arguments)) = words.split_first() else { return };
    let section = &options.section.name;
    let Some((name, background)) = BACKGROUND.iter().find(|(name, _)| *name == base_name(program)) else {
        return;
    };
    let text = match background {
        Background::Unless(foreground) if !foreground.iter().any(|option| has(arguments, option)) => {
            let option = foreground.first().copied().unwrap_or_default();
            format!("{name} of [{section}] goes into the background without {}", quote(option))
        }
        Background::With(flags) => match flags.iter().find(|flag| has(arguments, flag)) {
            Some(flag) => format!("{name} of [{section}] goes into the background with {}", quote(flag)),
            None => return,
        },
        Background::Unless(_) => return,
    };
    Advice::new(format!("{text}: it counts as ended then")).tell(options, "command");
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
    fn shell_syntax_without_a_shell_is_told() {
        for (command, expected) in [
            ("a | b", Some("|")),
            ("a > /tmp/x 2>&1", Some(">")),
            ("a &&\n  b", Some("&&")),
            ("a &", Some("&")),
            ("a --port=$PORT", Some("$PORT")),
            ("a ${HOME}/x", Some("${HOME}")),
            ("sh -c 'a | b $X'", None),
            ("/bin/sh -c \"a && b\"", None),
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
    fn programs_that_leave_are_told() {
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
