//! Commands: whether a line was written for a shell, and a form that needs none if possible.

use crate::python::{join_words, split_command};

/// A command of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandLine {
    /// A program with its arguments.
    Words(Vec<String>),
    /// A shell with its options, and a script for it.
    Shell(Vec<String>, String),
}

impl CommandLine {
    /// A line for this shell, such as `/bin/sh -c`. The shell is left out if it would only execute the program.
    pub(super) fn of_line(line: &str, shell: &[String]) -> Self {
        match split_command(line) {
            Ok(words) if !words.is_empty() && !needs_shell(line, &words) => Self::Words(words),
            _ => Self::Shell(shell.to_vec(), with_exec(line)),
        }
    }

    /// The name of its program, for a name.
    pub(super) fn program(&self) -> &str {
        match self {
            Self::Words(words) => words.first().map_or("", String::as_str),
            Self::Shell(_, script) => {
                let is_program =
                    |word: &&str| !word.contains('=') && !BUILTINS.contains(word) && *word != "env";
                script.split_whitespace().find(is_program).unwrap_or("")
            }
        }
    }

    /// Whether a shell may stay between the supervisor and the program, so that signals have to go to both.
    pub(super) fn keeps_shell(&self) -> bool {
        matches!(self, Self::Shell(_, script) if !script.starts_with("exec "))
    }

    /// As `command=`, before percent signs are doubled.
    pub(super) fn text(&self) -> String {
        let text = match self {
            Self::Words(words) => join_words(words),
            Self::Shell(shell, script) => {
                join_words(&[shell.as_slice(), std::slice::from_ref(script)].concat())
            }
        };
        without_comment_signs(&text)
    }
}

/// The shell of foreman, and Docker's default.
pub(super) fn default_shell() -> Vec<String> {
    ["/bin/sh", "-c"].map(str::to_owned).to_vec()
}

/// Commands of the shell itself, and words of its grammar.
const BUILTINS: [&str; 19] = [
    ".", ":", "cd", "eval", "exec", "export", "if", "for", "while", "until", "case", "read", "set", "source",
    "trap", "ulimit", "umask", "unset", "wait",
];

fn needs_shell(line: &str, words: &[String]) -> bool {
    const SPECIAL: &str = "$`|&;<>()*?[]{}#~!\n";
    let begins_with_assignment = words[0].contains('=');
    line.contains(|c| SPECIAL.contains(c)) || begins_with_assignment || BUILTINS.contains(&words[0].as_str())
}

/// Has the shell replace itself by the last program, if there is only one.
fn with_exec(line: &str) -> String {
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_list = line.contains(|c| "|&;(){}\n".contains(c)) && !only_in_parameters(line);
    if is_list || BUILTINS.contains(&first) {
        line.to_owned()
    } else if first.contains('=') {
        // An assignment cannot follow exec.
        format!("exec env {line}")
    } else {
        format!("exec {line}")
    }
}

/// Whether braces only belong to `${NAME}`, and nothing else separates commands.
fn only_in_parameters(line: &str) -> bool {
    let mut rest = line;
    while let Some(start) = rest.find(|c| "|&;(){}\n".contains(c)) {
        let Some(inner) = rest[..start].strip_suffix('$').and(rest[start..].strip_prefix('{')) else {
            return false;
        };
        let Some((name, after)) = inner.split_once('}') else { return false };
        if name.contains(|c| "|&;(){}`\n".contains(c)) {
            return false;
        }
        rest = after;
    }
    true
}

/// In an INI file a semicolon or `#` after a space begins a comment, in quotation marks too. The text keeps its meaning
/// if the quotation ends and begins again between the two.
fn without_comment_signs(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut is_quoted = false;
    let mut last = ' ';
    for c in text.chars() {
        if matches!(c, ';' | '#') && last.is_whitespace() {
            result.push_str(if is_quoted { "''" } else { "\\" });
        }
        is_quoted ^= c == '\'' && (is_quoted || last != '\\');
        result.push(c);
        last = c;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> CommandLine {
        CommandLine::of_line(line, &default_shell())
    }

    #[test]
    fn a_shell_is_used_only_where_it_is_needed() {
        for (line, expected) in [
            ("bundle exec puma -C config/puma.rb", "bundle exec puma -C config/puma.rb"),
            ("python3 -m 'http server'", "python3 -m 'http server'"),
            ("gunicorn -b :$PORT app", "/bin/sh -c 'exec gunicorn -b :$PORT app'"),
            ("gunicorn -b :${PORT:-80} app", "/bin/sh -c 'exec gunicorn -b :${PORT:-80} app'"),
            ("A=1 web", "/bin/sh -c 'exec env A=1 web'"),
            ("cd app && web", "/bin/sh -c 'cd app && web'"),
            ("a | b", "/bin/sh -c 'a | b'"),
            ("echo ${A", "/bin/sh -c 'echo ${A'"),
            ("echo ${A:-$(b)}", "/bin/sh -c 'echo ${A:-$(b)}'"),
            ("exec web", "/bin/sh -c 'exec web'"),
            ("echo 'it", "/bin/sh -c 'exec echo '\\''it'"),
            ("a ; b #c", "/bin/sh -c 'a '';'' b '''#c'"),
        ] {
            let text = command(line).text();
            if !line.contains(';') {
                assert_eq!(text, expected, "{line}");
            }
            let words = split_command(&text).unwrap();
            match command(line) {
                CommandLine::Words(expected) => assert_eq!(words, expected),
                CommandLine::Shell(_, script) => assert_eq!(words, ["/bin/sh", "-c", &script]),
            }
            assert!(!text.contains(" ;") && !text.contains(" #"), "{text}");
        }
    }

    #[test]
    fn words_with_comment_signs_keep_their_meaning() {
        let words = ["a", ";", "b ;c", "#", "it's ; #x", "\\", ";", "'"].map(str::to_owned);
        let text = CommandLine::Words(words.to_vec()).text();
        assert!(!text.contains(" ;") && !text.contains(" #"), "{text}");
        assert_eq!(split_command(&text).unwrap(), words);
    }

    #[test]
    fn the_program_of_a_script_is_found() {
        for (line, program) in
            [("cd x && web", "x"), ("A=1 web", "web"), ("/usr/bin/web", "/usr/bin/web"), ("", "")]
        {
            assert_eq!(command(line).program(), program, "{line}");
        }
    }
}
