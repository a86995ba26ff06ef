//! The option grammar of Supervisor's command lines: that of Python's `getopt`.
//!
//! Short options cluster (`-nk`), take a value attached or as the next word (`-cFILE`, `-c FILE`); long ones
//! take it after `=` or as the next word and may be abbreviated to any unique prefix. The first word that is
//! not an option ends the options, and so does `--`, which is dropped. Error texts are part of the contract
//! and are the reference's.
//!
//! Clap can't be used because its grammar and messages differ: it allows options after positionals, it allows
//! prefixes for all options or none, and its messages are different.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// An option in a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opt<K> {
    /// Identifies it for the caller.
    pub(super) key: K,
    /// `-c`
    pub(super) short: Option<u8>,
    /// `--configuration`
    pub(super) long: Option<&'static str>,
    /// Whether a value must follow.
    pub(super) takes_value: bool,
}

/// An option that was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Given<K> {
    /// From the table.
    pub(super) key: K,
    /// `-c`, or the full long name even if it was abbreviated.
    pub(super) spelled: String,
    /// Empty for a flag.
    pub(super) value: OsString,
}

/// The options and the remaining words of a command line.
pub(super) type Split<K> = (Vec<Given<K>>, Vec<OsString>);

/// Splits a command line (without the program's name).
///
/// # Errors
/// The text that comes after `Error: `.
pub(super) fn split<K: Copy>(table: &[Opt<K>], args: Vec<OsString>) -> Result<Split<K>, String> {
    let mut given = Vec::new();
    let mut words = args.into_iter().peekable();
    while let Some(word) = words.next_if(|word| word.as_bytes().starts_with(b"-") && word != "-") {
        match word.as_bytes() {
            b"--" => break,
            [b'-', b'-', long @ ..] => given.push(read_long(table, long, &mut words)?),
            [_, cluster @ ..] => read_cluster(table, cluster, &mut words, &mut given)?,
            // Unreachable: the word starts with a dash.
            [] => {}
        }
    }
    Ok((given, words.collect()))
}

/// Reads a cluster such as `-abc`. Its last option may take the rest, or the next word, as its value.
fn read_cluster<K: Copy>(
    table: &[Opt<K>],
    cluster: &[u8],
    words: &mut impl Iterator<Item = OsString>,
    given: &mut Vec<Given<K>>,
) -> Result<(), String> {
    let mut rest = cluster;
    while let [letter, after @ ..] = rest {
        let opt = table.iter().find(|opt| opt.short == Some(*letter));
        let opt = opt.ok_or_else(|| format!("option -{} not recognized", first_char(rest)))?;
        let spelled = format!("-{}", char::from(*letter));
        rest = after;
        let value = match (opt.takes_value, after) {
            (false, _) => OsString::new(),
            (true, []) => words.next().ok_or_else(|| format!("option {spelled} requires argument"))?,
            (true, attached) => {
                rest = &[];
                OsString::from_vec(attached.to_vec())
            }
        };
        given.push(Given { key: opt.key, spelled, value });
    }
    Ok(())
}

fn read_long<K: Copy>(
    table: &[Opt<K>],
    word: &[u8],
    words: &mut impl Iterator<Item = OsString>,
) -> Result<Given<K>, String> {
    let (name, attached) = match memchr::memchr(b'=', word) {
        Some(at) => (&word[..at], Some(OsStr::from_bytes(&word[at + 1..]).to_owned())),
        None => (word, None),
    };
    let (opt, long) = find_long(table, name)?;
    let spelled = format!("--{long}");
    let value = match (opt.takes_value, attached) {
        (true, Some(value)) => value,
        (true, None) => words.next().ok_or_else(|| format!("option {spelled} requires argument"))?,
        (false, None) => OsString::new(),
        (false, Some(_)) => return Err(format!("option {spelled} must not have an argument")),
    };
    Ok(Given { key: opt.key, spelled, value })
}

