//! Writes the figures of a run into docs/performance.md with a chart beside it, and some of them into the README.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::Outcome;
use crate::peers::Peer;
use crate::table::{Table, rounded};

/// The subjects that are published.
pub(crate) const SUBJECTS: [&str; 8] =
    ["memory", "init", "boot", "restart", "status", "stop", "idle", "logs"];

/// What is between these lines of the page is replaced.
const BEGIN: &str = "<!-- written by make bench -->";
const END: &str = "<!-- end -->";

/// Under the sentence about the machine.
const QUICK: &str = "It was a quick run, with fewer rounds and smaller amounts.\n";

/// A row of the table in the README.
struct Chosen {
    /// What was done, and with what.
    label: &'static str,
    subject: &'static str,
    column: &'static str,
    unit: &'static str,
    /// What the floor is, where its figure is shown.
    floor: &'static str,
}

const IN_README: [Chosen; 6] = [
    Chosen {
        label: "own memory with 10 programs (private dirty)",
        subject: "memory",
        column: "dirty 10",
        unit: " KiB",
        floor: "",
    },
    Chosen {
        label: "start of 100 programs",
        subject: "boot",
        column: "ms",
        unit: " ms",
        floor: "bare `posix_spawn` loop",
    },
    Chosen {
        label: "restart after `kill -9`",
        subject: "restart",
        column: "median ms",
        unit: " ms",
        floor: "bare loop",
    },
    Chosen { label: "stop of 100 programs", subject: "stop", column: "signal ms", unit: " ms", floor: "" },
    Chosen { label: "`status` with 10 programs", subject: "status", column: "ms", unit: " ms", floor: "" },
    Chosen {
        label: "wake-ups in an idle minute",
        subject: "idle",
        column: "per minute",
        unit: "",
        floor: "",
    },
];

const COLUMNS_OF_README: [&str; 5] = ["sv", "supervisord", "runit", "s6", "dinit"];

/// Those in the chart: their first column, as a multiple of the floor.
const IN_CHART: [&str; 3] = ["boot", "restart", "stop"];

/// Replaces the tables of the page, and the chart.
pub(crate) fn write(tables: &[Table], peers: &[Peer], is_quick: bool) -> Outcome<()> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let mut made = machine(peers)?;
    if is_quick {
        made.push_str(QUICK);
    }
    for table in tables {
        made.push_str(&markdown(table));
    }
    replace(&docs.join("performance.md"), &made)?;
    // The numbers of programs in the README are those of a whole run.
    if !is_quick && let Some(table) = readme_table(tables) {
        replace(&docs.join("../README.md"), &table)?;
    }
    Ok(fs::write(docs.join("performance.svg"), chart(tables))?)
}

/// Replaces what a page has between the marks.
fn replace(page: &Path, made: &str) -> Outcome<()> {
    let text = fs::read_to_string(page)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("'{}' has no place for tables", page.display()))?;
    Ok(fs::write(page, format!("{before}{BEGIN}\n\n{made}\n{END}{after}"))?)
}

/// `None` if a subject was not measured.
fn readme_table(tables: &[Table]) -> Option<String> {
    let mut text =
        format!("| | {} |\n|---{}|\n", COLUMNS_OF_README.join(" | "), "|---".repeat(COLUMNS_OF_README.len()));
    for Chosen { label, subject, column, unit, floor } in IN_README {
        let table = tables.iter().find(|table| table.subject == subject)?;
        let column = table.columns.iter().position(|name| *name == column)?;
        let figure = |name: &str| table.rows.iter().find(|row| row.name == name)?.figures[column];
        let of_floor = table.base().filter(|_| !floor.is_empty()).and_then(|row| row.figures[column]);
        let of_floor =
            of_floor.map_or_else(String::new, |took| format!(" ({floor}: {}{unit})", rounded(took)));
        let cells = COLUMNS_OF_README
            .map(|name| figure(name).map_or_else(|| "–".to_owned(), |figure| rounded(figure) + unit));
        _ = writeln!(text, "| {label}{of_floor} | {} |", cells.join(" | "));
    }
    Some(text)
}

