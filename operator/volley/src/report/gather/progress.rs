//! How far a long read has come, on one line of standard error. Quiet where that is no terminal, and in the first second.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use volley_api::figures::bytes;

/// What is read faster than this shows nothing.
const FIRST: Duration = Duration::from_secs(1);
/// Time between two changes of the line.
const NEXT: Duration = Duration::from_millis(200);

/// The line.
pub struct Progress {
    terminal: bool,
    state: RefCell<State>,
}

struct State {
    name: String,
    /// Size of the file; none where it is a stream.
    total: Option<u64>,
    read: u64,
    due: Instant,
    shown: bool,
}

impl Progress {
    /// Shows something where standard error is a terminal.
    #[must_use]
    pub fn on_terminal() -> Self {
        Self::new(io::stderr().is_terminal())
    }

    fn new(terminal: bool) -> Self {
        let due = Instant::now() + FIRST;
        Self { terminal, state: RefCell::new(State { name: String::new(), total: None, read: 0, due, shown: false }) }
    }

    /// Says which file is being read from now on, and its size in bytes where that is known.
    pub(super) fn begin(&self, name: &str, total: Option<u64>) {
        let mut state = self.state.borrow_mut();
        name.clone_into(&mut state.name);
        state.total = total;
        state.read = 0;
    }

    fn advance(&self, read: usize) {
        if !self.terminal {
            return;
        }
        let mut state = self.state.borrow_mut();
        state.read = state.read.saturating_add(read as u64);
        let now = Instant::now();
        if now >= state.due {
            state.due = now + NEXT;
            state.shown = true;
            // A line that cannot be shown is no reason to stop reading.
            let _ = write!(io::stderr(), "\r\x1b[K{}", line(&state.name, state.read, state.total));
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        let mut state = self.state.borrow_mut();
        if std::mem::take(&mut state.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(name: &str, read: u64, total: Option<u64>) -> String {
    match total.filter(|total| *total > 0) {
        Some(total) => {
            let percent = (u128::from(read) * 100 / u128::from(total)).min(100);
            format!("reading {name}: {percent} % of {}", bytes(total))
        }
        None => format!("reading {name}: {}", bytes(read)),
    }
}

/// A reader that tells how far it is.
pub(super) struct Counted<'a, R> {
    pub(super) inner: R,
    pub(super) progress: &'a Progress,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.progress.advance(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_a_percentage_only_where_the_size_is_known() {
        assert_eq!(line("kpi.jtl", 512, Some(2048)), "reading kpi.jtl: 25 % of 2 KiB");
        assert_eq!(line("kpi.jtl", 4096, Some(2048)), "reading kpi.jtl: 100 % of 2 KiB");
        assert_eq!(line("-", 4096, None), "reading -: 4 KiB");
        assert_eq!(line("-", 4096, Some(0)), "reading -: 4 KiB");
    }
}
