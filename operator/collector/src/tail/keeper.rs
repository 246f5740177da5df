//! Keeps the state of the tail on the pod's own volume, and says which rows are needed no more.

use std::time::{Duration, Instant};

use super::follower::Follower;
use crate::files::{Consumed, ControlFolder, FileError};

/// How often the state is kept.
const PERIOD: Duration = Duration::from_secs(5);
/// The share of this thread's time that keeping may take: thousands of labels are kept less often.
const SHARE: u32 = 50;
/// Bytes of sample files that stay on the disk in any case, all together: people look at them when something goes wrong.
const KEPT: u64 = 1 << 30;
/// Bytes that stay of each file in any case.
const KEPT_OF_A_FILE: u64 = 64 << 20;
/// Less is not worth saying.
const STEP: u64 = 64 << 20;

/// Writes checkpoints when their time has come.
#[derive(Debug)]
pub(super) struct Keeper {
    control: ControlFolder,
    /// Whether rows that were read may go. Not where the test asks for its raw samples.
    gives_back: bool,
    next: Instant,
    /// Bytes of sample files that the newest checkpoint covers.
    kept: u64,
    consumed: Vec<Consumed>,
    complained: bool,
}

impl Keeper {
    pub(super) fn new(control: ControlFolder, gives_back: bool) -> Self {
        Self { control, gives_back, next: Instant::now() + PERIOD, kept: 0, consumed: Vec::new(), complained: false }
    }

    /// Keeps the follower's state when it is time. Without it a restart reads the files again from their beginning, as far as
    /// they are still there; so nothing that fails here ends the tail, and nothing is given back that no checkpoint covers.
    pub(super) fn keep(&mut self, follower: &mut Follower) {
        let began = Instant::now();
        if began < self.next || follower.bytes() == self.kept {
            return;
        }
        match self.try_keep(follower) {
            Ok(()) => (self.kept, self.complained) = (follower.bytes(), false),
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(%error, "the state of the tail was not kept");
            }
            Err(_) => {}
        }
        let ended = Instant::now();
        self.next = ended + PERIOD.max(ended.duration_since(began) * SHARE);
    }

    fn try_keep(&mut self, follower: &mut Follower) -> Result<(), FileError> {
        let mut consumed = Vec::new();
        self.control.write_checkpoint(|file| {
            consumed = follower.checkpoint(file)?;
            Ok(())
        })?;
        if self.gives_back {
            let consumed = may_go(consumed);
            if is_worth_saying(&self.consumed, &consumed) {
                self.control.write_consumed(&consumed)?;
                self.consumed = consumed;
            }
        }
        Ok(())
    }
}

/// What is read, without what stays.
fn may_go(consumed: Vec<Consumed>) -> Vec<Consumed> {
    let kept = (KEPT / (consumed.len() as u64).max(1)).max(KEPT_OF_A_FILE);
    let without = |file: Consumed| Consumed { up_to: file.up_to.saturating_sub(kept), ..file };
    consumed.into_iter().map(without).filter(|file| file.up_to > 0).collect()
}

fn is_worth_saying(said: &[Consumed], now: &[Consumed]) -> bool {
    now.iter().any(|file| {
        let before = said.iter().find(|before| before.path == file.path && before.inode == file.inode);
        file.up_to >= before.map_or(0, |before| before.up_to).saturating_add(STEP)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, up_to: u64) -> Consumed {
        Consumed { path: name.into(), inode: 1, up_to }
    }

    #[test]
    fn the_newest_gibibyte_stays_shared_by_all_files() {
        assert_eq!(may_go(vec![file("a", KEPT + 5)]), [file("a", 5)]);
        assert_eq!(may_go(vec![file("a", KEPT), file("b", KEPT / 2)]), [file("a", KEPT / 2)]);
        let many: Vec<_> = (0..64).map(|_| file("a", KEPT_OF_A_FILE + 1)).collect();
        assert_eq!(may_go(many)[63], file("a", 1));
    }

    #[test]
    fn small_steps_are_not_said() {
        assert!(!is_worth_saying(&[], &[file("a", STEP - 1)]));
        assert!(is_worth_saying(&[], &[file("a", STEP)]));
        assert!(!is_worth_saying(&[file("a", STEP)], &[file("a", 2 * STEP - 1)]));
        assert!(is_worth_saying(&[file("a", STEP)], &[file("a", 2 * STEP)]));
        assert!(is_worth_saying(&[file("a", STEP)], &[Consumed { inode: 2, ..file("a", STEP) }]));
    }
}
