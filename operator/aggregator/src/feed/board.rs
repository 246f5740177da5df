//! What readers of a run's live figures are shown: the newest frames, ready to be sent, and the course of the run so far.
//!
//! Bounded: frames beyond [`FRAMES`] or [`FRAME_BYTES`] are forgotten, oldest first. A reader takes what it wants when it can
//! send it; nothing is kept for a slow one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;
use volley_storage::documents::{LIVE_FRAME_VERSION, LiveCourse, LiveFrame, Publishing, SeriesFigures};

/// Frames that are kept for readers who come back: five minutes with an interval of a second.
const FRAMES: usize = 300;
/// Bytes of all frames that are kept.
const FRAME_BYTES: usize = 4 * 1024 * 1024;
/// A reader that is more frames behind than this goes on with the newest one.
const PATIENCE_FRAMES: usize = 10;

/// Where the course of the run so far comes from.
pub type Course = Box<dyn Fn() -> Vec<SeriesFigures> + Send + Sync>;

/// A frame, and the bytes in which it is sent.
#[derive(Debug)]
pub struct Posted {
    /// Number of the frame.
    pub seq: i64,
    /// Its JSON.
    pub json: Bytes,
}

/// What readers are shown.
pub struct Board {
    run_uid: String,
    interval: u32,
    course: Course,
    state: Mutex<State>,
    /// The course that somebody asked for since the newest frame. One is made at a time, since it takes some megabytes, and not
    /// twice.
    made: Mutex<Option<(u64, MadeCourse)>>,
    /// Changes with each frame and at the end; its value is how many frames there were.
    changes: watch::Sender<u64>,
}

/// The run so far, ready to be sent.
#[derive(Clone, Debug)]
pub struct MadeCourse {
    /// Its JSON.
    pub json: Bytes,
    /// Number of the newest frame in it.
    pub seq: Option<i64>,
}

#[derive(Debug, Default)]
struct State {
    frames: VecDeque<Arc<Posted>>,
    bytes: usize,
    /// The newest of them.
    last: Option<LiveFrame>,
    publishing: Option<Publishing>,
    over: bool,
}

/// What a reader gets next.
#[derive(Debug)]
pub enum Next {
    /// These frames, oldest first; none: nothing is new.
    Frames(Vec<Arc<Posted>>),
    /// There will be no more.
    Over,
}

impl Board {
    /// A board without frames.
    #[must_use]
    pub fn new(run_uid: &str, interval: u32, course: Course) -> Self {
        Self {
            run_uid: run_uid.to_owned(),
            interval,
            course,
            state: Mutex::default(),
            made: Mutex::default(),
            changes: watch::Sender::new(0),
        }
    }

    /// Shows a frame.
    ///
    /// # Errors
    /// When the frame cannot be written as JSON.
    pub fn post(&self, frame: LiveFrame) -> Result<Arc<Posted>, serde_json::Error> {
        let posted = Arc::new(Posted { seq: frame.seq, json: Bytes::from(frame.encode()?.into_boxed_slice()) });
        let mut state = self.state();
        state.bytes += posted.json.len();
        state.frames.push_back(posted.clone());
        state.last = Some(frame);
        while state.frames.len() > FRAMES || (state.bytes > FRAME_BYTES && state.frames.len() > 1) {
            let Some(oldest) = state.frames.pop_front() else { break };
            state.bytes -= oldest.json.len();
        }
        drop(state);
        self.changes.send_modify(|count| *count += 1);
        // It is out of date. Where one is being made just now, the next frame takes it away.
        if let Ok(mut made) = self.made.try_lock() {
            *made = None;
        }
        Ok(posted)
    }

    /// Shows what became of the frames at IoT Core.
    pub fn publishing(&self, publishing: Publishing) {
        self.state().publishing = Some(publishing);
    }

    /// There will be no more frames.
    pub fn end(&self) {
        self.state().over = true;
        self.changes.send_modify(|_| {});
    }

