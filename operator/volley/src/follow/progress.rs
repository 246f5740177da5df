//! Decides what of a run's progress is shown: everything on a terminal, only what is new elsewhere.

use std::collections::BTreeSet;
use std::io::Write;

use jiff::Timestamp;
use serde_json::json;
use volley_api::load_test_run::Phase;

use super::live::Live;
use super::live::view;
use super::screen::Screen;
use super::snapshot::{RegionWorkers, Snapshot};

/// Who is told of a run's progress.
pub trait Viewer {
    /// The run as it is now, and its live figures.
    fn show(&mut self, snapshot: Snapshot, live: &Live);
    /// Something out of the ordinary, once however often it is said.
    fn note(&mut self, note: &str);
    /// Nobody looks any more.
    fn has_left(&self) -> bool;
}

/// How often plain lines come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// With each new figure: that is what was asked for.
    EachFigure,
    /// Every ten seconds of load, so that a log stays short.
    TenSeconds,
}

/// What a plain line tells anew.
type Told = (Option<Phase>, Vec<RegionWorkers>, Option<u64>, Option<Timestamp>);

/// Shows the progress of one run to people.
#[derive(Debug)]
pub struct Progress<W> {
    screen: Screen<W>,
    pace: Pace,
    told: Option<Told>,
    notes: BTreeSet<String>,
}

impl<W: Write> Progress<W> {
    /// Progress on a screen.
    pub fn new(screen: Screen<W>, pace: Pace) -> Self {
        Self { screen, pace, told: None, notes: BTreeSet::new() }
    }

    /// Shows a line that stays, each time.
    pub fn line(&mut self, line: &str) {
        self.screen.line(line);
    }

    /// Takes the rewritten lines away, before the result is printed.
    pub fn finish(&mut self) {
        self.screen.clear();
    }

    fn told_by(&self, snapshot: &Snapshot) -> Told {
        let running = snapshot.phase == Some(Phase::Running) && snapshot.starts_in.is_none();
        let left = snapshot.load_left.filter(|_| running);
        let (left, figure) = match self.pace {
            Pace::TenSeconds => (left.map(|left| left.div_ceil(10)), None),
            Pace::EachFigure => {
                let figure = snapshot.live.as_ref().map(|live| live.at.0).filter(|_| running);
                // While there is no figure the seconds that are left are what is new.
                (left.filter(|_| figure.is_none()), figure)
            }
        };
        (snapshot.phase, snapshot.regions.clone(), left, figure)
    }
}

impl<W: Write> Viewer for Progress<W> {
    fn show(&mut self, snapshot: Snapshot, live: &Live) {
        for note in &snapshot.notes {
            self.note(note);
        }
        if let Some(trouble) = &live.trouble {
            self.note(trouble);
        }
        let snapshot = snapshot.seeing(live.course.last.as_ref());
        if let Some(size) = self.screen.size() {
            self.screen.replace(&view::lines(&snapshot, &live.course, size));
            return;
        }
        let told = self.told_by(&snapshot);
        if self.told.as_ref() != Some(&told) {
            self.screen.line(&snapshot.line());
            self.told = Some(told);
        }
    }

    fn note(&mut self, note: &str) {
        if self.notes.insert(note.to_owned()) {
            self.screen.line(note);
        }
    }

    fn has_left(&self) -> bool {
        // Progress that is not asked for may be lost without harm.
        self.pace == Pace::EachFigure && self.screen.is_closed()
    }
}

/// What a line of JSON tells anew.
type Reported = (Option<Phase>, Vec<RegionWorkers>, Option<Timestamp>, Vec<String>);

/// Shows the progress of one run to programs: a JSON object a line.
#[derive(Debug)]
pub struct JsonLines<W> {
    screen: Screen<W>,
    told: Option<Reported>,
    notes: BTreeSet<String>,
}

impl<W: Write> JsonLines<W> {
    /// Lines on a writer.
    pub fn new(out: W) -> Self {
        Self { screen: Screen::new(out, None), told: None, notes: BTreeSet::new() }
    }
}

impl<W: Write> Viewer for JsonLines<W> {
    fn show(&mut self, snapshot: Snapshot, live: &Live) {
        if let Some(trouble) = &live.trouble {
            self.note(trouble);
        }
        let frame = live.course.last.as_ref();
        let snapshot = snapshot.seeing(frame);
        let told = (
            snapshot.phase,
            snapshot.regions.clone(),
            snapshot.live.as_ref().map(|live| live.at.0),
            snapshot.notes.clone(),
        );
        if self.told.as_ref() == Some(&told) {
            return;
        }
        let regions: Vec<_> = snapshot
            .regions
            .iter()
            .map(|region| json!({"target": region.target, "ready": region.ready, "planned": region.planned}))
            .collect();
        let told_line = json!({
            "type": "progress",
            "phase": snapshot.phase,
            "regions": regions,
            "startsInSeconds": snapshot.starts_in,
            "loadLeftSeconds": snapshot.load_left,
            "notes": snapshot.notes,
            "live": snapshot.live,
            "frame": frame,
        });
        self.screen.line(&told_line.to_string());
        self.told = Some(told);
    }

