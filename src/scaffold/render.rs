//! A draft as a configuration with comments, in INI or TOML.

use std::path::Path;

use super::{Draft, ProgramDraft};
use crate::config::Language;

/// Options that are often added to a program, as comments after the first one: option, value, meaning.
const OFTEN_ADDED: [(&str, &str, &str); 8] = [
    ("user", "www-data", "run as this user, if sv runs as root"),
    ("depends_on", "db", "start when this program is ready, and stop before it"),
    ("ready", "tcp:127.0.0.1:8000", "when it is ready: also http:, unix:, log:, notify, exec:"),
    ("health", "http://127.0.0.1:8000/", "restart it when this fails repeatedly"),
    ("stopwaitsecs", "10", "seconds between the stop signal and a kill"),
    ("on_exit", "shutdown", "end the container with it"),
    ("schedule", "0 3 * * *", "run it on a schedule instead"),
    ("numprocs", "4", "run several; then also process_name=%(program_name)s_%(process_num)d"),
];

/// Doubles percent signs, which would be expanded.
pub(super) fn escape_percent(text: &str) -> String {
    text.replace('%', "%%")
}

/// The text of a file.
pub(super) fn configuration(draft: &Draft, language: Language, source: Option<&Path>) -> String {
    let mut text = ConfigWriter { language, text: String::new() };
    let origin = source.map_or_else(String::new, |source| format!(", from {}", source.display()));
    text.comment(&format!("Written by `sv init`{origin}."));
    text.comment("`sv check` reports mistakes, `sv run` starts it; as PID 1 of a container, sv without arguments does.");

    text.section("supervisord", None);
    text.comment("No file: in the foreground, the log of sv itself goes to standard output.");
    text.string("logfile", "/dev/null");
    if let Some(signal) = &draft.stop_signal {
        text.comment("STOPSIGNAL of the image.");
        text.string(&signal_option(signal, language), "shutdown");
    }

    text.text.push('\n');
    text.comment("For all programs: their output goes to that of sv, and so to `docker logs`.");
    text.header("program-default", None);
    text.string("stdout_logfile", "/dev/stdout");
    text.string("stderr_logfile", "/dev/stderr");
    if let Some(directory) = &draft.directory {
        text.string("directory", directory);
    }
    if let Some(file) = &draft.env_file {
        text.string("env_file", file);
    }

    let release =
        draft.programs.iter().find(|program| program.is_release).map(|program| program.name.as_str());
    for (nth, program) in draft.programs.iter().enumerate() {
        text.program(program, release);
        if nth == 0 {
            text.often_added();
        }
    }
    text.text
}

/// A plus sign cannot be in a bare key of TOML.
fn signal_option(signal: &str, language: Language) -> String {
    let signal = if language == Language::Toml { signal.replace('+', "_") } else { signal.to_owned() };
    format!("signal_{signal}")
}

struct ConfigWriter {
    language: Language,
    text: String,
}

impl ConfigWriter {
    fn mark(&self) -> &'static str {
        if self.language == Language::Toml { "#" } else { ";" }
    }

    fn comment(&mut self, text: &str) {
        self.text.push_str(&format!("{} {text}\n", self.mark()));
    }

    fn section(&mut self, kind: &str, name: Option<&str>) {
        self.text.push('\n');
        self.header(kind, name);
    }

    fn header(&mut self, kind: &str, name: Option<&str>) {
        let header = match (self.language, name) {
            (_, None) => kind.to_owned(),
            (Language::Ini, Some(name)) => format!("{kind}:{name}"),
            // A dot would begin a table below it.
            (Language::Toml, Some(name)) if name.contains('.') => format!("{kind}.{}", quoted(name)),
            (Language::Toml, Some(name)) => format!("{kind}.{name}"),
        };
        self.text.push_str(&format!("[{header}]\n"));
    }

    fn string(&mut self, option: &str, value: &str) {
        match self.language {
            Language::Ini => self.text.push_str(&format!("{option}={value}\n")),
            Language::Toml => self.text.push_str(&format!("{option} = {}\n", quoted(value))),
        }
    }

    fn boolean(&mut self, option: &str) {
        let equals = if self.language == Language::Toml { " = " } else { "=" };
        self.text.push_str(&format!("{option}{equals}true\n"));
    }

    fn program(&mut self, program: &ProgramDraft, release: Option<&str>) {
        self.text.push('\n');
        self.comment(&format!("From {}.", program.origin));
        self.header("program", Some(&program.name));
        self.string("command", &escape_percent(&program.command.text()));
        if program.is_release {
            self.comment("Runs once; programs that depend on it start when it has succeeded.");
            self.string("type", "oneshot");
        } else {
            self.boolean("autorestart");
        }
        if let Some(release) = release.filter(|_| !program.is_release) {
            self.string("depends_on", release);
        }
        if let Some(port) = program.port {
            self.string("environment", &format!("PORT=\"%(ENV_PORT:-{port})s\""));
        }
        if program.command.keeps_shell() {
            self.comment("The shell stays beside its program, so signals go to both.");
            self.boolean("stopasgroup");
            self.boolean("killasgroup");
        }
    }

    fn often_added(&mut self) {
        self.comment("Often added:");
        for (option, value, meaning) in OFTEN_ADDED {
            // A number is not a string in TOML.
            let is_number = value.parse::<u32>().is_ok();
            let assignment = match self.language {
                Language::Ini => format!("{option}={value}"),
                Language::Toml if is_number => format!("{option} = {value}"),
                Language::Toml => format!("{option} = {}", quoted(value)),
            };
            let mark = self.mark();
            self.text.push_str(&format!("{mark}{assignment:34} {mark} {meaning}\n"));
        }
    }
}

