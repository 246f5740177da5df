//! Columns of text: the first to the left, all others, which are figures, to the right.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// What stands where there was nothing to measure.
pub(crate) const NOTHING: &str = "-";

/// The table, without a line break at its end.
pub(crate) fn render<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        let right = if number + 1 == COLUMNS { 0 } else { 2 };
        column.set_padding((0, right));
        if number > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}