    fn note(&mut self, note: &str) {
        if self.notes.insert(note.to_owned()) {
            self.screen.line(&json!({"type": "note", "message": note}).to_string());
        }
    }

    fn has_left(&self) -> bool {
        self.screen.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::follow::live::course::Course;
    use crate::follow::live::events::ServerEvent;
    use crate::follow::sample::{live_frame, run};

    const START: i64 = 1_800_000_000;

    fn running(second: i64) -> Snapshot {
        let start = Timestamp::from_second(START).unwrap();
        let status = json!({"phase": "Running", "startAt": start.to_string(),
            "plan": {"workers": 1, "duration": "25s", "workerImage": "w", "volleyImage": "v"}});
        Snapshot::of(&run(status), Timestamp::from_second(START + second).unwrap())
    }

    fn live(second: Option<i64>) -> Live {
        let mut course = Course::default();
        if let Some(second) = second {
            let data = serde_json::to_string(&live_frame(START + second)).unwrap();
            course.take(&ServerEvent { kind: "frame".into(), id: None, data }).unwrap();
        }
        Live { course: Arc::new(course), trouble: None }
    }

    fn lines(pace: Pace, shown: impl IntoIterator<Item = (i64, Option<i64>)>) -> Vec<String> {
        let mut written = Vec::new();
        let mut progress = Progress::new(Screen::new(&mut written, None), pace);
        for (second, frame) in shown {
            progress.show(running(second), &live(frame));
        }
        let text = String::from_utf8(written).unwrap();
        text.lines().map(|line| line.trim_start_matches("Running").trim().to_owned()).collect()
    }

    #[test]
    fn plain_lines_come_on_news_and_every_ten_seconds_of_load() {
        let seconds = lines(Pace::TenSeconds, (0..=25).map(|second| (second, None)));
        assert_eq!(seconds, ["25 s of load left", "20 s of load left", "10 s of load left", "0 s of load left"]);
    }

    #[test]
    fn who_watches_gets_a_line_for_each_figure_and_each_second_without_one() {
        let shown = [(0, None), (0, None), (1, None), (2, Some(1)), (2, Some(1)), (3, Some(1)), (3, Some(2))];
        let figures = "40 users, 398/s, errors 0.503%, p95 31.1ms";
        let expected = [
            "25 s of load left".to_owned(),
            "24 s of load left".to_owned(),
            format!("23 s of load left  {figures}"),
            format!("22 s of load left  {figures}"),
        ];
        assert_eq!(lines(Pace::EachFigure, shown), expected);
    }

    #[test]
    fn a_note_is_said_once() {
        let mut written = Vec::new();
        let mut progress = Progress::new(Screen::new(&mut written, None), Pace::TenSeconds);
        progress.note("eu: image cannot be pulled");
        progress.note("eu: image cannot be pulled");
        progress.note("eu: no capacity");
        assert_eq!(String::from_utf8(written).unwrap(), "eu: image cannot be pulled\neu: no capacity\n");
    }

    #[test]
    fn programs_get_a_line_for_each_change_with_the_whole_frame() {
        let mut written = Vec::new();
        let mut lines = JsonLines::new(&mut written);
        lines.show(running(0), &live(None));
        lines.show(running(1), &live(None));
        lines.show(running(2), &live(Some(1)));
        lines.note("no live figures");
        let text = String::from_utf8(written).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((&lines[0]["phase"], &lines[0]["frame"]), (&json!("Running"), &json!(null)));
        assert_eq!(lines[1]["frame"]["totals"]["requests"], json!(398));
        assert_eq!(lines[1]["live"]["requestRate"], json!("398/s"));
        assert_eq!(lines[2], json!({"type": "note", "message": "no live figures"}));
    }

    #[test]
    fn who_has_closed_the_pipe_has_left() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        for (pace, left) in [(Pace::EachFigure, true), (Pace::TenSeconds, false)] {
            let mut progress = Progress::new(Screen::new(Closed, None), pace);
            progress.show(running(0), &live(None));
            assert_eq!(progress.has_left(), left);
        }
    }
}
