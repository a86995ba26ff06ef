//! What a misspelled name may have meant.

use super::{Naming, OptionDoc, SectionKind, TABLE};

/// Longer names are not compared: they are no slip of the fingers.
const NAME_BYTES_MAX: usize = 64;

/// The option that is most like `name`, if any is like it.
pub(crate) fn nearest_option(options: &'static [OptionDoc], name: &str) -> Option<&'static str> {
    nearest(options.iter().map(|option| option.name), name)
}

/// The section that is most like `section`, with what follows the colon in it.
pub(crate) fn nearest_section(section: &str) -> Option<String> {
    let (name, instance) = section.split_once(':').unwrap_or((section, ""));
    let known = nearest(TABLE.iter().map(|section| section.name), name)?;
    let naming = TABLE.iter().find(|section| section.name == known)?.naming;
    let suggestion = match (naming, instance) {
        (Naming::Single, _) | (Naming::Optional, "") => known.to_owned(),
        (Naming::Required, "") => format!("{known}:NAME"),
        (_, instance) => format!("{known}:{instance}"),
    };
    (SectionKind::of(&suggestion).is_some() && suggestion != section).then_some(suggestion)
}

fn nearest(known: impl Iterator<Item = &'static str>, name: &str) -> Option<&'static str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let slips_max = 1 + name.len() / 5;
    let near = known.map(|known| (distance(known, &name), known)).filter(|&(slips, _)| slips <= slips_max);
    near.min_by_key(|&(slips, _)| slips).map(|(_, known)| known)
}

/// Characters to insert, drop, replace or swap with their neighbour to make one text the other.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for i in 0..left.len() {
        let mut row = vec![i + 1];
        for j in 0..right.len() {
            let replaced = last[j] + usize::from(left[i] != right[j]);
            let mut least = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && left[i] == right[j - 1] && left[i - 1] == right[j] {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, expected) in
            [("", "", 0), ("abc", "abc", 0), ("", "ab", 2), ("abc", "acb", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn slips_are_recognised_and_strangers_are_not() {
        for (name, expected) in [
            ("autorestrat", Some("autorestart")),
            ("comand", Some("command")),
            ("stdout_log_file", Some("stdout_logfile")),
            ("numproc", Some("numprocs")),
            ("frobnicate", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest_option(SectionKind::Program.options(), name), expected, "{name}");
        }
        assert_eq!(nearest_option(SectionKind::Program.options(), &"x".repeat(100_000)), None);
    }

    #[test]
    fn sections_keep_their_own_name() {
        for (section, expected) in [
            ("programm:web", Some("program:web")),
            ("Program:web", Some("program:web")),
            ("program", Some("program:NAME")),
            ("supervisor", Some("supervisord")),
            ("supervisord:x", Some("supervisord")),
            ("inet_http_serverfoo", Some("inet_http_server")),
            ("celery", None),
        ] {
            assert_eq!(nearest_section(section).as_deref(), expected, "{section}");
        }
    }
}
