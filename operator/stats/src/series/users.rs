//! The active users of each second, from rows that state them now and then.

use super::step::LARGEST_SECOND;
use crate::leb128::{self, Source};

/// Seconds that stay open for late rows.
const OPEN_SECONDS: i64 = 5;
/// The longest time for which a number is taken to hold without a row. A longer gap is a damaged time stamp.
const LONGEST_HOLD_SECONDS: i64 = 86_400;
/// More executions than any Taurus configuration has; those beyond share the last.
const MAXIMUM_EXECUTIONS: usize = 1024;

/// The users of one worker in seconds that may still change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OpenUsers {
    executions: Vec<Execution>,
}

/// The users of one execution.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Execution {
    /// The last second whose users are known, and how many.
    settled: Option<(i64, u32)>,
    /// Later seconds in ascending order, with the largest number so far.
    open: Vec<(i64, u32)>,
}

/// Seconds in which a number of users was active: from the first to before the second.
pub(super) struct Stretch {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) users: u32,
}

impl OpenUsers {
    /// Notes that a row of an execution states a number of users. What becomes known by it is handed to `sink`.
    pub(super) fn note(&mut self, execution: usize, second: i64, users: u32, sink: &mut impl FnMut(&Stretch)) {
        let execution = execution.min(MAXIMUM_EXECUTIONS - 1);
        if self.executions.len() <= execution {
            self.executions.resize_with(execution + 1, Execution::default);
        }
        if let Some(execution) = self.executions.get_mut(execution) {
            execution.note(second, users, sink);
        }
    }

    /// Hands all that is still open to `sink`.
    pub(super) fn close(&mut self, sink: &mut impl FnMut(&Stretch)) {
        for execution in &mut self.executions {
            execution.settle_before(i64::MAX, sink);
        }
    }

    /// Appends the state as bytes; the layout is in [`recorder`](crate::recorder)'s checkpoint.
    pub(crate) fn encode_into(&self, bytes: &mut Vec<u8>) {
        leb128::put(self.executions.len() as u64, bytes);
        for Execution { settled, open } in &self.executions {
            bytes.push(u8::from(settled.is_some()));
            if let Some(known) = settled {
                put_second(*known, bytes);
            }
            leb128::put(open.len() as u64, bytes);
            for known in open {
                put_second(*known, bytes);
            }
        }
    }

    /// Reads what [`encode_into`](Self::encode_into) wrote; none for anything else.
    pub(crate) fn read(source: &mut Source<'_>) -> Option<Self> {
        let number = usize::try_from(source.number()?).ok().filter(|number| *number <= MAXIMUM_EXECUTIONS)?;
        let executions = (0..number).map(|_| Execution::read(source)).collect::<Option<_>>()?;
        Some(Self { executions })
    }
}

fn put_second((second, users): (i64, u32), bytes: &mut Vec<u8>) {
    leb128::put_signed(second, bytes);
    leb128::put(u64::from(users), bytes);
}

fn read_second(source: &mut Source<'_>) -> Option<(i64, u32)> {
    let second = source.signed().filter(|second| second.unsigned_abs() <= LARGEST_SECOND.unsigned_abs())?;
    Some((second, u32::try_from(source.number()?).ok()?))
}

impl Execution {
    fn read(source: &mut Source<'_>) -> Option<Self> {
        let settled = match source.byte()? {
            0 => None,
            1 => Some(read_second(source)?),
            _ => return None,
        };
        let number = source.number()?;
        if number > OPEN_SECONDS.unsigned_abs() {
            return None;
        }
        let open = (0..number).map(|_| read_second(source)).collect::<Option<Vec<_>>>()?;
        let seconds: Vec<i64> = settled.iter().chain(&open).map(|(second, _)| *second).collect();
        seconds.is_sorted_by(|earlier, later| earlier < later).then_some(Self { settled, open })
    }

    fn note(&mut self, second: i64, users: u32, sink: &mut impl FnMut(&Stretch)) {
        if let Some((last, known)) = self.open.last_mut()
            && *last == second
        {
            *known = (*known).max(users);
            return;
        }
        if self.settled.is_some_and(|(settled, _)| second <= settled) {
            return;
        }
        match self.open.binary_search_by_key(&second, |(second, _)| *second) {
            Ok(place) => {
                if let Some((_, known)) = self.open.get_mut(place) {
                    *known = (*known).max(users);
                }
            }
            Err(place) => {
                self.open.insert(place, (second, users));
                let newest = self.open.last().map_or(second, |(newest, _)| *newest);
                self.settle_before(newest.saturating_sub(OPEN_SECONDS - 1), sink);
            }
        }
    }

    fn settle_before(&mut self, bound: i64, sink: &mut impl FnMut(&Stretch)) {
        let known = self.open.iter().take_while(|(second, _)| *second < bound).count();
        for (second, users) in self.open.drain(..known) {
            if let Some((last, held)) = self.settled
                && second.saturating_sub(last) <= LONGEST_HOLD_SECONDS
            {
                sink(&Stretch { from: last.saturating_add(1), to: second, users: held });
            }
            sink(&Stretch { from: second, to: second.saturating_add(1), users });
            self.settled = Some((second, users));
        }
    }
}
