//! Procfiles, as foreman and Heroku read them: `NAME: COMMAND`, one a line.

use super::command::{CommandLine, default_shell};
use super::{Draft, ProgramDraft, ScaffoldError, failed, program_name};

/// foreman's ports: the first program has this one, and each further one 100 more.
const FIRST_PORT: u16 = 5000;
const PORT_STEP: u16 = 100;

/// Heroku runs it before all others start.
const RELEASE: &str = "release";

/// # Errors
/// All lines that are wrong, or a file without programs.
pub(super) fn draft(text: &str, file: &str) -> Result<Draft, ScaffoldError> {
    let mut programs: Vec<ProgramDraft> = Vec::new();
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let origin = format!("{file}:{number}");
        match entry(line) {
            Err(why) => wrong.push(format!("{origin}: '{line}' {why}")),
            Ok((name, _)) if programs.iter().any(|program| program.name == name) => {
                wrong.push(format!("{origin}: there is another '{name}' above"));
            }
            Ok((name, command)) => {
                let nth = u16::try_from(programs.len()).unwrap_or(u16::MAX);
                let port = FIRST_PORT.saturating_add(nth.saturating_mul(PORT_STEP));
                programs.push(ProgramDraft {
                    name: name.to_owned(),
                    origin,
                    command: CommandLine::of_line(command, &default_shell()),
                    is_release: name == RELEASE,
                    port: mentions_port(command).then_some(port),
                });
            }
        }
    }
    if !wrong.is_empty() {
        return failed(format!("{}\nA line of a Procfile is NAME: COMMAND", wrong.join("\nerror: ")));
    }
    if programs.is_empty() {
        return failed(format!("'{file}' has no program: a line is NAME: COMMAND"));
    }
    Ok(Draft { programs, ..Draft::default() })
}

fn entry(line: &str) -> Result<(&str, &str), &'static str> {
    let (name, command) = line.split_once(':').ok_or("has no colon")?;
    let (name, command) = (name.trim(), command.trim());
    if name.is_empty() || program_name(name) != name {
        return Err("has a name with other characters than letters, digits, '-', '_' and '.'");
    }
    if command.is_empty() { Err("has no command") } else { Ok((name, command)) }
}

fn mentions_port(command: &str) -> bool {
    ["$PORT", "${PORT"].iter().any(|variable| command.contains(variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_program() {
        let text = "# comment\n\nweb: gunicorn -b :$PORT app\nrelease: ./migrate\nworker:   celery worker\n";
        let draft = draft(text, "Procfile").unwrap();
        let shown: Vec<_> =
            draft.programs.iter().map(|it| (it.name.as_str(), it.is_release, it.port)).collect();
        assert_eq!(shown, [("web", false, Some(5000)), ("release", true, None), ("worker", false, None)]);
        assert_eq!(draft.programs[2].origin, "Procfile:5");
    }

    #[test]
    fn all_wrong_lines_are_reported() {
        let error = draft("web\na: x\na: y\nb:\nc d: x\n", "Procfile").unwrap_err().to_string();
        for part in [
            "Procfile:1: 'web' has no colon",
            "Procfile:3: there is another 'a' above",
            "Procfile:4: 'b:' has no command",
            "Procfile:5: 'c d: x' has a name with",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(draft("# nothing\n", "P").unwrap_err().to_string().contains("'P' has no program"));
    }
}
