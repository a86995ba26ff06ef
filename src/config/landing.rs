//! A program's options into its specification, as the rows of the table say.

use crate::model::ProcessSpec;
use crate::model::options::{Field, Landing, Lands, OptionDoc, PROGRAM, Per};

use super::reader::SectionReader;
use super::values;

/// Reads the options that are the same for all processes of a program, and the defaults of the others.
///
/// What remains is set for each process: its rows are returned.
pub(super) fn land_program(
    options: &mut SectionReader<'_, '_>,
    spec: &mut ProcessSpec,
) -> Vec<&'static OptionDoc> {
    let mut of_process = Vec::new();
    for option in PROGRAM {
        let Some(landing) = option.landing else { continue };
        if landing.per == Per::Process && options.is_set(option.name) {
            of_process.push(option);
        } else {
            land(options, option.name, landing, spec);
        }
    }
    of_process
}

/// Reads the options that are set for each process.
pub(super) fn land_process(
    options: &mut SectionReader<'_, '_>,
    of_process: &[&'static OptionDoc],
    spec: &mut ProcessSpec,
) {
    for option in of_process {
        if let Some(landing) = option.landing {
            land(options, option.name, landing, spec);
        }
    }
}

/// A value that is not set or not valid leaves the field as it is.
fn land(options: &mut SectionReader<'_, '_>, name: &str, landing: Landing, spec: &mut ProcessSpec) {
    match landing.lands {
        Lands::Boolean(field) => put(spec, field, options.value(name, values::boolean)),
        Lands::Integer(field) => put(spec, field, options.value(name, values::integer)),
        Lands::Size(field) => put(spec, field, options.value(name, values::size)),
        Lands::Octal(field) => put(spec, field, options.value(name, values::octal).map(Some)),
        Lands::Retries(field) => put(spec, field, options.value(name, values::start_retries)),
        Lands::AutoRestart(field) => put(spec, field, options.value(name, values::auto_restart)),
        Lands::ExitCodes(field) => put(spec, field, options.value(name, values::exit_codes)),
        Lands::Signal(field) => put(spec, field, options.value(name, values::signal)),
        Lands::User(field) => put(spec, field, options.user(name).map(Some)),
        Lands::Word(words, field) => put(spec, field, options.value(name, |text| values::word(words, text))),
        Lands::Own(..) => {}
    }
}

fn put<T>(spec: &mut ProcessSpec, field: Field<T>, value: Option<T>) {
    if let Some(value) = value {
        field.set(spec, value);
    }
}
