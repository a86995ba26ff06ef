//! `help`: the list of actions, and a topic for each.

use unicode_width::UnicodeWidthStr;

use super::failure::Outcome;
use super::session::Session;
use crate::cli::{ACTIONS, ClientAction};

/// The width of the reference's list.
const LINE_WIDTH: usize = 79;

/// `help [ACTION]`; never fails.
pub(super) fn help(session: &mut Session, arg: &str) -> Outcome {
    match arg {
        "" => session.print(&list(session.is_sv())),
        "help" => session.print("help\t\tList the actions\nhelp <action>\tExplain an action\n"),
        topic => match ClientAction::named(topic) {
            Some(action) if session.is_sv() => {
                session.print(action.topic);
                session.print(action.topic_of_sv());
            }
            Some(action) if !action.is_for_sv() => session.print(action.topic),
            _ => session.say(format_args!("*** No help on {topic}")),
        },
    }
    Ok(())
}

fn list(is_sv: bool) -> String {
    let header = "default commands (type help <topic>):";
    let shown = ACTIONS.iter().filter(|action| is_sv || !action.is_for_sv());
    let names: Vec<&str> = shown.map(|action| action.name).collect();
    format!("\n{header}\n{}\n{}\n", "=".repeat(header.len()), columns(&names))
}

/// The names in as few rows as possible, in column order as in `ls`.
pub(super) fn columns(names: &[&str]) -> String {
    let mut rows = 1;
    let mut widths = widths_in(names, rows);
    while rows < names.len() && widths.iter().sum::<usize>() + 2 * (widths.len() - 1) > LINE_WIDTH {
        rows += 1;
        widths = widths_in(names, rows);
    }
    let mut text = String::new();
    for row in 0..rows {
        let cells = names.iter().skip(row).step_by(rows).zip(&widths);
        let padded = |(name, width): (&&str, &usize)| format!("{name}{}", " ".repeat(width - name.width()));
        let line: Vec<String> = cells.map(padded).collect();
        text.push_str(&line.join("  "));
        text.push('\n');
    }
    text
}

/// The width of each column for this number of rows.
fn widths_in(names: &[&str], rows: usize) -> Vec<usize> {
    names.chunks(rows).map(|column| column.iter().map(|name| name.width()).max().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_set_in_columns() {
        let expected = "\n\
            default commands (type help <topic>):\n\
            =====================================\n\
            add    exit      open  reload  restart   start   tail   \n\
            avail  fg        pid   remove  shutdown  status  update \n\
            clear  maintail  quit  reread  signal    stop    version\n\
            \n";
        assert_eq!(list(false), expected);
        assert!(list(true).contains("  logs "));
    }

    #[test]
    fn columns_are_read_downwards() {
        assert_eq!(columns(&["a", "bb"]), "a  bb\n");
        let wide = "w".repeat(40);
        assert_eq!(columns(&[&wide, "b"]), format!("{wide}  b\n"));
        assert_eq!(columns(&[&wide, &wide]), format!("{wide}\n{wide}\n"));
    }
}
