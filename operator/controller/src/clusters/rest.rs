//! How long a cluster that does not answer is left alone, so that it costs no reconcile its time. Pure; the caller has the clock.

use jiff::{SignedDuration, Timestamp};

use super::Away;

/// After the first call without an answer.
const SHORTEST: SignedDuration = SignedDuration::from_secs(5);
/// However often it happens.
const LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// The rest of one cluster. `Default`: it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Calls in a row without an answer.
    failures: u32,
    until: Option<Timestamp>,
    away: Option<Away>,
}

impl Rest {
    /// Why the cluster is not asked now; `None`: it may be.
    pub(crate) fn reason(&self, now: Timestamp) -> Option<&Away> {
        self.until.filter(|until| now < *until).and(self.away.as_ref())
    }

    /// It answered, in whatever way.
    pub(crate) fn answered(&mut self) {
        *self = Self::default();
    }

    /// It did not answer. Each time in a row doubles the rest.
    pub(crate) fn silent(&mut self, away: &Away, now: Timestamp) {
        let rest = SHORTEST.saturating_mul(1_i32 << self.failures.min(8)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.until = Some(now.saturating_add(rest).unwrap_or(Timestamp::MAX));
        self.away = Some(away.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_silence_doubles_the_rest_up_to_a_minute_and_an_answer_ends_it() {
        let refused = Away::unreachable("connection refused");
        let mut rest = Rest::default();
        let mut now: Timestamp = "2026-11-25T10:00:00Z".parse().unwrap();
        assert_eq!(rest.reason(now), None);
        for seconds in [5, 10, 20, 40, 60, 60] {
            rest.silent(&refused, now);
            let last = now.saturating_add(SignedDuration::from_millis(seconds * 1000 - 1)).unwrap();
            assert_eq!(rest.reason(last), Some(&refused), "{seconds}");
            now = now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
            assert_eq!(rest.reason(now), None, "{seconds}");
        }
        rest.silent(&refused, now);
        rest.answered();
        assert_eq!(rest.reason(now), None);
        rest.silent(&refused, now);
        assert_eq!(rest.reason(now.saturating_add(SignedDuration::from_secs(5)).unwrap()), None);
    }
}
