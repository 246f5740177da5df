//! The active users of a worker, second by second, without waiting for late rows.

use std::collections::BTreeMap;

use super::SECONDS;
use crate::recorder::MAXIMUM_EXECUTIONS;

/// What the executions of a worker have said of their users.
#[derive(Debug, Clone, Default)]
pub(super) struct Users {
    executions: Vec<Execution>,
}

#[derive(Debug, Clone, Default)]
struct Execution {
    /// The newest number before the seconds in `open`.
    held: u32,
    /// The largest number of each second that is not closed yet.
    open: BTreeMap<i64, u32>,
}

impl Users {
    /// Notes what a row of an execution says of a second that is not closed yet.
    pub(super) fn note(&mut self, execution: usize, second: i64, users: u32) {
        let execution = execution.min(MAXIMUM_EXECUTIONS - 1);
        if self.executions.len() <= execution {
            self.executions.resize_with(execution + 1, Execution::default);
        }
        let Some(Execution { open, .. }) = self.executions.get_mut(execution) else { return };
        if open.len() < SECONDS || open.contains_key(&second) {
            let known = open.entry(second).or_default();
            *known = (*known).max(users);
        }
    }

    /// The users of a second: what its rows say, or what the last ones before it said. Seconds must come in ascending
    /// order; what was noted of earlier ones is what is held.
    pub(super) fn close(&mut self, second: i64) -> u64 {
        let close = |execution: &mut Execution| {
            while let Some(first) = execution.open.first_entry().filter(|first| *first.key() <= second) {
                execution.held = first.remove();
            }
            u64::from(execution.held)
        };
        self.executions.iter_mut().map(close).sum()
    }
}
