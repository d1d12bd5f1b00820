//! Lists: aligned columns under a header on a terminal, tab-separated values elsewhere.

use std::io::IsTerminal;

use super::{CommandError, print};

pub(super) fn print_table<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> Result<(), CommandError> {
    let lines = match std::io::stdout().is_terminal() {
        true => aligned(header, rows),
        false => rows.iter().map(|row| row.join("\t")).collect(),
    };
    lines.iter().try_for_each(|line| print(line))
}

/// A text that somebody chose, for a line of output: without line breaks, tabs and what else a terminal would obey.
pub(super) fn one_line(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

fn aligned<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> Vec<String> {
    let mut widths = header.map(str::len);
    for row in rows {
        for (width, value) in widths.iter_mut().zip(row) {
            *width = (*width).max(value.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(value, width)| format!("{value:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    [header.map(str::to_owned)].iter().chain(rows).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        assert_eq!(one_line("Zoë\u{1b}[2J\n\tx"), r"Zoë\u{1b}[2J\n\tx");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_value() {
        let rows = [["shop", "public"], ["é", "confidential"]].map(|row| row.map(str::to_owned));
        assert_eq!(aligned(["ID", "TYPE"], &rows), ["ID    TYPE", "shop  public", "é     confidential"]);
    }
}
