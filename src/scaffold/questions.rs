//! Questions on a terminal: a command, its name, and the next command.

use std::io::{self, BufRead, Write};

use super::command::{CommandLine, default_shell};
use super::{Draft, ProgramDraft, ScaffoldError, failed, program_name};

const INTRODUCTION: &str = "\
What do you want to run? Type each command as in a shell; an empty line ends the list.
";

/// Asks on standard error, since standard output may be the file.
pub(super) fn draft() -> Result<Draft, ScaffoldError> {
    ask(&mut io::stdin().lock(), &mut io::stderr())
}

fn ask(input: &mut dyn BufRead, output: &mut dyn Write) -> Result<Draft, ScaffoldError> {
    let mut programs: Vec<ProgramDraft> = Vec::new();
    let mut talk = || -> io::Result<()> {
        output.write_all(INTRODUCTION.as_bytes())?;
        while let Some(line) = answer(input, output, "command: ")? {
            let command = CommandLine::of_line(&line, &default_shell());
            let proposed = free_name(&program_name(command.program()), &programs);
            let name = answer(input, output, &format!("  its name [{proposed}]: "))?;
            let name = name.map_or(proposed, |name| free_name(&program_name(&name), &programs));
            let origin = "the answers to its questions".to_owned();
            programs.push(ProgramDraft { name, origin, command, is_release: false, port: None });
        }
        Ok(())
    };
    match talk() {
        Err(error) => failed(format!("cannot ask on this terminal: {error}")),
        Ok(()) if programs.is_empty() => {
            failed("no command was given, so nothing is written. `sv sample` prints all options".to_owned())
        }
        Ok(()) => Ok(Draft { programs, ..Draft::default() }),
    }
}

/// The answer; `None` if it is empty, or at the end of the input.
fn answer(input: &mut dyn BufRead, output: &mut dyn Write, question: &str) -> io::Result<Option<String>> {
    output.write_all(question.as_bytes())?;
    output.flush()?;
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        output.write_all(b"\n")?;
    }
    let line = line.trim();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

/// The name, with a number if it is taken.
fn free_name(name: &str, programs: &[ProgramDraft]) -> String {
    let is_taken = |name: &str| programs.iter().any(|program| program.name == name);
    if !is_taken(name) {
        return name.to_owned();
    }
    (2..).map(|number| format!("{name}-{number}")).find(|name| !is_taken(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_programs() {
        let mut output = Vec::new();
        let draft =
            ask(&mut "python3 -m x\n\nnode a\n web one \npython3 b\n".as_bytes(), &mut output).unwrap();
        let names: Vec<&str> = draft.programs.iter().map(|program| program.name.as_str()).collect();
        assert_eq!(names, ["python3", "webone", "python3-2"]);
        assert!(String::from_utf8(output).unwrap().contains("its name [python3-2]: "));
        let nothing = ask(&mut "\n".as_bytes(), &mut Vec::new()).unwrap_err();
        assert!(nothing.to_string().contains("sv sample"), "{nothing}");
    }
}
