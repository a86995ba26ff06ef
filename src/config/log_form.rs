//! `log_format`, `log_timestamp`, `log_ring_bytes`: how output is formatted and how much is kept in memory.
//! The defaults of a program come from `[supervisord]`.

use crate::model::{LogDefaults, LogForm, LogFormat};

use super::reader::SectionReader;
use super::values;

/// The limit for one stream: it is memory, not a log.
const RING_BYTES_MAX: u32 = 16 * 1024 * 1024;

/// The values in `[supervisord]`.
pub(super) fn log_defaults(options: &mut SectionReader<'_, '_>) -> LogDefaults {
    let unset = LogDefaults::default();
    LogDefaults {
        format: options.value("log_format", values::log_format).unwrap_or(unset.format),
        timestamp: options.value("log_timestamp", values::boolean),
        ring_bytes: options.value("log_ring_bytes", ring_bytes).unwrap_or(unset.ring_bytes),
    }
}

/// The values of a program, or else of the supervisor. JSON output has timestamps unless they are disabled.
pub(super) fn log_form(options: &mut SectionReader<'_, '_>) -> LogForm {
    let machine = options.reading.log_defaults;
    let format = options.value("log_format", values::log_format).unwrap_or(machine.format);
    let timestamp = options.value("log_timestamp", values::boolean).or(machine.timestamp);
    LogForm {
        format,
        timestamp: timestamp.unwrap_or(format == LogFormat::Json),
        ring_bytes: options.value("log_ring_bytes", ring_bytes).unwrap_or(machine.ring_bytes),
    }
}

fn ring_bytes(text: &str) -> Result<u32, String> {
    let bytes = values::size(text)?;
    if bytes < 0 {
        return Err(format!("{bytes} is below lower bound (0)"));
    }
    u32::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= RING_BYTES_MAX)
        .ok_or_else(|| format!("{bytes} is above upper bound ({RING_BYTES_MAX})"))
}

#[cfg(test)]
mod tests {
    use super::super::fake::load_text;
    use super::*;

    fn form(daemon: &str, program: &str) -> LogForm {
        let text = format!("[supervisord]\n{daemon}\n[program:x]\ncommand=a\n{program}");
        load_text(&text).unwrap().groups.remove(0).processes.remove(0).log_form
    }

    #[test]
    fn programs_inherit_log_options_of_the_supervisor() {
        use LogFormat::{Json, Prefix, Raw};
        for (daemon, program, format, timestamp, ring_bytes) in [
            ("", "", Raw, false, 65_536),
            ("log_format=prefix", "", Prefix, false, 65_536),
            ("log_format=Json\nlog_ring_bytes=0", "", Json, true, 0),
            ("log_format=json", "log_format=prefix\nlog_ring_bytes=1KB", Prefix, false, 1024),
            ("log_timestamp=yes", "log_format=prefix", Prefix, true, 65_536),
            ("log_timestamp=yes", "log_format=json\nlog_timestamp=no", Json, false, 65_536),
        ] {
            let expected = LogForm { format, timestamp, ring_bytes };
            assert_eq!(form(daemon, program), expected, "{daemon} / {program}");
        }
    }

    #[test]
    fn the_defaults_of_all_programs_come_first() {
        let text =
            "[supervisord]\nlog_format=json\n[program-default]\nlog_format=prefix\n[program:x]\ncommand=a";
        let format = load_text(text).unwrap().groups.remove(0).processes.remove(0).log_form.format;
        assert_eq!(format, LogFormat::Prefix);
    }
}
