//! How long a point of a series is.

/// The lengths of points in seconds. Each divides the next, so points can be joined into longer ones exactly.
///
/// The longest covers all instants that 64 bits of microseconds can name with two points, [`FEWEST_POINTS`]: where that many
/// are allowed, there is always a step that fits.
const SECONDS: [i64; 20] = [
    1,
    5,
    10,
    30,
    60,
    300,
    600,
    1_800,
    3_600,
    21_600,
    86_400,
    864_000,
    8_640_000,
    86_400_000,
    864_000_000,
    8_640_000_000,
    86_400_000_000,
    864_000_000_000,
    8_640_000_000_000,
    86_400_000_000_000,
];

/// Points that a row must be allowed to have, so that a step fits whatever the time stamps are.
pub(super) const FEWEST_POINTS: usize = 2;

/// Seconds beyond this, before or after 1970, are outside of 64 bits of microseconds.
pub(super) const LARGEST_SECOND: i64 = i64::MAX / 1_000_000 + 1;

/// The length of a series' points: 1, 5, 10, 30 or 60 seconds, 5, 10 or 30 minutes, 1 or 6 hours, a day, and ten times
/// that and so on for damaged time stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    /// Place in [`SECONDS`].
    place: usize,
}

impl Step {
    /// One second.
    pub(crate) const SECOND: Self = Self { place: 0 };
    /// Ten seconds.
    pub(crate) const TEN_SECONDS: Self = Self { place: 2 };
    /// A minute.
    pub(crate) const MINUTE: Self = Self { place: 4 };

    /// The step of that many seconds; none where there is no such step.
    pub(crate) fn from_seconds(seconds: u64) -> Option<Self> {
        let place = SECONDS.iter().position(|known| u64::try_from(*known) == Ok(seconds))?;
        Some(Self { place })
    }

    pub(crate) fn seconds(self) -> i64 {
        SECONDS.get(self.place).copied().unwrap_or(1)
    }

    /// The next longer step; none after the longest.
    pub(crate) fn longer(self) -> Option<Self> {
        (self.place + 1 < SECONDS.len()).then_some(Self { place: self.place + 1 })
    }

    /// The number of the point that a second lies in, counted from 1970.
    pub(crate) fn point_of(self, second: i64) -> i64 {
        second.div_euclid(self.seconds())
    }

    /// How many points of this step make one of a longer step.
    pub(crate) fn points_in(self, longer: Self) -> i64 {
        longer.seconds() / self.seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_divides_the_next() {
        let mut step = Step::SECOND;
        while let Some(longer) = step.longer() {
            assert_eq!(longer.seconds() % step.seconds(), 0, "{longer:?}");
            assert_eq!(step.points_in(longer) * step.seconds(), longer.seconds());
            assert_eq!(Step::from_seconds(longer.seconds().unsigned_abs()), Some(longer));
            step = longer;
        }
        assert_eq!(Step::from_seconds(2), None);
    }

    #[test]
    fn the_longest_step_covers_every_instant_with_the_fewest_points() {
        let mut longest = Step::SECOND;
        while let Some(longer) = longest.longer() {
            longest = longer;
        }
        let points = longest.point_of(i64::MAX / 1_000_000) - longest.point_of(i64::MIN / 1_000_000) + 1;
        assert_eq!(usize::try_from(points), Ok(FEWEST_POINTS));
    }
}