/// The option of this name, or else the only one with this prefix.
fn find_long<'t, K>(table: &'t [Opt<K>], name: &[u8]) -> Result<(&'t Opt<K>, &'static str), String> {
    let shown = || String::from_utf8_lossy(name).into_owned();
    let longs = || table.iter().filter_map(|opt| opt.long.map(|long| (opt, long)));
    if let Some(exact) = longs().find(|(_, long)| long.as_bytes() == name) {
        return Ok(exact);
    }
    let mut candidates = longs().filter(|(_, long)| long.as_bytes().starts_with(name));
    match (candidates.next(), candidates.next()) {
        (None, _) => Err(format!("option --{} not recognized", shown())),
        (Some(only), None) => Ok(only),
        (Some(_), Some(_)) => Err(format!("option --{} not a unique prefix", shown())),
    }
}

fn first_char(bytes: &[u8]) -> char {
    String::from_utf8_lossy(bytes).chars().next().unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [Opt<char>; 5] = [
        Opt { key: 'c', short: Some(b'c'), long: Some("configuration"), takes_value: true },
        Opt { key: 'n', short: Some(b'n'), long: Some("nodaemon"), takes_value: false },
        Opt { key: '?', short: Some(b'?'), long: None, takes_value: false },
        Opt { key: 'l', short: Some(b'l'), long: Some("logfile"), takes_value: true },
        Opt { key: 'y', short: None, long: Some("logfile_maxbytes"), takes_value: true },
    ];

    /// `-c=FILE -n | word word`
    fn shown(line: &[&str]) -> String {
        let args = line.iter().map(OsString::from).collect();
        let (given, rest) = match split(&TABLE, args) {
            Ok(parts) => parts,
            Err(text) => return text,
        };
        let options = given.iter().map(|one| match one.value.to_str() {
            Some("") => one.spelled.clone(),
            value => format!("{}={}", one.spelled, value.unwrap_or("?")),
        });
        let words = rest.iter().map(|word| word.to_string_lossy().into_owned());
        let all: Vec<String> = options.chain(["|".to_owned()]).chain(words).collect();
        all.join(" ")
    }

    #[test]
    fn splits_as_getopt_does() {
        for (line, expected) in [
            (&[][..], "|"),
            (&["-c", "f"], "-c=f |"),
            (&["-cf"], "-c=f |"),
            (&["-c", "-n"], "-c=-n |"),
            (&["-nncf", "x"], "-n -n -c=f | x"),
            (&["-?"], "-? |"),
            (&["--configuration", "f"], "--configuration=f |"),
            (&["--configuration=a=b"], "--configuration=a=b |"),
            (&["--logfile=x"], "--logfile=x |"),
            (&["--logfile_=x"], "--logfile_maxbytes=x |"),
            (&["--no"], "--nodaemon |"),
            (&["word", "-n"], "| word -n"),
            (&["-n", "-", "-n"], "-n | - -n"),
            (&["-n", "--", "-n"], "-n | -n"),
        ] {
            assert_eq!(shown(line), expected, "{line:?}");
        }
    }

    #[test]
    fn errors_are_those_of_getopt() {
        for (line, expected) in [
            (&["-Z"][..], "option -Z not recognized"),
            (&["-nZ"], "option -Z not recognized"),
            (&["-é"], "option -é not recognized"),
            (&["--foo"], "option --foo not recognized"),
            (&["-c"], "option -c requires argument"),
            (&["-nc"], "option -c requires argument"),
            (&["--conf"], "option --configuration requires argument"),
            (&["--nodaemon=1"], "option --nodaemon must not have an argument"),
            (&["--no="], "option --nodaemon must not have an argument"),
            (&["--log", "x"], "option --log not a unique prefix"),
            (&["--=x"], "option -- not a unique prefix"),
        ] {
            assert_eq!(shown(line), expected, "{line:?}");
        }
    }

    #[test]
    fn values_need_not_be_utf8() {
        let odd = OsString::from_vec(b"/tmp/\xff".to_vec());
        let (given, _) = split(&TABLE, vec!["-c".into(), odd.clone()]).unwrap();
        assert_eq!(given[0].value, odd);
    }
}
