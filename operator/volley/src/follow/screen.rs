//! Writes progress: in place on a terminal, as plain lines elsewhere.

use std::io::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Size of a terminal in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// Where progress is written. A write that fails is remembered, and is no error: a closed standard error must not end the
/// report on a run.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    /// Size of the terminal, asked each time, because a window changes; `None`: no terminal.
    size: Option<fn() -> Size>,
    /// What stands in the lines that are rewritten; empty: nothing.
    standing: Vec<String>,
    /// A write has failed.
    closed: bool,
}

impl Screen<std::io::Stderr> {
    /// Standard error.
    #[must_use]
    pub fn standard_error() -> Self {
        fn size() -> Option<Size> {
            measured(terminal_size::terminal_size_of(std::io::stderr()))
        }
        Self::new(std::io::stderr(), size().map(|_| (|| size().unwrap_or(SMALL)) as fn() -> Size))
    }
}

impl Screen<std::io::Stdout> {
    /// Standard output.
    #[must_use]
    pub fn standard_output() -> Self {
        fn size() -> Option<Size> {
            measured(terminal_size::terminal_size_of(std::io::stdout()))
        }
        Self::new(std::io::stdout(), size().map(|_| (|| size().unwrap_or(SMALL)) as fn() -> Size))
    }
}

/// The terminal of old, where a terminal does not say its size any more.
const SMALL: Size = Size { columns: 80, rows: 24 };

fn measured(size: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<Size> {
    let (terminal_size::Width(columns), terminal_size::Height(rows)) = size?;
    Some(Size { columns: usize::from(columns), rows: usize::from(rows) })
}

impl<W: Write> Screen<W> {
    /// A screen over a writer; `size` where it is a terminal.
    pub fn new(out: W, size: Option<fn() -> Size>) -> Self {
        Self { out, size, standing: Vec::new(), closed: false }
    }

    /// Size of the terminal; `None`: there is none, and every line stays.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        self.size.map(|size| size())
    }

    /// Whether a write has failed, so that nobody reads any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Shows lines that the next ones replace, as many as there is room for. Without a terminal they are ordinary lines.
    pub fn replace<L: AsRef<str>>(&mut self, lines: &[L]) {
        let Some(size) = self.size() else {
            for line in lines {
                self.line(line.as_ref());
            }
            return;
        };
        // One line stays free for the prompt, and one column: some terminals wrap when the last one is written, and a
        // wrapped line cannot be rewritten.
        let room = size.rows.saturating_sub(1).max(1);
        let lines: Vec<String> =
            lines.iter().take(room).map(|line| cut(line.as_ref(), size.columns.saturating_sub(1))).collect();
        if lines != self.standing {
            self.write(&format!("{}{}\u{1b}[K\u{1b}[J", up(self.standing.len()), lines.join("\u{1b}[K\n")));
            self.standing = lines;
        }
    }

    /// Writes a line that stays. What was shown with [`Screen::replace`] stands below it again.
    pub fn line(&mut self, line: &str) {
        let standing = std::mem::take(&mut self.standing);
        let above = if standing.is_empty() { String::new() } else { format!("{}\u{1b}[J", up(standing.len())) };
        self.write(&format!("{above}{line}\n"));
        if !standing.is_empty() {
            self.replace(&standing);
        }
    }

    /// Removes the lines that are rewritten.
    pub fn clear(&mut self) {
        if !self.standing.is_empty() {
            self.write(&format!("{}\u{1b}[J", up(self.standing.len())));
            self.standing.clear();
        }
    }

    fn write(&mut self, text: &str) {
        self.closed |= self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).is_err();
    }
}

/// Moves to the beginning of the first of so many lines, from the last one (ECMA-48: `CUU`).
fn up(lines: usize) -> String {
    match lines.saturating_sub(1) {
        0 => "\r".to_owned(),
        more => format!("\r\u{1b}[{more}A"),
    }
}

/// The beginning of a text that fits so many columns.
fn cut(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut taken = 0;
    text.chars()
        .take_while(|character| {
            taken += character.width().unwrap_or(0);
            taken <= columns
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(size: Option<fn() -> Size>, act: impl FnOnce(&mut Screen<Vec<u8>>)) -> String {
        let mut screen = Screen::new(Vec::new(), size);
        act(&mut screen);
        String::from_utf8(screen.out).unwrap()
    }

    fn small() -> Size {
        Size { columns: 8, rows: 3 }
    }

    #[test]
    fn a_terminal_line_is_rewritten_and_fits_its_width() {
        let text = written(Some(small), |screen| {
            screen.replace(&["a long line"]);
            screen.replace(&["a long line that looks the same"]);
            screen.replace(&["b"]);
            screen.clear();
        });
        assert_eq!(text, "\ra long \u{1b}[K\u{1b}[J\rb\u{1b}[K\u{1b}[J\r\u{1b}[J");
    }

    #[test]
    fn several_lines_are_rewritten_from_the_first_on_and_fit_the_height() {
        let text = written(Some(small), |screen| {
            screen.replace(&["a", "b", "c"]);
            screen.replace(&["d"]);
        });
        assert_eq!(text, "\ra\u{1b}[K\nb\u{1b}[K\u{1b}[J\r\u{1b}[1Ad\u{1b}[K\u{1b}[J");
    }

    #[test]
    fn a_wide_character_is_not_cut_into_halves() {
        assert_eq!(cut("注文確認", 7), "注文確");
        assert_eq!(cut("注文確認", 8), "注文確認");
    }

    #[test]
    fn a_lasting_line_moves_above_the_rewritten_ones() {
        let text = written(Some(small), |screen| {
            screen.replace(&["one", "two"]);
            screen.line("note");
        });
        assert_eq!(
            text,
            "\rone\u{1b}[K\ntwo\u{1b}[K\u{1b}[J\r\u{1b}[1A\u{1b}[Jnote\n\rone\u{1b}[K\ntwo\u{1b}[K\u{1b}[J"
        );
    }

    #[test]
    fn without_a_terminal_there_are_only_plain_lines() {
        let text = written(None, |screen| {
            screen.replace(&["one line, whatever its length, is not cut"]);
            screen.line("two");
            screen.clear();
        });
        assert_eq!(text, "one line, whatever its length, is not cut\ntwo\n");
    }
}
