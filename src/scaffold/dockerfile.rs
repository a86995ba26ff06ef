//! Dockerfiles: the command that the last stage runs, from its ENTRYPOINT and CMD.

use super::command::{CommandLine, default_shell};
use super::{Draft, ProgramDraft, ScaffoldError, failed, program_name};

/// An instruction with the line that it begins in; continued lines are joined.
struct Instruction {
    line: usize,
    /// In upper case.
    name: String,
    arguments: String,
}

/// What a stage has set.
#[derive(Clone, Default)]
struct BuildStage {
    base: String,
    entrypoint: Option<Setting>,
    cmd: Option<Setting>,
    shell: Option<Vec<String>>,
    stop_signal: Option<String>,
}

/// A command, and the line of its instruction.
#[derive(Clone)]
struct Setting {
    line: usize,
    command: CommandLine,
    /// It was an array, to which arguments can be added.
    is_array: bool,
}

/// Inits that `sv` takes the place of.
const INITS: [&str; 5] = ["tini", "tini-static", "dumb-init", "catatonit", "docker-init"];

/// Signals that stop a supervisor anyway.
const STOP_SIGNALS: [&str; 6] = ["TERM", "INT", "QUIT", "15", "2", "3"];

/// # Errors
/// It has no command, or one that `sv` is no init for.
pub(super) fn draft(text: &str, file: &str) -> Result<Draft, ScaffoldError> {
    let stage = last_stage(&instructions(text));
    let Some((command, lines)) = command_of(&stage) else {
        let base = if stage.base.is_empty() { "IMAGE" } else { &stage.base };
        return failed(format!(
            "'{file}' has no CMD and no ENTRYPOINT, so those of its base image apply: `docker image inspect -f \
             '{{{{.Config.Entrypoint}}}} {{{{.Config.Cmd}}}}' {base}` shows them. Run `sv init` where there is no Dockerfile, \
             and it asks for the command"
        ));
    };
    let name = program_name(command.program());
    if name == "supervisord" {
        let place = lines.first().copied().unwrap_or(0);
        return failed(format!(
            "{file}:{place} runs supervisord: sv reads its configuration as it is, so there is nothing to write. Copy sv \
             into the image and replace the command with ENTRYPOINT [\"/sv\"]"
        ));
    }
    let places: Vec<String> = lines.iter().map(ToString::to_string).collect();
    let program = ProgramDraft {
        name,
        origin: format!("{file}:{}", places.join(" and ")),
        command,
        is_release: false,
        port: None,
    };
    let is_other = |signal: &String| !STOP_SIGNALS.contains(&signal.as_str());
    let next_steps = vec![
        format!(
            "in {file}, instead of line{} {}:",
            if places.len() > 1 { "s" } else { "" },
            places.join(" and ")
        ),
        "  COPY --from=sv /sv /sv".to_owned(),
        "  COPY supervisord.conf /etc/supervisord.conf".to_owned(),
        "  ENTRYPOINT [\"/sv\"]".to_owned(),
    ];
    Ok(Draft {
        programs: vec![program],
        stop_signal: stage.stop_signal.filter(is_other),
        next_steps,
        ..Draft::default()
    })
}

/// The command of a container, and the lines that it comes from.
fn command_of(stage: &BuildStage) -> Option<(CommandLine, Vec<usize>)> {
    let (entrypoint, cmd) = (stage.entrypoint.as_ref(), stage.cmd.as_ref());
    let lines = |settings: &[Option<&Setting>]| {
        let mut lines: Vec<_> = settings.iter().flatten().map(|setting| setting.line).collect();
        lines.sort_unstable();
        lines
    };
    let arguments = cmd.map(|it| &it.command).filter(|_| entrypoint.is_none_or(|it| it.is_array));
    let joined = match (entrypoint.map(|it| &it.command), arguments) {
        (None, None) => return None,
        (None, Some(command)) => command.clone(),
        (Some(CommandLine::Words(words)), Some(CommandLine::Words(arguments))) => {
            CommandLine::Words([words.as_slice(), arguments].concat())
        }
        (Some(CommandLine::Words(words)), Some(CommandLine::Shell(shell, script))) => {
            match without_init(words) {
                [] => CommandLine::Shell(shell.clone(), script.clone()),
                words => CommandLine::Words([words, shell, std::slice::from_ref(script)].concat()),
            }
        }
        (Some(command), _) => command.clone(),
    };
    let joined = match joined {
        CommandLine::Words(words) => CommandLine::Words(without_init(&words).to_vec()),
        shell => shell,
    };
    let is_empty = matches!(&joined, CommandLine::Words(words) if words.is_empty());
    (!is_empty).then(|| (joined, lines(&[entrypoint, cmd])))
}

