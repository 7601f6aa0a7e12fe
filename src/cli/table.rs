//! Lines of a table, as `kubectl` writes them.
//!
//! Pure. Columns keep their width once they are printed, so that more lines can follow.

use std::fmt::Write as _;

const GAP: &str = "   ";

/// The names of columns, each with the width it has when there is nothing to measure.
pub(super) type Columns = [(&'static str, usize)];

/// A table that is printed line by line.
pub(super) struct Table {
    columns: &'static Columns,
    widths: Vec<usize>,
}

impl Table {
    /// A table as wide as these rows need.
    pub(super) fn new(columns: &'static Columns, rows: &[Vec<String>]) -> Self {
        let widths = columns.iter().map(|(name, width)| {
            if rows.is_empty() {
                (*width).max(name.len())
            } else {
                name.len()
            }
        });
        let mut widths: Vec<_> = widths.collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        Self { columns, widths }
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> String {
        self.format(self.columns.iter().map(|(name, _)| *name))
    }

    /// One row.
    pub(super) fn line(&self, row: &[String]) -> String {
        self.format(row.iter().map(String::as_str))
    }

    fn format<'c>(&self, cells: impl Iterator<Item = &'c str>) -> String {
        let mut line = String::new();
        for (cell, width) in cells.zip(&self.widths) {
            let cell = printable(cell);
            // Writing to a String does not fail.
            let _ = write!(line, "{cell:<width$}{GAP}");
        }
        format!("{}\n", line.trim_end())
    }
}

/// An age in its largest unit.
pub(super) fn age(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// What a stranger wrote must not move the cursor of a terminal; nothing is shown as `-`.
pub(super) fn printable(text: &str) -> String {
    if text.is_empty() {
        return "-".to_owned();
    }
    let shown = text.chars().map(|c| if c.is_control() { '?' } else { c });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_under_the_names_of_their_columns() {
        let row = |cells: [&str; 2]| cells.map(ToOwned::to_owned).to_vec();
        let rows = [row(["a-long-name", ""]), row(["b", "\u{1b}[2J\n"])];
        let table = Table::new(&[("NAME", 20), ("READY", 5)], &rows);
        let lines: String = rows.iter().map(|row| table.line(row)).collect();
        assert_eq!(
            table.header() + &lines,
            "NAME          READY\na-long-name   -\nb             ?[2J?\n"
        );
    }

    #[test]
    fn ages_read_as_in_kubectl() {
        let ages = [-1, 0, 119, 120, 7199, 7200, 172_799, 172_800].map(age);
        assert_eq!(ages, ["0s", "0s", "119s", "2m", "119m", "2h", "47h", "2d"]);
    }
}
