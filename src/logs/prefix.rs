//! Lines behind the name of the process that wrote them: `web     | hello`.

use super::lines::LinePiece;

/// A longer name is shown whole, and its lines stand out of the column.
pub const LABEL_WIDTH_MAX: usize = 32;

/// Cyan, yellow, green, magenta, blue, and the bright ones of them. Red is left to errors.
const COLOURS: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/// What stands in front of the lines of one process.
#[derive(Debug)]
pub(super) struct Prefix {
    label: Vec<u8>,
}

impl Prefix {
    /// A name in a column of this width, in one of the colours on a terminal.
    pub(super) fn new(name: &str, width: usize, colour: Option<u64>) -> Self {
        let width = width.min(LABEL_WIDTH_MAX);
        let label = match colour {
            Some(number) => {
                let colour = COLOURS[(number % COLOURS.len() as u64) as usize];
                format!("\x1b[{colour}m{name:width$} \x1b[0m")
            }
            None => format!("{name:width$} "),
        };
        Self { label: label.into_bytes() }
    }

    /// A piece of a line that does not begin with it stands behind a `+`.
    pub(super) fn write(&self, piece: LinePiece<'_>, time: Option<&str>, out: &mut Vec<u8>) {
        if let Some(time) = time {
            out.extend_from_slice(time.as_bytes());
            out.push(b' ');
        }
        out.extend_from_slice(&self.label);
        out.extend_from_slice(if piece.is_first { b"| " } else { b"+ " });
        out.extend_from_slice(piece.bytes);
        out.push(b'\n');
    }
}
