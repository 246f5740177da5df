//! A criterion over the last seconds, judged at every second.

use super::criterion::{Criterion, Judgement};
use crate::frame::Responses;

/// Judges a criterion over the requests of the last seconds each time that a second closes.
///
/// A second costs two merges on average, whatever the length: the window is two stacks. The newer seconds are in `newer` with their
/// sum; `older` holds, for each of the other seconds, the sum from it to the youngest of them. When `older` is used up the newer
/// seconds move over.
#[derive(Debug, Clone)]
pub struct Window {
    criterion: Criterion,
    length_seconds: u32,
    judged_from: i64,
    /// The first second since which none is missing.
    unbroken_from: i64,
    /// Seconds ascending, and all of them together.
    newer: Vec<(i64, Responses)>,
    newer_sum: Responses,
    /// Seconds descending, each with the sum from it on.
    older: Vec<(i64, Responses)>,
}

impl Window {
    /// A window over `length_seconds` seconds (at least 1), judged from the second `judged_from` on, once it is full.
    #[must_use]
    pub fn new(criterion: Criterion, length_seconds: u32, judged_from: i64) -> Self {
        Self {
            criterion,
            length_seconds: length_seconds.max(1),
            judged_from,
            unbroken_from: i64::MAX,
            newer: Vec::new(),
            newer_sum: Responses::default(),
            older: Vec::new(),
        }
    }

    /// Closes a second with the requests that ended in it, and judges those of the window that ends with it. `None`: it is too early,
    /// or there was no request in the window.
    ///
    /// Each second follows the one before. One that comes again is ignored. Where one is missing, nobody knows its requests, so the
    /// window begins anew.
    pub fn close(&mut self, second: i64, responses: &Responses) -> Option<Judgement> {
        match self.newest() {
            Some(newest) if second <= newest => return None,
            Some(newest) if second == newest + 1 => {}
            Some(_) | None => self.begin(second),
        }
        self.newer.push((second, responses.clone()));
        self.newer_sum.merge(responses);
        self.forget(second.saturating_sub(i64::from(self.length_seconds)));
        let full_at = self.unbroken_from.saturating_add(i64::from(self.length_seconds) - 1);
        if second < self.judged_from.max(full_at) {
            return None;
        }
        let interval_us = u64::from(self.length_seconds) * 1_000_000;
        match self.older.last() {
            None => self.criterion.judge(&self.newer_sum, interval_us).ok(),
            Some((_, older)) => {
                let mut all = older.clone();
                all.merge(&self.newer_sum);
                self.criterion.judge(&all, interval_us).ok()
            }
        }
    }

    fn begin(&mut self, second: i64) {
        self.newer.clear();
        self.older.clear();
        self.newer_sum = Responses::default();
        self.unbroken_from = second;
    }

    fn newest(&self) -> Option<i64> {
        self.newer.last().or(self.older.first()).map(|(second, _)| *second)
    }

    /// Forgets that second and all before.
    fn forget(&mut self, last: i64) {
        while self.older.last().is_some_and(|(second, _)| *second <= last) {
            self.older.pop();
        }
        if self.older.is_empty() && self.newer.first().is_some_and(|(second, _)| *second <= last) {
            let mut sum = Responses::default();
            for (second, responses) in std::mem::take(&mut self.newer).into_iter().rev() {
                if second <= last {
                    break;
                }
                sum.merge(&responses);
                self.older.push((second, sum.clone()));
            }
            self.newer_sum = Responses::default();
        }
    }
}