/// One sentence about the machine and one about the participants.
fn machine(peers: &[Peer]) -> Outcome<String> {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unnamed CPU", |(_, model)| model.trim());
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown").to_owned();
    let names: Vec<&str> = peers.iter().map(|peer| peer.kind.name()).collect();
    Ok(format!(
        "Measured on {} with {} cores of {model}, Linux {}, with a load of {load} from other programs at the end. \
         Installed there: {}.\n",
        output("date", &["-u", "+%F"])?,
        thread::available_parallelism()?,
        output("uname", &["-r"])?,
        names.join(", ")
    ))
}

fn output(program: &str, words: &[&str]) -> Outcome<String> {
    Ok(String::from_utf8(Command::new(program).args(words).output()?.stdout)?.trim().to_owned())
}

fn markdown(table: &Table) -> String {
    let mut text = format!("\n### {}\n\n{}.\n\n| | ", title(table.subject), sentence(&table.what));
    text.push_str(&table.columns.join(" | "));
    _ = writeln!(text, " |\n|---|{}", "---|".repeat(table.columns.len()));
    let base = table.base().map(|row| row.figures.clone()).unwrap_or_default();
    for row in &table.rows {
        let cells = row.figures.iter().zip(&base).map(|(figure, base)| match (figure, base) {
            (None, _) => "–".to_owned(),
            (Some(figure), Some(base)) if *base > 0.0 && figure != base => {
                format!("{} (×{})", rounded(*figure), rounded(figure / base))
            }
            (Some(figure), _) => rounded(*figure),
        });
        _ = writeln!(text, "| {} | {} |", row.name, cells.collect::<Vec<_>>().join(" | "));
    }
    for note in &table.notes {
        _ = write!(text, "\n{}.\n", sentence(note));
    }
    text
}

fn title(subject: &str) -> String {
    sentence(subject)
}

/// With a capital.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

const WIDTH: f64 = 760.0;
const LABELS: f64 = 190.0;
const BAR: f64 = 18.0;
const GAP: f64 = 6.0;

/// Bars on a logarithmic scale, since a restart after a second is a thousand times the floor.
fn chart(tables: &[Table]) -> String {
    let mut bars = String::new();
    let mut y = 8.0;
    let ratios = |table: &Table| -> Vec<(&'static str, f64)> {
        let base = table.base().and_then(|row| row.figures.first().copied().flatten());
        let rows = table.rows.iter().filter(|row| !row.name.starts_with("floor"));
        rows.filter_map(|row| Some((row.name, row.figures.first().copied().flatten()? / base?))).collect()
    };
    let shown: Vec<&Table> = tables.iter().filter(|table| IN_CHART.contains(&table.subject)).collect();
    let most = shown.iter().flat_map(|table| ratios(table)).map(|(_, ratio)| ratio).fold(10.0, f64::max);
    for table in shown {
        y += 16.0;
        _ = writeln!(bars, "<text x=\"0\" y=\"{y}\" font-weight=\"bold\">{}</text>", title(table.subject));
        y += 8.0;
        for (name, ratio) in ratios(table) {
            let width = (ratio.max(1.02).ln() / most.ln() * (WIDTH - LABELS - 90.0)).max(2.0);
            let color = if name == "sv" { "#2b6cb0" } else { "#a0aec0" };
            let middle = y + BAR * 0.75;
            _ = writeln!(
                bars,
                "<text x=\"12\" y=\"{middle}\">{name}</text><rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" \
                 fill=\"{color}\"/><text x=\"{:.1}\" y=\"{middle}\">×{}</text>",
                LABELS + width + 6.0,
                rounded(ratio)
            );
            y += BAR + GAP;
        }
    }
    let height = y + 8.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\" \
         role=\"img\" aria-label=\"Multiples of the floor, on a logarithmic scale\">\n<rect width=\"{WIDTH}\" height=\"{height}\" \
         fill=\"#fff\"/>\n{bars}</svg>\n"
    )
}