/// The command after an init and its options.
fn without_init(words: &[String]) -> &[String] {
    let Some((first, rest)) = words.split_first() else { return words };
    if !INITS.contains(&first.rsplit('/').next().unwrap_or(first)) {
        return words;
    }
    match rest.iter().position(|word| word == "--") {
        Some(end) => &rest[end + 1..],
        None => &rest[rest.iter().take_while(|word| word.starts_with('-')).count()..],
    }
}

fn last_stage(instructions: &[Instruction]) -> BuildStage {
    let mut named: Vec<(String, BuildStage)> = Vec::new();
    let mut stage = BuildStage::default();
    let mut name: Option<String> = None;
    // Of the stage itself, and not of the one that it is based on.
    let mut has_own_cmd = false;
    for Instruction { line, name: instruction, arguments } in instructions {
        let line = *line;
        match instruction.as_str() {
            "FROM" => {
                named.extend(name.take().map(|name| (name, std::mem::take(&mut stage))));
                let words: Vec<&str> =
                    arguments.split_whitespace().filter(|word| !word.starts_with("--")).collect();
                let base = words.first().copied().unwrap_or_default();
                let parent = named.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(base));
                stage = parent.map_or_else(
                    || BuildStage { base: base.to_owned(), ..BuildStage::default() },
                    |(_, it)| it.clone(),
                );
                name = words.get(2).map(|name| (*name).to_owned());
                has_own_cmd = false;
            }
            "ENTRYPOINT" => {
                stage.entrypoint = Some(setting(line, arguments, &stage));
                // Docker ignores the CMD of the base then.
                stage.cmd = stage.cmd.filter(|_| has_own_cmd);
            }
            "CMD" => {
                stage.cmd = Some(setting(line, arguments, &stage));
                has_own_cmd = true;
            }
            "SHELL" => stage.shell = serde_json::from_str(arguments).ok(),
            "STOPSIGNAL" => {
                let signal = arguments.trim().to_uppercase();
                stage.stop_signal = Some(signal.strip_prefix("SIG").unwrap_or(&signal).to_owned());
            }
            _ => {}
        }
    }
    stage
}

/// A JSON array is a command with arguments, everything else is for a shell.
fn setting(line: usize, arguments: &str, stage: &BuildStage) -> Setting {
    match serde_json::from_str(arguments) {
        Ok(words) => Setting { line, command: CommandLine::Words(words), is_array: true },
        Err(_) => {
            let shell = stage.shell.clone().unwrap_or_else(default_shell);
            Setting { line, command: CommandLine::of_line(arguments.trim(), &shell), is_array: false }
        }
    }
}

fn instructions(text: &str) -> Vec<Instruction> {
    let mut found: Vec<Instruction> = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, first)) = lines.next() {
        let mut whole = String::new();
        let mut next = Some(first);
        while let Some(part) = next {
            let part = part.trim();
            // Comments between continued lines are left out.
            let continued = if part.starts_with('#') { Some("") } else { part.strip_suffix('\\') };
            let is_over = continued.is_none() || whole.is_empty() && part.starts_with('#');
            whole.push_str(continued.unwrap_or(part));
            next = if is_over { None } else { lines.next().map(|(_, part)| part) };
        }
        let whole = whole.trim();
        let Some((name, arguments)) = whole.split_once(char::is_whitespace) else { continue };
        let name = name.to_uppercase();
        if let Some(end) = heredoc(&name, arguments) {
            lines.by_ref().find(|(_, line)| line.trim() == end);
        }
        found.push(Instruction { line, name, arguments: arguments.trim().to_owned() });
    }
    found
}

