//! A program ready for exec: its files, its arguments and its variables.

use std::ffi::{CStr, CString, NulError, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use super::own_pid::OwnPid;

/// Strings as exec takes them, each with a NUL byte at its end. In one buffer, as a start would otherwise allocate several
/// times for each variable.
#[derive(Debug, Default)]
struct ExecStrings {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl ExecStrings {
    fn add(&mut self, parts: &[&[u8]]) -> Result<(), NulError> {
        if let Some(with_nul) = parts.iter().find(|part| memchr::memchr(0, part).is_some()) {
            CString::new(*with_nul)?;
        }
        self.starts.push(self.bytes.len());
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.bytes.push(0);
        Ok(())
    }

    fn add_variable(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Result<(), NulError> {
        self.add(&[name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()])
    }

    /// Valid while this is not changed.
    fn pointers(&self) -> impl Iterator<Item = *const c_char> {
        let start: *const c_char = self.bytes.as_ptr().cast();
        self.starts.iter().map(move |at| start.wrapping_add(*at))
    }
}

/// The variables that many programs inherit, in the form that exec takes.
#[derive(Debug)]
pub struct InheritedVariables {
    strings: ExecStrings,
    name_lengths: Vec<usize>,
}

impl InheritedVariables {
    /// One with a NUL byte, which no process can have, is left out.
    #[must_use]
    pub fn new<'v>(variables: impl IntoIterator<Item = (&'v OsStr, &'v OsStr)>) -> Self {
        let (mut strings, mut name_lengths) = (ExecStrings::default(), Vec::new());
        for (name, value) in variables {
            if strings.add_variable(name, value).is_ok() {
                name_lengths.push(name.len());
            }
        }
        Self { strings, name_lengths }
    }

    fn names(&self) -> impl Iterator<Item = &OsStr> {
        let starts_and_lengths = self.strings.starts.iter().zip(&self.name_lengths);
        starts_and_lengths.map(|(start, length)| OsStr::from_bytes(&self.strings.bytes[*start..][..*length]))
    }
}

/// A program ready for exec. Everything that the child needs is allocated here, since the child must not
/// allocate.
#[derive(Debug)]
pub struct Program {
    /// Tried in order.
    pub(super) files: Vec<CString>,
    pub(super) argv0: CString,
    /// What `argv` and `envp` point to.
    _strings: ExecStrings,
    _inherited: Option<Arc<InheritedVariables>>,
    pub(super) own_pid: Option<OwnPid>,
    pub(super) argv: Vec<*const c_char>,
    pub(super) envp: Vec<*const c_char>,
}

impl Program {
    /// Executes `file` with `argv` as its arguments.
    ///
    /// # Errors
    /// If any of the texts contains a NUL byte.
    pub fn new<A: AsRef<OsStr>, E: AsRef<OsStr>>(
        file: &Path,
        argv: &[A],
        environment: impl IntoIterator<Item = (E, E)>,
    ) -> Result<Self, NulError> {
        let mut strings = ExecStrings::default();
        argv.iter().try_for_each(|argument| strings.add(&[argument.as_ref().as_bytes()]))?;
        environment.into_iter().try_for_each(|(name, value)| strings.add_variable(name, value))?;
        let mut pointers = strings.pointers();
        let end = [ptr::null()];
        let argv0 = argv.first().map_or(OsStr::new(""), AsRef::as_ref);
        Ok(Self {
            files: vec![CString::new(file.as_os_str().as_bytes())?],
            argv0: CString::new(argv0.as_bytes())?,
            argv: pointers.by_ref().take(argv.len()).chain(end).collect(),
            envp: pointers.chain(end).collect(),
            _strings: strings,
            _inherited: None,
            own_pid: None,
        })
    }

    /// Adds the inherited variables, except those of these names.
    #[must_use]
    pub fn inheriting(mut self, all: &Arc<InheritedVariables>, except: impl Fn(&OsStr) -> bool) -> Self {
        let named = all.strings.pointers().zip(all.names());
        self.envp.splice(..0, named.filter(|(_, name)| !except(name)).map(|(variable, _)| variable));
        Self { _inherited: Some(Arc::clone(all)), ..self }
    }

    /// Adds a variable whose value is the pid of the program.
    #[must_use]
    pub fn with_own_pid(mut self, name: &CStr) -> Self {
        let own_pid = OwnPid::new(name);
        // Before the terminating null pointer.
        self.envp.insert(self.envp.len().saturating_sub(1), own_pid.as_ptr());
        Self { own_pid: Some(own_pid), ..self }
    }

    /// Adds alternative paths, in order.
    ///
    /// # Errors
    /// If a path contains a NUL byte.
    pub fn or_else(mut self, files: impl IntoIterator<Item = PathBuf>) -> Result<Self, NulError> {
        for file in files {
            self.files.push(CString::new(file.as_os_str().as_bytes())?);
        }
        Ok(self)
    }
}