    /// The run so far, ready to be sent. Takes milliseconds where there is a new frame.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn made_course(&self) -> Result<MadeCourse, serde_json::Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let count = *self.changes.borrow();
        if let Some((_, course)) = made.as_ref().filter(|(of, _)| *of == count) {
            return Ok(course.clone());
        }
        let course = self.course();
        let seq = course.last.as_ref().map(|frame| frame.seq);
        let course = MadeCourse { json: Bytes::from(serde_json::to_vec(&course)?), seq };
        *made = Some((count, course.clone()));
        Ok(course)
    }

    /// The run so far.
    #[must_use]
    pub fn course(&self) -> LiveCourse {
        // The frame first: the series then has at most more than the frame beside it, never less.
        let (last, publishing) = {
            let state = self.state();
            (state.last.clone(), state.publishing.clone())
        };
        LiveCourse {
            version: LIVE_FRAME_VERSION,
            run: self.run_uid.clone(),
            interval: self.interval,
            series: (self.course)(),
            last,
            publishing,
        }
    }

    /// Whether all frames after this number are still there, so that a reader who has this one can go on from it.
    #[must_use]
    pub fn reaches_back_to(&self, seq: i64) -> bool {
        self.state().frames.iter().any(|posted| posted.seq == seq)
    }

    /// What a reader gets who has the frame of this number (`None`: none); of one that is far behind, the newest frame alone.
    #[must_use]
    pub fn after(&self, seq: Option<i64>) -> Next {
        self.following(seq, PATIENCE_FRAMES)
    }

    /// The same for a reader who comes back: all frames that are still there.
    #[must_use]
    pub fn missed(&self, seq: i64) -> Next {
        self.following(Some(seq), FRAMES)
    }

    fn following(&self, seq: Option<i64>, patience: usize) -> Next {
        let state = self.state();
        let newer = state.frames.iter().rev().take_while(|posted| seq.is_none_or(|seq| posted.seq > seq)).count();
        if newer == 0 && state.over {
            return Next::Over;
        }
        let wanted = if newer > patience { 1 } else { newer };
        Next::Frames(state.frames.iter().skip(state.frames.len() - wanted).cloned().collect())
    }

    /// A receiver that changes with each frame and at the end.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The newest frame.
    #[must_use]
    pub fn newest(&self) -> Option<Arc<Posted>> {
        self.state().frames.back().cloned()
    }

    /// Whether there will be no more frames.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state().over
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Board {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Board")
            .field("run_uid", &self.run_uid)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use volley_storage::documents::{FrameFigures, FrameGenerators, FrameScope, FrameWorkers};

    pub(crate) fn frame(seq: i64) -> LiveFrame {
        LiveFrame {
            version: LIVE_FRAME_VERSION,
            run: "u".into(),
            seq,
            second: seq,
            interval: 1,
            totals: FrameScope { users: 5, bytes: Some(0), figures: FrameFigures::default() },
            regions: std::collections::BTreeMap::new(),
            labels: vec![],
            labels_total: 0,
            errors: vec![],
            workers: FrameWorkers::default(),
            generators: FrameGenerators::default(),
        }
    }

    pub(crate) fn board(seqs: std::ops::RangeInclusive<i64>) -> Board {
        let board = Board::new("u", 1, Box::new(Vec::new));
        for seq in seqs {
            board.post(frame(seq)).unwrap();
        }
        board
    }
}

#[cfg(test)]
mod tests {
    use super::sample::{board, frame};
    use super::*;

    #[test]
    fn a_course_is_made_once_for_each_frame() {
        let made = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counted = made.clone();
        let count = move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Vec::new()
        };
        let board = Board::new("u", 1, Box::new(count));
        for seq in 1..=3 {
            board.post(frame(seq)).unwrap();
            let courses = [board.made_course().unwrap(), board.made_course().unwrap()];
            assert_eq!(courses.map(|course| course.seq), [Some(seq); 2]);
        }
        assert_eq!(made.load(std::sync::atomic::Ordering::Relaxed), 3);
        board.post(frame(4)).unwrap();
        assert!(board.made.lock().unwrap().is_none(), "nobody has asked since the newest frame");
    }

    fn seqs(next: Next) -> Vec<i64> {
        match next {
            Next::Frames(frames) => frames.iter().map(|posted| posted.seq).collect(),
            Next::Over => vec![-1],
        }
    }

    #[test]
    fn a_reader_gets_what_is_new_and_one_far_behind_the_newest() {
        let board = board(1..=20);
        assert!(seqs(board.after(Some(20))).is_empty());
        assert_eq!(seqs(board.after(Some(17))), [18, 19, 20]);
        assert_eq!(seqs(board.after(Some(9))), [20]);
        assert_eq!(seqs(board.after(None)), [20]);
        assert_eq!(seqs(board.missed(9)), (10..=20).collect::<Vec<_>>());
    }

    #[test]
    fn old_frames_are_forgotten_by_number_and_by_bytes() {
        let board = board(1..=1000);
        assert!(board.reaches_back_to(701) && !board.reaches_back_to(700));
        let mut large = frame(1001);
        large.run = "x".repeat(FRAME_BYTES);
        board.post(large).unwrap();
        assert!(board.reaches_back_to(1001) && !board.reaches_back_to(1000));
        board.post(frame(1002)).unwrap();
        assert_eq!(seqs(board.missed(0)), [1002]);
    }

    #[test]
    fn the_end_comes_after_the_last_frame() {
        let board = board(1..=2);
        board.end();
        assert_eq!(seqs(board.after(Some(1))), [2]);
        assert_eq!(seqs(board.after(Some(2))), [-1]);
    }
}
