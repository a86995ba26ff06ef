//! One log file with two writers, each of which would rotate it while the other writes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Advice, SectionProcesses, with_options};
use crate::config::Reading;
use crate::config::absolute;
use crate::config::document::Section;
use crate::config::options::SectionKind;
use crate::model::{LogTarget, Settings, StreamSpec};
use crate::python::quote;

/// The writer of a file.
#[derive(Clone, Copy)]
struct LogWriter<'a> {
    section: &'a Section,
    kind: SectionKind,
    option: &'static str,
    rotates: bool,
}

/// These contain no files that could be rotated.
const STREAMS: [&str; 2] = ["/dev", "/proc"];

/// Two writers that only append do not harm each other.
pub(super) fn lint(reading: &mut Reading<'_>, settings: &Settings, programs: &[SectionProcesses<'_, '_>]) {
    let mut writers: HashMap<PathBuf, LogWriter<'_>> = HashMap::new();
    let kind = SectionKind::Supervisord;
    if let Some((section, path)) =
        reading.document.section("supervisord").zip(settings.daemon.log_file.as_ref())
    {
        let rotates = settings.daemon.log_bytes_max > 0;
        writers.insert(path.clone(), LogWriter { section, kind, option: "logfile", rotates });
    }
    for program in programs {
        for process in program.processes {
            for (option, stream) in [("stdout_logfile", &process.stdout), ("stderr_logfile", &process.stderr)]
            {
                let Some(path) = file(reading, stream) else { continue };
                let rotates = stream.bytes_max > 0;
                let writer = LogWriter { section: program.section, kind: program.kind(), option, rotates };
                let Some(first) = writers.get(&path).copied() else {
                    writers.insert(path, writer);
                    continue;
                };
                if first.rotates || rotates {
                    report(reading, &writer, &first, &path);
                }
            }
        }
    }
}

fn file(reading: &Reading<'_>, stream: &StreamSpec) -> Option<PathBuf> {
    let LogTarget::File(path) = &stream.target else { return None };
    let path = absolute(path, reading.machine);
    (!STREAMS.iter().any(|folder| path.starts_with(Path::new(folder)))).then_some(path)
}

fn report(reading: &mut Reading<'_>, writer: &LogWriter<'_>, first: &LogWriter<'_>, path: &Path) {
    let (section, option, shown) = (&writer.section.name, writer.option, quote(&path.to_string_lossy()));
    let is_same_section = section == &first.section.name;
    let text = if is_same_section && option == first.option {
        format!(
            "the processes of [{section}] all write and rotate {shown}: put %(process_num)d into {option}, or \
             set {option}_maxbytes=0"
        )
    } else if is_same_section {
        format!("stdout and stderr of [{section}] both write and rotate {shown}: set redirect_stderr=true")
    } else {
        format!(
            "[{section}] writes {shown}, as [{}] does with {}, and it is rotated",
            first.section.name, first.option
        )
    };
    with_options(reading, writer.section, writer.kind, |options| Advice::new(text).report(options, option));
}

#[cfg(test)]
mod tests {
    use super::super::tests::warnings_in;

    #[test]
    fn two_writers_of_one_file_are_reported() {
        let a = "[program:a]\ncommand=a\nstdout_logfile=/tmp/x.log\n";
        for (text, expected) in [
            ("[program:b]\ncommand=b\nstdout_logfile=/tmp/y.log\n".to_owned(), None),
            (
                "[program:b]\ncommand=b\nstderr_logfile=/tmp/./x.log\n".to_owned(),
                Some(
                    "7: [program:b] writes '/tmp/x.log', as [program:a] does with stdout_logfile, and it is rotated",
                ),
            ),
            (
                "[program:b]\ncommand=b\nstdout_logfile=/dev/stdout\nstderr_logfile=/dev/stdout\n".to_owned(),
                None,
            ),
            (
                "[program:b]\ncommand=b\nstdout_logfile=/tmp/y.log\nstderr_logfile=/tmp/y.log\n".to_owned(),
                Some(
                    "8: stdout and stderr of [program:b] both write and rotate '/tmp/y.log': set redirect_stderr=true",
                ),
            ),
            (
                "[program:b]\ncommand=b\nstdout_logfile=/tmp/y.log\nredirect_stderr=true\nnumprocs=3\n\
                 process_name=%(process_num)d\n"
                    .to_owned(),
                Some(
                    "7: the processes of [program:b] all write and rotate '/tmp/y.log': put %(process_num)d into \
                     stdout_logfile, or set stdout_logfile_maxbytes=0",
                ),
            ),
            (
                "[program:b]\ncommand=b\nstdout_logfile=/tmp/%(process_num)d.log\nnumprocs=3\n\
                 process_name=%(process_num)d\n"
                    .to_owned(),
                None,
            ),
            (
                "[program:b]\ncommand=b\nstdout_logfile=/tmp/y.log\nstdout_logfile_maxbytes=0\nnumprocs=3\n\
                 process_name=%(process_num)d\n"
                    .to_owned(),
                None,
            ),
            (
                "[program:b]\ncommand=b\nstdout_logfile=supervisord.log\n".to_owned(),
                Some(
                    "7: [program:b] writes '/srv/supervisord.log', as [supervisord] does with logfile, and it is rotated",
                ),
            ),
        ] {
            assert_eq!(warnings_in(&format!("{a}{text}")), Vec::from_iter(expected), "{text}");
        }
    }
}