/// The line that ends a document that is a part of the instruction.
fn heredoc<'t>(name: &str, arguments: &'t str) -> Option<&'t str> {
    if !matches!(name, "RUN" | "COPY" | "ADD") {
        return None;
    }
    let word = arguments.split_once("<<")?.1.trim_start_matches('-').split_whitespace().next()?;
    let end = word.trim_matches(['"', '\'']);
    end.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name, the command and the origin of the program.
    fn program(text: &str) -> (String, String, String) {
        let draft = draft(text, "Dockerfile").unwrap_or_else(|error| panic!("{text}: {error}"));
        let program = &draft.programs[0];
        (program.name.clone(), program.command.text(), program.origin.clone())
    }

    #[test]
    fn the_command_of_the_last_stage_is_found() {
        for (text, name, command, origin) in [
            ("FROM a\nCMD [\"/usr/bin/web\", \"-p\", \"8 0\"]", "web", "/usr/bin/web -p '8 0'", "2"),
            ("FROM a\nCMD web -p 80", "web", "web -p 80", "2"),
            ("FROM a\ncmd web -p $PORT\n", "web", "/bin/sh -c 'exec web -p $PORT'", "2"),
            ("FROM a\nENTRYPOINT [\"web\"]\nUSER x\nCMD [\"-p\"]", "web", "web -p", "2 and 4"),
            ("FROM a\nENTRYPOINT web\nCMD [\"-p\"]", "web", "web", "2 and 3"),
            (
                "FROM a\nENTRYPOINT [\"/tini\", \"-g\", \"--\"]\nCMD web | log",
                "web",
                "/bin/sh -c 'web | log'",
                "2 and 3",
            ),
            ("FROM a\nENTRYPOINT [\"dumb-init\", \"-c\", \"web\"]", "web", "web", "2"),
            ("FROM a AS b\nCMD [\"x\"]\nFROM c\nCMD [\"web\"]", "web", "web", "4"),
            ("FROM a AS b\nCMD [\"web\"]\nFROM B AS c\nCOPY . .", "web", "web", "2"),
            ("FROM a AS b\nCMD [\"x\"]\nFROM b\nENTRYPOINT [\"web\"]", "web", "web", "4"),
            ("FROM a\nRUN <<EOF\nCMD x\nEOF\nCMD web", "web", "web", "5"),
            ("FROM a\n# CMD x\nCMD web \\\n  # what it does\n  -p 80", "web", "web   -p 80", "3"),
            (
                "FROM a\nSHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]\nCMD a|b",
                "ab",
                "/bin/bash -o pipefail -c 'a|b'",
                "3",
            ),
        ] {
            let command = crate::python::join_words(&crate::python::split_command(command).unwrap());
            assert_eq!(program(text), (name.to_owned(), command, format!("Dockerfile:{origin}")), "{text}");
        }
    }

    #[test]
    fn a_signal_that_a_supervisor_ignores_is_kept() {
        for (signal, kept) in
            [("SIGQUIT", None), ("15", None), ("SIGRTMIN+3", Some("RTMIN+3")), ("usr1", Some("USR1"))]
        {
            let draft = draft(&format!("FROM a\nCMD web\nSTOPSIGNAL {signal}"), "Dockerfile").unwrap();
            assert_eq!(draft.stop_signal.as_deref(), kept, "{signal}");
        }
    }

    #[test]
    fn without_a_command_the_next_step_is_named() {
        for (text, reported) in [
            (
                "FROM python:3\nRUN x",
                "docker image inspect -f '{{.Config.Entrypoint}} {{.Config.Cmd}}' python:3",
            ),
            ("", "no CMD and no ENTRYPOINT"),
            ("FROM a\nCMD []", "no CMD and no ENTRYPOINT"),
            ("FROM a\nCMD [\"/usr/bin/supervisord\", \"-n\"]", "Dockerfile:2 runs supervisord: sv reads"),
        ] {
            let error = draft(text, "Dockerfile").unwrap_err().to_string();
            assert!(error.contains(reported), "{text}: {error}");
        }
    }
}
