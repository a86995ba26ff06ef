//! Prefixes lines with the name of their process: `web     | hello`.

use super::append::append;
use super::split::LinePiece;

/// A longer name is shown in full, and its lines exceed the column.
pub const LABEL_WIDTH_MAX: usize = 32;

/// Cyan, yellow, green, magenta, blue, and their bright variants. Red is reserved for errors.
const COLOURS: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/// The prefix of the lines of one process.
#[derive(Debug)]
pub(crate) struct Prefix {
    label: Vec<u8>,
    /// The whole prefix, with the time: `2026-11-20T16:11:36.042Z web     | `.
    head: Vec<u8>,
}

const BAR: &[u8] = b"| ";

impl Prefix {
    /// A name padded to this width, coloured on a terminal.
    pub(crate) fn new(name: &str, width: usize, colour: Option<u64>) -> Self {
        let width = width.min(LABEL_WIDTH_MAX);
        let label = match colour {
            Some(number) => {
                let colour = COLOURS[(number % COLOURS.len() as u64) as usize];
                format!("\x1b[{colour}m{name:width$} \x1b[0m")
            }
            None => format!("{name:width$} "),
        };
        let mut prefix = Self { label: label.into_bytes(), head: Vec::new() };
        prefix.set_time(None);
        prefix
    }

    /// Sets the time of the following lines.
    pub(crate) fn set_time(&mut self, time: Option<&str>) {
        self.head.clear();
        if let Some(time) = time {
            self.head.extend_from_slice(time.as_bytes());
            self.head.push(b' ');
        }
        self.head.extend_from_slice(&self.label);
        self.head.extend_from_slice(BAR);
    }

    /// A continuation piece of a line follows a `+`.
    pub(crate) fn write(&self, piece: LinePiece<'_>, out: &mut Vec<u8>) {
        if piece.is_first {
            append(out, &self.head);
        } else {
            out.extend_from_slice(self.head.strip_suffix(BAR).unwrap_or(&self.head));
            out.extend_from_slice(b"+ ");
        }
        append(out, piece.bytes);
        out.push(b'\n');
    }
}
