//! The table of sections and options: what there is, of which type, with which default.
//!
//! One table feeds the reader (defaults), the sample file, and the search for what a misspelled
//! name may have meant. An option is added here first.

mod sample;
mod suggest;
mod table;

pub use sample::{SUPERVISOR_SAMPLE, sample};
pub use suggest::nearest;
pub(super) use suggest::{meant, nearest_option, nearest_section};
pub use table::TABLE;

use memchr::memchr;

use super::ini::trim;
use crate::model::Signal;

/// What a section is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SectionKind {
    /// `[unix_http_server]` or `[unix_http_server:x]`
    UnixHttpServer,
    /// `[inet_http_server]` or `[inet_http_server:x]`
    InetHttpServer,
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

/// Whether a section's name goes on behind a colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// Never: there is one of it.
    Single,
    /// It may.
    Optional,
    /// It must.
    Required,
}

/// A kind of section.
#[derive(Clone, Copy, Debug)]
pub struct SectionDoc {
    /// Which.
    pub kind: SectionKind,
    /// Its name, up to the colon.
    pub name: &'static str,
    /// What may or must follow.
    pub naming: Naming,
    /// What it is for, one sentence.
    pub doc: &'static str,
    /// Its options; empty where any key is taken.
    pub options: &'static [OptionDoc],
}

/// The type of an option's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "plain words")]
pub enum ValueType {
    Text,
    /// Text that no message shows.
    Secret,
    Boolean,
    Integer,
    /// An integer or `forever`
    Retries,
    Size,
    Octal,
    Signal,
    ExitCodes,
    AutoRestart,
    /// `ignore` or `shutdown`
    OnEnd,
    /// `wait` or `exit`
    OnIdle,
    /// What a signal does.
    SignalAction,
    LogLevel,
    LogFormat,
    LogFile,
    /// A file that may not exist yet.
    Path,
    /// `auto`, `none` or a path
    ControlSocket,
    /// A directory that must exist.
    Directory,
    User,
    /// `user` or `user:group`
    Owner,
    /// `port` or `host:port`
    Address,
    Url,
    /// `A=1,B="x y"`
    Pairs,
    /// `a,b,c`
    List,
    /// Globs parted by spaces.
    Globs,
    /// A program with its arguments.
    Command,
    /// Files parted by commas.
    Files,
}

/// What holds when an option is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DefaultValue {
    /// This value.
    Is(&'static str),
    /// Nothing, or what the documentation says; the text is an example.
    Unset(&'static str),
    /// It must be set; the text is an example.
    Required(&'static str),
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct OptionDoc {
    /// Its key; with a `*` at its end it is a family of options, one for each signal.
    pub name: &'static str,
    /// Of its value.
    pub value: ValueType,
    /// Without it.
    pub default: DefaultValue,
    /// What it is for, a few words.
    pub doc: &'static str,
}

impl OptionDoc {
    /// The start of the keys of a family.
    pub(super) fn family(&self) -> Option<&'static str> {
        self.name.strip_suffix('*')
    }

    /// Whether a key is this option, or one of this family.
    #[must_use]
    pub fn takes(&self, key: &str) -> bool {
        self.name == key || self.has_member(key)
    }

    fn has_member(&self, key: &str) -> bool {
        self.family().is_some_and(|family| key.len() > family.len() && key.starts_with(family))
    }

    /// The key, for a family that of a member.
    #[must_use]
    pub fn example_key(&self) -> String {
        self.name.replace('*', "TERM")
    }

    /// All keys that it has.
    pub(super) fn keys(&self) -> Vec<String> {
        let Some(family) = self.family() else { return vec![self.name.to_owned()] };
        let is_catchable = |name: &&str| Signal::from_name(name).is_some_and(Signal::is_catchable);
        let names = Signal::names().filter(is_catchable);
        names.map(|name| format!("{family}{}", name.to_lowercase())).collect()
    }
}

/// The one of these options that a key is, or is of the family of.
///
/// Every option of every program is looked up here, so what takes least goes first: lengths, then names.
/// Hardly any key is of a family.
#[must_use]
pub fn option_of<'o>(options: &'o [OptionDoc], key: &str) -> Option<&'o OptionDoc> {
    let named = options.iter().find(|option| option.name.len() == key.len() && option.name == key);
    named.or_else(|| options.iter().find(|option| option.has_member(key)))
}

impl SectionKind {
    /// What a section of this name is, and what follows the colon in it, trimmed.
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

    /// Whether `[program-default]` gives what such a section does not say itself.
    #[must_use]
    pub fn has_defaults(self) -> bool {
        match self {
            Self::Program | Self::FcgiProgram => true,
            Self::UnixHttpServer
            | Self::InetHttpServer
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

    /// The options that such a section may have.
    #[must_use]
    pub fn options(self) -> &'static [OptionDoc] {
        TABLE.iter().find(|section| section.kind == self).map_or(&[], |section| section.options)
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
