//! How soon an object is looked at again after an error: the error's class decides, nothing else.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use volley_storage::FailureClass;

/// An error whose class decides.
pub(crate) trait Classified: std::error::Error {
    /// What can be done about it.
    fn class(&self) -> FailureClass;

    /// Somebody else wrote first: no fault, look again.
    fn is_conflict(&self) -> bool;

    /// The storage failed, or could not be reached.
    fn is_of_storage(&self) -> bool {
        false
    }
}

/// First pause after a transient error; it doubles with each.
const FIRST: Duration = Duration::from_millis(500);
/// Longest pause after a transient error: a run must notice soon that the storage is back.
const LONGEST: Duration = Duration::from_secs(30);
/// After an error that somebody has to mend: slow, but by itself.
const NEEDS_CHANGE: Duration = Duration::from_secs(30);
/// After an error that stays: a heartbeat.
const TERMINAL: Duration = Duration::from_mins(5);
/// Objects whose failures are counted; more than that are counted from the start again.
const MAX_TRACKED: usize = 10_000;

/// Failures in a row, by object. Forgetting them only makes a retry come sooner.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    counts: Mutex<HashMap<String, u32>>,
}

impl Failures {
    /// The object was reconciled.
    pub(crate) fn forget(&self, object: &str) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(object);
    }

    /// The object failed once more: when to look again.
    pub(crate) fn pause(&self, object: &str, class: FailureClass) -> Duration {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_TRACKED && !counts.contains_key(object) {
            counts.clear();
        }
        let count = counts.entry(object.to_owned()).or_insert(0);
        *count = count.saturating_add(1);
        pause(class, *count, object)
    }
}

fn pause(class: FailureClass, failures: u32, object: &str) -> Duration {
    match class {
        FailureClass::Transient => {
            let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST);
            doubled.mul_f64(spread(object, failures))
        }
        FailureClass::NeedsChange => NEEDS_CHANGE,
        FailureClass::Terminal => TERMINAL,
    }
}

/// Between 0.75 and 1.25, different for each object and attempt, so that many objects do not return at once.
fn spread(object: &str, failures: u32) -> f64 {
    let mut hasher = DefaultHasher::new();
    (object, failures).hash(&mut hasher);
    let part = u32::try_from(hasher.finish() % 1000).unwrap_or(0);
    0.75 + f64::from(part) / 2000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_begin_again_after_success() {
        let failures = Failures::default();
        let first = failures.pause("a", FailureClass::Transient);
        assert!(first <= FIRST.mul_f64(1.25));
        let mut last = first;
        for _ in 0..20 {
            last = failures.pause("a", FailureClass::Transient);
        }
        assert!(last >= LONGEST.mul_f64(0.75) && last <= LONGEST.mul_f64(1.25));
        failures.forget("a");
        assert_eq!(failures.pause("a", FailureClass::Transient), first);
    }

    #[test]
    fn what_waiting_does_not_mend_is_tried_rarely() {
        let failures = Failures::default();
        assert_eq!(failures.pause("a", FailureClass::NeedsChange), NEEDS_CHANGE);
        assert_eq!(failures.pause("a", FailureClass::Terminal), TERMINAL);
    }
}