/// A basic string of TOML: a string of JSON, except that it cannot contain DEL.
fn quoted(text: &str) -> String {
    // A text is always a JSON string.
    serde_json::to_string(text).unwrap_or_default().replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::super::{dockerfile, procfile};
    use super::*;
    use crate::config::fake::Fake;
    use crate::config::load;

    /// All of it, with the options that are comments.
    fn with_comments_removed(text: &str) -> String {
        let lines = text.lines().map(|line| {
            let is_option = line.starts_with([';', '#']) && !line[1..].starts_with(' ');
            let line = if is_option { &line[1..] } else { line };
            format!("{line}\n")
        });
        lines.collect()
    }

    #[test]
    fn a_configuration_means_what_its_source_says() {
        let procfile = "web: gunicorn -b :$PORT 'a b' --at 5%\nrelease: a ; b # c\nlast.one: echo \"it's ; \\\"\"\ndel: a \u{1}\u{7f}é\n";
        let procfile = procfile::draft(procfile, "Procfile").unwrap();
        let dockerfile = "FROM a\nCMD [\"web\", \"a \\\"b\\\" ;c\", \"5%\"]\nSTOPSIGNAL SIGRTMIN+3\n";
        let dockerfile = dockerfile::draft(dockerfile, "Dockerfile").unwrap();
        for draft in [procfile, dockerfile] {
            for (language, path) in [(Language::Ini, "/x.conf"), (Language::Toml, "/x.toml")] {
                let text = configuration(&draft, language, None);
                let machine = Fake::new().file(path, &text);
                let settings =
                    load(Path::new(path), &[], &machine).unwrap_or_else(|error| panic!("{error}: {text}"));
                let specs = || settings.groups.iter().flat_map(|group| &group.processes);
                assert_eq!(specs().count(), draft.programs.len());
                for program in &draft.programs {
                    let spec = specs().find(|spec| spec.name == program.name).unwrap();
                    let [found, expected] = [&spec.command, &program.command.text()]
                        .map(|text| crate::python::split_command(text).unwrap());
                    assert_eq!(found, expected, "{text}");
                }
                assert!(settings.notices.is_empty(), "{:?}: {text}", settings.notices);
            }
        }
    }

    #[test]
    fn the_options_in_comments_exist() {
        let draft = procfile::draft("db: a\nweb: b\n", "Procfile").unwrap();
        for (language, path) in [(Language::Ini, "/x.conf"), (Language::Toml, "/x.toml")] {
            let text = with_comments_removed(&configuration(&draft, language, None)).replace("db", "web");
            let text = text.replacen("web", "db", 2);
            for (option, ..) in OFTEN_ADDED {
                assert!(text.contains(&format!("\n{option}")), "{option}: {text}");
            }
            let machine = Fake::new().file(path, &text);
            let errors = load(Path::new(path), &[], &machine).err().map(|errors| errors.to_string());
            // That it depends on itself, has no such user, and so on: but each option is known.
            assert!(!errors.unwrap_or_default().contains("unknown"), "{text}");
        }
    }
}
