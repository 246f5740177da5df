//! Writes progress to standard error: in place on a terminal, as plain lines elsewhere. Results never pass here.

use std::io::Write;

/// Where progress is written. Write errors are ignored: a closed standard error must not end a test run's report.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    /// Columns of the terminal; `None`: no terminal.
    columns: Option<usize>,
    /// What stands in the line that is rewritten; empty: nothing.
    standing: String,
}

impl Screen<std::io::Stderr> {
    /// Standard error.
    #[must_use]
    pub fn standard_error() -> Self {
        let columns = terminal_size::terminal_size_of(std::io::stderr())
            .map(|(terminal_size::Width(columns), _)| usize::from(columns));
        Self::new(std::io::stderr(), columns)
    }
}

impl<W: Write> Screen<W> {
    /// A screen over a writer; `columns` where it is a terminal.
    pub fn new(out: W, columns: Option<usize>) -> Self {
        Self { out, columns, standing: String::new() }
    }

    /// Whether lines are rewritten in place.
    #[must_use]
    pub fn in_place(&self) -> bool {
        self.columns.is_some()
    }

    /// Shows a line that the next one replaces. Without a terminal it is an ordinary line.
    pub fn replace(&mut self, line: &str) {
        let Some(columns) = self.columns else { return self.line(line) };
        // One column stays free: some terminals wrap when the last one is written, and a wrapped line cannot be rewritten.
        let cut: String = line.chars().take(columns.saturating_sub(1)).collect();
        if cut != self.standing {
            let _ = write!(self.out, "\r\u{1b}[2K{cut}");
            let _ = self.out.flush();
            self.standing = cut;
        }
    }

    /// Writes a line that stays. What was shown with [`Screen::replace`] stands below it again.
    pub fn line(&mut self, line: &str) {
        let standing = std::mem::take(&mut self.standing);
        if !standing.is_empty() {
            let _ = write!(self.out, "\r\u{1b}[2K");
        }
        let _ = writeln!(self.out, "{line}");
        if !standing.is_empty() {
            self.replace(&standing);
        }
        let _ = self.out.flush();
    }

    /// Removes the line that is rewritten.
    pub fn clear(&mut self) {
        if !self.standing.is_empty() {
            let _ = write!(self.out, "\r\u{1b}[2K");
            let _ = self.out.flush();
            self.standing.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(columns: Option<usize>, act: impl FnOnce(&mut Screen<Vec<u8>>)) -> String {
        let mut screen = Screen::new(Vec::new(), columns);
        act(&mut screen);
        String::from_utf8(screen.out).unwrap()
    }

    #[test]
    fn a_terminal_line_is_rewritten_and_fits_its_width() {
        let text = written(Some(8), |screen| {
            screen.replace("a long line");
            screen.replace("a long line that looks the same");
            screen.replace("b");
            screen.clear();
        });
        assert_eq!(text, "\r\u{1b}[2Ka long \r\u{1b}[2Kb\r\u{1b}[2K");
    }

    #[test]
    fn a_lasting_line_moves_above_the_rewritten_one() {
        let text = written(Some(20), |screen| {
            screen.replace("progress");
            screen.line("note");
        });
        assert_eq!(text, "\r\u{1b}[2Kprogress\r\u{1b}[2Knote\n\r\u{1b}[2Kprogress");
    }

    #[test]
    fn without_a_terminal_there_are_only_plain_lines() {
        let text = written(None, |screen| {
            screen.replace("one line, whatever its length, is not cut");
            screen.line("two");
            screen.clear();
        });
        assert_eq!(text, "one line, whatever its length, is not cut\ntwo\n");
    }
}
