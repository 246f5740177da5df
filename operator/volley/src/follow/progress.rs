//! Decides what of a run's progress is shown: everything on a terminal, only what is new elsewhere.

use std::collections::BTreeSet;
use std::io::Write;

use volley_api::load_test_run::Phase;

use super::screen::Screen;
use super::snapshot::{RegionWorkers, Snapshot};

/// Without a terminal the seconds of load left are said this often, in seconds.
const PLAIN_STEP_SECONDS: u64 = 10;

/// What a plain line tells anew.
type Told = (Option<Phase>, Vec<RegionWorkers>, Option<u64>);

/// Shows the snapshots of one run.
#[derive(Debug)]
pub struct Progress<W> {
    screen: Screen<W>,
    told: Option<Told>,
    notes: BTreeSet<String>,
}

impl<W: Write> Progress<W> {
    /// Progress on a screen.
    pub fn new(screen: Screen<W>) -> Self {
        Self { screen, told: None, notes: BTreeSet::new() }
    }

    /// Shows a snapshot.
    pub fn show(&mut self, snapshot: &Snapshot) {
        for note in &snapshot.notes {
            self.note(note);
        }
        let told = told_by(snapshot);
        if self.screen.in_place() || self.told.as_ref() != Some(&told) {
            self.screen.replace(&snapshot.line());
            self.told = Some(told);
        }
    }

    /// Shows a line that stays, once however often it is said.
    pub fn note(&mut self, note: &str) {
        if self.notes.insert(note.to_owned()) {
            self.screen.line(note);
        }
    }

    /// Shows a line that stays, each time.
    pub fn line(&mut self, line: &str) {
        self.screen.line(line);
    }

    /// Takes the rewritten line away, before the result is printed.
    pub fn finish(&mut self) {
        self.screen.clear();
    }
}

fn told_by(snapshot: &Snapshot) -> Told {
    let running = snapshot.phase == Some(Phase::Running) && snapshot.starts_in.is_none();
    let left = snapshot.load_left.filter(|_| running).map(|left| left.div_ceil(PLAIN_STEP_SECONDS));
    (snapshot.phase, snapshot.regions.clone(), left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::sample::run;
    use jiff::Timestamp;
    use serde_json::json;

    #[test]
    fn plain_lines_come_on_news_and_every_ten_seconds_of_load() {
        let mut written = Vec::new();
        let mut progress = Progress::new(Screen::new(&mut written, None));
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        for second in 0..=25 {
            let status = json!({"phase": "Running", "startAt": start.to_string(),
                "plan": {"workers": 1, "duration": "25s", "workerImage": "w", "volleyImage": "v"}});
            let now = Timestamp::from_second(1_800_000_000 + second).unwrap();
            progress.show(&Snapshot::of(&run(status), now));
        }
        let text = String::from_utf8(written).unwrap();
        let seconds: Vec<_> = text.lines().map(|line| line.trim_start_matches("Running").trim()).collect();
        assert_eq!(seconds, ["25 s of load left", "20 s of load left", "10 s of load left", "0 s of load left"]);
    }

    #[test]
    fn a_note_is_said_once() {
        let mut written = Vec::new();
        let mut progress = Progress::new(Screen::new(&mut written, None));
        progress.note("eu: image cannot be pulled");
        progress.note("eu: image cannot be pulled");
        progress.note("eu: no capacity");
        assert_eq!(String::from_utf8(written).unwrap(), "eu: image cannot be pulled\neu: no capacity\n");
    }
}
