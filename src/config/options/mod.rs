//! The table of sections and options: names, types, defaults.
//!
//! One table feeds the reader (defaults), the sample file, and suggestions for misspelled names. The options
//! of programs are rows of [`crate::model::options::PROGRAM`].

#[cfg(test)]
pub(crate) mod reference;
mod sample;
mod suggest;
mod table;

pub use sample::{SUPERVISOR_SAMPLE, sample};
pub(super) use suggest::{meant, nearest_option, nearest_section};
pub use suggest::{nearest, similar};
pub use table::TABLE;

pub use crate::model::options::{BadValue, DefaultValue, OptionDoc, OptionList, Per, ValueType};

use memchr::memchr;

use super::ini::trim;

/// The kind of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionKind {
    /// `[unix_http_server]` or `[unix_http_server:x]`
    UnixHttpServer,
    /// `[inet_http_server]` or `[inet_http_server:x]`
    InetHttpServer,
    /// `[probe_http_server]` or `[probe_http_server:x]`
    ProbeHttpServer,
    /// `[supervisord]`
    Supervisord,
    /// `[rpcinterface:x]`
    RpcInterface,
    /// `[supervisorctl]`
    Supervisorctl,
    /// `[ctlplugin:x]`
    CtlPlugin,
    /// `[program-default]`
    ProgramDefault,
    /// `[program:x]`
    Program,
    /// `[fcgi-program:x]`
    FcgiProgram,
    /// `[eventlistener:x]`
    EventListener,
    /// `[group:x]`
    Group,
    /// `[include]`
    Include,
}

/// Whether a section's name continues after a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Never: the section exists once.
    Single,
    /// It may.
    Optional,
    /// It must.
    Required,
}

/// A kind of section.
#[derive(Clone, Copy, Debug)]
pub struct SectionDoc {
    /// Its kind.
    pub kind: SectionKind,
    /// Its name, up to the colon.
    pub name: &'static str,
    /// Whether a name may or must follow.
    pub naming: Naming,
    /// Its purpose, one sentence.
    pub doc: &'static str,
    /// Its options; empty if any key is accepted.
    pub options: OptionList,
}

impl SectionKind {
    /// The kind of a section of this name, and the trimmed part after the colon.
    #[must_use]
    pub fn of(section: &str) -> Option<(Self, &str)> {
        let (name, instance) = match memchr(b':', section.as_bytes()) {
            Some(colon) => (&section[..colon], Some(trim(&section[colon + 1..]))),
            None => (section, None),
        };
        let found = TABLE.iter().find(|known| known.name == name)?;
        let fits = match found.naming {
            Naming::Single => instance.is_none(),
            Naming::Optional => true,
            Naming::Required => instance.is_some(),
        };
        fits.then(|| (found.kind, instance.unwrap_or_default()))
    }

    /// Whether `[program-default]` provides defaults for such a section.
    #[must_use]
    pub fn has_defaults(self) -> bool {
        match self {
            Self::Program | Self::FcgiProgram => true,
            Self::UnixHttpServer
            | Self::InetHttpServer
            | Self::ProbeHttpServer
            | Self::Supervisord
            | Self::RpcInterface
            | Self::Supervisorctl
            | Self::CtlPlugin
            | Self::ProgramDefault
            | Self::EventListener
            | Self::Group
            | Self::Include => false,
        }
    }

    /// The options of such a section.
    #[must_use]
    pub fn options(self) -> OptionList {
        let section = TABLE.iter().find(|section| section.kind == self);
        section.map(|section| section.options).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_known_by_name() {
        for (section, expected) in [
            ("supervisord", Some((SectionKind::Supervisord, ""))),
            ("supervisord:x", None),
            ("Supervisord", None),
            ("program:web", Some((SectionKind::Program, "web"))),
            ("program: a b:c ", Some((SectionKind::Program, "a b:c"))),
            ("program:", Some((SectionKind::Program, ""))),
            ("program", None),
            ("programx", None),
            ("inet_http_server", Some((SectionKind::InetHttpServer, ""))),
            ("inet_http_server:two", Some((SectionKind::InetHttpServer, "two"))),
            ("inet_http_serverfoo", None),
            ("fcgi-program:f", Some((SectionKind::FcgiProgram, "f"))),
            ("", None),
        ] {
            assert_eq!(SectionKind::of(section), expected, "{section}");
        }
    }
}
