//! One subject's figures: rows are participants, columns are measures, one row is what the others are
//! compared with.

use std::fmt::Write;

/// The figures of one subject.
pub(crate) struct Table {
    /// Its name on the command line.
    pub(crate) subject: &'static str,
    /// What was done, in a line.
    pub(crate) what: String,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
}

/// The figures of a participant.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) figures: Vec<Option<f64>>,
}

impl Table {
    /// An empty table. A column's name holds its unit.
    pub(crate) fn new(subject: &'static str, what: String, columns: &[&'static str]) -> Self {
        Table { subject, what, columns: columns.to_vec(), rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a participant's figures, one for each column; `None` where a measure means nothing for it.
    pub(crate) fn row(&mut self, name: &'static str, figures: Vec<Option<f64>>) {
        self.rows.push(Row { name, figures });
    }

    /// Adds a line below the table.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// The row of ratio 1: the floor if there is one, else ourselves, else the first.
    pub(crate) fn base(&self) -> Option<&Row> {
        let named = |name| self.rows.iter().find(|row| row.name.starts_with(name));
        named("floor").or_else(|| self.rows.iter().find(|row| row.name == "sv")).or(self.rows.first())
    }

    /// The table as aligned text.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("\n{}: {}\n", self.subject, self.what);
        let Some(base) = self.base() else { return text + "  nobody to measure\n" };
        let name_width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let cells: Vec<Vec<String>> = self.rows.iter().map(|row| self.cells(row, base)).collect();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let widest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
                widest.max(self.columns[column].len())
            })
            .collect();
        _ = write!(text, "  {:name_width$}", "");
        for (column, width) in self.columns.iter().zip(&widths) {
            _ = write!(text, "  {column:>width$}");
        }
        end_line(&mut text);
        for (row, cells) in self.rows.iter().zip(&cells) {
            _ = write!(text, "  {:name_width$}", row.name);
            for (cell, width) in cells.iter().zip(&widths) {
                _ = write!(text, "  {cell:>width$}");
            }
            end_line(&mut text);
        }
        for note in &self.notes {
            _ = writeln!(text, "  {note}");
        }
        text
    }

    fn cells(&self, row: &Row, base: &Row) -> Vec<String> {
        row.figures.iter().zip(&base.figures).map(|(figure, base)| cell(*figure, *base)).collect()
    }

    /// The table as a JSON object.
    pub(crate) fn json(&self) -> String {
        let rows: Vec<String> = self.rows.iter().map(|row| self.json_row(row)).collect();
        let notes: Vec<String> = self.notes.iter().map(|note| quoted(note)).collect();
        format!(
            "{{\"subject\":{},\"what\":{},\"base\":{},\"rows\":[{}],\"notes\":[{}]}}",
            quoted(self.subject),
            quoted(&self.what),
            self.base().map_or_else(|| "null".to_owned(), |row| quoted(row.name)),
            rows.join(","),
            notes.join(",")
        )
    }

    fn json_row(&self, row: &Row) -> String {
        let figures: Vec<String> = self
            .columns
            .iter()
            .zip(&row.figures)
            .map(|(column, figure)| {
                let figure = figure.map_or_else(|| "null".to_owned(), |figure| format!("{figure}"));
                format!("{}:{figure}", quoted(column))
            })
            .collect();
        format!("{{\"name\":{},\"figures\":{{{}}}}}", quoted(row.name), figures.join(","))
    }
}

fn end_line(text: &mut String) {
    text.truncate(text.trim_end().len());
    text.push('\n');
}

fn cell(figure: Option<f64>, base: Option<f64>) -> String {
    // The space of a ratio is kept where there is none, so that the figures of a column stand in line.
    match (figure, base) {
        (None, _) => format!("-{:9}", ""),
        (Some(figure), Some(base)) if base > 0.0 => {
            format!("{} {:>9}", rounded(figure), format!("(×{})", rounded(figure / base)))
        }
        (Some(figure), _) => format!("{}{:10}", rounded(figure), ""),
    }
}

/// About three significant digits.
pub(crate) fn rounded(figure: f64) -> String {
    match figure {
        0.0 => "0".to_owned(),
        figure if figure < 0.1 => format!("{figure:.4}"),
        figure if figure < 10.0 => format!("{figure:.2}"),
        figure if figure < 100.0 => format!("{figure:.1}"),
        figure => thousands(figure),
    }
}

fn thousands(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => _ = write!(quoted, "\\u{:04x}", u32::from(character)),
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// The median; of an even number the mean of the two in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.len() {
        0 => None,
        length if length % 2 == 1 => Some(figures[middle]),
        _ => Some((figures[middle - 1] + figures[middle]) / 2.0),
    }
}
